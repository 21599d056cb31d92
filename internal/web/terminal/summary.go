package terminal

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/report"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

const (
	tailLines = 20 // of a failed job's log
	tailWide  = 2000
	named     = 10 // tests and findings that are named
	mostNotes = 20 // annotations that are shown
)

// good reports whether nothing went wrong.
func good(s Summary) bool {
	return s.Status == run.Success || s.Status == run.Skipped || s.Status == run.Manual && s.Exit == 0
}

// summary is what stands at the end: what went wrong first, the verdict last, as that is where a person looks. Without
// all it is only what went wrong and the verdict.
func (p paper) summary(s Summary, n names, all bool) []byte {
	b := &page{paper: p, names: n, gap: all}
	if all {
		b.group()
		for _, e := range s.Jobs {
			if e.Job.Status == run.Failed && e.Job.Allowed {
				b.allowed(e)
			}
		}
	}
	for _, e := range s.Jobs {
		if e.Job.Status == run.Failed && !e.Job.Allowed {
			b.group()
			b.failure(e)
		}
	}
	if all {
		b.group()
		b.manual(s)
		b.group()
		b.facts(s)
	} else {
		b.group()
	}
	b.verdict(s, all)
	return b.Bytes()
}

// page is a summary in the making.
type page struct {
	paper
	bytes.Buffer
	names names
	gap   bool // before the next line
}

// group sets what follows apart from what stands there.
func (b *page) group() { b.gap = b.gap || b.Len() > 0 }

func (b *page) line(text string) {
	if b.gap {
		b.WriteByte('\n')
		b.gap = false
	}
	b.WriteString(strings.TrimRight(text, " "))
	b.WriteByte('\n')
}

// outcome is how a job ended, in words: what happened, where, and after how long.
func (b *page) outcome(e Ended) string {
	text := why(e.Job.Failure, e.Job.Exit, cmp.Or(e.Message, e.Job.Reason))
	if e.Step != "" && !strings.Contains(text, e.Step) {
		text += " in " + clean(e.Step)
	}
	if e.Took > 0 {
		text += " after " + length(e.Took)
	}
	if e.Job.Attempt > 1 {
		text += fmt.Sprintf(" (attempt %d)", e.Job.Attempt)
	}
	return text
}

// allowed is a failure that does not matter to the pipeline.
func (b *page) allowed(e Ended) {
	b.line(b.mark(warned) + " " + b.on(bold, b.names.of(e.Job)) + " " + b.outcome(e) + ", which is allowed")
	b.log(e)
}

func (b *page) log(e Ended) {
	if e.Log != "" {
		b.line("  " + b.on(dim, "log  ") + " " + clean(e.Log))
	}
}

// failure is all that a person needs to mend a job.
func (b *page) failure(e Ended) {
	b.line(b.mark(broken) + " " + b.on(bold, b.names.of(e.Job)) + " " + b.outcome(e))
	for _, t := range e.Tail[max(0, len(e.Tail)-tailLines):] {
		b.line("  " + b.on(dim, "│") + " " + cut(plainLine([]byte(t)), tailWide))
	}
	b.log(e)
	if e.Rerun != "" {
		b.line("  " + b.on(dim, "again") + " " + clean(e.Rerun))
	}
}

// manual names the jobs that wait for a person, with what plays them.
func (b *page) manual(s Summary) {
	told := map[string]bool{}
	for _, e := range s.Jobs {
		if e.Job.Status == run.Manual {
			told[e.Job.Plan.Name] = true
			b.line(b.mark(asks) + " " + b.on(bold, b.names.of(e.Job)) + " waits for a person: " + clean(cmp.Or(e.Rerun, b.play(e.Job))))
		}
	}
	for _, name := range s.Manual {
		if !told[name] {
			b.line(b.mark(asks) + " " + b.on(bold, clean(name)) + " waits for a person")
		}
	}
}

// fact is a line with what it is about before it; the same subject is not repeated.
type fact struct{ about, text string }

func (b *page) facts(s Summary) {
	var facts []fact
	add := func(about, text string) { facts = append(facts, fact{about, text}) }
	for _, t := range reasonsOf(s.Jobs, run.Skipped) {
		add("skipped", t)
	}
	for _, t := range reasonsOf(s.Jobs, run.Canceled) {
		add("canceled", t)
	}
	links := slices.Clone(s.Links)
	for _, r := range s.Reports.Rows(named) {
		if r.Section == "links" {
			if l := (program.Link{Label: r.Text, URL: r.Detail}); !slices.Contains(links, l) {
				links = append(links, l)
			}
			continue
		}
		add(r.Section, b.row(r))
	}
	notes := slices.DeleteFunc(slices.Clone(s.Notes), func(n Note) bool { return quoted(s, n) })
	for i, n := range notes {
		if i == mostNotes {
			add(n.Level, fmt.Sprintf("and %d more annotations in the logs", len(notes)-i))
			break
		}
		add(n.Level, b.note(n))
	}
	for _, l := range links {
		add("links", strings.TrimSpace(clean(l.Label)+" "+clean(l.URL)))
	}
	if s.LogDir != "" {
		add("logs", clean(s.LogDir))
	}
	wide := 0
	for _, f := range facts {
		wide = max(wide, width(f.about))
	}
	about := ""
	for _, f := range facts {
		show := f.about
		if show == about {
			show = ""
		}
		about = f.about
		b.line("  " + b.on(dim, fit(strings.ReplaceAll(show, "_", " "), wide)) + "  " + f.text)
	}
}

