package report

import (
	"cmp"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// readSecurity reads GitLab's security report format, which all scanners share ("Security scanner integration,
// Report"): a list of vulnerabilities, each with a place that hangs on the kind of scanner.
func readSecurity(s *source) {
	t := newTree(s)
	listed, runs, broken, tool := false, false, 0, ""
	ok := t.object(func(key string) {
		switch key {
		case "vulnerabilities":
			listed = t.array(func() {
				f := readVulnerability(t)
				switch {
				case t.failed && f.Message == "": // the mistake is told already
				case f.Message == "":
					broken++
				case s.keep(len(s.report.Findings)):
					s.report.Findings = append(s.report.Findings, f)
				}
			})
		case "scan":
			tool = readScan(t)
		case "runs":
			runs = true
			t.skip()
		default:
			t.skip()
		}
	})
	if !listed && !t.failed {
		f := s.fault(CodeShape, 0, "the %s report has no list of vulnerabilities", s.report.Kind)
		if runs {
			f.WithHint("the file is SARIF; GitLab's security reports have a format of their own, which most scanners can write")
		} else if !ok {
			f.WithHint("GitLab's security reports are a JSON object with version, scan and vulnerabilities")
		}
	}
	t.end()
	for i := range s.report.Findings {
		s.report.Findings[i].Tool = cmp.Or(s.report.Findings[i].Tool, tool)
	}
	if broken > 0 {
		s.remark(fault.Warning, CodeEntry, -1, "%s left out: no name", plural(broken, "vulnerability", "vulnerabilities"))
	}
}

func readVulnerability(t *tree) Finding {
	f := Finding{Severity: Unknown}
	var title, message, described, identifier string
	t.object(func(key string) {
		switch key {
		case "id":
			f.ID = name(t.text())
		case "name":
			title = name(t.text())
		case "message":
			message = clip(t.text(), t.s.limits.Text)
		case "description":
			described = clip(firstLine(t.text()), t.s.limits.Text)
		case "severity":
			f.Severity = severity(t.text(), Critical, High, Medium, Low, Info)
		case "scanner":
			f.Tool = readNamed(t)
		case "location":
			readLocation(t, &f)
		case "identifiers":
			identifier = readIdentifiers(t)
		default:
			t.skip()
		}
	})
	f.Check = identifier
	f.Message = cmp.Or(title, message, identifier, described)
	return f
}

// readNamed reads an object and gives its name, or else its id.
func readNamed(t *tree) string {
	var title, id string
	t.object(func(key string) {
		switch key {
		case "name":
			title = name(t.text())
		case "id":
			id = name(t.text())
		default:
			t.skip()
		}
	})
	return cmp.Or(title, id)
}

// readIdentifiers gives the name of the CVE where there is one, else of the first identifier.
func readIdentifiers(t *tree) string {
	best, isCVE := "", false
	t.array(func() {
		var kind, value, title string
		t.object(func(key string) {
			switch key {
			case "type":
				kind = t.text()
			case "value":
				value = t.text()
			case "name":
				title = t.text()
			default:
				t.skip()
			}
		})
		if title = name(cmp.Or(title, value)); best == "" || !isCVE && strings.EqualFold(kind, "cve") {
			best, isCVE = title, strings.EqualFold(kind, "cve")
		}
	})
	return best
}

// readLocation reads where a vulnerability is: a file and line, an image, or a URL; and of a dependency its name.
func readLocation(t *tree, f *Finding) {
	var file, image, host, path string
	t.object(func(key string) {
		switch key {
		case "file":
			file = slashed(t.text())
		case "start_line":
			f.Line = t.line()
		case "image":
			image = name(t.text())
		case "hostname":
			host = name(t.text())
		case "path":
			path = name(t.text())
		default:
			t.skip()
		}
	})
	f.File = cmp.Or(file, image, host+path)
}

// readScan gives the name of the scanner, and notes when it says that it failed.
func readScan(t *tree) string {
	tool, status := "", ""
	t.object(func(key string) {
		switch key {
		case "scanner":
			tool = readNamed(t)
		case "status":
			status = t.text()
		default:
			t.skip()
		}
	})
	if status == "failure" {
		t.s.remark(fault.Warning, CodeScan, -1, "the scanner %s says that the scan failed", cmp.Or(tool, "of the report"))
	}
	return tool
}
