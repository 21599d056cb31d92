package workflow

import (
	"bytes"
	"sort"
	"sync"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// source is the text of a file, for places inside of values.
type source struct {
	file  string
	raw   []byte
	once  sync.Once
	lines []int // offset of each line's first byte; made when first asked for
	marks []int // how many characters begin before each stretch of the text; see stretch
}

// stretch is how many bytes of the text are looked at to find a column, however long the line is.
const stretch = 1 << 10

// Places says, for a file and its text, where each byte of a scalar's value stands in it. n is a node of that very file.
func Places(file string, text []byte) func(n *yamlx.Node) func(offset int) fault.Place {
	s := &source{file: file, raw: text}
	return s.at
}

// at says where each byte of a scalar's value stands in the file. The work is done when a place is first asked for.
func (s *source) at(n *yamlx.Node) func(int) fault.Place {
	trace := sync.OnceValue(func() []int32 { return s.trace(n) })
	return func(offset int) fault.Place {
		spots := trace()
		if offset < 0 || offset >= len(spots) || spots[offset] < 0 {
			return n.Place
		}
		return s.place(int(spots[offset]))
	}
}

// place is the line and column of an offset. Columns count characters, as those of nodes do.
func (s *source) place(offset int) fault.Place {
	s.split()
	line := sort.SearchInts(s.lines, offset+1) - 1
	return fault.Place{File: s.file, Line: line + 1, Column: s.before(offset) - s.before(s.lines[line]) + 1}
}

// before is how many characters begin before an offset.
func (s *source) before(offset int) int {
	i := offset / stretch
	return s.marks[i] + starts(s.raw[i*stretch:offset])
}

// starts is how many characters begin in a piece of text.
func starts(text []byte) (n int) {
	for _, c := range text {
		if utf8.RuneStart(c) {
			n++
		}
	}
	return n
}

// column is the offset of a column of a line, at most the end of the text.
func (s *source) column(line, column int) int {
	count := s.before(s.lines[line]) + column - 1 // of the characters before it
	i := max(sort.SearchInts(s.marks, count+1)-1, 0)
	pos, seen := i*stretch, s.marks[i]
	for ; pos < len(s.raw); pos++ {
		if utf8.RuneStart(s.raw[pos]) {
			if seen == count {
				break
			}
			seen++
		}
	}
	return pos
}

func (s *source) split() { s.once.Do(s.splitOnce) }

func (s *source) splitOnce() {
	s.lines = append(s.lines, len(s.raw)-len(bytes.TrimPrefix(s.raw, []byte("\uFEFF"))))
	for i := 0; i < len(s.raw); {
		if n := s.lineBreak(i); n > 0 {
			i += n
			s.lines = append(s.lines, i)
			continue
		}
		i++
	}
	s.marks = append(s.marks, 0)
	for i := stretch; i <= len(s.raw); i += stretch {
		s.marks = append(s.marks, s.marks[len(s.marks)-1]+starts(s.raw[i-stretch:i]))
	}
}

// lineBreak is the length of the line break at an offset, 0 where there is none. Besides the usual ones the YAML reader
// also knows NEL, LS and PS.
func (s *source) lineBreak(i int) int {
	rest := s.raw[i:]
	switch {
	case len(rest) == 0:
		return 0
	case rest[0] == '\n':
		return 1
	case rest[0] == '\r':
		if len(rest) > 1 && rest[1] == '\n' {
			return 2
		}
		return 1
	case rest[0] == 0xC2 && len(rest) > 1 && rest[1] == 0x85:
		return 2
	case rest[0] == 0xE2 && len(rest) > 2 && rest[1] == 0x80 && (rest[2] == 0xA8 || rest[2] == 0xA9):
		return 3
	}
	return 0
}

// trace finds the offset in the file of every byte of a value, and of the byte behind its last; -1 is unknown.
func (s *source) trace(n *yamlx.Node) []int32 {
	t := tracer{source: s, value: n.Value, spots: make([]int32, len(n.Value)+1)}
	for i := range t.spots {
		t.spots[i] = -1
	}
	if n.Style == yamlx.Made || !t.begin(n.Place) {
		return t.spots
	}
	switch c := s.raw[t.pos]; {
	case n.Style == yamlx.Block && (c == '|' || c == '>'):
		t.block()
	case n.Style == yamlx.Quoted && (c == '\'' || c == '"'):
		t.pos++
		t.flow(c)
	case n.Style == yamlx.Plain:
		t.flow(0)
	}
	if t.done < len(t.spots) && t.pos <= len(s.raw) && t.done == len(t.value) {
		t.spots[t.done] = int32(t.pos)
	}
	return t.spots
}

// tracer walks through a value and its source side by side.
type tracer struct {
	*source
	value string
	spots []int32
	done  int // bytes of the value that are placed
	pos   int // in the source
}

// begin goes to the first character of the scalar, past its anchor and tag.
func (t *tracer) begin(at fault.Place) bool {
	t.split()
	if at.Line < 1 || at.Line > len(t.lines) {
		return false
	}
	t.pos = t.column(at.Line-1, at.Column)
	for t.pos < len(t.raw) && (t.raw[t.pos] == '&' || t.raw[t.pos] == '!') {
		for t.pos < len(t.raw) && !t.blank() && t.lineBreak(t.pos) == 0 {
			t.pos++
		}
		t.space()
	}
	return t.pos < len(t.raw)
}

// space passes blanks, line breaks and comments between a tag and its value.
func (t *tracer) space() {
	for t.pos < len(t.raw) {
		switch n := t.lineBreak(t.pos); {
		case n > 0:
			t.pos += n
		case t.blank():
			t.pos++
		case t.raw[t.pos] == '#':
			for t.pos < len(t.raw) && t.lineBreak(t.pos) == 0 {
				t.pos++
			}
		default:
			return
		}
	}
}

func (t *tracer) blank() bool {
	return t.pos < len(t.raw) && (t.raw[t.pos] == ' ' || t.raw[t.pos] == '\t')
}

// take places the next n bytes of the value here.
func (t *tracer) take(n int) {
	for range min(n, len(t.value)-t.done) {
		t.spots[t.done] = int32(t.pos)
		t.done++
	}
}

// same places one character that stands in the source as it is in the value.
func (t *tracer) same() bool {
	_, size := utf8.DecodeRune(t.raw[t.pos:])
	if t.pos+size > len(t.raw) || t.done+size > len(t.value) || string(t.raw[t.pos:t.pos+size]) != t.value[t.done:t.done+size] {
		return false
	}
	for range size {
		t.spots[t.done] = int32(t.pos)
		t.done, t.pos = t.done+1, t.pos+1
	}
	return true
}

// flow traces plain and quoted scalars, whose line breaks are folded.
func (t *tracer) flow(quote byte) {
	for t.done < len(t.value) && t.pos < len(t.raw) {
		switch {
		case t.fold():
		case quote == '\'' && t.raw[t.pos] == '\'':
			t.take(1)
			t.pos += 2
		case quote == '"' && t.raw[t.pos] == '\\':
			t.escape()
		case !t.same():
			return
		}
	}
}

// fold passes a line break with the blanks around it: one is a space, more are one fewer line breaks.
func (t *tracer) fold() bool {
	ahead := *t
	for ahead.blank() {
		ahead.pos++
	}
	if ahead.lineBreak(ahead.pos) == 0 {
		return false
	}
	breaks := 0
	for {
		if n := ahead.lineBreak(ahead.pos); n > 0 {
			breaks++
			ahead.pos += n
		} else if ahead.blank() {
			ahead.pos++
		} else {
			break
		}
	}
	t.take(max(1, breaks-1))
	t.pos = ahead.pos
	return true
}

// escapes are the escapes of double quotes that take digits.
var escapes = map[byte]int{'x': 2, 'u': 4, 'U': 8}

func (t *tracer) escape() {
	if t.pos+1 >= len(t.raw) {
		t.pos++
		return
	}
	if n := t.lineBreak(t.pos + 1); n > 0 {
		t.pos += 1 + n
		for t.blank() {
			t.pos++
		}
		return
	}
	_, size := utf8.DecodeRuneInString(t.value[t.done:])
	t.take(size)
	t.pos += 2 + escapes[t.raw[t.pos+1]]
}

// block traces literal and folded blocks. The indentation is what the first line with text has more than the value.
func (t *tracer) block() {
	for t.pos < len(t.raw) && t.lineBreak(t.pos) == 0 {
		t.pos++
	}
	t.pos += t.lineBreak(t.pos)
	indent := t.indentation()
	for t.done < len(t.value) && t.pos < len(t.raw) {
		for i := 0; i < indent && t.pos < len(t.raw) && t.raw[t.pos] == ' '; i++ {
			t.pos++
		}
		for t.pos < len(t.raw) && t.lineBreak(t.pos) == 0 {
			if t.done >= len(t.value) || !t.same() {
				return
			}
		}
		if t.done >= len(t.value) {
			return
		}
		t.newline(indent)
	}
}

// newline places what the value has for a line break: itself, nothing, or the space that folding makes of it.
func (t *tracer) newline(indent int) {
	switch {
	case t.value[t.done] == '\n':
		t.take(1)
	case t.value[t.done] == ' ' && !t.spaced(indent):
		t.take(1)
	}
	t.pos += t.lineBreak(t.pos)
}

// spaced reports whether the next line's text begins with a space of its own, or is empty: then it is not folded.
func (t *tracer) spaced(indent int) bool {
	next := t.pos + t.lineBreak(t.pos) + indent
	return next < len(t.raw) && (t.raw[next] == ' ' || t.raw[next] == '\t' || t.lineBreak(next) > 0)
}

// indentation is that of the block, from its first line with text.
func (t *tracer) indentation() int {
	empty := 0
	for empty < len(t.value) && t.value[empty] == '\n' {
		empty++
	}
	own := 0
	for empty+own < len(t.value) && t.value[empty+own] == ' ' {
		own++
	}
	for pos := t.pos; pos < len(t.raw); {
		spaces := 0
		for pos+spaces < len(t.raw) && t.raw[pos+spaces] == ' ' {
			spaces++
		}
		end := pos + spaces
		n := t.lineBreak(end)
		if n == 0 {
			return max(spaces-own, 0)
		}
		pos = end + n
	}
	return 0
}
