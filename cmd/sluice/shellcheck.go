package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/sluice-delivery/sluice/internal/dialect/github/lint"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// scriptTools are the programs that look at the scripts of workflows: auto is the one of the machine where there is
// one, never is none, anything else is its path.
type scriptTools struct{ shellcheck, pyflakes string }

func (t *scriptTools) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.shellcheck, "shellcheck", "auto", "look at shell scripts of workflows with shellcheck: auto, never or its path")
	cmd.Flags().StringVar(&t.pyflakes, "pyflakes", "auto", "look at Python scripts of workflows with pyflakes: auto, never or its path")
}

// The bounds of one lint.
const (
	scriptsAtOnce = 2
	scriptTime    = 30 * time.Second // for one script
	scriptOutput  = 4 << 20          // bytes that a tool may say about one
)

// uncertain are codes of shellcheck that say nothing about scripts whose ${{ }} were replaced and whose variables come
// from env: a word or comparison that is constant, a variable that is not assigned, a file that is not here.
const uncertain = "SC1091,SC2194,SC2050,SC2153,SC2154,SC2157,SC2043"

// check looks at scripts with the tools that there are. The faults are placed in the workflow, in the order of the
// scripts. The error says that a tool which was asked for by its path is not there, or that ctx ended.
func (t scriptTools) check(ctx context.Context, scripts []lint.Script) (fault.Faults, error) {
	shellcheck, err := toolAt(t.shellcheck, "shellcheck")
	if err != nil {
		return nil, err
	}
	pyflakes, err := toolAt(t.pyflakes, "pyflakes")
	if err != nil {
		return nil, err
	}
	found := make([]fault.Faults, len(scripts))
	var group errgroup.Group
	group.SetLimit(scriptsAtOnce)
	for i, s := range scripts {
		shell, _, _ := strings.Cut(s.Shell, " ")
		switch {
		case shellcheck != "" && (shell == "bash" || shell == "sh"):
			group.Go(func() error { found[i] = shellchecked(ctx, shellcheck, shell, s); return nil })
		case pyflakes != "" && (shell == "python" || shell == "python3"):
			group.Go(func() error { found[i] = pyflaked(ctx, pyflakes, s); return nil })
		}
	}
	if err := errors.Join(group.Wait(), context.Cause(ctx)); err != nil {
		return nil, fmt.Errorf("look at the scripts: %w", err)
	}
	var out fault.Faults
	for _, fs := range found {
		out = append(out, fs...)
	}
	return out, nil
}

// toolAt is the path of a tool, "" where it is not to be used or not there.
func toolAt(wanted, name string) (string, error) {
	switch wanted {
	case "never":
		return "", nil
	case "", "auto":
		path, err := exec.LookPath(name)
		if err != nil {
			return "", nil //nolint:nilerr // a machine without it is no mistake
		}
		return path, nil
	}
	path, err := exec.LookPath(wanted)
	if err != nil {
		return "", fault.New(codeUsage, "there is no %s at %s", name, wanted).WithHint("--%s takes auto, never or a path", name)
	}
	return path, nil
}

// shellchecked is what shellcheck says about one script. It gets the options that GitHub gives the shell as a first
// line. It follows no source (-x): what a hostile script names would be read, /dev/zero until the memory ends.
func shellchecked(ctx context.Context, tool, shell string, s lint.Script) fault.Faults {
	setup := "set -e\n"
	if shell == "bash" {
		setup = "set -eo pipefail\n"
	}
	out, err := ask(ctx, setup+s.Text+"\n", tool, "--norc", "-f", "json1", "--shell", shell, "-e", uncertain, "-")
	var said struct {
		Comments []struct {
			Line, Column int
			Level        string
			Code         int
			Message      string
		}
	}
	if err == nil {
		err = json.Unmarshal(out, &said)
	}
	if err != nil {
		return toolFailed(ctx, lint.CodeShellcheck, "shellcheck", s, err)
	}
	var found fault.Faults
	for _, c := range said.Comments {
		severity := fault.Note
		switch {
		case c.Level == "error" && c.Code < 2000:
			severity = fault.Error // the shell cannot read it
		case c.Level == "error", c.Level == "warning":
			severity = fault.Warning
		}
		found = append(found, fault.At(lint.CodeShellcheck, s.At(c.Line-1, c.Column), "SC%d: %s", c.Code, strings.TrimSuffix(c.Message, ".")).
			WithSeverity(severity).WithHint("https://www.shellcheck.net/wiki/SC%d", c.Code))
	}
	return found
}

// pyflakesLine is one finding: <stdin>:line:column: text. Old releases give no column.
var pyflakesLine = lazy.Pattern(`(?m)^<stdin>:(\d+):(?:(\d+):)? (.+?)\r?$`)

// pyflaked is what pyflakes says about one script.
func pyflaked(ctx context.Context, tool string, s lint.Script) fault.Faults {
	out, err := ask(ctx, s.Text, tool)
	if err != nil {
		return toolFailed(ctx, lint.CodePyflakes, "pyflakes", s, err)
	}
	var found fault.Faults
	for _, m := range pyflakesLine.FindAllSubmatch(out, -1) {
		line, _ := strconv.Atoi(string(m[1]))
		column, _ := strconv.Atoi(string(m[2]))
		found = append(found, fault.At(lint.CodePyflakes, s.At(line, max(column, 1)), "pyflakes: %s", m[3]).WithSeverity(fault.Warning))
	}
	return found
}

// toolFailed tells that a tool did not do its work, once a script; nothing where the command is being stopped.
func toolFailed(ctx context.Context, code, name string, s lint.Script, err error) fault.Faults {
	if ctx.Err() != nil {
		return nil
	}
	return fault.Faults{fault.At(code, s.Place, "%s could not look at this script: %v", name, err).WithSeverity(fault.Note).
		WithHint("--%s=never leaves it out", name)}
}

// ask gives a script to a tool and returns what it says. Exit code 1 means that it found something.
func ask(ctx context.Context, script, tool string, args ...string) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, scriptTime)
	defer stop()
	out := &bounded{left: scriptOutput}
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(script), out, out
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 && ctx.Err() == nil {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w: %s", tool, err, strings.TrimSpace(firstLine(out.String())))
	}
	return out.Bytes(), nil
}

// bounded keeps the first bytes of what is written and drops the rest.
type bounded struct {
	bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	kept := p[:min(len(p), b.left)]
	b.left -= len(kept)
	b.Buffer.Write(kept)
	return len(p), nil
}
