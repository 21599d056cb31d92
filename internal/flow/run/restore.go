package run

import (
	"container/heap"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Restore rebuilds a run from its changes, all of them in their order, without deciding anything anew. The run goes on
// from there as the one that made them would. Plan and options must be those of New.
func Restore(p *plan.Plan, o Options, changes []Change) (*Run, error) {
	r := prepare(p, o)
	for i, c := range changes {
		if err := r.replay(c); err != nil {
			return nil, fault.New(CodeRestore, "change %d of %d: %s", i+1, len(changes), err)
		}
	}
	for _, sc := range r.scopes {
		for i := range sc.nodes {
			n := &sc.nodes[i]
			n.class = n.counted()
			sc.blames(n)
			if n.busy() {
				r.busy++
			}
			if n.status == Delayed {
				heap.Push(&r.delays, delay{at: n.until, n: n})
			}
		}
	}
	for i := len(r.scopes) - 1; i >= 0; i-- { // children first: a parent counts by what its child came to
		r.scopes[i].settled()
	}
	return r, nil
}

// settled sums a pipeline up whose jobs have been decided on, as far as they can be.
func (sc *scope) settled() {
	for i := range sc.nodes {
		sc.nodes[i].class = sc.nodes[i].counted()
	}
	sc.recount()
	for sc.front < len(sc.stages) && !sc.prior.set().any(undecided) {
		st := &sc.stages[sc.front]
		st.released = true
		if st.counts.set().any(undecided) {
			return
		}
		sc.prior.add(&st.counts)
		sc.front++
	}
}

// replay takes one change over.
func (r *Run) replay(c Change) error {
	if c.Job == "" {
		if c.Cancel {
			r.root.canceled = true
			return nil
		}
		if c.From != r.last {
			return fault.New(CodeRestore, "the pipeline is %s, not %s", r.last, c.From)
		}
		r.last = c.To
		return nil
	}
	n := r.nodes[c.Job]
	switch {
	case n == nil:
		return fault.New(CodeRestore, "no job %q", c.Job)
	case n.status != c.From:
		return fault.New(CodeRestore, "job %q is %s, not %s", c.Job, n.status, c.From)
	case !c.Cancel && !c.From.May(c.To):
		return fault.New(CodeRestore, "job %q cannot go from %s to %s", c.Job, c.From, c.To)
	case c.To == Delayed && c.Until == nil:
		return fault.New(CodeRestore, "job %q is delayed without a time", c.Job)
	case c.Bound != nil && (!n.late() || n.child != nil || (c.Bound.Job != nil) != n.self() || c.Bound.Job == nil && c.Bound.Plan == nil):
		return fault.New(CodeRestore, "job %q cannot be bound", c.Job)
	}
	if c.To == Pending && c.From.Over() {
		r.drop(n) // another attempt of a late job
	}
	if (c.To == Pending || c.To == Created) && c.From.Over() {
		n.unbind()
	}
	switch {
	case c.Bound == nil:
	case c.Bound.Job != nil:
		n.become(n.concrete(c.Bound.Job))
	default:
		r.bear(n, *c.Bound)
	}
	n.record(c)
	n.scope.uncancel(c)
	return nil
}
