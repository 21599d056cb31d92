package convert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// class is a condition with what it makes of the job: rules may give a job several.
type class struct {
	when plan.When
	in   cond
}

// classes reads the rules of a job: of several that hold the first decides, so each holds where those before it do not.
func (w *githubWriter) classes(j *job) []class {
	if j.Rules == nil {
		return []class{{j.When, yes}}
	}
	conds, whens := make([]cond, len(j.Rules)), make([]plan.When, len(j.Rules))
	for i, r := range j.Rules {
		conds[i] = w.clause(r, j.Name)
		whens[i] = r.When
		if whens[i] == "" {
			whens[i] = j.When
		}
		if len(r.Variables) > 0 {
			w.bad(CodeCondition, r.Place, "GitHub cannot give job %q other variables by a rule", j.Name)
		}
	}
	w.mayFail(j, whens)
	var out []class
	for _, when := range []plan.When{plan.OnSuccess, plan.Manual, plan.Delayed, plan.OnFailure, plan.Always} {
		if !slices.Contains(whens, when) {
			continue
		}
		in := no
		for i := len(conds) - 1; i >= 0; i-- {
			if whens[i] == when {
				in = or(conds[i], in)
			} else {
				in = and(not(conds[i]), in)
			}
		}
		out = append(out, class{when, in})
	}
	return out
}

// mayFail takes over whether the job may fail from its rules, where those that let it in agree.
func (w *githubWriter) mayFail(j *job, whens []plan.When) {
	var may []bool
	for i, r := range j.Rules {
		switch {
		case whens[i] == plan.Never:
		case r.AllowFailure != nil:
			may = append(may, *r.AllowFailure)
		default:
			may = append(may, j.AllowFailure.Any)
		}
	}
	if len(may) == 0 {
		return
	}
	if slices.Contains(may, !may[0]) {
		w.lose(CodeLost, j.Place, "GitHub cannot decide by a rule whether job %q may fail", j.Name)
		return
	}
	first := *j.Job
	first.AllowFailure.Any = may[0]
	j.Job = &first
}

// clause is the condition of one rule. What is lost of it is taken as fulfilled.
func (w *githubWriter) clause(r plan.Rule, who string) cond {
	c, lost, err := fromGitLab(r.If)
	if err != nil {
		w.bad(CodeCondition, r.Place, "job %q: the rule %s cannot be translated: %v", who, shortened(r.If), err)
		return no
	}
	for _, l := range lost {
		w.lose(CodeCondition, r.Place, "%s", l)
	}
	if len(r.Changes) > 0 && !w.samePaths {
		w.lose(CodePaths, r.Place, "GitHub cannot decide by changed files for one job: %q runs whatever changed of %s", who, strings.Join(r.Changes, ", "))
	}
	if len(r.Exists) > 0 {
		w.lose(CodePaths, r.Place, "GitHub cannot decide by existing files: %q runs also without %s", who, strings.Join(r.Exists, ", "))
	}
	for _, o := range r.Other {
		if o == "only:kubernetes" || o == "except:kubernetes" || strings.HasPrefix(o, "only:refs") {
			w.bad(CodeCondition, r.Place, "job %q: GitHub has nothing for %s", who, o)
			return no
		}
		w.lose(CodeLost, r.Place, "GitHub has nothing for %s in a rule of %q", o, who)
	}
	return c
}

func shortened(s string) string {
	if r := []rune(strings.Join(strings.Fields(s), " ")); len(r) > 80 {
		return string(r[:77]) + "..."
	} else {
		return string(r)
	}
}

// workflowRules is the condition under which there is a pipeline.
func (w *githubWriter) workflowRules() cond {
	in := no
	for i := len(w.plan.Rules) - 1; i >= 0; i-- {
		r := w.plan.Rules[i]
		c := w.clause(r, "workflow")
		if len(r.Variables) > 0 {
			w.bad(CodeCondition, r.Place, "GitHub cannot give a workflow other variables by a rule")
		}
		if r.When == plan.Never {
			in = and(not(c), in)
		} else {
			in = or(c, in)
		}
	}
	return in
}

// paths are the changes: that all jobs (or the workflow) have alike, and nothing else decides by files.
func paths(p *plan.Plan, jobs []*job) []string {
	var out []string
	for _, r := range p.Rules {
		if len(r.Changes) == 0 || out != nil && !slices.Equal(out, r.Changes) {
			return nil
		}
		out = r.Changes
	}
	if len(p.Rules) > 0 {
		return out
	}
	for _, j := range jobs {
		if len(j.Rules) != 1 || len(j.Rules[0].Changes) == 0 || out != nil && !slices.Equal(out, j.Rules[0].Changes) {
			return nil
		}
		out = j.Rules[0].Changes
	}
	return out
}

