package schedule

import (
	"fmt"
	"strings"
)

// Kind says what a job waits for.
type Kind string

// What a job can wait for.
const (
	Nothing  Kind = ""         // it is not in the queue
	Assigned Kind = "assigned" // it runs
	Ready    Kind = "ready"    // the next Assign starts it, or one that goes before it
	Group    Kind = "group"    // another job holds its resource group
	Turn     Kind = "turn"     // its resource group goes by the age of runs, and another run's job goes first
	Passed   Kind = "passed"   // a newer job waits for its concurrency group in its place
	Parallel Kind = "parallel" // as many jobs of its matrix run as may
	Upcoming Kind = "upcoming" // it is not ready yet
	NoAgent  Kind = "no_agent" // no agent takes its tags
	Paused   Kind = "paused"   // the agents that take it have no slots at all
	Busy     Kind = "busy"     // the agents that take it have no slot free
)

// Reason is why a job waits.
type Reason struct {
	Kind  Kind     `json:"kind"`
	Group string   `json:"group,omitempty"`
	Mode  string   `json:"mode,omitempty"`  // of the group, where it is single
	Job   string   `json:"job,omitempty"`   // that holds the group, or goes first
	Most  int      `json:"most,omitempty"`  // jobs of its matrix at a time
	Agent string   `json:"agent,omitempty"` // that it runs on
	Tags  []string `json:"tags,omitempty"`  // that it asks for
	Slots int      `json:"slots,omitempty"` // of the agents that take it
	Fleet int      `json:"fleet,omitempty"` // agents that there are
}

// Why says why a job waits.
func (q *Queue) Why(id string) Reason {
	it := q.items[id]
	if it == nil {
		return Reason{}
	}
	switch it.state {
	case expected:
		return Reason{Kind: Upcoming, Group: it.Group}
	case paced:
		return Reason{Kind: Parallel, Most: it.Parallel}
	case held:
		return it.group.why()
	case dropped:
		return Reason{Kind: Passed, Group: it.Group}
	case assigned:
		r := Reason{Kind: Assigned, Group: it.Group}
		if it.agent != nil {
			r.Agent = it.agent.ID
		}
		return r
	case ready:
		if it.NoAgent {
			return Reason{Kind: Ready}
		}
		return q.whyReady(it)
	default:
		return Reason{}
	}
}

func (g *group) why() Reason {
	if g.holder != nil {
		r := Reason{Kind: Group, Group: g.key.name, Job: g.holder.ID}
		if g.order == Single {
			r.Mode = Single
		}
		return r
	}
	if _, ahead := g.next(); ahead != nil {
		return Reason{Kind: Turn, Group: g.key.name, Job: ahead.ID}
	}
	return Reason{Kind: Group, Group: g.key.name}
}

func (q *Queue) whyReady(it *item) Reason {
	b := it.line.bucket
	slots := b.slots()
	switch {
	case b.open > 0:
		return Reason{Kind: Ready, Tags: it.Tags}
	case !b.staffed():
		return Reason{Kind: NoAgent, Tags: it.Tags, Fleet: len(q.agents)}
	case slots == 0:
		return Reason{Kind: Paused, Tags: it.Tags, Fleet: len(q.agents)}
	default:
		return Reason{Kind: Busy, Tags: it.Tags, Slots: slots, Fleet: len(q.agents)}
	}
}

// String is the reason as a person reads it.
func (r Reason) String() string {
	switch r.Kind {
	case Group:
		kind := "resource"
		if r.Mode == Single {
			kind = "concurrency"
		}
		if r.Job == "" {
			return fmt.Sprintf("waiting for %s group %q", kind, r.Group)
		}
		return fmt.Sprintf("waiting for %s group %q, held by %s", kind, r.Group, r.Job)
	case Turn:
		return fmt.Sprintf("waiting for resource group %q, %s goes first", r.Group, r.Job)
	case Passed:
		return fmt.Sprintf("a newer job waits for concurrency group %q in its place", r.Group)
	case Parallel:
		return fmt.Sprintf("at most %d of its matrix run at a time (max-parallel)", r.Most)
	case Upcoming:
		return "not ready yet"
	case NoAgent:
		switch {
		case r.Fleet == 0:
			return "no agent is there"
		case len(r.Tags) == 0:
			return "no agent takes jobs without tags"
		default:
			return fmt.Sprintf("no agent has tags [%s]", strings.Join(r.Tags, ", "))
		}
	case Paused:
		return "every agent that could take it is paused"
	case Busy:
		return fmt.Sprintf("all %d slots are busy", r.Slots)
	case Assigned:
		if r.Agent == "" {
			return "running"
		}
		return "running on " + r.Agent
	case Ready:
		return "about to start"
	default:
		return "not in the queue"
	}
}
