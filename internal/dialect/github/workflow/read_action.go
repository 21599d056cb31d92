package workflow

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// action reads the top level of an action.yml. Like the runner it passes over keys that it does not know there.
func (r *reader) action(a *Action, root *yamlx.Node) {
	r.fields(root, "the action", actionScope, func(name string, key, v *yamlx.Node) {
		switch name {
		case "name":
			a.Name = r.plain(v, name)
		case "description":
			a.Description = r.plain(v, name)
		case "author":
			a.Author = r.plain(v, name)
		case "inputs":
			a.Inputs = r.actionInputs(v)
		case "outputs":
			a.Outputs = r.actionOutputs(v)
		case "runs":
			r.runs(a, key, v)
		case "branding":
			r.branding(v)
		}
	})
	if !a.Name.Set || a.Name.Value == "" {
		r.warn(CodeMissing, root.Place, "the action has no name")
	}
	if !root.Has("runs") {
		r.mistake(CodeMissing, root.Place, "the action has no runs")
	}
	composite := a.Using.Value == "composite"
	if !composite && !a.Description.Set {
		r.warn(CodeMissing, root.Place, "the action has no description")
	}
	for _, o := range a.Outputs {
		switch {
		case composite && !o.Value.Set:
			r.warn(CodeMissing, o.Name.At(), "the output %s of a composite action has no value: it is always empty", o.Name.Value)
		case !composite && o.Value.Set && a.Using.Set:
			r.warn(CodeUseless, o.Value.At(), "the value of the output %s has no effect: only those of composite actions have one", o.Name.Value)
		}
	}
}

func (r *reader) actionInputs(n *yamlx.Node) []*ActionInput {
	if n.IsNull() {
		r.warn(CodeUseless, n.Place, "inputs is empty")
		return nil
	}
	if !r.mapping(n, "inputs") {
		return nil
	}
	out := make([]*ActionInput, 0, len(n.Pairs))
	for _, p := range n.Pairs {
		name, ok := r.name(p.Key, "inputs")
		if !ok {
			continue
		}
		in := &ActionInput{Name: name}
		out = append(out, in)
		if !validID(name.Value) {
			r.warn(CodeID, name.At(), "%q is not what GitHub's pages allow as the name of an input", name.Value)
		}
		if p.Value.IsNull() {
			continue
		}
		r.fields(p.Value, "the input "+name.Value, actionScope+"inputs.<input_id>", func(key string, _, v *yamlx.Node) {
			switch key {
			case "description":
				in.Description = r.plain(v, key)
			case "deprecationMessage":
				in.DeprecationMessage = r.plain(v, key)
			case "default":
				in.Default = r.text(v, key, "inputs.<input_id>.default")
			case "required":
				in.Required = r.loosely(v)
			}
		})
	}
	return out
}

// loosely is true or false, also in quotes: many actions write it so, and the runner does not look.
func (r *reader) loosely(n *yamlx.Node) bool {
	if b, ok := n.Bool(); ok {
		return b
	}
	switch strings.ToLower(n.Value) {
	case "true":
		return true
	case "false":
	default:
		r.warn(CodeType, n.Place, "required is true or false, not %s", n.Describe())
	}
	return false
}

func (r *reader) actionOutputs(n *yamlx.Node) []*ActionOutput {
	if n.IsNull() {
		r.warn(CodeUseless, n.Place, "outputs is empty")
		return nil
	}
	if !r.mapping(n, "outputs") {
		return nil
	}
	out := make([]*ActionOutput, 0, len(n.Pairs))
	for _, p := range n.Pairs {
		name, ok := r.name(p.Key, "outputs")
		if !ok {
			continue
		}
		o := &ActionOutput{Name: name}
		out = append(out, o)
		if p.Value.IsNull() {
			continue
		}
		r.fields(p.Value, "the output "+name.Value, actionScope+"outputs.<output_id>", func(key string, _, v *yamlx.Node) {
			if key == "value" {
				o.Value = r.text(v, key, "outputs.<output_id>.value")
			} else {
				o.Description = r.plain(v, key)
			}
		})
	}
	return out
}

// runKeys are the keys of runs by what the action is.
var runKeys = map[string][]string{
	"composite":  {"using", "steps"},
	"docker":     {"using", "image", "env", "entrypoint", "pre-entrypoint", "pre-if", "post-entrypoint", "post-if", "args"},
	"JavaScript": {"using", "main", "pre", "pre-if", "post", "post-if"},
}

