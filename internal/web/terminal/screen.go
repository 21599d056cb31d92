package terminal

import (
	"fmt"
	"io"
	"slices"
)

// screen keeps a block of lines at the end of a terminal's text. Text goes above it and stays in the scrollback.
//
// Every frame is one write that leaves the terminal as it found it: cursor shown, at the beginning of the line below
// the block, lines wrapped. So there is nothing to restore, not even when the process is killed.
type screen struct {
	out     io.Writer
	block   []string // as drawn; no line is wider than columns-1
	columns int      // when it was drawn
	buf     []byte
}

// The sequences of a frame. Terminals that know synchronized output show a frame at once; the others ignore it.
const (
	frameBegin = "\x1b[?2026h\x1b[?25l"
	frameEnd   = "\x1b[?25h\x1b[?2026l"
	wrapOff    = "\x1b[?7l"
	wrapOn     = "\x1b[?7h"
	eraseLine  = "\x1b[K"
	eraseBelow = "\x1b[J"
)

// draw puts above (whole lines) over the block and replaces the block. Every line is drawn again, as a person's keys may
// have moved the rows meanwhile; a frame in which nothing is new is none.
func (s *screen) draw(above []byte, block []string, columns, rows int) error {
	if len(above) == 0 && columns == s.columns && slices.Equal(block, s.block) {
		return nil
	}
	b := append(s.buf[:0], frameBegin...)
	up := min(s.height(columns), rows-1)
	if up > 0 {
		b = fmt.Appendf(b, "\x1b[%dA", up)
	}
	b = append(b, '\r')
	anew := len(above) > 0 || columns != s.columns
	if anew {
		b = append(b, eraseLine...)
		if up > 0 {
			// Erasing from the first row on would make some terminals (tmux) keep what was there in the scrollback.
			b = append(b, "\r\n"+eraseBelow+"\x1b[1A"...)
		}
		b = append(b, above...)
	}
	b = append(b, wrapOff...)
	for _, line := range block {
		b = append(b, line...)
		b = append(b, eraseLine+"\r\n"...)
	}
	if !anew {
		b = append(b, eraseBelow...) // also what the terminal echoed of a person's keys
	}
	b = append(b, wrapOn...)
	b = append(b, frameEnd...)
	s.buf, s.block, s.columns = b, block, columns
	_, err := s.out.Write(b)
	return err
}

// height is how many rows the block takes: where the terminal became narrower, it has wrapped the lines.
func (s *screen) height(columns int) int {
	if columns >= s.columns {
		return len(s.block)
	}
	n := 0
	for _, line := range s.block {
		n += max(1, (width(line)+columns-1)/columns)
	}
	return n
}

// forget leaves the block where it is: the next one is drawn below what stands there by then.
func (s *screen) forget() { s.block = nil }
