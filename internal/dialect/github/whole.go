package github

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// wholes fills the plan of the files and of no event: every job is in it, in the legs of its matrix, with its condition
// as written; texts keep their expressions (plan.Plan.Whole).
func (c *compiler) wholes(ctx context.Context, p *plan.Plan) {
	p.Whole = true
	paths, ok := c.listed(ctx)
	if !ok {
		return
	}
	for _, name := range paths {
		f, faults := c.read(ctx, c.in.Files, "", "", name)
		c.faults.Add(faults...)
		if f == nil || faults.HasErrors() {
			continue
		}
		event, err := describe(c.in.Occasion, "push", made{}, nil)
		if err != nil {
			c.fail(f.Node.At(), err)
			continue
		}
		frame := &Frame{File: f, Event: event, Title: f.Title(), Path: f.Path, Vars: c.vars, Inputs: expr.NewObject(), files: c.in.Files}
		frame.github = frame.GitHub()
		w := plan.Workflow{Name: frame.Title, File: f.Path, Place: f.Node.At(), Title: f.RunName.Value, Triggers: triggersOf(f)}
		if g := f.Concurrency; g != nil {
			w.Group = groupAsWritten(g)
		}
		if len(paths) == 1 {
			p.Name, p.File, p.Variables = f.Name.Value, f.Path, written(f.Env, plan.Default)
		}
		p.Workflows, p.Stages, p.Jobs = append(p.Workflows, w), append(p.Stages, f.Path), append(p.Jobs, c.jobsAsWritten(ctx, frame)...)
	}
	identify(p)
	p.Sources = c.sources
}

// triggersOf are the events of on as written.
func triggersOf(f *workflow.File) []plan.Trigger {
	var out []plan.Trigger
	for i := range f.On {
		on := &f.On[i]
		t := plan.Trigger{
			Event: on.Event, Place: on.Place, Types: plain(on.Types), Branches: plain(on.Branches), BranchesIgnore: plain(on.BranchesIgnore), Tags: plain(on.Tags),
			TagsIgnore: plain(on.TagsIgnore), Paths: plain(on.Paths), PathsIgnore: plain(on.PathsIgnore),
		}
		for _, cron := range on.Crons {
			t.Crons = append(t.Crons, cron.Spec.Value)
		}
		for _, in := range on.Inputs {
			t.Inputs = append(t.Inputs, plan.Input{
				Name: in.Name.Value, Description: in.Description.Value, Default: in.Default.Value, Type: in.Type, Options: plain(in.Options),
				Required: in.Required, Place: in.Name.At(),
			})
		}
		out = append(out, t)
	}
	return out
}

// plain are texts as written; a list that was not written stays nil.
func plain(texts []workflow.Text) []string {
	if texts == nil {
		return nil
	}
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = t.Value
	}
	return out
}

// jobsAsWritten are the jobs of a workflow without an event.
func (c *compiler) jobsAsWritten(ctx context.Context, f *Frame) []*plan.Job {
	g := newGraph(f.File)
	var out []*plan.Job
	for _, k := range g.knots {
		s := &scene{ctx: ctx, f: f, job: k.job, stage: f.Path, needs: expr.NewObject(), knot: k}
		legs := []leg{single()}
		var computed []plan.Written
		if st := k.job.Strategy; st != nil {
			if text := dynamicStrategy(st); text != "" {
				computed = append(computed, plan.Written{Key: "strategy", Text: text, Place: st.Place})
			} else if found, ok := c.legs(s); ok {
				legs = found
			}
		}
		for _, l := range legs {
			j := c.placeholder(s, ruling{when: plan.OnSuccess, why: plan.Decision{Rule: "the whole file", Place: k.job.Place}}, l)
			j.Workflow, j.Computed = f.Path, computed
			fillAsWritten(k.job, j)
			c.steps(s, j)
			k.made = append(k.made, j)
		}
		out = append(out, k.made...)
	}
	g.wire()
	return out
}

