package github

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// step is one step while it runs: a step of the job or of a composite action, or the pre or post part of an action.
type step struct {
	def    *workflow.Step
	scope  *scope
	name   string // github.action
	title  string
	number int // of the step's fold
	source source
	env    environ // the context env
	own    environ // what of it the step itself sets
	state  *environ
	ran    *ran
	limit  time.Duration
	spent  time.Duration // by the steps of a composite action
	apart  bool          // it is the pre or post part of an action
	always bool          // it also runs after a cancel
}

// ending is how a step went by itself, before continue-on-error.
type ending struct {
	status  status
	failure program.Failure
	message string
	exit    *int
}

var fine = ending{status: success}

func broken(f program.Failure, format string, args ...any) ending {
	return ending{status: failure, failure: f, message: fmt.Sprintf(format, args...)}
}

// steps runs the job's steps in order.
func (w *walk) steps() {
	for i, def := range w.own.Job.Steps {
		w.step(w.top, def, w.used[i])
	}
}

// step runs one step where its condition holds, and notes how it went. use is the action that it uses, nil for run.
func (w *walk) step(s *scope, def *workflow.Step, u *use) {
	at := w.begin(s, def, u)
	s.remember(def.ID.Value, at.ran)
	vars, err := s.variables(def.Env, at)
	at.own = vars
	at.env.add(&vars)
	if err != nil {
		w.conclude(at, w.invalid(at, err))
		return
	}
	ok, err := s.holds(def.If, at, s.stand())
	if err != nil {
		w.conclude(at, w.invalid(at, err))
		return
	}
	if !ok {
		at.ran.outcome, at.ran.conclusion = skipped, skipped
		if def.If != nil && s.stand().own == success {
			w.say("Skipped %s: its condition does not hold: %s", at.title, strings.TrimSpace(def.If.Text.Value))
		}
		return
	}
	at.always, _ = s.holds(def.If, at, both(cancelled))
	at.always = at.always || w.status == cancelled
	at.title = w.title(at, u)
	end := w.fold(fmt.Sprintf("step-%d", at.number), at.title)
	v := w.limited(at)
	if v.status == success {
		v = w.perform(at, u)
	}
	end()
	w.conclude(at, v)
}

// begin numbers a step and gives it the variables that it starts from.
func (w *walk) begin(s *scope, def *workflow.Step, u *use) *step {
	w.numbers++
	at := &step{def: def, scope: s, number: w.numbers, env: w.env.clone(), state: &environ{}, ran: &ran{}}
	at.env.add(&s.env)
	if u != nil && u.called != "" {
		at.name = u.called
	} else {
		at.name = s.named(def)
	}
	if u != nil {
		u.called = at.name
	}
	at.title = plainTitle(def)
	return at
}

// perform runs what the step is: a script or an action.
func (w *walk) perform(at *step, u *use) ending {
	switch {
	case u != nil:
		return w.useMain(at, u)
	case at.def.Run.Set:
		return w.script(at)
	default:
		return broken(program.ConfigurationFailed, "the step has neither run nor uses")
	}
}

// limited evaluates timeout-minutes.
func (w *walk) limited(at *step) ending {
	minutes, err := at.scope.number(at.def.TimeoutMinutes, at)
	if err != nil {
		return w.invalid(at, err)
	}
	if minutes > 0 {
		at.limit = time.Duration(min(minutes, 1e6) * float64(time.Minute))
	}
	for s := at.scope; s.at != nil; s = s.outer {
		if s.at.limit == 0 {
			continue
		}
		left := s.at.limit - s.at.spent
		if left <= 0 {
			w.complain("The action '%s' has timed out after %s.", s.at.title, minutesText(s.at.limit))
			return broken(program.ScriptFailure, "timed out after %s", minutesText(s.at.limit))
		}
		if at.limit == 0 || left < at.limit {
			at.limit = left
		}
	}
	return fine
}

// invalid is the end of a step that cannot be evaluated.
func (w *walk) invalid(at *step, err error) ending {
	for _, e := range split(err) {
		w.complainOf(e)
	}
	return broken(program.ConfigurationFailed, "%s", within(at.title, err.Error()))
}

// split takes joined errors apart.
func split(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // of this very error
		return many.Unwrap()
	}
	return []error{err}
}

