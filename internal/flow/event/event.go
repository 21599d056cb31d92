// Package event is what happened, as flat facts: what triggered a pipeline, and what befell its jobs. A journal of
// facts tells a run's whole story. The package holds data only.
package event

import (
	"encoding/json"
	"time"
)

// Name is the kind of trigger, in our own words; each dialect maps it to its own (CI_PIPELINE_SOURCE, on:).
type Name string

// The triggers. Every value of GitLab's CI_PIPELINE_SOURCE can be given; these have facts of their own.
const (
	Push         Name = "push"
	Tag          Name = "tag" // a push of a tag
	MergeRequest Name = "merge_request"
	Schedule     Name = "schedule"
	API          Name = "api"
	Web          Name = "web"
	Trigger      Name = "trigger"
	Pipeline     Name = "pipeline"
	Parent       Name = "parent_pipeline"
	Chat         Name = "chat"
	External     Name = "external"
)

// Occasion is what a pipeline is about: the event and the repository at that moment.
type Occasion struct {
	Name       Name            `json:"name"`
	Given      string          `json:"given,omitempty"` // the event's name as it was asked for: pull_request_target, merge_request, …
	Repository Repository      `json:"repository"`
	Branch     string          `json:"branch,omitempty"` // of the push or the source branch; "" for a tag or a detached HEAD
	Tag        string          `json:"tag,omitempty"`
	TagMessage string          `json:"tag_message,omitempty"`
	Commit     Commit          `json:"commit"`
	Before     string          `json:"before,omitempty"` // the commit before the push, 40 zeros where there is none
	Dirty      bool            `json:"dirty,omitempty"`  // uncommitted work is part of it
	Merge      *Merge          `json:"merge,omitempty"`
	Actor      Person          `json:"actor"`
	At         time.Time       `json:"at"` // when the pipeline was created
	RunID      string          `json:"run_id"`
	Number     int             `json:"number"`            // the pipeline's number in this repository, from 1
	Payload    json.RawMessage `json:"payload,omitempty"` // --event-path, as given
}

// Repository is the project.
type Repository struct {
	Path          string `json:"path"`           // group/project, from the remote; "local/<folder>" without one
	URL           string `json:"url,omitempty"`  // web address without credentials and .git
	Host          string `json:"host,omitempty"` // of the remote
	DefaultBranch string `json:"default_branch"`
}

// Commit is the commit that the pipeline runs for.
type Commit struct {
	SHA     string    `json:"sha"` // 40 zeros in a repository without commits
	Title   string    `json:"title"`
	Message string    `json:"message"`
	Author  Person    `json:"author"`
	At      time.Time `json:"at"`
}

// Person is a name and an address.
type Person struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Login string `json:"login,omitempty"`
}

// Merge is a merge request: the source branch is wanted in Target.
type Merge struct {
	Number    int      `json:"number"`
	Title     string   `json:"title,omitempty"`
	Target    string   `json:"target"`
	TargetSHA string   `json:"target_sha,omitempty"`
	BaseSHA   string   `json:"base_sha,omitempty"` // the merge base
	Labels    []string `json:"labels,omitempty"`
	Draft     bool     `json:"draft,omitempty"`
}
