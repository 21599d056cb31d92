package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/engine/intake"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// pipelineFlags say which pipeline is meant and what its rules see. run, lint, plan and explain share them.
type pipelineFlags struct {
	dir, file, dialect    string
	event, eventPath      string
	branch, tag, target   string
	changedSince          string
	variables, varFiles   []string
	secrets, inputs       []string
	localRepositories     []string
	templates, mirror     string
	vars, envs, platforms []string
	actionPaths           []string
	real                  bool                   // --no-native
	asked                 func(flag string) bool // whether a flag was given
	executor              string
	counts                bool // the pipeline is run, not only looked at: it takes a number
}

func (p *pipelineFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	p.asked = f.Changed
	f.StringVarP(&p.dir, "directory", "C", "", "run as if started in `DIR`")
	f.StringVarP(&p.file, "file", "f", "", "this pipeline `FILE` (default .gitlab-ci.yml, or all workflows of .github/workflows)")
	f.StringVar(&p.dialect, "dialect", "", "gitlab or github, where a repository has pipelines of both")
	f.StringVar(&p.event, "event", "push", "the event: push, merge_request, tag, schedule, api, web, trigger, …; of GitHub workflows any that starts one: pull_request, workflow_dispatch, release, …")
	f.StringVar(&p.eventPath, "event-path", "", "a `FILE` with the event's payload (JSON)")
	f.StringVar(&p.branch, "branch", "", "the branch that the event is about (default: what is checked out)")
	f.StringVar(&p.tag, "tag", "", "the tag that the event is about")
	f.StringVar(&p.target, "target", "", "the target branch of a merge request or pull request (default: the default branch)")
	f.StringVar(&p.changedSince, "changed-since", "", "rules:changes and paths filters see what changed since this `REVISION`")
	f.StringArrayVar(&p.variables, "variable", nil, "a pipeline variable `K=V` (repeatable)")
	f.StringArrayVar(&p.varFiles, "variable-file", nil, "project variables from a `FILE`: K=V lines or a YAML mapping (repeatable)")
	f.StringArrayVar(&p.secrets, "secret", nil, "a masked variable, of GitHub workflows a secret, `K=V` (repeatable)")
	f.StringArrayVar(&p.inputs, "input", nil, "an input `K=V`, for spec:inputs or workflow_dispatch (repeatable)")
	f.StringArrayVar(&p.localRepositories, "local-repository", nil, "take a project, component, include, action or reusable workflow from a folder: `OWNER/REPO[@REF]=DIR` (repeatable)")
	f.StringVar(&p.mirror, "mirror", "", "a `DIR` that holds clones of other projects as OWNER/REPO, for include:project, components, actions and reusable workflows")
	f.StringVar(&p.templates, "templates", "", "a `DIR` with the templates of include:template")
	f.StringArrayVar(&p.vars, "var", nil, "a configuration variable `K=V`: the vars context of GitHub workflows (repeatable)")
	f.StringArrayVar(&p.envs, "env", nil, "an environment variable `K=V`: the env context of GitHub workflows (repeatable)")
	f.StringArrayVar(&p.platforms, "platform", nil, "what a runs-on label means, `LABEL=shell|IMAGE` (GitHub workflows; repeatable)")
	f.StringArrayVar(&p.actionPaths, "action-path", nil, "a `DIR` that holds actions as OWNER/REPO or OWNER/REPO@REF (GitHub workflows; repeatable)")
	f.BoolVar(&p.real, "no-native", false, "take also the actions that Sluice has built in (checkout, cache, upload-artifact, …) from where actions are kept")
	f.StringVar(&p.executor, "executor", "auto", "shell: every job on this machine; docker; auto: Docker for jobs with an image where an engine answers")
}

// pipeline is a repository with its occasion: what every command on a pipeline begins with.
type pipeline struct {
	dialect
	flags    *pipelineFlags
	repo     *git.Repository
	occasion event.Occasion
	changes  *intake.Changes
	found
	given   given
	mask    *logs.Mask   // of the values given that are secret
	shown   fault.Faults // tell of secrets that cannot be masked
	remarks fault.Faults // those, and warnings and notes on the file
}

// given are the values from the command line.
type given struct {
	pipeline, project []plan.Variable
	secrets, vars     []plan.Variable
	env               []plan.Variable
	platforms         map[string]string // label in lower case -> shell, or an image
	inputs            map[string]string
	local             map[string]string // owner/repo or owner/repo@ref -> folder
	actionPaths       []string
	templates, mirror string
}

// open reads the repository and puts the occasion together.
func (p *pipelineFlags) open(ctx context.Context) (*pipeline, error) {
	dir := p.dir
	if dir == "" {
		dir = "."
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fault.New(codeUsage, "-C %s: there is no such folder", dir)
	}
	repo, err := git.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	out := &pipeline{repo: repo, flags: p}
	if out.found, err = p.find(repo.Root); err != nil {
		return nil, err
	}
	out.speak()
	if out.given, err = p.values(); err != nil {
		return nil, err
	}
	cover := logs.Masked
	if out.found.dialect == "github" {
		cover = logs.Stars
	}
	out.mask, out.shown = maskOf(out.given, cover)
	payload, err := p.payload()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	q := intake.Request{
		Event: p.event, Branch: p.branch, Tag: p.tag, Target: p.target, Payload: payload,
		RunID: newRunID(now), At: now, Known: out.events(),
	}
	if q.Number, err = number(repo.Root, p.counts); err != nil {
		return nil, err
	}
	facts := intake.Facts{
		Repository: repo.Facts(), Branch: repo.Branch, Tags: repo.Tags, Commit: repo.Commit, Parent: repo.Parent,
		Dirty: repo.Dirty, User: repo.User,
	}
	if out.occasion, err = intake.Occasion(ctx, q, facts, repo); err != nil {
		return nil, err
	}
	out.changes = &intake.Changes{Occasion: out.occasion, Since: p.changedSince, Upstream: repo.Upstream(), Diff: repo}
	return out, nil
}

func (p *pipelineFlags) payload() (json.RawMessage, error) {
	if p.eventPath == "" {
		return nil, nil
	}
	text, err := readPayload(p.path(p.eventPath))
	if err != nil {
		return nil, fault.New(codeUsage, "--event-path: %v", err)
	}
	if !json.Valid(text) {
		return nil, fault.At(codeUsage, fault.Place{File: p.eventPath}, "--event-path: the file is not JSON")
	}
	return text, nil
}

// path is a file named on the command line, as seen from -C.
func (p *pipelineFlags) path(name string) string {
	if p.dir == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(p.dir, name)
}

// newRunID is unique on this machine and sorts by time.
func newRunID(now time.Time) string {
	return now.Format("20060102-150405") + "-" + strings.ToLower(rand.Text()[:6])
}
