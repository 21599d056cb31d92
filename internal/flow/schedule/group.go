package schedule

// The process modes of a resource group.
const (
	Unordered        = "unordered"
	OldestFirst      = "oldest_first"
	NewestFirst      = "newest_first"
	NewestReadyFirst = "newest_ready_first"
	Single           = "single" // GitHub's concurrency
)

type groupKey struct{ project, name string }

// group lets one job through at a time.
type group struct {
	key      groupKey
	order    string // the process mode
	items    int    // jobs in the queue that are its
	holder   *item
	waiting  heap[*item] // ready
	upcoming heap[*item] // not ready yet
}

func newGroup(key groupKey) *group {
	g := &group{key: key, order: Unordered}
	place := func(it *item) *int { return &it.at }
	g.waiting = heap[*item]{less: g.before, place: place}
	g.upcoming = heap[*item]{less: g.before, place: place}
	return g
}

// before puts jobs in the order of the process mode. Within one run there is none, as GitLab has none, to
// avoid jobs that wait for each other: those that came first go first.
func (g *group) before(a, b *item) bool {
	if c := g.compare(a, b); c != 0 {
		return c < 0
	}
	return a.seq < b.seq
}

func (g *group) compare(a, b *item) int {
	older := 0
	switch {
	case a.Order < b.Order:
		older = -1
	case a.Order > b.Order:
		older = 1
	}
	switch g.order {
	case OldestFirst:
		return older
	case NewestFirst, NewestReadyFirst:
		return -older
	default:
		return 0
	}
}

// mode sets the process mode, where one is given.
func (g *group) mode(mode string) {
	if mode == "" || mode == g.order {
		return
	}
	g.order = mode
	g.waiting.rebuild()
	g.upcoming.rebuild()
}

// next is the job to be let through, or the one that all others wait for though it is not ready.
func (g *group) next() (it *item, ahead *item) {
	if g.waiting.len() > 0 {
		it = g.waiting.top()
	}
	if it != nil && g.upcoming.len() > 0 && (g.order == OldestFirst || g.order == NewestFirst) {
		if first := g.upcoming.top(); g.compare(first, it) < 0 {
			return nil, first
		}
	}
	return it, nil
}

// SetMode changes the process mode of a resource group that is in use.
func (q *Queue) SetMode(project, name, mode string) {
	if g := q.groups[groupKey{project, name}]; g != nil {
		g.mode(mode)
		q.grant(g)
	}
}

// enter makes a job wait for its group.
func (g *group) enter(it *item) {
	it.state = held
	g.mode(it.Mode)
	g.waiting.push(it)
}

// Superseded is a job that has to be canceled because a newer one asks for its concurrency group.
type Superseded struct {
	Job, By string
	Group   string
	Held    bool // it had been let through
}

// Superseded tells, once each, of the jobs that newer ones have replaced. They stay in the queue, and hold what they
// hold, until they are removed.
func (q *Queue) Superseded() []Superseded {
	out := q.passed
	q.passed = nil
	return out
}

// supersede replaces the jobs that wait for a group of the mode single by a newer one.
func (q *Queue) supersede(it *item) {
	g := it.group
	if g.order != Single {
		return
	}
	for g.waiting.len() > 1 {
		other := g.waiting.things[0]
		if other == it {
			other = g.waiting.things[1]
		}
		g.waiting.remove(other)
		other.state = dropped
		q.passed = append(q.passed, Superseded{Job: other.ID, By: it.ID, Group: g.key.name})
	}
	if h := g.holder; it.Cancel && h != nil && !h.yield {
		h.yield = true
		q.passed = append(q.passed, Superseded{Job: h.ID, By: it.ID, Group: g.key.name, Held: true})
	}
}

// grant lets the next job of a free group through.
func (q *Queue) grant(g *group) {
	if g.holder != nil {
		return
	}
	if it, _ := g.next(); it != nil {
		g.waiting.remove(it)
		g.holder = it
		q.admit(it)
	}
}
