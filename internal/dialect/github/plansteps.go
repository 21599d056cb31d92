package github

import (
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// steps fills in the job's steps as they are written, and what those of the well-known actions say of artifacts and
// caches, so that a plan shows them whatever its dialect. The program reads the file's own steps.
func (c *compiler) steps(s *scene, j *plan.Job) {
	for _, st := range s.job.Steps {
		j.Steps = append(j.Steps, planStep(s, st))
		if !st.Uses.Set {
			continue
		}
		action, _, _ := strings.Cut(st.Uses.Value, "@")
		switch strings.ToLower(action) {
		case "actions/upload-artifact":
			upload(j, st)
		case "actions/cache", "actions/cache/restore", "actions/cache/save":
			cache(j, st, strings.TrimPrefix(strings.ToLower(action), "actions/"))
		}
	}
}

func planStep(s *scene, st *workflow.Step) plan.Step {
	out := plan.Step{
		Name: st.Name.Value, ID: st.ID.Value, Uses: st.Uses.Value, Allow: st.ContinueOnError.Value, Limit: st.TimeoutMinutes.Value,
		Env: written(st.Env, plan.JobLevel), Place: st.Place,
	}
	if st.If != nil {
		out.If = st.If.Text.Value
	}
	for _, w := range st.With {
		out.With = append(out.With, plan.Variable{Name: w.Name.Value, Value: w.Value.Value})
	}
	if !st.Run.Set {
		return out
	}
	out.Lines = []string{st.Run.Value}
	own, all := s.job.Defaults, s.f.File.Defaults
	out.Shell = first(st.Shell.Value, own.Shell.Value, all.Shell.Value)
	out.Dir = first(st.WorkingDirectory.Value, own.WorkingDirectory.Value, all.WorkingDirectory.Value)
	return out
}

// with is an input of a step's action, as written.
func with(st *workflow.Step, name string) string {
	for _, w := range st.With {
		if strings.EqualFold(w.Name.Value, name) {
			return w.Value.Value
		}
	}
	return ""
}

func linesOf(text string) (out []string) {
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// upload adds what actions/upload-artifact keeps.
func upload(j *plan.Job, st *workflow.Step) {
	a := j.Artifacts
	if a == nil {
		a = &plan.Artifacts{Name: first(with(st, "name"), "artifact"), When: plan.OnSuccess, Place: st.Place}
		j.Artifacts = a
	}
	if when := whenOf(st); when != plan.OnSuccess {
		a.When = when
	}
	for _, p := range linesOf(with(st, "path")) {
		if rest, ok := strings.CutPrefix(p, "!"); ok {
			a.Exclude = append(a.Exclude, rest)
			continue
		}
		a.Paths = append(a.Paths, p)
	}
	if days, err := strconv.Atoi(with(st, "retention-days")); err == nil && days > 0 {
		a.ExpireIn = time.Duration(days) * 24 * time.Hour
	}
}

// cache adds what actions/cache and its two halves keep.
func cache(j *plan.Job, st *workflow.Step, half string) {
	policy := map[string]string{"cache": "pull-push", "cache/restore": "pull", "cache/save": "push"}[half]
	j.Caches = append(j.Caches, plan.Cache{
		Key: with(st, "key"), FallbackKeys: linesOf(with(st, "restore-keys")), Paths: linesOf(with(st, "path")),
		When: whenOf(st), Policy: policy, Place: st.Place,
	})
}

// whenOf is in which state of the job a step that keeps files runs, as far as a plan can say it.
func whenOf(st *workflow.Step) plan.When {
	if st.If == nil || st.If.Cond == nil {
		return plan.OnSuccess
	}
	switch u := st.If.Cond.Uses(); {
	case u.Function("always"):
		return plan.Always
	case u.Function("failure"):
		return plan.OnFailure
	}
	return plan.OnSuccess
}
