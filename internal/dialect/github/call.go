package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// The limits of reusable workflows (page "Reusing workflow configurations", limitations): ten levels with the workflow
// that the event triggers, and fifty different workflows below that.
const (
	maxLevels = 10
	maxCalled = 50
)

// call makes a job that becomes the jobs of a reusable workflow. They are looked at now, so that mistakes are told before
// anything runs, and shown where nothing about them waits for the needs.
func (c *compiler) call(s *scene, j *plan.Job, l leg, later []string) *plan.Job {
	payload := &Late{Why: "the call", Uses: s.job.Uses.Value}
	j.Late = &plan.Late{Kind: "expand", Wait: true, Payload: payload}
	own := OwnOf(j)
	own.late = lateCall
	if c.full(s.job.Place) {
		return j
	}
	f, ok := c.called(s, j, l)
	if !ok {
		return j
	}
	if slices.Contains(later, "concurrency") {
		c.once(fault.At(CodeCallGroup, s.job.Concurrency.Place, "the group of job %q reads needs, and a call has to know its group before: it is not held", j.Key).WithSeverity(fault.Warning).
			WithHint("put concurrency on the workflow that is called"))
	}
	if waits := s.waits(); len(waits) > 0 || len(later) > 0 {
		payload.Why = strings.Join(append(later, waits...), ", ")
		if slices.Contains(waits, "with") {
			if g := f.File.Concurrency; g != nil {
				c.once(fault.At(CodeCallGroup, g.Place, "what is passed to %s is not known yet, so its concurrency group is not held", f.File.Path).WithSeverity(fault.Warning))
			}
			return j
		}
	}
	c.holds(j, f)
	j.Late.Plan = c.inside(s.ctx, f)
	return j
}

// holds gives the job that calls the concurrency group of the called workflow, to be held for the whole call.
func (c *compiler) holds(j *plan.Job, f *Frame) {
	g := f.File.Concurrency
	switch {
	case g == nil:
	case j.Group == nil:
		j.Group = c.free(f, g, c.group(g, f.env()), "the workflow "+f.File.Path)
	default:
		c.once(fault.At(CodeCallGroup, g.Place, "job %q holds a concurrency group of its own, so that of %s is not held", j.Key, f.File.Path).WithSeverity(fault.Warning))
	}
}

// waits are the parts of a call that read needs before these are done.
func (s *scene) waits() (out []string) {
	if s.known {
		return nil
	}
	for _, part := range []struct {
		name string
		list []workflow.Named
	}{{"with", s.job.With}, {"secrets", s.job.Secrets}} {
		for _, n := range part.list {
			if asks(n.Value, "needs") {
				out = append(out, part.name)
				break
			}
		}
	}
	return out
}

// called is the frame of the workflow that a job calls.
func (c *compiler) called(s *scene, j *plan.Job, l leg) (*Frame, bool) {
	f := &Frame{
		Event: s.f.Event, Title: s.f.Title, Path: s.f.Path, Vars: s.f.Vars, github: s.f.github, caller: s.f, name: j.Name + " / ",
		Permissions: permissions(s.f, s.job), Inputs: expr.NewObject(),
	}
	f.held = slices.Clone(s.f.held)
	if j.Group != nil {
		f.held = append(f.held, j.Group.Name)
	}
	if !c.find(s, f) || !c.nested(s, f) {
		return nil, false
	}
	on := triggerOf(f.File, "workflow_call")
	if on == nil {
		return nil, c.mistake(CodeCall, s.job.Uses.At(), "the workflow %s cannot be called: workflow_call is not among its events", s.job.Uses.Value)
	}
	if !c.passes(s, f, on) {
		return nil, false
	}
	env := s.env(l)
	f.secret = secrets{inherit: s.job.SecretsInherit, mapped: s.job.Secrets, env: env}
	if !slices.Contains(s.waits(), "with") && !c.with(s, f, on, env) {
		return nil, false
	}
	return f, c.demands(s, f, on)
}

// find reads the file that is called: of the caller's own repository, or of another one.
func (c *compiler) find(s *scene, f *Frame) bool {
	uses, at := s.job.Uses.Value, s.job.Uses.At()
	name, local := strings.CutPrefix(uses, "./")
	f.files, f.Repository, f.Ref = s.f.files, s.f.Repository, s.f.Ref
	if !local {
		rest, ref, hasRef := strings.Cut(uses, "@")
		parts := strings.SplitN(rest, "/", 3)
		if len(parts) < 3 || !hasRef || ref == "" {
			return c.mistake(CodeCall, at, "%q names no workflow: write ./.github/workflows/FILE or OWNER/REPOSITORY/.github/workflows/FILE@REF", uses)
		}
		f.Repository, f.Ref, name = parts[0]+"/"+parts[1], ref, parts[2]
		if !c.tree(s, f, at) {
			return false
		}
	}
	file, faults := c.read(s.ctx, f.files, f.Repository, f.Ref, name)
	for _, found := range faults {
		if found.Place.IsZero() {
			found.Place = at
		}
		c.faults.Add(found)
	}
	f.File = file
	return file != nil && !faults.HasErrors()
}

