package dispatch

import (
	"context"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
	"github.com/sluice-delivery/sluice/internal/flow/schedule"
)

// take carries out what the run answered and starts what may start now.
func (l *loop) take(ctx context.Context, changes []run.Change) error {
	now := time.Now()
	for _, c := range changes {
		l.Watcher.Changed(c)
		l.count(c)
		switch {
		case c.Job == "":
		case c.Cancel:
			if a := l.leases[c.Job]; a != nil {
				a.cancel(errCanceled(c.Reason))
			}
		case c.Bind:
			l.pushLate(ctx, c.Job, now)
		case c.To == run.Pending:
			if c.By == "person" || c.From == run.Manual {
				l.played[c.Job] = true
			}
			if c.From != run.Waiting || c.Retry {
				l.push(c.Job, now)
			}
		case c.To.Over():
			if a := l.leases[c.Job]; a != nil {
				a.cancel(errCanceled(c.Reason)) // it waits for its group, or is being bound
			} else {
				l.queue.Remove(c.Job) // it never began, or it was a late job whose group is free now
				l.free(c.Job)
			}
		}
	}
	return l.start(ctx, now)
}

// errCanceled is the cause of a job's context that the run canceled.
type errCanceled string

func (e errCanceled) Error() string {
	if e == "" {
		return "canceled"
	}
	return string(e)
}

// push puts a job into the queue, unless its workflow has still to wait for a group.
func (l *loop) push(id string, now time.Time) {
	j, ok := l.run.Job(id)
	if !ok || l.parks(j, now) {
		return
	}
	if why := l.deadlock(j); why != "" {
		l.stuck = append(l.stuck, doomed{id: id, why: why})
		return
	}
	job := schedule.Job{ID: id, Run: l.id, Tags: j.Plan.Tags, Queued: now, NoAgent: j.Late}
	if g := j.Plan.Group; g != nil {
		job.Group, job.Mode, job.Cancel = g.Name, g.Mode, g.Cancel
	}
	if s := j.Plan.Strategy; s != nil {
		job.Set, job.Parallel = prefix(j)+s.Set, s.Parallel
	}
	l.queue.Push(job)
}

// pushLate binds a late job at once, unless it has a resource group or is one of only so many at a time: then its turn
// must come first. A job that becomes itself is bound before: its group is known only then.
func (l *loop) pushLate(ctx context.Context, id string, now time.Time) {
	j, ok := l.run.Job(id)
	switch {
	case !ok || l.parks(j, now):
	case j.Late && (j.Plan.Group != nil || j.Plan.Strategy != nil && j.Plan.Strategy.Parallel > 0):
		l.push(id, now)
	default:
		l.bind(ctx, id)
	}
}

// start leases what the queue assigns, and tells of jobs that wait for a resource group.
func (l *loop) start(ctx context.Context, now time.Time) error {
	if err := l.give(ctx, l.superseded()); err != nil {
		return err
	}
	assigned, blocked := l.queue.Assign(now)
	for _, b := range blocked {
		if l.flows[b.Reason.Job] != nil {
			b.Reason.Job = l.name(b.Reason.Job)
		}
		if err := l.tellWaiting(b.Job, b.Reason.String(), now); err != nil {
			return err
		}
	}
	if err := l.tellParked(now); err != nil {
		return err
	}
	for _, a := range assigned {
		if a.Agent == "" {
			if err := l.turn(ctx, a.Job, now); err != nil {
				return err
			}
			continue
		}
		lease := l.lease(a.Job, now)
		jobCtx, cancel := context.WithCancelCause(ctx)
		l.leases[a.Job] = &active{lease: lease, cancel: cancel}
		if l.Groups != nil && lease.Job.Group != nil {
			l.workers.Go(func() { l.workInGroup(jobCtx, lease) })
			continue
		}
		if err := l.tell(event.Fact{At: now, Kind: event.Started, Job: a.Job, Attempt: lease.Attempt, By: agentID}); err != nil {
			return err
		}
		l.workers.Go(func() { l.work(jobCtx, lease) })
	}
	return nil
}

// tell applies a fact whose changes start nothing new, and passes them to the watcher.
func (l *loop) tell(f event.Fact) error {
	changes, err := l.run.Apply(f)
	for _, c := range changes {
		l.Watcher.Changed(c)
	}
	return err
}

