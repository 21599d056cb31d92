package convert

// occasion is a kind of event by which a pipeline may be started, with what is known of it.
type occasion struct {
	event  string // in GitHub's words
	source string // CI_PIPELINE_SOURCE
	branch answer // whether a branch is built
	tag    answer
}

type answer uint8

const (
	_ answer = iota
	always
	never
)

// occasions are the kinds of events that both forges have.
var occasions = []occasion{
	{event: "push", source: "push", branch: always, tag: never},
	{event: "push", source: "push", branch: never, tag: always},
	{event: "pull_request", source: "merge_request_event", branch: never, tag: never},
	{event: "schedule", source: "schedule", branch: always, tag: never},
	{event: "workflow_dispatch", source: "web", branch: always, tag: never},
	{event: "workflow_dispatch", source: "web", branch: never, tag: always},
	{event: "repository_dispatch", source: "trigger", branch: always, tag: never},
}

// The places of some of them.
const (
	pushBranch = iota
	pushTag
	pullRequest
	scheduled
	byHand
	byHandTag
	byTrigger
)

// know answers the tests that are the same for all events of the kind.
func (o occasion) know(t test) (holds, known bool) {
	switch t.fact {
	case event:
		if t.verb == equals {
			return t.text == o.event, true
		}
	case branch:
		return present(o.branch, t)
	case tag:
		return present(o.tag, t)
	case base, head, title:
		if o.event != "pull_request" {
			return false, true
		}
		return true, t.verb == isSet
	}
	if len(t.fact) > 6 && t.fact[:6] == "input:" && o.event != "workflow_dispatch" {
		return false, true
	}
	return false, false
}

func present(is answer, t test) (holds, known bool) {
	switch {
	case is == never:
		return false, true
	case is == always && t.verb == isSet:
		return true, true
	}
	return false, false
}

// mentions reports whether the condition asks for the event by its name.
func (c cond) mentions(name string) bool {
	return c.asks(func(t test) bool { return t.fact == event && t.text == name && !t.not })
}

// startedByHand knows what is the same for branches and tags that a person starts the workflow for.
func startedByHand(t test) (holds, known bool) {
	if t.fact == branch || t.fact == tag {
		return false, false
	}
	return occasions[byHand].know(t)
}
