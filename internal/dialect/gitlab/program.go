package gitlab

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/lazy"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// NewProgram is the conversation of one attempt of a job, in the order of GitLab's runner: the file variables, the
// hook, caches and artifacts restored, the script, after_script, caches saved, artifacts and reports saved (GitLab
// Runner documentation, job execution flow). in.Paths must be set.
func NewProgram(in Attempt) program.Program {
	j := &job{Attempt: in, vars: in.variables()}
	j.env = j.vars.environ(in.Base)
	j.phases = []func(){j.prepare, j.hook, j.restoreCaches, j.restoreArtifacts, j.runSteps, j.runAfter, j.saveCaches, j.saveArtifacts, j.readReports, j.finish}
	return j
}

// job is a program: phases put actions into the queue, each with what its outcome means.
type job struct {
	Attempt
	vars   values
	env    []string
	phases []func()
	queue  []entry
	last   program.Action
	then   func(program.Outcome)
	result program.Result
	began  bool // the script
	// over is set when nothing further may run for the job: its own time has passed, or the machine fails.
	over bool
}

// entry is one action and what follows from its outcome.
type entry struct {
	action program.Action
	then   func(program.Outcome)
}

// Next gives the outcome of the last action to whoever asked for it, and the next action.
func (j *job) Next(last program.Outcome) (program.Action, bool) {
	j.heed(last)
	if then := j.then; then != nil {
		j.then = nil
		then(last)
	}
	for len(j.queue) == 0 {
		if len(j.phases) == 0 {
			return nil, false
		}
		phase := j.phases[0]
		j.phases = j.phases[1:]
		phase()
	}
	e := j.queue[0]
	j.queue = j.queue[1:]
	j.last, j.then = e.action, e.then
	return e.action, true
}

// heed notices that the job was canceled, or that its time passed, while something other than a script was done.
func (j *job) heed(o program.Outcome) {
	if _, script := j.last.(program.Exec); script || o.Failure != program.Canceled && o.Failure != program.ExecutionTimeout {
		return
	}
	j.fail(o)
	j.over = j.over || o.Failure == program.ExecutionTimeout
}

// Result is how the job ended, once Next has no more.
func (j *job) Result() program.Result { return j.result }

// do queues actions whose outcome decides nothing.
func (j *job) do(actions ...program.Action) {
	for _, a := range actions {
		j.queue = append(j.queue, entry{action: a})
	}
}

// ask queues an action and what its outcome means.
func (j *job) ask(a program.Action, then func(program.Outcome)) {
	j.queue = append(j.queue, entry{a, then})
}

// first puts actions before what is queued already.
func (j *job) first(actions ...program.Action) {
	front := make([]entry, len(actions), len(actions)+len(j.queue))
	for i, a := range actions {
		front[i].action = a
	}
	j.queue = append(front, j.queue...)
}

func (j *job) say(format string, args ...any) {
	j.do(program.Say{Text: fmt.Sprintf(format, args...)})
}

func (j *job) warn(format string, args ...any) {
	j.do(program.Say{Text: fmt.Sprintf(format, args...), Warning: true})
}

// section folds what a phase writes.
func (j *job) section(name, header string, body func()) {
	j.do(program.Section{Name: name, Header: header, Start: true})
	body()
	j.do(program.Section{Name: name})
}

// fail notes why the job failed; the first reason counts.
func (j *job) fail(o program.Outcome) {
	if j.result.Failure == "" {
		j.result.Failure, j.result.Message = o.Failure, o.Message
	}
}

// prepare masks, writes the file variables and asks for the coverage.
func (j *job) prepare() {
	if hidden := j.vars.masked(); len(hidden) > 0 {
		j.do(program.Mask{Values: hidden})
	}
	if files := j.vars.files(); len(files) > 0 {
		j.ask(program.Files{Files: files}, func(o program.Outcome) {
			if o.Failure != "" {
				j.fail(o)
				j.over = true
			}
		})
	}
	if j.Job.Coverage != "" {
		j.do(program.Watch{Pattern: j.Job.Coverage})
	}
	j.strategies()
}

