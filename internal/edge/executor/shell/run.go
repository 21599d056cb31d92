package shell

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/executor/script"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"golang.org/x/sys/unix"
)

// pieceSize is how much is read at once.
const pieceSize = 256 << 10

// nap is how long output is left to gather after a piece of it was read: a shell that prints a million lines is not
// woken, and wakes nobody, a million times.
const nap = 2 * time.Millisecond

// run is one shell: its pipes, its process and its output. One goroutine uses it.
type run struct {
	h                *host
	out              program.Output
	order            *script.Order
	pipes            [2]int // read ends; -1 when closed
	outPath, errPath string
	writeEnds        [2]int
	wake             [2]int // written to when the context ends
	process          *process
	buf              []byte

	stop     error // why we stop it, nil while we do not
	writeErr error
	killAt   time.Time
}

// newRun makes the pipes of a step.
func newRun(h *host, e program.Exec, out program.Output) (*run, error) {
	r := &run{h: h, out: out, pipes: [2]int{-1, -1}, writeEnds: [2]int{-1, -1}, wake: [2]int{-1, -1}}
	for i := range r.pipes {
		var p [2]int
		if err := pipe(&p); err != nil {
			r.close()
			return nil, fmt.Errorf("make the pipes of a step: %w", err)
		}
		r.pipes[i], r.writeEnds[i] = p[0], p[1]
		if err := unix.SetNonblock(p[0], true); err != nil {
			r.close()
			return nil, err
		}
	}
	r.outPath, r.errPath = markPath(r.pipes[0]), markPath(r.pipes[1])
	return r, nil
}

func (r *run) close() {
	for _, set := range []*[2]int{&r.pipes, &r.writeEnds, &r.wake} {
		for i, fd := range set {
			if fd >= 0 {
				_ = unix.Close(fd)
				set[i] = -1
			}
		}
	}
	if r.process != nil {
		r.process.close()
	}
	if r.buf != nil {
		putBuffer(r.buf)
	}
}

// start starts the shell. Our copies of its ends of the pipes stay open until it has ended: a script may close its own
// and still be told of by marks.
func (r *run) start(argv, env []string, dir string) (err error) {
	r.process, err = startProcess(argv, env, dir, r.writeEnds)
	return err
}

// wait follows the shell to its end and past it, until nothing of the step is left.
func (r *run) wait(ctx context.Context, limit time.Duration) (int, error) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, &program.Error{
			Failure: program.ExecutionTimeout, Err: fmt.Errorf("the step took longer than %s", limit),
		})
		defer cancel()
	}
	if ctx.Done() != nil {
		if err := pipe(&r.wake); err != nil {
			r.stop = err
		} else {
			told := make(chan struct{})
			undo := context.AfterFunc(ctx, func() {
				_, _ = unix.Write(r.wake[1], []byte{1})
				close(told)
			})
			defer func() {
				if !undo() {
					<-told
				}
			}()
		}
	}
	r.buf = getBuffer()
	status := r.follow(ctx)
	r.drain()
	var left error
	if r.h.order.Lasting && r.stop == nil {
		r.h.leave(r)
	} else {
		left = r.h.finish(r.process, r.stop != nil)
	}
	if err := r.order.End(); r.writeErr == nil {
		r.writeErr = err
	}
	switch {
	case r.writeErr != nil:
		return 0, &program.Error{Failure: program.SystemFailure, Err: fmt.Errorf("write the job's output: %w", r.writeErr)}
	case r.stop != nil:
		return 0, stopped(ctx, r.stop)
	case left != nil:
		return 0, &program.Error{Failure: program.SystemFailure, Err: left}
	}
	return status, nil
}

// follow reads until the shell has ended, and stops it when the context ends or its output cannot be written.
func (r *run) follow(ctx context.Context) int {
	fds := []unix.PollFd{{Fd: int32(r.process.exit), Events: unix.POLLIN}, {Fd: int32(r.wake[0]), Events: unix.POLLIN}, {Events: unix.POLLIN}, {Events: unix.POLLIN}}
	for {
		fds[2].Fd, fds[3].Fd = int32(r.pipes[script.Out]), int32(r.pipes[script.Err])
		happened := r.poll(fds, r.patience())
		if !happened || r.stop != nil {
			r.press()
		}
		if !happened {
			continue
		}
		if fds[1].Revents != 0 && r.stop == nil {
			fds[1].Fd = -1
			r.end(context.Cause(ctx))
		}
		read := 0
		for i := range r.pipes {
			if fds[2+i].Revents != 0 {
				read += r.read(i)
			}
		}
		if fds[0].Revents != 0 {
			return r.process.reap()
		}
		if read > 0 && read < pieceSize/2 && r.poll(fds[:2], nap) && fds[0].Revents != 0 {
			return r.process.reap()
		}
	}
}

// patience is how long to wait for something to happen before looking after things.
func (r *run) patience() time.Duration {
	if r.stop != nil {
		return min(max(0, time.Until(r.killAt)), 100*time.Millisecond) // Hurry wakes nobody: it is looked at
	}
	return time.Second
}

// press does what is due when nothing happens: gathers orphans that have ended, or kills what did not heed.
func (r *run) press() {
	switch {
	case r.stop == nil:
		reapOrphans()
	case time.Now().After(r.killAt), r.h.x.hurried():
		r.process.signal(unix.SIGKILL)
		r.killAt = time.Now().Add(time.Second)
	}
}

// end begins to stop the step: everything of it is asked to end, and killed after the grace.
func (r *run) end(why error) {
	r.stop = why
	r.killAt = time.Now().Add(r.h.x.c.Grace)
	r.h.ask(r.process)
}

// poll waits for the first event; false means that none came in time.
func (r *run) poll(fds []unix.PollFd, limit time.Duration) bool {
	until := time.Now().Add(limit)
	for {
		for i := range fds {
			fds[i].Revents = 0
		}
		left := max(0, time.Until(until))
		n, err := unix.Poll(fds, int((left+time.Millisecond-1)/time.Millisecond))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return err == nil && n > 0
	}
}

// read takes what a pipe has, one piece of it, and hands it on.
func (r *run) read(i int) int {
	for {
		n, err := unix.Read(r.pipes[i], r.buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return 0
		case err != nil || n == 0:
			_ = unix.Close(r.pipes[i])
			r.pipes[i] = -1
			return 0
		}
		if r.writeErr == nil {
			if r.writeErr = r.order.Feed(i, r.buf[:n]); r.writeErr != nil && r.stop == nil {
				r.end(r.writeErr)
			}
		}
		return n
	}
}

// drain reads what is left after the shell's end. What the shell printed is there already; something that it started
// may still print (a tee in a process substitution), or hold the pipes for ever: it is waited for while it prints,
// but not long.
func (r *run) drain() {
	for i, fd := range r.writeEnds {
		_ = unix.Close(fd)
		r.writeEnds[i] = -1
	}
	quiet := r.h.x.c.Linger
	until := time.Now().Add(8 * quiet)
	fds := []unix.PollFd{{Events: unix.POLLIN}, {Events: unix.POLLIN}}
	for r.pipes[0] >= 0 || r.pipes[1] >= 0 {
		fds[0].Fd, fds[1].Fd = int32(r.pipes[0]), int32(r.pipes[1])
		limit := min(quiet, time.Until(until))
		if r.stop != nil {
			limit = 0
		}
		if limit < 0 || !r.poll(fds, limit) {
			return
		}
		for i := range r.pipes {
			if fds[i].Revents != 0 {
				r.read(i)
			}
		}
	}
}
