package schedule

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Agent is one that runs jobs. It takes a job whose tags it all has; jobs without tags it takes where RunUntagged is
// set or it has no tags itself (GitLab documentation, Configuring runners: tags).
type Agent struct {
	ID          string
	Tags        []string
	RunUntagged bool
	AnyTags     bool // takes every job whatever its tags are: this machine
	Slots       int  // jobs at a time; 0 pauses it
}

// fleet is the agents by kind, and the jobs that are ready by who could take them. Jobs that the same kinds take stand
// in one bucket, however their tags differ.
type fleet struct {
	pools   []*pool
	agents  map[string]*agent
	left    map[string]*agent // those that have gone while jobs of theirs run on
	buckets []*bucket
	byTags  map[string]*bucket // by tagsKey
}

// pool is all agents of one kind. Those with free slots are in a heap, the freest first.
type pool struct {
	kind    Agent // Tags, RunUntagged and AnyTags count
	agents  heap[*agent]
	size    int // agents, also those without a slot
	slots   int
	buckets []*bucket
}

type agent struct {
	Agent
	pool *pool // nil where the agent has left; the jobs it had run on
	busy int
	at   int
}

// bucket is the ready jobs that certain pools take, a line for each party.
type bucket struct {
	pools []*pool
	open  int // pools with a free slot
	lines heap[*line]
}

// line is what one party has in one bucket, oldest first.
type line struct {
	party  *party
	bucket *bucket
	items  heap[*item]
	at     int
}

func newBucket(pools []*pool) *bucket {
	b := &bucket{pools: pools}
	b.lines = heap[*line]{
		less: func(a, b *line) bool {
			if a.party.running != b.party.running {
				return a.party.running < b.party.running
			}
			return a.items.top().seq < b.items.top().seq
		},
		place: func(l *line) *int { return &l.at },
	}
	for _, p := range pools {
		p.buckets = append(p.buckets, b)
		if p.agents.len() > 0 {
			b.open++
		}
	}
	return b
}

// SetAgents says which agents there are. What runs on one that is no longer among them runs on, and holds no slot of
// the others.
func (q *Queue) SetAgents(agents []Agent, _ time.Time) {
	old := q.agents
	q.agents = make(map[string]*agent, len(agents))
	for _, a := range agents {
		a.Tags = slices.Compact(slices.Sorted(slices.Values(a.Tags)))
		next := old[a.ID]
		if next == nil {
			next = q.back(a.ID)
		}
		next.Agent = a
		q.agents[a.ID] = next
	}
	for id, a := range old {
		if q.agents[id] == nil {
			q.gone(a)
		}
	}
	q.rebuild()
}

// SetAgent adds an agent or changes it. Where only its slots change, or its kind is known, that is quick.
func (q *Queue) SetAgent(a Agent, now time.Time) {
	old := q.agents[a.ID]
	a.Tags = slices.Compact(slices.Sorted(slices.Values(a.Tags)))
	if old != nil && old.sameKind(a) {
		p := old.pool
		p.change(old, func() { p.slots += a.Slots - old.Slots; old.Slots = a.Slots })
		return
	}
	if old == nil {
		for _, p := range q.pools {
			if (&agent{Agent: p.kind}).sameKind(a) {
				next := q.back(a.ID)
				next.Agent, next.pool = a, p
				q.agents[a.ID] = next
				p.change(next, func() { p.size++; p.slots += a.Slots })
				return
			}
		}
	}
	all := make([]Agent, 0, len(q.agents)+1)
	for _, other := range q.sorted() {
		if other.ID != a.ID {
			all = append(all, other.Agent)
		}
	}
	q.SetAgents(append(all, a), now)
}

// DropAgent takes an agent away.
func (q *Queue) DropAgent(id string) {
	if a := q.agents[id]; a != nil {
		p := a.pool
		p.change(a, func() { p.size--; p.slots -= a.Slots; q.gone(a) })
		delete(q.agents, id)
	}
}

// gone parts with an agent. What it runs is remembered, in case that it comes back.
func (f *fleet) gone(a *agent) {
	a.pool = nil
	if a.busy > 0 {
		f.left[a.ID] = a
	}
}

// back is an agent that comes, or comes back.
func (f *fleet) back(id string) *agent {
	if a := f.left[id]; a != nil {
		delete(f.left, id)
		return a
	}
	return &agent{}
}

func (a *agent) sameKind(b Agent) bool {
	return a.AnyTags == b.AnyTags && a.RunUntagged == b.RunUntagged && slices.Equal(a.Tags, b.Tags)
}

