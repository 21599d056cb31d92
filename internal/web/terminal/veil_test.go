package terminal_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/run"
	"github.com/sluice-delivery/sluice/internal/web/terminal"
)

// A job that others take the place of is not shown, nor one that is still to be bound; those that take its place are,
// and jobs of two workflows that share a name are told apart.
func TestWhatStandsForOthersIsNotShown(t *testing.T) {
	for _, progress := range []string{"plain", "json"} {
		t.Run(progress, func(t *testing.T) {
			var out bytes.Buffer
			v, err := terminal.New(terminal.Options{Progress: progress, Color: "never", Out: &out, Err: &out, Env: func(string) string { return "" }})
			if err != nil {
				t.Fatal(err)
			}
			late := &plan.Job{ID: "late", Name: "late", Key: "late", Late: &plan.Late{Kind: "expand"}, Workflow: "a.yml"}
			self := &plan.Job{ID: "self", Name: "${{ x }}", Key: "self", Late: &plan.Late{Kind: "self"}, Workflow: "a.yml"}
			one := &plan.Job{ID: "same", Name: "same", Key: "same", Workflow: "a.yml"}
			two := &plan.Job{ID: "same-2", Name: "same", Key: "same", Workflow: "b.yml"}
			leg := &plan.Job{ID: "leg", Name: "late (1)", Key: "late", Values: []byte(`{"n":1}`)}
			p := &plan.Plan{Jobs: []*plan.Job{late, self, one, two}, Workflows: []plan.Workflow{{Name: "A", File: "a.yml"}, {File: "b.yml"}}}
			v.Begin(terminal.Head{Plan: p})
			at := time.Now()
			tell := func(j *plan.Job, id, parent string, c run.Change) run.Job {
				c.At, c.Job = at, id
				job := run.Job{ID: id, Plan: j, Parent: parent, Status: c.To}
				v.Changed(c, job)
				return job
			}
			tell(late, "late", "", run.Change{From: run.Created, To: run.Pending, Bind: true})
			tell(self, "self", "", run.Change{From: run.Created, To: run.Pending, Bind: true})
			tell(late, "late", "", run.Change{From: run.Pending, To: run.Running, Bound: &run.Bound{Plan: &plan.Plan{Jobs: []*plan.Job{leg}}}})
			tell(leg, "late/leg", "late", run.Change{From: run.Created, To: run.Running})
			tell(one, "same", "", run.Change{From: run.Pending, To: run.Running})
			tell(two, "same-2", "", run.Change{From: run.Pending, To: run.Running})
			ended := []terminal.Ended{
				{Job: tell(leg, "late/leg", "late", run.Change{From: run.Running, To: run.Success})},
				{Job: tell(late, "late", "", run.Change{From: run.Running, To: run.Success})},
				{Job: tell(self, "self", "", run.Change{From: run.Pending, To: run.Skipped, Reason: "no"})},
				{Job: tell(one, "same", "", run.Change{From: run.Running, To: run.Success})},
				{Job: tell(two, "same-2", "", run.Change{From: run.Running, To: run.Failed})},
			}
			if err := v.Close(terminal.Summary{Status: run.Failed, Jobs: ended}); err != nil {
				t.Fatal(err)
			}
			got := out.String()
			want := []string{"late (1)", "A / same", "b.yml / same", "1 failed, 2 succeeded, 1 skipped"}
			not := []string{"late / late (1)", "late ▏"}
			if progress == "json" {
				want = []string{`"job":"late (1)","status":"success"`, `"matrix":{"n":1}`, `"job":"same","status":"success","workflow":"a.yml"`, `"job":"${{ x }}","status":"skipped"`}
				not = []string{`"job":"late"`, `"job":"${{ x }}","status":"pending"`}
			}
			for _, text := range want {
				if !strings.Contains(got, text) {
					t.Errorf("%q is not in\n%s", text, got)
				}
			}
			for _, text := range not {
				if strings.Contains(got, text) {
					t.Errorf("%q is in\n%s", text, got)
				}
			}
		})
	}
}