// status are the status functions of GitHub for a state of the jobs before, with the condition behind them.
func (w *githubWriter) condition(j *job, v *view) (string, error) {
	strict := no
	type part struct {
		status string
		in     cond
	}
	var parts []part
	for _, c := range j.classes {
		switch in := c.in; c.when {
		case plan.OnFailure:
			parts = append(parts, part{"failure()", in})
		case plan.Always:
			parts = append(parts, part{"always()", in})
		case plan.Manual:
			strict = or(strict, and(ask(fact("input:"+j.id), equals, "true"), in.given(startedByHand)))
		default:
			strict = or(strict, in)
		}
	}
	if strict = w.settled(strict); strict.op != isFalse {
		status := "success()"
		if j.lenient {
			status = "!failure() && !cancelled()"
		}
		parts = append([]part{{status, strict}}, parts...)
	}
	texts := make([]string, 0, len(parts))
	for _, p := range parts {
		in := w.settled(p.in)
		if in.op == isFalse {
			continue
		}
		text, err := in.githubIn(isAnd, v.see)
		if err != nil {
			return "", err
		}
		switch {
		case p.status == "success()" && len(parts) == 1 && in.op != isTrue:
			text, err = in.github(v.see) // it is implied
		case p.status == "success()" && len(parts) == 1:
			text = ""
		case in.op == isTrue:
			text = p.status
		default:
			text = p.status + " && " + text
		}
		if err != nil {
			return "", err
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return "false", nil
	}
	return strings.Join(texts, " || "), nil
}

// settled is a condition that the events of the workflow settle already.
func (w *githubWriter) settled(c cond) cond {
	all, none := true, true
	for _, i := range w.events {
		switch c.given(occasions[i].know).op {
		case isTrue:
			none = false
		case isFalse:
			all = false
		default:
			all, none = false, false
		}
	}
	switch {
	case len(w.events) == 0:
		return c
	case all:
		return yes
	case none:
		return no
	}
	return c
}

// on are the events of the workflow. guard is what of the condition they cannot say.
func (w *githubWriter) on(c cond, exact bool) (on *mapping, guard cond) {
	on, guard = &mapping{}, yes
	filter := func(i int, f fact) row {
		is := c.given(occasions[i].know)
		if is.op == isFalse {
			return nil
		}
		w.events = append(w.events, i)
		if !exact {
			return row{"**"}
		}
		out, ok := filters(is, f)
		if !ok {
			guard = c
			return row{"**"}
		}
		return out
	}
	branches, tags := filter(pushBranch, branch), filter(pushTag, tag)
	if branches != nil || tags != nil {
		push := &mapping{}
		if !slices.Equal(branches, row{"**"}) || !slices.Equal(tags, row{"**"}) {
			setRow(push, "branches", branches)
			setRow(push, "tags", tags)
		}
		setRow(push, "paths", w.paths)
		on.set("push", orNil(push))
	}
	if to := filter(pullRequest, base); to != nil {
		pull := &mapping{}
		if !slices.Equal(to, row{"**"}) {
			setRow(pull, "branches", to)
		}
		setRow(pull, "paths", w.paths)
		on.set("pull_request", orNil(pull))
	}
	if c.mentions("schedule") && c.given(occasions[scheduled].know).op != isFalse {
		w.events = append(w.events, scheduled)
		w.lose(CodeTrigger, fault.Place{File: w.plan.File}, "GitLab keeps schedules in its settings, GitHub in the file: write when the workflow is to run (on.schedule)")
		on.tail = append(on.tail, "schedule:", "  - cron: '0 3 * * *' # write the time of the schedule in GitLab's settings")
	}
	if c.mentions("repository_dispatch") && c.given(occasions[byTrigger].know).op != isFalse {
		w.events = append(w.events, byTrigger)
		on.set("repository_dispatch", nil)
	}
	hand, untold := false, false
	for _, i := range []int{byHand, byHandTag} {
		is := c.given(occasions[i].know)
		if hand = hand || is.op != isFalse; is.op != isFalse {
			w.events = append(w.events, i)
		}
		if exact && is.op != isTrue {
			untold = true
		}
	}
	if hand && untold {
		guard = c
	}
	if hand {
		on.set("workflow_dispatch", orNil(w.inputs()))
	}
	return on, guard
}

func setRow(m *mapping, key string, r row) {
	if len(r) > 0 {
		m.set(key, r)
	}
}

func orNil(m *mapping) any {
	if m.empty() {
		return nil
	}
	return m
}

// filters are patterns of branches or tags that say what a condition says.
func filters(c cond, f fact) (row, bool) {
	switch c.op {
	case isTrue:
		return row{"**"}, true
	case isTest:
		if c.test.not && c.test.fact == f {
			glob, ok := c.test.glob()
			return row{"**", "!" + glob}, ok
		}
		glob, ok := c.test.glob()
		return row{glob}, ok && c.test.fact == f
	case isOr, isAnd:
		out := row{}
		for _, k := range c.kids {
			if k.op != isTest || k.test.fact != f || k.test.not != (c.op == isAnd) {
				return nil, false
			}
			glob, ok := k.test.glob()
			if !ok {
				return nil, false
			}
			if k.test.not {
				glob = "!" + glob
			}
			out = append(out, glob)
		}
		if c.op == isAnd {
			out = append(row{"**"}, out...)
		}
		return out, true
	}
	return nil, false
}

// inputs are those of a workflow that is started by hand: GitLab's prefilled variables, and one for each manual job.
func (w *githubWriter) inputs() *mapping {
	m := &mapping{}
	for _, in := range w.plan.Inputs {
		one := &mapping{}
		if in.Description != "" {
			one.set("description", escapeGitHub(in.Description))
		}
		if len(in.Options) > 0 {
			one.set("type", "choice").set("options", row(in.Options))
		}
		m.set(in.Name, one.set("default", in.Default))
	}
	for _, j := range w.jobs {
		if slices.ContainsFunc(j.classes, func(c class) bool { return c.when == plan.Manual }) {
			m.set(j.id, of("description", manualText(j.Key)).set("type", "boolean").set("default", false))
		}
	}
	if m.empty() {
		return m
	}
	return of("inputs", m)
}

// manualText describes the input of a manual job. By it the way back knows the input for what it is.
func manualText(name string) string { return fmt.Sprintf("Run the manual job %s", name) }
