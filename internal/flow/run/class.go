package run

// class is what a job counts as when states are summed: its status, but a failure that is allowed and a manual job
// that need not be played are classes of their own (GitLab, lib/gitlab/ci/status/composite: "success with
// warnings" and "ignored").
type class uint8

const (
	absent class = iota // not selected: counts for nothing
	created
	waiting
	delayed
	manual
	pending
	running
	success
	failed
	canceled
	skipped
	warned  // failed or canceled, and allowed to
	ignored // manual, and nobody has to play it
	classes = iota
)

var classOf = map[Status]class{
	Created: created, Waiting: waiting, Delayed: delayed, Manual: manual, Pending: pending, Running: running,
	Success: success, Failed: failed, Canceled: canceled, Skipped: skipped,
}

// counts is how many jobs there are of each class.
type counts [classes]int32

// set is which classes there are at all.
type set uint16

func of(cs ...class) (s set) {
	for _, c := range cs {
		s |= 1 << c
	}
	return s
}

var (
	passed    = of(success, skipped, warned, ignored)
	undecided = of(created, waiting, delayed, manual, pending, running)
	untaken   = of(skipped, ignored)
)

func (c *counts) set() (s set) {
	for i := created; i < classes; i++ {
		if c[i] > 0 {
			s |= 1 << i
		}
	}
	return s
}

func (c *counts) add(other *counts) {
	for i := range c {
		c[i] += other[i]
	}
}

func (c *counts) take(other *counts) {
	for i := range c {
		c[i] -= other[i]
	}
}

func (s set) any(o set) bool  { return s&o != 0 }
func (s set) only(o set) bool { return s != 0 && s&^o == 0 }

// status sums up jobs as GitLab sums up a stage, a pipeline, or all stages before a job's. The order of the cases
// matters. No jobs at all have succeeded.
func (s set) status() Status {
	switch {
	case s == 0:
		return Success
	case s.only(untaken):
		return Skipped
	case s.only(passed):
		return Success
	case s.only(of(created, warned, ignored)):
		return Created
	case s.only(passed | of(canceled)):
		return Canceled
	case s.only(of(pending, created, skipped, warned, ignored)):
		return Pending
	case s.any(of(running, pending)):
		return Running
	case s.any(of(waiting)):
		return Waiting
	case s.any(of(manual)):
		return Manual
	case s.any(of(delayed)):
		return Delayed
	case s.any(of(created)):
		return Running
	default:
		return Failed
	}
}

// needed sums up the jobs that a job names as its needs. A need that did not run, or is manual and need not, makes
// it "skipped"; then only a job with `when: always` runs.
func (s set) needed() Status {
	if s.any(untaken) {
		return Skipped
	}
	return s.status()
}
