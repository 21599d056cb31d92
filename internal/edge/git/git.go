// Package git is the one wrapper around the git program. Every call is hardened: no hooks, no external protocols, no
// prompts, no pager, no repository setting that could start a program. It never writes into the user's repository.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The faults of this package.
const (
	CodeMissing = "SL2201" // the git program is not there
	CodeFailed  = "SL2202" // git refused
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeMissing, Summary: "git is not installed", Text: "Sluice reads the repository with the git program. Install it (Debian: apt-get install git) and see that it is on PATH."},
	{Code: CodeFailed, Summary: "git refused a command", Text: "The message is git's own: the repository is damaged, or of a format that the installed git does not know. Nothing is ever fetched, so a partial clone must hold what is asked of it."},
}

// hardened are settings that keep a hostile repository from starting programs (reliability.md S14).
var hardened = []string{
	"-c", "core.hooksPath=/dev/null",
	"-c", "core.fsmonitor=false",
	"-c", "core.pager=cat",
	"-c", "core.sshCommand=false",
	"-c", "protocol.ext.allow=never",
	"-c", "credential.helper=",
	"-c", "core.quotePath=false",
	"-c", "log.showSignature=false",
	"-c", "core.alternateRefsCommand=false",
	// Whoever asks for a repository's pipeline to be run trusts its files; who owns the folder says no more than that.
	"-c", "safe.directory=*",
	"--no-optional-locks",
	"--literal-pathspecs",
}

// Error is a git command that failed.
type Error struct {
	Args   []string
	Exit   int
	Stderr string
}

func (e *Error) Error() string {
	what := strings.TrimSpace(e.Stderr)
	if what == "" {
		what = fmt.Sprintf("exit status %d", e.Exit)
	}
	return fmt.Sprintf("git %s: %s", strings.Join(e.Args, " "), what)
}

// Fault is the error in the words of a fault, for a person.
func (e *Error) Fault() *fault.Fault {
	first, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(e.Stderr), "fatal: "), "\n")
	return fault.New(CodeFailed, "git cannot read the repository: %s", first).WithHint("see what `git status` says there")
}

// Run runs git in dir and returns what it printed. Arguments that come from outside stand after "--end-of-options" or
// "--": that is the caller's part.
func Run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	return finish(ctx, Command(ctx, dir, args...), args)
}

func finish(ctx context.Context, cmd *exec.Cmd, args []string) ([]byte, error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if errors.Is(err, exec.ErrNotFound) {
			return nil, fault.New(CodeMissing, "git is not installed").WithHint("install it, or put it on PATH")
		}
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return nil, &Error{Args: args, Exit: exit.ExitCode(), Stderr: errs.String()}
		}
		return nil, fmt.Errorf("start git: %w", err)
	}
	return out.Bytes(), nil
}

// Command is the hardened command, for callers that stream.
func Command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", append(append([]string{}, hardened...), args...)...)
	cmd.Dir = dir
	cmd.Env = environ()
	cmd.WaitDelay = time.Second
	return cmd
}

// environ is ours without the variables by which git would be led to another repository or to a program.
func environ() []string {
	out := make([]string, 0, 48)
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "GIT_") && !strings.HasPrefix(kv, "GIT_CONFIG_GLOBAL=") && !strings.HasPrefix(kv, "GIT_CONFIG_SYSTEM=") && !strings.HasPrefix(kv, "GIT_CONFIG_NOSYSTEM=") {
			continue
		}
		out = append(out, kv)
	}
	// Nothing is fetched here, also not what a partial clone lacks: a repository's own setting says with which program.
	return append(out, "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=/bin/false", "SSH_ASKPASS=/bin/false", "LC_ALL=C",
		"GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none")
}
