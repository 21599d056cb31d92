package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/engine/agent"
	"github.com/sluice-delivery/sluice/internal/engine/dispatch"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// dialect is the language that a pipeline is written in: what every command asks of it, and a run besides.
type dialect interface {
	// compile turns the files into a plan for the occasion. All that was found is told, also where there is a plan.
	compile(ctx context.Context) (*plan.Plan, fault.Faults)
	// idle reports whether a fault says no more than that the event leaves nothing to run.
	idle(code string) bool
	// bind makes a late job concrete; the faults are to be told.
	bind(ctx context.Context, lease dispatch.Lease, kept *blob.Store) (run.Bound, fault.Faults)
	// order is the host that an attempt of a job wants, program its conversation once that is there.
	order(a attempt) (program.Order, error)
	program(a attempt, paths program.Paths) program.Program
}

// attempt is what a run knows of one attempt of a job, whatever its dialect.
type attempt struct {
	agent.Work
	number    int // of the job, unique in the repository
	timeout   time.Duration
	container bool
	base      []string // the environment that steps begin with; none in a container
}

// found is where a repository's pipeline is written: one file, or the files of a folder.
type found struct {
	dialect string   // gitlab, github
	file    string   // relative to the root; of several files their folder
	files   []string // of GitHub workflows that were named; nil: all of the folder
}

// workflowsDir is where GitHub looks for workflows.
const workflowsDir = ".github/workflows"

// dialects are the names that --dialect takes.
var dialects = []string{"gitlab", "github"}

// find looks for the pipeline. A name given is looked up from where the command was started.
func (p *pipelineFlags) find(root string) (found, error) {
	if p.dialect != "" && !slices.Contains(dialects, p.dialect) {
		return found{}, fault.New(codeDialect, "the dialect %q is not supported", p.dialect).WithHint("this version runs %s", strings.Join(dialects, ", "))
	}
	if p.file != "" {
		return p.named(root)
	}
	gitlab, err := p.gitlabFile(root)
	if err != nil {
		return found{}, err
	}
	hasWorkflows := len(workflowFiles(root)) > 0
	switch {
	case p.dialect == "gitlab" && gitlab == "":
		return found{}, fault.New(codeNoFile, "there is no .gitlab-ci.yml in %s", root).WithHint("`sluice init --dialect gitlab` writes a first one; --file names another")
	case p.dialect == "github" && !hasWorkflows:
		return found{}, fault.New(codeNoFile, "there is no workflow in %s", filepath.Join(root, workflowsDir)).WithHint("`sluice init --dialect github` writes a first one; --file names one elsewhere")
	case p.dialect == "" && gitlab != "" && hasWorkflows:
		return found{}, fault.New(codeDialect, "the repository has a GitLab pipeline (%s) and GitHub workflows (%s)", gitlab, workflowsDir).
			WithHint("choose with --dialect gitlab or --dialect github, or name a file with --file")
	case gitlab != "" && p.dialect != "github":
		return found{dialect: "gitlab", file: gitlab}, nil
	case hasWorkflows:
		return found{dialect: "github", file: workflowsDir}, nil
	}
	if _, err := os.Stat(filepath.Join(root, "Jenkinsfile")); err == nil {
		return found{}, fault.New(codeDialect, "the repository has a Jenkinsfile only, which this version does not run").WithHint("GitLab pipelines and GitHub workflows are supported")
	}
	return found{}, fault.New(codeNoFile, "there is no .gitlab-ci.yml and no workflow in %s", root).WithHint("`sluice init` writes a first one; --file names another")
}

// gitlabFile is the GitLab pipeline at the top of the repository, else that of the folder started from; "" for none.
func (p *pipelineFlags) gitlabFile(root string) (string, error) {
	if _, err := os.Stat(filepath.Join(root, ".gitlab-ci.yml")); err == nil {
		return ".gitlab-ci.yml", nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fault.New(codeNoFile, "look for .gitlab-ci.yml: %v", err)
	}
	name, _ := p.below(root)
	return name, nil
}

// workflowFiles are the names of the repository's workflows.
func workflowFiles(root string) []string {
	var out []string
	list, _ := os.ReadDir(filepath.Join(root, filepath.FromSlash(workflowsDir)))
	for _, d := range list {
		if ext := filepath.Ext(d.Name()); !d.IsDir() && (ext == ".yml" || ext == ".yaml") {
			out = append(out, workflowsDir+"/"+d.Name())
		}
	}
	return out
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
	if err != nil || !info.Mode().IsRegular() {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// named is the file that --file names. A folder of workflows may be named too.
func (p *pipelineFlags) named(root string) (found, error) {
	abs, err := filepath.Abs(p.path(p.file))
	if err != nil {
		return found{}, fault.New(codeNoFile, "find %s: %v", p.file, err)
	}
	if real, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(real, filepath.Base(abs))
	}
	info, err := os.Stat(abs)
	if err != nil {
		return found{}, fault.New(codeNoFile, "there is no file %s", p.file)
	}
	rel, err := filepath.Rel(root, abs)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return found{}, fault.New(codeNoFile, "%s is outside the repository %s", p.file, root).WithHint("the pipeline's file is part of what it runs")
	}
	rel = filepath.ToSlash(rel)
	dialect := p.dialect
	switch {
	case info.IsDir() && (rel == workflowsDir || rel == ".github"):
		return found{dialect: "github", file: workflowsDir}, nil
	case info.IsDir():
		return found{}, fault.New(codeNoFile, "%s is a folder", p.file)
	case strings.HasPrefix(filepath.Base(rel), "Jenkinsfile"):
		return found{}, fault.New(codeDialect, "%s is a Jenkinsfile, which this version does not run", p.file)
	case dialect == "":
		dialect = dialectOf(rel, abs)
	}
	if dialect == "github" {
		return found{dialect: dialect, file: rel, files: []string{rel}}, nil
	}
	return found{dialect: dialect, file: rel}, nil
}

// dialectOf tells a workflow from a GitLab pipeline: by its folder, else by the key jobs at the beginning of a line, with
// on there too, which every workflow has and which mean nothing to GitLab together, or with a job that says runs-on.
func dialectOf(rel, abs string) string {
	switch {
	case strings.Contains("/"+rel, "/"+workflowsDir+"/"), isActionFile(rel):
		return "github"
	case strings.HasSuffix(rel, ".gitlab-ci.yml"):
		return "gitlab"
	}
	info, err := os.Stat(abs)
	if err != nil || !info.Mode().IsRegular() || info.Size() > 4<<20 {
		return "gitlab" // its compiler says what is wrong with the file
	}
	text, err := os.ReadFile(abs)
	if err != nil {
		return "gitlab"
	}
	on, jobs, runs := false, false, false
	for line := range strings.Lines(string(text)) {
		key, _, _ := strings.Cut(line, ":")
		on = on || strings.Trim(key, `"'`) == "on"
		jobs = jobs || strings.Trim(key, `"'`) == "jobs"
		runs = runs || strings.TrimSpace(key) == "runs-on"
	}
	if jobs && (on || runs) {
		return "github"
	}
	return "gitlab"
}
