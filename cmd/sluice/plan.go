package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

func newPlan(s *streams) *cobra.Command {
	var p pipelineFlags
	var format string
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Print the compiled pipeline: what would run, in which order, and why",
		Long: `Print the compiled pipeline: what would run, in which order, and why. Of GitHub workflows all that the event triggers,
each with its jobs; those that it does not trigger are left out, with the reason.`,
		Example: `  sluice plan
  sluice plan --event merge_request --target main
  sluice plan -o dot | dot -Tsvg > pipeline.svg`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, ok := planFormats[format]
			if !ok {
				return fault.New(codeUsage, "-o %s is not text, json, yaml or dot", format)
			}
			l, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			s.hide(l)
			compiled, err := s.explained(cmd.Context(), l)
			if err != nil {
				return err
			}
			s.tell(l)
			if len(compiled.Jobs) == 0 {
				fmt.Fprintln(s.err, "no job is left for this event")
			}
			return write(s.out, compiled)
		},
	}
	p.register(cmd)
	cmd.Flags().StringVarP(&format, "output", "o", "text", "text, json, yaml or dot")
	return cmd
}

var planFormats = map[string]func(io.Writer, *plan.Plan) error{
	"text": planText, "json": planJSON, "yaml": planYAML, "dot": planDot,
}

func planJSON(w io.Writer, p *plan.Plan) error {
	return writeJSON(w, p)
}

// planYAML writes what planJSON writes, in YAML: the names are those of the JSON.
func planYAML(w io.Writer, p *plan.Plan) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	out, err := yamlx.Print(yamlx.From(value, fault.Place{}))
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}

