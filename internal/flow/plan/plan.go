// Package plan is the one model that every dialect becomes: a graph of concrete jobs with what they need, what they
// require and what they do. It is data; it reads no files, keeps no clock and starts nothing.
package plan

import (
	"encoding/json"
	"iter"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Plan is a compiled pipeline: which jobs there are for this event, in the order of the file.
type Plan struct {
	Dialect   string      `json:"dialect"`             // "gitlab", later "github", "jenkins"
	Name      string      `json:"name,omitempty"`      // workflow:name, expanded
	File      string      `json:"file"`                // the root file, relative to the repository
	Stages    []string    `json:"stages"`              // in order; only those with jobs
	Variables []Variable  `json:"variables,omitempty"` // shared by all jobs: predefined and pipeline level, not expanded
	Jobs      []*Job      `json:"jobs"`
	Excluded  []Excluded  `json:"excluded,omitempty"` // jobs of the file that the event leaves out
	Sources   []Source    `json:"sources,omitempty"`  // files that were included
	Cancel    *AutoCancel `json:"auto_cancel,omitempty"`
	Why       *Decision   `json:"why,omitempty"`       // the workflow rule that let the pipeline be created
	Workflows []Workflow  `json:"workflows,omitempty"` // GitHub: the workflows that the event triggers
	// Whole says that the plan is that of the file and of no event: every job is in it, with its Rules, and texts are as
	// written. Such a plan is for translating the file; it is not to be run.
	Whole  bool    `json:"whole,omitempty"`
	Rules  []Rule  `json:"rules,omitempty"`  // of a whole file: GitLab's workflow:rules
	Inputs []Input `json:"inputs,omitempty"` // of a whole file: GitLab's variables that are prefilled
}

// Workflow is one of the files that make up a plan, where a dialect has several that know nothing of each other.
type Workflow struct {
	Name  string      `json:"name"`            // as the forge shows it
	File  string      `json:"file"`            // relative to the repository
	Title string      `json:"title,omitempty"` // run-name, evaluated
	Group *Group      `json:"group,omitempty"` // held by the workflow from its first job to its last
	Place fault.Place `json:"place"`
	Why   Decision    `json:"why,omitzero"` // what of its triggers let it run
	// Triggers are the events that start it, where the plan is that of a whole file.
	Triggers []Trigger `json:"triggers,omitempty"`
}

// Source is a file that the plan was read from.
type Source struct {
	Kind   string      `json:"kind"` // root, local, project, remote, template, component
	Name   string      `json:"name"`
	Digest string      `json:"digest,omitempty"` // sha256 of its text, hexadecimal
	Place  fault.Place `json:"place"`            // of the include
}

// AutoCancel is what a newer pipeline or a failed job cancels.
type AutoCancel struct {
	OnNewCommit  string `json:"on_new_commit,omitempty"`  // conservative, interruptible, none
	OnJobFailure string `json:"on_job_failure,omitempty"` // all, none
}

// Excluded is a job that is in the file and not in the plan.
type Excluded struct {
	Name  string      `json:"name"`
	Place fault.Place `json:"place"`
	Why   Decision    `json:"why"`
}

// Decision says why a job (or the pipeline) is in or out, for `sluice explain`.
type Decision struct {
	Rule   string      `json:"rule"`             // "rules[1]", "only", "no rules", "no rule matched"
	Text   string      `json:"text,omitempty"`   // the clause as written
	Place  fault.Place `json:"place"`            // of the deciding clause
	When   When        `json:"when,omitempty"`   // what it decided
	Values []Value     `json:"values,omitempty"` // the variables that the clauses read, with what they saw
	Detail []string    `json:"detail,omitempty"` // each clause tried: what it said, in order
}

// Value is one variable as a decision saw it. A variable that is not defined has Defined false.
type Value struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Defined bool   `json:"defined"`
}

// When says in which state of what came before a job runs.
type When string

