// Package filter is the pattern language of a workflow's filters: branches, tags and paths below on, with their -ignore
// forms (GitHub's "Workflow syntax", filter pattern cheat sheet). A name is matched in time proportional to its length,
// whatever the pattern. The package knows no events and reads no repository: names in, yes or no out.
package filter

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Kind says what a pattern is matched with.
type Kind uint8

// The kinds.
const (
	Ref  Kind = iota // branches and tags by their short names: main, v1.0
	Path             // changed files from the repository's top, with slashes
	Name             // names of workflows and images: any text
)

// Pattern is one compiled pattern.
type Pattern struct {
	text    string
	kind    Kind
	negated bool
	literal string // the whole where nothing in it is special; "" else
	tokens  []token
}

// op says what a token does.
type op uint8

const (
	one      op = iota // one character that fits
	maybe              // one or none
	many               // any number
	folders            // nothing, or anything up to and with a slash
	inFolder           // the inside of folders
)

// token is one step of the machine. A character fits where it is char, or where class takes it.
type token struct {
	op    op
	char  rune
	class class
}

// class is a set of characters.
type class interface{ has(r rune) bool }

type (
	notSlash struct{}
	anything struct{}
	ranges   [][2]rune
)

func (notSlash) has(r rune) bool { return r != '/' }
func (anything) has(rune) bool   { return true }

func (rs ranges) has(r rune) bool {
	for _, x := range rs {
		if r >= x[0] && r <= x[1] {
			return true
		}
	}
	return false
}

func (t *token) fits(r rune) bool {
	if t.class != nil {
		return t.class.has(r)
	}
	return r == t.char
}

// Negated reports whether the pattern starts with !: in a list it takes back what patterns before it matched.
func (p *Pattern) Negated() bool { return p.negated }

// Match reports whether the whole name fits the pattern, a leading ! left aside.
func (p *Pattern) Match(name string) bool {
	if p.tokens == nil {
		return p.literal == name
	}
	now, next := make([]bool, len(p.tokens)+1), make([]bool, len(p.tokens)+1)
	p.enter(now, 0)
	for _, r := range name {
		clear(next)
		alive := false
		for i, on := range now[:len(p.tokens)] {
			if on {
				alive = p.step(next, i, r) || alive
			}
		}
		if !alive {
			return false
		}
		now, next = next, now
	}
	return now[len(p.tokens)]
}

// enter puts the machine before token i, and behind it where the token may be left out.
func (p *Pattern) enter(states []bool, i int) {
	for !states[i] {
		states[i] = true
		if i == len(p.tokens) {
			return
		}
		switch p.tokens[i].op {
		case maybe, many:
			i++
		case folders:
			i += 2
		default:
			return
		}
	}
}

// step reads one character at token i; it reports whether there is a way on.
func (p *Pattern) step(states []bool, i int, r rune) bool {
	t := &p.tokens[i]
	switch t.op {
	case folders:
		p.enter(states, i+1)
		if r == '/' {
			p.enter(states, i+2)
		}
		return true
	case inFolder:
		p.enter(states, i)
		if r == '/' {
			p.enter(states, i+1)
		}
		return true
	}
	if !t.fits(r) {
		return false
	}
	if t.op == many {
		p.enter(states, i)
	} else {
		p.enter(states, i+1)
	}
	return true
}

// List is a filter: patterns in their order.
type List []*Pattern

// Match asks the patterns in order: a pattern that fits takes the name in, a negated one takes it out again, and the
// last that fits decides. A list without a positive pattern takes nothing in. deciding is the index of the pattern that
// decided, -1 where none fits.
func (l List) Match(name string) (matched bool, deciding int) {
	for i := len(l) - 1; i >= 0; i-- {
		if l[i].Match(name) {
			if l[i].negated && !l[:i].takes(name) {
				return false, -1
			}
			return !l[i].negated, i
		}
	}
	return false, -1
}

// takes reports whether a positive pattern fits: only then does a negated one decide anything.
func (l List) takes(name string) bool {
	for _, p := range l {
		if !p.negated && p.Match(name) {
			return true
		}
	}
	return false
}

// Any reports whether one of the names is taken in; at is its index, -1 where none is. It is the rule of paths.
func (l List) Any(names []string) (ok bool, at int) {
	for i, name := range names {
		if matched, _ := l.Match(name); matched {
			return true, i
		}
	}
	return false, -1
}

// All reports whether every one of the names is taken in; at is the index of the first that is not, -1 where all are.
// It is the rule of paths-ignore: what changes only such files does not trigger.
func (l List) All(names []string) (ok bool, at int) {
	for i, name := range names {
		if matched, _ := l.Match(name); !matched {
			return false, i
		}
	}
	return true, -1
}

// place is where an offset of the pattern stands.
func place(at func(int) fault.Place, offset int) fault.Place {
	if at == nil {
		return fault.Place{}
	}
	return at(offset)
}

// Quote is a pattern that matches exactly this name.
func Quote(name string) string {
	var b strings.Builder
	for i, r := range name {
		if strings.ContainsRune(`\*?+[]`, r) || i == 0 && r == '!' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
