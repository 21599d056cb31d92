package intake

import (
	"context"
	"fmt"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Diff lists the paths that the work tree changes against a commit.
type Diff interface {
	History
	Changed(ctx context.Context, base string) ([]string, error)
}

// Changes answers rules:changes for one occasion. Since, if set, is what --changed-since said.
type Changes struct {
	Occasion event.Occasion
	Since    string
	Upstream string // remote-tracking branch of what is checked out, "" without one
	Diff     Diff
	// Paths, if not nil, are the changed paths whatever the repository says: what a watched folder reported.
	Paths []string

	cache map[string][]string
}

// Changed lists the changed paths, uncommitted work included. known is false where the event has no diff: GitLab takes
// every rules:changes for true then (tags, schedules, a first push). compareTo is rules:changes:compare_to, "" without.
func (c *Changes) Changed(ctx context.Context, compareTo string) (paths []string, known bool, err error) {
	if c.Paths != nil {
		return c.Paths, true, nil
	}
	base, known, err := c.base(ctx, compareTo)
	if err != nil || !known {
		return nil, known, err
	}
	if paths, ok := c.cache[base]; ok {
		return paths, true, nil
	}
	paths, err = c.Diff.Changed(ctx, base)
	if err != nil {
		return nil, false, fmt.Errorf("list what changed since %s: %w", base, err)
	}
	if c.cache == nil {
		c.cache = map[string][]string{}
	}
	c.cache[base] = paths
	return paths, true, nil
}

// base is the commit that counts as before.
func (c *Changes) base(ctx context.Context, compareTo string) (string, bool, error) {
	head := c.Occasion.Commit.SHA
	if c.Since != "" {
		sha, err := c.Diff.Resolve(ctx, c.Since)
		if err != nil {
			return "", false, fault.New(CodeHistory, "--changed-since: %v", err)
		}
		return sha, true, nil
	}
	if compareTo != "" {
		return c.mergeBase(ctx, head, compareTo, "origin/"+compareTo)
	}
	switch o := c.Occasion; {
	case o.Merge != nil:
		return o.Merge.BaseSHA, o.Merge.BaseSHA != "", nil
	case o.Name != event.Push:
		return "", false, nil
	case c.Upstream != "":
		// What is pushed already is no change of this push; when all is, the last commit counts.
		if base, known, err := c.mergeBase(ctx, head, c.Upstream); err != nil || !known || base != head {
			return base, known, err
		}
	case o.Branch != o.Repository.DefaultBranch:
		base, known, err := c.mergeBase(ctx, head, o.Repository.DefaultBranch, "origin/"+o.Repository.DefaultBranch)
		if err == nil && known && base != head {
			return base, true, nil
		}
	}
	return c.Occasion.Before, !none(c.Occasion.Before), nil
}

func (c *Changes) mergeBase(ctx context.Context, head string, revisions ...string) (string, bool, error) {
	for _, revision := range revisions {
		sha, err := c.Diff.Resolve(ctx, revision)
		if err != nil {
			continue
		}
		base, err := c.Diff.MergeBase(ctx, sha, head)
		return base, base != "", err
	}
	return "", false, fault.New(CodeHistory, "%q is not in this clone, so changes against it cannot be listed", revisions[0]).
		WithHint("fetch it: git fetch origin %s", revisions[0])
}

// none reports whether a commit id is the one that stands for no commit.
func none(sha string) bool {
	for _, c := range sha {
		if c != '0' {
			return false
		}
	}
	return true
}
