package github

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// graph is the jobs of one workflow as they are made.
type graph struct {
	knots []*knot
	by    map[string]*knot // by the job's ID, in lower case
}

// knot is one job of the file with what became of it.
type knot struct {
	job   *workflow.Job
	needs []*knot
	made  []*plan.Job
	// loyal: it runs only where everything before it succeeded. open marks a knot that is being looked at.
	loyal, decided, open bool
}

func newGraph(f *workflow.File) *graph {
	g := &graph{by: map[string]*knot{}}
	for _, j := range f.Jobs {
		k := &knot{job: j}
		g.knots, g.by[strings.ToLower(j.ID)] = append(g.knots, k), k
	}
	for _, k := range g.knots {
		seen := map[*knot]bool{}
		for _, n := range k.job.Needs {
			if b := g.by[strings.ToLower(n.Value)]; b != nil && b != k && !seen[b] {
				seen[b], k.needs = true, append(k.needs, b)
			}
		}
	}
	return g
}

// frame makes the jobs of a workflow.
func (c *compiler) frame(ctx context.Context, f *Frame, stage string) []*plan.Job {
	g := newGraph(f.File)
	var out []*plan.Job
	for _, k := range g.knots {
		s := scene{ctx: ctx, f: f, job: k.job, stage: stage, needs: expr.NewObject(), known: len(k.needs) == 0, knot: k}
		if s.known {
			s.standing = standing{success: true}
		}
		k.made = c.job(&s)
		if c.jobs += len(k.made); c.full(k.job.Place) {
			return nil
		}
		out = append(out, k.made...)
	}
	for _, j := range out {
		j.Workflow = f.File.Path
	}
	g.wire()
	return out
}

// full reports whether there are too many jobs to go on.
func (c *compiler) full(at fault.Place) bool {
	if c.jobs <= maxJobs {
		return false
	}
	if !c.told[CodeTooMany] {
		c.told[CodeTooMany] = true
		c.mistake(CodeTooMany, at, "the workflows have more than %d jobs", maxJobs)
	}
	return true
}

// wire gives every job the legs of those that it needs. IDs are given later (identify), so the edges hold the jobs'
// places for now.
func (g *graph) wire() {
	for _, k := range g.knots {
		for _, j := range k.made {
			own := OwnOf(j)
			for _, b := range k.needs {
				own.before = append(own.before, b.made...)
			}
		}
	}
}

// identify gives the jobs of a plan their IDs: the name, or where others share it the name with what tells the job from
// them: its workflow, its key, a number. Then it connects them.
func identify(p *plan.Plan) {
	count, frames := map[string]int{}, map[string]map[*Frame]bool{}
	for _, j := range p.Jobs {
		id := idOf(j)
		if count[id]++; frames[id] == nil {
			frames[id] = map[*Frame]bool{}
		}
		frames[id][OwnOf(j).Frame] = true
	}
	labels := labelsOf(p)
	taken := map[string]bool{}
	for _, j := range p.Jobs {
		id := idOf(j)
		switch {
		case len(frames[id]) > 1:
			id = labels[OwnOf(j).Frame] + ": " + id
		case count[id] > 1 && taken[id]:
			id += " (" + j.Key + ")"
		}
		for base, n := id, 2; taken[id] || id != idOf(j) && count[id] > 0; n++ {
			id = fmt.Sprintf("%s #%d", base, n)
		}
		taken[id], j.ID = true, id
	}
	for _, j := range p.Jobs {
		if own := OwnOf(j); j.Strategy != nil {
			j.Strategy.Set = own.Frame.Path + ": " + own.Frame.name + j.Key
		}
		connect(j)
	}
}

// labelsOf are short names of the plan's workflows: their own where they have one that no other has, else the file's.
func labelsOf(p *plan.Plan) map[*Frame]string {
	labels, users := map[*Frame]string{}, map[string]int{}
	for _, j := range p.Jobs {
		f := OwnOf(j).Frame
		if _, seen := labels[f]; !seen {
			labels[f] = f.Title
			users[f.Title]++
		}
	}
	for f, title := range labels {
		if users[title] > 1 || !f.File.Name.Set {
			labels[f] = path.Base(f.Path)
		}
	}
	return labels
}

// idOf is the name without those of the workflows that call.
func idOf(j *plan.Job) string {
	if own := OwnOf(j); own.Frame != nil {
		return strings.TrimPrefix(j.Name, own.Frame.name)
	}
	return j.Name
}

func connect(j *plan.Job) {
	own := OwnOf(j)
	j.Needs, j.Inputs = nil, nil
	for _, b := range own.before {
		j.Needs = append(j.Needs, plan.Need{Job: b.ID, Artifacts: true})
		j.Inputs = append(j.Inputs, b.ID)
	}
}

// loyalty reports whether the job runs only where all that it waits for, directly or not, succeeded. A circle was
// refused when the file was read.
func (k *knot) loyalty() bool {
	if k.decided || k.open {
		return k.loyal
	}
	k.open = true
	k.loyal = k.asksSuccess() || len(k.needs) == 0
	for _, b := range k.needs {
		k.loyal = b.loyalty() && k.loyal
	}
	k.open, k.decided = false, true
	return k.loyal
}

// asksSuccess reports whether the condition can only hold where everything before the job succeeded: success() is implied,
// or one of the parts that && joins.
func (k *knot) asksSuccess() bool {
	if k.job.If == nil || k.job.If.Cond == nil || k.job.If.Cond.Implied() {
		return true
	}
	return joins(k.job.If.Cond.Expr().Root())
}

func joins(n expr.Node) bool {
	switch n := n.(type) {
	case *expr.Binary:
		return n.Op == "&&" && (joins(n.Left) || joins(n.Right))
	case *expr.Call:
		return n.Name == "success" && len(n.Args) == 0
	}
	return false
}

// exact reports whether a job whose needs succeeded may be sure that everything before them did, too: then the success()
// of GitHub, which asks all of them, is that of the direct needs.
func (k *knot) exact() bool {
	for _, b := range k.needs {
		if !b.loyalty() {
			return false
		}
	}
	return true
}

// sole reports whether there is one job before this one, and nothing else: then failure() is that of the one need.
func (k *knot) sole() bool {
	return len(k.needs) == 1 && len(k.needs[0].needs) == 0 && len(k.needs[0].made) == 1
}

// sourceOf is a file as the plan lists it.
func sourceOf(repository, shown string, text []byte, f *workflow.File) plan.Source {
	kind := "root"
	if repository != "" {
		kind = "project"
	}
	at := fault.Place{}
	if f.Node != nil {
		at = f.Node.At()
	}
	return plan.Source{Kind: kind, Name: shown, Digest: digest(text), Place: at}
}
