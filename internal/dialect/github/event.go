package github

import (
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/event"
)

// Event is what GitHub would say of an occasion: the facts that on:, the github context and the variables of the
// runner are made from (GitHub documentation, "Events that trigger workflows" and "Contexts reference").
type Event struct {
	Name   string // push, pull_request_target, …
	Action string // the activity type, "" where the event has none
	// Ref is the whole ref (refs/heads/main, refs/tags/v1, refs/pull/7/merge), RefName without its first two parts.
	Ref, RefName string
	RefType      string // branch, tag
	SHA          string
	BaseRef      string // of pull requests: where it goes
	HeadRef      string // and where it comes from
	Payload      expr.Value
	Raw          []byte // the payload as JSON
	Given        bool   // the payload was given (--event-path), not made up

	o    event.Occasion
	made made
}

// zero is the name of no commit.
const zero = "0000000000000000000000000000000000000000"

// about says which ref an event is for.
type about uint8

const (
	aboutDefault about = iota // the default branch
	aboutPushed               // the branch or tag that was pushed, created or chosen
	aboutPull                 // the merge ref of a pull request
	aboutTarget               // a pull request, in the default branch
	aboutRelease              // the tag of a release
	aboutQueue                // a merge group
)

// abouts are the events that are not for the default branch, after the table of each in "Events that trigger workflows".
var abouts = map[string]about{
	"create": aboutPushed, "deployment": aboutPushed, "deployment_status": aboutPushed, "push": aboutPushed,
	"registry_package": aboutPushed, "workflow_call": aboutPushed, "workflow_dispatch": aboutPushed,
	"pull_request": aboutPull, "pull_request_review": aboutPull, "pull_request_review_comment": aboutPull,
	"pull_request_target": aboutTarget, "release": aboutRelease, "merge_group": aboutQueue,
}

// usual are the activities of payloads that are made up, where that is not the first which the event has.
var usual = map[string]string{
	"check_run": "completed", "pull_request": "opened", "pull_request_target": "opened", "issues": "opened",
	"pull_request_review": "submitted", "release": "published", "workflow_run": "completed",
}

// names are the triggers in our own words (flow/event) as GitHub's events.
var names = map[event.Name]string{
	event.Push: "push", event.Tag: "push", event.MergeRequest: "pull_request", event.Schedule: "schedule",
	event.Web: "workflow_dispatch", event.API: "workflow_dispatch", event.Trigger: "repository_dispatch",
	event.Pipeline: "workflow_run", event.Parent: "workflow_call", event.Chat: "issue_comment",
	event.External: "repository_dispatch",
}

// EventName is the event of an occasion, as GitHub calls it: the name that was asked for where it is one of GitHub's,
// else what stands for our own or GitLab's word.
func EventName(o event.Occasion) string {
	for _, name := range []string{o.Given, string(o.Name)} {
		if workflow.EventNamed(name) != nil {
			return name
		}
	}
	if name, ok := names[o.Name]; ok {
		return name
	}
	return "push"
}

// EventNames are all events that can trigger a workflow, sorted.
func EventNames() []string {
	out := make([]string, len(workflow.Events))
	for i := range workflow.Events {
		out[i] = workflow.Events[i].Name
	}
	return out
}

// Describe puts together what GitHub would say of the occasion. inputs are those of workflow_dispatch, for the payload.
// The error says why a payload that was given cannot be read.
func Describe(o event.Occasion, inputs map[string]string) (*Event, error) {
	return describe(o, EventName(o), made{}, inputs)
}

// made says what a payload that is made up is made for: a workflow that waits for just that.
type made struct {
	action   string // activity
	workflow string // workflow_run: the workflow that ran; workflow_dispatch: the file
	cron     string // schedule
}

// describe is Describe for an event by its name.
func describe(o event.Occasion, name string, m made, inputs map[string]string) (*Event, error) {
	e := &Event{Name: name, Action: m.action, o: o, made: m}
	if len(o.Payload) > 0 {
		v, err := expr.FromJSON(o.Payload)
		if err != nil {
			return nil, err
		}
		e.Payload, e.Raw, e.Given = v, o.Payload, true
	}
	if e.Given || e.Action == "" {
		e.Action = e.activity()
	}
	e.refs()
	if !e.Given {
		e.Raw = e.payload(inputs)
		v, err := expr.FromJSON(e.Raw)
		if err != nil {
			return nil, err
		}
		e.Payload = v
	}
	return e, nil
}

// activity is the type of the event: what the payload says, else the one that happens most.
func (e *Event) activity() string {
	if a := e.Payload.Get("action").Text(); a != "" {
		return a
	}
	if e.Given {
		return ""
	}
	if a, ok := usual[e.Name]; ok {
		return a
	}
	if known := workflow.EventNamed(e.Name); known != nil && len(known.Types) > 0 {
		return known.Types[0]
	}
	return ""
}

