package main

import (
	"reflect"
	"slices"
	"testing"
)

// What `sluice run` promises to programs, of GitHub workflows: names, ids and matrices of jobs, and what needs mean.

const contractWorkflow = `
-- .github/workflows/ci.yml --
on: [push, pull_request]
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: test -f marker
  test:
    needs: build
    strategy:
      matrix:
        os: [ubuntu-latest]
        n: [1]
        deep: [{a: [x]}]
        include:
          - {os: self-hosted, n: 2.5, flag: true}
    runs-on: ${{ matrix.os }}
    steps:
      - run: echo leg
      - run: echo oops >&2
  elsewhere:
    runs-on: windows-latest
    steps:
      - run: echo
  caller:
    needs: [build]
    uses: ./.github/workflows/called.yml
  gone:
    if: false
    runs-on: ubuntu-latest
    steps:
      - run: exit 1
  allowed:
    runs-on: ubuntu-latest
    continue-on-error: true
    steps:
      - run: exit 5
-- .github/workflows/called.yml --
on: workflow_call
jobs:
  called:
    name: the called one
    runs-on: ubuntu-latest
    steps:
      - run: echo called
  inner:
    uses: ./.github/workflows/innermost.yml
-- .github/workflows/innermost.yml --
on: workflow_call
jobs:
  last:
    runs-on: ubuntu-latest
    steps:
      - run: echo last
-- marker --
`

func TestContractGitHub(t *testing.T) {
	h := listen(t, world(t, contractWorkflow))
	if h.exit != 0 || h.pipeline() != "success" {
		t.Fatalf("exit code %d, %s; %s", h.exit, h.pipeline(), h.stderr)
	}
	want := map[string]string{
		"build": "success", `test (ubuntu-latest, 1, x)`: "success", "test (self-hosted, 2.5, true)": "success", "elsewhere": "skipped",
		"caller / the called one": "success", "caller / inner / last": "success", "gone": "skipped", "allowed": "failed",
	}
	if got := h.last(); !reflect.DeepEqual(got, want) {
		t.Errorf("the jobs are %v, want %v", got, want)
	}
	leg := h.job(t, `test (ubuntu-latest, 1, x)`)
	if leg.ID != "test" || !reflect.DeepEqual(leg.Matrix, map[string]any{"os": "ubuntu-latest", "n": 1.0, "deep": map[string]any{"a": []any{"x"}}}) {
		t.Errorf("the leg tells id %q and matrix %v", leg.ID, leg.Matrix)
	}
	if leg := h.job(t, "test (self-hosted, 2.5, true)"); !reflect.DeepEqual(leg.Matrix, map[string]any{"os": "self-hosted", "n": 2.5, "flag": true}) {
		t.Errorf("the included leg tells %v", leg.Matrix)
	}
	if a := h.job(t, "allowed"); !a.AllowFailure || a.ExitCode == nil || *a.ExitCode != 5 {
		t.Errorf("the allowed failure is told as %+v", a)
	}
	if got := h.lines(`test (ubuntu-latest, 1, x)`, "command"); !slices.Equal(got, []string{"echo leg", "echo oops >&2"}) {
		t.Errorf("the commands are %q", got)
	}
	if got := h.lines(`test (ubuntu-latest, 1, x)`, "stderr"); !slices.Equal(got, []string{"oops"}) {
		t.Errorf("standard error is %q", got)
	}
}

// For GitHub workflows a job's needs always run.
func TestContractGitHubNeeds(t *testing.T) {
	dir := world(t, contractWorkflow)
	h := listen(t, dir, "test (ubuntu-latest, 1, x)")
	for name, want := range map[string]string{"build": "success", "test (ubuntu-latest, 1, x)": "success", "allowed": "skipped", "caller": "skipped"} {
		if got := h.last()[name]; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	h = listen(t, dir, "caller / inner / last")
	if got := h.last(); h.exit != 0 || got["caller / inner / last"] != "success" || got["build"] != "success" || got["caller / the called one"] != "skipped" {
		t.Errorf("exit code %d: %v", h.exit, got)
	}
	if h := listen(t, dir, "no such job"); h.exit != 2 || len(h.events) > 0 {
		t.Errorf("a job that is not there: exit code %d, %d events", h.exit, len(h.events))
	}
}

func TestContractGitHubFailure(t *testing.T) {
	h := listen(t, world(t, `
-- .github/workflows/ci.yml --
on: push
jobs:
  bad:
    runs-on: ubuntu-latest
    steps:
      - run: exit 9
  after:
    needs: bad
    runs-on: ubuntu-latest
    steps:
      - run: echo no
`))
	if bad := h.job(t, "bad"); h.exit != 1 || h.pipeline() != "failed" || bad.ExitCode == nil || *bad.ExitCode != 9 || h.last()["after"] != "skipped" {
		t.Errorf("exit code %d, pipeline %s, %+v, %v", h.exit, h.pipeline(), bad, h.last())
	}
}
