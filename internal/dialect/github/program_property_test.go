package github_test

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// motley is a job with a step of every kind.
const motley = `
-- flags --
cached linux-old
tool node >=20 => 20.1.0 /n/bin /n
tool go 1.22 => 1.22 /go/bin /go
-- .github/workflows/ci.yml --
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    outputs: {o: "${{ steps.c.outputs.sum }}"}
    environment: {name: prod, url: "https://${{ steps.c.outputs.sum }}.example"}
    steps:
      - uses: actions/checkout@v4
      - run: first ${{ hashFiles('**') }}
        timeout-minutes: 1
      - id: c
        uses: ./comp
        continue-on-error: true
      - uses: octo/js@v1
        if: always()
      - uses: docker://alpine
        if: success() || cancelled()
      - uses: actions/cache@v4
        with: {path: x, key: linux-x, restore-keys: linux-}
      - uses: actions/upload-artifact@v4
        with: {path: x}
      - uses: actions/download-artifact@v4
      - uses: actions/setup-go@v5
        with: {go-version: '1.22'}
      - uses: actions/github-script@v7
        with: {script: return 1}
      - run: last
        if: failure()
-- action ./comp/action.yml --
name: comp
description: c
outputs: {sum: {value: "${{ steps.x.outputs.o }}"}}
runs:
  using: composite
  steps:
    - id: x
      run: x
      shell: bash
    - uses: octo/js@v1
    - run: y
      shell: bash
      if: failure() || always()
-- action octo/js@v1/action.yml --
name: js
description: c
runs: {using: node20, pre: pre.js, main: main.js, post: post.js}
`

// TestProgramsEndWhateverHappens lets any action of a job go in any way.
func TestProgramsEndWhateverHappens(t *testing.T) {
	failures := []program.Failure{
		"", "", "", "", program.ScriptFailure, program.ExecutionTimeout, program.Canceled, program.SystemFailure, program.UnmetPrerequisites,
	}
	lines := []string{
		"plain", "::group::a", "::endgroup::", "::error::x", "::stop-commands::q", "::add-matcher::m.json", "::set-env name=PATH::/evil", "::add-path::/evil",
		"::set-output name=o::v", "::add-mask::v",
	}
	rapid.Check(t, func(r *rapid.T) {
		s := newStage(txtar.Parse([]byte(motley)))
		s.set(t)
		p := github.NewProgram(s.in)
		var last program.Outcome
		var open []string
		canceled, refused := false, 0
		for n := 0; ; n++ {
			if n > 1000 {
				r.Fatal("the program does not end")
			}
			a, ok := p.Next(last)
			if !ok {
				break
			}
			switch a := a.(type) {
			case program.Section:
				if a.Start {
					open = append(open, a.Name)
				} else if len(open) == 0 || open[len(open)-1] != a.Name {
					r.Fatalf("%s ends within %v", a.Name, open)
				} else {
					open = open[:len(open)-1]
				}
			case program.Exec:
				untouched(r, a.Env)
				if canceled && !a.Always { // an agent starts nothing then; the cancel may have come within the step
					if refused++; refused > 1 {
						r.Fatalf("%s is asked for after a cancel:\n%s", a.Step, s.out.String())
					}
					last = program.Outcome{Failure: program.Canceled, Message: "refused"}
					continue
				}
			}
			last = s.do(a)
			if f := rapid.SampledFrom(failures).Draw(r, "failure"); f != "" {
				last = program.Outcome{Failure: f, Message: "drawn", Exit: 1}
			}
			if e, ok := a.(program.Exec); ok && e.Lens != nil && len(e.Argv) != 3 {
				for range rapid.IntRange(0, 3).Draw(r, "lines") {
					seen := e.Lens.Line(program.Stdout, rapid.SampledFrom(lines).Draw(r, "line"))
					if c := seen.Section; c != nil && c.Start {
						open = append(open, c.Name)
					} else if c != nil {
						open = open[:len(open)-1]
					}
				}
			}
			canceled = canceled || last.Failure == program.Canceled || last.Failure == program.ExecutionTimeout
		}
		if len(open) > 0 {
			r.Fatalf("%v are left open", open)
		}
		if canceled && p.Result().Failure == "" {
			r.Fatal("a canceled job has succeeded")
		}
	})
}

// untouched checks that output has set nothing.
func untouched(r *rapid.T, env []string) {
	for _, kv := range env {
		if strings.HasPrefix(kv, "PATH=") && strings.Contains(kv, "/evil") {
			r.Fatalf("output has set %s", kv)
		}
	}
}
