package workflow

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

// callKeys are the keys of a job that calls a workflow (Reusing workflow configurations, supported keywords).
var callKeys = []string{"name", "uses", "with", "secrets", "strategy", "needs", "if", "concurrency", "permissions"}

func (r *reader) jobs(n *yamlx.Node) []*Job {
	if !r.mapping(n, "jobs") {
		return nil
	}
	if len(n.Pairs) == 0 {
		r.mistake(CodeEmpty, n.Place, "jobs names no job")
	}
	out := make([]*Job, 0, len(n.Pairs))
	for _, p := range n.Pairs {
		name, ok := r.name(p.Key, "jobs")
		if !ok {
			continue
		}
		r.id(name.Value, name.At(), "a job")
		j := &Job{ID: name.Value, Place: name.At(), Node: p.Value}
		r.job(j)
		out = append(out, j)
	}
	r.graph(out)
	return out
}

func (r *reader) job(j *Job) {
	n := j.Node
	what := "the job " + j.ID
	call := n.Has("uses")
	ok := r.fields(n, what, jobPath, func(name string, key, v *yamlx.Node) {
		switch {
		case call && !slices.Contains(callKeys, name):
			if name == "runs-on" && n.Has("steps") {
				r.mistake(CodeCall, key.Place, "%s has both runs-on and uses", what).
					WithHint("uses of a job calls a workflow; an action is used by a step: steps: [{uses: …}]")
				return
			}
			r.mistake(CodeCall, key.Place, "%s calls a workflow and cannot have %s", what, name).
				WithHint("such a job has %s", strings.Join(callKeys, ", "))
			return
		case !call && (name == "with" || name == "secrets"):
			r.mistake(CodeCall, key.Place, "%s has %s and calls no workflow", what, name).WithHint("%s goes with uses", name)
			return
		}
		r.jobField(j, name, key, v)
	})
	switch {
	case !ok:
	case call:
	default:
		if !n.Has("runs-on") {
			r.mistake(CodeMissing, j.Place, "%s has no runs-on", what).WithHint("runs-on: ubuntu-latest")
		}
		if !n.Has("steps") {
			r.mistake(CodeMissing, j.Place, "%s has no steps and calls no workflow", what)
		}
	}
}

func (r *reader) jobField(j *Job, name string, key, v *yamlx.Node) {
	path := jobPath + "." + name
	switch name {
	case "name":
		j.Name = r.text(v, "name", path)
	case "needs":
		j.Needs = r.texts(v, "needs")
		if v.IsSequence() && len(v.Items) == 0 {
			r.warn(CodeUseless, v.Place, "needs is an empty list")
		}
	case "if":
		j.If = r.condition(v, "if", path)
	case "runs-on":
		j.RunsOn = r.runsOn(v)
	case "permissions":
		j.Permissions = r.permissions(v)
	case "environment":
		j.Environment = r.environment(v, key)
	case "concurrency":
		j.Concurrency = r.concurrency(v, key, path)
	case "outputs":
		j.Outputs = r.named(v, "outputs", path, "", func(n Text) {
			if !validID(n.Value) {
				r.mistake(CodeID, n.At(), "%q cannot be the name of an output", n.Value).
					WithHint("names begin with a letter or _ and hold letters, digits, - and _")
			}
		})
	case "env":
		j.Env = r.env(v, "env", path)
	case "defaults":
		j.Defaults = r.defaults(v, "defaults", jobPath)
	case "steps":
		j.Steps = r.stepList(v)
	case "snapshot":
		j.Snapshot, j.SnapshotIf = r.snapshot(v)
	case "timeout-minutes":
		j.TimeoutMinutes = r.minutes(v, name, path)
	case "cancel-timeout-minutes":
		r.minutes(v, name, path)
	case "continue-on-error":
		j.ContinueOnError = r.boolean(v, name, path)
	case "strategy":
		j.Strategy = r.strategy(v, key)
	case "container":
		j.Container = r.container(v, key, "container", path)
	case "services":
		r.services(j, v)
	case "uses":
		j.Uses = r.filled(r.plain(v, "uses"), "uses")
		r.workflowRef(j.Uses)
	case "with":
		j.With = r.named(v, "with", path, "", nil)
	case "secrets":
		r.jobSecrets(j, v)
	}
}

// minutes is a number above zero, or an expression.
func (r *reader) minutes(n *yamlx.Node, what, path string) Text {
	t := r.number(n, what, path)
	if f, ok := n.Float(); ok {
		switch {
		case f <= 0:
			r.mistake(CodeValue, n.Place, "%s is a number above zero, not %s", what, t.Value)
		case f != float64(int64(f)):
			r.warn(CodeValue, n.Place, "%s is in whole minutes: GitHub drops the fraction, which counts here", what)
		}
	}
	return t
}

func (r *reader) jobSecrets(j *Job, n *yamlx.Node) {
	if n.IsScalar() {
		if t := r.plain(n, "secrets"); t.Value == "inherit" {
			j.SecretsInherit = true
		} else if !strings.Contains(t.Value, open) {
			r.mistake(CodeValue, n.Place, "secrets is inherit or a mapping, not %q", t.Value)
		}
		return
	}
	j.Secrets = r.named(n, "secrets", jobPath+".secrets", "", nil)
}

