package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// These tests hold what `sluice run` promises to programs: docs/events.md, sentence by sentence. They start the program
// and read what it writes.

// told is one event.
type told struct {
	Type         string         `json:"type"`
	Job          string         `json:"job"`
	Status       string         `json:"status"`
	Reason       string         `json:"reason"`
	AllowFailure bool           `json:"allow_failure"`
	ExitCode     *int           `json:"exit_code"`
	Line         string         `json:"line"`
	Stream       string         `json:"stream"`
	Stage        string         `json:"stage"`
	ID           string         `json:"id"`
	Matrix       map[string]any `json:"matrix"`
	Attempt      int            `json:"attempt"`
}

// promised are the fields that each type of event may have, and those that it must.
var promised = map[string]struct{ must, may []string }{
	"job":      {[]string{"type", "job", "status"}, []string{"reason", "allow_failure", "exit_code", "stage", "workflow", "id", "matrix", "attempt"}},
	"log":      {[]string{"type", "job", "line", "stream"}, nil},
	"pipeline": {[]string{"type", "status"}, nil},
}

var (
	jobStatuses      = []string{"success", "failed", "skipped", "manual", "canceled", "created", "waiting", "delayed", "pending", "running"}
	lastStatuses     = []string{"success", "failed", "skipped", "manual", "canceled"}
	streamNames      = []string{"stdout", "stderr", "command", "system"}
	pipelineStatuses = []string{"success", "failed", "canceled", "manual", "skipped"}
)

// heard is a whole run as a program sees it.
type heard struct {
	events []told
	exit   int
	stderr string
}

// last is the last status of every job.
func (h heard) last() map[string]string {
	out := map[string]string{}
	for _, e := range h.events {
		if e.Type == "job" {
			out[e.Job] = e.Status
		}
	}
	return out
}

// job is the last event of a job.
func (h heard) job(t *testing.T, name string) told {
	t.Helper()
	for _, e := range slices.Backward(h.events) {
		if e.Type == "job" && e.Job == name {
			return e
		}
	}
	t.Fatalf("no event tells of job %q", name)
	return told{}
}

// lines are a job's lines of one stream.
func (h heard) lines(job, stream string) []string {
	var out []string
	for _, e := range h.events {
		if e.Type == "log" && e.Job == job && e.Stream == stream {
			out = append(out, e.Line)
		}
	}
	return out
}

// pipeline is the status of the pipeline.
func (h heard) pipeline() string { return h.events[len(h.events)-1].Status }

