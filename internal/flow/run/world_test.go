package run_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// noon is when the worlds begin.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// parse reads a plan in short: a job a line, its stage and its name, then what is special about it:
//
//	needs a b     waits for these alone ("needs" alone: for nothing)
//	when WHEN     on_success, on_failure, always, regardless (always, also after a cancel), manual (optional), gate (manual and blocking), delayed=5m
//	allow, allow=3,4   failure is allowed, or with these exit codes
//	retry=2, retry=2:script_failure,137
//	key=NAME, env, interruptible
//	child, depend, mirror, expand, self   a late job
//	never=WHY     a job that never runs
//	set=NAME, fast=NAME   a leg of a matrix, without and with fail-fast
//
// A line "cancel on failure" or "on new commit MODE" sets workflow:auto_cancel.
func parse(t testing.TB, text string) *plan.Plan {
	t.Helper()
	p := &plan.Plan{}
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		switch {
		case len(w) == 0:
		case strings.HasPrefix(strings.TrimSpace(line), "cancel on failure"):
			p.Cancel = &plan.AutoCancel{OnJobFailure: "all"}
		case strings.HasPrefix(strings.TrimSpace(line), "on new commit"):
			p.Cancel = &plan.AutoCancel{OnNewCommit: w[3]}
		default:
			j := parseJob(t, w)
			if !slices.Contains(p.Stages, j.Stage) {
				p.Stages = append(p.Stages, j.Stage)
			}
			p.Jobs = append(p.Jobs, j)
		}
	}
	return p
}

func parseJob(t testing.TB, w []string) *plan.Job {
	t.Helper()
	j := &plan.Job{ID: w[1], Name: w[1], Key: w[1], Stage: w[0], When: plan.OnSuccess}
	needs := false
	for _, word := range w[2:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "needs":
			needs, j.Graph = true, true
			continue
		case "always", "on_failure":
			j.When = plan.When(name)
		case "regardless":
			j.When, j.Regardless = plan.Always, true
		case "manual":
			j.When, j.AllowFailure.Any = plan.Manual, true
		case "gate":
			j.When = plan.Manual
		case "delayed":
			j.When = plan.Delayed
			j.Delay, _ = time.ParseDuration(value)
		case "allow":
			j.AllowFailure.Any = value == ""
			j.AllowFailure.ExitCodes = numbers(value)
		case "retry":
			most, rest, _ := strings.Cut(value, ":")
			j.Retry.Max, _ = strconv.Atoi(most)
			for _, r := range strings.Split(rest, ",") {
				if code, err := strconv.Atoi(r); err == nil {
					j.Retry.ExitCodes = append(j.Retry.ExitCodes, code)
				} else if r != "" {
					j.Retry.When = append(j.Retry.When, r)
				}
			}
		case "key":
			j.Key = value
		case "env":
			j.Environment = &plan.Environment{Name: "production"}
		case "interruptible":
			j.Interruptible = true
		case "child":
			j.Late = &plan.Late{Kind: "child"}
		case "depend":
			j.Late = &plan.Late{Kind: "child", Wait: true}
		case "mirror":
			j.Late = &plan.Late{Kind: "child", Wait: true, Mirror: true}
		case "expand", "self":
			j.Late = &plan.Late{Kind: name}
		case "never":
			j.When, j.Why = plan.Never, plan.Decision{Text: value}
		case "set", "fast":
			j.Strategy = &plan.Strategy{Set: value, FailFast: name == "fast"}
		default:
			if !needs {
				t.Fatalf("what is %q?", word)
			}
			j.Needs = append(j.Needs, plan.Need{Job: word})
			continue
		}
		needs = false
	}
	return j
}

func numbers(s string) (out []int) {
	for n := range strings.SplitSeq(s, ",") {
		if i, err := strconv.Atoi(n); err == nil {
			out = append(out, i)
		}
	}
	return out
}

