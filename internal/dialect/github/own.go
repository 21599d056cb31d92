package github

import (
	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Own is what a job of a workflow carries beyond the model of plans (plan.Job.Own): what its program, its binding and
// the linter need. It never changes after the job was made.
type Own struct {
	Frame *Frame        // the workflow that the job is in
	Job   *workflow.Job // as written
	// Matrix and Strategy are the contexts of that name. Matrix is null for a job without a matrix.
	Matrix, Strategy expr.Value
	// Needs is the context needs where the jobs needed are of another plan: those of a leg of a matrix that was only
	// known late. Nil: NeedsContext of the needs of the attempt.
	Needs *expr.Value
	// Permissions are those of the token: levels (read, write, none) by scope; nil are the defaults of a repository.
	Permissions map[string]string

	late   lateness
	leg    leg
	before []*plan.Job // the needs, until the jobs of the plan have IDs
	// decided: the condition was asked for the job that this one is a leg of.
	decided bool
}

// lateness is what is still to be done for a job that is not concrete yet.
type lateness uint8

const (
	concrete   lateness = iota
	lateSelf            // the job itself waits for its needs
	lateMatrix          // so does its matrix: it becomes a job for each leg
	lateCall            // it becomes the jobs of a reusable workflow
)

// OwnOf is what a job of this dialect carries, or nil for a job of another one.
func OwnOf(j *plan.Job) *Own {
	if j == nil {
		return nil
	}
	own, _ := j.Own.(*Own)
	return own
}

// Frame is one workflow in a run: one that the event triggers, or one that a job calls.
type Frame struct {
	File *workflow.File
	// Event is what triggered the run, for called workflows that of the caller.
	Event *Event
	// Title is github.workflow and Path the file of github.workflow_ref: those of the outermost caller.
	Title, Path string
	Inputs      expr.Value // the context inputs: an object
	Vars        expr.Value // the context vars
	// Repository and Ref say where the file is from; both are empty for the run's own repository.
	Repository, Ref string
	Permissions     map[string]string // that the caller lets the workflow have; nil: no limit

	files  Files
	caller *Frame   // nil for a workflow that the event triggers
	chain  []string // the files from the outermost caller to this one, as repository/path@ref
	name   string   // before the names of its jobs: "caller / "
	secret secrets
	github expr.Value // the context, without what a job and a step add
	held   []string   // concurrency groups that the workflow and those that call it hold
}

// Called reports whether a job of another workflow called this one.
func (f *Frame) Called() bool { return f.caller != nil }

// Late is the payload of a job that is bound when its needs are done (plan.Late.Payload), for people and records: the
// dialect itself goes by the job's Own.
type Late struct {
	Why  string `json:"why"`            // what has to be known first: "if", "matrix", "name", …
	Uses string `json:"uses,omitempty"` // the reusable workflow that is called
}