// strategies fails a job that asks for a checkout that there is not: GitLab's runner does so before the script (GitLab
// documentation, Configure runners, Git strategy and Git submodule strategy).
func (j *job) strategies() {
	s, sub := j.vars.get("GIT_STRATEGY"), j.vars.get("GIT_SUBMODULE_STRATEGY")
	why := ""
	switch {
	case !slices.Contains([]string{"", "clone", "fetch", "none", "empty"}, s):
		why = fmt.Sprintf("GIT_STRATEGY is %q, which is not clone, fetch, none or empty", s)
	case s != "none" && s != "empty" && !slices.Contains([]string{"", "none", "normal", "recursive"}, sub):
		why = fmt.Sprintf("GIT_SUBMODULE_STRATEGY is %q, which is not none, normal or recursive", sub)
	default:
		return
	}
	j.fail(program.Outcome{Failure: program.SystemFailure, Message: why})
	j.over = true
}

// hook runs pre_get_sources_script.
func (j *job) hook() {
	for _, s := range j.Job.Steps {
		if s.Name != stepHook || j.stopped() {
			continue
		}
		j.section("get_sources", "Running pre_get_sources_script", func() {
			j.ask(j.exec(s), func(o program.Outcome) {
				o.Failure = j.scriptFailure(o, 0)
				j.ran(o)
			})
		})
	}
}

// stopped reports whether the job has failed already, so that its script does not run.
func (j *job) stopped() bool { return j.over || j.result.Failure != "" }

// runSteps runs the script; each further step only where the one before went well.
func (j *job) runSteps() {
	var main []plan.Step
	for _, s := range j.Job.Steps {
		if !s.After && s.Name != stepHook {
			main = append(main, s)
		}
	}
	if len(main) == 0 || j.stopped() {
		return
	}
	j.do(program.Section{Name: "step_script", Header: `Executing "step_script" stage of the job script`, Start: true})
	j.step(main)
}

// step queues the first of the steps; its outcome queues the next one.
func (j *job) step(steps []plan.Step) {
	j.began = true
	e := j.exec(steps[0])
	if limit := j.duration("RUNNER_SCRIPT_TIMEOUT"); limit > 0 {
		e.Timeout = limit
	}
	j.ask(e, func(o program.Outcome) {
		o.Failure = j.scriptFailure(o, e.Timeout)
		j.ran(o)
		if j.stopped() || len(steps) == 1 {
			j.do(program.Section{Name: "step_script"})
			return
		}
		j.step(steps[1:])
	})
}

// scriptFailure notes whether the job as a whole is over: its own deadline has passed, not that of the script, or the
// machine failed.
func (j *job) scriptFailure(o program.Outcome, limit time.Duration) program.Failure {
	switch {
	case o.Failure == program.ExecutionTimeout && (limit == 0 || o.Duration < limit):
		j.over = true
	case o.Failure != "" && o.Failure != program.ScriptFailure && o.Failure != program.Canceled && o.Failure != program.ExecutionTimeout:
		j.over = true
	case o.Failure == "" && o.Exit != 0:
		return program.ScriptFailure
	}
	return o.Failure
}

// ran takes over how a script went.
func (j *job) ran(o program.Outcome) {
	if o.Failure == "" && o.Exit != 0 {
		o.Failure = program.ScriptFailure
	}
	j.result.Exit = nil
	if o.Failure == "" || o.Failure == program.ScriptFailure {
		exit := o.Exit
		j.result.Exit = &exit
	}
	if o.Failure != "" {
		if o.Message == "" && o.Failure == program.ScriptFailure {
			o.Message = fmt.Sprintf("exit code %d", o.Exit)
		}
		j.fail(o)
	}
}

// exec is a step as one shell.
func (j *job) exec(s plan.Step) program.Exec {
	e := program.Exec{Step: s.Name, Lines: s.Lines, Env: j.env, Dir: s.Dir}
	if len(s.Env) > 0 {
		e.Env = append([]string{}, j.env...)
		for _, v := range s.Env {
			value := v.Value
			if !v.Raw {
				value = j.vars.expand(value)
			}
			e.Env = setEnv(e.Env, v.Name, value)
		}
	}
	if j.vars.get("CI_DEBUG_TRACE") == "true" {
		e.Lines = append([]string{"set -o xtrace"}, e.Lines...)
	}
	return e
}

