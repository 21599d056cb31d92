// Package run is the life of a run: which job may go when, what its end means for the others, and what the whole
// comes to, as GitLab documents it. It takes facts and answers with changes. It keeps no clock, starts nothing,
// decides nothing about agents, and assumes no process: a run is rebuilt from its changes anywhere.
package run

import (
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Options say how much of a plan is to run. The zero value runs all of it.
type Options struct {
	ID      string       // of the run; facts about another run are refused. "" takes any
	Choice  *plan.Choice // only these jobs; nil means all. The others are skipped and their edges count as satisfied
	Play    []string     // manual jobs (ID, name or key; also of child pipelines) that are played when their turn comes
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
	Attempt int        `json:"attempt,omitempty"`
	Failure string     `json:"failure,omitempty"`
	Exit    *int       `json:"exit,omitempty"`
	Reason  string     `json:"reason,omitempty"` // for a person
	By      string     `json:"by,omitempty"`
	Until   *time.Time `json:"until,omitempty"`   // when a delayed job starts
	Allowed bool       `json:"allowed,omitempty"` // the failure does not fail the pipeline (a manual job: does not block it)
	Retry   bool       `json:"retry,omitempty"`   // another attempt begins: To is pending, Attempt the new one
	Bind    bool       `json:"bind,omitempty"`    // ask the dialect for what the job becomes, then call Bind
	Cancel  bool       `json:"cancel,omitempty"`  // the running attempt is to be stopped; From and To are the same
	Bound   *Bound     `json:"bound,omitempty"`   // what a late job became; its jobs exist from here on
}

// Bound is what a late job became: a plan of its own, or the reason why there is none.
type Bound struct {
	Plan   *plan.Plan   `json:"plan,omitempty"`
	Err    string       `json:"err,omitempty"`    // it cannot become anything: the job fails with this reason
	Skip   string       `json:"skip,omitempty"`   // it is left out: the job is skipped with this reason
	Choice *plan.Choice `json:"choice,omitempty"` // only these of the plan's jobs
}

// Job is a job's state as seen from outside.
type Job struct {
	ID         string     // in the run: of a child's job parentID/childID
	Plan       *plan.Job  // as compiled
	Scope      *plan.Plan // the plan that it is part of
	Parent     string     // ID of the late job that it came from, "" in the root
	Status     Status
	Attempt    int // from 1; 0 as long as it never became pending
	Failure    string
	Exit       *int
	Reason     string
	Allowed    bool      // a failure of it does not fail the pipeline; a manual job does not block
	Canceling  bool      // running, and told to stop
	Unselected bool      // left out by the choice
	Late       bool      // is, or is to become, other jobs: nothing of its own runs
	Until      time.Time // when a delayed job starts
	Since      time.Time // when it came into its state
	Queued     time.Time // when the present attempt became pending
	Started    time.Time // when the present attempt began
	Finished   time.Time
}

var _ = event.Fact{}
