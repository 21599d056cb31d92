package github

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// scalarOf is the value of a scalar as YAML types it.
func scalarOf(n *yamlx.Node) expr.Value {
	switch {
	case n.IsNull():
		return expr.Null()
	case n.Type == yamlx.Bool:
		b, _ := n.Bool()
		return expr.Bool(b)
	case n.Type == yamlx.Int, n.Type == yamlx.Float:
		f, _ := n.Float()
		return expr.Number(f)
	default:
		return expr.String(n.Value)
	}
}

// nodeValue is the value of any YAML, with its expressions evaluated.
func nodeValue(n *yamlx.Node, env *expr.Env) (expr.Value, error) {
	switch {
	case n == nil:
		return expr.Null(), nil
	case n.Kind == yamlx.Sequence:
		items, err := nodeItems(n.Items, env)
		return expr.Array(items...), err
	case n.Kind == yamlx.Mapping:
		b := &expr.ObjectBuilder{}
		for _, p := range n.Pairs {
			if err := setPair(b, p, env); err != nil {
				return expr.Null(), err
			}
		}
		return b.Value(), nil
	}
	t, faults := templateOf(n)
	switch {
	case faults != nil:
		return expr.Null(), faults[0]
	case t == nil:
		return scalarOf(n), nil
	default:
		return t.Value(env)
	}
}

// nodeItems are the values of a list. The items of a list that an expression gives in place of an item stand in its place,
// as GitHub's runner unravels them (TemplateUnraveler); a list that is written out stays a list.
func nodeItems(nodes []*yamlx.Node, env *expr.Env) ([]expr.Value, error) {
	out := make([]expr.Value, 0, len(nodes))
	for _, n := range nodes {
		v, err := nodeValue(n, env)
		if err != nil {
			return nil, err
		}
		if n.Kind == yamlx.Scalar && v.Kind() == expr.KindArray {
			out = append(out, v.Items()...)
			continue
		}
		out = append(out, v)
	}
	return out, nil
}

// setPair sets an entry of a mapping: its name may be an expression, and ${{ insert }} sets all entries of its value.
func setPair(b *expr.ObjectBuilder, p yamlx.Pair, env *expr.Env) error {
	v, err := nodeValue(p.Value, env)
	if err != nil {
		return err
	}
	if workflow.Inserts(p.Key) {
		if v.Kind() != expr.KindObject && !v.IsNull() {
			return fault.At(CodeMatrix, p.Key.Place, "insert takes an object, not %s", described(v))
		}
		for _, entry := range v.Pairs() {
			b.Set(entry.Key, entry.Value)
		}
		return nil
	}
	t, faults := templateOf(p.Key)
	switch {
	case faults != nil:
		return faults[0]
	case t == nil:
		b.Set(p.Key.Value, v)
		return nil
	}
	name, err := t.Text(env)
	b.Set(name, v)
	return err
}

// templateOf is the template of a scalar deep in a value, which the model keeps as YAML; nil without expressions.
func templateOf(n *yamlx.Node) (*expr.Template, fault.Faults) {
	if n.Type != yamlx.Str || !strings.Contains(n.Value, "${{") {
		return nil, nil
	}
	return expr.ParseTemplate(n.Value, func(offset int) fault.Place {
		at := n.Place
		if n.Style == yamlx.Plain {
			at.Column += offset
		}
		return at
	})
}

// mentions reports whether a value that the model keeps as YAML reads a context.
func mentions(n *yamlx.Node, context string) bool {
	if n == nil {
		return false
	}
	for _, item := range n.Items {
		if mentions(item, context) {
			return true
		}
	}
	for _, p := range n.Pairs {
		if mentions(p.Key, context) || mentions(p.Value, context) {
			return true
		}
	}
	if n.Kind != yamlx.Scalar || workflow.Inserts(n) {
		return false
	}
	t, _ := templateOf(n)
	return t != nil && t.Uses().Context(context)
}

// asks reports whether a text reads the context.
func asks(t workflow.Text, context string) bool {
	return t.Template != nil && t.Template.Uses().Context(context)
}

// list evaluates a list that is written out, or given by an expression.
func (c *compiler) list(from workflow.Text, nodes []*yamlx.Node, env *expr.Env, what string) ([]expr.Value, bool) {
	if from.Set {
		v, err := valueOf(from, env)
		if err != nil {
			return nil, c.fail(from.At(), err)
		}
		if v.Kind() != expr.KindArray {
			return nil, c.mistake(CodeMatrix, from.At(), "%s: %s where a list is wanted", what, described(v))
		}
		return v.Items(), true
	}
	out := make([]expr.Value, 0, len(nodes))
	for i, n := range nodes {
		items, err := nodeItems(nodes[i:i+1], env)
		if err != nil {
			return nil, c.fail(n.At(), err)
		}
		out = append(out, items...)
	}
	return out, true
}

// text evaluates a text; a mistake is told.
func (c *compiler) text(t workflow.Text, env *expr.Env) (string, bool) {
	s, err := textOf(t, env)
	if err != nil {
		return "", c.fail(t.At(), err)
	}
	return s, true
}

// truth evaluates a text that is to be true or false; not set it is what is given.
func (c *compiler) truth(t workflow.Text, env *expr.Env, otherwise bool, what string) (bool, bool) {
	if !t.Set {
		return otherwise, true
	}
	v, err := valueOf(t, env)
	switch {
	case err != nil:
		return otherwise, c.fail(t.At(), err)
	case v.Kind() == expr.KindBool:
		return v.Bool(), true
	case v.IsNull() || v.Text() == "":
		return otherwise, true
	case strings.EqualFold(v.Text(), "true"):
		return true, true
	case strings.EqualFold(v.Text(), "false"):
		return false, true
	}
	return otherwise, c.mistake(CodeJobValue, t.At(), "%s is true or false, not %s", what, described(v))
}

// count evaluates a text that is to be a number; not set it is what is given.
func (c *compiler) count(t workflow.Text, env *expr.Env, otherwise float64, what string) (float64, bool) {
	if !t.Set {
		return otherwise, true
	}
	v, err := valueOf(t, env)
	switch {
	case err != nil:
		return otherwise, c.fail(t.At(), err)
	case v.IsNull() || v.Text() == "":
		return otherwise, true
	case v.Kind() == expr.KindNumber || v.Kind() == expr.KindString:
		if f := v.Number(); f == f && f >= 0 && f < 1e9 { //nolint:staticcheck // NaN is not equal to itself
			return f, true
		}
	}
	return otherwise, c.mistake(CodeJobValue, t.At(), "%s is a number, not %s", what, described(v))
}

// mistake tells a fault and is false.
func (c *compiler) mistake(code string, at fault.Place, format string, args ...any) bool {
	c.faults.Add(fault.At(code, at, format, args...))
	return false
}

// fail tells an error of an expression and is false. One without a place gets the one given.
func (c *compiler) fail(at fault.Place, err error) bool {
	if f, ok := err.(*fault.Fault); ok { //nolint:errorlint // only a fault that is not wrapped may be placed
		if f.Place.IsZero() {
			here := *f
			here.Place = at
			f = &here
		}
		c.faults.Add(f)
		return false
	}
	c.faults.Add(fault.At(CodeExpression, at, "%v", err))
	return false
}
