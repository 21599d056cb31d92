package workflow

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/filter"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

// on reads the events: a name, a list of names, or a mapping of names to what they ask for.
func (r *reader) on(n *yamlx.Node) []Trigger {
	var out []Trigger
	seen := map[string]bool{}
	switch {
	case n.IsNull():
		r.mistake(CodeEmpty, n.Place, "on names no event").WithHint("name the events that trigger the workflow: on: push")
	case n.IsScalar():
		out = r.event(out, n, seen)
	case n.IsSequence():
		if len(n.Items) == 0 {
			r.mistake(CodeEmpty, n.Place, "on names no event")
		}
		for _, item := range n.Items {
			if item.IsScalar() {
				out = r.event(out, item, seen)
				continue
			}
			r.mistake(CodeType, item.Place, "an entry of on is the name of an event, not %s", item.Describe()).
				WithHint("to say more of an event make on a mapping: on: {push: {branches: [main]}}")
		}
	case r.mapping(n, "on"):
		if len(n.Pairs) == 0 {
			r.mistake(CodeEmpty, n.Place, "on names no event")
		}
		for _, p := range n.Pairs {
			if name, ok := r.name(p.Key, "on"); ok {
				out = append(out, r.trigger(name, p.Value))
			}
		}
	}
	return out
}

// event is an event without more.
func (r *reader) event(out []Trigger, n *yamlx.Node, seen map[string]bool) []Trigger {
	name := r.filled(r.plain(n, "the name of an event"), "the name of an event")
	if name.Value == "" {
		return out
	}
	e := r.known(name)
	if seen[name.Value] {
		r.warn(CodeUseless, n.Place, "%s is named twice", name.Value)
		return out
	}
	seen[name.Value] = true
	switch {
	case e == nil:
	case e.Name == "schedule":
		r.mistake(CodeMissing, n.Place, "schedule says no time").WithHint("on: {schedule: [{cron: '30 5 * * 1-5'}]}")
	case e.Name == "workflow_run":
		r.mistake(CodeMissing, n.Place, "workflow_run names no workflows").WithHint("on: {workflow_run: {workflows: [Build]}}")
	}
	return append(out, Trigger{Event: name.Value, Place: n.Place})
}

// known is the event of the name; where there is none that is told.
func (r *reader) known(name Text) *Event {
	e := EventNamed(name.Value)
	switch {
	case e == nil && slices.Contains(Webhooks, name.Value):
		r.mistake(CodeEvent, name.At(), "the webhook %s triggers no workflows", name.Value)
	case e == nil:
		f := r.mistake(CodeEvent, name.At(), "there is no event %q", name.Value)
		if near := nearest(name.Value, eventNames); near != "" {
			f.WithHint("did you mean %s?", near)
		}
	case e.Retired:
		r.warn(CodeUseless, name.At(), "%s never triggers: it is %s", e.Name, e.Note)
	}
	return e
}

// trigger reads what stands below an event.
func (r *reader) trigger(name Text, n *yamlx.Node) Trigger {
	t := Trigger{Event: name.Value, Place: name.At()}
	e := r.known(name)
	switch {
	case e == nil:
		return t
	case e.Name == "schedule":
		t.Crons = r.schedule(n)
		return t
	case n.IsNull():
		if e.Name == "workflow_run" {
			r.mistake(CodeMissing, name.At(), "workflow_run names no workflows").WithHint("workflows: [Build]")
		}
		return t
	case n.IsSequence() && len(n.Items) == 0:
		r.warn(CodeType, n.Place, "%s is a mapping, not a list; GitHub passes over it", e.Name).WithHint("remove []")
		return t
	case !r.mapping(n, e.Name):
		return t
	}
	for _, p := range n.Pairs {
		if p.Key.Value == "<<" {
			r.merge(p.Key)
			continue
		}
		if !slices.Contains(e.Keys, p.Key.Value) {
			r.noFilter(e, p.Key)
			continue
		}
		r.filter(&t, e, p.Key.Value, p.Value)
	}
	r.bothFilters(n)
	if e.Name == "workflow_run" {
		r.need(n, name.At(), "workflow_run", "workflows")
	}
	return t
}

// filters are the keys that some event has.
var filters = []string{"types", "branches", "branches-ignore", "tags", "tags-ignore", "paths", "paths-ignore", "workflows", "inputs", "outputs", "secrets", "names", "versions"}

// noFilter warns of a key that the event does not take. GitHub accepts such files and passes over the key (the schema of
// the runner's own parser lets any key stand below an event, and workflows of many repositories have some).
func (r *reader) noFilter(e *Event, key *yamlx.Node) {
	name := key.Value
	if !slices.Contains(filters, name) {
		f := r.warn(CodeUnknownKey, key.Place, "the event %s has no key %q: GitHub passes over it", e.Name, name)
		if near := nearest(name, e.Keys); near != "" {
			f.WithHint("did you mean %q?", near)
		}
		return
	}
	f := r.warn(CodeFilter, key.Place, "the event %s takes no %s: GitHub passes over it", e.Name, name)
	switch {
	case name == "types":
		f.WithHint("it has no activities")
	case strings.HasPrefix(name, "tags") && len(e.Keys) > 1:
		f.WithHint("tags are known to push only; ask github.ref in an if")
	case len(e.Keys) == 0:
		f.WithHint("it takes no filter at all; ask the github context in an if")
	default:
		f.WithHint("it takes %s", strings.Join(e.Keys, ", "))
	}
}

