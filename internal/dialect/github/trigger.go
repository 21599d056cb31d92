package github

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/filter"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// triggering says whether an event triggers a workflow, and why.
type triggering struct {
	in    bool
	why   plan.Decision
	event *Event // with the payload that the workflow sees
	by    *workflow.Trigger
	// instead is set where the event asked for is not one of the workflow's and another was taken (Input.AnyEvent).
	instead bool
}

// preferred are the events by which a workflow is run that the user named without an event.
var preferred = []string{"workflow_dispatch", "push", "pull_request", "schedule", "pull_request_target", "repository_dispatch", "workflow_call"}

// triggered decides whether the event triggers a workflow.
func (c *compiler) triggered(ctx context.Context, f *workflow.File) triggering {
	name := EventName(c.in.Occasion)
	if c.in.AnyEvent && len(c.in.Given.Inputs) > 0 && triggerOf(f, "workflow_dispatch") != nil {
		name = "workflow_dispatch" // whoever gives inputs means that event
	}
	by := triggerOf(f, name)
	if by != nil {
		t := c.filtered(ctx, f, by)
		if t.in || !c.in.AnyEvent || name == "workflow_dispatch" {
			return t
		}
		if by = triggerOf(f, "workflow_dispatch"); by == nil {
			return t
		}
	}
	if by == nil && c.in.AnyEvent {
		by = instead(f)
	}
	if by == nil {
		return triggering{why: plan.Decision{
			Rule: "on", Place: f.Node.At(), When: plan.Never,
			Text:   fmt.Sprintf("the event %s is not among %s", name, strings.Join(eventsOf(f), ", ")),
			Values: []plan.Value{{Name: "github.event_name", Value: name, Defined: true}},
		}}
	}
	t := c.filtered(ctx, f, by)
	t.instead = true
	return t
}

// instead is the event of a workflow by which it is run where the one asked for does not trigger it.
func instead(f *workflow.File) *workflow.Trigger {
	for _, name := range preferred {
		if by := triggerOf(f, name); by != nil {
			return by
		}
	}
	if len(f.On) > 0 {
		return &f.On[0]
	}
	return nil
}

func triggerOf(f *workflow.File, event string) *workflow.Trigger {
	for i := range f.On {
		if f.On[i].Event == event {
			return &f.On[i]
		}
	}
	return nil
}

func eventsOf(f *workflow.File) []string {
	out := make([]string, len(f.On))
	for i := range f.On {
		out[i] = f.On[i].Event
	}
	return out
}

// filtered asks the filters of one event: activity types, then names, branches or tags, then paths. All must let it
// through (workflow syntax, on.push.<branches|tags|branches-ignore|tags-ignore>).
func (c *compiler) filtered(ctx context.Context, f *workflow.File, by *workflow.Trigger) triggering {
	t := triggering{by: by, why: plan.Decision{Rule: "on." + by.Event, Place: by.Place, When: plan.Always}}
	event, err := c.eventFor(f, by)
	if err != nil {
		c.fail(by.Place, err)
		return t
	}
	t.event = event
	t.why.Values = []plan.Value{{Name: "github.event_name", Value: event.Name, Defined: true}}
	t.in = t.possible() && t.types() && t.named() && c.refs(&t) && c.paths(ctx, &t)
	if !t.in {
		t.why.When = plan.Never
	}
	return t
}

