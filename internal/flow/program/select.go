package program

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Files lists what Paths select in a tree, Exclude taken out: regular files and symbolic links, slash-separated,
// sorted, each once. Patterns are gitlab-runner's (doublestar; a folder means all below it); one that leaves the
// tree selects nothing. Untracked is the caller's part: it needs git.
func (s Select) Files(tree fs.FS) ([]string, error) {
	set := map[string]bool{}
	for _, pattern := range s.Paths {
		if _, err := s.Match(tree, pattern, set); err != nil {
			return nil, err
		}
	}
	out := make([]string, 0, len(set))
	for p := range set {
		out = append(out, p)
	}
	slices.Sort(out)
	return out, nil
}

// Match adds what one pattern selects to set and returns how many paths it matched, excluded ones included.
func (s Select) Match(tree fs.FS, pattern string, set map[string]bool) (int, error) {
	n := 0
	err := Each(tree, pattern, func(p string, d fs.DirEntry) {
		if !d.Type().IsRegular() && d.Type()&fs.ModeSymlink == 0 {
			return
		}
		n++
		if !s.Excluded(p) {
			set[p] = true
		}
	})
	return n, err
}

// Each gives everything that one pattern matches and, of a folder, everything below it, whatever its kind; a path may
// come more than once. A folder that cannot be listed is given without what is in it, as gitlab-runner does.
func Each(tree fs.FS, pattern string, give func(p string, d fs.DirEntry)) error {
	clean, ok := Clean(pattern)
	if !ok {
		return nil
	}
	below := func(p string) error {
		info, err := fs.Lstat(tree, p)
		if err != nil {
			return nil //nolint:nilerr // not there, or the way there leaves the tree or is no folder: it matches nothing
		}
		if !info.IsDir() {
			give(p, fs.FileInfoToDirEntry(info))
			return nil
		}
		return fs.WalkDir(tree, p, func(p string, d fs.DirEntry, err error) error {
			switch {
			case err == nil:
				give(p, d)
			case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
				return nil
			}
			return err
		})
	}
	if !strings.ContainsAny(clean, `*?[{\`) {
		return below(clean) // a link is taken as it is, wherever it points
	}
	given := "" // the last folder given with all below it; ** comes to what is in it again
	err := doublestar.GlobWalk(tree, clean, func(p string, d fs.DirEntry) error {
		switch {
		case given != "" && strings.HasPrefix(p, given):
			return nil
		case !d.IsDir():
			give(p, d)
			return nil
		case p == ".":
			return below(p)
		}
		given = p + "/"
		return below(p)
	}, doublestar.WithNoFollow())
	if err != nil {
		return fmt.Errorf("match %q: %w", pattern, err)
	}
	return nil
}

// Excluded reports whether a path is taken out again.
func (s Select) Excluded(p string) bool {
	return slices.ContainsFunc(s.Exclude, func(pattern string) bool {
		clean, ok := Clean(pattern)
		if !ok {
			return false
		}
		match, err := doublestar.Match(clean, p)
		return err == nil && match
	})
}

// Clean brings a pattern into the form fs.FS wants; ok is false where it names something outside the tree.
func Clean(pattern string) (string, bool) {
	p := path.Clean(strings.TrimPrefix(pattern, "./"))
	if path.IsAbs(p) || p == ".." || strings.HasPrefix(p, "../") {
		return "", false
	}
	return p, true
}
