// Package lazy holds what is made when it is first used, so that a command that needs little of it starts fast: making
// every regular expression of the program takes longer than running a short job. It refuses nothing: an expression that is
// no expression panics at its first use, which the tests of its package have to reach.
package lazy

import (
	"regexp"
	"sync"
)

// Regexp is a regular expression that is compiled when it is first used. It may be used by many goroutines at once; its
// methods are those of regexp.Regexp.
type Regexp struct {
	text string
	make func() *regexp.Regexp
}

// Pattern is the regular expression of a text, which is a constant of the program.
func Pattern(text string) *Regexp {
	return &Regexp{text: text, make: sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })}
}

// Match reports whether b has a match.
func (r *Regexp) Match(b []byte) bool { return r.make().Match(b) }

// MatchString reports whether s has a match.
func (r *Regexp) MatchString(s string) bool { return r.make().MatchString(s) }

// FindString is the first match.
func (r *Regexp) FindString(s string) string { return r.make().FindString(s) }

// FindStringIndex is where the first match is.
func (r *Regexp) FindStringIndex(s string) []int { return r.make().FindStringIndex(s) }

// FindStringSubmatch is the first match and its groups.
func (r *Regexp) FindStringSubmatch(s string) []string { return r.make().FindStringSubmatch(s) }

// FindSubmatch is the first match and its groups.
func (r *Regexp) FindSubmatch(b []byte) [][]byte { return r.make().FindSubmatch(b) }

// FindAllSubmatch are the first n matches and their groups, all for n below zero.
func (r *Regexp) FindAllSubmatch(b []byte, n int) [][][]byte { return r.make().FindAllSubmatch(b, n) }

// FindAllStringSubmatchIndex are the places of the first n matches and their groups, all for n below zero.
func (r *Regexp) FindAllStringSubmatchIndex(s string, n int) [][]int {
	return r.make().FindAllStringSubmatchIndex(s, n)
}

// ReplaceAllFunc is b with every match replaced by what repl makes of it.
func (r *Regexp) ReplaceAllFunc(b []byte, repl func([]byte) []byte) []byte {
	return r.make().ReplaceAllFunc(b, repl)
}

// ReplaceAllString is s with every match replaced by repl, in which $1 is the first group.
func (r *Regexp) ReplaceAllString(s, repl string) string { return r.make().ReplaceAllString(s, repl) }

// ReplaceAllStringFunc is s with every match replaced by what repl makes of it.
func (r *Regexp) ReplaceAllStringFunc(s string, repl func(string) string) string {
	return r.make().ReplaceAllStringFunc(s, repl)
}
