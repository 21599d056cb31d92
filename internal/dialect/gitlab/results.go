package gitlab

import (
	"bytes"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/report"
)

// How much of a report is read: dotenv files may have 5 KiB, others what GitLab takes for unit tests.
const (
	maxDotenv = 5 << 10
	maxReport = 30 << 20
)

// readReports takes the reports up for the end of the run, and the dotenv variables for the jobs after this one.
func (j *job) readReports() {
	a := j.Job.Artifacts
	if a == nil || j.over {
		return
	}
	for _, r := range a.Reports {
		limit := int64(maxReport)
		if r.Kind == "dotenv" {
			limit = maxDotenv + 1
		}
		j.ask(program.ReadFiles{Select: program.Select{Paths: j.expandAll(r.Paths)}, Limit: limit}, func(o program.Outcome) {
			if o.Failure != "" {
				j.first(program.Say{Text: "the " + r.Kind + " report was not read: " + o.Message, Warning: true})
				return
			}
			for _, f := range o.Files {
				j.found(r, f)
			}
		})
	}
}

// found keeps one report file. A broken one of a kind that GitLab acts on fails the job, as its upload would.
func (j *job) found(r plan.Report, f program.FoundFile) {
	j.result.Reports = append(j.result.Reports, program.Report{
		Kind: r.Kind, Format: r.Format, Path: f.Path, Content: f.Content, Truncated: f.Truncated,
	})
	if !report.Strict(r.Kind) {
		return
	}
	read, err := report.Read(r.Kind, f.Path, bytes.NewReader(f.Content))
	if err != nil {
		j.first(program.Say{Text: "ERROR: the " + r.Kind + " report is not valid: " + err.Error()})
		j.fail(program.Outcome{Failure: program.ScriptFailure, Message: "the " + r.Kind + " report is not valid: " + err.Error()})
		return
	}
	for _, v := range read.Variables {
		j.result.Outputs = append(j.result.Outputs, plan.Variable{Name: v.Name, Value: v.Value, Level: plan.Dotenv})
	}
	for _, l := range read.Links {
		j.result.Links = append(j.result.Links, program.Link{Label: l.Label, URL: l.URL})
	}
}
