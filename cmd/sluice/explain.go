package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

func newExplain(s *streams) *cobra.Command {
	var p pipelineFlags
	cmd := &cobra.Command{
		Use:   "explain JOB | CODE",
		Short: "Say why a job is in or out of the pipeline and what it waits for, or what a code means",
		Long: `Say why a job is in or out of the pipeline: the rule or condition that decided, where it stands and the values it saw,
what the job waits for, and what it would restore and save; of a GitHub job also what is known only when its turn comes.
With a code (SL1042), say what the mistake is and how to mend it.`,
		Example: `  sluice explain deploy
  sluice explain deploy --event tag --tag v1.2.0
  sluice explain SL1201`,
		Args:              args(1, 1),
		ValidArgsFunction: completeJobs(&p),
		RunE: func(cmd *cobra.Command, names []string) error {
			if code := strings.ToUpper(names[0]); codePattern.MatchString(code) {
				return explainCode(s.out, code)
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
			err = explainJob(s.out, compiled, names[0])
			if idle := l.idleWith(cmd.Context(), compiled, names[0]); err != nil && len(idle) > 0 {
				explainIdle(calm{s.out}, names[0], idle)
				return nil
			}
			return err
		},
	}
	p.register(cmd)
	return cmd
}

// explained is the compiled pipeline, also one that the event leaves without jobs: then most of all the question is why.
func (s *streams) explained(ctx context.Context, l *pipeline) (*plan.Plan, error) {
	p, found := l.compile(ctx)
	if p != nil && len(p.Excluded) > 0 && !slices.ContainsFunc(found, func(f *fault.Fault) bool {
		return f.Severity == fault.Error && !l.idle(f.Code)
	}) {
		l.remarks = slices.DeleteFunc(slices.Clone(found), func(f *fault.Fault) bool { return f.Severity == fault.Error })
		return p, nil
	}
	return s.compiled(ctx, l)
}

var codePattern = lazy.Pattern(`^SL\d{4}$`)

// docOf is the explanation of a code.
func docOf(code string) (fault.Doc, bool) {
	i := slices.IndexFunc(allDocs(), func(d fault.Doc) bool { return d.Code == code })
	if i < 0 {
		return fault.Doc{}, false
	}
	return allDocs()[i], true
}

func explainCode(w io.Writer, code string) error {
	d, ok := docOf(code)
	if !ok {
		return fault.New(codeUsage, "there is no code %s", code)
	}
	fmt.Fprintf(w, "%s: %s\n\n%s\n", d.Code, d.Summary, d.Text)
	if d.Page != "" {
		fmt.Fprintf(w, "\nSee: %s\n", d.Page)
	}
	return nil
}

// explainJob tells of every leg that the name stands for, and of a job of that name that was left out.
func explainJob(w io.Writer, p *plan.Plan, name string) error {
	names, found := explainIn(calm{w}, p, name, false)
	if found {
		return nil
	}
	err := fault.New(codeUsage, "the pipeline's file has no job %q", name)
	if near := fault.Nearest(name, names); near != "" {
		return err.WithHint("did you mean %q?", near)
	}
	return err.WithHint("`sluice run --list` shows the jobs")
}

// explainIn looks through a plan and through those of the workflows that its jobs call.
func explainIn(w io.Writer, p *plan.Plan, name string, found bool) ([]string, bool) {
	var names []string
	for _, x := range p.Excluded {
		if x.Name == name || strings.HasPrefix(x.Name, name+": [") {
			if found {
				fmt.Fprintln(w)
			}
			fmt.Fprintf(w, "%s is not in the pipeline\n", oneLine(x.Name))
			writeDecision(w, x.Why)
			found = true
		}
	}
	for _, j := range p.Jobs {
		if j.Name == name || j.Key == name || j.ID == name {
			if found {
				fmt.Fprintln(w)
			}
			writeJob(w, p, j)
			found = true
		}
	}
	for _, j := range p.Jobs {
		names = append(names, j.Name, j.Key)
		if j.Late != nil && j.Late.Kind == "expand" && j.Late.Plan != nil {
			var inner []string
			inner, found = explainIn(w, j.Late.Plan, name, found)
			names = append(names, inner...)
		}
	}
	for _, x := range p.Excluded {
		names = append(names, x.Name)
	}
	return names, found
}

func writeDecision(w io.Writer, d plan.Decision) {
	fmt.Fprintf(w, "  why: %s\n", reason(d))
	if !d.Place.IsZero() {
		fmt.Fprintf(w, "    at %s\n", d.Place)
	}
	for _, line := range d.Detail {
		if line == d.Text {
			continue // it stands above
		}
		fmt.Fprintf(w, "    %s\n", line)
	}
	for _, v := range d.Values {
		name := "$" + v.Name
		if strings.Contains(v.Name, ".") { // of a context: github.ref
			name = v.Name
		}
		if v.Defined {
			fmt.Fprintf(w, "    %s = %q\n", name, v.Value)
		} else {
			fmt.Fprintf(w, "    %s is not defined\n", name)
		}
	}
}

func writeJob(w io.Writer, p *plan.Plan, j *plan.Job) {
	where := ", in stage " + j.Stage
	if j.Workflow != "" {
		where = ", in workflow " + j.Stage
	}
	fmt.Fprintf(w, "%s is in the pipeline%s\n", oneLine(j.Name), where)
	if !j.Place.IsZero() {
		fmt.Fprintf(w, "  written at %s\n", j.Place)
	}
	writeDecision(w, j.Why)
	if late := lateWords(j.Late); late != "" {
		fmt.Fprintf(w, "  %s\n", late)
	} else {
		fmt.Fprintf(w, "  when: %s\n", whenWords(j))
	}
	fmt.Fprintf(w, "  waits for: %s\n", waitsFor(p, j))
	if j.Group != nil {
		kind := "resource"
		if j.Group.Mode == "single" {
			kind = "concurrency"
		}
		fmt.Fprintf(w, "  one at a time with: %s group %q\n", kind, j.Group.Name)
	}
	if j.InputsAll {
		fmt.Fprintf(w, "  takes artifacts of: all jobs of earlier stages\n")
	} else if len(j.Inputs) > 0 && j.Workflow != "" {
		fmt.Fprintf(w, "  sees outputs of: %s\n", strings.Join(j.Inputs, ", "))
	} else if len(j.Inputs) > 0 {
		fmt.Fprintf(w, "  takes artifacts of: %s\n", strings.Join(j.Inputs, ", "))
	}
	for _, c := range j.Caches {
		if c.Policy != "push" {
			fmt.Fprintf(w, "  restores cache: %s\n", cacheWords(c))
		}
	}
	for _, c := range j.Caches {
		if c.Policy != "pull" {
			fmt.Fprintf(w, "  saves cache: %s (%s)\n", cacheWords(c), strings.Join(c.Paths, ", "))
		}
	}
	if a := j.Artifacts; a != nil {
		if len(a.Paths) > 0 || a.Untracked {
			fmt.Fprintf(w, "  saves artifacts: %s\n", strings.Join(a.Paths, ", "))
		}
		for _, r := range a.Reports {
			fmt.Fprintf(w, "  saves report: %s from %s\n", r.Kind, strings.Join(r.Paths, ", "))
		}
	}
	if e := j.Environment; e != nil {
		fmt.Fprintf(w, "  environment: %s (%s)\n", e.Name, e.Action)
	}
}

// lateWords say what is known of a GitHub job only when its turn comes.
func lateWords(l *plan.Late) string {
	if l == nil {
		return ""
	}
	late, ok := l.Payload.(*github.Late)
	switch {
	case !ok:
		return ""
	case late.Uses != "":
		return "calls: " + late.Uses
	case l.Kind == "expand":
		return "known when its turn comes: its matrix"
	default:
		words := strings.Split(late.Why, ", ")
		if i := slices.Index(words, "if"); i >= 0 {
			words[i] = "whether it runs"
		}
		return "known when its turn comes: " + strings.Join(words, ", ")
	}
}

func whenWords(j *plan.Job) string {
	switch j.When {
	case plan.Delayed:
		return fmt.Sprintf("%s after what it waits for succeeded", j.Delay)
	case plan.Manual:
		return "when a person plays it (--manual " + j.Name + ")"
	case plan.OnFailure:
		return "when something it waits for failed"
	case plan.Never:
		return "never: it is skipped, since its condition is false"
	case plan.Always:
		return "always, whatever became of what it waits for"
	default:
		return "when what it waits for succeeded"
	}
}

func waitsFor(p *plan.Plan, j *plan.Job) string {
	if j.Graph {
		if len(j.Needs) == 0 {
			return "nothing, it starts at once"
		}
		var names []string
		for _, n := range j.Needs {
			names = append(names, n.Job)
		}
		return strings.Join(names, ", ")
	}
	at := slices.Index(p.Stages, j.Stage)
	if at <= 0 {
		return "nothing, its stage is the first"
	}
	return "all jobs of the stages before: " + strings.Join(p.Stages[:at], ", ")
}

func cacheWords(c plan.Cache) string {
	if len(c.FallbackKeys) == 0 {
		return c.Key
	}
	return c.Key + ", else " + strings.Join(c.FallbackKeys, ", ")
}
