package github

import (
	"maps"
	"slices"
)

// NativeAction is a built-in action, for the documentation.
type NativeAction struct {
	Name string // owner/repo/path
	Note string // what is different from the real one
}

// nativeNotes say what differs from the real actions.
var nativeNotes = map[string]string{
	"actions/checkout":              "without `repository` and `ref` it is the work tree as it is, uncommitted work included; another ref is that of your clone; another repository comes from where actions are kept",
	"actions/cache":                 "kept in .sluice; folders outside of the workspace stay where they are",
	"actions/cache/restore":         "as actions/cache",
	"actions/cache/save":            "as actions/cache",
	"actions/upload-artifact":       "version 4; kept in .sluice/runs; compression-level has no effect",
	"actions/upload-artifact/merge": "version 4",
	"actions/download-artifact":     "version 4; of this run, or with run-id of an earlier one here",
	"actions/setup-go":              "finds what this machine has; a version that go.mod states is a least one",
	"actions/setup-node":            "finds what this machine has",
	"actions/setup-python":          "finds what this machine has",
	"actions/setup-java":            "finds what this machine has, whatever the distribution",
	"actions/github-script":         "needs Node and the npm packages that the script uses",
}

// Natives are the built-in actions by name.
func Natives() []NativeAction {
	var out []NativeAction
	for _, name := range slices.Sorted(maps.Keys(natives)) {
		out = append(out, NativeAction{name, nativeNotes[name]})
	}
	return out
}