// refs says what the event is about, by the table of the documentation's page "Events that trigger workflows". What a
// given payload says wins over what is checked out.
func (e *Event) refs() {
	e.SHA = e.o.Commit.SHA
	if e.SHA == "" {
		e.SHA = zero
	}
	switch abouts[e.Name] {
	case aboutPushed:
		e.pushed()
	case aboutPull:
		e.pull()
	case aboutTarget:
		e.pull()
		e.branch(e.o.Repository.DefaultBranch)
		if m := e.o.Merge; m != nil && m.TargetSHA != "" && m.Target == e.o.Repository.DefaultBranch {
			e.SHA = m.TargetSHA
		}
	case aboutRelease:
		tag := e.Payload.Path("release", "tag_name").Text()
		if tag == "" {
			tag = e.o.Tag
		}
		if tag == "" {
			tag = "v0.0.0"
		}
		e.full("refs/tags/" + tag)
	case aboutQueue:
		e.queue()
	default:
		e.branch(e.o.Repository.DefaultBranch)
	}
}

// pushed is what was pushed or chosen: a branch or a tag.
func (e *Event) pushed() {
	ref := "refs/heads/" + e.o.Branch
	if e.o.Branch == "" {
		ref = "refs/heads/" + e.o.Repository.DefaultBranch
	}
	if e.o.Tag != "" {
		ref = "refs/tags/" + e.o.Tag
	}
	given := e.Payload.Get("ref").Text()
	switch {
	case strings.HasPrefix(given, "refs/"):
		ref = given
	case given != "" && (e.Name == "create" || e.Name == "delete" || strings.HasPrefix(e.Name, "deployment")):
		ref = "refs/heads/" + given
		if e.Payload.Get("ref_type").Text() == "tag" {
			ref = "refs/tags/" + given
		}
	case given != "":
		ref = "refs/heads/" + given
	}
	e.full(ref)
	if after := e.Payload.Get("after").Text(); after != "" && after != zero {
		e.SHA = after
	}
	if sha := e.Payload.Path("deployment", "sha").Text(); sha != "" {
		e.SHA = sha
	}
}

// pull is the merge ref of a pull request with its two sides.
func (e *Event) pull() {
	pr := e.Payload.Get("pull_request")
	e.HeadRef = first(pr.Path("head", "ref").Text(), e.o.Branch)
	e.BaseRef = first(pr.Path("base", "ref").Text(), e.target())
	e.full("refs/pull/" + strconv.Itoa(e.Number()) + "/merge")
	e.SHA = first(pr.Get("merge_commit_sha").Text(), e.SHA)
	if e.Action == "closed" && pr.Get("merged").Truthy() {
		e.full("refs/heads/" + e.BaseRef)
	}
}

// Number is that of the pull request or issue, 1 where nothing names one.
func (e *Event) Number() int {
	for _, v := range []expr.Value{
		e.Payload.Path("pull_request", "number"), e.Payload.Get("number"), e.Payload.Path("issue", "number"),
	} {
		if n := v.Number(); n > 0 {
			return int(n)
		}
	}
	if e.o.Merge != nil && e.o.Merge.Number > 0 {
		return e.o.Merge.Number
	}
	return 1
}

func (e *Event) target() string {
	if e.o.Merge != nil && e.o.Merge.Target != "" {
		return e.o.Merge.Target
	}
	return e.o.Repository.DefaultBranch
}

// queue is the ref of a merge group: a branch of GitHub's own.
func (e *Event) queue() {
	group := e.Payload.Get("merge_group")
	e.BaseRef = strings.TrimPrefix(first(group.Get("base_ref").Text(), e.target()), "refs/heads/")
	made := "refs/heads/gh-readonly-queue/" + e.BaseRef + "/pr-" + strconv.Itoa(e.Number()) + "-" + e.SHA
	e.full(first(group.Get("head_ref").Text(), made))
	e.SHA = first(group.Get("head_sha").Text(), e.SHA)
}

func (e *Event) branch(name string) { e.full("refs/heads/" + name) }

func (e *Event) full(ref string) {
	e.Ref, e.RefType = ref, "branch"
	switch rest, tag := strings.CutPrefix(ref, "refs/tags/"); {
	case tag:
		e.RefName, e.RefType = rest, "tag"
	case strings.HasPrefix(ref, "refs/heads/"):
		e.RefName = strings.TrimPrefix(ref, "refs/heads/")
	default:
		e.RefName = strings.TrimPrefix(ref, "refs/pull/")
	}
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// number makes a stable number of a name, where GitHub would have given one.
func number(name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return 100_000_000 + int64(h.Sum64()%900_000_000)
}
