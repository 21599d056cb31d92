package keyword

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The stages that are always there, and those of a file that names none (CI/CD YAML syntax reference, stages).
const (
	FirstStage = ".pre"
	LastStage  = ".post"
)

var defaultStages = []string{"build", "test", "deploy"}

// Read makes a file of the merged and resolved configuration tree. It tells every mistake and remark to faults; what
// could be read is in the file in any case, so that later checks find more. root nil or empty is a mistake too.
func Read(root *yamlx.Node, faults *fault.List) *File {
	r := &reader{
		faults: faults, part: InGlobal,
		told:       map[string]bool{},
		seen:       map[mistake]bool{},
		conditions: map[string]*expr.Expr{},
		patterns:   map[string]*expr.Error{},
	}
	f := &File{Place: root.At(), index: map[string]*Job{}, stages: map[string]int{}}
	if !root.IsMapping() {
		if root.IsNull() {
			r.fail(CodeNoJobs, root, "the file has no jobs").WithHint("add a job with a script; sluice init writes a first one")
		} else {
			r.wrong(root, "the file", "a mapping of keywords and jobs")
		}
		r.stages(f, nil)
		return f
	}
	r.globals(f, root)
	r.jobs(f, root)
	r.graph(f)
	return f
}

// isJob reports whether an entry of the top level is a job: everything that is no keyword, and the keywords default
// and workflow where they hold what only jobs hold.
func isJob(name string, value *yamlx.Node) bool {
	k := scopeOf("").kids[name]
	if k == nil || k.In&InGlobal == 0 {
		return true
	}
	return (name == "default" || name == "workflow") && (value.Has("script") || value.Has("trigger") || value.Has("run"))
}

// globals reads what is no job.
func (r *reader) globals(f *File, root *yamlx.Node) {
	d := &Defaults{}
	legacy := map[string]*yamlx.Node{}
	top := scopeOf("")
	var stages *yamlx.Node
	for _, pair := range root.Pairs {
		name := pair.Key.Value
		if isJob(name, pair.Value) || !r.remark(top.kids[name], pair) || pair.Value.IsNull() {
			continue
		}
		r.part = InGlobal
		switch name {
		case "stages":
			stages = pair.Value
		case "variables":
			f.Variables = r.variables(pair.Value, "variables")
		case "workflow":
			r.workflow(&f.Workflow, pair.Value)
		case "image", "services", "cache", "before_script", "after_script":
			legacy[name] = pair.Key
			r.note(CodeDeprecated, fault.Note, pair.Key.At(), "global "+name, "%s at the top level is deprecated in GitLab", name).WithHint(instead)
			r.shared(d, name, pair.Value)
		case "default":
			f.Default = d
			r.defaults(d, pair.Value, legacy)
		}
	}
	r.part = InGlobal
	if f.Default == nil && len(legacy) > 0 {
		f.Default = d
	}
	r.bothDefaults(root, legacy)
	r.stages(f, stages)
}

// bothDefaults tells of keywords that are written at the top level and in default, wherever default stands.
func (r *reader) bothDefaults(root *yamlx.Node, legacy map[string]*yamlx.Node) {
	def := root.Get("default")
	if isJob("default", def) {
		return
	}
	for name, key := range legacy {
		if p, ok := def.Find(name); ok && !p.Value.IsNull() {
			r.fail(CodeTogether, key, "%s is also written in default", name).WithHint("keep the one in default")
		}
	}
}

// defaults reads default:.
func (r *reader) defaults(d *Defaults, n *yamlx.Node, legacy map[string]*yamlx.Node) {
	d.Place = n.At()
	r.part = InDefault
	defer func() { r.part = InGlobal }()
	if !r.mapping(n, "default") {
		return
	}
	for name, pair := range r.fields(n, scopeOf(""), "") {
		r.shared(d, name, pair.Value)
		if name == "timeout" {
			r.note(CodeNoEffect, fault.Warning, pair.Key.At(), name, "timeout has no effect here, as in GitLab").
				WithHint("write it in the jobs (GitLab issue 213634)")
		}
	}
}

// shared reads one keyword that default and the top level can hold.
func (r *reader) shared(d *Defaults, name string, n *yamlx.Node) {
	switch name {
	case "before_script":
		d.BeforeScript = r.script(n, name)
	case "after_script":
		d.AfterScript = r.script(n, name)
	case "hooks":
		d.Hooks = r.hooks(n)
	case "image":
		d.Image = r.image(n)
	case "services":
		d.Services = r.services(n)
	case "cache":
		d.Cache = r.caches(n)
	case "artifacts":
		d.Artifacts = r.artifacts(n)
	case "retry":
		d.Retry = r.retry(n)
	case "tags":
		d.Tags = r.tags(n)
	case "timeout":
		d.Timeout = r.timeout(n)
	case "interruptible":
		d.Interruptible = r.flag(n, name)
	case "id_tokens":
		d.IDTokens = r.idTokens(n)
	case "identity":
		d.Identity = r.choice(n, name, identities)
	}
}

