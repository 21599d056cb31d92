package yamlx

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// word is what a mistake in the syntax is called here, for a message of the library.
type word struct {
	theirs  string // part of the library's message
	context string // part of its context; "" fits any
	ours    string
	hint    string
	start   bool // the place is where the value began, not where the reader gave up
}

const indentHint = "indent with the same number of spaces as the lines of the same list or mapping"

// words are tried in order; the first that fits counts.
var words = []word{
	{theirs: "mapping values are not allowed", ours: "a colon is not allowed here", hint: `put a value that contains ": " in quotes, or check the indentation of this line`},
	{theirs: "block sequence entries are not allowed", ours: "a list entry is not allowed here", hint: "a list starts on a line of its own under its key"},
	{theirs: "cannot start any token", ours: "this character cannot start a value", hint: "put the value in quotes"},
	{theirs: "tab character", ours: "a tab is used where YAML wants spaces", hint: "indent with spaces"},
	{theirs: "found tabs where space", ours: "a tab is used where YAML wants spaces", hint: "indent with spaces"},
	{theirs: "mixed spaces and tabs", ours: "the indentation mixes spaces and tabs", hint: "indent with spaces"},
	{theirs: "could not find expected ':'", ours: "a colon is missing after this key", hint: `write "key: value", and check the quotes and the indentation around it`, start: true},
	{theirs: "did not find expected key", ours: "this line does not fit the mapping around it", hint: indentHint},
	{theirs: "expected '-' indicator", ours: "this line does not fit the list around it", hint: `start every entry with "- " in the same column`},
	{theirs: "expected ',' or ']'", ours: "the list in brackets goes on without a comma or does not end", hint: "separate entries by commas and close the list with ]"},
	{theirs: "expected ',' or '}'", ours: "the mapping in braces goes on without a comma or does not end", hint: "separate entries by commas and close the mapping with }; text that starts with { needs quotes"},
	{theirs: "expected node content", ours: "a value is missing here", hint: "write a value, or put text that starts with a special character in quotes"},
	{theirs: "unexpected end of stream", context: "quoted", ours: "a quote is opened and never closed", hint: "close it, or write the whole value as a block with |", start: true},
	{theirs: "unexpected end of stream", ours: "the file ends in the middle of a value"},
	{theirs: "unexpected document indicator", ours: "a document ends inside a quoted value", hint: "close the quote before ---"},
	{theirs: "unknown escape character", ours: `this escape does not exist in double quotes`, hint: `write \\ for a backslash, or use single quotes`},
	{theirs: "escape code", ours: "this escape names no character"},
	{theirs: "hexadecimal", ours: "this escape needs hexadecimal digits"},
	{theirs: "comment without preceding whitespace", ours: "a comment needs a space before its #"},
	{theirs: "comment or line break", ours: "only a comment may follow here", hint: "the text of a block starts on the next line"},
	{theirs: "indentation indicator", ours: "the indentation of a block is a digit from 1 to 9"},
	{theirs: "alphabetic or numeric character", context: "alias", ours: "a name is missing after *", hint: "put text that starts with * in quotes"},
	{theirs: "alphabetic or numeric character", context: "anchor", ours: "a name is missing after &", hint: "put text that starts with & in quotes"},
	{theirs: "tag handle", ours: "the tag has an unknown prefix", hint: "put text that starts with ! in quotes"},
	{theirs: "not allowed in a YAML tag", ours: "this character cannot be in a tag", hint: "put text that starts with ! in quotes"},
	{context: "tag", ours: "the tag is not well formed", hint: "put text that starts with ! in quotes"},
	{context: "directive", ours: "a line that starts with % is a YAML directive, and this one is not well formed", hint: "put text that starts with % in quotes"},
	{theirs: "directive", ours: "this YAML directive is not allowed here"},
	{theirs: "incompatible YAML document", ours: "the file asks for a version of YAML that is not read"},
	{theirs: "<document start>", ours: "something stands here that belongs to no value", hint: indentHint},
	{theirs: "document-end", ours: "nothing may follow ... on its line"},
	{theirs: "control characters", ours: "the file holds a control character", hint: "remove it, or write it as an escape in double quotes"},
	{theirs: "UTF-", ours: "the file is not valid UTF-8", hint: "save it as UTF-8"},
	{theirs: "Unicode", ours: "the file is not valid UTF-8", hint: "save it as UTF-8"},
	{theirs: "surrogate", ours: "the file is not valid UTF-16", hint: "save it as UTF-8"},
}

// explain puts an error of the library into our words, at its place.
func explain(err error, src []byte, o Options) *fault.Fault {
	at := fault.Place{File: o.File, Line: 1, Column: 1}
	load, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		return fault.At(CodeSyntax, at, "the file cannot be read as YAML (%v)", err)
	}
	at = placeOf(load, src, o.File)
	if strings.Contains(load.Message, errDeep.Error()) {
		return fault.At(CodeDeep, at, "values are nested more than %d levels deep", o.MaxDepth)
	}
	if name, ok := unknownAnchor(load.Message); ok {
		return fault.At(CodeAnchor, at, "there is no anchor &%s before this alias", name).
			WithHint("anchors do not reach into other files; put text that starts with * in quotes")
	}
	for _, w := range words {
		if strings.Contains(load.Message, w.theirs) && strings.Contains(load.ContextMsg, w.context) {
			return w.fault(load, at, src)
		}
	}
	return fault.At(CodeSyntax, at, "the file is not valid YAML here")
}

// fault is the mistake as it is told.
func (w word) fault(e *yaml.LoadError, at fault.Place, src []byte) *fault.Fault {
	if w.theirs == "cannot start any token" && byteAt(src, at) == '\t' {
		return fault.At(CodeSyntax, at, "a tab is used where YAML wants spaces").WithHint("indent with spaces")
	}
	f := fault.At(CodeSyntax, at, "%s", w.ours)
	f.Hint = w.hint
	if begun := e.ContextMark; begun.Line > 0 && begun.Line < at.Line {
		if w.start {
			f.Place.Line, f.Place.Column = begun.Line, max(begun.Column, 1)
		} else {
			f.Message += fmt.Sprintf(" (what it belongs to began at line %d)", begun.Line)
		}
	}
	return f
}

// byteAt is the byte at a place, or zero beyond the end.
func byteAt(src []byte, at fault.Place) byte {
	for line := 1; line < at.Line; line++ {
		i := bytes.IndexByte(src, '\n')
		if i < 0 {
			return 0
		}
		src = src[i+1:]
	}
	if at.Column < 1 || at.Column > len(src) {
		return 0
	}
	return src[at.Column-1]
}

// placeOf is where the error is. The reader's errors carry none, so the first byte that is no text is looked for.
func placeOf(e *yaml.LoadError, src []byte, file string) fault.Place {
	mark := e.Mark
	if mark.Line == 0 {
		mark = e.ContextMark
	}
	if mark.Line > 0 {
		return fault.Place{File: file, Line: mark.Line, Column: max(mark.Column, 1)}
	}
	line, start := 1, 0
	for i, r := range string(src) {
		if r == '\n' {
			line, start = line+1, i+1
		}
		control := r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f
		if control || r == '\uFFFD' && !bytes.HasPrefix(src[i:], []byte("\uFFFD")) {
			return fault.Place{File: file, Line: line, Column: i - start + 1}
		}
	}
	return fault.Place{File: file, Line: 1, Column: 1}
}

func unknownAnchor(message string) (string, bool) {
	rest, ok := strings.CutPrefix(message, "unknown anchor '")
	name, _, found := strings.Cut(rest, "'")
	return name, ok && found
}
