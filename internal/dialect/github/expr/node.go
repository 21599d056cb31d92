package expr

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Node is a part of a parsed expression. Its dynamic type is one of *Literal, *Variable, *Property, *Index, *Star,
// *Call, *Not and *Binary.
type Node interface {
	// Offset is where the node begins in the expression's source, in bytes. For an operator, a property and an index it
	// is the place of the operator, the name and the bracket.
	Offset() int
	// Place is where that is in the user's file.
	Place() fault.Place
	// String prints the node as an expression that parses to the same node.
	String() string
	// Children are the nodes directly below, from left to right.
	Children() []Node
}

// source turns offsets into places; all nodes of an expression share it.
type source struct {
	at func(int) fault.Place
}

func (s *source) place(offset int) fault.Place {
	if s == nil || s.at == nil {
		return fault.Place{}
	}
	return s.at(offset)
}

type spot struct {
	src    *source
	offset int
}

func (s spot) Offset() int        { return s.offset }
func (s spot) Place() fault.Place { return s.src.place(s.offset) }

// Literal is null, true, false, a number or 'text'.
type Literal struct {
	spot
	Value Value
}

// Variable is the name of a context.
type Variable struct {
	spot
	Name string // as written
}

// Property is a named property: Of.Name.
type Property struct {
	spot
	Of   Node
	Name string // as written
}

// Index is a property or an item by a computed name or number: Of[Key].
type Index struct {
	spot
	Of, Key Node
}

// Star is the object filter: Of.* or Of[*].
type Star struct {
	spot
	Of Node
}

// Call is a function call.
type Call struct {
	spot
	Name string // lower case
	Args []Node
	// Written is the name as the user wrote it.
	Written string
}

// Not is !Of.
type Not struct {
	spot
	Of Node
}

// Binary is Left Op Right; Op is one of == != < <= > >= && ||.
type Binary struct {
	spot
	Op          string
	Left, Right Node
}

// Children of a literal are none.
func (*Literal) Children() []Node { return nil }

// Children of a context are none.
func (*Variable) Children() []Node { return nil }

// Children is what the property is of.
func (n *Property) Children() []Node { return []Node{n.Of} }

// Children are what is indexed and the index.
func (n *Index) Children() []Node { return []Node{n.Of, n.Key} }

// Children is what is filtered.
func (n *Star) Children() []Node { return []Node{n.Of} }

// Children are the arguments.
func (n *Call) Children() []Node { return n.Args }

// Children is what is negated.
func (n *Not) Children() []Node { return []Node{n.Of} }

// Children are the two sides.
func (n *Binary) Children() []Node { return []Node{n.Left, n.Right} }

func (n *Literal) String() string {
	switch {
	case n.Value.kind == KindNull:
		return "null"
	case n.Value.kind == KindString:
		return "'" + strings.ReplaceAll(n.Value.text, "'", "''") + "'"
	case n.Value.kind == KindNumber:
		return preciseNumber(n.Value.num)
	default:
		return n.Value.Text()
	}
}

func (n *Variable) String() string { return n.Name }
func (n *Property) String() string { return operand(n.Of) + "." + n.Name }
func (n *Index) String() string    { return operand(n.Of) + "[" + n.Key.String() + "]" }
func (n *Star) String() string     { return operand(n.Of) + ".*" }

func (n *Call) String() string {
	args := make([]string, len(n.Args))
	for i, a := range n.Args {
		args[i] = a.String()
	}
	return n.Written + "(" + strings.Join(args, ", ") + ")"
}

func (n *Not) String() string {
	if b, ok := n.Of.(*Binary); ok {
		return "!(" + b.String() + ")"
	}
	return "!" + n.Of.String()
}

func (n *Binary) String() string {
	left, right := n.Left.String(), n.Right.String()
	if l, ok := n.Left.(*Binary); ok && precedence[l.Op] < precedence[n.Op] {
		left = "(" + left + ")"
	}
	if r, ok := n.Right.(*Binary); ok && precedence[r.Op] <= precedence[n.Op] {
		right = "(" + right + ")"
	}
	return left + " " + n.Op + " " + right
}

// operand prints what stands before a dot or a bracket.
func operand(n Node) string {
	switch n.(type) {
	case *Binary, *Not, *Literal:
		return "(" + n.String() + ")"
	default:
		return n.String()
	}
}

// Walk calls visit for n and everything below it, parents first. Where visit returns false, what is below is left out.
func Walk(n Node, visit func(Node) bool) {
	if n == nil || !visit(n) {
		return
	}
	for _, c := range n.Children() {
		Walk(c, visit)
	}
}

// Start is where the whole of n begins in the user's file: for a.b.c the place of a.
func Start(n Node) fault.Place {
	for {
		switch d := n.(type) {
		case *Property:
			n = d.Of
		case *Index:
			n = d.Of
		case *Star:
			n = d.Of
		case *Binary:
			n = d.Left
		default:
			return n.Place()
		}
	}
}
