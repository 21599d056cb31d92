package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// interrupt starts a run, sends the signals once a job says "ready", and returns what was heard.
func interrupt(t *testing.T, dir string, signals ...syscall.Signal) heard {
	t.Helper()
	cmd := sluice(t, dir, "run", "--format", "json")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	lines := bufio.NewReader(io.TeeReader(out, &all))
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the job never got ready: %v\n%s\n%s", err, &all, &errs)
		}
		if !strings.Contains(line, `"line":"ready`) {
			continue
		}
		if err := cmd.Process.Signal(signals[0]); err != nil {
			t.Fatal(err)
		}
		if signals = signals[1:]; len(signals) == 0 {
			break
		}
	}
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Fatal(err)
	}
	h := heard{exit: exitCode(t, cmd.Wait()), stderr: errs.String()}
	h.events = eventsOf(t, all.Bytes())
	return h
}

func TestInterruptCancelsGracefully(t *testing.T) {
	t.Parallel()
	pid := filepath.Join(t.TempDir(), "pid")
	dir := world(t, `
-- .gitlab-ci.yml --
stages: [one, two]
a:
  stage: one
  script:
    - sleep 987654 & echo $! > `+pid+`
    - echo ready
    - sleep 987654
  after_script:
    - echo "status $CI_JOB_STATUS"
b:
  stage: two
  script: echo
`)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		h := interrupt(t, dir, signal)
		if h.exit != 130 || h.pipeline() != "canceled" || h.last()["a"] != "canceled" {
			t.Errorf("%v: exit code %d, pipeline %s, job %s; want 130, canceled, canceled", signal, h.exit, h.pipeline(), h.last()["a"])
		}
		if got := strings.Join(h.lines("a", "stdout"), "|"); got != "ready|status canceled" {
			t.Errorf("%v: the job says %q, want the after_script's line too", signal, got)
		}
		if s := h.last()["b"]; s != "skipped" && s != "canceled" {
			t.Errorf("%v: the job that never ran is %q", signal, s)
		}
		gone(t, pid)
		if left, _ := filepath.Glob(filepath.Join(dir, ".sluice/work/*")); len(left) > 0 {
			t.Errorf("%v: workspaces are left: %v", signal, left)
		}
	}
}

// Of a canceled GitHub run go on: steps and jobs whose conditions hold then. The rest does not begin.
func TestInterruptAsksConditions(t *testing.T) {
	t.Parallel()
	dir := world(t, `
-- .github/workflows/ci.yml --
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo ready
          exec sleep 987654
      - run: echo no
      - {if: always(), run: 'echo "always ${{ job.status }}"'}
      - {if: cancelled(), run: echo cancelled}
      - {if: failure(), run: echo no}
  plain: {needs: a, runs-on: ubuntu-latest, steps: [{run: echo no}]}
  always: {needs: a, if: always(), runs-on: ubuntu-latest, steps: [{run: 'echo "${{ needs.a.result }}"'}]}
  cancelled: {needs: a, if: cancelled(), runs-on: ubuntu-latest, steps: [{run: echo yes}]}
  unless: {needs: a, if: "!cancelled()", runs-on: ubuntu-latest, steps: [{run: echo no}]}
  failed: {needs: a, if: failure(), runs-on: ubuntu-latest, steps: [{run: echo no}]}
  after: {needs: always, runs-on: ubuntu-latest, steps: [{run: echo no}]}
`)
	h := interrupt(t, dir, syscall.SIGINT)
	if h.exit != 130 || h.pipeline() != "canceled" {
		t.Errorf("exit code %d, pipeline %s; want 130, canceled", h.exit, h.pipeline())
	}
	for job, want := range map[string]string{
		"a": "canceled ready|always cancelled|cancelled", "plain": "canceled ", "always": "success cancelled", "cancelled": "success yes",
		"unless": "skipped ", "failed": "", "after": "skipped ",
	} {
		got := h.last()[job] + " " + strings.Join(h.lines(job, "stdout"), "|")
		if got != want && (want != "" || strings.Contains(got, "no")) {
			t.Errorf("%s: %q, want %q", job, got, want)
		}
	}
}

