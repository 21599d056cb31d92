package schedule_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/schedule"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// story is what happens to a queue, line by line:
//
//	agents ID=SLOTS[:TAG,TAG] ...   a tag "*" takes every job, "-" also those without tags
//	agent ID=SLOTS[:TAGS]           sets one; drop ID takes one away
//	push JOB WORD...                words: run=, tags=, group=, mode=, order=, share=, project=, noagent, set=, parallel=,
//	                                single= and cancel= (groups of the mode single)
//	expect JOB WORD..., done JOB..., remove JOB, mode GROUP MODE
//	assign                          then "= a>x b>y" says what was assigned, "~ c: REASON" what was blocked
//	^ a<b c<d!                      which jobs were superseded by which, ! those that had been let through
//	why JOB: REASON
type story string

func (s story) tell(t *testing.T) {
	t.Helper()
	q := schedule.New()
	var assigned, blocked string
	for line := range strings.Lines(string(s)) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		text := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), f[0]))
		switch f[0] {
		case "agents":
			var all []schedule.Agent
			for _, w := range f[1:] {
				all = append(all, agent(w))
			}
			q.SetAgents(all, noon)
		case "agent":
			q.SetAgent(agent(f[1]), noon)
		case "drop":
			q.DropAgent(f[1])
		case "push":
			q.Push(job(t, f[1:]))
		case "expect":
			q.Expect(job(t, f[1:]))
		case "done":
			for _, id := range f[1:] {
				q.Done(id, noon)
			}
		case "remove":
			q.Remove(f[1])
		case "mode":
			q.SetMode("", f[1], f[2])
		case "assign":
			assigned, blocked = tellAssigned(q.Assign(noon.Add(time.Minute)))
		case "=":
			if assigned != text {
				t.Fatalf("assigned %q, want %q", assigned, text)
			}
		case "~":
			if blocked != text {
				t.Fatalf("blocked %q, want %q", blocked, text)
			}
		case "^":
			if got := tellSuperseded(q.Superseded()); got != text {
				t.Fatalf("superseded %q, want %q", got, text)
			}
		case "why":
			id, want, _ := strings.Cut(text, ": ")
			if got := q.Why(id).String(); got != want {
				t.Fatalf("%s: %q, want %q", id, got, want)
			}
		default:
			t.Fatalf("what is %q?", line)
		}
	}
}

func agent(w string) schedule.Agent {
	id, rest, _ := strings.Cut(w, "=")
	slots, tags, _ := strings.Cut(rest, ":")
	a := schedule.Agent{ID: id}
	a.Slots, _ = strconv.Atoi(slots)
	for tag := range strings.SplitSeq(tags, ",") {
		switch tag {
		case "*":
			a.AnyTags = true
		case "-":
			a.RunUntagged = true
		case "":
		default:
			a.Tags = append(a.Tags, tag)
		}
	}
	return a
}

func job(t *testing.T, w []string) schedule.Job {
	j := schedule.Job{ID: w[0], Run: "1", Queued: noon}
	for _, word := range w[1:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "run":
			j.Run = value
		case "share":
			j.Share = value
		case "project":
			j.Project = value
		case "tags":
			j.Tags = strings.Split(value, ",")
		case "group":
			j.Group = value
		case "mode":
			j.Mode = value
		case "order":
			j.Order, _ = strconv.ParseInt(value, 10, 64)
		case "noagent":
			j.NoAgent = true
		case "set":
			j.Set = value
		case "parallel":
			j.Parallel, _ = strconv.Atoi(value)
		case "single":
			j.Group, j.Mode = value, schedule.Single
		case "cancel":
			j.Group, j.Mode, j.Cancel = value, schedule.Single, true
		default:
			t.Fatalf("what is %q?", word)
		}
	}
	return j
}

func tellAssigned(as []schedule.Assignment, bs []schedule.Blocked) (assigned, blocked string) {
	var out, held []string
	for _, a := range as {
		out = append(out, a.Job+">"+a.Agent)
	}
	for _, b := range bs {
		held = append(held, fmt.Sprintf("%s: %s", b.Job, b.Reason))
	}
	return strings.Join(out, " "), strings.Join(held, "; ")
}