// world makes a repository of the files of a txtar archive.
func world(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := commitAll(dir, gitEnv(dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sluice is the command with our environment.
func sluice(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sluice", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), gitEnv(t.TempDir())...)
	return cmd
}

// listen runs sluice with --format json and holds what it writes to what every run promises.
func listen(t *testing.T, dir string, args ...string) heard {
	t.Helper()
	cmd := sluice(t, dir, append([]string{"run", "--format", "json"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	h := heard{exit: exitCode(t, cmd.Run()), stderr: errs.String()}
	h.events = eventsOf(t, out.Bytes())
	if t.Failed() {
		t.Logf("standard output:\n%s\nstandard error:\n%s", &out, &errs)
	}
	return h
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatal(err)
	}
	return exit.ExitCode()
}

// eventsOf parses a stream of events and checks each: one JSON object a line, of a known type, with the fields promised.
func eventsOf(t *testing.T, out []byte) []told {
	t.Helper()
	var events []told
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 64<<20)
	for n := 1; lines.Scan(); n++ {
		var fields map[string]json.RawMessage
		var e told
		if err := errors.Join(json.Unmarshal(lines.Bytes(), &fields), json.Unmarshal(lines.Bytes(), &e)); err != nil {
			t.Fatalf("line %d is no event: %v: %s", n, err, lines.Text())
		}
		if err := e.check(fields); err != nil {
			t.Errorf("line %d: %v: %s", n, err, lines.Text())
		}
		events = append(events, e)
	}
	if len(out) > 0 && out[len(out)-1] != '\n' {
		t.Error("the last event has no line end")
	}
	for i, e := range events {
		if (e.Type == "pipeline") != (i == len(events)-1) {
			t.Errorf("event %d of %d is of type %s: the pipeline's is the last and the only one", i+1, len(events), e.Type)
		}
	}
	return events
}

func (e told) check(fields map[string]json.RawMessage) error {
	want, ok := promised[e.Type]
	if !ok {
		return fmt.Errorf("there is no type %q", e.Type)
	}
	for _, name := range want.must {
		if _, ok := fields[name]; !ok {
			return fmt.Errorf("%s is missing", name)
		}
	}
	for name := range fields {
		if !slices.Contains(want.must, name) && !slices.Contains(want.may, name) {
			return fmt.Errorf("%s is not promised", name)
		}
	}
	switch {
	case e.Type == "job" && !slices.Contains(jobStatuses, e.Status), e.Type == "pipeline" && !slices.Contains(pipelineStatuses, e.Status):
		return fmt.Errorf("there is no status %q", e.Status)
	case e.Type == "log" && !slices.Contains(streamNames, e.Stream):
		return fmt.Errorf("there is no stream %q", e.Stream)
	case e.Type == "log" && strings.ContainsAny(e.Line, "\n"):
		return errors.New("a line holds a line end")
	}
	return nil
}

// everything is a pipeline in which every kind of end occurs.
const everything = `
-- .gitlab-ci.yml --
stages: [build, test, deploy, after]
build:
  stage: build
  script:
    - echo "out $((1 + 1))"
    - echo err >&2
split:
  parallel: 2
  script: echo $CI_NODE_INDEX
matrix:
  parallel:
    matrix:
      - A: [one, two]
        B: x
  script: echo "$A $B"
shaky:
  script: exit 42
  allow_failure: true
left out:
  script: echo never
  rules:
    - if: $CI_COMMIT_TAG
child:
  trigger:
    include: child.yml
    strategy: depend
broken:
  stage: deploy
  script: [echo before, exit 3, echo never]
gate:
  stage: deploy
  when: manual
  script: echo gate
never:
  stage: after
  script: echo never
rescue:
  stage: after
  when: on_failure
  script: echo rescue
-- child.yml --
grandchild:
  script: echo "from the child $CI_PIPELINE_SOURCE"
grandchild split:
  parallel: 2
  script: echo
`

func TestContractStatusOfEveryJob(t *testing.T) {
	t.Parallel()
	h := listen(t, world(t, everything))
	want := map[string]string{
		"build": "success", "split 1/2": "success", "split 2/2": "success", "matrix: [one, x]": "success", "matrix: [two, x]": "success",
		"shaky": "failed", "child": "success", "grandchild": "success", "grandchild split 1/2": "success", "grandchild split 2/2": "success",
		"broken": "failed", "gate": "manual", "never": "skipped", "rescue": "success",
	}
	got := h.last()
	for job, status := range want {
		if got[job] != status {
			t.Errorf("%s is %q at last, want %q", job, got[job], status)
		}
	}
	for job, status := range got {
		if _, ok := want[job]; !ok {
			t.Errorf("%s got an event (%s): a job that the rules leave out, or a name that the forge does not show", job, status)
		}
		if !slices.Contains(lastStatuses, status) {
			t.Errorf("%s ends as %s", job, status)
		}
	}
	if h.pipeline() != "failed" || h.exit != 1 {
		t.Errorf("the pipeline is %s with exit code %d, want failed and 1", h.pipeline(), h.exit)
	}
	if m := h.job(t, "matrix: [two, x]"); m.ID != "matrix" || m.Matrix["A"] != "two" || m.Matrix["B"] != "x" {
		t.Errorf("the leg of a matrix tells id %q and matrix %v", m.ID, m.Matrix)
	}
}

func TestContractEndsOfJobs(t *testing.T) {
	t.Parallel()
	h := listen(t, world(t, everything))
	if e := h.job(t, "shaky"); !e.AllowFailure || e.ExitCode == nil || *e.ExitCode != 42 || e.Reason == "" {
		t.Errorf("an allowed failure tells %+v, want allow_failure, exit_code 42 and a reason", e)
	}
	if e := h.job(t, "broken"); e.AllowFailure || e.ExitCode == nil || *e.ExitCode != 3 || e.Reason == "" {
		t.Errorf("a failure tells %+v, want exit_code 3 and a reason", e)
	}
	if e := h.job(t, "build"); e.ExitCode == nil || *e.ExitCode != 0 {
		t.Errorf("a success tells %+v, want exit_code 0", e)
	}
	for _, name := range []string{"never", "gate"} {
		if e := h.job(t, name); e.ExitCode != nil {
			t.Errorf("%s did not run and has exit code %d", name, *e.ExitCode)
		}
	}
}

func TestContractStreams(t *testing.T) {
	t.Parallel()
	h := listen(t, world(t, everything))
	for _, c := range []struct {
		job, stream string
		want        []string
	}{
		{"build", "command", []string{`echo "out $((1 + 1))"`, "echo err >&2"}},
		{"build", "stdout", []string{"out 2"}},
		{"build", "stderr", []string{"err"}},
		{"broken", "command", []string{"echo before", "exit 3"}},
		{"broken", "stdout", []string{"before"}},
		{"split 2/2", "stdout", []string{"2"}},
		{"grandchild", "stdout", []string{"from the child parent_pipeline"}},
	} {
		if got := h.lines(c.job, c.stream); !slices.Equal(got, c.want) {
			t.Errorf("%s of %s is %q, want %q", c.stream, c.job, got, c.want)
		}
	}
	// A job's lines are told while it runs: after its first status and before its last.
	ended := map[string]bool{}
	for _, e := range h.events {
		switch {
		case e.Type == "log" && ended[e.Job]:
			t.Errorf("%s writes %q after its end", e.Job, e.Line)
		case e.Type == "job" && slices.Contains([]string{"success", "failed"}, e.Status):
			ended[e.Job] = true
		}
	}
}

func TestContractAllowedFailure(t *testing.T) {
	t.Parallel()
	h := listen(t, world(t, everything), "shaky")
	if h.exit != 0 || h.pipeline() != "success" || h.last()["shaky"] != "failed" {
		t.Errorf("exit code %d, pipeline %s, job %s; want 0, success, failed", h.exit, h.pipeline(), h.last()["shaky"])
	}
}

func TestContractChosenJobs(t *testing.T) {
	t.Parallel()
	dir := world(t, `
-- .gitlab-ci.yml --
stages: [one, two]
first: {stage: one, script: "echo > file", artifacts: {paths: [file]}}
beside: {stage: one, script: echo}
second: {stage: two, needs: [first], script: cat file}
gate: {stage: two, when: manual, script: echo}
`)
	for _, c := range []struct {
		name string
		args []string
		want map[string]string
	}{
		{"a job alone", []string{"beside"}, map[string]string{"first": "skipped", "beside": "success", "second": "skipped", "gate": "skipped"}},
		{"with what it needs", []string{"--needs", "second"}, map[string]string{"first": "success", "beside": "skipped", "second": "success", "gate": "skipped"}},
		{"a manual job that is named is played", []string{"gate"}, map[string]string{"first": "skipped", "beside": "skipped", "second": "skipped", "gate": "success"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := listen(t, dir, c.args...)
			if got := h.last(); fmt.Sprint(got) != fmt.Sprint(c.want) || h.exit != 0 {
				t.Errorf("exit code %d and %v, want 0 and %v", h.exit, got, c.want)
			}
		})
	}
}

// TestContractFlags holds every flag of the interface, by what it does to a run.
func TestContractFlags(t *testing.T) {
	t.Parallel()
	dir := world(t, `
-- .gitlab-ci.yml --
spec:
  inputs:
    who: {default: nobody}
---
include:
  - project: group/lib
    ref: v1
    file: /lib.yml
show:
  image: no.such.registry/image:never
  script:
    - echo "source=$CI_PIPELINE_SOURCE branch=$CI_COMMIT_BRANCH tag=$CI_COMMIT_TAG target=$CI_MERGE_REQUEST_TARGET_BRANCH_NAME"
    - echo "given=$GIVEN more=$MORE secret=$TOKEN input=$[[ inputs.who ]]"
  rules:
    - when: always
-- elsewhere/other.yml --
other:
  script: echo other
-- payload.json --
{"object_kind": "push"}
-- lib/lib.yml --
from lib:
  script: echo lib
  rules:
    - when: always
`)
	const lib = "group/lib@v1=lib"
	for _, c := range []struct {
		name string
		args []string
		want string // in the lines of the job show
	}{
		{"the event is a push of what is checked out", nil, "source=push branch=main tag= target="},
		{"--event", []string{"--event", "schedule"}, "source=schedule branch=main"},
		{"--event-path", []string{"--event-path", "payload.json"}, "source=push branch=main"},
		{"--branch", []string{"--branch", "topic"}, "source=push branch=topic"},
		{"--tag", []string{"--tag", "v1.2"}, "source=push branch= tag=v1.2"},
		{"--target", []string{"--event", "merge_request", "--branch", "topic", "--target", "main"}, "source=merge_request_event branch= tag= target=main"},
		{"--variable, repeated", []string{"--variable", "GIVEN=a=b", "--variable", "MORE=c d"}, "given=a=b more=c d"},
		{"--secret is masked", []string{"--secret", "TOKEN=opensesame1"}, "secret=[MASKED]"},
		{"--input", []string{"--input", "who=Ada"}, "input=Ada"},
		{"--var and --env are taken", []string{"--var", "A=b", "--env", "C=d"}, "source=push"},
		{"--platform is taken", []string{"--platform", "ubuntu-latest=shell"}, "source=push"},
		{"--dialect", []string{"--dialect", "gitlab"}, "source=push"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := listen(t, dir, append([]string{"--executor", "shell", "--local-repository", lib}, c.args...)...)
			if got := strings.Join(h.lines("show", "stdout"), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("the job says %q, want %q in it; standard error: %s", got, c.want, h.stderr)
			}
			if h.last()["from lib"] != "success" {
				t.Errorf("the job of the local repository is %q", h.last()["from lib"])
			}
		})
	}
	t.Run("-C and --file", func(t *testing.T) {
		h := listen(t, filepath.Dir(dir), "-C", filepath.Join(dir, "elsewhere"), "--file", "other.yml")
		if h.last()["other"] != "success" {
			t.Errorf("the statuses are %v; standard error: %s", h.last(), h.stderr)
		}
	})
}

// TestContractInvalid: a mistake ends the command with 2, says where on standard error, and runs nothing.
func TestContractInvalid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, files, want string
		args              []string
	}{
		{"a mistake in the file", "-- .gitlab-ci.yml --\nok:\n  script: touch ran\nbad:\n  stage: nowhere\n  script: touch ran\n", ".gitlab-ci.yml:4:", nil},
		{"no YAML", "-- .gitlab-ci.yml --\na: [\n", ".gitlab-ci.yml:", nil},
		{"a job that is not there", "-- .gitlab-ci.yml --\nok:\n  script: touch ran\n", "nope", []string{"nope"}},
		{"an unknown flag", "-- .gitlab-ci.yml --\nok:\n  script: touch ran\n", "--nope", []string{"--nope"}},
		{"no pipeline", "-- README --\n", ".gitlab-ci.yml", nil},
		{"a pipeline without jobs", "-- .gitlab-ci.yml --\nok:\n  script: touch ran\n  rules: [{when: never}]\n", "", nil},
		{"a workflow without jobs", "-- .github/workflows/a.yml --\non: push\n", ".github/workflows/a.yml:1:1", nil},
		{"two dialects", "-- .gitlab-ci.yml --\nok:\n  script: touch ran\n-- .github/workflows/a.yml --\non: push\njobs: {a: {runs-on: x, steps: [{run: touch ran}]}}\n", "--dialect", nil},
		{"a Jenkinsfile only", "-- Jenkinsfile --\nnode {}\n", "Jenkinsfile", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := listen(t, world(t, c.files), c.args...)
			if h.exit != 2 || len(h.events) != 0 || h.stderr == "" || !strings.Contains(h.stderr, c.want) {
				t.Errorf("exit code %d, %d events, standard error %q; want 2, none, and %q said", h.exit, len(h.events), h.stderr, c.want)
			}
		})
	}
}

