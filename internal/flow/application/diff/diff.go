// Package diff tells how a wanted object and the live one differ in a way that counts: it merges what is wanted into what is
// live as an apply would, brings both to one form, leaves out what the rules ignore, masks Secrets and names each difference
// by its JSON pointer and who set it. It refuses nothing: a rule that cannot be evaluated is told as a problem and ignores
// nothing.
//
// Three-way comparison is what https://argo-cd.readthedocs.io/en/stable/user-guide/diff-strategies/ describes: a field that
// only live has, and that was not applied before, is no difference.
package diff

import (
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Difference is one field that differs, or one that would and is ignored.
type Difference struct {
	Path    string    `json:"path"`              // JSON pointer into the live object, or the wanted one where live has no such field
	Wanted  any       `json:"wanted,omitempty"`  // nil where it is not wanted
	Found   any       `json:"found,omitempty"`   // nil where it is not there
	Manager string    `json:"manager,omitempty"` // who set the live value last, by managedFields
	At      time.Time `json:"at,omitzero"`       // when; zero where unknown
	Ignored string    `json:"ignored,omitempty"` // why it does not count, "" where it does
}

// Rule leaves fields out of a comparison. Why is shown with what it ignores.
type Rule struct {
	Pointers []string // JSON pointers (RFC 6901)
	JQ       []string // jq path expressions
	Managers []string // fields that these managers own in live's managedFields
	Why      string
}

// Input is one object on all its sides.
type Input struct {
	Target, Live manifest.Object
	// Predicted is the server's answer to a dry run of a server-side apply of Target; nil compares three ways.
	Predicted manifest.Object
	// Webhooks counts what mutating webhooks changed in Predicted.
	Webhooks bool
	// Manager is the field manager of our own server-side applies.
	Manager string
	Options Options
}

// Options are what the settings say of all objects.
type Options struct {
	IgnoreStatus          string // crd, all, none; "" is all
	IgnoreAggregatedRoles bool
	KnownTypes            []KnownType
	MaskedAnnotations     []string // of Secrets
}

// KnownType says that a field of a custom kind has one of Kubernetes' own types.
type KnownType struct{ Group, Kind, Field, Type string }

// Output is how the object stands. Wanted, Found and Differences are masked.
type Output struct {
	Wanted, Found manifest.Object
	Differences   []Difference
	// Merged is Target with the ignored fields as live has them; nil where no rule ignores a field of it. It is not masked.
	Merged manifest.Object
	// Problems are rules that could not be evaluated.
	Problems []string
}

// Counts reports whether a difference is left that is not ignored.
func (o Output) Counts() bool {
	for _, d := range o.Differences {
		if d.Ignored == "" {
			return true
		}
	}
	return false
}
