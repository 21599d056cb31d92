package convert

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// indexAxis is the matrix of a job that GitLab runs several times (parallel: 3).
const indexAxis = "CI_NODE_INDEX"

// job writes one job; above are comments on it.
func (w *githubWriter) job(j *job) (m *mapping, above []string) {
	m = &mapping{}
	v := w.view(j)
	if j.id != j.Key {
		m.set("name", escapeGitHub(j.Key))
	}
	steps := w.steps(j, v)
	if needs := w.needs(j); len(needs) > 0 {
		m.set("needs", needs)
	}
	switch text, err := w.condition(j, v); {
	case err != nil:
		w.bad(CodeCondition, j.Place, "job %q: its rules cannot be translated: %v", j.Name, err)
		above = append(above, lostComment("the rules of this job, which never runs as it is: %v", err))
		m.set("if", false)
	case text == "false":
		w.lose(CodeCondition, j.Place, "no event of the workflow lets job %q run", j.Name)
		m.set("if", false)
	case strings.HasPrefix(text, "!"):
		m.set("if", "${{ "+text+" }}")
	case text != "":
		m.set("if", text)
	}
	m.set("runs-on", w.runner(j))
	w.limits(j, m)
	w.places(j, v, m)
	w.matrix(j, m)
	if report(j, "dotenv") != nil {
		m.set("outputs", of("dotenv", "${{ steps."+dotenvID+".outputs.dotenv }}"))
	}
	if env := w.jobEnv(j, v); !env.empty() {
		m.set("env", env)
	}
	w.containers(j, v, m)
	m.set("steps", steps)
	w.lost(j)
	return m, above
}

// needs are the jobs that are waited for, and those whose files or dotenv variables are taken. On GitHub a job waits and
// asks through one that is left out, or that runs after failures; there what is behind it need not be named.
func (w *githubWriter) needs(j *job) row {
	direct := slices.DeleteFunc(slices.Clone(j.direct), func(b *job) bool {
		return slices.ContainsFunc(j.direct, func(c *job) bool { return c.before.has(b) && (j.optional[c] || !c.loyal()) })
	})
	w.far(j)
	for _, b := range j.sources(w.jobs) {
		if (report(b, "dotenv") != nil || b.Artifacts != nil && len(b.Artifacts.Paths) > 0) && !slices.Contains(direct, b) {
			direct = append(direct, b)
		}
	}
	var out row
	for _, b := range w.jobs { // in the order of the file
		if slices.Contains(direct, b) {
			out = append(out, b.id)
		}
	}
	return out
}

// far tells where GitHub asks a job that GitLab does not: success() is about all jobs before, needs about those named.
func (w *githubWriter) far(j *job) {
	if !j.Graph || !j.loyal() {
		return
	}
	for _, c := range j.direct {
		if c.loyal() {
			continue
		}
		for _, b := range w.jobs {
			if c.before.has(b) && !j.named[b] && !b.AllowFailure.Any {
				w.lose(CodeCondition, j.Place, "on GitHub job %q does not run where %q failed, which is before %q; on GitLab it asks %q alone", j.Name, b.Name, c.Name, c.Name)
				return
			}
		}
	}
}

func (w *githubWriter) runner(j *job) any {
	if len(j.Tags) == 0 {
		return "ubuntu-latest"
	}
	w.note(CodeRunner, j.Place, "job %q wants a runner with the tags %s: runs-on names the labels of a self-hosted runner", j.Name, strings.Join(j.Tags, ", "))
	out := row{"self-hosted"}
	for _, t := range j.Tags {
		out = append(out, w.view(j).text(t, j.Place))
	}
	return out
}