// tree finds another repository.
func (c *compiler) tree(s *scene, f *Frame, at fault.Place) bool {
	key := f.Repository + "@" + f.Ref
	if files, ok := c.trees[key]; ok {
		f.files = files
		return files != nil
	}
	files, err := Files(nil), fmt.Errorf("no place for other repositories is configured")
	if c.in.Source != nil {
		files, err = c.in.Source.Repository(s.ctx, f.Repository, f.Ref)
	}
	switch {
	case err == nil:
	case strings.EqualFold(f.Repository, f.Event.Repository()):
		c.once(fault.At(CodeCallHere, at, "%s is this repository, so the workflow is taken from the work tree, not from %s", f.Repository, f.Ref).WithSeverity(fault.Note))
		files, f.Repository, f.Ref = c.in.Files, "", ""
	default:
		c.trees[key] = nil
		why, hint := err.Error(), fmt.Sprintf("--local-repository %s=DIR names a folder that holds it, `sluice action add %s` keeps it for good", key, key)
		if told, ok := errors.AsType[*fault.Fault](err); ok {
			why, hint = told.Message, cmp.Or(told.Hint, hint)
		}
		c.faults.Add(fault.At(CodeCallSource, at, "the workflow %s cannot be had: %s", s.job.Uses.Value, why).WithHint("%s", hint))
		return false
	}
	if f.Repository != "" {
		c.trees[key] = files
	}
	f.files = files
	return true
}

// nested refuses circles and calls that are too deep or too many.
func (c *compiler) nested(s *scene, f *Frame) bool {
	key, at := f.Repository+"/"+f.File.Path+"@"+f.Ref, s.job.Uses.At()
	if f.Repository == "" {
		key = "/" + f.File.Path
	}
	if i := slices.Index(s.f.chain, key); i >= 0 {
		return c.mistake(CodeCallDepth, at, "workflows call each other in a circle: %s", arrows(append(slices.Clone(s.f.chain[i:]), key)))
	}
	if len(s.f.chain) >= maxLevels {
		return c.mistake(CodeCallDepth, at, "the calls are more than %d workflows deep: %s", maxLevels, arrows(s.f.chain))
	}
	f.chain = append(slices.Clone(s.f.chain), key)
	if c.callees[f.Path] == nil {
		c.callees[f.Path] = map[string]bool{}
	}
	c.callees[f.Path][key] = true
	if len(c.callees[f.Path]) > maxCalled {
		return c.mistake(CodeCallDepth, at, "the workflow %s calls more than %d different workflows", f.Path, maxCalled)
	}
	return true
}

func arrows(chain []string) string {
	names := make([]string, len(chain))
	for i, key := range chain {
		names[i] = strings.TrimPrefix(key, "/")
	}
	return strings.Join(names, " -> ")
}

// passes checks what the call passes by name: inputs and secrets must be declared, and those required must be there.
func (c *compiler) passes(s *scene, f *Frame, on *workflow.Trigger) bool {
	ok := true
	var inputs, secrets []string
	for _, in := range on.Inputs {
		inputs = append(inputs, in.Name.Value)
		if in.Required && namedAs(s.job.With, in.Name.Value) == nil {
			ok = c.mistake(CodeCallInput, s.job.Uses.At(), "job %q does not pass the input %q, which %s requires", s.job.ID, in.Name.Value, f.File.Path)
		}
	}
	for _, sec := range on.Secrets {
		secrets = append(secrets, sec.Name.Value)
		if sec.Required && !s.job.SecretsInherit && namedAs(s.job.Secrets, sec.Name.Value) == nil {
			c.faults.Add(fault.At(CodeCallSecret, s.job.Uses.At(), "job %q does not pass the secret %q, which %s requires", s.job.ID, sec.Name.Value, f.File.Path).
				WithHint("name it below secrets:, or pass all with secrets: inherit"))
			ok = false
		}
	}
	for _, part := range []struct {
		given []workflow.Named
		known []string
		code  string
		what  string
	}{{s.job.With, inputs, CodeCallInput, "input"}, {s.job.Secrets, secrets, CodeCallSecret, "secret"}} {
		for _, g := range part.given {
			name := g.Name.Value
			if slices.ContainsFunc(part.known, func(k string) bool { return strings.EqualFold(k, name) }) {
				continue
			}
			bad := fault.At(part.code, g.Name.At(), "the workflow %s has no %s %q", f.File.Path, part.what, name)
			if near := fault.Nearest(name, part.known); near != "" {
				bad.WithHint("did you mean %q?", near)
			}
			c.faults.Add(bad)
			ok = false
		}
	}
	return ok
}

