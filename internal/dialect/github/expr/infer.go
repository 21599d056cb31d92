package expr

import (
	"math"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Infer finds the type of an expression, and on the way what cannot be meant: properties that do not exist, values of
// the wrong type, comparisons that are never true. scope holds the contexts by lower-case name (see Scope); one that is
// missing there holds anything. GitHub evaluates most of these to null or false without a word, so they are warnings;
// what is sure to fail when it is evaluated is an error.
func Infer(e *Expr, scope map[string]Type) (Type, fault.Faults) {
	in := inference{scope: scope}
	t := in.infer(e.root)
	return t, in.faults.Sorted()
}

type inference struct {
	scope  map[string]Type
	faults fault.List
}

func (in *inference) warn(code string, n Node, format string, args ...any) *fault.Fault {
	return in.warnAt(code, n.Place(), format, args...)
}

func (in *inference) warnAt(code string, at fault.Place, format string, args ...any) *fault.Fault {
	f := fault.At(code, at, format, args...).WithSeverity(fault.Warning)
	in.faults.Add(f)
	return f
}

func (in *inference) infer(n Node) Type {
	switch n := n.(type) {
	case *Literal:
		return TypeOf(n.Value)
	case *Variable:
		return in.scope[asciiLower(n.Name)]
	case *Property:
		return in.property(n, n.Of, in.infer(n.Of), n.Name)
	case *Index:
		return in.index(n)
	case *Star:
		return in.star(n)
	case *Call:
		return in.call(n)
	case *Not:
		in.infer(n.Of)
		return TBool
	case *Binary:
		return in.binary(n)
	default:
		return TAny
	}
}

// property is of.name.
func (in *inference) property(n, of Node, t Type, name string) Type {
	switch {
	case t.Kind == KnownObject:
		return in.member(n, of, t, name)
	case t.Kind == KnownArray && t.filtered:
		item := t.item()
		if item.Kind == KnownObject {
			item = in.member(n, of, item, name)
		} else if item.scalar() {
			in.warn(CodeType, n, "%s has no property %q: its items are no objects", of, name)
			item = TAny
		} else {
			item = TAny
		}
		out := TArray(item)
		out.filtered = true
		return out
	case t.Kind == KnownArray:
		in.warn(CodeType, n, "%s is an array and has no property %q", of, name).
			WithHint("for that of all items write %s.*.%s", of, name)
	case t.scalar():
		in.warn(CodeType, n, "%s is %s and has no property %q", of, t, name)
	}
	return TAny
}

func (in *inference) member(n, of Node, t Type, name string) Type {
	p, ok := t.property(name)
	if ok {
		return p
	}
	f := in.warn(CodeProperty, n, "%s has no property %q", of, name)
	if len(t.Props) > 500 {
		return TAny // looking for the nearest would take long
	}
	switch near := nearest(name, t.names()); {
	case near != "":
		f.Hint = "did you mean " + strconv.Quote(near) + "?"
	case len(t.Props) == 0:
		f.Hint = "nothing is defined there"
	case len(t.Props) <= 12:
		f.Hint = "there are " + strings.Join(t.names(), ", ")
	}
	return TAny
}

func (in *inference) index(n *Index) Type {
	of, key := in.infer(n.Of), in.infer(n.Key)
	if key.collection() {
		in.warnAt(CodeType, Start(n.Key), "%s cannot be an index", key)
		return TAny
	}
	if of.scalar() {
		in.warn(CodeType, n, "%s is %s and has no parts", n.Of, of)
		return TAny
	}
	l, fixed := n.Key.(*Literal)
	if of.Kind == KnownObject && key.scalar() && key.Kind != KnownString {
		in.warnAt(CodeType, Start(n.Key), "the properties of %s have names, and %s is %s", n.Of, n.Key, key)
		return TAny
	}
	switch {
	case of.Kind == KnownObject && fixed:
		return in.member(n, n.Of, of, l.Value.Text())
	case of.Kind == KnownObject:
		return of.all()
	case of.Kind == KnownArray && of.filtered:
		return in.filteredIndex(n, of, l)
	case of.Kind == KnownArray && fixed && l.Value.kind == KindString && math.IsNaN(ParseNumber(l.Value.text)):
		return in.property(n, n.Of, of, l.Value.text)
	case of.Kind == KnownArray:
		return of.item()
	}
	return TAny
}

// filteredIndex applies the index to every item of what .* made.
func (in *inference) filteredIndex(n *Index, of Type, l *Literal) Type {
	item := of.item()
	switch {
	case item.Kind == KnownObject && l != nil:
		item = in.member(n, n.Of, item, l.Value.Text())
	case item.Kind == KnownObject:
		item = item.all()
	case item.Kind == KnownArray:
		item = item.item()
	case item.scalar():
		in.warn(CodeType, n, "the index applies to every item of %s, and these have no parts", n.Of).
			WithHint("the result of .* cannot be indexed; write fromJSON(toJSON(%s))[…]", n.Of)
		item = TAny
	}
	out := TArray(item)
	out.filtered = true
	return out
}

func (in *inference) star(n *Star) Type {
	t := in.infer(n.Of)
	item := TAny
	switch {
	case t.Kind == KnownObject:
		item = t.all()
	case t.Kind == KnownArray && t.filtered:
		switch inner := t.item(); inner.Kind {
		case KnownObject:
			item = inner.all()
		case KnownArray:
			item = inner.item()
		}
	case t.Kind == KnownArray:
		item = t.item()
	case t.scalar():
		in.warn(CodeType, n, "%s is %s: .* wants an array or an object", n.Of, t)
	}
	out := TArray(item)
	out.filtered = true
	return out
}

// maybeSame reports whether two values, one of them an array or object, may be the same one; that is what GitHub compares.
// null is compared to ask whether there is a value at all.
func (*inference) maybeSame(n *Binary, left, right Type) bool {
	for _, t := range []Type{left, right} {
		if t.Kind == KnownNothing || t.Kind == KnownNull {
			return true
		}
	}
	return left.Kind == right.Kind && n.Left.String() == n.Right.String()
}

func (in *inference) binary(n *Binary) Type {
	left, right := in.infer(n.Left), in.infer(n.Right)
	if n.Op == "&&" || n.Op == "||" {
		return merge(left, right)
	}
	for _, side := range []struct {
		node Node
		t    Type
	}{{n.Left, left}, {n.Right, right}} {
		equal := n.Op == "==" || n.Op == "!="
		if !equal && (side.t.Kind == KnownNull || side.t.Kind == KnownBool) {
			in.warnAt(CodeCompare, Start(side.node), "%s has no order: %s becomes a number here", side.t, side.node)
			continue
		}
		if !side.t.collection() {
			continue
		}
		if equal && in.maybeSame(n, left, right) {
			continue
		}
		f := in.warnAt(CodeCompare, Start(side.node), "%s cannot be compared with %s", side.t, n.Op)
		if side.t.Kind == KnownArray {
			f.Hint = "ask contains(" + side.node.String() + ", …), or compare toJSON(…)"
		} else {
			f.Hint = "compare a property of it, or toJSON(…)"
		}
	}
	return TBool
}
