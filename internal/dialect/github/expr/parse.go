package expr

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The limits of GitHub's own parser.
const (
	MaxLength = 21000 // UTF-16 units in one expression, and in one text that holds ${{ }}
	MaxDepth  = 50    // levels of one expression; a row of && or || is one level
)

// precedence of the binary operators; the higher binds tighter.
var precedence = map[string]int{
	"||": 1, "&&": 2, "==": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4,
}

const precedenceNot = 5

// Expr is one expression, parsed.
type Expr struct {
	text string
	root Node
	src  *source
}

// Parse reads one expression without ${{ }}. at says where an offset of src (in bytes) lies in the user's file; nil
// leaves faults without a place.
func Parse(src string, at func(offset int) fault.Place) (*Expr, *fault.Fault) {
	s := &source{at}
	if n := units(src); n > MaxLength {
		return nil, fault.At(CodeLimit, s.place(0), "the expression has %d characters; GitHub reads at most %d", n, MaxLength)
	}
	p := parser{lex: lexer{text: src, src: s}, src: s}
	root, f := p.all()
	if f != nil {
		return nil, f
	}
	if deep := tooDeep(root, 1); deep != nil {
		return nil, fault.At(CodeLimit, deep.Place(), "the expression is nested more than %d levels deep", MaxDepth)
	}
	return &Expr{text: src, root: root, src: s}, nil
}

// Root is the syntax tree.
func (e *Expr) Root() Node { return e.root }

// Source is the text that was parsed.
func (e *Expr) Source() string { return e.text }

// String prints the tree as an expression that parses to the same tree.
func (e *Expr) String() string { return e.root.String() }

// Place is where the expression begins, past leading blanks.
func (e *Expr) Place() fault.Place {
	return e.src.place(len(e.text) - len(strings.TrimLeft(e.text, " \t\r\n")))
}

// Expressions is the expression itself; it makes an Expr a Holder, as templates and conditions are.
func (e *Expr) Expressions() []*Expr {
	if e == nil {
		return nil
	}
	return []*Expr{e}
}

