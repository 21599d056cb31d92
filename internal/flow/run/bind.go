package run

import (
	"fmt"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// The kinds of late jobs.
const (
	Child  = "child"  // it becomes a pipeline of its own
	Expand = "expand" // its children stand in its place
	Self   = "self"   // it becomes itself, concrete
)

// The failures of jobs that could not be bound: of trigger jobs in GitLab's word, of others in ours.
const (
	failedChild = "downstream_pipeline_creation_failed"
	failedBind  = "configuration_failed"
)

// Bind says what a late job became. It answers a Change with Bind set. The jobs of b.Plan are part of the run from
// then on, called JOB/CHILD, in stages of their own. A job that waits (Late.Wait, Late.Mirror, or kind "expand")
// runs until they have ended and ends as they do; any other succeeds at once, and what becomes of its children is
// not told to the pipeline, though the run is only done when they are.
//
// With b.Job, for the kind "self" alone, the job itself is concrete from then on and waits for an agent like any other;
// its ID and what it needs stay as they were. A job that never runs (When Never) is skipped.
func (r *Run) Bind(job string, b Bound, at time.Time) ([]Change, error) {
	n := r.nodes[job]
	switch {
	case n == nil:
		return nil, fault.New(CodeNoJob, "job %q, bound: the run has no such job", job)
	case !n.late() || n.status != Pending || n.child != nil:
		return nil, fault.New(CodeBind, "job %q, bound: the job is %s and waits for no binding", job, n.status)
	case b.Err != "" || b.Skip != "":
	case n.self() && b.Job == nil:
		return nil, fault.New(CodeBind, "job %q, bound: neither the job nor a reason was given", job)
	case !n.self() && b.Plan == nil:
		return nil, fault.New(CodeBind, "job %q, bound: neither a plan nor a reason was given", job)
	case n.self() && b.Job.When == plan.Never:
		b = Bound{Skip: never(b.Job)}
	case b.Plan != nil && !n.self():
		if _, err := plan.Connect(b.Plan); err != nil {
			return nil, fmt.Errorf("bind job %q: %w", job, err)
		}
		if len(b.Plan.Jobs) == 0 && n.plan.Late.Kind != Expand {
			b = Bound{Err: "the child pipeline has no jobs"}
		}
	}
	s := &step{r: r, at: at}
	s.bind(n, b)
	return s.done(), nil
}

func (s *step) bind(n *node, b Bound) {
	switch {
	case b.Err != "":
		c := Change{To: Failed, Allowed: n.allowed, Failure: failedChild, Reason: b.Err}
		if n.plan.Late.Kind == Self || n.plan.Late.Kind == Expand {
			c.Failure = failedBind
		}
		s.move(n, c)
		s.failed(n)
	case b.Skip != "":
		s.move(n, Change{To: Skipped, Allowed: n.allowed, Forced: true, Reason: b.Skip})
	case n.self():
		b = Bound{Job: n.concrete(b.Job)}
		n.become(b.Job)
		s.move(n, Change{To: Pending, Allowed: b.Job.AllowFailure.Any, Bound: &b})
	default:
		to := Success
		if n.waits() {
			to = Running
		}
		b.Job = nil
		s.r.bear(n, b)
		s.move(n, Change{To: to, Allowed: n.allowed, Bound: &b})
		s.open(n.child)
	}
}

// bear adds the jobs of what n became.
func (r *Run) bear(n *node, b Bound) { n.child = r.scope(b.Plan, n, b.Choice) }

// concrete is a job as one of kind "self" becomes it.
func (n *node) concrete(j *plan.Job) *plan.Job {
	out := *j
	out.ID, out.Late = n.plan.ID, nil
	return &out
}

// become makes the job what it was bound to.
func (n *node) become(j *plan.Job) {
	n.plan = j
	n.scope.leg(n)
}

// unbind makes the job late again, so that it is asked anew.
func (n *node) unbind() { n.plan = n.asked }

// never is why a job of When Never does not run.
func never(j *plan.Job) string {
	switch w := j.Why; {
	case w.Rule != "" && w.Text != "":
		return w.Rule + ": " + w.Text
	case w.Rule != "" || w.Text != "":
		return w.Rule + w.Text
	default:
		return "it never runs"
	}
}
