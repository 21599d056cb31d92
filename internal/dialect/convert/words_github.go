package convert

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// variables sets the predefined variables that GitHub's expressions cannot make, and notes those that they can.
func (w *githubWriter) variables(j *job) list {
	v := w.view(j)
	var lines []string
	for _, name := range j.reads() {
		p, known := ofGitLab(name)
		own, set := v.own[name]
		switch {
		case set && own.Level == plan.Project:
			w.words[name] = true
		case set || v.matrix[name] || alike[name] || jobWords[name]:
		case known && p.shell != "" && name != indexAxis:
			lines = append(lines, `echo "`+name+"="+p.shell+`"`)
		case known && p.shell == "":
			w.words[name] = true
		case isGitLabs(name) && !(name == indexAxis && j.Index > 0 && len(j.Matrix) == 0):
			w.lose(CodeText, j.Place, "the script of job %q reads $%s, which GitHub has nothing for", j.Name, name)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	run := lines[0] + ` >> "$GITHUB_ENV"`
	if len(lines) > 1 {
		run = "{\n  " + strings.Join(lines, "\n  ") + "\n} >> \"$GITHUB_ENV\"\n"
	}
	return list{of("id", variablesID).set("run", run)}
}

// jobWords are predefined variables that differ from job to job.
var jobWords = map[string]bool{
	"CI_JOB_NAME": true, "CI_JOB_STAGE": true, "CI_JOB_STATUS": true, "CI_JOB_TOKEN": true, "CI_NODE_TOTAL": true,
	"CI_ENVIRONMENT_NAME": true, "CI_ENVIRONMENT_URL": true,
}

// ofJob are the predefined variables that differ from job to job and that its scripts read.
func (w *githubWriter) ofJob(j *job, v *view) *mapping {
	m := &mapping{}
	for _, name := range j.reads() {
		if _, own := v.own[name]; own || !jobWords[name] {
			continue
		}
		switch e := j.Environment; {
		case name == "CI_JOB_NAME":
			m.set(name, w.legName(j))
		case name == "CI_JOB_STAGE":
			m.set(name, escapeGitHub(j.Stage))
		case name == "CI_JOB_TOKEN":
			w.lose(CodeSettings, j.Place, "job %q reads $CI_JOB_TOKEN: it gets GitHub's token, which other services take", j.Name)
			m.set(name, "${{ github.token }}")
		case name == "CI_NODE_TOTAL":
			m.set(name, "${{ strategy.job-total }}")
		case name == "CI_ENVIRONMENT_NAME" && e != nil:
			m.set(name, v.text(e.Name, e.Place))
		case name == "CI_ENVIRONMENT_URL" && e != nil && e.URL != "" && report(j, "dotenv") == nil:
			m.set(name, v.text(e.URL, e.Place))
		case name != "CI_JOB_STATUS":
			w.lose(CodeText, j.Place, "the script of job %q reads $%s, which GitHub has nothing for", j.Name, name)
		}
	}
	return m
}

// legName is the name that GitLab gives to a job.
func (w *githubWriter) legName(j *job) string {
	name := escapeGitHub(j.Key)
	switch axes := j.axes(); {
	case len(axes) > 0:
		parts := make([]string, len(axes))
		for i, a := range axes {
			parts[i] = "${{ matrix." + a + " }}"
		}
		return name + ": [" + strings.Join(parts, ", ") + "]"
	case j.Index > 0:
		return name + " ${{ matrix." + indexAxis + " }}/${{ strategy.job-total }}"
	}
	return name
}
