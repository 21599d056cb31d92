package terminal

import (
	"bytes"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/logs"
)

// flow is one stream of a job's output on its way to a terminal: of its control sequences only colors and styles are
// left, and what is left open at the end of a line goes on in the next one, whatever stands between them.
type flow struct {
	clean   logs.Sanitizer
	style   []byte // the sequences in force
	scratch []byte
	inside  bool // in the middle of a line
}

// maxStyle bounds what is remembered of styles that are never ended, in bytes.
const maxStyle = 256

// append adds a line, or a part of one, to dst, without its end. Prefix is put before lines that come of one: a
// carriage return in it begins another.
func (f *flow) append(dst, prefix, text []byte, colors, more bool) []byte {
	f.clean.Colors = colors
	if len(f.style) > 0 && !f.inside {
		dst = append(dst, f.style...)
	}
	from := len(dst)
	dst = f.clean.Append(dst, text)
	if !more {
		dst = f.clean.Close(dst)
	}
	f.inside = more
	if said := dst[from:]; bytes.IndexByte(said, '\n') >= 0 || bytes.IndexByte(said, '\r') >= 0 {
		f.scratch = append(f.scratch[:0], bytes.TrimRight(said, "\r\n")...)
		dst = dst[:from]
		for i, line := range bytes.Split(bytes.ReplaceAll(f.scratch, []byte("\r"), nil), []byte("\n")) {
			if i > 0 {
				dst = append(dst, '\n')
				dst = append(dst, prefix...)
			}
			dst = append(dst, line...)
		}
	}
	if colors {
		f.follow(dst[from:])
		if len(f.style) > 0 && !more {
			dst = append(dst, reset...)
		}
	}
	return dst
}

// follow takes up the styles that a text begins and ends. The text holds no other sequences.
func (f *flow) follow(text []byte) {
	for {
		at := bytes.IndexByte(text, '\x1b')
		if at < 0 {
			return
		}
		text = text[at:]
		end := bytes.IndexByte(text, 'm')
		if end < 0 {
			return
		}
		sequence := text[:end+1]
		text = text[end+1:]
		switch args := sequence[2:end]; {
		case len(bytes.Trim(args, "0;")) == 0:
			f.style = f.style[:0]
		case bytes.HasPrefix(args, []byte("0;")):
			f.style = append(f.style[:0], sequence...)
		case len(f.style)+len(sequence) > maxStyle:
			f.style = append(f.style[:0], sequence...)
		default:
			f.style = append(f.style, sequence...)
		}
	}
}

// plainLine is a line of ours without its end and without control sequences.
func plainLine(line []byte) string {
	return strings.ReplaceAll(logs.Strip(strings.TrimRight(string(line), "\r\n")), "\n", " ")
}

// systemColor is the color of a line of ours, as GitLab's log has it.
func systemColor(text []byte) string {
	switch {
	case bytes.HasPrefix(text, []byte("WARNING: ")):
		return yellow
	case bytes.HasPrefix(text, []byte("ERROR: ")):
		return red
	default:
		return cyan
	}
}

// headerOf is the header of a section that begins. The section around the script has one that says nothing.
func headerOf(e logs.Event) (string, bool) {
	return e.Section.Header, e.Kind == logs.Start && e.Section.Header != "" && e.Section.Name != "step_script"
}