func (r *reader) runs(a *Action, key, n *yamlx.Node) {
	r.fields(n, "runs", actionScope+"runs", func(name string, key, v *yamlx.Node) {
		switch name {
		case "using":
			a.Using = r.filled(r.plain(v, name), name)
		case "main":
			a.Main = r.filled(r.plain(v, name), name)
		case "pre":
			a.Pre = r.filled(r.plain(v, name), name)
		case "post":
			a.Post = r.filled(r.plain(v, name), name)
		case "pre-if":
			a.PreIf = r.condition(v, name, "runs.pre-if")
		case "post-if":
			a.PostIf = r.condition(v, name, "runs.post-if")
		case "image":
			a.Image = r.filled(r.plain(v, name), name)
		case "entrypoint":
			a.Entrypoint = r.filled(r.plain(v, name), name)
		case "pre-entrypoint":
			a.PreEntrypoint = r.filled(r.plain(v, name), name)
		case "post-entrypoint":
			a.PostEntrypoint = r.filled(r.plain(v, name), name)
		case "args":
			a.Args = r.args(v)
		case "env":
			a.Env = r.env(v, name, "runs.env")
		case "steps":
			a.Steps = r.stepList(v)
		}
	})
	if n.IsMapping() && r.need(n, key.Place, "runs", "using") && a.Using.Value != "" {
		r.using(a, n)
	}
}

func (r *reader) args(n *yamlx.Node) []Text {
	if !n.IsSequence() {
		r.mistake(CodeType, n.Place, "args is a list, not %s", n.Describe())
		return nil
	}
	out := make([]Text, 0, len(n.Items))
	for _, item := range n.Items {
		if t := r.text(item, "an entry of args", "runs.args"); t.Set {
			out = append(out, t)
		}
	}
	return out
}

// using tells kinds of actions that there are not, and keys that the kind does not have.
func (r *reader) using(a *Action, n *yamlx.Node) {
	kind := a.Using.Value
	if slices.Contains(Runtimes, kind) {
		switch kind {
		case "node12", "node16":
			r.tell(fault.At(CodeUsing, a.Using.At(), "%s is retired: GitHub runs the action with node20", kind).WithSeverity(fault.Note))
		case "node22":
			r.warn(CodeUsing, a.Using.At(), "GitHub has no node22: the action runs here and not there").WithHint("write node24 or node20")
		}
		kind = "JavaScript"
	}
	keys := runKeys[kind]
	if keys == nil {
		all := slices.Concat(Runtimes[:2], []string{"docker", "composite"})
		f := r.mistake(CodeUsing, a.Using.At(), "there are no actions that use %q", a.Using.Value)
		if near := nearest(a.Using.Value, all); near != "" && !strings.HasPrefix(a.Using.Value, "node") {
			f.WithHint("did you mean %s?", near)
		} else {
			f.WithHint("known are %s", strings.Join(all, ", "))
		}
		return
	}
	for _, p := range n.Pairs {
		if !slices.Contains(keys, p.Key.Value) && scopes[actionScope+"runs"][p.Key.Value] != nil && p.Key.Value != "plugin" {
			r.mistake(CodeUnknownKey, p.Key.Place, "%s actions have no %s", kind, p.Key.Value).WithHint("they have %s", strings.Join(keys, ", "))
		}
	}
	need := map[string]string{"composite": "steps", "docker": "image", "JavaScript": "main"}[kind]
	if !n.Has(need) {
		r.mistake(CodeMissing, n.Place, "the %s action has no runs.%s", kind, need)
	}
	if kind == "docker" {
		r.actionImage(a.Image)
	}
}

// actionImage is a Dockerfile beside the action, or docker://image.
func (r *reader) actionImage(t Text) {
	if !t.Set || t.Value == "" {
		return
	}
	image, isImage := strings.CutPrefix(t.Value, "docker://")
	switch {
	case isImage && image == "":
		r.mistake(CodeUses, t.At(), "%q names no image", t.Value)
	case !isImage && !dockerfile(t.Value[strings.LastIndexByte(t.Value, '/')+1:]):
		r.mistake(CodeUses, t.At(), "%q is neither a Dockerfile nor an image", t.Value).WithHint("of an image write docker://%s", t.Value)
	}
}

// dockerfile reports whether the runner takes a file's name for that of a Dockerfile: Dockerfile, Dockerfile.test,
// test.Dockerfile.
func dockerfile(name string) bool {
	for _, word := range []string{"Dockerfile", "dockerfile"} {
		if strings.HasPrefix(name, word+".") || strings.HasSuffix(name, word) {
			return true
		}
	}
	return false
}

// Colors are those of branding.color.
var Colors = []string{"white", "black", "yellow", "blue", "green", "orange", "red", "purple", "gray-dark"}

func (r *reader) branding(n *yamlx.Node) {
	if n.IsNull() {
		return
	}
	r.fields(n, "branding", actionScope+"branding", func(name string, _, v *yamlx.Node) {
		t := r.plain(v, name)
		if name == "color" && t.Set && !slices.Contains(Colors, t.Value) {
			f := r.warn(CodeValue, v.Place, "branding has no color %q", t.Value)
			if near := nearest(t.Value, Colors); near != "" {
				f.WithHint("did you mean %s?", near)
			}
		}
	})
}
