package docker

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// company starts the services as GitHub's runner does: known in the job's network by their keys, with their ports
// published and their own environment (GitHub documentation, about service containers). They are not waited for here.
func (t *site) company(ctx context.Context, out program.Output) ([]service, error) {
	var started []service
	for i, s := range t.order.Services {
		if s.Name == "" { // a service whose image is the empty string is not started
			continue
		}
		id, err := t.startService(ctx, i, s, s.Aliases, nil, out)
		if err != nil {
			return nil, err
		}
		name := s.Name
		if len(s.Aliases) > 0 {
			name = s.Aliases[0]
		}
		got, err := t.engine.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
		if err != nil {
			return nil, fmt.Errorf("look at the service %s: %w", name, err)
		}
		b := program.Beside{ID: id, Name: name, Ports: map[string]string{}}
		if got.Container.NetworkSettings != nil {
			b.Ports = published(got.Container.NetworkSettings.Ports)
		}
		t.beside = append(t.beside, b)
		started = append(started, service{id: id, name: name, wait: s})
	}
	return started, nil
}

// published are the ports of this machine behind a container's: "5432" for TCP, "53/udp" for others.
func published(ports network.PortMap) map[string]string {
	out := map[string]string{}
	for p, bindings := range ports {
		key := strconv.Itoa(int(p.Num()))
		if p.Proto() != network.TCP {
			key += "/" + string(p.Proto())
		}
		for _, b := range bindings {
			if out[key] == "" || b.HostIP.Is4() {
				out[key] = b.HostPort
			}
		}
	}
	return out
}

// healthy waits for the services that have a health check, one after the other as they all go on meanwhile. One that is
// unhealthy, or has ended before it was healthy, fails the job; one without a check is taken as it is.
func (t *site) healthy(ctx context.Context, services []service, out program.Output) error {
	for _, s := range services {
		if err := t.awaitHealth(ctx, s, out); err != nil {
			return err
		}
	}
	return nil
}

func (t *site) awaitHealth(ctx context.Context, s service, out program.Output) error {
	told := false
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		got, err := t.engine.ContainerInspect(ctx, s.id, client.ContainerInspectOptions{})
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("look at the service %s: %w", s.name, err)
		}
		state := got.Container.State
		checked := state != nil && state.Health != nil && state.Health.Status != container.NoHealthcheck
		switch {
		case state == nil:
			return nil
		case !checked && !state.Running:
			t.tell(s, out)
			say(out, "WARNING: the service %s has ended with exit code %d [%s]", s.name, state.ExitCode, executor.CodeService)
			return nil
		case !checked:
			return nil
		case state.Health.Status == container.Healthy:
			say(out, "%s service is healthy.", s.name)
			return nil
		case state.Health.Status == container.Unhealthy, !state.Running:
			return t.unhealthy(s, got.Container, out)
		}
		if !told {
			told = true
			say(out, "%s service is starting, waiting for its health check.", s.name)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// unhealthy is the failure of a job whose service does not work. What the service and its check said comes before it.
func (t *site) unhealthy(s service, c container.InspectResponse, out program.Output) error {
	t.tell(s, out)
	why := "is unhealthy"
	if !c.State.Running {
		why = fmt.Sprintf("has ended with exit code %d", c.State.ExitCode)
	}
	if n := len(c.State.Health.Log); n > 0 {
		if said := strings.TrimSpace(c.State.Health.Log[n-1].Output); said != "" {
			say(out, "Its health check said: %s", said)
		}
	}
	f := fault.At(executor.CodeUnhealthy, s.wait.Place, "the service %s %s", s.name, why)
	return &program.Error{Failure: program.UnmetPrerequisites, Err: f}
}

func (t *site) tell(s service, out program.Output) {
	if logs := strings.TrimRight(t.logs(s.id), "\n"); logs != "" {
		say(out, "The service %s printed:\n%s", s.name, logs)
	}
}
