package dispatch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// Groups guards resource groups against other processes on this machine.
type Groups interface {
	// Lock waits until the group is free, and holds it until release is called. release waits for what c.Yield does. A
	// canceled ctx ends the wait with an error.
	Lock(ctx context.Context, c Claim) (release func(), err error)
}

// Claim is a job's wish for a resource group.
type Claim struct {
	Group  string
	Job    string // who holds the group, for a person: "job deploy", "workflow release"
	Mode   string // plan.Group.Mode; where it is "single", only the newest of all processes' claims waits
	Cancel bool   // who holds the group is asked to let go of it
	// Held is told once who holds the group, when it is taken.
	Held func(holder string)
	// Yield is told, at most once, that the job is to be canceled, and why: while it waits because a newer claim does,
	// while it holds the group because a newer claim wants it. It returns at once.
	Yield func(why string)
}

// claim is the claim of a job, or of a workflow. What befalls it is reported.
func (l *loop) claim(id string, attempt int, name string, g *plan.Group) Claim {
	return Claim{
		Group: g.Name, Job: name, Mode: g.Mode, Cancel: g.Cancel,
		Held:  func(holder string) { l.reports <- report{job: id, waits: holder} },
		Yield: func(why string) { l.yields.put(doomed{id, attempt, why}) },
	}
}

// yields are the jobs that other processes want canceled. Putting one there waits for nobody: the loop may wait for who does.
type yields struct {
	mu    sync.Mutex
	list  []doomed
	woken chan struct{}
}

func (y *yields) put(d doomed) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.list = append(y.list, d)
	select {
	case y.woken <- struct{}{}:
	default: // it is on its way already
	}
}

func (y *yields) take() []doomed {
	y.mu.Lock()
	defer y.mu.Unlock()
	out := y.list
	y.list = nil
	return out
}

// hold is a resource group that is held among the processes of this machine for longer than a worker has it.
type hold struct {
	release func()
	err     error
}

func jobName(j *plan.Job) string { return "job " + j.Name }

// hold waits for the group of a late job or a workflow, beside the loop.
func (l *loop) hold(ctx context.Context, id string, attempt int, name string, g *plan.Group) {
	c := l.claim(id, attempt, name, g)
	l.workers.Go(func() {
		release, err := l.Groups.Lock(ctx, c)
		if ctx.Err() != nil {
			if err == nil {
				release()
			}
			l.reports <- report{job: id, gone: true}
			return
		}
		l.reports <- report{job: id, holds: &hold{release, err}}
	})
}

// turn goes on with a job that needs no agent and whose turn has come: a late job, or a workflow.
func (l *loop) turn(ctx context.Context, id string, now time.Time) error {
	if w := l.flows[id]; w != nil {
		return l.turnWorkflow(ctx, w, now)
	}
	j, _ := l.run.Job(id)
	if l.Groups == nil || j.Plan.Group == nil {
		return l.bindNow(ctx, id, now)
	}
	lease := l.lease(id, now)
	jobCtx, cancel := context.WithCancelCause(ctx)
	l.leases[id] = &active{lease: lease, cancel: cancel}
	l.hold(jobCtx, id, lease.Attempt, jobName(lease.Job), lease.Job.Group)
	return nil
}

// bindNow binds a late job that may have waited.
func (l *loop) bindNow(ctx context.Context, id string, now time.Time) error {
	if j, _ := l.run.Job(id); j.Status == run.Waiting {
		if err := l.tell(event.Fact{At: now, Kind: event.Queued, Job: id}); err != nil {
			return err
		}
	}
	l.bind(ctx, id)
	return nil
}

// held binds a late job that has its group now.
func (l *loop) held(ctx context.Context, a *active, h *hold) error {
	id, now := a.lease.ID, time.Now()
	delete(l.leases, id)
	a.cancel(nil)
	if h.err == nil {
		l.holds[id] = h
	}
	if l.over(id) {
		l.queue.Done(id, now)
		l.free(id)
		return l.start(ctx, now)
	}
	if h.err == nil {
		return l.bindNow(ctx, id, now)
	}
	if j, _ := l.run.Job(id); j.Status == run.Waiting {
		if err := l.tell(event.Fact{At: now, Kind: event.Queued, Job: id}); err != nil {
			return err
		}
	}
	changes, err := l.run.Bind(id, run.Bound{Err: h.err.Error()}, now)
	if err != nil {
		return err
	}
	return l.take(ctx, changes)
}

// free lets go of what a late job or a workflow held among processes.
func (l *loop) free(id string) {
	if h := l.holds[id]; h != nil {
		delete(l.holds, id)
		h.release()
	}
}

// letGo frees all that is still held.
func (l *loop) letGo() {
	for id := range l.holds {
		l.free(id)
	}
}

// doomed is a job or a workflow that is to be canceled, and why; attempt 0 is any.
type doomed struct {
	id      string
	attempt int
	why     string
}

// superseded are the jobs that newer ones have replaced, and those that could only wait for ever.
func (l *loop) superseded() []doomed {
	out := l.stuck
	l.stuck = nil
	for _, s := range l.queue.Superseded() {
		out = append(out, doomed{id: s.Job, why: fmt.Sprintf("%s came for the concurrency group %q", l.name(s.By), s.Group)})
	}
	return out
}

// give cancels jobs and workflows.
func (l *loop) give(ctx context.Context, list []doomed) error {
	for _, d := range list {
		var err error
		if w := l.flows[d.id]; w != nil {
			err = l.stopWorkflow(ctx, w, d.why)
		} else {
			err = l.stop(ctx, d.id, d.attempt, d.why)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stop cancels a job. One that is over has nothing to be canceled.
func (l *loop) stop(ctx context.Context, id string, attempt int, why string) error {
	changes, err := l.run.Apply(event.Fact{At: time.Now(), Kind: event.Canceled, Job: id, Attempt: attempt, Reason: why})
	if err != nil {
		return nil //nolint:nilerr // it has ended meanwhile
	}
	return l.take(ctx, changes)
}

// deadlock says why a job could only wait for ever: what it is a part of holds the concurrency group that it asks for.
func (l *loop) deadlock(j run.Job) string {
	if j.Plan.Group == nil || j.Plan.Group.Mode != single {
		return ""
	}
	name := j.Plan.Group.Name
	for up := j; ; {
		if up.Parent == "" {
			if w := l.flows[flowID(up.Plan.Workflow)]; w != nil && w.group.Name == name {
				return fmt.Sprintf("its workflow holds the concurrency group %q that it asks for", name)
			}
			return ""
		}
		up, _ = l.run.Job(up.Parent)
		if up.Plan.Group != nil && up.Plan.Group.Name == name {
			return fmt.Sprintf("job %q, which it is a part of, holds the concurrency group %q that it asks for", up.Plan.Name, name)
		}
	}
}
