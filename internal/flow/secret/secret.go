// Package secret is a value that must not be seen: it cannot be printed, formatted, logged or encoded by accident.
// It stores nothing, encrypts nothing and fetches nothing; whoever needs the text says so with Reveal.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
)

// Hidden is what every way of printing a Secret gives.
const Hidden = "[secret]"

// Secret holds a text that no formatter, encoder or logger can reach. The zero value is the empty secret.
//
// The text lies behind two pointers: fmt does not call methods of unexported fields, so a Secret inside somebody
// else's private field would otherwise be printed in full; and for a verb that it does not know, fmt follows the
// first pointer to a struct, but never a second.
type Secret struct {
	box **box
}

type box struct {
	name, value string
}

// New hides a value that has no name.
func New(value string) Secret { return Named("", value) }

// Named hides a value under a name that may be shown, such as the variable it came from.
func Named(name, value string) Secret {
	b := &box{name: name, value: value}
	return Secret{&b}
}

// Reveal gives the text. Every call of it is a place to look at in a review.
func (s Secret) Reveal() string {
	if s.box == nil {
		return ""
	}
	return (*s.box).value
}

// Name is what the secret may be called in a message, or "".
func (s Secret) Name() string {
	if s.box == nil {
		return ""
	}
	return (*s.box).name
}

// IsZero reports whether there is nothing to hide.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Equal compares two secrets without telling by its duration how much of them is the same.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String is Hidden.
func (Secret) String() string { return Hidden }

// GoString is Hidden.
func (Secret) GoString() string { return Hidden }

// Format writes Hidden for every verb and flag.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Hidden) }

// MarshalText is Hidden; it serves XML, maps' keys, log/slog and the text formats.
func (Secret) MarshalText() ([]byte, error) { return []byte(Hidden), nil }

// MarshalJSON is Hidden as a JSON string.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + Hidden + `"`), nil }

// MarshalYAML is Hidden as a YAML string.
func (Secret) MarshalYAML() (any, error) { return Hidden, nil }
