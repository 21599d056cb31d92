package expr

import (
	"slices"
	"strings"
)

// Holder is what holds expressions: an *Expr, a *Template, a *Condition.
type Holder interface {
	Expressions() []*Expr
}

// Uses tells which contexts and functions expressions name.
type Uses struct {
	Contexts  []string // lower case, sorted, each once
	Functions []string // lower case, sorted, each once
	paths     [][]string
}

// anyPart stands in a path for * and for computed names.
const anyPart = "*"

// UsesOf tells what the expressions of all these use together. Holders that are nil pointers hold none.
func UsesOf(holders ...Holder) Uses {
	var u Uses
	for _, h := range holders {
		for _, e := range h.Expressions() {
			u.collect(e.root)
		}
	}
	slices.Sort(u.Contexts)
	slices.Sort(u.Functions)
	u.Contexts, u.Functions = slices.Compact(u.Contexts), slices.Compact(u.Functions)
	return u
}

// Uses tells what the expression uses.
func (e *Expr) Uses() Uses { return UsesOf(e) }

// With is what both use together.
func (u Uses) With(other Uses) Uses {
	merge := func(a, b []string) []string {
		out := slices.Concat(a, b)
		slices.Sort(out)
		return slices.Compact(out)
	}
	return Uses{merge(u.Contexts, other.Contexts), merge(u.Functions, other.Functions), slices.Concat(u.paths, other.paths)}
}

// Context reports whether the context is named.
func (u Uses) Context(name string) bool {
	_, ok := slices.BinarySearch(u.Contexts, asciiLower(name))
	return ok
}

// Function reports whether the function is called.
func (u Uses) Function(name string) bool {
	_, ok := slices.BinarySearch(u.Functions, asciiLower(name))
	return ok
}

// Mentions reports whether the value at context.path, or a part of it, may be read: exactly that is named, something
// below it, or something above it as a whole (all of steps for Mentions("steps", "build")); * and computed names may be
// anything.
func (u Uses) Mentions(context string, path ...string) bool {
	want := append([]string{context}, path...)
	return slices.ContainsFunc(u.paths, func(have []string) bool {
		for i := range min(len(have), len(want)) {
			if have[i] != anyPart && !strings.EqualFold(have[i], want[i]) {
				return false
			}
		}
		return true
	})
}

// Paths are the places that are read, lower case and from the context down: ["steps" "build" "outputs" "tag"]. A * is
// any name.
func (u Uses) Paths() [][]string { return u.paths }

// collect walks down; a chain of dereferences is one path.
func (u *Uses) collect(n Node) {
	if path := pathOf(n); path != nil {
		u.paths = append(u.paths, path)
		u.Contexts = append(u.Contexts, path[0])
		keys(n, u.collect)
		return
	}
	if c, ok := n.(*Call); ok {
		u.Functions = append(u.Functions, c.Name)
	}
	for _, c := range n.Children() {
		u.collect(c)
	}
}

// keys visits what stands in the brackets of a chain.
func keys(n Node, visit func(Node)) {
	for {
		switch d := n.(type) {
		case *Index:
			visit(d.Key)
			n = d.Of
		case *Property:
			n = d.Of
		case *Star:
			n = d.Of
		default:
			return
		}
	}
}

// pathOf is the path of a chain of dereferences that begins at a context, in lower case; nil for all others.
func pathOf(n Node) []string {
	var parts []string
	for {
		switch d := n.(type) {
		case *Variable:
			parts = append(parts, asciiLower(d.Name))
			slices.Reverse(parts)
			return parts
		case *Property:
			parts, n = append(parts, asciiLower(d.Name)), d.Of
		case *Star:
			parts, n = append(parts, anyPart), d.Of
		case *Index:
			name := anyPart
			if l, ok := d.Key.(*Literal); ok {
				name = asciiLower(l.Value.Text())
			}
			parts, n = append(parts, name), d.Of
		default:
			return nil
		}
	}
}
