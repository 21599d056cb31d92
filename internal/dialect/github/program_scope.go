package github

import (
	"errors"
	"math"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// scope is where steps stand side by side: the job, or a composite action. It has its own contexts steps and inputs.
type scope struct {
	w      *walk
	outer  *scope     // nil for the job's own
	inputs expr.Value // of a composite action
	env    environ    // that a composite action's step gives to what is in it
	action source     // of a composite action
	state  status     // of a composite action: how its steps have gone so far
	bad    ending     // the first of them that failed
	at     *step      // the step that uses the composite action
	ids    []string
	ran    map[string]*ran // by id, in lower case
	posts  []func()        // what is to be done at the job's end, in order
	names  map[string]int  // how often a name of a step without an id was given
}

// source is the action that a scope or a step belongs to.
type source struct {
	path, repository, ref string
}

// ran is what the context steps says of a step.
type ran struct {
	outputs             environ
	outcome, conclusion status
}

// remember makes a step known by its id.
func (s *scope) remember(id string, r *ran) {
	if id == "" || strings.HasPrefix(id, "__") {
		return
	}
	if s.ran == nil {
		s.ran = map[string]*ran{}
	}
	key := strings.ToLower(id)
	if s.ran[key] == nil {
		s.ids = append(s.ids, id)
	}
	s.ran[key] = r
}

// steps is the context steps.
func (s *scope) steps() expr.Value {
	b := expr.ObjectBuilder{}
	for _, id := range s.ids {
		r := s.ran[strings.ToLower(id)]
		outputs := expr.ObjectBuilder{}
		for _, name := range r.outputs.names {
			outputs.Set(name, expr.String(r.outputs.values[name]))
		}
		b.Set(id, expr.NewObject(
			expr.Pair{Key: "outputs", Value: outputs.Value()},
			expr.Pair{Key: "outcome", Value: expr.String(string(r.outcome))},
			expr.Pair{Key: "conclusion", Value: expr.String(string(r.conclusion))},
		))
	}
	return b.Value()
}

// context is a context by its name, with what a step changes in it (nil outside of steps).
func (s *scope) context(name string, at *step) (expr.Value, error) {
	w := s.w
	switch name {
	case "github":
		return w.githubContext(s, at), nil
	case "env":
		if at != nil {
			return at.env.value(), nil
		}
		env := w.env.clone()
		env.add(&s.env)
		return env.value(), nil
	case "vars":
		return w.own.Frame.Vars, nil
	case "job":
		return w.jobContext(), nil
	case "runner":
		return w.runner, nil
	case "strategy":
		return w.own.Strategy, nil
	case "matrix":
		return w.own.Matrix, nil
	case "steps":
		return s.steps(), nil
	case "inputs":
		if s.outer != nil {
			return s.inputs, nil
		}
		return w.own.Frame.Inputs, nil
	case "needs":
		if s.outer == nil {
			return w.needsContext(), nil
		}
	case "secrets":
		if s.outer == nil {
			return w.secretsContext(), nil
		}
	}
	if s.outer != nil {
		return expr.Null(), fault.New(CodeContext, "the context %s is not available in an action", name).
			WithHint("give the value as an input of the action")
	}
	return expr.Null(), fault.New(CodeContext, "the context %s is not available in a step", name)
}

// stand is what conditions go by: success() and failure() ask how the job or the composite action stands, cancelled()
// always asks the job.
type stand struct{ own, job status }

// both is the stand of conditions that ask the job alone.
func both(job status) stand { return stand{job, job} }

// environment is what expressions of a step are evaluated in.
func (s *scope) environment(at *step, now stand) *expr.Env {
	is := func(b bool) func([]expr.Value) (expr.Value, error) {
		return func([]expr.Value) (expr.Value, error) { return expr.Bool(b), nil }
	}
	return &expr.Env{
		Missing: func(name string) (expr.Value, error) { return s.context(name, at) },
		Funcs: map[string]func([]expr.Value) (expr.Value, error){
			"success": is(now.own == success), "failure": is(now.own == failure), "always": is(true),
			"cancelled": is(now.job == cancelled), "hashfiles": s.w.hashFiles,
		},
	}
}

// hashFiles asks for the digest of files in the workspace. A leading option --follow-symbolic-links is the runner's.
func (w *walk) hashFiles(args []expr.Value) (expr.Value, error) {
	var patterns []string
	for _, a := range args {
		text := a.Text()
		if strings.HasPrefix(text, "--") && !strings.EqualFold(text, "--follow-symbolic-links") {
			return expr.Null(), fault.New(CodeHashFiles, "hashFiles knows the option --follow-symbolic-links and not %q", text)
		}
		if strings.HasPrefix(text, "--") {
			continue
		}
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				patterns = append(patterns, line)
			}
		}
	}
	if len(patterns) == 0 {
		return expr.String(""), nil
	}
	o := w.do(program.HashFiles{Patterns: patterns})
	if o.Failure != "" {
		return expr.Null(), fault.New(CodeHashFiles, "hashFiles(%s): %s", strings.Join(patterns, ", "), o.Message)
	}
	return expr.String(o.Text), nil
}

// stand is how things are for the conditions of the scope's steps.
func (s *scope) stand() stand {
	if s.outer == nil {
		return both(s.w.status)
	}
	return stand{s.state, s.w.status}
}

// text is a text with its expressions evaluated.
func (s *scope) text(t workflow.Text, at *step) (string, error) {
	if t.Template == nil {
		return t.Value, nil
	}
	return t.Template.Text(s.environment(at, s.stand()))
}

// value is a text's value with its type.
func (s *scope) value(t workflow.Text, at *step) (expr.Value, error) {
	if t.Template == nil {
		return expr.String(t.Value), nil
	}
	return t.Template.Value(s.environment(at, s.stand()))
}

// truth is continue-on-error and its like: true or false, "" is false.
func (s *scope) truth(t workflow.Text, at *step) (bool, error) {
	if !t.Set {
		return false, nil
	}
	v, err := s.value(t, at)
	if err != nil {
		return false, err
	}
	switch strings.ToLower(v.Text()) {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	}
	return false, fault.At(CodeValue, t.At(), "%q is neither true nor false", v.Text())
}

// number is timeout-minutes and its like; 0 where nothing is written.
func (s *scope) number(t workflow.Text, at *step) (float64, error) {
	if !t.Set {
		return 0, nil
	}
	v, err := s.value(t, at)
	if err != nil {
		return 0, err
	}
	n := v.Number()
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fault.At(CodeValue, t.At(), "%q is not a number", v.Text())
	}
	return n, nil
}

// holds asks a condition; none is success().
func (s *scope) holds(c *workflow.Condition, at *step, now stand) (bool, error) {
	if c == nil || c.Cond == nil {
		return now.own == success, nil
	}
	return c.Cond.Eval(s.environment(at, now))
}

// variables evaluates an env: mapping. All of it sees what was there before it, as on GitHub.
func (s *scope) variables(e workflow.Env, at *step) (environ, error) {
	var out environ
	if e.Expr.Set {
		v, err := s.value(e.Expr, at)
		if err != nil {
			return out, err
		}
		for _, p := range v.Pairs() {
			out.set(p.Key, p.Value.Text())
		}
		if v.Kind() != expr.KindObject && !v.IsNull() {
			return out, fault.At(CodeValue, e.Expr.At(), "env is not an object")
		}
		return out, nil
	}
	var errs []error
	for i := range e.Vars {
		value, err := s.text(e.Vars[i].Value, at)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out.set(e.Vars[i].Name.Value, value)
	}
	return out, errors.Join(errs...)
}
