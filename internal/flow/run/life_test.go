package run_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

var open = run.Options{Open: true}

func TestFacts(t *testing.T) {
	tellAll(t, map[string]story{
		"a job waits for its resource group": {
			world: "test a",
			walk: `
				wait a
				= waiting | waiting a ...
				wait a
				free a
				= pending | pending a ...
				free a
				wait a
				start a
				= running | running a ...`,
		},
		"what has not begun does not end well": {
			world: "test a\ndeploy b",
			walk: `
				!SL1311 done a
				!SL1311 start b
				!SL1311 retry a
				!SL1312 start c
				drop a runner_system_failure
				= failed | failed a | skipped b`,
		},
		"what has ended has ended": {
			world: "test a\ntest b",
			walk: `
				ok a
				!SL1311 done a
				!SL1311 start a
				!SL1311 cancel a
				!SL1311 play a
				!SL1311 skip a
				ok b
				= success | success a b
				!SL1313 cancel
				!SL1313 retry a
				!SL1313 retry`,
		},
		"a job is left out by hand": {
			world: "test a\ntest b gate\ndeploy c",
			walk: `
				skip b
				ok a
				= running | success a | skipped b | pending c ...`,
		},
		"a delayed job waits for its time": {
			world: "test a delayed=5m\ntest b delayed=1m\ndeploy c",
			walk: `
				= delayed | delayed a b | created c ...
				tick 59s
				= delayed | delayed a b | created c ...
				tick 1s
				= running | pending b | delayed a | created c ...
				tick 4m
				= pending | pending a b | created c ...
				ok a b c
				= success | success a b c`,
		},
		"a delayed job is started now": {
			world: "test a delayed=5m",
			walk: `
				play a
				= pending | pending a ...
				tick 10m
				= pending | pending a ...`,
		},
	})
}

func TestCancel(t *testing.T) {
	tellAll(t, map[string]story{
		"the run: what runs is asked to stop, what has not begun is canceled": {
			world: "build a\nbuild b\nbuild m manual\ntest c always\ntest d delayed=1m needs",
			walk: `
				start a
				cancel
				= running | canceled b c d | running a! | manual m ...
				canceled a
				= canceled | canceled a b c d | manual m`,
		},
		"jobs that run regardless outlive the first cancel, and no other": {
			world: "x a\nx b regardless needs a\nx c needs b\nx d regardless needs c\nx e always needs a\nx f regardless needs",
			walk: `
				start a
				cancel
				= running | canceled c e | running a! | pending d f | created b ...
				canceled a
				= running | canceled a c e | pending b d f ...
				start b
				done b
				= running | success b | canceled a c e | pending d f ...
				start d
				cancel
				= running | success b | canceled a c e f | running d! ...
				canceled d
				= canceled | success b | canceled a c d e f`,
		},
		"what a script says after it was told to stop does not count": {
			world: "build a retry=2\nbuild b",
			walk: `
				start a
				start b
				cancel
				fail a
				done b
				= canceled | canceled a b`,
		},
		"a blocked run": {
			world: "test a\ntest b gate\ndeploy c",
			walk: `
				ok a
				= manual | success a | manual b | created c
				cancel
				= canceled | success a | canceled c | manual b`,
		},
		"a blocked run that is taken up again waits again": {
			o:     open,
			world: "test a gate\ntest b gate",
			walk: `
				cancel
				= canceled | manual a b
				play a
				= running | pending a | manual b ...
				ok a
				= manual | success a | manual b`,
		},
		"one job of several": {
			world: "build a\nbuild b\ntest c",
			walk: `
				start a
				cancel a
				= running | running a! | pending b | created c ...
				ok b
				canceled a
				= canceled | success b | canceled a | skipped c`,
		},
		"the first failure, where the pipeline says so": {
			world: "cancel on failure\nbuild a\nbuild b\nbuild c allow retry=1\ntest d",
			walk: `
				start b
				fail c
				= running | running b | pending a c#2 | created d ...
				fail c
				= running | failed c#2 | running b | pending a | created d ...
				fail a
				= running | failed a c#2 | canceled d | running b! ...
				canceled b
				= failed | failed a c#2 | canceled b d`,
		},
		"and not a failure that is tried again": {
			world: "cancel on failure\nbuild a retry=1\nbuild b",
			walk: `
				fail a
				= pending | pending a#2 b ...
				fail a
				= failed | failed a#2 | canceled b`,
		},
	})
}

