// Package report reads what jobs hand over as artifacts:reports (tests, coverage, findings, plans, variables) and
// sums it over the jobs of a run. It takes bytes and gives values: it opens no files, draws nothing, and trusts
// nothing: every reader has limits on size, depth and number, and gives what it could read with a fault that says
// what it could not.
//
// Texts in reports come from the job. Who shows them masks secrets and takes control sequences out first (package logs).
package report

import (
	"bytes"
	"fmt"
	"io"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Report is what one file of a report said. Which field is set hangs on the kind.
type Report struct {
	// Kind is the name of the report in artifacts:reports, such as junit.
	Kind string `json:"kind"`
	// Name is the name of the file, for places.
	Name string `json:"name"`

	Tests        *Tests        `json:"tests,omitempty"`        // junit
	Coverage     *Coverage     `json:"coverage,omitempty"`     // coverage_report
	Findings     []Finding     `json:"findings,omitempty"`     // codequality, sarif, accessibility and the security reports
	Terraform    *Terraform    `json:"terraform,omitempty"`    // terraform
	Variables    []Variable    `json:"variables,omitempty"`    // dotenv
	Metrics      []Metric      `json:"metrics,omitempty"`      // metrics, browser_performance, load_performance
	Links        []Link        `json:"links,omitempty"`        // annotations
	Components   *Components   `json:"components,omitempty"`   // cyclonedx
	Requirements *Requirements `json:"requirements,omitempty"` // requirements

	// Faults is everything there is to say about the file: errors, where it is not what it should be, and remarks.
	Faults fault.Faults `json:"faults,omitempty"`
}

// Limits bound what a reader takes. A zero field means the default of the kind.
type Limits struct {
	// Bytes is the largest file that is read whole.
	Bytes int64
	// Depth is how deep elements may be nested.
	Depth int
	// Entries is how many test cases, findings or the like are kept. More are counted where they count, but not kept.
	Entries int
	// Text is the longest message that is kept whole, in bytes.
	Text int
	// Variables is how many variables a dotenv report may have.
	Variables int
}

// Read reads a report of a kind from r; name is its file, for places. A broken or hostile file gives what was read
// of it and an error of type fault.Faults; the error is nil where there are only remarks, which are in Report.Faults.
// An error of r itself is given as it is. Whether an error fails the job says Strict.
func Read(kind, name string, r io.Reader) (Report, error) {
	return ReadLimited(kind, name, r, Limits{})
}

// ReadLimited is Read with other limits than the documented ones.
func ReadLimited(kind, name string, r io.Reader, limits Limits) (Report, error) {
	k, ok := kinds[kind]
	if !ok {
		f := fault.At(CodeUnknownKind, fault.Place{File: name}, "there is no report of the kind %q", kind)
		if near := fault.Nearest(kind, Kinds()); near != "" {
			f = f.WithHint("did you mean %q?", near)
		}
		return Report{Kind: kind, Name: name, Faults: fault.Faults{f}}, fault.Faults{f}
	}
	s := &source{report: Report{Kind: kind, Name: name}, limits: limits.or(k.limits)}
	if k.read == nil {
		s.remark(fault.Note, CodeNotRead, -1, "reports of the kind %s are kept and not read", kind)
		return s.done()
	}
	data, err := io.ReadAll(io.LimitReader(r, s.limits.Bytes+1))
	if err != nil {
		return s.report, fmt.Errorf("read the %s report %s: %w", kind, name, err)
	}
	if int64(len(data)) > s.limits.Bytes {
		data, s.cut = data[:s.limits.Bytes], true
		s.fault(CodeTooLarge, -1, "the %s report is larger than %s", kind, size(s.limits.Bytes))
	}
	s.data = data
	if len(bytes.TrimSpace(data)) == 0 && !k.mayBeEmpty {
		s.fault(CodeMalformed, -1, "the %s report is empty", kind)
		return s.done()
	}
	k.read(s)
	return s.done()
}

// source is a report that is being read.
type source struct {
	report Report
	limits Limits
	data   []byte
	cut    bool // there was more than limits.Bytes
	faults fault.List
	told   int // how many faults there are
	left   int // entries that were left out because they are too many
}

// done is the result of a reader.
func (s *source) done() (Report, error) {
	if s.left > 0 {
		s.remark(fault.Warning, CodeTooMany, -1, "%s left out: %d are kept at most", plural(s.left, "entry", "entries"), s.limits.Entries)
	}
	s.report.Faults = s.faults.Sorted()
	if err := s.faults.Err(); err != nil {
		return s.report, err
	}
	return s.report, nil
}

// fault notes an error at an offset of the data; -1 is no place in particular.
func (s *source) fault(code string, offset int64, format string, args ...any) *fault.Fault {
	return s.remark(fault.Error, code, offset, format, args...)
}

func (s *source) remark(severity fault.Severity, code string, offset int64, format string, args ...any) *fault.Fault {
	place := fault.Place{File: s.report.Name}
	if s.told++; s.told > mostFaults {
		return fault.At(code, place, format, args...) // told to nobody: the others say enough
	}
	if offset >= 0 {
		before := s.data[:min(int(offset), len(s.data))]
		place.Line = bytes.Count(before, []byte("\n")) + 1
	}
	f := fault.At(code, place, format, args...).WithSeverity(severity)
	s.faults.Add(f)
	return f
}

// mostFaults is how many faults are told of one file.
const mostFaults = 50

// keep says whether one more entry may be kept beside those there are.
func (s *source) keep(have int) bool {
	if have < s.limits.Entries {
		return true
	}
	s.left++
	return false
}

// or fills the fields that are zero from the defaults.
func (l Limits) or(d Limits) Limits {
	for _, f := range []struct{ to, from *int }{
		{&l.Depth, &d.Depth}, {&l.Entries, &d.Entries}, {&l.Text, &d.Text}, {&l.Variables, &d.Variables},
	} {
		if *f.to == 0 {
			*f.to = *f.from
		}
	}
	if l.Bytes == 0 {
		l.Bytes = d.Bytes
	}
	return l
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}
