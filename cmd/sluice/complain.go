package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/web/terminal"
)

// complain writes an error for a person: every fault with its line of the file, a caret and its hint.
func (s *streams) complain(err error) {
	if fs, ok := errors.AsType[fault.Faults](err); ok {
		writeFaults(s.err, fs, "")
		return
	}
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		writeFaults(s.err, fault.Faults{f}, "")
		return
	}
	fmt.Fprintf(s.err, "sluice: %v\n", err)
}

// writeFaults writes faults in the order given. Files are read below root, "" for the current folder.
func writeFaults(w io.Writer, fs fault.Faults, root string) {
	lines := map[string][][]byte{}
	for _, f := range fs {
		head := *f
		head.Hint = ""
		fmt.Fprintln(w, printable(head.Error()))
		if f.Place.Line > 0 {
			text, known := lines[f.Place.File]
			if !known {
				text = readLines(filepath.Join(root, f.Place.File))
				lines[f.Place.File] = text
			}
			excerpt(w, text, f.Place)
		}
		if f.Hint != "" {
			fmt.Fprintf(w, "  hint: %s\n", printable(f.Hint))
		}
	}
}

// excerptLimit is the largest file that excerpts are taken from, in bytes.
const excerptLimit = 16 << 20

func readLines(path string) [][]byte {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > excerptLimit {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return bytes.Split(text, []byte("\n"))
}

// excerpt writes the line of a place with a caret below the column. Columns count characters.
func excerpt(w io.Writer, lines [][]byte, at fault.Place) {
	if at.Line > len(lines) {
		return
	}
	const widest = 200 // characters
	if len(lines[at.Line-1]) > widest*utf8.UTFMax {
		return // not worth the look, which many faults of one line would take many times
	}
	line := printable(strings.TrimRight(string(lines[at.Line-1]), "\r"))
	if utf8.RuneCountInString(line) > widest {
		return
	}
	number := fmt.Sprint(at.Line)
	fmt.Fprintf(w, "  %s | %s\n", number, line)
	if at.Column < 1 || at.Column > utf8.RuneCountInString(line)+1 {
		return
	}
	indent := []rune(line)[:at.Column-1]
	for i, c := range indent {
		if c != '\t' {
			indent[i] = ' '
		}
	}
	fmt.Fprintf(w, "  %s | %s^\n", strings.Repeat(" ", len(number)), string(indent))
}

// oneLine is printable text of one line: a name in a listing.
func oneLine(s string) string {
	return strings.NewReplacer("\n", "\uFFFD", "\t", "\uFFFD").Replace(printable(s))
}

// calm writes text without control characters. Each write holds whole characters.
type calm struct{ io.Writer }

func (c calm) Write(p []byte) (int, error) {
	if _, err := io.WriteString(c.Writer, printable(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// writeJSON writes a value for programs, and nothing that a terminal would obey.
func writeJSON(w io.Writer, value any) error {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		return err
	}
	_, err := w.Write(terminal.EscapeJSON(out.Bytes()))
	return err
}

// printable takes control characters out of a text that may come from a hostile file.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '\t' || c == '\n' || unicode.IsPrint(c) {
			return c
		}
		return '\uFFFD'
	}, s)
}
