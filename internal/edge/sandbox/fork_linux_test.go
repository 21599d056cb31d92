package sandbox_test

import "syscall"

// fork asks for a process that is a copy of this one.
func fork() error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0); errno != 0 {
		return errno
	}
	return nil
}
