package docker

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor/script"
)

// start is one start of a container that is followed to its end.
type start struct {
	*site
	id    string
	order *script.Order
	ask   func(context.Context) // asks what runs in it to end
}

// follow starts the container and hands its output on until it has ended. When the context ends first, the container is
// asked to end, and killed after the grace; stop is the reason then.
func (s *start) follow(ctx context.Context) (exit int, stop, err error) {
	own, done := context.WithCancel(context.WithoutCancel(ctx)) // the container must be followed to its end also then
	defer done()
	streams, err := s.engine.ContainerAttach(own, s.id, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return 0, nil, err
	}
	defer streams.Close()
	wait := s.engine.ContainerWait(own, s.id, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	if _, err := s.engine.ContainerStart(own, s.id, client.ContainerStartOptions{}); err != nil {
		return 0, nil, err
	}
	var others sync.WaitGroup
	defer func() {
		done()
		streams.Close()
		others.Wait()
	}()
	copied := make(chan error, 1)
	others.Go(func() {
		_, err := stdcopy.StdCopy(feed{s.order, script.Out}, feed{s.order, script.Err}, streams.Reader)
		if e := s.order.End(); err == nil {
			err = e
		}
		copied <- err
	})
	return s.await(ctx, own, wait, copied, &others)
}

// unheard is how much longer than its grace a step has whose engine does not get round to asking it to end.
const unheard = 20 * time.Second

// feed is one stream of a container's output on its way.
type feed struct {
	order  *script.Order
	stream int
}

func (f feed) Write(b []byte) (int, error) {
	if err := f.order.Feed(f.stream, b); err != nil {
		return 0, &outputError{err}
	}
	return len(b), nil
}

// outputError is a failure of our own output, not of the container's.
type outputError struct{ err error }

func (e *outputError) Error() string { return "write the job's output: " + e.err.Error() }
func (e *outputError) Unwrap() error { return e.err }

// await waits for the container's end and for the end of its output. stop is why it was stopped, nil when it was not.
func (s *start) await(ctx, own context.Context, wait client.ContainerWaitResult, copied <-chan error, others *sync.WaitGroup) (exit int, stop, err error) {
	done := ctx.Done()
	var kill, late <-chan time.Time
	heard := make(chan struct{})
	var asked <-chan struct{}
	var hurry <-chan struct{} // only once it is being stopped
	outputEnded, ended := false, false
	for !ended || !outputEnded {
		select {
		case <-done:
			done, stop = nil, context.Cause(ctx)
			asked, kill, hurry = heard, time.After(s.x.c.Grace+unheard), s.x.c.Hurry
			others.Go(func() {
				defer close(heard)
				s.ask(own)
			})
		case <-asked:
			asked = nil
			if kill != nil {
				kill = time.After(s.x.c.Grace)
			}
		case <-hurry:
			asked, hurry, kill = nil, nil, time.After(0)
		case <-kill:
			asked, kill = nil, time.After(5*time.Second)
			_, e := s.engine.ContainerKill(own, s.id, client.ContainerKillOptions{Signal: "SIGKILL"})
			_ = e // it has ended just now, or the next one will reach it
		case r := <-wait.Result:
			exit, ended, kill = int(r.StatusCode), true, nil
			if r.Error != nil {
				err = errors.New(r.Error.Message)
			}
			late = time.After(10 * time.Second) // all writers are gone: the end of the output is on its way
		case e := <-wait.Error:
			return 0, stop, errors.Join(e, err)
		case e := <-copied:
			outputEnded = true
			if _, ours := errors.AsType[*outputError](e); ours {
				err = e
				_, _ = s.engine.ContainerKill(own, s.id, client.ContainerKillOptions{Signal: "SIGKILL"})
			} else if e != nil && !errors.Is(e, io.EOF) && !ended {
				err = e
			}
		case <-late:
			return exit, stop, err
		}
	}
	return exit, stop, err
}
