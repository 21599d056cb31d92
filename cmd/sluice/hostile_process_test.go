package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// brood are scripts that leave processes behind, hide them or hurt themselves, with the status that the job gets. LONG
// is a sleep that no other test has: nothing of it may be left.
var brood = map[string]struct{ script, status string }{
	"in the background":            {"LONG &", "success"},
	"in the background, silent":    {"LONG >/dev/null 2>&1 &", "success"},
	"holding the output":           {"(LONG) & disown; echo done", "success"},
	"in a session of its own":      {"setsid LONG >/dev/null 2>&1 & sleep 0.1", "success"},
	"a daemon by two forks":        {"(setsid bash -c 'LONG & disown' >/dev/null 2>&1 </dev/null &) ; sleep 0.1", "success"},
	"nohup":                        {"nohup LONG >/dev/null 2>&1 &", "success"},
	"deaf to signals":              {"bash -c \"trap '' TERM INT HUP QUIT; while :; do LONG; done\" >/dev/null 2>&1 & sleep 0.1", "success"},
	"without environment":          {"env -i setsid LONG >/dev/null 2>&1 & sleep 0.1", "success"},
	"a tree of two hundred":        {"for i in $(seq 20); do (for j in $(seq 10); do LONG & done; wait) >/dev/null 2>&1 & done; sleep 0.2", "success"},
	"that fork when they end":      {"for i in $(seq 20); do bash -c \"trap 'setsid LONG >/dev/null 2>&1 & exit' TERM; LONG & wait\" >/dev/null 2>&1 & done; sleep 0.3", "success"},
	"stopped in the background":    {"LONG & kill -STOP $!", "success"},
	"stopped itself":               {"(sleep 0.3; kill -CONT $$) & kill -STOP $$; echo went on", "success"},
	"closed its output":            {"exec >&- 2>&-; exit 3", "failed"},
	"closed all":                   {"exec 0<&- 1>&- 2>&- 3>&- 4>&-; true", "success"},
	"became another program":       {"exec sh -c 'exit 4'", "failed"},
	"killed its group":             {"kill 0", "failed"},
	"killed itself":                {"kill -9 $$", "failed"},
	"crashed":                      {"ulimit -c 0; kill -SEGV $$", "failed"},
	"killed all of its session":    {"pkill -9 -s $$ || kill -9 0", "failed"},
	"a command that waits for it":  {"cat; read x || true; test -z \"$x\"", "success"},
	"asks for a password":          {"! ( exec </dev/tty ) 2>/dev/null", "success"},
	"a pipe of its own":            {"mkfifo p; (LONG > p) & echo", "success"},
	"a coprocess":                  {"coproc LONG; echo", "success"},
	"process substitution":         {"exec > >(tee log); echo hello; LONG &", "success"},
	"limits":                       {"ulimit -t 1; ulimit -f 0; ulimit -n 3; true", "success"},
	"memory":                       {"ulimit -v 100000; python3 -c 'x = \"a\" * 10**9' 2>/dev/null || exit 5", "failed"},
	"many open files":              {"for i in $(seq 10 200); do eval \"exec $i>/dev/null\"; done; true", "success"},
	"unset everything":             {"unset PATH HOME; PATH=; : ; /bin/true", "success"},
	"a huge variable":              {"export A=$(head -c 100000 /dev/zero | tr '\\0' x); /bin/true", "success"},
	"a variable that is too large": {"export A=$(head -c 3000000 /dev/zero | tr '\\0' x); /bin/true", "failed"},
	"its folder taken away":        {"rm -rf \"$CI_PROJECT_DIR\"; echo still here", "failed"},
	"its folder moved":             {"mv \"$CI_PROJECT_DIR\" \"$CI_PROJECT_DIR.moved\"; mkdir \"$CI_PROJECT_DIR\"", "success"},
	"its folder made a link":       {"cd ..; mv \"$CI_PROJECT_DIR\" moved; ln -s / \"$CI_PROJECT_DIR\"", "success"},
	"all folders taken away":       {"cd /; rm -rf \"$CI_PROJECT_DIR\" \"$CI_PROJECT_DIR\".*; true", "failed"},
	"without any right":            {"mkdir -p a/b; touch a/b/c; chmod -R 000 \"$CI_PROJECT_DIR\"", "success"},
	"rights of another kind":       {"mkdir -p a/b; chmod 500 a/b a; chmod 4755 .gitlab-ci.yml; chmod 1777 .", "success"},
	"hundreds of folders deep":     {"for i in $(seq 300); do mkdir d; cd d; done; touch x", "success"},
	"names of every kind":          {"touch -- -rf '*' $'a\\nb' $'\\e[2J' $'\\xff'; mkdir -- -d; ln -s / root; mkfifo pipe", "success"},
	"somewhere else":               {"cd /; echo $PWD", "success"},
	"its .git taken away":          {"rm -rf .git", "success"},
	"its .git made hostile":        {"printf '[core]\\n\\tfsmonitor = \"touch ../canary; false\"\\n' >> .git/config; rm -f .git/index", "success"},
}

