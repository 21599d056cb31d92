package program

import (
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
	clean, ok := Clean(pattern)
	if !ok {
		return 0, nil
	}
	n := 0
	add := func(p string, d fs.DirEntry) {
		if d.IsDir() || !d.Type().IsRegular() && d.Type()&fs.ModeSymlink == 0 {
			return
		}
		n++
		if !s.Excluded(p) {
			set[p] = true
		}
	}
	err := doublestar.GlobWalk(tree, clean, func(p string, d fs.DirEntry) error {
		if !d.IsDir() {
			add(p, d)
			return nil
		}
		return fs.WalkDir(tree, p, func(below string, d fs.DirEntry, err error) error {
			if err == nil {
				add(below, d)
			}
			return err
		})
	}, doublestar.WithNoFollow())
	if err != nil {
		return n, fmt.Errorf("match %q: %w", pattern, err)
	}
	return n, nil
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
