package variable

import (
	"slices"
	"strings"
	"time"
)

// pipelineTable are the variables about the pipeline and who started it.
var pipelineTable = []Entry{
	{Name: "CI", Phase: PrePipeline, Text: "true in every job of a pipeline.", pipeline: always(func(*Facts) string { return "true" })},
	{Name: "GITLAB_CI", Phase: PrePipeline, Text: "true in every job of a pipeline.", pipeline: always(func(*Facts) string { return "true" })},
	{Name: "CI_PIPELINE_ID", Phase: JobOnly, Persisted: true, Text: "The number of the pipeline on this instance.", pipeline: given(func(f *Facts) string { return f.Run.ID })},
	{Name: "CI_PIPELINE_IID", Phase: InPipeline, Text: "The number of the pipeline in the project.", pipeline: given(func(f *Facts) string { return f.Run.IID })},
	{Name: "CI_PIPELINE_URL", Phase: JobOnly, Persisted: true, Text: "The address of the pipeline's page.", pipeline: given(pipelineURL)},
	{Name: "CI_PIPELINE_SOURCE", Phase: PrePipeline, Text: "What started the pipeline: push, web, schedule, api, trigger, merge_request_event, pipeline, parent_pipeline and others.", pipeline: given(func(f *Facts) string { return f.Source })},
	{Name: "CI_PIPELINE_CREATED_AT", Phase: JobOnly, Text: "When the pipeline was created, as 2022-01-31T16:47:55Z.", pipeline: given(func(f *Facts) string { return stamp(f.Run.At) })},
	{Name: "CI_PIPELINE_NAME", Phase: PrePipeline, When: "where workflow:name is set", Text: "The name of the pipeline.", pipeline: given(func(f *Facts) string { return f.Run.Name })},
	{Name: "CI_PIPELINE_SCHEDULE_DESCRIPTION", Phase: PrePipeline, When: "in scheduled pipelines", Text: "The description of the schedule.", pipeline: given(scheduled)},
	{Name: "CI_PIPELINE_TRIGGERED", Phase: InPipeline, When: "in pipelines started with a trigger token", Text: "true.", pipeline: flag(func(f *Facts) bool { return f.Source == "trigger" })},
	{Name: "CI_TRIGGER_SHORT_TOKEN", Phase: JobOnly, When: "in pipelines started with a trigger token", Text: "The first four characters of the token, its prefix left out.", pipeline: given(shortTrigger)},
	{Name: "TRIGGER_PAYLOAD", Phase: InPipeline, When: "in pipelines started by a webhook", Text: "A file with the payload of the webhook.", file: true, raw: true, pipeline: given(func(f *Facts) string { return f.Payload })},
	{Name: "CHAT_CHANNEL", Phase: InPipeline, When: "in pipelines started by ChatOps", Text: "The channel that the command came from.", pipeline: given(func(f *Facts) string { return f.Chat.Channel })},
	{Name: "CHAT_INPUT", Phase: InPipeline, When: "in pipelines started by ChatOps", Text: "What stood behind the command.", pipeline: given(func(f *Facts) string { return f.Chat.Input })},
	{Name: "CHAT_USER_ID", Phase: InPipeline, When: "in pipelines started by ChatOps", Text: "Who gave the command, as the chat service knows them.", pipeline: given(func(f *Facts) string { return f.Chat.UserID })},
	{Name: "CI_UPSTREAM_JOB_ID", Phase: PrePipeline, When: "in child and downstream pipelines", Text: "The number of the trigger job.", pipeline: given(func(f *Facts) string { return f.Upstream.JobID })},
	{Name: "CI_UPSTREAM_PIPELINE_ID", Phase: PrePipeline, When: "in child and downstream pipelines", Text: "The number of the pipeline of the trigger job.", pipeline: given(func(f *Facts) string { return f.Upstream.PipelineID })},
	{Name: "CI_UPSTREAM_PROJECT_ID", Phase: PrePipeline, When: "in child and downstream pipelines", Text: "The number of the project of the trigger job.", pipeline: given(func(f *Facts) string { return f.Upstream.ProjectID })},
	{Name: "CI_OPEN_MERGE_REQUESTS", Phase: PrePipeline, When: "in branch and merge request pipelines whose branch has an open merge request", Text: "Up to four merge requests of the branch, as group/project!1, separated by commas.", pipeline: given(openMerges)},
	{Name: "CI_DEBUG_TRACE", Phase: InPipeline, When: "where debug logging is on", Text: "true: the shell shows every command that it runs.", pipeline: flag(func(f *Facts) bool { return f.Debug })},
	{Name: "CI_DEBUG_SERVICES", Phase: InPipeline, When: "where the logs of services are on", Text: "true: the log holds what service containers write.", pipeline: flag(func(f *Facts) bool { return f.Services })},
	{Name: "CI_DEPLOY_FREEZE", Phase: PrePipeline, When: "in a deploy freeze window", Text: "true.", pipeline: flag(func(f *Facts) bool { return f.Frozen })},
	{Name: "CI_KUBERNETES_ACTIVE", Phase: PrePipeline, When: "where the pipeline has a cluster to deploy to", Text: "true.", pipeline: flag(func(f *Facts) bool { return f.Kubernetes })},
	{Name: "CI_RELEASE_DESCRIPTION", Phase: InPipeline, When: "in tag pipelines with a release", Text: "The description of the release, at most 1024 characters.", raw: true, pipeline: given(release)},
	{Name: "GITLAB_USER_ID", Phase: InPipeline, Text: "The number of the user who started the pipeline, or the manual job.", pipeline: given(func(f *Facts) string { return f.User.ID })},
	{Name: "GITLAB_USER_LOGIN", Phase: InPipeline, Text: "The user name of who started the pipeline, or the manual job.", pipeline: given(func(f *Facts) string { return f.User.Login })},
	{Name: "GITLAB_USER_NAME", Phase: InPipeline, Text: "The name of who started the pipeline, or the manual job.", pipeline: given(func(f *Facts) string { return f.User.Name })},
	{Name: "GITLAB_USER_EMAIL", Phase: InPipeline, Text: "The address of who started the pipeline, or the manual job.", pipeline: given(func(f *Facts) string { return f.User.Email })},
}

