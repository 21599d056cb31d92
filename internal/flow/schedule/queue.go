// Package schedule brings ready jobs to fitting agents: by tags, free slots, resource groups and fairness, and it can
// always say why a job waits. It keeps the queue as data; it knows no clock, starts no job, and does not decide when a
// job is ready, which is flow/run's.
//
// Every event costs the logarithm of the queue's length, plus the number of kinds of agents (sets of agents that take
// the same tags), never the number of jobs or agents.
package schedule

import (
	"slices"
	"strings"
	"time"
)

// Job is a job that is ready, or will be (Expect).
type Job struct {
	ID    string   // unique in the queue
	Run   string   // the run it is part of
	Share string   // whom its running jobs are counted against, so that none takes all; "" means Run
	Tags  []string // an agent must have all of them

	// Group is the resource group: at most one of its jobs is let through at a time, from the moment that it may be
	// assigned until it is done. Groups of different projects are different. Mode is the group's process mode (GitLab
	// documentation, Resource group): unordered, oldest_first, newest_first or newest_ready_first; "" leaves it as it is.
	// In the mode single (GitHub's concurrency) only the newest of those that wait stays, and one with Cancel also has
	// the job stopped that was let through; see Superseded.
	Group, Mode string
	Cancel      bool
	Project     string
	Order       int64 // of its run among the runs of the project: the older, the lower

	// Set names jobs of one run of which at most Parallel are let through at a time (GitHub's max-parallel); 0 is no limit.
	Set      string
	Parallel int

	NoAgent bool      // needs no agent, only its group: a job that becomes other jobs
	Queued  time.Time // when it became ready
}

// Assignment says that a job starts now, on an agent.
type Assignment struct {
	Job    string
	Agent  string // "" where the job needs none
	Waited time.Duration
}

// Blocked is a job that waits for its resource group.
type Blocked struct {
	Job    string
	Reason Reason
}

// Queue holds what is ready, what runs, and who could run it. The zero value is not ready; use New. Its methods are
// for one caller at a time.
type Queue struct {
	seq     int
	items   map[string]*item
	parties map[string]*party
	groups  map[groupKey]*group
	sets    map[setKey]*set
	passed  []Superseded // not yet told
	free    []*item      // let through, and in need of no agent
	untold  []*item      // waiting for a group, and not yet told by Assign
	fleet
}

// state is where a job stands in the queue.
type state int

const (
	expected state = iota // not ready yet
	paced                 // ready, but enough of its set run
	held                  // ready, but its group is taken
	dropped               // ready, but a newer one waits for its group in its place
	ready                 // may be assigned
	assigned              // runs
	gone
)

// item is a job in the queue. at is its place in the heap that it is in.
type item struct {
	Job
	seq   int
	state state
	at    int
	line  *line
	party *party
	group *group
	set   *set // nil where it has no limit
	yield bool // it was let through, and has been told to stop for a newer one
	agent *agent
}

// party is one that jobs run for.
type party struct {
	name    string
	items   int // jobs in the queue
	running int
	lines   map[*bucket]*line
}

// New makes an empty queue without agents.
func New() *Queue {
	return &Queue{
		items: map[string]*item{}, parties: map[string]*party{}, groups: map[groupKey]*group{}, sets: map[setKey]*set{},
		fleet: fleet{agents: map[string]*agent{}, left: map[string]*agent{}, byTags: map[string]*bucket{}},
	}
}

// Push adds a job that is ready, or makes an expected one ready. A job that is in the queue already stays as it is.
func (q *Queue) Push(j Job) {
	old := q.items[j.ID]
	if old != nil && old.state != expected {
		return
	}
	delete(q.items, j.ID)
	it := q.add(j)
	enters := it.set.enter(it)
	if enters && it.group != nil {
		it.group.enter(it)
	}
	if old != nil {
		q.leave(old) // only now, or the job would lose its turn in the group
		q.items[j.ID] = it
	}
	if enters {
		q.pass(it)
	}
	if it.state == paced || it.state == held {
		q.untold = append(q.untold, it)
	}
}

// pass lets a job on that its set lets through: to its group, or to the agents.
func (q *Queue) pass(it *item) {
	if it.group == nil {
		q.admit(it)
		return
	}
	q.supersede(it)
	q.grant(it.group)
}

// Expect tells of a job that is not ready yet. It matters to resource groups that go by the age of runs, where a job
// does not start while one that goes first is still to come.
func (q *Queue) Expect(j Job) {
	if j.Group == "" || q.items[j.ID] != nil {
		return
	}
	j.Set = "" // it is a matter of jobs that are ready
	it := q.add(j)
	it.group.mode(j.Mode)
	it.group.upcoming.push(it)
}

