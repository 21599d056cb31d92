package gitlab

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/variable"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// maxChildDepth is how deep child pipelines nest below that of the event (GitLab documentation, downstream pipelines,
// nested child pipelines).
const maxChildDepth = 2

// Child is the payload of a trigger job: what Bind makes a pipeline of.
type Child struct {
	Project  string `json:"project,omitempty"`  // of a pipeline elsewhere; "" for a child
	Upstream string `json:"upstream,omitempty"` // of a job that mirrors another project's pipeline
	// Include is the configuration of the child: a mapping with the key include, as JSON.
	Include json.RawMessage `json:"include,omitempty"`
	Place   fault.Place     `json:"place"`
	// YAML and Pipeline say which of the trigger job's variables the child gets.
	YAML     bool `json:"yaml"`
	Pipeline bool `json:"pipeline"`
	Depth    int  `json:"depth"` // of the child: 1 below the pipeline of the event
}

// trigger makes a job that starts another pipeline when it is ready.
func (c *compiler) trigger(j *plan.Job, t *keyword.Trigger, sc *scope) {
	child := &Child{
		Project: sc.filled(t.Project.Value), Upstream: t.Upstream.Value, Place: t.Place,
		YAML: t.Forward.YAMLVariables.Value, Pipeline: t.Forward.PipelineVariables.Value, Depth: c.in.parents.depth + 1,
	}
	j.Late = &plan.Late{Kind: "child", Wait: t.Strategy.Value != "", Mirror: t.Strategy.Value == "mirror", Payload: child}
	if len(t.Include) == 0 {
		return
	}
	include := make([]map[string]any, 0, len(t.Include))
	for i := range t.Include {
		include = append(include, includeOf(&t.Include[i]))
	}
	text, err := json.Marshal(map[string]any{"include": include})
	if err != nil {
		c.faults.Add(fault.At(CodeChildInclude, t.Place, "the inputs of the child pipeline cannot be handed on: %v", err))
	}
	child.Include = text
}

// includeOf is one entry of trigger:include as a file would have it.
func includeOf(i *keyword.Include) map[string]any {
	out := map[string]any{}
	put := func(name string, t keyword.Text) {
		if t.Set {
			out[name] = t.Value
		}
	}
	put("local", i.Local)
	put("remote", i.Remote)
	put("template", i.Template)
	put("component", i.Component)
	put("project", i.Project)
	put("ref", i.Ref)
	put("artifact", i.Artifact)
	put("job", i.Job)
	put("integrity", i.Integrity)
	if len(i.Files) > 0 {
		out["file"] = keyword.Strings(i.Files)
	}
	if len(i.Inputs) > 0 {
		inputs := map[string]any{}
		for _, in := range i.Inputs {
			inputs[in.Name] = in.Value
		}
		out["inputs"] = inputs
	}
	return out
}

// Artifacts reads files that jobs left behind.
type Artifacts interface {
	// ReadArtifact is the text of a file among the artifacts of a job of the plan, by the job's ID in it.
	ReadArtifact(ctx context.Context, job, path string) ([]byte, error)
}

// BindInput is what a trigger job is bound from when it is ready.
type BindInput struct {
	Input                     // that the parent pipeline was compiled from
	Plan      *plan.Plan      // the parent
	Job       *plan.Job       // the trigger job
	Outputs   []plan.Variable // dotenv variables of its inputs
	Artifacts Artifacts
}

// Bind compiles the child pipeline of a trigger job. Without an error among the faults and without a plan, the job is
// skipped, for the reason that the first fault gives: a pipeline of another project needs a server. With an error the
// job fails.
func Bind(ctx context.Context, in BindInput) (*plan.Plan, fault.Faults) {
	if in.Job.Late == nil {
		return nil, fault.Faults{fault.At(CodeNotTrigger, in.Job.Place, "job %q starts no pipeline", in.Job.Name)}
	}
	child, ok := in.Job.Late.Payload.(*Child)
	switch {
	case !ok:
		return nil, fault.Faults{fault.At(CodeNotTrigger, in.Job.Place, "job %q starts no pipeline", in.Job.Name)}
	case child.Project != "" || child.Upstream != "":
		return nil, fault.Faults{fault.At(CodeTriggerProject, child.Place, "the pipeline of project %s needs a server, so job %q is skipped", child.Project+child.Upstream, in.Job.Name).
			WithSeverity(fault.Warning)}
	case child.Depth > maxChildDepth:
		return nil, fault.Faults{fault.At(CodeChildDepth, child.Place, "job %q would start a child pipeline at depth %d; %d is the most", in.Job.Name, child.Depth, maxChildDepth)}
	case len(child.Include) == 0:
		return nil, fault.Faults{fault.At(CodeChildInclude, child.Place, "job %q includes nothing in its child pipeline", in.Job.Name)}
	}
	next := in.Input
	next.File = in.Plan.File + ": " + in.Job.Name
	next.Content = child.Include
	next.Inputs = nil
	next.Occasion.Name = event.Parent
	next.Given.Pipeline = in.forwarded(child)
	next.parents = parentage{depth: child.Depth, parent: in.Plan, origin: in.Occasion.Name}
	next.artifact = in.artifactOf
	p, faults := Compile(ctx, next)
	for _, f := range faults {
		if f.Place.File == next.File || f.Place.IsZero() {
			f.Place = child.Place // the mistake is in what the trigger job includes
		}
	}
	return p, faults
}

// forwarded are the variables that the child is given, weakest first: those of the trigger job and the global ones it
// inherits, then with forward:pipeline_variables the dotenv variables and those given to the parent (CI/CD YAML syntax
// reference, trigger:forward). They win over what the child's files say.
func (in BindInput) forwarded(c *Child) []plan.Variable {
	facts := jobFacts(in.Job) // without a number: the job's own persisted variables are not for trigger jobs
	vars := Attempt{Plan: in.Plan, Job: in.Job, Outputs: in.Outputs}.server().With(variable.ForJob(in.facts(in.Plan.Name), facts)...)
	expanded, _ := vars.Expand(variable.Options{Undefined: false, Files: true})
	var out []plan.Variable
	add := func(vs []plan.Variable, from ...plan.Level) {
		for _, v := range vs {
			if !slices.Contains(from, v.Level) {
				continue
			}
			if !v.Raw {
				v.Value = or(variable.Expand(v.Value, expanded.Get))
			}
			v.Level = plan.Pipeline
			out = setVariable(out, v)
		}
	}
	if c.YAML {
		add(visible(in.Plan.Variables, in.Job.Hides), plan.Default)
		add(in.Job.Variables, plan.JobLevel)
	}
	if c.Pipeline {
		add(leveled(in.Outputs, plan.Dotenv), plan.Dotenv)
		add(in.Plan.Variables, plan.Pipeline)
	}
	return out
}

// artifactOf reads a file of a dynamic child pipeline. job is the name in the parent's file.
func (in BindInput) artifactOf(ctx context.Context, job, path string) ([]byte, error) {
	if in.Artifacts == nil {
		return nil, fmt.Errorf("there are no artifacts")
	}
	var last error
	for _, j := range in.Plan.Jobs {
		if j.Name != job && j.Key != job {
			continue
		}
		text, err := in.Artifacts.ReadArtifact(ctx, j.ID, strings.TrimPrefix(path, "./"))
		if err == nil {
			return text, nil
		}
		last = err
	}
	if last == nil {
		last = fmt.Errorf("job %q is not in the pipeline", job)
	}
	return nil, last
}
