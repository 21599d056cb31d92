package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/script"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"golang.org/x/sys/unix"
)

// shells are where GitLab's runner looks for one in an image, in its order.
var shells = []string{"/usr/local/bin/bash", "/usr/bin/bash", "/bin/bash", "/usr/local/bin/sh", "/usr/bin/sh", "/bin/sh", "/busybox/sh"}

// argLimit is the size up to which a script is given to the shell as an argument; Linux takes 128 KiB.
const argLimit = 96 << 10

const (
	scriptName = ".script" // the step's commands, in the private folder
	startName  = ".start"  // how they are started
)

// bootstrap is the container's command. It reads how to start the step from the private folder, so that one container
// serves all steps; it stays the first process, with the streams as they were, and gives what the step has left behind
// a moment to end by itself.
func bootstrap(private string) string {
	return `. ` + script.Quote(path.Join(private, startName)) + `
n=0
while [ $n -lt 3 ] && [ $$ -eq 1 ] && kill -0 -1 2>/dev/null; do n=$((n+1)); sleep 0.1 2>/dev/null || sleep 1; done
exit $code`
}

// Exec starts the job's container for one step and follows it to its end.
func (h *host) Exec(ctx context.Context, e program.Exec, out program.Output) (int, error) {
	if err := context.Cause(ctx); err != nil {
		return 0, stopped(ctx, err)
	}
	here, there, err := executor.Dir(h.Paths(), e.Dir)
	if err != nil {
		return 0, err
	}
	if info, err := os.Stat(here); err != nil || !info.IsDir() {
		return 0, &program.Error{Failure: program.SystemFailure, Err: fault.New(executor.CodeFolder, "the step's folder %q is not there", e.Dir)}
	}
	if e.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, e.Timeout, &program.Error{
			Failure: program.ExecutionTimeout, Err: fmt.Errorf("the step took longer than %s", e.Timeout),
		})
		defer cancel()
	}
	if h.order.Lasting {
		return h.execBeside(ctx, e, there, out)
	}
	s, err := h.prepare(e, there, out)
	if err == nil {
		var order *script.Order
		if order, err = script.NewOrder(s, out); err == nil {
			return h.follow(ctx, order)
		}
	}
	return 0, h.failed(err)
}

// run is how a step's commands are started.
type run struct {
	argv  []string
	posix bool // by a shell that can tell of one command after the other
}

// script writes the step's commands and finds what starts them: its shell, with {0} for the file where the shell is given
// with arguments, as GitHub's custom shells are.
func (h *host) script(e program.Exec) (*script.Script, run, error) {
	if len(e.Argv) > 0 {
		return &script.Script{}, run{argv: e.Argv}, nil
	}
	own := script.Split(e.Shell)
	shell := h.shell
	posix := true
	if len(own) > 0 {
		shell = own[0]
		base := path.Base(shell)
		posix = len(own) == 1 && (base == "bash" || base == "sh" || base == "dash" || base == "ash")
	}
	if shell == "" {
		return nil, run{}, h.noShell()
	}
	h.steps++
	name := scriptName
	if h.order.Lasting { // a shell that was left running still reads the one before
		name += "-" + strconv.Itoa(h.steps)
	}
	name += e.Ext
	if filepath.Base(name) != name {
		return nil, run{}, fault.New(executor.CodeFolder, "%q is no extension of a file's name", e.Ext)
	}
	file := path.Join(h.private, name)
	var s *script.Script
	r := run{argv: []string{shell}, posix: posix}
	if posix {
		s = script.Compose(e.Lines, script.Options{
			Bash: path.Base(shell) == "bash", Quiet: e.Quiet, Nonce: script.Nonce(), Out: `/proc/$PPID/fd/1`, Err: `/proc/$PPID/fd/2`,
		})
		text := s.Text
		if len(text) > argLimit {
			text = ". " + script.Quote(file)
		}
		r.argv = append(r.argv, "-c", text)
	} else {
		s = script.Whole(e.Lines, e.Quiet)
		r.argv = append(r.argv, script.Place(own[1:], file)...)
	}
	return s, r, h.write(name, s.Text)
}

// write puts a file into the private folder.
func (h *host) write(name, text string) error {
	if err := os.WriteFile(filepath.Join(h.folder.Private, name), []byte(text), 0o600); err != nil {
		return executor.Unwritable(err)
	}
	return nil
}