func (w *githubWriter) limits(j *job, m *mapping) {
	if j.Timeout > 0 {
		minutes := int(math.Ceil(j.Timeout.Minutes()))
		if j.Timeout%time.Minute != 0 {
			w.note(CodeLost, j.Place, "the timeout of job %q is rounded up to %d minutes", j.Name, minutes)
		}
		m.set("timeout-minutes", minutes)
	}
	manual := slices.ContainsFunc(j.classes, func(c class) bool { return c.when == plan.Manual })
	if j.AllowFailure.Any {
		m.set("continue-on-error", true)
	}
	if manual {
		w.lose(CodeManual, j.Place, "GitHub has no manual jobs: %q runs where the workflow is started by hand with the input %s", j.Name, j.id)
	}
	for _, c := range j.classes {
		if c.when == plan.Delayed {
			w.lose(CodeLost, j.Place, "GitHub has no delayed jobs: %q starts at once", j.Name)
		}
	}
	if len(j.AllowFailure.ExitCodes) > 0 {
		w.lose(CodeLost, j.Place, "GitHub cannot allow single exit codes: %q fails with each", j.Name)
	}
	if j.Retry.Max > 0 {
		w.lose(CodeLost, j.Place, "GitHub has no retry: %q is tried once", j.Name)
	}
}

// places are what the job holds or deploys to.
func (w *githubWriter) places(j *job, v *view, m *mapping) {
	if e := j.Environment; e != nil {
		if e.Action == "start" || e.Action == "" {
			name := v.text(e.Name, e.Place)
			if e.URL == "" {
				m.set("environment", name)
			} else {
				m.set("environment", of("name", name).set("url", w.url(j, v)))
			}
		} else {
			w.lose(CodeLost, e.Place, "GitHub has nothing for environment:action: %s: job %q deploys nowhere", e.Action, j.Name)
		}
		if e.OnStop != "" || e.AutoStopIn > 0 {
			w.lose(CodeLost, e.Place, "GitHub does not stop environments: %s has on_stop or auto_stop_in", e.Name)
		}
		if e.Kubernetes {
			w.lose(CodeLost, e.Place, "GitHub has nothing for environment:kubernetes of %s", e.Name)
		}
	}
	if j.Group != nil { // GitLab lets none of those that wait fall out
		m.set("concurrency", of("group", v.text(j.Group.Name, j.Place)).set("queue", "max"))
	}
}

// url is the address of an environment. Variables of the job's own dotenv report are known when the steps are done.
func (w *githubWriter) url(j *job, v *view) string {
	if report(j, "dotenv") == nil {
		return v.text(j.Environment.URL, j.Environment.Place)
	}
	return reference.ReplaceAllStringFunc(j.Environment.URL, func(s string) string {
		name := strings.Trim(s, "${}%")
		_, own := v.own[name]
		if own || v.matrix[name] || isGitLabs(name) || s == "$$" {
			return v.text(s, j.Environment.Place)
		}
		return "${{ env." + name + " }}"
	})
}

func (w *githubWriter) matrix(j *job, m *mapping) {
	if len(j.legs) == 1 && j.Index == 0 {
		return
	}
	matrix := &mapping{}
	names, values, ok := j.grid()
	switch {
	case len(j.Matrix) == 0:
		var parts numbers
		for i := range j.legs {
			parts = append(parts, strconv.Itoa(i+1))
		}
		matrix.set(indexAxis, parts)
	case ok:
		for i, name := range names {
			matrix.set(name, row(values[i]))
		}
	default:
		var include list
		for _, leg := range j.legs {
			one := &mapping{}
			for _, x := range leg.Matrix {
				one.set(x.Name, x.Value)
			}
			include = append(include, one)
		}
		matrix.set("include", include)
	}
	m.set("strategy", of("fail-fast", false).set("matrix", matrix))
}

// jobEnv are the variables of the job, its matrix and what its script reads of GitLab's that only it has.
func (w *githubWriter) jobEnv(j *job, v *view) *mapping {
	var own []plan.Variable
	for _, x := range j.Variables {
		if !v.matrix[x.Name] && !gitVariable(x.Name) {
			own = append(own, x)
		}
	}
	m := v.env(own, j.Place)
	for _, name := range j.axes() {
		m.set(name, "${{ matrix."+name+" }}")
	}
	if j.Index > 0 && len(j.Matrix) == 0 {
		m.set(indexAxis, "${{ matrix."+indexAxis+" }}")
		m.set("CI_NODE_TOTAL", "${{ strategy.job-total }}")
	}
	for _, p := range w.ofJob(j, v).pairs {
		m.set(p.key, p.value)
	}
	if len(j.Hides) > 0 {
		w.lose(CodeLost, j.Place, "GitHub cannot keep variables from a job: %q sees %s (inherit:variables)", j.Name, strings.Join(j.Hides, ", "))
	}
	return m
}

