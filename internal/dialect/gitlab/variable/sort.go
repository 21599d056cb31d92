package variable

import (
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// sorted orders variables so that each comes after those it refers to, and else as they stand. order is nil where
// nothing refers to anything. cycles are the names that refer to each other in a circle; a variable that refers to
// itself alone is none.
func sorted(vs []plan.Variable) (order []int, cycles [][]string) {
	s := sorter{vs: vs, needs: make([][]string, len(vs))}
	some := false
	for i, v := range vs {
		if !v.Raw {
			s.needs[i] = References(v.Value)
			some = some || len(s.needs[i]) > 0
		}
	}
	if !some {
		return nil, nil
	}
	s.named = make(map[string][]int, len(vs))
	for i, v := range vs {
		s.named[v.Name] = append(s.named[v.Name], i)
	}
	s.index, s.low, s.on = make([]int, len(vs)), make([]int, len(vs)), make([]bool, len(vs))
	s.order = make([]int, 0, len(vs))
	for i := range vs {
		if s.index[i] == 0 {
			s.visit(i)
		}
	}
	return s.order, s.cycles
}

// sorter is Tarjan's walk: it finds the circles and the order in one go.
type sorter struct {
	vs     []plan.Variable
	needs  [][]string
	named  map[string][]int
	index  []int // when a variable was first seen, from 1
	low    []int // the earliest that can be reached from it
	on     []bool
	stack  []int
	seen   int
	order  []int
	cycles [][]string
}

func (s *sorter) visit(i int) {
	s.seen++
	s.index[i], s.low[i], s.on[i] = s.seen, s.seen, true
	s.stack = append(s.stack, i)
	for n, name := range s.needs[i] {
		if slices.Contains(s.needs[i][:min(n, 8)], name) {
			continue // often repeated; a full set would cost more than it saves
		}
		for _, j := range s.named[name] {
			switch {
			case j >= i && s.vs[j].Name == s.vs[i].Name:
				// The name within its own value means the weaker namesake.
			case s.index[j] == 0:
				s.visit(j)
				s.low[i] = min(s.low[i], s.low[j])
			case s.on[j]:
				s.low[i] = min(s.low[i], s.index[j])
			}
		}
	}
	if s.low[i] == s.index[i] {
		s.close(i)
	}
}

// close takes the circle that ends at i off the stack; a circle of one is a plain variable.
func (s *sorter) close(i int) {
	from := len(s.stack) - 1
	for s.stack[from] != i {
		from--
	}
	circle := s.stack[from:]
	s.stack = s.stack[:from]
	for _, j := range circle {
		s.on[j] = false
	}
	if len(circle) > 1 {
		names := make([]string, len(circle))
		for n, j := range circle {
			names[n] = s.vs[j].Name
		}
		s.cycles = append(s.cycles, names)
	}
	s.order = append(s.order, circle...)
}
