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
	Name       string   `json:"name"` // may hold variables
	Entrypoint []string `json:"entrypoint,omitempty"`
	PullPolicy []string `json:"pull_policy,omitempty"` // always, if-not-present, never; tried in order
	User       string   `json:"user,omitempty"`
	Platform   string   `json:"platform,omitempty"`
	// What GitHub's container and services have beyond that. Options are arguments of `docker create`, as written.
	Env      []Variable  `json:"env,omitempty"`
	Ports    []string    `json:"ports,omitempty"`   // 8080:80, 80, 80/udp, 127.0.0.1:8080:80
	Volumes  []string    `json:"volumes,omitempty"` // source:destination, /destination
	Options  string      `json:"options,omitempty"`
	Username string      `json:"username,omitempty"` // of the registry
	Password string      `json:"-"`
	Place    fault.Place `json:"place"`
}

// Service is a container that runs beside the job.
type Service struct {
	Container
	Aliases   []string   `json:"aliases,omitempty"`
	Command   []string   `json:"command,omitempty"`
	Variables []Variable `json:"variables,omitempty"`
}

// Step is one part of a job's work. GitLab's jobs have the main script and the after script. The texts of GitHub's
// steps may hold expressions; their program evaluates them when the step's turn comes.
type Step struct {
	Name  string      `json:"name"`            // "script", "after_script", or the step's name
	ID    string      `json:"id,omitempty"`    // by which other steps refer to it
	If    string      `json:"if,omitempty"`    // condition, as written
	Uses  string      `json:"uses,omitempty"`  // the action that the step runs; Lines is empty then
	With  []Variable  `json:"with,omitempty"`  // the action's inputs
	Shell string      `json:"shell,omitempty"` // "" is the executor's default
	Allow string      `json:"allow,omitempty"` // continue-on-error, as written
	Limit string      `json:"limit,omitempty"` // timeout-minutes, as written
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
	Key          string   `json:"key"` // may hold variables; key:files are already digested into it
	FallbackKeys []string `json:"fallback_keys,omitempty"`
	Paths        []string `json:"paths,omitempty"`
	Untracked    bool     `json:"untracked,omitempty"`
	When         When     `json:"when,omitempty"`   // on_success (default), on_failure, always
	Policy       string   `json:"policy,omitempty"` // pull-push (default), pull, push; may hold variables
	Unprotect    bool     `json:"unprotect,omitempty"`
	// Files are those whose digest is in Key, where the dialect tells them apart (GitLab's cache:key:files). In the plan of
	// a whole file Key is the prefix alone then.
	Files []string    `json:"files,omitempty"`
	Place fault.Place `json:"place"`
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
