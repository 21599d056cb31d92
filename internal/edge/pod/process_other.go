//go:build unix && !linux

package pod

import "syscall"

// Other systems than Linux have no namespaces of mounts and no way to find a process by its environment: mount paths are
// rewritten there, and a process that leaves its group stays.

func attributes(bool) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func endTree(leader int, _ string) { _ = syscall.Kill(-leader, syscall.SIGKILL) }

func sweep(string) {}

func startMounted(string) error { return syscall.ENOTSUP }

func tryMount(string) error { return syscall.ENOTSUP }
