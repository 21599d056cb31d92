package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// listed is a job as --list shows it.
type listed struct {
	Name         string    `json:"name"`
	Stage        string    `json:"stage"`
	When         plan.When `json:"when"`
	AllowFailure bool      `json:"allow_failure"`
	Needs        []string  `json:"needs"` // null where the job waits for the stages before
	Key          string    `json:"key"`
}

func listOf(p *plan.Plan, choice *plan.Choice) []listed {
	out := []listed{}
	for j := range chosen(p, choice).Shown() {
		l := listed{Name: j.Name, Stage: j.Stage, When: j.When, AllowFailure: j.AllowFailure.Any, Key: j.Key}
		if j.Graph {
			l.Needs = []string{}
			for _, n := range j.Needs {
				l.Needs = append(l.Needs, n.Job)
			}
		}
		out = append(out, l)
	}
	return out
}

// chosen is a plan without the jobs that were not chosen.
func chosen(p *plan.Plan, choice *plan.Choice) *plan.Plan {
	if choice == nil {
		return p
	}
	out := *p
	out.Jobs, out.Excluded = nil, nil
	for _, j := range p.Jobs {
		switch {
		case !choice.Selected[j.ID]:
			continue
		case choice.Inner[j.ID] != nil:
			inner, err := plan.Choose(j.Late.Plan, choice.Inner[j.ID], true)
			if err == nil {
				one, late := *j, *j.Late
				late.Plan = chosen(late.Plan, inner)
				one.Late = &late
				j = &one
			}
		}
		out.Jobs = append(out.Jobs, j)
	}
	return &out
}

func listJSON(w io.Writer, p *plan.Plan, choice *plan.Choice) error {
	return writeJSON(w, listOf(p, choice))
}

func listText(w io.Writer, p *plan.Plan, choice *plan.Choice) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "JOB\tSTAGE\tWHEN\tALLOW FAILURE")
	for _, l := range listOf(p, choice) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%t\n", oneLine(l.Name), oneLine(l.Stage), l.When, l.AllowFailure)
	}
	return t.Flush()
}

// completeJobs offers the names of the pipeline's jobs to the shell. Mistakes in the file offer nothing.
func completeJobs(p *pipelineFlags) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		l, err := p.open(cmd.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		compiled, found := l.compile(cmd.Context())
		if found.HasErrors() || compiled == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for j := range compiled.Shown() {
			names = append(names, j.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
