package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-delivery/sluice/internal/engine/dispatch"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

func TestAPipelineRunsStageByStageWithinItsSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 2)
		if err := h.drive(t.Context(), jobs("a stage=1", "b stage=1", "c stage=1", "d stage=2", "e stage=2 needs=a"), run.Options{}, nil); err != nil {
			t.Fatal(err)
		}
		h.want(run.Success, "a success", "b success", "c success", "d success", "e success")
		// Five seconds' work on two slots.
		if got := time.Since(h.began); got != 3*time.Second || h.most != 2 {
			t.Errorf("it took %v, %d at a time", got, h.most)
		}
	})
}

func TestInputsAreThoseThatRan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 4)
		out := []plan.Variable{{Name: "V", Value: "1"}}
		h.agent["a"] = work(time.Second, program.Result{Outputs: out})
		h.agent["bad"] = fails(time.Second)
		if err := h.drive(t.Context(), jobs("a stage=1 leaves", "nothing stage=1", "bad stage=1 allow leaves", "some stage=2 needs=a", "all stage=2", "later stage=3 leaves", "manual stage=1 when=manual allow leaves"), run.Options{}, nil); err != nil {
			t.Fatal(err)
		}
		names := func(id string) (out []string) {
			for _, in := range h.leases[id][0].Inputs {
				out = append(out, in.Name)
			}
			return out
		}
		if got := names("some"); !slices.Equal(got, []string{"a"}) || len(h.leases["some"][0].Inputs[0].Outputs) != 1 {
			t.Errorf("some: %q", got)
		}
		if got := names("all"); !slices.Equal(got, []string{"a", "bad"}) {
			t.Errorf("all: %q", got)
		}
		if got := names("a"); got != nil {
			t.Errorf("a: %q", got)
		}
	})
}

func TestARetryIsANewAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 1)
		h.agent["flaky"] = func(ctx context.Context, l dispatch.Lease) program.Result {
			if l.Attempt < 3 {
				return fails(time.Second)(ctx, l)
			}
			return work(time.Second, program.Result{})(ctx, l)
		}
		h.agent["hopeless"] = fails(time.Second)
		if err := h.drive(t.Context(), jobs("flaky retry=2", "hopeless retry=1 group=g", "after stage=2"), run.Options{}, nil); err != nil {
			t.Fatal(err)
		}
		h.want(run.Failed, "flaky success", "hopeless failed", "after skipped")
		if len(h.leases["flaky"]) != 3 || len(h.leases["hopeless"]) != 2 {
			t.Errorf("attempts: %d %d", len(h.leases["flaky"]), len(h.leases["hopeless"]))
		}
	})
}

func TestADelayedJobStartsAtItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 2)
		if err := h.drive(t.Context(), jobs("soon", "late delayed=90m", "later delayed=2h", "after stage=2"), run.Options{}, nil); err != nil {
			t.Fatal(err)
		}
		h.want(run.Success, "soon success", "late success", "later success", "after success")
		for _, line := range []string{"1h30m0s do late #1", "2h0m0s do later #1", "2h0m1s do after #1"} {
			if !h.saw(line) {
				t.Errorf("no %q in\n%s", line, strings.Join(h.tape, "\n"))
			}
		}
	})
}

