package run

import (
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Needs are the jobs that a job of the graph names as its needs, in the order in which it names them. The cost is their
// number.
func (r *Run) Needs(id string) []Job {
	n := r.nodes[id]
	if n == nil {
		return nil
	}
	out := make([]Job, 0, len(n.before))
	for _, b := range n.before {
		out = append(out, b.view())
	}
	r.work += len(out)
	return out
}

// Ancestors are all jobs that a job of the graph waits for, directly or not, in the order of its plan's file. Jobs that it
// waits for only by its stage are not among them.
func (r *Run) Ancestors(id string) []Job {
	n := r.nodes[id]
	if n == nil {
		return nil
	}
	seen := map[*node]bool{n: true}
	queue := []*node{n}
	for k := 0; k < len(queue); k++ {
		for _, b := range queue[k].before {
			r.work++
			if !seen[b] {
				seen[b] = true
				queue = append(queue, b)
			}
		}
	}
	queue = queue[1:]
	slices.SortFunc(queue, func(a, b *node) int { return a.seq - b.seq })
	out := make([]Job, 0, len(queue))
	for _, b := range queue {
		out = append(out, b.view())
	}
	return out
}

// Children are the jobs that a late job became, in the order of their plan, and that plan; nil where there are none.
func (r *Run) Children(id string) ([]Job, *plan.Plan) {
	n := r.nodes[id]
	if n == nil || n.child == nil {
		return nil, nil
	}
	out := make([]Job, 0, len(n.child.nodes))
	for i := range n.child.nodes {
		out = append(out, n.child.nodes[i].view())
	}
	r.work += len(out)
	return out, n.child.plan
}
