//go:build unix && !linux

package shell

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"golang.org/x/sys/unix"
)

// Other systems than Linux have no way to follow a process that leaves its group: there the process group is what is
// stopped, and a daemon that has left it stays.

var errTooBig error = syscall.E2BIG

const cookieName = "SLUICE_JOB_COOKIE"

func newCookie(bool) string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

type process struct {
	pid, exit int
	status    chan unix.WaitStatus
}

var devNull = sync.OnceValues(func() (int, error) { return unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0) })

func adopt() error { return nil }

func pipe(p *[2]int) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := unix.Pipe(p[:]); err != nil {
		return err
	}
	unix.CloseOnExec(p[0])
	unix.CloseOnExec(p[1])
	return nil
}

func markPath(int) string { return "" }

func startProcess(argv, env []string, dir string, out [2]int) (*process, error) {
	null, err := devNull()
	if err != nil {
		return nil, err
	}
	var ended [2]int
	if err := pipe(&ended); err != nil {
		return nil, err
	}
	p := &process{exit: ended[0], status: make(chan unix.WaitStatus, 1)}
	p.pid, _, err = syscall.StartProcess(argv[0], argv, &syscall.ProcAttr{
		Dir: dir, Env: env, Files: []uintptr{uintptr(null), uintptr(out[0]), uintptr(out[1])}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, errors.Join(err, unix.Close(ended[0]), unix.Close(ended[1]))
	}
	go func() { // ends with the shell, which is always waited for
		var status unix.WaitStatus
		for {
			if _, err := unix.Wait4(p.pid, &status, 0, nil); !errors.Is(err, unix.EINTR) {
				break
			}
		}
		p.status <- status
		_ = unix.Close(ended[1])
	}()
	return p, nil
}

func (p *process) reap() int {
	status := <-p.status
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

func (p *process) signal(s unix.Signal) { _ = unix.Kill(-p.pid, s) }

func (p *process) close() {
	if p.exit >= 0 {
		_ = unix.Close(p.exit)
		p.exit = -1
	}
}

func reapOrphans() {}

func (h *host) attend() {}

// end ends what steps left running.
func (h *host) end(context.Context) error {
	var errs []error
	for _, leader := range h.leaders {
		errs = append(errs, h.finish(&process{pid: leader}, false))
	}
	return errors.Join(errs...)
}

func (p *process) groupLives() bool { return !errors.Is(unix.Kill(-p.pid, 0), unix.ESRCH) }

func (h *host) ask(p *process) { p.signal(unix.SIGTERM) }

func (h *host) finish(p *process, hurry bool) error {
	until := time.Now().Add(min(h.x.c.Grace, time.Second))
	s := unix.SIGTERM
	for !errors.Is(unix.Kill(-p.pid, 0), unix.ESRCH) {
		if hurry || time.Now().After(until) {
			s = unix.SIGKILL
		}
		p.signal(s)
		time.Sleep(5 * time.Millisecond)
		if time.Since(until) > 10*time.Second {
			return fault.New(executor.CodeLeft, "processes of the job could not be stopped")
		}
	}
	return nil
}

func sweepProcesses(context.Context) error { return nil }

var buffers = sync.Pool{New: func() any { b := make([]byte, pieceSize); return &b }}

func getBuffer() []byte  { return *buffers.Get().(*[]byte) }
func putBuffer(b []byte) { buffers.Put(&b) }
