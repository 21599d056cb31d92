package gitlab_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// codes are the codes of faults, each once, in order.
func codes(fs fault.Faults) string {
	var out []string
	for _, f := range fs {
		if len(out) == 0 || out[len(out)-1] != f.Code {
			out = append(out, f.Code)
		}
	}
	return strings.Join(out, " ")
}

func TestCompileIsBounded(t *testing.T) {
	var many strings.Builder
	for i := range 501 {
		fmt.Fprintf(&many, "j%d: {script: a, parallel: 200}\n", i)
	}
	var chain strings.Builder
	chain.WriteString("a0: {script: a}\n")
	for i := range 5000 {
		fmt.Fprintf(&chain, "a%d: {script: a, needs: [a%d]}\n", i+1, i)
	}
	double := "variables:\n  V0: xxxxxxxx\n"
	for i := range 60 {
		double += fmt.Sprintf("  V%d: $V%d$V%d\n", i+1, i, i)
	}
	cases := map[string]struct{ file, want string }{
		"a small file asks for a hundred thousand jobs": {many.String(), gitlab.CodeTooManyJobs},
		"a chain as long as the file":                   {chain.String(), ""},
		"variables that double":                         {double + "job: {script: a, environment: $V60}", "SL1112"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(map[string]string{".gitlab-ci.yml": c.file})
			_, faults := gitlab.Compile(t.Context(), w.in)
			if got := codes(faults); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestCompileWithoutAWorkTree(t *testing.T) {
	w := newWorld(map[string]string{".gitlab-ci.yml": "a: {script: a, rules: [{changes: [x]}]}\nb: {script: a, rules: [{exists: [x]}]}\nc: {script: a, cache: {key: {files: [x]}, paths: [y]}}\n"})
	w.in.Project = nil
	p, faults := gitlab.Compile(t.Context(), w.in)
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	if p.Job("a") == nil || p.Job("b") != nil || p.Job("c").Caches[0].Key != "0_x-default-protected" {
		t.Errorf("got\n%s", planText(p))
	}
}

func TestAttemptKeepsTheEnvironmentOfOthersOut(t *testing.T) {
	w := newWorld(map[string]string{".gitlab-ci.yml": "job: {script: a, variables: {PATH: mine, 'BAD-NAME': x, NUL: \"a\\0b\"}}"})
	p, faults := gitlab.Compile(t.Context(), w.in)
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	in := gitlab.Attempt{Plan: p, Job: p.Job("job"), Occasion: w.in.Occasion, Base: []string{"PATH=theirs", "KEEP=1", "broken"}}
	seen := map[string]string{}
	for _, pair := range in.Order().Env {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := seen[name]; !ok || twice {
			t.Errorf("%q is there twice or broken", pair)
		}
		seen[name] = value
	}
	for name, want := range map[string]string{"PATH": "mine", "KEEP": "1", "NUL": "ab", "CI": "true"} {
		if seen[name] != want {
			t.Errorf("%s=%q, want %q", name, seen[name], want)
		}
	}
	if _, ok := seen["BAD-NAME"]; ok {
		t.Error("a name that no shell takes is in the environment")
	}
}

func TestPlanHoldsWhatJobsShareOnce(t *testing.T) {
	w := newWorld(map[string]string{".gitlab-ci.yml": "variables: {A: x}\njob: {script: a, parallel: 3, variables: {B: y}}"})
	p, faults := gitlab.Compile(t.Context(), w.in)
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	for _, j := range p.Jobs {
		if len(j.Variables) != 1 || j.Variables[0] != (plan.Variable{Name: "B", Value: "y", Level: plan.JobLevel}) {
			t.Errorf("%s has %v", j.Name, j.Variables)
		}
	}
}