func tellSuperseded(ss []schedule.Superseded) string {
	var out []string
	for _, s := range ss {
		text := s.Job + "<" + s.By
		if s.Held {
			text += "!"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func TestQueue(t *testing.T) {
	for name, s := range map[string]story{
		"first come, first served, as slots allow": `
			agents m=2:*
			push a
			push b
			push c
			assign
			= a>m b>m
			why c: all 2 slots are busy
			why a: running on m
			done b
			why c: about to start
			assign
			= c>m
			done a
			assign
			=`,
		"a job goes to an agent that has all its tags": `
			agents x=1:linux y=1:linux,gpu
			push a tags=gpu,linux
			push b tags=linux
			push c tags=gpu
			push d tags=gpu,windows
			push e
			assign
			= a>y b>x
			why c: all 1 slots are busy
			why d: no agent has tags [gpu, windows]
			why e: no agent takes jobs without tags
			agent z=1:-,linux
			assign
			= e>z`,
		"an agent without tags takes jobs without tags, and only those": `
			agents x=2
			push a
			push b tags=linux
			assign
			= a>x
			why b: no agent has tags [linux]`,
		"the agent that can do least is taken first": `
			agents any=1:* gpu=1:gpu
			push a tags=gpu
			push b
			push c tags=gpu
			assign
			= a>gpu b>any`,
		"the freest of several agents": `
			agents x=2:* y=3:*
			push a
			push b
			push c
			assign
			= a>y b>x c>y`,
		"nobody is there": `
			push a
			assign
			=
			why a: no agent is there
			agents m=0:*
			why a: every agent that could take it is paused
			agent m=1:*
			assign
			= a>m`,
		"a run with many jobs does not shut out another one": `
			agents m=2:*
			push a1 run=1
			push a2 run=1
			push a3 run=1
			push a4 run=1
			push b1 run=2
			push b2 run=2
			assign
			= a1>m b1>m
			done a1
			assign
			= a2>m
			done a2
			done b1
			assign
			= a3>m b2>m`,
		"runs of one project share": `
			agents m=2:*
			push a run=1 share=p
			push b run=2 share=p
			push c run=3 share=q
			assign
			= a>m c>m`,
		"an agent leaves, and what it runs holds no slot": `
			agents x=1:* y=1:*
			push a
			push b
			push c
			assign
			= a>x b>y
			drop x
			why c: all 1 slots are busy
			done b
			assign
			= c>y
			agent x=1:*
			push d
			assign
			=
			done a
			assign
			= d>x`,
		"an agent gets fewer slots than it has jobs": `
			agents m=3:*
			push a
			push b
			push c
			assign
			= a>m b>m c>m
			agent m=1:*
			push d
			done a
			assign
			=
			done b
			assign
			=
			done c
			assign
			= d>m`,
		"a job is pushed twice": `
			agents m=2:*
			push a
			push a
			assign
			= a>m
			push a
			assign
			=`,
		"a job leaves before it starts": `
			agents m=1:*
			push a
			push b
			remove a
			remove nobody
			assign
			= b>m
			why a: not in the queue`,
		"one at a time in a resource group": `
			agents m=3:*
			push a group=prod
			push b group=prod
			push c
			push d group=prod project=other
			assign
			= a>m c>m d>m
			~ b: waiting for resource group "prod", held by a
			assign
			~
			why b: waiting for resource group "prod", held by a
			done a
			assign
			= b>m`,
		"a job that is let through holds the group before it runs": `
			agents m=1:*
			push x
			push a group=prod
			push b group=prod
			assign
			= x>m
			why a: all 1 slots are busy
			why b: waiting for resource group "prod", held by a
			remove a
			done x
			assign
			= b>m`,
		"oldest first": `
			agents m=9:*
			push b2 run=2 order=2 group=prod mode=oldest_first
			push b3 run=3 order=3 group=prod
			push b1 run=1 order=1 group=prod
			done b2
			assign
			= b1>m
			done b1
			assign
			= b3>m`,
		"oldest first waits for what is still to come": `
			agents m=9:*
			expect b1 run=1 order=1 group=prod mode=oldest_first
			push b2 run=2 order=2 group=prod
			assign
			=
			~ b2: waiting for resource group "prod", b1 goes first
			why b1: not ready yet
			push b1 run=1 order=1 group=prod
			assign
			= b1>m
			done b1
			assign
			= b2>m`,
		"oldest first does not wait within a run": `
			agents m=9:*
			expect late run=1 order=1 group=prod mode=oldest_first
			push soon run=1 order=1 group=prod
			assign
			= soon>m`,
		"what was to come does not": `
			agents m=9:*
			expect b1 run=1 order=1 group=prod mode=oldest_first
			push b2 run=2 order=2 group=prod
			remove b1
			assign
			= b2>m`,
		"newest first waits for what is still to come": `
			agents m=9:*
			push b1 run=1 order=1 group=prod mode=newest_first
			expect b3 run=3 order=3 group=prod
			push b2 run=2 order=2 group=prod
			assign
			= b1>m
			done b1
			assign
			=
			why b2: waiting for resource group "prod", b3 goes first
			push b3 run=3 order=3 group=prod
			assign
			= b3>m
			done b3
			assign
			= b2>m`,
		"newest ready first does not": `
			agents m=9:*
			push b1 run=1 order=1 group=prod mode=newest_ready_first
			expect b4 run=4 order=4 group=prod
			push b2 run=2 order=2 group=prod
			push b3 run=3 order=3 group=prod
			assign
			= b1>m
			done b1
			assign
			= b3>m`,
		"a mode is changed while jobs wait": `
			agents m=9:*
			push b2 run=2 order=2 group=prod
			push b3 run=3 order=3 group=prod
			push b1 run=1 order=1 group=prod
			assign
			mode prod newest_first
			done b2
			assign
			= b3>m`,
		"a job that needs no agent needs its group": `
			agents m=1:*
			push x
			push t group=prod noagent
			push a group=prod
			assign
			= t> x>m
			why t: running
			why a: waiting for resource group "prod", held by t
			done x
			done t
			assign
			= a>m`,
	} {
		t.Run(name, func(t *testing.T) { s.tell(t) })
	}
}

func TestAssignTellsHowLongAJobWaited(t *testing.T) {
	q := schedule.New()
	q.SetAgents([]schedule.Agent{{ID: "m", Slots: 1}}, noon)
	q.Push(schedule.Job{ID: "a", Queued: noon})
	got, _ := q.Assign(noon.Add(3 * time.Second))
	if len(got) != 1 || got[0].Waited != 3*time.Second {
		t.Errorf("got %+v", got)
	}
	if waiting, running := q.Len(); waiting != 0 || running != 1 {
		t.Errorf("%d wait, %d run", waiting, running)
	}
}

func TestThePushedJobIsNotChanged(t *testing.T) {
	tags := []string{"b", "a", "b"}
	q := schedule.New()
	q.Push(schedule.Job{ID: "a", Tags: tags})
	if !slices.Equal(tags, []string{"b", "a", "b"}) {
		t.Errorf("the caller's tags are %v", tags)
	}
}
