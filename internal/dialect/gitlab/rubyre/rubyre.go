// Package rubyre matches paths with the regular expressions of rules:changes:regexp and rules:exists:regexp, which
// GitLab gives to Ruby's own engine: unlike the RE2 of rules:if it has lookahead, lookbehind, backreferences, atomic
// groups and possessive quantifiers (GitLab CI/CD YAML syntax reference, rules:changes:regexp). The engine here
// backtracks too, but counts its steps, so that no pattern can keep it busy. It refuses what is not in the language it
// knows: subexpression calls, conditionals and absence operators.
package rubyre

import (
	"errors"
	"fmt"
)

const (
	// MaxLength is how many bytes a pattern may have after its variables are filled in, as in GitLab.
	MaxLength = 255
	// MaxSteps is how much work one path may make. GitLab allows 50 ms for it.
	MaxSteps = 500_000
	// MaxTotal is how much work all paths of one rule may make together. GitLab allows 2 s for it.
	MaxTotal = 20_000_000
)

// ErrSteps says that a match took more work than a path or a rule may make.
var ErrSteps = errors.New("the match takes too long")

// Regexp is a compiled pattern. It is read-only and safe for concurrent use.
type Regexp struct {
	root   node
	groups int
}

// Compile reads a pattern. The error says what cannot be read.
func Compile(text string) (*Regexp, error) {
	if len(text) > MaxLength {
		return nil, fmt.Errorf("the pattern has %d bytes, at most %d are allowed", len(text), MaxLength)
	}
	p := &parser{text: text, names: map[string]int{}}
	root, err := p.alternatives(flags{})
	if err == nil && p.at < len(text) {
		err = errors.New("a ) closes nothing")
	}
	if err == nil {
		err = p.resolve()
	}
	if err != nil {
		return nil, err
	}
	return &Regexp{root: root, groups: p.groups}, nil
}

// Match reports whether the pattern matches anywhere in s, and how many steps that took; ErrSteps where they were more
// than MaxSteps.
func (r *Regexp) Match(s string) (held bool, steps int, err error) {
	m := &machine{text: s, left: MaxSteps}
	for at := 0; at <= len(s) && m.left > 0; at = m.next(at) {
		m.groups = make([]span, r.groups+1)
		if r.root.match(m, at, func(int) bool { return true }) {
			return true, MaxSteps - m.left, nil
		}
		if at == len(s) {
			break
		}
	}
	if m.left <= 0 {
		return false, MaxSteps, ErrSteps
	}
	return false, MaxSteps - m.left, nil
}

// Any reports which of the paths is the first that matches.
func (r *Regexp) Any(paths []string) (path string, held bool, err error) {
	total := 0
	for _, p := range paths {
		held, steps, err := r.Match(p)
		if err != nil {
			return p, false, err
		}
		if held {
			return p, true, nil
		}
		if total += steps; total > MaxTotal {
			return p, false, ErrSteps
		}
	}
	return "", false, nil
}
