package pod

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// run is one run of a container: a process tree, or a container of an engine.
type run interface {
	ended() <-chan struct{}
	result() result // after ended
	terminate()     // SIGTERM to all of it
	kill()          // SIGKILL to all of it
	exec(ctx context.Context, argv []string) (code int, output string, err error)
	image(spec string) string
	imageID() string
}

// result is how a run ended: the exit code as a shell would give it, and the signal that ended it.
type result struct{ code, signal int }

// start starts the container: in an engine where there is one and it takes the container, else as a process.
func (c *member) start(ctx context.Context) (run, error) {
	env, err := c.environment(ctx)
	if err != nil {
		return nil, err
	}
	out, err := c.log.begin(c.restarts)
	if err != nil {
		return nil, err
	}
	if e := c.l.m.c.Engine; e != nil && !c.asProcess() {
		return e.run(ctx, c, env, out)
	}
	if len(c.spec.Command) == 0 {
		_ = out.Close()
		return nil, refuse("CreateContainerError", "container %s has no command, and no container engine is there to run the image %s by its own", c.spec.Name, c.spec.Image)
	}
	p, err := c.process(env)
	if err != nil {
		_ = out.Close()
		return nil, err
	}
	r := &process{c: c, plan: p, out: out, done: make(chan struct{})}
	if err := r.start(); err != nil {
		_ = out.Close()
		return nil, refuse("StartError", "%w", err)
	}
	return r, nil
}

// RunAnnotation on a pod says how its containers run: "process" though an engine is there.
const RunAnnotation = "sluice.dev/run"

// FolderAnnotation on a pod is the folder of its processes, relative to the folder of `sluice up`.
const FolderAnnotation = "sluice.dev/folder"

func (c *member) asProcess() bool {
	return c.l.pod.Annotations[RunAnnotation] == "process" && len(c.spec.Command) > 0
}

// plan is a process to start.
type plan struct {
	argv   []string
	env    []string
	dir    string
	mounts []mount // as the process is to see them; nil where the system refuses
}

// mount is a folder or file of ours at a path of the process.
type mount struct {
	Source, Target string
	ReadOnly       bool
}

// process prepares the container's process: its folder, its mounts, its environment.
func (c *member) process(env []corev1.EnvVar) (*plan, error) {
	mounts, err := c.mounts(env)
	if err != nil {
		return nil, err
	}
	root, err := c.tree(mounts)
	if err != nil {
		return nil, err
	}
	own := append(c.own(root, c.l.address), env...)
	p := &plan{argv: append(expand(c.spec.Command, own), expand(c.spec.Args, own)...)}
	dir := c.l.m.c.Folder
	if sub := c.l.pod.Annotations[FolderAnnotation]; filepath.IsLocal(sub) {
		dir = filepath.Join(dir, sub)
	}
	if c.spec.WorkingDir != "" {
		dir = c.spec.WorkingDir
	}
	if c.l.m.mounts {
		p.mounts = mounts
		hosts := c.l.m.hosts(c.l.pod.Namespace)
		if _, err := os.Stat(hosts); err == nil {
			p.mounts = append(p.mounts, mount{Source: hosts, Target: "/etc/hosts", ReadOnly: true})
		}
	} else if len(mounts) > 0 {
		rewrite := rewriter(mounts)
		for i := range p.argv {
			p.argv[i] = rewrite(p.argv[i])
		}
		for i := range own {
			own[i].Value = rewrite(own[i].Value)
		}
		dir = rewrite(dir)
		c.l.m.event(c.l, true, "MountsRewritten", fmt.Sprintf("this system lets Sluice mount nothing for container %s: mount paths in its command, arguments and environment are written anew; a path that its files name themselves is not there", c.spec.Name))
	}
	p.dir = dir
	p.env = c.inherit(own)
	return p, nil
}

// own is what every container is told besides its environment: listen is the address to listen on.
func (c *member) own(root, listen string) []corev1.EnvVar {
	return []corev1.EnvVar{
		{Name: "HOSTNAME", Value: orElse(c.l.pod.Spec.Hostname, c.l.pod.Name)},
		{Name: "SLUICE_POD_IP", Value: listen},
		{Name: "SLUICE_ROOT", Value: root},
	}
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// inherit adds the container's environment to what every process of this machine needs: PATH, HOME, a temporary folder, the
// language. Nothing else of ours is handed on.
func (c *member) inherit(env []corev1.EnvVar) []string {
	var out []string
	for _, name := range []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if v, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+v)
		}
	}
	for _, e := range env {
		out = append(out, e.Name+"="+e.Value)
	}
	return append(out, cookieName+"="+c.cookie())
}

