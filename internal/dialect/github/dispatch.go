package github

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// dispatched are the inputs of workflow_dispatch as texts: what was given, else the defaults. It is what
// github.event.inputs holds.
func (c *compiler) dispatched(by *workflow.Trigger) map[string]string {
	out := map[string]string{}
	for _, in := range by.Inputs {
		text, given := c.given(in.Name.Value)
		switch {
		case given:
		case in.Default.Set:
			text = in.Default.Value
		case in.Type == "boolean":
			text = "false"
		case in.Type == "choice" && len(in.Options) > 0 && !in.Required:
			text = in.Options[0].Value // what the form on GitHub begins with
		}
		out[in.Name.Value] = text
	}
	return out
}

// given is the value that the user gave to an input: --input, else the payload's.
func (c *compiler) given(name string) (string, bool) {
	for k, v := range c.in.Given.Inputs {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	if c.payload.IsNull() {
		return "", false
	}
	v, ok := c.payload.Get("inputs").Lookup(name)
	return v.Text(), ok && !v.IsNull()
}

// inputs is the inputs context of a workflow that the event triggers. Only workflow_dispatch and, where a workflow is
// run as if it were called, workflow_call have inputs; all others an empty object.
func (c *compiler) inputs(f *workflow.File, t triggering, frame *Frame) expr.Value {
	if t.by.Event != "workflow_dispatch" && t.by.Event != "workflow_call" {
		return expr.NewObject()
	}
	env := &expr.Env{Contexts: map[string]expr.Value{"github": frame.GitHub(), "vars": frame.Vars, "inputs": expr.NewObject()}}
	b := &expr.ObjectBuilder{}
	for _, in := range t.by.Inputs {
		text, given := c.given(in.Name.Value)
		switch {
		case given:
			c.deprecated(in, in.Name.At())
			v, err := typed(in, text)
			if err != nil {
				c.faults.Add(fault.New(CodeInput, "--input %s=%s: %v", in.Name.Value, text, err).WithHint("the input is declared at %s", in.Name.At()))
			}
			b.Set(in.Name.Value, v)
		case in.Required && !in.Default.Set:
			c.faults.Add(fault.At(CodeInput, in.Name.At(), "the workflow %s requires the input %q, which is not given", f.Title(), in.Name.Value).
				WithHint("give it with --input %s=…%s%s", in.Name.Value, choices(in), c.alone()))
		default:
			b.Set(in.Name.Value, c.otherwise(in, env))
		}
	}
	return b.Value()
}

// deprecated tells what an input that is used has to say about that.
func (c *compiler) deprecated(in *workflow.Input, at fault.Place) {
	if message := in.DeprecationMessage.Value; message != "" {
		c.once(fault.At(CodeInput, at, "the input %q is deprecated: %s", in.Name.Value, message).WithSeverity(fault.Warning))
	}
}

// alone says how one workflow is run where the event is for all of them.
func (c *compiler) alone() string {
	if len(c.in.Workflows) > 0 {
		return ""
	}
	return "; -f FILE runs one workflow only"
}

func choices(in *workflow.Input) string {
	if len(in.Options) == 0 {
		return ""
	}
	names := make([]string, len(in.Options))
	for i, o := range in.Options {
		names[i] = o.Value
	}
	return ", one of " + strings.Join(names, ", ")
}

// otherwise is the value of an input that is not given: its default, else what its type begins with.
func (c *compiler) otherwise(in *workflow.Input, env *expr.Env) expr.Value {
	if in.Default.Set {
		v, err := valueOf(in.Default, env)
		if err != nil {
			c.fail(in.Default.At(), err)
			return expr.Null()
		}
		if v, err = coerced(in, v); err != nil {
			c.fail(in.Default.At(), err)
		}
		return v
	}
	switch {
	case in.Type == "boolean":
		return expr.Bool(false)
	case in.Type == "number":
		return expr.Number(0)
	case in.Type == "choice" && len(in.Options) > 0:
		return expr.String(in.Options[0].Value)
	}
	return expr.String("")
}

// typed reads the text of an input by its type.
func typed(in *workflow.Input, text string) (expr.Value, error) {
	switch in.Type {
	case "boolean":
		yes := strings.EqualFold(text, "true")
		if !yes && !strings.EqualFold(text, "false") {
			return expr.Bool(false), fmt.Errorf("a boolean is true or false")
		}
		return expr.Bool(yes), nil
	case "number":
		f := expr.String(text).Number()
		if f != f || strings.TrimSpace(text) == "" { //nolint:staticcheck // NaN is not equal to itself
			return expr.Number(0), fmt.Errorf("it is not a number")
		}
		return expr.Number(f), nil
	case "choice":
		for _, o := range in.Options {
			if o.Value == text {
				return expr.String(text), nil
			}
		}
		names := make([]string, len(in.Options))
		for i, o := range in.Options {
			names[i] = o.Value
		}
		if near := fault.Nearest(text, names); near != "" {
			return expr.String(text), fmt.Errorf("it is none of the options %s; did you mean %q?", strings.Join(names, ", "), near)
		}
		return expr.String(text), fmt.Errorf("it is none of the options %s", strings.Join(names, ", "))
	}
	return expr.String(text), nil
}

// coerced is a value for an input of a type: GitHub takes a boolean where one is wanted, a number likewise, and any
// plain value as text. The error says what does not fit.
func coerced(in *workflow.Input, v expr.Value) (expr.Value, error) {
	plain := v.Kind() != expr.KindArray && v.Kind() != expr.KindObject
	switch {
	case in.Type == "boolean" && v.Kind() == expr.KindBool, in.Type == "number" && v.Kind() == expr.KindNumber:
		return v, nil
	case in.Type == "boolean" && v.Kind() == expr.KindString && (v.Text() == "true" || v.Text() == "false"):
		return expr.Bool(v.Text() == "true"), nil
	case in.Type == "boolean" && (v.IsNull() || v.Text() == "" && plain):
		return expr.Bool(false), nil
	case in.Type == "number" && plain && v.Text() != "" && v.Kind() == expr.KindString:
		if f := v.Number(); f == f { //nolint:staticcheck // NaN is not equal to itself
			return expr.Number(f), nil
		}
	case in.Type == "number" && (v.IsNull() || v.Text() == "" && plain):
		return expr.Number(0), nil
	case in.Type != "boolean" && in.Type != "number" && plain:
		return expr.String(v.Text()), nil
	}
	want := in.Type
	if want != "boolean" && want != "number" {
		want = "string"
	}
	return expr.Null(), fault.New(CodeInput, "the input %q is a %s, and the value given is %s", in.Name.Value, want, described(v))
}

// strangers tells of inputs that no workflow which runs declares.
func (c *compiler) strangers(all []triggering) {
	known := map[string]string{}
	asks := false
	for _, t := range all {
		if t.by.Event != "workflow_dispatch" && t.by.Event != "workflow_call" {
			continue
		}
		asks = true
		for _, in := range t.by.Inputs {
			known[strings.ToLower(in.Name.Value)] = in.Name.Value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.in.Given.Inputs)) {
		if known[strings.ToLower(name)] != "" {
			continue
		}
		f := fault.New(CodeInput, "--input %s: no workflow that runs declares this input", name)
		switch near := fault.Nearest(strings.ToLower(name), slices.Collect(maps.Keys(known))); {
		case near != "":
			f.WithHint("did you mean %q?", known[near])
		case !asks:
			f.WithHint("inputs belong to the event workflow_dispatch: --event workflow_dispatch")
		case len(known) > 0:
			f.WithHint("the inputs are %s", strings.Join(slices.Sorted(maps.Values(known)), ", "))
		}
		c.faults.Add(f)
	}
}
