package github

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// eventFile is GITHUB_EVENT_PATH in the private folder, where the runner has it too.
const eventFile = "_github_workflow/event.json"

// setUp makes the job ready: what is hidden, its variables, the event's payload, and the actions of other repositories.
// It reports whether the steps may begin.
func (w *walk) setUp() bool {
	if _, err := w.own.Frame.Secrets(w.Token); err != nil {
		w.complainOf(err)
		w.fail(program.ConfigurationFailed, "the secrets that the caller passes cannot be evaluated: "+err.Error(), nil)
		return false
	}
	w.hide()
	w.contexts()
	if o := w.do(program.Files{Files: []program.File{{Name: eventFile, Content: string(w.own.Frame.Event.Raw)}}}); o.Failure != "" {
		w.fail(o.Failure, o.Message, nil)
		return false
	}
	if !w.variables() {
		return false
	}
	return w.prepare()
}

// hide masks the secrets, and each line of those that have several.
func (w *walk) hide() {
	var values []string
	for _, v := range append(w.own.Frame.Hidden(w.Token), w.Token) {
		values = append(values, v)
		if strings.ContainsAny(v, "\r\n") {
			for line := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == '\r' || r == '\n' }) {
				if len(strings.TrimSpace(line)) > 3 { // a brace or two of a JSON secret would hide half of the log
					values = append(values, line)
				}
			}
		}
	}
	w.mask(values...)
}

// variables are those of the workflow and of the job, and what --env gives over both.
func (w *walk) variables() bool {
	own := w.own
	for _, e := range []struct {
		what string
		env  workflow.Env
	}{{"workflow", own.Frame.File.Env}, {"job", own.Job.Env}} {
		vars, err := w.top.variables(e.env, nil)
		if err != nil {
			w.complainOf(err)
			w.fail(program.ConfigurationFailed, "the variables of the "+e.what+" cannot be evaluated: "+err.Error(), nil)
			return false
		}
		w.env.add(&vars)
	}
	for _, v := range w.Given.Env {
		w.env.set(v.Name, v.Value)
	}
	return true
}