// containers are the image and the services.
func (w *githubWriter) containers(j *job, v *view, m *mapping) {
	if j.Image != nil {
		m.set("container", w.container(j, v, j.Image))
	}
	if len(j.Services) == 0 {
		return
	}
	services := &mapping{}
	for i := range j.Services {
		s := &j.Services[i]
		name := serviceName(s)
		one := w.container(j, v, &s.Container)
		k, whole := one.(*mapping)
		if !whole {
			k = of("image", one)
		}
		if len(s.Entrypoint) > 0 {
			k.set("entrypoint", strings.Join(s.Entrypoint, " "))
		}
		if len(s.Command) > 0 {
			k.set("command", strings.Join(s.Command, " "))
		}
		if env := v.env(s.Variables, s.Place); !env.empty() {
			k.set("env", env)
		}
		services.set(name, k)
		if len(s.Aliases) > 1 {
			w.lose(CodeLost, s.Place, "a service has one name on GitHub: %s is known as %s only", s.Name, name)
		}
	}
	if j.Image == nil {
		w.lose(CodeLost, j.Services[0].Place, "job %q has services and no image: on GitHub it reaches them by ports on localhost, not by their names", j.Name)
	}
	m.set("services", services)
}

func (w *githubWriter) container(j *job, v *view, c *plan.Container) any {
	name := v.text(c.Name, c.Place)
	m := of("image", name)
	if c.User != "" {
		m.set("options", "--user "+c.User)
	}
	if len(c.PullPolicy) > 0 {
		w.lose(CodeLost, c.Place, "GitHub has no pull_policy: the image %s of job %q is always asked for", c.Name, j.Name)
	}
	if c.Platform != "" {
		w.lose(CodeLost, c.Place, "GitHub has nothing for docker:platform of the image %s", c.Name)
	}
	if len(m.pairs) == 1 {
		return name
	}
	return m
}

// serviceName is the host name of a service: its alias, else GitLab's name for its image.
func serviceName(s *plan.Service) string {
	if len(s.Aliases) > 0 {
		return s.Aliases[0]
	}
	return imageHost(s.Name)
}

var imageTag = regexp.MustCompile(`(:[^/]*|@.*)$`)

// imageHost is the name by which GitLab knows a service without an alias (GitLab documentation, Accessing the services).
func imageHost(image string) string {
	return strings.ReplaceAll(imageTag.ReplaceAllString(image, ""), "/", "-")
}

// lost tells what of the job GitHub has no key for.
func (w *githubWriter) lost(j *job) {
	for _, c := range j.Computed {
		switch {
		case strings.HasPrefix(c.Key, "needs:parallel"):
			w.lose(CodeLost, c.Place, "GitHub waits for all legs of a matrix: %q waits for all of %q", j.Name, c.Text)
		case c.Key == "timeout" || strings.HasPrefix(c.Key, "needs:"):
			w.lose(CodeLost, c.Place, "GitHub has nothing for %s of job %q", c.Key, j.Name)
		default:
			w.bad(CodeJob, c.Place, "GitHub has nothing for %s of job %q", c.Key, j.Name)
		}
	}
	if j.Coverage != "" {
		w.lose(CodeLost, j.Place, "GitHub does not read the coverage of job %q from its log", j.Name)
	}
	if j.Release != nil {
		w.bad(CodeJob, j.Release.Place, "job %q makes a release, which GitHub has no key for: gh release create %s does it in a step", j.Name, j.Release.TagName)
	}
	if j.Pages != nil {
		w.bad(CodeJob, j.Place, "job %q publishes a site: on GitHub actions/upload-pages-artifact and actions/deploy-pages do it", j.Name)
	}
	if j.Confirm != "" {
		w.lose(CodeLost, j.Place, "GitHub asks no question before job %q (manual_confirmation)", j.Name)
	}
}