// stamp is a time in ISO 8601, to the second; "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

func pipelineURL(f *Facts) string {
	if f.Run.ID == "" {
		return ""
	}
	return projectURL(f) + "/-/pipelines/" + f.Run.ID
}

func scheduled(f *Facts) string {
	if f.Source != "schedule" {
		return ""
	}
	return f.Schedule
}

func shortTrigger(f *Facts) string {
	if f.Source != "trigger" {
		return ""
	}
	token := strings.TrimPrefix(f.Trigger, "glptt-")
	return token[:min(len(token), 4)]
}

func openMerges(f *Facts) string {
	if f.Tag != "" {
		return ""
	}
	return strings.Join(f.OpenMerges[:min(len(f.OpenMerges), 4)], ",")
}

func release(f *Facts) string {
	if f.Tag == "" {
		return ""
	}
	return truncate(f.Release, 1024)
}

// mergeTable are the variables of merge request pipelines and of pipelines for external pull requests.
var mergeTable = slices.Concat(mergeRequests([]Entry{
	{Name: "CI_MERGE_REQUEST_ID", Text: "The number of the merge request on this instance.", pipeline: merged(func(_ *Facts, m *Merge) string { return m.ID })},
	{Name: "CI_MERGE_REQUEST_IID", Text: "The number of the merge request in the project.", pipeline: merged(func(_ *Facts, m *Merge) string { return m.IID })},
	{Name: "CI_MERGE_REQUEST_REF_PATH", Text: "The ref of the merge request: refs/merge-requests/1/head.", pipeline: merged(func(_ *Facts, m *Merge) string { return "refs/merge-requests/" + m.IID + "/head" })},
	{Name: "CI_MERGE_REQUEST_PROJECT_ID", Text: "The number of the project that the merge request belongs to.", pipeline: mergedGiven(func(f *Facts, _ *Merge) string { return f.Project.ID })},
	{Name: "CI_MERGE_REQUEST_PROJECT_PATH", Text: "The path of the project that the merge request belongs to.", pipeline: merged(func(f *Facts, _ *Merge) string { return f.Project.Path })},
	{Name: "CI_MERGE_REQUEST_PROJECT_URL", Text: "The address of the project that the merge request belongs to.", pipeline: merged(func(f *Facts, _ *Merge) string { return projectURL(f) })},
	{Name: "CI_MERGE_REQUEST_TITLE", Text: "The title.", pipeline: merged(func(_ *Facts, m *Merge) string { return m.Title })},
	{Name: "CI_MERGE_REQUEST_DESCRIPTION", Text: "The description, at most 2700 characters.", pipeline: merged(func(_ *Facts, m *Merge) string { return truncate(m.Description, maxDescription) })},
	{Name: "CI_MERGE_REQUEST_DESCRIPTION_IS_TRUNCATED", Text: "true where the description was cut, else false.", pipeline: merged(func(_ *Facts, m *Merge) string {
		return truth(truncate(m.Description, maxDescription) != m.Description)
	})},
	{Name: "CI_MERGE_REQUEST_DRAFT", Text: "true where the merge request is a draft, else false.", pipeline: merged(func(_ *Facts, m *Merge) string { return truth(m.Draft) })},
	{Name: "CI_MERGE_REQUEST_SQUASH_ON_MERGE", Text: "true where its commits will be squashed, else false.", pipeline: merged(func(_ *Facts, m *Merge) string { return truth(m.Squash) })},
	{Name: "CI_MERGE_REQUEST_APPROVED", When: "where it is approved", Text: "true.", pipeline: mergedGiven(func(_ *Facts, m *Merge) string {
		if m.Approved {
			return "true"
		}
		return ""
	})},
	{Name: "CI_MERGE_REQUEST_EVENT_TYPE", Text: "detached, merged_result or merge_train.", pipeline: merged(func(_ *Facts, m *Merge) string { return mergeEvent(m) })},
	{Name: "CI_MERGE_REQUEST_ASSIGNEES", When: "where it has assignees", Text: "Their user names, separated by commas.", pipeline: mergedGiven(func(_ *Facts, m *Merge) string { return strings.Join(m.Assignees, ",") })},
	{Name: "CI_MERGE_REQUEST_LABELS", When: "where it has labels", Text: "Their names, sorted, separated by commas.", pipeline: mergedGiven(func(_ *Facts, m *Merge) string {
		return strings.Join(slices.Sorted(slices.Values(m.Labels)), ",")
	})},
	{Name: "CI_MERGE_REQUEST_MILESTONE", When: "where it has a milestone", Text: "The title of the milestone.", pipeline: mergedGiven(func(_ *Facts, m *Merge) string { return m.Milestone })},
	{Name: "CI_MERGE_REQUEST_DIFF_ID", Text: "The number of the version of its changes.", pipeline: mergedGiven(func(_ *Facts, m *Merge) string { return m.DiffID })},
	{Name: "CI_MERGE_REQUEST_DIFF_BASE_SHA", Text: "The commit that its changes are compared with.", pipeline: mergedGiven(func(_ *Facts, m *Merge) string { return m.BaseSHA })},
	{Name: "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", Text: "The source branch.", pipeline: merged(func(f *Facts, _ *Merge) string { return f.Branch })},
	{Name: "CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED", Text: "true where the source branch is protected, else false.", pipeline: merged(func(_ *Facts, m *Merge) string { return truth(m.SourceProtected) })},
	{Name: "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", Text: "The head of the source branch; empty but in merged results pipelines.", pipeline: merged(func(_ *Facts, m *Merge) string { return onlyMerged(m, m.SourceSHA) })},
	{Name: "CI_MERGE_REQUEST_SOURCE_PROJECT_ID", Text: "The number of the project of the source branch.", pipeline: mergedGiven(func(f *Facts, m *Merge) string {
		if m.SourceProject != "" {
			return m.SourceProjectID
		}
		return f.Project.ID
	})},
	{Name: "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", Text: "The path of the project of the source branch.", pipeline: merged(func(f *Facts, m *Merge) string { return orElse(m.SourceProject, f.Project.Path) })},
	{Name: "CI_MERGE_REQUEST_SOURCE_PROJECT_URL", Text: "The address of the project of the source branch.", pipeline: mergedGiven(func(f *Facts, m *Merge) string {
		if m.SourceProject != "" {
			return orElse(m.SourceProjectURL, serverURL(f)+"/"+m.SourceProject)
		}
		return projectURL(f)
	})},
	{Name: "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", Text: "The target branch.", pipeline: merged(func(_ *Facts, m *Merge) string { return m.Target })},
	{Name: "CI_MERGE_REQUEST_TARGET_BRANCH_PROTECTED", Text: "true where the target branch is protected, else false.", pipeline: merged(func(_ *Facts, m *Merge) string { return truth(m.TargetProtected) })},
	{Name: "CI_MERGE_REQUEST_TARGET_BRANCH_SHA", Text: "The head of the target branch; empty but in merged results pipelines.", pipeline: merged(func(_ *Facts, m *Merge) string { return onlyMerged(m, m.TargetSHA) })},
}), pulls(map[string]struct {
	text string
	of   func(*Pull) string
}{
	"IID":                {"The number of the pull request.", func(p *Pull) string { return p.Number }},
	"SOURCE_REPOSITORY":  {"The repository of its source branch.", func(p *Pull) string { return p.SourceRepository }},
	"TARGET_REPOSITORY":  {"The repository of its target branch.", func(p *Pull) string { return p.TargetRepository }},
	"SOURCE_BRANCH_NAME": {"The source branch.", func(p *Pull) string { return p.Source }},
	"SOURCE_BRANCH_SHA":  {"The head of the source branch.", func(p *Pull) string { return p.SourceSHA }},
	"TARGET_BRANCH_NAME": {"The target branch.", func(p *Pull) string { return p.Target }},
	"TARGET_BRANCH_SHA":  {"The head of the target branch.", func(p *Pull) string { return p.TargetSHA }},
}))

const maxDescription = 2700

func mergeRequests(entries []Entry) []Entry {
	for i := range entries {
		entries[i].Phase = PrePipeline
		entries[i].When = strings.TrimSpace("in merge request pipelines " + entries[i].When)
	}
	return entries
}

func pulls(named map[string]struct {
	text string
	of   func(*Pull) string
},
) []Entry {
	var out []Entry
	for name, p := range named {
		out = append(out, Entry{
			Name: "CI_EXTERNAL_PULL_REQUEST_" + name, Phase: PrePipeline, When: "in pipelines for external pull requests", Text: p.text,
			pipeline: given(func(f *Facts) string {
				if f.Pull == nil {
					return ""
				}
				return p.of(f.Pull)
			}),
		})
	}
	return out
}

func mergeEvent(m *Merge) string { return orElse(m.Event, "detached") }

func onlyMerged(m *Merge, sha string) string {
	if mergeEvent(m) == "detached" {
		return ""
	}
	return sha
}

func truth(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
