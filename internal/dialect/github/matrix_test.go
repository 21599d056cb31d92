package github_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
)

// combos is the slow reference, written from the words of the documentation ("Running variations of jobs in a
// workflow"): all combinations, then exclude takes away, then every object of include is added to every combination
// whose original values it does not overwrite, else it is a combination of its own.
func combos(g github.Grid) []string {
	type combo struct{ original, all map[string]string }
	var list []combo
	if len(g.Rows) > 0 {
		list = []combo{{map[string]string{}, map[string]string{}}}
	}
	for _, row := range g.Rows {
		var next []combo
		for _, c := range list {
			for _, v := range row.Values {
				grown := combo{map[string]string{}, map[string]string{}}
				for k, old := range c.original {
					grown.original[k], grown.all[k] = old, old
				}
				grown.original[row.Name], grown.all[row.Name] = v.Text(), v.Text()
				next = append(next, grown)
			}
		}
		list = next
	}
	list = slices.DeleteFunc(list, func(c combo) bool {
		return slices.ContainsFunc(g.Exclude, func(x expr.Value) bool {
			for _, p := range x.Pairs() {
				if c.original[p.Key] != p.Value.Text() {
					return false
				}
			}
			return true
		})
	})
	var own []combo
	for _, in := range g.Include {
		added := false
		for _, c := range list {
			overwrites := false
			for _, p := range in.Pairs() {
				if old, ok := c.original[p.Key]; ok && old != p.Value.Text() {
					overwrites = true
				}
			}
			if !overwrites {
				added = true
				for _, p := range in.Pairs() {
					c.all[p.Key] = p.Value.Text()
				}
			}
		}
		if !added {
			alone := combo{all: map[string]string{}}
			for _, p := range in.Pairs() {
				alone.all[p.Key] = p.Value.Text()
			}
			own = append(own, alone)
		}
	}
	var out []string
	for _, c := range append(list, own...) {
		var parts []string
		for k, v := range c.all {
			parts = append(parts, k+"="+v)
		}
		slices.Sort(parts)
		out = append(out, strings.Join(parts, " "))
	}
	return out
}

func TestMatrixIsWhatTheDocumentationSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c"}[:rapid.IntRange(0, 3).Draw(t, "rows")]
		value := rapid.Map(rapid.IntRange(0, 2), func(i int) expr.Value { return expr.String(fmt.Sprint("v", i)) })
		g := github.Grid{}
		for _, name := range names {
			values := rapid.SliceOfNDistinct(value, 1, 3, func(v expr.Value) string { return v.Text() }).Draw(t, name)
			g.Rows = append(g.Rows, github.GridRow{Name: name, Values: values})
		}
		entry := func(from []string, label string) expr.Value {
			b := &expr.ObjectBuilder{}
			for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom(from), 1, len(from), rapid.ID[string]).Draw(t, label) {
				b.Set(key, value.Draw(t, label+key))
			}
			return b.Value()
		}
		for range rapid.IntRange(0, 4).Draw(t, "includes") {
			g.Include = append(g.Include, entry([]string{"a", "b", "c", "x", "y"}, "include"))
		}
		if len(names) > 0 {
			for range rapid.IntRange(0, 2).Draw(t, "excludes") {
				g.Exclude = append(g.Exclude, entry(names, "exclude"))
			}
		}
		legs, ok := g.Legs()
		if !ok {
			t.Fatal("a small matrix was refused")
		}
		var got []string
		for _, l := range legs {
			var parts []string
			for _, p := range l.Matrix.Pairs() {
				parts = append(parts, p.Key+"="+p.Value.Text())
			}
			slices.Sort(parts)
			got = append(got, strings.Join(parts, " "))
		}
		if want := combos(g); !slices.Equal(got, want) {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestAMatrixIsBounded(t *testing.T) {
	var row github.GridRow
	for i := range 100 {
		row.Values = append(row.Values, expr.Number(float64(i)))
	}
	g := github.Grid{}
	for i := range 10 {
		row.Name = fmt.Sprint("r", i)
		g.Rows = append(g.Rows, row)
	}
	if legs, ok := g.Legs(); ok || legs != nil {
		t.Errorf("got %d legs of 100 to the power of 10", len(legs))
	}
	g = github.Grid{Rows: g.Rows[:1]}
	for i := range 156 {
		g.Include = append(g.Include, expr.NewObject(expr.Pair{Key: "r0", Value: expr.Number(float64(1000 + i))}))
	}
	if legs, ok := g.Legs(); !ok || len(legs) != 256 {
		t.Errorf("256 legs: got %d, %t", len(legs), ok)
	}
	g.Include = append(g.Include, expr.NewObject(expr.Pair{Key: "r0", Value: expr.Number(2000)}))
	if _, ok := g.Legs(); ok {
		t.Error("257 legs were taken")
	}
}
