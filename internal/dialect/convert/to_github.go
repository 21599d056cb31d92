package convert

import (
	"path"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// githubWriter writes a workflow from the plan of a GitLab pipeline.
type githubWriter struct {
	*teller
	plan      *plan.Plan
	jobs      []*job
	events    []int // occasions by which the workflow is started
	paths     row   // that all jobs want to have changed
	samePaths bool
	tunable   map[string]string // variables that conditions read, with the values of the file
	taken     *set              // jobs whose artifacts others take
	words     map[string]bool   // predefined variables that scripts read and all jobs can be given
}

func toGitHub(p *plan.Plan, faults *fault.List) File {
	w := &githubWriter{teller: newTeller(faults), plan: p, tunable: map[string]string{}, words: map[string]bool{}}
	w.jobs = w.possible(gather(p, func(j *plan.Job) string { return slug(j.Key) }))
	stage := plan.StageOf(p)
	slices.SortStableFunc(w.jobs, func(a, b *job) int { return stage[a.Stage] - stage[b.Stage] })
	w.paths = paths(p, w.jobs)
	w.samePaths = w.paths != nil
	for _, j := range w.jobs {
		j.classes = w.classes(j)
		j.in = no
		for _, c := range j.classes {
			j.in = or(j.in, c.in)
		}
	}
	for _, in := range p.Inputs {
		w.tunable[in.Name] = in.Default
	}
	root := &mapping{}
	root.set("name", w.name())
	whole, exact := w.workflowRules(), true
	if p.Rules == nil {
		exact = false
		for _, j := range w.jobs {
			whole = or(whole, j.in)
		}
	}
	on, guard := w.on(whole, exact)
	root.apart("on", on)
	if on.empty() {
		w.bad(CodeTrigger, fault.Place{File: p.File}, "no event of GitHub starts this pipeline")
		root.set("on", of("workflow_dispatch", nil))
	}
	w.cancel(root)
	jobs := &mapping{}
	for _, j := range w.jobs {
		for i := range j.classes {
			j.classes[i].in = and(j.classes[i].in, guard)
		}
		j.lenient = w.lenient(j)
	}
	for i, j := range w.jobs {
		m, above := w.job(j)
		jobs.set(j.id, m)
		jobs.pairs[i].gap, jobs.pairs[i].above = i > 0, above
	}
	if env := w.env(); !env.empty() {
		root.apart("env", env)
	}
	root.apart("defaults", of("run", of("shell", "bash")))
	root.apart("jobs", jobs)
	return File{Path: ".github/workflows/" + w.fileName() + ".yml", Text: root.print()}
}

func (w *githubWriter) name() string {
	if w.plan.Name != "" {
		if !strings.ContainsAny(w.plan.Name, "$") {
			return w.plan.Name
		}
		w.lose(CodeLost, fault.Place{File: w.plan.File}, "the name %q of the pipeline holds variables; run-name: can say it", w.plan.Name)
	}
	return w.fileName()
}

// fileName is that of the workflow: the pipeline's own without what every GitLab pipeline is called.
func (w *githubWriter) fileName() string {
	name := strings.TrimPrefix(path.Base(w.plan.File), ".")
	name = strings.TrimSuffix(strings.TrimSuffix(name, path.Ext(name)), ".gitlab-ci")
	if name = slug(name); name == "gitlab-ci" || name == "_" {
		return "ci"
	}
	return name
}

// possible leaves out the jobs that cannot be translated; who waits for one waits for what that one waits for.
func (w *githubWriter) possible(all []*job) []*job {
	var out []*job
	for _, j := range all {
		why := ""
		switch {
		case j.Late != nil:
			why = "it starts another pipeline"
		case len(j.Steps) == 0:
			why = "it has no script"
		}
		for _, c := range j.Computed {
			if c.Key == "run" {
				why = "it has steps of GitLab's step runner"
			}
		}
		if why == "" {
			out = append(out, j)
			continue
		}
		w.bad(CodeJob, j.Place, "job %q is left out: %s", j.Name, why)
		for _, later := range all {
			if i := slices.Index(later.direct, j); i >= 0 {
				later.direct = slices.Delete(slices.Clone(later.direct), i, i+1)
				for _, b := range j.direct {
					if !slices.Contains(later.direct, b) {
						later.direct = append(later.direct, b)
					}
				}
			}
			later.before.remove(j)
		}
	}
	return out
}

// cancel is workflow:auto_cancel with interruptible: a newer run of the same ref takes the place of one that runs.
func (w *githubWriter) cancel(root *mapping) {
	all, some := true, false
	for _, j := range w.jobs {
		all, some = all && j.Interruptible, some || j.Interruptible
	}
	switch c := w.plan.Cancel; {
	case c != nil && c.OnNewCommit == "none":
	case all && some:
		root.apart("concurrency", of("group", "${{ github.workflow }}-${{ github.ref }}").set("cancel-in-progress", true))
	case some:
		w.lose(CodeLost, fault.Place{File: w.plan.File}, "GitHub cancels a whole run or nothing, and only some jobs are interruptible: a newer run cancels none")
	}
	if c := w.plan.Cancel; c != nil && c.OnJobFailure == "all" {
		w.lose(CodeLost, fault.Place{File: w.plan.File}, "GitHub has nothing for auto_cancel:on_job_failure")
	}
}

// env are the variables of the whole pipeline, and the predefined ones of GitLab that scripts read.
func (w *githubWriter) env() *mapping {
	v := w.view(nil)
	var own []plan.Variable
	for _, x := range w.plan.Variables {
		if x.Level == plan.Default && !gitVariable(x.Name) {
			own = append(own, x)
		}
	}
	m := v.env(own, fault.Place{File: w.plan.File})
	for _, p := range table {
		if w.words[p.gitlab] && m.get(p.gitlab) == nil {
			m.set(p.gitlab, "${{ "+p.expr+" }}")
		}
	}
	for _, x := range w.plan.Variables {
		if x.Level != plan.Project || !w.words[x.Name] {
			continue
		}
		context := "vars."
		if x.Masked {
			context = "secrets."
		}
		m.set(x.Name, "${{ "+context+x.Name+" }}")
		w.note(CodeSettings, fault.Place{File: w.plan.File}, "give the repository %s%s in its settings", context, x.Name)
	}
	return m
}

// gitVariable reports whether a variable tells GitLab's runner how to fetch the sources.
func gitVariable(name string) bool {
	return name == "GIT_STRATEGY" || name == "GIT_DEPTH" || name == "GIT_SUBMODULE_STRATEGY"
}

// lenient reports whether a job runs also where one before it was left out: GitLab takes such a job out of the graph,
// GitHub skips what waits for it.
func (w *githubWriter) lenient(j *job) bool {
	own := no
	for _, c := range j.classes {
		if c.when != plan.OnFailure && c.when != plan.Always {
			own = or(own, c.in)
		}
	}
	for _, b := range w.jobs {
		if !j.before.has(b) {
			continue
		}
		manual := slices.ContainsFunc(b.classes, func(c class) bool { return c.when == plan.Manual })
		switch {
		case manual && (j.named[b] || !b.AllowFailure.Any):
			// who waits for it waits until a person plays it
		case manual, !implied(w.settled(own), w.settled(b.in)) && !implied(own, b.in):
			return true
		}
	}
	return false
}