// The conditions, as GitLab names them (CI/CD YAML syntax reference, when).
const (
	OnSuccess When = "on_success"
	OnFailure When = "on_failure"
	Always    When = "always"
	Manual    When = "manual"
	Delayed   When = "delayed"
	Never     When = "never"
)

// Job is one concrete job: matrices are unrolled, rules decided, defaults applied.
type Job struct {
	ID     string     `json:"id"`               // unique in the plan; equal to Name unless two share one
	Name   string     `json:"name"`             // as the forge shows it: `test 1/2`, `test: [a, b]`
	Key    string     `json:"key"`              // the job's key in the file
	Matrix []Variable `json:"matrix,omitempty"` // the leg's values, in the order written
	// Values is the leg's matrix as a JSON object, where the dialect's values are more than text.
	Values json.RawMessage `json:"values,omitempty"`
	Index  int             `json:"index,omitempty"` // 1-based leg of parallel/matrix, 0 where there is none
	Total  int             `json:"total,omitempty"`
	Place  fault.Place     `json:"place"`
	Why    Decision        `json:"why"`

	Workflow string `json:"workflow,omitempty"` // file of the workflow that the job is in, where the plan has Workflows

	Stage string `json:"stage"`
	// Graph is true where the job waits for its Needs alone (GitLab's needs, GitHub always), false where it waits
	// for every job of the stages before its own.
	Graph bool   `json:"graph"`
	Needs []Need `json:"needs,omitempty"`
	// Inputs are the jobs whose artifacts and dotenv variables are brought in. InputsAll: those of all earlier stages.
	Inputs    []string `json:"inputs,omitempty"`
	InputsAll bool     `json:"inputs_all,omitempty"`
	// Upstream are jobs of the parent pipeline's plan, by ID, whose artifacts are brought in (needs:pipeline:job).
	Upstream []string `json:"upstream,omitempty"`

	When  When          `json:"when"`
	Delay time.Duration `json:"delay,omitempty"` // with When Delayed
	// Regardless, with When Always, says that the job runs also where something that it waits for was canceled (GitHub's
	// always(); a GitLab job does not), and that a first cancel of the run leaves it to be decided on.
	Regardless    bool          `json:"regardless,omitempty"`
	Confirm       string        `json:"confirm,omitempty"` // manual_confirmation
	AllowFailure  Allow         `json:"allow_failure,omitzero"`
	Retry         Retry         `json:"retry,omitzero"`
	Timeout       time.Duration `json:"timeout,omitempty"` // 0: the executor's default
	Interruptible bool          `json:"interruptible,omitempty"`
	Group         *Group        `json:"group,omitempty"`
	Environment   *Environment  `json:"environment,omitempty"`
	Tags          []string      `json:"tags,omitempty"`

	Image     *Container `json:"image,omitempty"`
	Services  []Service  `json:"services,omitempty"`
	Variables []Variable `json:"variables,omitempty"` // of this job, not expanded; over the plan's by level, then order
	Hides     []string   `json:"hides,omitempty"`     // variables of the plan's level Default that this job does not take
	Steps     []Step     `json:"steps,omitempty"`
	Artifacts *Artifacts `json:"artifacts,omitempty"`
	Caches    []Cache    `json:"caches,omitempty"`
	Coverage  string     `json:"coverage,omitempty"` // RE2 source whose last match in the log holds the percentage
	Release   *Release   `json:"release,omitempty"`
	Pages     *Pages     `json:"pages,omitempty"`
	// Outputs are what later jobs may read of this one: expressions of the dialect (GitHub's jobs.<job_id>.outputs).
	Outputs []Variable `json:"outputs,omitempty"`
	// Strategy binds the legs of a matrix together; nil where a leg is a job like any other.
	Strategy *Strategy `json:"strategy,omitempty"`

	// Rules and Computed are filled in the plan of a whole file (Plan.Whole): the clauses as written, and the keys whose
	// values it cannot hold.
	Rules    []Rule    `json:"rules,omitempty"`
	Computed []Written `json:"computed,omitempty"`

	// Own is the dialect's: what its program needs beyond this model. Opaque to everyone else.
	Own any `json:"-"`
	// Late is set where the job is not yet concrete: when it becomes ready the dialect binds it (house.md 3).
	Late *Late `json:"late,omitempty"`
}

