package report

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Finding is something that a tool found in the code, in a dependency or in a running application.
type Finding struct {
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	Check    string   `json:"check,omitempty"` // the rule or the weakness, such as no-unused-vars or CVE-2021-44228
	File     string   `json:"file,omitempty"`  // a path, an image or a URL
	Line     int      `json:"line,omitempty"`
	Tool     string   `json:"tool,omitempty"`
	ID       string   `json:"id,omitempty"` // tells findings apart: a fingerprint or an id
}

// Severity is how bad a finding is, in the words of the kind of its report.
type Severity string

// The severities of all kinds, worst first. Security reports say critical, high, medium, low, info and unknown; code
// quality says blocker, critical, major, minor and info.
const (
	Blocker  Severity = "blocker"
	Critical Severity = "critical"
	High     Severity = "high"
	Major    Severity = "major"
	Medium   Severity = "medium"
	Minor    Severity = "minor"
	Low      Severity = "low"
	Info     Severity = "info"
	Unknown  Severity = "unknown"
)

// Severities is all severities, worst first.
var Severities = []Severity{Blocker, Critical, High, Major, Medium, Minor, Low, Info, Unknown}

// severity reads one of the severities, in any case; anything else is Unknown.
func severity(s string, known ...Severity) Severity {
	v := Severity(strings.ToLower(strings.TrimSpace(s)))
	if slices.Contains(known, v) {
		return v
	}
	return Unknown
}

// readCodeQuality reads the subset of Code Climate's format that GitLab uses ("Code Quality, Code Quality report
// format"). Of findings with the same fingerprint the last one counts.
func readCodeQuality(s *source) {
	if strings.HasPrefix(string(s.data[:min(len(s.data), 3)]), string(bom)) {
		s.fault(CodeShape, 0, "the code quality report begins with a byte order mark, which GitLab does not allow").WithHint("write the file as UTF-8 without it")
	}
	t := newTree(s)
	at, broken := map[string]int{}, 0
	ok := t.array(func() {
		f, ok := readDegradation(t)
		if !ok {
			if !t.failed {
				broken++
			}
			return
		}
		if i, twice := at[f.ID]; twice {
			s.report.Findings[i] = f
		} else if s.keep(len(s.report.Findings)) {
			at[f.ID] = len(s.report.Findings)
			s.report.Findings = append(s.report.Findings, f)
		}
	})
	if !ok && !t.failed {
		s.fault(CodeShape, 0, "the code quality report is not a list").WithHint("it is a JSON list of objects with description, check_name, fingerprint, severity and location")
	}
	t.end()
	if broken > 0 {
		s.remark(fault.Warning, CodeEntry, -1, "%s left out: description, fingerprint, severity or location is missing", plural(broken, "entry", "entries"))
	}
}

func readDegradation(t *tree) (Finding, bool) {
	var f Finding
	located := false
	t.object(func(key string) {
		switch key {
		case "description":
			f.Message = clip(t.text(), t.s.limits.Text)
		case "check_name":
			f.Check = name(t.text())
		case "fingerprint":
			f.ID = name(t.text())
		case "severity":
			f.Severity = severity(t.text(), Blocker, Critical, Major, Minor, Info)
		case "engine_name":
			f.Tool = name(t.text())
		case "location":
			located = t.object(func(key string) {
				switch key {
				case "path":
					f.File = slashed(t.text())
				case "lines":
					t.object(func(key string) { t.either(key == "begin", func() { f.Line = t.line() }) })
				case "positions":
					t.object(func(key string) {
						t.either(key == "begin", func() {
							t.object(func(key string) { t.either(key == "line", func() { f.Line = t.line() }) })
						})
					})
				default:
					t.skip()
				}
			})
		default:
			t.skip()
		}
	})
	return f, located && f.Message != "" && f.ID != "" && f.Severity != "" && !t.failed
}

// readAccessibility reads what pa11y-ci found, by URL ("Accessibility testing").
func readAccessibility(s *source) {
	t := newTree(s)
	found := false
	t.object(func(key string) {
		if key != "results" {
			t.skip()
			return
		}
		found = t.object(func(url string) {
			t.array(func() {
				f := Finding{Severity: Unknown, File: name(url)}
				t.object(func(key string) {
					switch key {
					case "code":
						f.Check = name(t.text())
					case "type":
						f.Severity = map[string]Severity{"error": Major, "warning": Minor, "notice": Info}[t.text()]
					case "message":
						f.Message = clip(t.text(), s.limits.Text)
					case "runner":
						f.Tool = name(t.text())
					default:
						t.skip()
					}
				})
				if f.Severity == "" {
					f.Severity = Unknown
				}
				if f.Message != "" && s.keep(len(s.report.Findings)) {
					s.report.Findings = append(s.report.Findings, f)
				}
			})
		})
	})
	if !found && !t.failed {
		s.fault(CodeShape, 0, "the accessibility report has no results").WithHint("it is what pa11y-ci writes with --json")
	}
	t.end()
}
