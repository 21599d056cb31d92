package run

// Work is how many jobs and edges the run has touched.
func (r *Run) Work() int { return r.work }

// Again is whether a failed attempt is followed by another one.
var Again = again
