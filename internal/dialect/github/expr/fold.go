package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// upper folds text for comparison: letter by letter to upper case, as .NET's "ordinal ignore case" does.
func upper(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c >= 'a' && c <= 'z' {
			return strings.Map(upperRune, s)
		}
	}
	return s
}

// upperRune never makes an ASCII letter of another one: ı and ſ stay what they are.
func upperRune(r rune) rune {
	if r < utf8.RuneSelf {
		if r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}
	if u := unicode.ToUpper(r); u >= utf8.RuneSelf {
		return u
	}
	return r
}

// equalFold compares two texts ignoring case, and stops at the first difference.
func equalFold(a, b string) bool {
	for a != "" && b != "" {
		x, n := utf8.DecodeRuneInString(a)
		y, m := utf8.DecodeRuneInString(b)
		if x != y && upperRune(x) != upperRune(y) {
			return false
		}
		a, b = a[n:], b[m:]
	}
	return a == b
}

// compareFold orders two texts ignoring case, by UTF-16 units as .NET holds them.
func compareFold(a, b string) int {
	x, y := []rune(upper(a)), []rune(upper(b))
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return unit(x[i], y[i])
		}
	}
	return len(x) - len(y)
}

// unit orders two different runes by their UTF-16 form, where everything beyond the first plane begins with 0xD800…
func unit(a, b rune) int {
	const plane, surrogate = 0x10000, 0xE000
	switch {
	case a >= plane && b < plane:
		if b >= surrogate {
			return -1
		}
		return 1
	case b >= plane && a < plane:
		return -unit(b, a)
	default:
		return int(a - b)
	}
}
