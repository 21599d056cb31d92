package gitlab

import (
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/variable"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// surround makes the variables that all jobs share: predefined ones, those of the file, the project's, the pipeline's
// (GitLab documentation, CI/CD variable precedence). They change while the workflow is decided.
func (c *compiler) surround(name string) {
	o := c.in.Given
	c.facts = c.in.facts(name)
	shared := variable.ForPipeline(c.facts)
	shared = append(shared, c.globals...)
	shared = append(shared, leveled(o.Project, plan.Project)...)
	c.shared = append(shared, leveled(o.Pipeline, plan.Pipeline)...)
	c.bases = map[string]*variable.Collection{"": variable.New(c.shared...)}
}

func leveled(vs []plan.Variable, level plan.Level) []plan.Variable {
	out := make([]plan.Variable, len(vs))
	for i, v := range vs {
		v.Level = level
		out[i] = v
	}
	return out
}

// base is the shared variables without the global ones that a job does not inherit.
func (c *compiler) base(hidden []string) *variable.Collection {
	key := strings.Join(hidden, "\x00")
	if b, ok := c.bases[key]; ok {
		return b
	}
	b := variable.New(visible(c.shared, hidden)...)
	c.bases[key] = b
	return b
}

// visible leaves out the global variables that are hidden.
func visible(vs []plan.Variable, hidden []string) []plan.Variable {
	if len(hidden) == 0 {
		return vs
	}
	away := make(map[string]bool, len(hidden))
	for _, name := range hidden {
		away[name] = true
	}
	out := make([]plan.Variable, 0, len(vs))
	for _, v := range vs {
		if v.Level != plan.Default || !away[v.Name] {
			out = append(out, v)
		}
	}
	return out
}

// scope is what the rules and names of one job see.
type scope struct {
	*variable.Collection
	expanded *variable.Collection // made when it is first asked for
}

// scopeOf is the scope of a leg; nil gives that of the pipeline.
func (c *compiler) scopeOf(s *seed) *scope {
	if s == nil {
		return &scope{Collection: c.base(nil)}
	}
	when := s.verdict.why.When
	if when == "" {
		when = s.key.When.Value
	}
	j := plan.Job{Name: s.name, Stage: s.key.Stage.Value, Index: s.index, Total: s.total, When: when}
	base, own := c.base(c.hides(s.key)), c.jobVariables(s)
	sc := &scope{Collection: base.With(append(variable.ForRules(c.facts, jobFacts(&j)), own...)...)}
	if e := s.key.Environment; e != nil {
		// What the environment is called is filled in first; the job's rules can then ask for it.
		j.Environment = &plan.Environment{Name: sc.filled(e.Name.Value), URL: e.URL.Value, Action: e.Action.Value, Tier: sc.filled(e.Tier.Value)}
		sc = &scope{Collection: base.With(append(variable.ForRules(c.facts, jobFacts(&j)), own...)...)}
	}
	return sc
}

// expand fills in variables as they are; what is not defined stays as it is.
func (s *scope) expand(text string) string {
	if !strings.ContainsAny(text, "$%") {
		return text
	}
	return or(variable.ExpandExisting(text, s.Get))
}

// nested is expand with the references in the variables' own values followed.
func (s *scope) nested(text string) string {
	if !strings.ContainsAny(text, "$%") {
		return text
	}
	return or(variable.ExpandExisting(text, s.full().Get))
}

// filled is nested with nothing in place of what is not defined.
func (s *scope) filled(text string) string {
	if !strings.ContainsAny(text, "$%") {
		return text
	}
	return or(variable.Expand(text, s.full().Get))
}

// or is a text whose expansion would have grown too large as it was: the variable's own fault says so.
func or(text string, _ error) string { return text }

// full is the collection with all references followed.
func (s *scope) full() *variable.Collection {
	if s.expanded == nil {
		s.expanded, _ = s.Expand(variable.Options{})
	}
	return s.expanded
}

// loops tells of variables that refer to each other in a circle: once for those that all jobs share, and for each job
// whose own variables close one.
func (c *compiler) loops(s *seed, sc *scope) {
	if !c.looked {
		c.looked = true
		c.tellLoops("the pipeline", c.file.Place, c.scopeOf(nil))
	}
	if len(s.key.Variables) > 0 && s.index <= 1 && s.mayLoop(sc) {
		c.tellLoops("job "+s.key.Name, s.key.Place, sc)
	}
}

func (c *compiler) tellLoops(about string, at fault.Place, sc *scope) {
	_, faults := sc.Expand(variable.Options{})
	for _, f := range faults {
		f.Place, f.Message = at, about+": "+f.Message
		c.faults.Add(f)
	}
}

// mayLoop follows the references of the job's own variables and reports whether one comes back to a name on the way.
// It is a quick look that keeps the whole expansion from being made for every job.
func (s *seed) mayLoop(sc *scope) bool {
	state := map[string]int{} // 1 on the way, 2 done
	var visit func(name string, raw bool, value string) bool
	visit = func(name string, raw bool, value string) bool {
		if raw || !strings.ContainsAny(value, "$%") {
			return false
		}
		state[name] = 1
		for _, next := range variable.References(value) {
			if next == name || state[next] == 2 {
				continue
			}
			if state[next] == 1 {
				return true
			}
			if v, ok := sc.Get(next); ok && visit(next, v.Raw, v.Value) {
				return true
			}
		}
		state[name] = 2
		return false
	}
	for _, v := range s.key.Variables {
		if state[v.Name] == 0 && visit(v.Name, v.Raw, v.Value) {
			return true
		}
	}
	return false
}

// spanOf is a length of time of the file, with its variables filled in; 0 where that leaves nothing or never. A text that
// is no length of time is only known now: GitLab then goes on without one, and the fault is a warning.
func spanOf(s keyword.Span, sc *scope) (time.Duration, *fault.Fault) {
	if !s.Variable {
		return s.Duration, nil
	}
	text := strings.TrimSpace(sc.filled(s.Text))
	if text == "" || text == "never" {
		return 0, nil
	}
	d, err := keyword.Duration(text)
	if err != nil {
		return 0, fault.At(CodeDuration, s.Place, "%q is no length of time", text).WithSeverity(fault.Warning).
			WithHint("write it like `1 day` or `2h 30m`")
	}
	return d, nil
}
