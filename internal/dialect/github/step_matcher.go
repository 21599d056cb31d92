package github

import (
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/github/command"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// lens looks at a step's output.
func (w *walk) lens(at *step) *command.Lens {
	return command.NewLens(command.Options{
		Debug: w.Debug, Unsecure: at.unsecure(), AnyStop: equalTrue(at.env.get("ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS")),
		Workspace: w.Paths.JobWorkspace, Fold: foldName(at), Matchers: w.matchers,
	})
}

// match reads the matchers that a step asked for. They look at what it wrote afterwards, and at what later steps write.
func (w *walk) match(said *command.Said) {
	for _, owner := range said.Unloads {
		owners := []string{owner}
		if file, ok := strings.CutPrefix(owner, "file:"); ok {
			owners = w.loaded[file]
		}
		for _, o := range owners {
			w.matchers = command.Without(w.matchers, o)
		}
	}
	var fresh []*command.Matcher
	for _, file := range said.Loads {
		text, why := w.content(file)
		if why == "" {
			var err error
			var read []*command.Matcher
			if read, err = command.ReadMatchers([]byte(text)); err == nil {
				fresh = command.With(fresh, read)
				for _, m := range read {
					w.loaded[file] = append(w.loaded[file], m.Owner)
				}
				continue
			}
			why = err.Error()
		}
		w.caution("the problem matcher %s is not used: %s [%s]", file, why, command.CodeMatcher)
	}
	if len(fresh) > 0 {
		w.matchers = command.With(w.matchers, fresh)
		w.note(command.Replay(said.Held, fresh, w.Paths.JobWorkspace)...)
	}
}

// content is the text of a file where the job runs, relative to the workspace or absolute: actions keep their matchers
// in their own folders. why says why it cannot be had.
func (w *walk) content(file string) (text, why string) {
	keep := &keeper{}
	o := w.do(program.Exec{
		Step: "problem matcher", Argv: []string{"cat", "--", file}, Env: w.bare(), Quiet: true, Always: true, Lens: keep, Timeout: 10 * time.Second,
	})
	if o.Failure != "" || o.Exit != 0 {
		return "", "the file cannot be read: " + strings.TrimSpace(keep.errors.String())
	}
	return keep.text.String(), ""
}

// keeper is a lens that keeps what a program of ours writes and shows nothing of it.
type keeper struct{ text, errors strings.Builder }

const maxKept = 1 << 20

// Line keeps a line.
func (k *keeper) Line(s program.Stream, text string) program.Seen {
	to := &k.text
	if s == program.Stderr {
		to = &k.errors
	}
	if to.Len()+len(text) < maxKept {
		to.WriteString(text)
		to.WriteByte('\n')
	}
	return program.Seen{}
}
