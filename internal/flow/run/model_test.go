package run_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// model is a run as the plain specification has it: after every fact each job that is created is looked at, with all
// the jobs before it summed up from the beginning, until nothing moves. It is slow and obvious.
type model struct {
	p        *plan.Plan
	o        run.Options
	jobs     []*mjob
	now      time.Time
	canceled bool
}

type mjob struct {
	*plan.Job
	stage     int
	status    run.Status
	allowed   bool
	attempt   int
	began     bool // the present attempt
	canceling bool
	forced    bool
	out       bool // not selected
	until     time.Time
}

func newModel(p *plan.Plan, o run.Options) *model {
	m := &model{p: p, o: o, now: noon}
	for _, j := range p.Jobs {
		mj := &mjob{Job: j, stage: slices.Index(p.Stages, j.Stage), status: run.Created, allowed: j.AllowFailure.Any}
		if o.Choice != nil && !o.Choice.Selected[j.ID] {
			mj.out, mj.forced, mj.status = true, true, run.Skipped
		} else if j.When == plan.Never && (!j.Graph || len(j.Needs) == 0) {
			mj.forced, mj.status = true, run.Skipped
		}
		m.jobs = append(m.jobs, mj)
	}
	m.settle()
	return m
}

// sum is lib/gitlab/ci/status/composite as its specification words it. dag is for the needs of a job.
func sum(jobs []*mjob, dag bool) run.Status {
	is := map[string]bool{}
	for _, j := range jobs {
		switch {
		case j.out:
		case j.allowed && (j.status == run.Failed || j.status == run.Canceled):
			is["warned"] = true
		case j.allowed && j.status == run.Manual:
			is["ignored"] = true
		default:
			is[string(j.status)] = true
		}
	}
	only := func(names ...string) bool {
		for name := range is {
			if !slices.Contains(names, name) {
				return false
			}
		}
		return len(is) > 0
	}
	switch {
	case len(is) == 0:
		return run.Success
	case dag && (is["skipped"] || is["ignored"]):
		return run.Skipped
	case only("skipped", "ignored"):
		return run.Skipped
	case only("success", "skipped", "warned", "ignored"):
		return run.Success
	case only("created", "warned", "ignored"):
		return run.Created
	case only("canceled", "success", "skipped", "warned", "ignored"):
		return run.Canceled
	case only("pending", "created", "skipped", "warned", "ignored"):
		return run.Pending
	case is["running"] || is["pending"]:
		return run.Running
	case is["waiting"]:
		return run.Waiting
	case is["manual"]:
		return run.Manual
	case is["delayed"]:
		return run.Delayed
	case is["created"]:
		return run.Running
	default:
		return run.Failed
	}
}

// open reports whether a job still stands between those after it and their start.
func (j *mjob) open() bool {
	return !j.out && !j.status.Over() && !(j.status == run.Manual && j.allowed)
}

func (m *model) before(j *mjob) (out []*mjob) {
	for _, b := range m.jobs {
		if !j.Graph && b.stage < j.stage || j.Graph && slices.ContainsFunc(j.Needs, func(n plan.Need) bool { return n.Job == b.ID }) {
			if !b.out {
				out = append(out, b)
			}
		}
	}
	return out
}

func (m *model) settle() {
	for moved := true; moved; {
		moved = false
		for stage := range m.p.Stages {
			for _, j := range m.jobs {
				if j.stage == stage && j.status == run.Created && m.look(j) {
					moved = true
				}
			}
		}
	}
}

// look decides on one job that is created, where it can be.
func (m *model) look(j *mjob) bool {
	before := m.before(j)
	if j.When == plan.Never { // what waits for it waits for those before it too
		if slices.ContainsFunc(before, (*mjob).open) {
			return false
		}
		j.status, j.forced = run.Skipped, true
		return true
	}
	prior := sum(before, j.Graph)
	if slices.ContainsFunc(before, (*mjob).open) && (!j.Graph || prior != run.Skipped || j.When == plan.Always) {
		return false
	}
	var valid []run.Status
	switch j.When {
	case plan.OnFailure:
		valid = []run.Status{run.Failed}
		if len(before) == 0 && m.o.Choice != nil && m.o.Choice.Named[j.ID] {
			valid = append(valid, run.Success)
		}
	case plan.Always:
		valid = []run.Status{run.Success, run.Failed, run.Skipped}
	default:
		if valid = []run.Status{run.Success}; !j.Graph {
			valid = append(valid, run.Skipped)
		}
	}
	wanted := slices.Contains(m.o.Play, j.ID) || m.o.Choice != nil && slices.Contains(m.o.Choice.Play, j.ID)
	switch {
	case !slices.Contains(valid, prior):
		j.status = run.Skipped
	case j.When == plan.Manual && !wanted && !m.o.PlayAll:
		j.status = run.Manual
	case j.When == plan.Delayed && !wanted:
		j.status, j.until = run.Delayed, m.now.Add(j.Delay)
	default:
		j.begin()
	}
	return true
}

func (j *mjob) begin() {
	j.status, j.began, j.canceling, j.allowed = run.Pending, false, false, j.AllowFailure.Any
	j.attempt++
}

func (m *model) status() run.Status {
	st := sum(m.jobs, false)
	if st == run.Manual && m.canceled {
		return run.Canceled
	}
	return st
}

