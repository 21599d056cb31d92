// Package fault is an error a person can act on: a stable code, a place, a message and a hint.
// It formats and collects; it reads no files (the caller hands it the source for excerpts) and ends nothing.
package fault

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Place is a position in a file of the user's. Line and Column count from 1; zero means unknown.
type Place struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// String is the form that editors click: file:line:column, shortened where parts are unknown.
func (p Place) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
}

// IsZero reports whether nothing is known of the place.
func (p Place) IsZero() bool { return p == Place{} }

// Severity says what a fault does to the run: an Error stops it before any job, the others are told and passed.
type Severity string

// The severities, worst first.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Fault is one mistake or remark. Code is stable for ever (SL1234); the text may improve.
type Fault struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Place    Place    `json:"place"`
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"`
	// Exit is the exit code that this fault asks of a command; 0 means the default of its severity (2 for an Error).
	Exit int `json:"-"`
}

// At makes an error at a place.
func At(code string, at Place, format string, args ...any) *Fault {
	return &Fault{Code: code, Severity: Error, Place: at, Message: fmt.Sprintf(format, args...)}
}

// New makes an error that has no place in a file.
func New(code, format string, args ...any) *Fault {
	return At(code, Place{}, format, args...)
}

// WithHint adds what the person can do about it.
func (f *Fault) WithHint(format string, args ...any) *Fault {
	f.Hint = fmt.Sprintf(format, args...)
	return f
}

// WithSeverity sets the severity.
func (f *Fault) WithSeverity(s Severity) *Fault {
	f.Severity = s
	return f
}

// Exits sets the exit code that the fault asks for.
func (f *Fault) Exits(code int) *Fault {
	f.Exit = code
	return f
}

// Error is one line: place: message [code] - hint.
func (f *Fault) Error() string {
	var b strings.Builder
	if !f.Place.IsZero() {
		b.WriteString(f.Place.String())
		b.WriteString(": ")
	}
	if f.Severity == Warning || f.Severity == Note {
		b.WriteString(string(f.Severity))
		b.WriteString(": ")
	}
	b.WriteString(f.Message)
	if f.Code != "" {
		b.WriteString(" [" + f.Code + "]")
	}
	if f.Hint != "" {
		b.WriteString(" - " + f.Hint)
	}
	return b.String()
}

// CodeOf is the code of the first fault in err's chain, or "".
func CodeOf(err error) string {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.Code
	}
	return ""
}

// List collects faults. The zero value is ready; a *List is handed down while reading so that all mistakes are found.
type List struct {
	faults []*Fault
}

// Add collects faults; nil ones are passed over.
func (l *List) Add(fs ...*Fault) {
	for _, f := range fs {
		if f != nil {
			l.faults = append(l.faults, f)
		}
	}
}

// AddError collects an error: the faults in it where it has some, else a plain one.
func (l *List) AddError(err error) {
	if err == nil {
		return
	}
	if fs, ok := errors.AsType[Faults](err); ok {
		l.faults = append(l.faults, fs...)
		return
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		l.faults = append(l.faults, f)
		return
	}
	l.faults = append(l.faults, &Fault{Severity: Error, Message: err.Error()})
}

// HasErrors reports whether anything collected stops the run.
func (l *List) HasErrors() bool { return Faults(l.faults).HasErrors() }

// Sorted returns what was collected, by place and severity, each fault once.
func (l *List) Sorted() Faults {
	out := slices.Clone(l.faults)
	slices.SortStableFunc(out, func(a, b *Fault) int {
		return cmp.Or(
			cmp.Compare(a.Place.File, b.Place.File),
			cmp.Compare(a.Place.Line, b.Place.Line),
			cmp.Compare(a.Place.Column, b.Place.Column),
			cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.CompactFunc(out, func(a, b *Fault) bool { return *a == *b })
}

// Err is the errors collected as one error, or nil where there are only remarks.
func (l *List) Err() error {
	if !l.HasErrors() {
		return nil
	}
	return l.Sorted()
}

// Faults is several faults as one error.
type Faults []*Fault

// Error is one fault a line.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// HasErrors reports whether one of them stops the run.
func (fs Faults) HasErrors() bool {
	return slices.ContainsFunc(fs, func(f *Fault) bool { return f.Severity == Error })
}

// Doc is the long explanation of one code, for `sluice explain SL1234`.
type Doc struct {
	Code    string
	Summary string // one line
	Text    string // why it is a mistake and how to mend it; may hold an example
	Page    string // the documentation's page by name, "" where it is our own rule
}