// stages sets the list of stages with .pre first and .post last.
func (r *reader) stages(f *File, n *yamlx.Node) {
	var names []Text
	switch {
	case n == nil:
		for _, s := range defaultStages {
			names = append(names, Text{Value: s})
		}
	case !n.IsSequence():
		r.wrong(n, "stages", "a list of texts")
	default:
		r.flatten(n, "stages", 0, func(item *yamlx.Node) {
			if t := r.limited(item, "a name in stages", 255); t.Set {
				names = append(names, t)
			}
		})
		if len(names) == 0 && len(n.Items) == 0 {
			r.fail(CodeMissing, n, "stages is empty").WithHint("name at least one stage, or leave stages out for build, test and deploy")
		}
	}
	add := func(t Text) {
		if _, there := f.stages[t.Value]; !there {
			f.stages[t.Value] = len(f.Stages)
			f.Stages = append(f.Stages, t)
		}
	}
	add(Text{Value: FirstStage})
	for _, t := range names {
		if t.Value != LastStage {
			add(t)
		}
	}
	add(Text{Value: LastStage})
}

// flatten goes through a list whose items may be lists again, up to ten levels.
func (r *reader) flatten(n *yamlx.Node, what string, level int, do func(*yamlx.Node)) {
	if level >= maxNesting {
		r.fail(CodeNesting, n, "%s is nested more than %d levels deep", what, maxNesting)
		return
	}
	for _, item := range n.Items {
		if item.IsSequence() {
			r.flatten(item, what, level+1, do)
		} else {
			do(item)
		}
	}
}

// workflow reads workflow:.
func (r *reader) workflow(w *Workflow, n *yamlx.Node) {
	w.Place = n.At()
	r.part = InWorkflow
	defer func() { r.part = InGlobal }()
	if !r.mapping(n, "workflow") {
		return
	}
	for name, pair := range r.fields(n, scopeOf("workflow"), "workflow") {
		switch name {
		case "name":
			w.Name = r.short(pair.Value, "workflow:name", 255)
			w.Name.Value = strings.TrimSpace(w.Name.Value)
		case "rules":
			w.Rules = r.rules(pair.Value, "workflow:rules")
		case "auto_cancel":
			w.AutoCancel = r.autoCancel(pair.Value, "workflow:auto_cancel")
		}
	}
}

// autoCancel reads workflow:auto_cancel and that of a workflow rule; path is its path in the table.
func (r *reader) autoCancel(n *yamlx.Node, path string) AutoCancel {
	out := AutoCancel{Place: n.At()}
	if !r.mapping(n, path) {
		return out
	}
	for name, pair := range r.fields(n, scopeOf(path), path) {
		switch name {
		case "on_new_commit":
			out.OnNewCommit = r.choice(pair.Value, path+":on_new_commit", []string{"conservative", "interruptible", "none"})
		case "on_job_failure":
			out.OnJobFailure = r.choice(pair.Value, path+":on_job_failure", []string{"all", "none"})
		}
	}
	return out
}

// variables reads variables: of the file, a job, a service or a rule; path is its path in the table.
func (r *reader) variables(n *yamlx.Node, path string) []Variable {
	if !r.mapping(n, path) {
		return nil
	}
	out := make([]Variable, 0, len(n.Pairs))
	for _, pair := range n.Pairs {
		name := pair.Key.Value
		v := Variable{Name: name, Place: pair.Key.At()}
		switch {
		case pair.Value.IsNull(), pair.Value.IsScalar():
			v.Value = pair.Value.Text()
		case pair.Value.IsMapping() && path == "variables":
			r.longVariable(&v, pair.Value)
		case pair.Value.IsMapping():
			r.fail(CodeVariable, pair.Value, "%s:%s should be text here", path, name).
				WithHint("value, expand, description and options are for variables of the file and of jobs")
		default:
			r.wrong(pair.Value, path+":"+name, "text, a number or true or false")
		}
		if !isVariableName(name) {
			r.note(CodeVariableName, fault.Warning, pair.Key.At(), name, "%s: %q is no name that a shell can read", path, name).
				WithHint("use letters, digits and _ only, the first no digit")
		}
		out = append(out, v)
	}
	return out
}

// longVariable reads a variable in its long form.
func (r *reader) longVariable(v *Variable, n *yamlx.Node) {
	what := "variables:" + v.Name
	v.Prefilled = true
	for name, pair := range r.fields(n, scopeOf("variables:<name>"), what) {
		switch name {
		case "value":
			if !pair.Value.IsScalar() {
				r.wrong(pair.Value, what+":value", "text, a number or true or false")
				continue
			}
			v.Value = pair.Value.Text()
		case "description":
			v.Description = r.text(pair.Value, what+":description")
		case "options":
			v.Options = r.texts(pair.Value, what+":options").Items
		case "expand":
			f := r.flag(pair.Value, what+":expand")
			v.Raw = f.Set && !f.Value
		}
	}
	if len(v.Options) == 0 {
		return
	}
	for _, o := range v.Options {
		if o.Value == v.Value {
			return
		}
	}
	r.fail(CodeVariable, n, "%s: the value %q is not one of its options", what, v.Value)
}

// isVariableName reports whether shells can read a variable of that name.
func isVariableName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