// quoted reports whether an annotation stands in the lines of its failed job that the summary shows above.
func quoted(s Summary, n Note) bool {
	if n.Level != "error" || n.Message == "" {
		return false
	}
	said, _, _ := strings.Cut(n.Message, "\n")
	return slices.ContainsFunc(s.Jobs, func(e Ended) bool {
		return e.Job.Status == run.Failed && !e.Job.Allowed && e.Job.Plan.Name == n.Job && slices.ContainsFunc(e.Tail[max(0, len(e.Tail)-tailLines):], func(line string) bool {
			rest, ok := strings.CutPrefix(line, "Error: ")
			return ok && strings.HasSuffix(rest, said)
		})
	})
}

// note is the line of an annotation.
func (b *page) note(n Note) string {
	text := clean(cmp.Or(n.Message, n.Title))
	if n.Title != "" && n.Message != "" {
		text = clean(n.Title) + ": " + text
	}
	if n.File != "" {
		place := clean(n.File)
		if n.Line > 0 {
			place += fmt.Sprintf(":%d", n.Line)
			if n.Column > 0 {
				place += fmt.Sprintf(":%d", n.Column)
			}
		}
		text = b.on(bold, place) + " " + text
	}
	text = cut(text, 400) + b.on(dim, " ("+clean(n.Job)+")")
	switch n.Level {
	case "error":
		return b.mark(broken) + " " + text
	case "warning":
		return b.mark(warned) + " " + text
	default:
		return text
	}
}

// row is a line of the reports.
func (b *page) row(r report.Row) string {
	text := clean(r.Text)
	if r.Job != "" {
		text += b.on(dim, " ("+clean(r.Job)+")")
	}
	if r.Detail != "" {
		text += b.on(dim, " · "+cut(clean(r.Detail), 200))
	}
	switch r.State {
	case report.Bad:
		return b.mark(broken) + " " + text
	case report.Warn:
		return b.mark(warned) + " " + text
	default:
		return text
	}
}

// reasonsOf counts the jobs in a state by the reason why they are in it, the most frequent first. What a person left
// out is no news.
func reasonsOf(jobs []Ended, s run.Status) []string {
	counts := map[string]int{}
	var order []string
	for _, e := range jobs {
		if e.Job.Status != s || e.Job.Unselected {
			continue
		}
		reason := clean(e.Job.Reason)
		if counts[reason] == 0 {
			order = append(order, reason)
		}
		counts[reason]++
	}
	slices.SortStableFunc(order, func(a, b string) int { return counts[b] - counts[a] })
	var out []string
	for _, reason := range order {
		out = append(out, with(count(counts[reason], "job", "jobs"), reason))
	}
	return out
}

// verdict is the last line: what the pipeline came to, with counts and time.
func (b *page) verdict(s Summary, all bool) {
	m, word := verdictOf(s)
	text := b.mark(m) + " " + b.on(join(";", bold, m.color), word)
	if parts := tally(s); len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	text += " in " + length(s.Took)
	if !all && s.LogDir != "" {
		text += b.on(dim, " · logs in "+clean(s.LogDir))
	}
	b.line(text)
}

func verdictOf(s Summary) (mark, string) {
	switch s.Status {
	case run.Success:
		if slices.ContainsFunc(s.Jobs, func(e Ended) bool { return e.Job.Status == run.Failed }) {
			return passed, "passed with warnings"
		}
		return passed, "passed"
	case run.Failed:
		return broken, "failed"
	case run.Canceled:
		return stopped, "canceled"
	case run.Skipped:
		return passedBy, "nothing ran"
	case run.Manual:
		return asks, "waits for a person"
	default:
		return stopped, "stopped while " + string(s.Status)
	}
}

// tally counts the jobs by what became of them. Where all went well that is one number.
func tally(s Summary) []string {
	kinds := []string{"failed", "canceled", "succeeded", "allowed to fail", "manual", "skipped", "not done"}
	counts := map[string]int{}
	jobs := 0
	for _, e := range s.Jobs {
		if !e.Job.Unselected {
			counts[kindOf(e.Job)]++
			jobs++
		}
	}
	if n := counts["succeeded"]; n == jobs && s.Status == run.Success {
		return []string{count(n, "job", "jobs")}
	}
	var out []string
	for _, kind := range kinds {
		if n := counts[kind]; n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, kind))
		}
	}
	return out
}

// kindOf is what became of a job, in the words of the tally.
func kindOf(j run.Job) string {
	switch j.Status {
	case run.Failed:
		if j.Allowed {
			return "allowed to fail"
		}
		return "failed"
	case run.Success:
		return "succeeded"
	case run.Canceled, run.Manual, run.Skipped:
		return string(j.Status)
	default:
		return "not done"
	}
}

func join(between string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), between)
}
