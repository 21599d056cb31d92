package workflow

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Support says how a key is carried out here.
type Support string

// The kinds of support.
const (
	Works   Support = "works"
	Noted   Support = "works with a note" // or does less here than on GitHub; Note says what
	Refused Support = "refused"           // an error with Note as its reason
)

// Key is one line of the tables: a key by its whole path, as GitHub's reference writes it.
type Key struct {
	Path    string // jobs.<job_id>.steps[*].run
	Means   string // in a line
	Support Support
	// Note says what happens here where that is less than or different from GitHub.
	Note string
	// Tell is how a use of the key is told, once a file; "" where the note is for the documentation only.
	Tell fault.Severity
}

// Name is the last part of the path, without [*].
func (k *Key) Name() string {
	return strings.TrimSuffix(k.Path[strings.LastIndexByte(k.Path, '.')+1:], "[*]")
}

// Parent is the path without its last part, "" for a key of the first level.
func (k *Key) Parent() string { return k.Path[:max(strings.LastIndexByte(k.Path, '.'), 0)] }

var (
	scopes = map[string]map[string]*Key{} // by parent; those of actions below "action"
	order  = map[string][]string{}
)

func init() {
	index(Keys, "")
	index(ActionKeys, actionScope)
}

// actionScope stands before the paths of action.yml in the index.
const actionScope = "action "

func index(table []Key, prefix string) {
	for i := range table {
		k := &table[i]
		if k.Support == "" {
			k.Support = Works
			if k.Note != "" {
				k.Support = Noted
			}
		}
		if strings.HasPrefix(k.Name(), "<") {
			continue
		}
		parent := prefix + k.Parent()
		if scopes[parent] == nil {
			scopes[parent] = map[string]*Key{}
		}
		scopes[parent][k.Name()] = k
		order[parent] = append(order[parent], k.Name())
	}
}

// namesOf are the keys known below a path, in the order of the table.
func namesOf(path string) []string { return order[path] }

// elsewhere names a place that knows a key, for a hint about indentation; "" where there is none or it is too common.
func elsewhere(name, path string) string {
	for _, at := range []struct{ path, words string }{
		{stepPath, "a step"},
		{jobPath, "a job"},
		{"", "the workflow"},
		{jobPath + ".strategy", "strategy"},
		{jobPath + ".defaults.run", "defaults.run"},
		{"on.<event_name>", "an event"},
		{jobPath + ".container", "a container"},
	} {
		if at.path != path && scopes[at.path][name] != nil && (path == "" || strings.HasPrefix(path, jobPath)) {
			return at.words
		}
	}
	return ""
}

// KeyAt is the line of the table of workflows for a path, or nil.
func KeyAt(path string) *Key {
	if i := slices.IndexFunc(Keys, func(k Key) bool { return k.Path == path }); i >= 0 {
		return &Keys[i]
	}
	return nil
}

const (
	jobPath  = "jobs.<job_id>"
	stepPath = "jobs.<job_id>.steps[*]"
)
