package workflow

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

const open = "${{"

// plain is a text that takes no expressions.
func (r *reader) plain(n *yamlx.Node, what string) Text {
	if !r.scalar(n, what) {
		return Text{}
	}
	t := Text{Set: true, Value: value(n), Node: n}
	if i := strings.Index(t.Value, open); i >= 0 && n.Type == yamlx.Str {
		r.mistake(CodeNoExpression, r.at(n)(i), "%s takes no expression", what).WithHint("write the value itself")
	}
	return t
}

// text is a text with expressions, which may use what is available at the key (see expr.AvailableAt).
func (r *reader) text(n *yamlx.Node, what, available string) Text {
	if !r.scalar(n, what) {
		return Text{}
	}
	return r.template(n, available)
}

// template reads the expressions of a scalar.
func (r *reader) template(n *yamlx.Node, available string) Text {
	t := Text{Set: true, Value: value(n), Node: n}
	if n.Type != yamlx.Str || !strings.Contains(t.Value, open) {
		t.Template, _ = expr.ParseTemplate(t.Value, r.at(n))
		return t
	}
	var faults fault.Faults
	t.Template, faults = expr.ParseTemplate(t.Value, r.at(n))
	for _, f := range faults {
		r.tell(f)
	}
	if t.Template != nil {
		r.check(t.Template, available)
	}
	return t
}

func (r *reader) check(h expr.Holder, available string) {
	for _, f := range expr.Check(h, available) {
		r.tell(f)
	}
}

// scalar reports whether n is a scalar or nothing, and tells where it is not.
func (r *reader) scalar(n *yamlx.Node, what string) bool {
	if n.IsNull() || n.IsScalar() {
		return true
	}
	r.mistake(CodeType, n.Place, "%s is text, not %s", what, n.Describe())
	return false
}

// filled tells where a text is empty.
func (r *reader) filled(t Text, what string) Text {
	if t.Set && t.Value == "" {
		r.mistake(CodeEmpty, t.Node.Place, "%s is empty", what).WithHint("write a value or remove the key")
	}
	return t
}

// single reports whether a text is nothing but one expression.
func single(t Text) bool { return t.Template != nil && t.Template.Single() != nil }

// hasExpression reports whether a text has one.
func hasExpression(t Text) bool { return t.Template != nil && !t.Template.Static() }

// isExpression reports whether a node is text that is meant as one expression.
func isExpression(n *yamlx.Node) bool {
	if s, ok := n.Str(); ok {
		return strings.HasPrefix(strings.TrimSpace(s), open)
	}
	return false
}

// whole reads a node that is one expression instead of a mapping or list. ok is false where it is something else.
func (r *reader) whole(n *yamlx.Node, what, available string) (t Text, ok bool) {
	if !isExpression(n) {
		return Text{}, false
	}
	t = r.template(n, available)
	if t.Template != nil && !single(t) {
		r.mistake(CodeType, n.Place, "%s is text around an expression; only an expression alone gives a value that is not text", what)
	}
	return t, true
}

// boolean is true, false or an expression.
func (r *reader) boolean(n *yamlx.Node, what, available string) Text {
	if n.IsScalar() && n.Type == yamlx.Bool {
		return r.template(n, available)
	}
	return r.typed(n, what, available, "true or false")
}

// number is a number or an expression.
func (r *reader) number(n *yamlx.Node, what, available string) Text {
	if n.IsScalar() && (n.Type == yamlx.Int || n.Type == yamlx.Float) {
		return r.template(n, available)
	}
	return r.typed(n, what, available, "a number")
}

// typed is an expression that gives a value of the kind, and told where it is something else.
func (r *reader) typed(n *yamlx.Node, what, available, kind string) Text {
	if s, ok := n.Str(); ok && strings.Contains(s, open) {
		t := r.template(n, available)
		if t.Template != nil && !single(t) {
			r.mistake(CodeType, n.Place, "%s is %s, not text around an expression", what, kind)
		}
		return t
	}
	switch {
	case n.IsNull():
		r.mistake(CodeEmpty, n.Place, "%s is empty: it is %s, or an expression", what, kind)
	default:
		f := r.mistake(CodeType, n.Place, "%s is %s, not %s", what, kind, n.Describe())
		if n.Style == yamlx.Quoted {
			t := yamlx.TypeOf(yamlx.Core, n.Value)
			if (t == yamlx.Bool) == (kind == "true or false") && t != yamlx.Str && t != yamlx.Null {
				f.WithHint("remove the quotes")
			}
		}
	}
	return Text{}
}

