package github

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// standing is how the jobs before a job ended: what success(), failure() and cancelled() answer. All jobs on the way
// count, not only those that are named (documentation, "Evaluate expressions", status check functions).
type standing struct {
	success, failure, cancelled bool
	results                     map[string]string // by the job's ID in lower case, where they are asked for by name
}

// standingOf sums up the jobs before a job. canceled says that the whole run is.
func standingOf(before []program.Before, canceled bool) standing {
	by := map[string][]program.Before{}
	for _, b := range before {
		key := strings.ToLower(b.Key)
		by[key] = append(by[key], b)
	}
	s := standing{success: !canceled, cancelled: canceled, results: map[string]string{}}
	for key, legs := range by {
		r := ResultOf(legs)
		s.results[key] = r
		s.success = s.success && r == "success"
		s.failure = s.failure || r == "failure"
		s.cancelled = s.cancelled || r == "cancelled"
	}
	return s
}

// funcs are the status check functions of a job's condition. success and failure take names of jobs that are then asked
// alone.
func (s standing) funcs() map[string]func([]expr.Value) (expr.Value, error) {
	always := func(answer bool) func([]expr.Value) (expr.Value, error) {
		return func([]expr.Value) (expr.Value, error) { return expr.Bool(answer), nil }
	}
	named := func(answer bool, result string, all bool) func([]expr.Value) (expr.Value, error) {
		return func(args []expr.Value) (expr.Value, error) {
			if len(args) == 0 || s.results == nil {
				return expr.Bool(answer), nil
			}
			for _, a := range args {
				if is := s.results[strings.ToLower(a.Text())] == result; is != all {
					return expr.Bool(is), nil
				}
			}
			return expr.Bool(all), nil
		}
	}
	return map[string]func([]expr.Value) (expr.Value, error){
		"always": always(true), "cancelled": always(s.cancelled),
		"success": named(s.success, "success", true), "failure": named(s.failure, "failure", false),
	}
}

// ruling is what a condition says: in which state of the jobs before it a job runs, or that this can only be asked when
// they are done.
type ruling struct {
	when plan.When
	late bool
	like plan.When // of a late one: the nearest state of the plan, "" for none (plan.Late.Like)
	why  plan.Decision
}

// worlds are ways in which the jobs before a job may have ended. A condition that reads none of their results gives one
// answer in each, and so the state of the plan that means the same.
var worlds = [...]standing{
	{success: true}, {failure: true}, {cancelled: true}, {}, {failure: true, cancelled: true},
}

// condition decides the if: of a job.
func (c *compiler) condition(s *scene) ruling {
	v := ruling{when: plan.OnSuccess, why: plan.Decision{Rule: "no condition", Text: "success()", Place: s.job.Place, When: plan.OnSuccess}}
	if s.job.If == nil || s.job.If.Cond == nil {
		switch {
		case s.known && !s.standing.success:
			v.when = plan.Never
		case !s.known && !s.knot.exact():
			v.late, v.when, v.like = true, plan.Always, plan.OnSuccess
		}
		v.why.When = v.when
		return v
	}
	cond := s.job.If.Cond
	v.why = plan.Decision{Rule: "if", Text: strings.TrimSpace(cond.Source()), Place: s.job.If.Text.At(), Values: s.values(cond.Uses())}
	switch {
	case s.known:
		v.when = c.ask(s, s.standing)
	case cond.Uses().Context("needs") || cond.Uses().Function("success") && named(cond) || cond.Uses().Function("failure") && named(cond):
		v.when, v.late = plan.Always, true
		if s.knot.asksSuccess() && s.knot.exact() {
			v.when = plan.OnSuccess // else there is nothing to ask
		}
	default:
		v.when, v.late, v.like = c.everywhere(s)
	}
	v.why.When = v.when
	return v
}

// named reports whether a status function of the condition is called with names of jobs.
func named(cond *expr.Condition) bool {
	found := false
	for _, e := range cond.Expressions() {
		expr.Walk(e.Root(), func(n expr.Node) bool {
			call, ok := n.(*expr.Call)
			found = found || ok && (call.Name == "success" || call.Name == "failure") && len(call.Args) > 0
			return true
		})
	}
	return found
}

// ask evaluates the condition in one world.
func (c *compiler) ask(s *scene, in standing) plan.When {
	here := *s
	here.standing = in
	yes, err := s.job.If.Cond.Eval(here.env(leg{}))
	if err != nil {
		c.fail(s.job.If.Text.At(), err)
	}
	if !yes {
		return plan.Never
	}
	if in.success {
		return plan.OnSuccess
	}
	return plan.Always
}

// everywhere evaluates a condition that reads no results in all worlds. What the engine's states say less exactly than
// GitHub waits until the needs are done.
func (c *compiler) everywhere(s *scene) (when plan.When, late bool, like plan.When) {
	var yes [len(worlds)]bool
	for i, w := range worlds {
		yes[i] = c.ask(s, w) != plan.Never
		if c.faults.HasErrors() {
			break // it would be the same mistake again
		}
	}
	switch yes {
	case [...]bool{false, false, false, false, false}:
		return plan.Never, false, ""
	case [...]bool{true, true, true, true, true}:
		return plan.Always, false, ""
	case [...]bool{true, false, false, false, false}:
		if s.knot.exact() {
			return plan.OnSuccess, false, ""
		}
		like = plan.OnSuccess
	case [...]bool{false, true, false, false, true}:
		if s.knot.sole() {
			return plan.OnFailure, false, ""
		}
		like = plan.OnFailure
	case [...]bool{true, false, false, true, false}: // also where something before it was skipped
		like = plan.OnSuccess
	case [...]bool{true, true, false, true, false}: // whatever happened, unless the run was canceled
		like = plan.Always
	case [...]bool{false, true, false, false, false}:
		like = plan.OnFailure
	}
	return plan.Always, true, like
}

// regardless reports whether a job runs, or its condition is to be asked, also when the run is canceled.
func (c *compiler) regardless(s *scene, when plan.When) bool {
	switch {
	case when != plan.Always:
		return false
	case !s.known:
		return true
	default:
		return s.job.If != nil && s.job.If.Cond != nil && c.ask(s, standing{cancelled: true, results: s.standing.results}) != plan.Never
	}
}

// values are what the condition read, for `sluice explain`.
func (s *scene) values(u expr.Uses) []plan.Value {
	env := s.env(leg{})
	var out []plan.Value
	seen := map[string]bool{}
	for _, path := range u.Paths() {
		name := strings.Join(path, ".")
		if seen[name] || strings.Contains(name, "*") || len(out) == 20 {
			continue
		}
		seen[name] = true
		if path[0] == "needs" && !s.known {
			continue
		}
		v, ok := env.Contexts[path[0]]
		for _, key := range path[1:] {
			var there bool
			v, there = v.Lookup(key)
			ok = ok && there
		}
		text := v.Text()
		if k := v.Kind(); k == expr.KindArray || k == expr.KindObject {
			text = shortened(v.JSON(false))
		}
		out = append(out, plan.Value{Name: name, Value: text, Defined: ok})
	}
	return out
}
