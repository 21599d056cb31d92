package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
	executor              string
	counts                bool // the pipeline is run, not only looked at: it takes a number
}

func (p *pipelineFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&p.dir, "directory", "C", "", "run as if started in `DIR`")
	f.StringVarP(&p.file, "file", "f", "", "this pipeline `FILE` (default .gitlab-ci.yml)")
	f.StringVar(&p.dialect, "dialect", "", "gitlab, where a repository has pipelines of several dialects")
	f.StringVar(&p.event, "event", "push", "the event: push, merge_request, tag, schedule, api, web, trigger, …")
	f.StringVar(&p.eventPath, "event-path", "", "a `FILE` with the event's payload (JSON)")
	f.StringVar(&p.branch, "branch", "", "the branch that the event is about (default: what is checked out)")
	f.StringVar(&p.tag, "tag", "", "the tag that the event is about")
	f.StringVar(&p.target, "target", "", "the target branch of a merge request (default: the default branch)")
	f.StringVar(&p.changedSince, "changed-since", "", "rules:changes sees what changed since this `REVISION`")
	f.StringArrayVar(&p.variables, "variable", nil, "a pipeline variable `K=V` (repeatable)")
	f.StringArrayVar(&p.varFiles, "variable-file", nil, "project variables from a `FILE`: K=V lines or a YAML mapping (repeatable)")
	f.StringArrayVar(&p.secrets, "secret", nil, "a masked variable `K=V` (repeatable)")
	f.StringArrayVar(&p.inputs, "input", nil, "a pipeline input `K=V`, for spec:inputs (repeatable)")
	f.StringArrayVar(&p.localRepositories, "local-repository", nil, "take a project, component or include from a folder: `OWNER/REPO[@REF]=DIR` (repeatable)")
	f.StringVar(&p.mirror, "mirror", "", "a `DIR` that holds clones of other projects as OWNER/REPO, for include:project and components")
	f.StringVar(&p.templates, "templates", "", "a `DIR` with the templates of include:template")
	f.StringArrayVar(&p.vars, "var", nil, "a configuration variable `K=V` (GitHub workflows; not used by GitLab pipelines)")
	f.StringArrayVar(&p.envs, "env", nil, "an environment variable `K=V` (GitHub workflows; not used by GitLab pipelines)")
	f.StringArrayVar(&p.platforms, "platform", nil, "what a runs-on label means, `LABEL=shell|IMAGE` (GitHub workflows)")
	f.StringVar(&p.executor, "executor", "auto", "shell: every job on this machine; docker; auto: Docker for jobs with an image where an engine answers")
}

// pipeline is a repository with its occasion: what every command on a pipeline begins with.
type pipeline struct {
	repo     *git.Repository
	occasion event.Occasion
	changes  *intake.Changes
	file     string // relative to the root
	given    given
	mask     *logs.Mask   // of the values given that are secret
	shown    fault.Faults // tell of secrets that cannot be masked
	remarks  fault.Faults // those, and warnings and notes on the file
}

// given are the values from the command line.
type given struct {
	pipeline, project []plan.Variable
	inputs            map[string]string
	local             map[string]string // owner/repo or owner/repo@ref -> folder
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
	out := &pipeline{repo: repo}
	if out.file, err = p.find(repo.Root); err != nil {
		return nil, err
	}
	if out.given, err = p.values(); err != nil {
		return nil, err
	}
	out.mask, out.shown = maskOf(out.given)
	payload, err := p.payload()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	q := intake.Request{
		Event: p.event, Branch: p.branch, Tag: p.tag, Target: p.target, Payload: payload,
		RunID: newRunID(now), At: now,
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
	text, err := os.ReadFile(p.path(p.eventPath))
	if err != nil {
		return nil, fault.New(codeUsage, "--event-path: %v", err)
	}
	if !json.Valid(text) {
		return nil, fault.At(codeUsage, fault.Place{File: p.eventPath}, "--event-path: the file is not JSON")
	}
	return text, nil
}

// find is the pipeline's file, relative to root. A name given is looked up from where the command was started.
func (p *pipelineFlags) find(root string) (string, error) {
	if p.dialect != "" && p.dialect != "gitlab" {
		return "", fault.New(codeDialect, "the dialect %q is not supported", p.dialect).WithHint("this version runs gitlab")
	}
	if p.file != "" {
		return p.named(root)
	}
	if _, err := os.Stat(filepath.Join(root, ".gitlab-ci.yml")); err == nil {
		return ".gitlab-ci.yml", nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("look for .gitlab-ci.yml: %w", err)
	}
	if name, ok := p.below(root); ok {
		return name, nil
	}
	if found, _ := filepath.Glob(filepath.Join(root, ".github/workflows/*.y*ml")); len(found) > 0 {
		return "", fault.New(codeDialect, "the repository has GitHub workflows only, which this version does not run").WithHint("GitLab pipelines (.gitlab-ci.yml) are supported")
	}
	if _, err := os.Stat(filepath.Join(root, "Jenkinsfile")); err == nil {
		return "", fault.New(codeDialect, "the repository has a Jenkinsfile only, which this version does not run").WithHint("GitLab pipelines (.gitlab-ci.yml) are supported")
	}
	return "", fault.New(codeNoFile, "there is no .gitlab-ci.yml in %s", root).WithHint("`sluice init` writes a first one; --file names another")
}

// below is a pipeline file of the folder started from, where that is not the repository's top: a repository may hold
// several projects.
func (p *pipelineFlags) below(root string) (string, bool) {
	dir, err := filepath.Abs(orText(p.dir, "."))
	if err != nil {
		return "", false
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	rel, err := filepath.Rel(root, filepath.Join(dir, ".gitlab-ci.yml"))
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	info, err := os.Stat(filepath.Join(root, rel))
	return filepath.ToSlash(rel), err == nil && info.Mode().IsRegular()
}

func (p *pipelineFlags) named(root string) (string, error) {
	abs, err := filepath.Abs(p.path(p.file))
	if err != nil {
		return "", fmt.Errorf("find %s: %w", p.file, err)
	}
	if real, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(real, filepath.Base(abs))
	}
	info, err := os.Stat(abs)
	if err != nil || info.IsDir() {
		return "", fault.New(codeNoFile, "there is no file %s", p.file)
	}
	rel, err := filepath.Rel(root, abs)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", fault.New(codeNoFile, "%s is outside the repository %s", p.file, root).WithHint("the pipeline's file is part of what it runs")
	}
	rel = filepath.ToSlash(rel)
	if strings.HasPrefix(rel, ".github/workflows/") || strings.HasPrefix(filepath.Base(rel), "Jenkinsfile") {
		return "", fault.New(codeDialect, "%s is not a GitLab pipeline, and this version runs no other", p.file)
	}
	return rel, nil
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
