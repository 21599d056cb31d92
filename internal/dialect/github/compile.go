package github

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Folder is where a repository keeps its workflows.
const Folder = ".github/workflows"

// maxJobs bounds a plan, so that a small file cannot ask for an endless one.
const maxJobs = 100_000

// Compile turns the workflow files and the event into a plan: the jobs of every workflow that the event triggers, in the
// order of the files. Whatever is found wrong or remarkable is told with its place; where the faults have errors, the
// plan is not to be run. A plan without jobs comes with a note of code CodeIdle that says why.
func Compile(ctx context.Context, in Input) (*plan.Plan, fault.Faults) {
	c := newCompiler(&in)
	p := &plan.Plan{Dialect: "github", File: Folder}
	switch {
	case !c.open():
	case in.All:
		c.wholes(ctx, p)
	default:
		c.workflows(ctx, p)
	}
	return p, c.faults.Sorted()
}

// compiler is the state of one compilation or binding: the answers that many jobs share.
type compiler struct {
	in      *Input
	faults  fault.List
	payload expr.Value // that was given, else null
	vars    expr.Value
	events  map[string]*Event
	files   map[string]Reading // read so far, by repository@ref:path
	trees   map[string]Files   // of other repositories, by repository@ref
	sources []plan.Source

	asked, known bool // Project.Changed was asked; it knew
	changed      []string
	problem      error

	jobs    int                        // made so far
	told    map[string]bool            // remarks that are told once
	without map[string]*without        // legs left out, by place and reason
	callees map[string]map[string]bool // the workflows called, by the path of the outermost caller
	excused []plan.Excluded
}

func newCompiler(in *Input) *compiler {
	return &compiler{
		in: in, events: map[string]*Event{}, files: map[string]Reading{}, trees: map[string]Files{},
		told: map[string]bool{}, without: map[string]*without{}, callees: map[string]map[string]bool{},
		vars: VarsContext(in.Given),
	}
}

// open reads the payload that was given.
func (c *compiler) open() bool {
	if len(c.in.Occasion.Payload) == 0 {
		return true
	}
	v, err := expr.FromJSON(c.in.Occasion.Payload)
	if err == nil && v.Kind() != expr.KindObject {
		err = errors.New("it is " + described(v))
	}
	if err != nil {
		c.faults.Add(fault.New(CodePayload, "the event's payload cannot be read: %v", err).
			WithHint("--event-path names a file with one JSON object, as GitHub's webhooks send it"))
		return false
	}
	c.payload = v
	return true
}

// workflows fills the plan.
func (c *compiler) workflows(ctx context.Context, p *plan.Plan) {
	paths, ok := c.listed(ctx)
	if !ok {
		return
	}
	var in []triggering
	var frames []*Frame
	var out []plan.Excluded
	for _, name := range paths {
		f, faults := c.read(ctx, c.in.Files, "", "", name)
		if f == nil {
			c.faults.Add(faults...)
			continue
		}
		t := triggering{}
		if f.On != nil {
			t = c.triggered(ctx, f)
		}
		if !t.in && f.On != nil {
			c.remark(f, faults)
			out = append(out, plan.Excluded{Name: f.Title(), Place: f.Node.At(), Why: t.why})
			continue
		}
		c.faults.Add(faults...)
		if faults.HasErrors() || !t.in {
			continue
		}
		if t.instead {
			c.faults.Add(fault.At(CodeInstead, t.by.Place, "the workflow %s does not run for %s, so it is run as if for %s", f.Title(), EventName(c.in.Occasion), t.by.Event).
				WithSeverity(fault.Note).WithHint("choose with --event"))
		}
		in, frames = append(in, t), append(frames, c.root(f, t))
	}
	p.Excluded = out
	c.strangers(in)
	c.skips(in)
	c.fill(ctx, p, in, frames)
	if len(in) == 0 && !c.faults.HasErrors() {
		c.idle(out)
	}
}

// fill makes the jobs of the workflows that run.
func (c *compiler) fill(ctx context.Context, p *plan.Plan, in []triggering, frames []*Frame) {
	if len(frames) == 1 {
		p.Name, p.File, p.Why = frames[0].Title, frames[0].Path, &in[0].why
		p.Variables = written(frames[0].File.Env, plan.Default)
	}
	for i, f := range frames {
		stage := f.Title
		if slices.Contains(p.Stages, stage) {
			stage = f.Path
		}
		w := c.header(f, in[i])
		jobs := c.frame(ctx, f, stage)
		if len(jobs) == 0 {
			continue
		}
		p.Workflows, p.Stages, p.Jobs = append(p.Workflows, w), append(p.Stages, stage), append(p.Jobs, jobs...)
	}
	identify(p)
	p.Excluded, p.Sources = append(p.Excluded, c.excused...), c.sources
}

