package lint

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
)

// condition checks an if.
func (c *checker) condition(cond *workflow.Condition, s scope) {
	if cond == nil || cond.Cond == nil {
		return
	}
	e := cond.Cond.Expr()
	c.infer(e, s)
	if len(cond.Cond.Warnings()) > 0 || strings.TrimSpace(cond.Text.Value) == "" || !constant(e) {
		return // the first is always true, as the reader told
	}
	v, err := e.Eval(&expr.Env{})
	if err != nil {
		return // told by infer
	}
	word, hint := "false", "remove what it keeps from running, or ask a context"
	if v.Truthy() {
		word, hint = "true", "remove the condition"
		if cond.Cond.Implied() {
			word = "true as long as nothing failed, which is so without it"
		}
	}
	c.warn(CodeConstant, cond.Text.At(), "this condition is always %s", word).WithHint("%s", hint)
}

// constant reports whether nothing in an expression depends on the run.
func constant(e *expr.Expr) bool {
	uses := e.Uses()
	if len(uses.Contexts) > 0 {
		return false
	}
	for _, name := range []string{"success", "failure", "cancelled", "always", "hashfiles"} {
		if uses.Function(name) {
			return false
		}
	}
	return true
}

// values are all that a property can hold, by its path; * is any name.
var values = map[string][]string{
	"needs.*.result":       {"success", "failure", "cancelled", "skipped"},
	"jobs.*.result":        {"success", "failure", "cancelled", "skipped"},
	"steps.*.outcome":      {"success", "failure", "cancelled", "skipped"},
	"steps.*.conclusion":   {"success", "failure", "cancelled", "skipped"},
	"job.status":           {"success", "failure", "cancelled"},
	"runner.os":            {"Linux", "Windows", "macOS"},
	"runner.arch":          {"X86", "X64", "ARM", "ARM64"},
	"runner.environment":   {"github-hosted", "self-hosted"},
	"github.ref_type":      {"branch", "tag", ""},
	"github.secret_source": {"None", "Actions", "Codespaces", "Dependabot"},
}

// compare tells comparisons with a text that never occurs.
func (c *checker) compare(b *expr.Binary, s scope) {
	if b.Op != "==" && b.Op != "!=" {
		return
	}
	side, l := b.Left, literal(b.Right)
	if l == nil {
		side, l = b.Right, literal(b.Left)
	}
	path := pathOf(side)
	if l == nil || path == "" {
		return
	}
	if path == "github.event_name" {
		c.event(b, l.Value.Text())
		return
	}
	for _, known := range possible(path) {
		if strings.EqualFold(known, l.Value.Text()) {
			return
		}
	}
	always := "never true"
	if b.Op == "!=" {
		always = "always true"
	}
	if list := possible(path); list != nil {
		f := c.warn(CodeNever, l.Place(), "%s is never %s: the comparison is %s", side, l, always)
		if meant := near(l.Value.Text(), list); meant != "" && !strings.EqualFold(l.Value.Text(), "failed") {
			f.WithHint("did you mean '%s'?", meant)
		} else {
			f.WithHint("it is one of %s", strings.Join(nonEmpty(list), ", "))
		}
		return
	}
	c.notBoolean(b, side, l, s, always)
}

// notBoolean tells a boolean that is compared with a word: both become numbers, and the word is none.
func (c *checker) notBoolean(b *expr.Binary, side expr.Node, l *expr.Literal, s scope, always string) {
	name, input := strings.CutPrefix(pathOf(side), "inputs.")
	if !input || s["inputs"].Props[name].Kind != expr.KnownBool || l.Value.Kind() != expr.KindString || !notNumber(l.Value.Text()) {
		return
	}
	f := c.warn(CodeNever, l.Place(), "%s is true or false, and never equals the text %s: the comparison is %s", side, l, always)
	switch strings.ToLower(l.Value.Text()) {
	case "true", "false":
		f.WithHint("remove the quotes: %s %s %s", side, b.Op, strings.ToLower(l.Value.Text()))
	}
}

func notNumber(text string) bool {
	n := expr.ParseNumber(text)
	return n != n
}

// event tells names of events that there are not.
func (c *checker) event(b *expr.Binary, name string) {
	if workflow.EventNamed(name) != nil || name == "dynamic" || name == "" {
		return
	}
	names := make([]string, len(workflow.Events))
	for i := range workflow.Events {
		names[i] = workflow.Events[i].Name
	}
	l := literal(b.Right)
	if l == nil {
		l = literal(b.Left)
	}
	f := c.warn(CodeNever, l.Place(), "no event is called %q", name)
	if meant := near(name, names); meant != "" {
		f.WithHint("did you mean '%s'?", meant)
	}
}

func nonEmpty(list []string) []string {
	if list[len(list)-1] == "" {
		return list[:len(list)-1]
	}
	return list
}

func literal(n expr.Node) *expr.Literal {
	l, ok := n.(*expr.Literal)
	if !ok || l.Value.Kind() != expr.KindString {
		return nil
	}
	return l
}

// possible are the values of the property at a path; nil where any may occur.
func possible(path string) []string {
	if list := values[path]; list != nil {
		return list
	}
	parts := strings.Split(path, ".")
	if len(parts) != 3 {
		return nil
	}
	return values[parts[0]+".*."+parts[2]]
}

// pathOf is a chain of names, in lower case: needs.build.result. It is "" for everything else.
func pathOf(n expr.Node) string {
	switch n := n.(type) {
	case *expr.Variable:
		return strings.ToLower(n.Name)
	case *expr.Property:
		if of := pathOf(n.Of); of != "" {
			return of + "." + strings.ToLower(n.Name)
		}
	case *expr.Index:
		if l := literal(n.Key); l != nil {
			if of := pathOf(n.Of); of != "" {
				return of + "." + strings.ToLower(l.Value.Text())
			}
		}
	}
	return ""
}