// prepare writes the step's script and the way to start it.
func (h *host) prepare(e program.Exec, dir string, out program.Output) (*script.Script, error) {
	s, r, err := h.script(e)
	if err != nil {
		return nil, err
	}
	command := quoted(r.argv) + " </dev/null"
	if !r.posix { // the shell around has nothing to say of how it ended
		command = "( (exec " + command + " 2>&3 3>&-); exit $? ) 3>&2 2>/dev/null"
	}
	start := h.exports(h.trusting(e.Env), out) + "cd " + script.Quote(dir) + " || exit 1\n" + command + "\ncode=$?\n"
	if err := h.write(startName, start); err != nil {
		return nil, err
	}
	if h.foreignUser() {
		return s, openUp(h.folder.Private)
	}
	return s, nil
}

// quoted is a command as a shell reads it.
func quoted(argv []string) string {
	out := make([]string, len(argv))
	for i, a := range argv {
		out[i] = script.Quote(a)
	}
	return strings.Join(out, " ")
}

// trusting adds git's leave to work in the project where its files belong to us and the job runs as another user, root
// mostly: git would refuse it ("dubious ownership"). The setting is git's own, by environment.
func (h *host) trusting(env []string) []string {
	user, _, _ := strings.Cut(h.user, ":")
	if user == "" || user == "root" {
		user = "0"
	}
	if user == strconv.Itoa(h.x.uid) {
		return env
	}
	n, _ := strconv.Atoi(string(variable(env, "GIT_CONFIG_COUNT")))
	i := strconv.Itoa(n)
	return append(slices.Clip(env), "GIT_CONFIG_COUNT="+strconv.Itoa(n+1), "GIT_CONFIG_KEY_"+i+"=safe.directory", "GIT_CONFIG_VALUE_"+i+"=*")
}

// exports are the step's variables as the shell sets them. Names that a shell cannot have are left out, with a word.
func (h *host) exports(env []string, out program.Output) string {
	var b strings.Builder
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if !isName(name) {
			say(out, "WARNING: the variable %q is left out: a shell has no such names", name)
			continue
		}
		b.WriteString("export " + name + "=" + script.Quote(value) + "\n")
	}
	return b.String()
}

func isName(s string) bool {
	for i, c := range []byte(s) {
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// follow starts the container for a step and hands its output on until it has ended.
func (h *host) follow(ctx context.Context, order *script.Order) (int, error) {
	own := context.WithoutCancel(ctx)
	exit, stop, err := (&start{site: h.site, id: h.id, order: order, ask: h.ask}).follow(ctx)
	if err == nil {
		err = h.reclaim(own, h.imageID)
	}
	if exit == 137 && stop == nil && err == nil {
		err = h.outOfMemory(own, h.id)
	}
	switch {
	case stop != nil:
		return 0, stopped(ctx, stop)
	case err != nil:
		return 0, h.failed(err)
	}
	return exit, nil
}

// outOfMemory says so where the kernel ended the container for its memory.
func (t *site) outOfMemory(ctx context.Context, id string) error {
	got, err := t.engine.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err == nil && got.Container.State != nil && got.Container.State.OOMKilled {
		return fault.New(executor.CodeContainer, "the job used more memory than its container may, and was ended")
	}
	return nil
}

// ask asks everything in the container but the first process to end.
func (h *host) ask(ctx context.Context) {
	r, err := h.engine.ExecCreate(ctx, h.id, client.ExecCreateOptions{User: "0", Cmd: []string{h.shell, "-c", "kill -TERM -1; kill -CONT -1"}})
	if err == nil {
		_, _ = h.engine.ExecStart(ctx, r.ID, client.ExecStartOptions{Detach: true})
	}
}

// failed is the error of an engine that did not do what it should.
func (h *host) failed(err error) error {
	if _, ok := errors.AsType[*program.Error](err); ok {
		return err
	}
	if _, ok := errors.AsType[*outputError](err); ok {
		return &program.Error{Failure: program.SystemFailure, Err: err}
	}
	if _, ok := errors.AsType[*fault.Fault](err); ok {
		return &program.Error{Failure: program.SystemFailure, Err: err}
	}
	return &program.Error{Failure: program.SystemFailure, Err: fault.At(executor.CodeContainer, h.order.Image.Place, "the container of %s: %v", h.order.Image.Name, err)}
}

// unreachable says that this machine has no way to an address at all: rootless engines and those in a virtual machine.
func unreachable(err error) bool {
	return errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.ENETUNREACH) || errors.Is(err, os.ErrDeadlineExceeded)
}
