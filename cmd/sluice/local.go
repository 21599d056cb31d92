package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/store"
	"github.com/sluice-delivery/sluice/internal/engine/agent"
	"github.com/sluice-delivery/sluice/internal/engine/dispatch"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
	"github.com/sluice-delivery/sluice/internal/web/terminal"
)

// local is one run on this machine: it stands between the loop, the agent, the dialect and the view.
type local struct {
	*streams
	flags    *runFlags
	pipeline *pipeline
	plan     *plan.Plan
	choice   *plan.Choice
	run      *run.Run
	state    string // the folder .sluice
	record   *store.Run
	rec      store.Record
	view     terminal.View
	agent    *agent.Agent
	hosts    *hosts
	mask     *logs.Mask
	base     []string // the environment that jobs on this machine begin with
	shells   sync.Mutex

	mu      sync.Mutex
	inner   map[string][]string // names given of jobs that late jobs become, by their IDs
	numbers map[string]int
	results map[string]program.Result
	took    map[string]time.Duration
	failed  error // the first error that is nobody's job's: a record that can't be written
}

// local runs the plan and says with which code to end.
func (s *streams) local(ctx context.Context, r *runFlags, pl *pipeline, p *plan.Plan, choice *plan.Choice, snap *snapshot) error {
	began := time.Now()
	state, err := openState(pl.repo.Root)
	if err != nil {
		return err
	}
	if err := recoverCrashed(ctx, state); err != nil {
		fmt.Fprintf(s.err, "sluice: what an earlier run left: %v\n", err)
	}
	l := &local{
		streams: s, flags: r, pipeline: pl, plan: p, choice: choice, state: state, base: baseEnvironment(),
		inner: map[string][]string{}, numbers: map[string]int{}, results: map[string]program.Result{}, took: map[string]time.Duration{},
	}
	if choice != nil {
		l.narrow(choice, "")
	}
	l.hosts, err = newHosts(ctx, r, pl, p, snap)
	if err != nil {
		return err
	}
	defer l.hosts.close()
	l.rec = store.Record{
		ID: pl.occasion.RunID, Number: pl.occasion.Number, Event: eventOf(pl, p), Ref: refOf(pl), SHA: pl.occasion.Commit.SHA,
		Dirty: pl.occasion.Dirty, File: pl.file, Status: run.Running, Started: began, Owner: executor.Owner(),
	}
	if l.record, err = store.Create(state, l.rec); err != nil {
		return err
	}
	l.mask = pl.mask
	kept := &blob.Store{Dir: state, Copy: r.keep || r.shellOnFailure}
	l.agent = &agent.Agent{Executor: l.hosts.of, Dialect: l, Store: shelf{Store: kept, mask: pl.mask}, Keep: l.keep, Hurry: r.hurry}
	if d, ok := pl.dialect.(*githubDialect); ok {
		tree, err := snap.wait()
		if err != nil {
			return err
		}
		l.agent.Store = shelf{kept, pl.mask, d.scopes()}
		shop := newWorkshop(d, state, tree, kept)
		shop.equip(l.agent)
		defer func() {
			if err := shop.close(); err != nil {
				fmt.Fprintf(s.err, "sluice: %v\n", err)
			}
		}()
	}
	if r.shellOnFailure {
		l.agent.Failed = l.openShell
	}
	if l.view, err = s.newView(r); err != nil {
		return err
	}
	if r.progress != "quiet" {
		s.tell(pl)
	}
	l.view.Begin(l.head())
	status, driveErr := l.drive(ctx)
	summary := l.summary(ctx, status, time.Since(began))
	viewErr := l.view.Close(masked(l.mask, summary))
	now := time.Now()
	l.rec.Status, l.rec.Finished = status, &now
	if d, ok := pl.dialect.(*githubDialect); ok {
		for _, u := range d.sources().Used() {
			l.rec.Sources = append(l.rec.Sources, store.Source(u))
		}
	}
	if err := errors.Join(driveErr, l.failed, l.record.Put(l.rec), l.record.Close(), viewErr); err != nil {
		return err
	}
	if summary.Exit != exitOK {
		return &exitError{code: summary.Exit}
	}
	return nil
}

