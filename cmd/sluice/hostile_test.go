package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The hostile tests give the built command what a hostile repository, script or machine would (reliability.md S1 to S4,
// S6, S8, S14, R5, R8; issue 2, section 8). Every one of them holds, beside its own matter, that the command ends, that
// nothing it started is left, and that the user's checkout is byte for byte what it was: see assault.

// assault is one run of the command against which everything is held.
type assault struct {
	args  []string
	env   []string               // beside ours; "NAME=" takes a variable away
	start func(cmd *exec.Cmd)    // changes the command before it starts
	while func(proc *os.Process) // is called when it has started, beside it
	exit  []int                  // the codes allowed; nil means 0, 1 or 2
	limit time.Duration          // after which it counts as hanging; 0 means one
	loose bool                   // processes may be left: the command itself is killed
	churn bool                   // the checkout may change: the test changes it itself
}

const minute = time.Minute

// outcome is how it went.
type outcome struct {
	exit     int
	out, err string
	rss      int64         // the largest resident set of the command or of one of its children, in bytes, beyond the program's own
	cpu      time.Duration // what the command and its children have computed, however long that took
}

// said is all that was told.
func (o outcome) said() string { return o.out + o.err }

// assail runs the command in dir. The command must end by itself, with a code allowed, leave no process and change
// nothing in dir but .sluice.
func assail(t *testing.T, dir string, a assault) outcome {
	t.Helper()
	var before string
	if !a.churn {
		before = treeHash(t, dir)
	}
	o := launch(t, dir, a)
	if !a.churn {
		if after := treeHash(t, dir); after != before {
			t.Errorf("the checkout was changed:\n%s", difference(before, after))
		}
	}
	allowed := a.exit
	if allowed == nil {
		allowed = []int{exitOK, exitFailed, exitUsage}
	}
	if !slices.Contains(allowed, o.exit) {
		t.Errorf("exit code %d, want one of %v", o.exit, allowed)
	}
	if strings.Contains(o.said(), "goroutine ") || strings.Contains(o.err, "panic:") {
		t.Errorf("the command panicked")
	}
	if t.Failed() {
		t.Logf("sluice %q\nstandard output:\n%s\nstandard error:\n%s", a.args, clip(o.out), clip(o.err))
	}
	return o
}

// launch starts the command and waits for it.
func launch(t *testing.T, dir string, a assault) outcome {
	t.Helper()
	limit := a.limit
	if limit == 0 {
		limit = minute
	}
	ctx, stop := context.WithTimeout(t.Context(), limit)
	defer stop()
	mark := "HOSTILE_MARK=" + rand.Text()
	peak := filepath.Join(t.TempDir(), "peak")
	cmd := exec.CommandContext(ctx, "measured", append([]string{peak, "sluice"}, a.args...)...)
	cmd.Dir, cmd.Env = dir, environment(append(gitEnv(t.TempDir()), append(a.env, mark)...))
	cmd.WaitDelay = 5 * time.Second
	cmd.Cancel = func() error { killMarked(mark); return nil }
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if a.start != nil {
		a.start(cmd)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if a.while != nil {
		a.while(cmd.Process)
	}
	err := cmd.Wait()
	if ctx.Err() != nil {
		t.Fatalf("sluice %q has not ended after %v\n%s\n%s", a.args, limit, clip(out.String()), clip(errs.String()))
	}
	if left := markedProcesses(mark); len(left) > 0 {
		if !a.loose {
			t.Errorf("processes are left: %v", left)
			killMarked(mark)
		}
		t.Cleanup(func() { killMarked(mark) })
	}
	o := outcome{exit: exitCode(t, err), out: out.String(), err: errs.String()}
	text, err := os.ReadFile(peak)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), &o.rss, &o.cpu); err != nil {
		t.Fatal(err)
	}
	o.rss -= programSize()
	return o
}