// walker walks a run through a story.
type walker struct {
	t       testing.TB
	r       *run.Run
	p       *plan.Plan
	o       run.Options
	now     time.Time
	bound   map[string]run.Bound
	changes []run.Change
	last    []run.Change
}

func start(t testing.TB, p *plan.Plan, o run.Options) *walker {
	w := &walker{t: t, p: p, o: o, now: noon, bound: map[string]run.Bound{}}
	w.r, w.last = run.New(p, o, noon)
	w.changes = slices.Clone(w.last)
	return w
}

// do takes one line of a story:
//
//	ok JOB..., fail JOB [WHY] [EXIT], start JOB, drop JOB (fails before it began), played JOB, cancel [JOB], retry [JOB],
//	skip JOB, wait JOB, free JOB, tick DURATION, bind JOB, canceled JOB (the agent says so)
func (w *walker) do(line string) error {
	f := strings.Fields(line)
	var errs []error
	fact := func(k event.Kind, job string, failure string, exit *int) {
		changes, err := w.r.Apply(event.Fact{At: w.now, Kind: k, Job: job, Failure: failure, Exit: exit})
		w.take(changes)
		errs = append(errs, err)
	}
	arg := ""
	if len(f) > 1 {
		arg = f[1]
	}
	w.last = nil
	switch f[0] {
	case "ok":
		for _, job := range f[1:] {
			if j, _ := w.r.Job(job); j.Status != run.Running {
				fact(event.Started, job, "", nil)
			}
			fact(event.Finished, job, "", new(int))
		}
	case "fail":
		why, exit := "script_failure", 1
		for _, a := range f[2:] {
			if code, err := strconv.Atoi(a); err == nil {
				exit = code
			} else {
				why = a
			}
		}
		if j, _ := w.r.Job(arg); j.Status != run.Running {
			fact(event.Started, arg, "", nil)
		}
		if why == "script_failure" {
			fact(event.Finished, arg, why, &exit)
		} else {
			fact(event.Finished, arg, why, nil)
		}
	case "canceled":
		fact(event.Finished, arg, "canceled", nil)
	case "drop":
		fact(event.Finished, arg, f[2], nil)
	case "done":
		fact(event.Finished, arg, "", new(int))
	case "start":
		fact(event.Started, arg, "", nil)
	case "play":
		fact(event.Played, arg, "", nil)
	case "cancel":
		fact(event.Canceled, arg, "", nil)
	case "retry":
		fact(event.Retried, arg, "", nil)
	case "skip":
		fact(event.Skipped, arg, "", nil)
	case "wait":
		fact(event.Waiting, arg, "", nil)
	case "free":
		fact(event.Queued, arg, "", nil)
	case "tick":
		d, _ := time.ParseDuration(arg)
		w.now = w.now.Add(d)
		fact(event.Timed, "", "", nil)
	case "bind":
		changes, err := w.r.Bind(arg, w.bound[arg], w.now)
		w.take(changes)
		errs = append(errs, err)
	default:
		w.t.Fatalf("what is %q?", line)
	}
	return errors.Join(errs...)
}

func (w *walker) take(changes []run.Change) {
	w.last = append(w.last, changes...)
	w.changes = append(w.changes, changes...)
}

// state is the run as one line: "running | success a b | pending c".
func state(r *run.Run) string {
	by := map[run.Status][]string{}
	for _, j := range r.Jobs() {
		name := j.ID
		if j.Canceling {
			name += "!"
		}
		if j.Attempt > 1 {
			name += fmt.Sprint("#", j.Attempt)
		}
		by[j.Status] = append(by[j.Status], name)
	}
	out := string(r.Status())
	for _, st := range []run.Status{
		run.Success, run.Failed, run.Canceled, run.Skipped, run.Running, run.Pending, run.Waiting, run.Delayed, run.Manual, run.Created,
	} {
		if len(by[st]) > 0 {
			out += " | " + string(st) + " " + strings.Join(by[st], " ")
		}
	}
	if !r.Done() {
		out += " ..."
	}
	return out
}

