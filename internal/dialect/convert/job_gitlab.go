package convert

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// job writes one job; it is nil where the job cannot be translated, and above says why.
func (w *gitlabWriter) job(j *job) (m *mapping, above []string) {
	if why := w.impossible(j); why != "" {
		w.bad(CodeJob, j.Place, "job %q is left out: %s", j.Key, why)
		return nil, []string{lostComment("the job %s: %s", j.Key, why)}
	}
	s, m := &scope{w, j}, &mapping{}
	u := w.uses[j]
	above = w.lost(j)
	vars := w.jobVariables(s, u)
	script, after, comments := w.scripts(s, vars)
	if len(comments) > 0 {
		above = append(above, comments...)
	}
	w.containers(s, m, vars)
	if tags := w.tags(s); len(tags) > 0 {
		m.set("tags", tags)
	}
	w.conditions(j, m)
	w.needs(j, u, m)
	w.matrix(j, m)
	if !vars.empty() {
		m.set("variables", vars)
	}
	w.places(s, m)
	if j.Timeout != 360*time.Minute {
		m.set("timeout", spanText(j.Timeout))
	}
	manual := slices.ContainsFunc(j.classes, func(c class) bool { return c.when == plan.Manual })
	if j.AllowFailure.Any || manual {
		m.set("allow_failure", j.AllowFailure.Any)
	}
	if len(u.caches) > 0 {
		m.set("cache", u.caches)
	}
	if len(script) == 0 {
		script = list{"true"}
	}
	m.set("script", script)
	if len(after) > 0 {
		m.set("after_script", after)
	}
	if a := w.artifacts(s, u); !a.empty() {
		m.set("artifacts", a)
	}
	return m, above
}

// impossible says why a job has no form on GitLab.
func (w *gitlabWriter) impossible(j *job) string {
	if j.Late != nil {
		return "it calls a reusable workflow; include: with a pipeline of its own is near"
	}
	for _, c := range j.Computed {
		if c.Key == "strategy" {
			return "its matrix is computed: " + c.Text
		}
		if c.Key == "services" || c.Key == "env" || c.Key == "defaults.run" {
			return c.Key + " is computed: " + c.Text
		}
	}
	for _, leg := range j.legs {
		for _, v := range leg.Matrix {
			if strings.HasPrefix(v.Value, "{") || strings.HasPrefix(v.Value, "[") {
				return "its matrix holds " + v.Value + ", and GitLab's holds texts"
			}
		}
	}
	return ""
}

// lost tells what GitLab has no key for; the name that people see becomes a comment.
func (w *gitlabWriter) lost(j *job) (above []string) {
	for _, c := range j.Computed {
		switch c.Key {
		case "name":
			if !dynamic(c.Text) && slug(c.Text) != slug(j.Key) {
				above = append(above, c.Text)
			} else if dynamic(c.Text) {
				w.note(CodeLost, c.Place, "GitLab names the legs of job %q itself: the name %s is lost", j.Key, c.Text)
			}
		case "permissions":
			w.note(CodeSettings, c.Place, "what $CI_JOB_TOKEN may do is set in the project (permissions of job %q)", j.Key)
		case "continue-on-error", "timeout-minutes", "concurrency.cancel-in-progress":
			w.bad(CodeText, c.Place, "%s of job %q is computed: %s", c.Key, j.Key, c.Text)
		case "container.credentials":
			w.lose(CodeSettings, c.Place, "GitLab takes the credentials of registries from the variable DOCKER_AUTH_CONFIG of the project")
		default:
			w.lose(CodeLost, c.Place, "GitLab has nothing for %s of job %q", c.Key, j.Key)
		}
	}
	if st := j.Strategy; st != nil && len(j.legs) > 1 {
		if st.FailFast {
			w.lose(CodeLost, j.Place, "GitLab has no fail-fast: all legs of job %q run to their end", j.Key)
		}
		if st.Parallel > 0 {
			w.lose(CodeLost, j.Place, "GitLab has no max-parallel: the legs of job %q run as there are runners", j.Key)
		}
	}
	return above
}