// tellWaiting tells why a job waits. Of a workflow it is noted, for its jobs.
func (l *loop) tellWaiting(id, why string, now time.Time) error {
	if w := l.flows[id]; w != nil {
		w.why = why
		return nil
	}
	if j, _ := l.run.Job(id); j.Status != run.Pending {
		return nil
	}
	return l.tell(event.Fact{At: now, Kind: event.Waiting, Job: id, Reason: why})
}

func (l *loop) work(ctx context.Context, lease Lease) {
	r := l.Agent.Do(ctx, lease)
	l.reports <- report{job: lease.ID, result: &r}
}

// workInGroup waits until no other process on this machine holds the job's resource group.
func (l *loop) workInGroup(ctx context.Context, lease Lease) {
	release, err := l.Groups.Lock(ctx, l.claim(lease.ID, lease.Attempt, jobName(lease.Job), lease.Job.Group))
	if ctx.Err() != nil {
		if err == nil {
			release()
		}
		l.reports <- report{job: lease.ID, gone: true} // canceled before it began: the run knows
		return
	}
	l.reports <- report{job: lease.ID, began: true}
	if err != nil {
		l.reports <- report{job: lease.ID, result: &program.Result{Failure: program.SystemFailure, Message: err.Error()}}
		return
	}
	r := l.Agent.Do(ctx, lease)
	release() // before it is known that the job has ended: the next one of the group asks for it then
	l.reports <- report{job: lease.ID, result: &r}
}

// bind asks the dialect, beside the loop, what a late job becomes.
func (l *loop) bind(ctx context.Context, id string) {
	lease := l.lease(id, time.Now())
	jobCtx, cancel := context.WithCancelCause(ctx)
	l.leases[id] = &active{lease: lease, cancel: cancel}
	l.workers.Go(func() {
		b := l.Binder.Bind(jobCtx, lease)
		l.reports <- report{job: id, bound: &b}
	})
}

func (l *loop) lease(id string, now time.Time) Lease {
	j, _ := l.run.Job(id)
	return Lease{
		Run: l.id, ID: id, Attempt: j.Attempt, Job: j.Plan, Scope: j.Scope, Prefix: prefix(j),
		Inputs: l.inputs(j), Needs: l.needs(j), Before: l.ancestors(j), Started: now, Manual: l.played[id], Canceled: l.run.Canceled(),
	}
}

// source is what is asked often of one plan: which of its jobs leave something, and where the stages stand.
type source struct {
	stage   map[string]int
	leaving []*plan.Job
}

func (l *loop) source(p *plan.Plan) *source {
	if s := l.sources[p]; s != nil {
		return s
	}
	s := &source{stage: make(map[string]int, len(p.Stages))}
	for i, name := range p.Stages {
		s.stage[name] = i
	}
	for _, j := range p.Jobs {
		if j.Artifacts != nil {
			s.leaving = append(s.leaving, j)
		}
	}
	l.sources[p] = s
	return s
}

// inputs are the jobs whose artifacts and outputs j takes: those named, or all of earlier stages, that ran.
func (l *loop) inputs(j run.Job) []Input {
	prefix := prefix(j)
	var out []Input
	add := func(id, name string) {
		if r, ran := l.results[prefix+id]; ran {
			out = append(out, Input{ID: prefix + id, Name: name, Outputs: r.Outputs})
		}
	}
	for _, id := range j.Plan.Upstream {
		if r, ran := l.results[above(j.Parent)+id]; ran {
			out = append(out, Input{ID: above(j.Parent) + id, Name: id, Outputs: r.Outputs})
		}
	}
	if !j.Plan.InputsAll {
		for _, id := range j.Plan.Inputs {
			add(id, id)
		}
		return out
	}
	s := l.source(j.Scope)
	for _, p := range s.leaving {
		if s.stage[p.Stage] < s.stage[j.Plan.Stage] {
			add(p.ID, p.Name)
		}
	}
	return out
}

// prefix stands before the ids of the jobs of j's plan.
func prefix(j run.Job) string {
	if j.Parent == "" {
		return ""
	}
	return j.Parent + "/"
}

// above is the prefix of the ids beside a late job: of the pipeline that a child pipeline came from.
func above(parent string) string {
	if at := strings.LastIndexByte(parent, '/'); at >= 0 {
		return parent[:at+1]
	}
	return ""
}