func (r *reader) filter(t *Trigger, e *Event, name string, n *yamlx.Node) {
	switch name {
	case "types":
		t.Types = r.texts(n, "types")
		r.noneOf(n, "types")
		r.activities(e, t.Types)
	case "branches":
		t.Branches = r.patterns(n, name, filter.Ref)
	case "branches-ignore":
		t.BranchesIgnore = r.patterns(n, name, filter.Ref)
	case "tags":
		t.Tags = r.patterns(n, name, filter.Ref)
	case "tags-ignore":
		t.TagsIgnore = r.patterns(n, name, filter.Ref)
	case "paths":
		t.Paths = r.patterns(n, name, filter.Path)
	case "paths-ignore":
		t.PathsIgnore = r.patterns(n, name, filter.Path)
	case "workflows":
		t.Workflows = r.texts(n, name)
		r.noneOf(n, name)
	case "names":
		t.Names = r.patterns(n, name, filter.Name)
	case "versions":
		t.Versions = r.patterns(n, name, filter.Name)
	case "inputs":
		t.Inputs = r.inputs(n, e.Name)
	case "secrets":
		t.Secrets = r.secretDefinitions(n)
	case "outputs":
		t.Outputs = r.callOutputs(n)
	}
}

// activities warns of types that the event does not have, which GitHub accepts.
func (r *reader) activities(e *Event, types []Text) {
	for i, t := range types {
		switch {
		case slices.ContainsFunc(types[:min(i, 64)], func(o Text) bool { return o.Value == t.Value }):
			r.warn(CodeUseless, t.At(), "the type %s is named twice", t.Value)
		case e.AnyType || slices.Contains(e.Types, t.Value) || t.Value == "":
		default:
			f := r.warn(CodeActivity, t.At(), "%s has no activity type %q: it matches nothing", e.Name, t.Value)
			if near := nearest(t.Value, e.Types); near != "" {
				f.WithHint("did you mean %s?", near)
			} else {
				f.WithHint("known are %s", strings.Join(e.Types, ", "))
			}
		}
	}
}

// patterns reads a list of patterns and tells those that are not well formed or match nothing.
func (r *reader) patterns(n *yamlx.Node, name string, kind filter.Kind) []Text {
	texts := r.texts(n, name)
	positive := kind == filter.Name
	for _, t := range texts {
		if t.Value == "" || strings.Contains(t.Value, open) {
			positive = true // told already
			continue
		}
		p, f := filter.Compile(t.Value, kind, r.at(t.Node))
		if f != nil {
			r.tell(f)
		}
		positive = positive || p == nil || !p.Negated()
	}
	r.noneOf(n, name)
	if len(texts) > 0 && !positive {
		r.warn(CodeUseless, n.Place, "%s has only patterns that begin with !: it matches nothing", name).
			WithHint("begin with what is meant, such as '**', or use %s-ignore", strings.TrimSuffix(name, "-ignore"))
	}
	return texts
}

// noneOf tells of an empty list.
func (r *reader) noneOf(n *yamlx.Node, name string) {
	if n.IsSequence() && len(n.Items) == 0 {
		r.warn(CodeUseless, n.Place, "%s is an empty list", name).WithHint("remove it where all are meant")
	}
}

func (r *reader) bothFilters(n *yamlx.Node) {
	for _, name := range []string{"branches", "tags", "paths"} {
		only, some := n.Find(name)
		if ignore, both := n.Find(name + "-ignore"); both && some {
			later := ignore.Key.Place
			if only.Key.Place.Line > later.Line {
				later = only.Key.Place
			}
			r.mistake(CodeBothFilters, later, "%s and %s-ignore cannot both be used", name, name).
				WithHint("write what is not meant into %s, with ! before it", name)
		}
	}
}

// schedule reads the list of times.
func (r *reader) schedule(n *yamlx.Node) []Cron {
	if !n.IsSequence() {
		f := r.mistake(CodeType, n.Place, "schedule is a list of times, not %s", n.Describe())
		if n.IsMapping() && n.Has("cron") {
			f.WithHint("put - before cron")
		} else {
			f.WithHint("schedule: [{cron: '30 5 * * 1-5'}]")
		}
		return nil
	}
	if len(n.Items) == 0 {
		r.warn(CodeUseless, n.Place, "schedule names no time")
	}
	out := make([]Cron, 0, len(n.Items))
	for _, item := range n.Items {
		var c Cron
		ok := r.fields(item, "an entry of schedule", "on.schedule[*]", func(name string, _, v *yamlx.Node) {
			if name == "cron" {
				c.Spec = r.filled(r.plain(v, name), name)
				r.cron(c.Spec)
				return
			}
			c.Timezone = r.filled(r.plain(v, name), name)
			r.timezone(c.Timezone)
		})
		if ok && r.need(item, item.Place, "an entry of schedule", "cron") {
			out = append(out, c)
		}
	}
	return out
}
