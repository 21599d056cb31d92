package keyword

import (
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// DefaultStage is the stage of a job that names none.
const DefaultStage = "test"

// Kind says what a job consists of.
type Kind string

// The kinds of jobs.
const (
	ScriptJob  Kind = "script"
	TriggerJob Kind = "trigger"
	StepsJob   Kind = "run"
)

// Job is one job of the file with its defaults merged in. Pointers are nil and Set is false where a keyword is neither
// written nor inherited.
type Job struct {
	Name  string
	Kind  Kind
	Place fault.Place // of the job's key

	Stage        Text    // DefaultStage where not written
	Extends      []Text  // already applied, kept for explanations
	Inherit      Inherit // what the job takes of the defaults and of the global variables
	Script       *Script // ScriptJob
	BeforeScript *Script // nil and empty are the same here
	AfterScript  *Script
	Hooks        *Hooks
	Run          []Step   // StepsJob
	Trigger      *Trigger // TriggerJob

	// At most one way of deciding: Rules, or Only and Except. Only is nil where not written (GitLab's default is then
	// branches and tags, unless there are rules or workflow:rules).
	Rules  *Rules
	Only   *Policy
	Except *Policy

	When         Placed[plan.When] // on_success where not written
	StartIn      Span
	Confirm      Text          // manual_confirmation
	AllowFailure *AllowFailure // nil: false, or true for a manual job without rules
	Retry        *Retry
	Timeout      Span // default:timeout has no effect, as in GitLab

	Needs        *Needs // nil: waits for its stages; an empty list starts at once
	Dependencies *Texts // nil: artifacts of all earlier stages (or of needs)
	Parallel     *Parallel

	Image         *Image
	Services      *Services
	Tags          *Texts
	Variables     []Variable // of this job
	Interruptible Flag
	ResourceGroup Text
	Environment   *Environment
	Coverage      Text // with the slashes taken off
	Artifacts     *Artifacts
	Cache         *Caches
	Release       *Release
	Pages         *Pages

	Secrets  []Secret
	IDTokens []IDToken
	Identity Text
	Inputs   []JobInput
	Dast     *Dast
	Publish  Text // the deprecated form of pages:publish
}

// Inherit says which defaults and which global variables a job takes (CI/CD YAML syntax reference, inherit).
type Inherit struct {
	Default   Selection
	Variables Selection
}

// Selection is all (the default), none, or only some names.
type Selection struct {
	None  bool
	Only  []Text // with Some
	Some  bool
	Place fault.Place
}

// Has reports whether the selection takes a name.
func (s Selection) Has(name string) bool {
	if s.None {
		return false
	}
	if !s.Some {
		return true
	}
	for _, t := range s.Only {
		if t.Value == name {
			return true
		}
	}
	return false
}

// Script is a list of commands, nested lists flattened. Each line is one command and may span several lines of text.
type Script struct {
	Lines []Text
	Place fault.Place
}

// Hooks are scripts that run at other moments of a job.
type Hooks struct {
	PreGetSources *Script
	Place         fault.Place
}

// Step is one item of run: (CI/CD YAML syntax reference, run). Exactly one of Script, Exec, Step, Action and Steps is
// written.
type Step struct {
	Name    Text
	Script  Text
	Exec    []Text // exec:command
	WorkDir Text   // exec:work_dir
	Step    *StepSource
	Action  Text
	Steps   []Step // run: or the deprecated steps:
	Env     []Variable
	Inputs  []Input
	Outputs []Input
	// Delegate is the inner step whose outputs become those of a sequence.
	Delegate Text
	Place    fault.Place
}

// StepSource is where a step comes from: a short form ("./dir", "registry/step@1") or a place in a git repository, or
// an OCI image.
type StepSource struct {
	Short Text
	Git   StepAt
	OCI   StepAt
	Place fault.Place
}

// StepAt is the long form of a step's source. For an OCI image URL is the registry and Rev the tag.
type StepAt struct {
	URL, Repository, Rev, Dir, File Text
	Set                             bool
}

// Input is one name and a value of any shape (inputs:, step inputs). Value is what package yamlx decodes: string,
// int64, float64, bool, nil, []any or map[string]any.
type Input struct {
	Name  string
	Value any
	Place fault.Place
}

// JobInput is a typed parameter of a job, read with ${{ job.inputs.NAME }} in script, before_script, after_script,
// artifacts, cache, image and services (GitLab documentation, job inputs).
type JobInput struct {
	Name        string
	Type        string // string (default), number, boolean, array
	Default     any    // as in Input
	Description Text
	Options     []any
	Regex       Text
	Place       fault.Place
}

// AllowFailure says which failures do not fail the pipeline.
type AllowFailure struct {
	Any       bool
	ExitCodes []int
	Place     fault.Place
}

// Retry says when a failed job is tried again. An empty When and no ExitCodes mean any failure.
type Retry struct {
	Max       int // 0 to 2
	When      []Text
	ExitCodes []int
	Place     fault.Place
}

// Needs is the list of what a job waits for.
type Needs struct {
	Items []Need
	Place fault.Place
}

// Local is the needs on jobs of the same pipeline.
func (n *Needs) Local() []Need {
	if n == nil {
		return nil
	}
	var out []Need
	for _, item := range n.Items {
		if item.Kind == NeedJob {
			out = append(out, item)
		}
	}
	return out
}

// NeedKind says where the needed job is.
type NeedKind string

// The kinds of needs.
const (
	NeedJob      NeedKind = "job"      // in this pipeline
	NeedProject  NeedKind = "project"  // artifacts of another project's latest pipeline
	NeedPipeline NeedKind = "pipeline" // artifacts of a job in the parent pipeline, or the status of an upstream one
)

// Need is one item of needs:.
type Need struct {
	Kind      NeedKind
	Job       Text
	Artifacts bool // true where not written
	Optional  bool
	Matrix    []Row // needs:parallel:matrix: the legs that are meant; nil: all
	Pipeline  Text
	Project   Text
	Ref       Text
	Place     fault.Place
}

// Parallel splits a job: into Number equal ones, or into the legs of Matrix.
type Parallel struct {
	Number int   // 1 to 200, 0 with a matrix
	Matrix []Row // nil with a number
	Place  fault.Place
}

// Row is one entry of a matrix: the product of its axes.
type Row struct {
	Axes  []Axis // in the order written
	Place fault.Place
}

// Legs is how many jobs the row makes; every number above MaxLegs is MaxLegs+1.
func (r Row) Legs() int {
	n := 1
	for _, a := range r.Axes {
		n *= min(len(a.Values), MaxLegs+1)
		n = min(n, MaxLegs+1)
	}
	return n
}

// Axis is a variable and the values that it takes.
type Axis struct {
	Name   string
	Values []Text
	Place  fault.Place
}
