package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/edge/action"
	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/edge/tree"
	"github.com/sluice-delivery/sluice/internal/engine/dispatch"
	"github.com/sluice-delivery/sluice/internal/engine/intake"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// githubDialect are the GitHub workflows of a repository.
type githubDialect struct {
	*pipeline
	once  sync.Once
	files map[string]github.Reading // see read
	// sources and event are made once for a run: a ref means one commit throughout, and the event is the same for all.
	sources func() *action.Sources
	event   func() *github.Event
	token   string // secrets.GITHUB_TOKEN where none is given: of the form that tools expect, good for nothing outside
}

// speak gives the pipeline the dialect that it is written in.
func (l *pipeline) speak() {
	if l.found.dialect == "github" {
		d := &githubDialect{pipeline: l, token: "ghs_" + rand.Text()}
		d.sources, d.event = sync.OnceValue(d.newSources), sync.OnceValue(d.describe)
		l.dialect = d
		return
	}
	l.dialect = gitlabDialect{l}
}

// events are the names of events that the dialect knows beyond ours; nil for GitLab.
func (l *pipeline) events() []string {
	if l.found.dialect != "github" {
		return nil
	}
	return github.EventNames()
}

// describe is what GitHub would say of the event. A payload that cannot be read is told of where workflows are compiled.
func (d *githubDialect) describe() *github.Event {
	e, err := github.Describe(d.occasion, d.given.inputs)
	if err != nil {
		without := d.occasion
		without.Payload = nil
		e, _ = github.Describe(without, d.given.inputs) // nothing else can fail
	}
	return e
}

// newSources are where actions and reusable workflows of other repositories come from.
func (d *githubDialect) newSources() *action.Sources {
	return &action.Sources{
		Local: d.given.local, Paths: d.given.actionPaths, Cache: action.DefaultCache(), Mirror: d.given.mirror,
		Own: action.Own{
			Repository: d.occasion.Repository.Path, Root: d.repo.Root, Dir: d.repo.Dir, Origin: d.occasion.Repository.URL,
			Ref: d.event().Ref, SHA: d.occasion.Commit.SHA,
		},
	}
}

// scopes are the refs whose caches a run may see: its own, in which it saves, that of a pull request's target, and the
// default branch's (GitHub documentation, Restrictions for accessing a cache).
func (d *githubDialect) scopes() []string {
	all := []string{d.event().Ref}
	if base := d.event().BaseRef; base != "" {
		all = append(all, "refs/heads/"+base)
	}
	if main := "refs/heads/" + d.occasion.Repository.DefaultBranch; !slices.Contains(all, main) {
		all = append(all, main)
	}
	return all
}

func (d *githubDialect) compile(ctx context.Context) (*plan.Plan, fault.Faults) {
	in := d.input()
	in.Read = d.read(ctx, in.Files)
	p, found := github.Compile(ctx, in)
	if p != nil && d.flags.counts && !found.HasErrors() {
		found = append(found, d.missing(ctx, p)...)
	}
	return p, found
}

// missing tells, before anything runs, of actions that jobs will ask for and that are not here. Whether a job gets there is
// not known yet, so that these are warnings.
func (d *githubDialect) missing(ctx context.Context, p *plan.Plan) fault.Faults {
	sources, seen := d.sources(), map[string]bool{}
	var out fault.Faults
	for j := range p.Shown() {
		if j.When == plan.Never {
			continue
		}
		for i := range j.Steps {
			uses := j.Steps[i].Uses
			if uses == "" || strings.HasPrefix(uses, ".") || strings.HasPrefix(uses, "$") || strings.HasPrefix(uses, "docker://") || !d.flags.real && builtIn(uses) {
				continue
			}
			n, err := action.Parse(uses)
			if err != nil || seen[n.Repository+"@"+n.Ref] {
				continue // the reader has told of it, or this has
			}
			seen[n.Repository+"@"+n.Ref] = true
			if _, err := sources.Find(ctx, n.Repository, n.Ref); err != nil {
				if f, ok := errors.AsType[*fault.Fault](err); ok {
					told := *f
					told.Place = j.Steps[i].Place
					out = append(out, told.WithSeverity(fault.Warning))
				}
			}
		}
	}
	return out
}

