package convert

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// decide reads the condition of a job: its classes, and what that means with the conditions of the jobs before it.
func (w *gitlabWriter) decide(j *job) {
	if j.classes != nil {
		return
	}
	j.classes = []class{} // that a circle, which is refused elsewhere, ends here
	for b := range j.named {
		w.decide(b)
	}
	in := [len(standings)]cond{yes, no, no}
	if len(j.Rules) > 0 {
		var err error
		if in, err = fromGitHub(j.Rules[0].If); err != nil {
			w.bad(CodeCondition, j.Rules[0].Place, "job %q: its condition %s cannot be translated: %v", j.Key, shortened(j.Rules[0].If), err)
			j.classes, j.in = []class{{plan.OnSuccess, no}}, no
			return
		}
	}
	well, badly, skipped := in[0], in[1], in[2]
	j.lenient = skipped.op != isFalse
	if !j.lenient {
		// What is skipped is skipped with all that wait for it.
		for _, b := range j.direct {
			well = and(well, b.in)
		}
	}
	switch {
	case well.same(badly):
		j.classes = []class{{plan.Always, well}}
	case badly.op == isFalse:
		j.classes = []class{w.handed(well)}
	case well.op == isFalse:
		j.classes = []class{{plan.OnFailure, badly}}
	default:
		j.classes = []class{{plan.Always, and(well, badly)}, {plan.OnSuccess, well}, {plan.OnFailure, badly}}
	}
	j.in = no
	for _, c := range j.classes {
		j.in = or(j.in, c.in)
	}
}

// handed is the class of a job that runs on success: a manual one where its condition is the input of a manual job.
func (w *gitlabWriter) handed(in cond) class {
	isManual := func(k cond) bool {
		name, ok := strings.CutPrefix(string(k.test.fact), "input:")
		return ok && k.op == isTest && !k.test.not && w.manual[strings.ToLower(name)]
	}
	if isManual(in) {
		return class{plan.Manual, yes}
	}
	if in.op == isAnd && slices.ContainsFunc(in.kids, isManual) {
		return class{plan.Manual, and(slices.DeleteFunc(slices.Clone(in.kids), isManual)...)}
	}
	return class{plan.OnSuccess, in}
}

// conditions writes the rules of a job, or when: alone where it takes part in every pipeline.
func (w *gitlabWriter) conditions(j *job, m *mapping) {
	if len(j.classes) == 1 && j.classes[0].in.op == isTrue {
		if when := j.classes[0].when; when != plan.OnSuccess {
			m.set("when", string(when))
		}
		return
	}
	var rules list
	for _, c := range j.classes {
		at := j.Place
		if len(j.Rules) > 0 {
			at = j.Rules[0].Place
		}
		rules = append(rules, w.rules(c.in, c.when, at, "job "+j.Key)...)
	}
	if len(rules) == 0 {
		rules = list{of("when", "never")}
	}
	m.set("rules", rules)
}
