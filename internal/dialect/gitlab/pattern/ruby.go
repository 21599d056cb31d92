package pattern

import (
	"strings"
	"unicode/utf8"
)

// rubyBraces writes out the braces of a glob, the first outermost pair first; what it stands for may hold more of
// them. An open brace stands for nothing at all. ok is false above the limits.
func rubyBraces(text string) (out []string, ok bool) {
	left, room := MaxAlternatives, MaxExpanded
	var expand func(string) bool
	expand = func(s string) bool {
		open, shut := outerBraces(s)
		if open < 0 || shut < 0 {
			if open < 0 {
				out = append(out, s)
			}
			left, room = left-1, room-len(s)
			return left >= 0 && room >= 0
		}
		for _, choice := range choices(s[open+1 : shut]) {
			if !expand(s[:open] + choice + s[shut+1:]) {
				return false
			}
		}
		return true
	}
	ok = expand(text)
	return out, ok
}

// outerBraces finds the first { that is not escaped and its }, or -1.
func outerBraces(s string) (open, shut int) {
	open, depth := -1, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '{':
			if depth == 0 {
				open = i
			}
			depth++
		case '}':
			if open < 0 {
				continue
			}
			if depth--; depth == 0 {
				return open, i
			}
		}
	}
	return open, -1
}

// choices cuts at the commas that are neither escaped nor in inner braces.
func choices(s string) []string {
	var out []string
	from, depth := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, s[from:i])
				from = i + 1
			}
		}
	}
	return append(out, s[from:])
}

// rubyRoute reads one glob without braces. ok is false where it can match nothing.
func rubyRoute(s string) (r route, ok bool) {
	start := true
	var l level
	for i := 0; i < len(s); {
		if start {
			start = false
			n := 0
			for strings.HasPrefix(s[i+n:], "**/") {
				n += 3
			}
			if n > 0 {
				r.levels = append(r.levels, level{deep: true})
				i += n
				start = false
				continue
			}
		}
		switch {
		case s[i] == '/' || s[i] == '\\' && strings.HasPrefix(s[i+1:], "/"):
			i += strings.IndexByte(s[i:], '/') + 1
			r.levels = append(r.levels, l)
			l, start = level{}, true
		case s[i] == '*':
			for i < len(s) && s[i] == '*' {
				i++
			}
			l.tokens = append(l.tokens, token{op: star})
		case s[i] == '?':
			i++
			l.tokens = append(l.tokens, token{op: any})
		case s[i] == '[':
			t, n := rubyClass(s[i+1:])
			if n < 0 {
				return route{}, false
			}
			i += 1 + n
			l.tokens = append(l.tokens, t)
		default:
			if s[i] == '\\' {
				if i++; i == len(s) {
					continue // a \ at the very end is nothing
				}
			}
			_, n := utf8.DecodeRuneInString(s[i:])
			l.tokens = append(l.tokens, token{op: char, literal: s[i : i+n]})
			i += n
		}
	}
	r.levels = append(r.levels, l)
	r.seal()
	return r, true
}

// rubyClass reads what follows a [ and gives the bytes taken, or -1 where no ] closes it. A ] closes at once, even as
// the first character: [] matches nothing and [!] anything.
func rubyClass(s string) (t token, n int) {
	t.op = class
	i := 0
	if i < len(s) && (s[i] == '!' || s[i] == '^') {
		t.not = true
		i++
	}
	one := func() (string, bool) {
		if i < len(s) && s[i] == '\\' {
			i++
		}
		if i >= len(s) {
			return "", false
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		i += n
		return s[i-n : i], true
	}
	for i < len(s) {
		if s[i] == ']' {
			return t, i + 1
		}
		lo, ok := one()
		if !ok {
			return t, -1
		}
		if !strings.HasPrefix(s[i:], "-") || strings.HasPrefix(s[i:], "-]") {
			t.ranges = append(t.ranges, span{text: lo})
			continue
		}
		i++
		hi, ok := one()
		if !ok {
			return t, -1
		}
		t.ranges = append(t.ranges, between(lo, hi)...)
	}
	return t, -1
}

// between is a range with both its ends, which match even where they stand in the wrong order.
func between(lo, hi string) []span {
	l, _ := utf8.DecodeRuneInString(lo)
	h, _ := utf8.DecodeRuneInString(hi)
	return []span{{text: lo}, {text: hi}, {lo: l, hi: h}}
}
