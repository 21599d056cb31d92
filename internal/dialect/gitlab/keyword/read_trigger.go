package keyword

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// maxChildFiles is how many files a child pipeline may be put together of.
const maxChildFiles = 3

var (
	strategies = []string{"depend", "mirror"}
	stepName   = lazy.Pattern(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

// trigger reads trigger: a project's path, or a mapping with project or include.
func (r *reader) trigger(n *yamlx.Node) *Trigger {
	out := &Trigger{Place: n.At(), Forward: Forward{YAMLVariables: Flag{Value: true}}}
	if _, ok := n.Str(); ok {
		out.Project = r.filled(n, "trigger")
		if out.Project.Set {
			k := scopeOf("trigger").kids["project"]
			r.note(CodeServer, k.Tell, n.At(), k.Path, "trigger: %s", k.Note)
		}
		return out
	}
	if !n.IsMapping() {
		r.wrong(n, "trigger", "the path of a project or a mapping with include or project")
		return out
	}
	child := n.Has("include")
	for name, pair := range r.fields(n, scopeOf("trigger"), "trigger") {
		what, v := "trigger:"+name, pair.Value
		if child && (name == "project" || name == "branch" || name == "inputs") {
			f := r.fail(CodeTogether, pair.Key, "%s and trigger:include exclude each other", what)
			if name == "inputs" {
				f.WithHint("write the inputs below the include that takes them")
			}
			continue
		}
		switch name {
		case "project":
			out.Project = r.filled(v, what)
		case "branch":
			out.Branch = r.filled(v, what)
		case "strategy":
			out.Strategy = r.choice(v, what, strategies)
		case "forward":
			r.forward(&out.Forward, v)
		case "inputs":
			out.Inputs = r.inputs(v, what)
		case "include":
			out.Include, out.Node = r.includes(v), v
		}
	}
	if !child && n.Get("project").IsNull() {
		r.fail(CodeMissing, n, "trigger needs include or project")
	}
	return out
}

// forward reads trigger:forward.
func (r *reader) forward(out *Forward, n *yamlx.Node) {
	if !r.mapping(n, "trigger:forward") {
		return
	}
	for name, pair := range r.fields(n, scopeOf("trigger:forward"), "trigger:forward") {
		f := r.flag(pair.Value, "trigger:forward:"+name)
		if !f.Set {
			continue
		}
		switch name {
		case "yaml_variables":
			out.YAMLVariables = f
		case "pipeline_variables":
			out.PipelineVariables = f
		}
	}
}

// includes reads trigger:include: a path, a mapping or a list of both.
func (r *reader) includes(n *yamlx.Node) []Include {
	items := n.Items
	if !n.IsSequence() {
		items = []*yamlx.Node{n}
	}
	if len(items) == 0 {
		r.fail(CodeMissing, n, "trigger:include is empty")
	}
	if len(items) > maxChildFiles {
		r.fail(CodeLimit, n, "trigger:include has %d files, at most %d are allowed", len(items), maxChildFiles)
	}
	out := make([]Include, 0, len(items))
	for _, item := range items {
		if inc, ok := r.childFile(item); ok {
			out = append(out, inc)
		}
	}
	return out
}

// childFile reads one item of trigger:include. A URL is remote, other text is local.
func (r *reader) childFile(n *yamlx.Node) (Include, bool) {
	out := Include{Node: n, Place: n.At()}
	if _, ok := n.Str(); ok {
		t := r.filled(n, "trigger:include")
		if strings.HasPrefix(t.Value, "https://") || strings.HasPrefix(t.Value, "http://") {
			out.Remote = t
		} else {
			out.Local = t
		}
		return out, t.Set
	}
	if !n.IsMapping() {
		r.wrong(n, "an item of trigger:include", "a path or a mapping")
		return out, false
	}
	for name, pair := range r.fields(n, scopeOf("trigger:include"), "an item of trigger:include") {
		r.childField(&out, name, pair.Value)
	}
	return out, r.childShape(n, &out)
}

// childField reads one keyword of an item of trigger:include.
func (r *reader) childField(out *Include, name string, n *yamlx.Node) {
	what := "trigger:include:" + name
	switch name {
	case "inputs":
		out.Inputs = r.inputs(n, what)
	case "file":
		out.Files = r.oneOrMore(n, what)
	default:
		to := map[string]*Text{
			"local": &out.Local, "remote": &out.Remote, "template": &out.Template, "component": &out.Component,
			"project": &out.Project, "ref": &out.Ref, "artifact": &out.Artifact, "job": &out.Job, "integrity": &out.Integrity,
		}[name]
		if to != nil {
			*to = r.filled(n, what)
		}
	}
}

// childShape checks which keys an item of trigger:include has together.
func (r *reader) childShape(n *yamlx.Node, inc *Include) bool {
	var kinds []string
	for _, kind := range []string{"local", "remote", "template", "component", "project", "artifact"} {
		if !n.Get(kind).IsNull() {
			kinds = append(kinds, kind)
		}
	}
	switch {
	case len(kinds) == 0:
		r.fail(CodeMissing, n, "an item of trigger:include needs local, artifact, project, template, component or remote")
		return false
	case len(kinds) > 1:
		r.fail(CodeTogether, n, "an item of trigger:include has %s, which exclude each other", strings.Join(kinds, " and "))
	case inc.Artifact.Set && !inc.Job.Set:
		r.fail(CodeMissing, n, "trigger:include:artifact needs job beside it").WithHint("name the job whose artifacts hold the file")
	case inc.Job.Set && !inc.Artifact.Set:
		r.failAt(CodeTogether, inc.Job.Place, "trigger:include:job needs artifact beside it")
	case inc.Project.Set && len(inc.Files) == 0 && n.Get("file").IsNull():
		r.fail(CodeMissing, n, "trigger:include:project needs file beside it")
	}
	return true
}

// steps reads run:, a list of steps; nested sequences are steps as well.
func (r *reader) steps(n *yamlx.Node, what string) []Step {
	if !n.IsSequence() {
		r.wrong(n, what, "a list of steps")
		return nil
	}
	if len(n.Items) == 0 {
		r.fail(CodeMissing, n, "%s has no step", what)
	}
	return r.nestedSteps(n, what, 0)
}

func (r *reader) nestedSteps(n *yamlx.Node, what string, level int) []Step {
	if level >= maxNesting {
		r.fail(CodeNesting, n, "%s is nested more than %d levels deep", what, maxNesting)
		return nil
	}
	out := make([]Step, 0, len(n.Items))
	for _, item := range n.Items {
		if r.mapping(item, "a step of "+what) {
			out = append(out, r.step(item, what, level))
		}
	}
	return out
}

// stepKinds are the keywords of which a step has exactly one.
var stepKinds = []string{"script", "step", "func", "action", "exec", "run", "steps"}

// step reads one step.
func (r *reader) step(n *yamlx.Node, what string, level int) Step {
	out := Step{Place: n.At()}
	for name, pair := range r.fields(n, scopeOf("run"), "a step of "+what) {
		v, path := pair.Value, "run:"+name
		switch name {
		case "name":
			out.Name = r.text(v, path)
			if out.Name.Set && !stepName.MatchString(out.Name.Value) {
				r.fail(CodeName, v, "%s can have letters, digits and _ only, and no digit first", path)
			}
		case "script":
			out.Script = r.filled(v, path)
		case "step", "func":
			out.Step = r.stepSource(v, path)
		case "action":
			out.Action = r.filled(v, path)
		case "exec":
			r.exec(&out, v)
		case "run", "steps":
			if v.IsSequence() {
				out.Steps = r.nestedSteps(v, what, level+1)
			} else {
				r.wrong(v, path, "a list of steps")
			}
		case "env":
			out.Env = r.variables(v, path)
		case "inputs":
			out.Inputs = r.inputs(v, path)
		case "outputs":
			out.Outputs = r.inputs(v, path)
		case "delegate":
			out.Delegate = r.text(v, path)
		}
	}
	r.stepShape(n, what)
	return out
}

// stepShape checks that a step says one thing to do.
func (r *reader) stepShape(n *yamlx.Node, what string) {
	var kinds []string
	for _, kind := range stepKinds {
		if !n.Get(kind).IsNull() {
			kinds = append(kinds, kind)
		}
	}
	switch {
	case len(kinds) == 0:
		r.fail(CodeMissing, n, "a step of %s needs script, step, action, exec or run", what)
		return
	case len(kinds) > 1:
		r.fail(CodeTogether, n, "a step of %s has %s, which exclude each other", what, strings.Join(kinds, " and "))
	}
	named := kinds[0] == "script" || kinds[0] == "step" || kinds[0] == "func" || kinds[0] == "action"
	if named && n.Get("name").IsNull() {
		r.fail(CodeMissing, n, "a step of %s with %s needs name", what, kinds[0])
	}
	if kinds[0] == "script" && n.Has("inputs") {
		r.fail(CodeTogether, n, "a step of %s with script takes no inputs", what)
	}
}

// exec reads run:exec.
func (r *reader) exec(out *Step, n *yamlx.Node) {
	if !r.mapping(n, "run:exec") {
		return
	}
	for name, pair := range r.fields(n, scopeOf("run:exec"), "run:exec") {
		switch name {
		case "command":
			out.Exec = r.texts(pair.Value, "run:exec:command").Items
		case "work_dir":
			out.WorkDir = r.text(pair.Value, "run:exec:work_dir")
		}
	}
	if n.Get("command").IsNull() {
		r.fail(CodeMissing, n, "run:exec needs command")
	}
}

// stepSource reads run:step: a short form, or git or oci.
func (r *reader) stepSource(n *yamlx.Node, what string) *StepSource {
	out := &StepSource{Place: n.At()}
	if _, ok := n.Str(); ok {
		out.Short = r.filled(n, what)
		return out
	}
	if !n.IsMapping() {
		r.wrong(n, what, "text or a mapping with git or oci")
		return out
	}
	for name, pair := range r.fields(n, scopeOf("run:step"), what) {
		to, needs := &out.Git, []string{"url", "rev"}
		if name == "oci" {
			to, needs = &out.OCI, []string{"registry", "tag"}
		}
		if !r.mapping(pair.Value, what+":"+name) {
			continue
		}
		to.Set = true
		for key, p := range r.fields(pair.Value, scopeOf("run:step:"+name), what+":"+name) {
			field := map[string]*Text{
				"url": &to.URL, "registry": &to.URL, "repository": &to.Repository, "rev": &to.Rev, "tag": &to.Rev, "dir": &to.Dir, "file": &to.File,
			}[key]
			*field = r.filled(p.Value, what+":"+name+":"+key)
		}
		for _, key := range needs {
			if pair.Value.Get(key).IsNull() {
				r.fail(CodeMissing, pair.Value, "%s:%s needs %s", what, name, key)
			}
		}
	}
	return out
}
