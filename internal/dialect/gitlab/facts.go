package gitlab

import (
	"strconv"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/variable"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// standsFor is the GitLab version whose documentation this package follows: CI_SERVER_VERSION.
const standsFor = "18.6.0"

// factsOf is what the predefined variables of a pipeline say.
func factsOf(o event.Occasion) variable.Facts {
	f := variable.FactsOf(o)
	f.Server.Version = standsFor
	f.Protected = protected(&o)
	host := o.Repository.Host
	if host == "" {
		host = "gitlab.com"
	}
	f.Project.Registry = "registry." + host
	f.Project.Pages = "pages." + host
	if f.Merge != nil {
		f.Merge.SourceProtected = o.Branch == o.Repository.DefaultBranch
		f.Merge.TargetProtected = o.Merge.Target == o.Repository.DefaultBranch
	}
	return f
}

// protected reports whether the pipeline is for a protected ref: on this machine, that is the default branch, which
// GitLab protects by itself.
func protected(o *event.Occasion) bool {
	return o.Tag == "" && o.Merge == nil && o.Branch != "" && o.Branch == o.Repository.DefaultBranch
}

// facts are those of the pipeline that in asks for. name is workflow:name, once it is known.
func (in *Input) facts(name string) variable.Facts {
	f := factsOf(in.Occasion)
	f.Project.ConfigPath = in.File
	f.Run.Name = name
	if in.parents.parent != nil {
		f.Project.ConfigPath = in.parents.parent.File
		f.Upstream = variable.Upstream{ProjectID: f.Project.ID, PipelineID: f.Run.ID}
	}
	return f
}

// jobFacts are what the plan says of a job.
func jobFacts(j *plan.Job) variable.Job {
	out := variable.Job{Name: j.Name, Stage: j.Stage, Index: j.Index, Total: j.Total, Manual: j.When == plan.Manual || j.When == plan.Delayed}
	if e := j.Environment; e != nil {
		out.Environment = &variable.Environment{ID: "1", Name: e.Name, URL: e.URL, Action: e.Action, Tier: e.Tier}
	}
	return out
}

// facts are what is known of the job's attempt when it starts.
func (in Attempt) facts() variable.Job {
	f := jobFacts(in.Job)
	f.ID = strconv.Itoa(max(in.Number, 1))
	f.Timeout, f.Started, f.Status = in.Timeout, in.At, "running"
	f.Runner = variable.Runner{
		ID: "1", Description: "sluice", Version: in.Version, Tags: in.Job.Tags, Shared: !in.Container,
		ProjectDir: in.Paths.JobWorkspace,
	}
	if f.Runner.ProjectDir != "" {
		f.Runner.BuildsDir = parent(f.Runner.ProjectDir)
	}
	return f
}
