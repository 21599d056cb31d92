package terminal

import "unicode/utf8"

// quote appends a text as a JSON string (RFC 8259), as encoding/json does without its escapes for HTML: what is not
// UTF-8 becomes U+FFFD, and the line separators of JavaScript are escaped,
// as are all control characters.
func quote[T string | []byte](b []byte, text T) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if plainJSON[c] {
				i++
				continue
			}
			b = append(b, text[from:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			case '\b':
				b = append(b, '\\', 'b')
			case '\f':
				b = append(b, '\\', 'f')
			default:
				b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			}
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRune([]byte(text[i:min(len(text), i+utf8.UTFMax)]))
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(b, text[from:i]...)
			b = append(b, `\ufffd`...)
			from = i + size
		case r == '\u2028' || r == '\u2029':
			b = append(b, text[from:i]...)
			b = append(b, `\u202`...)
			b = append(b, digits[r&15])
			from = i + size
		case r >= 0x80 && r <= 0x9f: // a terminal that shows events takes these for control sequences
			b = append(b, text[from:i]...)
			b = append(b, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
			from = i + size
		}
		i += size
	}
	b = append(b, text[from:]...)
	return append(b, '"')
}

// EscapeJSON escapes in a JSON text what encoding/json leaves as it is and a terminal takes for control sequences: DEL and
// the characters from U+0080 to U+009F. They can only stand in strings.
func EscapeJSON(text []byte) []byte {
	const digits = "0123456789abcdef"
	var out []byte
	from := 0
	for i := 0; i < len(text); i++ {
		c, width := text[i], 1
		if c == 0xc2 && i+1 < len(text) && text[i+1] >= 0x80 && text[i+1] <= 0x9f {
			c, width = text[i+1], 2
		} else if c != 0x7f {
			continue
		}
		out = append(out, text[from:i]...)
		out = append(out, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		i += width - 1
		from = i + 1
	}
	if out == nil {
		return text
	}
	return append(out, text[from:]...)
}

// plainJSON are the ASCII characters that stand for themselves in a JSON string.
var plainJSON = func() (table [utf8.RuneSelf]bool) {
	for c := range table {
		table[c] = c >= ' ' && c != 0x7f && c != '"' && c != '\\'
	}
	return table
}()
