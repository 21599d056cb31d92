package run_test

import (
	"fmt"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// grid makes layers of jobs; wire says which jobs of the layer before a job needs, nil leaves it to the stages.
func grid(layers, width int, wire func(i int) []int) *plan.Plan {
	p := &plan.Plan{}
	for l := range layers {
		stage := fmt.Sprint("s", l)
		if wire == nil || l == 0 {
			p.Stages = append(p.Stages, stage)
		}
		for i := range width {
			id := fmt.Sprintf("j%d/%d", l, i)
			j := &plan.Job{ID: id, Name: id, Key: id, Stage: p.Stages[len(p.Stages)-1], When: plan.OnSuccess}
			if wire != nil {
				j.Graph = true
				if l > 0 {
					for _, k := range wire(i) {
						j.Needs = append(j.Needs, plan.Need{Job: fmt.Sprintf("j%d/%d", l-1, k)})
					}
				}
			}
			p.Jobs = append(p.Jobs, j)
		}
	}
	return p
}

func big() map[string]*plan.Plan {
	same := func(i int) []int { return []int{i} }
	ten := func(i int) (out []int) {
		for k := range 10 {
			out = append(out, (i+k*7)%100)
		}
		return out
	}
	return map[string]*plan.Plan{
		"10000 in one stage":      grid(1, 10000, nil),
		"two stages of 5000":      grid(2, 5000, nil),
		"100 stages of 100":       grid(100, 100, nil),
		"a chain of 10000 stages": grid(10000, 1, nil),
		"a chain of 10000 needs":  grid(10000, 1, same),
		"100 layers of 100":       grid(100, 100, ten),
	}
}

// size is how large a plan is: jobs, needs and stages.
func size(p *plan.Plan) int {
	n := len(p.Jobs) + len(p.Stages)
	for _, j := range p.Jobs {
		n += len(j.Needs)
	}
	return n
}

// drive takes a run to its end. The job that is the fail-th to start fails; none where that is negative.
func drive(t testing.TB, p *plan.Plan, fail int) *run.Run {
	left := fail
	r, changes := run.New(p, run.Options{}, noon)
	for queue := changes; len(queue) > 0; queue = queue[1:] {
		c := queue[0]
		if c.Job == "" || c.To != run.Pending {
			continue
		}
		f := event.Fact{At: noon, Kind: event.Started, Job: c.Job}
		if _, err := r.Apply(f); err != nil {
			t.Fatal(err)
		}
		f.Kind = event.Finished
		if left--; left == -1 {
			f.Failure = "script_failure"
		}
		more, err := r.Apply(f)
		if err != nil {
			t.Fatal(err)
		}
		queue = append(queue, more...)
	}
	if !r.Done() || r.Status() == run.Running {
		t.Fatalf("the run is %s", r.Status())
	}
	return r
}

// TestWorkIsInProportionToThePlan counts every job and edge that a whole run touches.
func TestWorkIsInProportionToThePlan(t *testing.T) {
	for name, p := range big() {
		for _, fail := range []int{-1, 0, 50, 4000} {
			t.Run(fmt.Sprintf("%s, failing %d", name, fail), func(t *testing.T) {
				r := drive(t, p, fail)
				if got, most := r.Work(), 12*size(p); got > most {
					t.Errorf("touched %d for a plan of size %d", got, size(p))
				}
			})
		}
	}
}

func TestCancelOfABigRun(t *testing.T) {
	for name, p := range big() {
		r, _ := run.New(p, run.Options{}, noon)
		if _, err := r.Apply(event.Fact{At: noon, Kind: event.Canceled}); err != nil {
			t.Fatal(err)
		}
		if got, most := r.Work(), 12*size(p); got > most || r.Status() != run.Canceled {
			t.Errorf("%s: touched %d for a plan of size %d; %s", name, got, size(p), r.Status())
		}
	}
}

func BenchmarkRun(b *testing.B) {
	for name, p := range big() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				drive(b, p, -1)
			}
		})
	}
}