func (*githubDialect) idle(code string) bool { return code == github.CodeIdle }

// input is what the compiler may read and ask.
func (d *githubDialect) input() github.Input {
	own := tree.Open(d.repo.Root, d.repo.Dir != "")
	return github.Input{
		Workflows: d.found.files,
		AnyEvent:  d.found.files != nil && !d.flags.asked("event"),
		Files:     own,
		Source:    repositories{d.sources()},
		Project:   changed{d.changes},
		Occasion:  d.occasion,
		Given:     d.values(),
		Platforms: d.given.platforms,
		Machine:   machine(),
	}
}

func (d *githubDialect) values() github.Given {
	return github.Given{Secrets: d.given.secrets, Vars: d.given.vars, Env: d.given.env, Inputs: d.given.inputs}
}

// changed answers paths filters (github.Project).
type changed struct{ changes *intake.Changes }

// Changed lists what the event changes.
func (c changed) Changed(ctx context.Context) ([]string, bool, error) {
	return c.changes.Changed(ctx, "")
}

// machine is this one, in the runner's words.
func machine() github.Machine {
	m := github.Machine{OS: "Linux", Arch: "X64", Name: "sluice"}
	switch runtime.GOOS {
	case "darwin":
		m.OS = "macOS"
	case "windows":
		m.OS = "Windows"
	}
	switch runtime.GOARCH {
	case "arm64":
		m.Arch = "ARM64"
	case "arm":
		m.Arch = "ARM"
	case "386":
		m.Arch = "X86"
	}
	if name, err := os.Hostname(); err == nil {
		m.Name = name
	}
	return m
}

func (d *githubDialect) bind(ctx context.Context, lease dispatch.Lease, _ *blob.Store) (run.Bound, fault.Faults) {
	b, found := github.Bind(ctx, github.BindInput{Input: d.input(), Plan: lease.Scope, Job: lease.Job, Needs: lease.Needs, Before: lease.Before, Canceled: lease.Canceled})
	return run.Bound{Plan: b.Plan, Job: b.Job, Skip: b.Skip}, found
}

func (d *githubDialect) order(a attempt) (program.Order, error) { return d.attempt(a).Order() }

func (d *githubDialect) program(a attempt, paths program.Paths) program.Program {
	in := d.attempt(a)
	in.Paths = paths
	return github.NewProgram(in)
}

func (d *githubDialect) attempt(a attempt) github.Attempt {
	return github.Attempt{
		Plan: a.Scope, Job: a.Job, Occasion: d.occasion, Given: d.values(), Machine: machine(), Run: a.Run, ID: a.ID,
		Number: a.number, Attempt: a.Attempt, Key: a.Key, At: a.Started, Timeout: a.timeout, Needs: a.Needs, Base: a.base,
		Container: a.container, Tools: toolCache(), Real: d.flags.real, Debug: wantsDebug(d.given), Token: d.token, Version: versionText(),
	}
}

// wantsDebug reports whether the repository's settings ask for debug lines (GitHub documentation, Enabling debug logging).
func wantsDebug(g given) bool {
	for _, v := range append(g.secrets[:len(g.secrets):len(g.secrets)], g.vars...) {
		if v.Name == "ACTIONS_STEP_DEBUG" {
			return v.Value == "true"
		}
	}
	return false
}

// toolCache is where setup actions keep what they fetch (RUNNER_TOOL_CACHE).
func toolCache() string {
	if dir := os.Getenv("RUNNER_TOOL_CACHE"); dir != "" {
		return dir
	}
	return filepath.Join(cacheDir(), "tools")
}

// cacheDir is the user's folder for what can be fetched again.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "sluice")
}

// repositories finds reusable workflows of other repositories (github.Source).
type repositories struct{ sources *action.Sources }

// Repository is a repository's tree at a ref.
func (r repositories) Repository(ctx context.Context, repository, ref string) (github.Files, error) {
	files, err := r.sources.Tree(ctx, repository, ref)
	if err != nil {
		return nil, fmt.Errorf("find %s@%s: %w", repository, ref, err)
	}
	return files, nil
}