// story is a world and what happens in it: lines of do, and lines that begin with "=" and say what came of them. A
// line that begins with "!" is refused with that code; "-" names the changes of the last step.
type story struct {
	o     run.Options
	world string
	bound map[string]string // by job: a plan, or "err TEXT", or "skip TEXT", or "job STAGE NAME WORD..."
	walk  string
}

func (s story) tell(t *testing.T) {
	t.Helper()
	w := start(t, parse(t, s.world), s.o)
	for job, text := range s.bound {
		switch {
		case strings.HasPrefix(text, "err "):
			w.bound[job] = run.Bound{Err: text[4:]}
		case strings.HasPrefix(text, "skip "):
			w.bound[job] = run.Bound{Skip: text[5:]}
		case strings.HasPrefix(text, "job "):
			w.bound[job] = run.Bound{Job: parseJob(t, strings.Fields(text[4:]))}
		default:
			w.bound[job] = run.Bound{Plan: parse(t, text)}
		}
	}
	for line := range strings.Lines(s.walk) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.HasPrefix(line, "= "):
			if got := state(w.r); got != line[2:] {
				t.Fatalf("got  %s\nwant %s", got, line[2:])
			}
		case strings.HasPrefix(line, "- "):
			if got := reasons(w.last); got != line[2:] {
				t.Fatalf("got  %s\nwant %s", got, line[2:])
			}
		case strings.HasPrefix(line, "!"):
			code, rest, _ := strings.Cut(line[1:], " ")
			was := state(w.r)
			if err := w.do(rest); fault.CodeOf(err) != code {
				t.Fatalf("%s: got %v, want %s", rest, err, code)
			}
			if got := state(w.r); got != was {
				t.Fatalf("%s was refused and changed the run:\nfrom %s\nto   %s", rest, was, got)
			}
		default:
			if err := w.do(line); err != nil {
				t.Fatalf("%s: %v (%s)", line, err, state(w.r))
			}
			w.check()
		}
	}
}

// check holds a run against what must always be so: its changes rebuild it, and the plain model agrees.
func (w *walker) check() {
	w.t.Helper()
	restored, err := run.Restore(w.p, w.o, w.changes)
	if err != nil {
		w.t.Fatalf("restore: %v", err)
	}
	if a, b := dump(w.r), dump(restored); a != b {
		w.t.Fatalf("the restored run is another\nrun      %s\nrestored %s", a, b)
	}
}

// dump is all that can be seen of a run.
func dump(r *run.Run) string {
	var b strings.Builder
	next, delayed := r.NextTime()
	fmt.Fprintln(&b, r.Status(), r.Done(), next, delayed, r.Yields())
	for _, j := range r.Jobs() {
		exit := -1
		if j.Exit != nil {
			exit = *j.Exit
		}
		j.Exit = nil
		plan, scope := j.Plan.ID+" "+j.Plan.Name, len(j.Scope.Jobs)
		j.Plan, j.Scope = nil, nil
		fmt.Fprintf(&b, "%+v %s %d %d\n", j, plan, scope, exit)
	}
	return b.String()
}

// reasons are changes as text: "b: created>skipped (job "a" failed)".
func reasons(changes []run.Change) string {
	var out []string
	for _, c := range changes {
		text := fmt.Sprintf("%s: %s>%s", c.Job, c.From, c.To)
		if c.Job == "" {
			text = fmt.Sprintf("pipeline: %s>%s", c.From, c.To)
		}
		for mark, on := range map[string]bool{" cancel": c.Cancel, " bind": c.Bind, " retry": c.Retry} {
			if on {
				text += mark
			}
		}
		if c.Reason != "" {
			text += " (" + c.Reason + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func tellAll(t *testing.T, stories map[string]story) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(stories)) {
		t.Run(name, stories[name].tell)
	}
}
