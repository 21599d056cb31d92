package pattern

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// route is one way through a tree: a level after the other. Braces are already written out.
type route struct {
	levels  []level
	literal string // set where the route names one path
	plain   bool
}

// level matches one folder level of a path, or any number of levels where deep.
type level struct {
	deep    bool
	tokens  []token
	literal string
	plain   bool // the level is the text of literal
}

// token matches within a level.
type token struct {
	op      op
	literal string // of text: one character
	not     bool   // of class
	ranges  []span
}

type op byte

const (
	char  op = iota // one given character
	any             // one character
	star            // any number of characters
	class           // one character of a set
	never           // nothing
)

// span is a range of characters. A bound that is not valid UTF-8 is compared as bytes through from.
type span struct {
	lo, hi rune
	text   string // of a single character
}

// seal prepares the fast ways.
func (r *route) seal() {
	r.plain = true
	var all []string
	for i := range r.levels {
		l := &r.levels[i]
		l.plain = !l.deep && !slices.ContainsFunc(l.tokens, func(t token) bool { return t.op != char })
		if !l.plain {
			r.plain = false
			continue
		}
		for _, t := range l.tokens {
			l.literal += t.literal
		}
		all = append(all, l.literal)
	}
	if r.plain {
		r.literal = strings.Join(all, "/")
	}
}

// match walks levels and path together. At a deep level it remembers where it stood; on a mismatch it lets the last
// deep level take one more level of the path. Between two deep levels the number of levels is fixed, so the earliest
// fit is as good as any and nothing further back needs to be tried again.
func (r *route) match(path string) bool {
	if r.plain {
		return path == r.literal
	}
	i, at := 0, 0       // level, and byte in path; at == len(path)+1 is the end
	deep, from := -1, 0 // level after the last deep one, and where in path it began
	for end := len(path) + 1; ; {
		if i < len(r.levels) && r.levels[i].deep {
			i++
			deep, from = i, at
			continue
		}
		if i == len(r.levels) && at == end {
			return true
		}
		if i < len(r.levels) && at < end {
			stop := nextSlash(path, at)
			if r.levels[i].match(path[at:stop]) {
				i, at = i+1, stop+1
				continue
			}
		}
		if deep < 0 || from == end {
			return false
		}
		if deep == len(r.levels) {
			return true
		}
		from = nextSlash(path, from) + 1
		i, at = deep, from
	}
}

func nextSlash(path string, at int) int {
	if n := strings.IndexByte(path[at:], '/'); n >= 0 {
		return at + n
	}
	return len(path)
}

// match is the classic walk with one memory, for the last star.
func (l *level) match(s string) bool {
	if l.plain {
		return s == l.literal
	}
	i, at := 0, 0
	after, from := -1, 0
	for {
		if i < len(l.tokens) && l.tokens[i].op == star {
			i++
			if i == len(l.tokens) {
				return true
			}
			after, from = i, at
			continue
		}
		if i == len(l.tokens) && at == len(s) {
			return true
		}
		if i < len(l.tokens) && at < len(s) {
			if n := l.tokens[i].match(s[at:]); n > 0 {
				i, at = i+1, at+n
				continue
			}
		}
		if after < 0 || from == len(s) {
			return false
		}
		_, n := utf8.DecodeRuneInString(s[from:])
		from += n
		i, at = after, from
	}
}

// match gives the number of bytes that the token takes of s, which is not empty; 0 is no match.
func (t *token) match(s string) int {
	switch t.op {
	case char:
		if strings.HasPrefix(s, t.literal) {
			return len(t.literal)
		}
		return 0
	case any, class:
		r, n := utf8.DecodeRuneInString(s)
		if t.op == any || t.holds(s[:n], r) != t.not {
			return n
		}
	}
	return 0
}

func (t *token) holds(text string, r rune) bool {
	return slices.ContainsFunc(t.ranges, func(x span) bool {
		if x.text != "" {
			return x.text == text
		}
		return x.lo <= r && r <= x.hi && (r != utf8.RuneError || len(text) > 1)
	})
}
