package terminal_test

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/clipperhouse/displaywidth"
)

// vt is a terminal of a fixed size: what the live view writes, as a person sees it. It knows the sequences that the
// view uses and notes all others.
type vt struct {
	mu            sync.Mutex
	columns, rows int
	screen        []vtRow
	scroll        []vtRow
	x, y          int
	nowrap        bool
	styled        bool
	strange       []string
}

type vtRow struct {
	cells   []string
	wrapped bool // the next row goes on with it
}

func newVT(columns, rows int) *vt {
	v := &vt{columns: columns, rows: rows}
	for range rows {
		v.screen = append(v.screen, vtRow{})
	}
	return v
}

func (v *vt) size() (int, int, bool) { return v.columns, v.rows, true }

func (v *vt) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	text := string(p)
	for text != "" {
		switch c := text[0]; {
		case c == '\x1b':
			text = text[v.sequence(text):]
		case c == '\n':
			v.feed(false)
			v.x = 0 // the line discipline adds the carriage return
			text = text[1:]
		case c == '\r':
			v.x = 0
			text = text[1:]
		case c < ' ':
			v.strange = append(v.strange, strconv.Quote(text[:1]))
			text = text[1:]
		default:
			end := strings.IndexFunc(text, func(r rune) bool { return r < ' ' })
			if end < 0 {
				end = len(text)
			}
			for g := displaywidth.StringGraphemes(text[:end]); g.Next(); {
				v.put(g.Value(), g.Width())
			}
			text = text[end:]
		}
	}
	return len(p), nil
}

func (v *vt) sequence(text string) int {
	end := strings.IndexFunc(text[min(2, len(text)):], func(r rune) bool { return r >= '@' && r <= '~' }) + 3
	if !strings.HasPrefix(text, "\x1b[") || end < 3 {
		v.strange = append(v.strange, strconv.Quote(text[:min(len(text), 8)]))
		return 1
	}
	args, final := text[2:end-1], text[end-1]
	n, _ := strconv.Atoi(args)
	row := &v.screen[v.y]
	switch {
	case final == 'm':
		v.styled = args != "" && args != "0"
	case final == 'A' && n > 0:
		v.y = max(0, v.y-n)
	case final == 'K' && args == "":
		row.cells = row.cells[:min(v.x, len(row.cells))]
		row.wrapped = false
	case final == 'J' && args == "":
		row.cells = row.cells[:min(v.x, len(row.cells))]
		for i := v.y; i < v.rows; i++ {
			if i > v.y {
				v.screen[i] = vtRow{}
			}
			v.screen[i].wrapped = false
		}
	case final == 'h' && args == "?7":
		v.nowrap = false
	case final == 'l' && args == "?7":
		v.nowrap = true
	case (final == 'h' || final == 'l') && (args == "?25" || args == "?2026"):
	default:
		v.strange = append(v.strange, strconv.Quote(text[:end]))
	}
	return end
}

func (v *vt) feed(wrapped bool) {
	v.screen[v.y].wrapped = wrapped
	if v.y < v.rows-1 {
		v.y++
		return
	}
	v.scroll = append(v.scroll, v.screen[0])
	v.screen = append(v.screen[1:], vtRow{})
}

func (v *vt) put(text string, wide int) {
	if wide == 0 {
		return
	}
	if v.x+wide > v.columns {
		if v.nowrap {
			v.strange = append(v.strange, fmt.Sprintf("%q does not fit the row", text))
			return
		}
		v.feed(true)
		v.x = 0
	}
	row := &v.screen[v.y]
	for len(row.cells) < v.x+wide {
		row.cells = append(row.cells, " ")
	}
	row.cells[v.x] = text
	for i := 1; i < wide; i++ {
		row.cells[v.x+i] = ""
	}
	v.x += wide
}

func show(w *strings.Builder, rows []vtRow) {
	for _, r := range rows {
		w.WriteString(strings.Join(r.cells, ""))
		if !r.wrapped {
			w.WriteByte('\n')
		}
	}
}

// String is what is on the screen.
func (v *vt) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var w strings.Builder
	show(&w, v.screen)
	return trimmed(w.String())
}

// history is the scrollback and the screen.
func (v *vt) history() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var w strings.Builder
	show(&w, v.scroll)
	show(&w, v.screen)
	return trimmed(w.String())
}

// scrolled is the scrollback, a row a line.
func (v *vt) scrolled() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []string
	for _, row := range v.scroll {
		out = append(out, strings.Join(row.cells, ""))
	}
	return out
}

func trimmed(text string) string {
	var w strings.Builder
	for line := range strings.Lines(text) {
		w.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return strings.TrimRight(w.String(), "\n") + "\n"
}

var _ io.Writer = (*vt)(nil)
