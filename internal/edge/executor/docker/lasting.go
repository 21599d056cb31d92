package docker

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/script"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// The folders that GitHub's runner gives containers, below the private folder here and at fixed paths there.
const (
	homeFolder  = "_github_home"
	eventFolder = "_github_workflow"
	homeThere   = "/github/home"
	eventThere  = "/github/workflow"
	socket      = "/var/run/docker.sock"
)

// cookie is the variable by which the processes of one step are known in a container that several steps share.
const cookie = "SLUICE_STEP"

// linger is how long output is waited for after a step's command has ended while something it started holds it open.
const linger = 300 * time.Millisecond

// openLasting starts the services and the job's container, which waits, as GitHub's runner does it; then it waits for the
// services that can say how they are.
func (h *host) openLasting(ctx context.Context, s *shape, out program.Output) error {
	if err := h.join(ctx); err != nil {
		return err
	}
	if err := h.gateway(ctx); err != nil {
		return err
	}
	mounts, err := h.offices()
	if err != nil {
		return err
	}
	h.node = findNode(h.x.c.Node)
	s.host.Mounts = append(append(s.host.Mounts, mounts...), h.node.mounts()...)
	s.config.Entrypoint, s.config.Cmd = []string{"tail"}, []string{"-f", "/dev/null"}
	if len(variable(h.order.Env, "HOME")) == 0 && len(variable(s.config.Env, "HOME")) == 0 {
		s.config.Env = append(s.config.Env, "HOME="+homeThere)
	}
	services, err := h.company(ctx, out)
	if err != nil {
		return err
	}
	if err := h.create(ctx, s); err != nil {
		return err
	}
	if _, err := h.engine.ContainerStart(ctx, h.id, client.ContainerStartOptions{}); err != nil {
		return h.unstarted(err)
	}
	got, err := h.engine.ContainerInspect(ctx, h.id, client.ContainerInspectOptions{})
	if err != nil {
		return err
	}
	if got.Container.Config != nil {
		h.path = cmp.Or(string(variable(got.Container.Config.Env, "PATH")), enginePath)
	}
	if err := h.findShell(ctx); err != nil && fault.CodeOf(err) != executor.CodeNoShell {
		return err // a step that needs one will say so
	}
	return h.healthy(ctx, services, out)
}

// enginePath is the PATH that the engine gives to programs of an image that has none, as imported ones do.
const enginePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// unstarted is the fault of a job's container that does not start.
func (h *host) unstarted(err error) error {
	f := h.order.Image
	if strings.Contains(err.Error(), `"tail"`) {
		return fault.At(executor.CodeContainer, f.Place, "the image %s has no tail, by which a job's container is made to wait: %v", f.Name, err)
	}
	for _, p := range f.Ports {
		if strings.Contains(err.Error(), "port is already allocated") || strings.Contains(err.Error(), "address already in use") {
			return fault.At(executor.CodePort, f.Place, "a port of the job's container (%s) is taken: %v", p, err)
		}
	}
	return fault.At(executor.CodeContainer, f.Place, "the container of %s cannot be started: %v", f.Name, err)
}

// offices makes the folders at fixed paths, and where the job is given it, the engine's socket.
func (h *host) offices() ([]mount.Mount, error) {
	m, err := offices(h.folder.Private)
	if err != nil {
		return nil, err
	}
	h.ways = append([]way{{m[0].Source, m[0].Target}, {m[1].Source, m[1].Target}}, h.ways...)
	if h.foreignUser() {
		err = openUp(h.folder.Private)
	}
	return append(m, h.x.socket()...), err
}

func offices(private string) ([]mount.Mount, error) {
	var m []mount.Mount
	for _, o := range []way{{homeFolder, homeThere}, {eventFolder, eventThere}} {
		dir := filepath.Join(private, o.here)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, executor.Unwritable(err)
		}
		m = append(m, mount.Mount{Type: mount.TypeBind, Source: dir, Target: o.there})
	}
	return m, nil
}

// socket brings the engine's own socket in, where the executor is told to and the engine has one here.
func (x *Executor) socket() []mount.Mount {
	at, ok := strings.CutPrefix(x.address(), "unix://")
	if !x.c.Socket || !ok {
		return nil
	}
	return []mount.Mount{{Type: mount.TypeBind, Source: at, Target: socket}}
}

func (x *Executor) address() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.engine == nil {
		return ""
	}
	return x.engine.DaemonHost()
}

// execBeside starts a step's command in the container that lasts, and follows it to its end.
func (h *host) execBeside(ctx context.Context, e program.Exec, dir string, out program.Output) (int, error) {
	s, argv, err := h.command(ctx, e)
	if err != nil {
		return 0, h.failed(err)
	}
	order, err := script.NewOrder(s, out)
	if err != nil {
		return 0, h.failed(&outputError{err})
	}
	env, err := h.reach(ctx, h.trusting(e.Env))
	if err != nil {
		return 0, h.failed(err)
	}
	mark := script.Nonce()
	own, done := context.WithCancel(context.WithoutCancel(ctx)) // it must be followed to its end also when it is stopped
	defer done()
	r, err := h.engine.ExecCreate(own, h.id, client.ExecCreateOptions{
		Cmd: argv, Env: append(env, cookie+"="+mark), WorkingDir: dir, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return 0, h.failed(err)
	}
	streams, err := h.engine.ExecAttach(own, r.ID, client.ExecAttachOptions{})
	if err != nil {
		return 0, h.failed(tooLarge(err, e.Env))
	}
	run := &step{h: h, id: r.ID, mark: mark, streams: streams.HijackedResponse, order: order, copied: make(chan error, 1)}
	exit, stop, err := run.follow(ctx, own)
	if err == nil {
		err = h.reclaim(own, h.imageID)
	}
	switch {
	case stop != nil:
		return 0, stopped(ctx, stop)
	case err != nil:
		return 0, h.failed(err)
	}
	return exit, nil
}

// tooLarge names the variable that is too large for the system, where that is why a command did not start.
func tooLarge(err error, env []string) error {
	if !strings.Contains(err.Error(), "argument list too long") {
		return err
	}
	largest := ""
	for _, kv := range env {
		if len(kv) > len(largest) {
			largest = kv
		}
	}
	name, _, _ := strings.Cut(largest, "=")
	return fault.New(executor.CodeEnvironment, "the step's variables are too large for the system: %s alone has %d KiB", name, len(largest)>>10)
}

// command is what to start for a step. Shell commands that are told one by one get a shell around theirs, through which
// the marks between them find the streams.
func (h *host) command(ctx context.Context, e program.Exec) (*script.Script, []string, error) {
	if len(e.Argv) > 0 {
		argv, err := h.withNode(ctx, e)
		return &script.Script{}, argv, err
	}
	s, run, err := h.script(e)
	if err != nil {
		return nil, nil, err
	}
	if h.foreignUser() {
		if err := openUp(h.folder.Private); err != nil {
			return nil, nil, err
		}
	}
	if !run.posix || e.Quiet {
		return s, run.argv, nil
	}
	return s, []string{h.shell, "-c", quoted(run.argv) + " </dev/null\nexit $?"}, nil
}
