package keyword

import (
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/expr"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Rules is a list of rules, nested lists flattened; the first that matches decides.
type Rules struct {
	Items []Rule
	Place fault.Place
}

// Rule is one item of rules: or of workflow:rules. All written conditions (If, Changes, Exists) must hold.
type Rule struct {
	If      Condition
	Changes *Changes
	Exists  *Exists

	When          Placed[plan.When]
	StartIn       Span
	AllowFailure  *AllowFailure // ExitCodes is never set here
	Variables     []Variable
	Needs         *Needs // replaces the job's
	Interruptible Flag
	AutoCancel    *AutoCancel // of a workflow rule
	Place         fault.Place
}

// Condition is an expression of the rules:if language. Parsed is shared by all conditions with the same text and nil
// where a fault was told for it.
type Condition struct {
	Text   string
	Parsed *expr.Expr
	Place  fault.Place // of its first character
	Set    bool
}

// Changes is rules:changes. Paths may hold variables and patterns; Regexp, which stands in their place, variables.
type Changes struct {
	Paths     []Text
	Regexp    Text
	CompareTo Text
	Place     fault.Place
}

// Exists is rules:exists. Paths may hold variables and patterns; Regexp, which stands in their place, variables;
// Project and Ref name another project's files; they may hold variables.
type Exists struct {
	Paths   []Text
	Regexp  Text
	Project Text
	Ref     Text
	Place   fault.Place
}

// Policy is only: or except:. The simple form (a list) sets Refs alone. All written parts must hold for only, any for
// except.
type Policy struct {
	Refs       *Texts      // names, keywords (branches, tags, pushes …), /patterns/ and name@path
	Variables  []Condition // any of them
	Changes    *Texts
	Kubernetes Flag // kubernetes: active
	Place      fault.Place
}