func namedAs(list []workflow.Named, name string) *workflow.Named {
	for i := range list {
		if strings.EqualFold(list[i].Name.Value, name) {
			return &list[i]
		}
	}
	return nil
}

// with evaluates the inputs of the called workflow: what the call passes, else the defaults, by their types.
func (c *compiler) with(s *scene, f *Frame, on *workflow.Trigger, env *expr.Env) bool {
	b, ok := &expr.ObjectBuilder{}, true
	for _, in := range on.Inputs {
		passed := namedAs(s.job.With, in.Name.Value)
		if passed == nil {
			b.Set(in.Name.Value, c.otherwise(in, f.env()))
			continue
		}
		c.deprecated(in, passed.Name.At())
		v, err := valueOf(passed.Value, env)
		if err == nil {
			v, err = coerced(in, v)
		}
		if err != nil {
			ok = c.fail(passed.Value.At(), err)
		}
		b.Set(in.Name.Value, v)
	}
	f.Inputs = b.Value()
	return ok
}

// demands checks what the called workflow asks of its caller beyond names: permissions, and with secrets: inherit the
// secrets that it requires.
func (c *compiler) demands(s *scene, f *Frame, on *workflow.Trigger) bool {
	if more, most := exceeds(levelsOf(f.File.Permissions), f.Permissions); more != "" {
		return c.mistake(CodeCallPermission, s.job.Place, "the workflow %s asks for %s, and job %q allows %s", f.File.Path, more, s.job.ID, most)
	}
	for _, j := range f.File.Jobs {
		if more, most := exceeds(levelsOf(j.Permissions), f.Permissions); more != "" {
			return c.mistake(CodeCallPermission, s.job.Place, "the job %q of %s asks for %s, and job %q allows %s", j.ID, f.File.Path, more, s.job.ID, most)
		}
	}
	if !s.job.SecretsInherit {
		return true
	}
	above, err := s.f.Secrets("")
	if err != nil {
		return c.fail(s.job.Uses.At(), err)
	}
	for _, sec := range on.Secrets {
		if _, there := above.Lookup(sec.Name.Value); sec.Required && !there {
			c.once(fault.At(CodeCallSecret, s.job.Uses.At(), "the secret %q, which %s requires, is not given", sec.Name.Value, f.File.Path).
				WithSeverity(fault.Warning).WithHint("--secret %s=…", sec.Name.Value))
		}
	}
	return true
}

// inside is the plan of a called workflow.
func (c *compiler) inside(ctx context.Context, f *Frame) *plan.Plan {
	title := f.File.Title()
	p := &plan.Plan{Dialect: "github", Name: title, File: f.File.Path, Stages: []string{title}}
	kept := c.excused
	c.excused = nil
	w := plan.Workflow{Name: title, File: f.File.Path, Place: f.File.Node.At()}
	p.Jobs = c.frame(ctx, f, title)
	if len(p.Jobs) == 0 {
		p.Stages = nil
	}
	p.Workflows, p.Excluded = []plan.Workflow{w}, c.excused
	c.excused = kept
	identify(p)
	return p
}

// OutputsOf are the outputs of a job that ended: its own, those of the workflow that it called, or those of the legs
// that it became, the later over the earlier.
func OutputsOf(b program.Before) []plan.Variable {
	own := OwnOf(b.Job)
	if own == nil || len(b.Inner) == 0 {
		return b.Outputs
	}
	in := OwnOf(b.Inner[0].Job)
	if in == nil || in.Frame == own.Frame {
		var out []plan.Variable
		for _, leg := range b.Inner {
			out = append(out, OutputsOf(leg)...)
		}
		return out
	}
	on := triggerOf(in.Frame.File, "workflow_call")
	if on == nil {
		return nil
	}
	env := in.Frame.env()
	env.Contexts["jobs"] = JobsContext(b.Inner)
	var out []plan.Variable
	for _, o := range on.Outputs {
		if text, err := textOf(o.Value, env); err == nil && text != "" {
			out = append(out, plan.Variable{Name: o.Name.Value, Value: text, Raw: true})
		}
	}
	return out
}
