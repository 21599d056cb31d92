package logs

import "bytes"

// automaton finds all patterns at once (Aho and Corasick 1975). Its states lie in breadth-first order with the
// children of a state side by side, so that 20 bytes a state are enough. A filter (Wu and Manber 1994) tells how far
// one can jump from a place where no pattern has begun; most of a log is never looked at byte by byte.
type automaton struct {
	states []state
	labels []byte // labels[i] is the byte that leads into states[i]
	root   [256]int32
	filter filter
}

type state struct {
	first, count int32 // the children
	fail         int32 // the state of the longest proper suffix that is also a prefix of a pattern
	keep         int32 // how many of the last bytes may be part of a longer match; at first the depth of the state
	match        int32 // the length of the longest pattern that ends here, or 0
}

// build makes the automaton of sorted patterns without doubles, none of them empty.
func build(patterns []string) *automaton {
	a := &automaton{states: []state{{}}, labels: []byte{0}}
	type group struct{ low, high int }
	groups := []group{{0, len(patterns)}} // groups[i]: the patterns that pass through states[i]
	for i := 0; i < len(a.states); i++ {
		g, depth := groups[i], int(a.states[i].keep)
		if g.low < g.high && len(patterns[g.low]) == depth {
			a.states[i].match = int32(depth)
			g.low++
		}
		a.states[i].first = int32(len(a.states))
		for low := g.low; low < g.high; {
			c, high := patterns[low][depth], low
			for high < g.high && patterns[high][depth] == c {
				high++
			}
			a.states = append(a.states, state{keep: int32(depth + 1)})
			a.labels = append(a.labels, c)
			groups = append(groups, group{low, high})
			a.states[i].count++
			low = high
		}
	}
	a.link()
	a.filter.build(patterns)
	return a
}

// link sets the fail links, shallow states first, and what they make known of matches.
func (a *automaton) link() {
	for i := range a.states[0].count {
		a.root[a.labels[1+i]] = 1 + i
	}
	for i := range a.states {
		s := a.states[i]
		for child := s.first; child < s.first+s.count; child++ {
			c := &a.states[child]
			if i > 0 {
				c.fail = a.step(s.fail, a.labels[child])
			}
			if c.match == 0 {
				c.match = a.states[c.fail].match
			}
			if c.count == 0 { // nothing is longer: only what begins further on may go on
				c.keep = a.states[c.fail].keep
			}
		}
	}
}

// step is the state after one more byte.
func (a *automaton) step(s int32, c byte) int32 {
	for s != 0 {
		at := &a.states[s]
		if i := bytes.IndexByte(a.labels[at.first:at.first+at.count], c); i >= 0 {
			return at.first + int32(i)
		}
		s = at.fail
	}
	return a.root[c]
}

// filter knows, of the first least bytes of every pattern, which three bytes stand where.
type filter struct {
	least int     // the length of the shortest pattern, maxJump+2 at most
	jump  []uint8 // nil where a pattern has less than three bytes: then every place is looked at
}

const (
	filterBits = 15
	maxJump    = 100
	begins     = 0x80 // set in jump where a pattern begins with these three bytes
)

func gram(p []byte) uint32 {
	return (uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16) * 0x9e3779b1 >> (32 - filterBits)
}

func (f *filter) build(patterns []string) {
	f.least = maxJump + 2
	for _, p := range patterns {
		f.least = min(f.least, len(p))
	}
	if f.least < 3 {
		return
	}
	f.jump = bytes.Repeat([]byte{uint8(f.least - 2)}, 1<<filterBits)
	for _, p := range patterns {
		head := []byte(p[:f.least])
		for i := 0; i+3 <= len(head); i++ {
			at := &f.jump[gram(head[i:])]
			*at = *at&begins | min(*at&^begins, uint8(f.least-3-i))
		}
		f.jump[gram(head)] |= begins
	}
}

// next is the first place at or after from where a pattern may begin in p, or a place so near the end of p that this
// cannot be told.
func (f *filter) next(p []byte, from int) int {
	least := f.least
	if f.jump == nil {
		return from
	}
	for from+least <= len(p) {
		jump := int(f.jump[gram(p[from+least-3:])] &^ begins)
		if jump == 0 {
			if f.jump[gram(p[from:])]&begins != 0 {
				return from
			}
			jump = 1
		}
		from += jump
	}
	return min(from, len(p))
}
