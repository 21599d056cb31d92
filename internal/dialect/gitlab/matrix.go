package gitlab

import (
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// leg is one concrete job that a job of the file becomes. A job without parallel has one, with no index.
type leg struct {
	name   string
	values []plan.Variable // of the matrix, in the order written
	index  int             // from 1, 0 without parallel
	total  int
}

// legsOf unrolls parallel: a number gives equal jobs, a matrix the product of each of its entries, the first axis
// turning slowest (GitLab CI/CD YAML syntax reference, parallel and parallel:matrix).
func legsOf(name string, p *keyword.Parallel) []leg {
	switch {
	case p == nil || p.Number == 0 && len(p.Matrix) == 0:
		return []leg{{name: name}}
	case len(p.Matrix) == 0:
		out := make([]leg, p.Number)
		for i := range out {
			out[i] = leg{name: fmt.Sprintf("%s %d/%d", name, i+1, p.Number), index: i + 1, total: p.Number}
		}
		return out
	}
	var out []leg
	for _, row := range p.Matrix {
		for _, values := range product(row) {
			out = append(out, leg{name: legName(name, values), values: values, index: len(out) + 1})
		}
	}
	for i := range out {
		out[i].total = len(out)
	}
	return out
}

// product lists the combinations of one matrix entry.
func product(row keyword.Row) [][]plan.Variable {
	out := [][]plan.Variable{nil}
	for _, axis := range row.Axes {
		next := make([][]plan.Variable, 0, len(out)*len(axis.Values))
		for _, before := range out {
			for _, v := range axis.Values {
				values := make([]plan.Variable, len(before), len(row.Axes))
				copy(values, before)
				next = append(next, append(values, plan.Variable{Name: axis.Name, Value: v.Value, Level: plan.JobLevel}))
			}
		}
		out = next
	}
	return out
}

// legName is how GitLab shows a job of a matrix: its values in brackets.
func legName(name string, values []plan.Variable) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.Value
	}
	return name + ": [" + strings.Join(texts, ", ") + "]"
}

// matrixExpression is $[[ matrix.NAME ]] (GitLab documentation, matrix expressions).
var matrixExpression = lazy.Pattern(`\$\[\[\s*matrix\.([a-zA-Z0-9_-]+)\s*\]\]`)

// fillMatrix replaces matrix expressions by the values of the job's own leg. unknown are the names that the leg does
// not have.
func fillMatrix(text string, values []plan.Variable) (filled string, unknown []string) {
	if !strings.Contains(text, "$[[") {
		return text, nil
	}
	filled = matrixExpression.ReplaceAllStringFunc(text, func(m string) string {
		name := matrixExpression.FindStringSubmatch(m)[1]
		for _, v := range values {
			if v.Name == name {
				return v.Value
			}
		}
		unknown = append(unknown, name)
		return m
	})
	return filled, unknown
}