// sorted are the agents by ID, so that nothing depends on the order of a map.
func (f *fleet) sorted() []*agent {
	out := make([]*agent, 0, len(f.agents))
	for _, a := range f.agents {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *agent) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// rebuild sorts all agents and ready jobs anew.
func (q *Queue) rebuild() {
	q.pools, q.buckets, q.byTags = nil, nil, map[string]*bucket{}
	byKind := map[string]*pool{}
	for _, a := range q.sorted() {
		kind := strconv.FormatBool(a.AnyTags) + strconv.FormatBool(a.RunUntagged) + tagsKey(a.Tags)
		p := byKind[kind]
		if p == nil {
			p = &pool{kind: a.Agent, agents: heap[*agent]{less: freer, place: func(a *agent) *int { return &a.at }}}
			byKind[kind] = p
			q.pools = append(q.pools, p)
		}
		a.pool = p
		p.size++
		p.slots += a.Slots
		if a.busy < a.Slots {
			p.agents.push(a)
		}
	}
	for _, p := range q.parties {
		p.lines = map[*bucket]*line{}
	}
	for _, it := range q.items {
		if it.state == ready && !it.NoAgent {
			q.enline(it)
		}
	}
}

// freer puts the agent with more free slots first.
func freer(a, b *agent) bool {
	if x, y := a.Slots-a.busy, b.Slots-b.busy; x != y {
		return x > y
	}
	return a.ID < b.ID
}

// take counts jobs that an agent got, or lost.
func (a *agent) take(n int) {
	if a.pool == nil {
		a.busy += n
		return
	}
	a.pool.change(a, func() { a.busy += n })
}

// change does what changes an agent's slots, and keeps its pool and the buckets that the pool serves true.
func (p *pool) change(a *agent, do func()) {
	was := p.agents.len() > 0
	if p.agents.has(a) {
		p.agents.remove(a)
	}
	do()
	if a.pool == p && a.busy < a.Slots {
		p.agents.push(a)
	}
	if now := p.agents.len() > 0; now != was {
		for _, b := range p.buckets {
			if now {
				b.open++
			} else {
				b.open--
			}
		}
	}
}

// takes reports whether agents of this kind take a job with these tags.
func (p *pool) takes(tags []string) bool {
	if p.kind.AnyTags {
		return true
	}
	if len(tags) == 0 {
		return p.kind.RunUntagged || len(p.kind.Tags) == 0
	}
	for _, t := range tags {
		if _, has := slices.BinarySearch(p.kind.Tags, t); !has {
			return false
		}
	}
	return true
}

// bucket is where jobs with these tags stand.
func (f *fleet) bucket(tags []string) *bucket {
	key := tagsKey(tags)
	if b := f.byTags[key]; b != nil {
		return b
	}
	var fit []*pool
	for _, p := range f.pools {
		if p.takes(tags) {
			fit = append(fit, p)
		}
	}
	for _, b := range f.buckets {
		if slices.Equal(b.pools, fit) {
			f.byTags[key] = b
			return b
		}
	}
	b := newBucket(fit)
	f.buckets = append(f.buckets, b)
	f.byTags[key] = b
	return b
}

// enline puts a job into the line of its party.
func (q *Queue) enline(it *item) {
	b := q.bucket(it.Tags)
	l := it.party.lines[b]
	if l == nil {
		l = &line{party: it.party, bucket: b}
		l.items = heap[*item]{less: func(a, b *item) bool { return a.seq < b.seq }, place: func(i *item) *int { return &i.at }}
		it.party.lines[b] = l
	}
	it.line = l
	l.items.push(it)
	if l.items.len() == 1 {
		b.lines.push(l)
	} else {
		b.lines.fix(l)
	}
}

// unline takes a job out of its line.
func (q *Queue) unline(it *item) {
	l := it.line
	it.line = nil
	if l.items.len() > 1 {
		l.items.remove(it)
		l.bucket.lines.fix(l)
		return
	}
	l.bucket.lines.remove(l)
	l.items.remove(it)
	delete(l.party.lines, l.bucket)
}

// slots is how many jobs of the bucket could run at a time.
func (b *bucket) slots() (n int) {
	for _, p := range b.pools {
		n += p.slots
	}
	return n
}

// staffed reports whether an agent takes the bucket's jobs at all.
func (b *bucket) staffed() bool {
	return slices.ContainsFunc(b.pools, func(p *pool) bool { return p.size > 0 })
}

// best is the bucket whose first job is to start next, or nil where none can.
func (f *fleet) best() *bucket {
	var best *bucket
	for _, b := range f.buckets {
		if b.open > 0 && b.lines.len() > 0 && (best == nil || b.lines.less(b.lines.top(), best.lines.top())) {
			best = b
		}
	}
	return best
}

// agent is the one to take the bucket's next job: of the kind that serves the fewest others, the freest.
func (b *bucket) agent() *agent {
	var best *pool
	for _, p := range b.pools {
		if p.agents.len() > 0 && (best == nil || len(p.buckets) < len(best.buckets)) {
			best = p
		}
	}
	return best.agents.top()
}
