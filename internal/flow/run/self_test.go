package run_test

import (
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

func TestJobsThatAreBoundToThemselves(t *testing.T) {
	tellAll(t, map[string]story{
		"it is asked when its needs are done": {
			world: "x a\nx b self needs a",
			bound: map[string]string{"b": "job x b"},
			walk: `
				= pending | pending a | created b ...
				ok a
				- a: pending>running, pipeline: pending>running, a: running>success, b: created>pending bind
				bind b
				- b: pending>pending
				= running | success a | pending b ...
				ok b
				= success | success a b`,
		},
		"it is asked whatever became of them": {
			world: "x a\nx b needs a\nx c\nx d self needs a b c\nx e needs d",
			bound: map[string]string{"d": "job x d"},
			walk: `
				fail a
				cancel c
				= running | failed a | canceled c | skipped b | pending d | created e ...
				bind d
				ok d
				ok e
				= failed | success d e | failed a | canceled c | skipped b`,
		},
		"it waits for all of them, though one was skipped": {
			world: "x a\nx b never=no\nx c self needs a b",
			bound: map[string]string{"c": "skip if: false"},
			walk: `
				= pending | skipped b | pending a | created c ...
				ok a
				bind c
				- c: pending>skipped (if: false), pipeline: running>success`,
		},
		"it cannot be made": {
			world: "x a self needs\nx b needs a",
			bound: map[string]string{"a": "err no such runner"},
			walk: `
				bind a
				- a: pending>failed (no such runner), b: created>skipped (job "a" failed), pipeline: pending>failed`,
		},
		"it is bound to a job that never runs": {
			world: "x a self needs",
			bound: map[string]string{"a": "job x a never=nobody"},
			walk: `
				bind a
				- a: pending>skipped (nobody), pipeline: pending>skipped`,
		},
		"it does not start before": {
			world: "x a self needs",
			bound: map[string]string{"a": "job x a"},
			walk: `
				!SL1315 start a
				bind a
				!SL1315 bind a
				start a
				ok a
				= success | success a`,
		},
		"its failure may be allowed": {
			world: "x a self needs\nx b needs a",
			bound: map[string]string{"a": "job x a allow"},
			walk: `
				bind a
				fail a
				ok b
				= success | success b | failed a`,
		},
		"another attempt is of the bound job": {
			world: "x a self needs",
			bound: map[string]string{"a": "job x a retry=1"},
			walk: `
				bind a
				fail a
				- a: pending>running, pipeline: pending>running, a: running>pending retry, pipeline: running>pending
				ok a
				= success | success a#2`,
		},
		"a person's retry asks anew": {
			o:     open,
			world: "x a self needs\nx b needs a",
			bound: map[string]string{"a": "job x a"},
			walk: `
				bind a
				fail a
				retry a
				- a: failed>pending bind, b: skipped>created, pipeline: failed>pending
				bind a
				ok a
				ok b
				= success | success a#2 b`,
		},
		"retrying all asks anew": {
			o:     open,
			world: "x a self needs\nx b needs a",
			bound: map[string]string{"a": "job x a"},
			walk: `
				bind a
				fail a
				retry
				= pending | pending a#2 | created b ...
				bind a
				ok a b
				= success | success a#2 b`,
		},
		"canceling the run cancels what is asked and what is not": {
			world: "x a self needs\nx b self needs a\nx c",
			bound: map[string]string{"a": "job x a"},
			walk: `
				start c
				cancel
				= running | canceled a b | running c! ...
				!SL1315 bind a
				canceled c
				= canceled | canceled a b c`,
		},
		"a matrix that runs always is asked for after a cancel, too": {
			world: "x a\nx b expand always needs a",
			bound: map[string]string{"b": "x l needs"},
			walk: `
				cancel a
				= running | canceled a | pending b ...
				bind b
				ok b/l
				= canceled | success b b/l | canceled a`,
		},
		"an expansion that cannot be made": {
			world: "x a expand",
			bound: map[string]string{"a": "err the matrix is no list"},
			walk: `
				bind a
				= failed | failed a`,
		},
		"a nested expansion ends as its parts do": {
			world: "x call expand needs\nx after needs call",
			bound: map[string]string{"call": "x one needs\nx deep expand needs one", "call/deep": "x two self needs\nx three never=no", "call/deep/two": "job x two"},
			walk: `
				bind call
				ok call/one
				bind call/deep
				= running | success call/one | skipped call/deep/three | running call call/deep | pending call/deep/two | created after ...
				bind call/deep/two
				fail call/deep/two
				= failed | success call/one | failed call call/deep call/deep/two | skipped call/deep/three after`,
		},
	})
}

func TestJobsThatNeverRun(t *testing.T) {
	tellAll(t, map[string]story{
		"it is skipped at once, and what needs it": {
			world: "x a never=event\nx b needs a\nx c always needs a\nx d",
			walk: `
				= pending | skipped a b | pending c d ...`,
		},
		"what always runs behind it waits for the jobs before it": {
			world: "x a\nx b never=event needs a\nx c always needs b",
			walk: `
				= pending | pending a | created b c ...
				ok a
				= running | success a | skipped b | pending c ...`,
		},
		"nothing else is there": {
			world: "x a never\nx b needs a",
			walk:  "= skipped | skipped a b",
		},
		"retrying all leaves it": {
			o:     open,
			world: "x a never=event\nx b",
			walk: `
				fail b
				retry
				= pending | skipped a | pending b#2 ...`,
		},
	})
}

func TestFailFast(t *testing.T) {
	const matrix = "x a fast=m needs\nx b fast=m needs\nx c fast=m needs\nx d fast=n needs\nx e needs a b c"
	tellAll(t, map[string]story{
		"the other legs are canceled": {
			world: matrix,
			walk: `
				start b
				fail a
				- a: pending>running, a: running>failed, b: running>running cancel (job "a" of the same matrix failed (fail-fast)), c: pending>canceled (job "a" of the same matrix failed (fail-fast))
				canceled b
				ok d
				= failed | success d | failed a | canceled b c | skipped e`,
		},
		"a leg that may fail stops nobody": {
			world: "x a fast=m allow needs\nx b fast=m needs",
			walk: `
				fail a
				ok b
				= success | success b | failed a`,
		},
		"without fail-fast all go on": {
			world: "x a set=m needs\nx b set=m needs",
			walk: `
				fail a
				ok b
				= failed | success b | failed a`,
		},
		"a leg that is tried again has not failed": {
			world: "x a fast=m retry=1 needs\nx b fast=m needs",
			walk: `
				fail a
				= pending | pending a#2 b ...
				fail a
				= failed | failed a#2 | canceled b`,
		},
		"legs in a late job's place": {
			world: "x t expand\nx a fast=m needs",
			bound: map[string]string{"t": matrix},
			walk: `
				bind t
				start t/b
				fail t/a
				= running | failed t/a | canceled t/c | running t t/b! | pending t/d a | created t/e ...`,
		},
		"legs that are expansions": {
			world: "x a expand fast=m needs\nx b expand fast=m needs\nx c expand fast=m needs",
			bound: map[string]string{"a": "x l", "b": "x l\ny k"},
			walk: `
				bind a
				bind b
				start b/l
				fail a/l
				= running | failed a a/l | canceled b/k c | running b! b/l! ...
				canceled b/l
				= failed | failed a a/l | canceled b b/l b/k c`,
		},
		"legs that are still to be bound": {
			world: "x z\nx a self fast=m needs\nx b self fast=m needs z\nx c self needs",
			bound: map[string]string{"a": "job x a fast=m", "c": "job x c fast=m"},
			walk: `
				bind c
				bind a
				fail a
				= running | failed a | canceled b c | pending z ...`,
		},
		"a binding may free a leg": {
			world: "x a self fast=m needs\nx b fast=m needs",
			bound: map[string]string{"a": "job x a set=m"},
			walk: `
				bind a
				fail a
				= running | failed a | pending b ...`,
		},
	})
}

func TestLooking(t *testing.T) {
	w := start(t, parse(t, "x a\nx b needs a\nx c\nx call expand needs c b\nx d needs call a"), run.Options{})
	w.bound["call"] = run.Bound{Plan: parse(t, "x in\nx more needs in")}
	for _, line := range []string{"ok a", "ok b", "ok c", "bind call"} {
		if err := w.do(line); err != nil {
			t.Fatal(err)
		}
	}
	ids := func(js []run.Job) (out string) {
		for _, j := range js {
			out += j.ID + " " + string(j.Status) + "; "
		}
		return out
	}
	if got := ids(w.r.Needs("call")); got != "c success; b success; " {
		t.Error(got)
	}
	if got := ids(w.r.Ancestors("d")); got != "a success; b success; c success; call running; " {
		t.Error(got)
	}
	children, p := w.r.Children("call")
	if got := ids(children); got != "call/in pending; call/more created; " || p != w.bound["call"].Plan {
		t.Error(got)
	}
	for _, none := range []string{"nobody", "a"} {
		if c, _ := w.r.Children(none); len(w.r.Needs(none))+len(w.r.Ancestors(none))+len(c) != 0 {
			t.Error(none)
		}
	}
	if got := ids(w.r.Ancestors("call/more")); got != "call/in pending; " {
		t.Error(got)
	}
}

func TestCancelingSeveralAtOnce(t *testing.T) {
	w := start(t, parse(t, "x a\nx b needs a\nx c needs b\nx d always needs b\nx e manual\nx f"), run.Options{})
	if err := w.do("start f"); err != nil {
		t.Fatal(err)
	}
	w.take(w.r.Cancel([]string{"a", "b", "c", "e", "f", "f", "nobody"}, "enough", noon))
	if got := state(w.r); got != "running | canceled a b c | skipped d | running f! | manual e ..." {
		t.Error(got)
	}
	if more := w.r.Cancel([]string{"a", "f"}, "again", noon); len(more) != 0 {
		t.Errorf("%+v", more)
	}
	w.check()
}

func TestABindingOfTheWrongKind(t *testing.T) {
	job, p := &plan.Job{ID: "x", Name: "x"}, parse(t, "x in")
	for kind, b := range map[string]run.Bound{"self": {Plan: p}, "expand": {Job: job}, "child": {Job: job}} {
		r, _ := run.New(&plan.Plan{Stages: []string{"x"}, Jobs: []*plan.Job{{ID: "a", Name: "a", Stage: "x", Late: &plan.Late{Kind: kind}}}}, run.Options{}, noon)
		if _, err := r.Bind("a", b, noon.Add(time.Second)); fault.CodeOf(err) != run.CodeBind {
			t.Errorf("%s: %v", kind, err)
		}
	}
	r, _ := run.New(&plan.Plan{Stages: []string{"x"}, Jobs: []*plan.Job{{ID: "a", Name: "a", Stage: "x", Late: &plan.Late{Kind: "self"}}}}, run.Options{}, noon)
	job.Late = &plan.Late{Kind: "self"}
	changes, err := r.Bind("a", run.Bound{Job: job}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if j, _ := r.Job("a"); j.Plan.ID != "a" || j.Plan.Late != nil || j.Plan.Name != "x" || job.Late == nil || len(changes) != 1 || changes[0].Bound.Job != j.Plan {
		t.Errorf("%+v %+v", j, changes)
	}
}

// TestLateJobsCostWhatTheyAre: a chain of jobs of kind "self", and the legs of one matrix of which one fails.
func TestLateJobsCostWhatTheyAre(t *testing.T) {
	const n = 5000
	p := grid(1, n, func(int) []int { return nil })
	for i, j := range p.Jobs {
		j.Strategy = &plan.Strategy{Set: "m", FailFast: true}
		j.Late = &plan.Late{Kind: run.Self}
		if i == 0 {
			j.Late = nil
		}
	}
	r, _ := run.New(p, run.Options{}, noon)
	for _, j := range p.Jobs[1 : n/2] {
		if _, err := r.Bind(j.ID, run.Bound{Job: &plan.Job{Name: j.Name, Strategy: &plan.Strategy{Set: "m", FailFast: true}}}, noon); err != nil {
			t.Fatal(err)
		}
	}
	w := &walker{t: t, r: r, p: p, now: noon}
	if err := w.do("fail " + p.Jobs[0].ID); err != nil {
		t.Fatal(err)
	}
	if r.Status() != run.Failed || r.Work() > 12*size(p) {
		t.Errorf("%s; touched %d for a plan of size %d", r.Status(), r.Work(), size(p))
	}
}
