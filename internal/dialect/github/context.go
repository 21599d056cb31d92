package github

import (
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// The builders of contexts, as the page "Contexts reference" gives their shapes. Those that a step changes (steps, job,
// the paths of github and runner) begin here and are filled in by the program.

// Repository is owner/name, as far as the remote says it.
func (e *Event) Repository() string {
	path := e.o.Repository.Path
	switch {
	case path == "":
		return "local/repository"
	case !strings.Contains(path, "/"):
		return "local/" + path
	default:
		return path
	}
}

// Owner is the first part of Repository.
func (e *Event) Owner() string {
	owner, _, _ := strings.Cut(e.Repository(), "/")
	return owner
}

// Server is GITHUB_SERVER_URL: that of the remote, else GitHub's own.
func (e *Event) Server() string { return "https://" + first(e.o.Repository.Host, "github.com") }

// API is GITHUB_API_URL.
func (e *Event) API() string {
	if e.Server() == "https://github.com" {
		return "https://api.github.com"
	}
	return e.Server() + "/api/v3"
}

// GraphQL is GITHUB_GRAPHQL_URL.
func (e *Event) GraphQL() string {
	if e.Server() == "https://github.com" {
		return "https://api.github.com/graphql"
	}
	return e.Server() + "/api/graphql"
}

// Actor is the login of who triggered the run.
func (e *Event) Actor() string {
	if login := e.Payload.Path("sender", "login").Text(); login != "" {
		return login
	}
	return first(e.o.Actor.Login, strings.ReplaceAll(strings.ToLower(e.o.Actor.Name), " ", "-"), e.Owner())
}

// RunID is GITHUB_RUN_ID: digits, made of the run's id where that is something else.
func (e *Event) RunID() string {
	if _, err := strconv.ParseUint(e.o.RunID, 10, 63); err == nil {
		return e.o.RunID
	}
	return strconv.FormatInt(10_000_000_000+number("run "+e.o.RunID), 10)
}

// GitHub is the github context of a run of the workflow, without what only a job or a step has: token, job, workspace,
// the paths of the runner and the names of the action. Properties that the documentation gives as texts are texts.
func (f *Frame) GitHub() expr.Value {
	e := f.Event
	b := &expr.ObjectBuilder{}
	text := func(name, value string) { b.Set(name, expr.String(value)) }
	text("ref", e.Ref)
	text("sha", e.SHA)
	text("repository", e.Repository())
	text("repository_owner", e.Owner())
	text("repository_owner_id", strconv.FormatInt(number(e.Owner()), 10))
	text("repository_id", strconv.FormatInt(number(e.Repository()), 10))
	text("repositoryUrl", "git://"+strings.TrimPrefix(e.Server(), "https://")+"/"+e.Repository()+".git")
	text("run_id", e.RunID())
	text("run_number", strconv.Itoa(max(e.o.Number, 1)))
	text("retention_days", "90")
	text("run_attempt", "1")
	text("artifact_cache_size_limit", "10")
	text("actor_id", strconv.FormatInt(number(e.Actor()), 10))
	text("actor", e.Actor())
	text("triggering_actor", e.Actor())
	text("workflow", f.Title)
	head, base := "", ""
	if e.Name == "pull_request" || e.Name == "pull_request_target" {
		head, base = e.HeadRef, e.BaseRef
	}
	text("head_ref", head)
	text("base_ref", base)
	text("event_name", e.Name)
	b.Set("event", e.Payload)
	text("server_url", e.Server())
	text("api_url", e.API())
	text("graphql_url", e.GraphQL())
	text("ref_name", e.RefName)
	b.Set("ref_protected", expr.Bool(false))
	text("ref_type", e.RefType)
	text("secret_source", "Actions")
	text("workflow_ref", f.WorkflowRef())
	text("workflow_sha", e.SHA)
	return b.Value()
}

// WorkflowRef is github.workflow_ref: owner/repository/path@ref of the workflow that the event triggered.
func (f *Frame) WorkflowRef() string { return f.Event.Repository() + "/" + f.Path + "@" + f.Event.Ref }

// JobWorkflowRef is job.workflow_ref: that of the file which defines the job.
func (f *Frame) JobWorkflowRef() string {
	if f.Repository == "" {
		return f.Event.Repository() + "/" + f.File.Path + "@" + f.Event.Ref
	}
	return f.Repository + "/" + f.File.Path + "@" + f.Ref
}

// JobContext is the job context as it begins: the status, a number that tells the job from others, made of the run's id
// and its own, and where the job is defined. The program adds container and services.
func (f *Frame) JobContext(status, id string) *expr.ObjectBuilder {
	b := &expr.ObjectBuilder{}
	b.Set("status", expr.String(status))
	b.Set("check_run_id", expr.Number(float64(10_000_000_000+number("job "+f.Event.o.RunID+" "+id))))
	b.Set("workflow_ref", expr.String(f.JobWorkflowRef()))
	b.Set("workflow_sha", expr.String(f.Event.SHA))
	b.Set("workflow_repository", expr.String(first(f.Repository, f.Event.Repository())))
	b.Set("workflow_file_path", expr.String(f.File.Path))
	return b
}

// RunnerContext is the runner context; temp and tools are folders as the job sees them.
func RunnerContext(m Machine, temp, tools string, debug bool) expr.Value {
	b := &expr.ObjectBuilder{}
	b.Set("os", expr.String(first(m.OS, "Linux"))).Set("arch", expr.String(first(m.Arch, "X64"))).
		Set("name", expr.String(first(m.Name, "sluice"))).Set("environment", expr.String("self-hosted")).
		Set("tool_cache", expr.String(tools)).Set("temp", expr.String(temp))
	if debug {
		b.Set("debug", expr.String("1"))
	}
	return b.Value()
}

// VarsContext is the vars context: a later variable of a name counts over an earlier one.
func VarsContext(g Given) expr.Value {
	b := &expr.ObjectBuilder{}
	for _, v := range g.Vars {
		b.Set(v.Name, expr.String(v.Value))
	}
	return b.Value()
}

// StrategyContext is the strategy context of a leg: index counts from 0; parallel 0 is as many as there are legs.
func StrategyContext(index, total int, failFast bool, parallel int) expr.Value {
	if parallel <= 0 {
		parallel = total
	}
	return expr.NewObject(
		expr.Pair{Key: "fail-fast", Value: expr.Bool(failFast)},
		expr.Pair{Key: "job-index", Value: expr.Number(float64(index))},
		expr.Pair{Key: "job-total", Value: expr.Number(float64(total))},
		expr.Pair{Key: "max-parallel", Value: expr.Number(float64(parallel))},
	)
}

// NeedsOf is the needs context of a job whose attempt begins: that of its needs, or what it was bound with.
func NeedsOf(j *plan.Job, needs []program.Before) expr.Value {
	if own := OwnOf(j); own != nil && own.Needs != nil {
		return *own.Needs
	}
	return NeedsContext(needs)
}

// NeedsContext is the needs context of jobs that a job names among its needs: result and outputs by the key of the job,
// the legs of a matrix summed up.
func NeedsContext(needs []program.Before) expr.Value { return resultsContext(needs) }

// JobsContext is the jobs context, from which a reusable workflow's outputs are made.
func JobsContext(jobs []program.Before) expr.Value { return resultsContext(jobs) }

func resultsContext(jobs []program.Before) expr.Value {
	var order []string
	by := map[string][]program.Before{}
	for _, b := range jobs {
		key := strings.ToLower(b.Key)
		if by[key] == nil {
			order = append(order, key)
		}
		by[key] = append(by[key], b)
	}
	out := &expr.ObjectBuilder{}
	for _, key := range order {
		legs := by[key]
		outputs := &expr.ObjectBuilder{}
		for _, leg := range legs {
			for _, v := range OutputsOf(leg) {
				if v.Value != "" { // the runner leaves empty ones out
					outputs.Set(v.Name, expr.String(v.Value))
				}
			}
		}
		out.Set(legs[0].Key, expr.NewObject(
			expr.Pair{Key: "result", Value: expr.String(ResultOf(legs))},
			expr.Pair{Key: "outputs", Value: outputs.Value()},
		))
	}
	return out.Value()
}

// ResultOf sums up legs as needs.<job_id>.result does: a failure over a cancellation over a success; skipped where all
// are. A failure that continue-on-error allows is a success.
func ResultOf(legs []program.Before) string {
	rank := map[string]int{"skipped": 0, "success": 1, "cancelled": 2, "failure": 3}
	worst := "skipped"
	for _, leg := range legs {
		if r := result(leg); rank[r] > rank[worst] {
			worst = r
		}
	}
	return worst
}

func result(b program.Before) string {
	switch {
	case b.Status == "failed" && b.Allowed, b.Status == "success":
		return "success"
	case b.Status == "failed":
		return "failure"
	case b.Status == "canceled":
		return "cancelled"
	default:
		return "skipped"
	}
}
