package lint

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// callee is a workflow that a job calls; trigger is nil where it cannot be called or is not at hand.
type callee struct{ trigger *workflow.Trigger }

// callee finds the workflow that a job calls, and tells once where it cannot be called. nil: nothing is known.
func (c *checker) callee(uses workflow.Text) *callee {
	if strings.Contains(uses.Value, "${{") || uses.Value == "" {
		return nil
	}
	if known, ok := c.calls[uses.Value]; ok {
		return known
	}
	c.calls[uses.Value] = nil
	file, text, ok := c.called(uses)
	if !ok {
		return nil
	}
	f, faults := workflow.Read(file, text)
	out := &callee{}
	c.calls[uses.Value] = out
	i := slices.IndexFunc(f.On, func(t workflow.Trigger) bool { return t.Event == "workflow_call" })
	first := slices.IndexFunc(faults, func(f *fault.Fault) bool { return f.Severity == fault.Error })
	switch {
	case i >= 0 && first >= 0:
		c.mistake(CodeCalled, uses.At(), "the workflow %s has mistakes: %s: %s", uses.Value, faults[first].Place, faults[first].Message).
			WithHint("sluice lint %s", file)
	case i < 0 && first >= 0 && len(f.On) == 0:
		c.mistake(CodeCalled, uses.At(), "the workflow %s cannot be called: %s: %s", uses.Value, faults[first].Place, faults[first].Message)
	case i < 0:
		c.mistake(CodeCalled, uses.At(), "the workflow %s cannot be called: it has no on: workflow_call", uses.Value)
	}
	if i >= 0 {
		out.trigger = &f.On[i]
	}
	return out
}

// called is the text of a workflow that is called.
func (c *checker) called(uses workflow.Text) (file string, text []byte, ok bool) {
	rest, local := strings.CutPrefix(uses.Value, "./")
	if !local {
		rest, local = strings.CutPrefix(uses.Value, "$/")
	}
	if local {
		if c.in.Files == nil || strings.Contains(rest, "@") || strings.Contains(rest, "..") {
			return "", nil, false
		}
		text, err := c.in.Files.Read(c.ctx, rest)
		if errors.Is(err, fs.ErrNotExist) {
			c.mistake(CodeCalled, uses.At(), "there is no workflow %s", uses.Value).WithHint("the path begins at the top of the repository")
		} else if err != nil {
			c.mistake(CodeCalled, uses.At(), "the workflow %s cannot be read: %v", uses.Value, err)
		}
		return rest, text, err == nil
	}
	where, ref, _ := strings.Cut(uses.Value, "@")
	parts := strings.SplitN(where, "/", 3)
	if c.in.Source == nil || len(parts) < 3 || ref == "" {
		return "", nil, false
	}
	text, err := c.in.Source.Read(c.ctx, parts[0]+"/"+parts[1], ref, parts[2])
	return parts[2], text, err == nil
}

// call checks a job that calls a workflow.
func (c *checker) call(j *workflow.Job, s scope) {
	called := c.callee(j.Uses)
	if called == nil || called.trigger == nil {
		c.named(j.With, s)
		c.named(j.Secrets, s)
		return
	}
	c.callInputs(j, called.trigger, s)
	c.named(j.Secrets, s)
	if !j.SecretsInherit {
		c.callSecrets(j, called.trigger)
	}
}

func (c *checker) callInputs(j *workflow.Job, t *workflow.Trigger, s scope) {
	byName := map[string]*workflow.Input{}
	names := make([]string, 0, len(t.Inputs))
	for _, in := range t.Inputs {
		byName[strings.ToLower(in.Name.Value)] = in
		names = append(names, in.Name.Value)
	}
	given := map[string]bool{}
	for _, v := range j.With {
		name := strings.ToLower(v.Name.Value)
		given[name] = true
		in := byName[name]
		if in == nil {
			c.text(v.Value, s)
			c.notThere(CodeCallInput, v.Name, "input", j.Uses.Value, names)
			continue
		}
		c.callInput(in, v, s)
	}
	for _, in := range t.Inputs {
		if in.Required && !in.Default.Set && !given[strings.ToLower(in.Name.Value)] {
			c.mistake(CodeCallInput, j.Uses.At(), "%s needs the input %s", j.Uses.Value, in.Name.Value).WithHint("with: {%s: …}", in.Name.Value)
		}
	}
}

