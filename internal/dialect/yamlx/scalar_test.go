package yamlx_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

// The forms of numbers as Psych states them, tried in its order and without any short cut.
var (
	textForm   = regexp.MustCompile(`(?m)^[^\d.:-]?[\pL_\s!@#$%^&*(){}<>|/\\~;=]+`)
	numberForm = regexp.MustCompile(`^(?:[-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}(\.[0-9_]*)?` +
		`|[-+]?([0-9][0-9_,]*)?\.[0-9]*([eE][-+][0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)` +
		`|[-+]?0b[0-1_,]+|[-+]?0[0-7_,]+|[-+]?(0|[1-9][0-9_,]*)|[-+]?0x[0-9a-fA-F_,]+)$`)
)

// TestPsychNumbersAreThoseOfItsForms holds the reader's short cuts against the plain rule.
func TestPsychNumbersAreThoseOfItsForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOfN(rapid.SampledFrom([]rune("0123456789.-+:_,xbeEfa ")), 1, 8, -1).Draw(t, "text")
		got := yamlx.TypeOf(yamlx.Psych, s)
		number := got == yamlx.Int || got == yamlx.Float
		want := !textForm.MatchString(s) && numberForm.MatchString(s)
		switch {
		case strings.Trim(s, "+-.") == "" || strings.ContainsAny(s, "xb"): // a dot alone, and prefixes without a digit
			return
		case number != want:
			t.Fatalf("%q is of type %v", s, got)
		}
	})
}
