package expr

import (
	"errors"
	"strings"
)

// node is a part of an expression.
type node interface {
	eval(Scope) (Value, error)
	below() []node
}

type (
	constant struct{ value Value }
	variable string
	input    string
	negation struct{ of node }
	both     struct{ left, right node }
	either   struct{ left, right node }
	same     struct {
		left, right node
		not         bool
	}
	match struct {
		left, right node
		not         bool
		at          int
	}
)

func (n constant) eval(Scope) (Value, error) { return n.value, nil }

func (n variable) eval(s Scope) (Value, error) {
	if s.Variables != nil {
		if v, ok := s.Variables(string(n)); ok {
			return Text(v), nil
		}
	}
	return Null(), nil
}

func (n input) eval(s Scope) (Value, error) {
	if s.Inputs != nil {
		if v, ok := s.Inputs(string(n)); ok {
			return v, nil
		}
	}
	return Null(), nil
}

func (n negation) eval(s Scope) (Value, error) {
	v, err := n.of.eval(s)
	return Truth(!v.Holds()), err
}

// eval gives one of the operands, not a truth: `$EMPTY && "x"` is "x", for an empty string counts as given.
func (n both) eval(s Scope) (Value, error) {
	v, err := n.left.eval(s)
	if err != nil || !v.taken() {
		return v, err
	}
	return n.right.eval(s)
}

// eval gives one of the operands: `$EMPTY || "x"` is the empty string, so it does not hold.
func (n either) eval(s Scope) (Value, error) {
	v, err := n.left.eval(s)
	if err != nil || v.taken() {
		return v, err
	}
	return n.right.eval(s)
}

func (n same) eval(s Scope) (Value, error) {
	l, err := n.left.eval(s)
	if err != nil {
		return Null(), err
	}
	r, err := n.right.eval(s)
	return Truth(l.equal(r) != n.not), err
}

// eval searches the left text for the right pattern. What is not defined matches nothing. A text on the right that is
// no valid pattern between slashes is searched for the left text instead: documented as unexpected behaviour of =~.
func (n match) eval(s Scope) (Value, error) {
	l, err := n.left.eval(s)
	if err != nil {
		return Null(), err
	}
	r, err := n.right.eval(s)
	if err != nil {
		return Null(), err
	}
	hit := false
	switch {
	case r.kind == regex:
		hit = r.re.Match(l.text)
	case r.kind == text:
		if hit, err = search(l.text, r.text); err != nil {
			return Null(), err
		}
	case r.taken():
		return Null(), mistake(CodeType, n.at, "the right side is %s, not a regular expression", r)
	}
	return Truth(hit != n.not), nil
}

// search is what a pattern from a variable or a string does. Only our own limits make it fail.
func search(in, pattern string) (bool, error) {
	p, err := CompilePattern(pattern)
	if err == nil {
		return p.Match(in), nil
	}
	var e *Error
	if errors.As(err, &e) && e.Code == CodeSize {
		return false, err
	}
	return strings.Contains(pattern, in), nil
}

func (constant) below() []node   { return nil }
func (variable) below() []node   { return nil }
func (input) below() []node      { return nil }
func (n negation) below() []node { return []node{n.of} }
func (n both) below() []node     { return []node{n.left, n.right} }
func (n either) below() []node   { return []node{n.left, n.right} }
func (n same) below() []node     { return []node{n.left, n.right} }
func (n match) below() []node    { return []node{n.left, n.right} }
