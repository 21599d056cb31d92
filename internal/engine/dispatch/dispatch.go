// Package dispatch drives a run to its end: it hands ready jobs to the agent while there are slots, feeds what befell
// them back into the run, binds late jobs, plays manual ones and cancels. All decisions are flow/run's and
// flow/schedule's; this package only loops.
package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
	"github.com/sluice-delivery/sluice/internal/flow/schedule"
)

// Lease is one attempt of one job, given to the agent.
type Lease struct {
	Run     string
	ID      string // of the job in the run
	Attempt int    // from 1
	Job     *plan.Job
	Scope   *plan.Plan // the plan that the job is part of
	Prefix  string     // of the ids of the plan's jobs in the run: "" or "trigger/"
	Inputs  []Input
	// Needs are the jobs that it names as needs, in that order. Before are, of a late job that does not become a pipeline
	// of its own, all jobs of its plan that it waits for by needs, directly or not, in the order of the file.
	Needs, Before []program.Before
	Started       time.Time
	Manual        bool // a person played it
	Canceled      bool // the run is, and the job goes by that
}

// Input is a job whose artifacts and outputs another one takes.
type Input struct {
	ID, Name string
	Outputs  []plan.Variable
}

// Agent does a lease and returns how it ended; canceling ctx cancels the job. Safe for concurrent use.
type Agent interface {
	Do(ctx context.Context, l Lease) program.Result
}

// Binder makes a late job concrete.
type Binder interface {
	Bind(ctx context.Context, l Lease) run.Bound
}

// Watcher is told what happened, in order, from one goroutine; it must not block for long.
type Watcher interface {
	Changed(c run.Change)
	Ended(l Lease, r program.Result)
}

// Driver drives runs. Slots is how many jobs run at a time, at least 1.
type Driver struct {
	Agent   Agent
	Binder  Binder
	Watcher Watcher
	Groups  Groups // nil: this process is the only one
	Slots   int
	// Hurry, closed, cancels what outlives the cancel that canceling the context is. It may be nil: then patience ends it.
	Hurry <-chan struct{}
}

// patience is how long a run that was canceled may go on with the jobs that outlive that (documentation page "Workflow
// cancellation reference" of GitHub: all is terminated after five minutes).
const patience = 5 * time.Minute

// Command is what a person asks of a run that is on: the id of a job to play or to cancel.
type Command struct{ Play, Cancel string }

// ErrInterrupted is the cause of a context that a person ended with Ctrl-C.
var ErrInterrupted = errors.New("interrupted")

// loop is the state of one Drive. Only Drive's goroutine touches it; the workers report through reports.
type loop struct {
	*Driver
	id      string
	run     *run.Run
	queue   *schedule.Queue
	leases  map[string]*active // by job: what is leased or being bound now
	results map[string]program.Result
	reports chan report
	workers sync.WaitGroup
	sources map[*plan.Plan]*source
	played  map[string]bool
	holds   map[string]*hold     // resource groups that late jobs and workflows hold among processes
	flows   map[string]*workflow // those with a group, by the id that they have in the queue
	stuck   []doomed             // jobs that wait for what can never be
	yields  yields
}

// active is a job that a worker has.
type active struct {
	lease  Lease
	cancel context.CancelCauseFunc
	void   bool // the run canceled the job before it began: how it ends says nothing
}

// report is what a worker has to say: exactly one field group is set. job may also be the id of a workflow.
type report struct {
	job    string
	began  bool            // the worker got the job's resource group and starts now
	gone   bool            // the job was canceled while it waited for its resource group
	waits  string          // who holds the resource group that it waits for
	holds  *hold           // the resource group of a late job or a workflow is its own
	bound  *run.Bound      // what the late job became
	result *program.Result // how the attempt ended
}

