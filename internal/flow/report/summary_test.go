package report_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/report"
)

// A file job/kind/name in a golden archive is a report of a job; job/log/NN is a coverage that its log told.
func TestReportsAreSummed(t *testing.T) {
	for file, a := range archives(t, "testdata/summary/*.txtar") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			var s report.Summary
			for _, f := range a.Files {
				parts := strings.SplitN(f.Name, "/", 3)
				if len(parts) != 3 {
					continue
				}
				if parts[1] == "log" {
					var percent float64
					if _, err := fmt.Sscan(parts[2], &percent); err != nil {
						t.Fatal(err)
					}
					s.AddCoverage(parts[0], percent)
					continue
				}
				r, _ := report.Read(parts[1], parts[2], strings.NewReader(string(f.Data)))
				s.Add(parts[0], r)
			}
			var out strings.Builder
			for _, r := range s.Rows(2) {
				fmt.Fprintf(&out, "%-12s %-8s %-10s %s", r.Section, r.State, r.Job, r.Text)
				if r.Detail != "" {
					fmt.Fprintf(&out, " | %s", r.Detail)
				}
				out.WriteString("\n")
			}
			golden(t, file, a, "rows", out.String())
		})
	}
}

func TestNoReportsMakeNoRows(t *testing.T) {
	var s report.Summary
	if rows := s.Rows(10); len(rows) > 0 {
		t.Errorf("got %v", rows)
	}
	if _, ok := s.Percent(); ok {
		t.Error("there is a coverage of nothing")
	}
}

func TestTheLogsCoverageGoesBeforeReports(t *testing.T) {
	cobertura := report.Report{Kind: "coverage_report", Coverage: &report.Coverage{Format: "cobertura", Percent: 50, Covered: 1, Valid: 2}}
	jacoco := report.Report{Kind: "coverage_report", Coverage: &report.Coverage{Format: "jacoco", Percent: 100, Covered: 8, Valid: 8}}
	for name, add := range map[string]func(*report.Summary){
		"before":  func(s *report.Summary) { s.AddCoverage("job", 77.5); s.Add("job", cobertura); s.Add("job", jacoco) },
		"between": func(s *report.Summary) { s.Add("job", cobertura); s.AddCoverage("job", 77.5); s.Add("job", jacoco) },
		"behind":  func(s *report.Summary) { s.Add("job", cobertura); s.Add("job", jacoco); s.AddCoverage("job", 77.5) },
	} {
		var s report.Summary
		add(&s)
		if c := s.Coverage[0]; len(s.Coverage) != 1 || c.Percent != 77.5 || c.Source != report.Log || c.Covered != 9 || c.Valid != 10 {
			t.Errorf("%s: %+v", name, s.Coverage)
		}
	}
	var s report.Summary
	s.Add("job", cobertura)
	s.Add("job", jacoco)
	s.AddCoverage("other", 10)
	if percent, ok := s.Percent(); !ok || s.Coverage[0].Percent != 90 || percent != 50 {
		t.Errorf("two reports make %+v, and two jobs %v", s.Coverage, percent)
	}
}