// units is the length as .NET counts it.
func units(s string) int {
	if len(s) <= MaxLength {
		return utf8.RuneCountInString(s) // exact enough below the limit
	}
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// tooDeep finds the first node below the allowed depth. Rows of one logical operator count as one level.
func tooDeep(n Node, depth int) Node {
	if depth > MaxDepth {
		return n
	}
	for _, c := range operands(n) {
		if deep := tooDeep(c, depth+1); deep != nil {
			return deep
		}
	}
	return nil
}

// operands are the children of a node, with rows of && or || laid flat.
func operands(n Node) []Node {
	b, ok := n.(*Binary)
	if !ok || b.Op != "&&" && b.Op != "||" {
		return n.Children()
	}
	var out []Node
	for _, side := range b.Children() {
		if s, ok := side.(*Binary); ok && s.Op == b.Op {
			out = append(out, operands(s)...)
			continue
		}
		out = append(out, side)
	}
	return out
}

type parser struct {
	lex lexer
	src *source
	tok token
}

func (p *parser) advance() (f *fault.Fault) {
	p.tok, f = p.lex.next()
	return f
}

func (p *parser) is(text string) bool { return p.tok.kind == tokenOp && p.tok.text == text }

func (p *parser) spot(offset int) spot { return spot{p.src, offset} }

// all reads the whole source as one expression.
func (p *parser) all() (Node, *fault.Fault) {
	if f := p.advance(); f != nil {
		return nil, f
	}
	if p.tok.kind == tokenEnd {
		return nil, p.lex.fail(0, "the expression is empty").WithHint("write a value, for example github.ref")
	}
	n, f := p.binary(0)
	if f != nil {
		return nil, f
	}
	if p.tok.kind != tokenEnd {
		return nil, p.unexpected("an operator or the end of the expression")
	}
	return n, nil
}

// binary reads an operand and the operators after it that bind tighter than limit.
func (p *parser) binary(limit int) (Node, *fault.Fault) {
	left, f := p.unary()
	for f == nil && p.tok.kind == tokenOp && precedence[p.tok.text] > limit {
		op := p.tok
		if f = p.advance(); f != nil {
			break
		}
		var right Node
		if right, f = p.binary(precedence[op.text]); f == nil {
			left = &Binary{spot: p.spot(op.offset), Op: op.text, Left: left, Right: right}
		}
	}
	return left, f
}

func (p *parser) unary() (Node, *fault.Fault) {
	if !p.is("!") {
		return p.postfix()
	}
	at := p.tok.offset
	if f := p.advance(); f != nil {
		return nil, f
	}
	of, f := p.binary(precedenceNot)
	return &Not{spot: p.spot(at), Of: of}, f
}

// postfix reads a value and the dots and brackets after it.
func (p *parser) postfix() (Node, *fault.Fault) {
	n, f := p.primary()
	for f == nil {
		if _, plain := n.(*Literal); plain && !p.closed() && (p.is(".") || p.is("[")) {
			return nil, p.lex.fail(p.tok.offset, "a literal has no properties")
		}
		switch {
		case p.is("."):
			n, f = p.property(n)
		case p.is("["):
			n, f = p.index(n)
		default:
			return n, nil
		}
	}
	return nil, f
}

// closed reports whether the token before the present one is a closing parenthesis.
func (p *parser) closed() bool {
	before := strings.TrimSpace(p.lex.text[:p.tok.offset])
	return strings.HasSuffix(before, ")")
}

func (p *parser) property(of Node) (Node, *fault.Fault) {
	if f := p.advance(); f != nil {
		return nil, f
	}
	t := p.tok
	switch {
	case t.kind == tokenName:
		return &Property{spot: p.spot(t.offset), Of: of, Name: t.text}, p.advance()
	case p.is("*"):
		return &Star{spot: p.spot(t.offset), Of: of}, p.advance()
	case t.kind == tokenValue:
		return nil, p.unexpected("the name of a property").WithHint("write [%s] for an item or a property with another name", t.text)
	default:
		return nil, p.unexpected("the name of a property or *")
	}
}

func (p *parser) index(of Node) (Node, *fault.Fault) {
	at := p.tok.offset
	if f := p.advance(); f != nil {
		return nil, f
	}
	if p.is("*") {
		star := &Star{spot: p.spot(at), Of: of}
		if f := p.advance(); f != nil {
			return nil, f
		}
		return star, p.expect("]", at)
	}
	key, f := p.binary(0)
	if f != nil {
		return nil, f
	}
	return &Index{spot: p.spot(at), Of: of, Key: key}, p.expect("]", at)
}

func (p *parser) expect(mark string, opened int) *fault.Fault {
	if p.is(mark) {
		return p.advance()
	}
	if p.tok.kind == tokenEnd {
		return p.lex.fail(opened, "the bracket that opens here is not closed").WithHint("add %s", mark)
	}
	return p.unexpected(mark)
}

func (p *parser) primary() (Node, *fault.Fault) {
	t := p.tok
	switch {
	case t.kind == tokenValue:
		return &Literal{spot: p.spot(t.offset), Value: t.value}, p.advance()
	case t.kind == tokenName:
		if f := p.advance(); f != nil {
			return nil, f
		}
		if p.is("(") {
			return p.call(t)
		}
		return &Variable{spot: p.spot(t.offset), Name: t.text}, nil
	case p.is("("):
		if f := p.advance(); f != nil {
			return nil, f
		}
		n, f := p.binary(0)
		if f != nil {
			return nil, f
		}
		return n, p.expect(")", t.offset)
	default:
		return nil, p.unexpected("a value")
	}
}

func (p *parser) call(name token) (Node, *fault.Fault) {
	opened := p.tok.offset
	if f := p.advance(); f != nil {
		return nil, f
	}
	c := &Call{spot: p.spot(name.offset), Name: strings.ToLower(name.text), Written: name.text}
	for !p.is(")") {
		if len(c.Args) > 0 {
			if !p.is(",") {
				return nil, p.expect(")", opened)
			}
			if f := p.advance(); f != nil {
				return nil, f
			}
		} else if p.tok.kind == tokenEnd {
			return nil, p.expect(")", opened)
		}
		arg, f := p.binary(0)
		if f != nil {
			return nil, f
		}
		c.Args = append(c.Args, arg)
	}
	if f := p.advance(); f != nil {
		return nil, f
	}
	return c, checkCall(c)
}

func (p *parser) unexpected(want string) *fault.Fault {
	if p.tok.kind == tokenEnd {
		return p.lex.fail(p.tok.offset, "the expression ends where %s is expected", want)
	}
	return p.lex.fail(p.tok.offset, "unexpected %s; %s is expected", p.tok.text, want)
}

// preciseNumber prints a number so that it is read back exactly.
func preciseNumber(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return FormatNumber(f)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
