package shell

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// errTooBig is the system's refusal of too large an environment.
var errTooBig error = syscall.E2BIG

// process is one shell that was started: the leader of a session and a process group.
type process struct {
	pid  int
	exit int // readable when it has ended
}

// shells are the live ones of this process, by pid: all other children in sessions of their own are orphans that
// jobs have left to us.
var live = struct {
	sync.Mutex
	pids map[int]bool
}{pids: map[int]bool{}}

var devNull = sync.OnceValues(func() (int, error) { return unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0) })

// adopt makes us the one to whom orphans fall: a process whose parents have ended becomes our child, not init's, and so
// can be found.
var adopt = sync.OnceValue(func() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("take charge of the jobs' processes: %w", err)
	}
	return nil
})

func pipe(p *[2]int) error { return unix.Pipe2(p[:], unix.O_CLOEXEC) }

// markPath is a path by which the shell opens a pipe anew: through our own descriptor of it, so that nothing that the
// job does with its descriptors matters, and none is left open for its children.
func markPath(fd int) string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd) }

func startProcess(argv, env []string, dir string, out [2]int) (*process, error) {
	null, err := devNull()
	if err != nil {
		return nil, err
	}
	p := &process{exit: -1}
	live.Lock()
	p.pid, _, err = syscall.StartProcess(argv[0], argv, &syscall.ProcAttr{
		Dir: dir, Env: env, Files: []uintptr{uintptr(null), uintptr(out[0]), uintptr(out[1])},
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &p.exit},
	})
	if err == nil {
		live.pids[p.pid] = true
	}
	live.Unlock()
	if err != nil {
		return nil, err
	}
	if p.exit < 0 { // a kernel without process descriptors
		if p.exit, err = unix.PidfdOpen(p.pid, 0); err != nil {
			p.exit, err = watch(p.pid)
		}
	}
	return p, err
}

// watch makes a descriptor that becomes readable when a child ends, for kernels that have none.
func watch(pid int) (int, error) {
	var p [2]int
	if err := pipe(&p); err != nil {
		return -1, err
	}
	go func() { // ends with the child, which is always waited for
		var info unix.Siginfo
		for errors.Is(unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
		}
		_ = unix.Close(p[1])
	}()
	return p[0], nil
}

// reap takes the exit status: as a shell would give it, 128 and the signal for a process that was killed. The pid may be
// another's from now on.
func (p *process) reap() int {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(p.pid, &status, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	live.Lock()
	delete(live.pids, p.pid)
	live.Unlock()
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// signal reaches the shell's process group, while the shell is not reaped.
func (p *process) signal(s unix.Signal) { _ = unix.Kill(-p.pid, s) }

func (p *process) close() {
	if p.exit >= 0 {
		_ = unix.Close(p.exit)
		p.exit = -1
	}
}

// groupLives says whether anything is left in the process group of a shell that was reaped. Children of ours that have ended
// there are reaped first.
func (p *process) groupLives() bool {
	if errors.Is(unix.Kill(-p.pid, 0), unix.ESRCH) {
		return false
	}
	for {
		pid, err := unix.Wait4(-p.pid, nil, unix.WNOHANG, nil)
		if pid <= 0 && !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return !errors.Is(unix.Kill(-p.pid, 0), unix.ESRCH)
}

var buffers = sync.Pool{New: func() any { b := make([]byte, pieceSize); return &b }}

func getBuffer() []byte  { return *buffers.Get().(*[]byte) }
func putBuffer(b []byte) { buffers.Put(&b) }
