package workflow

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

// inputs reads the inputs of workflow_dispatch or workflow_call.
func (r *reader) inputs(n *yamlx.Node, event string) []*Input {
	if n.IsNull() && event == "workflow_dispatch" {
		r.warn(CodeUseless, n.Place, "inputs is empty")
		return nil
	}
	if !r.mapping(n, "inputs") {
		return nil
	}
	out := make([]*Input, 0, len(n.Pairs))
	for _, p := range n.Pairs {
		name, ok := r.name(p.Key, "inputs")
		if !ok {
			continue
		}
		if !validID(name.Value) {
			r.mistake(CodeID, name.At(), "%q cannot be the name of an input", name.Value).
				WithHint("names begin with a letter or _ and hold letters, digits, - and _")
		}
		out = append(out, r.input(name, p.Value, event))
	}
	if event == "workflow_dispatch" && len(out) > MaxInputs {
		r.mistake(CodeLimit, out[MaxInputs].Name.At(), "workflow_dispatch has %d inputs; GitHub takes %d", len(out), MaxInputs)
	}
	return out
}

func (r *reader) input(name Text, n *yamlx.Node, event string) *Input {
	in := &Input{Name: name}
	call := event == "workflow_call"
	if n.IsNull() && !call {
		return in // text without more
	}
	what := "the input " + name.Value
	var def, kind, options *yamlx.Node
	ok := r.fields(n, what, "on."+event+".inputs.<input_id>", func(key string, keyNode, v *yamlx.Node) {
		switch key {
		case "description":
			in.Description = r.plain(v, key)
		case "deprecationMessage":
			in.DeprecationMessage = r.plain(v, key)
		case "required":
			in.Required = r.flag(v, key)
		case "default":
			def = v
		case "type":
			in.Type, kind = r.inputType(v, call), v
		case "options":
			in.Options, options = r.options(v), keyNode
		}
	})
	if !ok {
		return in
	}
	if call && kind == nil {
		r.mistake(CodeMissing, name.At(), "%s of workflow_call has no type", what).WithHint("write type: string, boolean or number")
	}
	r.default_(in, def, call)
	switch {
	case in.Type == "choice" && options == nil:
		r.mistake(CodeOptions, kind.Place, "%s is a choice and has no options", what)
	case in.Type != "choice" && options != nil && kind == nil:
		r.mistake(CodeOptions, options.Place, "%s has options and is no choice", what).WithHint("add type: choice")
	case in.Type != "choice" && options != nil:
		r.mistake(CodeOptions, options.Place, "%s has options and is of type %s", what, in.Type).WithHint("options belong to type: choice")
	}
	if in.Required && in.Default.Set && call {
		r.warn(CodeUseless, in.Default.At(), "%s must be given, so that its default has no effect", what).WithHint("remove required or default")
	}
	return in
}

func (r *reader) inputType(n *yamlx.Node, call bool) string {
	t := r.filled(r.plain(n, "type"), "type")
	types := DispatchTypes
	if call {
		types = CallTypes
	}
	if t.Value == "" || slices.Contains(types, t.Value) {
		return t.Value
	}
	f := r.mistake(CodeInput, n.Place, "there is no type %q of inputs here", t.Value).WithHint("types are %s", strings.Join(types, ", "))
	switch near := nearest(t.Value, types); {
	case near != "":
		f.WithHint("did you mean %s?", near)
	case t.Value == "choice" || t.Value == "environment":
		f.WithHint("%s is a type of workflow_dispatch only; write string", t.Value)
	}
	return ""
}

func (r *reader) options(n *yamlx.Node) []Text {
	if !n.IsSequence() {
		r.mistake(CodeType, n.Place, "options is a list, not %s", n.Describe())
		return []Text{}
	}
	if len(n.Items) == 0 {
		r.mistake(CodeOptions, n.Place, "options is an empty list")
	}
	out := r.texts(n, "options")
	seen := make(map[string]bool, len(out))
	for _, t := range out {
		if seen[t.Value] {
			r.mistake(CodeOptions, t.At(), "the option %q stands there twice", t.Value)
		}
		seen[t.Value] = true
	}
	return out
}

