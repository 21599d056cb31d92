package github

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// secrets are where a workflow's secrets come from: what was given to the run, all that the caller has, or what the
// caller maps to names (workflow syntax, jobs.<job_id>.secrets). A mapping is evaluated when it is asked for, since the
// token of a run is only known then.
type secrets struct {
	given   []plan.Variable
	inherit bool
	mapped  []workflow.Named
	env     *expr.Env // of the job that calls, without secrets
}

// Secrets is the secrets context. token is GITHUB_TOKEN where none was given; a called workflow always has it. The error
// is that of an expression in a mapping.
func (f *Frame) Secrets(token string) (expr.Value, error) {
	b := &expr.ObjectBuilder{}
	b.Set("github_token", expr.String(token))
	if f.caller == nil {
		for _, v := range f.secret.given {
			b.Set(v.Name, expr.String(v.Value))
		}
		return b.Value(), nil
	}
	above, err := f.caller.Secrets(token)
	if err != nil || f.secret.inherit {
		return above, err
	}
	b.Set("github_token", above.Get("github_token"))
	env := expr.Env{Contexts: map[string]expr.Value{}, Funcs: f.secret.env.Funcs}
	for name, v := range f.secret.env.Contexts {
		env.Contexts[name] = v
	}
	env.Contexts["secrets"] = above
	for _, m := range f.secret.mapped {
		text, err := textOf(m.Value, &env)
		if err != nil {
			return expr.Null(), err
		}
		if text != "" { // what is empty was not passed, as on GitHub
			b.Set(m.Name.Value, expr.String(text))
		}
	}
	return b.Value(), nil
}

// Hidden are the values that must not show in the output of a job: those of all its secrets.
func (f *Frame) Hidden(token string) []string {
	v, err := f.Secrets(token)
	if err != nil {
		return nil
	}
	var out []string
	for _, s := range v.Items() {
		if text := s.Text(); strings.TrimSpace(text) != "" {
			out = append(out, text)
		}
	}
	return out
}

// textOf is a text with its expressions put in.
func textOf(t workflow.Text, env *expr.Env) (string, error) {
	if t.Template == nil {
		return t.Value, nil
	}
	return t.Template.Text(env)
}

// valueOf is the value of a text: what YAML says of a plain scalar, what the expression gives where it is one.
func valueOf(t workflow.Text, env *expr.Env) (expr.Value, error) {
	switch {
	case !t.Set:
		return expr.Null(), nil
	case t.Template == nil || t.Template.Static():
		return scalarOf(t.Node), nil
	default:
		return t.Template.Value(env)
	}
}
