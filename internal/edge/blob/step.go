package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/sluice-delivery/sluice/internal/edge/glob"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Where is the job that a step with caches is of.
type Where struct {
	Paths  program.Paths
	Home   string   // as the job sees it, "" for none
	Scope  string   // the branch that caches are saved for, "" where branches do not matter
	Scopes []string // those that are looked in besides, in turn
}

// KeepCache carries out program.SaveCache. One with a version is a cache of actions/cache: its paths are patterns of
// @actions/glob and may lead out of the workspace. One without is GitLab's, as SaveCache keeps it.
func (s *Store) KeepCache(ctx context.Context, a program.SaveCache, w Where) (program.Saved, error) {
	if a.Version == "" {
		return s.SaveCache(ctx, a.Key, a.Select, w.Paths.Workspace)
	}
	paths := slices.Clone(a.Select.Paths)
	for _, out := range a.Select.Exclude {
		paths = append(paths, "!"+out)
	}
	return s.SavePaths(ctx, CachePaths{
		CacheID: CacheID{Key: a.Key, Version: a.Version, Scope: w.Scope}, Paths: paths, Once: a.Once,
		Space: glob.Of(w.Paths, w.Home), Dir: w.Paths.JobWorkspace, Home: w.Home,
	})
}

// BringCache carries out program.RestoreCache: found is the key of the cache that was brought, or that there is where
// only that was asked, and "" where there is none.
func (s *Store) BringCache(ctx context.Context, a program.RestoreCache, w Where) (found string, files int, err error) {
	f := Find{Keys: a.Keys, Prefixes: a.Prefixes, Version: a.Version}
	if w.Scope != "" || len(w.Scopes) > 0 {
		f.Scopes = append([]string{w.Scope}, w.Scopes...)
	}
	if a.Version == "" {
		f.Scopes = nil // GitLab's caches know no branches
		if len(a.Prefixes) == 0 && !a.Look {
			return s.RestoreCache(ctx, a.Keys, w.Paths.Workspace)
		}
	}
	space := glob.Of(w.Paths, w.Home)
	var hit Hit
	for {
		var ok bool
		if hit, ok, err = s.FindCache(ctx, f); err != nil || !ok {
			return "", 0, err
		}
		if !hit.lost(space) {
			break
		}
		if err := new(Swept).remove(ctx, hit.dir, hit.Meta); err != nil {
			return "", 0, fmt.Errorf("remove the cache %q, whose folders are gone: %w", hit.Name, err)
		}
	}
	if !hit.fits(space) {
		return "", 0, nil
	}
	if a.Look {
		return hit.Name, 0, nil
	}
	files, _, err = s.RestorePaths(ctx, hit, space)
	if err != nil {
		return "", files, err
	}
	return hit.Name, files, nil
}

// lost says whether something that the cache left where it is has gone since, as a job on this machine sees: such a cache
// is good for nothing any more, and would keep another one from being saved under its key.
func (h Hit) lost(space glob.Space) bool {
	return staying(space) && slices.ContainsFunc(h.Left, func(path string) bool {
		_, err := os.Lstat(path)
		return errors.Is(err, fs.ErrNotExist)
	})
}

func staying(space glob.Space) bool {
	return slices.ContainsFunc(space, func(m glob.Mount) bool { return m.Stays })
}

// fits says whether a job has all the folders that the cache is of. One in a container has no home of the machine's, and
// half a cache is none.
func (h Hit) fits(space glob.Space) bool {
	if len(h.Left) > 0 && !staying(space) {
		return false
	}
	return !slices.ContainsFunc(h.Parts, func(name string) bool {
		return !slices.ContainsFunc(space, func(m glob.Mount) bool { return m.Key() == name })
	})
}
