package terminal

import (
	"io"
	"sync"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// quiet says nothing but what went wrong.
type quiet struct {
	paper
	mu    sync.Mutex
	out   io.Writer
	names names
}

func newQuiet(w io.Writer, p paper) *quiet { return &quiet{paper: p, out: w, names: names{}} }

// WantsLines is false.
func (v *quiet) WantsLines() bool { return false }

// Begin writes the remarks that are errors.
func (v *quiet) Begin(h Head) {
	v.names.learn(h.Plan)
	for _, f := range h.Remarks {
		if f.Severity == fault.Error {
			io.WriteString(v.out, clean(f.Error())+"\n")
		}
	}
}

// Changed only learns the job's name.
func (v *quiet) Changed(c run.Change, j run.Job) {
	if c.Job == "" {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.names.of(j)
}

// Line is not called.
func (v *quiet) Line(Line) {}

// Section says nothing.
func (v *quiet) Section(run.Job, logs.Event) {}

// Close writes the failures, if there are any.
func (v *quiet) Close(s Summary) error {
	if good(s) {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	_, err := v.out.Write(v.summary(s, v.names, false))
	return err
}

// Write puts text of the command's own.
func (v *quiet) Write(p []byte) (int, error) { return v.out.Write(p) }
