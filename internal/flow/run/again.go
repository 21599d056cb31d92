package run

import (
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// retry begins another attempt of a job that has ended, because a person asks for it.
func (s *step) retry(n *node, f event.Fact) error {
	if n.child != nil && n.child.live() {
		return fault.New(CodeMove, "%s: what the job became is not over", about(f))
	}
	s.r.drop(n)
	n.unbind()
	s.ready(n, Change{Reason: f.Reason, By: f.By})
	s.revive(n)
	return nil
}

// retryAll puts back every job that failed or was canceled, and what was skipped because of them; then all goes on
// in its order (GitLab, Ci::RetryPipelineService).
func (s *step) retryAll() {
	for _, sc := range s.r.scopes {
		var back []*node
		if sc.all[failed]+sc.all[canceled]+sc.all[warned] == 0 {
			continue
		}
		for i := range sc.nodes {
			n := &sc.nodes[i]
			switch {
			case n.class == absent || n.forced:
			case (n.status == Failed || n.status == Canceled) && n.child == nil:
				n.unbind()
				s.move(n, Change{To: Created, Allowed: n.plan.AllowFailure.Any})
				back = append(back, n)
			case n.status == Skipped && n.child == nil:
				s.putBack(n)
				back = append(back, n)
			}
		}
		s.rewind(sc, back)
	}
}

// revive puts back the skipped jobs that a job taken up again may let run: those of later stages, and those that
// need it, directly or not (GitLab, Ci::ResetSkippedJobsService).
func (s *step) revive(n *node) {
	sc := n.scope
	if sc.all[skipped] == 0 {
		return
	}
	var back []*node
	take := func(n *node) {
		if n.status == Skipped && n.class != absent && !n.forced && n.child == nil {
			s.putBack(n)
			back = append(back, n)
		}
	}
	seen := map[*node]bool{n: true}
	for queue := []*node{n}; len(queue) > 0; queue = queue[1:] {
		for _, a := range queue[0].after {
			s.r.work++
			if !seen[a] {
				seen[a] = true
				take(a)
				queue = append(queue, a)
			}
		}
	}
	for i := range sc.nodes {
		s.r.work++
		if other := &sc.nodes[i]; other.stage > n.stage {
			take(other)
		}
	}
	s.rewind(sc, back)
}

// putBack makes a skipped job created again, and remembers it as it was.
func (s *step) putBack(n *node) {
	s.reset = append(s.reset, before{n, *n})
	s.move(n, Change{To: Created, Allowed: n.allowed})
}

// rewind makes a pipeline look again at jobs that are created again.
func (s *step) rewind(sc *scope, back []*node) {
	for _, n := range back {
		if n.plan.Graph {
			s.queue = append(s.queue, n)
		} else {
			sc.stages[n.stage].released = false
		}
		for sc.front > n.stage {
			sc.front--
			sc.prior.take(&sc.stages[sc.front].counts)
		}
	}
	s.touch(sc)
}

// unreset forgets the changes of jobs that were put back only to be skipped again.
func (s *step) unreset() {
	if len(s.reset) == 0 {
		return
	}
	same := map[string]bool{}
	for _, b := range s.reset { // a job can be put back twice; the first time knows how it was
		if b.n.status == Skipped && !b.n.forced && !same[b.n.id] {
			b.n.reason, b.n.since, b.n.finished = b.node.reason, b.node.since, b.node.finished
			b.n.queued, b.n.started, b.n.attempt = b.node.queued, b.node.started, b.node.attempt
			b.n.failure, b.n.exit = b.node.failure, b.node.exit
			same[b.n.id] = true
		}
	}
	kept := s.out[:0]
	for _, c := range s.out {
		if !same[c.Job] {
			kept = append(kept, c)
		}
	}
	s.out = kept
}

// drop forgets what a late job became, so that it can become something anew.
func (r *Run) drop(n *node) {
	if n.child == nil {
		return
	}
	gone := map[*scope]bool{}
	for scopes := []*scope{n.child}; len(scopes) > 0; scopes = scopes[1:] {
		sc := scopes[0]
		gone[sc] = true
		for i := range sc.nodes {
			delete(r.nodes, sc.nodes[i].id)
			if c := sc.nodes[i].child; c != nil {
				scopes = append(scopes, c)
			}
		}
	}
	kept := r.scopes[:0]
	for _, sc := range r.scopes {
		if !gone[sc] {
			kept = append(kept, sc)
		}
	}
	r.scopes, n.child = kept, nil
}
