package dispatch

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/run"
	"github.com/sluice-delivery/sluice/internal/flow/schedule"
)

// single is the mode of a group in which only the newest waits.
const single = schedule.Single

// workflow is one of a plan's workflows that has a group of its own (Workflow syntax for GitHub Actions, concurrency): it
// takes the group before its first job goes on and lets go of it after its last one.
type workflow struct {
	plan.Workflow
	id     string // in the queue
	group  *plan.Group
	jobs   []string // ids
	open   int      // of them not over
	asked  bool     // it is in the queue
	has    bool     // the group is its own
	parked []string // jobs that wait for that
	why    string   // what for
	cancel context.CancelCauseFunc
}

// flowID is a workflow's id in the queue. No job is called so: it is no plan's ID.
func flowID(file string) string { return "\x00workflow " + file }

// workflows are those of the run's plan that have a group, by their ids.
func workflows(r *run.Run) map[string]*workflow {
	out := map[string]*workflow{}
	for _, j := range r.Jobs() {
		if j.Parent != "" || j.Plan.Workflow == "" {
			continue
		}
		id := flowID(j.Plan.Workflow)
		if out[id] == nil {
			at := slices.IndexFunc(j.Scope.Workflows, func(w plan.Workflow) bool { return w.File == j.Plan.Workflow && w.Group != nil })
			if at < 0 {
				continue
			}
			out[id] = &workflow{Workflow: j.Scope.Workflows[at], id: id, group: j.Scope.Workflows[at].Group}
		}
		out[id].jobs = append(out[id].jobs, j.ID)
		out[id].open++
	}
	return out
}

// of is the workflow with a group that a job of the root is in, or nil.
func (l *loop) of(j run.Job) *workflow {
	if len(l.flows) == 0 || j.Parent != "" || j.Plan == nil {
		return nil
	}
	return l.flows[flowID(j.Plan.Workflow)]
}

// parks keeps a job back until its workflow has its group, and sees to it that the workflow asks for that.
func (l *loop) parks(j run.Job, now time.Time) bool {
	w := l.of(j)
	if w == nil || w.has {
		return false
	}
	if !slices.Contains(w.parked, j.ID) {
		w.parked = append(w.parked, j.ID)
	}
	if !w.asked {
		l.ask(w, now)
	}
	return true
}

// ask lets a workflow ask for its group.
func (l *loop) ask(w *workflow, now time.Time) {
	w.asked = true
	l.queue.Push(schedule.Job{ID: w.id, Run: l.id, Group: w.group.Name, Mode: w.group.Mode, Cancel: w.group.Cancel, NoAgent: true, Queued: now})
}

// tellParked tells of the jobs that wait for their workflow's group.
func (l *loop) tellParked(now time.Time) error {
	for _, id := range slices.Sorted(maps.Keys(l.flows)) {
		w := l.flows[id]
		if w.why == "" {
			continue
		}
		for _, job := range w.parked {
			if err := l.tellWaiting(job, w.why, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// count notes how many jobs of a workflow are over; after the last one the workflow's group is free.
func (l *loop) count(c run.Change) {
	if len(l.flows) == 0 || c.Job == "" || c.From.Over() == c.To.Over() {
		return
	}
	j, _ := l.run.Job(c.Job)
	w := l.of(j)
	switch {
	case w == nil:
	case c.From.Over():
		w.open++
	default:
		if w.open--; w.open == 0 {
			l.leave(w)
		}
	}
}

// leave takes a workflow out of the queue and frees its group.
func (l *loop) leave(w *workflow) {
	w.asked, w.has, w.parked, w.why = false, false, nil, ""
	if w.cancel != nil { // it waits for another process
		w.cancel(errCanceled("its jobs are over"))
		return
	}
	l.queue.Remove(w.id)
	l.free(w.id)
}

// turnWorkflow takes a workflow's group among the processes, too.
func (l *loop) turnWorkflow(ctx context.Context, w *workflow, now time.Time) error {
	if l.Groups == nil {
		return l.unpark(ctx, w, now)
	}
	ctx, w.cancel = context.WithCancelCause(ctx)
	l.hold(ctx, w.id, 0, l.name(w.id), w.group)
	return nil
}

// hearWorkflow takes in what is reported of a workflow's group.
func (l *loop) hearWorkflow(ctx context.Context, w *workflow, r report) error {
	now := time.Now()
	if r.waits != "" {
		w.why = r.waits
		return l.tellParked(now)
	}
	w.cancel(nil)
	w.cancel = nil
	if h := r.holds; h != nil && h.err == nil {
		l.holds[w.id] = h
		if w.asked {
			return l.unpark(ctx, w, now)
		}
	}
	// Its jobs are over, or it cannot have the group.
	l.queue.Remove(w.id)
	l.free(w.id)
	w.asked, w.why = false, ""
	if r.holds != nil && r.holds.err != nil {
		return l.stopWorkflow(ctx, w, r.holds.err.Error())
	}
	if len(w.parked) > 0 { // taken up again meanwhile
		l.ask(w, now)
	}
	return l.start(ctx, now)
}

// unpark lets the jobs of a workflow go on.
func (l *loop) unpark(ctx context.Context, w *workflow, now time.Time) error {
	parked := w.parked
	w.has, w.parked, w.why = true, nil, ""
	for _, id := range parked {
		j, _ := l.run.Job(id)
		switch {
		case j.Status != run.Pending && j.Status != run.Waiting:
		case j.Plan.Late == nil:
			l.push(id, now)
		case j.Status == run.Waiting:
			changes, err := l.run.Apply(event.Fact{At: now, Kind: event.Queued, Job: id}) // it is asked for again
			if err != nil {
				return err
			}
			if err := l.take(ctx, changes); err != nil {
				return err
			}
		default:
			l.pushLate(ctx, id, now)
		}
	}
	return l.start(ctx, now)
}

// stopWorkflow cancels the jobs of a workflow that are not over.
func (l *loop) stopWorkflow(ctx context.Context, w *workflow, why string) error {
	return l.take(ctx, l.run.Cancel(w.jobs, why, time.Now()))
}

// name is how a person calls a job or a workflow of the queue.
func (l *loop) name(id string) string {
	if w := l.flows[id]; w != nil {
		if w.Name != "" {
			return "workflow " + w.Name
		}
		return "workflow " + strings.TrimPrefix(w.id, flowID(""))
	}
	if j, ok := l.run.Job(id); ok {
		return jobName(j.Plan)
	}
	return id
}
