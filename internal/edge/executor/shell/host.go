package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/script"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// argLimit is the size up to which a script is given to the shell as an argument; Linux takes 128 KiB.
const argLimit = 96 << 10

// host is one attempt of one job.
type host struct {
	x       *Executor
	order   program.Order
	shell   string
	cookie  string
	folder  *executor.Folder
	scripts int
	steps   int
	closed  bool
	// Of a job whose steps may leave something running (program.Order.Lasting): the shells of steps that did, and what
	// reads the output that nobody hears any more, so that who writes it can go on.
	leaders []int
	unheard []*os.File
	readers sync.WaitGroup
}

// Paths are the same for us and for the job.
func (h *host) Paths() program.Paths {
	kind := "sh"
	if isBash(h.shell) {
		kind = "bash"
	}
	return program.Paths{Workspace: h.folder.Workspace, JobWorkspace: h.folder.Workspace, Private: h.folder.Private, JobPrivate: h.folder.Private, Shell: kind}
}

// Exec runs one shell to its end.
func (h *host) Exec(ctx context.Context, e program.Exec, out program.Output) (int, error) {
	if err := context.Cause(ctx); err != nil {
		return 0, stopped(ctx, err)
	}
	dir, _, err := executor.Dir(h.Paths(), e.Dir)
	if err != nil {
		return 0, err
	}
	r, err := newRun(h, e, out)
	if err != nil {
		return 0, systemFailure(err)
	}
	defer r.close()
	if err := h.start(r, e, dir); err != nil {
		return 0, systemFailure(err)
	}
	return r.wait(ctx, e.Timeout)
}

// start composes the step's script and starts its shell, or the program that the step names.
func (h *host) start(r *run, e program.Exec, dir string) error {
	h.steps++
	argv, s, err := h.command(r, e, dir)
	if err != nil {
		return err
	}
	env := h.environment(e.Env)
	if r.order, err = script.NewOrder(s, r.out); err != nil {
		return err
	}
	if err := r.start(argv, env, dir); err != nil {
		return explain(err, argv, env, dir)
	}
	return nil
}

// environment is the step's, with what we must add: the cookie by which we find its processes, and the end of git's
// search for a repository. Without that, git in a workspace that has none (GIT_STRATEGY none) would go up the folders and
// find the user's.
func (h *host) environment(step []string) []string {
	const ceiling = "GIT_CEILING_DIRECTORIES="
	env := make([]string, 0, len(step)+2)
	end := ceiling + h.folder.Path
	for _, kv := range step {
		if own, ok := strings.CutPrefix(kv, ceiling); ok {
			end += ":" + own
			continue
		}
		env = append(env, kv)
	}
	return append(env, end, cookieName+"="+h.mark())
}

// mark is the cookie of the step that runs now: where steps may leave something running, each has one of its own.
func (h *host) mark() string {
	if h.order.Lasting && !h.order.Outlive {
		return h.cookie + "." + strconv.Itoa(h.steps)
	}
	return h.cookie
}

// claims says whether a process with a cookie is to end now: of a job that goes on only what the step has started.
func (h *host) claims(cookie string) bool {
	if h.order.Lasting && !h.closed {
		return cookie == h.mark()
	}
	return cookie == h.cookie || strings.HasPrefix(cookie, h.cookie+".")
}

// command is what to start: the shell with the script as an argument, or as a file where it is long or where the
// step names a shell of its own; or the program of Argv.
func (h *host) command(r *run, e program.Exec, dir string) ([]string, *script.Script, error) {
	if len(e.Argv) > 0 {
		path, err := lookPath(e.Argv[0], e.Env, dir)
		return append([]string{path}, e.Argv[1:]...), &script.Script{}, err
	}
	shell, own := h.shell, script.Split(e.Shell)
	if len(own) > 0 {
		var err error
		if shell, err = lookPath(own[0], e.Env, dir); err != nil {
			return nil, nil, err
		}
		if name := strings.TrimSuffix(filepath.Base(own[0]), ".exe"); len(own) > 1 || !isBash(name) && name != "sh" && name != "dash" && name != "ash" {
			return h.foreign(shell, own[1:], e)
		}
	}
	s := script.Compose(e.Lines, script.Options{Bash: isBash(shell), Quiet: e.Quiet, Out: quoted(r.outPath), Err: quoted(r.errPath), Nonce: script.Nonce()})
	if len(s.Text) <= argLimit {
		return []string{shell, "-c", s.Text}, s, nil
	}
	file, err := h.write(s.Text, "")
	return []string{shell, "-c", ". " + script.Quote(file)}, s, err
}

