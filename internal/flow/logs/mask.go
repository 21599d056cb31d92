// Package logs is the path of every byte that leaves a job: secrets are masked, lines are numbered, sections are
// folded and control sequences are taken out, all while the bytes stream and in bounded memory.
// It reads and writes no files, knows no terminal and keeps no clock; bytes go in, bytes and events come out.
package logs

import (
	"fmt"
	"io"
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

// Masked is what stands in a log where a secret stood (GitLab Runner's word); Stars is GitHub's.
const (
	Masked = "[MASKED]"
	Stars  = "***"
)

// Mask is a set of secrets, compiled once and shared by all streams that must not show them. It does not change;
// With makes a larger one. The zero value and nil are the empty set.
//
// Each secret is found as it stands; in base64 (both alphabets, at every offset, with and without padding, wrapped
// or not), hexadecimal, percent-encoding, JSON, XML and HTML, and the quotings of shells; and each of its lines in
// the same forms.
type Mask struct {
	layers []layer // each more than twice as large as the next one
	shown  string  // in the place of a secret; "" is Masked
}

// layer is a part of the patterns. What a mask gains is compiled by itself and joined with layers that are not much
// larger, so that secrets which come one at a time, as a step may name ten thousand, cost what they would together.
type layer struct {
	patterns []string // sorted, each once and in one layer only
	machine  *automaton
}

// Showing is the mask with another text in the place of secrets. One that shows Stars also takes secrets that are too short
// for others, as they stand: GitHub hides whatever it is told to (documentation page "Workflow commands for GitHub Actions",
// Masking a value in a log, hides numbers from 0 to 32767).
func (m *Mask) Showing(text string) *Mask {
	out := Mask{shown: text}
	if m != nil {
		out.layers = m.layers
	}
	return &out
}

// cover is what stands in the place of a secret.
func (m *Mask) cover() string {
	if m.shown == "" {
		return Masked
	}
	return m.shown
}

// NewMask compiles secrets. The faults are warnings: a secret that is too short is not masked, one that is very
// large only as it stands. Empty secrets are passed over. The faults name a secret, if it has a name, and never show it.
func NewMask(secrets ...secret.Secret) (*Mask, fault.Faults) {
	return (*Mask)(nil).With(secrets...)
}

// With is the mask with more secrets. Where that adds nothing, it is the same mask.
func (m *Mask) With(secrets ...secret.Secret) (*Mask, fault.Faults) {
	m = cmpOr(m, &Mask{})
	var faults fault.Faults
	var fresh []string
	for _, s := range secrets {
		value := s.Reveal()
		if value == "" {
			continue
		}
		if f := m.check(s); f != nil {
			faults = append(faults, f)
			if f.Code == CodeShortSecret {
				continue
			}
		}
		if short(value) {
			if !m.has(value) {
				fresh = append(fresh, value)
			}
			continue
		}
		for _, p := range forms(value) {
			if !m.has(p) {
				fresh = append(fresh, p)
			}
		}
	}
	if len(fresh) == 0 {
		return m, faults
	}
	layers := m.layers
	for len(layers) > 0 && len(layers[len(layers)-1].patterns) <= 2*len(fresh) {
		fresh = slices.Concat(fresh, layers[len(layers)-1].patterns)
		layers = layers[:len(layers)-1]
	}
	slices.Sort(fresh)
	fresh = slices.Compact(fresh)
	return &Mask{layers: append(slices.Clip(layers), layer{fresh, build(fresh)}), shown: m.shown}, faults
}

// has reports whether the mask looks for a text already.
func (m *Mask) has(pattern string) bool {
	for _, l := range m.layers {
		if _, found := slices.BinarySearch(l.patterns, pattern); found {
			return true
		}
	}
	return false
}

// cmpOr is m, or the other mask where there is no m.
func cmpOr(m, other *Mask) *Mask {
	if m != nil {
		return m
	}
	return other
}

// check is the warning that a secret deserves, or nil.
func (m *Mask) check(s secret.Secret) *fault.Fault {
	value, name := s.Reveal(), "a secret"
	if s.Name() != "" {
		name = "the secret " + s.Name()
	}
	switch {
	case short(value) && m.shown != Stars || blank(value):
		return fault.New(CodeShortSecret, "%s is too short to be masked and would be shown in the log", name).WithSeverity(fault.Warning).
			WithHint("a secret needs at least %d characters, and more than white space", minSecret)
	case len(value) > maxEncoded:
		return fault.New(CodeLargeSecret, "%s is larger than %d KiB and masked only as it stands, not in encoded forms", name, maxEncoded>>10).WithSeverity(fault.Warning)
	}
	return nil
}

// Longest is the length of the longest text that the mask looks for, in bytes; 0 where it looks for none.
func (m *Mask) Longest() int {
	longest := 0
	if m != nil {
		for _, l := range m.layers {
			for _, p := range l.patterns {
				longest = max(longest, len(p))
			}
		}
	}
	return longest
}

// Text masks one text that is there as a whole: a message, a name, a summary.
func (m *Mask) Text(s string) string {
	if m == nil || len(m.layers) == 0 {
		return s
	}
	stream := m.Masker()
	return string(stream.Close(stream.Append(nil, []byte(s))))
}

// Masker starts a stream that shows none of the secrets.
func (m *Mask) Masker() *Masker { return &Masker{mask: cmpOr(m, &Mask{})} }

// Format keeps the patterns out of every print of a mask.
func (m *Mask) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[mask]") }

var _ fmt.Formatter = (*Mask)(nil)