// defaultAfter is how long after_script may run where RUNNER_AFTER_SCRIPT_TIMEOUT says nothing.
const defaultAfter = 5 * time.Minute

// runAfter runs after_script in a shell of its own, also after a failure or a cancel of the script, and not after the
// job's own time is over (CI/CD YAML syntax reference, after_script). What it does decides nothing, unless
// AFTER_SCRIPT_IGNORE_ERRORS is false.
func (j *job) runAfter() {
	if j.over || !j.began {
		return
	}
	for _, s := range j.Job.Steps {
		if !s.After {
			continue
		}
		e := j.exec(s)
		e.Always, e.Timeout = true, defaultAfter
		if limit := j.duration("RUNNER_AFTER_SCRIPT_TIMEOUT"); limit > 0 {
			e.Timeout = limit
		}
		e.Env = setEnv(append([]string{}, e.Env...), "CI_JOB_STATUS", j.status())
		j.section("after_script", "Running after_script", func() {
			j.ask(e, j.afterRan)
		})
	}
}

func (j *job) afterRan(o program.Outcome) {
	if o.Failure == "" && o.Exit == 0 {
		return
	}
	if j.vars.get("AFTER_SCRIPT_IGNORE_ERRORS") == "false" && j.result.Failure == "" {
		if o.Failure == "" {
			o.Failure = program.ScriptFailure
		}
		j.fail(o)
		return
	}
	why := o.Message
	if why == "" {
		why = fmt.Sprintf("exit code %d", o.Exit)
	}
	j.first(program.Say{Text: "after_script failed, but job will continue unaffected: " + why, Warning: true})
}

// status is CI_JOB_STATUS after the script.
func (j *job) status() string {
	switch j.result.Failure {
	case "":
		return "success"
	case program.Canceled:
		return "canceled"
	default:
		return "failed"
	}
}

// wants reports whether files with this when are kept. A cancel counts as a failure.
func (j *job) wants(when plan.When) bool {
	switch when {
	case plan.Always:
		return true
	case plan.OnFailure:
		return j.result.Failure != ""
	default:
		return j.result.Failure == ""
	}
}

// duration reads a variable as a length of time in the runner's form (10m, 1h30m).
func (j *job) duration(name string) time.Duration {
	d, err := time.ParseDuration(strings.TrimSpace(j.vars.get(name)))
	if err != nil || d < 0 {
		return 0
	}
	return d
}

// finish asks for the coverage, fills in addresses and says how the job ended.
func (j *job) finish() {
	if j.Job.Coverage != "" {
		j.ask(program.Matched{}, func(o program.Outcome) { j.result.Coverage = percentage(j.Job.Coverage, o.Text) })
	}
	if r := j.Job.Release; r != nil && j.result.Failure == "" {
		j.release(r)
	}
	if e := j.Job.Environment; e != nil && e.URL != "" && e.Action == "start" && j.result.Failure == "" {
		with := j.vars.with(j.result.Outputs)
		j.result.Links = append(j.result.Links, program.Link{Label: "environment " + e.Name, URL: with.filled(e.URL)})
	}
}

// release records what the job would publish on a forge.
func (j *job) release(r *plan.Release) {
	tag, name := j.vars.filled(r.TagName), j.vars.filled(r.Name)
	if name == "" {
		name = tag
	}
	j.say("Release %s (%s) is recorded with the run; it is not made on a forge from here", tag, name)
	for _, l := range r.Links {
		j.result.Links = append(j.result.Links, program.Link{Label: "release " + tag + ": " + j.vars.filled(l.Name), URL: j.vars.filled(l.URL)})
	}
}

// numeric is the number in what a coverage pattern found.
var numeric = lazy.Pattern(`\d+(?:\.\d+)?`)

// percentage is the number in the pattern's last group, or in the whole match where it has none (CI/CD YAML syntax
// reference, coverage).
func percentage(pattern, matched string) string {
	if re, err := regexp.Compile(pattern); err == nil {
		if all := re.FindAllStringSubmatch(matched, -1); len(all) > 0 {
			groups := all[len(all)-1]
			if n := numeric.FindString(groups[len(groups)-1]); n != "" {
				return n
			}
		}
	}
	return numeric.FindString(matched)
}