// listed are the files to read: those that were named, else all of the folder.
func (c *compiler) listed(ctx context.Context) ([]string, bool) {
	if c.in.Workflows != nil {
		out := make([]string, len(c.in.Workflows))
		for i, name := range c.in.Workflows {
			out[i] = path.Clean(strings.ReplaceAll(name, `\`, "/"))
		}
		return out, true
	}
	all, err := c.in.Files.Paths(ctx)
	if err != nil {
		return nil, c.fail(fault.Place{}, fmt.Errorf("list the repository's files: %w", err))
	}
	var out []string
	for _, name := range all {
		if path.Dir(name) == Folder && (path.Ext(name) == ".yml" || path.Ext(name) == ".yaml") {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		c.faults.Add(fault.New(CodeNoFile, "there is no workflow in %s", Folder).WithHint("a workflow is a file there whose name ends in .yml or .yaml; --file names another one"))
		return nil, false
	}
	slices.Sort(out)
	return out, true
}

// read reads a workflow file once. The file is nil where there is none, which is a fault then.
func (c *compiler) read(ctx context.Context, from Files, repository, ref, name string) (*workflow.File, fault.Faults) {
	key := repository + "@" + ref + ":" + name
	if have, ok := c.files[key]; ok {
		return have.File, have.Faults
	}
	shown := name
	if repository != "" {
		shown = repository + "/" + name + "@" + ref
	}
	if have, ok := c.in.Read[name]; ok && repository == "" {
		return c.keep(key, repository, shown, have), have.Faults
	}
	text, err := from.Read(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.Faults{fault.New(CodeNoFile, "there is no workflow file %s", shown)}
	case err != nil:
		return nil, fault.Faults{fault.New(CodeNoFile, "read the workflow file %s: %v", shown, err)}
	}
	f, faults := workflow.Read(shown, text)
	f.Path = name
	return c.keep(key, repository, shown, Reading{text, f, faults}), faults
}

// keep remembers a file that was read, and that the plan comes from it.
func (c *compiler) keep(key, repository, shown string, r Reading) *workflow.File {
	c.files[key] = r
	c.sources = append(c.sources, sourceOf(repository, shown, r.Text, r.File))
	return r.File
}

// remark tells in short that a file which the event leaves out has mistakes.
func (c *compiler) remark(f *workflow.File, faults fault.Faults) {
	n, at := 0, fault.Place{}
	for _, fl := range faults {
		if fl.Severity == fault.Error {
			if n++; n == 1 {
				at = fl.Place
			}
		}
	}
	if n > 0 {
		c.faults.Add(fault.At(CodeBroken, at, "the workflow %s, which the event does not trigger, has mistakes (%d)", f.Title(), n).
			WithSeverity(fault.Warning).WithHint("`sluice lint` shows them"))
	}
}

// skipWords in a commit's message keep GitHub from running anything for a push or a pull request (page "Skipping workflow
// runs"). Whoever runs the workflows here wants them run, so they are only told.
var skipWords = []string{"[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]", "\nskip-checks: true", "\nskip-checks:true"}

func (c *compiler) skips(in []triggering) {
	for _, t := range in {
		if t.event.Name != "push" && t.event.Name != "pull_request" {
			continue
		}
		for _, word := range skipWords {
			if strings.Contains(first(c.in.Occasion.Commit.Message, c.in.Occasion.Commit.Title), word) {
				c.once(fault.New(CodeSkip, "the commit's message says %s: GitHub would run nothing for this %s", strings.TrimSpace(word), t.event.Name).WithSeverity(fault.Note))
				return
			}
		}
	}
}

// idle says why there is nothing to run.
func (c *compiler) idle(out []plan.Excluded) {
	var why []string
	for _, x := range out {
		why = append(why, x.Place.File+": "+x.Why.Text)
	}
	if len(why) > 5 {
		why = append(why[:5], fmt.Sprintf("and %d more", len(out)-5))
	}
	c.faults.Add(fault.New(CodeIdle, "the event %s triggers no workflow here (%s)", EventName(c.in.Occasion), strings.Join(why, "; ")).
		WithSeverity(fault.Note).WithHint("change the event with --event, --branch or --tag, or name a workflow with --file"))
}

// root is the frame of a workflow that the event triggers.
func (c *compiler) root(f *workflow.File, t triggering) *Frame {
	frame := &Frame{
		File: f, Event: t.event, Title: f.Title(), Path: f.Path, Vars: c.vars, Inputs: expr.NewObject(), files: c.in.Files,
		secret: secrets{given: c.in.Given.Secrets}, chain: []string{"/" + f.Path},
	}
	frame.github = frame.GitHub()
	frame.Inputs = c.inputs(f, t, frame)
	return frame
}

// header is the workflow as the plan lists it.
func (c *compiler) header(f *Frame, t triggering) plan.Workflow {
	w := plan.Workflow{Name: f.Title, File: f.Path, Place: t.by.Place, Why: t.why}
	env := f.env()
	if f.File.RunName.Set {
		w.Title, _ = c.text(f.File.RunName, env)
	}
	if w.Group = c.group(f.File.Concurrency, env); w.Group != nil {
		f.held = append(f.held, w.Group.Name)
	}
	return w
}

// env is where the expressions of a workflow, outside of its jobs, are evaluated.
func (f *Frame) env() *expr.Env {
	return &expr.Env{Contexts: map[string]expr.Value{"github": f.github, "inputs": f.Inputs, "vars": f.Vars}}
}
