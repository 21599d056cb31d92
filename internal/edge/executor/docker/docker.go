// Package docker runs jobs in containers of a Docker engine (Engine API 1.40 and later: docker.io 20.10, Podman's service):
// services on a network of the job's own, the workspace brought in from this machine.
//
// A container runs a job in one of two ways. GitLab's: the image's entrypoint is given our shell, a step is one start of the
// container, and when its shell ends all that it started ends with it. GitHub's (Order.Lasting): the container waits, steps are
// started in it beside, and it ends with the job; options, ports, volumes and health checks are those of GitHub's
// `container` and `services`. Docker actions (Contain) run in containers of their own, beside jobs of either kind and beside
// jobs on this machine (WithServices). Nothing here knows a workflow file, or decides what a container may do: flags of
// `docker create` that would leave the job's network are refused, the others are the file's to choose.
//
// Default pull policy is if-not-present, other than GitLab's always: on a laptop an image that is there is used, so that
// local images and work without a network do.
package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Labels of everything that is made in the engine.
const (
	labelRun   = "dev.sluice.run"
	labelJob   = "dev.sluice.job"
	labelOwner = "dev.sluice.owner" // executor.Owner of the process that made it
)

// Config is what the executor needs. Dir and Source are required.
type Config struct {
	// Dir is the folder of the workspaces; the engine must see it at the same path.
	Dir string
	// Source fills the workspaces.
	Source executor.Source
	// Grace is how long a step has between SIGTERM, once the engine has sent it, and SIGKILL; 0 means 10 seconds.
	Grace time.Duration
	// ServiceWait bounds the wait for a service to listen; 0 means 30 seconds, as in GitLab's runner.
	ServiceWait time.Duration
	// Host is the engine's address; "" means DOCKER_HOST, else the usual socket.
	Host string
	// Socket gives jobs' containers and Docker actions the engine's socket at /var/run/docker.sock, as GitHub's runner
	// does: who has it can do what the engine can.
	Socket bool
	// Node is this machine's node, for containers that have none; "" is the one on PATH.
	Node string
	// Hurry, once closed, ends every grace: what is being stopped is killed. nil: never.
	Hurry <-chan struct{}
}

// Executor is the Docker executor. Close it after the last host.
type Executor struct {
	c       Config
	folders *executor.Folders
	uid     int // ours: what a container's root writes must become

	mu     sync.Mutex
	engine *client.Client
	shells map[string]string // shell by image id

	building chan struct{} // held by who builds an image
}

// New makes the executor. It asks the engine nothing until the first Open or Available.
func New(c Config) *Executor {
	if c.Grace == 0 {
		c.Grace = 10 * time.Second
	}
	if c.ServiceWait == 0 {
		c.ServiceWait = 30 * time.Second
	}
	return &Executor{c: c, folders: executor.NewFolders(c.Dir, c.Source), uid: os.Geteuid(), shells: map[string]string{}, building: make(chan struct{}, 1)}
}

// Available says whether an engine answers that jobs can run on.
func (x *Executor) Available(ctx context.Context) error {
	_, err := x.connect(ctx)
	return err
}

