package lint

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
)

// walk checks the steps of a job, or of a composite action, in their order.
type walk struct {
	*checker
	job     *workflow.Job // nil in an action
	scope   scope
	on      system
	known   map[string]expr.Type // steps with ids so far, by their ids in lower case
	open    bool                 // a step's id is an expression: any id may exist
	taint   tainted
	fetched bool // an earlier step may have put files into the work tree
}

// here is the scope after the steps so far.
func (w *walk) here() scope {
	steps := expr.Type{Kind: expr.KnownObject, Props: w.known} // no copy: there may be thousands
	if w.open {
		some := expr.StepType(nil)
		steps.Rest = &some
	}
	return w.scope.with("steps", steps)
}

func (w *walk) all(steps []*workflow.Step) {
	for _, st := range steps {
		w.step(st)
		w.all(st.Parallel)
	}
}

func (w *walk) step(st *workflow.Step) {
	s := w.here()
	w.text(st.Name, s)
	w.condition(st.If, s)
	w.env(st.Env, s)
	w.kind(st.ContinueOnError, s, "continue-on-error", expr.KnownBool)
	w.kind(st.TimeoutMinutes, s, "timeout-minutes", expr.KnownNumber)
	w.kind(st.Background, s, "background", expr.KnownBool)
	taint := w.taint.with(st.Env)
	if st.Run.Set {
		w.text(st.Run, s)
		w.injected(st.Run, taint)
		w.commands(st.Run)
		w.fetched = w.fetched || strings.Contains(st.Run.Value, "git")
	}
	w.text(st.Shell, s)
	w.injected(st.Shell, taint)
	w.shell(st.Shell, w.on)
	w.text(st.WorkingDirectory, s)
	w.named(st.With, s)
	w.kind(st.WithExpr, s, "with", expr.KnownObject)
	var outputs []string
	if st.Uses.Set {
		outputs = w.uses(st, taint)
	}
	if st.ID.Value == "" {
		return
	}
	if strings.Contains(st.ID.Value, "${{") {
		w.open = true
		return
	}
	w.known[strings.ToLower(st.ID.Value)] = expr.StepType(outputs)
}