func quoted(path string) string {
	if path == "" {
		return ""
	}
	return script.Quote(path)
}

// foreign runs the commands as one file by a program that is no POSIX shell, or a shell with arguments of its own; {0} in
// these stands for the file. All commands are told before it starts.
func (h *host) foreign(shell string, args []string, e program.Exec) ([]string, *script.Script, error) {
	s := script.Whole(e.Lines, e.Quiet)
	file, err := h.write(s.Text, e.Ext)
	return append([]string{shell}, script.Place(args, file)...), s, err
}

func (h *host) write(text, ext string) (string, error) {
	h.scripts++
	file := filepath.Join(h.folder.Private, scriptName(h.scripts, ext))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", executor.Unwritable(err)
	}
	return file, nil
}

// scriptName is the name of a job's n-th script file in the private folder.
func scriptName(n int, ext string) string {
	return ".script-" + strconv.Itoa(n) + filepath.Base("x" + ext)[1:]
}

// explain says why a shell did not start.
func explain(err error, argv, env []string, dir string) error {
	if errors.Is(err, errTooBig) {
		size, largest, name := 0, 0, ""
		for _, kv := range env {
			size += len(kv) + 1
			if len(kv) > largest {
				largest = len(kv)
				name, _, _ = strings.Cut(kv, "=")
			}
		}
		return fault.New(executor.CodeEnvironment, "the job's variables are too large for the system: %d KiB in all, %s alone has %d KiB", size>>10, name, largest>>10).
			WithHint("make %s a variable of type file", name)
	}
	if _, e := os.Stat(dir); e != nil {
		return fault.New(executor.CodeFolder, "the step's folder is not there: %v", e)
	}
	return fault.New(executor.CodeStart, "%s cannot be started: %v", argv[0], err)
}

func systemFailure(err error) error {
	if _, ok := errors.AsType[*program.Error](err); ok {
		return err
	}
	return &program.Error{Failure: program.SystemFailure, Err: err}
}

// stopped is the error of a step that was stopped from outside, for the reason that the context gives.
func stopped(ctx context.Context, cause error) error {
	if e, ok := errors.AsType[*program.Error](cause); ok {
		return e
	}
	failure := program.Canceled
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		failure = program.ExecutionTimeout
	}
	return &program.Error{Failure: failure, Err: fmt.Errorf("stopped: %w", cause)}
}

// Close ends what is left and gives the folder back.
func (h *host) Close(ctx context.Context, keep bool) error {
	if h.closed {
		return nil
	}
	h.closed = true
	err := h.end(ctx)
	for _, f := range h.unheard {
		_ = f.Close()
	}
	h.readers.Wait()
	return errors.Join(err, h.folder.Release(keep, !h.order.Outlive))
}

// leave lets what a step started run on until the job's end. Its output is read and goes nowhere.
func (h *host) leave(r *run) {
	if !r.process.groupLives() && r.pipes[0] < 0 && r.pipes[1] < 0 {
		return
	}
	h.leaders = append(h.leaders, r.process.pid)
	for i, fd := range r.pipes {
		if fd < 0 {
			continue
		}
		file := os.NewFile(uintptr(fd), "output")
		r.pipes[i] = -1
		h.unheard = append(h.unheard, file)
		h.readers.Go(func() { _, _ = io.Copy(io.Discard, file) })
	}
}
