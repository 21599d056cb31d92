// Package agent takes one attempt of a job to its end: it opens a host, carries out the actions that the job's program
// asks for, streams what the job writes and says how it ended. It knows no dialect and decides nothing.
package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Work is one attempt of one job.
type Work struct {
	Run     string
	ID      string // of the job in its run
	Key     string // the job's name as a file name, unique in the run
	Attempt int
	Job     *plan.Job
	Scope   *plan.Plan       // the plan that the job is part of
	Inputs  []Input          // what the job takes over, in order
	Needs   []program.Before // the jobs that it names as needs, in order
	Started time.Time
	Manual  bool // a person played it
}

// Input is a job whose artifacts and outputs this one takes.
type Input struct {
	ID, Name string
	Outputs  []plan.Variable
}

// Dialect writes the program of a job.
type Dialect interface {
	// Order says what kind of host the job wants.
	Order(w Work) (program.Order, error)
	// Program is called once the host's paths are known.
	Program(w Work, paths program.Paths) (program.Program, error)
}

// Log takes what a job writes.
type Log interface {
	program.Output
	Mask(values []string)
	Watch(pattern string) error
	Matched() string
	Section(s program.Section) error
}

// Agent does work. The zero Default means an hour, as GitLab's projects have. Of the ports from Actions on any may be
// nil: an action that needs it fails then, and says what is missing.
type Agent struct {
	Executor func(*plan.Job) program.Executor
	Dialect  Dialect
	Store    Store
	Default  time.Duration

	Actions   Actions
	Trees     Trees
	Tools     Tools
	Artifacts Artifacts
	Services  Services
	Digests   Digests

	// Hurry, once closed, ends also what runs in any case (after_script). nil: never.
	Hurry <-chan struct{}
	// Keep says whether the workspace of a job that ended so stays.
	Keep func(w Work, r program.Result) bool
	// Failed is called with the open host of a job that failed, before it is closed (--shell-on-failure).
	Failed func(ctx context.Context, w Work, env []string, h program.Host)
}

// errHurry is the cause of a context that Hurry ended.
var errHurry = errors.New("killed")

// hurried is a context that also ends when Hurry is closed; release ends its watch.
func (a *Agent) hurried(ctx context.Context) (context.Context, func()) {
	if a.Hurry == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-a.Hurry:
			cancel(errHurry)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-watched
	}
}

// Do takes the work to its end. Canceling ctx cancels the job: its program still gets to run what it runs in any case
// (after_script), each with its own bound.
func (a *Agent) Do(ctx context.Context, w Work, log Log) program.Result {
	limit := a.Timeout(w.Job)
	jobCtx, stop := context.WithTimeoutCause(ctx, limit, errTimeout(limit))
	defer stop()
	order, err := a.Dialect.Order(w)
	if err != nil {
		return failed(jobCtx, err)
	}
	host, err := a.Executor(w.Job).Open(jobCtx, order, log)
	if err != nil {
		return failed(jobCtx, err)
	}
	session := session{agent: a, work: w, host: host, log: log, job: jobCtx, outer: ctx}
	result := session.drive()
	session.end()
	if result.Failure != "" && result.Failure != program.Canceled && a.Failed != nil {
		a.Failed(ctx, w, session.env, host)
	}
	closing, end := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer end()
	if err := host.Close(closing, a.Keep != nil && a.Keep(w, result)); err != nil && result.Failure == "" {
		result.Failure, result.Message = program.SystemFailure, fmt.Sprintf("clean up after the job: %v", err)
	}
	return result
}

// Timeout is how long a job may take.
func (a *Agent) Timeout(j *plan.Job) time.Duration {
	switch {
	case j.Timeout > 0:
		return j.Timeout
	case a.Default > 0:
		return a.Default
	default:
		return time.Hour
	}
}

// closeTime bounds the clean-up after a job.
const closeTime = time.Minute

// timeoutError is the cause of a job's own deadline.
type timeoutError struct{ limit time.Duration }

func errTimeout(limit time.Duration) error { return timeoutError{limit} }

func (e timeoutError) Error() string {
	return fmt.Sprintf("the job ran longer than its timeout of %s", e.limit)
}

// failed turns an error of the machinery into the job's end.
func failed(ctx context.Context, err error) program.Result {
	f, message := classify(ctx, err)
	return program.Result{Failure: f, Message: message}
}

// classify says what kind of failure an error is: the job's deadline, a cancel, or the machine's.
func classify(ctx context.Context, err error) (program.Failure, string) {
	if cause := context.Cause(ctx); cause != nil {
		if _, ok := errors.AsType[timeoutError](cause); ok {
			return program.ExecutionTimeout, cause.Error()
		}
		return program.Canceled, cause.Error()
	}
	if e, ok := errors.AsType[*program.Error](err); ok {
		return e.Failure, e.Error()
	}
	return program.SystemFailure, err.Error()
}
