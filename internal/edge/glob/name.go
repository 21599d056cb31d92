package glob

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// Name reads a pattern of one name as minimatch does with its defaults (README of minimatch): wildcards, sets, braces,
// extended patterns like +(a|b), and ! in front that turns the whole around. A name that begins with a dot is matched
// only by a pattern that does. download-artifact chooses artifacts so.
func Name(pattern string) func(name string) bool {
	if strings.HasPrefix(pattern, "#") {
		return func(string) bool { return false }
	}
	negate := false
	for strings.HasPrefix(pattern, "!") {
		negate, pattern = !negate, pattern[1:]
	}
	left := maxChoices
	choices := braces(pattern, &left)
	return func(name string) bool {
		for _, c := range choices {
			m := matcher{steps: maxSteps}
			if (!strings.HasPrefix(name, ".") || strings.HasPrefix(c, ".")) && name != "" && m.match(c, name, func(rest string) bool { return rest == "" }) {
				return !negate
			}
		}
		return negate
	}
}

// Bounds against patterns that are made to take for ever.
const (
	maxChoices = 1000
	maxSteps   = 200_000
)

// braces writes {a,b} and {1..3} out. left bounds how often; what is past it is taken as it stands.
func braces(text string, left *int) []string {
	open, shut, commas := group(text)
	if *left--; open < 0 || *left < 0 {
		return []string{text}
	}
	head, tail := text[:open], text[shut+1:]
	var members []string
	if len(commas) == 0 {
		members = sequence(text[open+1:shut], *left)
	} else {
		from := open + 1
		for _, to := range append(commas, shut) {
			members = append(members, text[from:to])
			from = to + 1
		}
	}
	var out []string
	for _, m := range members {
		out = append(out, braces(head+m+tail, left)...)
	}
	return out
}

var sequences = lazy.Pattern(`^(?:(-?\d{1,9})\.\.(-?\d{1,9})|([a-zA-Z])\.\.([a-zA-Z]))(?:\.\.(-?\d{1,9}))?$`)

// sequence counts from one number or letter to another, at most limit members; none where the text is no sequence.
func sequence(text string, limit int) []string {
	m := sequences.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	letters := m[3] != ""
	from, _ := strconv.Atoi(m[1])
	to, _ := strconv.Atoi(m[2])
	if letters {
		from, to = int(m[3][0]), int(m[4][0])
	}
	step, _ := strconv.Atoi(m[5])
	step = max(step, -step, 1)
	width := 0
	if padded(m[1]) || padded(m[2]) {
		width = max(len(m[1]), len(m[2]))
	}
	if from > to {
		step = -step
	}
	var out []string
	for n := from; (step > 0 && n <= to || step < 0 && n >= to) && len(out) < limit; n += step {
		if letters {
			out = append(out, string(rune(n)))
		} else {
			out = append(out, fmt.Sprintf("%0*d", width, n))
		}
	}
	return out
}

func padded(number string) bool {
	digits := strings.TrimPrefix(number, "-")
	return len(digits) > 1 && digits[0] == '0'
}

// group finds the first brace that is closed and has a comma of its own, or a sequence in it.
func group(text string) (open, shut int, commas []int) {
	for open = 0; open < len(text); open++ {
		if text[open] == '\\' {
			open++
			continue
		}
		if text[open] != '{' {
			continue
		}
		depth := 0
		commas = nil
		for i := open; i < len(text); i++ {
			switch text[i] {
			case '\\':
				i++
			case '{':
				depth++
			case ',':
				if depth == 1 {
					commas = append(commas, i)
				}
			case '}':
				if depth--; depth == 0 && (len(commas) > 0 || sequences.MatchString(text[open+1:i])) {
					return open, i, commas
				}
			}
			if depth == 0 {
				break
			}
		}
	}
	return -1, 0, nil
}

// matcher matches extended patterns by trying; steps bounds how often.
type matcher struct{ steps int }

// match tries to match the front of name with pattern and asks then what becomes of the rest.
func (m *matcher) match(pattern, name string, then func(rest string) bool) bool {
	if m.steps--; m.steps < 0 {
		return false
	}
	if pattern == "" {
		return then(name)
	}
	if len(pattern) > 1 && pattern[1] == '(' && strings.IndexByte("?*+@!", pattern[0]) >= 0 {
		if inner, after, ok := choices(pattern[2:]); ok {
			return m.extended(pattern[0], inner, after, name, then)
		}
	}
	t, after := next(pattern)
	if t.star {
		for at := 0; at <= len(name); at++ {
			if m.match(after, name[at:], then) {
				return true
			}
		}
		return false
	}
	c, n := utf8.DecodeRuneInString(name)
	return n > 0 && t.takes(c) && m.match(after, name[n:], then)
}

func (m *matcher) extended(sign byte, inner []string, after, name string, then func(string) bool) bool {
	tail := func(rest string) bool { return m.match(after, rest, then) }
	one := func(from string, then func(string) bool) bool {
		for _, c := range inner {
			if m.match(c, from, then) {
				return true
			}
		}
		return false
	}
	var more func(from string) bool
	more = func(from string) bool {
		return one(from, func(rest string) bool {
			return tail(rest) || len(rest) < len(from) && more(rest)
		})
	}
	switch sign {
	case '@':
		return one(name, tail)
	case '?':
		return tail(name) || one(name, tail)
	case '*':
		return tail(name) || more(name)
	case '+':
		return more(name)
	}
	for at := 0; at <= len(name); at++ { // !( ): any text that none of the choices is
		part := name[:at]
		if !one(part, func(rest string) bool { return rest == "" }) && tail(name[at:]) {
			return true
		}
	}
	return false
}

// choices splits what stands in parentheses at its bars.
func choices(text string) (inner []string, after string, ok bool) {
	depth, from := 1, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '(':
			depth++
		case '|':
			if depth == 1 {
				inner, from = append(inner, text[from:i]), i+1
			}
		case ')':
			if depth--; depth == 0 {
				return append(inner, text[from:i]), text[i+1:], true
			}
		}
	}
	return nil, "", false
}
