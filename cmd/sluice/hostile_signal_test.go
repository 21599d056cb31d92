package main

import (
	"bufio"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// busy is a pipeline that is in the middle of something at every instant: starting, running, saving, restoring, ending.
const busy = `
stages: [a, b]
default: {cache: {key: k, paths: [c]}}
make:
  stage: a
  parallel: 4
  script: ['mkdir -p c; head -c 3000000 /dev/urandom > c/$CI_NODE_INDEX; LONG & (setsid LONG >/dev/null 2>&1 &) ; sleep 0.05']
  artifacts: {paths: [c]}
  after_script: ['echo after']
use:
  stage: b
  parallel: 3
  script: ['trap "" TERM; ls c; LONG & sleep 0.05']
`

// signaling starts a run outside of measured, so that the signal reaches it alone, and sends the signals one after the other.
func signaling(t *testing.T, dir string, after time.Duration, signals ...syscall.Signal) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sluice", "run", "--format", "json", "-j", "4", "--executor", "shell")
	cmd.Dir, cmd.Env = dir, environment(gitEnv(t.TempDir()))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() {
		for _, s := range signals {
			_ = cmd.Process.Signal(s)
		}
	})
	defer timer.Stop()
	hung := time.AfterFunc(minute, func() { _ = cmd.Process.Kill() })
	defer hung.Stop()
	_, _ = io.Copy(io.Discard, bufio.NewReader(out))
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exitCode(t, err)
}

// TestHostileInterrupts: Ctrl-C, once and twice, at random instants leaves no process and no half state, and the next run
// works.
func TestHostileInterrupts(t *testing.T) {
	t.Parallel()
	tries := 50
	if testing.Short() || raceEnabled {
		tries = 10
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	command, mark := long(t)
	dir := world(t, "")
	put(t, strings.ReplaceAll(busy, "LONG", command), dir, ".gitlab-ci.yml")
	before := treeHash(t, dir)
	exits := map[int]int{}
	for i := range tries {
		signals := []syscall.Signal{[]syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}[i%3]}
		if i%2 == 1 {
			signals = append(signals, syscall.SIGINT)
		}
		exit := signaling(t, dir, time.Duration(random.Int64N(int64(500*time.Millisecond))), signals...)
		exits[exit]++
		if !slices.Contains([]int{exitOK, exitInterrupted, 128 + int(signals[0])}, exit) {
			t.Errorf("try %d: exit code %d", i, exit)
		}
		if left := running(mark); len(left) > 0 {
			t.Fatalf("try %d (exit code %d): processes are left: %v", i, exit, left)
		}
		if after := treeHash(t, dir); after != before {
			t.Fatalf("try %d: the checkout was changed:\n%s", i, difference(before, after))
		}
		if exit == exitInterrupted || exit == exitOK {
			if left, _ := filepath.Glob(filepath.Join(dir, ".sluice/work/*")); len(left) > 0 {
				t.Fatalf("try %d (exit code %d): workspaces are left: %v", i, exit, left)
			}
		}
	}
	t.Logf("exit codes: %v", exits)
	if exits[exitInterrupted] < tries/4 {
		t.Errorf("only %d of %d tries met a run at work", exits[exitInterrupted], tries)
	}
	put(t, strings.ReplaceAll(busy, "LONG", "true"), dir, ".gitlab-ci.yml")
	assail(t, dir, assault{args: []string{"run"}, exit: []int{exitOK}})
	whatIsKept(t, dir)
}

// whatIsKept holds that everything in the store is whole: no file that is being written, no artifact without its meta.
func whatIsKept(t *testing.T, dir string) {
	t.Helper()
	var odd []string
	for _, pattern := range []string{".sluice/cache/.*", ".sluice/runs/*/.*", ".sluice/runs/*/artifacts/.*"} {
		found, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, name := range found {
			if !strings.HasSuffix(name, ".lock") {
				odd = append(odd, name)
			}
		}
	}
	if len(odd) > 0 {
		t.Errorf("half-written things are left: %v", odd)
	}
}

// TestHostileKills: SIGKILL at random instants; what is left is gone after the next run, or after clean.
func TestHostileKills(t *testing.T) {
	t.Parallel()
	tries := 10
	if testing.Short() || raceEnabled {
		tries = 4
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	command, mark := long(t)
	dir := world(t, "")
	for i := range tries {
		put(t, strings.ReplaceAll(busy, "LONG", command), dir, ".gitlab-ci.yml")
		signaling(t, dir, time.Duration(random.Int64N(int64(400*time.Millisecond))), syscall.SIGKILL)
		put(t, strings.ReplaceAll(busy, "LONG", "true"), dir, ".gitlab-ci.yml")
		args := [][]string{{"run"}, {"clean"}}[i%2]
		assail(t, dir, assault{args: args, exit: []int{exitOK}})
		if left := running(mark); len(left) > 0 {
			t.Errorf("try %d, %v: processes are left: %v", i, args, left)
		}
		workless(t, dir)
	}
	assail(t, dir, assault{args: []string{"clean", "--all"}, exit: []int{exitOK}})
	if _, err := os.Lstat(filepath.Join(dir, ".sluice")); err == nil {
		t.Error("clean --all leaves .sluice")
	}
}
