package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// values are the inputs of one file with what they are worth in this inclusion of it.
type values struct {
	l      *loader
	o      *origin
	spec   *spec
	given  *yamlx.Node
	byName map[string]*input
	done   map[string]*yamlx.Node
}

// resolve gives every input of a header its value, from what the include or the pipeline gives and from the defaults,
// checked as the header says. Mistakes are told.
func (l *loader) resolve(o *origin, s *spec) map[string]*yamlx.Node {
	v := &values{l: l, o: o, spec: s, given: o.inputs, byName: map[string]*input{}, done: map[string]*yamlx.Node{}}
	for _, in := range s.inputs {
		v.byName[in.name] = in
	}
	v.unknown()
	for _, in := range s.inputs {
		v.value(in)
	}
	return v.done
}

// unknown tells of values for inputs that the file does not have.
func (v *values) unknown() {
	if v.given == nil {
		return
	}
	var names []string
	for _, in := range v.spec.inputs {
		names = append(names, in.name)
	}
	for _, p := range v.given.Pairs {
		if v.byName[p.Key.Value] != nil {
			continue
		}
		f := v.l.tell(CodeUnknownInput, v.at(p.Key), "%s has no input %q", v.o.name, p.Key.Value)
		if near := v.l.near(p.Key.Value, names); near != "" {
			f.WithHint("did you mean %q?", near)
		} else if len(names) > 0 {
			f.WithHint("it has %s", strings.Join(names, ", "))
		}
	}
}

// at is the place of something that was given: in the file that includes, or at the header where the command line gave it.
func (v *values) at(n *yamlx.Node) fault.Place {
	if n != nil && !n.Place.IsZero() {
		return n.Place
	}
	if v.o.parent != nil {
		return v.o.at
	}
	return v.spec.place
}

// value is what an input is worth, once. The rules of an input may ask for others first; checkRules has seen to it
// that this ends.
func (v *values) value(in *input) *yamlx.Node {
	if n, ok := v.done[in.name]; ok {
		return n
	}
	options, byDefault := in.options, in.given
	if len(in.rules) > 0 {
		if r := in.match(v.asked); r != nil {
			options, byDefault = r.options, r.given
		}
	}
	given := v.given.Get(in.name)
	n := yamlx.NewScalar(yamlx.Null, "", in.place)
	switch {
	case !given.IsNull():
		n = v.check(in, options, given, v.at(given), "the value")
	case in.required():
		at := v.at(nil)
		if v.o.parent == nil {
			at = in.place
		}
		v.l.tell(CodeRequired, at, "the input %q of %s needs a value", in.name, v.o.name).WithHint("%s", v.howToGive(in))
	case byDefault.IsNull() && in.kind == "string":
		n = yamlx.NewString("", in.place)
	case byDefault.IsNull() && len(in.rules) > 0:
	default:
		n = v.check(in, options, byDefault, byDefault.Place, "the default")
	}
	if !given.IsNull() && in.given != nil { // a bad default is a mistake of the header, given or not
		v.check(in, in.options, in.given, in.given.Place, "the default")
	}
	v.done[in.name] = n
	return n
}

func (v *values) howToGive(in *input) string {
	if v.o.parent == nil {
		return fmt.Sprintf("give it with --input %s=VALUE, or declare a default", in.name)
	}
	return fmt.Sprintf("write %s below inputs of the include; it is declared at %s", in.name, in.place)
}

// asked is the value of an input for the if of another one.
func (v *values) asked(name string) (expr.Value, bool) {
	in := v.byName[name]
	if in == nil {
		return expr.Null(), false
	}
	n := v.value(in)
	switch {
	case n.IsNull():
		return expr.Null(), false
	case n.Type == yamlx.Bool:
		b, _ := n.Bool()
		return expr.Truth(b), true
	case n.Type == yamlx.Int, n.Type == yamlx.Float:
		return expr.Number(n.Text()), true
	default:
		return expr.Text(n.Text()), true
	}
}

