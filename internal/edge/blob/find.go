package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// CacheID is what makes a cache one of its own.
type CacheID struct {
	Key     string
	Version string // of its content, such as a digest of the paths in it
	Scope   string // the branch that it belongs to, "" where that does not matter
}

func (s *Store) idDir(kind string, id CacheID) string {
	if kind == kindCache && id.Version == "" && id.Scope == "" {
		return s.cacheDir(id.Key)
	}
	return s.cacheDir(strings.Join([]string{id.Key, kind, id.Version, id.Scope}, "\x00"))
}

// The kinds of caches.
const (
	kindCache = "cache"   // of native steps
	kindFile  = "toolkit" // one file of a client, which only clients can read
)

// Find says which caches do. Keys are looked for first, each as it is; then Prefixes, each for the newest cache whose
// key begins so (GitHub Docs, "Dependency caching reference", cache key matching). All that is done for each of Scopes in
// turn; without any, scopes do not matter.
type Find struct {
	Keys     []string
	Prefixes []string
	Version  string
	Scopes   []string
}

// Hit is a cache that was found.
type Hit struct {
	Meta
	dir string
}

// FindCache finds a cache of native steps; ok is false where none does.
func (s *Store) FindCache(ctx context.Context, f Find) (hit Hit, ok bool, err error) {
	return s.find(ctx, kindCache, f)
}

// FindFile finds a cache that AddFile kept.
func (s *Store) FindFile(ctx context.Context, f Find) (hit Hit, ok bool, err error) {
	return s.find(ctx, kindFile, f)
}

func (s *Store) find(ctx context.Context, kind string, f Find) (Hit, bool, error) {
	var all []Hit
	err := s.each("cache/*", func(dir string, meta Meta, _ time.Time) error {
		if meta.Kind == kind && meta.Version == f.Version {
			all = append(all, Hit{meta, dir})
		}
		return ctx.Err()
	})
	if err != nil {
		return Hit{}, false, fmt.Errorf("list the caches: %w", err)
	}
	scopes := f.Scopes
	if len(scopes) == 0 {
		scopes = []string{anyScope}
	}
	for _, scope := range scopes {
		for _, key := range f.Keys {
			if hit, ok := newest(all, scope, func(name string) bool { return name == key }); ok {
				return hit, true, nil
			}
		}
		for _, prefix := range f.Prefixes {
			if hit, ok := newest(all, scope, func(name string) bool { return strings.HasPrefix(name, prefix) }); ok {
				return hit, true, nil
			}
		}
	}
	return Hit{}, false, nil
}

// anyScope is no branch's name.
const anyScope = "\x00"

func newest(all []Hit, scope string, fits func(string) bool) (best Hit, ok bool) {
	for _, h := range all {
		if (scope == anyScope || h.Scope == scope) && fits(h.Name) && (!ok || h.Created.After(best.Created)) {
			best, ok = h, true
		}
	}
	return best, ok
}

// HasFile says whether a cache is kept by AddFile.
func (s *Store) HasFile(id CacheID) bool { return s.has(s.idDir(kindFile, id)) }

func (s *Store) has(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, metaFile))
	return err == nil
}

// AddFile keeps a file as a cache; it is moved and must be on the store's file system. kept is false where that cache is
// there already: it stays as it was, and so does the file.
func (s *Store) AddFile(ctx context.Context, id CacheID, file string) (meta Meta, kept bool, err error) {
	info, err := os.Lstat(file)
	if err != nil {
		return meta, false, fmt.Errorf("keep the cache %q: %w", id.Key, err)
	}
	meta = Meta{Name: id.Key, Kind: kindFile, Form: formFile, Version: id.Version, Scope: id.Scope, Files: 1, Bytes: info.Size(), Created: time.Now()}
	kept, err = s.unlessKept(ctx, s.idDir(kindFile, id), func(fresh string) error {
		if err := os.Rename(file, filepath.Join(fresh, contentFile)); err != nil {
			return fmt.Errorf("keep the cache %q: %w", id.Key, err)
		}
		return meta.write(fresh)
	})
	return meta, kept, err
}

const (
	formFile    = "file"
	formParts   = "parts"
	contentFile = "content"
)

// OpenFile opens a cache that FindFile found, and marks it as used.
func (s *Store) OpenFile(h Hit) (*os.File, error) {
	file, err := openPlain(filepath.Join(h.dir, contentFile))
	if err != nil {
		return nil, fmt.Errorf("open the cache %q: %w", h.Name, err)
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("open the cache %q: it is not a file of ours", h.Name), err, file.Close())
	}
	used(h.dir)
	return file, nil
}

// used marks when a cache was last used, for SweepCaches; one that can't be touched is still a cache.
func used(dir string) {
	now := time.Now()
	_ = os.Chtimes(filepath.Join(dir, metaFile), now, now)
}

// unlessKept fills a new set and gives it its place, unless that is taken.
func (s *Store) unlessKept(ctx context.Context, dir string, fill func(fresh string) error) (kept bool, err error) {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return false, fmt.Errorf("make the store's folder: %w", err)
	}
	unlock, err := lock(ctx, dir, exclusive)
	if err != nil {
		return false, err
	}
	defer unlock()
	if s.has(dir) {
		return false, nil
	}
	fresh, err := os.MkdirTemp(parent, freshPrefix)
	if err != nil {
		return false, fmt.Errorf("make the store's folder: %w", err)
	}
	defer os.RemoveAll(fresh)
	if err := fill(fresh); err != nil {
		return false, err
	}
	if err := os.Rename(fresh, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, fmt.Errorf("keep %s: %w", filepath.Base(dir), err)
	}
	return true, nil
}
