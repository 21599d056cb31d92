package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Row is a line of the summary as data: who shows it decides on columns and colours.
type Row struct {
	// Section is what the row is about: tests, coverage, the kind of a report with findings, terraform, metrics,
	// links or reports (files that could not be read).
	Section string `json:"section"`
	// Job is the job that said so, or "" for what all jobs said.
	Job string `json:"job,omitempty"`
	// State is how good the news is.
	State State `json:"state"`
	// Text is the news, and Detail more of it: where a test is, why it failed.
	Text   string `json:"text"`
	Detail string `json:"detail,omitempty"`
}

// State is how good the news of a row is.
type State string

// The states of rows.
const (
	Good    State = "good"
	Neutral State = "neutral"
	Warn    State = "warning"
	Bad     State = "bad"
)

// Rows is the summary line by line: for each section what all jobs say together, then what is worth naming, of tests
// and findings named at most of each. Sections without news have no rows.
func (s *Summary) Rows(named int) []Row {
	named = max(named, 0)
	return slices.Concat(s.testRows(named), s.coverageRows(), s.findingRows(named), s.planRows(), s.figureRows(named), s.linkRows(), s.faultRows(named))
}

func (s *Summary) testRows(named int) []Row {
	t := s.Tests
	if len(t.Jobs) == 0 {
		return nil
	}
	rows := []Row{{Section: "tests", State: testState(t.Failed+t.Errors, t.Total), Text: testText(t.Total, t.Passed, t.Failed, t.Errors, t.Skipped, t.Seconds)}}
	if t.Flaky > 0 {
		rows[0].Detail = fmt.Sprintf("%d flaky", t.Flaky)
	}
	if len(t.Jobs) > 1 {
		for _, j := range t.Jobs {
			rows = append(rows, Row{Section: "tests", Job: j.Job, State: testState(j.Failed+j.Errors, j.Total), Text: testText(j.Total, j.Passed, j.Failed, j.Errors, j.Skipped, j.Seconds)})
		}
	}
	for _, b := range t.Broken[:min(named, len(t.Broken))] {
		rows = append(rows, Row{Section: "tests", Job: b.Job, State: Bad, Text: b.Case.Title(), Detail: join(": ", place(b.Case.File, b.Case.Line), b.Case.Message)})
	}
	return more(rows, "tests", "failed tests", t.Failed+t.Errors-min(named, len(t.Broken)))
}

// Title is how a test is called: its class and name, or its suite where it has no class.
func (c Case) Title() string {
	around := c.Class
	if around == "" {
		around = c.Suite
	}
	return cmp.Or(join(" › ", around, c.Name), "a test without a name")
}

func testState(broken, total int) State {
	switch {
	case broken > 0:
		return Bad
	case total == 0:
		return Warn
	default:
		return Good
	}
}

func testText(total, passed, failed, errors, skipped int, seconds float64) string {
	parts := []string{plural(passed, "passed", "passed")}
	for _, p := range []struct {
		n    int
		what string
	}{{failed, "failed"}, {errors, "broken"}, {skipped, "skipped"}} {
		if p.n > 0 {
			parts = append(parts, plural(p.n, p.what, p.what))
		}
	}
	return fmt.Sprintf("%s: %s in %s s", plural(total, "test", "tests"), strings.Join(parts, ", "), decimal(seconds))
}

func (s *Summary) coverageRows() []Row {
	var rows []Row
	if percent, ok := s.Percent(); ok && len(s.Coverage) > 1 {
		rows = append(rows, Row{Section: "coverage", State: Neutral, Text: decimal(percent) + " % on average"})
	}
	for _, c := range s.Coverage {
		row := Row{Section: "coverage", Job: c.Job, State: Neutral, Text: decimal(c.Percent) + " %"}
		if c.Valid > 0 {
			row.Detail = fmt.Sprintf("%d of %s", c.Covered, plural(c.Valid, "line", "lines"))
		}
		rows = append(rows, row)
	}
	return rows
}

func (s *Summary) findingRows(named int) []Row {
	var rows []Row
	for _, kind := range slices.Sorted(maps.Keys(s.Findings)) {
		count := s.Findings[kind]
		if count.Total == 0 {
			rows = append(rows, Row{Section: kind, State: Good, Text: "no findings"})
			continue
		}
		var parts []string
		state := Warn
		for _, severity := range Severities {
			if n := count.BySeverity[severity]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, severity))
				if rank(severity) <= rank(High) {
					state = Bad
				}
			}
		}
		rows = append(rows, Row{Section: kind, State: state, Text: plural(count.Total, "finding", "findings") + ": " + strings.Join(parts, ", ")})
		shown := count.Worst[:min(named, len(count.Worst))]
		for _, w := range shown {
			f := w.Finding
			rows = append(rows, Row{Section: kind, Job: w.Job, State: state, Text: string(f.Severity) + ": " + firstLine(f.Message), Detail: join(" ", place(f.File, f.Line), f.Check)})
		}
		rows = more(rows, kind, "findings", count.Total-len(shown))
	}
	return rows
}

func (s *Summary) planRows() []Row {
	var rows []Row
	for _, p := range s.Terraform {
		state := Neutral
		if p.Plan.Delete > 0 {
			state = Warn
		}
		rows = append(rows, Row{
			Section: "terraform", Job: p.Job, State: state, Detail: p.Name,
			Text: fmt.Sprintf("%d to create, %d to update, %d to delete", p.Plan.Create, p.Plan.Update, p.Plan.Delete),
		})
	}
	return rows
}

func (s *Summary) figureRows(named int) []Row {
	var rows []Row
	for _, m := range s.Metrics[:min(named, len(s.Metrics))] {
		rows = append(rows, Row{Section: "metrics", Job: m.Job, State: Neutral, Text: m.Metric.Name + " " + m.Metric.Value})
	}
	return more(rows, "metrics", "metrics", len(s.Metrics)-len(rows))
}

func (s *Summary) linkRows() []Row {
	var rows []Row
	for _, l := range s.Links {
		rows = append(rows, Row{Section: "links", Job: l.Job, State: Neutral, Text: l.Link.Label, Detail: l.Link.URL})
	}
	return rows
}

// faultRows names the files that could not be read as they should be. Notes are no news.
func (s *Summary) faultRows(named int) []Row {
	var rows []Row
	for _, f := range s.Faults {
		switch f.Severity {
		case fault.Error:
			rows = append(rows, Row{Section: "reports", State: Bad, Text: f.Error()})
		case fault.Warning:
			rows = append(rows, Row{Section: "reports", State: Warn, Text: f.Error()})
		}
	}
	shown := rows[:min(named, len(rows))]
	return more(slices.Clip(shown), "reports", "faults", len(rows)-len(shown))
}

// more adds a row that says how many were not named.
func more(rows []Row, section, what string, n int) []Row {
	if n > 0 {
		rows = append(rows, Row{Section: section, State: Neutral, Text: fmt.Sprintf("and %d more %s", n, what)})
	}
	return rows
}

// decimal writes a number with two digits behind the point at most.
func decimal(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(f, 'f', 2, 64), "0"), ".")
}

// place is where something is, as editors take it.
func place(file string, line int) string {
	if file != "" && line > 0 {
		return file + ":" + strconv.Itoa(line)
	}
	return file
}

// join puts texts together that are not empty.
func join(between string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), between)
}
