package report_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/flow/report"
)

// fuzzKind fuzzes the reader of a kind with the golden cases of that kind as seeds.
func fuzzKind(f *testing.F, kinds ...string) {
	for file, a := range archives(f, "testdata/read/*.txtar") {
		for _, kind := range kinds {
			if kindOf(a) == kind {
				f.Add(string(a.Files[0].Data))
			} else if strings.Contains(file, "broken") {
				f.Add(string(a.Files[0].Data))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range kinds {
			check(t, kind, text)
		}
	})
}

// check holds what is true of every report, whatever is in the file.
func check(t *testing.T, kind, text string) {
	limits := report.Limits{Entries: 20, Text: 100, Depth: 20}
	r, err := report.ReadLimited(kind, "file", strings.NewReader(text), limits)
	if (err != nil) != r.Faults.HasErrors() {
		t.Errorf("error %v, faults %v", err, r.Faults)
	}
	for _, f := range r.Faults {
		if f.Place.Line > strings.Count(text, "\n")+1 || !utf8.ValidString(f.Message) {
			t.Errorf("a fault at line %d: %q", f.Place.Line, f.Message)
		}
	}
	if x := r.Tests; x != nil {
		if x.Total != x.Passed+x.Failed+x.Errors+x.Skipped || len(x.Cases) > limits.Entries || x.Seconds < 0 {
			t.Errorf("the tests do not add up: %+v", x)
		}
	}
	if c := r.Coverage; c != nil && !(c.Percent >= 0 && c.Percent <= 100) {
		t.Errorf("coverage of %v %%", c.Percent)
	}
	if p := r.Terraform; p != nil && min(p.Create, p.Update, p.Delete) < 0 {
		t.Errorf("a plan of %+v", p)
	}
	for _, f := range r.Findings {
		if f.Severity == "" || f.Message == "" || len(f.Message) > limits.Text+3 || f.Line < 0 || !utf8.ValidString(f.Message+f.Check+f.File) {
			t.Errorf("a finding %+v", f)
		}
	}
	for _, v := range r.Variables {
		if strings.ContainsAny(v.Value, "\n") || strings.Trim(v.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || v.Name == "" {
			t.Errorf("a variable %+v", v)
		}
	}
	for _, l := range r.Links {
		if !strings.HasPrefix(strings.ToLower(l.URL), "http") {
			t.Errorf("a link to %q", l.URL)
		}
	}
	var s report.Summary
	s.Add("one", r)
	s.Add("one", r)
	if r.Tests != nil && len(r.Tests.Cases) == r.Tests.Total && (s.Tests.Total != r.Tests.Total || s.Tests.Failed != r.Tests.Failed) {
		t.Errorf("the same tests twice make %+v of %+v", s.Tests, r.Tests)
	}
	for _, row := range s.Rows(3) {
		if row.Section == "" || row.State == "" || row.Text == "" {
			t.Errorf("a row %+v", row)
		}
	}
}

func FuzzJUnit(f *testing.F)       { fuzzKind(f, "junit") }
func FuzzCoverage(f *testing.F)    { fuzzKind(f, "coverage_report") }
func FuzzCodeQuality(f *testing.F) { fuzzKind(f, "codequality") }
func FuzzSARIF(f *testing.F)       { fuzzKind(f, "sarif") }
func FuzzSecurity(f *testing.F)    { fuzzKind(f, "sast", "secret_detection", "container_scanning") }
func FuzzDotenv(f *testing.F)      { fuzzKind(f, "dotenv") }
func FuzzTerraform(f *testing.F)   { fuzzKind(f, "terraform") }
func FuzzMetrics(f *testing.F)     { fuzzKind(f, "metrics") }
func FuzzAnnotations(f *testing.F) { fuzzKind(f, "annotations") }
func FuzzOtherJSON(f *testing.F) {
	fuzzKind(f, "accessibility", "cyclonedx", "requirements", "browser_performance", "load_performance")
}