// runsOn is a label, a list of labels, or {group, labels}.
func (r *reader) runsOn(n *yamlx.Node) RunsOn {
	const path = jobPath + ".runs-on"
	out := RunsOn{Node: n}
	if !n.IsMapping() {
		out.Labels = r.labels(n, "runs-on", path)
		return out
	}
	r.fields(n, "runs-on", path, func(name string, _, v *yamlx.Node) {
		if name == "labels" {
			out.Labels = r.labels(v, name, path)
			return
		}
		out.Group = r.filled(r.text(v, name, path), name)
		r.runnerGroup(out.Group)
	})
	if len(n.Pairs) == 0 {
		r.mistake(CodeEmpty, n.Place, "runs-on names neither group nor labels")
	}
	return out
}

// runnerGroup follows the runner: a group may be prefixed by where it belongs.
func (r *reader) runnerGroup(t Text) {
	if !t.Set || hasExpression(t) || !strings.Contains(t.Value, "/") {
		return
	}
	owner, name, _ := strings.Cut(t.Value, "/")
	if name == "" || strings.Contains(name, "/") || !slices.Contains([]string{"org", "organization", "ent", "enterprise"}, owner) {
		r.mistake(CodeValue, t.At(), "%q is no group of runners", t.Value).WithHint("before the name only organization/ or enterprise/ may stand")
	}
}

// labels are texts with expressions; one expression may give a list.
func (r *reader) labels(n *yamlx.Node, what, path string) []Text {
	if !n.IsSequence() {
		if t := r.filled(r.text(n, what, path), what); t.Set {
			return []Text{t}
		}
		return nil
	}
	if len(n.Items) == 0 {
		r.mistake(CodeEmpty, n.Place, "%s is an empty list", what)
	}
	out := make([]Text, 0, len(n.Items))
	for _, item := range n.Items {
		if t := r.filled(r.text(item, "a label of "+what, path), "a label of "+what); t.Set {
			out = append(out, t)
		}
	}
	return out
}

func (r *reader) environment(n, key *yamlx.Node) *Environment {
	const path = jobPath + ".environment"
	e := &Environment{Place: key.Place}
	if !n.IsMapping() {
		e.Name = r.text(n, "environment", path)
		if e.Name.Set && e.Name.Value == "" {
			r.warn(CodeUseless, n.Place, "environment is empty, and so none")
		}
		return e
	}
	r.fields(n, "environment", path, func(name string, _, v *yamlx.Node) {
		switch name {
		case "name":
			e.Name = r.text(v, name, path)
		case "url":
			e.URL = r.text(v, name, path+".url")
		case "deployment":
			e.Deployment = r.boolean(v, name, path)
		}
	})
	r.need(n, key.Place, "environment", "name")
	return e
}

// snapshot is the name of an image, or {image-name, version, if}.
func (r *reader) snapshot(n *yamlx.Node) (image Text, cond *Condition) {
	const path = jobPath + ".snapshot"
	if !n.IsMapping() {
		return r.filled(r.text(n, "snapshot", path), "snapshot"), nil
	}
	r.fields(n, "snapshot", path, func(name string, _, v *yamlx.Node) {
		switch name {
		case "image-name":
			image = r.filled(r.text(v, name, path), name)
		case "version":
			t := r.filled(r.text(v, name, path), name)
			major, ok := strings.CutSuffix(t.Value, ".*")
			if t.Set && t.Value != "" && !hasExpression(t) && (!ok || major == "" || strings.Trim(major, "0123456789") != "") {
				r.mistake(CodeValue, v.Place, "version is a major version with .*, not %q", t.Value).WithHint("version: 2.*")
			}
		case "if":
			cond = r.condition(v, name, path)
		}
	})
	r.need(n, n.Place, "snapshot", "image-name")
	return image, cond
}

// workflowRef tells what is no address of a reusable workflow.
func (r *reader) workflowRef(t Text) {
	if !t.Set || t.Value == "" || strings.Contains(t.Value, open) {
		return
	}
	ref, local := strings.CutPrefix(t.Value, "./")
	if !local {
		ref, local = strings.CutPrefix(t.Value, "$/")
	}
	path, version, at := strings.Cut(ref, "@")
	if local && at {
		r.mistake(CodeUses, t.At(), "a workflow of the same repository takes no @ref: it is that of the same commit").WithHint("write %s", t.Value[:strings.IndexByte(t.Value, '@')])
		return
	}
	if !local {
		parts := strings.SplitN(path, "/", 3)
		if len(parts) < 3 || parts[0] == "" || parts[1] == "" {
			r.notWorkflow(t)
			return
		}
		path = parts[2]
		if !at || version == "" {
			r.mistake(CodeUses, t.At(), "%q has no @ref", t.Value).WithHint("add the branch, tag or commit: %s@v1", strings.TrimSuffix(t.Value, "@"))
			return
		}
	}
	file, inFolder := strings.CutPrefix(path, ".github/workflows/")
	switch {
	case !inFolder || file == "" || strings.Contains(file, "/"):
		r.notWorkflow(t)
	case !strings.HasSuffix(file, ".yml") && !strings.HasSuffix(file, ".yaml"):
		r.mistake(CodeUses, t.At(), "%q is no workflow file: its name ends in neither .yml nor .yaml", t.Value)
	}
}

func (r *reader) notWorkflow(t Text) {
	f := r.mistake(CodeUses, t.At(), "%q is no address of a reusable workflow", t.Value).
		WithHint("write ./.github/workflows/file.yml or owner/repo/.github/workflows/file.yml@ref")
	if strings.Count(strings.SplitN(t.Value, "@", 2)[0], "/") == 1 {
		f.WithHint("this looks like an action, which a step uses: steps: [{uses: %s}]", t.Value)
	}
}
