package run_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// drawPlan makes any plan of a few jobs; late ones only where they are wanted.
func drawPlan(t *rapid.T, late bool) *plan.Plan {
	p := &plan.Plan{Stages: []string{"one", "two", "three"}}
	if rapid.IntRange(0, 4).Draw(t, "auto cancel") == 0 {
		p.Cancel = &plan.AutoCancel{OnJobFailure: "all"}
	}
	n := rapid.IntRange(1, 9).Draw(t, "jobs")
	for i := range n {
		id := string(rune('a' + i))
		j := &plan.Job{ID: id, Name: id, Key: id, Stage: rapid.SampledFrom(p.Stages).Draw(t, "stage")}
		j.When = rapid.SampledFrom([]plan.When{plan.OnSuccess, plan.OnSuccess, plan.OnSuccess, plan.OnFailure, plan.Always, plan.Manual, plan.Delayed}).Draw(t, "when")
		if j.When == plan.Delayed {
			j.Delay = time.Duration(rapid.IntRange(1, 3).Draw(t, "delay")) * time.Minute
		}
		j.AllowFailure.Any = rapid.IntRange(0, 2).Draw(t, "allowed") == 0
		if rapid.IntRange(0, 4).Draw(t, "codes") == 0 {
			j.AllowFailure.ExitCodes = []int{2}
		}
		j.Retry.Max = max(0, rapid.IntRange(-3, 2).Draw(t, "retry"))
		j.Interruptible = rapid.Bool().Draw(t, "interruptible")
		if rapid.Bool().Draw(t, "graph") {
			j.Graph = true
			for _, b := range p.Jobs {
				if slices.Index(p.Stages, b.Stage) <= slices.Index(p.Stages, j.Stage) && rapid.IntRange(0, 2).Draw(t, "need") == 0 {
					j.Needs = append(j.Needs, plan.Need{Job: b.ID})
				}
			}
		}
		if rapid.IntRange(0, 9).Draw(t, "never") == 0 {
			j.When = plan.Never
		}
		if rapid.IntRange(0, 2).Draw(t, "leg") == 0 {
			j.Strategy = &plan.Strategy{Set: rapid.SampledFrom([]string{"m", "n"}).Draw(t, "set"), FailFast: rapid.Bool().Draw(t, "fast")}
		}
		if late && rapid.IntRange(0, 2).Draw(t, "late") == 0 {
			j.Late = &plan.Late{Kind: rapid.SampledFrom([]string{"child", "expand", "self"}).Draw(t, "kind"), Wait: rapid.Bool().Draw(t, "wait"), Mirror: rapid.Bool().Draw(t, "mirror")}
		}
		p.Jobs = append(p.Jobs, j)
	}
	return p
}

func drawOptions(t *rapid.T, p *plan.Plan) run.Options {
	o := run.Options{Open: rapid.Bool().Draw(t, "open"), PlayAll: rapid.IntRange(0, 5).Draw(t, "play all") == 0}
	var ids []string
	for _, j := range p.Jobs {
		ids = append(ids, j.ID)
	}
	if rapid.IntRange(0, 3).Draw(t, "play some") == 0 {
		o.Play = rapid.SliceOfN(rapid.SampledFrom(ids), 1, 3).Draw(t, "play")
	}
	if rapid.IntRange(0, 3).Draw(t, "choose") == 0 {
		names := rapid.SliceOfN(rapid.SampledFrom(ids), 1, 3).Draw(t, "chosen")
		o.Choice, _ = plan.Choose(p, names, rapid.Bool().Draw(t, "with needs"))
	}
	return o
}

// drawFact makes any fact, most of them about something that could happen.
func drawFact(t *rapid.T, r *run.Run, at time.Time) event.Fact {
	f := event.Fact{At: at, Kind: rapid.SampledFrom([]event.Kind{
		event.Started, event.Started, event.Finished, event.Finished, event.Finished, event.Timed, event.Played,
		event.Queued, event.Waiting, event.Canceled, event.Retried, event.Skipped,
	}).Draw(t, "kind")}
	jobs := r.Jobs()
	if able := slices.DeleteFunc(slices.Clone(jobs), func(j run.Job) bool { return !j.Status.Active() }); len(able) > 0 && rapid.Bool().Draw(t, "likely") {
		jobs = able
	}
	if f.Kind != event.Timed {
		f.Job = rapid.SampledFrom(jobs).Draw(t, "job").ID
	}
	switch f.Kind {
	case event.Finished:
		f.Failure = rapid.SampledFrom([]string{"", "", "script_failure", "script_failure", "runner_system_failure", "canceled"}).Draw(t, "failure")
		if f.Failure == "script_failure" {
			f.Exit = new(rapid.IntRange(1, 2).Draw(t, "exit"))
		}
	case event.Canceled, event.Retried:
		if rapid.IntRange(0, 3).Draw(t, "all") == 0 {
			f.Job = ""
		}
	}
	return f
}

func TestRunAgreesWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t, false)
		o := drawOptions(t, p)
		r, changes := run.New(p, o, noon)
		m := newModel(p, o)
		if got, want := asModel(r), m.String(); got != want {
			t.Fatalf("at the start\ngot\n%swant\n%s", got, want)
		}
		at := noon
		for range rapid.IntRange(0, 30).Draw(t, "facts") {
			at = at.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "minutes")) * time.Minute)
			f := drawFact(t, r, at)
			was := dump(r)
			more, err := r.Apply(f)
			changes = append(changes, more...)
			if err != nil && dump(r) != was {
				t.Fatalf("%+v was refused and changed the run", f)
			}
			if taken := m.apply(f); taken != (err == nil) {
				t.Fatalf("%+v: the model takes it: %v, the run says %v\n%s", f, taken, err, m)
			}
			if got, want := asModel(r), m.String(); got != want {
				t.Fatalf("after %+v\ngot\n%swant\n%s", f, got, want)
			}
			ordered(t, r, m, more)
		}
		same(t, r, p, o, changes)
	})
}

// ordered checks that no job became ready while one before it was not at its end.
func ordered(t *rapid.T, r *run.Run, m *model, changes []run.Change) {
	for _, c := range changes {
		if c.From != run.Created || c.To != run.Pending && c.To != run.Manual && c.To != run.Delayed {
			continue
		}
		i := slices.IndexFunc(m.jobs, func(j *mjob) bool { return j.ID == c.Job })
		for _, b := range m.before(m.jobs[i]) {
			if j, _ := r.Job(b.ID); !j.Status.Over() && (j.Status != run.Manual || !j.Allowed) {
				t.Fatalf("%s became %s while %s is %s", c.Job, c.To, b.ID, j.Status)
			}
		}
	}
}

// same checks that the changes, also once they went through JSON, make the same run, and one that goes on alike.
func same(t *rapid.T, r *run.Run, p *plan.Plan, o run.Options, changes []run.Change) {
	text, err := json.Marshal(changes)
	if err != nil {
		t.Fatal(err)
	}
	var read []run.Change
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	restored, err := run.Restore(p, o, read)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := dump(restored), dump(r); got != want {
		t.Fatalf("the restored run is another\ngot\n%swant\n%s", got, want)
	}
	at := noon.Add(time.Hour)
	for range 8 {
		f := drawFact(t, r, at)
		a, errA := r.Apply(f)
		b, errB := restored.Apply(f)
		if (errA == nil) != (errB == nil) || fmt.Sprintf("%+v", flat(a)) != fmt.Sprintf("%+v", flat(b)) {
			t.Fatalf("after %+v they part\nrun      %+v %v\nrestored %+v %v", f, flat(a), errA, flat(b), errB)
		}
	}
	if got, want := dump(restored), dump(r); got != want {
		t.Fatalf("they part\ngot\n%swant\n%s", got, want)
	}
}

// flat are changes without addresses.
func flat(cs []run.Change) (out []string) {
	for _, c := range cs {
		text, _ := json.Marshal(c)
		out = append(out, string(text))
	}
	return out
}

