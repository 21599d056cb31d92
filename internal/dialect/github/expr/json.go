package expr

import (
	"strings"
)

// JSON prints the value as toJSON does: with indent two blanks a level and one item a line, without it on one line.
// Numbers have at most 15 digits; NaN and Infinity stand as they are, as on GitHub.
func (v Value) JSON(indent bool) string {
	w := printer{indent: indent}
	w.value(v, 0)
	return w.String()
}

type printer struct {
	strings.Builder
	indent bool
	limit  int // bytes; 0 is no limit
	full   bool
}

func (w *printer) put(s string) {
	if w.limit > 0 && w.Len()+len(s) > w.limit {
		w.full = true
		return
	}
	w.WriteString(s)
}

func (w *printer) value(v Value, level int) {
	if w.full {
		return
	}
	switch v.kind {
	case KindNull:
		w.put("null")
	case KindBool, KindNumber:
		w.put(v.Text())
	case KindString:
		w.put(quoteJSON(v.text))
	case KindArray:
		w.open("[", "]", len(v.arr.items), level, func(i int) { w.value(v.arr.items[i], level+1) })
	case KindObject:
		w.open("{", "}", len(v.obj.pairs), level, func(i int) {
			w.put(quoteJSON(v.obj.pairs[i].Key))
			if w.indent {
				w.put(": ")
			} else {
				w.put(":")
			}
			w.value(v.obj.pairs[i].Value, level+1)
		})
	}
}

func (w *printer) open(left, right string, n, level int, item func(int)) {
	w.put(left)
	for i := range n {
		if w.full {
			return
		}
		if i > 0 {
			w.put(",")
		}
		w.line(level + 1)
		item(i)
	}
	if n > 0 {
		w.line(level)
	}
	w.put(right)
}

func (w *printer) line(level int) {
	if w.indent {
		w.put("\n" + strings.Repeat("  ", level))
	}
}

// quoteJSON escapes as the runner's library does: quotes, backslashes, control characters and the three line
// separators of Unicode; < > & / and letters beyond ASCII stay.
func quoteJSON(s string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < 0x20 || r == 0x85 || r == 0x2028 || r == 0x2029:
			b.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte(hex[r>>shift&15])
			}
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
