package convert

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// outputsEnv is the dotenv report by which a job hands its outputs on.
const outputsEnv = "outputs.env"

// outputFile is where a step's GITHUB_OUTPUT lies.
func outputFile(id string) string { return "$CI_PROJECT_DIR/.outputs-" + slug(id) }

// stepOutput takes steps.ID.outputs.NAME apart.
func stepOutput(source string) (id, name string, ok bool) {
	parts := strings.Split(strings.TrimSpace(source), ".")
	if len(parts) != 4 || parts[0] != "steps" || parts[2] != "outputs" {
		return "", "", false
	}
	return parts[1], parts[3], true
}

// handed is an output of a step that later jobs, or the environment, read.
type handed struct{ step, output, name string }

// handsOn are the outputs that the job hands on.
func (w *gitlabWriter) handsOn(j *job) []handed {
	var out []handed
	add := func(name, value string) {
		parts := segments(value)
		if len(parts) != 1 || !parts[0].expression {
			return
		}
		if id, output, ok := stepOutput(parts[0].text); ok && !strings.HasPrefix(id, glue) {
			out = append(out, handed{id, output, name})
		}
	}
	for _, o := range j.Outputs {
		add(o.Name, o.Value)
	}
	if j.Environment != nil {
		for _, p := range segments(j.Environment.URL) {
			if id, output, ok := stepOutput(p.text); ok && p.expression && !slices.ContainsFunc(out, func(h handed) bool { return h.step == id && h.output == output }) {
				out = append(out, handed{id, output, id + "_" + output})
			}
		}
	}
	return out
}

// keep is the name under which an output of a step is handed on.
func (s *scope) keep(id, output string) string {
	for _, h := range s.handsOn(s.job) {
		if h.step == id && h.output == output {
			return h.name
		}
	}
	return id + "_" + output
}

// scripts are the script and the after_script of a job; comments say what of the steps is lost.
func (w *gitlabWriter) scripts(s *scope, vars *mapping) (script, after list, comments []string) {
	var steps []*plan.Step
	for i := range s.job.Steps {
		if step := &s.job.Steps[i]; !native(step) {
			steps = append(steps, step)
		}
	}
	last := -1
	for i, step := range steps {
		if step.Uses == "" && stepWhen(step.If) == plan.OnSuccess {
			last = i
		}
	}
	lone := w.hoist(s, steps, vars)
	for i, step := range steps {
		lines, ok := w.step(s, step, i < last || lone != step && len(step.Env) > 0, lone == step)
		when := stepWhen(step.If)
		switch {
		case !ok:
			comments = append(comments, lostComment("%s", stepText(step)))
		case when == plan.OnSuccess:
			script = append(script, lines...)
		case when == "" || i < last:
			w.bad(CodeStep, step.Place, "a step of job %q has the condition %s, which a script of GitLab has no place for", s.job.Key, step.If)
			comments = append(comments, lostComment("%s", stepText(step)))
		default:
			if when == plan.OnFailure {
				lines = onlyFailed(lines)
			}
			if step.Allow != "true" {
				w.lose(CodeStep, step.Place, "a failure of after_script does not fail job %q, as that of the step would", s.job.Key)
			}
			after = append(after, lines...)
		}
	}
	if head := w.prelude(s, steps); len(head) > 0 {
		script = append(head, script...)
	}
	return script, after, comments
}

// stepWhen is the condition of a step as a when; "" where it has no such form.
func stepWhen(cond string) plan.When { return plan.When(uploadWhen(cond)) }

// stepText is a step as a comment shows it.
func stepText(s *plan.Step) string {
	var b strings.Builder
	write := func(key, value string) {
		if value != "" {
			b.WriteString(key + ": " + value + "\n")
		}
	}
	write("name", s.Name)
	write("if", s.If)
	write("uses", s.Uses)
	for _, v := range s.With {
		write("  "+v.Name, v.Value)
	}
	for _, l := range s.Lines {
		b.WriteString("run: " + strings.TrimRight(l, "\n") + "\n")
	}
	return strings.TrimRight("the step\n"+b.String(), "\n")
}

func onlyFailed(lines list) list {
	out := list{}
	for _, l := range lines {
		if text, ok := l.(string); ok {
			l = "if [ \"$CI_JOB_STATUS\" = failed ]; then\n" + strings.TrimRight(text, "\n") + "\nfi\n"
		}
		out = append(out, l)
	}
	return out
}

// hoist makes the variables of a job's only step those of the job.
func (w *gitlabWriter) hoist(s *scope, steps []*plan.Step, vars *mapping) *plan.Step {
	var only *plan.Step
	for _, step := range steps {
		if step.Uses != "" {
			continue
		}
		if only != nil {
			return nil
		}
		only = step
	}
	if only == nil {
		return nil
	}
	values := map[string]string{}
	for _, v := range only.Env {
		if vars.get(v.Name) != nil || s.onlyShell(v.Value) {
			return nil
		}
	}
	for _, v := range only.Env {
		value, ok := s.text(v.Value, only.Place)
		if values[v.Name] = value; ok && !gitlabWord(v.Name, value) && !isAxis(s.job, v.Name, value) {
			vars.set(v.Name, value)
		}
	}
	return only
}

