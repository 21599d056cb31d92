package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// world writes a plan in short: one job a line, "stage name", then "needs a b" for a job of the graph, "key k",
// "manual" or "delayed".
func world(t testing.TB, text string) *plan.Plan {
	t.Helper()
	p := &plan.Plan{}
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		if len(w) < 2 {
			continue
		}
		j := &plan.Job{ID: w[1], Name: w[1], Key: w[1], Stage: w[0], When: plan.OnSuccess}
		for mode, rest := "", w[2:]; len(rest) > 0; rest = rest[1:] {
			switch rest[0] {
			case "needs":
				mode, j.Graph = "needs", true
			case "manual":
				j.When = plan.Manual
			case "delayed":
				j.When = plan.Delayed
			case "key":
				mode = "key"
			default:
				if mode == "key" {
					j.Key = rest[0]
				} else {
					j.Needs = append(j.Needs, plan.Need{Job: rest[0]})
				}
			}
		}
		if !seen[j.Stage] {
			seen[j.Stage] = true
			p.Stages = append(p.Stages, j.Stage)
		}
		p.Jobs = append(p.Jobs, j)
	}
	return p
}

func TestMistakesInAGraph(t *testing.T) {
	for name, c := range map[string]struct{ world, code, text string }{
		"a need that is not there": {
			"build a\ntest b needs biuld\nbuild build", plan.CodeUnknownNeed,
			`job "b" needs "biuld", which is not in the pipeline [SL1302] - did you mean "build"?`,
		},
		"a job that needs itself": {
			"test a needs a", plan.CodeCycle, `jobs wait for each other: "a" needs "a" [SL1303]`,
		},
		"three in a circle": {
			"test a needs b\ntest b needs c\ntest c needs a\ntest d needs a", plan.CodeCycle,
			`jobs wait for each other: "a" needs "b", which needs "c", which needs "a" [SL1303]`,
		},
		"a circle over a stage": {
			"build a needs b\ntest b", plan.CodeCycle,
			`jobs wait for each other: "a" needs "b", which waits for the earlier stages with "a" [SL1303]`,
		},
		"an ID given twice": {"test a\ntest a", plan.CodeTwice, `the job ID "a" is given twice [SL1304]`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := plan.Connect(world(t, c.world))
			if err == nil {
				t.Fatal("no fault")
			}
			if err.Error() != c.text {
				t.Errorf("got  %s\nwant %s", err, c.text)
			}
			if _, list := err.(fault.Faults); !list && fault.CodeOf(err) != c.code {
				t.Errorf("code %s, want %s", fault.CodeOf(err), c.code)
			}
		})
	}
}

func TestALongCircleIsShortened(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "test j%d needs j%d\n", i, (i+1)%1000)
	}
	_, err := plan.Connect(world(t, b.String()))
	if err == nil || len(err.Error()) > 500 || !strings.Contains(err.Error(), "and so on until") {
		t.Errorf("got %v", err)
	}
}

func TestReach(t *testing.T) {
	p := world(t, "build a\nbuild b\ntest c needs a\ntest d\ndeploy e needs c\ndeploy f")
	g, err := plan.Connect(p)
	if err != nil {
		t.Fatal(err)
	}
	names := func(in []bool) string {
		var out []string
		for i, yes := range in {
			if yes {
				out = append(out, p.Jobs[i].Name)
			}
		}
		return strings.Join(out, " ")
	}
	for job, want := range map[string]string{"a": "a", "c": "a c", "d": "a b d", "e": "a c e", "f": "a b c d f"} {
		i, _ := g.Index(job)
		if got := names(g.Before(i)); got != want {
			t.Errorf("before %s: %s, want %s", job, got, want)
		}
	}
}

// TestOrderHoldsEveryEdge compares the sorted order with the plain definition of who waits for whom.
func TestOrderHoldsEveryEdge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &plan.Plan{}
		stages := rapid.IntRange(1, 4).Draw(t, "stages")
		for s := range stages {
			p.Stages = append(p.Stages, fmt.Sprint("s", s))
		}
		n := rapid.IntRange(1, 15).Draw(t, "jobs")
		for i := range n {
			j := &plan.Job{ID: fmt.Sprint("j", i), Stage: p.Stages[rapid.IntRange(0, stages-1).Draw(t, "stage")]}
			j.Graph = rapid.Bool().Draw(t, "graph")
			if j.Graph {
				for _, k := range rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, 3, rapid.ID[int]).Draw(t, "needs") {
					j.Needs = append(j.Needs, plan.Need{Job: fmt.Sprint("j", k)})
				}
			}
			p.Jobs = append(p.Jobs, j)
		}
		waits := func(a, b *plan.Job) bool { // a waits for b
			if !a.Graph {
				return b.Stage < a.Stage
			}
			for _, need := range a.Needs {
				if need.Job == b.ID {
					return true
				}
			}
			return false
		}
		g, err := plan.Connect(p)
		if err != nil {
			if !circular(p, waits) {
				t.Fatalf("a circle was told where there is none: %v", err)
			}
			return
		}
		at := make([]int, n)
		for k, i := range g.Order() {
			at[i] = k
		}
		if len(g.Order()) != n {
			t.Fatalf("%d of %d jobs in order", len(g.Order()), n)
		}
		for i, a := range p.Jobs {
			for k, b := range p.Jobs {
				if waits(a, b) && at[i] <= at[k] {
					t.Fatalf("%s comes before %s", a.ID, b.ID)
				}
			}
		}
	})
}

// circular takes away jobs that wait for nothing until none is left, or none can be taken.
func circular(p *plan.Plan, waits func(a, b *plan.Job) bool) bool {
	left := append([]*plan.Job(nil), p.Jobs...)
	for len(left) > 0 {
		took := false
		for i, a := range left {
			free := true
			for _, b := range left {
				free = free && !waits(a, b)
			}
			if free {
				left, took = append(left[:i:i], left[i+1:]...), true
				break
			}
		}
		if !took {
			return true
		}
	}
	return false
}

func BenchmarkConnectChain(b *testing.B) {
	p := &plan.Plan{Stages: []string{"test"}}
	for i := range 10000 {
		j := &plan.Job{ID: fmt.Sprint("j", i), Stage: "test", Graph: true}
		if i > 0 {
			j.Needs = []plan.Need{{Job: fmt.Sprint("j", i-1)}}
		}
		p.Jobs = append(p.Jobs, j)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := plan.Connect(p); err != nil {
			b.Fatal(err)
		}
	}
}
