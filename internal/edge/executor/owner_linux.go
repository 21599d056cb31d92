package executor

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Owner names this process for as long as the machine runs: its pid and start time, and the namespace and boot in which
// these mean something.
var Owner = sync.OnceValue(func() string {
	started, _ := startTime(os.Getpid())
	return fmt.Sprintf("%d.%d.%s", os.Getpid(), started, here())
})

// here is where pids mean what they mean to us.
var here = sync.OnceValue(func() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	ns, _ := os.Readlink("/proc/self/ns/pid")
	return strings.Trim(strings.TrimPrefix(ns, "pid:"), "[]") + "-" + strings.TrimSpace(string(boot))
})

// OwnerGone says whether an Owner has ended for certain. One of another namespace is not known to have; one of another boot
// has: engines and folders are this machine's.
func OwnerGone(owner string) bool {
	parts := strings.SplitN(owner, ".", 3)
	if len(parts) != 3 {
		return false
	}
	pid, err1 := strconv.Atoi(parts[0])
	started, err2 := strconv.ParseUint(parts[1], 10, 64)
	if err1 != nil || err2 != nil {
		return false
	}
	if parts[2] != here() {
		_, boot, _ := strings.Cut(parts[2], "-")
		_, ours, _ := strings.Cut(here(), "-")
		return boot != ours && boot != "" && ours != ""
	}
	now, ok := startTime(pid)
	return !ok || now != started
}

// startTime is when a process started, in ticks since the boot.
func startTime(pid int) (uint64, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(fields[19], 10, 64)
	return n, err == nil
}