// onlyShell reports whether a value is known to the script alone.
func (s *scope) onlyShell(value string) bool {
	return slices.ContainsFunc(segments(value), func(p segment) bool {
		v, err := s.expression(p.text)
		return p.expression && err == nil && v.shell != ""
	})
}

// leaks are the beginnings of commands that change the shell for those behind them.
var leaks = regexp.MustCompile(`(?m)(^|[;&|({]\s*|\bthen\s+|\bdo\s+)\s*(cd|pushd|export|set|shopt|source|\.|trap|exit|alias|umask|ulimit|exec|unset|declare|readonly|local|eval|return)\b|^\s*[A-Za-z_][A-Za-z0-9_]*=|^\s*(function\s+\S+|[A-Za-z_]\w*\s*\(\))`)

// step is a step as items of a script. apart: others come behind it, which are not to see what it does to the shell.
func (w *gitlabWriter) step(s *scope, step *plan.Step, apart, hoisted bool) (list, bool) {
	if step.Uses != "" {
		w.action(s, step)
		return nil, false
	}
	text := strings.Join(step.Lines, "\n")
	text, ok := s.script(text, step.Place)
	if !ok {
		return nil, false
	}
	w.remember(s, step, text)
	if step.Shell == "" && pipes.MatchString(text) {
		w.lose(CodeShell, step.Place, "GitLab ends a script where any part of a pipe fails; the default shell of a step in job %q looks at the last part only", s.job.Key)
	}
	var head []string
	if !hoisted {
		for _, v := range step.Env {
			value, ok := s.word(v.Value, step.Place)
			if !ok {
				return nil, false
			}
			head = append(head, "export "+v.Name+"="+value)
		}
	}
	if step.Dir != "" {
		dir, ok := s.word(step.Dir, step.Place)
		if !ok {
			return nil, false
		}
		head = append(head, "cd "+dir)
	}
	text, ok = w.shell(s, step, text)
	if !ok {
		return nil, false
	}
	if len(head) > 0 || apart && leaks.MatchString(text) {
		text = "(\n" + strings.Join(append(head, strings.TrimRight(text, "\n")), "\n") + "\n)\n"
	}
	var out list
	if step.Name != "" && step.Name != "after_script" {
		out = append(out, comment{step.Name})
	}
	out = append(out, w.before(s, step)...)
	out = append(out, text)
	return append(out, w.behind(s, step)...), true
}

var pipes = regexp.MustCompile(`[^|]\|[^|]`)

// shell wraps a script that another shell runs, that may fail or that has a time limit: each is a process of its own then.
func (w *gitlabWriter) shell(s *scope, step *plan.Step, text string) (string, bool) {
	program := ""
	switch sh := strings.TrimSpace(step.Shell); sh {
	case "", "bash":
		if step.Allow == "true" && stepWhen(step.If) == plan.OnSuccess || step.Limit != "" {
			program = "bash -eo pipefail -c"
		}
	case "sh":
		program = "sh -e -c"
	case "python":
		program = "python3 -c"
	default:
		w.bad(CodeStep, step.Place, "a script of GitLab runs in one shell: a step of job %q wants %s", s.job.Key, sh)
		return "", false
	}
	if dynamic(step.Allow) || dynamic(step.Limit) || strings.Trim(step.Limit, "0123456789") != "" {
		w.bad(CodeStep, step.Place, "a step of job %q has a computed limit or continue-on-error: %s%s", s.job.Key, step.Limit, step.Allow)
		return "", false
	}
	if program == "" {
		return text, true
	}
	text = program + " '" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	if step.Limit != "" {
		text = "timeout " + step.Limit + "m " + text
	}
	if step.Allow == "true" && stepWhen(step.If) == plan.OnSuccess {
		text += " || true"
	}
	return text, true
}

// action tells that a step uses an action.
func (w *gitlabWriter) action(s *scope, step *plan.Step) {
	name := actionOf(step)
	switch {
	case strings.HasPrefix(name, "actions/setup-"):
		w.lose(CodeAction, step.Place, "job %q takes its tool from %s: on GitLab its image has to bring it", s.job.Key, step.Uses)
	default:
		w.bad(CodeAction, step.Place, "job %q uses the action %s, which GitLab cannot run", s.job.Key, step.Uses)
	}
}

// fileWords are the files by which a step of GitHub talks to the runner.
var fileWords = []string{"GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"}