// Drive takes r, whose first changes are given, to its end. Canceling ctx cancels the run: jobs are stopped, what must
// still run (after_script, jobs with always()) runs, and Drive returns when no worker is left. commands may be nil. Jobs that wait for a
// person are left when nothing else is to be done.
func (d *Driver) Drive(ctx context.Context, id string, r *run.Run, first []run.Change, commands <-chan Command) error {
	l := &loop{
		Driver: d, id: id, run: r, queue: schedule.New(),
		leases: map[string]*active{}, results: map[string]program.Result{}, reports: make(chan report, 64),
		sources: map[*plan.Plan]*source{}, played: map[string]bool{}, holds: map[string]*hold{}, flows: workflows(r),
		yields: yields{woken: make(chan struct{}, 1)},
	}
	l.queue.SetAgents([]schedule.Agent{{ID: agentID, Slots: max(d.Slots, 1), AnyTags: true, RunUntagged: true}}, time.Now())
	work, stopWork := context.WithCancelCause(context.WithoutCancel(ctx))
	defer func() {
		stopWork(errors.New("the run is over"))
		l.letGo()
		l.drain()
	}()
	if err := l.take(work, first); err != nil {
		return err
	}
	interrupted := ctx.Done()
	var hurry <-chan struct{}
	var late <-chan time.Time
	for !r.Done() || len(l.leases) > 0 {
		timer := l.timer()
		var err error
		select {
		case rep := <-l.reports:
			err = l.hear(work, rep)
		case now := <-timer.C:
			err = l.apply(work, event.Fact{At: now, Kind: event.Timed})
		case c, open := <-commands:
			if !open {
				commands = nil
			} else {
				err = l.command(work, c)
			}
		case <-l.yields.woken:
			err = l.give(work, l.yields.take())
		case <-interrupted:
			interrupted, hurry, late = nil, d.Hurry, time.After(patience)
			err = l.apply(work, canceled(ctx))
		case <-hurry:
			hurry = nil
			err = l.apply(work, canceled(ctx))
		case <-late:
			err = l.apply(work, canceled(ctx))
		}
		timer.Stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// canceled is the fact that the run is to end, because of what ended ctx.
func canceled(ctx context.Context) event.Fact {
	return event.Fact{At: time.Now(), Kind: event.Canceled, Reason: context.Cause(ctx).Error(), By: "person"}
}

// drain waits for the workers; what they still report no longer matters.
func (l *loop) drain() {
	gone := make(chan struct{})
	go func() {
		l.workers.Wait()
		close(gone)
	}()
	for {
		select {
		case r := <-l.reports:
			if r.holds != nil && r.holds.err == nil {
				r.holds.release()
			}
		case <-gone:
			return
		}
	}
}

// agentID names the one agent of a local run.
const agentID = "local"

// timer fires when the earliest delayed job starts; never where none waits.
func (l *loop) timer() *time.Timer {
	if at, ok := l.run.NextTime(); ok {
		return time.NewTimer(max(time.Until(at), 0))
	}
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// hear takes in what a worker reports.
func (l *loop) hear(ctx context.Context, r report) error {
	now := time.Now()
	a := l.leases[r.job]
	if w := l.flows[r.job]; w != nil {
		return l.hearWorkflow(ctx, w, r)
	}
	switch {
	case r.holds != nil:
		return l.held(ctx, a, r.holds)
	case (r.began || r.waits != "") && l.over(r.job):
		a.void = true // canceled while its worker waited for the group, or in the moment that it got it
		return nil
	case r.began:
		return l.apply(ctx, event.Fact{At: now, Kind: event.Started, Job: r.job, Attempt: a.lease.Attempt})
	case r.gone:
		delete(l.leases, r.job)
		a.cancel(nil)
		l.queue.Done(r.job, now)
		return l.start(ctx, now)
	case r.waits != "":
		return l.apply(ctx, event.Fact{At: now, Kind: event.Waiting, Job: r.job, Reason: r.waits})
	case r.bound != nil:
		delete(l.leases, r.job)
		a.cancel(nil)
		if l.over(r.job) { // canceled meanwhile
			l.queue.Remove(r.job)
			l.free(r.job)
			return l.start(ctx, now)
		}
		changes, err := l.run.Bind(r.job, *r.bound, now)
		if err != nil {
			return err
		}
		return l.take(ctx, changes)
	default:
		return l.end(ctx, a, *r.result, now)
	}
}

// over reports whether the run is done with a job.
func (l *loop) over(id string) bool {
	j, _ := l.run.Job(id)
	return j.Status.Over()
}

// end records how an attempt ended and frees its slot.
func (l *loop) end(ctx context.Context, a *active, r program.Result, now time.Time) error {
	id := a.lease.ID
	delete(l.leases, id)
	a.cancel(nil)
	l.queue.Done(id, now)
	if a.void {
		return l.start(ctx, now)
	}
	l.results[id] = r
	l.Watcher.Ended(a.lease, r)
	return l.apply(ctx, event.Fact{
		At: now, Kind: event.Finished, Job: id, Attempt: a.lease.Attempt,
		Failure: string(r.Failure), Exit: r.Exit, Reason: r.Message, By: agentID,
	})
}

func (l *loop) command(ctx context.Context, c Command) error {
	f := event.Fact{At: time.Now(), Kind: event.Played, Job: c.Play, By: "person"}
	if c.Cancel != "" {
		f.Kind, f.Job, f.Reason = event.Canceled, c.Cancel, "canceled by a person"
	}
	if err := l.apply(ctx, f); err != nil {
		return nil //nolint:nilerr // the job's turn has passed meanwhile: nothing to do
	}
	return nil
}

func (l *loop) apply(ctx context.Context, f event.Fact) error {
	changes, err := l.run.Apply(f)
	if err != nil {
		return err
	}
	return l.take(ctx, changes)
}