// callInput compares a value with the type of its input. Text takes anything but lists and mappings.
func (c *checker) callInput(in *workflow.Input, v workflow.Named, s scope) {
	want, ok := map[string]expr.TypeKind{"boolean": expr.KnownBool, "number": expr.KnownNumber}[in.Type]
	if !ok {
		c.text(v.Value, s)
		if kind := plainKind(v.Value.Node); kind != expr.KnownString && in.Type == "string" && single(v.Value) == nil && kind != expr.KnownNothing {
			c.note(CodeCallInput, v.Value.At(), "the input %s is text, and gets %s as text", in.Name.Value, words[kind])
		} else if e := single(v.Value); e != nil && in.Type == "string" {
			if t, _ := expr.Infer(e, s); t.Kind == expr.KnownBool || t.Kind == expr.KnownNumber {
				c.note(CodeCallInput, v.Value.At(), "the input %s is text, and gets %s as text", in.Name.Value, words[t.Kind])
			}
		}
		return
	}
	if single(v.Value) != nil {
		c.kind(v.Value, s, "the input "+in.Name.Value, want)
		return
	}
	c.text(v.Value, s)
	if plainKind(v.Value.Node) != want {
		f := c.mistake(CodeCallInput, v.Value.At(), "the input %s is %s, not %s", in.Name.Value, words[want], v.Value.Node.Describe())
		if t := yamlx.TypeOf(yamlx.Core, v.Value.Value); (t == yamlx.Bool && want == expr.KnownBool) || (t == yamlx.Int || t == yamlx.Float) && want == expr.KnownNumber {
			f.WithHint("remove the quotes")
		}
	}
}

// plainKind is the kind of a scalar without expressions.
func plainKind(n *yamlx.Node) expr.TypeKind {
	if n == nil {
		return expr.KnownNothing
	}
	switch n.Type {
	case yamlx.Bool:
		return expr.KnownBool
	case yamlx.Int, yamlx.Float:
		return expr.KnownNumber
	case yamlx.Null:
		return expr.KnownNull
	}
	return expr.KnownString
}

func (c *checker) callSecrets(j *workflow.Job, t *workflow.Trigger) {
	given := map[string]bool{}
	names := make([]string, 0, len(t.Secrets))
	for _, secret := range t.Secrets {
		names = append(names, secret.Name.Value)
	}
	for _, v := range j.Secrets {
		given[strings.ToLower(v.Name.Value)] = true
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, v.Name.Value) }) {
			c.notThere(CodeCallSecret, v.Name, "secret", j.Uses.Value, names)
		}
	}
	for _, secret := range t.Secrets {
		if secret.Required && !given[strings.ToLower(secret.Name.Value)] {
			c.mistake(CodeCallSecret, j.Uses.At(), "%s needs the secret %s", j.Uses.Value, secret.Name.Value).
				WithHint("secrets: {%s: ${{ secrets.%s }}}, or secrets: inherit", secret.Name.Value, secret.Name.Value)
		}
	}
}

func (c *checker) notThere(code string, name workflow.Text, what, where string, names []string) {
	f := c.mistake(code, name.At(), "%s has no %s %q", where, what, name.Value)
	switch meant := near(name.Value, names); {
	case meant != "":
		f.WithHint("did you mean %s?", meant)
	case len(names) == 0:
		f.WithHint("it declares none")
	default:
		f.WithHint("it has %s", strings.Join(names, ", "))
	}
}
