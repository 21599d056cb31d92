package report

import (
	"encoding/xml"
	"hash/fnv"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// Status is how a test ended.
type Status string

// How tests end. A test fails where it finds something wrong; it is an error where the test itself broke.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Errored Status = "error"
	Skipped Status = "skipped"
)

// Tests is the tests of one JUnit file. The counts are of all tests, also of those that are too many to be kept.
type Tests struct {
	Total   int     `json:"total"`
	Passed  int     `json:"passed"`
	Failed  int     `json:"failed"`
	Errors  int     `json:"errors"`
	Skipped int     `json:"skipped"`
	Seconds float64 `json:"seconds"` // the times of all tests, added
	Cases   []Case  `json:"cases,omitempty"`
}

// Case is one test.
type Case struct {
	Suite   string  `json:"suite,omitempty"` // the innermost testsuite around it
	Class   string  `json:"class,omitempty"`
	Name    string  `json:"name"`
	File    string  `json:"file,omitempty"`
	Line    int     `json:"line,omitempty"`
	Status  Status  `json:"status"`
	Seconds float64 `json:"seconds"`
	// Message says in short why the test did not pass, Output at length.
	Message string `json:"message,omitempty"`
	Output  string `json:"output,omitempty"`
	// Attachment is the file that the test names with [[ATTACHMENT|path]] in its system-out.
	Attachment string `json:"attachment,omitempty"`
	// Flaky says that the test failed at first and passed when it was run again (Maven Surefire).
	Flaky bool `json:"flaky,omitempty"`
}

// key tells tests of a job apart.
func (c Case) key() uint64 {
	h := fnv.New64a()
	for _, part := range []string{c.Suite, c.Class, c.Name} {
		_, _ = h.Write([]byte(part))
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

// add counts a test and keeps it if it may.
func (t *Tests) add(c Case, keep bool) {
	t.Total++
	t.Seconds += c.Seconds
	switch c.Status {
	case Failed:
		t.Failed++
	case Errored:
		t.Errors++
	case Skipped:
		t.Skipped++
	default:
		t.Passed++
	}
	if keep {
		t.Cases = append(t.Cases, c)
	}
}

var attachment = lazy.Pattern(`\[\[ATTACHMENT\|(.+?)\]\]`)

// readJUnit reads test cases within at least one testsuite or testsuites, however deep ("Unit test reports, JUnit XML
// format specification"). Of tests with the same suite, class and name the first counts.
func readJUnit(s *source) {
	d := newDocument(s)
	root, ok := d.root("testsuites", "testsuite")
	if !ok {
		return
	}
	tests := &Tests{}
	s.report.Tests = tests
	seen, same := map[uint64]struct{}{}, 0
	suites := []string{name(attributes(root)("name"))}
	for token := d.next(); token != nil; token = d.next() {
		switch t := token.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "testsuite", "testsuites":
				suites = append(suites, name(attributes(t)("name")))
			case "testcase":
				c, ok := readCase(d, t)
				if !ok || len(suites) == 0 {
					continue
				}
				c.Suite = suites[len(suites)-1]
				if _, twice := seen[c.key()]; twice {
					same++
					continue
				}
				seen[c.key()] = struct{}{}
				tests.add(c, s.keep(len(tests.Cases)))
			default:
				d.text(0)
			}
		case xml.EndElement:
			if len(suites) > 0 {
				suites = suites[:len(suites)-1]
			}
		}
	}
	if same > 0 {
		s.remark(fault.Note, CodeDuplicate, -1, "%s not counted: an earlier one has the same name", plural(same, "test is", "tests are"))
	}
}

// readCase reads a test case up to its end. It is not ok where the file ends before it is known how the test ended.
func readCase(d *document, start xml.StartElement) (Case, bool) {
	a := attributes(start)
	c := Case{
		Class: name(a("classname")), Name: name(a("name")), File: slashed(a("file")), Line: number(a("line")),
		Seconds: seconds(a("time")), Status: Passed,
	}
	outside := d.depth - 1
	for d.depth > outside {
		switch t := d.next().(type) {
		case nil:
			return c, c.Status != Passed
		case xml.StartElement:
			readOutcome(d, t, &c)
		}
	}
	if c.Status == Passed {
		c.Message, c.Output = "", ""
	}
	return c, true
}

// readOutcome reads a child of a test case. A failure outweighs an error, and an error a skip.
func readOutcome(d *document, start xml.StartElement, c *Case) {
	limit := d.s.limits.Text
	weigh := func(status Status, over ...Status) {
		message := clip(attributes(start)("message"), limit)
		output := clip(d.text(limit), limit)
		for _, o := range over {
			if c.Status == o {
				c.Status, c.Message, c.Output = status, message, output
			}
		}
		if c.Message == "" {
			c.Message = firstLine(c.Output)
		}
	}
	switch start.Name.Local {
	case "failure":
		weigh(Failed, Passed, Skipped, Errored)
	case "error":
		weigh(Errored, Passed, Skipped)
	case "skipped":
		weigh(Skipped, Passed)
	case "flakyFailure", "flakyError":
		c.Flaky = true
		d.text(0)
	case "system-out":
		if m := attachment.FindStringSubmatch(d.text(limit)); m != nil && c.Attachment == "" {
			c.Attachment = slashed(m[1])
		}
	default:
		d.text(0)
	}
}
