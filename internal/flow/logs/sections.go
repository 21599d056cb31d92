package logs

import (
	"bytes"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

const (
	maxMarker = 512     // the longest marker, in bytes
	maxHeader = 1 << 10 // the longest header, in bytes
	maxOpen   = 64      // the most sections around a line
	clearLine = "\x1b[0K"
	opener    = "section_"
)

// marker is GitLab's section marker behind "section_" ("CI/CD job logs, Custom collapsible sections"). The escape
// sequence that usually stands before it is not a part of it.
var marker = lazy.Pattern(`^section_(start|end):(\d+):([a-zA-Z0-9_.-]+)(\[\w+=\w+(?:, ?\w+=\w+)*\])?\r\x1b\[0K`)

// markerBegin is all that may yet become a marker.
var markerBegin = lazy.Pattern(`^section_(?:s(?:t(?:a(?:r(?:t)?)?)?)?|e(?:n(?:d)?)?)?(?:(?:start|end):\d*(?::[a-zA-Z0-9_.-]*(?:\[[\w=, ]*\]?)?(?:\r(?:\x1b(?:\[0?)?)?)?)?)?$`)

// Sections turns a log with GitLab's section markers into events. The markers are taken out of the text. Names are
// compared as GitLab does, without regard to case and punctuation. An end without a beginning is passed over; an end
// of a section with others open in it ends those first. A line without text around a marker is no line.
// The zero value is ready. A Sections serves one goroutine.
type Sections struct {
	lines     Lines
	held      []byte    // may be the beginning of a marker
	open      []Section // from the outside in
	opening   *Section  // begun; its header is the present line
	after     bool      // a marker stands before the present line
	swallowed int64     // lines that were nothing but markers
}

// Feed takes the next bytes of the log and gives the events that they complete.
func (s *Sections) Feed(p []byte, give func(Event)) {
	if len(s.held) > 0 {
		p = append(s.held, p...)
		s.held = nil
	}
	line := s.give(give)
	for {
		at := bytes.Index(p, []byte(opener))
		if at < 0 {
			n := len(p) - beginning(p)
			s.text(p[:n], line)
			s.held = append(s.held, p[n:]...)
			return
		}
		before := len(bytes.TrimSuffix(p[:at], []byte(clearLine)))
		window := p[at:min(len(p), at+maxMarker)]
		switch m := marker.FindSubmatch(window); {
		case m != nil:
			s.text(p[:before], line)
			s.lines.Break(line)
			s.settle(give)
			s.mark(m, give)
			p = p[at+len(m[0]):]
		case len(window) < maxMarker && markerBegin.Match(window):
			s.text(p[:before], line)
			s.held = append(s.held, p[before:]...)
			return
		default:
			s.text(p[:at+len(opener)], line)
			p = p[at+len(opener):]
		}
	}
}

// Close gives what is left, and the ends of the sections that are still open.
func (s *Sections) Close(give func(Event)) {
	line := s.give(give)
	s.text(s.held, line)
	s.lines.Close(line)
	s.settle(give)
	s.end(0, time.Time{}, true, give)
	*s = Sections{}
}

func (s *Sections) text(p []byte, line func(Line)) {
	if len(p) > 0 {
		s.lines.Feed(p, line)
	}
}

// give makes the function that takes lines: it tells headers and the rests of markers from text.
func (s *Sections) give(give func(Event)) func(Line) {
	return func(l Line) {
		l.Number -= s.swallowed
		after := s.after
		s.after = false
		switch {
		case s.opening != nil && l.Redrawn:
			s.after = after
		case s.opening != nil && len(l.Text) == 0 && after:
			s.swallowed++
			s.settle(give)
		case s.opening != nil:
			s.header(l, give)
		case after && len(l.Text) == 0 && !l.Redrawn:
			s.swallowed++
		default:
			give(Event{Kind: Text, Line: l})
		}
	}
}

// header gives the beginning of a section with its header, and the line itself where it is too long to be one.
func (s *Sections) header(l Line, give func(Event)) {
	text := l.Text
	for bytes.HasPrefix(text, []byte(clearLine)) {
		text = text[len(clearLine):]
	}
	long := l.Continued || len(text) > maxHeader
	if long {
		text = text[:min(len(text), maxHeader)]
		text = text[:wholeRunes(text)]
	}
	s.opening.Header = strings.ToValidUTF8(string(text), string(utf8.RuneError))
	e := Event{Kind: Start, Section: *s.opening}
	if !long {
		e.Line = l
	}
	s.opening = nil
	give(e)
	if long {
		give(Event{Kind: Text, Line: l})
	}
}

// settle gives the beginning of a section whose line ended without a header.
func (s *Sections) settle(give func(Event)) {
	if s.opening != nil {
		give(Event{Kind: Start, Section: *s.opening})
		s.opening = nil
	}
}

// mark acts on a marker: its action, time, name and options.
func (s *Sections) mark(m [][]byte, give func(Event)) {
	s.after = true
	name, at := string(m[3]), unixTime(string(m[2]))
	if string(m[1]) == "end" {
		for i := len(s.open) - 1; i >= 0; i-- {
			if sameName(s.open[i].Name, name) {
				s.end(i, at, false, give)
				return
			}
		}
		return
	}
	if len(s.open) == maxOpen {
		return
	}
	section := Section{Name: name, Time: at, Depth: len(s.open)}
	for option := range strings.FieldsFuncSeq(string(m[4]), func(r rune) bool { return strings.ContainsRune("[], ", r) }) {
		if option == "collapsed=true" {
			section.Collapsed = true
		}
	}
	s.open = append(s.open, section)
	s.opening = &section
}

// end ends the sections from the given one inwards, the innermost first. All but the given one are implied.
func (s *Sections) end(from int, at time.Time, implied bool, give func(Event)) {
	for i := len(s.open) - 1; i >= from; i-- {
		give(Event{Kind: End, Section: Section{Name: s.open[i].Name, Time: at, Depth: i, Implied: implied || i > from}})
	}
	s.open = s.open[:from]
}

// beginning is how many bytes at the end of p may be the beginning of a marker.
func beginning(p []byte) int {
	const whole = clearLine + opener
	for n := min(len(whole)-1, len(p)); n > 0; n-- {
		end := string(p[len(p)-n:])
		if strings.HasPrefix(whole, end) || strings.HasPrefix(opener, end) {
			return n
		}
	}
	return 0
}

// sameName compares two names as GitLab does, which makes them class names of its page.
func sameName(a, b string) bool {
	return len(a) == len(b) && plainName(a) == plainName(b)
}

func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '.' {
			return '-'
		}
		return r
	}, strings.ToLower(s))
}

// unixTime reads seconds since 1970; what cannot be a time of this era is the zero time.
func unixTime(digits string) time.Time {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
