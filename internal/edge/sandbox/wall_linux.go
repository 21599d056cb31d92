//go:build amd64 || arm64

package sandbox

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// arenas is what Go maps beyond what it uses: whole arenas of 64 MiB, stacks and tables.
const arenas = 256 << 20

// allowed are the calls by which a Go program thinks. None of them opens, reaches or starts anything.
var allowed = []uint32{
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_CLOSE, unix.SYS_FCNTL, unix.SYS_PREAD64, unix.SYS_FSTAT, unix.SYS_LSEEK,
	unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MPROTECT, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_BRK,
	unix.SYS_FUTEX, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP,
	unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY, unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN,
	unix.SYS_SIGALTSTACK, unix.SYS_GETTID, unix.SYS_GETPID, unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_EPOLL_CTL,
	unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_CREATE1, unix.SYS_EVENTFD2, unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ,
	unix.SYS_GETRANDOM, unix.SYS_RESTART_SYSCALL,
}

// shutIn leaves the process with its memory, its threads and the pipes that it has. memory is what the evaluation may
// take beyond what the process has now, in bytes; 0 is without bound.
func shutIn(memory int64) error {
	limits := map[int]uint64{unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: 0}
	if memory > 0 {
		data := status("self").data
		limits[unix.RLIMIT_DATA] = uint64(data + memory + arenas)
	}
	for which, limit := range limits {
		if err := unix.Setrlimit(which, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
			return fault.New(CodeStart, "the evaluation's bounds cannot be set: %v", err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return noFilter(err)
	}
	filter := program(uint32(os.Getpid()))
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// All threads at once; the answer is the id of a thread that could not be brought along.
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return noFilter(errno)
	}
	if thread != 0 {
		return fault.New(CodeStart, "a thread of the evaluation cannot be shut in")
	}
	return nil
}

func noFilter(err error) error {
	return fault.New(CodeStart, "the kernel does not shut the evaluation in: %v", err).
		WithHint("allow seccomp filters to this process (the default profiles of Docker and Kubernetes do)")
}

// The places of struct seccomp_data, in bytes.
const (
	placeCall = 0
	placeArch = 4
	placeArg0 = 16 // its lower half: both architectures are little-endian
)

// program is the filter. What is not allowed fails with EPERM, so that a library that looks for a file of the system
// goes on without it.
func program(pid uint32) []unix.SockFilter {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		bits  = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		end   = unix.BPF_RET | unix.BPF_K
	)
	deny := unix.SockFilter{Code: end, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	allow := unix.SockFilter{Code: end, K: unix.SECCOMP_RET_ALLOW}
	out := []unix.SockFilter{
		{Code: load, K: placeArch},
		{Code: equal, K: architecture, Jt: 1},
		deny,
		{Code: load, K: placeCall},
	}
	for _, call := range append(allowed, allowedHere...) {
		out = append(out, unix.SockFilter{Code: equal, K: call, Jf: 1}, allow)
	}
	return append(out,
		// The flags of clone3 cannot be seen from here: the C library then takes clone, whose flags can.
		unix.SockFilter{Code: equal, K: unix.SYS_CLONE3, Jf: 1},
		unix.SockFilter{Code: end, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		// A new thread, never a new process.
		unix.SockFilter{Code: equal, K: unix.SYS_CLONE, Jf: 4},
		unix.SockFilter{Code: load, K: placeArg0},
		unix.SockFilter{Code: bits, K: unix.CLONE_THREAD, Jf: 1},
		allow,
		deny,
		// Signals to this process alone: that is how Go interrupts its own threads.
		unix.SockFilter{Code: equal, K: unix.SYS_TGKILL, Jf: 3},
		unix.SockFilter{Code: load, K: placeArg0},
		unix.SockFilter{Code: equal, K: pid, Jf: 1},
		allow,
		deny,
	)
}
