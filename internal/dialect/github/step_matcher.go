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

// match reads the matchers that a step asked for. They look at what it wrote until it took them away again, and at what
// later steps write.
func (w *walk) match(said *command.Said) {
	var spans []command.Span
	end := func(owner string, at int) {
		for i := range spans {
			if strings.EqualFold(spans[i].Owner, owner) {
				spans[i].To = min(spans[i].To, at)
			}
		}
		w.matchers = command.Without(w.matchers, owner)
	}
	for _, move := range said.Moves {
		switch {
		case move.Add:
			for _, m := range w.matchersIn(move.File) {
				end(m.Owner, move.At)
				spans = append([]command.Span{{Matcher: m, From: move.At, To: len(said.Held)}}, spans...)
				w.matchers = command.With(w.matchers, []*command.Matcher{m})
			}
		case move.Owner != "":
			end(move.Owner, move.At)
		default:
			for _, owner := range w.loaded[move.File] {
				end(owner, move.At)
			}
		}
	}
	if len(spans) > 0 {
		w.note(command.Replay(said.Held, spans, w.Paths.JobWorkspace)...)
	}
}

// matchersIn reads a file of matchers, with a warning where it cannot be used.
func (w *walk) matchersIn(file string) []*command.Matcher {
	text, why := w.content(file)
	if why == "" {
		read, err := command.ReadMatchers([]byte(text))
		if err == nil {
			for _, m := range read {
				w.loaded[file] = append(w.loaded[file], m.Owner)
			}
			return read
		}
		why = err.Error()
	}
	w.caution("the problem matcher %s is not used: %s [%s]", file, why, command.CodeMatcher)
	return nil
}

// readWhole is a script that reads a file of at most 1 MiB, and waits for no pipe and no device: what the output of a step
// names may be anything.
const readWhole = `[ ! -e "$1" ] || [ -f "$1" ] || { echo "not a file" >&2; exit 1; }; exec head -c 1048576 -- "$1"`

// content is the text of a file where the job runs, relative to the workspace or absolute: actions keep their matchers
// in their own folders. why says why it cannot be had.
func (w *walk) content(file string) (text, why string) {
	keep := &keeper{}
	o := w.do(program.Exec{
		Step: "problem matcher", Argv: []string{"sh", "-c", readWhole, "sh", file}, Env: w.bare(), Quiet: true, Always: true, Lens: keep, Timeout: 10 * time.Second,
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
