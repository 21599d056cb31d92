package lint

import (
	"maps"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
)

// scope is what is known of the contexts at a place, by lower-case name.
type scope map[string]expr.Type

// with is the scope with one context known better.
func (s scope) with(name string, t expr.Type) scope {
	out := maps.Clone(s)
	out[name] = t
	return out
}

// nothing is a context that has no properties.
var nothing = expr.TStrict(nil)

// base are the contexts before anything is known of a job.
func (c *checker) base() scope {
	s := scope(expr.Scope())
	s["inputs"], s["matrix"], s["needs"], s["steps"], s["jobs"] = nothing, nothing, nothing, nothing, nothing
	inputs := map[string]expr.Type{}
	for i := range c.in.File.On {
		t := &c.in.File.On[i]
		for _, in := range t.Inputs {
			name := strings.ToLower(in.Name.Value)
			kind := inputType(in)
			if other, ok := inputs[name]; ok {
				kind = expr.Merge(other, kind)
			}
			inputs[name] = kind
		}
		switch t.Event {
		case "workflow_call":
			s.secrets(t)
		case "workflow_dispatch":
			s.dispatched(t)
		}
	}
	s["inputs"] = expr.TStrict(inputs)
	return s
}

// inputType is the type of an input in the context inputs.
func inputType(in *workflow.Input) expr.Type {
	switch in.Type {
	case "boolean":
		return expr.TBool
	case "number":
		return expr.TNumber
	case "", "string", "choice", "environment":
		return expr.TString
	}
	return expr.TAny
}

// secrets narrows secrets to what the workflow declares; without a declaration a caller may hand over anything.
func (s scope) secrets(t *workflow.Trigger) {
	if t.Secrets == nil {
		return
	}
	props := map[string]expr.Type{"github_token": expr.TString, "actions_step_debug": expr.TString, "actions_runner_debug": expr.TString}
	for _, secret := range t.Secrets {
		props[secret.Name.Value] = expr.TString
	}
	s["secrets"] = expr.TStrict(props)
}

// dispatched narrows github.event.inputs, where all values are text.
func (s scope) dispatched(t *workflow.Trigger) {
	props := map[string]expr.Type{}
	for _, in := range t.Inputs {
		props[in.Name.Value] = expr.TString
	}
	github := s["github"]
	github.Props = maps.Clone(github.Props)
	github.Props["event"] = expr.TOpen(map[string]expr.Type{"inputs": expr.TStrict(props)}, expr.TAny)
	s["github"] = github
}

// needs are the results of the jobs that j needs.
func (c *checker) needs(j *workflow.Job) expr.Type {
	props := map[string]expr.Type{}
	for _, need := range j.Needs {
		other := c.jobs[strings.ToLower(need.Value)]
		if other == nil {
			continue // told by the reader
		}
		props[need.Value] = expr.NeedType(c.outputsOf(other))
	}
	return expr.TStrict(props)
}

// outputsOf are the names of a job's outputs; nil where they are not known.
func (c *checker) outputsOf(j *workflow.Job) []string {
	if j.Uses.Set {
		called := c.callee(j.Uses)
		if called == nil || called.trigger == nil {
			return nil
		}
		names := make([]string, 0, len(called.trigger.Outputs))
		for _, o := range called.trigger.Outputs {
			names = append(names, o.Name.Value)
		}
		return names
	}
	names := make([]string, 0, len(j.Outputs))
	for _, o := range j.Outputs {
		names = append(names, o.Name.Value)
	}
	return names
}

// allJobs is the context jobs, which outputs of workflow_call read.
func (c *checker) allJobs() expr.Type {
	props := map[string]expr.Type{}
	for _, j := range c.in.File.Jobs {
		props[j.ID] = expr.NeedType(c.outputsOf(j))
	}
	return expr.TStrict(props)
}
