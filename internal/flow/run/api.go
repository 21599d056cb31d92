package run

import (
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Run is one run of a plan. Its methods are for one caller at a time.
type Run struct{}

// New starts a run: the changes are the jobs that are ready at once.
func New(p *plan.Plan, o Options, at time.Time) (*Run, []Change) { return &Run{}, nil }

// Restore rebuilds a run from its changes, without deciding anything anew.
func Restore(p *plan.Plan, o Options, changes []Change) (*Run, error) { return &Run{}, nil }

// Apply takes a fact in and answers with what changed. A move that is not allowed is a fault and changes nothing.
func (r *Run) Apply(f event.Fact) ([]Change, error) { return nil, nil }

// Bind says what a late job became. It answers a Change with Bind set.
func (r *Run) Bind(job string, b Bound, at time.Time) ([]Change, error) { return nil, nil }

// Status is the state of the whole pipeline.
func (r *Run) Status() Status { return Created }

// Job is a job's state.
func (r *Run) Job(id string) (Job, bool) { return Job{}, false }

// Jobs are all jobs in the order of the file, a late job's children after it.
func (r *Run) Jobs() []Job { return nil }

// Done reports whether nothing more happens by itself: jobs that are left wait for a person.
func (r *Run) Done() bool { return true }

// NextTime is when the earliest delayed job starts; then a Timed fact is due.
func (r *Run) NextTime() (time.Time, bool) { return time.Time{}, false }

// Yields are the jobs that a newer commit's run cancels in this one, by plan.Cancel.OnNewCommit.
func (r *Run) Yields() []string { return nil }
