package gitlab

import (
	"slices"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// maxNeeds is how many jobs one job may need (GitLab CI/CD YAML syntax reference, needs).
const maxNeeds = 50

// wanted is one need of a job, resolved to a leg.
type wanted struct {
	seed *seed
	need keyword.Need
}

// wire gives every job of the plan its needs and inputs. That the names exist and are not of a later stage, package
// keyword has seen to; here are the legs, and what the event decided.
func (c *compiler) wire() {
	for _, s := range c.seeds {
		needs := s.needs()
		wants := c.resolve(s, needs)
		for _, w := range wants {
			s.edges = append(s.edges, w.seed)
		}
		if s.job == nil {
			continue
		}
		c.setNeeds(s, needs, wants)
		c.setInputs(s)
	}
	if !c.faults.HasErrors() {
		c.cycles()
	}
}

// resolve turns a list of needs into legs, each once.
func (c *compiler) resolve(s *seed, needs *keyword.Needs) []wanted {
	if needs == nil {
		return nil
	}
	out := make([]wanted, 0, len(needs.Items))
	seen := make(map[*seed]bool, len(needs.Items))
	for _, need := range needs.Items {
		if need.Kind != keyword.NeedJob {
			continue
		}
		for _, target := range c.targets(s, need) {
			if !seen[target] {
				seen[target] = true
				out = append(out, wanted{seed: target, need: need})
			}
		}
	}
	if len(out) > maxNeeds {
		c.faults.Add(fault.At(CodeNeedsLimit, needs.Place, "job %q needs %d jobs; one job can need %d at most", s.key.Name, len(out), maxNeeds).
			WithHint("put a job between them, or let the stages order them"))
	}
	return out
}

// targets are the legs that one need means: all of a parallel job, or those that its matrix picks.
func (c *compiler) targets(s *seed, need keyword.Need) []*seed {
	name := need.Job.Value
	found := c.byName[name]
	if need.Matrix == nil || len(found) == 0 || found[0].index == 0 {
		return found
	}
	var out []*seed
	for _, row := range need.Matrix {
		filled, ok := c.fill(s, row)
		if !ok {
			continue
		}
		for _, values := range product(filled) {
			leg := legName(name, values)
			if found := c.byName[leg]; len(found) > 0 {
				out = append(out, found...)
			} else if !need.Optional {
				c.faults.Add(fault.At(CodeNeedMatrix, row.Place, "job %q needs %q, which the matrix of %q does not make", s.key.Name, leg, name).
					WithHint("name every variable of the matrix, in its order: %s", c.example(name)))
			}
		}
	}
	return out
}

// fill puts the values of the job's own leg into matrix expressions.
func (c *compiler) fill(s *seed, row keyword.Row) (keyword.Row, bool) {
	out, good := keyword.Row{Place: row.Place}, true
	for _, axis := range row.Axes {
		values := slices.Clone(axis.Values)
		for i, v := range values {
			text, unknown := fillMatrix(v.Value, s.values)
			for _, name := range unknown {
				good = false
				c.faults.Add(fault.At(CodeMatrixName, v.Place, "job %q has no matrix variable %q", s.key.Name, name))
			}
			values[i].Value = text
		}
		axis.Values = values
		out.Axes = append(out.Axes, axis)
	}
	return out, good
}

// example is a leg of a job, for hints.
func (c *compiler) example(name string) string {
	if found := c.byName[name]; len(found) > 0 {
		return found[0].name
	}
	return name
}

// before reports whether the target's stage comes before that of s.
func (c *compiler) before(s, target *seed) bool {
	return c.file.Stage(target.key.Stage.Value) < c.file.Stage(s.key.Stage.Value)
}

// setNeeds gives a job of the plan its edges.
func (c *compiler) setNeeds(s *seed, needs *keyword.Needs, wants []wanted) {
	if needs == nil {
		return
	}
	s.job.Graph = true
	for _, w := range wants {
		if w.seed.job != nil {
			s.job.Needs = append(s.job.Needs, plan.Need{Job: w.seed.job.ID, Artifacts: w.need.Artifacts, Optional: c.in.All && w.need.Optional})
			continue
		}
		if w.need.Optional {
			continue
		}
		c.faults.Add(fault.At(CodeNeedExcluded, w.need.Job.Place, "'%s' job needs '%s' job, but '%s' does not exist in the pipeline. This might be because of the only, except, or rules keywords",
			s.name, w.seed.name, w.seed.name).
			WithHint("to need a job that is sometimes not in the pipeline, write needs with optional: true; `sluice explain %s` says why it is left out", w.seed.key.Name))
	}
	for _, need := range needs.Items {
		if need.Kind == keyword.NeedPipeline && c.in.parents.parent != nil && need.Job.Set {
			c.upstream(s, need)
		}
	}
}

// upstream takes over artifacts of the parent pipeline (GitLab CI/CD YAML syntax reference, needs:pipeline:job).
func (c *compiler) upstream(s *seed, need keyword.Need) {
	found := false
	for _, j := range c.in.parents.parent.Jobs {
		if j.Name == need.Job.Value || j.Key == need.Job.Value {
			found = true
			if need.Artifacts {
				s.job.Upstream = append(s.job.Upstream, j.ID)
			}
		}
	}
	if !found && !need.Optional {
		c.faults.Add(fault.At(CodeNeedParent, need.Job.Place, "job %q needs %q of the parent pipeline, which has no such job", s.key.Name, need.Job.Value))
	}
}

// setInputs says whose artifacts and dotenv variables a job takes: those of dependencies, else of its needs, else of
// all earlier stages.
func (c *compiler) setInputs(s *seed) {
	deps := s.key.Dependencies
	switch {
	case deps == nil && !s.job.Graph:
		s.job.InputsAll = true
	case deps == nil:
		for _, n := range s.job.Needs {
			if n.Artifacts {
				s.job.Inputs = append(s.job.Inputs, n.Job)
			}
		}
	default:
		c.chooseInputs(s, deps)
	}
}

// chooseInputs takes the named jobs, of those that the job could take artifacts from at all.
func (c *compiler) chooseInputs(s *seed, deps *keyword.Texts) {
	for _, d := range deps.Items {
		for _, target := range c.byName[d.Value] {
			if target.job == nil {
				continue // left out of the pipeline, so it has no artifacts
			}
			id := target.job.ID
			if s.job.Graph {
				if slices.ContainsFunc(s.job.Needs, func(n plan.Need) bool { return n.Job == id && n.Artifacts }) {
					s.job.Inputs = append(s.job.Inputs, id)
				}
			} else if c.before(s, target) {
				s.job.Inputs = append(s.job.Inputs, id)
			}
		}
	}
}