// drive starts the run and takes it to its end. Where the event triggers nothing, there is nothing to be skipped either,
// and yet that is what happened.
func (l *local) drive(ctx context.Context) (run.Status, error) {
	o := run.Options{ID: l.rec.ID, Choice: l.choice, Play: l.flags.manual}
	if slices.Contains(o.Play, "*") {
		o.PlayAll = true
	}
	var first []run.Change
	l.run, first = run.New(l.plan, o, time.Now())
	if len(l.plan.Jobs) == 0 {
		return run.Skipped, nil
	}
	d := &dispatch.Driver{Agent: l, Binder: l, Watcher: l, Groups: groups{store.Groups{Dir: l.state}, l.mask}, Slots: l.flags.slots, Hurry: l.flags.hurry}
	err := d.Drive(ctx, l.rec.ID, l.run, first, nil)
	return l.run.Status(), err
}

// Do takes one attempt of a job to its end (dispatch.Agent).
func (l *local) Do(ctx context.Context, lease dispatch.Lease) program.Result {
	began := time.Now()
	w := agent.Work{
		Run: lease.Run, ID: lease.ID, Key: blob.FileName(lease.ID), Attempt: lease.Attempt, Job: lease.Job, Scope: lease.Scope,
		Started: lease.Started, Manual: lease.Manual, Needs: lease.Needs,
	}
	for _, in := range lease.Inputs {
		w.Inputs = append(w.Inputs, agent.Input(in))
	}
	var sink store.Sink
	if l.view.WantsLines() {
		sink = lineSink{l.view, lease.ID, lease.Job}
	}
	log, err := l.record.Log(w.Key, l.mask, sink)
	if err != nil {
		return program.Result{Failure: program.SystemFailure, Message: err.Error()}
	}
	result := l.agent.Do(ctx, w, log)
	if err := log.Close(); err != nil && result.Failure == "" {
		result.Failure, result.Message = program.SystemFailure, err.Error()
	}
	result.Message = l.mask.Text(result.Message)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took[lease.ID] += time.Since(began)
	return result
}

// Changed records a change and shows it (dispatch.Watcher).
func (l *local) Changed(c run.Change) {
	if err := l.record.Append(c); err != nil && l.failed == nil {
		l.failed = err
	}
	j, _ := l.run.Job(c.Job)
	l.view.Changed(c, j)
}

// Ended keeps how an attempt ended, for the summary (dispatch.Watcher).
func (l *local) Ended(lease dispatch.Lease, r program.Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.results[lease.ID] = r
}

// Order says what host the job wants (agent.Dialect).
func (l *local) Order(w agent.Work) (program.Order, error) {
	o, err := l.pipeline.order(l.attempt(w))
	o.Project = l.pipeline.occasion.Repository.Path
	return o, err
}

// Program is the job's conversation (agent.Dialect).
func (l *local) Program(w agent.Work, paths program.Paths) (program.Program, error) {
	return l.pipeline.program(l.attempt(w), paths), nil
}

func (l *local) attempt(w agent.Work) attempt {
	a := attempt{Work: w, number: l.number(w.ID), timeout: l.agent.Timeout(w.Job), container: l.hosts.container(w.Job)}
	if !a.container {
		a.base = l.base
	}
	return a
}

// number is the job's number, unique in the repository: the run's, then the order of the starts.
func (l *local) number(id string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.numbers[id] == 0 {
		l.numbers[id] = l.rec.Number*jobsPerRun + len(l.numbers) + 1
	}
	return l.numbers[id]
}

// jobsPerRun keeps the numbers of two runs' jobs apart: no plan has as many.
const jobsPerRun = 1_000_000

// keep says whether a workspace stays when its job is done.
func (l *local) keep(agent.Work, program.Result) bool { return l.flags.keep }

