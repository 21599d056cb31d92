package workflow

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

const strategyPath = jobPath + ".strategy"

func (r *reader) strategy(n, key *yamlx.Node) *Strategy {
	s := &Strategy{Place: key.Place}
	if t, ok := r.whole(n, "strategy", strategyPath); ok {
		s.Expr = t
		return s
	}
	r.fields(n, "strategy", strategyPath, func(name string, key, v *yamlx.Node) {
		switch name {
		case "matrix":
			s.Matrix = r.matrix(v, key)
		case "fail-fast":
			s.FailFast = r.boolean(v, name, strategyPath)
		case "max-parallel":
			s.MaxParallel = r.number(v, name, strategyPath)
			if f, ok := v.Float(); ok && (f < 1 || f != float64(int64(f))) {
				r.warn(CodeValue, v.Place, "max-parallel is a whole number above zero; GitHub takes %s for no limit, or drops the fraction", s.MaxParallel.Value)
			}
		}
	})
	return s
}

func (r *reader) matrix(n, key *yamlx.Node) *Matrix {
	m := &Matrix{Place: key.Place}
	if t, ok := r.whole(n, "matrix", strategyPath); ok {
		m.Expr = t
		return m
	}
	if !r.mapping(n, "matrix") {
		return m
	}
	for _, p := range n.Pairs {
		var name Text
		if strings.Contains(p.Key.Value, open) && !Inserts(p.Key) {
			name = r.template(p.Key, strategyPath)
		} else if plain, ok := r.name(p.Key, "matrix"); ok {
			name = plain
		} else {
			continue
		}
		switch name.Value {
		case "include":
			m.Include = r.combinations(p.Value, p.Key)
		case "exclude":
			m.Exclude = r.combinations(p.Value, p.Key)
		default:
			m.Rows = append(m.Rows, r.row(name, p.Value))
		}
	}
	if len(m.Rows) == 0 && (m.Include == nil || !m.Include.Expr.Set && len(m.Include.Items) == 0) {
		r.mistake(CodeMatrix, n.Place, "the matrix has neither variables nor include").WithHint("matrix: {os: [ubuntu-latest, macos-latest]}")
	}
	r.excluded(m)
	r.matrixSize(m)
	return m
}

// row is one variable: a list of values that is not empty, or an expression that gives one.
func (r *reader) row(name Text, n *yamlx.Node) Row {
	row := Row{Name: name}
	if t, ok := r.whole(n, "the matrix variable "+name.Value, strategyPath); ok {
		row.Expr = t
		return row
	}
	if !n.IsSequence() {
		f := r.mistake(CodeMatrix, n.Place, "the matrix variable %s is a list, not %s", name.Value, n.Describe())
		if n.IsScalar() {
			f.WithHint("%s: [%s]", name.Value, n.Value)
		}
		return row
	}
	if len(n.Items) == 0 {
		r.mistake(CodeMatrix, n.Place, "the matrix variable %s has no values", name.Value)
	}
	row.Values = n.Items
	for _, item := range n.Items {
		r.any(item)
	}
	return row
}

// Inserts reports whether a key is ${{ insert }}: the entries of its value stand in its place.
func Inserts(key *yamlx.Node) bool {
	inner, ok := strings.CutPrefix(strings.TrimSpace(key.Value), open)
	inner, ended := strings.CutSuffix(inner, "}}")
	return ok && ended && strings.TrimSpace(inner) == "insert"
}

// any checks the expressions in a value of any kind.
func (r *reader) any(n *yamlx.Node) {
	switch n.Kind {
	case yamlx.Sequence:
		for _, item := range n.Items {
			r.any(item)
		}
	case yamlx.Mapping:
		r.sameKeys(n)
		for _, p := range n.Pairs {
			if p.Key.Value == "<<" && p.Key.Style == yamlx.Plain {
				r.merge(p.Key)
			}
			if !Inserts(p.Key) {
				r.any(p.Key)
			}
			r.any(p.Value)
		}
	default:
		if s, ok := n.Str(); ok && strings.Contains(s, open) {
			r.template(n, strategyPath)
		}
	}
}

