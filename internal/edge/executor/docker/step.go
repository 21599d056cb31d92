package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/script"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// step is one command in the container that lasts.
type step struct {
	h       *host
	id      string // of the engine's exec
	mark    string
	streams client.HijackedResponse
	order   *script.Order
	copied  chan error   // the end of the output
	last    atomic.Int64 // when there was output
}

// timed is one stream of a step's output.
type timed struct {
	s *step
	feed
}

func (t timed) Write(p []byte) (int, error) {
	t.s.last.Store(time.Now().UnixNano())
	return t.feed.Write(p)
}

// follow hands the output on until the command has ended. What it left running stays, and is waited for no longer than
// its output goes on; stop is why the command was stopped, nil when it was not.
func (s *step) follow(ctx, own context.Context) (exit int, stop, err error) {
	var others sync.WaitGroup
	others.Go(func() {
		_, err := stdcopy.StdCopy(timed{s, feed{s.order, script.Out}}, timed{s, feed{s.order, script.Err}}, s.streams.Reader)
		s.copied <- err
	})
	exit, stop, err = s.await(ctx, own, &others)
	if stop != nil && err == nil {
		err = s.h.end(own, s.mark, false)
	}
	s.streams.Close()
	others.Wait()
	select {
	case e := <-s.copied:
		if _, ours := errors.AsType[*outputError](e); ours && err == nil {
			err = e
		}
	default:
	}
	if e := s.order.End(); err == nil && e != nil {
		err = &outputError{e}
	}
	if exit == 137 && stop == nil && err == nil {
		err = s.h.outOfMemory(own, s.h.id)
	}
	return exit, stop, err
}

// await waits for the command's end and, for a while, for that of its output.
func (s *step) await(ctx, own context.Context, others *sync.WaitGroup) (exit int, stop, err error) {
	done, copied := ctx.Done(), (<-chan error)(s.copied)
	var kill <-chan time.Time
	var hurry <-chan struct{}
	heard := make(chan struct{})
	var asked <-chan struct{}
	hard := false
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-done:
			done, stop = nil, context.Cause(ctx)
			asked, kill, hurry = heard, time.After(s.h.x.c.Grace+unheard), s.h.x.c.Hurry
			others.Go(func() {
				defer close(heard)
				_, _ = s.h.signal(own, asking, s.mark)
			})
			continue
		case <-asked:
			asked, kill = nil, time.After(s.h.x.c.Grace)
			continue
		case <-hurry:
			asked, hurry, kill = nil, nil, time.After(0)
			continue
		case <-kill:
			if err := s.h.end(own, s.mark, hard); err != nil {
				return 0, stop, err
			}
			asked, hard, kill = nil, true, time.After(2*time.Second)
			continue
		case e := <-copied:
			copied = nil
			if _, ours := errors.AsType[*outputError](e); ours {
				return 0, stop, errors.Join(e, s.h.end(own, s.mark, false))
			}
			look.Reset(5 * time.Millisecond)
		case <-look.C:
		}
		got, err := s.h.engine.ExecInspect(own, s.id, client.ExecInspectOptions{})
		if err != nil || !got.Running && (copied == nil || s.quiet()) {
			if err == nil && got.PID == 0 && (got.ExitCode == 126 || got.ExitCode == 127) && stop == nil {
				f := fault.At(executor.CodeStart, s.h.order.Image.Place, "the step's program is not in the image %s, or cannot be started", s.h.order.Image.Name)
				err = &program.Error{Failure: program.UnmetPrerequisites, Err: f}
			}
			return got.ExitCode, stop, err
		}
	}
}

// quiet waits until what the command left running has printed nothing for a while, or has ended its output.
func (s *step) quiet() bool {
	begun := time.Now()
	for {
		left := linger - time.Since(time.Unix(0, max(s.last.Load(), begun.UnixNano())))
		if left <= 0 || time.Since(begun) > 8*linger {
			return true
		}
		select {
		case e := <-s.copied:
			s.copied <- e
			return true
		case <-time.After(left):
		}
	}
}

// tend is a script that sends the processes with a cookie in their environment the signals that it is given, one after
// the other; of KILL it makes as many rounds as it takes until it finds none. It leaves 3 where it has found one last.
const tend = `for s in $1; do
n=0
while :; do
some=0 n=$((n+1))
for p in /proc/[0-9]*; do
i=${p#/proc/}
[ "$i" = 1 ] || [ "$i" = $$ ] && continue
case $(cat "$p/environ" 2>/dev/null | tr '\000' '\n' 2>/dev/null) in *"$2"*) some=3; kill -s "$s" "$i" 2>/dev/null;; esac
done
[ $some = 3 ] && [ "$s" = KILL ] && [ $n -lt 40 ] || break
done
done
exit $some`

// Signals that ask a step to end: all are held first, so that a shell hears of it before its command ends.
const asking = "STOP TERM CONT"

// signal asks what a step has started to end, or kills it. It says whether anything may be left. Root does it, and where
// the job has another user that one too: who is not the kernel's root may look into nobody else's processes.
func (h *host) signal(ctx context.Context, name, mark string) (bool, error) {
	if h.shell == "" {
		return true, nil
	}
	users := []string{"0"}
	if h.foreignUser() {
		users = append(users, h.user)
	}
	left := false
	for _, user := range users {
		r, err := h.engine.ExecCreate(ctx, h.id, client.ExecCreateOptions{
			User: user, WorkingDir: "/", AttachStdout: true, AttachStderr: true,
			Cmd: []string{h.shell, "-c", tend, "sh", name, cookie + "=" + mark},
		})
		if err != nil {
			return true, err
		}
		streams, err := h.engine.ExecAttach(ctx, r.ID, client.ExecAttachOptions{})
		if err != nil {
			return true, err
		}
		_, _ = io.Copy(io.Discard, streams.Reader)
		streams.Close()
		got, err := h.engine.ExecInspect(ctx, r.ID, client.ExecInspectOptions{})
		if err != nil {
			return true, err
		}
		left = left || got.ExitCode != 0
	}
	return left, nil
}

// end kills what a step has started. Where that is not to be had, or hard asks for it, the container is started anew:
// nothing of the step is left then, nor of the steps before.
func (h *host) end(ctx context.Context, mark string, hard bool) error {
	if left, err := h.signal(ctx, "KILL", mark); err == nil && !left && !hard {
		return nil
	}
	wait := h.engine.ContainerWait(ctx, h.id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	_, err := h.engine.ContainerKill(ctx, h.id, client.ContainerKillOptions{Signal: "SIGKILL"})
	select {
	case <-wait.Result:
	case e := <-wait.Error:
		err = errors.Join(err, e)
	}
	if _, e := h.engine.ContainerStart(ctx, h.id, client.ContainerStartOptions{}); e != nil {
		return fmt.Errorf("stop the step's processes: %w", errors.Join(err, e))
	}
	return nil
}
