package convert

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// mapping is a YAML mapping that keeps the order of its keys and has comments. A value is a string, an int, a bool, a
// *mapping, a list or a row.
type mapping struct {
	pairs []pair
	tail  []string // comments behind the last pair
}

type pair struct {
	key   string
	value any
	above []string // comments
	gap   bool     // an empty line before it
}

type (
	list []any    // one item a line
	row  []string // [a, b]
)

// set adds a key, or gives one that is there a new value.
func (m *mapping) set(key string, value any) *mapping {
	for i := range m.pairs {
		if m.pairs[i].key == key {
			m.pairs[i].value = value
			return m
		}
	}
	m.pairs = append(m.pairs, pair{key: key, value: value})
	return m
}

// get is the value of a key, or nil.
func (m *mapping) get(key string) any {
	for _, p := range m.pairs {
		if p.key == key {
			return p.value
		}
	}
	return nil
}

// apart sets a key with an empty line and comments above it.
func (m *mapping) apart(key string, value any, above ...string) {
	m.set(key, value)
	for i := range m.pairs {
		if m.pairs[i].key == key {
			m.pairs[i].gap, m.pairs[i].above = true, append(m.pairs[i].above, above...)
		}
	}
}

func (m *mapping) empty() bool { return len(m.pairs) == 0 && len(m.tail) == 0 }

// of is a mapping of one key.
func of(key string, value any) *mapping { return (&mapping{}).set(key, value) }

// comment is an item of a list that is a comment alone.
type comment []string

// write prints the mapping with an indentation of depth.
func (m *mapping) write(b *strings.Builder, depth int) {
	for i, p := range m.pairs {
		if p.gap && (i > 0 || depth == 0) && b.Len() > 0 {
			b.WriteByte('\n')
		}
		remark(b, depth, p.above)
		if i > 0 || !strings.HasSuffix(b.String(), "- ") {
			indent(b, depth)
		}
		b.WriteString(keyText(p.key))
		b.WriteByte(':')
		value(b, depth, p.value)
	}
	remark(b, depth, m.tail)
}

func remark(b *strings.Builder, depth int, lines []string) {
	for _, l := range lines {
		for part := range strings.SplitSeq(strings.TrimRight(l, "\n"), "\n") {
			indent(b, depth)
			b.WriteString(strings.TrimRight("# "+printable(part), " ") + "\n")
		}
	}
}

// printable leaves out what may not stand in a YAML file.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f || r == 0xfeff || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return -1
		}
		return r
	}, s)
}

func indent(b *strings.Builder, depth int) { b.WriteString(strings.Repeat("  ", depth)) }

// value prints what stands behind a key.
func value(b *strings.Builder, depth int, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteByte('\n')
	case *mapping:
		if len(v.pairs) == 0 {
			b.WriteString(" {}\n")
			remark(b, depth+1, v.tail)
			return
		}
		b.WriteByte('\n')
		v.write(b, depth+1)
	case list:
		if len(v) == 0 {
			b.WriteString(" []\n")
			return
		}
		b.WriteByte('\n')
		v.write(b, depth+1)
	default:
		b.WriteByte(' ')
		scalar(b, depth, v)
	}
}

func (l list) write(b *strings.Builder, depth int) {
	for _, item := range l {
		if c, ok := item.(comment); ok {
			remark(b, depth, c)
			continue
		}
		if m, ok := item.(*mapping); ok && len(m.pairs) > 0 {
			remark(b, depth, m.pairs[0].above)
			indent(b, depth)
			b.WriteString("- ")
			first := *m
			first.pairs = append([]pair(nil), m.pairs...)
			first.pairs[0].above = nil
			first.write(b, depth+1)
			continue
		}
		indent(b, depth)
		b.WriteString("- ")
		scalar(b, depth, item)
	}
}

func scalar(b *strings.Builder, depth int, v any) {
	switch v := v.(type) {
	case string:
		if block(v) {
			literal(b, depth, v)
			return
		}
		b.WriteString(text(v) + "\n")
	case row:
		parts := make([]string, len(v))
		for i, s := range v {
			parts[i] = inRow(s)
		}
		b.WriteString("[" + strings.Join(parts, ", ") + "]\n")
	case numbers:
		b.WriteString("[" + strings.Join(v, ", ") + "]\n")
	case *mapping:
		b.WriteString("{}\n")
	default:
		fmt.Fprintf(b, "%v\n", v)
	}
}

// block reports whether a text reads best, and unchanged, as a block of lines.
func block(s string) bool {
	if !strings.Contains(strings.TrimRight(s, "\n"), "\n") || printable(strings.ReplaceAll(s, "\n", "")) != strings.ReplaceAll(s, "\n", "") {
		return false
	}
	first, _, _ := strings.Cut(s, "\n")
	return first != "" && first[0] != ' ' && first[0] != '\t' && !strings.Contains(s, "\r")
}

func literal(b *strings.Builder, depth int, s string) {
	body := strings.TrimRight(s, "\n")
	switch len(s) - len(body) {
	case 0:
		b.WriteString("|-\n")
	case 1:
		b.WriteString("|\n")
	default:
		b.WriteString("|+\n")
		body = s[:len(s)-1]
	}
	for line := range strings.SplitSeq(body, "\n") {
		if line != "" {
			indent(b, depth+1)
			b.WriteString(line)
		}
		b.WriteByte('\n')
	}
}

// plainText is text that needs no quotes, unless it is a word of YAML.
var plainText = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./@-]*$`)

// text is a scalar on one line: plain where every reader takes it as text.
func text(s string) string {
	if plainText.MatchString(s) && yamlx.TypeOf(yamlx.Psych, s) == yamlx.Str && yamlx.TypeOf(yamlx.Core, s) == yamlx.Str {
		return s
	}
	if strings.Contains(s, "\n") || printable(s) != s {
		return double(s)
	}
	out, err := yamlx.Print(yamlx.NewString(s, fault.Place{}))
	line := strings.TrimRight(string(out), "\n")
	if err != nil || strings.Contains(line, "\n") {
		return double(s)
	}
	return line
}

func double(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""`
	}
	return strings.TrimRight(b.String(), "\n")
}

// inRow is a scalar between brackets, where more letters mean something.
func inRow(s string) string {
	if strings.ContainsAny(s, ",[]{}\"'") {
		return double(s)
	}
	return text(s)
}

func keyText(s string) string {
	if s == "on" {
		return s // GitHub reads it as it is
	}
	return text(s)
}

// print is the whole file.
func (m *mapping) print(above ...string) []byte {
	var b strings.Builder
	remark(&b, 0, above)
	m.write(&b, 0)
	return []byte(b.String())
}

// numbers are [1, 2].
type numbers []string
