package schedule_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/flow/schedule"
)

// model is the queue as a plain specification: lists, walked from end to end.
type model struct {
	agents []schedule.Agent
	jobs   []*entry // in the order of their coming
}

type entry struct {
	schedule.Job
	leg     bool // its set lets it through
	granted bool // its group is its own
	agent   string
}

func (m *model) running(run string) (n int) {
	for _, e := range m.jobs {
		if e.Run == run && e.agent != "" {
			n++
		}
	}
	return n
}

func (m *model) busy(agent string) (n int) {
	for _, e := range m.jobs {
		if e.agent == agent {
			n++
		}
	}
	return n
}

func (m *model) fits(e *entry, a schedule.Agent) bool {
	if a.AnyTags {
		return true
	}
	if len(e.Tags) == 0 {
		return a.RunUntagged || len(a.Tags) == 0
	}
	return !slices.ContainsFunc(e.Tags, func(t string) bool { return !slices.Contains(a.Tags, t) })
}

// grant lets jobs through their sets while there is room, and gives every free group to the first that waits for it.
func (m *model) grant() {
	for _, e := range m.jobs {
		legs := 0
		for _, o := range m.jobs {
			if o.leg && o.Set == e.Set && o.Run == e.Run {
				legs++
			}
		}
		e.leg = e.leg || e.Set == "" || legs < e.Parallel
	}
	for _, e := range m.jobs {
		taken := slices.ContainsFunc(m.jobs, func(o *entry) bool { return o.Group == e.Group && o.granted })
		if e.Group != "" && !taken && e.leg {
			e.granted = true
		}
	}
}

// next is the job that must start next, or nil.
func (m *model) next() *entry {
	var best *entry
	for _, e := range m.jobs {
		free := slices.ContainsFunc(m.agents, func(a schedule.Agent) bool { return m.fits(e, a) && m.busy(a.ID) < a.Slots })
		if e.agent == "" && e.leg && (e.Group == "" || e.granted) && free && (best == nil || m.running(e.Run) < m.running(best.Run)) {
			best = e
		}
	}
	return best
}

func TestQueueAgreesWithTheModel(t *testing.T) {
	tags := []string{"linux", "gpu", "arm"}
	drawTags := func(t *rapid.T) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(tags), 0, 2, rapid.ID[string]).Draw(t, "tags")
	}
	rapid.Check(t, func(t *rapid.T) {
		q, m := schedule.New(), &model{}
		setAgents := func(t *rapid.T) {
			n := rapid.IntRange(0, 3).Draw(t, "agents")
			m.agents = nil
			for i := range n {
				m.agents = append(m.agents, schedule.Agent{
					ID: fmt.Sprint("m", i), Tags: drawTags(t), Slots: rapid.IntRange(0, 2).Draw(t, "slots"),
					RunUntagged: rapid.Bool().Draw(t, "untagged"), AnyTags: rapid.IntRange(0, 3).Draw(t, "any") == 0,
				})
			}
			if rapid.Bool().Draw(t, "one by one") {
				for i := range 3 {
					if i < n {
						q.SetAgent(m.agents[i], noon)
					} else {
						q.DropAgent(fmt.Sprint("m", i))
					}
				}
			} else {
				q.SetAgents(m.agents, noon)
			}
		}
		setAgents(t)
		next := 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				j := schedule.Job{ID: fmt.Sprint("j", next), Run: rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "run"), Tags: drawTags(t)}
				if rapid.Bool().Draw(t, "grouped") {
					j.Group = rapid.SampledFrom([]string{"prod", "test"}).Draw(t, "group")
				}
				if rapid.Bool().Draw(t, "leg") {
					j.Set, j.Parallel = "matrix", 2
				}
				next++
				q.Push(j)
				m.jobs = append(m.jobs, &entry{Job: j})
				m.grant()
			},
			"leave": func(t *rapid.T) {
				if len(m.jobs) == 0 {
					t.Skip("nobody is there")
				}
				i := rapid.IntRange(0, len(m.jobs)-1).Draw(t, "job")
				q.Done(m.jobs[i].ID, noon)
				m.jobs = slices.Delete(m.jobs, i, i+1)
				m.grant()
			},
			"agents": setAgents,
			"assign": func(t *rapid.T) {
				got, _ := q.Assign(noon)
				for _, a := range got {
					want := m.next()
					if want == nil || want.ID != a.Job {
						t.Fatalf("assigned %s, want %v", a.Job, want)
					}
					i := slices.IndexFunc(m.agents, func(b schedule.Agent) bool { return b.ID == a.Agent })
					if i < 0 || !m.fits(want, m.agents[i]) || m.busy(a.Agent) >= m.agents[i].Slots {
						t.Fatalf("%s cannot run on %s", a.Job, a.Agent)
					}
					want.agent = a.Agent
				}
				if left := m.next(); left != nil {
					t.Fatalf("%s was not assigned", left.ID)
				}
			},
			"": func(t *rapid.T) {
				for _, e := range m.jobs {
					if got, want := q.Why(e.ID).Kind, m.why(e); got != want {
						t.Fatalf("%s waits for %s, want %s", e.ID, got, want)
					}
				}
				for _, group := range []string{"prod", "test"} {
					n := 0
					for _, e := range m.jobs {
						if k := q.Why(e.ID).Kind; e.Group == group && k != schedule.Group && k != schedule.Parallel {
							n++
						}
					}
					if n > 1 {
						t.Fatalf("%d jobs of group %s were let through", n, group)
					}
				}
				legs := map[string]int{}
				for _, e := range m.jobs {
					if e.Set != "" && q.Why(e.ID).Kind == schedule.Assigned {
						legs[e.Run]++
					}
				}
				for run, n := range legs {
					if n > 2 {
						t.Fatalf("%d legs of run %s at a time", n, run)
					}
				}
			},
		})
	})
}

