package github

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
)

// scopes are what permissions can be about (workflow syntax, permissions).
var scopes = []string{
	"actions", "artifact-metadata", "attestations", "checks", "contents", "deployments", "discussions", "id-token", "issues",
	"models", "packages", "pages", "pull-requests", "repository-projects", "security-events", "statuses",
}

var levels = map[string]int{"none": 0, "read": 1, "write": 2}

// levelsOf are the levels by scope that a permissions: gives; nil where it is not written. A scope that is not named has
// none.
func levelsOf(p workflow.Permissions) map[string]string {
	if !p.Set {
		return nil
	}
	out := make(map[string]string, len(scopes))
	all := strings.TrimSuffix(p.All, "-all")
	for _, s := range scopes {
		out[s] = first(all, "none")
	}
	if all == "read" {
		out["id-token"] = "none" // it can only be written
	}
	if all == "write" {
		out["models"] = "read"
	}
	for _, s := range p.Scopes {
		out[s.Name.Value] = s.Value.Value
	}
	return out
}

// permissions are those of a job's token: its own, else the workflow's, else what the caller lets it have.
func permissions(f *Frame, j *workflow.Job) map[string]string {
	if own := levelsOf(j.Permissions); own != nil {
		return own
	}
	if whole := levelsOf(f.File.Permissions); whole != nil {
		return whole
	}
	return f.Permissions
}

// exceeds says which of the permissions asked for are more than those allowed; allowed nil has no limit.
func exceeds(asked, allowed map[string]string) (more, most string) {
	if allowed == nil {
		return "", ""
	}
	var a, b []string
	for _, scope := range slices.Sorted(maps.Keys(asked)) {
		if levels[asked[scope]] > levels[allowed[scope]] {
			a = append(a, fmt.Sprintf("%s: %s", scope, asked[scope]))
			b = append(b, fmt.Sprintf("%s: %s", scope, first(allowed[scope], "none")))
		}
	}
	return strings.Join(a, ", "), strings.Join(b, ", ")
}
