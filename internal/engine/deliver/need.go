package deliver

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// refreshAnnotation asks for a comparison: normal, or hard, which renders anew whatever is cached.
const refreshAnnotation = "argocd.argoproj.io/refresh"

// Decode reads an Application. The error says which field is of the wrong type.
func Decode(o manifest.Object) (application.Application, error) {
	app := application.Application{Object: o}
	if m := o.Sub("spec"); m != nil {
		if err := m.Into(&app.Spec); err != nil {
			return app, err
		}
	}
	if m := o.Sub("status"); m != nil {
		if err := m.Into(&app.Status); err != nil {
			app.Status = application.Status{} // written by somebody else: it is made anew
		}
	}
	if m := o.Sub("operation"); m != nil {
		app.Operation = &application.Operation{}
		if err := m.Into(app.Operation); err != nil {
			return app, err
		}
	}
	return app, nil
}

// wanted says which comparison an Application needs now, and whether it renders anew. asked is what was asked for inside
// of this process; wait is after which time a comparison is too old, zero for never.
func wanted(app application.Application, asked level, due bool) (l level, hard bool) {
	if how, ok := app.Object.Annotations()[refreshAnnotation]; ok {
		return forced, how == "hard"
	}
	to := app.Status.Sync.ComparedTo
	switch {
	case app.Status.ReconciledAt == nil, due:
		return latest, false
	case !same(app.Spec.All(), comparedSources(app)):
		return forced, false
	case app.Spec.Destination != to.Destination, !same(app.Spec.IgnoreDifferences, to.IgnoreDifferences):
		return max(asked, recent), false
	case namespaceChanged(app):
		return max(asked, recent), false
	}
	return asked, false
}

func comparedSources(app application.Application) []application.Source {
	to := app.Status.Sync.ComparedTo
	if len(app.Spec.Sources) > 0 {
		return to.Sources
	}
	if to.Source.RepoURL == "" {
		return nil
	}
	return []application.Source{to.Source}
}

// same compares two values by their JSON form, in which what is empty is left out.
func same(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	if err1 != nil || err2 != nil {
		return false
	}
	if len(x) <= 4 && len(y) <= 4 { // null, [] and {}
		return strings.Trim(string(x), "nul[]{}") == strings.Trim(string(y), "nul[]{}")
	}
	return string(x) == string(y)
}

// namespaceChanged reports whether the managed namespace's metadata is not what the last sync gave it.
func namespaceChanged(app application.Application) bool {
	s := app.Status.OperationState
	if s == nil || s.SyncResult == nil {
		return false
	}
	var want *application.NamespaceMeta
	if app.Spec.SyncPolicy != nil {
		want = app.Spec.SyncPolicy.ManagedNamespaceMetadata
	}
	return !same(want, s.SyncResult.ManagedNamespaceMetadata)
}

// setConditions puts fresh conditions in the place of those of the evaluated types. One that stays as it was keeps its time.
func setConditions(list, fresh []application.Condition, now time.Time, evaluated ...string) []application.Condition {
	var out []application.Condition
	for _, c := range list {
		if !slices.Contains(evaluated, c.Type) {
			out = append(out, c)
		}
	}
	for _, c := range fresh {
		at := now
		for _, old := range list {
			if old.Type == c.Type && old.Message == c.Message && old.LastTransitionTime != nil {
				at = *old.LastTransitionTime
			}
		}
		c.LastTransitionTime = &at
		out = append(out, c)
	}
	return out
}

// The types of conditions that this package sets; those of a comparison come from flow/application.
const (
	invalidSpec     = "InvalidSpecError"
	comparisonError = "ComparisonError"
	unknownError    = "UnknownError"
	syncError       = "SyncError"
	deletionError   = "DeletionError"
	orphanWarning   = "OrphanedResourceWarning"
)

// compared are the types that a comparison evaluates.
var compared = []string{comparisonError, "SharedResourceWarning", "RepeatedResourceWarning", "ExcludedResourceWarning"}

// pick are the conditions of some types.
func pick(list []application.Condition, types ...string) []application.Condition {
	var out []application.Condition
	for _, c := range list {
		if slices.Contains(types, c.Type) {
			out = append(out, c)
		}
	}
	return out
}

// formatConditions is conditions in the one line of an operation's message.
func formatConditions(list []application.Condition) string {
	var lines []string
	for _, c := range list {
		lines = append(lines, c.Type+": "+c.Message)
	}
	return strings.Join(lines, ";")
}
