package run

import "slices"

// Status is the state of a job, and of a whole pipeline.
type Status string

// The states. The words are those that `sluice run --format json` prints.
const (
	Created  Status = "created"  // its turn has not come
	Waiting  Status = "waiting"  // ready, but its resource group is taken
	Delayed  Status = "delayed"  // starts at a time that is known
	Manual   Status = "manual"   // waits for a person to play it
	Pending  Status = "pending"  // ready; waits for an agent, or for being bound
	Running  Status = "running"  // an attempt is on
	Success  Status = "success"  // it went well
	Failed   Status = "failed"   // it did not; Job.Allowed says whether that matters
	Canceled Status = "canceled" // it was stopped, or will not start because all was stopped
	Skipped  Status = "skipped"  // what came before it says that it does not run
)

// moves are all the moves that a job can make. Pending to pending is another attempt after one that failed before it
// began. Back from an end leads another attempt (pending), the reset of what a
// job that is taken up again had made skip (created), and a late job whose children go on (running).
var moves = map[Status][]Status{
	Created:  {Pending, Delayed, Manual, Canceled, Skipped},
	Delayed:  {Pending, Failed, Canceled, Skipped},
	Manual:   {Pending, Running, Success, Failed, Canceled, Skipped},
	Pending:  {Pending, Waiting, Running, Success, Failed, Canceled, Skipped},
	Waiting:  {Pending, Running, Failed, Canceled, Skipped},
	Running:  {Pending, Manual, Success, Failed, Canceled, Skipped},
	Success:  {Pending, Running},
	Failed:   {Pending, Running, Created},
	Canceled: {Pending, Running, Created},
	Skipped:  {Created, Running},
}

// May reports whether a job can go from this state to that one.
func (s Status) May(to Status) bool { return slices.Contains(moves[s], to) }

// Over reports whether the state is an end: success, failed, canceled or skipped.
func (s Status) Over() bool {
	switch s {
	case Success, Failed, Canceled, Skipped:
		return true
	default:
		return false
	}
}

// Active reports whether the machinery still has to do something: pending, waiting or running.
func (s Status) Active() bool { return s == Pending || s == Waiting || s == Running }
