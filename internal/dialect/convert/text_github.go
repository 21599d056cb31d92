package convert

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// reference is a variable in a text of GitLab's: $NAME, ${NAME}, %NAME%, and $$ for a dollar.
var reference = regexp.MustCompile(`\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)|%([A-Za-z_][A-Za-z0-9_]*)%`)

// escapeGitHub writes a text of which GitHub is to read nothing as an expression.
func escapeGitHub(s string) string { return strings.ReplaceAll(s, "${{", "${{ '${{' }}") }

// view is what the texts of a job see of variables, in a plan of GitLab.
type view struct {
	*githubWriter
	job    *job // nil for the workflow
	matrix map[string]bool
	own    map[string]plan.Variable
}

func (w *githubWriter) view(j *job) *view {
	v := &view{githubWriter: w, job: j, matrix: map[string]bool{}, own: map[string]plan.Variable{}}
	for _, g := range w.plan.Variables {
		if j != nil && g.Level == plan.Default && slices.Contains(j.Hides, g.Name) {
			continue
		}
		v.own[g.Name] = g
	}
	if j == nil {
		return v
	}
	for _, name := range j.axes() {
		v.matrix[name] = true
	}
	for _, o := range j.Variables {
		v.own[o.Name] = o
	}
	return v
}

// text is a text of GitLab's with what it reads in GitHub's words.
func (v *view) text(s string, at fault.Place) string { return v.fill(s, at, 0) }

func (v *view) fill(s string, at fault.Place, depth int) string {
	if !strings.ContainsAny(s, "$%") {
		return s
	}
	var b strings.Builder
	last := 0
	for _, m := range reference.FindAllStringSubmatchIndex(s, -1) {
		b.WriteString(escapeGitHub(s[last:m[0]]))
		last = m[1]
		name := ""
		for i := 2; i < len(m); i += 2 {
			if m[i] >= 0 {
				name = s[m[i]:m[i+1]]
			}
		}
		if name == "" {
			b.WriteByte('$')
			continue
		}
		b.WriteString(v.variable(name, at, depth))
	}
	b.WriteString(escapeGitHub(s[last:]))
	return b.String()
}

// variable is what stands for $NAME.
func (v *view) variable(name string, at fault.Place, depth int) string {
	if v.matrix[name] {
		return "${{ matrix." + name + " }}"
	}
	if name == "CI_ENVIRONMENT_NAME" && v.job != nil && v.job.Environment != nil && depth < 10 {
		return v.fill(v.job.Environment.Name, at, depth+1)
	}
	if own, ok := v.own[name]; ok {
		switch {
		case own.Level == plan.Project && own.Masked:
			return "${{ secrets." + name + " }}"
		case own.Level == plan.Project:
			return "${{ vars." + name + " }}"
		case own.Raw:
			return escapeGitHub(own.Value)
		case depth < 10:
			return v.fill(own.Value, at, depth+1)
		}
	}
	if name == "CI_COMMIT_SHORT_SHA" || name == "CI_COMMIT_REF_SLUG" {
		long := map[string]string{"CI_COMMIT_SHORT_SHA": "CI_COMMIT_SHA", "CI_COMMIT_REF_SLUG": "CI_COMMIT_REF_NAME"}[name]
		v.lose(CodeText, at, "$%s stands outside of a script, where GitHub can only give $%s", name, long)
		name = long
	}
	if v.job != nil && name == "CI_JOB_NAME" {
		return v.legName(v.job)
	}
	if v.job != nil && name == "CI_JOB_STAGE" {
		return escapeGitHub(v.job.Stage)
	}
	known := func(p predefined) bool {
		context, _, _ := strings.Cut(p.expr, ".")
		return p.expr != "" && context != "job" && (context != "strategy" || v.job != nil) && name != "CI_JOB_NAME" && name != indexAxis
	}
	if p, ok := ofGitLab(name); ok && known(p) {
		return "${{ " + p.expr + " }}"
	}
	if isGitLabs(name) {
		v.bad(CodeText, at, "GitHub has nothing for $%s", name)
		return ""
	}
	v.note(CodeSettings, at, "$%s is not in the file: give it as a configuration variable of the repository, or write secrets.%s where it is one", name, name)
	return "${{ vars." + name + " }}"
}

// see is how a condition sees a variable of the file (seer). One that the file gives a value for can be given another by
// a configuration variable of the repository, as GitLab's settings can.
func (v *view) see(name string) (string, error) {
	switch own, ok := v.own[name]; {
	case v.matrix[name]:
		return "", fmt.Errorf("the condition of a job cannot read its matrix ($%s)", name)
	case ok && own.Level != plan.Project && strings.Contains(own.Value, "$") && !own.Raw:
		return "", fmt.Errorf("$%s is made of other variables", name)
	case ok && own.Level == plan.Project && own.Masked:
		return "", fmt.Errorf("a condition cannot read the secret $%s", name)
	case ok && own.Level != plan.Project:
		return "(" + v.tune(name, own.Value) + ")", nil
	}
	v.note(CodeSettings, fault.Place{File: v.plan.File}, "the configuration variable %s decides which jobs run", name)
	return "vars." + name, nil
}

// env is an env block of variables.
func (v *view) env(vs []plan.Variable, at fault.Place) *mapping {
	m := &mapping{}
	for _, x := range vs {
		value := escapeGitHub(x.Value)
		if !x.Raw {
			value = v.text(x.Value, at)
		}
		if _, ok := v.tunable[x.Name]; ok && x.Level == plan.Default {
			value = "${{ " + v.tune(x.Name, x.Value) + " }}"
		}
		m.set(x.Name, value)
	}
	return m
}

// tune is a variable of the file that a person, or the settings, may give another value.
func (v *view) tune(name, value string) string {
	v.tunable[name] = value
	context := "vars."
	if slices.ContainsFunc(v.plan.Inputs, func(in plan.Input) bool { return in.Name == name }) {
		context = "inputs."
	}
	return context + name + " || " + quoted(value)
}