// Need is an edge: this job waits for that one.
type Need struct {
	Job       string `json:"job"` // ID in the same plan
	Artifacts bool   `json:"artifacts"`
	Optional  bool   `json:"optional,omitempty"` // in the plan of a whole file: that job may be left out
}

// Allow says which failures do not fail the pipeline.
type Allow struct {
	Any       bool  `json:"any,omitempty"`
	ExitCodes []int `json:"exit_codes,omitempty"`
}

// Retry says when a failed attempt is tried again. An empty When means any failure.
type Retry struct {
	Max       int      `json:"max,omitempty"` // further attempts after the first, 0 to 2
	When      []string `json:"when,omitempty"`
	ExitCodes []int    `json:"exit_codes,omitempty"`
}

// Group is a resource group or concurrency group: at most one of its jobs runs at a time.
type Group struct {
	Name string `json:"name"` // may hold variables until the job is ready
	// Mode is unordered (default), oldest_first, newest_first, newest_ready_first; or single: of those that wait only the
	// newest stays, the others are canceled (GitHub's concurrency).
	Mode   string `json:"mode,omitempty"`
	Cancel bool   `json:"cancel,omitempty"` // whoever comes cancels who runs (cancel-in-progress)
}

// Strategy is what the legs of one matrix have in common (GitHub's jobs.<job_id>.strategy).
type Strategy struct {
	Set      string `json:"set"`                 // names the matrix: equal for all its legs, unique in the plan
	FailFast bool   `json:"fail_fast,omitempty"` // a leg that fails, and may not, cancels the others
	Parallel int    `json:"parallel,omitempty"`  // at most so many legs at a time; 0: as many as there are slots
}

// Environment is where a job deploys to. Name and URL may hold variables.
type Environment struct {
	Name       string        `json:"name"`
	URL        string        `json:"url,omitempty"`
	Action     string        `json:"action,omitempty"` // start, prepare, stop, verify, access
	OnStop     string        `json:"on_stop,omitempty"`
	AutoStopIn time.Duration `json:"auto_stop_in,omitempty"`
	Tier       string        `json:"tier,omitempty"`
	Kubernetes bool          `json:"kubernetes,omitempty"`
	Place      fault.Place   `json:"place"`
}

// Late is a job that is bound when its needs are done. Payload is the dialect's own and opaque to everyone else.
type Late struct {
	// Kind is "child": it becomes jobs of a pipeline of their own; "expand": jobs in this one's place; "self": this very
	// job, made concrete.
	Kind    string `json:"kind"`
	Plan    *Plan  `json:"plan,omitempty"` // of "child" and "expand": a preview, where it is known before
	Wait    bool   `json:"wait,omitempty"` // the job ends with what it was bound to (strategy: depend), not at once
	Mirror  bool   `json:"mirror,omitempty"`
	Payload any    `json:"payload,omitempty"`
	// Like is of "self" with an unclear condition: the nearest of the plain states, for people and translations. "" where
	// there is none.
	Like When `json:"like,omitempty"`
}

// Job finds a job by its ID, or nil.
func (p *Plan) Job(id string) *Job {
	for _, j := range p.Jobs {
		if j.ID == id {
			return j
		}
	}
	return nil
}

// Shown gives the jobs as a forge shows them: in the place of a late job those that it becomes, where they are known.
func (p *Plan) Shown() iter.Seq[*Job] {
	return func(yield func(*Job) bool) { p.show(yield) }
}

func (p *Plan) show(yield func(*Job) bool) bool {
	for _, j := range p.Jobs {
		if j.Late != nil && j.Late.Kind == "expand" && j.Late.Plan != nil && len(j.Late.Plan.Jobs) > 0 {
			if !j.Late.Plan.show(yield) {
				return false
			}
			continue
		}
		if !yield(j) {
			return false
		}
	}
	return true
}
