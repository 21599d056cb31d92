package convert

import (
	"fmt"
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Formats are the names of the formats that can be written.
var Formats = []string{"gitlab", "github"}

// File is what was written.
type File struct {
	Path string // where the other forge looks for it, relative to the repository
	Text []byte
}

// To writes the plan of a whole file in the format named. All that is lost is told: warnings and notes where the jobs do
// the same, errors where one would do something else. With errors the file is whole nevertheless: the jobs in question
// never run, or their steps are comments. It has no text where there was nothing to convert.
func To(format string, p *plan.Plan) (File, fault.Faults) {
	var faults fault.List
	switch {
	case !slices.Contains(Formats, format):
		faults.Add(fault.New(CodeFile, "there is no format %q", format).WithHint("gitlab or github"))
	case p == nil || !p.Whole:
		faults.Add(fault.New(CodeFile, "only the plan of a whole file can be converted"))
	case p.Dialect == format:
		faults.Add(fault.At(CodeFile, fault.Place{File: p.File}, "the file is in the format %s already", format))
	case format == "github":
		return toGitHub(p, &faults), faults.Sorted()
	case len(p.Workflows) != 1:
		faults.Add(fault.At(CodeFile, fault.Place{File: p.File}, "there are %d workflows, and a GitLab pipeline is one file", len(p.Workflows)).
			WithHint("name one with --file"))
	default:
		return toGitLab(p, &faults), faults.Sorted()
	}
	return File{}, faults.Sorted()
}

// teller adds faults, each once however many legs of a matrix give it.
type teller struct {
	faults *fault.List
	told   map[string]bool
}

func newTeller(l *fault.List) *teller { return &teller{faults: l, told: map[string]bool{}} }

func (t *teller) tell(f *fault.Fault) {
	if key := f.Error(); !t.told[key] {
		t.told[key] = true
		t.faults.Add(f)
	}
}

// bad tells that something would mean something else.
func (t *teller) bad(code string, at fault.Place, format string, args ...any) {
	t.tell(fault.At(code, at, format, args...))
}

// lose tells that something is lost.
func (t *teller) lose(code string, at fault.Place, format string, args ...any) {
	t.tell(fault.At(code, at, format, args...).WithSeverity(fault.Warning))
}

// note tells what the other forge has to be told.
func (t *teller) note(code string, at fault.Place, format string, args ...any) {
	t.tell(fault.At(code, at, format, args...).WithSeverity(fault.Note))
}

// comments are what a fault says, for the file that is written.
func lostComment(format string, args ...any) string { return "lost: " + fmt.Sprintf(format, args...) }
