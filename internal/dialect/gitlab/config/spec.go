package config

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// spec is the header of a file, checked.
type spec struct {
	inputs     []*input
	components []string // what may be read as $[[ component.x ]]
	place      fault.Place
}

// input is one input as a header declares it.
type input struct {
	name        string
	kind        string // string, number, boolean or array
	place       fault.Place
	given       *yamlx.Node // the default as written; nil for none
	options     *yamlx.Node // the list; nil for none
	regex       *regexp.Regexp
	pattern     *yamlx.Node
	rules       []inputRule
	description string
}

// required reports whether a value has to be given.
func (i *input) required() bool {
	if i.given != nil {
		return false
	}
	return !slices.ContainsFunc(i.rules, func(r inputRule) bool { return r.hasDefault || r.when == nil })
}

// The keys of a header (CI/CD YAML syntax reference, header keywords).
var (
	specKeys      = []string{"inputs", "include", "component"}
	inputKeys     = []string{"default", "description", "options", "regex", "type", "rules"}
	inputKinds    = []string{"string", "number", "boolean", "array"}
	componentKeys = []string{"name", "sha", "version", "reference"}
)

// header reads the header of a file. Mistakes are told; nil where nothing can be made of it.
func (l *loader) header(ctx context.Context, o *origin, n *yamlx.Node) *spec {
	l.known(n, []string{"spec"}, CodeHeader, "the header")
	out := &spec{place: n.Place}
	body := n.Get("spec")
	switch {
	case body.IsNull():
		return out
	case !body.IsMapping():
		l.tell(CodeHeader, body.Place, "spec is %s, but must be a mapping", body.Describe())
		return nil
	}
	l.known(body, specKeys, CodeHeader, "spec")
	if c := body.Get("component"); c != nil {
		out.components = l.componentKeys(c)
	}
	if include := body.Get("include"); !include.IsNull() {
		out.inputs = l.externalInputs(ctx, o, include)
	}
	out.inputs = l.declared(out.inputs, body.Get("inputs"))
	if !l.checkRules(out.inputs) {
		return nil
	}
	return out
}

// errors counts the errors told so far.
func (l *loader) errors() int {
	n := 0
	for _, f := range l.faults.Sorted() {
		if f.Severity == fault.Error {
			n++
		}
	}
	return n
}

// known tells of keys that a mapping may not have.
func (l *loader) known(n *yamlx.Node, keys []string, code, what string) {
	for _, p := range n.Pairs {
		if slices.Contains(keys, p.Key.Value) {
			continue
		}
		f := l.tell(code, p.Key.Place, "%s has no key %q", what, p.Key.Value)
		if near := l.near(p.Key.Value, keys); near != "" {
			f.WithHint("did you mean %q?", near)
		} else {
			f.WithHint("it has %s", strings.Join(keys, ", "))
		}
	}
}

func (l *loader) componentKeys(n *yamlx.Node) []string {
	if !n.IsSequence() {
		l.tell(CodeHeader, n.Place, "spec:component is %s, but must be a list", n.Describe())
		return nil
	}
	var out []string
	for _, item := range n.Items {
		name, _ := item.Str()
		if !slices.Contains(componentKeys, name) {
			l.tell(CodeHeader, item.Place, "a component has no %q", item.Text()).WithHint("it has %s", strings.Join(componentKeys, ", "))
			continue
		}
		out = append(out, name)
	}
	return out
}

// declared adds the inputs of one mapping to those known. A name that is there already is a mistake.
func (l *loader) declared(known []*input, n *yamlx.Node) []*input {
	switch {
	case n.IsNull():
		return known
	case !n.IsMapping():
		l.tell(CodeInput, n.Place, "inputs is %s, but must be a mapping of names", n.Describe())
		return known
	}
	for _, p := range n.Pairs {
		if i := slices.IndexFunc(known, func(i *input) bool { return i.name == p.Key.Value }); i >= 0 {
			l.tell(CodeDuplicateInput, p.Key.Place, "the input %q is declared twice", p.Key.Value).
				WithHint("the other one is at %s", known[i].place)
			continue
		}
		if in := l.input(p); in != nil {
			known = append(known, in)
		}
	}
	return known
}

// input reads the declaration of one input, or nil where it is not of use.
func (l *loader) input(p yamlx.Pair) *input {
	in := &input{name: p.Key.Value, kind: "string", place: p.Key.Place}
	n := p.Value
	if n.IsNull() {
		return in
	}
	what := fmt.Sprintf("the input %q", in.name)
	if !n.IsMapping() {
		l.tell(CodeInput, n.Place, "%s is %s, but must be a mapping or empty", what, n.Describe()).
			WithHint("write default: %s below the name", n.Text())
		return nil
	}
	l.known(n, inputKeys, CodeInput, what)
	if t := n.Get("type"); !t.IsNull() {
		if in.kind, _ = t.Str(); !slices.Contains(inputKinds, in.kind) {
			l.tell(CodeInput, t.Place, "%s has the type %q, which does not exist", what, t.Text()).WithHint("%s", oneOf(l.near(t.Text(), inputKinds), inputKinds))
			in.kind = "string"
		}
	}
	if d, ok := n.Find("default"); ok {
		in.given = d.Value
	}
	in.description = n.Get("description").Text()
	in.options = l.options(n.Get("options"), what, in.kind)
	in.rules = l.inputRules(n, what, in.kind)
	l.pattern(in, n.Get("regex"), what)
	return in
}

func oneOf(near string, all []string) string {
	if near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "it can be " + strings.Join(all, ", ")
}

// options reads a list of allowed values.
func (l *loader) options(n *yamlx.Node, what, kind string) *yamlx.Node {
	switch {
	case n == nil:
		return nil
	case !n.IsSequence():
		l.tell(CodeInput, n.Place, "the options of %s are %s, but must be a list", what, n.Describe())
		return nil
	case kind == "boolean":
		l.tell(CodeInput, n.Place, "%s is true or false and can have no options", what)
	case len(n.Items) > MaxOptions:
		l.tell(CodeInput, n.Place, "%s has %d options; at most %d are allowed", what, len(n.Items), MaxOptions)
	}
	for _, item := range n.Items {
		if number := item.Type == yamlx.Int || item.Type == yamlx.Float; kind == "number" && !number {
			l.tell(CodeInput, item.Place, "%s is a number, but the option %q is %s", what, item.Text(), item.Describe())
		} else if kind == "string" && !item.IsScalar() {
			l.tell(CodeInput, item.Place, "%s is text, but an option is %s", what, item.Describe())
		}
	}
	return n
}

func (l *loader) pattern(in *input, n *yamlx.Node, what string) {
	if n.IsNull() {
		return
	}
	text, ok := n.Str()
	if !ok {
		l.tell(CodeInput, n.Place, "the regex of %s is %s, but must be text", what, n.Describe())
		return
	}
	if in.kind != "string" {
		l.tell(CodeInput, n.Place, "%s is of type %s and can have no regex", what, in.kind).WithHint("only text can be matched")
		return
	}
	re, err := regexp.Compile(text)
	if err != nil {
		l.tell(CodePattern, n.Place, "the regex of %s is not valid: %v", what, err).WithHint("GitLab uses the syntax of RE2, which has no look-around and no back references")
		return
	}
	if strings.HasPrefix(text, "/") && strings.HasSuffix(text, "/") && len(text) > 1 {
		l.tell(CodePattern, n.Place, "the slashes around the regex of %s are part of it", what).
			WithHint("write it without slashes").WithSeverity(fault.Warning)
	}
	in.regex, in.pattern = re, n
}
