package run

import (
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// stop cancels one job: at once where nothing of it runs, else by asking. What a late job became stops with it.
func (s *step) stop(n *node, reason, by string) {
	if n.status != Running {
		s.move(n, Change{To: Canceled, Allowed: n.allowed, Failure: "canceled", Reason: reason, By: by})
		return
	}
	s.ask(n, Change{Reason: reason, By: by})
	if n.child != nil {
		s.cancel(n.child, reason, by)
	}
}

// Cancel cancels several jobs at once: all stop before anything is decided about those that wait for them. Jobs that are
// over, that wait for a person or are being stopped already are left as they are, and so are those that outlive a cancel.
func (r *Run) Cancel(jobs []string, reason string, at time.Time) []Change {
	s := &step{r: r, at: at}
	for _, id := range jobs {
		if n := r.nodes[id]; n != nil && n.class != absent && !n.status.Over() && n.status != Manual && !n.canceling && !n.outlives() {
			s.stop(n, reason, "")
		}
	}
	return s.done()
}

// ask tells that a running attempt is to be stopped, or that what a late job became is.
func (s *step) ask(n *node, c Change) {
	c.At, c.Job, c.From, c.To, c.Attempt, c.Allowed, c.Cancel = s.at, n.id, n.status, n.status, n.attempt, n.allowed, true
	n.record(c)
	s.out = append(s.out, c)
}

// outlives reports whether a job that has not begun is left by the first cancel: it runs whatever became of the jobs
// before it, canceled ones too, or its dialect is asked whether it does (documentation page "Workflow cancellation
// reference" of GitHub, which asks the conditions anew). A late job that is being bound was asked before, and stops.
func (n *node) outlives() bool {
	switch n.status {
	case Created:
	case Pending, Waiting:
		if n.late() {
			return false
		}
	default:
		return false
	}
	return n.plan.Regardless && n.plan.When == plan.Always
}

// cancel stops a pipeline and what its jobs became. As GitLab does, it leaves manual jobs, which do nothing, and cancels all
// that has not begun, also jobs that run always, unless they outlive a cancel and this is the first. All jobs stop before
// anything is decided about dependents.
func (s *step) cancel(top *scope, reason, by string) {
	again := top.canceled
	if top.parent == nil {
		st := s.r.last
		s.out = append(s.out, Change{At: s.at, From: st, To: st, Cancel: true, Reason: reason, By: by})
	} else if !top.parent.canceling {
		s.ask(top.parent, Change{Child: true, Reason: reason, By: by})
	}
	for scopes := []*scope{top}; len(scopes) > 0; {
		sc := scopes[len(scopes)-1]
		scopes = scopes[:len(scopes)-1]
		sc.canceled = true
		s.touch(sc)
		for i := range sc.nodes {
			n := &sc.nodes[i]
			s.r.work++
			switch {
			case n.class == absent || !again && n.outlives():
			case n.child != nil && n.child.live():
				s.ask(n, Change{Reason: reason, By: by})
				scopes = append(scopes, n.child)
			case n.status == Running && n.child == nil && !n.canceling:
				s.ask(n, Change{Reason: reason, By: by})
			case n.status == Created || n.status == Pending || n.status == Waiting || n.status == Delayed:
				s.move(n, Change{To: Canceled, Allowed: n.allowed, Failure: "canceled", Reason: reason, By: by})
			}
		}
	}
}

// uncancel notes that a pipeline is taken up again: a job of it that had ended or waited for a person goes on.
func (sc *scope) uncancel(c Change) {
	switch c.From {
	case Success, Failed, Canceled:
		sc.canceled = sc.canceled && c.Cancel
	case Manual:
		sc.canceled = sc.canceled && c.To != Pending
	}
}

// live reports whether a pipeline has jobs that can be canceled, or may have below it.
func (sc *scope) live() bool {
	if sc.all.set().any(undecided) {
		return true
	}
	for i := range sc.nodes {
		if c := sc.nodes[i].child; c != nil && c.live() {
			return true
		}
	}
	return false
}
