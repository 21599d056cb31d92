package plan

import (
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Level is the precedence of a variable: a higher level wins over a lower one, the later one within a level
// (GitLab documentation, CI/CD variable precedence).
type Level int

// The levels, weakest first.
const (
	Predefined Level = iota
	Deployment
	Default // global variables of the file
	JobLevel
	Dotenv
	Instance
	GroupLevel
	Project
	Pipeline // given for this run: --variable, trigger, schedule, manual
	Policy
)

// Variable is one name and its value.
type Variable struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Level  Level  `json:"level,omitempty"`
	Raw    bool   `json:"raw,omitempty"`    // expand: false
	File   bool   `json:"file,omitempty"`   // the job gets a path to a file with the value
	Masked bool   `json:"masked,omitempty"` // the value never shows in output
}

// Container is an image and how it is started.
type Container struct {
	Name       string      `json:"name"` // may hold variables
	Entrypoint []string    `json:"entrypoint,omitempty"`
	PullPolicy []string    `json:"pull_policy,omitempty"` // always, if-not-present, never; tried in order
	User       string      `json:"user,omitempty"`
	Platform   string      `json:"platform,omitempty"`
	Place      fault.Place `json:"place"`
}

// Service is a container that runs beside the job.
type Service struct {
	Container
	Aliases   []string   `json:"aliases,omitempty"`
	Command   []string   `json:"command,omitempty"`
	Variables []Variable `json:"variables,omitempty"`
}

// Step is one part of a job's work. GitLab's jobs have the main script and the after script.
type Step struct {
	Name  string      `json:"name"`            // "script", "after_script", or the step's name
	After bool        `json:"after,omitempty"` // runs whatever happened before, and decides nothing
	Lines []string    `json:"lines"`           // each is one command of the list as written, may span lines
	Env   []Variable  `json:"env,omitempty"`   // of this step alone, over the job's
	Dir   string      `json:"dir,omitempty"`   // relative to the project folder; "" is the folder itself
	Place fault.Place `json:"place"`
}

// Artifacts are the files that a job leaves behind.
type Artifacts struct {
	Name      string        `json:"name,omitempty"` // may hold variables
	Paths     []string      `json:"paths,omitempty"`
	Exclude   []string      `json:"exclude,omitempty"`
	Untracked bool          `json:"untracked,omitempty"`
	When      When          `json:"when,omitempty"` // on_success (default), on_failure, always
	ExpireIn  time.Duration `json:"expire_in,omitempty"`
	ExposeAs  string        `json:"expose_as,omitempty"`
	Access    string        `json:"access,omitempty"` // all, developer, maintainer, none
	Reports   []Report      `json:"reports,omitempty"`
	Place     fault.Place   `json:"place"`
}

// Report is a file with a meaning. Kind is GitLab's name under artifacts:reports.
type Report struct {
	Kind   string   `json:"kind"`
	Format string   `json:"format,omitempty"` // coverage_report: cobertura, jacoco
	Paths  []string `json:"paths"`
}

// Cache is a set of files kept between runs.
type Cache struct {
	Key          string      `json:"key"` // may hold variables; key:files are already digested into it
	FallbackKeys []string    `json:"fallback_keys,omitempty"`
	Paths        []string    `json:"paths,omitempty"`
	Untracked    bool        `json:"untracked,omitempty"`
	When         When        `json:"when,omitempty"`   // on_success (default), on_failure, always
	Policy       string      `json:"policy,omitempty"` // pull-push (default), pull, push; may hold variables
	Unprotect    bool        `json:"unprotect,omitempty"`
	Place        fault.Place `json:"place"`
}

// Release is what a job publishes when it succeeds.
type Release struct {
	TagName     string      `json:"tag_name"`
	TagMessage  string      `json:"tag_message,omitempty"`
	Name        string      `json:"name,omitempty"`
	Description string      `json:"description"`
	Ref         string      `json:"ref,omitempty"`
	Milestones  []string    `json:"milestones,omitempty"`
	ReleasedAt  string      `json:"released_at,omitempty"`
	Links       []Link      `json:"links,omitempty"`
	Place       fault.Place `json:"place"`
}

// Link is an asset of a release.
type Link struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	Path string `json:"filepath,omitempty"`
	Type string `json:"link_type,omitempty"`
}

// Pages says that a job's artifacts are a web site.
type Pages struct {
	Publish    string        `json:"publish,omitempty"`
	PathPrefix string        `json:"path_prefix,omitempty"`
	ExpireIn   time.Duration `json:"expire_in,omitempty"`
}
