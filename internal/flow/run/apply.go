package run

import (
	"container/heap"
	"fmt"
	"maps"
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// takes says from which states a job takes in a fact.
var takes = map[event.Kind][]Status{
	event.Queued:   {Waiting, Pending},
	event.Waiting:  {Pending, Waiting},
	event.Started:  {Pending, Waiting},
	event.Finished: {Running, Pending, Waiting},
	event.Played:   {Manual, Delayed},
	event.Canceled: {Created, Pending, Waiting, Delayed, Running},
	event.Retried:  {Success, Failed, Canceled},
	event.Skipped:  {Created, Pending, Waiting, Delayed, Manual},
}

// Apply takes a fact in and answers with what changed, in the order in which it did. A fact that the run cannot take
// now is a fault and changes nothing. The facts created, bound and ended say nothing new and change nothing.
func (r *Run) Apply(f event.Fact) ([]Change, error) {
	if r.o.ID != "" && f.Run != "" && f.Run != r.o.ID {
		return nil, fault.New(CodeStale, "a fact about run %s was given to run %s", f.Run, r.o.ID)
	}
	s := &step{r: r, at: f.At}
	switch f.Kind {
	case event.Created, event.Bound, event.Ended:
		return nil, nil
	case event.Timed:
		s.release()
		return s.done(), nil
	}
	states, known := takes[f.Kind]
	if !known {
		return nil, fault.New(CodeFact, "a fact of kind %q says nothing to a run", f.Kind)
	}
	if r.over() && !r.o.Open {
		return nil, fault.New(CodeOver, "%s: the run is over (%s)", about(f), r.Status())
	}
	if f.Job == "" {
		return s.whole(f)
	}
	n, err := r.find(f, states)
	if err != nil {
		return nil, err
	}
	if err := s.apply(n, f); err != nil {
		return nil, err
	}
	return s.done(), nil
}

// find is the job that a fact is about, if it can take it.
func (r *Run) find(f event.Fact, states []Status) (*node, error) {
	n := r.nodes[f.Job]
	if n == nil {
		missing := fault.New(CodeNoJob, "%s: the run has no such job", about(f))
		if near := fault.Nearest(f.Job, slices.Sorted(maps.Keys(r.nodes))); near != "" {
			return nil, missing.WithHint("did you mean %q?", near)
		}
		return nil, missing
	}
	if f.Attempt != 0 && f.Attempt != n.attempt {
		return nil, fault.New(CodeStale, "%s: attempt %d is not the present one, which is %d", about(f), f.Attempt, n.attempt)
	}
	if n.class == absent || !slices.Contains(states, n.status) {
		return nil, refuse(n, f)
	}
	return n, nil
}

func about(f event.Fact) string { return fmt.Sprintf("job %q, %s", f.Job, f.Kind) }

func refuse(n *node, f event.Fact) error {
	return fault.New(CodeMove, "%s: the job is %s", about(f), n.status)
}

func (s *step) done() []Change {
	s.drain()
	s.sum()
	return s.out
}

// apply takes in a fact about one job.
func (s *step) apply(n *node, f event.Fact) error {
	switch f.Kind {
	case event.Queued:
		if n.status == Waiting {
			s.move(n, Change{To: Pending, Allowed: n.allowed, Bind: n.late(), By: f.By})
		}
	case event.Waiting:
		if n.status == Pending {
			s.move(n, Change{To: Waiting, Allowed: n.allowed, Reason: f.Reason, By: f.By})
		}
	case event.Started:
		if n.late() {
			return fault.New(CodeBind, "%s: the job has to be bound instead", about(f))
		}
		s.move(n, Change{To: Running, Allowed: n.allowed, Reason: f.Reason, By: f.By})
	case event.Finished:
		return s.finish(n, f)
	case event.Played:
		if n.child != nil {
			return refuse(n, f)
		}
		s.ready(n, Change{Reason: f.Reason, By: f.By})
		s.revive(n)
	case event.Canceled:
		s.stop(n, f.Reason, f.By)
	case event.Retried:
		return s.retry(n, f)
	case event.Skipped:
		s.move(n, Change{To: Skipped, Allowed: n.allowed, Forced: true, Reason: f.Reason, By: f.By})
	}
	return nil
}

// finish ends the present attempt: well, canceled, with another attempt to follow, or for good.
func (s *step) finish(n *node, f event.Fact) error {
	if n.child != nil || f.Failure == "" && n.status != Running {
		return refuse(n, f)
	}
	c := Change{Failure: f.Failure, Exit: f.Exit, Reason: f.Reason, By: f.By, Allowed: n.allowed}
	switch {
	case n.canceling || f.Failure == "canceled":
		// Whatever the script said in the end, it was told to stop (GitLab: canceling ends canceled).
		if c.To, c.Failure = Canceled, "canceled"; c.Reason == "" {
			c.Reason = n.reason
		}
	case f.Failure == "":
		c.To = Success
	case again(n.plan, n.attempt, f.Failure, f.Exit, !n.started.IsZero()):
		c.Retry = true
		s.ready(n, c)
		return nil
	default:
		c.To = Failed
		c.Allowed = n.plan.AllowFailure.Any || f.Exit != nil && slices.Contains(n.plan.AllowFailure.ExitCodes, *f.Exit)
	}
	s.move(n, c)
	if c.To == Failed {
		s.failed(n)
	}
	return nil
}

// release starts the delayed jobs whose time has come.
func (s *step) release() {
	for at, ok := s.r.NextTime(); ok && !at.After(s.at); at, ok = s.r.NextTime() {
		d := heap.Pop(&s.r.delays).(delay)
		s.ready(d.n, Change{Reason: "its time has come"})
	}
}

// whole takes in a fact about the whole run.
func (s *step) whole(f event.Fact) ([]Change, error) {
	switch f.Kind {
	case event.Canceled:
		s.cancel(s.r.root, f.Reason, f.By)
	case event.Retried:
		s.retryAll()
	default:
		return nil, fault.New(CodeNoJob, "a fact of kind %q names no job", f.Kind)
	}
	return s.done(), nil
}
