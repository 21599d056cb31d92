package expr

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Condition is the value of an if: key.
type Condition struct {
	text     string
	expr     *Expr
	implied  bool
	warnings fault.Faults
}

// ParseCondition reads the text of an if:, with or without ${{ }}. Empty text is success(). Text around ${{ }} makes
// the whole a text that is never empty and so always true, as on GitHub: Warnings says so.
func ParseCondition(text string, at func(offset int) fault.Place) (*Condition, *fault.Fault) {
	c := &Condition{text: text}
	var f *fault.Fault
	switch {
	case text == "":
		c.expr, f = Parse("success()", func(int) fault.Place { return (&source{at}).place(0) })
	case strings.Contains(text, openMark):
		f = c.template(text, at)
	default:
		c.expr, f = Parse(text, at)
	}
	if f != nil {
		return nil, f
	}
	c.implied = !slices.ContainsFunc(c.Uses().Functions, func(name string) bool { return functions[name].Status })
	return c, nil
}

func (c *Condition) template(text string, at func(offset int) fault.Place) *fault.Fault {
	t, faults := ParseTemplate(text, at)
	if len(faults) > 0 {
		return faults[0]
	}
	if e := t.single(); e != nil {
		c.expr = e
		return nil
	}
	c.expr = t.format()
	hint := "put the whole condition between ${{ and }}, or leave ${{ }} out"
	if strings.TrimSpace(text) != text && len(t.parts) == 2 {
		hint = "a line break or blank belongs to the text: write it on one line, or with |- or >-"
	}
	c.warnings = append(c.warnings, fault.At(CodeAlways, t.Place(), "this condition is always true, because of the text around ${{ }}").
		WithSeverity(fault.Warning).WithHint("%s", hint))
	return nil
}

// format is the template as the call that the runner makes of it: format('a {0} b', x).
func (t *Template) format() *Expr {
	here := spot{t.src, 0}
	c := &Call{spot: here, Name: "format", Written: "format", Args: []Node{nil}}
	var text strings.Builder
	for _, p := range t.parts {
		if p.expr == nil {
			text.WriteString(strings.NewReplacer("{", "{{", "}", "}}").Replace(p.text))
			continue
		}
		text.WriteString("{" + strconv.Itoa(len(c.Args)-1) + "}")
		c.Args = append(c.Args, p.expr.root)
	}
	c.Args[0] = &Literal{spot: here, Value: String(text.String())}
	return &Expr{text: t.text, root: c, src: t.src}
}

// Source is the text as it was written.
func (c *Condition) Source() string { return c.text }

// Expr is the condition's expression, without the success() that is implied.
func (c *Condition) Expr() *Expr { return c.expr }

// Expressions is the one expression.
func (c *Condition) Expressions() []*Expr {
	if c == nil {
		return nil
	}
	return []*Expr{c.expr}
}

// Uses tells what the condition uses. An implied success() is not told.
func (c *Condition) Uses() Uses { return UsesOf(c) }

// Implied reports whether success() && (…) stands for the condition, because it calls none of success, failure,
// cancelled and always.
func (c *Condition) Implied() bool { return c.implied }

// Warnings are remarks about a condition that can be read.
func (c *Condition) Warnings() fault.Faults { return c.warnings }

// Eval asks the condition: first the implied success(), then the expression. Errors are those of Expr.Eval.
func (c *Condition) Eval(env *Env) (bool, error) {
	ev := newEvaluator(env)
	if c.implied {
		ok, err := ev.call(&Call{spot: spot{c.expr.src, 0}, Name: "success", Written: "success"})
		if err != nil || !ok.Truthy() {
			return false, err
		}
	}
	v, err := ev.eval(c.expr.root)
	return err == nil && v.Truthy(), err
}
