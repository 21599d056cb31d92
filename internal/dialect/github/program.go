package github

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/command"
	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// NewProgram is the conversation of one attempt of a job, in the order of GitHub's runner: set up the job (masks, the
// event's payload, variables, all actions of other repositories), the actions' pre steps, the steps, the actions' post
// steps in reverse order, and the job's outputs. in.Paths must be set.
func NewProgram(in Attempt) program.Program {
	w := newWalk(in)
	next, stop := iter.Pull(w.run)
	return &conversation{walk: w, next: next, stop: stop}
}

// conversation hands the walk's actions out one by one. The walk is a coroutine: it stands still in do while its action
// is carried out, so that what it does reads from top to bottom.
type conversation struct {
	walk *walk
	next func() (program.Action, bool)
	stop func()
}

// Next gives the outcome of the last action to the walk, and the walk's next action.
func (c *conversation) Next(last program.Outcome) (program.Action, bool) {
	c.walk.last = last
	a, ok := c.next()
	if !ok {
		c.stop()
	}
	return a, ok
}

// Result is how the job ended, once Next has no more.
func (c *conversation) Result() program.Result { return c.walk.result }

// status is how the job, a composite action or a step stands, as the contexts job and steps name it.
type status string

const (
	success   status = "success"
	failure   status = "failure"
	cancelled status = "cancelled"
	skipped   status = "skipped"
)

// worse is the worse of two.
func worse(a, b status) status {
	if a == cancelled || b == cancelled {
		return cancelled
	}
	if a == failure || b == failure {
		return failure
	}
	return a
}

// walk goes through the steps of a job.
type walk struct {
	Attempt
	own *Own

	yield func(program.Action) bool
	gone  bool // nobody listens any more
	last  program.Outcome

	result   program.Result
	status   status
	env      environ  // of the job: the workflow's, the job's, and what GITHUB_ENV adds
	path     []string // put before PATH, the last first
	masks    []string
	matchers []*command.Matcher
	loaded   map[string][]string // owners of matchers, by the file that they are from
	top      *scope
	numbers  int             // of steps, for the names of their folds
	slots    map[string]slot // of command files, by context
	shown    int             // summaries
	services []string        // the environment that reaches them
	served   bool
	opened   bool                        // the checkout that filled the workspace at the beginning has had its turn
	used     []*use                      // what the job's steps use, nil for those that run a script
	resolved map[string]program.Outcome  // actions that were brought in
	metas    map[string]*workflow.Action // metadata that was read, by its text
	nodes    map[string]string           // where a Node.js is, by the version asked for
	secrets  *expr.Value
	github   expr.Value // without what changes from step to step
	runner   expr.Value
}

func newWalk(in Attempt) *walk {
	w := &walk{
		Attempt: in, own: OwnOf(in.Job), status: success, loaded: map[string][]string{},
		resolved: map[string]program.Outcome{}, metas: map[string]*workflow.Action{}, slots: map[string]slot{}, nodes: map[string]string{},
	}
	w.top = &scope{w: w}
	return w
}

// run is the whole job.
func (w *walk) run(yield func(program.Action) bool) {
	w.yield = yield
	if w.own == nil {
		w.fail(program.SystemFailure, "the job is none of a GitHub workflow", nil)
		return
	}
	if !w.setUp() {
		w.finish()
		return
	}
	w.steps()
	w.unwind(w.top)
	w.finish()
}

// do carries out an action and returns how it went.
func (w *walk) do(a program.Action) program.Outcome {
	if w.gone || w.yield == nil || !w.yield(a) {
		w.gone = true
		return program.Outcome{Failure: program.Canceled, Message: "the job's program was given up"}
	}
	o := w.last
	switch a.(type) {
	case program.Exec, program.Contain: // may have a time of their own
	default:
		if o.Failure == program.Canceled || o.Failure == program.ExecutionTimeout {
			w.cancel(o)
		}
	}
	return o
}

// cancel notes that the job was canceled, or that its time is over: GitHub cancels it then (documentation page "Workflow
// syntax", jobs.<job_id>.timeout-minutes), so that cancelled() holds after it and failure() does not.
func (w *walk) cancel(o program.Outcome) {
	w.status = cancelled
	if w.result.Failure == program.Canceled {
		return
	}
	w.result.Failure, w.result.Message, w.result.Exit = program.Canceled, o.Message, nil
	if o.Failure == program.ExecutionTimeout {
		w.result.Message = fmt.Sprintf("The job has exceeded the maximum execution time of %s", w.Job.Timeout)
		w.complain("%s", w.result.Message)
	}
}

// fail notes why the job failed; the first reason counts.
func (w *walk) fail(f program.Failure, message string, exit *int) {
	if w.status == success {
		w.status = failure
	}
	if w.result.Failure == "" {
		w.result.Failure, w.result.Message, w.result.Exit = f, w.redact(brief(message)), exit
	}
}

