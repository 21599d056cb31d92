package lint

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
)

// infer checks one expression and gives its type.
func (c *checker) infer(e *expr.Expr, s scope) expr.Type {
	if c.told > maxTold {
		return expr.TAny
	}
	t, faults := expr.Infer(e, s)
	c.tell(faults...)
	expr.Walk(e.Root(), func(n expr.Node) bool {
		switch n := n.(type) {
		case *expr.Property:
			c.variable(n, n.Of, n.Name)
		case *expr.Index:
			if l, ok := n.Key.(*expr.Literal); ok && l.Value.Kind() == expr.KindString {
				c.variable(n, n.Of, l.Value.Text())
			}
		case *expr.Binary:
			c.compare(n, s)
		}
		return true
	})
	return t
}

// variable tells names in vars that no configuration variable can have, or that the configuration does not list.
func (c *checker) variable(n, of expr.Node, name string) {
	v, ok := of.(*expr.Variable)
	if !ok || !strings.EqualFold(v.Name, "vars") {
		return
	}
	odd := strings.IndexFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	config := c.in.Config
	switch {
	case strings.HasPrefix(strings.ToLower(name), "github_"):
		c.warn(CodeVariable, n.Place(), "no configuration variable is called %s: names do not begin with GITHUB_", name).
			WithHint("what the runner sets is in the context github and in the environment")
	case odd >= 0 || name == "":
		c.warn(CodeVariable, n.Place(), "no configuration variable is called %q: names hold letters, digits and _", name)
	case config == nil || !config.Listed || slices.ContainsFunc(config.Variables, func(v string) bool { return strings.EqualFold(v, name) }):
	case len(config.Variables) == 0:
		c.warn(CodeVariable, n.Place(), "config-variables of actionlint.yaml is empty, and so there is no variable %s", name)
	default:
		f := c.warn(CodeVariable, n.Place(), "config-variables of actionlint.yaml has no %s", name)
		if meant := near(name, config.Variables); meant != "" {
			f.WithHint("did you mean %s?", meant)
		}
	}
}

// template checks the expressions of a text, and that they give text.
func (c *checker) template(t *expr.Template, s scope) {
	whole := t.Single() != nil
	for _, e := range t.Expressions() {
		switch got := c.infer(e, s); got.Kind {
		case expr.KnownObject, expr.KnownArray:
			if whole {
				c.mistake(expr.CodeText, e.Place(), "%s stands where text is wanted", got).WithHint("write toJSON(%s)", e)
				continue
			}
			word := "Object"
			if got.Kind == expr.KnownArray {
				word = "Array"
			}
			c.warn(expr.CodeText, e.Place(), "%s becomes the word %s in a text", got, word).WithHint("write toJSON(%s)", e)
		case expr.KnownNull:
			c.warn(CodeNull, e.Place(), "the expression is always null, which is empty text")
		}
	}
}

// text checks a text with expressions.
func (c *checker) text(t workflow.Text, s scope) {
	if t.Template != nil {
		c.template(t.Template, s)
	}
}

func (c *checker) texts(ts []workflow.Text, s scope) {
	for _, t := range ts {
		c.text(t, s)
	}
}

func (c *checker) named(vars []workflow.Named, s scope) {
	for _, v := range vars {
		c.text(v.Value, s)
	}
}

// words are the kinds in a sentence.
var words = map[expr.TypeKind]string{expr.KnownBool: "true or false", expr.KnownNumber: "a number", expr.KnownArray: "a list", expr.KnownObject: "a mapping", expr.KnownString: "text"}

// kind checks a text that is one expression, which must give a value of one of the kinds.
func (c *checker) kind(t workflow.Text, s scope, what string, kinds ...expr.TypeKind) expr.Type {
	e := single(t)
	if e == nil {
		c.text(t, s)
		return expr.TAny
	}
	got := c.infer(e, s)
	if got.Kind == expr.KnownNothing || slices.Contains(kinds, got.Kind) {
		return got
	}
	list := make([]string, len(kinds))
	for i, k := range kinds {
		list[i] = words[k]
	}
	f := c.mistake(CodeKind, e.Place(), "%s is %s, and the expression gives %s", what, strings.Join(list, ", or "), got)
	if got.Kind == expr.KnownString {
		f.WithHint("write fromJSON(%s) where the text is JSON", e)
	}
	return expr.TAny
}

// env checks variables.
func (c *checker) env(e workflow.Env, s scope) {
	if e.Expr.Set {
		c.kind(e.Expr, s, "env", expr.KnownObject)
	}
	c.named(e.Vars, s)
	for _, v := range e.Vars {
		c.unsafe = c.unsafe || strings.EqualFold(v.Name.Value, "ACTIONS_ALLOW_UNSECURE_COMMANDS")
	}
}
