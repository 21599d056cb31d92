package github

import (
	"context"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Files reads a tree: the work tree, or another repository at a ref. Paths are relative to its top, with slashes.
type Files interface {
	// Read is a file's text; the error is fs.ErrNotExist where there is none.
	Read(ctx context.Context, path string) ([]byte, error)
	// Paths lists every file.
	Paths(ctx context.Context) ([]string, error)
}

// Source finds other repositories: those of reusable workflows.
type Source interface {
	// Repository is the tree of owner/repo at a ref. The error says why it cannot be had, for a person.
	Repository(ctx context.Context, repository, ref string) (Files, error)
}

// Project is what the compiler asks of the work tree beyond the text of files.
type Project interface {
	// Changed lists the files that the event changes. known is false where there is nothing to compare with: then
	// every paths filter lets the event through, as on GitHub.
	Changed(ctx context.Context) (paths []string, known bool, err error)
}

// Given are the values from outside the files: what GitHub keeps in the settings of a repository.
type Given struct {
	Secrets []plan.Variable   // --secret
	Vars    []plan.Variable   // --var
	Env     []plan.Variable   // --env
	Inputs  map[string]string // --input, for workflow_dispatch and workflow_call
}

// Machine is where jobs run that want no image.
type Machine struct {
	OS, Arch string // as RUNNER_OS and RUNNER_ARCH say it: Linux, macOS, Windows; X64, ARM64, X86, ARM
	Name     string // RUNNER_NAME
}

// Input is what there is to compile from.
type Input struct {
	Workflows []string // files to read, relative to the work tree; nil: all of .github/workflows
	// AnyEvent says that the user named a file and no event: a workflow that the event does not trigger is run by an
	// event that does.
	AnyEvent bool
	// All asks for the plan of the whole files, which decides nothing by the event: every job with its condition as written
	// (plan.Plan.Whole). It is for translating a workflow, not for running it.
	All   bool
	Files Files
	// Read are workflow files of the repository that were read already, by path; others are read when their turn comes.
	Read     map[string]Reading
	Source   Source
	Project  Project
	Occasion event.Occasion
	Given    Given
	// Platforms says what a label of runs-on means: "shell" or an image, by label in lower case.
	Platforms map[string]string
	Machine   Machine
}

// Reading is a workflow file that was read: what workflow.Read makes of its text.
type Reading struct {
	Text   []byte
	File   *workflow.File
	Faults fault.Faults
}

// BindInput is what there is to make a late job concrete from.
type BindInput struct {
	Input
	Plan   *plan.Plan       // that the job is part of
	Job    *plan.Job        // with Late set
	Needs  []program.Before // the jobs that it names as needs, legs of a matrix each
	Before []program.Before // all jobs that it waits for, directly or not, of its own plan
	// Canceled says that the whole run is being canceled: what cancelled() asks.
	Canceled bool
}

// Bound is what a late job becomes: jobs of its own, itself made concrete, or nothing for a reason.
type Bound struct {
	Plan *plan.Plan
	Job  *plan.Job
	Skip string
}

// Attempt is what is known when a job's attempt starts. Order needs all but Paths, NewProgram all.
type Attempt struct {
	Plan     *plan.Plan
	Job      *plan.Job
	Occasion event.Occasion
	Given    Given
	Machine  Machine
	Run      string // id of the run
	ID       string // of the job in the run
	Number   int    // the job's number, unique in the repository
	Attempt  int    // from 1
	Key      string // of the job's folder
	At       time.Time
	Timeout  time.Duration
	Needs    []program.Before
	// Base is the environment of the user, which steps on this machine see below their own: NAME=value. It is empty for
	// a job in a container.
	Base      []string
	Container bool // the job runs in a container
	Paths     program.Paths
	Tools     string // the tool cache (RUNNER_TOOL_CACHE), as the job sees it
	Real      bool   // --no-native: also the actions that are built in come from where they are kept
	Debug     bool   // ACTIONS_STEP_DEBUG
	Token     string // secrets.GITHUB_TOKEN where none was given: of the form that tools expect, good for nothing
	Version   string // of this program
}

// The entry points. See compile.go, bind.go and program.go:
//
//	func Compile(ctx context.Context, in Input) (*plan.Plan, fault.Faults)
//	func Bind(ctx context.Context, in BindInput) (Bound, fault.Faults)
//	func (in Attempt) Order() (program.Order, error)
//	func NewProgram(in Attempt) program.Program
var _ fault.Faults
