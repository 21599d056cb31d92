package pod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The labels of what is made in the engine.
const (
	labelTarget = "dev.sluice.target" // the folder of the manager
	labelPod    = "dev.sluice.pod"    // the pod's uid
)

// Engine runs containers in a Docker engine of this machine. A pod's containers share one network, that of the first; its ports
// are published on the pod's address. With hostNetwork they have the machine's own, and reach the Services by their names.
type Engine struct{ api *client.Client }

// OpenEngine finds a Docker engine: DOCKER_HOST, else the usual socket. Volumes are folders of this machine, so one on another
// machine is refused.
func OpenEngine(ctx context.Context) (*Engine, error) {
	api, err := client.New(client.FromEnv)
	if err != nil {
		return nil, fault.New(CodeEngine, "no container engine answers: %v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ping, err := api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	switch {
	case err != nil:
		err = fault.New(CodeEngine, "no container engine answers: %v", err)
	case ping.OSType != "" && ping.OSType != "linux":
		err = fault.New(CodeEngine, "the engine runs %s containers; pods need linux", ping.OSType)
	case !strings.HasPrefix(api.DaemonHost(), "unix://"):
		err = fault.New(CodeEngine, "the engine %s may be on another machine, where volumes would not be", api.DaemonHost())
	default:
		return &Engine{api}, nil
	}
	return nil, errors.Join(err, api.Close())
}

// Close lets go of the engine.
func (e *Engine) Close() error { return e.api.Close() }

// sweep removes the containers of a manager, or of one of its pods.
func (e *Engine) sweep(label, value string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	list, err := e.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", label+"="+value)})
	if err != nil {
		return
	}
	for _, c := range list.Items {
		e.remove(c.ID)
	}
}

func (e *Engine) remove(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, _ = e.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
}

func (e *Engine) forget(l *life) { e.sweep(labelPod, string(l.pod.UID)) }

// run starts a container.
func (e *Engine) run(ctx context.Context, c *member, env []corev1.EnvVar, out *logWriter) (run, error) {
	imageID, signal, err := e.image(ctx, c)
	if err != nil {
		return nil, err
	}
	o, err := e.options(ctx, c, env)
	if err != nil {
		return nil, err
	}
	made, err := e.api.ContainerCreate(ctx, *o)
	if err != nil {
		return nil, refuse("CreateContainerError", "%w", err)
	}
	r := &contained{e: e, c: c, id: made.ID, spec: c.spec.Image, of: imageID, signal: signal, out: out, done: make(chan struct{})}
	if err := r.start(); err != nil {
		e.remove(made.ID)
		return nil, refuse("RunContainerError", "%w", err)
	}
	if c.first() {
		c.l.joined(r)
	} else if n := c.l.network(); n != nil && !c.init && !c.l.pod.Spec.HostNetwork {
		go func() { // a container without its network is of no use; ends with either
			select {
			case <-n.done:
				r.terminate()
			case <-r.done:
			}
		}()
	}
	return r, nil
}

// image has the engine hold the container's image, by its pull policy.
func (e *Engine) image(ctx context.Context, c *member) (id, signal string, err error) {
	name := c.spec.Image
	if name == "" {
		return "", "", refuse("InvalidImageName", "container %s names no image", c.spec.Name)
	}
	found, missing := e.api.ImageInspect(ctx, name)
	switch policy := c.spec.ImagePullPolicy; {
	case policy == corev1.PullNever && missing != nil:
		return "", "", refuse("ErrImageNeverPull", "Container image %q is not present with pull policy of Never", name)
	case policy == corev1.PullAlways || missing != nil:
		c.l.m.event(c.l, false, "Pulling", fmt.Sprintf("Pulling image %q", name))
		if err := e.pull(ctx, name); err != nil {
			if missing != nil {
				return "", "", refuse("ErrImagePull", "Failed to pull image %q: %w; a pod with the annotation %s: process runs its command on this machine instead", name, err, RunAnnotation)
			}
			c.l.m.event(c.l, true, "PullFailed", fmt.Sprintf("Image %q cannot be pulled; the one that is here is taken: %v", name, err))
			break
		}
		if found, err = e.api.ImageInspect(ctx, name); err != nil {
			return "", "", refuse("ErrImagePull", "%w", err)
		}
	}
	if found.Config != nil {
		signal = found.Config.StopSignal
	}
	return found.ID, signal, nil
}

func (e *Engine) pull(ctx context.Context, name string) error {
	r, err := e.api.ImagePull(ctx, name, client.ImagePullOptions{})
	if err != nil {
		return err
	}
	return errors.Join(r.Wait(ctx), r.Close())
}

// options are how a container is made.
func (e *Engine) options(ctx context.Context, c *member, env []corev1.EnvVar) (*client.ContainerCreateOptions, error) {
	mounts, err := c.mounts(env)
	if err != nil {
		return nil, err
	}
	config := &container.Config{
		Image: c.spec.Image, WorkingDir: c.spec.WorkingDir, Tty: false,
		Labels: map[string]string{labelTarget: c.l.m.cookie(), labelPod: string(c.l.pod.UID)},
	}
	host := &container.HostConfig{LogConfig: container.LogConfig{Type: "none"}}
	listen := "0.0.0.0"
	switch {
	case c.l.pod.Spec.HostNetwork:
		host.NetworkMode, listen = "host", c.l.address
		host.ExtraHosts = c.l.m.names(c.l.pod.Namespace)
	case c.init || c.first():
		config.Hostname = orElse(c.l.pod.Spec.Hostname, c.l.pod.Name)
		if c.first() {
			if err := e.publish(ctx, c.l, config, host); err != nil {
				return nil, err
			}
		}
	default:
		owner, err := c.l.awaitNetwork(ctx)
		if err != nil {
			return nil, err
		}
		host.NetworkMode = container.NetworkMode("container:" + owner.id)
	}
	env = append(c.own("/", listen), env...)
	config.Entrypoint, config.Cmd = expand(c.spec.Command, env), expand(c.spec.Args, env)
	for _, v := range env {
		config.Env = append(config.Env, v.Name+"="+v.Value)
	}
	for _, m := range mounts {
		bind := m.Source + ":" + m.Target
		if m.ReadOnly {
			bind += ":ro"
		}
		host.Binds = append(host.Binds, bind)
	}
	return &client.ContainerCreateOptions{Config: config, HostConfig: host}, nil
}

// publish opens the pod's ports on its address: those that its containers name, and those that Services and probes ask for.
func (e *Engine) publish(ctx context.Context, l *life, config *container.Config, host *container.HostConfig) error {
	address, err := netip.ParseAddr(l.address)
	if err != nil {
		return refuse("CreateContainerError", "%w", err)
	}
	ports, err := l.ports(ctx)
	if err != nil {
		return err
	}
	config.ExposedPorts, host.PortBindings = network.PortSet{}, network.PortMap{}
	for _, n := range ports {
		p, ok := network.PortFrom(uint16(n), network.TCP)
		if !ok {
			continue
		}
		config.ExposedPorts[p] = struct{}{}
		host.PortBindings[p] = []network.PortBinding{{HostIP: address, HostPort: fmt.Sprint(n)}}
	}
	return nil
}

// contained is a run as a container.
type contained struct {
	e                    *Engine
	c                    *member
	id, spec, of, signal string
	out                  *logWriter
	done                 chan struct{}
	res                  result
}

func (r *contained) start() error {
	ctx := context.Background() // it is followed to its end, whatever ends before
	streams, err := r.e.api.ContainerAttach(ctx, r.id, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return err
	}
	wait := r.e.api.ContainerWait(ctx, r.id, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	if _, err := r.e.api.ContainerStart(ctx, r.id, client.ContainerStartOptions{}); err != nil {
		streams.Close()
		return err
	}
	go r.follow(streams, wait) // ends with the container; ended tells
	return nil
}

func (r *contained) follow(streams client.ContainerAttachResult, wait client.ContainerWaitResult) {
	var group sync.WaitGroup
	var ends [2]*io.PipeWriter
	for i, stream := range []string{"stdout", "stderr"} {
		pr, pw := io.Pipe()
		ends[i] = pw
		group.Go(func() { r.out.copy(stream, pr) })
	}
	group.Go(func() {
		_, _ = stdcopy.StdCopy(ends[0], ends[1], streams.Reader)
		_ = ends[0].Close()
		_ = ends[1].Close()
	})
	select {
	case w := <-wait.Result:
		r.res = result{code: int(w.StatusCode)}
		if r.res.code > 128 && r.res.code < 160 {
			r.res.signal = r.res.code - 128
		}
	case <-wait.Error:
		r.res = result{code: 137, signal: 9} // the engine went, or the container was removed
	}
	cut := time.AfterFunc(2*time.Second, streams.Close)
	group.Wait()
	cut.Stop()
	streams.Close()
	r.e.remove(r.id)
	_ = r.out.Close()
	close(r.done)
}

func (r *contained) ended() <-chan struct{} { return r.done }
func (r *contained) result() result         { return r.res }
func (r *contained) image(string) string    { return r.spec }
func (r *contained) imageID() string        { return r.of }

func (r *contained) kill()      { r.send("SIGKILL") }
func (r *contained) terminate() { r.send(orElse(r.signal, "SIGTERM")) }

func (r *contained) send(signal string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := r.e.api.ContainerKill(ctx, r.id, client.ContainerKillOptions{Signal: signal})
	if err != nil && !cerrdefs.IsNotFound(err) && !cerrdefs.IsConflict(err) {
		r.c.l.m.event(r.c.l, true, "FailedKill", fmt.Sprintf("container %s cannot be sent %s: %v", r.c.spec.Name, signal, err))
	}
}

// exec runs a command in the container.
func (r *contained) exec(ctx context.Context, argv []string) (int, string, error) {
	made, err := r.e.api.ExecCreate(ctx, r.id, client.ExecCreateOptions{Cmd: argv, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return 0, "", err
	}
	streams, err := r.e.api.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	if err != nil {
		return 0, "", err
	}
	defer streams.Close()
	undo := context.AfterFunc(ctx, streams.Close)
	defer undo()
	var out limited
	if _, err := stdcopy.StdCopy(&out, &out, streams.Reader); err != nil && ctx.Err() != nil {
		return 0, "", ctx.Err()
	}
	done, err := r.e.api.ExecInspect(ctx, made.ID, client.ExecInspectOptions{})
	return done.ExitCode, strings.TrimSpace(out.String()), err
}

// first says that the container is the one whose network the others join.
func (c *member) first() bool { return !c.init && c.spec.Name == c.l.pod.Spec.Containers[0].Name }

// joined tells the pod's other containers of its network.
func (l *life) joined(r *contained) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.net = r
}

// network is the container whose network the pod has; nil where it does not run.
func (l *life) network() *contained {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.net == nil {
		return nil
	}
	select {
	case <-l.net.done:
		return nil
	default:
		return l.net
	}
}

func (l *life) awaitNetwork(ctx context.Context) (*contained, error) {
	for {
		if n := l.network(); n != nil {
			return n, nil
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return nil, context.Cause(ctx)
		}
	}
}

// ports are the TCP ports that the pod is asked on.
func (l *life) ports(ctx context.Context) ([]int32, error) {
	var out []int32
	for _, c := range append(slices.Clone(l.pod.Spec.Containers), l.pod.Spec.InitContainers...) {
		for _, p := range c.Ports {
			if p.Protocol == "" || p.Protocol == corev1.ProtocolTCP {
				out = append(out, p.ContainerPort)
			}
		}
		for _, p := range []*corev1.Probe{c.ReadinessProbe, c.LivenessProbe, c.StartupProbe} {
			if p != nil && p.HTTPGet != nil {
				out = append(out, p.HTTPGet.Port.IntVal)
			}
			if p != nil && p.TCPSocket != nil {
				out = append(out, p.TCPSocket.Port.IntVal)
			}
			if p != nil && p.GRPC != nil {
				out = append(out, p.GRPC.Port)
			}
		}
	}
	services, err := l.m.c.Lookup.List(ctx, serviceKind, l.pod.Namespace, "")
	if err != nil {
		return nil, refuse("CreateContainerError", "read the Services: %w", err)
	}
	for _, s := range services {
		matches := len(s.Sub("spec", "selector")) > 0
		for k, v := range s.Sub("spec", "selector") {
			matches = matches && l.pod.Labels[k] == v
		}
		for _, p := range s.List("spec", "ports") {
			if m, ok := p.(map[string]any); ok && matches {
				if n, ok := m["targetPort"].(int64); ok {
					out = append(out, int32(n))
				}
			}
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return slices.DeleteFunc(out, func(n int32) bool { return n <= 0 }), nil
}