// cookie marks the processes of a container, whatever parent or session they take.
func (c *member) cookie() string {
	return c.l.m.cookie() + "/" + string(c.l.pod.UID) + "/" + c.spec.Name
}

func (m *Manager) cookie() string { return cookieOf(m.c.Dir) }

// process is a run as a process tree of this machine.
type process struct {
	c     *member
	plan  *plan
	out   *logWriter
	cmd   *exec.Cmd
	clean func()
	done  chan struct{}
	res   result

	mu   sync.Mutex
	dead bool // reaped: its pid may be another's
}

func (p *process) start() error {
	cmd, clean, err := p.c.l.m.command(p.plan)
	if err != nil {
		return err
	}
	p.clean = clean
	var pipes [2]*os.File
	var readers sync.WaitGroup
	for i, stream := range []string{"stdout", "stderr"} {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		pipes[i] = w
		readers.Go(func() {
			p.out.copy(stream, r)
			_ = r.Close()
		})
	}
	cmd.Stdout, cmd.Stderr = pipes[0], pipes[1]
	p.cmd = cmd
	err = p.c.l.m.spawn.start(cmd)
	_ = pipes[0].Close()
	_ = pipes[1].Close()
	if err != nil {
		readers.Wait()
		clean()
		return err
	}
	p.c.l.m.keeper.add(cmd.Process.Pid)
	go p.wait(&readers) // ends with the process; ended tells
	return nil
}

// wait reaps the process, ends what it left behind, and reads its output to the end.
func (p *process) wait(readers *sync.WaitGroup) {
	err := p.cmd.Wait()
	p.mu.Lock()
	p.dead = true
	p.mu.Unlock()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			p.res = result{128 + int(s.Signal()), int(s.Signal())}
		} else {
			p.res = result{code: exit.ExitCode()}
		}
	} else if err != nil {
		p.res = result{code: 128}
	}
	endTree(p.cmd.Process.Pid, p.c.cookie())
	p.c.l.m.keeper.remove(p.cmd.Process.Pid)
	readers.Wait()
	p.clean()
	_ = p.out.Close()
	close(p.done)
}

func (p *process) ended() <-chan struct{}   { return p.done }
func (p *process) result() result           { return p.res }
func (p *process) image(spec string) string { return spec }
func (p *process) imageID() string          { return "" }

func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dead {
		_ = syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

func (p *process) terminate() { p.signal(syscall.SIGTERM) }

// kill ends the whole tree: what has left the process group is found by its cookie.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	endTree(p.cmd.Process.Pid, p.c.cookie())
}

// outputLimit is how much of a probe's or a hook's output is kept.
const outputLimit = 1 << 10

// exec runs a command beside the process, with its environment, folder and mounts.
func (p *process) exec(ctx context.Context, argv []string) (int, string, error) {
	if len(argv) == 0 {
		return 0, "", errors.New("the command is empty")
	}
	beside := *p.plan
	beside.argv = argv
	cmd, clean, err := p.c.l.m.command(&beside)
	if err != nil {
		return 0, "", err
	}
	defer clean()
	var out limited
	r, w, err := os.Pipe()
	if err != nil {
		return 0, "", err
	}
	defer r.Close()
	cmd.Stdout, cmd.Stderr = w, w
	err = p.c.l.m.spawn.start(cmd)
	_ = w.Close()
	if err != nil {
		return 0, "", err
	}
	pid := cmd.Process.Pid
	p.c.l.m.keeper.add(pid)
	defer p.c.l.m.keeper.remove(pid)
	undo := context.AfterFunc(ctx, func() { _ = syscall.Kill(-pid, syscall.SIGKILL) })
	read := make(chan struct{})
	go func() { // ends with the pipe
		_, _ = io.Copy(&out, r)
		close(read)
	}()
	err = cmd.Wait()
	if !undo() && ctx.Err() != nil {
		err = ctx.Err()
	}
	select {
	case <-read:
	case <-time.After(time.Second): // something that it started holds the pipe
		_ = r.Close()
		<-read
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), strings.TrimSpace(out.String()), nil
	}
	return 0, strings.TrimSpace(out.String()), err
}

// limited keeps the beginning of what is written.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := outputLimit - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