// tags are the labels that are not those of GitHub's own runners.
func (w *gitlabWriter) tags(s *scope) row {
	var out row
	own := slices.ContainsFunc(s.job.Tags, func(t string) bool { return strings.EqualFold(t, "self-hosted") })
	for _, t := range s.job.Tags {
		l := strings.ToLower(t)
		switch {
		case l == "self-hosted", strings.HasPrefix(l, "ubuntu-"):
			continue
		case own && (l == "linux" || l == "x64"):
			continue
		}
		text, ok := s.text(t, s.job.Place)
		if !ok {
			continue
		}
		if !own {
			w.lose(CodeRunner, s.job.Place, "job %q wants %s: give a runner of yours this tag", s.job.Key, t)
		}
		out = append(out, text)
	}
	return out
}

// maxNeeds is how many jobs one job of GitLab may need (CI/CD YAML syntax reference, needs).
const maxNeeds = 50

// needs are the jobs waited for, each with whether its files and variables are wanted.
func (w *gitlabWriter) needs(j *job, u *uses, m *mapping) {
	var wanted, direct set
	for _, b := range append(slices.Clone(u.from), w.takes[j]...) {
		wanted.add(b)
	}
	wait := slices.Clone(j.direct)
	for _, b := range w.jobs {
		if wanted.has(b) && !slices.Contains(wait, b) {
			wait = append(wait, b)
		}
	}
	for _, b := range wait {
		direct.add(b)
	}
	// On GitHub a job waits for, and asks, all jobs before it, also through one that is left out or runs after failures.
	for i := 0; i < len(wait); i++ {
		if b := wait[i]; !implied(j.in, b.in) || !b.loyal() {
			for _, far := range b.direct {
				if !direct.has(far) {
					direct.add(far)
					wait = append(wait, far)
				}
			}
		}
	}
	if len(wait) > maxNeeds {
		w.bad(CodeJob, j.Place, "job %q would need %d jobs, and GitLab takes %d at most: put a job between them", j.Key, len(wait), maxNeeds)
	}
	var out list
	for _, b := range w.jobs {
		if !direct.has(b) || w.impossible(b) != "" {
			continue
		}
		one := of("job", b.id)
		if !wanted.has(b) && (len(w.uses[b].uploads) > 0 || len(b.Outputs) > 0) {
			one.set("artifacts", false)
		}
		if !implied(j.in, b.in) {
			one.set("optional", true)
		}
		if len(one.pairs) == 1 {
			out = append(out, b.id)
		} else {
			out = append(out, one)
		}
	}
	if len(out) > 0 {
		m.set("needs", out)
	}
}

func (w *gitlabWriter) matrix(j *job, m *mapping) {
	if len(j.legs) == 1 && len(j.Matrix) == 0 {
		return
	}
	names, values, ok := j.grid()
	if ok && len(names) == 1 && names[0] == indexAxis {
		m.set("parallel", len(j.legs))
		return
	}
	var rows list
	if ok {
		one := &mapping{}
		for i, name := range names {
			one.set(axisName(name), row(values[i]))
		}
		rows = list{one}
	} else {
		for _, leg := range j.legs {
			one := &mapping{}
			for _, v := range leg.Matrix {
				one.set(axisName(v.Name), v.Value)
			}
			rows = append(rows, one)
		}
	}
	m.set("parallel", of("matrix", rows))
}

// places are what the job deploys to and holds.
func (w *gitlabWriter) places(s *scope, m *mapping) {
	j := s.job
	if e := j.Environment; e != nil {
		name, ok := s.text(e.Name, e.Place)
		one := of("name", name)
		if e.URL != "" {
			if url, ok := s.address(e.URL, e.Place); ok {
				one.set("url", url)
			}
		}
		if e.Action == "access" {
			one.set("action", "access")
		}
		if ok {
			m.set("environment", one)
		}
		w.note(CodeSettings, e.Place, "who may deploy to %s, and who approves, is set in GitLab's protected environments", e.Name)
	}
	if g := j.Group; g != nil {
		if name, ok := s.text(g.Name, j.Place); ok {
			m.set("resource_group", name)
		}
		if g.Mode == "single" {
			w.lose(CodeLost, j.Place, "in a resource group of GitLab none of those that wait falls out: all of %s run, one after another", g.Name)
		}
		if g.Cancel {
			w.lose(CodeLost, j.Place, "a resource group of GitLab cancels nobody (cancel-in-progress of %s)", g.Name)
		}
	}
}