func (m *model) done() bool {
	return !slices.ContainsFunc(m.jobs, func(j *mjob) bool {
		return j.status == run.Pending || j.status == run.Waiting || j.status == run.Running || j.status == run.Delayed
	})
}

// apply takes a fact in, or refuses it.
func (m *model) apply(f event.Fact) bool {
	m.now = f.At
	if f.Kind == event.Timed {
		for _, j := range m.jobs {
			if j.status == run.Delayed && !j.until.After(f.At) {
				j.begin()
			}
		}
		m.settle()
		return true
	}
	if m.done() && m.status().Over() && !m.o.Open {
		return false
	}
	if f.Job == "" {
		if f.Kind == event.Canceled {
			m.cancel()
		} else {
			m.retryAll()
		}
		m.settle()
		return true
	}
	i := slices.IndexFunc(m.jobs, func(j *mjob) bool { return j.ID == f.Job })
	if i < 0 || m.jobs[i].out || !m.one(m.jobs[i], f) {
		return false
	}
	m.settle()
	return true
}

func (m *model) cancel() {
	m.canceled = true
	for _, j := range m.jobs {
		switch j.status {
		case run.Created, run.Pending, run.Waiting, run.Delayed:
			j.status = run.Canceled
		case run.Running:
			j.canceling = true
		}
	}
}

func (m *model) retryAll() {
	if !slices.ContainsFunc(m.jobs, func(j *mjob) bool { return j.status == run.Failed || j.status == run.Canceled }) {
		return
	}
	m.canceled = false
	for _, j := range m.jobs {
		if !j.forced && (j.status == run.Failed || j.status == run.Canceled || j.status == run.Skipped) {
			j.status, j.allowed, j.began, j.canceling = run.Created, j.AllowFailure.Any, false, false
		}
	}
}

// revive puts back what was skipped behind j.
func (m *model) revive(j *mjob) {
	behind := map[string]bool{j.ID: true}
	for range m.jobs {
		for _, a := range m.jobs {
			for _, n := range a.Needs {
				behind[a.ID] = behind[a.ID] || a.Graph && behind[n.Job]
			}
		}
	}
	for _, a := range m.jobs {
		if a.status == run.Skipped && !a.forced && (a.stage > j.stage || behind[a.ID]) {
			a.status = run.Created
		}
	}
}

func (m *model) one(j *mjob, f event.Fact) bool {
	in := func(states ...run.Status) bool { return slices.Contains(states, j.status) }
	switch f.Kind {
	case event.Queued:
		if !in(run.Waiting, run.Pending) {
			return false
		}
		j.status = run.Pending
	case event.Waiting:
		if !in(run.Waiting, run.Pending) {
			return false
		}
		j.status = run.Waiting
	case event.Started:
		if !in(run.Waiting, run.Pending) {
			return false
		}
		j.status, j.began = run.Running, true
	case event.Finished:
		if !in(run.Running) && (f.Failure == "" || !in(run.Pending, run.Waiting)) {
			return false
		}
		m.finish(j, f)
	case event.Played:
		if !in(run.Manual, run.Delayed) {
			return false
		}
		if j.status == run.Manual {
			m.canceled = false
		}
		j.begin()
		m.revive(j)
	case event.Retried:
		if !in(run.Success, run.Failed, run.Canceled) {
			return false
		}
		m.canceled = false
		j.begin()
		m.revive(j)
	case event.Canceled:
		switch {
		case in(run.Running):
			j.canceling = true
		case in(run.Created, run.Pending, run.Waiting, run.Delayed):
			j.status = run.Canceled
		default:
			return false
		}
	case event.Skipped:
		if !in(run.Created, run.Pending, run.Waiting, run.Delayed, run.Manual) {
			return false
		}
		j.status, j.forced = run.Skipped, true
	}
	return true
}

func (m *model) finish(j *mjob, f event.Fact) {
	switch {
	case j.canceling || f.Failure == "canceled":
		j.status, j.canceling = run.Canceled, false
	case f.Failure == "":
		j.status = run.Success
	case run.Again(j.Job, j.attempt, f.Failure, f.Exit, j.began):
		j.begin()
	default:
		j.status = run.Failed
		j.allowed = j.AllowFailure.Any || f.Exit != nil && slices.Contains(j.AllowFailure.ExitCodes, *f.Exit)
		if !j.allowed {
			m.failFast(j)
		}
		if !j.allowed && m.p.Cancel != nil && m.p.Cancel.OnJobFailure == "all" && !m.canceled {
			m.cancel()
		}
	}
}

// failFast stops the other legs of a matrix.
func (m *model) failFast(j *mjob) {
	for _, leg := range m.jobs {
		if j.Strategy == nil || !j.Strategy.FailFast || leg == j || leg.Strategy == nil || leg.Strategy.Set != j.Strategy.Set {
			continue
		}
		if leg.status == run.Running {
			leg.canceling = true
		} else if !leg.status.Over() {
			leg.status = run.Canceled
		}
	}
}

// String is what the model and a run must agree on.
func (m *model) String() string {
	out := fmt.Sprintln(m.status(), m.done())
	for _, j := range m.jobs {
		out += fmt.Sprintln(j.ID, j.status, j.attempt, j.allowed, j.canceling)
	}
	return out
}

func asModel(r *run.Run) string {
	out := fmt.Sprintln(r.Status(), r.Done())
	for _, j := range r.Jobs() {
		out += fmt.Sprintln(j.ID, j.Status, j.Attempt, j.Allowed, j.Canceling)
	}
	return out
}