// planText writes the stages with their jobs, each with what makes it special and what it waits for.
func planText(w io.Writer, p *plan.Plan) error {
	var b strings.Builder
	if p.Name != "" && !slices.Equal(p.Stages, []string{p.Name}) { // one workflow is its own stage
		fmt.Fprintf(&b, "%s\n", oneLine(p.Name))
	}
	known := legsOf(p)
	for _, stage := range p.Stages {
		var lines []entry
		for _, j := range inStage(p, stage) {
			lines = append(lines, entry{j.Name, setOf(j), traits(known, j)})
		}
		if len(lines) > 0 {
			fmt.Fprintf(&b, "%s\n", oneLine(stage))
		}
		writeTree(&b, lines)
	}
	if len(p.Excluded) > 0 {
		fmt.Fprintf(&b, "left out\n")
		var lines []entry
		for _, x := range p.Excluded {
			lines = append(lines, entry{x.Name, group(x.Name), []string{reason(x.Why)}})
		}
		writeTree(&b, lines)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// entry is a job in a listing: its name, what it has in common with its like, and the words behind it.
type entry struct {
	name, set string
	words     []string
}

// setOf is what the legs of a matrix have in common.
func setOf(j *plan.Job) string {
	if j.Strategy != nil {
		return j.Strategy.Set
	}
	return group(j.Name)
}

// seriesLimit is how many jobs that only differ in their numbers or matrix values have a line each.
const seriesLimit = 10

// writeTree writes a line for every job, and one for a longer series of jobs of one group that have the same words.
func writeTree(b *strings.Builder, jobs []entry) {
	for len(jobs) > 0 {
		n := 1
		for n < len(jobs) && jobs[n].set == jobs[0].set && slices.Equal(jobs[n].words, jobs[0].words) {
			n++
		}
		first := jobs[0]
		if n > seriesLimit {
			first.name += " … " + jobs[n-1].name
			first.words = append([]string{counted(n, "job")}, first.words...)
		} else {
			n = 1
		}
		jobs = jobs[n:]
		branch := "├─"
		if len(jobs) == 0 {
			branch = "└─"
		}
		fmt.Fprintf(b, "%s %s", branch, oneLine(first.name))
		if len(first.words) > 0 {
			fmt.Fprintf(b, "  (%s)", oneLine(strings.Join(first.words, "; ")))
		}
		b.WriteString("\n")
	}
}

// leg is what tells the jobs of a group apart (GitLab documentation, CI/CD jobs, group similar jobs together).
var leg = lazy.Pattern(`([\s:]+(\[.*\]|\d+[\s:/\\]+\d+)){1,3}\s*$`)

// group is the name of a job without the numbers or values that tell it from its like.
func group(name string) string { return leg.ReplaceAllString(name, "") }

func inStage(p *plan.Plan, stage string) []*plan.Job {
	var out []*plan.Job
	for _, j := range p.Jobs {
		if j.Stage == stage {
			out = append(out, j)
		}
	}
	return out
}

// traits are the words behind a job's name.
func traits(l legs, j *plan.Job) []string {
	var words []string
	if j.When == plan.Never {
		return []string{"skipped: " + reason(j.Why)}
	}
	if j.When != plan.OnSuccess && j.When != "" {
		words = append(words, string(j.When))
	}
	if j.Delay > 0 {
		words = append(words, "after "+j.Delay.String())
	}
	if j.AllowFailure.Any || len(j.AllowFailure.ExitCodes) > 0 {
		words = append(words, "may fail")
	}
	if j.Image != nil {
		words = append(words, "image "+j.Image.Name)
	}
	if j.Environment != nil {
		words = append(words, "environment "+j.Environment.Name)
	}
	if j.Group != nil {
		words = append(words, "group "+j.Group.Name)
	}
	if j.Late != nil {
		words = append(words, starts(j.Late))
	}
	if j.Graph {
		needs := l.needed(j)
		if len(needs) == 0 {
			words = append(words, "starts at once")
		} else {
			words = append(words, "needs "+strings.Join(needs, ", "))
		}
	}
	return words
}

// legs are the jobs of a plan by the key that they are of in the file.
type legs struct {
	of    map[string]*plan.Job // by ID
	sizes map[string]int       // by workflow and key
}

func legsOf(p *plan.Plan) legs {
	l := legs{map[string]*plan.Job{}, map[string]int{}}
	for _, j := range p.Jobs {
		l.of[j.ID] = j
		l.sizes[j.Workflow+"\n"+j.Key]++
	}
	return l
}

// needed are the jobs that a job needs; where these are all jobs of a key, as the legs of a matrix, that is said.
func (l legs) needed(j *plan.Job) []string {
	needs := map[string]int{}
	for _, n := range j.Needs {
		if of := l.of[n.Job]; of != nil {
			needs[of.Workflow+"\n"+of.Key]++
		}
	}
	var out []string
	for _, n := range j.Needs {
		of := l.of[n.Job]
		if of == nil {
			out = append(out, n.Job)
			continue
		}
		set := of.Workflow + "\n" + of.Key
		switch {
		case l.sizes[set] < 2 || needs[set] != l.sizes[set] && needs[set] > 0:
			out = append(out, n.Job)
		case needs[set] > 0:
			out = append(out, fmt.Sprintf("all %d of %s", l.sizes[set], of.Key))
			needs[set] = 0
		}
	}
	return out
}

// starts is what a late job becomes.
func starts(l *plan.Late) string {
	late, ok := l.Payload.(*github.Late)
	switch {
	case l.Kind == "self":
		return "decided when its turn comes"
	case ok && late.Uses != "":
		return "calls " + late.Uses
	case l.Kind == "expand":
		return "matrix known when its turn comes"
	}
	if c, ok := l.Payload.(*gitlab.Child); ok && c.Project+c.Upstream != "" {
		return "pipeline of " + c.Project + c.Upstream + ", skipped here"
	}
	return "child pipeline"
}

// reason is a decision in a few words.
func reason(d plan.Decision) string {
	if d.Text == "" {
		return d.Rule
	}
	return d.Rule + ": " + d.Text
}

// planDot writes the graph for Graphviz. Jobs in plain stage order hang on a point between the stages, so that the
// number of edges stays the number of jobs.
func planDot(w io.Writer, p *plan.Plan) error {
	var b strings.Builder
	b.WriteString("digraph pipeline {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n")
	for i, stage := range p.Stages {
		fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%s;\n", i, strconv.Quote(stage))
		for _, j := range inStage(p, stage) {
			fmt.Fprintf(&b, "    %s;\n", strconv.Quote(j.ID))
		}
		b.WriteString("  }\n")
	}
	staged := slices.ContainsFunc(p.Jobs, func(j *plan.Job) bool { return !j.Graph })
	for i := range p.Stages[:max(len(p.Stages)-1, 0)] {
		if staged {
			fmt.Fprintf(&b, "  stage_%d [shape=point];\n", i)
		}
	}
	for i, stage := range p.Stages {
		for _, j := range inStage(p, stage) {
			if staged && i < len(p.Stages)-1 {
				fmt.Fprintf(&b, "  %s -> stage_%d;\n", strconv.Quote(j.ID), i)
			}
			if j.Graph {
				for _, n := range j.Needs {
					fmt.Fprintf(&b, "  %s -> %s;\n", strconv.Quote(n.Job), strconv.Quote(j.ID))
				}
			} else if i > 0 {
				fmt.Fprintf(&b, "  stage_%d -> %s;\n", i-1, strconv.Quote(j.ID))
			}
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}
