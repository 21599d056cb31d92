package expr

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

const (
	openMark  = "${{"
	closeMark = "}}"
)

// Template is text with ${{ expressions }} in it.
type Template struct {
	text  string
	parts []segment
	src   *source
}

// segment is text, or an expression where expr is set.
type segment struct {
	text string
	expr *Expr
}

// ParseTemplate reads text. at says where an offset of it (in bytes) lies in the user's file; nil leaves faults without
// a place. Every bad expression is a fault of its own; the template is nil where there is one.
func ParseTemplate(text string, at func(offset int) fault.Place) (*Template, fault.Faults) {
	t := &Template{text: text, src: &source{at}}
	var list fault.List
	for pos := 0; pos < len(text); {
		open := strings.Index(text[pos:], openMark)
		if open < 0 {
			t.parts = append(t.parts, segment{text: text[pos:]})
			break
		}
		if open > 0 {
			t.parts = append(t.parts, segment{text: text[pos : pos+open]})
		}
		begin := pos + open + len(openMark)
		end := closing(text, begin)
		if end < 0 {
			list.Add(t.unclosed(begin - len(openMark)))
			break
		}
		e, f := t.expression(begin, end)
		list.Add(f)
		t.parts = append(t.parts, segment{expr: e})
		pos = end + len(closeMark)
	}
	list.Add(t.tooLong())
	if list.HasErrors() {
		return nil, list.Sorted()
	}
	return t, nil
}

// closing finds }} outside of 'text', or -1.
func closing(text string, from int) int {
	quoted := false
	for i := from; i < len(text); i++ {
		switch {
		case text[i] == '\'':
			quoted = !quoted
		case !quoted && strings.HasPrefix(text[i:], closeMark):
			return i
		}
	}
	return -1
}

func (t *Template) unclosed(offset int) *fault.Fault {
	f := fault.At(CodeUnclosed, t.src.place(offset), "this ${{ is not closed by }}")
	if strings.Contains(t.text[offset:], closeMark) {
		return f.WithHint("the }} stands inside of a text: close its single quote first")
	}
	return f.WithHint("add }} at the end of the expression; for ${{ itself write ${{ '${{' }}")
}

func (t *Template) expression(begin, end int) (*Expr, *fault.Fault) {
	inner := t.text[begin:end]
	if strings.TrimSpace(inner) == "" {
		return nil, fault.At(CodeSyntax, t.src.place(begin-len(openMark)), "there is no expression in ${{ }}").
			WithHint("for ${{ itself write ${{ '${{' }}")
	}
	return Parse(inner, func(o int) fault.Place { return t.src.place(begin + o) })
}

// tooLong applies GitHub's limit to the whole: a text with expressions becomes one call of format, and its length
// counts.
func (t *Template) tooLong() *fault.Fault {
	if len(t.text) <= MaxLength/2 || t.Static() || t.single() != nil {
		return nil
	}
	n := len("format('')")
	for _, p := range t.parts {
		if p.expr != nil {
			n += units(p.expr.text) + len("{0}, ")
			continue
		}
		n += units(p.text) + strings.Count(p.text, "'") + strings.Count(p.text, "{") + strings.Count(p.text, "}")
	}
	if n <= MaxLength {
		return nil
	}
	return fault.At(CodeLimit, t.src.place(0), "the text has %d characters and holds ${{ }}; GitHub reads at most %d then", n, MaxLength).
		WithHint("give the values in env: and read them as variables of the shell, or split the text")
}

// Static reports whether there is no ${{ }} in the text.
func (t *Template) Static() bool {
	for _, p := range t.parts {
		if p.expr != nil {
			return false
		}
	}
	return true
}

// Source is the text as it was written.
func (t *Template) Source() string { return t.text }

// Place is where the text begins.
func (t *Template) Place() fault.Place { return t.src.place(0) }

// Expressions are the ${{ }} parts in order.
func (t *Template) Expressions() []*Expr {
	if t == nil {
		return nil
	}
	var out []*Expr
	for _, p := range t.parts {
		if p.expr != nil {
			out = append(out, p.expr)
		}
	}
	return out
}

// Uses tells what its expressions use.
func (t *Template) Uses() Uses { return UsesOf(t) }

// single is the expression of a text that is nothing but one ${{ }}.
func (t *Template) single() *Expr {
	if len(t.parts) == 1 {
		return t.parts[0].expr
	}
	return nil
}

// Single is the expression of a text that is nothing but one ${{ }}, so that Value keeps its type; nil for all others.
func (t *Template) Single() *Expr { return t.single() }

// Text is the text with the values put in. Where the whole is one ${{ }} that gives an array or object, there is no
// text: that is a fault, as on GitHub; amid other text these are the words Array and Object.
func (t *Template) Text(env *Env) (string, error) {
	v, err := t.Value(env)
	if err != nil {
		return "", err
	}
	if !v.primitive() {
		e := t.single()
		return "", fault.At(CodeText, e.Place(), "%s stands where text is wanted", describe(v)).
			WithHint("write toJSON(%s)", e)
	}
	return v.Text(), nil
}

// Value is the value of a text that is nothing but one ${{ }}, with its type; of all others the text.
func (t *Template) Value(env *Env) (Value, error) {
	if e := t.single(); e != nil {
		return e.Eval(env)
	}
	ev := newEvaluator(env)
	var b strings.Builder
	for _, p := range t.parts {
		text := p.text
		if p.expr != nil {
			v, err := ev.eval(p.expr.root)
			if err != nil {
				return Null(), err
			}
			text = v.Text()
		}
		if p.expr != nil && 2*(b.Len()+len(text)) > MaxMemory {
			return Null(), ev.spend(p.expr.root, MaxMemory+1)
		}
		b.WriteString(text)
	}
	return String(b.String()), nil
}
