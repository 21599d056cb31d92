package gitlab

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// The names of the steps that a GitLab job has.
const (
	stepHook   = "pre_get_sources_script"
	stepScript = "script"
	stepAfter  = "after_script"
)

// steps are what the job runs: before_script and script as one, after_script apart. A job with run: has its own steps.
func (c *compiler) steps(k *keyword.Job) []plan.Step {
	var out []plan.Step
	if k.Hooks != nil && k.Hooks.PreGetSources != nil {
		out = append(out, plan.Step{Name: stepHook, Lines: lines(k.Hooks.PreGetSources), Place: k.Hooks.PreGetSources.Place})
	}
	switch {
	case k.Kind == keyword.StepsJob:
		out = append(out, c.runSteps(k)...)
	case k.Script != nil:
		all := append(lines(k.BeforeScript), lines(k.Script)...)
		out = append(out, plan.Step{Name: stepScript, Lines: all, Place: k.Script.Place})
	default:
		return nil
	}
	if k.AfterScript != nil && len(k.AfterScript.Lines) > 0 {
		out = append(out, plan.Step{Name: stepAfter, After: true, Lines: lines(k.AfterScript), Place: k.AfterScript.Place})
	}
	return out
}

func lines(s *keyword.Script) []string {
	if s == nil {
		return nil
	}
	return keyword.Strings(s.Lines)
}

// runSteps turns run: into steps where each is a script or a command of its own; what needs GitLab's step runner is
// told (CI/CD YAML syntax reference, run).
func (c *compiler) runSteps(k *keyword.Job) []plan.Step {
	var out []plan.Step
	for i := range k.Run {
		s := &k.Run[i]
		step := plan.Step{Name: s.Name.Value, Place: s.Place, Dir: s.WorkDir.Value, Env: appendVariables(nil, s.Env, plan.JobLevel)}
		switch {
		case s.Script.Set:
			step.Lines = []string{s.Script.Value}
		case len(s.Exec) > 0:
			words := make([]string, len(s.Exec))
			for i, w := range s.Exec {
				words[i] = quote(w.Value)
			}
			step.Lines = []string{strings.Join(words, " ")}
		default:
			c.faults.Add(fault.At(CodeRunStep, s.Place, "step %q of job %q is not a script or exec; other steps need GitLab's step runner", s.Name.Value, k.Name).
				WithHint("write what it does as script:"))
			continue
		}
		if strings.Contains(step.Lines[0], "${{") {
			c.faults.Add(fault.At(CodeRunStep, s.Place, "step %q of job %q holds a ${{ }} expression, which needs GitLab's step runner", s.Name.Value, k.Name).
				WithHint("use a variable: $NAME"))
			continue
		}
		out = append(out, step)
	}
	return out
}

// bare is a word that the shell takes as it is.
var bare = lazy.Pattern(`^[A-Za-z0-9_./:@%+,-]+$`)

// quote makes one word of the shell of any text.
func quote(s string) string {
	if bare.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
