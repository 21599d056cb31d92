package keyword

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// combinations checks what keywords of one job need or exclude each other.
func (r *reader) combinations(j *Job, n *yamlx.Node) {
	r.work(j, n)
	if j.Rules != nil {
		for _, name := range []string{"only", "except", "start_in"} {
			if p, ok := n.Find(name); ok && !p.Value.IsNull() {
				f := r.fail(CodeTogether, p.Key, "%s cannot be used together with rules", name)
				if name == "start_in" {
					f.WithHint("write start_in in the rule that has when: delayed")
				} else {
					f.WithHint("write it as a rule: if: $CI_COMMIT_BRANCH == \"main\"")
				}
			}
		}
	} else {
		r.delayedJob(j, n)
	}
	if j.Confirm.Set && !r.mayBeManual(j) {
		r.note(CodeNoEffect, fault.Warning, j.Confirm.Place, "", "manual_confirmation has no effect on a job that is never manual")
	}
	if j.Publish.Set && j.Pages != nil && j.Pages.Publish.Set {
		r.failAt(CodeTogether, j.Publish.Place, "publish and pages:publish exclude each other").WithHint("keep pages:publish")
	}
	r.dependsOnNeeds(j)
	if j.Parallel != nil && j.Release != nil {
		r.note(CodeNoEffect, fault.Warning, j.Release.Place, "", "release is made by each of the parallel jobs; all but the first will fail")
	}
}

// work checks that a job says in one way only what it does.
func (r *reader) work(j *Job, n *yamlx.Node) {
	switch j.Kind {
	case TriggerJob:
		if j.Trigger == nil {
			j.Trigger = &Trigger{Place: n.At(), Forward: Forward{YAMLVariables: Flag{Value: true}}}
			if j.Needs != nil {
				for _, need := range j.Needs.Items {
					if need.Kind == NeedPipeline {
						j.Trigger.Upstream = need.Pipeline
					}
				}
			}
			if n.Has("trigger") && n.Get("trigger").IsNull() {
				r.fail(CodeMissing, n, "trigger is empty")
			}
		}
	case StepsJob:
		for _, name := range []string{"script", "before_script", "after_script"} {
			if p, ok := n.Find(name); ok && !p.Value.IsNull() {
				r.fail(CodeTogether, p.Key, "%s cannot be used together with run", name)
			}
		}
		if n.Get("run").IsNull() {
			r.fail(CodeMissing, n, "run is empty")
		}
	case ScriptJob:
		if !n.Has("script") {
			return // told by idle
		}
		script := n.Get("script")
		text, isText := script.Str()
		if script.IsNull() || script.IsSequence() && len(script.Items) == 0 || isText && strings.TrimSpace(text) == "" {
			p, _ := n.Find("script")
			r.fail(CodeMissing, p.Key, "script is empty")
		}
	}
}

// delayedJob checks start_in of a job without rules.
func (r *reader) delayedJob(j *Job, n *yamlx.Node) {
	has := !n.Get("start_in").IsNull()
	switch {
	case j.When.Value == plan.Delayed && !has:
		r.failAt(CodeMissing, j.When.Place, "when is delayed, but there is no start_in").WithHint("add start_in: 30 minutes")
	case j.When.Value != plan.Delayed && has && j.Kind != TriggerJob:
		r.fail(CodeTogether, n.Get("start_in"), "start_in needs when: delayed beside it")
	}
}

// mayBeManual reports whether a job or one of its rules is manual.
func (r *reader) mayBeManual(j *Job) bool {
	if j.When.Value == plan.Manual {
		return true
	}
	return j.Rules != nil && slices.ContainsFunc(j.Rules.Items, func(rule Rule) bool { return rule.When.Value == plan.Manual })
}

// dependsOnNeeds checks that what a job depends on is part of what it needs, where it has both.
func (r *reader) dependsOnNeeds(j *Job) {
	if j.Dependencies == nil || len(j.Dependencies.Items) == 0 || j.Needs == nil || len(j.Needs.Items) == 0 {
		return
	}
	var missing []string
	for _, d := range j.Dependencies.Items {
		if !slices.ContainsFunc(j.Needs.Items, func(n Need) bool { return n.Kind == NeedJob && n.Job.Value == d.Value }) {
			missing = append(missing, d.Value)
		}
	}
	if len(missing) > 0 {
		r.failAt(CodeNotNeeded, j.Dependencies.Place, "dependencies names %s, which needs does not", strings.Join(missing, ", ")).
			WithHint("add it to needs, or drop dependencies: needs brings artifacts by itself")
	}
}

// twice tells of rules that can make two pipelines for one push (GitLab documentation, avoid duplicate pipelines).
func (r *reader) twice(f *File) {
	if f.Workflow.Rules != nil {
		return
	}
	for _, j := range f.Jobs {
		if j.Rules == nil || len(j.Rules.Items) == 0 {
			continue
		}
		last := j.Rules.Items[len(j.Rules.Items)-1]
		alone := last.When.Set && last.When.Value != plan.Never && !last.If.Set && last.Changes == nil && last.Exists == nil &&
			last.AllowFailure == nil && len(last.Variables) == 0 && last.Needs == nil && !last.Interruptible.Set && !last.StartIn.Set
		if alone {
			r.owner, r.part = j.Name, InJob
			r.note(CodeTwice, fault.Note, last.Place, "twice", "a last rule of when alone lets the job into branch and merge request pipelines alike").
				WithHint("add workflow:rules, or a rule that names the pipelines; GitLab warns of this too")
			break
		}
	}
	r.owner, r.part = "", InGlobal
}
