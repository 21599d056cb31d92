package variable

import (
	"cmp"
	"slices"
	"sync"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Phase is when a predefined variable begins to exist (predefined variables reference, variable availability).
type Phase string

// The phases, earliest first.
const (
	PrePipeline Phase = "pre-pipeline" // also in include:rules
	InPipeline  Phase = "pipeline"     // also in rules of jobs
	JobOnly     Phase = "job-only"     // in scripts and what the runner expands
)

// Entry documents one predefined variable and says how its value is found.
type Entry struct {
	Name      string
	Phase     Phase
	When      string // where it exists, "" is always
	Text      string // what it says
	Persisted bool   // not available where the server expands, see "Where variables can be used"
	// Absent says why Sluice never sets it by itself; "" where it does.
	Absent string

	masked, raw, file bool
	pipeline          func(*Facts) (string, bool)
	job               func(*Facts, *Job) (string, bool)
}

// ForInclude are the variables that include:rules and the names of included files see.
func ForInclude(f Facts) []plan.Variable { return forPipeline(&f, PrePipeline) }

// ForPipeline are the variables that all jobs of a pipeline share and that workflow and rules see.
func ForPipeline(f Facts) []plan.Variable { return forPipeline(&f, PrePipeline, InPipeline) }

func forPipeline(f *Facts, phases ...Phase) []plan.Variable {
	var out []plan.Variable
	for i := range Table {
		e := &Table[i]
		if e.pipeline == nil || !slices.Contains(phases, e.Phase) {
			continue
		}
		if v, ok := e.pipeline(f); ok {
			out = append(out, e.variable(v))
		}
	}
	return out
}

// ForRules are the variables that the rules of one job see over those of the pipeline. Of j it reads what the file says
// of the job: name, stage, index, manual, environment.
func ForRules(f Facts, j Job) []plan.Variable { return forJob(&f, &j, jobEntries().rules) }

// ForJob are the variables that a job has over those of the pipeline when it runs: those of ForRules and the job-only
// ones.
func ForJob(f Facts, j Job) []plan.Variable { return forJob(&f, &j, jobEntries().all) }

func forJob(f *Facts, j *Job, entries []*Entry) []plan.Variable {
	out := make([]plan.Variable, 0, len(entries))
	for _, e := range entries {
		v, ok := "", false
		if e.job != nil {
			v, ok = e.job(f, j)
		} else {
			v, ok = e.pipeline(f)
		}
		if ok {
			out = append(out, e.variable(v))
		}
	}
	return out
}

// jobEntries are the entries that depend on the job or come with it.
var jobEntries = sync.OnceValue(func() (e struct{ rules, all []*Entry }) {
	for i := range Table {
		entry := &Table[i]
		switch {
		case entry.job != nil && entry.Phase != JobOnly:
			e.all = append(e.all, entry)
			if !entry.Persisted {
				e.rules = append(e.rules, entry)
			}
		case entry.Phase == JobOnly && (entry.job != nil || entry.pipeline != nil):
			e.all = append(e.all, entry)
		}
	}
	return e
})

func (e *Entry) variable(value string) plan.Variable {
	return plan.Variable{Name: e.Name, Value: value, Level: plan.Predefined, Raw: e.raw, File: e.file, Masked: e.masked && value != ""}
}

// Table is every predefined variable of the documentation, by name.
var Table = slices.SortedFunc(slices.Values(slices.Concat(
	pipelineTable, commitTable, projectTable, serverTable, mergeTable, jobTable, runnerTable, absentTable,
)), func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })

// given is a value that exists where it is not empty.
func given(of func(*Facts) string) func(*Facts) (string, bool) {
	return func(f *Facts) (string, bool) {
		v := of(f)
		return v, v != ""
	}
}

// always is a value that exists also where it is empty.
func always(of func(*Facts) string) func(*Facts) (string, bool) {
	return func(f *Facts) (string, bool) { return of(f), true }
}

// flag is "true" where something holds, and does not exist elsewhere.
func flag(of func(*Facts) bool) func(*Facts) (string, bool) {
	return func(f *Facts) (string, bool) { return "true", of(f) }
}

// merged is a value of merge request pipelines.
func merged(of func(*Facts, *Merge) string) func(*Facts) (string, bool) {
	return func(f *Facts) (string, bool) {
		if f.Merge == nil {
			return "", false
		}
		return of(f, f.Merge), true
	}
}

// mergedGiven is a value of merge request pipelines that exists where it is not empty.
func mergedGiven(of func(*Facts, *Merge) string) func(*Facts) (string, bool) {
	return func(f *Facts) (string, bool) {
		v, ok := merged(of)(f)
		return v, ok && v != ""
	}
}

// ofJob is a value of a job that exists where it is not empty.
func ofJob(of func(*Facts, *Job) string) func(*Facts, *Job) (string, bool) {
	return func(f *Facts, j *Job) (string, bool) {
		v := of(f, j)
		return v, v != ""
	}
}

// ofEnvironment is a value of a job with an environment that exists where it is not empty.
func ofEnvironment(of func(*Environment) string) func(*Facts, *Job) (string, bool) {
	return func(_ *Facts, j *Job) (string, bool) {
		if j.Environment == nil {
			return "", false
		}
		v := of(j.Environment)
		return v, v != ""
	}
}
