package lint

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// action is what is known of an action.
type action struct {
	inputs              []actionInput
	outputs             []string
	anyInput, anyOutput bool
	outdated            bool
	docker              bool
}

type actionInput struct {
	name     string
	required bool // and without a default
	old      bool
	message  string // why it is old, "" where nothing is said
}

// uses checks a step's action, and gives the names of its outputs; nil where they are not known.
func (w *walk) uses(st *workflow.Step, taint tainted) (outputs []string) {
	ref := st.Uses.Value
	if ref == "" || strings.Contains(ref, "${{") {
		return nil
	}
	name, _, _ := strings.Cut(strings.ToLower(ref), "@")
	for _, in := range st.With {
		for _, script := range scripts[name] {
			if strings.EqualFold(in.Name.Value, script) {
				w.injected(in.Value, taint)
			}
		}
	}
	if name == "actions/checkout" {
		w.stranger(st)
	}
	var a *action
	switch {
	case strings.HasPrefix(ref, "docker://"):
		w.image(st.Uses)
	case strings.HasPrefix(ref, "./"), strings.HasPrefix(ref, "$/"):
		a = w.local(st.Uses, w.fetched)
	default:
		w.fetched = w.fetched || strings.Contains(name, "checkout") || strings.Contains(name, "download")
		a = w.remote(st.Uses)
	}
	if a == nil {
		return nil
	}
	w.inputsOf(st, a)
	if a.anyOutput || slices.Contains(anyOutputs, name) {
		return nil
	}
	return a.outputs
}

// image tells what is no docker://image:tag.
func (c *checker) image(uses workflow.Text) {
	image := strings.TrimPrefix(uses.Value, "docker://")
	base := image[strings.LastIndexByte(image, '/')+1:]
	switch {
	case strings.HasSuffix(base, ":"):
		c.mistake(CodeImage, uses.At(), "%q has a colon and no tag behind it", uses.Value).WithHint("write docker://%slatest", image)
	case image != "" && (base == "" || strings.ContainsAny(image, " \t\"'<>{}|^`%") || strings.HasPrefix(image, "/") || strings.Contains(image, "//")):
		c.mistake(CodeImage, uses.At(), "%q names no image", uses.Value).WithHint("write docker://image:tag or docker://host/image:tag")
	}
}

// remote is an action of another repository, from the table or from what is at hand.
func (c *checker) remote(uses workflow.Text) *action {
	a, known := c.actions[uses.Value]
	if !known {
		if a = popularNamed(uses.Value); a == nil {
			a = c.fetch(uses.Value)
		}
		c.actions[uses.Value] = a
	}
	if a != nil && a.outdated {
		c.warn(CodeOutdated, uses.At(), "%s is too old to run on GitHub", uses.Value).WithHint("use a newer version of it")
		return nil
	}
	return a
}

func (c *checker) fetch(uses string) *action {
	where, ref, ok := strings.Cut(uses, "@")
	parts := strings.SplitN(where, "/", 3)
	if c.in.Source == nil || !ok || len(parts) < 2 {
		return nil
	}
	folder := ""
	if len(parts) == 3 {
		folder = parts[2]
	}
	for _, file := range []string{"action.yml", "action.yaml"} {
		text, err := c.in.Source.Read(c.ctx, parts[0]+"/"+parts[1], ref, path.Join(folder, file))
		if err != nil {
			continue
		}
		if m, faults := workflow.ReadAction(file, text); !faults.HasErrors() {
			return describe(m)
		}
		return nil
	}
	return nil
}

// local is an action of the work tree. fetched says that files may have come there by an earlier step.
func (c *checker) local(uses workflow.Text, fetched bool) *action {
	if a, known := c.actions[uses.Value]; known || c.in.Files == nil {
		return a
	}
	c.actions[uses.Value] = nil
	folder := path.Clean(uses.Value[2:])
	if strings.HasPrefix(folder, "../") || folder == ".." {
		return nil
	}
	for _, name := range []string{"action.yml", "action.yaml"} {
		text, err := c.in.Files.Read(c.ctx, path.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			c.warn(CodeLocal, uses.At(), "%s cannot be read: %v", path.Join(folder, name), err)
			return nil
		}
		c.actions[uses.Value] = c.readLocal(uses, path.Join(folder, name), text)
		return c.actions[uses.Value]
	}
	if _, err := c.in.Files.Read(c.ctx, path.Join(folder, "Dockerfile")); err != nil && !fetched {
		c.warn(CodeLocal, uses.At(), "there is no action.yml in %s", uses.Value).
			WithHint("the path begins at the top of the repository, which an earlier step must have checked out")
	}
	return nil
}

