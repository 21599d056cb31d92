package variable

import (
	"fmt"
	"hash/crc32"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/event"
)

// Facts are what is known of a pipeline. Texts that are not known are empty; the variables that need them then do not
// exist. Times are shown in their own zone.
type Facts struct {
	Source     string // one of the pipeline sources: push, web, merge_request_event, ...
	Branch     string // of a branch pipeline or, with Merge, the source branch
	Tag        string // of a tag pipeline
	TagMessage string
	Protected  bool // Branch or Tag is protected
	Before     string
	Commit     Commit
	Project    Project
	Server     Server
	User       User
	Merge      *Merge   // of a merge request pipeline
	Pull       *Pull    // of a pipeline for an external pull request
	OpenMerges []string // open merge requests of the branch: group/project!1
	Run        Run
	Upstream   Upstream // of a child or downstream pipeline
	Chat       Chat
	Trigger    string // the token that triggered the pipeline
	Payload    string // of a webhook trigger
	Schedule   string // the description of the schedule
	Release    string // the description of the tag's release
	Debug      bool   // --debug: CI_DEBUG_TRACE
	Services   bool   // logs of service containers: CI_DEBUG_SERVICES
	Kubernetes bool   // a cluster is available for deployments
	Frozen     bool   // a deploy freeze window
}

// Commit is the commit that the pipeline runs for.
type Commit struct {
	SHA     string
	Message string // as git has it
	Author  string // Name <email>
	Login   string // the author's user name, where it is public
	At      time.Time
}

// Project is the project. Path is group/subgroup/name.
type Project struct {
	ID, NamespaceID     string
	Path                string
	Title               string
	Description         string
	URL                 string // "" for the server's URL and Path
	Visibility          string // private, internal or public; "" is private
	DefaultBranch       string
	ConfigPath          string // "" is .gitlab-ci.yml
	Languages, Topics   []string
	ClassificationLabel string
	Registry            string // host of the container registry
	Pages               string // domain of GitLab Pages
}

// Server is the GitLab instance that is stood in for. The zero value is gitlab.com without a version.
type Server struct {
	URL      string // "" is https://gitlab.com
	Name     string // "" is GitLab
	Version  string // 18.5.0
	Revision string
	SSHHost  string // "" is the host of URL
	SSHPort  string // "" is 22
	Features []string
	TLSCA    string // path of a file
	TLSCert  string
	TLSKey   string
	FIPS     bool
}

// User is who started the pipeline.
type User struct{ ID, Login, Name, Email string }

// Merge is a merge request.
type Merge struct {
	ID, IID                        string
	Title, Description             string
	Target, TargetSHA              string
	SourceSHA                      string
	Event                          string // detached, merged_result or merge_train; "" is detached
	BaseSHA, DiffID                string
	Labels, Assignees              []string
	Milestone                      string
	Draft, Squash, Approved        bool
	SourceProtected                bool
	TargetProtected                bool
	SourceProject, SourceProjectID string // "" is the project itself
	SourceProjectURL               string
}

// Pull is an external pull request, on GitHub.
type Pull struct {
	Number                             string
	SourceRepository, TargetRepository string
	Source, Target                     string // branches
	SourceSHA, TargetSHA               string
}

// Run is the pipeline as the instance numbers it.
type Run struct {
	ID, IID string
	Name    string // workflow:name, expanded
	At      time.Time
}

// Upstream is the trigger job that a pipeline comes from.
type Upstream struct{ ProjectID, PipelineID, JobID string }

// Chat is the ChatOps command that a pipeline comes from.
type Chat struct{ Channel, Input, UserID string }

// Job are the facts of one job.
type Job struct {
	Name        string // as GitLab shows it: `test 1/2`
	Stage       string
	Index       int  // 1-based, 0 where the job is not parallel
	Total       int  // of parallel; 0 is 1
	Manual      bool // when: manual
	Environment *Environment
	ID          string
	Image       string // as the job names it, expanded
	Timeout     time.Duration
	Started     time.Time
	Status      string // running, success, failed, canceled
	Token       string // CI_JOB_TOKEN
	Deploy      User   // a deploy token: Login and ID (its secret)
	Runner      Runner
}

// Environment is where a job deploys to; Name is expanded.
type Environment struct {
	ID, Name, URL string
	Action        string // "" is start
	Tier          string // "" is guessed from Name
}

// Runner is the machinery that runs the job.
type Runner struct {
	ID, Description       string
	Version, Revision     string
	Arch                  string // linux/amd64
	ShortToken            string
	Tags                  []string
	BuildsDir, ProjectDir string
	Concurrent            int // number of the slot, from 0
	ConcurrentProject     int
	Shared                bool // the shell executor: what a job leaves behind stays
}

// FactsOf derives facts from an occasion. What a forge numbers and this machine cannot know stands in for itself: IDs of
// the project come from its path, so that they are the same on every run.
func FactsOf(o event.Occasion) Facts {
	f := Facts{
		Source: source(o.Name), Branch: o.Branch, Tag: o.Tag, TagMessage: o.TagMessage, Before: o.Before,
		Commit: Commit{SHA: o.Commit.SHA, Message: o.Commit.Message, Author: address(o.Commit.Author), At: o.Commit.At},
		Project: Project{
			ID: standIn(o.Repository.Path), NamespaceID: standIn(parent(o.Repository.Path)), Path: o.Repository.Path,
			URL: o.Repository.URL, DefaultBranch: o.Repository.DefaultBranch,
		},
		Server: serverOf(o.Repository),
		User:   User{ID: "1", Login: o.Actor.Login, Name: o.Actor.Name, Email: o.Actor.Email},
		Run:    Run{ID: strconv.Itoa(o.Number), IID: strconv.Itoa(o.Number), At: o.At},
	}
	if f.User.Login == "" {
		f.User.Login, _, _ = strings.Cut(o.Actor.Email, "@")
	}
	if o.Name == event.Trigger && len(o.Payload) > 0 {
		f.Payload = string(o.Payload)
	}
	if m := o.Merge; m != nil {
		f.Tag = ""
		f.Merge = &Merge{
			ID: strconv.Itoa(m.Number), IID: strconv.Itoa(m.Number), Title: m.Title, Target: m.Target, TargetSHA: m.TargetSHA, SourceSHA: o.Commit.SHA,
			BaseSHA: m.BaseSHA, DiffID: "1", Labels: m.Labels, Draft: m.Draft,
		}
		f.OpenMerges = []string{fmt.Sprintf("%s!%d", o.Repository.Path, m.Number)}
	}
	return f
}

func source(name event.Name) string {
	switch name {
	case event.Push, event.Tag, "":
		return "push"
	case event.MergeRequest:
		return "merge_request_event"
	default:
		return string(name)
	}
}

// serverOf is the instance that the repository's address names.
func serverOf(r event.Repository) Server {
	if u, err := url.Parse(r.URL); err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
		return Server{URL: u.Scheme + "://" + u.Host}
	}
	if r.Host != "" {
		return Server{URL: "https://" + r.Host}
	}
	return Server{}
}

func address(p event.Person) string {
	if p.Name == "" && p.Email == "" {
		return ""
	}
	return p.Name + " <" + p.Email + ">"
}

func parent(path string) string {
	if at := strings.LastIndexByte(path, '/'); at >= 0 {
		return path[:at]
	}
	return ""
}

// standIn is a number for a path: positive, stable, without meaning.
func standIn(path string) string {
	if path == "" {
		return ""
	}
	return strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(path))%99_999_999)+1, 10)
}
