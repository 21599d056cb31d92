package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Aliases are the host names that a service's image gives it: the name without registry port, tag and digest, slashes
// made two underscores, and made a dash (GitLab documentation, Services, accessing the services).
func Aliases(image string) []string {
	image, _, _ = strings.Cut(image, "@")
	parts := strings.Split(image, "/")
	last := len(parts) - 1
	parts[last], _, _ = strings.Cut(parts[last], ":")
	if last > 0 {
		parts[0], _, _ = strings.Cut(parts[0], ":")
	}
	return slices.Compact([]string{strings.Join(parts, "__"), strings.Join(parts, "-")})
}

// service is one that was started.
type service struct {
	id, name string
	wait     plan.Service
}

// services makes the job's network and starts the services on it, then waits until they listen.
func (h *host) services(ctx context.Context, out program.Output) error {
	if len(h.order.Services) == 0 {
		return nil
	}
	if err := h.join(ctx); err != nil {
		return err
	}
	var started []service
	for i, s := range h.order.Services {
		id, err := h.startService(ctx, i, s, append(Aliases(s.Name), s.Aliases...), h.mounts(false), out)
		if err != nil {
			return err
		}
		started = append(started, service{id: id, name: s.Name, wait: s})
	}
	say(out, "Waiting for services to be up and running (timeout %d seconds)...", int(h.x.c.ServiceWait.Seconds()))
	type verdict struct {
		why  error
		logs string
	}
	verdicts := make([]chan verdict, len(started))
	for i, s := range started {
		verdicts[i] = make(chan verdict, 1)
		go func() {
			ctx, cancel := context.WithTimeout(ctx, h.x.c.ServiceWait)
			defer cancel()
			why := h.awaitService(ctx, s)
			v := verdict{why: why}
			if why != nil {
				v.logs = h.logs(s.id)
			}
			verdicts[i] <- v
		}()
	}
	for i, s := range started { // all are waited for, also when the first has failed
		if v := <-verdicts[i]; v.why != nil && ctx.Err() == nil {
			say(out, "*** WARNING: Service %s probably didn't start properly. [%s]", s.name, executor.CodeService)
			say(out, "Health check error: %v", v.why)
			if v.logs != "" {
				say(out, "Service container logs:\n%s", strings.TrimSuffix(v.logs, "\n"))
			}
			say(out, "*********")
		}
	}
	return context.Cause(ctx)
}

// startService starts a service under its names in the job's network.
func (t *site) startService(ctx context.Context, i int, s plan.Service, aliases []string, mounts []mount.Mount, out program.Output) (string, error) {
	say(out, "Starting service %s ...", s.Name)
	shape, err := newShape(s.Container, false)
	if err != nil {
		return "", err
	}
	remark(shape, s.Container, out)
	image, err := t.image(ctx, shape.pullable(s.Container), out)
	if err != nil {
		return "", err
	}
	shape.config.Env = append(slices.Clone(t.order.Env), shape.config.Env...)
	for _, v := range s.Variables {
		shape.config.Env = append(shape.config.Env, v.Name+"="+v.Value)
	}
	shape.config.Image, shape.config.Cmd = image.ID, s.Command
	shape.host.Mounts = append(shape.host.Mounts, mounts...)
	id, err := t.make(ctx, "service-"+strconv.Itoa(i), shape, aliases...)
	if err != nil {
		return "", t.unmade(s, "made", err)
	}
	if _, err := t.engine.ContainerStart(ctx, id, client.ContainerStartOptions{}); err != nil {
		return "", t.unmade(s, "started", err)
	}
	return id, nil
}

// unmade is the fault of a service that the engine does not make or start.
func (t *site) unmade(s plan.Service, what string, err error) error {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		f.Place = s.Place
		return f
	}
	for _, taken := range []string{"port is already allocated", "address already in use", "ports are not available"} {
		if strings.Contains(err.Error(), taken) {
			return fault.At(executor.CodePort, s.Place, "a port of the service %s is taken: %v", s.Name, err).
				WithHint("give only the container's port: any free one is used then")
		}
	}
	return fault.At(executor.CodeService, s.Place, "the service %s cannot be %s: %v", s.Name, what, err)
}

// awaitService waits until a service is healthy by its own check, or listens on the first TCP port that its image exposes, the
// way GitLab's runner asks. A service without either is taken as it is.
func (t *site) awaitService(ctx context.Context, s service) error {
	last := errors.New("nothing listens")
	for {
		got, err := t.engine.ContainerInspect(ctx, s.id, client.ContainerInspectOptions{})
		if err != nil {
			return timedOut(ctx, s.name, err)
		}
		c := got.Container
		switch {
		case c.State == nil || c.NetworkSettings == nil:
			return nil
		case !c.State.Running && c.State.Status != "created":
			return fmt.Errorf("the service's container ended with exit code %d", c.State.ExitCode)
		case c.State.Health != nil && c.State.Health.Status == "unhealthy":
			return errors.New("the service's own health check fails")
		case c.State.Health != nil && c.State.Health.Status == "healthy":
			return nil
		case c.State.Health == nil || c.State.Health.Status == "none":
			ports := tcpPorts(c.Config, s.wait)
			if len(ports) == 0 {
				return nil
			}
			if last = dial(ctx, c.NetworkSettings.Networks, ports); last == nil || unreachable(last) {
				return nil // where this machine has no way into the network nothing can be known
			}
		}
		select {
		case <-ctx.Done():
			return timedOut(ctx, s.name, last)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func timedOut(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("service %q timeout: %w", name, err)
	}
	return err
}

// tcpPorts are the ports to ask: the variable HEALTHCHECK_TCP_PORT of the service, else what the image exposes, lowest first.
func tcpPorts(c *container.Config, s plan.Service) []int {
	for _, v := range s.Variables {
		if n, err := strconv.Atoi(v.Value); v.Name == "HEALTHCHECK_TCP_PORT" && err == nil {
			return []int{n}
		}
	}
	var ports []int
	if c != nil {
		for p := range c.ExposedPorts {
			if p.Proto() == network.TCP {
				ports = append(ports, int(p.Num()))
			}
		}
	}
	slices.Sort(ports)
	return ports
}

func dial(ctx context.Context, networks map[string]*network.EndpointSettings, ports []int) error {
	last := errors.New("the service has no address")
	for _, n := range networks {
		if n == nil || !n.IPAddress.IsValid() {
			continue
		}
		for _, port := range ports {
			d := net.Dialer{Timeout: 3 * time.Second}
			conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(n.IPAddress.String(), strconv.Itoa(port)))
			if err == nil {
				return conn.Close()
			}
			last = err
		}
	}
	return last
}

// logs are the last lines that a container printed.
func (t *site) logs(id string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := t.engine.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: "50"})
	if err != nil {
		return ""
	}
	defer r.Close()
	var b strings.Builder
	_, _ = stdcopy.StdCopy(&b, &b, io.LimitReader(r, 1<<20))
	return b.String()
}
