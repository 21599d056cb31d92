package pod

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// attributes are those of a container's process: a session of its own, an end with ours, and where it mounts, a namespace.
func attributes(mounts bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if !mounts {
		return a
	}
	a.Cloneflags = syscall.CLONE_NEWNS
	if os.Geteuid() != 0 {
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
	}
	return a
}

// apart is a process that a signal from the terminal does not reach.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// endTree kills what is left of a process tree: its group, its session, and what bears its cookie.
func endTree(leader int, cookie string) {
	_, err := os.Stat("/proc/" + strconv.Itoa(leader))
	strange := err == nil && !bears(leader, cookie) // the number is another's by now
	for range 100 {
		if !strange {
			_ = syscall.Kill(-leader, syscall.SIGKILL)
		}
		if killed := killAll(func(pid, session int) bool { return !strange && session == leader || bears(pid, cookie) }); killed == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// sweep kills every process that bears a cookie.
func sweep(cookie string) {
	for range 100 {
		if killAll(func(pid, _ int) bool { return bears(pid, cookie) }) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// killAll kills the processes that are meant and counts them; ones that have ended and wait for their parents do not count.
func killAll(meant func(pid, session int) bool) int {
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0
	}
	n := 0
	for _, e := range entries {
		pid, err := strconv.Atoi(filepath.Base(e))
		if err != nil || pid == os.Getpid() {
			continue
		}
		state, session := statOf(pid)
		if state == 'Z' || state == 0 || !meant(pid, session) {
			continue
		}
		n++
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return n
}

// statOf reads a process's state and session.
func statOf(pid int) (state byte, session int) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0
	}
	_, rest, ok := strings.Cut(string(data[bytes.LastIndexByte(data, ')')+1:]), " ")
	f := strings.Fields(rest)
	if !ok || len(f) < 4 {
		return 0, 0
	}
	session, _ = strconv.Atoi(f[3])
	return f[0][0], session
}

// bears says whether a process has the cookie, or one that begins with it, in its environment.
func bears(pid int, cookie string) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	for kv := range bytes.SplitSeq(data, []byte{0}) {
		if v, ok := strings.CutPrefix(string(kv), cookieName+"="); ok && (v == cookie || strings.HasPrefix(v, cookie+"/")) {
			return true
		}
	}
	return false
}