// check turns a value into the type of its input and holds it against options and regex.
func (v *values) check(in *input, options, n *yamlx.Node, at fault.Place, what string) *yamlx.Node {
	typed := coerce(in.kind, n, at)
	if typed == nil {
		v.l.tell(CodeInputType, at, "%s of the input %q is %s, but must be %s", what, in.name, n.Describe(), wanted[in.kind])
		return n
	}
	if typed.Size() > yamlx.MaxSize {
		v.l.tell(CodeTotalSize, at, "%s of the input %q has more than %d values", what, in.name, yamlx.MaxSize)
		return n
	}
	if typed.HasTags() {
		v.l.tell(CodeInputType, at, "%s of the input %q holds a !reference, which inputs cannot have", what, in.name)
		return n
	}
	if bad, ok := outside(in.kind, options, typed); ok {
		v.l.tell(CodeOption, at, "%s of the input %q is %q, which is not one of its options", what, in.name, bad).
			WithHint("%s", v.optionHint(bad, options))
	}
	if text, ok := typed.Str(); ok && in.regex != nil && !in.regex.MatchString(text) {
		v.l.tell(CodeNoMatch, at, "%s of the input %q is %q, which does not match %s", what, in.name, text, in.pattern.Value).
			WithHint("the regex is at %s", in.pattern.Place)
	}
	return typed
}

var wanted = map[string]string{"string": "text", "number": "a number", "boolean": "true or false", "array": "a list"}

func (v *values) optionHint(bad string, options *yamlx.Node) string {
	var names []string
	for _, o := range options.Items {
		names = append(names, o.Text())
	}
	return oneOf(v.l.near(bad, names), names)
}

// outside is the value that is not among the options, if there is one: the value itself, or an item of a list.
func outside(kind string, options, n *yamlx.Node) (string, bool) {
	if options == nil || kind == "boolean" {
		return "", false
	}
	allowed := func(item *yamlx.Node) bool {
		return slices.ContainsFunc(options.Items, func(o *yamlx.Node) bool {
			return o.Kind == yamlx.Scalar && kind == "string" && o.Text() == item.Text() || yamlx.Equal(o, item)
		})
	}
	if kind != "array" {
		return n.Text(), !allowed(n)
	}
	for _, item := range n.Items {
		if !allowed(item) {
			return item.Text(), true
		}
	}
	return "", false
}

// jsonNumber is what counts as a number where it comes as text.
var jsonNumber = lazy.Pattern(`^-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// coerce is a value as the type of an input, or nil where it cannot be. Text stands for a number, for true or false, or
// for a list in JSON, since command lines and forms give text (CI/CD inputs, "Array type"). at is the place of such a list.
func coerce(kind string, n *yamlx.Node, at fault.Place) *yamlx.Node {
	text, isText := n.Str()
	switch kind {
	case "number":
		if n.IsScalar() && (n.Type == yamlx.Int || n.Type == yamlx.Float) {
			return n
		}
		if m := jsonNumber.FindStringSubmatch(text); isText && m != nil {
			if m[1] == "" && m[2] == "" {
				return yamlx.NewScalar(yamlx.Int, text, n.Place)
			}
			return yamlx.NewScalar(yamlx.Float, text, n.Place)
		}
	case "boolean":
		if n.IsScalar() && n.Type == yamlx.Bool {
			return n
		}
		if isText && (text == "true" || text == "false") {
			return yamlx.NewScalar(yamlx.Bool, text, n.Place)
		}
	case "array":
		if n.IsSequence() {
			return n
		}
		var list []any
		if isText && len(text) <= yamlx.MaxBytes && json.Unmarshal([]byte(text), &list) == nil && list != nil {
			return yamlx.From(list, at)
		}
	default:
		if isText {
			return n
		}
		if n.IsScalar() {
			return yamlx.NewString(n.Text(), n.Place)
		}
	}
	return nil
}