// flag is true or false, and no expression.
func (r *reader) flag(n *yamlx.Node, what string) bool {
	b, ok := n.Bool()
	if !ok {
		r.notFlag(n, what)
	}
	return b
}

func (r *reader) notFlag(n *yamlx.Node, what string) {
	if s, isText := n.Str(); isText && strings.Contains(s, open) {
		r.mistake(CodeNoExpression, n.Place, "%s takes no expression", what).WithHint("write true or false")
		return
	}
	r.typed(n, what, "", "true or false")
}

// condition is an if.
func (r *reader) condition(n *yamlx.Node, what, available string) *Condition {
	if !r.scalar(n, what) {
		return nil
	}
	c := &Condition{Text: Text{Set: true, Value: value(n), Node: n}}
	text := c.Text.Value
	if strings.TrimSpace(text) == "" {
		r.warn(CodeUseless, n.Place, "%s is empty, which is success()", what).WithHint("write a condition or remove the key")
		text = ""
	}
	cond, f := expr.ParseCondition(text, r.at(n))
	if f != nil {
		r.tell(f)
		return c
	}
	for _, w := range cond.Warnings() {
		r.tell(w)
	}
	c.Cond = cond
	r.check(cond, available)
	return c
}

// texts is one text, or a list of texts; none of them may be empty.
func (r *reader) texts(n *yamlx.Node, what string) []Text {
	if n.IsSequence() {
		out := make([]Text, 0, len(n.Items))
		for _, item := range n.Items {
			if t := r.filled(r.plain(item, "an entry of "+what), "an entry of "+what); t.Set {
				out = append(out, t)
			}
		}
		return out
	}
	if n.IsMapping() {
		r.mistake(CodeType, n.Place, "%s is text or a list of texts, not a mapping", what)
		return []Text{}
	}
	if n.IsNull() {
		r.mistake(CodeEmpty, n.Place, "%s is empty", what).WithHint("write a value, or remove the key where all are meant")
		return []Text{}
	}
	t := r.filled(r.plain(n, what), what)
	if !t.Set {
		return []Text{}
	}
	return []Text{t}
}

// named is a mapping of any names to texts. each is asked about every name. Where names is a key of the availability
// table, names may hold expressions.
func (r *reader) named(n *yamlx.Node, what, available, names string, each func(name Text)) []Named {
	if !r.mapping(n, what) {
		return nil
	}
	out := make([]Named, 0, len(n.Pairs))
	for _, p := range n.Pairs {
		var name Text
		if names != "" && strings.Contains(p.Key.Value, open) {
			name = r.template(p.Key, names)
		} else if plain, ok := r.name(p.Key, what); ok {
			name = plain
		} else {
			continue
		}
		if each != nil && !name.Dynamic() {
			each(name)
		}
		v := r.text(p.Value, p.Key.Value, available)
		if v.Set {
			out = append(out, Named{name, v})
		}
	}
	return out
}

// name is the name of an entry whose names are the user's.
func (r *reader) name(key *yamlx.Node, what string) (Text, bool) {
	name := value(key)
	switch {
	case name == "<<" && key.Style == yamlx.Plain:
		r.merge(key)
		return Text{}, false
	case name == "":
		r.mistake(CodeEmpty, key.Place, "a name in %s is empty", what)
		return Text{}, false
	case strings.Contains(name, open):
		r.mistake(CodeNoExpression, key.Place, "a name in %s is an expression", what).
			WithHint("write the name itself, or give the whole mapping by one expression where that is possible: ${{ fromJSON(…) }}")
		return Text{}, false
	}
	return Text{Set: true, Value: name, Node: key}, true
}
