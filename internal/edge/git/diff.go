package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Resolve is the commit that a revision names.
func (r *Repository) Resolve(ctx context.Context, revision string) (string, error) {
	out, err := r.run(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}")
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok && (e.Exit == 1 || e.Exit == 128 && missing(e.Stderr)) {
			return "", fmt.Errorf("revision %q %w", revision, ErrNoRevision)
		}
		return "", err
	}
	return strings.TrimSpace(string(out)), nil
}

// ErrNoRevision says that there is no commit of that name.
var ErrNoRevision = errors.New("does not exist here")

// missing recognizes git's words for a name that is no commit.
func missing(stderr string) bool {
	for _, words := range []string{"Needed a single revision", "expected commit type", "bad revision", "unknown revision", "ambiguous argument", "not a valid object name"} {
		if strings.Contains(stderr, words) {
			return true
		}
	}
	return false
}

// MergeBase is the best common ancestor of two revisions, "" where they have none.
func (r *Repository) MergeBase(ctx context.Context, a, b string) (string, error) {
	out, err := r.run(ctx, "merge-base", "--end-of-options", a, b)
	if e, ok := errors.AsType[*Error](err); ok && e.Exit == 1 {
		return "", nil
	}
	return strings.TrimSpace(string(out)), err
}

// Changed lists the paths, relative to the root, that differ between base and the work tree: committed since, staged,
// unstaged and untracked. Renames give both names.
func (r *Repository) Changed(ctx context.Context, base string) ([]string, error) {
	var out []byte
	var err error
	if base == "" || base == Zero {
		out, err = r.run(ctx, "ls-files", "-z", "--cached")
	} else {
		out, err = r.run(ctx, "diff", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty", "-z", "--end-of-options", base, "--")
	}
	if err != nil {
		return nil, err
	}
	untracked, err := r.run(ctx, "ls-files", "-z", "--others", "--exclude-standard")
	if err != nil {
		return nil, err
	}
	paths := append(split(out), split(untracked)...)
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// ChangedBetween lists the paths that differ between two commits, the work tree left out.
func (r *Repository) ChangedBetween(ctx context.Context, base, head string) ([]string, error) {
	out, err := r.run(ctx, "diff", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv", "-z", "--end-of-options", base, head, "--")
	return split(out), err
}

// Untracked lists what git does not track in a work tree, ignored files included, relative to it (GitLab's
// artifacts:untracked keeps ignored files too). The repository is the one whose .git stands in the folder: neither one
// around it nor a core.worktree that a job has set is heeded. ErrNoRepository where there is none.
func Untracked(ctx context.Context, dir string) ([]string, error) {
	if _, err := os.Lstat(filepath.Join(dir, ".git")); err != nil {
		return nil, ErrNoRepository
	}
	out, err := Run(ctx, dir, "--git-dir=.git", "--work-tree=.", "ls-files", "-z", "--others")
	if e, ok := errors.AsType[*Error](err); ok && e.Exit == 128 {
		return nil, fmt.Errorf("%w: %w", ErrNoRepository, err)
	}
	return split(out), err
}

// ErrNoRepository says that a folder is no repository that git can read.
var ErrNoRepository = errors.New("not a git repository")

func split(out []byte) []string {
	var paths []string
	for p := range bytes.SplitSeq(out, []byte{0}) {
		if len(p) > 0 {
			paths = append(paths, string(p))
		}
	}
	return paths
}

// Ignored reports whether git ignores a path.
func Ignored(ctx context.Context, dir, path string) (bool, error) {
	args := []string{"check-ignore", "-q", "--", "./" + path}
	cmd := Command(ctx, dir, args...)
	// check-ignore takes names as they stand, and refuses to be asked to.
	cmd.Args = slices.DeleteFunc(cmd.Args, func(a string) bool { return a == "--literal-pathspecs" })
	_, err := finish(ctx, cmd, args)
	if e, ok := errors.AsType[*Error](err); ok && e.Exit == 1 {
		return false, nil
	}
	return err == nil, err
}
