package plan

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Choice is a selection of a plan's jobs, by ID. The other jobs stay in the plan; a run passes them over.
type Choice struct {
	Selected map[string]bool `json:"selected"` // every job that takes part
	Named    map[string]bool `json:"named"`    // those of them that a name given stands for; the rest came in as their needs
	Play     []string        `json:"play"`     // jobs that are to be played when their turn comes, in the plan's order
	// Inner are the names given that stand for jobs of a late job's plan, by the ID of that job.
	Inner map[string][]string `json:"inner,omitempty"`
}

// Choose selects jobs by ID, by the name that the forge shows, by the key in the file (all legs of a matrix), or by
// a pattern of `*` and `?` over any of these. With needs, everything that the chosen jobs wait for comes along: what
// they name as needs, and for a job in plain stage order every job of the earlier stages.
//
// A manual job that was named is to be played, and so is one that a chosen job names among its needs, directly or
// not; a manual job that only stands in an earlier stage is not. A delayed job that was named is played too: whoever
// names it wants it now. Every name that means nothing is a fault. No names means the whole plan: the choice is nil.
func Choose(p *Plan, names []string, needs bool) (*Choice, error) {
	if len(names) == 0 {
		return nil, nil //nolint:nilnil // nil is the choice of all
	}
	c := &Choice{Selected: map[string]bool{}, Named: map[string]bool{}}
	var mistakes fault.List
	var chosen []int
	for _, name := range names {
		found := match(p, name)
		if len(found) == 0 {
			found = c.within(p, name)
		}
		if len(found) == 0 {
			mistakes.Add(nothing(p, name))
		}
		chosen = append(chosen, found...)
	}
	if mistakes.HasErrors() {
		return nil, mistakes.Err()
	}
	play := make([]bool, len(p.Jobs))
	for _, i := range chosen {
		c.Named[p.Jobs[i].ID] = true
		c.Selected[p.Jobs[i].ID] = true
		play[i] = true
	}
	if needs {
		g, err := Connect(p)
		if err != nil {
			return nil, err
		}
		for i, in := range g.Before(chosen...) {
			if in {
				c.Selected[p.Jobs[i].ID] = true
			}
		}
		play = named(p, g, chosen)
	}
	for i, j := range p.Jobs {
		if play[i] && j.When == Manual || c.Named[j.ID] && j.When == Delayed {
			c.Play = append(c.Play, j.ID)
		}
	}
	return c, nil
}

// within are the numbers of the late jobs in whose previews a name stands for a job. They are chosen with that job alone.
func (c *Choice) within(p *Plan, name string) (out []int) {
	for i, j := range p.Jobs {
		if j.Late == nil || j.Late.Plan == nil || j.Late.Kind != "expand" {
			continue
		}
		if inner := (&Choice{}); len(match(j.Late.Plan, name)) == 0 && len(inner.within(j.Late.Plan, name)) == 0 {
			continue
		}
		if c.Inner == nil {
			c.Inner = map[string][]string{}
		}
		c.Inner[j.ID] = append(c.Inner[j.ID], name)
		out = append(out, i)
	}
	return out
}

// match are the numbers of the jobs that a name stands for. What is nearest to the name as written wins: a job of
// exactly this name hides the pattern that the name would be.
func match(p *Plan, name string) []int {
	where := func(is func(j *Job) bool) (out []int) {
		for i, j := range p.Jobs {
			if is(j) {
				out = append(out, i)
			}
		}
		return out
	}
	if found := where(func(j *Job) bool { return j.ID == name || j.Name == name }); len(found) > 0 {
		return found
	}
	if found := where(func(j *Job) bool { return j.Key == name }); len(found) > 0 {
		return found
	}
	if !strings.ContainsAny(name, "*?") {
		return nil
	}
	pattern := []rune(name)
	return where(func(j *Job) bool {
		return fits(pattern, []rune(j.Name)) || fits(pattern, []rune(j.Key)) || fits(pattern, []rune(j.ID))
	})
}

// named marks the chosen jobs and what they reach over needs that are written out.
func named(p *Plan, g *Graph, chosen []int) []bool {
	seen := make([]bool, len(p.Jobs))
	queue := slices.Clone(chosen)
	for k := 0; k < len(queue); k++ {
		i := queue[k]
		if seen[i] {
			continue
		}
		seen[i] = true
		for _, n := range p.Jobs[i].Needs {
			if b, ok := g.Index(n.Job); ok {
				queue = append(queue, b)
			}
		}
	}
	return seen
}

// fits reports whether the text is what the pattern describes. It goes back to the last star only, so it is never
// slower than the product of both lengths.
func fits(pattern, text []rune) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p, t = p+1, t+1
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// nothing is the fault of a name that stands for no job.
func nothing(p *Plan, name string) *fault.Fault {
	for _, e := range p.Excluded {
		if e.Name == name {
			f := fault.At(CodeLeftOut, e.Place, "job %q is left out of this pipeline (%s)", name, e.Why.Rule)
			return f.WithHint("see `sluice explain %s`", name)
		}
	}
	var names []string
	for j := range p.Shown() {
		names = append(names, j.Name)
		if j.Key != j.Name && !slices.Contains(names[max(0, len(names)-2):], j.Key) {
			names = append(names, j.Key)
		}
	}
	f := fault.New(CodeNoSuchJob, "no job %q in the pipeline", name)
	if near := fault.Nearest(name, names); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	return f.WithHint("`sluice run --list` prints the jobs")
}