// eventFor is the event as a workflow sees it. Where the payload is made up it is made for what the workflow waits for,
// as far as the user left that open.
func (c *compiler) eventFor(f *workflow.File, by *workflow.Trigger) (*Event, error) {
	m := made{}
	switch by.Event {
	case "workflow_dispatch":
		m.workflow = f.Path
	case "workflow_run":
		if len(by.Workflows) > 0 {
			m.workflow = by.Workflows[0].Value
		}
	case "schedule":
		if len(by.Crons) > 0 {
			m.cron = by.Crons[0].Spec.Value
		}
	case "repository_dispatch":
		if len(by.Types) > 0 {
			m.action = by.Types[0].Value
		}
	}
	if c.in.AnyEvent && len(by.Types) > 0 && !slices.ContainsFunc(by.Types, func(t workflow.Text) bool { return t.Value == usual[by.Event] }) {
		m.action = by.Types[0].Value
	}
	var inputs map[string]string
	if by.Event == "workflow_dispatch" {
		inputs = c.dispatched(by)
	}
	key := fmt.Sprint(by.Event, m, inputs)
	if e, ok := c.events[key]; ok {
		return e, nil
	}
	e, err := describe(c.in.Occasion, by.Event, m, inputs)
	if err != nil {
		return nil, fault.New(CodePayload, "the event's payload cannot be read: %v", err).WithHint("--event-path names a file with one JSON object, as GitHub's webhooks send it")
	}
	c.events[key] = e
	return e, nil
}

// detail notes a clause that was tried.
func (t *triggering) detail(ok bool, clause string, list []workflow.Text, said string, args ...any) bool {
	names := make([]string, len(list))
	for i, l := range list {
		names[i] = l.Value
	}
	line := clause + ": "
	if list != nil {
		line += "[" + strings.Join(names, ", ") + "]: "
	}
	line += fmt.Sprintf(said, args...)
	t.why.Detail = append(t.why.Detail, line)
	if !ok {
		t.why.Rule += "." + clause
		t.why.Text = line
		if len(list) > 0 {
			t.why.Place = list[0].At()
		}
	}
	return ok
}

// possible leaves out events of things that exist on GitHub's servers only.
func (t *triggering) possible() bool {
	known := workflow.EventNamed(t.event.Name)
	if known == nil || known.Stand != workflow.StandsNever {
		return true
	}
	t.why.Text = "the event cannot happen here: " + known.Note
	return false
}

// types asks the activity type.
func (t *triggering) types() bool {
	e := t.event
	if e.Action != "" {
		t.why.Values = append(t.why.Values, plan.Value{Name: "github.event.action", Value: e.Action, Defined: true})
	}
	known := workflow.EventNamed(e.Name)
	switch {
	case t.by.Types == nil:
		if known == nil || e.Action == "" || known.Fires(e.Action, nil) {
			return true
		}
		return t.detail(false, "types", nil, "the activity %s triggers only where types names it; by default it is one of %s", e.Action, strings.Join(known.Defaults, ", "))
	case e.Action == "":
		return t.detail(e.Given || known != nil && known.AnyType, "types", t.by.Types, "the payload names no activity")
	}
	for _, want := range t.by.Types {
		if want.Value == e.Action {
			return t.detail(true, "types", t.by.Types, "the activity is %s", e.Action)
		}
	}
	return t.detail(false, "types", t.by.Types, "the activity is %s", e.Action)
}

// named asks the names of workflows of workflow_run, and the times of schedule.
func (t *triggering) named() bool {
	switch e := t.event; {
	case e.Name == "workflow_run" && t.by.Workflows != nil:
		name := first(e.Payload.Path("workflow_run", "name").Text(), e.Payload.Path("workflow", "name").Text())
		for _, want := range t.by.Workflows {
			if p, _ := filter.Compile(want.Value, filter.Name, nil); p != nil && p.Match(name) || want.Value == name {
				return t.detail(true, "workflows", t.by.Workflows, "the workflow is %s", name)
			}
		}
		return t.detail(false, "workflows", t.by.Workflows, "the workflow is %s", name)
	case e.Name == "schedule" && e.Given && e.Payload.Get("schedule").Kind() == expr.KindString:
		cron := e.Payload.Get("schedule").Text()
		for _, want := range t.by.Crons {
			if want.Spec.Value == cron {
				return true
			}
		}
		return t.detail(false, "schedule", nil, "the payload is about %s", cron)
	}
	return true
}

