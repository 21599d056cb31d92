package lint

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

// anyMatrix is a matrix of which nothing is known.
var anyMatrix = expr.TMap(expr.TAny)

// strategy checks a strategy and gives the type of the context matrix.
func (c *checker) strategy(st *workflow.Strategy, s scope) expr.Type {
	switch {
	case st == nil:
		return nothing
	case st.Expr.Set:
		c.kind(st.Expr, s, "strategy", expr.KnownObject)
		return anyMatrix
	}
	c.kind(st.FailFast, s, "fail-fast", expr.KnownBool)
	c.kind(st.MaxParallel, s, "max-parallel", expr.KnownNumber)
	switch m := st.Matrix; {
	case m == nil:
		return nothing
	case m.Expr.Set:
		return c.wholeMatrix(m.Expr, s)
	default:
		return c.matrix(m, s)
	}
}

// wholeMatrix is a matrix that one expression gives.
func (c *checker) wholeMatrix(t workflow.Text, s scope) expr.Type {
	whole := c.kind(t, s, "matrix", expr.KnownObject)
	if whole.Kind != expr.KnownObject {
		return anyMatrix
	}
	props := map[string]expr.Type{}
	for name, p := range whole.Props {
		if name == "include" || name == "exclude" {
			continue
		}
		props[name] = item(p)
	}
	out := expr.Type{Kind: expr.KnownObject, Props: props, Rest: whole.Rest}
	if include, ok := whole.Props["include"]; ok {
		out = included(out, item(include))
	}
	if out.Rest != nil {
		out.Rest = &expr.TAny
	}
	return out
}

// item is the type of an array's items.
func item(t expr.Type) expr.Type {
	if t.Kind == expr.KnownArray && t.Item != nil {
		return *t.Item
	}
	return expr.TAny
}

// included is a matrix with the properties that a combination of include adds.
func included(matrix, more expr.Type) expr.Type {
	if more.Kind != expr.KnownObject {
		matrix.Rest = &expr.TAny
		return matrix
	}
	for name, p := range more.Props {
		if have, ok := matrix.Props[name]; ok {
			p = expr.Merge(have, p)
		}
		matrix.Props[name] = p
	}
	if more.Rest != nil {
		matrix.Rest = &expr.TAny
	}
	return matrix
}

func (c *checker) matrix(m *workflow.Matrix, s scope) expr.Type {
	out := expr.TStrict(nil)
	for i := range m.Rows {
		row := &m.Rows[i]
		c.repeated(row)
		if row.Name.Dynamic() {
			c.row(row, s)
			out.Rest = &expr.TAny
			continue
		}
		out.Props[strings.ToLower(row.Name.Value)] = c.row(row, s)
	}
	if x := m.Exclude; x != nil {
		if x.Expr.Set {
			c.kind(x.Expr, s, "exclude", expr.KnownArray)
		}
		for _, n := range x.Items {
			c.value(n, s)
		}
	}
	if m.Include == nil {
		return out
	}
	if m.Include.Expr.Set {
		return included(out, item(c.kind(m.Include.Expr, s, "include", expr.KnownArray)))
	}
	for _, n := range m.Include.Items {
		t := c.value(n, s)
		if n.Kind == yamlx.Scalar && t.Kind == expr.KnownArray { // its items stand in its place
			t = item(t)
		}
		if t.Kind == expr.KnownObject || t.Kind == expr.KnownNothing {
			out = included(out, t)
		}
	}
	return out
}

func (c *checker) row(row *workflow.Row, s scope) expr.Type {
	if row.Expr.Set {
		return item(c.kind(row.Expr, s, "the matrix variable "+row.Name.Value, expr.KnownArray))
	}
	return c.items(row.Values, s)
}

func (c *checker) items(nodes []*yamlx.Node, s scope) expr.Type {
	out := expr.TAny
	for i, n := range nodes {
		t := c.value(n, s)
		if n.Kind == yamlx.Scalar && t.Kind == expr.KnownArray { // its items stand in its place
			t = item(t)
		}
		if i > 0 {
			t = expr.Merge(out, t)
		}
		out = t
	}
	return out
}

// value is the type of any YAML whose scalars may hold expressions.
func (c *checker) value(n *yamlx.Node, s scope) expr.Type {
	switch n.Kind {
	case yamlx.Sequence:
		return expr.TArray(c.items(n.Items, s))
	case yamlx.Mapping:
		props, open := map[string]expr.Type{}, false
		for _, p := range n.Pairs {
			if strings.Contains(p.Key.Value, "${{") {
				c.value(p.Value, s)
				open = true
				continue
			}
			props[p.Key.Value] = c.value(p.Value, s)
		}
		out := expr.TStrict(props)
		if open {
			out.Rest = &expr.TAny
		}
		return out
	}
	switch n.Type {
	case yamlx.Null:
		return expr.TNull
	case yamlx.Bool:
		return expr.TBool
	case yamlx.Int, yamlx.Float:
		return expr.TNumber
	}
	if !strings.Contains(n.Value, "${{") {
		return expr.TString
	}
	t, faults := expr.ParseTemplate(n.Value, c.places(n))
	if len(faults) > 0 {
		return expr.TAny // told by the reader
	}
	if e := t.Single(); e != nil {
		return c.infer(e, s)
	}
	c.template(t, s)
	return expr.TString
}

// repeated tells values that a matrix variable has twice.
func (c *checker) repeated(row *workflow.Row) {
	if len(row.Values) > 256 {
		return // told by the reader
	}
	for i, n := range row.Values {
		for _, before := range row.Values[:i] {
			if n != before && n.Size() < 1000 && yamlx.Equal(n, before) {
				c.warn(CodeRepeated, n.Place, "the matrix variable %s has this value at line %d already", row.Name.Value, before.Place.Line).
					WithHint("remove it")
				break
			}
		}
	}
}
