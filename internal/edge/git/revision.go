package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Revision is the tree of one commit of a clone, which may be bare. Nothing is checked out.
type Revision struct {
	Dir string // of the clone
	SHA string
}

// At finds a revision of a clone: a commit, tag, branch or remote branch; "" is its HEAD. fs.ErrNotExist where there is
// none.
func At(ctx context.Context, dir, ref string) (*Revision, error) {
	if ref == "" {
		ref = "HEAD"
	}
	clone := &Repository{Root: dir}
	for _, name := range []string{ref, "refs/tags/" + ref, "refs/remotes/origin/" + ref} {
		sha, err := clone.Resolve(ctx, name)
		if err == nil {
			return &Revision{Dir: dir, SHA: sha}, nil
		}
		if !errors.Is(err, ErrNoRevision) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s has no revision %q: %w", dir, ref, fs.ErrNotExist)
}

// Read is the text of a file of the commit.
func (r *Revision) Read(ctx context.Context, name string) ([]byte, error) {
	clean := path.Clean(strings.TrimLeft(name, "/"))
	if clean == "." || clean == ".." || strings.HasPrefix(clean, "../") {
		return nil, fs.ErrNotExist
	}
	out, err := Run(ctx, r.Dir, "cat-file", "blob", r.SHA+":"+clean)
	if _, ok := errors.AsType[*Error](err); ok {
		return nil, fmt.Errorf("%s at %s: %w", name, r.SHA[:min(len(r.SHA), 8)], fs.ErrNotExist)
	}
	return out, err
}

// Paths lists the files of the commit, sorted.
func (r *Revision) Paths(ctx context.Context) ([]string, error) {
	out, err := Run(ctx, r.Dir, "ls-tree", "-r", "-z", "--name-only", r.SHA)
	paths := split(out)
	slices.Sort(paths)
	return paths, err
}

// Tags lists the clone's tags.
func Tags(ctx context.Context, dir string) ([]string, error) {
	out, err := Run(ctx, dir, "for-each-ref", "--format=%(refname:strip=2)", "refs/tags")
	return strings.Fields(string(out)), err
}