// remember notes what of GitHub's runner a script reads.
func (w *gitlabWriter) remember(s *scope, step *plan.Step, text string) {
	for _, name := range readBy([]string{text}) {
		if _, ok := ofGitHub(name); ok {
			w.words[name] = true
			continue
		}
		switch {
		case slices.Contains(fileWords, name):
			if name == "GITHUB_STEP_SUMMARY" {
				w.lose(CodeLost, step.Place, "GitLab shows no summary: what job %q writes there is lost", s.job.Key)
			}
		case derived[name] != "":
		case strings.HasPrefix(name, "GITHUB_") || strings.HasPrefix(name, "RUNNER_"):
			w.lose(CodeText, step.Place, "the script of job %q reads $%s, which GitLab has nothing for", s.job.Key, name)
		}
	}
}

// derived are variables of GitHub's runner that a shell makes of GitLab's.
var derived = map[string]string{
	"GITHUB_REF":        `"refs/${CI_COMMIT_TAG:+tags}${CI_COMMIT_BRANCH:+heads}/$CI_COMMIT_REF_NAME"`,
	"GITHUB_REF_TYPE":   `"$(if [ -n "${CI_COMMIT_TAG:-}" ]; then echo tag; else echo branch; fi)"`,
	"GITHUB_EVENT_NAME": `"$(case $CI_PIPELINE_SOURCE in merge_request_event) echo pull_request;; web) echo workflow_dispatch;; trigger|api) echo repository_dispatch;; *) echo "$CI_PIPELINE_SOURCE";; esac)"`,
	"RUNNER_TEMP":       `"$(mktemp -d)"`,
	"RUNNER_OS":         "Linux",
	"RUNNER_ARCH":       "X64",
}

// prelude sets what scripts read of GitHub's runner and GitLab's variables cannot say.
func (w *gitlabWriter) prelude(s *scope, steps []*plan.Step) list {
	var lines []string
	var written []string
	for _, step := range steps {
		written = append(written, step.Lines...)
	}
	for _, name := range readBy(written) {
		if value := derived[name]; value != "" {
			lines = append(lines, "export "+name+"="+value)
		}
	}
	for _, file := range fileWords[1:] {
		if !slices.ContainsFunc(steps, func(s *plan.Step) bool { return speaks(s, file) }) {
			continue
		}
		path := `"$(mktemp)"`
		if file == "GITHUB_STEP_SUMMARY" {
			path = "/dev/null"
		}
		lines = append(lines, "export "+file+"="+path)
	}
	if len(lines) == 0 {
		return nil
	}
	return list{strings.Join(lines, "\n")}
}

// before gives a step that sets outputs its file.
func (w *gitlabWriter) before(s *scope, step *plan.Step) list {
	if !speaks(step, "GITHUB_OUTPUT") && !w.heard(s.job, step.ID) {
		return nil
	}
	id := step.ID
	if id == "" {
		id = "none"
	}
	return list{`export GITHUB_OUTPUT="` + outputFile(id) + `" && : > "$GITHUB_OUTPUT"`}
}

// speaks reports whether a script names a file of the runner, in whatever language it is.
func speaks(step *plan.Step, file string) bool {
	return strings.Contains(strings.Join(step.Lines, "\n"), file)
}

// heard reports whether something reads an output of the step.
func (w *gitlabWriter) heard(j *job, id string) bool {
	if id == "" {
		return false
	}
	if slices.ContainsFunc(w.handsOn(j), func(h handed) bool { return h.step == id }) {
		return true
	}
	return slices.ContainsFunc(j.Steps, func(s plan.Step) bool {
		texts := slices.Clone(s.Lines)
		for _, v := range s.Env {
			texts = append(texts, v.Value)
		}
		return strings.Contains(strings.Join(texts, "\n"), "steps."+id+".outputs.")
	})
}

// behind carries on what a step wrote for later steps and jobs.
func (w *gitlabWriter) behind(s *scope, step *plan.Step) list {
	var out list
	if speaks(step, "GITHUB_ENV") {
		out = append(out, `while IFS= read -r line; do export "${line?}"; done < "$GITHUB_ENV"`)
		if strings.Contains(strings.Join(step.Lines, "\n"), "<<") {
			w.lose(CodeStep, step.Place, "a variable of several lines in GITHUB_ENV is not carried on in job %q", s.job.Key)
		}
	}
	if speaks(step, "GITHUB_PATH") {
		out = append(out, `while IFS= read -r dir; do export PATH="$dir:$PATH"; done < "$GITHUB_PATH"`)
	}
	for _, h := range w.handsOn(s.job) {
		if h.step == step.ID {
			out = append(out, fmt.Sprintf(`sed -n 's/^%s=/%s=/p' "%s" >> "$CI_PROJECT_DIR/%s"`, h.output, outputVariable(s.job.Key, h.name), outputFile(step.ID), outputsEnv))
		}
	}
	return out
}
