package event

import "time"

// Kind says what befell a run or one of its jobs.
type Kind string

// The kinds of facts. Those that a person or an agent brings about are handed to run.Apply; the others are written
// down from what the run answers, so that a journal of facts alone tells the story.
const (
	Created  Kind = "created"  // the run exists; Job is empty
	Queued   Kind = "queued"   // a job may start as soon as an agent has room; also: it has its resource now
	Waiting  Kind = "waiting"  // a job waits for a resource group; Reason says for which and who holds it
	Started  Kind = "started"  // an attempt of a job began
	Finished Kind = "finished" // an attempt of a job ended; Failure is empty when it went well
	Played   Kind = "played"   // a person started a manual job, or a delayed one before its time
	Timed    Kind = "timed"    // the clock passed At: delayed jobs whose time has come are released
	Canceled Kind = "canceled" // a job, or the whole run where Job is empty, is to stop
	Retried  Kind = "retried"  // a person asks for another attempt of a job that has ended
	Skipped  Kind = "skipped"  // a job that has not begun is left out
	Bound    Kind = "bound"    // a late job became concrete jobs
	Ended    Kind = "ended"    // the run is over; Reason is its status, Job is empty
)

// Fact is one entry of a journal: what happened, when, to which job of which run. It is flat on purpose: every
// reader, also one written years later in another language, can take it apart.
type Fact struct {
	At      time.Time `json:"at"`
	Kind    Kind      `json:"kind"`
	Run     string    `json:"run,omitempty"`
	Job     string    `json:"job,omitempty"`     // ID in the run; "" where the fact is about the run
	Attempt int       `json:"attempt,omitempty"` // from 1; 0 means the attempt that is current
	Failure string    `json:"failure,omitempty"` // why it failed, in the words of program.Failure
	Exit    *int      `json:"exit,omitempty"`    // of the job's script, where it ran to an end
	Reason  string    `json:"reason,omitempty"`  // for a person
	By      string    `json:"by,omitempty"`      // who or what brought it about: a login, an agent, "retry"
}
