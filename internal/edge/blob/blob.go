// Package blob keeps artifacts and caches on a disk. Files are linked out of a workspace, not copied, where the file
// system can: a workspace ends with its job, so the store becomes the only owner. Where it cannot, they are kept as a
// compressed archive. What is restored is always a copy (by reflink where possible), so no job writes into the store.
// The package knows no dialect and never looks outside the folders it is given.
package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Store is a folder with runs/ and cache/ in it.
type Store struct{ Dir string }

// Meta is what is known of a stored set of files; it stands beside it as meta.json.
type Meta struct {
	Name    string     `json:"name,omitempty"` // of the artifact; the key of a cache
	Job     string     `json:"job,omitempty"`
	Kind    string     `json:"kind,omitempty"`
	Files   int        `json:"files"`
	Bytes   int64      `json:"bytes"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
	Form    string     `json:"form"` // "tree" or "archive"
}

// SaveArtifacts keeps files of a job under runs/RUN/artifacts/JOB (reports under runs/RUN/reports/JOB/KIND), in place
// of what was kept there before.
func (s *Store) SaveArtifacts(ctx context.Context, run, job string, a program.SaveArtifacts, root string) (program.Saved, error) {
	dir := s.artifactDir(run, job, a.Kind)
	meta := Meta{Name: a.Name, Job: job, Kind: a.Kind, Created: time.Now()}
	if a.Expire > 0 {
		at := meta.Created.Add(a.Expire)
		meta.Expires = &at
	}
	return s.save(ctx, dir, meta, a.Select, root)
}

// RestoreArtifacts brings what a job of the run left into root. A job that left nothing is no error.
func (s *Store) RestoreArtifacts(ctx context.Context, run, job, root string) (int, error) {
	dir := s.artifactDir(run, job, "archive")
	unlock, err := lock(dir, unix.LOCK_SH)
	if err != nil {
		return 0, err
	}
	defer unlock()
	return restore(ctx, dir, root)
}

// SaveCache keeps files under a key, in place of what was kept there before.
func (s *Store) SaveCache(ctx context.Context, key string, sel program.Select, root string) (program.Saved, error) {
	return s.save(ctx, s.cacheDir(key), Meta{Name: key, Kind: "cache", Created: time.Now()}, sel, root)
}

// RestoreCache brings back the first of keys that is stored; found is "" where none is.
func (s *Store) RestoreCache(ctx context.Context, keys []string, root string) (found string, files int, err error) {
	for _, key := range keys {
		dir := s.cacheDir(key)
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		unlock, err := lock(dir, unix.LOCK_SH)
		if err != nil {
			return "", 0, err
		}
		n, err := restore(ctx, dir, root)
		unlock()
		if err != nil {
			return "", 0, fmt.Errorf("restore the cache %q: %w", key, err)
		}
		now := time.Now()
		_ = os.Chtimes(dir, now, now) // when it was last used, for Sweep; a cache that can't be touched is still a cache
		return key, n, nil
	}
	return "", 0, nil
}

func (s *Store) artifactDir(run, job, kind string) string {
	if kind == "archive" || kind == "" {
		return filepath.Join(s.Dir, "runs", FileName(run), "artifacts", FileName(job))
	}
	return filepath.Join(s.Dir, "runs", FileName(run), "reports", FileName(job), FileName(kind))
}

func (s *Store) cacheDir(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(s.Dir, "cache", FileName(key)+"-"+hex.EncodeToString(sum[:4]))
}

// FileName makes any text fit to be one file's name: readable, never hidden, never a path, at most 120 bytes, and
// different for different texts.
func FileName(text string) string {
	plain := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' {
			return c
		}
		return '_'
	}, text)
	plain = strings.TrimLeft(plain, ".")
	if plain == text && len(plain) > 0 && len(plain) <= 100 {
		return plain
	}
	sum := sha256.Sum256([]byte(text))
	return plain[:min(len(plain), 100)] + "-" + hex.EncodeToString(sum[:4])
}

// save lists the files, lays them into a new folder and swaps it in whole, so that no reader sees half of it.
func (s *Store) save(ctx context.Context, dir string, meta Meta, sel program.Select, rootPath string) (program.Saved, error) {
	root, err := os.OpenRoot(rootPath)
	if err != nil {
		return program.Saved{}, fmt.Errorf("open the workspace: %w", err)
	}
	defer root.Close()
	files, unmet, err := list(ctx, root, rootPath, sel)
	saved := program.Saved{Unmet: unmet}
	if err != nil || len(files) == 0 {
		saved.Skipped = "no files"
		return saved, err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return saved, fmt.Errorf("make the store's folder: %w", err)
	}
	fresh, err := os.MkdirTemp(parent, ".new-")
	if err != nil {
		return saved, fmt.Errorf("make the store's folder: %w", err)
	}
	defer os.RemoveAll(fresh)
	meta.Files = len(files)
	if meta.Form, meta.Bytes, err = lay(ctx, root, fresh, files); err != nil {
		return saved, err
	}
	text, err := json.Marshal(meta)
	if err != nil {
		return saved, fmt.Errorf("write meta.json: %w", err)
	}
	if err := os.WriteFile(filepath.Join(fresh, "meta.json"), text, 0o644); err != nil {
		return saved, fmt.Errorf("write meta.json: %w", err)
	}
	saved.Files, saved.Bytes = meta.Files, meta.Bytes
	return saved, swap(fresh, dir)
}

// swap puts fresh in the place of dir. Readers hold a shared lock, so none loses its files while it reads.
func swap(fresh, dir string) error {
	unlock, err := lock(dir, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer unlock()
	old := fresh + ".old"
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace %s: %w", filepath.Base(dir), err)
	}
	if err := os.Rename(fresh, dir); err != nil {
		return fmt.Errorf("keep %s: %w", filepath.Base(dir), err)
	}
	return os.RemoveAll(old)
}

// lock takes a lock on the set of files that dir holds. The lock's file stays.
func lock(dir string, how int) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, fmt.Errorf("make the store's folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", filepath.Base(dir), err)
	}
	for {
		err = unix.Flock(int(file.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", filepath.Base(dir), err), file.Close())
	}
	return func() { file.Close() }, nil
}

// list resolves what is selected into files below root; unmet are the patterns that matched nothing.
func list(ctx context.Context, root *os.Root, rootPath string, sel program.Select) (files, unmet []string, err error) {
	set := map[string]bool{}
	tree := root.FS()
	for _, pattern := range sel.Paths {
		n, err := sel.Match(tree, pattern, set)
		if err != nil {
			return nil, nil, err
		}
		if n == 0 {
			unmet = append(unmet, pattern)
		}
	}
	if sel.Untracked {
		untracked, err := git.Untracked(ctx, rootPath)
		if err != nil {
			return nil, nil, fmt.Errorf("list untracked files: %w", err)
		}
		for _, p := range untracked {
			if !sel.Excluded(p) {
				set[p] = true
			}
		}
	}
	files = make([]string, 0, len(set))
	for p := range set {
		if p != ".git" && !strings.HasPrefix(p, ".git/") {
			files = append(files, p)
		}
	}
	slices.Sort(files)
	return files, unmet, nil
}

// ReadArtifact is the text of one file that a job of the run left. fs.ErrNotExist where it left no such file.
func (s *Store) ReadArtifact(ctx context.Context, run, job, path string) ([]byte, error) {
	dir := s.artifactDir(run, job, "archive")
	unlock, err := lock(dir, unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return readOne(ctx, dir, path)
}
