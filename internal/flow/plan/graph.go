package plan

import (
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Graph is who waits for whom in a plan: a job for its needs, and a job without a graph of its own for every job of
// the earlier stages. The latter is one knot per stage, never an edge per pair of jobs, so a graph is as large as
// its plan. Jobs are numbered by their place in Plan.Jobs.
type Graph struct {
	plan  *Plan
	index map[string]int
	// before and after hold the edges of the jobs (0..n-1) and of the stages' barriers (n..n+stages): barrier n+s
	// stands for all jobs of the stages before s.
	before, after edges
	order         []int
}

// edges are the neighbours of every knot in one piece of memory.
type edges struct {
	start []int32 // of knot i: list[start[i]:start[i+1]]
	list  []int32
}

func (e edges) of(i int) []int32 { return e.list[e.start[i]:e.start[i+1]] }

// Connect reads the graph of a plan. Needs that do not exist, IDs that are given twice and circles are faults, each at
// the place of its job; all are told. It takes time in proportion to jobs, needs and stages.
func Connect(p *Plan) (*Graph, error) {
	g := &Graph{plan: p, index: make(map[string]int, len(p.Jobs))}
	var mistakes fault.List
	for i, j := range p.Jobs {
		if _, twice := g.index[j.ID]; twice {
			mistakes.Add(fault.At(CodeTwice, j.Place, "the job ID %q is given twice", j.ID))
			continue
		}
		g.index[j.ID] = i
	}
	g.wire(&mistakes)
	if mistakes.HasErrors() {
		return nil, mistakes.Err()
	}
	if circle := g.sort(); circle != nil {
		at := p.Jobs[circle[0]]
		return nil, fault.At(CodeCycle, at.Place, "jobs wait for each other: %s", g.tell(circle))
	}
	return g, nil
}

// StageOf numbers the stages of a plan by name; a job's stage that the plan does not list comes after those listed.
func StageOf(p *Plan) map[string]int {
	stage := make(map[string]int, len(p.Stages))
	for _, name := range p.Stages {
		if _, known := stage[name]; !known {
			stage[name] = len(stage)
		}
	}
	for _, j := range p.Jobs {
		if _, known := stage[j.Stage]; !known {
			stage[j.Stage] = len(stage)
		}
	}
	return stage
}

func (g *Graph) wire(mistakes *fault.List) {
	jobs, stage := g.plan.Jobs, StageOf(g.plan)
	knots := len(jobs) + len(stage) + 1
	var from, to []int32
	edge := func(a, b int) { from, to = append(from, int32(a)), append(to, int32(b)) }
	for s := range stage {
		edge(len(jobs)+stage[s], len(jobs)+stage[s]+1)
	}
	for i, j := range jobs {
		s := len(jobs) + stage[j.Stage]
		edge(i, s+1)
		if !j.Graph {
			edge(s, i)
		}
		for _, n := range j.Needs {
			k, ok := g.index[n.Job]
			if !ok {
				mistakes.Add(g.unknown(j, n.Job))
				continue
			}
			edge(k, i)
		}
	}
	g.after, g.before = collect(knots, from, to), collect(knots, to, from)
}

func (g *Graph) unknown(j *Job, need string) *fault.Fault {
	f := fault.At(CodeUnknownNeed, j.Place, "job %q needs %q, which is not in the pipeline", j.Name, need)
	ids := make([]string, 0, len(g.plan.Jobs))
	for _, other := range g.plan.Jobs {
		ids = append(ids, other.ID)
	}
	if near := fault.Nearest(need, ids); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	return f
}

// collect sorts edges by where they start, keeping their order.
func collect(knots int, from, to []int32) edges {
	e := edges{start: make([]int32, knots+1), list: make([]int32, len(from))}
	for _, a := range from {
		e.start[a+1]++
	}
	for i := range knots {
		e.start[i+1] += e.start[i]
	}
	next := append([]int32(nil), e.start[:knots]...)
	for i, a := range from {
		e.list[next[a]] = to[i]
		next[a]++
	}
	return e
}

// sort fills order, or returns a circle of knots: each waits for the next one, the last for the first.
func (g *Graph) sort() (circle []int) {
	knots := len(g.before.start) - 1
	left := make([]int32, knots)
	ready := make([]int32, 0, knots)
	for i := range knots {
		if left[i] = int32(len(g.before.of(i))); left[i] == 0 {
			ready = append(ready, int32(i))
		}
	}
	for k := 0; k < len(ready); k++ {
		i := int(ready[k])
		if i < len(g.plan.Jobs) {
			g.order = append(g.order, i)
		}
		for _, next := range g.after.of(i) {
			if left[next]--; left[next] == 0 {
				ready = append(ready, next)
			}
		}
	}
	if len(ready) == knots {
		return nil
	}
	return g.circle(left)
}

// circle walks back over knots that are not sorted; such a walk has to meet itself.
func (g *Graph) circle(left []int32) []int {
	at := 0
	for left[at] == 0 || at >= len(g.plan.Jobs) {
		at++
	}
	seen := make([]int, len(left))
	var path []int
	for seen[at] == 0 {
		path = append(path, at)
		seen[at] = len(path)
		for _, back := range g.before.of(at) {
			if left[back] > 0 {
				at = int(back)
				break
			}
		}
	}
	path = path[seen[at]-1:]
	for i, knot := range path { // start with a job, not with a barrier
		if knot < len(g.plan.Jobs) {
			return append(path[i:len(path):len(path)], path[:i]...)
		}
	}
	return path
}

// tell is a circle as a person reads it. A long one is shortened in its middle.
func (g *Graph) tell(circle []int) string {
	const most = 12
	var parts []string
	between := " needs "
	for _, knot := range append(circle, circle[0]) {
		if knot >= len(g.plan.Jobs) {
			between = " waits for the earlier stages with "
			continue
		}
		if len(parts) > 0 {
			parts = append(parts, between)
		}
		parts = append(parts, fmt.Sprintf("%q", g.plan.Jobs[knot].Name))
		between = " needs "
	}
	if len(parts) > 2*most {
		parts = append(append(parts[:most-1:most-1], ", and so on until "), parts[len(parts)-most+1:]...)
	}
	// "a" needs "b", which needs "a"
	var b strings.Builder
	for i, part := range parts {
		if i >= 2 && strings.HasPrefix(part, " ") {
			b.WriteString(", which")
		}
		b.WriteString(part)
	}
	return b.String()
}

// Index is the number of the job with this ID.
func (g *Graph) Index(id string) (int, bool) {
	i, ok := g.index[id]
	return i, ok
}

// Order are the numbers of all jobs, each after those that it waits for. It is shared; do not change it.
func (g *Graph) Order() []int { return g.order }

// Before marks the given jobs and all that they wait for, directly or not.
func (g *Graph) Before(jobs ...int) []bool { return g.reach(g.before, jobs) }

func (g *Graph) reach(e edges, from []int) []bool {
	seen := make([]bool, len(e.start)-1)
	var queue []int
	visit := func(i int) {
		if !seen[i] {
			seen[i] = true
			queue = append(queue, i)
		}
	}
	for _, i := range from {
		visit(i)
	}
	for k := 0; k < len(queue); k++ {
		for _, next := range e.of(queue[k]) {
			visit(int(next))
		}
	}
	return seen[:len(g.plan.Jobs)]
}
