package plan

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// Rule is one clause by which a file decides whether a job (or the pipeline) takes part, as written. It is filled where
// a plan holds a whole file (Plan.Whole), for those who translate files; who runs a plan goes by what was decided. All
// conditions that are set must hold; of several rules the first that holds decides.
type Rule struct {
	If      string   `json:"if,omitempty"` // in the dialect's own language; "" holds always
	Changes []string `json:"changes,omitempty"`
	Exists  []string `json:"exists,omitempty"`
	When    When     `json:"when,omitempty"` // "" is that of the job
	// AllowFailure is nil where the rule does not say.
	AllowFailure *bool      `json:"allow_failure,omitempty"`
	Variables    []Variable `json:"variables,omitempty"`
	// Other are the keys of the clause that this model does not take apart, such as changes:compare_to.
	Other []string    `json:"other,omitempty"`
	Place fault.Place `json:"place"`
}

// Trigger is one event that starts a workflow (GitHub's on), as written. A list that was not written is nil.
type Trigger struct {
	Event          string      `json:"event"`
	Types          []string    `json:"types,omitempty"`
	Branches       []string    `json:"branches,omitempty"`
	BranchesIgnore []string    `json:"branches_ignore,omitempty"`
	Tags           []string    `json:"tags,omitempty"`
	TagsIgnore     []string    `json:"tags_ignore,omitempty"`
	Paths          []string    `json:"paths,omitempty"`
	PathsIgnore    []string    `json:"paths_ignore,omitempty"`
	Crons          []string    `json:"crons,omitempty"`
	Inputs         []Input     `json:"inputs,omitempty"`
	Place          fault.Place `json:"place"`
}

// Input is a value that a person is asked for when a pipeline is started by hand.
type Input struct {
	Name        string      `json:"name"`
	Description string      `json:"description,omitempty"`
	Default     string      `json:"default,omitempty"`
	Type        string      `json:"type,omitempty"` // string, boolean, number, choice, environment; "" is string
	Options     []string    `json:"options,omitempty"`
	Required    bool        `json:"required,omitempty"`
	Place       fault.Place `json:"place"`
}

// Written is a key of a job whose value the file computes, so that a plan of the whole file cannot hold it, or for which
// the model has no field.
type Written struct {
	Key   string      `json:"key"` // timeout-minutes, strategy.matrix, permissions
	Text  string      `json:"text,omitempty"`
	Place fault.Place `json:"place"`
}
