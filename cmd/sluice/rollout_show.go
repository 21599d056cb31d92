package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// marks stand before a state, so that it is seen without reading.
var marks = map[string]string{
	rollout.Healthy: "✔", "Successful": "✔", "Running": "◌", rollout.Progressing: "◌", "Pending": "◌",
	rollout.Paused: "॥", rollout.Degraded: "✖", "Failed": "✖", "Error": "⚠", "Inconclusive": "?", "ScaledDown": "•",
	"Terminating": "•", "ContainerCreating": "◌", "Completed": "✔",
}

func marked(status string) string {
	if status == "" {
		return "◌ Pending"
	}
	if m := marks[status]; m != "" {
		return m + " " + status
	}
	return "⚠ " + status // a pod's reason for not running
}

// lines are the rollout as text: what it is at the top, and the tree of what belongs to it.
func (i rolloutInfo) lines(now time.Time) []string {
	var b strings.Builder
	i.head(&b)
	b.WriteString("\n")
	i.tree(&b, now)
	return strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
}

func (i rolloutInfo) head(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	line := func(name string, value any) { fmt.Fprintf(t, "%s\t%s\n", name, oneLine(fmt.Sprint(value))) }
	line("Name:", i.Name)
	line("Namespace:", i.Namespace)
	line("Status:", marked(i.Status))
	if i.Message != "" {
		line("Message:", i.Message)
	}
	line("Strategy:", i.Strategy)
	if i.Step != "" {
		line("  Step:", i.Step)
	}
	if i.SetWeight != nil {
		line("  SetWeight:", *i.SetWeight)
	}
	if i.ActualWeight != nil {
		line("  ActualWeight:", *i.ActualWeight)
	}
	for n, one := range i.Images {
		name := ""
		if n == 0 {
			name = "Images:"
		}
		text := one.Image
		if len(one.Roles) > 0 {
			text += " (" + strings.Join(one.Roles, ", ") + ")"
		}
		line(name, text)
	}
	line("Replicas:", "")
	line("  Desired:", i.Replicas.Desired)
	line("  Current:", i.Replicas.Current)
	line("  Updated:", i.Replicas.Updated)
	line("  Ready:", i.Replicas.Ready)
	line("  Available:", i.Replicas.Available)
	_ = t.Flush()
}

// branch is one line of the tree and what hangs below it.
type branch struct {
	cells []string // name, kind, status, age, more
	below []branch
}

func (i rolloutInfo) tree(w io.Writer, now time.Time) {
	root := branch{cells: []string{"⟳ " + i.Name, "Rollout", marked(i.Status), age(now, i.Created), ""}}
	for _, rev := range i.Revisions {
		root.below = append(root.below, rev.branch(now))
	}
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tKIND\tSTATUS\tAGE\tINFO")
	root.write(t, "", "")
	_ = t.Flush()
	for line := range strings.Lines(b.String()) {
		_, _ = io.WriteString(w, strings.TrimRight(line, " \n")+"\n") // a builder takes everything
	}
}

func (b branch) write(w io.Writer, first, rest string) {
	cells := make([]string, len(b.cells))
	for i, c := range b.cells {
		cells[i] = oneLine(c)
	}
	fmt.Fprintln(w, first+strings.Join(cells, "\t"))
	for i, below := range b.below {
		if i == len(b.below)-1 {
			below.write(w, rest+"└──", rest+"   ")
		} else {
			below.write(w, rest+"├──", rest+"│  ")
		}
	}
}

func (r revisionInfo) branch(now time.Time) branch {
	b := branch{cells: []string{fmt.Sprintf("# revision:%d", r.Revision), "", "", "", ""}}
	for _, s := range r.ReplicaSets {
		more := strings.Join(s.Roles, ",")
		if s.Until != nil && s.Until.After(now) {
			more = join(more, "delay:"+age(*s.Until, now))
		}
		set := branch{cells: []string{"⧉ " + s.Name, "ReplicaSet", marked(s.Status), age(now, s.Created), more}}
		for _, p := range s.Pods {
			more := "ready:" + p.Ready
			if p.Restarts > 0 {
				more = join(more, fmt.Sprintf("restarts:%d", p.Restarts))
			}
			set.below = append(set.below, branch{cells: []string{"□ " + p.Name, "Pod", strings.Replace(marked(p.Status), "◌ Running", "✔ Running", 1), age(now, p.Created), more}})
		}
		b.below = append(b.below, set)
	}
	for _, e := range r.Experiments {
		b.below = append(b.below, branch{cells: []string{"Σ " + e.Name, "Experiment", marked(e.Status), age(now, e.Created), e.Message}})
	}
	for _, a := range r.AnalysisRuns {
		b.below = append(b.below, a.branch(now))
	}
	return b
}

func (a runInfo) branch(now time.Time) branch {
	b := branch{cells: []string{"α " + a.Name, "AnalysisRun", marked(a.Status), age(now, a.Created), join(strings.ToLower(a.Kind), a.Message)}}
	for _, m := range a.Metrics {
		counts := ""
		for _, c := range []struct {
			mark string
			n    int32
		}{{"✔", m.Successful}, {"✖", m.Failed}, {"?", m.Inconclusive}, {"⚠", m.Errors}} {
			if c.n > 0 {
				counts = join(counts, fmt.Sprintf("%s %d", c.mark, c.n))
			}
		}
		metric := branch{cells: []string{m.Name, "Metric", marked(m.Status), "", join(counts, m.Message)}}
		for _, x := range m.Measurements {
			at := ""
			if x.FinishedAt != nil {
				at = age(now, *x.FinishedAt)
			}
			metric.below = append(metric.below, branch{cells: []string{or1(x.Value, "-"), "Measurement", marked(string(x.Phase)), at, x.Message}})
		}
		b.below = append(b.below, metric)
	}
	return b
}

func or1(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func join(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, ",")
}

// age is how long ago a moment was, in its largest two units as kubectl has it: 45s, 3m10s, 5h, 12d.
func age(now, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	d := now.Sub(at).Round(time.Second)
	switch {
	case d < 0:
		return "0s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 10*time.Minute:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 3*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
