package render

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// object is what was rendered.
type object = manifest.Object

// document is one of a file's YAML documents.
type document struct {
	line int // of its first line, from 1
	text []byte
}

// split cuts YAML at lines that begin with "---", as Kubernetes' decoder does.
func split(text []byte) []document {
	var out []document
	start, line, first := 0, 1, 1
	add := func(end int) {
		if part := text[start:end]; len(bytes.TrimSpace(part)) > 0 {
			out = append(out, document{first, part})
		}
	}
	for at := 0; at < len(text); line++ {
		end := len(text)
		if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if rest, ok := bytes.CutPrefix(text[at:end], []byte("---")); ok && (len(bytes.TrimSpace(rest)) == 0 || rest[0] == ' ' || rest[0] == '\t') {
			add(at)
			start, first = at, line
			if body := bytes.TrimSpace(rest); len(body) == 0 || body[0] == '#' {
				start, first = end, line+1
			}
		}
		at = end
	}
	add(len(text))
	return out
}

// parse reads all objects of a text of YAML or JSON documents; empty ones are passed over. The first document that cannot
// be read ends it, with a fault at its line; what was read before is given, too.
func parse(file string, text []byte) ([]object, error) {
	var out []object
	for _, d := range split(text) {
		o, err := parseOne(d.text)
		if err != nil {
			line, words := yamlPlace(err.Error())
			if line == 0 {
				line = 1 + leading(d.text)
			}
			return out, fault.At(CodeManifest, fault.Place{File: file, Line: d.line + line - 1}, "%s", words)
		}
		if o == nil {
			continue
		}
		if o.Text("kind") == "" {
			return out, fault.At(CodeManifest, fault.Place{File: file, Line: d.line + leading(d.text)}, "the object has no kind").
				WithHint("a file that is no manifest can be left out: directory.exclude, or the comment %s in it", skipMarker)
		}
		out = append(out, o)
	}
	return out, nil
}

// leading counts the empty lines and comments before a document's first words.
func leading(text []byte) int {
	n := 0
	for line := range bytes.Lines(text) {
		if t := bytes.TrimSpace(line); len(t) > 0 && t[0] != '#' && !bytes.Equal(t, []byte("---")) {
			return n
		}
		n++
	}
	return 0
}

// parseOne reads one document; nil for an empty one.
func parseOne(text []byte) (object, error) {
	data, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	var v any
	if err := manifest.Decode(data, &v); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		if len(v) == 0 {
			return nil, nil
		}
		return v, nil
	default:
		return nil, fmt.Errorf("a %s where an object must be", kindOf(v))
	}
}

func kindOf(v any) string {
	switch v.(type) {
	case []any:
		return "list"
	case string:
		return "text"
	case bool:
		return "true or false"
	default:
		return "number"
	}
}

var yamlLine = regexp.MustCompile(`(?s)^.*?yaml: (?:unmarshal errors:\s+)?line (\d+): (.*)$`)

// yamlPlace takes the line out of a YAML library's message, 0 where it tells none.
func yamlPlace(message string) (line int, words string) {
	m := yamlLine.FindStringSubmatch(message)
	if m == nil {
		return 0, strings.TrimPrefix(strings.TrimPrefix(message, "error converting YAML to JSON: "), "yaml: ")
	}
	line, _ = strconv.Atoi(m[1])
	words, _, _ = strings.Cut(m[2], "\n")
	return line, words
}

// flatten takes lists apart: an object whose kind ends with List and that has items is those items.
func flatten(objects []object) ([]object, error) {
	var out []object
	for _, o := range objects {
		items, there := o["items"]
		_, spec := o["spec"]
		_, status := o["status"]
		list, isList := items.([]any)
		switch {
		case isList:
			for _, e := range list {
				m, ok := e.(map[string]any)
				if !ok {
					return nil, fault.New(CodeManifest, "the items of a %s are not all objects", o.Text("kind"))
				}
				below, err := flatten([]object{m})
				if err != nil {
					return nil, err
				}
				out = append(out, below...)
			}
		case there && items == nil && !spec && !status:
		default:
			out = append(out, o)
		}
	}
	return out, nil
}

// decode makes UTF-8 of a text that says by its first bytes that it is UTF-16; a byte order mark is dropped.
func decode(text []byte) ([]byte, error) {
	if rest, ok := bytes.CutPrefix(text, []byte{0xef, 0xbb, 0xbf}); ok {
		return rest, nil
	}
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return text, nil
	}
	if len(text)%2 != 0 {
		return nil, errors.New("the UTF-16 text ends within a character")
	}
	units := make([]uint16, 0, len(text)/2)
	for i := 2; i < len(text); i += 2 {
		units = append(units, order.Uint16(text[i:]))
	}
	return []byte(string(utf16.Decode(units))), nil
}
