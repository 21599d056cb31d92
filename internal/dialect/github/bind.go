package github

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Bind makes a late job concrete when its needs are done: its condition is asked, then what waited for the needs is
// evaluated. It becomes itself (Bound.Job, with the ID and the needs that it had), the legs of its matrix or the jobs of
// the workflow that it calls (Bound.Plan), or is skipped with the reason. With an error among the faults it is none of
// these, and the job fails.
func Bind(ctx context.Context, in BindInput) (Bound, fault.Faults) {
	own := OwnOf(in.Job)
	if own == nil || in.Job.Late == nil || own.late == concrete {
		return Bound{}, fault.Faults{fault.New(CodeNotLate, "the job waits for no binding")}
	}
	c := newCompiler(&in.Input)
	s := &scene{ctx: ctx, f: own.Frame, job: own.Job, stage: in.Job.Stage, known: true, standing: standingOf(in.Before, in.Canceled)}
	s.needs = NeedsOf(in.Job, in.Needs)
	v := ruling{when: in.Job.When, why: in.Job.Why}
	if !own.decided {
		v = c.condition(s)
	}
	out := Bound{}
	switch {
	case c.faults.HasErrors():
	case v.when == plan.Never:
		out.Skip = reasonOf(own, in.Before)
	default:
		out = c.bind(s, in, v)
	}
	faults := c.faults.Sorted()
	if faults.HasErrors() {
		return Bound{}, faults
	}
	if told(in.Job) {
		return out, nil
	}
	return out, faults
}

// told reports whether the remarks on a job were made when the plan was: all of it was looked at then but for values
// that say nothing about where it runs.
func told(j *plan.Job) bool {
	if j.Late.Plan != nil {
		return true
	}
	late, ok := j.Late.Payload.(*Late)
	return ok && OwnOf(j).late == lateSelf && !strings.Contains(late.Why, "runs-on") && !strings.Contains(late.Why, "concurrency")
}

func (c *compiler) bind(s *scene, in BindInput, v ruling) Bound {
	own := OwnOf(in.Job)
	switch own.late {
	case lateMatrix:
		return c.bindMatrix(s, in, v)
	case lateCall:
		return c.bindCall(s, in)
	default:
		return c.bindSelf(s, in, v)
	}
}

// bindSelf evaluates the job anew, with its needs.
func (c *compiler) bindSelf(s *scene, in BindInput, v ruling) Bound {
	own := OwnOf(in.Job)
	j, left := c.leg(s, v, own.leg)
	switch {
	case left != nil:
		return Bound{Skip: left.Why.Text}
	case j == nil:
		return Bound{}
	}
	j.ID, j.Needs, j.Inputs, j.Stage, j.Workflow, j.Strategy = in.Job.ID, in.Job.Needs, in.Job.Inputs, in.Job.Stage, in.Job.Workflow, in.Job.Strategy
	made := OwnOf(j)
	made.Needs, made.before, made.decided = own.Needs, own.before, own.decided
	return Bound{Job: j}
}

// bindCall makes the jobs of the workflow that is called, under the name that the job has now.
func (c *compiler) bindCall(s *scene, in BindInput) Bound {
	own, j := OwnOf(in.Job), *in.Job
	if name := own.Job.Name; asks(name, "needs") {
		if text, ok := c.text(name, s.env(own.leg)); ok && text != "" {
			j.Name = s.f.name + text
		}
	}
	f, ok := c.called(s, &j, own.leg)
	if !ok {
		return Bound{}
	}
	return Bound{Plan: c.inside(s.ctx, f)}
}

// bindMatrix unrolls the matrix. Its legs need nothing in their own plan, so they keep the context needs.
func (c *compiler) bindMatrix(s *scene, in BindInput, v ruling) Bound {
	s.bound = true
	v.when = plan.OnSuccess
	p := &plan.Plan{
		Dialect: "github", Name: in.Plan.Name, File: in.Plan.File, Stages: []string{in.Job.Stage}, Jobs: c.spread(s, v),
	}
	for _, w := range in.Plan.Workflows {
		w.Group = nil // the workflow's first job took it
		p.Workflows = append(p.Workflows, w)
	}
	p.Excluded = c.excused
	for _, j := range p.Jobs {
		j.Workflow = in.Job.Workflow
	}
	if len(p.Jobs) == 1 && p.Jobs[0].When == plan.Never {
		return Bound{Skip: p.Jobs[0].Why.Text}
	}
	identify(p)
	return Bound{Plan: p}
}

// reasonOf is why a job does not run.
func reasonOf(own *Own, before []program.Before) string {
	if cond := own.Job.If; cond != nil && cond.Cond != nil && (!cond.Cond.Implied() || standingOf(before, false).success) {
		return fmt.Sprintf("the condition is false: %s", shortened(strings.TrimSpace(cond.Cond.Source())))
	}
	for _, want := range []string{"failure", "cancelled", "skipped"} {
		for _, b := range before {
			if result(b) == want {
				return fmt.Sprintf("job %q %s", b.Name, map[string]string{"failure": "failed", "cancelled": "was canceled", "skipped": "was skipped"}[want])
			}
		}
	}
	return "the run was canceled"
}
