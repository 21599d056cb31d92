package expr

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth is how deep arrays and objects may be nested.
const maxJSONDepth = 100

// FromJSON reads JSON as fromJSON() does. The runner's library is lenient, and so is this: text and names may stand in
// single quotes, names without quotes, a comma may trail, comments are passed over, and NaN and Infinity are numbers.
// Of two names that differ in case only, the last value stays. Errors name the line and column of the JSON text.
func FromJSON(data []byte) (Value, error) {
	r := jsonReader{text: strings.TrimPrefix(string(data), "\ufeff")}
	v, err := r.value(0)
	if err != nil {
		return Null(), err
	}
	if r.skip(); r.at < len(r.text) {
		return Null(), r.fail("something follows the value")
	}
	return v, nil
}

type jsonReader struct {
	text string
	at   int
}

func (r *jsonReader) fail(format string, args ...any) error {
	before := r.text[:min(r.at, len(r.text))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Errorf("%s at line %d, column %d", fmt.Sprintf(format, args...), line, column)
}

// skip passes over blanks and comments.
func (r *jsonReader) skip() {
	for r.at < len(r.text) {
		rest := r.text[r.at:]
		switch c, n := utf8.DecodeRuneInString(rest); {
		case unicode.IsSpace(c):
			r.at += n
		case strings.HasPrefix(rest, "//"):
			r.pass(strings.IndexByte(rest, '\n'), 1, len(rest))
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return
			}
			r.at += end + 4
		default:
			return
		}
	}
}

func (r *jsonReader) pass(end, past, all int) {
	if end < 0 {
		r.at += all
		return
	}
	r.at += end + past
}

func (r *jsonReader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *jsonReader) value(depth int) (Value, error) {
	r.skip()
	if r.at >= len(r.text) {
		return Null(), r.fail("a value is missing")
	}
	if depth > maxJSONDepth {
		return Null(), r.fail("nested more than %d levels deep", maxJSONDepth)
	}
	switch c := r.text[r.at]; {
	case c == '{':
		return r.object(depth)
	case c == '[':
		return r.array(depth)
	case c == '"' || c == '\'':
		s, err := r.quoted()
		return String(s), err
	default:
		return r.scalar()
	}
}

func (r *jsonReader) array(depth int) (Value, error) {
	r.at++
	items := []Value{}
	for {
		if r.skip(); r.peek() == ']' {
			r.at++
			return Value{kind: KindArray, arr: &array{items: items}}, nil
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return Null(), err
		}
		items = append(items, v)
		if err := r.separator(']'); err != nil {
			return Null(), err
		}
	}
}

func (r *jsonReader) object(depth int) (Value, error) {
	r.at++
	b := ObjectBuilder{}
	for {
		if r.skip(); r.peek() == '}' {
			r.at++
			return b.Value(), nil
		}
		key, err := r.key()
		if err != nil {
			return Null(), err
		}
		if r.skip(); r.peek() != ':' {
			return Null(), r.fail("a : is missing after the name %q", key)
		}
		r.at++
		v, err := r.value(depth + 1)
		if err != nil {
			return Null(), err
		}
		b.Set(key, v)
		if err := r.separator('}'); err != nil {
			return Null(), err
		}
	}
}

// separator reads the comma between items; the closing mark is left for the caller.
func (r *jsonReader) separator(end byte) error {
	r.skip()
	switch r.peek() {
	case ',':
		r.at++
		return nil
	case end:
		return nil
	case 0:
		return r.fail("a %c is missing", end)
	default:
		return r.fail("a , or %c is missing", end)
	}
}

func (r *jsonReader) key() (string, error) {
	if c := r.peek(); c == '"' || c == '\'' {
		return r.quoted()
	}
	if word := r.word("$-"); word != "" {
		return word, nil
	}
	return "", r.fail("the name of a property is missing")
}

func (r *jsonReader) word(more string) string {
	start := r.at
	for i, c := range r.text[start:] {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '_' && !strings.ContainsRune(more, c) {
			r.at = start + i
			return r.text[start:r.at]
		}
	}
	r.at = len(r.text)
	return r.text[start:]
}

var jsonWords = map[string]Value{
	"null": Null(), "undefined": Null(), "true": Bool(true), "false": Bool(false),
	"NaN": Number(math.NaN()), "Infinity": Number(math.Inf(1)), "-Infinity": Number(math.Inf(-1)),
}

func (r *jsonReader) scalar() (Value, error) {
	start := r.at
	word := r.word("+-.")
	if v, ok := jsonWords[word]; ok {
		return v, nil
	}
	if f, ok := jsonNumber(word); ok {
		return Number(f), nil
	}
	r.at = start
	if word == "" {
		c, _ := utf8.DecodeRuneInString(r.text[start:])
		return Null(), r.fail("unexpected character %q", c)
	}
	return Null(), r.fail("unexpected %q", excerpt(word))
}

// jsonNumber reads a number as the runner's library does: decimal, 0x hexadecimal, and octal after a leading 0.
func jsonNumber(s string) (float64, bool) {
	body, negative := strings.CutPrefix(s, "-")
	if len(body) > 1 && body[0] == '0' && strings.Trim(body[1:], "01234567") == "" {
		return signed(body[1:], 8, negative)
	}
	if len(body) > 2 && (body[:2] == "0x" || body[:2] == "0X") {
		return signed(body[2:], 16, negative)
	}
	if s == "" || s[0] == '+' || !decimal(s) {
		return 0, false
	}
	f, _ := strconv.ParseFloat(s, 64)
	return f, true
}

func signed(digits string, base int, negative bool) (float64, bool) {
	u, err := strconv.ParseUint(digits, base, 63)
	if err != nil {
		return 0, false
	}
	if negative {
		return -float64(u), true
	}
	return float64(u), true
}

func excerpt(s string) string {
	if len(s) <= 40 {
		return s
	}
	return strings.ToValidUTF8(s[:40], "") + "…"
}

var errEscape = errors.New("an escape is not valid")

func (r *jsonReader) quoted() (string, error) {
	quote, start := r.text[r.at], r.at
	r.at++
	var b strings.Builder
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch c {
		case quote:
			return b.String(), nil
		case '\\':
			if err := r.escape(&b); err != nil {
				return "", r.fail("%v", err)
			}
		default:
			b.WriteByte(c)
		}
	}
	r.at = start
	return "", r.fail("the text that begins here has no end, which is")
}

var jsonEscapes = map[byte]byte{'"': '"', '\'': '\'', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (r *jsonReader) escape(b *strings.Builder) error {
	c := r.peek()
	r.at++
	if plain, ok := jsonEscapes[c]; ok {
		b.WriteByte(plain)
		return nil
	}
	if c != 'u' {
		return errEscape
	}
	first, err := r.hex()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(first) && strings.HasPrefix(r.text[r.at:], `\u`) {
		back := r.at
		r.at += 2
		if second, err := r.hex(); err == nil {
			if both := utf16.DecodeRune(first, second); both != unicode.ReplacementChar {
				b.WriteRune(both)
				return nil
			}
		}
		r.at = back
	}
	b.WriteRune(first) // a surrogate on its own becomes U+FFFD
	return nil
}

func (r *jsonReader) hex() (rune, error) {
	if r.at+4 > len(r.text) {
		return 0, errEscape
	}
	u, err := strconv.ParseUint(r.text[r.at:r.at+4], 16, 16)
	if err != nil {
		return 0, errEscape
	}
	r.at += 4
	return rune(u), nil
}
