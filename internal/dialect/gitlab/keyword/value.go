package keyword

import (
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Placed is a value and where it was written. Set is false where the keyword was not written (or was null); Value is
// then the documented default, which is the zero value unless the field says otherwise.
type Placed[T any] struct {
	Value T
	Place fault.Place
	Set   bool
}

// The placed scalars.
type (
	Text   = Placed[string]
	Flag   = Placed[bool]
	Number = Placed[int]
)

// Texts is a list of strings. A nil *Texts means that the keyword was not written; an empty list is a value.
type Texts struct {
	Items []Text
	Place fault.Place
}

// Strings is the values without their places; nil for a nil list.
func (t *Texts) Strings() []string {
	if t == nil {
		return nil
	}
	return Strings(t.Items)
}

// Strings is the values of texts without their places.
func Strings(texts []Text) []string {
	if texts == nil {
		return nil
	}
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = t.Value
	}
	return out
}

// Span is a length of time as GitLab writes it ("3h 30m", "1 week", "never" where that is allowed).
type Span struct {
	Text     string        // as written
	Duration time.Duration // zero with Never and with Variable
	Never    bool          // "never": no end
	Variable bool          // Text holds a variable; parse it with Duration after expansion
	Place    fault.Place
	Set      bool
}
