package dispatch_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-delivery/sluice/internal/engine/dispatch"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
	"github.com/sluice-delivery/sluice/internal/flow/schedule"
)

// itself binds a job of kind "self" to what the words say.
func itself(line string) func(context.Context, dispatch.Lease) run.Bound {
	return func(context.Context, dispatch.Lease) run.Bound { return run.Bound{Job: jobs(line).Jobs[0]} }
}

func into(lines ...string) func(context.Context, dispatch.Lease) run.Bound {
	return func(context.Context, dispatch.Lease) run.Bound { return run.Bound{Plan: jobs(lines...)} }
}

func (h *harness) must(ctx context.Context, p *plan.Plan) {
	h.t.Helper()
	if err := h.drive(ctx, p, run.Options{}, nil); err != nil {
		h.t.Fatal(err)
	}
}

func TestAJobBecomesItselfWhenItsNeedsAreDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 4)
		h.agent["bad"] = fails(time.Second)
		h.agent["a"] = work(time.Second, program.Result{Outputs: []plan.Variable{{Name: "V", Value: "1"}}})
		var asked dispatch.Lease
		h.bound["me"] = func(_ context.Context, l dispatch.Lease) run.Bound {
			asked = l
			return run.Bound{Job: jobs("concrete needs=bad,call single=g").Jobs[0]}
		}
		h.bound["call"] = into("in", "deep needs=in expand")
		h.bound["deep"] = into("deepest")
		p := jobs("a", "bad allow needs=a", "call needs=a expand", "me needs=bad,call self", "after needs=me")
		p.Jobs[0].Graph = true
		h.must(t.Context(), p)
		h.want(run.Success, "a success", "bad failed", "call success", "call/in success", "call/deep success", "call/deep/deepest success", "me success", "after success")
		if l := h.leases["me"][0]; l.Job.Name != "concrete" || l.Job.ID != "me" || len(l.Needs) != 2 || l.Before != nil {
			t.Errorf("%+v", l)
		}
		bad, call := asked.Needs[0], asked.Needs[1]
		if bad.ID != "bad" || bad.Status != "failed" || !bad.Allowed || bad.Job == nil || call.Status != "success" || call.Scope == nil || len(call.Inner) != 2 {
			t.Errorf("%+v", asked.Needs)
		}
		if deep := call.Inner[1]; deep.ID != "call/deep" || len(deep.Inner) != 1 || deep.Inner[0].Name != "deepest" {
			t.Errorf("%+v", call.Inner)
		}
		if b := asked.Before; len(b) != 3 || b[0].ID != "a" || b[0].Outputs[0].Value != "1" || b[1].ID != "bad" || b[2].ID != "call" {
			t.Errorf("%+v", b)
		}
		if n := h.leases["after"][0].Needs; len(n) != 1 || n[0].Name != "concrete" || n[0].Status != "success" {
			t.Errorf("%+v", n)
		}
	})
}

func TestANeedThatWasNotChosenCountsAsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 4)
		p := jobs("a", "b needs=a")
		choice, err := plan.Choose(p, []string{"b"}, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.drive(t.Context(), p, run.Options{Choice: choice}, nil); err != nil {
			t.Fatal(err)
		}
		if n := h.leases["b"][0].Needs; len(n) != 1 || n[0].Status != "success" {
			t.Errorf("%+v", n)
		}
	})
}

func TestAMatrixIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 9)
		h.bound["m"] = into("x set=s parallel=2", "y set=s parallel=2", "z set=s parallel=2")
		h.bound["s"] = itself("s set=t parallel=1")
		h.bound["u"] = itself("u set=t parallel=1")
		h.bound["k"], h.bound["l"] = into("k"), into("l")
		h.must(t.Context(), jobs("m expand", "s self", "u self", "k expand set=e parallel=1", "l expand set=e parallel=1", "other"))
		if got := time.Since(h.began); got != 2*time.Second || h.most != 5 {
			t.Errorf("it took %v, %d at a time\n%s", got, h.most, strings.Join(h.tape, "\n"))
		}
		if !h.saw("m/z waiting") || !h.saw("1s bind l") {
			t.Error(strings.Join(h.tape, "\n"))
		}
	})
}

func TestFailFastStopsLegsThatRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 2)
		h.agent["a"], h.agent["b"] = fails(time.Second), work(time.Hour, program.Result{})
		h.bound["late"] = into("inner")
		h.agent["inner"] = work(time.Hour, program.Result{})
		h.must(t.Context(), jobs("a set=s fast", "b set=s fast", "c set=s fast", "late expand set=s fast"))
		h.want(run.Failed, "a failed", "b canceled", "c canceled", "late canceled", "late/inner canceled")
		if got := time.Since(h.began); got != time.Second {
			t.Errorf("it took %v", got)
		}
	})
}

func TestConcurrencyGroupsWithinARun(t *testing.T) {
	for name, c := range map[string]struct {
		jobs []string
		want []string
		took time.Duration
	}{
		"only the newest waits":             {[]string{"a single=g", "b single=g", "c single=g"}, []string{"a success", "b canceled", "c success"}, 2 * time.Second},
		"who comes cancels who runs":        {[]string{"a cancel=g", "w", "b needs=w cancel=g"}, []string{"a canceled", "w success", "b success"}, 2 * time.Second},
		"names are told apart":              {[]string{"a cancel=g", "b cancel=h"}, []string{"a success", "b success"}, time.Minute},
		"a job within what holds the group": {[]string{"in expand single=d"}, []string{"in canceled", "in/x canceled"}, 0},
		"late jobs hold it as long as they last": {
			[]string{"k expand single=g", "l needs=w cancel=g", "w"}, []string{"k canceled", "k/one canceled", "l success", "w success"}, 2 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, among := range []dispatch.Groups{nil, &groups{}} {
				synctest.Test(t, func(t *testing.T) {
					h := newHarness(t, 9)
					h.driver.Groups = among
					if name != "only the newest waits" {
						h.agent["a"] = work(time.Minute, program.Result{})
					}
					h.agent["one"] = work(time.Hour, program.Result{})
					h.bound["in"], h.bound["k"] = into("x single=d"), into("one")
					p := jobs(c.jobs...)
					h.must(t.Context(), p)
					var got []string
					for _, j := range h.run.Jobs() {
						got = append(got, j.ID+" "+string(j.Status))
					}
					if strings.Join(got, ", ") != strings.Join(c.want, ", ") || time.Since(h.began) != c.took {
						t.Errorf("%q after %v, want %q after %v\n%s", got, time.Since(h.began), c.want, c.took, strings.Join(h.tape, "\n"))
					}
				})
			}
		})
	}
}

// flows gives a plan workflows with groups.
func flows(p *plan.Plan, groups map[string]*plan.Group) *plan.Plan {
	for _, file := range []string{"one", "two"} {
		p.Workflows = append(p.Workflows, plan.Workflow{File: file, Name: strings.ToUpper(file), Group: groups[file]})
	}
	return p
}

func TestConcurrencyGroupsOfWorkflows(t *testing.T) {
	same := func(cancel bool) map[string]*plan.Group {
		g := &plan.Group{Name: "g", Mode: schedule.Single, Cancel: cancel}
		return map[string]*plan.Group{"one": g, "two": g}
	}
	for name, c := range map[string]struct {
		jobs   []string
		groups map[string]*plan.Group
		want   []string
		took   time.Duration
	}{
		"from its first job to its last": {
			[]string{"a of=one", "b of=one needs=a", "x of=two", "y of=two self needs=x", "free"},
			same(false),
			[]string{"a success", "b success", "x success", "y success", "free success"},
			4 * time.Second,
		},
		"the newer cancels the older": {
			[]string{"a of=one", "b of=one needs=a", "x of=two", "y of=two self needs=x"},
			same(true),
			[]string{"a canceled", "b canceled", "x success", "y success"},
			2 * time.Second,
		},
		"a workflow of which nothing runs asks for nothing": {
			[]string{"a of=one when=never", "x of=two"}, same(true), []string{"a skipped", "x success"}, time.Second,
		},
		"a job that asks for its workflow's group": {
			[]string{"a of=one", "b of=one single=g", "x of=two"},
			map[string]*plan.Group{"one": {Name: "g", Mode: schedule.Single}},
			[]string{"a success", "b canceled", "x success"},
			time.Second,
		},
		"late jobs wait, too": {
			[]string{"a of=one", "l of=two expand", "s of=two self"},
			same(false),
			[]string{"a success", "l success", "l/in success", "s success"},
			2 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, among := range []dispatch.Groups{nil, &groups{}} {
				synctest.Test(t, func(t *testing.T) {
					h := newHarness(t, 9)
					h.driver.Groups = among
					h.bound["y"], h.bound["s"], h.bound["l"] = itself("y"), itself("s"), into("in")
					h.must(t.Context(), flows(jobs(c.jobs...), c.groups))
					var got []string
					for _, j := range h.run.Jobs() {
						got = append(got, j.ID+" "+string(j.Status))
					}
					if strings.Join(got, ", ") != strings.Join(c.want, ", ") || time.Since(h.began) != c.took {
						t.Errorf("%q after %v, want %q after %v\n%s", got, time.Since(h.began), c.want, c.took, strings.Join(h.tape, "\n"))
					}
				})
			}
		})
	}
}

func TestAWorkflowSaysWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 9)
		g := &plan.Group{Name: "g", Mode: schedule.Single}
		p := flows(jobs("a of=one", "x of=two", "z delayed=500ms of=two"), map[string]*plan.Group{"one": g, "two": g})
		var why []string
		h.changed = func(c run.Change) {
			if c.Job != "" && c.To == run.Waiting {
				why = append(why, c.Job+": "+c.Reason)
			}
		}
		h.must(t.Context(), p)
		if got := strings.Join(why, "; "); got != `x: waiting for concurrency group "g", held by workflow ONE; z: waiting for concurrency group "g", held by workflow ONE` {
			t.Error(got)
		}
	})
}

func TestGroupsAmongProcesses(t *testing.T) {
	world := func(t *testing.T, g *groups) *harness {
		h := newHarness(t, 4)
		h.driver.Groups = g
		h.agent["a"] = work(time.Hour, program.Result{})
		h.bound["a"] = into("in")
		h.agent["in"] = h.agent["a"]
		return h
	}
	one := map[string]*plan.Group{"one": {Name: "g", Mode: schedule.Single}}
	for name, p := range map[string]func() *plan.Plan{
		"a job": func() *plan.Plan { return jobs("a single=g") }, "a late job": func() *plan.Plan { return jobs("a single=g expand") },
		"a workflow": func() *plan.Plan { return flows(jobs("a of=one"), one) },
	} {
		t.Run(name+" that holds the group is canceled for another run", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &groups{yield: time.Minute}
				h := world(t, g)
				h.must(t.Context(), p())
				if j, _ := h.run.Job("a"); j.Status != run.Canceled || !h.saw("another run came") && j.Reason == "" || time.Since(h.began) != time.Minute || g.holds["g"] != 0 {
					t.Errorf("%+v after %v, held %d times", j, time.Since(h.began), g.holds["g"])
				}
			})
		})
		t.Run(name+" that waits is canceled for another run", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &groups{free: time.Now().Add(time.Hour), yield: time.Minute}
				h := world(t, g)
				h.must(t.Context(), p())
				if j, _ := h.run.Job("a"); j.Status != run.Canceled || j.Reason != "another run came" || time.Since(h.began) != time.Minute || g.holds["g"] != 0 {
					t.Errorf("%+v after %v, held %d times", j, time.Since(h.began), g.holds["g"])
				}
				if !h.saw("a waiting") {
					t.Error(strings.Join(h.tape, "\n"))
				}
			})
		})
		t.Run(name+" waits for another run", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &groups{free: time.Now().Add(time.Minute)}
				h := world(t, g)
				h.agent["a"], h.agent["in"] = nil, nil
				h.must(t.Context(), p())
				if j, _ := h.run.Job("a"); j.Status != run.Success || time.Since(h.began) != time.Minute+time.Second || g.holds["g"] != 0 {
					t.Errorf("%+v after %v, held %d times", j, time.Since(h.began), g.holds["g"])
				}
			})
		})
		t.Run(name+" is interrupted", func(t *testing.T) {
			for _, g := range []*groups{{}, {free: time.Now().Add(100 * 365 * 24 * time.Hour)}, {free: time.Now().Add(100 * 365 * 24 * time.Hour), stray: true}} {
				synctest.Test(t, func(t *testing.T) {
					h := world(t, g)
					if err := interrupted(t, h, time.Minute, p()); err != nil {
						t.Fatal(err)
					}
					if j, _ := h.run.Job("a"); j.Status != run.Canceled || g.holds["g"] != 0 {
						t.Errorf("%+v, held %d times", j, g.holds["g"])
					}
				})
			}
		})
		t.Run(name+" whose lock fails", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := world(t, &groups{fails: errors.New("the disk is gone")})
				h.must(t.Context(), p())
				if j, _ := h.run.Job("a"); j.Status != run.Failed && j.Status != run.Canceled || !strings.Contains(j.Reason, "the disk is gone") {
					t.Errorf("%+v", j)
				}
			})
		})
	}
}
