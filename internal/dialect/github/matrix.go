package github

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The bounds of a matrix: GitHub's own (Actions limits, "Job Matrix"), and that of the combinations which are looked at
// before exclude has taken some away.
const (
	maxLegs    = 256
	maxProduct = 100_000
)

// Grid is a matrix whose values are known (workflow syntax, jobs.<job_id>.strategy.matrix).
type Grid struct {
	Rows             []GridRow
	Include, Exclude []expr.Value // objects
}

// GridRow is one variable of a matrix with its values.
type GridRow struct {
	Name   string
	Values []expr.Value
}

// GridLeg is one combination. Shown are the values that the job's name lists: those of the matrix proper, without what
// include added to a combination that was there.
type GridLeg struct {
	Matrix, Shown expr.Value
}

// Legs are the combinations of the matrix in GitHub's order: the first variable changes slowest; then the entries of
// include that extend no combination, in their order. exclude is applied first. An entry of include extends every
// combination of which it contradicts no original value; among several that set the same further value the last one
// wins. Values are compared as == compares them, objects and lists part by part. It is nil, and not ok, where there
// are more combinations than GitHub takes.
func (g Grid) Legs() (legs []GridLeg, ok bool) {
	total := 0
	if len(g.Rows) > 0 {
		total = 1
	}
	for _, r := range g.Rows {
		if total *= len(r.Values); total > maxProduct {
			return nil, false
		}
	}
	if total*(len(g.Exclude)+len(g.Include)) > 100*maxProduct {
		return nil, false
	}
	includes, used := g.includes(), make([]bool, len(g.Include))
	for i := range total {
		shown := g.combination(i, total)
		if g.excluded(shown) {
			continue
		}
		legs = append(legs, GridLeg{Matrix: extend(shown, includes, used), Shown: shown})
		if len(legs) > maxLegs {
			return nil, false
		}
	}
	for i, in := range includes {
		if !used[i] {
			own := expr.NewObject(append(in.filter.Pairs(), in.extra.Pairs()...)...)
			legs = append(legs, GridLeg{Matrix: own, Shown: own})
		}
	}
	return legs, len(legs) <= maxLegs
}

func (g Grid) combination(i, total int) expr.Value {
	b := &expr.ObjectBuilder{}
	block := total
	for _, r := range g.Rows {
		block /= len(r.Values)
		b.Set(r.Name, r.Values[i/block%len(r.Values)])
	}
	return b.Value()
}

func (g Grid) excluded(leg expr.Value) bool {
	for _, x := range g.Exclude {
		if fits(x, leg) {
			return true
		}
	}
	return false
}

// include is one entry of include: filter are the values of the matrix's own variables, extra the others.
type include struct{ filter, extra expr.Value }

func (g Grid) includes() []include {
	own := map[string]bool{}
	for _, r := range g.Rows {
		own[strings.ToLower(r.Name)] = true
	}
	out := make([]include, len(g.Include))
	for i, entry := range g.Include {
		filter, extra := &expr.ObjectBuilder{}, &expr.ObjectBuilder{}
		for _, p := range entry.Pairs() {
			if own[strings.ToLower(p.Key)] {
				filter.Set(p.Key, p.Value)
				continue
			}
			extra.Set(p.Key, p.Value)
		}
		out[i] = include{filter.Value(), extra.Value()}
	}
	return out
}

// extend is the leg with what the entries of include add to it.
func extend(leg expr.Value, includes []include, used []bool) expr.Value {
	b := &expr.ObjectBuilder{}
	for _, p := range leg.Pairs() {
		b.Set(p.Key, p.Value)
	}
	for i, in := range includes {
		if !fits(in.filter, leg) {
			continue
		}
		used[i] = true
		for _, p := range in.extra.Pairs() {
			b.Set(p.Key, p.Value)
		}
	}
	return b.Value()
}

// fits reports whether every plain value in want is equal to the one at the same place in have.
func fits(want, have expr.Value) bool {
	switch want.Kind() {
	case expr.KindObject:
		for _, p := range want.Pairs() {
			if !fits(p.Value, have.Get(p.Key)) {
				return false
			}
		}
		return true
	case expr.KindArray:
		for i, item := range want.Items() {
			if !fits(item, have.Index(i)) {
				return false
			}
		}
		return true
	default:
		return expr.Equal(have, want)
	}
}

// legName is the name of a leg as GitHub shows it: the job's, then the plain values of the combination in brackets,
// objects and lists taken apart; at most 100 characters.
func legName(job string, shown expr.Value) string {
	if parts := segments(shown, nil); len(parts) > 0 {
		job += " (" + strings.Join(parts, ", ") + ")"
	}
	if r := []rune(job); len(r) > 100 {
		return string(r[:97]) + "..."
	}
	return job
}