func TestCommands(t *testing.T) {
	t.Run("a manual job is played", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHarness(t, 2)
			commands := make(chan dispatch.Command)
			go func() {
				defer close(commands)
				time.Sleep(500 * time.Millisecond)
				commands <- dispatch.Command{Play: "nobody"}
				commands <- dispatch.Command{Play: "build"} // runs already
				commands <- dispatch.Command{Play: "deploy"}
			}()
			if err := h.drive(t.Context(), jobs("build", "deploy needs=build when=manual", "slow"), run.Options{}, commands); err != nil {
				t.Fatal(err)
			}
			h.want(run.Manual, "build success", "deploy manual", "slow success") // it could not be played yet

			h = newHarness(t, 2)
			h.agent["slow"] = work(time.Minute, program.Result{})
			commands = make(chan dispatch.Command)
			go func() {
				time.Sleep(10 * time.Second)
				commands <- dispatch.Command{Play: "deploy"}
			}()
			if err := h.drive(t.Context(), jobs("build", "deploy needs=build when=manual", "slow"), run.Options{}, commands); err != nil {
				t.Fatal(err)
			}
			h.want(run.Success, "build success", "deploy success", "slow success")
			if l := h.leases["deploy"][0]; !l.Manual || h.leases["build"][0].Manual {
				t.Errorf("%+v", l)
			}
		})
	})
	t.Run("a running and a waiting job are canceled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHarness(t, 1)
			h.agent["a"] = work(time.Hour, program.Result{})
			commands := make(chan dispatch.Command)
			go func() {
				time.Sleep(time.Minute)
				commands <- dispatch.Command{Cancel: "b"}
				commands <- dispatch.Command{Cancel: "a"}
			}()
			if err := h.drive(t.Context(), jobs("a", "b", "c"), run.Options{}, commands); err != nil {
				t.Fatal(err)
			}
			h.want(run.Canceled, "a canceled", "b canceled", "c success")
			if !h.saw("1m0s ended a canceled") || h.saw("do b #1") {
				t.Error(strings.Join(h.tape, "\n"))
			}
		})
	})
}

func TestManualJobsThatArePlayedBeforehand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 2)
		if err := h.drive(t.Context(), jobs("build", "deploy stage=2 when=manual", "other stage=2 when=manual"), run.Options{Play: []string{"deploy"}}, nil); err != nil {
			t.Fatal(err)
		}
		h.want(run.Manual, "build success", "deploy success", "other manual")
		if !h.leases["deploy"][0].Manual {
			t.Error("it does not know that it was played")
		}
	})
}

// interrupted drives a plan and cancels the run after a time.
func interrupted(t *testing.T, h *harness, after time.Duration, p *plan.Plan) error {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := time.AfterFunc(after, func() { cancel(dispatch.ErrInterrupted) })
	defer stop.Stop()
	return h.drive(ctx, p, run.Options{}, nil)
}

func TestAnInterruptStopsEverything(t *testing.T) {
	for name, c := range map[string]struct {
		plan *plan.Plan
		want []string
	}{
		"jobs that run and wait":       {jobs("a", "b", "c", "d stage=2"), []string{"a canceled", "b canceled", "c canceled", "d canceled"}},
		"a delayed job":                {jobs("a delayed=5h", "b stage=2"), []string{"a canceled", "b canceled"}},
		"a job that waits for another": {jobs("a group=g", "b group=g"), []string{"a canceled", "b canceled"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t, 2)
				for _, n := range []string{"a", "b", "c", "d"} {
					h.agent[n] = work(time.Hour, program.Result{})
				}
				if err := interrupted(t, h, time.Minute, c.plan); err != nil {
					t.Fatal(err)
				}
				h.want(run.Canceled, c.want...)
				if got := time.Since(h.began); got != time.Minute {
					t.Errorf("it ended after %v", got)
				}
			})
		})
	}
}

// Jobs with always() run after a cancel, know of it, and end at the second one or when patience does.
func TestJobsThatOutliveACancel(t *testing.T) {
	for name, c := range map[string]struct {
		hurry time.Duration // 0: never
		long  time.Duration
		ends  time.Duration
		want  string
	}{
		"it ends by itself": {0, 2 * time.Minute, 3 * time.Minute, "success"},
		"patience ends":     {0, time.Hour, 6 * time.Minute, "canceled"},
		"a second cancel":   {30 * time.Second, time.Hour, 90 * time.Second, "canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t, 2)
				h.agent["a"] = work(time.Hour, program.Result{})
				h.agent["b"] = func(ctx context.Context, l dispatch.Lease) program.Result {
					if !l.Canceled {
						t.Error("the job is not told that the run is canceled")
					}
					return work(c.long, program.Result{})(ctx, l)
				}
				if c.hurry > 0 {
					hurry := make(chan struct{})
					h.driver.Hurry = hurry
					time.AfterFunc(time.Minute+c.hurry, func() { close(hurry) })
				}
				if err := interrupted(t, h, time.Minute, jobs("a", "b regardless needs=a", "c stage=2")); err != nil {
					t.Fatal(err)
				}
				h.want(run.Canceled, "a canceled", "b "+c.want, "c canceled")
				if got := time.Since(h.began); got != c.ends {
					t.Errorf("it ended after %v, want %v", got, c.ends)
				}
			})
		})
	}
}

func TestAnAgentThatTakesItsTimeIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 1)
		h.agent["a"] = func(ctx context.Context, _ dispatch.Lease) program.Result {
			<-ctx.Done() // never by itself
			if !errors.Is(context.Cause(ctx), context.Cause(ctx)) || context.Cause(ctx).Error() == "" {
				t.Error("no cause")
			}
			time.Sleep(4 * time.Minute) // its after_script
			return program.Result{Failure: program.Canceled}
		}
		if err := interrupted(t, h, time.Hour, jobs("a")); err != nil {
			t.Fatal(err)
		}
		h.want(run.Canceled, "a canceled")
		if got := time.Since(h.began); got != time.Hour+4*time.Minute {
			t.Errorf("it ended after %v", got)
		}
	})
}

func TestResourceGroupsAreOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 4)
		if err := h.drive(t.Context(), jobs("a group=g", "b group=g", "c group=g", "d"), run.Options{}, nil); err != nil {
			t.Fatal(err)
		}
		h.want(run.Success, "a success", "b success", "c success", "d success")
		if got := time.Since(h.began); got != 3*time.Second || h.most != 2 {
			t.Errorf("it took %v, %d at a time", got, h.most)
		}
		if !h.saw("b waiting") {
			t.Error("nobody was told that b waits")
		}
	})
}

// groups is a Groups that another process holds until a time.
type groups struct {
	free  time.Time
	fails error
	mu    sync.Mutex
	holds map[string]int
	stray bool // gives the lock even where the wait was canceled
	// yield is when another process asks for the group, to be told to who waits or has it.
	yield time.Duration
}

func (g *groups) Lock(ctx context.Context, c dispatch.Claim) (func(), error) {
	group := c.Group
	told := func() bool { return true }
	if g.yield > 0 {
		told = time.AfterFunc(g.yield, func() { c.Yield("another run came") }).Stop
	}
	if g.fails != nil {
		return nil, g.fails
	}
	if wait := time.Until(g.free); wait > 0 {
		c.Held("held by another run: " + c.Job)
		select {
		case <-ctx.Done():
			if !g.stray {
				return nil, context.Cause(ctx)
			}
		case <-time.After(wait):
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holds == nil {
		g.holds = map[string]int{}
	}
	g.holds[group]++
	if g.holds[group] > 1 {
		return nil, fmt.Errorf("%s is locked twice", group)
	}
	return func() {
		told()
		g.mu.Lock()
		defer g.mu.Unlock()
		g.holds[group]--
	}, nil
}

func TestAGroupThatAnotherProcessHolds(t *testing.T) {
	world := func(t *testing.T, g *groups) *harness {
		h := newHarness(t, 4)
		h.driver.Groups = g
		return h
	}
	t.Run("is waited for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := &groups{free: time.Now().Add(time.Minute)}
			h := world(t, g)
			if err := h.drive(t.Context(), jobs("a group=g", "b group=g", "c"), run.Options{}, nil); err != nil {
				t.Fatal(err)
			}
			h.want(run.Success, "a success", "b success", "c success")
			if got := time.Since(h.began); got != time.Minute+2*time.Second || g.holds["g"] != 0 {
				t.Errorf("it took %v, held %d times", got, g.holds["g"])
			}
			if !h.saw("0s a waiting") || !h.saw("1m0s do a #1") {
				t.Error(strings.Join(h.tape, "\n"))
			}
		})
	})
	for _, stray := range []bool{false, true} {
		t.Run(fmt.Sprint("and an interrupt ends the wait, the lock given all the same: ", stray), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &groups{free: time.Now().Add(time.Hour), stray: stray}
				h := world(t, g)
				if err := interrupted(t, h, time.Minute, jobs("a group=g", "b group=g", "c group=other", "d stage=2")); err != nil {
					t.Fatal(err)
				}
				h.want(run.Canceled, "a canceled", "b canceled", "c canceled", "d canceled")
				if h.saw("ended a canceled") || g.holds["g"] != 0 {
					t.Errorf("%v\n%s", g.holds, strings.Join(h.tape, "\n"))
				}
			})
		})
	}
	t.Run("canceling the job that waits lets the next one wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := world(t, &groups{free: time.Now().Add(time.Hour)})
			commands := make(chan dispatch.Command)
			go func() {
				time.Sleep(time.Minute)
				commands <- dispatch.Command{Cancel: "a"}
			}()
			if err := h.drive(t.Context(), jobs("a group=g", "b group=g"), run.Options{}, commands); err != nil {
				t.Fatal(err)
			}
			h.want(run.Canceled, "a canceled", "b success")
		})
	})
	t.Run("a lock that fails fails the job", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := world(t, &groups{fails: errors.New("the disk is gone")})
			if err := h.drive(t.Context(), jobs("a group=g retry=1", "b"), run.Options{}, nil); err != nil {
				t.Fatal(err)
			}
			h.want(run.Failed, "a failed", "b success")
			if j, _ := h.run.Job("a"); j.Failure != string(program.SystemFailure) || !strings.Contains(j.Reason, "the disk is gone") || j.Attempt != 2 {
				t.Errorf("%+v", j)
			}
		})
	})
}