// TestContractSecrets: no form of a secret reaches either stream or the disk.
func TestContractSecrets(t *testing.T) {
	t.Parallel()
	dir := world(t, "-- .gitlab-ci.yml --\na:\n  script:\n    - echo \"$TOKEN\"\n    - printf %s \"$TOKEN\" | base64\n    - for c in swordfish swordfish; do printf %s \"$c\"; done; echo\n    - echo \"$TOKEN\" >&2\n")
	h := listen(t, dir, "--secret", "TOKEN=swordfishswordfish")
	all := fmt.Sprint(h.events, h.stderr)
	for _, secret := range []string{"swordfishswordfish", "c3dvcmRmaXNoc3dvcmRmaXNo"} {
		if strings.Contains(all, secret) {
			t.Errorf("%s is told", secret)
		}
		if out, err := exec.Command("grep", "-r", secret, filepath.Join(dir, ".sluice")).Output(); err == nil {
			t.Errorf("%s is kept: %s", secret, out)
		}
	}
	if !strings.Contains(all, "[MASKED]") || h.exit != 0 {
		t.Errorf("nothing was masked, or exit code %d", h.exit)
	}
}

// TestContractLongLine: a line of any length is one event, whole.
func TestContractLongLine(t *testing.T) {
	t.Parallel()
	dir := world(t, "-- .gitlab-ci.yml --\na:\n  script:\n    - head -c 300000 /dev/zero | tr '\\0' x\n    - printf 'no end'\n")
	h := listen(t, dir)
	if got := strings.Join(h.lines("a", "stdout"), "\n"); got != strings.Repeat("x", 300000)+"no end" && got != strings.Repeat("x", 300000)+"\nno end" {
		t.Errorf("%d lines, %d bytes", len(h.lines("a", "stdout")), len(got))
	}
}
