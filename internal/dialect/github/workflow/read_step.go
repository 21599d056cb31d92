package workflow

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

// stepList reads the steps of a job, or of a composite action.
func (r *reader) stepList(n *yamlx.Node) []*Step {
	if !n.IsSequence() {
		f := r.mistake(CodeType, n.Place, "steps is a list, not %s", n.Describe())
		if n.IsMapping() {
			f.WithHint("begin every step with -")
		}
		return nil
	}
	if len(n.Items) == 0 && !r.inAction {
		r.mistake(CodeEmpty, n.Place, "steps is an empty list")
	}
	out := make([]*Step, 0, len(n.Items))
	seen := make(map[string]Text, len(n.Items))
	for _, item := range n.Items {
		if s := r.step(item); s != nil {
			out = append(out, s)
			r.stepID(s, seen)
		}
	}
	return out
}

// stepID tells ids that are used twice in a job; upper and lower case do not count.
func (r *reader) stepID(s *Step, seen map[string]Text) {
	if s.ID.Value != "" {
		lower := strings.ToLower(s.ID.Value)
		if first, ok := seen[lower]; ok {
			r.mistake(CodeSameID, s.ID.At(), "the id %q is that of the step at line %d already", s.ID.Value, first.At().Line)
		} else {
			seen[lower] = s.ID
		}
	}
	for _, inner := range s.Parallel {
		r.stepID(inner, seen)
	}
}

// kinds are the keys that say what a step is; it has one of them.
var kinds = []string{"run", "uses", "wait", "wait-all", "cancel", "parallel"}

func (r *reader) step(n *yamlx.Node) *Step {
	if s, ok := r.steps[n]; ok {
		return s
	}
	s := &Step{Place: n.Place, Node: n}
	r.steps[n] = s
	path := stepPath
	if r.inAction {
		path = actionScope + "runs.steps[*]"
	}
	if !r.fields(n, "a step", path, func(name string, key, v *yamlx.Node) { r.stepField(s, name, key, v) }) {
		return nil
	}
	r.stepKind(s)
	return s
}

// stepKind tells steps that are nothing, or two things at once.
func (r *reader) stepKind(s *Step) {
	var has []string
	for _, k := range kinds {
		if s.Node.Has(k) && (k == "run" || k == "uses" || !r.inAction) {
			has = append(has, k)
		}
	}
	only := func(kind string, keys ...string) {
		for _, k := range keys {
			if p, ok := s.Node.Find(k); ok && !slices.Contains(has, kind) {
				r.mistake(CodeStep, p.Key.Place, "a step with %s cannot have %s", has[0], k).WithHint("%s goes with %s", k, kind)
			}
		}
	}
	switch {
	case len(has) == 0 && r.inAction:
		r.mistake(CodeStep, s.Place, "the step has neither run nor uses")
	case len(has) == 0:
		f := r.mistake(CodeStep, s.Place, "the step has neither run nor uses")
		if s.Node.Has("with") {
			f.WithHint("with gives inputs to an action: name it with uses")
		}
	case len(has) > 1:
		r.mistake(CodeStep, s.Place, "the step has both %s", strings.Join(has, " and ")).WithHint("make two steps of it")
	default:
		only("uses", "with")
		only("run", "shell", "working-directory")
		if r.inAction && has[0] == "run" && !s.Node.Has("shell") {
			r.mistake(CodeMissing, s.Place, "the step has run and no shell; steps of a composite action must name it").WithHint("shell: bash")
		}
		if has[0] != "run" && has[0] != "uses" {
			r.controlStep(s, has[0])
		}
	}
}

// controlStep is a step that only steers others: wait, wait-all, cancel, parallel.
func (r *reader) controlStep(s *Step, kind string) {
	for _, k := range []string{"if", "env", "background", "timeout-minutes"} {
		if p, ok := s.Node.Find(k); ok {
			r.mistake(CodeStep, p.Key.Place, "a step with %s cannot have %s", kind, k)
		}
	}
}

