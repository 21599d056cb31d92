package rubyre

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// machine is one match at work. left is how many steps it may still make; at 0 everything fails.
type machine struct {
	text   string
	groups []span
	left   int
}

// span is the part of the text that a group has matched.
type span struct {
	from, to int
	set      bool
}

func (m *machine) next(at int) int {
	_, n := utf8.DecodeRuneInString(m.text[at:])
	return at + max(n, 1)
}

// step counts; false says that the match has to be given up.
func (m *machine) step() bool {
	m.left--
	return m.left > 0
}

// node matches at a place and goes on with what follows it; when that fails, it tries its next way.
type node interface {
	match(m *machine, at int, then func(int) bool) bool
}

type (
	// one is one character of a set.
	one struct{ set func(rune) bool }
	// sequence is one node behind the other.
	sequence []node
	// choice is one of several nodes, the first that leads to the end.
	choice []node
	// repeat is a node several times; most < 0 is any number of times.
	repeat struct {
		of          node
		least, most int
		lazy        bool
	}
	// group remembers what it matched.
	group struct {
		of     node
		number int
	}
	// atomic keeps the first way that its node found.
	atomic struct{ of node }
	// look asks what is before or behind the place and takes nothing.
	look struct {
		of          node
		behind, not bool
	}
	// back is the text of a group again.
	back struct {
		number int
		fold   bool
	}
	// place is a condition on the place.
	place struct {
		holds func(text string, at int) bool
	}
)

func (n one) match(m *machine, at int, then func(int) bool) bool {
	if !m.step() || at >= len(m.text) {
		return false
	}
	r, size := utf8.DecodeRuneInString(m.text[at:])
	return n.set(r) && then(at+size)
}

func (n sequence) match(m *machine, at int, then func(int) bool) bool {
	if len(n) == 0 {
		return then(at)
	}
	return n[0].match(m, at, func(next int) bool { return n[1:].match(m, next, then) })
}

func (n choice) match(m *machine, at int, then func(int) bool) bool {
	for _, way := range n {
		if !m.step() {
			return false
		}
		if way.match(m, at, then) {
			return true
		}
	}
	return false
}

func (n repeat) match(m *machine, at int, then func(int) bool) bool { return n.from(m, at, 0, then) }

func (n repeat) from(m *machine, at, done int, then func(int) bool) bool {
	if !m.step() {
		return false
	}
	more := func() bool {
		return (n.most < 0 || done < n.most) && n.of.match(m, at, func(next int) bool {
			if next == at && done >= n.least {
				return false // a round that takes nothing would never end
			}
			return n.from(m, next, done+1, then)
		})
	}
	if done < n.least {
		return more()
	}
	if n.lazy {
		return then(at) || more()
	}
	return more() || then(at)
}

func (n group) match(m *machine, at int, then func(int) bool) bool {
	return n.of.match(m, at, func(next int) bool {
		before := m.groups[n.number]
		m.groups[n.number] = span{at, next, true}
		if then(next) {
			return true
		}
		m.groups[n.number] = before
		return false
	})
}

func (n atomic) match(m *machine, at int, then func(int) bool) bool {
	end := -1
	if !n.of.match(m, at, func(next int) bool { end = next; return true }) {
		return false
	}
	return then(end)
}

func (n look) match(m *machine, at int, then func(int) bool) bool {
	found := false
	if n.behind {
		for from := at; from >= 0 && !found && m.step(); from-- {
			found = n.of.match(m, from, func(end int) bool { return end == at })
		}
	} else {
		found = n.of.match(m, at, func(int) bool { return true })
	}
	return m.left > 0 && found != n.not && then(at)
}

func (n back) match(m *machine, at int, then func(int) bool) bool {
	g := m.groups[n.number]
	if !m.step() || !g.set {
		return false
	}
	text := m.text[g.from:g.to]
	if len(m.text)-at < len(text) {
		return false
	}
	here := m.text[at : at+len(text)]
	return (here == text || n.fold && strings.EqualFold(here, text)) && then(at+len(text))
}

func (n place) match(m *machine, at int, then func(int) bool) bool {
	return m.step() && n.holds(m.text, at) && then(at)
}

// The conditions on a place. In Ruby ^ and $ are those of a line.
var places = map[byte]func(string, int) bool{
	'A': func(_ string, at int) bool { return at == 0 },
	'z': func(s string, at int) bool { return at == len(s) },
	'Z': func(s string, at int) bool { return at == len(s) || at == len(s)-1 && s[at] == '\n' },
	'^': func(s string, at int) bool { return at == 0 || at < len(s) && s[at-1] == '\n' },
	'$': func(s string, at int) bool { return at == len(s) || s[at] == '\n' },
	'b': boundary,
	'B': func(s string, at int) bool { return !boundary(s, at) },
	'G': func(_ string, at int) bool { return at == 0 },
}

func boundary(s string, at int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:at])
	behind, _ := utf8.DecodeRuneInString(s[at:])
	return (at > 0 && wordly(before)) != (at < len(s) && wordly(behind))
}

func wordly(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
