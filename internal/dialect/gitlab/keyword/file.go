package keyword

import (
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// File is a whole pipeline configuration. Defaults (default:, the legacy global keywords) are already merged into the
// jobs, as inherit: allows.
type File struct {
	// Stages holds every stage in order, .pre first and .post last; the documented default (build, test, deploy) where
	// the file has none.
	Stages    []Text
	Workflow  Workflow
	Variables []Variable // global, in the order of the file
	Default   *Defaults  // as written; nil where there is none
	Jobs      []*Job     // in the order of the file, without hidden ones
	Place     fault.Place

	index  map[string]*Job
	stages map[string]int
}

// Job finds a job by its name, or nil.
func (f *File) Job(name string) *Job { return f.index[name] }

// Stage is the position of a stage in Stages, or -1.
func (f *File) Stage(name string) int {
	if i, ok := f.stages[name]; ok {
		return i
	}
	return -1
}

// Workflow decides whether there is a pipeline at all (CI/CD YAML syntax reference, workflow).
type Workflow struct {
	Name       Text
	Rules      *Rules // nil: no workflow:rules
	AutoCancel AutoCancel
	Place      fault.Place
}

// AutoCancel is workflow:auto_cancel, or that of one of its rules.
type AutoCancel struct {
	OnNewCommit  Text // conservative, interruptible, none
	OnJobFailure Text // all, none
	Place        fault.Place
}

// Defaults is what default: (and the legacy global image, services, cache, before_script, after_script) gives to jobs.
// Nil and unset fields give nothing.
type Defaults struct {
	BeforeScript  *Script
	AfterScript   *Script
	Hooks         *Hooks
	Image         *Image
	Services      *Services
	Cache         *Caches
	Artifacts     *Artifacts
	Retry         *Retry
	Tags          *Texts
	Timeout       Span
	Interruptible Flag
	IDTokens      []IDToken
	Identity      Text
	Place         fault.Place
}

// Variable is one entry of a variables: mapping.
type Variable struct {
	Name        string
	Value       string
	Raw         bool // expand: false
	Description Text
	Options     []Text
	Prefilled   bool // written in the long form
	Place       fault.Place
}
