// Package intake turns what a person or a forge asked for into an occasion: the event with all facts of the repository
// that a dialect's rules may read. It asks the repository through a port and runs nothing.
package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The faults of this package.
const (
	CodeEvent   = "SL2401" // no such event
	CodeHistory = "SL2402" // a revision that the event needs is not here
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeEvent, Summary: "the event is not known", Text: "--event takes push, tag, merge_request, schedule, api, web, trigger, pipeline, parent_pipeline, chat, external and the other values of CI_PIPELINE_SOURCE; of GitHub workflows every event that can start one (docs/github.md lists them).", Page: "Predefined CI/CD variables reference, CI_PIPELINE_SOURCE"},
	{Code: CodeHistory, Summary: "a revision is not in this clone", Text: "The branch, tag or commit named by --tag or --changed-since does not exist here. Fetch it, or name another.", Page: ""},
}

// Request is what a person asks for. Empty fields mean what is checked out.
type Request struct {
	Event   string
	Branch  string
	Tag     string
	Target  string // of a merge request; default: the default branch
	Payload json.RawMessage
	RunID   string
	Number  int
	At      time.Time
	// Known are the names of events that the dialect knows beyond ours; its payloads are read too. nil for GitLab.
	Known []string
}

// Facts are the repository as it stands.
type Facts struct {
	Repository event.Repository
	Branch     string
	Tags       []string // at the commit
	Commit     event.Commit
	Parent     string
	Dirty      bool
	User       event.Person
}

// History answers questions about commits.
type History interface {
	Resolve(ctx context.Context, revision string) (string, error)
	MergeBase(ctx context.Context, a, b string) (string, error)
}

// events maps what --event takes to the trigger. GitLab's own words for a source are taken as well.
var events = map[string]event.Name{
	"push": event.Push, "tag": event.Tag, "merge_request": event.MergeRequest, "merge_request_event": event.MergeRequest,
	"merge-request": event.MergeRequest, "mr": event.MergeRequest, "schedule": event.Schedule, "api": event.API, "web": event.Web,
	"trigger": event.Trigger, "pipeline": event.Pipeline, "parent_pipeline": event.Parent, "chat": event.Chat, "external": event.External,
}

// forges maps GitHub's names of events to the trigger; those that are not here stand for themselves.
var forges = map[string]event.Name{
	"pull_request": event.MergeRequest, "pull_request_target": event.MergeRequest, "pull_request_review": event.MergeRequest,
	"pull_request_review_comment": event.MergeRequest, "schedule": event.Schedule, "workflow_dispatch": event.Web, "repository_dispatch": event.API,
}

// plainSources are values of CI_PIPELINE_SOURCE that have no facts of their own.
var plainSources = []string{
	"external_pull_request_event", "webide", "ondemand_dast_scan", "ondemand_dast_validation",
	"security_orchestration_policy", "container_registry_push", "duo_workflow", "pipeline_execution_policy_schedule",
}

// Occasion puts the facts together. A branch or tag that is named and not checked out changes what the rules see, not
// the files: those are always the work tree's.
func Occasion(ctx context.Context, q Request, f Facts, h History) (event.Occasion, error) {
	var told payload
	if q.Known != nil {
		told = q.heed()
	}
	o := event.Occasion{
		Name: event.Push, Given: q.Event, Repository: f.Repository, Branch: f.Branch, Commit: f.Commit, Before: f.Parent, Dirty: f.Dirty,
		Actor: f.User, At: q.At, RunID: q.RunID, Number: q.Number, Payload: q.Payload,
	}
	if q.Event != "" {
		name, ok := events[q.Event]
		if !ok && slices.Contains(plainSources, q.Event) {
			name, ok = event.Name(q.Event), true
		}
		if !ok && slices.Contains(q.Known, q.Event) {
			name, ok = event.Name(q.Event), true
			if known, same := forges[q.Event]; same {
				name = known
			}
		}
		if !ok {
			return o, unknownEvent(q.Event, q.Known)
		}
		o.Name = name
	}
	if q.Branch != "" {
		o.Branch = strings.TrimPrefix(q.Branch, "refs/heads/")
	}
	if q.Tag != "" || o.Name == event.Tag {
		if err := aboutTag(&o, q, f); err != nil {
			return o, err
		}
	}
	if o.Branch == "" && o.Tag == "" {
		o.Branch = f.Repository.DefaultBranch // a detached HEAD has no branch of its own
	}
	if o.Name == event.MergeRequest {
		if q.Tag != "" {
			return o, fault.New(CodeEvent, "--tag does not go with --event merge_request").WithHint("a merge request is about a branch: --branch")
		}
		err := aboutMerge(ctx, &o, q, h)
		told.fill(&o)
		return o, err
	}
	told.fill(&o)
	if q.Target != "" && told.Pull == nil {
		return o, fault.New(CodeEvent, "--target belongs to --event merge_request").WithHint("add --event merge_request")
	}
	return o, nil
}

func unknownEvent(name string, known []string) error {
	all := slices.Concat(known, slices.Collect(maps.Keys(events)))
	if known == nil {
		all = append(all, plainSources...)
		known = all
	}
	slices.Sort(all)
	known = slices.Compact(slices.Sorted(slices.Values(known)))
	err := fault.New(CodeEvent, "there is no event %q", name)
	if near := fault.Nearest(name, slices.Compact(all)); near != "" {
		return err.WithHint("did you mean %q?", near)
	}
	return err.WithHint("the events are %s", strings.Join(known, ", "))
}

func aboutTag(o *event.Occasion, q Request, f Facts) error {
	o.Tag = strings.TrimPrefix(q.Tag, "refs/tags/")
	if o.Tag == "" {
		if len(f.Tags) == 0 {
			return fault.New(CodeHistory, "the event is a tag and the commit has none").WithHint("name one with --tag")
		}
		o.Tag = f.Tags[0]
	}
	if o.Name == event.Push {
		o.Name = event.Tag
	}
	o.Branch = ""
	o.Before = strings.Repeat("0", 40)
	return nil
}

// aboutMerge fills in the merge request: where it wants to go and from where its changes count. A target that this clone
// does not have is as good as another: only what changed is not known then, so everything counts as changed.
func aboutMerge(ctx context.Context, o *event.Occasion, q Request, h History) error {
	m := &event.Merge{Number: 1, Title: o.Commit.Title, Target: strings.TrimPrefix(q.Target, "refs/heads/")}
	if m.Target == "" {
		m.Target = o.Repository.DefaultBranch
	}
	o.Merge, o.Before = m, strings.Repeat("0", 40)
	for _, revision := range []string{"refs/heads/" + m.Target, "refs/remotes/origin/" + m.Target, m.Target} {
		sha, err := h.Resolve(ctx, revision)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			continue
		}
		m.TargetSHA = sha
		if none(o.Commit.SHA) {
			return nil // nothing is committed, so there is no place where it left
		}
		if m.BaseSHA, err = h.MergeBase(ctx, sha, o.Commit.SHA); err != nil {
			return fmt.Errorf("find where %s left %s: %w", o.Branch, m.Target, err)
		}
		return nil
	}
	return nil
}