func (r *reader) stepField(s *Step, name string, key, v *yamlx.Node) {
	base := jobPath + ".steps."
	if r.inAction {
		base = "runs.steps."
	}
	path := base + name
	switch name {
	case "id":
		s.ID = r.plain(v, "id")
		if s.ID.Set && !strings.Contains(s.ID.Value, open) {
			if s.ID.Value == "" {
				r.filled(s.ID, "id")
			} else {
				r.id(s.ID.Value, v.Place, "a step")
			}
		}
	case "name":
		s.Name = r.text(v, "name", path)
	case "if":
		s.If = r.condition(v, "if", path)
	case "uses":
		s.Uses = r.filled(r.plain(v, "uses"), "uses")
		r.actionRef(s.Uses)
	case "run":
		s.Run = r.text(v, "run", path)
		if s.Run.Set && strings.TrimSpace(s.Run.Value) == "" {
			r.warn(CodeUseless, v.Place, "run is empty: the step does nothing")
		}
	case "shell":
		if r.inAction {
			s.Shell = r.filled(r.text(v, "shell", path), "shell")
		} else {
			s.Shell = r.filled(r.plain(v, "shell"), "shell")
		}
		r.shell(s.Shell)
	case "working-directory":
		s.WorkingDirectory = r.text(v, name, path)
	case "with":
		r.with(s, v, path)
	case "env":
		s.Env = r.env(v, "env", path)
	case "continue-on-error":
		s.ContinueOnError = r.boolean(v, name, path)
	case "timeout-minutes":
		s.TimeoutMinutes = r.minutes(v, name, path)
	case "background":
		s.Background = r.boolean(v, name, base+"continue-on-error")
	case "wait":
		s.Wait = r.texts(v, name)
	case "wait-all":
		if s.WaitAll = true; !v.IsNull() {
			r.mistake(CodeValue, v.Place, "wait-all takes no value")
		}
	case "cancel":
		s.Cancel = r.filled(r.plain(v, name), name)
	case "parallel":
		s.Parallel = r.stepList(v)
	}
}

// with reads the inputs of an action: names that differ only in case are the same.
func (r *reader) with(s *Step, n *yamlx.Node, path string) {
	if t, ok := r.whole(n, "with", path); ok {
		s.WithExpr = t
		return
	}
	s.With = r.named(n, "with", path, path, nil)
}

// actionRef tells what is no address of an action.
func (r *reader) actionRef(t Text) {
	ref := t.Value
	if !t.Set || ref == "" || strings.Contains(ref, open) {
		return
	}
	switch {
	case strings.HasPrefix(ref, "docker://"):
		if len(ref) == len("docker://") {
			r.mistake(CodeUses, t.At(), "%q names no image", ref).WithHint("uses: docker://alpine:3.22")
		}
		return
	case strings.HasPrefix(ref, "./"), strings.HasPrefix(ref, `.\`), ref == ".":
		if strings.Contains(ref, "@") {
			r.warn(CodeUses, t.At(), "an action of the work tree takes no @ref: this is a folder whose name has an @")
		}
		return
	case strings.HasPrefix(ref, "$/"):
		if strings.Contains(ref, "@") {
			r.mistake(CodeUses, t.At(), "$/ is the repository at the running commit and takes no @ref").WithHint("write %s", ref[:strings.IndexByte(ref, '@')])
		}
		return
	case strings.HasPrefix(ref, "../"), strings.HasPrefix(ref, "/"):
		r.mistake(CodeUses, t.At(), "%q is no address of an action", ref).WithHint("paths begin with ./ at the work tree's top")
		return
	}
	path, version, at := strings.Cut(ref, "@")
	parts := strings.FieldsFunc(path, func(c rune) bool { return c == '/' || c == '\\' })
	switch {
	case len(parts) < 2:
		f := r.mistake(CodeUses, t.At(), "%q is no address of an action", ref).WithHint("write owner/repo@ref, ./path or docker://image")
		if !at {
			f.WithHint("write owner/repo@ref; for a folder of the work tree ./%s; for an image docker://%s", ref, ref)
		}
	case !at || version == "":
		r.mistake(CodeUses, t.At(), "%q has no @ref", ref).
			WithHint("add the branch, tag or commit: %s@v1; for a folder of the work tree write ./%s", strings.TrimSuffix(ref, "@"), strings.TrimSuffix(ref, "@"))
	case strings.Contains(version, "@"):
		r.mistake(CodeUses, t.At(), "%q has more than one @", ref)
	case strings.Contains(path, "/.github/workflows/") && (strings.HasSuffix(path, ".yml") || strings.HasSuffix(path, ".yaml")):
		r.mistake(CodeUses, t.At(), "%q is a workflow, and a step uses actions", ref).WithHint("call it by a job of its own: jobs: {call: {uses: %s}}", ref)
	}
}
