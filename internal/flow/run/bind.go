package run

import (
	"fmt"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Expand is the kind of late job whose children stand in its place; the other, "child", becomes a pipeline of its own.
const Expand = "expand"

// Bind says what a late job became. It answers a Change with Bind set. The jobs of b.Plan are part of the run from
// then on, called JOB/CHILD, in stages of their own. A job that waits (Late.Wait, Late.Mirror, or kind "expand")
// runs until they have ended and ends as they do; any other succeeds at once, and what becomes of its children is
// not told to the pipeline, though the run is only done when they are.
func (r *Run) Bind(job string, b Bound, at time.Time) ([]Change, error) {
	n := r.nodes[job]
	switch {
	case n == nil:
		return nil, fault.New(CodeNoJob, "job %q, bound: the run has no such job", job)
	case !n.late() || n.status != Pending || n.child != nil:
		return nil, fault.New(CodeBind, "job %q, bound: the job is %s and waits for no binding", job, n.status)
	case b.Plan == nil && b.Err == "" && b.Skip == "":
		return nil, fault.New(CodeBind, "job %q, bound: neither a plan nor a reason was given", job)
	}
	if b.Plan != nil && b.Err == "" && b.Skip == "" {
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
		s.move(n, Change{To: Failed, Allowed: n.allowed, Failure: "downstream_pipeline_creation_failed", Reason: b.Err})
		s.failed(n)
	case b.Skip != "":
		s.move(n, Change{To: Skipped, Allowed: n.allowed, Forced: true, Reason: b.Skip})
	default:
		to := Success
		if n.waits() {
			to = Running
		}
		s.r.bear(n, b)
		s.move(n, Change{To: to, Allowed: n.allowed, Bound: &b})
		s.open(n.child)
	}
}

// bear adds the jobs of what n became.
func (r *Run) bear(n *node, b Bound) { n.child = r.scope(b.Plan, n, b.Choice) }
