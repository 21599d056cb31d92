package command

import (
	"path"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/lazy"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// matching is a matcher at work on one stream.
type matching struct {
	*Matcher
	state []*found // what each pattern but the last found, nil for nothing
}

// found is what the lines so far gave. A group that took part and was empty is found too.
type found struct {
	file, fromPath, line, column, severity, code, message *string
}

func newMatching(m *Matcher) *matching {
	return &matching{m, make([]*found, len(m.patterns)-1)}
}

func (m *matching) reset() { clear(m.state) }

// line looks at a line and returns the problem that it completes, or nil. Patterns are tried from the last to the
// first, each on what the one before it had found.
func (m *matching) line(text string) *found {
	last := len(m.patterns) - 1
	for i := last; i >= 0; i-- {
		var before *found
		if i > 0 {
			if before = m.state[i-1]; before == nil {
				continue
			}
		}
		p := &m.patterns[i]
		groups := p.re.FindStringSubmatch(text)
		switch {
		case groups == nil && i == last:
			if i > 0 {
				m.state[i-1] = nil
			}
		case groups == nil:
			m.state[i] = nil
		case i == last:
			m.reset()
			if p.loop && i > 0 {
				m.state[i-1] = before
			}
			return p.take(before, groups)
		default:
			m.state[i] = p.take(before, groups)
		}
	}
	return nil
}

// take adds what a pattern's groups hold to what was found before.
func (p *pattern) take(before *found, groups []string) *found {
	f := found{}
	if before != nil {
		f = *before
	}
	set := func(to **string, group int) {
		if *to == nil && group >= 0 && group < len(groups) {
			*to = &groups[group]
		}
	}
	set(&f.file, p.file)
	set(&f.fromPath, p.fromPath)
	set(&f.line, p.line)
	set(&f.column, p.column)
	set(&f.severity, p.severity)
	set(&f.code, p.code)
	set(&f.message, p.message)
	return &f
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// color is what a problem matcher does not see.
var color = lazy.Pattern("\x1b\\[[0-9;]*m?")

// match lets the matchers look at a line; the first that completes a problem decides what is shown.
func (l *Lens) match(s program.Stream, line string) program.Seen {
	if len(l.o.Matchers) == 0 {
		return program.Seen{Keep: true}
	}
	all := l.matching[s]
	if all == nil {
		for _, m := range l.o.Matchers {
			all = append(all, newMatching(m))
		}
		l.matching[s] = all
	}
	n := look(all, line, l.o.Workspace)
	if n == nil {
		return program.Seen{Keep: true}
	}
	l.annotate(*n)
	return program.Seen{Show: Show(n.Level, plain(line))}
}

func plain(line string) string {
	if strings.IndexByte(line, '\x1b') < 0 {
		return line
	}
	return color.ReplaceAllString(line, "")
}

// look gives the note of the first matcher that a line completes a problem for; the others begin anew then.
func look(all []*matching, line, workspace string) *program.Note {
	stripped := plain(line)
	for _, m := range all {
		f := m.line(stripped)
		if f == nil {
			continue
		}
		for _, other := range all {
			if other != m {
				other.reset()
			}
		}
		if n := f.note(m.severity, workspace); n != nil {
			return n
		}
	}
	return nil
}

// note is the annotation of a problem; nil where it has no message or a severity that GitHub does not know.
func (f *found) note(severity, workspace string) *program.Note {
	message := text(f.message)
	if strings.TrimSpace(message) == "" {
		return nil
	}
	if own := text(f.severity); own != "" {
		severity = own
	}
	level := strings.ToLower(severity)
	switch level {
	case "":
		level = "error"
	case "error", "warning", "notice":
	default:
		return nil
	}
	n := &program.Note{Level: level, Message: message, Line: number(text(f.line)), Column: number(text(f.column))}
	if code := strings.TrimSpace(text(f.code)); code != "" {
		n.Title = code
	}
	n.File = f.path(workspace)
	if n.Line == 0 {
		n.Column = 0
	}
	return n
}

// path is the file of a problem as seen from the project folder, "" where it lies outside.
func (f *found) path(workspace string) string {
	file := strings.ReplaceAll(strings.TrimSpace(text(f.file)), `\`, "/")
	if file == "" {
		return ""
	}
	if from := strings.ReplaceAll(strings.TrimSpace(text(f.fromPath)), `\`, "/"); from != "" && !path.IsAbs(file) {
		file = path.Join(path.Dir(from), file)
	}
	file = relative(file, workspace)
	if path.IsAbs(file) || file == ".." || strings.HasPrefix(file, "../") {
		return ""
	}
	return file
}

// The bounds of the lines kept for matchers whose file is still to be read.
const (
	maxHeld     = 50_000
	maxHeldSize = 8 << 20
)

// load takes add-matcher. Its file is read when the step has ended; the lines from here on are kept for it.
func (l *Lens) load(c Command) program.Seen {
	if strings.TrimSpace(c.Data) == "" {
		return program.Seen{Show: "::add-matcher:: names no file", Warning: true}
	}
	l.move(Move{Add: true, File: c.Data})
	return program.Seen{}
}

// unload takes remove-matcher, by owner or by file.
func (l *Lens) unload(c Command) program.Seen {
	owner := c.prop("owner")
	switch {
	case owner != "" && c.Data != "":
		return program.Seen{Show: "::remove-matcher:: takes an owner or a file, not both", Warning: true}
	case owner == "" && c.Data == "":
		return program.Seen{Show: "::remove-matcher:: names neither an owner nor a file", Warning: true}
	case owner == "":
		l.move(Move{File: c.Data})
		return program.Seen{}
	}
	l.move(Move{Owner: owner})
	l.forget(owner)
	return program.Seen{}
}

// move notes a change of the matchers.
func (l *Lens) move(m Move) {
	if len(l.said.Moves) < 2*MaxMatchers {
		m.At = len(l.said.Held)
		l.said.Moves = append(l.said.Moves, m)
	}
}

// forget takes a matcher out of what looks at the rest of this step's output.
func (l *Lens) forget(owner string) {
	l.o.Matchers = Without(l.o.Matchers, owner)
	for s, all := range l.matching {
		kept := all[:0:0]
		for _, m := range all {
			if !strings.EqualFold(m.Owner, owner) {
				kept = append(kept, m)
			}
		}
		l.matching[s] = kept
	}
}

// Without is the matchers but those of an owner.
func Without(all []*Matcher, owner string) []*Matcher {
	var out []*Matcher
	for _, m := range all {
		if !strings.EqualFold(m.Owner, owner) {
			out = append(out, m)
		}
	}
	return out
}

// With is the matchers with others before them; those of an owner replace what the owner had.
func With(all, more []*Matcher) []*Matcher {
	for _, m := range more {
		all = append([]*Matcher{m}, Without(all, m.Owner)...)
	}
	return all
}

// hold keeps a line for matchers still to be read.
func (l *Lens) hold(s program.Stream, line string) {
	if !slices.ContainsFunc(l.said.Moves, func(m Move) bool { return m.Add }) || len(l.said.Held) >= maxHeld || l.held+len(line) > maxHeldSize {
		return
	}
	l.held += len(line)
	l.said.Held = append(l.said.Held, Held{s, line})
}

// Span is a matcher and the lines that it looks at: Held[From:To].
type Span struct {
	*Matcher
	From, To int
}

// Replay lets matchers that a step added look at what it wrote while they were there.
func Replay(held []Held, spans []Span, workspace string) []program.Note {
	streams := map[program.Stream][]*matching{}
	for _, s := range []program.Stream{program.Stdout, program.Stderr} {
		for _, m := range spans {
			streams[s] = append(streams[s], newMatching(m.Matcher))
		}
	}
	var out []program.Note
	var now []*matching
	for i, h := range held {
		now = now[:0]
		for n, m := range streams[h.Stream] {
			if spans[n].From <= i && i < spans[n].To {
				now = append(now, m)
			}
		}
		if n := look(now, h.Text, workspace); n != nil && len(out) < maxNotes {
			out = append(out, *n)
		}
	}
	return out
}
