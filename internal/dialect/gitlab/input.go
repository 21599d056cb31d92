package gitlab

import (
	"context"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Project is what the compiler asks of the work tree beyond the text of files. All paths are relative to the project,
// with slashes.
type Project interface {
	// Paths lists every file of the project (what git tracks and what is new and not ignored). It is asked at most once.
	Paths(ctx context.Context) ([]string, error)
	// Changed lists the files that differ from base. base "" means what the occasion compares with: the commit before
	// the push, the merge base of a merge request. known is false where there is nothing to compare with; an error
	// means that base is no ref of the repository.
	Changed(ctx context.Context, base string) (paths []string, known bool, err error)
	// Digest is a hexadecimal digest of a file's text, or with commits of the last commit that changed it; "" where
	// there is no such file.
	Digest(ctx context.Context, path string, commits bool) (string, error)
}

// Given are the variables from outside the file, by where GitLab would keep them.
type Given struct {
	Pipeline []plan.Variable // for this pipeline: --variable, a schedule's, a trigger's; they win over everything
	Project  []plan.Variable // of the project's settings: --variable-file, --secret
}

// parentage is what a child pipeline knows of where it came from.
type parentage struct {
	depth  int        // 0 for the pipeline of an event, 1 for its child
	parent *plan.Plan // nil at depth 0
	origin event.Name // of the event at the beginning of it all
}

// sourceOf is CI_PIPELINE_SOURCE for an event. Every value of GitLab's can be given as the event's name.
func sourceOf(name event.Name) string {
	switch name {
	case event.Push, event.Tag, "":
		return "push"
	case event.MergeRequest:
		return "merge_request_event"
	default:
		return string(name)
	}
}
