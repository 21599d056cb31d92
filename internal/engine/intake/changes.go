package intake

import (
	"context"
	"fmt"
	"strings"

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
		return c.compared(ctx, head, compareTo)
	}
	switch o := c.Occasion; {
	case o.Merge != nil:
		return o.Merge.BaseSHA, o.Merge.BaseSHA != "", nil
	case o.Name != event.Push:
		return "", false, nil
	}
	base, found, err := c.pushed(ctx, head)
	if err != nil || found && base != head {
		return base, base != "", err
	}
	return c.Occasion.Before, !none(c.Occasion.Before), nil
}

// pushed is what a push of the branch builds on: what its upstream has already, else where it left the default branch.
// found is false where neither is in this clone; then, as where nothing is new, the last commit alone counts.
func (c *Changes) pushed(ctx context.Context, head string) (base string, found bool, err error) {
	o := c.Occasion
	if c.Upstream != "" {
		if base, found, err = c.mergeBase(ctx, head, c.Upstream); found || err != nil {
			return base, found, err
		}
	}
	if o.Branch == o.Repository.DefaultBranch {
		return "", false, nil
	}
	base, found, err = c.mergeBase(ctx, head, o.Repository.DefaultBranch, "refs/remotes/origin/"+o.Repository.DefaultBranch)
	return base, found && base != "", err
}

// compared is where the commit left the revision that rules:changes:compare_to names: a branch, also by its full name, a
// tag or a commit (CI/CD YAML syntax reference, rules:changes:compare_to).
func (c *Changes) compared(ctx context.Context, head, compareTo string) (string, bool, error) {
	base, found, err := c.mergeBase(ctx, head, compareTo, "refs/remotes/origin/"+strings.TrimPrefix(compareTo, "refs/heads/"))
	if err == nil && !found {
		return "", false, fault.New(CodeHistory, "%q is not in this clone, so changes against it cannot be listed", compareTo).
			WithHint("fetch it: git fetch origin %s", compareTo)
	}
	return base, base != "", err
}

// mergeBase is where head left the first of the revisions that is in this clone, "" where they have nothing in common.
func (c *Changes) mergeBase(ctx context.Context, head string, revisions ...string) (base string, found bool, err error) {
	for _, revision := range revisions {
		sha, err := c.Diff.Resolve(ctx, revision)
		if ctx.Err() != nil {
			return "", false, context.Cause(ctx)
		}
		if err != nil {
			continue // not here
		}
		if none(head) {
			return "", true, nil // nothing is committed, so there is nothing in common
		}
		base, err := c.Diff.MergeBase(ctx, sha, head)
		return base, true, err
	}
	return "", false, nil
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
