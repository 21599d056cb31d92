package main

import (
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/run"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
	"github.com/sluice-delivery/sluice/internal/web/terminal"
)

// newView is the view that the flags ask for.
func (s *streams) newView(r *runFlags) (terminal.View, error) {
	return terminal.New(terminal.Options{Progress: r.progress, Color: r.color, Out: bare(s.out), Err: bare(s.err), Play: func(j run.Job) string {
		return strings.Join(append(r.words(), "--manual", shellWord(j.Plan.Name)), " ")
	}})
}

// head is what the view is told before the first job.
func (l *local) head() terminal.Head {
	selected := 0
	if l.choice != nil {
		selected = len(l.choice.Selected)
	}
	return terminal.Head{
		Selected: selected,
		RunID:    l.rec.ID, Plan: l.plan, Ref: l.rec.Ref, SHA: l.rec.SHA, Dirty: l.rec.Dirty, Event: l.rec.Event,
		Remarks: unsaid(l.mask, l.pipeline.remarks), Notes: l.hosts.notes,
	}
}

// remark tells of what was found while the run is on.
func (l *local) remark(fs fault.Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	writeFaults(hiding{terminal.Writer(l.view, bare(l.err)), l.mask}, fs, l.pipeline.repo.Root)
}

// maskOf hides the masked variables from everything that is written, behind cover. The faults are of secrets that cannot be.
func maskOf(g given, cover string) (*logs.Mask, fault.Faults) {
	var secrets []secret.Secret
	for _, v := range slices.Concat(g.pipeline, g.project) {
		if v.Masked {
			secrets = append(secrets, secret.Named(v.Name, v.Value))
		}
	}
	return new(logs.Mask).Showing(cover).With(secrets...)
}

// colorful reports whether colors are wanted on a writer (no-color.org, bixense.com/clicolors).
func colorful(w io.Writer, mode string) bool {
	switch {
	case mode == "always":
		return true
	case mode == "never", os.Getenv("NO_COLOR") != "":
		return false
	case os.Getenv("CLICOLOR_FORCE") != "" && os.Getenv("CLICOLOR_FORCE") != "0":
		return true
	case os.Getenv("CLICOLOR") == "0", os.Getenv("TERM") == "dumb":
		return false
	}
	file, ok := bare(w).(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