// connect reaches the engine, once; a later call tries again where it failed.
func (x *Executor) connect(ctx context.Context) (*client.Client, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.engine != nil {
		return x.engine, nil
	}
	options := []client.Opt{client.FromEnv}
	if x.c.Host != "" {
		options = append(options, client.WithHost(x.c.Host))
	}
	engine, err := client.New(options...)
	if err != nil {
		return nil, noEngine(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ping, err := engine.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	switch {
	case err != nil:
		err = noEngine(err)
	case ping.OSType != "" && ping.OSType != "linux":
		err = fault.New(executor.CodeEngine, "the engine runs %s containers; jobs need linux", ping.OSType)
	case strings.HasPrefix(engine.DaemonHost(), "ssh://"):
		err = fault.New(executor.CodeRemoteHost, "the engine %s is on another machine", engine.DaemonHost()).WithHint("unset DOCKER_HOST, or use --executor shell")
	default:
		x.engine = engine
		return engine, nil
	}
	return nil, errors.Join(err, engine.Close())
}

func noEngine(err error) error {
	return fault.New(executor.CodeEngine, "no container engine answers: %v", err).
		WithHint("start Docker, or let jobs run on this machine with --executor shell")
}

// objects are the folders that the git of a workspace reads beside it.
func (x *Executor) objects() []string {
	if x.c.Source == nil {
		return nil
	}
	return x.c.Source.Objects()
}

// Close lets go of the engine and removes folders put by. Hosts must be closed before.
func (x *Executor) Close(context.Context) error {
	err := x.folders.Close()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.engine != nil {
		err = errors.Join(err, x.engine.Close())
		x.engine = nil
	}
	return err
}

// Sweep removes what runs that crashed have left: containers, networks, volumes and built images whose process is gone, and folders below dirs.
func (x *Executor) Sweep(ctx context.Context, dirs ...string) error {
	engine, err := x.connect(ctx)
	if err != nil {
		return err
	}
	var errs []error
	filter := client.Filters{}.Add("label", labelOwner)
	containers, err := engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
	errs = append(errs, err)
	for _, c := range containers.Items {
		if executor.OwnerGone(c.Labels[labelOwner]) {
			errs = append(errs, remove(ctx, engine, c.ID))
		}
	}
	networks, err := engine.NetworkList(ctx, client.NetworkListOptions{Filters: filter})
	errs = append(errs, err)
	for _, n := range networks.Items {
		if executor.OwnerGone(n.Labels[labelOwner]) {
			_, err := engine.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
			errs = append(errs, gone(err))
		}
	}
	volumes, err := engine.VolumeList(ctx, client.VolumeListOptions{Filters: filter})
	errs = append(errs, err)
	for _, v := range volumes.Items {
		if executor.OwnerGone(v.Labels[labelOwner]) {
			_, err := engine.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{})
			errs = append(errs, gone(err))
		}
	}
	errs = append(errs, sweepImages(ctx, engine), executor.SweepFolders(dirs...))
	return errors.Join(errs...)
}

// sweepImages removes images that were built for actions by runs that have ended. One that a container still uses stays.
func sweepImages(ctx context.Context, engine *client.Client) error {
	images, err := engine.ImageList(ctx, client.ImageListOptions{All: true, Filters: client.Filters{}.Add("label", labelBuild)})
	errs := []error{err}
	for _, i := range images.Items {
		if !executor.OwnerGone(i.Labels[labelOwner]) {
			continue
		}
		for _, name := range append(i.RepoTags, i.ID) {
			if name == "<none>:<none>" { // so engines call an image without a name
				continue
			}
			if _, err := engine.ImageRemove(ctx, name, client.ImageRemoveOptions{PruneChildren: true}); err != nil && !cerrdefs.IsConflict(err) {
				errs = append(errs, gone(err))
			}
		}
	}
	return errors.Join(errs...)
}

// Open makes the job's folder, has the images, and starts the services.
func (x *Executor) Open(ctx context.Context, o program.Order, out program.Output) (program.Host, error) {
	if o.Image == nil || o.Image.Name == "" {
		return nil, &program.Error{Failure: program.ConfigurationFailed, Err: fault.New(executor.CodeImage, "the job names no image").WithHint("give it one with image:, or run it with --executor shell")}
	}
	engine, err := x.connect(ctx)
	if err != nil {
		return nil, &program.Error{Failure: program.SystemFailure, Err: err}
	}
	h := &host{site: newSite(x, engine, o)}
	if err := h.open(ctx, out); err != nil {
		return nil, givenUp(ctx, h, err)
	}
	return h, nil
}

// givenUp removes what a host made before it failed to open, and gives the error of that.
func givenUp(ctx context.Context, h program.Host, err error) error {
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if e := h.Close(clean, false); e != nil {
		err = errors.Join(err, e)
	}
	if ctx.Err() != nil {
		return stopped(ctx, context.Cause(ctx))
	}
	if _, ok := errors.AsType[*program.Error](err); !ok {
		err = &program.Error{Failure: program.SystemFailure, Err: err}
	}
	return err
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

// say tells a line of ours; an output that fails will fail again where it matters.
func say(out program.Output, format string, args ...any) {
	_ = out.Write(program.System, fmt.Appendf(nil, format, args...))
}