var rank = map[fault.Severity]int{fault.Note: 1, fault.Warning: 2, fault.Error: 3}

// readLocal reads an action of the repository and tells the first of its mistakes, or else of its remarks.
func (c *checker) readLocal(uses workflow.Text, file string, text []byte) *action {
	m, faults := workflow.ReadAction(file, text)
	if !c.in.nested {
		faults = append(faults, Check(c.ctx, Input{Action: m, Text: text, Files: c.in.Files, Config: c.in.Config, nested: true})...)
	}
	var worst *fault.Fault
	for _, f := range faults {
		if (f.Severity != fault.Note || f.Code == workflow.CodeUsing) && (worst == nil || rank[f.Severity] > rank[worst.Severity]) {
			worst = f
		}
	}
	if worst != nil {
		c.mistake(CodeAction, uses.At(), "the action %s has mistakes: %s: %s", uses.Value, worst.Place, worst.Message).
			WithHint("sluice lint %s", file).WithSeverity(worst.Severity)
	}
	if m.Node == nil {
		return nil
	}
	return describe(m)
}

// describe is what steps must know of an action.
func describe(m *workflow.Action) *action {
	a := &action{docker: m.Using.Value == "docker", outputs: []string{}}
	for _, in := range m.Inputs {
		a.inputs = append(a.inputs, actionInput{
			name: in.Name.Value, required: in.Required && !in.Default.Set,
			old: in.DeprecationMessage.Set, message: strings.Join(strings.Fields(in.DeprecationMessage.Value), " "),
		})
	}
	for _, o := range m.Outputs {
		a.outputs = append(a.outputs, o.Name.Value)
	}
	if m.Using.Value != "composite" {
		a.anyOutput = len(a.outputs) == 0 // many set outputs that they do not declare
	}
	return a
}

// anyOutputs are actions whose outputs their users name.
var anyOutputs = []string{"actions/github-script", "dorny/paths-filter"}

// inputsOf compares the inputs that a step gives with those of its action.
func (c *checker) inputsOf(st *workflow.Step, a *action) {
	if a.anyInput || st.WithExpr.Set {
		return
	}
	given := map[string]bool{}
	names := make([]string, len(a.inputs))
	for i, in := range a.inputs {
		names[i] = in.name
	}
	for _, v := range st.With {
		name := strings.ToLower(v.Name.Value)
		given[name] = true
		if a.docker && (name == "entrypoint" || name == "args") {
			continue // every Docker action has them
		}
		c.inputOf(st, a, v.Name, names)
	}
	for _, in := range a.inputs {
		if in.required && !given[strings.ToLower(in.name)] {
			c.warn(CodeRequired, st.Uses.At(), "%s needs the input %s", st.Uses.Value, in.name).WithHint("with: {%s: …}", in.name)
		}
	}
}

func (c *checker) inputOf(st *workflow.Step, a *action, name workflow.Text, names []string) {
	for _, in := range a.inputs {
		if !strings.EqualFold(in.name, name.Value) {
			continue
		}
		if in.old && !in.required {
			f := c.warn(CodeDeprecated, name.At(), "the input %s of %s is deprecated", in.name, st.Uses.Value)
			if in.message != "" {
				f.WithHint("%s", in.message)
			}
		}
		return
	}
	f := c.warn(CodeInput, name.At(), "%s has no input %q", st.Uses.Value, name.Value)
	switch meant := near(name.Value, names); {
	case meant != "":
		f.WithHint("did you mean %s?", meant)
	case len(names) == 0:
		f.WithHint("it has no inputs")
	default:
		f.WithHint("it has %s", strings.Join(names, ", "))
	}
}