// refs asks branches and tags. A workflow that filters only one kind of the two does not run for the other.
func (c *compiler) refs(t *triggering) bool {
	name, tag := t.event.RefName, t.event.RefType == "tag"
	switch t.event.Name {
	case "push":
		t.why.Values = append(t.why.Values, plan.Value{Name: "github.ref", Value: t.event.Ref, Defined: true})
		switch branches, tags := t.by.Branches != nil || t.by.BranchesIgnore != nil, t.by.Tags != nil || t.by.TagsIgnore != nil; {
		case tag && branches && !tags:
			return t.detail(false, "branches", slices.Concat(t.by.Branches, t.by.BranchesIgnore), "%s is a tag, and the workflow filters branches only", name)
		case !tag && tags && !branches:
			return t.detail(false, "tags", slices.Concat(t.by.Tags, t.by.TagsIgnore), "%s is a branch, and the workflow filters tags only", name)
		}
	case "pull_request", "pull_request_target", "merge_group":
		name, tag = t.event.BaseRef, false
		t.why.Values = append(t.why.Values, plan.Value{Name: "github.base_ref", Value: name, Defined: true})
	case "workflow_run":
		name, tag = t.event.Payload.Path("workflow_run", "head_branch").Text(), false
		t.why.Values = append(t.why.Values, plan.Value{Name: "github.event.workflow_run.head_branch", Value: name, Defined: true})
	default:
		return true
	}
	if tag {
		return c.ref(t, "tags", t.by.Tags, t.by.TagsIgnore, name)
	}
	return c.ref(t, "branches", t.by.Branches, t.by.BranchesIgnore, name)
}

func (c *compiler) ref(t *triggering, clause string, take, ignore []workflow.Text, name string) bool {
	if take != nil {
		if yes, _ := c.patterns(take, filter.Ref).Match(name); !yes {
			return t.detail(false, clause, take, "%s does not match", name)
		}
		t.detail(true, clause, take, "%s matches", name)
	}
	if ignore != nil {
		if yes, _ := c.patterns(ignore, filter.Ref).Match(name); yes {
			return t.detail(false, clause+"-ignore", ignore, "%s matches", name)
		}
		t.detail(true, clause+"-ignore", ignore, "%s does not match", name)
	}
	return true
}

// paths asks the files that the event changes; pushes of tags have none (workflow syntax,
// on.<push|pull_request|pull_request_target>.<paths|paths-ignore>).
func (c *compiler) paths(ctx context.Context, t *triggering) bool {
	if t.by.Paths == nil && t.by.PathsIgnore == nil || t.event.Name == "push" && t.event.RefType == "tag" || c.in.Project == nil {
		return true
	}
	changed, known, err := c.changes(ctx)
	switch {
	case err != nil:
		return c.fail(t.by.Place, fmt.Errorf("list the files that the event changes: %w", err))
	case !known:
		return t.detail(true, "paths", slices.Concat(t.by.Paths, t.by.PathsIgnore), "what the event changes is not known, so every file counts as changed")
	}
	if t.by.Paths != nil {
		yes, at := c.patterns(t.by.Paths, filter.Path).Any(changed)
		if !yes {
			return t.detail(false, "paths", t.by.Paths, "none of the %d changed files matches", len(changed))
		}
		t.detail(true, "paths", t.by.Paths, "%s matches", changed[at])
	}
	if t.by.PathsIgnore != nil {
		yes, at := c.patterns(t.by.PathsIgnore, filter.Path).All(changed)
		if yes {
			return t.detail(false, "paths-ignore", t.by.PathsIgnore, "all %d changed files match", len(changed))
		}
		t.detail(true, "paths-ignore", t.by.PathsIgnore, "%s does not match", changed[at])
	}
	return true
}

// changes asks once what the event changes.
func (c *compiler) changes(ctx context.Context) ([]string, bool, error) {
	if !c.asked {
		c.changed, c.known, c.problem = c.in.Project.Changed(ctx)
		c.asked = true
	}
	return c.changed, c.known, c.problem
}

// patterns reads a list of filter patterns. One that cannot be read was told when the file was read.
func (c *compiler) patterns(texts []workflow.Text, kind filter.Kind) filter.List {
	var out filter.List
	for _, t := range texts {
		if p, _ := filter.Compile(t.Value, kind, nil); p != nil {
			out = append(out, p)
		}
	}
	return out
}