// fillAsWritten fills a job with what its keys say, expressions as they are. Keys that hold numbers or truths and are
// computed are told apart.
func fillAsWritten(job *workflow.Job, j *plan.Job) {
	w := &asWritten{j: j}
	if job.If != nil {
		j.Rules = []plan.Rule{{If: job.If.Text.Value, Place: job.If.Text.At()}}
	}
	if job.Uses.Set {
		j.Late = &plan.Late{Kind: "expand", Payload: &Late{Why: "the call", Uses: job.Uses.Value}}
	}
	w.note(job.Name, "name", job.Name.Set && job.Name.Value != "")
	for _, l := range job.RunsOn.Labels {
		j.Tags = append(j.Tags, l.Value)
	}
	w.note(job.RunsOn.Group, "runs-on.group", job.RunsOn.Group.Set)
	if job.Concurrency != nil {
		j.Group = groupAsWritten(job.Concurrency)
		w.note(job.Concurrency.CancelInProgress, "concurrency.cancel-in-progress", job.Concurrency.CancelInProgress.Dynamic())
	}
	if e := job.Environment; e != nil {
		j.Environment = &plan.Environment{Name: e.Name.Value, URL: e.URL.Value, Action: "start", Place: e.Place}
		if e.Deployment.Set && e.Deployment.Value == "false" {
			j.Environment.Action = "access"
		}
	}
	j.Timeout = 360 * time.Minute
	if minutes, err := strconv.ParseFloat(job.TimeoutMinutes.Value, 64); err == nil && minutes > 0 {
		j.Timeout = time.Duration(minutes * float64(time.Minute))
	}
	w.note(job.TimeoutMinutes, "timeout-minutes", job.TimeoutMinutes.Dynamic())
	j.AllowFailure.Any = job.ContinueOnError.Value == "true"
	w.note(job.ContinueOnError, "continue-on-error", job.ContinueOnError.Dynamic())
	if job.Container != nil {
		j.Image = containerAsWritten(job.Container)
		w.credentials(job.Container, "container")
	}
	w.note(job.ServicesExpr, "services", job.ServicesExpr.Set)
	for _, s := range job.Services {
		if s.Container == nil {
			continue
		}
		service := plan.Service{Container: *containerAsWritten(s.Container), Aliases: []string{s.Name.Value}}
		if s.Container.Command.Value != "" {
			service.Command = strings.Fields(s.Container.Command.Value)
		}
		j.Services = append(j.Services, service)
		w.credentials(s.Container, "services."+s.Name.Value)
	}
	w.note(job.Env.Expr, "env", job.Env.Expr.Set)
	w.note(job.Snapshot, "snapshot", job.Snapshot.Set)
	w.note(job.Defaults.Expr, "defaults.run", job.Defaults.Expr.Set)
	if job.Permissions.Set {
		j.Computed = append(j.Computed, plan.Written{Key: "permissions", Place: job.Permissions.Node.At()})
	}
}

// asWritten collects what a job of a plan has no field for.
type asWritten struct{ j *plan.Job }

func (w *asWritten) note(t workflow.Text, key string, set bool) {
	if set {
		w.j.Computed = append(w.j.Computed[:len(w.j.Computed):len(w.j.Computed)], plan.Written{Key: key, Text: t.Value, Place: t.At()})
	}
}

func (w *asWritten) credentials(k *workflow.Container, key string) {
	if k.Credentials != nil {
		w.j.Computed = append(w.j.Computed[:len(w.j.Computed):len(w.j.Computed)], plan.Written{Key: key + ".credentials", Place: k.Credentials.Place})
	}
}

func groupAsWritten(g *workflow.Concurrency) *plan.Group {
	out := &plan.Group{Name: g.Group.Value, Mode: "single", Cancel: g.CancelInProgress.Value == "true"}
	if g.Expr.Set {
		out.Name = g.Expr.Value
	}
	if g.Queue.Value == "max" {
		out.Mode = "oldest_first"
	}
	return out
}

func containerAsWritten(k *workflow.Container) *plan.Container {
	out := &plan.Container{
		Name: strings.TrimPrefix(k.Image.Value, "docker://"), Options: k.Options.Value, Env: written(k.Env, plan.JobLevel),
		Ports: plain(k.Ports), Volumes: plain(k.Volumes), Place: k.Place,
	}
	if k.Entrypoint.Value != "" {
		out.Entrypoint = []string{k.Entrypoint.Value}
	}
	return out
}

// dynamicStrategy is the first expression in a strategy, or "" where it is plain.
func dynamicStrategy(st *workflow.Strategy) string {
	texts := []workflow.Text{st.Expr, st.FailFast, st.MaxParallel}
	var nodes []*yamlx.Node
	if m := st.Matrix; m != nil {
		texts = append(texts, m.Expr)
		for _, r := range m.Rows {
			texts, nodes = append(texts, r.Name, r.Expr), append(nodes, r.Values...)
		}
		for _, part := range []*workflow.Combinations{m.Include, m.Exclude} {
			if part != nil {
				texts, nodes = append(texts, part.Expr), append(nodes, part.Items...)
			}
		}
	}
	for _, t := range texts {
		if t.Dynamic() {
			return t.Value
		}
	}
	for _, n := range nodes {
		if text := dynamicNode(n); text != "" {
			return text
		}
	}
	return ""
}

func dynamicNode(n *yamlx.Node) string {
	switch {
	case n == nil:
	case n.IsSequence():
		for _, item := range n.Items {
			if text := dynamicNode(item); text != "" {
				return text
			}
		}
	case n.IsMapping():
		for _, p := range n.Pairs {
			if text := dynamicNode(p.Value); text != "" {
				return text
			}
		}
	case strings.Contains(n.Text(), "${{"):
		return n.Text()
	}
	return ""
}
