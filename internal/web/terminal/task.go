package terminal

import (
	"bytes"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// task is a job as the live view knows it.
type task struct {
	id, name string
	parent   *task
	status   run.Status
	allowed  bool
	late     bool
	said     string    // why it failed or waits
	since    time.Time // when it began
	heard    time.Time // when it wrote last
	jobs     int       // of its child pipeline
	done     int       // of them
	tail     tail
}

// tail keeps the last lines of a job as they came. It allocates nothing once its lines have grown.
type tail struct {
	lines [tailLines]tailLine
	n     int64 // lines so far
	open  bool  // the last one goes on
}

type tailLine struct {
	text   []byte
	stream program.Stream
}

// tailBytes is how much of a line is kept. More does not fit a terminal's line, whatever its colors take.
const tailBytes = 4 << 10

func (t *tail) add(l Line) {
	if l.Stream == program.Command || l.Stream == program.System {
		first := true
		for text := range bytes.Lines(l.Text) {
			t.put(l.Stream, bytes.TrimRight(text, "\r\n"), first)
			first = false
		}
		return
	}
	if !t.open {
		t.put(l.Stream, l.Text, false)
	} else if line := &t.lines[(t.n-1)%tailLines]; line.stream == l.Stream {
		line.text = append(line.text, l.Text[:min(len(l.Text), tailBytes-len(line.text))]...)
	}
	t.open = l.More
}

// put begins a line; a command's first line gets its prompt.
func (t *tail) put(s program.Stream, text []byte, prompt bool) {
	line := &t.lines[t.n%tailLines]
	line.text, line.stream = line.text[:0], s
	if s == program.Command && prompt {
		line.text = append(line.text, "$ "...)
	} else if s == program.Command {
		line.text = append(line.text, "  "...)
	}
	line.text = append(line.text, text[:min(len(text), tailBytes)]...)
	t.n++
	t.open = false
}

// len is how many lines are kept.
func (t *tail) len() int { return int(min(t.n, tailLines)) }

// last are the last lines as they are shown, in so many columns.
func (t *tail) last(n, columns int, p paper) []string {
	n = min(n, t.len())
	out := make([]string, 0, n)
	for i := t.n - int64(n); i < t.n; i++ {
		line := t.lines[i%tailLines]
		out = append(out, line.show(columns, p))
	}
	return out
}

func (l tailLine) show(columns int, p paper) string {
	if l.stream == program.Command || l.stream == program.System {
		color := bold
		if l.stream == program.System {
			color = systemColor(l.text)
		}
		return p.on(color, cut(plainLine(l.text), columns))
	}
	var f flow
	text := f.append(nil, nil, l.text, bool(p.ink), false)
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 { // drawn over by carriage returns
		text = text[i+1:]
	}
	return cut(string(text), columns)
}
