package logs

import "unicode/utf8"

// Sanitizer takes out of a stream all that would make a terminal do anything but show text: cursor movement,
// titles, links, clipboard writes, queries, device strings, mode changes, backspaces, bells, and the 8-bit forms of
// them all. With Colors it leaves SGR, the sequences for colour and style (ESC [ digits ; : m). What is left is UTF-8.
//
// Tabs and line feeds stay, and so does a carriage return before a line feed; a lone one, which would draw over text,
// becomes a line feed. A string sequence that does not end in its line ends with it, so that an unfinished one does
// not take the rest of the log with it. The zero value takes out colours too. A Sanitizer serves one goroutine.
type Sanitizer struct {
	Colors bool

	state  escape
	ret    bool              // a carriage return came; what it means hangs on the next character
	params [maxParams]byte   // of the control sequence so far
	n      int               // how many; more than maxParams makes the sequence one to take out
	rune   [utf8.UTFMax]byte // the beginning of a character
	have   int
}

// maxParams is the longest list of parameters that SGR may have, in bytes. A colour takes up to 20.
const maxParams = 128

type escape uint8

const (
	plain        escape = iota
	escaped             // after ESC
	intermediate        // ESC and one of space to slash; the sequence ends with the first of 0 to ~
	control             // after ESC [
	ignored             // in a control sequence that is no SGR
	device              // in a string: OSC, DCS, SOS, PM, APC
	deviceEnd           // after ESC in a string
)

const (
	esc = 0x1b
	bel = 0x07
	can = 0x18
	sub = 0x1a
)

// Append takes the next bytes of the stream and appends to dst what a terminal may get of them.
func (s *Sanitizer) Append(dst, p []byte) []byte {
	for len(p) > 0 {
		if s.have == 0 && s.state == plain && !s.ret {
			n := printable(p)
			dst = append(dst, p[:n]...)
			if p = p[n:]; len(p) == 0 {
				break
			}
		}
		dst = s.byte(dst, p[0])
		p = p[1:]
	}
	return dst
}

// Close ends the stream. A sequence that is not complete is taken out.
func (s *Sanitizer) Close(dst []byte) []byte {
	if s.have > 0 {
		dst = s.take(dst, utf8.RuneError)
	}
	if s.ret {
		dst = append(dst, '\n')
	}
	*s = Sanitizer{Colors: s.Colors}
	return dst
}

// Strip is the text without control sequences and colours.
func Strip(text string) string {
	var s Sanitizer
	return string(s.Close(s.Append(nil, []byte(text))))
}

// printable is how many bytes at the beginning of p are ASCII that is shown as it is.
func printable(p []byte) int {
	for i, c := range p {
		if c < ' ' && c != '\t' && c != '\n' || c >= 0x7f {
			return i
		}
	}
	return len(p)
}

// byte puts characters together. Bytes that are not UTF-8, the 8-bit control characters among them, become U+FFFD.
func (s *Sanitizer) byte(dst []byte, c byte) []byte {
	if s.have == 0 && c < utf8.RuneSelf {
		return s.take(dst, rune(c))
	}
	s.rune[s.have] = c
	s.have++
	begun := s.rune[:s.have]
	if !utf8.FullRune(begun) {
		return dst
	}
	r, size := utf8.DecodeRune(begun)
	again := s.rune // of a broken character only the first byte is used up
	n := s.have
	s.have = 0
	dst = s.take(dst, r)
	for _, c := range again[size:n] {
		dst = s.byte(dst, c)
	}
	return dst
}

// take moves the machine by one character.
func (s *Sanitizer) take(dst []byte, r rune) []byte {
	if s.state == plain {
		return s.show(dst, r)
	}
	switch {
	case r == '\n' || r >= utf8.RuneSelf && s.state != device && s.state != deviceEnd:
		s.state = plain
		return s.show(dst, r)
	case r == can || r == sub:
		s.state = plain
		return dst
	case r == esc && s.state == device:
		s.state = deviceEnd
		return dst
	case r == esc && s.state != deviceEnd:
		s.state = escaped
		return dst
	}
	switch s.state {
	case escaped:
		s.state = afterEscape(r)
		s.n = 0
	case intermediate:
		if r >= '0' && r < 0x7f {
			s.state = plain
		}
	case control:
		return s.parameter(dst, r)
	case ignored:
		if r >= '@' && r < 0x7f {
			s.state = plain
		}
	case device:
		if r == bel || r == 0x9c {
			s.state = plain
		}
	case deviceEnd:
		switch {
		case r == '\\' || r == bel:
			s.state = plain
		case r != esc && r < utf8.RuneSelf:
			s.state = escaped // the string was broken off by another sequence
			return s.take(dst, r)
		case r != esc:
			s.state = device
		}
	}
	return dst
}

// show takes a character outside of all sequences.
func (s *Sanitizer) show(dst []byte, r rune) []byte {
	if s.ret && r != '\r' {
		s.ret = false
		if r == '\n' {
			return append(dst, '\r', '\n')
		}
		dst = append(dst, '\n')
	}
	switch {
	case r == '\r':
		s.ret = true
	case r == '\n', r == '\t', r >= ' ' && r < 0x7f, r > 0x9f:
		return utf8.AppendRune(dst, r)
	case r == esc:
		s.state = escaped
	case r >= 0x80: // C1: the same as ESC and the character 0x40 below
		if s.state = afterEscape(r - 0x40); s.state == escaped || s.state == intermediate {
			s.state = plain
		}
		s.n = 0
	}
	return dst
}

// afterEscape is the state after ESC and r.
func afterEscape(r rune) escape {
	switch {
	case r == '[':
		return control
	case r == ']' || r == 'P' || r == 'X' || r == '^' || r == '_' || r == 'k':
		return device // OSC, DCS, SOS, PM, APC, and screen's title
	case r >= ' ' && r <= '/':
		return intermediate
	case r >= '0' && r < 0x7f:
		return plain
	default:
		return escaped // terminals act on a control character and go on with the sequence
	}
}

// parameter takes a character of a control sequence, and lets the sequence through where it is SGR.
func (s *Sanitizer) parameter(dst []byte, r rune) []byte {
	switch {
	case r >= '0' && r <= ';':
		if s.n == maxParams {
			s.state = ignored
			return dst
		}
		s.params[s.n] = byte(r)
		s.n++
	case r >= ' ' && r <= '?':
		s.state = ignored
	case r >= '@' && r < 0x7f:
		s.state = plain
		if r == 'm' && s.Colors {
			dst = append(dst, esc, '[')
			dst = append(dst, s.params[:s.n]...)
			dst = append(dst, 'm')
		}
	}
	return dst
}
