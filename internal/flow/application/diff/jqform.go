package diff

import (
	"strings"

	"github.com/itchyny/gojq"
)

// The interpreter's steps are counted, but one step may work on a value of any size, so an expression that could grow values
// is refused before it runs: no loops of its own, no assignments, no joining of what is not written in the expression. What
// is left names fields, chooses them and tests them, which is what path expressions are for.

// functions are the builtins that a path expression may call; the value says whether it collects what its arguments give.
var functions = map[string]bool{
	"select": false, "has": false, "in": false, "test": false, "startswith": false, "endswith": false, "contains": false,
	"inside": false, "index": false, "rindex": false, "any": false, "all": false, "not": false, "empty": false, "first": false,
	"last": false, "nth": false, "length": false, "utf8bytelength": false, "type": false, "keys": false, "values": false,
	"nulls": false, "strings": false, "numbers": false, "booleans": false, "arrays": false, "objects": false, "scalars": false,
	"iterables": false, "recurse": false, "map": true, "map_values": true, "to_entries": true, "from_entries": true,
	"with_entries": true, "ascii_downcase": false, "ascii_upcase": false, "ltrimstr": false, "rtrimstr": false, "trim": false,
	"ltrim": false, "rtrim": false, "tostring": true, "tonumber": false, "split": false, "IN": true, "path": false,
	"paths": false, "getpath": false, "min": false, "max": false, "min_by": false, "max_by": false, "floor": false,
	"true": false, "false": false, "null": false, "limit": false, "isempty": false,
}

// growers is how many times an expression may make a new value of others.
const growers = 8

// form checks a parsed expression.
type formCheck struct {
	bad   string
	grown int
}

// forbidden names what an expression uses that a path expression may not; "" where it is sound.
func forbidden(q *gojq.Query) string {
	c := &formCheck{}
	if q.Meta != nil || len(q.Imports) > 0 {
		c.refuse("modules")
	}
	c.query(q, false)
	if c.bad == "" && c.grown > growers {
		c.refuse("so many constructions")
	}
	return c.bad
}

func (c *formCheck) refuse(what string) {
	if c.bad == "" {
		c.bad = what
	}
}

// query checks one query; inside says that what it gives is collected.
func (c *formCheck) query(q *gojq.Query, inside bool) {
	if q == nil || c.bad != "" {
		return
	}
	if len(q.FuncDefs) > 0 {
		c.refuse("def")
	}
	if q.Term != nil {
		c.term(q.Term, inside)
		return
	}
	if q.Right == nil {
		return
	}
	switch q.Op {
	case gojq.OpComma:
		if inside && !(constant(q.Left) && constant(q.Right)) {
			c.refuse("a comma inside a construction")
		}
	case gojq.OpAdd, gojq.OpMul, gojq.OpSub, gojq.OpDiv, gojq.OpMod:
		if !constant(q.Left) && !constant(q.Right) || q.Op == gojq.OpMul && !(constant(q.Left) && constant(q.Right)) {
			c.refuse("arithmetic")
		}
		c.grown++
	case gojq.OpAssign, gojq.OpModify, gojq.OpUpdateAdd, gojq.OpUpdateSub, gojq.OpUpdateMul, gojq.OpUpdateDiv, gojq.OpUpdateMod, gojq.OpUpdateAlt:
		c.refuse("an assignment")
	}
	c.query(q.Left, inside)
	c.query(q.Right, inside)
}

func (c *formCheck) term(t *gojq.Term, inside bool) {
	switch t.Type {
	case gojq.TermTypeReduce, gojq.TermTypeForeach, gojq.TermTypeLabel, gojq.TermTypeBreak:
		c.refuse("a loop")
	case gojq.TermTypeFormat:
		c.refuse("a format")
	case gojq.TermTypeFunc:
		c.function(t.Func, inside)
	case gojq.TermTypeObject:
		c.object(t.Object)
	case gojq.TermTypeArray:
		if t.Array.Query != nil && !constant(t.Array.Query) {
			c.grown++
		}
		c.query(t.Array.Query, true)
	case gojq.TermTypeIf:
		c.query(t.If.Cond, inside)
		c.query(t.If.Then, inside)
		for _, e := range t.If.Elif {
			c.query(e.Cond, inside)
			c.query(e.Then, inside)
		}
		c.query(t.If.Else, inside)
	case gojq.TermTypeTry:
		c.query(t.Try.Body, inside)
		c.query(t.Try.Catch, inside)
	case gojq.TermTypeUnary:
		c.term(t.Unary.Term, inside)
	case gojq.TermTypeQuery:
		c.query(t.Query, inside)
	}
	c.text(t.Str)
	c.index(t.Index)
	for _, s := range t.SuffixList {
		c.index(s.Index)
	}
}

func (c *formCheck) function(f *gojq.Func, inside bool) {
	if strings.HasPrefix(f.Name, "$") {
		if f.Name == "$ENV" {
			c.refuse(f.Name)
		}
		return
	}
	collects, ok := functions[f.Name]
	if !ok || f.Name == "recurse" && len(f.Args) > 0 {
		c.refuse(f.Name)
		return
	}
	if collects {
		c.grown++
	}
	for _, a := range f.Args {
		c.query(a, collects && f.Name != "IN" || inside)
	}
}

func (c *formCheck) object(o *gojq.Object) {
	made := 0
	for _, kv := range o.KeyVals {
		if kv.Val == nil || !constant(kv.Val) {
			made++
		}
		c.text(kv.KeyString)
		c.query(kv.KeyQuery, true)
		c.query(kv.Val, true)
	}
	if made > 1 {
		c.refuse("an object of several values")
	}
	c.grown += made
}

func (c *formCheck) text(s *gojq.String) {
	if s == nil {
		return
	}
	made := 0
	for _, q := range s.Queries {
		if !constant(q) {
			made++
		}
		c.query(q, true)
	}
	if made > 1 {
		c.refuse("a string of several values")
	}
	c.grown += made
}

func (c *formCheck) index(i *gojq.Index) {
	if i == nil {
		return
	}
	c.text(i.Str)
	c.query(i.Start, false)
	c.query(i.End, false)
}

// constant reports whether a query is written out: strings, numbers and lists and maps of such.
func constant(q *gojq.Query) bool {
	if q == nil || len(q.FuncDefs) > 0 {
		return false
	}
	if q.Term == nil {
		return q.Op == gojq.OpComma && constant(q.Left) && constant(q.Right)
	}
	t := q.Term
	if len(t.SuffixList) > 0 {
		return false
	}
	switch t.Type {
	case gojq.TermTypeString:
		for _, q := range t.Str.Queries {
			if !constant(q) {
				return false
			}
		}
		return true
	case gojq.TermTypeNumber, gojq.TermTypeTrue, gojq.TermTypeFalse, gojq.TermTypeNull:
		return true
	case gojq.TermTypeArray:
		return t.Array.Query == nil || constant(t.Array.Query)
	case gojq.TermTypeObject:
		for _, kv := range t.Object.KeyVals {
			if kv.Val == nil || !constant(kv.Val) {
				return false
			}
		}
		return true
	case gojq.TermTypeQuery:
		return constant(t.Query)
	}
	return false
}