// Done ends a job that was assigned: its slot and its group are free again.
func (q *Queue) Done(id string, _ time.Time) { q.Remove(id) }

// Remove takes a job out wherever it stands. An unknown one is passed over.
func (q *Queue) Remove(id string) {
	if it := q.items[id]; it != nil {
		q.leave(it)
	}
}

// Assign starts what can start now, the parties with the fewest running jobs first and then the oldest (GitLab, fair
// scheduling of shared runners). It also tells of jobs that came to wait for their resource group, or for a job of their
// set to end, since the last call.
func (q *Queue) Assign(now time.Time) ([]Assignment, []Blocked) {
	var out []Assignment
	give := func(it *item, agent string) {
		it.state = assigned
		out = append(out, Assignment{Job: it.ID, Agent: agent, Waited: max(0, now.Sub(it.Queued))})
	}
	for _, it := range q.free {
		if it.state == ready {
			give(it, "")
		}
	}
	q.free = nil
	for b := q.best(); b != nil; b = q.best() {
		l := b.lines.top()
		it, a := l.items.top(), b.agent()
		q.unline(it)
		a.take(1)
		it.agent = a
		it.party.ran(1)
		give(it, a.ID)
	}
	var blocked []Blocked
	for _, it := range q.untold {
		if it.state == held || it.state == paced {
			blocked = append(blocked, Blocked{Job: it.ID, Reason: q.Why(it.ID)})
		}
	}
	q.untold = nil
	return out, blocked
}

// Len is how many jobs are ready or wait for a group, and how many run.
func (q *Queue) Len() (waiting, running int) {
	for _, it := range q.items {
		switch it.state {
		case paced, held, dropped, ready:
			waiting++
		case assigned:
			running++
		}
	}
	return waiting, running
}

func (q *Queue) add(j Job) *item {
	if j.Share == "" {
		j.Share = j.Run
	}
	j.Tags = slices.Compact(slices.Sorted(slices.Values(j.Tags)))
	it := &item{Job: j, seq: q.seq}
	q.seq++
	q.items[j.ID] = it
	if it.party = q.parties[j.Share]; it.party == nil {
		it.party = &party{name: j.Share, lines: map[*bucket]*line{}}
		q.parties[j.Share] = it.party
	}
	it.party.items++
	if j.Group != "" {
		key := groupKey{j.Project, j.Group}
		if it.group = q.groups[key]; it.group == nil {
			it.group = newGroup(key)
			q.groups[key] = it.group
		}
		it.group.items++
	}
	if j.Set != "" && j.Parallel > 0 {
		key := setKey{j.Run, j.Set}
		if it.set = q.sets[key]; it.set == nil {
			it.set = newSet(key)
			q.sets[key] = it.set
		}
		it.set.items++
	}
	return it
}

// admit lets a job through to the agents.
func (q *Queue) admit(it *item) {
	it.state = ready
	if it.NoAgent {
		q.free = append(q.free, it)
		return
	}
	q.enline(it)
}

// leave takes a job out and hands on what it held.
func (q *Queue) leave(it *item) {
	delete(q.items, it.ID)
	was := it.state
	it.state = gone
	switch was {
	case expected:
		it.group.upcoming.remove(it)
	case paced:
		it.set.waiting.remove(it)
	case held:
		it.group.waiting.remove(it)
	case ready:
		if !it.NoAgent {
			q.unline(it)
		}
	case assigned:
		if it.agent != nil {
			it.agent.take(-1)
			it.party.ran(-1)
			if it.agent.busy == 0 {
				delete(q.left, it.agent.ID)
			}
		}
	}
	if it.party.items--; it.party.items == 0 {
		delete(q.parties, it.party.name)
	}
	if it.group != nil && it.group.holder == it {
		it.group.holder = nil
	}
	if it.set != nil && was != expected {
		q.leaveSet(it.set, was != paced)
	}
	g := it.group
	if g == nil {
		return
	}
	if g.items--; g.items == 0 {
		delete(q.groups, g.key)
	}
	q.grant(g)
}

// ran counts a party's running jobs, which decides on its place in every line.
func (p *party) ran(by int) {
	p.running += by
	for b, l := range p.lines {
		b.lines.fix(l)
	}
}

// tagsKey is a set of tags as one string. Tags hold no newlines.
func tagsKey(tags []string) string { return strings.Join(tags, "\n") }