// long makes the command that LONG stands for: a sleep told from all others by its length.
func long(t *testing.T) (command, mark string) {
	t.Helper()
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000_000))
	if err != nil {
		t.Fatal(err)
	}
	mark = fmt.Sprintf("86400.%09d", n)
	t.Cleanup(func() {
		for _, pid := range running(mark) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return "sleep " + mark, mark
}

// running lists the living processes with the mark in their command line.
func running(mark string) []int {
	var out []int
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte(mark)) {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(path, "/proc/%d/", &pid); err == nil && pid != os.Getpid() {
			out = append(out, pid)
		}
	}
	return out
}

// TestHostileScripts runs every script as a job of its own, several at a time in one pipeline, and alone after a
// neighbour: nothing of any is left, and no job suffers from another.
func TestHostileScripts(t *testing.T) {
	t.Parallel()
	command, mark := long(t)
	dir := world(t, "-- kept --\nkept\n-- sub/kept --\nkept\n")
	var b strings.Builder
	b.WriteString("variables: {GIT_DEPTH: 1}\n")
	for name, c := range brood {
		if strings.Contains(c.script, "python3") && testing.Short() {
			continue
		}
		script := strings.ReplaceAll(c.script, "LONG", command)
		fmt.Fprintf(&b, "%q:\n  allow_failure: true\n  timeout: 5m\n  cache: {key: $CI_JOB_NAME_SLUG, untracked: true, paths: [a, none]}\n  artifacts: {untracked: true, paths: [a, log, none], when: always, reports: {junit: pipe, dotenv: none}}\n  script:\n    - %q\n", name, script)
	}
	b.WriteString("neighbour:\n  script: 'for i in 1 2 3 4 5; do sleep 0.1; test \"$(cat kept sub/kept | wc -l)\" = 2; done'\n  parallel: 5\n")
	put(t, b.String(), dir, ".gitlab-ci.yml")
	o := assail(t, dir, assault{args: []string{"run", "--format", "json", "-j", "4", "--executor", "shell"}, exit: []int{exitOK}, limit: 3 * minute})
	h := heard{events: eventsOf(t, []byte(o.out)), exit: o.exit}
	last := h.last()
	for name, c := range brood {
		if last[name] != c.status && last[name] != "" {
			t.Errorf("%q is %q (%s), want %q: %q", name, last[name], h.job(t, name).Reason, c.status, append(h.lines(name, "stderr"), h.lines(name, "system")...))
		}
	}
	if len(last) < 30 {
		t.Errorf("only %d jobs have run", len(last))
	}
	for i := range 5 {
		if name := fmt.Sprintf("neighbour %d/5", i+1); last[name] != "success" {
			t.Errorf("%s suffered: %q", name, h.lines(name, "stderr"))
		}
	}
	if left := running(mark); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	workless(t, dir)
}

// workless holds that no run has left a workspace.
func workless(t *testing.T, dir string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(dir, ".sluice/work/*")); len(left) > 0 {
		t.Errorf("workspaces are left: %v", left)
	}
}

// A job that kills the process that started it kills the run that its user started: it has the user's rights, and
// nothing here walls it off (docs: executor shell). What it leaves, the next run removes.
func TestHostileParricide(t *testing.T) {
	t.Parallel()
	command, mark := long(t)
	dir := world(t, "")
	put(t, "kill:\n  script:\n    - "+command+" & setsid "+command+" & sleep 0.1\n    - 'test -n \"$CALM\" || kill -9 $PPID; sleep 1'\n", dir, ".gitlab-ci.yml")
	o := launch(t, dir, assault{args: []string{"run"}, loose: true})
	if o.exit != 137 {
		t.Errorf("exit code %d, want that of a killed process", o.exit)
	}
	assail(t, dir, assault{args: []string{"run", "--variable", "CALM=1"}, exit: []int{exitOK}})
	if left := running(mark); len(left) > 0 {
		t.Errorf("the next run leaves processes: %v", left)
	}
	workless(t, dir)
	list := assail(t, dir, assault{args: []string{"run", "list"}, exit: []int{exitOK}}).out
	if strings.Contains(list, "running") {
		t.Errorf("the run that was killed counts as running:\n%s", list)
	}
}