func TestLateJobs(t *testing.T) {
	child := func(lines ...string) func(context.Context, dispatch.Lease) run.Bound {
		return func(ctx context.Context, l dispatch.Lease) run.Bound {
			select {
			case <-time.After(time.Second): // the dialect reads files
			case <-ctx.Done():
			}
			return run.Bound{Plan: jobs(lines...)}
		}
	}
	t.Run("become a pipeline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHarness(t, 1)
			h.agent["gen"] = work(time.Second, program.Result{Outputs: []plan.Variable{{Name: "X", Value: "1"}}})
			h.bound["child"] = func(ctx context.Context, l dispatch.Lease) run.Bound {
				if len(l.Inputs) != 1 || l.Inputs[0].ID != "gen" || len(l.Inputs[0].Outputs) != 1 {
					t.Errorf("%+v", l.Inputs)
				}
				p := jobs("x stage=1 leaves", "y stage=2")
				p.Jobs[0].Upstream = []string{"gen"}
				return run.Bound{Plan: p}
			}
			if err := h.drive(t.Context(), jobs("gen leaves", "child needs=gen late", "after stage=2"), run.Options{}, nil); err != nil {
				t.Fatal(err)
			}
			h.want(run.Success, "gen success", "child success", "child/x success", "child/y success", "after success")
			x, y := h.leases["child/x"][0], h.leases["child/y"][0]
			if x.Prefix != "child/" || len(x.Inputs) != 1 || x.Inputs[0].ID != "gen" || len(y.Inputs) != 1 || y.Inputs[0].ID != "child/x" {
				t.Errorf("%+v\n%+v", x, y)
			}
		})
	})
	t.Run("fail or are left out with a reason", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHarness(t, 1)
			h.bound["bad"] = func(context.Context, dispatch.Lease) run.Bound { return run.Bound{Err: "no such file"} }
			h.bound["out"] = func(context.Context, dispatch.Lease) run.Bound { return run.Bound{Skip: "no job fits"} }
			if err := h.drive(t.Context(), jobs("bad late allow", "out late", "after stage=2"), run.Options{}, nil); err != nil {
				t.Fatal(err)
			}
			h.want(run.Success, "bad failed", "out skipped", "after success")
		})
	})
	t.Run("hold their resource group", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHarness(t, 4)
			h.bound["child"] = child("x", "y stage=2")
			if err := h.drive(t.Context(), jobs("first group=g", "child late group=g", "last group=g"), run.Options{}, nil); err != nil {
				t.Fatal(err)
			}
			h.want(run.Success, "first success", "child success", "child/x success", "child/y success", "last success")
			if !h.saw("1s bind child") || !h.saw("4s do last #1") {
				t.Error(strings.Join(h.tape, "\n"))
			}
		})
	})
	t.Run("are canceled while they are bound", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHarness(t, 1)
			h.bound["child"] = func(ctx context.Context, l dispatch.Lease) run.Bound {
				<-ctx.Done()
				return child("x")(ctx, l)
			}
			if err := interrupted(t, h, time.Minute, jobs("child late", "after stage=2")); err != nil {
				t.Fatal(err)
			}
			h.want(run.Canceled, "child canceled", "after canceled")
		})
	})
	t.Run("are canceled with what they became", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHarness(t, 2)
			h.bound["child"] = child("x", "y stage=2")
			h.agent["x"] = work(time.Hour, program.Result{})
			if err := interrupted(t, h, time.Minute, jobs("child late", "after stage=2")); err != nil {
				t.Fatal(err)
			}
			h.want(run.Canceled, "child canceled", "child/x canceled", "child/y canceled", "after canceled")
		})
	})
	t.Run("that nobody can bind end the run with an error, and leave nobody behind", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHarness(t, 2)
			h.bound["child"] = func(context.Context, dispatch.Lease) run.Bound { return run.Bound{} }
			h.agent["busy"] = work(time.Hour, program.Result{})
			if err := h.drive(t.Context(), jobs("child late", "busy"), run.Options{}, nil); err == nil {
				t.Error("no error")
			}
			if got := time.Since(h.began); got != 0 {
				t.Errorf("it ended after %v", got)
			}
		})
	})
}

func TestACancelBeforeTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errEnough)
		if err := h.drive(ctx, jobs("a", "b"), run.Options{}, nil); err != nil {
			t.Fatal(err)
		}
		h.want(run.Canceled, "a canceled", "b canceled")
	})
}

// many is a plan of so many jobs: chains of ten in ten stages of needs, and as many beside them.
func many(n int) *plan.Plan {
	lines := make([]string, 0, n)
	for i := range n {
		line := fmt.Sprintf("j%d", i)
		if i%10 > 0 {
			line += fmt.Sprintf(" needs=j%d", i-1)
		}
		lines = append(lines, line)
	}
	return jobs(lines...)
}

func TestTenThousandJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 100)
		if err := h.drive(t.Context(), many(10_000), run.Options{}, nil); err != nil {
			t.Fatal(err)
		}
		if h.run.Status() != run.Success || len(h.leases) != 10_000 || h.most != 100 || time.Since(h.began) != 100*time.Second {
			t.Errorf("%s, %d jobs, %d at a time, %v", h.run.Status(), len(h.leases), h.most, time.Since(h.began))
		}
	})
}

type nothing struct{}

func (nothing) Do(context.Context, dispatch.Lease) program.Result { return program.Result{} }
func (nothing) Bind(context.Context, dispatch.Lease) run.Bound    { return run.Bound{} }
func (nothing) Changed(run.Change)                                {}
func (nothing) Ended(dispatch.Lease, program.Result)              {}

// BenchmarkDrive shows that the cost of a job does not grow with their number: by-job of the larger run by that of the
// smaller one is reported as growth, 1 being linear.
func BenchmarkDrive(b *testing.B) {
	took := func(n int) time.Duration {
		p := many(n)
		began := time.Now()
		r, first := run.New(p, run.Options{}, began)
		d := &dispatch.Driver{Agent: nothing{}, Binder: nothing{}, Watcher: nothing{}, Slots: 8}
		if err := d.Drive(b.Context(), "r", r, first, nil); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	var small, large time.Duration
	b.ReportAllocs()
	for b.Loop() {
		small += took(1000)
		large += took(10_000)
	}
	b.ReportMetric(float64(large)/float64(small)/10, "growth")
	b.ReportMetric(float64(large.Nanoseconds())/float64(b.N)/10_000, "ns/job")
}
