package command

import (
	"path"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Show is how the log shows an annotation: "Error: " and the message. It has no color of ours: programs
// read these lines, too.
func Show(level, message string) string {
	switch level {
	case "error":
		return "Error: " + message
	case "warning":
		return "Warning: " + message
	default:
		return "Notice: " + message
	}
}

// note takes error, warning and notice.
func (l *Lens) note(c Command) program.Seen {
	n := program.Note{Level: c.Name, Title: c.prop("title"), Message: c.Data}
	if file := c.prop("file"); file != "" {
		n.File = relative(file, l.o.Workspace)
	}
	place(c, &n)
	l.annotate(n)
	return program.Seen{Show: Show(n.Level, n.Message)}
}

// place reads lines and columns as the runner checks them: an end alone is also the beginning, columns hold within one
// line only, and what is upside down is dropped.
func place(c Command, n *program.Note) {
	line, end := number(c.prop("line")), number(c.prop("endline"))
	column, last := number(c.prop("col")), number(c.prop("endcolumn"))
	if line == 0 {
		line = end
	}
	if column == 0 {
		column = last
	}
	if line == 0 || end != 0 && end != line || last != 0 && last < column {
		column, last = 0, 0
	}
	if end != 0 && end < line {
		line, end = 0, 0
	}
	n.Line, n.EndLine, n.Column, n.EndColumn = line, end, column, last
}

// number is a positive number, or 0.
func number(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 || n > 1<<30 {
		return 0
	}
	return n
}

// relative is a path as seen from the project folder, where it lies in it.
func relative(file, workspace string) string {
	file = strings.ReplaceAll(file, `\`, "/")
	if workspace == "" || !path.IsAbs(file) {
		return strings.TrimPrefix(path.Clean(file), "./")
	}
	if rest, ok := strings.CutPrefix(path.Clean(file), strings.TrimSuffix(workspace, "/")+"/"); ok {
		return rest
	}
	return file
}

// annotate keeps a note; those beyond the bound are counted.
func (l *Lens) annotate(n program.Note) {
	if len(l.said.Notes) >= maxNotes {
		l.said.Lost++
		return
	}
	l.said.Notes = append(l.said.Notes, n)
}
