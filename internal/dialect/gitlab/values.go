package gitlab

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/variable"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// values are a job's variables when it runs: the strongest of each name, expanded as GitLab and then its runner do.
type values struct {
	dir  string          // where file variables are, as the job sees it
	list []plan.Variable // in the order of precedence
	at   map[string]int
	raw  *variable.Collection // before the expansion
}

// variables puts together what an attempt knows, each at its level.
func (in Attempt) variables() values {
	facts, job := factsOf(in.Occasion), in.facts()
	server := in.server()
	v := resolve(server.With(variable.ForJob(facts, job)...), in.Paths.JobPrivate)
	if in.Job.Image != nil {
		image := plan.Variable{Name: "CI_JOB_IMAGE", Value: v.expand(in.Job.Image.Name), Raw: true}
		v = v.with([]plan.Variable{image})
	}
	return v
}

// server is what GitLab knows of the job's variables before it runs.
func (in Attempt) server() *variable.Collection {
	return variable.New(visible(in.Plan.Variables, in.Job.Hides)...).
		With(in.Job.Variables...).
		With(leveled(in.Outputs, plan.Dotenv)...).
		With(leveled(in.Extra, plan.Pipeline)...)
}

// resolve expands a collection in the two places: on the server, then on the runner.
func resolve(server *variable.Collection, dir string) values {
	expanded, _ := server.Expand(variable.ForRunner) // circles were told when the plan was made
	v := values{dir: dir, raw: server}
	v.list, _ = expanded.Runner(v.path)
	v.at = make(map[string]int, len(v.list))
	for i, x := range v.list {
		v.at[x.Name] = i
	}
	return v
}

// path is where the file of a file variable is.
func (v values) path(name string) string { return v.dir + "/" + name }

// Get finds a variable with its value expanded.
func (v values) Get(name string) (plan.Variable, bool) {
	i, ok := v.at[name]
	if !ok {
		return plan.Variable{}, false
	}
	return v.list[i], true
}

// get is a variable's value as the job's shell sees it: the path of a file variable, "" where it is not defined.
func (v values) get(name string) string {
	x, ok := v.Get(name)
	if ok && x.File {
		return v.path(name)
	}
	return x.Value
}

// expand fills the variables into a text as the runner does.
func (v values) expand(text string) string {
	if !strings.Contains(text, "$") {
		return text
	}
	return or(variable.ExpandRunner(text, v.Get, v.path))
}

// filled fills the variables into a text as the server does, for names and addresses of environments.
func (v values) filled(text string) string {
	if !strings.ContainsAny(text, "$%") {
		return text
	}
	return or(variable.Expand(text, v.Get))
}

// with is a copy with more variables over these.
func (v values) with(more []plan.Variable) values {
	if len(more) == 0 {
		return v
	}
	out := values{dir: v.dir, raw: v.raw, list: slices.Clone(v.list), at: make(map[string]int, len(v.at)+len(more))}
	for name, i := range v.at {
		out.at[name] = i
	}
	for _, x := range more {
		if !x.Raw {
			x.Value = v.expand(x.Value)
		}
		if i, ok := out.at[x.Name]; ok {
			out.list[i] = x
			continue
		}
		out.at[x.Name] = len(out.list)
		out.list = append(out.list, x)
	}
	return out
}

// environ is the whole environment of the job's commands: the user's, with the job's variables over it.
func (v values) environ(base []string) []string {
	out := make([]string, 0, len(base)+len(v.list))
	for _, pair := range base {
		if name, _, ok := strings.Cut(pair, "="); ok {
			if _, mine := v.at[name]; !mine {
				out = append(out, pair)
			}
		}
	}
	for _, x := range v.list {
		if variable.Exportable(x.Name) {
			out = append(out, x.Name+"="+strings.ReplaceAll(v.get(x.Name), "\x00", ""))
		}
	}
	return out
}

// setEnv puts one variable into an environment, in place of one of the same name.
func setEnv(env []string, name, value string) []string {
	for i, pair := range env {
		if strings.HasPrefix(pair, name+"=") {
			env[i] = name + "=" + value
			return env
		}
	}
	return append(env, name+"="+value)
}

// masked are the values that must not show in the job's output, as written and as expanded.
func (v values) masked() []string {
	out := v.raw.Masked()
	for _, x := range v.list {
		if x.Masked && x.Value != "" {
			out = append(out, x.Value)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// files are the variables of type file.
func (v values) files() []program.File {
	var out []program.File
	for _, x := range v.list {
		if x.File && variable.Exportable(x.Name) {
			out = append(out, program.File{Name: x.Name, Content: x.Value})
		}
	}
	return out
}