// programSize is the resident set, in bytes, of a command that does nothing: mostly pages of the program's file, which all
// processes share.
var programSize = sync.OnceValue(func() int64 {
	file, err := os.CreateTemp("", "program-size")
	if err != nil {
		panic(err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if out, err := exec.Command("measured", file.Name(), "sluice", "--help").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("sluice --help: %v\n%s", err, out))
	}
	var size int64
	if _, err := fmt.Fscan(file, &size); err != nil {
		panic(err)
	}
	return size
})

// measured is a command of the tests: measured FILE PROGRAM ARG... runs the program and writes the size of its largest
// resident set in bytes and the time that it computed in nanoseconds into the file. It stands between the test and the
// program because a process takes over the peak of the one that started it.
func measured() {
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if err := os.WriteFile(os.Args[1], fmt.Appendf(nil, "%d %d", usage.Maxrss<<10, cpu.Nanoseconds()), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		os.Exit(128 + int(status.Signal()))
	}
	os.Exit(cmd.ProcessState.ExitCode())
}

// environment is ours with these variables; "NAME=" alone takes one away.
func environment(with []string) []string {
	vars := map[string]string{}
	for _, kv := range append(os.Environ(), with...) {
		name, value, _ := strings.Cut(kv, "=")
		vars[name] = value
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if vars[name] != "" {
			out = append(out, name+"="+vars[name])
		}
	}
	return out
}

// markedProcesses lists the living processes that have the mark in their environment, by pid and name.
func markedProcesses(mark string) []string {
	var out []string
	stats, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte(mark)) {
			continue
		}
		dir := filepath.Dir(path)
		if stat, err := os.ReadFile(filepath.Join(dir, "stat")); err != nil || strings.Contains(string(stat), ") Z ") {
			continue
		}
		name, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		out = append(out, filepath.Base(dir)+" "+strings.ReplaceAll(string(name), "\x00", " "))
	}
	return out
}

// killMarked kills what marked lists, which this test has started.
func killMarked(mark string) {
	for range 50 {
		left := markedProcesses(mark)
		if len(left) == 0 {
			return
		}
		for _, p := range left {
			var pid int
			if _, err := fmt.Sscan(p, &pid); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

// treeHash describes everything below dir but .sluice, the git folder too: a line for each file with its mode, and its
// target or a hash of its content.
func treeHash(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == ".sluice" {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		detail := ""
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			detail, err = os.Readlink(path)
		case info.Mode().IsRegular():
			detail, err = fileHash(path)
		}
		fmt.Fprintf(&b, "%s %v %s\n", path, info.Mode(), detail)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func fileHash(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, file)
	return fmt.Sprintf("%x", sum.Sum(nil)), err
}

// difference are the lines that two texts do not share.
func difference(a, b string) string {
	var out []string
	for line := range strings.SplitSeq(a, "\n") {
		if !strings.Contains(b, line) {
			out = append(out, "- "+line)
		}
	}
	for line := range strings.SplitSeq(b, "\n") {
		if !strings.Contains(a, line) {
			out = append(out, "+ "+line)
		}
	}
	return strings.Join(out, "\n")
}

func clip(text string) string {
	if len(text) > 4000 {
		return text[:2000] + "\n[…]\n" + text[len(text)-2000:]
	}
	return text
}

// canary is a file that hostile input tries to make or to read. It is outside of every repository.
func canary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "canary")
	t.Cleanup(func() {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the canary %s was made: hostile input was carried out", path)
		}
	})
	return path
}

// put writes a file, with its folders.
func put(t *testing.T, text string, path ...string) string {
	t.Helper()
	name := filepath.Join(path...)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
	return name
}

// gitIn runs git in a folder as gitEnv has it.
func gitIn(t *testing.T, dir string, words ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", words...)
	cmd.Dir, cmd.Env = dir, environment(gitEnv(t.TempDir()))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v: %s", words, err, out)
	}
	return strings.TrimSpace(string(out))
}
