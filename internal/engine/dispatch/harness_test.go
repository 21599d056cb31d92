package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/engine/dispatch"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
	"github.com/sluice-delivery/sluice/internal/flow/schedule"
)

// harness is a real run with a real schedule, driven with an agent that does as it is told. Everything happens inside
// synctest: hours pass in no time, and a goroutine that is left fails the test.
type harness struct {
	t      *testing.T
	driver *dispatch.Driver
	run    *run.Run
	agent  map[string]func(ctx context.Context, l dispatch.Lease) program.Result // by name; default: a second's work
	bound  map[string]func(ctx context.Context, l dispatch.Lease) run.Bound
	began  time.Time

	mu      sync.Mutex
	tape    []string // what was seen, with seconds since the beginning
	running map[string]bool
	most    int // the most jobs at a time
	leases  map[string][]dispatch.Lease
	changed func(run.Change)
}

func newHarness(t *testing.T, slots int) *harness {
	h := &harness{
		t: t, agent: map[string]func(context.Context, dispatch.Lease) program.Result{}, bound: map[string]func(context.Context, dispatch.Lease) run.Bound{},
		began: time.Now(), running: map[string]bool{}, leases: map[string][]dispatch.Lease{},
	}
	h.driver = &dispatch.Driver{Agent: h, Binder: h, Watcher: h, Slots: slots}
	return h
}

func (h *harness) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tape = append(h.tape, fmt.Sprintf("%v ", time.Since(h.began))+fmt.Sprintf(format, args...))
}

func (h *harness) Do(ctx context.Context, l dispatch.Lease) program.Result {
	h.mu.Lock()
	h.leases[l.ID] = append(h.leases[l.ID], l)
	if h.running[l.ID] {
		h.t.Errorf("%s runs twice at a time", l.ID)
	}
	h.running[l.ID] = true
	h.most = max(h.most, len(h.running))
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.running, l.ID)
	}()
	h.note("do %s #%d", l.ID, l.Attempt)
	do := h.agent[l.Job.Name]
	if do == nil {
		do = work(time.Second, program.Result{})
	}
	return do(ctx, l)
}

// work takes some time and ends so; a cancel ends it at once.
func work(d time.Duration, r program.Result) func(context.Context, dispatch.Lease) program.Result {
	return func(ctx context.Context, _ dispatch.Lease) program.Result {
		select {
		case <-time.After(d):
			return r
		case <-ctx.Done():
			return program.Result{Failure: program.Canceled, Message: context.Cause(ctx).Error()}
		}
	}
}

func fails(d time.Duration) func(context.Context, dispatch.Lease) program.Result {
	return work(d, program.Result{Failure: program.ScriptFailure, Message: "exit code 1"})
}

func (h *harness) Bind(ctx context.Context, l dispatch.Lease) run.Bound {
	h.note("bind %s", l.ID)
	return h.bound[l.Job.Name](ctx, l)
}

func (h *harness) Changed(c run.Change) {
	if h.changed != nil {
		h.changed(c)
	}
	if c.Job != "" && c.From != c.To {
		h.note("%s %s", c.Job, c.To)
	}
}

func (h *harness) Ended(l dispatch.Lease, r program.Result) { h.note("ended %s %s", l.ID, r.Failure) }

// drive runs the plan to its end and says how that went.
func (h *harness) drive(ctx context.Context, p *plan.Plan, o run.Options, commands <-chan dispatch.Command) error {
	var first []run.Change
	h.run, first = run.New(p, o, time.Now())
	err := h.driver.Drive(ctx, "r", h.run, first, commands)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.running) > 0 {
		h.t.Errorf("Drive left running: %v", h.running)
	}
	return err
}

// want compares all jobs' states, "name state", and the pipeline's.
func (h *harness) want(pipeline run.Status, jobs ...string) {
	h.t.Helper()
	var got []string
	for _, j := range h.run.Jobs() {
		got = append(got, j.ID+" "+string(j.Status))
	}
	if h.run.Status() != pipeline || !slices.Equal(got, jobs) {
		h.t.Errorf("%s %q, want %s %q\n%s", h.run.Status(), got, pipeline, jobs, strings.Join(h.tape, "\n"))
	}
}

func (h *harness) saw(line string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.tape, func(l string) bool { return strings.HasSuffix(l, line) })
}

// jobs makes a plan: "name", then words: stage=s, needs=a,b, when=manual, regardless, delayed=5m, retry=1, group=g, late, allow, self,
// expand, single=g, cancel=g (concurrency groups), set=NAME, parallel=2, fast, of=FILE (a workflow).
func jobs(lines ...string) *plan.Plan {
	p := &plan.Plan{}
	for _, line := range lines {
		w := strings.Fields(line)
		j := &plan.Job{ID: w[0], Name: w[0], Key: w[0], Stage: "test", When: plan.OnSuccess, InputsAll: true}
		for _, word := range w[1:] {
			key, value, _ := strings.Cut(word, "=")
			switch key {
			case "stage":
				j.Stage = value
			case "needs":
				j.Graph, j.InputsAll = true, false
				for n := range strings.SplitSeq(value, ",") {
					j.Needs = append(j.Needs, plan.Need{Job: n, Artifacts: true})
					j.Inputs = append(j.Inputs, n)
				}
			case "when":
				j.When = plan.When(value)
			case "regardless":
				j.When, j.Regardless, j.Graph = plan.Always, true, true
			case "delayed":
				j.When = plan.Delayed
				j.Delay, _ = time.ParseDuration(value)
			case "retry":
				j.Retry.Max = int(value[0] - '0')
			case "group":
				j.Group = &plan.Group{Name: value}
			case "self", "expand":
				j.Late = &plan.Late{Kind: key}
			case "single", "cancel":
				j.Group = &plan.Group{Name: value, Mode: schedule.Single, Cancel: key == "cancel"}
			case "set":
				j.Strategy = &plan.Strategy{Set: value}
			case "parallel":
				j.Strategy.Parallel = int(value[0] - '0')
			case "fast":
				j.Strategy.FailFast = true
			case "of":
				j.Workflow = value
			case "late":
				j.Late = &plan.Late{Kind: "child", Wait: true}
			case "allow":
				j.AllowFailure = plan.Allow{Any: true}
			case "leaves":
				j.Artifacts = &plan.Artifacts{}
			}
		}
		if !slices.Contains(p.Stages, j.Stage) {
			p.Stages = append(p.Stages, j.Stage)
		}
		p.Jobs = append(p.Jobs, j)
	}
	return p
}

var errEnough = errors.New("enough")