func segments(v expr.Value, out []string) []string {
	switch v.Kind() {
	case expr.KindObject, expr.KindArray:
		for _, item := range v.Items() {
			out = segments(item, out)
		}
		return out
	case expr.KindNull:
		return out
	default:
		if text := v.Text(); text != "" {
			out = append(out, text)
		}
		return out
	}
}

// grid evaluates a matrix. Mistakes in what expressions give are faults here; those of the file were told when it was
// read.
func (c *compiler) grid(id string, m *workflow.Matrix, env *expr.Env) (Grid, bool) {
	g, ok := Grid{}, true
	if m.Expr.Set {
		v, err := valueOf(m.Expr, env)
		if err != nil {
			return g, c.fail(m.Expr.At(), err)
		}
		if v.Kind() != expr.KindObject {
			return g, c.mistake(CodeMatrix, m.Expr.At(), "the matrix of job %q is %s, not an object", id, described(v))
		}
		return c.gridOf(id, m.Place, v)
	}
	for _, row := range m.Rows {
		name, fine := c.text(row.Name, env)
		if fine && g.has(name) {
			fine = c.mistake(CodeMatrix, row.Name.At(), "the matrix of job %q has the variable '%s' twice", id, name)
		}
		if !fine {
			ok = false
			continue
		}
		values, fine := c.list(row.Expr, row.Values, env, "the values of "+name)
		if fine && len(values) == 0 {
			fine = c.mistake(CodeMatrix, row.Name.At(), "Matrix vector '%s' does not contain any values", name)
		}
		g.Rows, ok = append(g.Rows, GridRow{name, values}), ok && fine
	}
	for _, part := range []struct {
		name string
		from *workflow.Combinations
		into *[]expr.Value
	}{{"include", m.Include, &g.Include}, {"exclude", m.Exclude, &g.Exclude}} {
		if part.from == nil {
			continue
		}
		values, fine := c.list(part.from.Expr, part.from.Items, env, part.name)
		*part.into, ok = values, ok && fine
	}
	return g, ok && c.checked(id, m.Place, g)
}

// gridOf is a matrix that one expression gave.
func (c *compiler) gridOf(id string, at fault.Place, v expr.Value) (Grid, bool) {
	g, ok := Grid{}, true
	for _, p := range v.Pairs() {
		if p.Value.Kind() != expr.KindArray {
			ok = c.mistake(CodeMatrix, at, "%s in the matrix of job %q is %s, not a list", p.Key, id, described(p.Value))
			continue
		}
		switch items := p.Value.Items(); {
		case p.Key == "include":
			g.Include = items
		case p.Key == "exclude":
			g.Exclude = items
		case len(items) == 0:
			ok = c.mistake(CodeMatrix, at, "Matrix vector '%s' does not contain any values", p.Key)
		default:
			g.Rows = append(g.Rows, GridRow{p.Key, items})
		}
	}
	return g, ok && c.checked(id, at, g)
}

// checked tells what GitHub refuses in a matrix whose values are known.
func (c *compiler) checked(id string, at fault.Place, g Grid) bool {
	if len(g.Rows) == 0 && len(g.Include) == 0 {
		return c.mistake(CodeMatrix, at, "the matrix of job %q must define at least one vector", id)
	}
	ok := true
	for _, entry := range g.Include {
		if entry.Len() == 0 || entry.Kind() != expr.KindObject {
			ok = c.mistake(CodeMatrix, at, "an entry of include in the matrix of job %q is %s, not a mapping of values", id, described(entry))
		}
	}
	for _, entry := range g.Exclude {
		if entry.Len() == 0 || entry.Kind() != expr.KindObject {
			ok = c.mistake(CodeMatrix, at, "an entry of exclude in the matrix of job %q is %s, not a mapping of values", id, described(entry))
			continue
		}
		for _, p := range entry.Pairs() {
			if !g.has(p.Key) {
				ok = c.mistake(CodeMatrix, at, "Matrix exclude key '%s' does not match any key within the matrix", p.Key)
			}
		}
	}
	return ok
}

func (g Grid) has(name string) bool {
	for _, r := range g.Rows {
		if strings.EqualFold(r.Name, name) {
			return true
		}
	}
	return false
}

// described names the kind of a value in words.
func described(v expr.Value) string {
	switch v.Kind() {
	case expr.KindNull:
		return "nothing"
	case expr.KindArray:
		return "a list"
	case expr.KindObject:
		return "an object"
	case expr.KindString:
		return "the text '" + shortened(v.Text()) + "'"
	default:
		return v.Text()
	}
}

func shortened(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:57]) + "..."
	}
	return s
}