// coded is a stable code as it stands behind a message, and before a hint.
var coded = lazy.Pattern(`\[SL[0-9]{4}\]`)

// brief is a message without the hint behind its code, which the log has.
func brief(message string) string {
	if m := coded.FindStringIndex(message); m != nil {
		return message[:m[1]]
	}
	return message
}

func (w *walk) say(format string, args ...any) {
	w.do(program.Say{Text: fmt.Sprintf(format, args...)})
}

func (w *walk) warn(format string, args ...any) {
	w.do(program.Say{Text: fmt.Sprintf(format, args...), Warning: true})
}

// complain writes an error as GitHub's log shows it, and keeps it as a note.
func (w *walk) complain(format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	w.note(program.Note{Level: "error", Message: message})
	w.do(program.Say{Text: "Error: " + message})
}

// complainOf is complain of an error; its note has the place where the error has one.
func (w *walk) complainOf(err error) {
	n := program.Note{Level: "error", Message: err.Error()}
	if f, ok := errors.AsType[*fault.Fault](err); ok && !f.Place.IsZero() {
		n.Message = strings.TrimPrefix(n.Message, f.Place.String()+": ")
		n.File, n.Line, n.Column = f.Place.File, f.Place.Line, f.Place.Column
	}
	w.note(n)
	w.do(program.Say{Text: "Error: " + err.Error()})
}

// caution writes a warning as GitHub's log shows it, and keeps it as a note.
func (w *walk) caution(format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	w.note(program.Note{Level: "warning", Message: message})
	w.do(program.Say{Text: message, Warning: true})
}

// maxNotes bounds what a job says about lines of files.
const maxNotes = 5_000

func (w *walk) note(notes ...program.Note) {
	for _, n := range notes {
		if len(w.result.Notes) < maxNotes {
			n.Title, n.Message = w.redact(n.Title), w.redact(n.Message)
			w.result.Notes = append(w.result.Notes, n)
		}
	}
}

// mask hides values from now on.
func (w *walk) mask(values ...string) {
	var fresh []string
	for _, v := range values {
		if strings.TrimSpace(v) != "" && !slices.Contains(fresh, v) && !slices.Contains(w.masks, v) {
			fresh = append(fresh, v)
		}
	}
	if len(fresh) > 0 {
		w.masks = append(w.masks, fresh...)
		w.do(program.Mask{Values: fresh})
	}
}

// secret reports whether a text holds a value that is hidden.
func (w *walk) secret(text string) bool {
	for _, m := range w.masks {
		if strings.Contains(text, m) {
			return true
		}
	}
	return false
}

// redact puts *** in the place of what is hidden: titles, notes and summaries also go where no log hides it.
func (w *walk) redact(text string) string {
	for _, m := range w.masks {
		text = strings.ReplaceAll(text, m, "***")
	}
	return text
}

// fold is a section of the log.
func (w *walk) fold(name, header string) (end func()) {
	w.do(program.Section{Name: name, Header: header, Start: true})
	return func() { w.do(program.Section{Name: name}) }
}

// finish evaluates the job's outputs and the address of its environment, as the runner does whatever became of the
// steps, and says how the job ended.
func (w *walk) finish() {
	w.outputs()
	if e := w.own.Job.Environment; e != nil && e.URL.Set && w.result.Failure == "" {
		url, err := w.top.text(e.URL, nil)
		if err != nil {
			w.caution("the address of the environment is not known: %v", err)
		} else if url != "" {
			name := ""
			if w.Job.Environment != nil {
				name = w.Job.Environment.Name
			}
			w.result.Links = append(w.result.Links, program.Link{Label: strings.TrimSpace("environment " + name), URL: w.redact(url)})
		}
	}
}

// maxOutput is the most that one output of a job may hold, in bytes (GitHub documentation, "Workflow syntax",
// jobs.<job_id>.outputs).
const maxOutput = 1 << 20

// outputs are what jobs that need this one may read. GitHub drops those that may hold a secret.
func (w *walk) outputs() {
	for i := range w.own.Job.Outputs {
		out := &w.own.Job.Outputs[i]
		value, err := w.top.text(out.Value, nil)
		name := out.Name.Value
		switch {
		case err != nil:
			w.complainOf(err)
			w.fail(program.ConfigurationFailed, fmt.Sprintf("the output %s cannot be evaluated: %v", name, err), nil)
		case value == "":
		case w.secret(value):
			w.caution("Skip output '%s' since it may contain secret. [%s]", name, CodeSecretOutput)
		case len(value) > maxOutput:
			w.complain("the output %s has %d KiB; an output may have 1 MiB [%s]", name, len(value)>>10, CodeOutputSize)
			w.fail(program.ConfigurationFailed, fmt.Sprintf("the output %s is larger than 1 MiB", name), nil)
		default:
			w.result.Outputs = append(w.result.Outputs, plan.Variable{Name: name, Value: value, Raw: true})
		}
	}
}