func (m *model) why(e *entry) schedule.Kind {
	slots, free, fit := 0, false, false
	for _, a := range m.agents {
		if m.fits(e, a) {
			fit = true
			slots += a.Slots
			free = free || m.busy(a.ID) < a.Slots
		}
	}
	switch {
	case e.agent != "":
		return schedule.Assigned
	case !e.leg:
		return schedule.Parallel
	case e.Group != "" && !e.granted:
		return schedule.Group
	case free:
		return schedule.Ready
	case !fit:
		return schedule.NoAgent
	case slots == 0:
		return schedule.Paused
	default:
		return schedule.Busy
	}
}

// TestOnlyTheNewestWaits holds the mode single against what it says: one job of a group is let through, one waits, and
// that is the one that came last.
func TestOnlyTheNewestWaits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := schedule.New()
		q.SetAgents([]schedule.Agent{{ID: "m", Slots: 1000, AnyTags: true}}, noon)
		var holder, waits string
		told := false // the holder has been told to stop
		next := 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				j := schedule.Job{ID: fmt.Sprint("j", next), Run: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "run"), Group: "g", Mode: schedule.Single, Cancel: rapid.Bool().Draw(t, "cancel")}
				next++
				q.Push(j)
				want := ""
				if holder == "" {
					holder = j.ID
				} else {
					if waits != "" {
						want += waits + "<" + j.ID
					}
					if j.Cancel && !told {
						told = true
						if want != "" {
							want += " "
						}
						want += holder + "<" + j.ID + "!"
					}
					if waits != "" && rapid.Bool().Draw(t, "removed at once") {
						q.Remove(waits)
					}
					waits = j.ID
				}
				if got := tellSuperseded(q.Superseded()); got != want {
					t.Fatalf("superseded %q, want %q", got, want)
				}
			},
			"done": func(t *rapid.T) {
				if holder == "" {
					t.Skip("nobody is there")
				}
				q.Done(holder, noon)
				holder, waits, told = waits, "", false
			},
			"give up": func(t *rapid.T) {
				if waits == "" {
					t.Skip("nobody waits")
				}
				q.Remove(waits)
				waits = ""
			},
			"": func(t *rapid.T) {
				q.Assign(noon)
				if holder != "" && q.Why(holder).Kind != schedule.Assigned || waits != "" && q.Why(waits).Kind != schedule.Group {
					t.Fatalf("%s %s, %s %s", holder, q.Why(holder).Kind, waits, q.Why(waits).Kind)
				}
			},
		})
	})
}

func BenchmarkAssign10000JobsTo1000Agents(b *testing.B) {
	kinds := [][]string{{"linux"}, {"linux", "gpu"}, {"windows"}, {"linux", "arm"}, nil}
	var agents []schedule.Agent
	for i := range 1000 {
		agents = append(agents, schedule.Agent{ID: fmt.Sprint("m", i), Tags: kinds[i%5], Slots: 2})
	}
	var jobs []schedule.Job
	for i := range 10000 {
		jobs = append(jobs, schedule.Job{ID: fmt.Sprint("j", i), Run: fmt.Sprint(i % 100), Tags: kinds[i%5]})
	}
	b.ReportAllocs()
	for b.Loop() {
		q := schedule.New()
		q.SetAgents(agents, noon)
		for _, j := range jobs {
			q.Push(j)
		}
		for done := 0; done < len(jobs); {
			got, _ := q.Assign(noon)
			for _, a := range got {
				q.Done(a.Job, noon)
				done++
			}
		}
	}
}