// lineSink passes a job's lines to the view (store.Sink).
type lineSink struct {
	view terminal.View
	id   string
	job  *plan.Job
}

func (s lineSink) Line(stream program.Stream, line logs.Line) {
	s.view.Line(terminal.Line{Job: s.id, Name: s.job.Name, Stream: stream, Text: line.Text, More: line.Continued})
}

func (s lineSink) Section(e logs.Event) {
	s.view.Section(run.Job{ID: s.id, Plan: s.job}, e)
}

// ownVariables are those by which git is led to one repository (git rev-parse --local-env-vars) and to what a hook's git
// has set up: a run that a hook starts has them, and its jobs have repositories of their own.
var ownVariables = map[string]bool{
	"GIT_DIR": true, "GIT_WORK_TREE": true, "GIT_IMPLICIT_WORK_TREE": true, "GIT_INDEX_FILE": true, "GIT_COMMON_DIR": true,
	"GIT_OBJECT_DIRECTORY": true, "GIT_ALTERNATE_OBJECT_DIRECTORIES": true, "GIT_QUARANTINE_PATH": true, "GIT_GRAFT_FILE": true,
	"GIT_SHALLOW_FILE": true, "GIT_NO_REPLACE_OBJECTS": true, "GIT_REPLACE_REF_BASE": true, "GIT_PREFIX": true,
	"GIT_INTERNAL_SUPER_PREFIX": true, "GIT_NAMESPACE": true, "GIT_CONFIG": true, "GIT_CONFIG_PARAMETERS": true,
	"GIT_CONFIG_COUNT": true, "GIT_REFLOG_ACTION": true, "GIT_CEILING_DIRECTORIES": true, "GIT_DEFAULT_HASH": true,
}

// baseEnvironment is ours without what belongs to this process alone.
func baseEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.HasPrefix(name, "SLUICE_") || ownVariables[name] || strings.HasPrefix(name, "GIT_CONFIG_KEY_") || strings.HasPrefix(name, "GIT_CONFIG_VALUE_")
	})
}

func refOf(pl *pipeline) string {
	if pl.occasion.Tag != "" {
		return pl.occasion.Tag
	}
	return pl.occasion.Branch
}

// eventOf is what people call the event of a run: as they gave it, or what a workflow that was named is run by.
func eventOf(pl *pipeline, p *plan.Plan) string {
	if pl.found.dialect == "github" && len(p.Workflows) == 1 {
		for _, v := range p.Workflows[0].Why.Values {
			if v.Name == "github.event_name" {
				return v.Value
			}
		}
	}
	return orText(pl.occasion.Given, string(pl.occasion.Name))
}

// openShell lets a person look into a job that failed, with the environment that its script had. One at a time.
func (l *local) openShell(ctx context.Context, w agent.Work, env []string, h program.Host) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		fmt.Fprintf(terminal.Writer(l.view, l.err), "sluice: no shell for %s: there is no terminal\n", w.Job.Name)
		return
	}
	defer tty.Close()
	l.shells.Lock()
	defer l.shells.Unlock()
	defer terminal.Pause(l.view)()
	if w.Job.Image != nil && l.hosts.container(w.Job) {
		fmt.Fprintf(tty, "\n%s failed in a container; this shell is in its workspace on this machine\n", w.Job.Name)
	}
	fmt.Fprintf(tty, "\n%s failed; its workspace is %s. Leave the shell to go on.\n", w.Job.Name, h.Paths().Workspace)
	cmd := exec.CommandContext(ctx, h.Paths().Shell)
	cmd.Dir, cmd.Env = h.Paths().Workspace, append(slices.Clone(env), "PS1="+filepath.Base(w.Job.Name)+"$ ")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		if _, left := errors.AsType[*exec.ExitError](err); !left {
			fmt.Fprintf(terminal.Writer(l.view, l.err), "sluice: the shell for %s: %v\n", w.Job.Name, err)
		}
	}
}