// combinations are include or exclude: a list of mappings, or expressions that give them.
func (r *reader) combinations(n, key *yamlx.Node) *Combinations {
	what := key.Value
	c := &Combinations{Place: key.Place}
	if t, ok := r.whole(n, what, strategyPath); ok {
		c.Expr = t
		return c
	}
	if !n.IsSequence() {
		f := r.mistake(CodeMatrix, n.Place, "%s is a list of mappings, not %s", what, n.Describe())
		if n.IsMapping() {
			f.WithHint("begin every combination with -")
		}
		return c
	}
	if len(n.Items) == 0 {
		r.warn(CodeUseless, n.Place, "%s is an empty list", what)
	}
	c.Items = n.Items
	for _, item := range n.Items {
		if _, ok := r.whole(item, "an entry of "+what, strategyPath); ok {
			continue
		}
		if !item.IsMapping() {
			r.mistake(CodeMatrix, item.Place, "an entry of %s is a mapping, not %s", what, item.Describe())
			continue
		}
		if len(item.Pairs) == 0 {
			r.mistake(CodeMatrix, item.Place, "an entry of %s is empty", what)
		}
		r.any(item)
	}
	return c
}

// excluded tells keys of exclude that are no variables of the matrix, and values that they do not have.
func (r *reader) excluded(m *Matrix) {
	if m.Exclude == nil {
		return
	}
	names := make([]string, len(m.Rows))
	rows := make(map[string]*Row, len(m.Rows))
	for i := range m.Rows {
		if m.Rows[i].Name.Dynamic() {
			return
		}
		names[i] = m.Rows[i].Name.Value
		rows[strings.ToLower(names[i])] = &m.Rows[i]
	}
	for _, item := range m.Exclude.Items {
		for _, p := range item.Pairs {
			if strings.Contains(p.Key.Value, open) {
				continue
			}
			row := rows[strings.ToLower(p.Key.Value)]
			if row == nil {
				f := r.mistake(CodeMatrix, p.Key.Place, "exclude names %q, which is no variable of the matrix", p.Key.Value)
				if near := nearest(p.Key.Value, names); near != "" {
					f.WithHint("did you mean %q?", near)
				}
				continue
			}
			r.neverThere(row, p.Value)
		}
	}
}

// spliced reports whether an expression may put more than one value, or none, in the place of one.
func (row *Row) spliced() bool {
	return slices.ContainsFunc(row.Values, func(n *yamlx.Node) bool { return n.Kind == yamlx.Scalar && strings.Contains(n.Value, open) })
}

// neverThere tells a value of exclude that the variable does not have: it excludes nothing.
func (r *reader) neverThere(row *Row, v *yamlx.Node) {
	if row.Expr.Set || len(row.Values) > 100 || !literal(v) {
		return
	}
	for _, have := range row.Values {
		if !literal(have) || fits(v, have) {
			return
		}
	}
	r.warn(CodeMatrix, v.Place, "the matrix variable %s has no value %s: nothing is excluded", row.Name.Value, brief(v))
}

func brief(n *yamlx.Node) string {
	if n.IsScalar() || n.IsNull() {
		return `"` + value(n) + `"`
	}
	return "like this"
}

// literal reports whether there is no expression in a value.
func literal(n *yamlx.Node) bool {
	if n.Size() > 1000 {
		return false
	}
	switch n.Kind {
	case yamlx.Sequence:
		return !slices.ContainsFunc(n.Items, func(c *yamlx.Node) bool { return !literal(c) })
	case yamlx.Mapping:
		return !slices.ContainsFunc(n.Pairs, func(p yamlx.Pair) bool { return !literal(p.Value) })
	}
	return !strings.Contains(n.Value, open)
}

// fits reports whether a value of exclude takes a value of the matrix: scalars are equal as expressions compare them,
// lists entry by entry, and a mapping takes one that has all its entries.
func fits(want, have *yamlx.Node) bool {
	if want.Kind != have.Kind {
		return false
	}
	switch want.Kind {
	case yamlx.Sequence:
		return slices.EqualFunc(want.Items, have.Items, fits)
	case yamlx.Mapping:
		for _, p := range want.Pairs {
			if q, ok := have.Find(p.Key.Value); !ok || !fits(p.Value, q.Value) {
				return false
			}
		}
		return true
	}
	return expr.Equal(expr.FromAny(want.Any()), expr.FromAny(have.Any()))
}

// matrixSize tells a matrix that is too large as it stands, without expressions and exclude.
func (r *reader) matrixSize(m *Matrix) {
	if m.Exclude != nil {
		return
	}
	product := min(len(m.Rows), 1)
	for _, row := range m.Rows {
		if row.Expr.Set || row.spliced() {
			return
		}
		if product *= len(row.Values); product > MaxMatrix {
			r.mistake(CodeLimit, m.Place, "the matrix makes more than %d jobs", MaxMatrix)
			return
		}
	}
}
