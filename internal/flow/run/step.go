package run

import (
	"container/heap"
	"fmt"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// step is one event being worked off: what it changed, and what has still to be looked at because of that.
type step struct {
	r     *Run
	at    time.Time
	out   []Change
	queue []*node  // jobs of the graph whose needs have moved
	dirty []*scope // pipelines of which a job has moved
	reset []before // skipped jobs that were put back to created
}

// before is a job as it was before it was reset.
type before struct {
	n    *node
	node node
}

// move takes a job to a state and tells. The caller has made sure that the move is allowed. What c does not say
// about the attempt is kept.
func (s *step) move(n *node, c Change) {
	c.At, c.Job, c.From = s.at, n.id, n.status
	if c.Attempt == 0 {
		c.Attempt = n.attempt
	}
	busy := n.busy()
	n.record(c)
	n.scope.uncancel(c)
	s.out = append(s.out, c)
	if now := n.busy(); now != busy {
		if now {
			s.r.busy++
		} else {
			s.r.busy--
		}
	}
	if c.To == Delayed {
		heap.Push(&s.r.delays, delay{at: n.until, n: n})
	}
	s.count(n)
}

// count carries a job's class to everything that counts it.
func (s *step) count(n *node) {
	old, now := n.class, n.counted()
	if old == now {
		return
	}
	n.class = now
	sc, st := n.scope, &n.scope.stages[n.stage]
	shift := func(c *counts) { c[old]--; c[now]++ }
	shift(&sc.all)
	shift(&st.counts)
	if n.stage < sc.front {
		shift(&sc.prior)
	}
	sc.blames(n)
	for _, a := range n.after {
		shift(&a.needs)
		s.queue = append(s.queue, a)
	}
	s.r.work += 1 + len(n.after)
	s.touch(sc)
}

func (s *step) touch(sc *scope) {
	if !sc.dirty {
		sc.dirty = true
		s.dirty = append(s.dirty, sc)
	}
}

// open looks at a new pipeline for the first time.
func (s *step) open(sc *scope) {
	for i := range sc.nodes {
		n := &sc.nodes[i]
		switch {
		case n.class == absent:
			s.move(n, Change{To: Skipped, Reason: "not selected", Forced: true, Allowed: n.allowed})
		case n.plan.When == plan.Never && (!n.plan.Graph || len(n.plan.Needs) == 0):
			s.never(n)
		case n.plan.Graph:
			s.queue = append(s.queue, n)
		}
	}
	s.touch(sc)
}

// drain works until nothing follows any more.
func (s *step) drain() {
	for len(s.queue) > 0 || len(s.dirty) > 0 {
		for k := 0; k < len(s.queue); k++ { // grows while it is walked
			s.consider(s.queue[k])
		}
		s.queue = s.queue[:0]
		if len(s.dirty) == 0 {
			continue
		}
		sc := s.dirty[0]
		s.dirty = s.dirty[1:]
		sc.dirty = false
		s.advance(sc)
		if !sc.dirty && len(s.queue) == 0 {
			s.settle(sc)
		} else {
			s.touch(sc) // settle it once it is quiet
		}
	}
}

// consider decides on a job of the graph when its needs say enough.
func (s *step) consider(n *node) {
	s.r.work++
	if n.status != Created || n.class == absent {
		return
	}
	needs := n.needs.set()
	if n.plan.When == plan.Never {
		// What waits for a job that never runs waits for the jobs before that one too, as on GitHub.
		if !needs.any(undecided) {
			s.never(n)
		}
		return
	}
	if needs.any(undecided) && (!needs.any(untaken) || n.plan.When == plan.Always || n.self()) {
		// GitLab skips a job as soon as one of its needs is; a job that runs always waits for the others here, and so
		// does one whose own conditions look at what became of them.
		return
	}
	s.decide(n, needs.needed(), needs == 0, func() string {
		s.r.work += len(n.before)
		return n.blame()
	})
}

// never passes a job over that does not run for this event.
func (s *step) never(n *node) {
	s.move(n, Change{To: Skipped, Reason: never(n.plan), Forced: true, Allowed: n.allowed})
}

// advance passes the barriers of a pipeline as far as they are open. The jobs behind a barrier are decided on once;
// a job that is taken up again later does not call back those that have gone.
func (s *step) advance(sc *scope) {
	for sc.front < len(sc.stages) {
		s.r.work++
		prior := sc.prior.set()
		if prior.any(undecided) {
			return
		}
		st := &sc.stages[sc.front]
		if !st.released {
			st.released = true
			told := ""
			why := func() string {
				if told == "" {
					told = sc.blame(prior.status())
				}
				return told
			}
			for _, n := range st.staged {
				s.r.work++
				if n.status == Created && n.class != absent {
					s.decide(n, prior.status(), prior == 0, why)
				}
			}
		}
		if st.counts.set().any(undecided) {
			return
		}
		sc.prior.add(&st.counts)
		sc.front++
	}
}

// decide starts a job or skips it, by what came of the jobs before it (GitLab, Ci::ProcessBuildService). first says
// that there are none.
func (s *step) decide(n *node, prior Status, first bool, why func() string) {
	var yes bool
	switch n.plan.When {
	case plan.OnSuccess, plan.Manual, plan.Delayed, "":
		yes = prior == Success || prior == Skipped && !n.plan.Graph
	case plan.OnFailure:
		yes = prior == Failed || first && n.named
	case plan.Always:
		yes = prior == Success || prior == Failed || prior == Skipped || n.plan.Regardless
	}
	if n.late() && n.plan.Late.Kind != Child && (n.self() || n.plan.When == plan.Always) {
		yes = true // its dialect is asked whatever became of the jobs before it
	}
	if !yes {
		s.move(n, Change{To: Skipped, Allowed: n.allowed, Reason: why()})
		return
	}
	asked := s.r.play[n.id] || s.r.play[n.plan.Name] || s.r.play[n.plan.Key]
	switch {
	case n.plan.When == plan.Manual && !asked && !s.r.o.PlayAll:
		s.move(n, Change{To: Manual, Allowed: n.allowed, Reason: "waits to be played"})
	case n.plan.When == plan.Delayed && n.plan.Delay > 0 && !asked:
		until := s.at.Add(n.plan.Delay)
		s.move(n, Change{To: Delayed, Allowed: n.allowed, Until: &until, Reason: fmt.Sprintf("starts after %s", n.plan.Delay)})
	case n.plan.When == plan.Manual || n.plan.When == plan.Delayed && asked:
		s.ready(n, Change{By: "person", Reason: "played"})
	default:
		s.ready(n, Change{})
	}
}

// ready begins a new attempt: the job waits for an agent, or for being bound.
func (s *step) ready(n *node, c Change) {
	c.To, c.Attempt, c.Bind, c.Allowed = Pending, n.attempt+1, n.late(), n.plan.AllowFailure.Any
	s.move(n, c)
}

// settle carries what a late job became to the job that waits for it (GitLab, Ci::Bridge: inheriting the status of
// the downstream pipeline).
func (s *step) settle(sc *scope) {
	p := sc.parent
	if p == nil || p.child != sc || !p.waits() {
		return
	}
	st := sc.status()
	if p.status.Over() {
		if st.Over() {
			return
		}
		s.move(p, Change{To: Running, Allowed: p.allowed, Reason: "the child pipeline was taken up again"})
		s.revive(p)
	}
	c := inherit(p, st)
	if c.To == p.status {
		s.count(p)
		return
	}
	s.move(p, c)
	if c.To == Failed {
		s.failed(p)
	}
}

// inherit is what a late job becomes when the pipeline that it waits for has come to st.
func inherit(p *node, st Status) Change {
	c := Change{To: Running, Allowed: p.allowed, Reason: "the child pipeline: " + string(st)}
	if p.plan.Late.Kind == Expand {
		c.Reason = ""
	}
	switch {
	case st.Over() && p.canceling:
		c.To = Canceled
	case st == Skipped && !p.plan.Late.Mirror && p.plan.Late.Kind != Expand:
		c.To = Failed
	case st.Over() || st == Manual && p.plan.Late.Mirror:
		c.To = st
	}
	switch c.To {
	case Failed:
		c.Failure = "downstream_pipeline_failed"
	case Canceled:
		c.Failure = "canceled"
		if p.canceling && c.Reason == "" {
			c.Reason = p.reason
		}
	}
	return c
}

// failed does what a job's failure does to its pipeline beyond its dependents.
func (s *step) failed(n *node) {
	if n.allowed {
		return
	}
	s.failFast(n)
	auto := n.scope.plan.Cancel
	if auto == nil || auto.OnJobFailure != "all" || n.scope.canceled {
		return
	}
	s.cancel(n.scope, fmt.Sprintf("job %q failed (auto_cancel: on_job_failure)", n.plan.Name), "")
}

// sum tells what the pipeline came to, where that is new. Jobs that were reset and are skipped again have not changed.
func (s *step) sum() {
	s.unreset()
	if st := s.r.Status(); st != s.r.last {
		s.out = append(s.out, Change{At: s.at, From: s.r.last, To: st})
		s.r.last = st
	}
}

// blame says which of a job's needs keeps it from running.
func (n *node) blame() string {
	var worst *node
	rank := func(c class) int {
		switch c {
		case failed:
			return 4
		case canceled:
			return 3
		case ignored:
			return 2
		case skipped:
			return 1
		default:
			return 0
		}
	}
	for _, b := range n.before {
		if rank(b.class) > 0 && (worst == nil || rank(b.class) > rank(worst.class)) {
			worst = b
		}
	}
	if worst == nil {
		return "nothing before it failed"
	}
	return worst.blamed()
}

// blamed says what a job did to those after it.
func (n *node) blamed() string {
	switch n.class {
	case failed:
		return fmt.Sprintf("job %q failed", n.plan.Name)
	case canceled:
		return fmt.Sprintf("job %q was canceled", n.plan.Name)
	case ignored:
		return fmt.Sprintf("manual job %q was not played", n.plan.Name)
	default:
		return fmt.Sprintf("job %q was skipped", n.plan.Name)
	}
}

// blames keeps bad the first job, by stage and then by file, that spoils what comes after it.
func (sc *scope) blames(n *node) {
	first := func(n *node) {
		if n.spoils() && (sc.bad == nil || n.stage < sc.bad.stage || n.stage == sc.bad.stage && n.seq < sc.bad.seq) {
			sc.bad = n
		}
	}
	if sc.bad != n || n.spoils() {
		first(n)
		return
	}
	sc.bad = nil
	for i := range sc.nodes { // it was retried: seldom, and at a person's pace
		first(&sc.nodes[i])
	}
}

func (n *node) spoils() bool { return n.class == failed || n.class == canceled }

// blame says which job of the stages passed keeps the next one from running.
func (sc *scope) blame(prior Status) string {
	if sc.bad != nil && sc.bad.stage < sc.front {
		return sc.bad.blamed()
	}
	if prior == Success || prior == Skipped {
		return "nothing before it failed"
	}
	return "the earlier stages: " + string(prior)
}
