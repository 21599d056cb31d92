package report

import (
	"bytes"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// Metric is a figure that a job reports. GitLab keeps figures as text, as they were written.
type Metric struct {
	// Name is with its labels, as in requests_total{code="200"}.
	Name  string `json:"name"`
	Value string `json:"value"`
}

// readMetrics reads the text format of OpenMetrics and Prometheus ("Metrics reports"). Time stamps and exemplars are
// passed over, and so are comments; of a name and its labels the last value counts.
func readMetrics(s *source) {
	at, broken, offset := map[string]int{}, 0, int64(0)
	var first int64
	for line := range bytes.Lines(bytes.TrimPrefix(s.data, bom)) {
		begin := offset
		offset += int64(len(line))
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		m, ok := sample(text)
		if !ok {
			if broken++; broken == 1 {
				first = begin
			}
			continue
		}
		if i, twice := at[m.Name]; twice {
			s.report.Metrics[i] = m
		} else if s.keep(len(s.report.Metrics)) {
			at[m.Name] = len(s.report.Metrics)
			s.report.Metrics = append(s.report.Metrics, m)
		}
	}
	if broken > 0 && !s.cut {
		s.remark(fault.Warning, CodeEntry, first, "%s left out: no metric", plural(broken, "line", "lines")).WithHint("a line is a name, labels in braces if there are any, and a value")
	}
}

var metricName = lazy.Pattern(`^[a-zA-Z_:][^\x00-\x20"}\x7f]*$`)

// sample reads a line: a name, labels, a value, and things behind it.
func sample(text string) (Metric, bool) {
	end := strings.IndexAny(text, "{ \t")
	if end <= 0 || !metricName.MatchString(text[:end]) {
		return Metric{}, false
	}
	if text[end] == '{' {
		closed := labels(text[end:])
		if closed < 0 {
			return Metric{}, false
		}
		end += closed
	}
	value, _, _ := strings.Cut(strings.TrimLeft(strings.ReplaceAll(text[end:], "\t", " "), " "), " ")
	if value == "" || value[0] == '#' {
		return Metric{}, false
	}
	return Metric{Name: name(text[:end]), Value: name(value)}, true
}

// labels is the length of the labels at the beginning of s, from { to }, or -1. A } in quotes does not end them.
func labels(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '}' && !quoted:
			return i + 1
		}
	}
	return -1
}

// readSitespeed reads what GitLab's plugin for sitespeed.io writes: metrics by page ("Browser Performance Testing").
func readSitespeed(s *source) {
	t := newTree(s)
	ok := t.array(func() {
		subject := ""
		var found []Metric
		t.object(func(key string) {
			switch key {
			case "subject":
				subject = name(t.text())
			case "metrics":
				t.array(func() {
					var m Metric
					t.object(func(key string) {
						switch key {
						case "name":
							m.Name = name(t.text())
						case "value":
							m.Value = name(t.text())
						default:
							t.skip()
						}
					})
					if m.Name != "" && m.Value != "" && s.keep(len(s.report.Metrics)+len(found)) {
						found = append(found, m)
					}
				})
			default:
				t.skip()
			}
		})
		for _, m := range found {
			m.Name = strings.TrimSpace(subject + " " + m.Name)
			s.report.Metrics = append(s.report.Metrics, m)
		}
	})
	if !ok && !t.failed {
		s.fault(CodeShape, 0, "the %s report is not a list of pages", s.report.Kind)
	}
	t.end()
}

// readK6 reads the summary that k6 exports: an object of figures by metric ("Load Performance Testing").
func readK6(s *source) {
	t := newTree(s)
	found := false
	t.object(func(key string) {
		t.either(key == "metrics", func() {
			found = t.object(func(metric string) { readFigures(t, name(metric)) })
		})
	})
	if !found && !t.failed {
		s.fault(CodeShape, 0, "the load performance report has no metrics").WithHint("it is what k6 run --summary-export writes")
	}
	t.end()
}

// readFigures reads the figures of a metric; newer versions of k6 put them one deeper, under values.
func readFigures(t *tree, metric string) {
	t.object(func(figure string) {
		if figure == "values" {
			readFigures(t, metric)
			return
		}
		value := t.text()
		if value == "" || strings.ContainsFunc(value, func(r rune) bool { return !strings.ContainsRune("0123456789.eE+-", r) }) {
			return
		}
		if t.s.keep(len(t.s.report.Metrics)) {
			t.s.report.Metrics = append(t.s.report.Metrics, Metric{Name: metric + " " + name(figure), Value: name(value)})
		}
	})
}
