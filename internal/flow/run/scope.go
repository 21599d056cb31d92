package run

import (
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// node is a job in a run.
type node struct {
	plan   *plan.Job // as it is to run: of a job that was bound to itself what it became
	asked  *plan.Job // as compiled
	id     string
	scope  *scope
	seq    int // place in the run, for order
	stage  int
	named  bool   // chosen by name
	set    string // the matrix that it is noted in as a leg
	before []*node
	after  []*node // jobs that name this one among their needs
	needs  counts  // what became of before

	class     class
	status    Status
	attempt   int
	failure   string
	exit      *int
	reason    string
	allowed   bool
	forced    bool
	canceling bool
	child     *scope // what a late job became
	until     time.Time
	since     time.Time
	queued    time.Time
	started   time.Time
	finished  time.Time
}

// scope is one pipeline of a run: the root, or what a late job became.
type scope struct {
	plan     *plan.Plan
	parent   *node // nil for the root
	nodes    []node
	stages   []stage
	all      counts // of all its jobs
	prior    counts // of the jobs in stages before front
	front    int    // the first stage that has not been passed: all before it are decided, or were once
	bad      *node  // the first job that failed or was canceled, for the reason given to later ones
	canceled bool
	dirty    bool               // a class has changed since it was last looked at
	sets     map[string][]*node // the legs of each matrix, by Strategy.Set
}

// stage is a barrier and what stands behind it.
type stage struct {
	counts   counts
	staged   []*node // those of its jobs that wait for the earlier stages
	released bool    // staged have been decided on
}

// scope adds a plan's jobs to the run, all created.
func (r *Run) scope(p *plan.Plan, parent *node, choice *plan.Choice) *scope {
	sc := &scope{plan: p, parent: parent, nodes: make([]node, len(p.Jobs))}
	prefix := ""
	if parent != nil {
		prefix = parent.id + "/"
		for r.taken(prefix, p) {
			prefix += "/"
		}
	}
	stageOf := plan.StageOf(p)
	sc.stages = make([]stage, len(stageOf))
	byID := make(map[string]*node, len(p.Jobs))
	for i, j := range p.Jobs {
		n := &sc.nodes[i]
		*n = node{
			plan: j, asked: j, id: prefix + j.ID, scope: sc, seq: r.seq, stage: stageOf[j.Stage],
			status: Created, class: created, allowed: j.AllowFailure.Any,
		}
		r.seq++
		if choice != nil {
			n.named = choice.Named[j.ID]
			if !choice.Selected[j.ID] {
				n.class = absent
			}
		}
		if !j.Graph {
			sc.stages[n.stage].staged = append(sc.stages[n.stage].staged, n)
		}
		r.nodes[n.id] = n
		byID[j.ID] = n
		sc.leg(n)
	}
	sc.wire(byID)
	r.scopes = append(r.scopes, sc)
	return sc
}

// taken reports whether an ID of the plan's would mean another job already: "a" may have a child "b" while a job is
// called "a/b".
func (r *Run) taken(prefix string, p *plan.Plan) bool {
	for _, j := range p.Jobs {
		if r.nodes[prefix+j.ID] != nil {
			return true
		}
	}
	return false
}

// wire connects the jobs by their needs and counts everything for the first time.
func (sc *scope) wire(byID map[string]*node) {
	for i := range sc.nodes {
		n := &sc.nodes[i]
		if n.plan.Graph {
			for _, need := range n.plan.Needs {
				if b := byID[need.Job]; b != nil {
					n.before = append(n.before, b)
					b.after = append(b.after, n)
				}
			}
		}
	}
	sc.recount()
}

// recount sums up from the jobs' classes. Only a new and a restored scope need it.
func (sc *scope) recount() {
	sc.all, sc.prior, sc.front = counts{}, counts{}, 0
	for i := range sc.stages {
		sc.stages[i].counts, sc.stages[i].released = counts{}, false
	}
	for i := range sc.nodes {
		n := &sc.nodes[i]
		n.needs = counts{}
		for _, b := range n.before {
			n.needs[b.class]++
		}
		sc.all[n.class]++
		sc.stages[n.stage].counts[n.class]++
	}
}

// status is what the scope's jobs come to. A pipeline that was canceled does not wait for a person.
func (sc *scope) status() Status {
	st := sc.all.set().status()
	if st == Manual && sc.canceled {
		return Canceled
	}
	return st
}

// yields is Run.Yields for one pipeline.
func (sc *scope) yields() (out []string) {
	mode := "conservative"
	if sc.plan.Cancel != nil && sc.plan.Cancel.OnNewCommit != "" {
		mode = sc.plan.Cancel.OnNewCommit
	}
	if mode == "none" {
		return nil
	}
	for i := range sc.nodes {
		n := &sc.nodes[i]
		began := n.status == Running || n.status == Success || n.status == Failed
		if mode == "conservative" && began && n.class != absent && !n.plan.Interruptible {
			return nil
		}
		if (n.status.Active() || n.status == Created || n.status == Delayed) && (mode != "interruptible" || n.plan.Interruptible) {
			out = append(out, n.id)
		}
	}
	return out
}

// late reports whether the job is still to be bound, or became other jobs.
func (n *node) late() bool { return n.plan.Late != nil }

// self reports whether the job is still to be bound to itself.
func (n *node) self() bool { return n.late() && n.plan.Late.Kind == Self }

// waits reports whether a late job ends with what it became.
func (n *node) waits() bool {
	return n.plan.Late.Wait || n.plan.Late.Mirror || n.plan.Late.Kind == Expand
}

// busy reports whether the machinery or the clock still moves the job itself.
func (n *node) busy() bool {
	switch n.status {
	case Pending, Waiting, Delayed:
		return true
	case Running:
		return n.child == nil
	default:
		return false
	}
}

// counted is the class that the job's state stands for. A job that waits for a child pipeline in which only a
// person can go on is as blocked as that.
func (n *node) counted() class {
	switch {
	case n.class == absent:
		return absent
	case n.status == Running && n.child != nil && n.child.status() == Manual:
		return manual
	case n.status == Manual && n.allowed:
		return ignored
	case (n.status == Failed || n.status == Canceled) && n.allowed:
		return warned
	default:
		return classOf[n.status]
	}
}

// record takes a change over into the job's state. It is all that Restore does, too.
func (n *node) record(c Change) {
	if c.Cancel {
		if n.status == Running && !c.Child {
			n.canceling, n.reason = true, c.Reason
		}
		if n.child != nil {
			n.child.canceled = true
		}
		return
	}
	from := n.status
	n.status, n.reason, n.allowed, n.forced = c.To, c.Reason, c.Allowed, c.Forced
	n.since, n.until = c.At, time.Time{}
	switch {
	case c.To == Waiting || from == Waiting && c.To == Pending && !c.Retry:
	case c.To == Pending || c.To == Created:
		n.attempt, n.failure, n.exit, n.canceling = c.Attempt, "", nil, false
		n.queued, n.started, n.finished = c.At, time.Time{}, time.Time{}
		if c.To == Created {
			n.queued = time.Time{}
		}
	case c.To == Delayed:
		n.until = *c.Until
	case c.To == Running:
		n.failure, n.exit, n.finished = "", nil, time.Time{}
		if n.started.IsZero() {
			n.started = c.At
		}
	case c.To.Over():
		n.failure, n.exit, n.canceling, n.finished = c.Failure, c.Exit, false, c.At
	}
}

func (n *node) view() Job {
	j := Job{
		ID: n.id, Plan: n.plan, Scope: n.scope.plan, Status: n.status, Attempt: n.attempt, Failure: n.failure, Exit: n.exit,
		Reason: n.reason, Allowed: n.allowed, Canceling: n.canceling, Unselected: n.class == absent, Late: n.late() && !n.self(),
		Until: n.until, Since: n.since, Queued: n.queued, Started: n.started, Finished: n.finished,
	}
	if n.scope.parent != nil {
		j.Parent = n.scope.parent.id
	}
	return j
}