// containers are the image and the services. Their variables are the job's on GitLab.
func (w *gitlabWriter) containers(s *scope, m, vars *mapping) {
	j := s.job
	if c := j.Image; c != nil {
		if name, ok := s.text(c.Name, c.Place); ok {
			m.set("image", w.image(c, name))
		}
		for _, v := range c.Env {
			if value, ok := s.text(v.Value, c.Place); ok {
				vars.set(v.Name, value)
			}
		}
	}
	if len(j.Services) == 0 {
		return
	}
	var out list
	for i := range j.Services {
		c := &j.Services[i]
		name, ok := s.text(c.Name, c.Place)
		if !ok {
			continue
		}
		one := of("name", name)
		if len(c.Aliases) > 0 && c.Aliases[0] != imageHost(name) {
			one.set("alias", strings.Join(c.Aliases, ", "))
		}
		if len(c.Entrypoint) > 0 {
			one.set("entrypoint", row(c.Entrypoint))
		}
		if len(c.Command) > 0 {
			one.set("command", row(c.Command))
		}
		env := &mapping{}
		for _, v := range c.Env {
			if value, ok := s.text(v.Value, c.Place); ok {
				env.set(v.Name, value)
			}
		}
		if !env.empty() {
			one.set("variables", env)
		}
		if c.Options != "" || len(c.Volumes) > 0 {
			w.lose(CodeLost, c.Place, "GitLab has no options and volumes for the service %s", serviceName(c))
		}
		if j.Image == nil {
			w.lose(CodeLost, c.Place, "on GitLab the service is reached as %s, not by a port of localhost", serviceName(c))
		}
		if len(one.pairs) == 1 {
			out = append(out, name)
		} else {
			out = append(out, one)
		}
	}
	m.set("services", out)
}

func (w *gitlabWriter) image(c *plan.Container, name string) any {
	m := of("name", name)
	if user, ok := strings.CutPrefix(c.Options, "--user "); ok && !strings.Contains(user, " ") {
		m.set("docker", of("user", user))
	} else if c.Options != "" {
		w.lose(CodeLost, c.Place, "GitLab has no options for an image: %s", c.Options)
	}
	if len(c.Volumes) > 0 || len(c.Ports) > 0 {
		w.lose(CodeLost, c.Place, "GitLab has no volumes and ports for the image %s", c.Name)
	}
	if len(m.pairs) == 1 {
		return name
	}
	return m
}

// jobVariables are those of the job and what checkout says of the sources.
func (w *gitlabWriter) jobVariables(s *scope, u *uses) *mapping {
	m := &mapping{}
	for _, v := range s.job.Variables {
		value, ok := s.text(v.Value, s.job.Place)
		if !ok || gitlabWord(v.Name, value) || isAxis(s.job, v.Name, value) {
			continue
		}
		m.set(v.Name, value)
	}
	switch {
	case !u.checkout:
		m.set("GIT_STRATEGY", "none")
	case u.depth != "":
		m.set("GIT_DEPTH", u.depth)
	}
	if u.submodules != "" {
		m.set("GIT_SUBMODULE_STRATEGY", u.submodules)
	}
	return m
}

// isAxis reports whether a variable is that of the job's matrix, which GitLab sets by itself.
func isAxis(j *job, name, value string) bool {
	if value == "$"+name && slices.Contains(j.axes(), name) {
		return true
	}
	return name == "CI_NODE_TOTAL" && value == "$CI_NODE_TOTAL"
}

// spanText is a length of time as GitLab reads it.
func spanText(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	}
	return fmt.Sprintf("%d seconds", int(d.Seconds()))
}
