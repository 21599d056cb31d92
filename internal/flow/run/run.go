// Package run is the life of a run: which job may go when, what its end means for the others, and what the whole
// comes to, as GitLab documents it. It takes facts and answers with changes. It keeps no clock, starts nothing,
// decides nothing about agents, and assumes no process: a run is rebuilt from its changes anywhere.
//
// Every event costs in proportion to the edges that it touches. A job counts its needs by what became of them; a
// stage is one barrier that counts all earlier jobs; nothing is ever summed up anew.
package run

import (
	"container/heap"
	"slices"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Options say how much of a plan is to run. The zero value runs all of it.
type Options struct {
	ID      string       // of the run; facts about another run are refused. "" takes any
	Choice  *plan.Choice // only these jobs; nil means all. The others are skipped and their edges count as satisfied
	Play    []string     // manual jobs (ID, name or key; also of child pipelines) that are played when their turn comes; a delayed job named here starts at once
	PlayAll bool         // every manual job is played when its turn comes
	Open    bool         // a finished run may be taken up again: jobs played or retried by a person
}

// Change is one step of a job, and all there is to a run's record: Restore rebuilds a run from its changes.
// Job "" is the pipeline itself.
type Change struct {
	At      time.Time  `json:"at"`
	Job     string     `json:"job,omitempty"`
	From    Status     `json:"from"`
	To      Status     `json:"to"`
	Attempt int        `json:"attempt,omitempty"` // the present one; of a Retry the new one
	Failure string     `json:"failure,omitempty"` // why it failed; of a Retry why the attempt before did
	Exit    *int       `json:"exit,omitempty"`
	Reason  string     `json:"reason,omitempty"` // for a person
	By      string     `json:"by,omitempty"`     // who brought it about; "person" where a job was asked to be played beforehand
	Until   *time.Time `json:"until,omitempty"`  // when a delayed job starts
	Allowed bool       `json:"allowed,omitempty"`
	Forced  bool       `json:"forced,omitempty"` // skipped for good, whatever becomes of the others
	Retry   bool       `json:"retry,omitempty"`  // another attempt begins: To is pending, Attempt the new one
	Bind    bool       `json:"bind,omitempty"`   // ask the dialect for what the job becomes, then call Bind; nothing of it is to be started
	Cancel  bool       `json:"cancel,omitempty"` // stop the running attempt and what the job became; From and To are the same
	Child   bool       `json:"child,omitempty"`  // with Cancel: only what the job became stops
	Bound   *Bound     `json:"bound,omitempty"`  // what a late job became; its jobs exist from here on. To is pending where it became itself
}

// Bound is what a late job became: a plan of its own, itself made concrete, or the reason why there is none.
type Bound struct {
	Plan   *plan.Plan   `json:"plan,omitempty"`
	Choice *plan.Choice `json:"choice,omitempty"` // only these of the plan's jobs; nil means all
	Job    *plan.Job    `json:"job,omitempty"`    // of kind "self": the job itself, concrete; its ID stays
	Err    string       `json:"err,omitempty"`    // it cannot become anything: the job fails with this reason
	Skip   string       `json:"skip,omitempty"`   // it is left out: the job is skipped with this reason
}

// Job is a job's state as seen from outside.
type Job struct {
	ID         string     // in the run: of a child's job parentID/childID
	Plan       *plan.Job  // as compiled; of a job of kind "self" what it was bound to, once it was
	Scope      *plan.Plan // the plan that it is part of
	Parent     string     // ID of the late job that it came from, "" in the root
	Status     Status
	Attempt    int       // from 1; 0 as long as it never became pending
	Failure    string    // of the present attempt, where it ended badly
	Exit       *int      // of the present attempt's script, where it ended by itself
	Reason     string    // why it is in its state, for a person
	Allowed    bool      // failing or canceled, it does not fail the pipeline; manual, it does not block
	Canceling  bool      // running, and told to stop
	Unselected bool      // left out by the choice
	Late       bool      // is, or is to become, other jobs: nothing of its own runs. Not so for the kind "self"
	Until      time.Time // when a delayed job starts
	Since      time.Time // when it came into its state; zero as long as nothing happened to it
	Queued     time.Time // when the present attempt became pending
	Started    time.Time // when the present attempt began
	Finished   time.Time // when the present attempt ended, or the job was passed over
}

// Run is one run of a plan. Its methods are for one caller at a time.
type Run struct {
	o      Options
	play   map[string]bool // Options.Play
	root   *scope
	scopes []*scope // the root first, then those of bound jobs
	nodes  map[string]*node
	seq    int // jobs so far, for their order
	busy   int // jobs that the machinery or the clock still moves
	last   Status
	delays delays
	work   int // edges and jobs touched so far; tests hold it against the size of the plan
}

// New starts a run: the changes are the jobs that are ready at once. The plan must pass plan.Connect; a need that is
// not there counts as satisfied, and jobs in a circle stay created.
func New(p *plan.Plan, o Options, at time.Time) (*Run, []Change) {
	r := prepare(p, o)
	s := &step{r: r, at: at}
	s.open(r.root)
	s.drain()
	slices.SortStableFunc(s.out, func(a, b Change) int { return r.nodes[a.Job].seq - r.nodes[b.Job].seq })
	s.sum()
	return r, s.out
}

func prepare(p *plan.Plan, o Options) *Run {
	r := &Run{o: o, nodes: make(map[string]*node, len(p.Jobs)), play: map[string]bool{}, last: Created}
	for _, name := range o.Play {
		r.play[name] = true
	}
	if o.Choice != nil {
		for _, id := range o.Choice.Play {
			r.play[id] = true
		}
	}
	r.root = r.scope(p, nil, o.Choice)
	return r
}

// Status is the state of the whole pipeline.
func (r *Run) Status() Status { return r.root.status() }

// Done reports whether nothing more happens by itself: all jobs ended, or those left wait for a person.
func (r *Run) Done() bool { return r.busy == 0 }

// over reports whether the run is at its end.
func (r *Run) over() bool { return r.busy == 0 && r.Status().Over() }

// Job is a job's state.
func (r *Run) Job(id string) (Job, bool) {
	n := r.nodes[id]
	if n == nil {
		return Job{}, false
	}
	return n.view(), true
}

// Jobs are all jobs in the order of the file, a late job's children after it.
func (r *Run) Jobs() []Job {
	out := make([]Job, 0, len(r.nodes))
	type place struct {
		of *scope
		i  int
	}
	for stack := []place{{r.root, 0}}; len(stack) > 0; {
		top := &stack[len(stack)-1]
		if top.i == len(top.of.nodes) {
			stack = stack[:len(stack)-1]
			continue
		}
		n := &top.of.nodes[top.i]
		top.i++
		out = append(out, n.view())
		if n.child != nil {
			stack = append(stack, place{n.child, 0})
		}
	}
	return out
}

// NextTime is when the earliest delayed job starts; then a Timed fact is due.
func (r *Run) NextTime() (time.Time, bool) {
	for len(r.delays) > 0 {
		if d := r.delays[0]; d.stands() {
			return d.at, true
		}
		heap.Pop(&r.delays)
	}
	return time.Time{}, false
}

// Canceled reports whether the run was canceled as a whole and not taken up again since. Jobs that outlive that may still
// begin.
func (r *Run) Canceled() bool { return r.root.canceled }

// Yields are the jobs that a newer commit's run cancels in this one (GitLab CI/CD YAML syntax reference,
// workflow:auto_cancel:on_new_commit and interruptible): everything that is not over, unless a job that is not
// interruptible has begun ("conservative", the default); only interruptible jobs ("interruptible"); or nothing
// ("none"). A child pipeline goes by its own setting.
func (r *Run) Yields() []string {
	var out []string
	for _, sc := range r.scopes {
		out = append(out, sc.yields()...)
	}
	return out
}

// delay is a job that starts at a time.
type delay struct {
	at time.Time
	n  *node
}

// stands reports whether the job still waits for that time.
func (d delay) stands() bool { return d.n.status == Delayed && d.n.until.Equal(d.at) }

// delays is a heap: earliest first, then in the order of the file.
type delays []delay

func (d delays) Len() int { return len(d) }
func (d delays) Less(i, j int) bool {
	if !d[i].at.Equal(d[j].at) {
		return d[i].at.Before(d[j].at)
	}
	return d[i].n.seq < d[j].n.seq
}
func (d delays) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *delays) Push(x any)   { *d = append(*d, x.(delay)) }
func (d *delays) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}