// default_ reads a default and tells where it does not fit the type.
func (r *reader) default_(in *Input, n *yamlx.Node, call bool) {
	if n.IsNull() {
		return
	}
	if call {
		in.Default = r.text(n, "default", "on.workflow_call.inputs.<inputs_id>.default")
	} else {
		in.Default = r.plain(n, "default")
	}
	if !in.Default.Set || hasExpression(in.Default) || strings.Contains(in.Default.Value, open) {
		return
	}
	switch in.Type {
	case "boolean":
		if n.Type == yamlx.Bool {
			return
		}
		f := r.mistake(CodeDefault, n.Place, "the default of the boolean %s is true or false, not %s", in.Name.Value, n.Describe())
		if v := strings.ToLower(n.Value); v == "true" || v == "false" {
			if !call {
				f.Severity = "warning" // the form on GitHub's pages takes it
			}
			f.WithHint("remove the quotes")
		}
	case "number":
		if n.Type != yamlx.Int && n.Type != yamlx.Float {
			f := r.mistake(CodeDefault, n.Place, "the default of the number %s is a number, not %s", in.Name.Value, n.Describe())
			if t := yamlx.TypeOf(yamlx.Core, n.Value); t == yamlx.Int || t == yamlx.Float {
				if !call {
					f.Severity = "warning"
				}
				f.WithHint("remove the quotes")
			}
		}
	case "choice":
		if len(in.Options) > 0 && !slices.ContainsFunc(in.Options, func(o Text) bool { return o.Value == in.Default.Value }) {
			f := r.mistake(CodeDefault, n.Place, "the default %q of %s is none of its options", in.Default.Value, in.Name.Value)
			names := make([]string, len(in.Options))
			for i, o := range in.Options {
				names[i] = o.Value
			}
			if near := nearest(in.Default.Value, names); near != "" {
				f.WithHint("did you mean %q?", near)
			}
		}
	}
}

// secretDefinitions reads the secrets of workflow_call.
func (r *reader) secretDefinitions(n *yamlx.Node) []*Secret {
	if !r.mapping(n, "secrets") {
		return []*Secret{} // what is not declared is not there
	}
	out := make([]*Secret, 0, len(n.Pairs))
	for _, p := range n.Pairs {
		name, ok := r.name(p.Key, "secrets")
		if !ok {
			continue
		}
		switch {
		case strings.EqualFold(name.Value, "github_token"):
			r.mistake(CodeName, name.At(), "a secret of workflow_call cannot be called %s", name.Value).
				WithHint("the called workflow has a token of its own: secrets.GITHUB_TOKEN")
		case !validID(name.Value):
			r.mistake(CodeID, name.At(), "%q cannot be the name of a secret", name.Value)
		}
		s := &Secret{Name: name}
		out = append(out, s)
		if p.Value.IsNull() {
			continue
		}
		r.fields(p.Value, "the secret "+name.Value, "on.workflow_call.secrets.<secret_id>", func(key string, _, v *yamlx.Node) {
			if key == "required" {
				s.Required = r.flag(v, key)
			} else {
				s.Description = r.plain(v, key)
			}
		})
	}
	return out
}

// callOutputs reads the outputs of workflow_call.
func (r *reader) callOutputs(n *yamlx.Node) []*CallOutput {
	if !r.mapping(n, "outputs") {
		return nil
	}
	out := make([]*CallOutput, 0, len(n.Pairs))
	for _, p := range n.Pairs {
		name, ok := r.name(p.Key, "outputs")
		if !ok {
			continue
		}
		if !validID(name.Value) {
			r.mistake(CodeID, name.At(), "%q cannot be the name of an output", name.Value)
		}
		o := &CallOutput{Name: name}
		out = append(out, o)
		what := "the output " + name.Value
		ok = r.fields(p.Value, what, "on.workflow_call.outputs.<output_id>", func(key string, _, v *yamlx.Node) {
			if key == "value" {
				if o.Value = r.text(v, key, "on.workflow_call.outputs.<output_id>.value"); o.Value.Set && o.Value.Value == "" {
					r.warn(CodeUseless, v.Place, "%s is always empty", what)
				}
			} else {
				o.Description = r.plain(v, key)
			}
		})
		if ok {
			r.need(p.Value, name.At(), what, "value")
		}
	}
	return out
}