// conclude notes the outcome, applies continue-on-error, and lets the rest of the job know.
func (w *walk) conclude(at *step, v ending) {
	at.ran.outcome, at.ran.conclusion = v.status, v.status
	if v.status == failure {
		allowed, err := at.scope.truth(at.def.ContinueOnError, at)
		if err != nil {
			w.complainOf(err)
		}
		if allowed {
			at.ran.conclusion = success
			w.say("%s failed, and the job goes on: continue-on-error is true", at.title)
			return
		}
	}
	w.settle(at.scope, at.title, v)
}

// settle makes a failure that of the scope: of the composite action, or of the job.
func (w *walk) settle(s *scope, title string, v ending) {
	if v.status == success {
		return
	}
	if s.outer != nil {
		s.state = worse(s.state, v.status)
		if s.bad.status == "" {
			s.bad = v
			s.bad.message = within(title, v.message)
		}
		return
	}
	if v.status == failure {
		w.fail(v.failure, within(title, v.message), v.exit)
	}
}

// within says in which step something happened, where the message does not begin with that.
func within(title, message string) string {
	if strings.HasPrefix(message, title) {
		return message
	}
	return title + ": " + message
}

// verdictFor reads how a program went that a step started. exits says how an exit code is told; "" tells none.
func (w *walk) verdictFor(at *step, o program.Outcome, exits string) ending {
	for s := at.scope; s.at != nil; s = s.outer {
		s.at.spent += o.Duration
	}
	switch {
	case o.Failure == program.ExecutionTimeout && at.limit > 0 && o.Duration >= at.limit:
		w.complain("The action '%s' has timed out after %s.", at.title, minutesText(at.limit))
		return ending{status: failure, failure: program.ScriptFailure, message: "timed out after " + minutesText(at.limit)}
	case o.Failure == program.Canceled || o.Failure == program.ExecutionTimeout:
		w.cancel(o)
		w.do(program.Say{Text: "Error: The operation was canceled."})
		return ending{status: cancelled, failure: o.Failure, message: o.Message}
	case o.Failure == program.ScriptFailure || o.Failure == "" && o.Exit != 0:
		exit := o.Exit
		if exits != "" {
			w.complain(exits, exit)
		}
		return ending{status: failure, failure: program.ScriptFailure, message: fmt.Sprintf("exit code %d", exit), exit: &exit}
	case o.Failure != "":
		w.complain("%s", o.Message)
		return ending{status: failure, failure: o.Failure, message: o.Message}
	default:
		return fine
	}
}

func minutesText(d time.Duration) string {
	if d%time.Minute == 0 && d == time.Minute {
		return "1 minute"
	}
	return fmt.Sprintf("%g minutes", d.Minutes())
}

// plainTitle is a step's name before its expressions are evaluated.
func plainTitle(def *workflow.Step) string {
	switch {
	case def.Name.Set && def.Name.Value != "":
		return def.Name.Value
	case def.Run.Set:
		return "Run " + firstLine(def.Run.Value)
	default:
		return "Run " + def.Uses.Value
	}
}

// title is how GitHub calls the step: its name, else what it runs.
func (w *walk) title(at *step, u *use) string {
	text, prefix := at.def.Name, ""
	switch {
	case at.def.Name.Set && at.def.Name.Value != "":
	case at.def.Run.Set:
		text, prefix = at.def.Run, "Run "
	case u != nil:
		return "Run " + u.ref.String()
	}
	value, err := at.scope.text(text, at)
	if err != nil {
		if _, ok := errors.AsType[*fault.Fault](err); ok {
			return at.title
		}
	}
	if line := firstLine(value); line != "" {
		return prefix + w.redact(line)
	}
	return at.title
}

// firstLine is the first line of a script that is not empty.
func firstLine(text string) string {
	text = strings.TrimLeft(text, " \t\r\n")
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(line)
}

// named is github.action: the step's id, or a name made of what it runs, numbered from its second use on.
// What a composite action runs does not count for the steps around it.
func (s *scope) named(def *workflow.Step) string {
	if def.ID.Value != "" {
		return def.ID.Value
	}
	name := "__run"
	if def.Uses.Set {
		ref := def.Uses.Value
		switch {
		case strings.HasPrefix(ref, "./"), strings.HasPrefix(ref, "$/"):
			name = "__self"
		default:
			ref, _, _ = strings.Cut(strings.TrimPrefix(ref, "docker://"), "@")
			name = "__" + strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
					return r
				}
				return '_'
			}, ref)
		}
	}
	if s.names == nil {
		s.names = map[string]int{}
	}
	s.names[name]++
	if n := s.names[name]; n > 1 {
		return fmt.Sprintf("%s_%d", name, n)
	}
	return name
}
