package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/edge/tree"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// idleWith are the workflows that the event does not trigger and that have a job of the name. They are not in the plan:
// their files are read for the question.
func (l *pipeline) idleWith(ctx context.Context, p *plan.Plan, name string) []plan.Excluded {
	if l.found.dialect != "github" {
		return nil
	}
	own := tree.Open(l.repo.Root, l.repo.Dir != "")
	files := workflowFiles(l.repo.Root)
	var out []plan.Excluded
	for _, x := range p.Excluded {
		if !slices.Contains(files, x.Place.File) {
			continue
		}
		text, err := own.Read(ctx, x.Place.File)
		if err != nil {
			continue // compiling has told of it
		}
		f, _ := workflow.Read(x.Place.File, text)
		if slices.ContainsFunc(f.Jobs, func(j *workflow.Job) bool { return j.ID == name || j.Name.Value == name }) {
			out = append(out, x)
		}
	}
	return out
}

// explainIdle tells why the workflows of a job are not in the pipeline.
func explainIdle(w io.Writer, name string, idle []plan.Excluded) {
	for _, x := range idle {
		fmt.Fprintf(w, "%s is not in the pipeline: its workflow %s is not triggered\n", oneLine(name), oneLine(x.Name))
		writeDecision(w, x.Why)
	}
}

// unchosen says more of jobs that are not in the pipeline where they are in a workflow that the event does not trigger.
func (l *pipeline) unchosen(ctx context.Context, p *plan.Plan, jobs []string, err error) error {
	var more fault.List
	for _, name := range jobs {
		if _, none := plan.Choose(p, []string{name}, true); none == nil {
			continue
		}
		for _, x := range l.idleWith(ctx, p, name) {
			f := fault.New(plan.CodeNoSuchJob, "job %q is in the workflow %s, which is not triggered: %s", name, x.Name, reason(x.Why)).
				WithHint("change the event with --event, --branch or --tag")
			if x.Why.Rule == "on" {
				f.WithHint("-f %s runs the workflow by an event that it has; --event names one", x.Place.File)
			}
			more.Add(f)
		}
	}
	if told := more.Err(); told != nil {
		return told
	}
	return err
}
