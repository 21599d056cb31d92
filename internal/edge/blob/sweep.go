package blob

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Swept tells what a clean-up removed.
type Swept struct {
	Sets  int   // artifacts, reports or caches
	Bytes int64 // that were in them
}

// Expire removes the artifacts and reports of all runs whose time has passed at now (CI/CD YAML syntax reference,
// artifacts:expire_in). Those without an end stay.
func (s *Store) Expire(ctx context.Context, now time.Time) (Swept, error) {
	var swept Swept
	for _, pattern := range []string{"runs/*/artifacts/*", "runs/*/reports/*/*", "runs/*/named/*"} {
		err := s.each(pattern, func(dir string, meta Meta, _ time.Time) error {
			if meta.Expires == nil || meta.Expires.After(now) {
				return nil
			}
			return swept.remove(ctx, dir, meta)
		})
		if err != nil {
			return swept, fmt.Errorf("remove expired artifacts: %w", err)
		}
	}
	return swept, nil
}

// SweepCaches removes the caches that nobody saved or restored since before, but for the newest keep of all. It also
// removes what a process that died in the middle of saving left a day ago.
func (s *Store) SweepCaches(ctx context.Context, before time.Time, keep int) (Swept, error) {
	var swept Swept
	type cache struct {
		dir  string
		meta Meta
		used time.Time
	}
	var caches []cache
	err := s.each("cache/*", func(dir string, meta Meta, used time.Time) error {
		caches = append(caches, cache{dir, meta, used})
		return nil
	})
	if err != nil {
		return swept, fmt.Errorf("list the caches: %w", err)
	}
	slices.SortFunc(caches, func(a, b cache) int { return cmp.Or(b.used.Compare(a.used), strings.Compare(a.dir, b.dir)) })
	for _, c := range caches[min(keep, len(caches)):] {
		if c.used.Before(before) {
			if err := swept.remove(ctx, c.dir, c.meta); err != nil {
				return swept, fmt.Errorf("remove the cache %q: %w", c.meta.Name, err)
			}
		}
	}
	return swept, s.litter(time.Now().Add(-24 * time.Hour))
}

// each gives the stored sets that a pattern below the store finds, with when they were last used.
func (s *Store) each(pattern string, give func(dir string, meta Meta, used time.Time) error) error {
	dirs, err := filepath.Glob(filepath.Join(escaped(s.Dir), pattern))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		meta, err := readMeta(dir)
		if err != nil || strings.HasPrefix(filepath.Base(dir), ".") {
			continue // not a set, or not yet
		}
		info, err := os.Stat(filepath.Join(dir, metaFile))
		if err != nil {
			continue // gone meanwhile
		}
		if err := give(dir, meta, info.ModTime()); err != nil {
			return err
		}
	}
	return nil
}

// escaped keeps a folder's own name from being a pattern.
func escaped(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// remove takes a set away at once and then removes what was in it.
func (w *Swept) remove(ctx context.Context, dir string, meta Meta) error {
	aside, err := os.MkdirTemp(filepath.Dir(dir), freshPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(aside)
	unlock, err := lock(ctx, dir, exclusive)
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.Rename(dir, filepath.Join(aside, "set")); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	w.Sets++
	w.Bytes += meta.Bytes
	return os.RemoveAll(aside)
}

// litter removes unfinished caches that are older than a time.
func (s *Store) litter(before time.Time) error {
	dirs, err := filepath.Glob(filepath.Join(escaped(s.Dir), "cache", freshPrefix+"*"))
	for _, dir := range dirs {
		if info, statErr := os.Stat(dir); statErr == nil && info.ModTime().Before(before) {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	return err
}