// A job that does not listen to the first signal is killed by the second, long before its grace is over.
func TestSecondInterruptKills(t *testing.T) {
	t.Parallel()
	pid := filepath.Join(t.TempDir(), "pid")
	dir := world(t, `
-- .gitlab-ci.yml --
a:
  script:
    - trap 'echo ready again' TERM INT
    - echo $$ > `+pid+`
    - turns=$(seq 120) # not later, where the signal would end it
    - echo ready
    - for i in $turns; do sleep 0.05 || true; done
    - echo survived
    - sleep 987654
`)
	h := interrupt(t, dir, syscall.SIGINT, syscall.SIGINT)
	if h.exit != 130 || h.last()["a"] != "canceled" {
		t.Errorf("exit code %d, job %s; want 130, canceled", h.exit, h.last()["a"])
	}
	if got := h.lines("a", "stdout"); slices.Contains(got, "survived") {
		t.Errorf("the job went on: %q", got)
	}
	gone(t, pid)
}

// What a run leaves that was itself killed, the next one removes: processes and workspaces.
func TestNextRunRecoversFromAKilledOne(t *testing.T) {
	t.Parallel()
	pid := filepath.Join(t.TempDir(), "pid")
	dir := world(t, `
-- .gitlab-ci.yml --
a:
  script:
    - setsid sleep 987654 >/dev/null 2>&1 & echo $! > `+pid+`
    - echo ready
    - sleep 987654
-- next.yml --
b:
  script: echo
`)
	cmd := sluice(t, dir, "run", "--format", "json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := false
	for lines := bufio.NewScanner(out); !ready && lines.Scan(); {
		ready = strings.Contains(lines.Text(), `"line":"ready`)
	}
	if !ready {
		t.Fatal("the job never got ready")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if h := listen(t, dir, "--file", "next.yml"); h.exit != 0 {
		t.Fatalf("the next run ends with %d: %s", h.exit, h.stderr)
	}
	gone(t, pid)
	if left, _ := filepath.Glob(filepath.Join(dir, ".sluice/work/*")); len(left) > 0 {
		t.Errorf("workspaces are left: %v", left)
	}
}

// gone holds that the process is not there any more. One that has ended counts as gone also where nobody has taken its
// exit status yet: orphans wait for the machine's first process.
func gone(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSpace(string(text))
	state, err := os.ReadFile(filepath.Join("/proc", id, "stat"))
	if err != nil {
		return
	}
	if _, after, ok := strings.Cut(string(state), ") "); !ok || !strings.HasPrefix(after, "Z") {
		t.Errorf("process %s is still there: %s", id, state)
	}
}

// TestWatchRunsAgain runs, waits for a change of a file, runs again with what changed, and ends with Ctrl-C.
func TestWatchRunsAgain(t *testing.T) {
	t.Parallel()
	dir := world(t, `
-- .gitlab-ci.yml --
always:
  script: echo
docs:
  script: echo
  rules:
    - changes: [docs/*]
code:
  script: echo
  rules:
    - changes: [code/*]
-- docs/page --
-- code/file --
`)
	cmd := sluice(t, dir, "run", "--watch", "--format", "json")
	var out bytes.Buffer
	cmd.Stdout = &out
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for waits, lines := 0, bufio.NewScanner(pipe); waits < 2 && lines.Scan(); {
		said = append(said, lines.Text())
		if !strings.HasPrefix(lines.Text(), "waiting for changes") {
			continue
		}
		if waits++; waits == 1 {
			err = os.WriteFile(filepath.Join(dir, "docs/page"), []byte("new"), 0o644)
		} else {
			err = cmd.Process.Signal(syscall.SIGINT)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.Copy(io.Discard, pipe); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, cmd.Wait()); code != 130 {
		t.Errorf("exit code %d, want 130; %q", code, said)
	}
	if !slices.Contains(said, "changed: docs/page") {
		t.Errorf("the change was not told: %q", said)
	}
	runs := strings.SplitAfter(out.String(), `"type":"pipeline"`)
	if len(runs) != 3 {
		t.Fatalf("%d runs, want 2: %s", len(runs)-1, &out)
	}
	for name, in := range map[string]bool{"always": true, "docs": true, "code": false} {
		if got := strings.Contains(runs[1], `"job":"`+name+`"`); got != in {
			t.Errorf("%s in the second run: %t, want %t", name, got, in)
		}
	}
}