func TestRetry(t *testing.T) {
	tellAll(t, map[string]story{
		"as often as asked": {
			world: "test a retry=2\ndeploy b",
			walk: `
				fail a
				- a: pending>running, pipeline: pending>running, a: running>pending retry, pipeline: running>pending
				fail a
				= pending | pending a#3 | created b ...
				fail a
				= failed | failed a#3 | skipped b`,
		},
		"until it passes": {
			world: "test a retry=2\ndeploy b",
			walk: `
				fail a
				ok a b
				= success | success a#2 b`,
		},
	})
}

func TestWhichFailuresAreTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		job     string
		failure string
		exit    int // -1: none
		fresh   bool
		want    bool
	}{
		"nothing was asked":                               {"", "script_failure", 1, false, false},
		"any failure":                                     {"retry=1", "script_failure", 1, false, true},
		"always":                                          {"retry=1:always", "missing_dependency_failure", -1, false, true},
		"the failure that is named":                       {"retry=1:script_failure", "script_failure", 1, false, true},
		"a failure that is not named":                     {"retry=1:api_failure,runner_unsupported", "script_failure", 1, false, false},
		"one of several":                                  {"retry=1:api_failure,job_execution_timeout", "job_execution_timeout", -1, false, true},
		"a timeout is stuck_or_timeout_failure":           {"retry=1:stuck_or_timeout_failure", "job_execution_timeout", -1, false, true},
		"being stuck is stuck_or_timeout_failure":         {"retry=1:stuck_or_timeout_failure", "stuck_pending_no_matching_runners", -1, false, true},
		"a script's failure is not":                       {"retry=1:stuck_or_timeout_failure", "script_failure", 1, false, false},
		"an image that is not there is the runner's":      {"retry=1:runner_system_failure", "image_pull_failure", -1, false, true},
		"an exit code":                                    {"retry=1:137", "script_failure", 137, false, true},
		"another exit code":                               {"retry=1:137", "script_failure", 1, false, false},
		"exit codes alone mean no other failure":          {"retry=1:137", "runner_system_failure", -1, false, false},
		"an exit code or a reason: the code":              {"retry=1:137,api_failure", "script_failure", 137, false, true},
		"an exit code or a reason: the reason":            {"retry=1:137,api_failure", "api_failure", -1, false, true},
		"a cancel is none":                                {"retry=1", "canceled", -1, false, false},
		"the scheduler's failures without being asked":    {"", "scheduler_failure", -1, false, true},
		"unless another failure is named":                 {"retry=1:api_failure", "scheduler_failure", -1, false, true},
		"no runner that fits":                             {"retry=2", "no_matching_runner", -1, false, false},
		"an end that nobody saw":                          {"retry=2", "unknown", -1, false, false},
		"a deployment whose script failed":                {"env retry=1", "script_failure", 1, false, true},
		"a deployment under which the machinery failed":   {"env retry=1", "runner_system_failure", -1, false, false},
		"a deployment that had not begun":                 {"env retry=1", "runner_system_failure", -1, true, true},
		"a deployment whose end nobody saw":               {"env retry=1", "unknown_failure", -1, false, false},
		"a job that is no deployment, by unknown_failure": {"retry=1", "unknown_failure", -1, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			j := parseJob(t, strings.Fields("test a "+c.job))
			var exit *int
			if c.exit >= 0 {
				exit = &c.exit
			}
			if got := run.Again(j, 1, c.failure, exit, !c.fresh); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
	j := &plan.Job{Retry: plan.Retry{Max: 2}}
	for attempt, want := range map[int]bool{1: true, 2: true, 3: false} {
		if got := run.Again(j, attempt, "script_failure", nil, true); got != want {
			t.Errorf("after attempt %d: %v", attempt, got)
		}
	}
}

func TestOptions(t *testing.T) {
	const world = "build a\nbuild b\ntest c key=test\ntest d on_failure\ndeploy e gate\ndeploy f manual needs c\ncleanup g delayed=1h"
	choose := func(names ...string) *plan.Choice {
		c, err := plan.Choose(parse(t, world), names, false)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	tellAll(t, map[string]story{
		"manual jobs named beforehand are played": {
			o: run.Options{Play: []string{"e"}}, world: world,
			walk: `
				ok a b c
				- a: pending>running, pipeline: pending>running, a: running>success, b: pending>running, b: running>success, c: created>pending, d: created>skipped (nothing before it failed), c: pending>running, c: running>success, f: created>manual (waits to be played), e: created>pending (played)
				ok e
				= delayed | success a b c e | skipped d | delayed g | manual f ...`,
		},
		"all manual jobs are played": {
			o: run.Options{PlayAll: true}, world: world,
			walk: `
				ok a b c
				= running | success a b c | skipped d | pending e f | created g ...`,
		},
		"one job alone": {
			o: run.Options{Choice: choose("c")}, world: world,
			walk: `
				= pending | skipped a b d e f g | pending c ...
				!SL1311 start a
				!SL1311 retry a
				ok c
				= success | success c | skipped a b d e f g`,
		},
		"a manual job that was chosen is played": {
			o: run.Options{Choice: choose("e")}, world: world,
			walk: `= pending | skipped a b c d f g | pending e ...`,
		},
		"a job for failures that was chosen alone runs": {
			o: run.Options{Choice: choose("d")}, world: world,
			walk: `= pending | skipped a b c e f g | pending d ...`,
		},
		"chosen jobs keep their order": {
			o: run.Options{Choice: choose("a", "f")}, world: world,
			walk: `= pending | skipped b c d e g | pending a f ...`,
		},
		"a chosen stage waits for a chosen stage": {
			o: run.Options{Choice: choose("a", "e")}, world: world,
			walk: `
				= pending | skipped b c d f g | pending a | created e ...
				fail a
				= failed | failed a | skipped b c d e f g`,
		},
		"a delayed job named beforehand starts at once": {
			o: run.Options{Play: []string{"g"}, Choice: choose("g")}, world: world,
			walk: `= pending | skipped a b c d e f | pending g ...`,
		},
	})
}

func TestYields(t *testing.T) {
	for name, c := range map[string]struct{ world, walk, want string }{
		"before anything began":                 {"build a\ntest b", "", "a b"},
		"conservative: once a job began":        {"build a\ntest b interruptible", "start a", ""},
		"conservative: only interruptible ones": {"build a interruptible\ntest b", "start a", "a b"},
		"interruptible ones alone":              {"on new commit interruptible\nbuild a\nbuild b interruptible\ntest c interruptible", "start a", "b c"},
		"none":                                  {"on new commit none\nbuild a interruptible", "", ""},
		"what is over does not":                 {"build a interruptible\nbuild b interruptible", "ok a", "b"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, parse(t, c.world), run.Options{})
			if c.walk != "" {
				if err := w.do(c.walk); err != nil {
					t.Fatal(err)
				}
			}
			if got := strings.Join(w.r.Yields(), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestStaleFacts(t *testing.T) {
	r, _ := run.New(parse(t, "test a retry=1"), run.Options{ID: "7"}, noon)
	apply := func(f event.Fact) error {
		f.At, f.Job = noon, "a"
		_, err := r.Apply(f)
		return err
	}
	for _, f := range []event.Fact{{Kind: event.Started, Run: "8"}, {Kind: event.Started, Attempt: 2}, {Kind: "eaten"}} {
		if apply(f) == nil {
			t.Errorf("%+v was taken", f)
		}
	}
	for _, f := range []event.Fact{{Kind: event.Started, Run: "7", Attempt: 1}, {Kind: event.Finished, Attempt: 1, Failure: "script_failure"}, {Kind: event.Started, Attempt: 2}} {
		if err := apply(f); err != nil {
			t.Error(err)
		}
	}
	if err := apply(event.Fact{Kind: event.Finished, Attempt: 1}); err == nil {
		t.Error("the end of the first attempt ended the second one")
	}
	if j, _ := r.Job("a"); j.Status != run.Running {
		t.Errorf("a is %s", j.Status)
	}
}

func TestACanceledJobSaysWhy(t *testing.T) {
	r, _ := run.New(parse(t, "test a"), run.Options{}, noon)
	for _, f := range []event.Fact{
		{Kind: event.Started, Job: "a"},
		{Kind: event.Canceled, Reason: "interrupted", By: "person"},
		{Kind: event.Finished, Job: "a", Failure: "canceled"},
	} {
		f.At = noon
		if _, err := r.Apply(f); err != nil {
			t.Fatal(err)
		}
	}
	if j, _ := r.Job("a"); j.Reason != "interrupted" || j.Failure != "canceled" {
		t.Errorf("got %q, %q", j.Reason, j.Failure)
	}
}

func TestTimes(t *testing.T) {
	w := start(t, parse(t, "test a retry=1"), run.Options{})
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	for _, line := range []string{"tick 1s", "start a", "tick 1s", "fail a", "tick 1s", "start a", "tick 1s", "ok a"} {
		if err := w.do(line); err != nil {
			t.Fatal(err)
		}
	}
	j, _ := w.r.Job("a")
	got := []time.Time{j.Queued, j.Started, j.Finished}
	want := []time.Time{at(2 * time.Second), at(3 * time.Second), at(4 * time.Second)}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