// TestEveryRunComesToItsEnd drives runs with late jobs in them as an engine does, with everything that can go wrong.
func TestEveryRunComesToItsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t, true)
		o := drawOptions(t, p)
		o.Open = true
		r, changes := run.New(p, o, noon)
		at, depth, cancel := noon, 0, rapid.IntRange(0, 20).Draw(t, "cancel at")
		for step := 0; ; step++ {
			if step > 2000 {
				t.Fatalf("no end: %s", state(r))
			}
			jobs := slices.DeleteFunc(r.Jobs(), func(j run.Job) bool {
				return !j.Status.Active() && j.Status != run.Delayed && j.Status != run.Manual || j.Late && j.Status == run.Running
			})
			if len(jobs) == 0 {
				break
			}
			j := rapid.SampledFrom(jobs).Draw(t, "job")
			at = at.Add(time.Second)
			f := event.Fact{At: at, Job: j.ID}
			var more []run.Change
			var err error
			switch {
			case step == cancel:
				more, err = r.Apply(event.Fact{At: at, Kind: event.Canceled})
			case j.Status == run.Pending && j.Plan.Late != nil:
				b := run.Bound{Skip: "no"}
				if j.Plan.Late.Kind == run.Self && rapid.IntRange(0, 4).Draw(t, "bind") > 0 {
					b = drawSelf(t, j)
				} else if depth < 4 && j.Late && rapid.IntRange(0, 4).Draw(t, "bind") > 0 {
					depth++
					b = run.Bound{Plan: drawPlan(t, true)}
				}
				more, err = r.Bind(j.ID, b, at)
			case j.Status == run.Manual && j.Late && len(children(r, j.ID)) > 0:
				more, err = r.Apply(event.Fact{At: at, Kind: event.Timed}) // mirrored: its children are to be played
			case j.Status == run.Manual:
				f.Kind = rapid.SampledFrom([]event.Kind{event.Played, event.Skipped}).Draw(t, "manual")
				more, err = r.Apply(f)
			case j.Status == run.Pending || j.Status == run.Waiting:
				f.Kind = event.Started
				more, err = r.Apply(f)
			case j.Status == run.Delayed:
				next, ok := r.NextTime()
				if !ok {
					t.Fatal("a job is delayed, and no time is next")
				}
				if next.After(at) {
					at = next
				}
				more, err = r.Apply(event.Fact{At: at, Kind: event.Timed})
			default:
				f.Kind = event.Finished
				f.Failure = rapid.SampledFrom([]string{"", "", "script_failure"}).Draw(t, "failure")
				more, err = r.Apply(f)
			}
			if err != nil {
				t.Fatalf("%s: %v", j.ID, err)
			}
			for _, c := range more {
				if c.Job != "" && !c.Cancel && !c.From.May(c.To) {
					t.Fatalf("%s went from %s to %s", c.Job, c.From, c.To)
				}
			}
			changes = append(changes, more...)
		}
		if got, err := run.Restore(p, o, changes); err != nil || dump(got) != dump(r) {
			t.Fatalf("the restored run is another (%v)\n%s", err, state(r))
		}
		if !r.Done() || !r.Status().Over() {
			t.Fatalf("not done: %s", state(r))
		}
		for _, j := range r.Jobs() {
			if !j.Status.Over() {
				t.Fatalf("%s ended %s: %s", j.ID, j.Status, state(r))
			}
		}
	})
}

// drawSelf makes a job of kind "self" concrete.
func drawSelf(t *rapid.T, j run.Job) run.Bound {
	p := drawPlan(t, false)
	b := p.Jobs[0]
	b.Name = "bound " + j.Plan.Name
	return run.Bound{Job: b}
}

func children(r *run.Run, id string) (out []run.Job) {
	for _, j := range r.Jobs() {
		if j.Parent == id {
			out = append(out, j)
		}
	}
	return out
}

func TestAFinishedRunIsTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t, false)
		o := drawOptions(t, p)
		o.Open = false
		r, _ := run.New(p, o, noon)
		if _, err := r.Apply(event.Fact{At: noon, Kind: event.Canceled}); err != nil {
			return // nothing was to run at all
		}
		for _, j := range r.Jobs() {
			if j.Status == run.Running {
				t.Fatal("a job began by itself")
			}
		}
		if !r.Done() || !r.Status().Over() {
			t.Fatalf("canceled before anything began, it is %s", state(r))
		}
		was := dump(r)
		for range 10 {
			f := drawFact(t, r, noon)
			if _, err := r.Apply(f); err == nil && f.Kind != event.Timed {
				t.Fatalf("%+v was taken", f)
			}
			if dump(r) != was {
				t.Fatalf("%+v changed it", f)
			}
		}
	})
}

// TestRunsWithChildrenAreRestored throws every fact and binding at runs whose jobs become other jobs.
func TestRunsWithChildrenAreRestored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t, true)
		o := drawOptions(t, p)
		r, changes := run.New(p, o, noon)
		at, depth := noon, 0
		for i := range rapid.IntRange(0, 40).Draw(t, "facts") {
			at = at.Add(time.Minute)
			was := dump(r)
			var more []run.Change
			var err error
			late := slices.DeleteFunc(r.Jobs(), func(j run.Job) bool { return j.Plan.Late == nil || j.Status != run.Pending })
			if len(late) > 0 && depth < 6 && rapid.Bool().Draw(t, "bind") {
				depth++
				b := run.Bound{Plan: drawPlan(t, true)}
				if late[0].Plan.Late.Kind == run.Self {
					b = drawSelf(t, late[0])
				}
				more, err = r.Bind(late[0].ID, b, at)
			} else {
				more, err = r.Apply(drawFact(t, r, at))
			}
			if err != nil && dump(r) != was {
				t.Fatal("what was refused changed the run")
			}
			changes = append(changes, more...)
			if i%8 != 0 {
				continue
			}
			restored, err := run.Restore(p, o, changes)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := dump(restored), dump(r); got != want {
				t.Fatalf("the restored run is another\ngot\n%swant\n%s", got, want)
			}
		}
		same(t, r, p, o, changes)
	})
}
