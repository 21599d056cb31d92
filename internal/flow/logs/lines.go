package logs

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Line is a line of a log, or a part of one.
type Line struct {
	// Number counts from 1. The parts of a line and its redraws have the same number.
	Number int64
	// Text is without the line break. It is only valid until the function that it was given to returns.
	Text []byte
	// Continued says that the line goes on: the next Line has more of it.
	Continued bool
	// Redrawn says that a carriage return followed: the next Line is drawn over this one, as progress bars do. Who shows
	// what a terminal would show in the end, as GitLab does, leaves such lines out.
	Redrawn bool
}

// String is the text with U+FFFD in place of what is not UTF-8, as JSON needs it. Parts of a line are never cut
// inside a character.
func (l Line) String() string { return strings.ToValidUTF8(string(l.Text), "\uFFFD") }

// MaxPart is the longest Text of a Line, in bytes; longer lines come in parts.
const MaxPart = 64 << 10

// Lines splits a stream into numbered lines. It holds no more than MaxPart bytes, however long a line is.
// Lines end at \n or \r\n; any other \r is a redraw. The zero value is ready. A Lines serves one goroutine.
type Lines struct {
	ended int64  // how many lines have ended
	begun bool   // a part or a redraw of the present line was given
	ret   bool   // a \r followed buf; what it means hangs on the next byte
	buf   []byte // the present line, without the parts given
}

// Feed takes the next bytes of the stream and gives the lines that they complete.
func (l *Lines) Feed(p []byte, give func(Line)) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			l.unfinished(p, give)
			return
		}
		line := p[:end]
		p = p[end+1:]
		if l.ret || bytes.IndexByte(line, '\r') >= 0 {
			l.unfinished(line, give)
			line = nil
		}
		l.finish(line, give)
	}
}

// Close gives the last line where no line break followed it. Lines counts from 1 again then.
func (l *Lines) Close(give func(Line)) {
	l.Break(give)
	*l = Lines{buf: l.buf[:0]}
}

// Break ends the present line, if one has begun, as a line break would.
func (l *Lines) Break(give func(Line)) {
	if l.begun || len(l.buf) > 0 {
		l.finish(nil, give)
	}
	l.ret = false
}

// unfinished takes text without a line feed. Carriage returns redraw what stands before them if anything but the end
// of the line comes behind.
func (l *Lines) unfinished(p []byte, give func(Line)) {
	for len(p) > 0 {
		if l.ret && p[0] != '\r' {
			l.redraw(give)
		}
		end := bytes.IndexByte(p, '\r')
		if end < 0 {
			l.hold(p, give)
			return
		}
		l.hold(p[:end], give)
		l.ret = true
		p = p[end+1:]
	}
}

// hold adds text to the present line and gives the parts that are full.
func (l *Lines) hold(p []byte, give func(Line)) {
	for len(l.buf)+len(p) > MaxPart {
		n := MaxPart - len(l.buf)
		l.buf = append(l.buf, p[:n]...)
		p = p[n:]
		cut := wholeRunes(l.buf)
		give(Line{Number: l.ended + 1, Text: l.buf[:cut], Continued: true})
		l.buf = l.buf[:copy(l.buf, l.buf[cut:])]
		l.begun = true
	}
	l.buf = append(l.buf, p...)
}

// finish ends the present line with p, which has neither line feed nor carriage return.
func (l *Lines) finish(p []byte, give func(Line)) {
	text := p
	if len(l.buf) > 0 || len(p) > MaxPart {
		l.hold(p, give)
		text = l.buf
	}
	give(Line{Number: l.ended + 1, Text: text})
	l.ended++
	l.begun, l.ret, l.buf = false, false, l.buf[:0]
}

// redraw gives the present line as one that is drawn over. Nothing is given of an empty one.
func (l *Lines) redraw(give func(Line)) {
	l.ret = false
	if len(l.buf) > 0 {
		give(Line{Number: l.ended + 1, Text: l.buf, Redrawn: true})
		l.begun, l.buf = true, l.buf[:0]
	}
}

// wholeRunes is the length of p without a character that is cut off at its end.
func wholeRunes(p []byte) int {
	for back := 1; back < utf8.UTFMax && back < len(p); back++ {
		c := p[len(p)-back]
		if utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(p[len(p)-back:]) {
				return len(p) - back
			}
			break
		}
	}
	return len(p)
}
