// Package terminal shows a run to whoever started it: a live view, plain lines, JSON events for programs, or almost
// nothing. It is told what happens and writes; it decides nothing and reads nothing but the size of its terminal.
package terminal

import (
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/report"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// View is told of a run. Line and Section come from the jobs' goroutines, the others from one; a View locks for itself.
type View interface {
	// Begin opens the view: what is run and what is to be said beforehand.
	Begin(h Head)
	// Changed tells a change of a job, with the job as it is now; a change with Job "" is the pipeline's.
	Changed(c run.Change, j run.Job)
	// Line tells a piece of a job's masked output. The bytes are only valid during the call.
	Line(l Line)
	// Section tells that a section of a job's output begins or ends.
	Section(job run.Job, s logs.Event)
	// Close ends the view with the summary. Nothing is told after it.
	Close(s Summary) error
	// WantsLines is false where Line need not be called: splitting a million lines for nobody costs time.
	WantsLines() bool
}

// Line is a line of a job's output, or a piece of one that is too long to be held whole.
type Line struct {
	Job    string // ID in the run
	Name   string // shown
	Stream program.Stream
	Text   []byte // without line end; control sequences are still in it
	More   bool   // the line goes on in the next piece
}

// Head is what is known before the first job starts.
type Head struct {
	RunID string
	Plan  *plan.Plan
	Ref   string // branch or tag
	SHA   string
	Dirty bool // uncommitted work is included
	Event string
	// Selected is how many of the plan's jobs were chosen; 0 is all of them.
	Selected int
	Remarks  fault.Faults // warnings and notes of the file
	Notes    []string     // of ours, said once: which executor, what is left out
}

// Summary is what stands at the end.
type Summary struct {
	RunID   string
	Status  run.Status
	Took    time.Duration
	Jobs    []Ended // in the plan's order, every job
	Reports report.Summary
	Links   []program.Link
	Notes   []Note
	Manual  []string // jobs that wait for a person
	Exit    int
	LogDir  string
}

// Note is an annotation that a job made.
type Note struct {
	Job string // shown
	program.Note
}

// Ended is one job at the end of the run.
type Ended struct {
	Job     run.Job
	Took    time.Duration
	Step    string   // that failed
	Message string   // why, for a person
	Tail    []string // the last lines of its log, sanitized
	Log     string   // path of the log, "" where nothing ran
	Rerun   string   // the command that runs it again
}
