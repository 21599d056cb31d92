package report

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// readSARIF reads results of SARIF 2.1.0 (OASIS). Results that are suppressed, that no longer occur (baselineState
// absent) or that say that all is well (kind pass and the like) are no findings.
func readSARIF(s *source) {
	t := newTree(s)
	found := false
	t.object(func(key string) {
		if key != "runs" {
			t.skip()
			return
		}
		found = t.array(func() { readRun(t) })
	})
	if !found && !t.failed {
		s.fault(CodeShape, 0, "the SARIF report has no runs")
	}
	t.end()
}

// rule is what a tool says of all results of a rule. SARIF may put it behind them.
type rule struct {
	id, title, level string
	score            float64 // security-severity, 0 to 10
}

// result is a finding whose rule is not known yet.
type result struct {
	Finding
	rule  string
	index int // into the rules of the tool, -1 where unknown
	level string
	gone  bool
}

func readRun(t *tree) {
	var rules []rule
	var results []result
	tool := ""
	t.object(func(key string) {
		switch key {
		case "tool":
			t.object(func(key string) {
				switch key {
				case "driver":
					tool = readComponent(t, &rules)
				case "extensions":
					t.array(func() { readComponent(t, &rules) })
				default:
					t.skip()
				}
			})
		case "results":
			t.array(func() {
				r := readResult(t)
				if !r.gone && t.s.keep(len(t.s.report.Findings)+len(results)) {
					results = append(results, r)
				}
			})
		default:
			t.skip()
		}
	})
	byID := map[string]rule{}
	for _, r := range slices.Backward(rules) {
		byID[r.id] = r
	}
	empty := 0
	for _, r := range results {
		f := r.settle(rules, byID)
		if f.Tool = tool; f.Message == "" {
			empty++
			continue
		}
		t.s.report.Findings = append(t.s.report.Findings, f)
	}
	if empty > 0 {
		t.s.remark(fault.Warning, CodeEntry, -1, "%s left out: neither message nor rule", plural(empty, "result", "results"))
	}
}

// settle gives the finding what its rule says.
func (r result) settle(rules []rule, byID map[string]rule) Finding {
	known, ok := byID[r.rule]
	if !ok && r.rule == "" && r.index >= 0 && r.index < len(rules) {
		known = rules[r.index]
	}
	f := r.Finding
	f.Check = cmp.Or(r.rule, known.id)
	f.Message = cmp.Or(f.Message, known.title, f.Check)
	switch level := cmp.Or(r.level, known.level, "warning"); {
	case known.score >= 9:
		f.Severity = Critical
	case known.score >= 7:
		f.Severity = High
	case known.score >= 4:
		f.Severity = Medium
	case known.score > 0:
		f.Severity = Low
	default:
		f.Severity = cmp.Or(map[string]Severity{"error": High, "warning": Medium, "note": Low, "none": Info}[level], Unknown)
	}
	return f
}

// readComponent reads a driver or an extension; it gives its name and adds its rules.
func readComponent(t *tree, rules *[]rule) string {
	tool := ""
	t.object(func(key string) {
		switch key {
		case "name":
			tool = name(t.text())
		case "rules":
			t.array(func() {
				r := readRule(t)
				if len(*rules) < t.s.limits.Entries {
					*rules = append(*rules, r)
				}
			})
		default:
			t.skip()
		}
	})
	return tool
}

func readRule(t *tree) rule {
	var r rule
	t.object(func(key string) {
		switch key {
		case "id":
			r.id = name(t.text())
		case "shortDescription":
			r.title = readMessage(t)
		case "defaultConfiguration":
			t.object(func(key string) { t.either(key == "level", func() { r.level = t.text() }) })
		case "properties":
			t.object(func(key string) {
				t.either(key == "security-severity", func() { r.score, _ = strconv.ParseFloat(t.text(), 64) })
			})
		default:
			t.skip()
		}
	})
	return r
}

func readResult(t *tree) result {
	r := result{index: -1}
	t.object(func(key string) {
		switch key {
		case "ruleId":
			r.rule = name(t.text())
		case "ruleIndex":
			r.index = index(t.text())
		case "rule":
			t.object(func(key string) {
				switch key {
				case "id":
					r.rule = cmp.Or(r.rule, name(t.text()))
				case "index":
					r.index = index(t.text())
				default:
					t.skip()
				}
			})
		case "level":
			r.level = t.text()
		case "kind":
			r.gone = r.gone || slices.Contains([]string{"pass", "notApplicable", "informational"}, t.text())
		case "baselineState":
			r.gone = r.gone || t.text() == "absent"
		case "suppressions":
			readSuppressions(t, &r)
		case "message":
			r.Message = readMessage(t)
		case "locations":
			t.array(func() { readPhysical(t, &r.Finding) })
		case "partialFingerprints", "fingerprints":
			t.object(func(string) { r.ID = cmp.Or(r.ID, name(t.text())) })
		default:
			t.skip()
		}
	})
	return r
}

// readSuppressions: a result is suppressed unless somebody has yet to agree or did not.
func readSuppressions(t *tree, r *result) {
	t.array(func() {
		status := ""
		t.object(func(key string) { t.either(key == "status", func() { status = t.text() }) })
		r.gone = r.gone || status == "" || status == "accepted"
	})
}

// readMessage reads the text of a SARIF message.
func readMessage(t *tree) string {
	var text, markdown string
	t.object(func(key string) {
		switch key {
		case "text":
			text = clip(t.text(), t.s.limits.Text)
		case "markdown":
			markdown = clip(t.text(), t.s.limits.Text)
		default:
			t.skip()
		}
	})
	return cmp.Or(text, markdown)
}

// readPhysical reads the file and line of a location. Of several locations the first counts.
func readPhysical(t *tree, f *Finding) {
	t.object(func(key string) {
		t.either(key == "physicalLocation", func() {
			file, line := "", 0
			t.object(func(key string) {
				switch key {
				case "artifactLocation":
					t.object(func(key string) { t.either(key == "uri", func() { file = slashed(t.text()) }) })
				case "region":
					t.object(func(key string) { t.either(key == "startLine", func() { line = t.line() }) })
				default:
					t.skip()
				}
			})
			if f.File == "" {
				f.File, f.Line = file, line
			}
		})
	})
}

// index reads an index; what is none is -1.
func index(s string) int {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return n
	}
	return -1
}
