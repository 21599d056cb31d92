// Package blob keeps artifacts and caches on a disk. Files are linked out of a workspace, not copied, where the file
// system can and nobody else holds them: a workspace ends with its job, so the store becomes the only owner. Where the
// file system takes no links, they are kept as a compressed archive. What is restored is always a copy (by reflink
// where possible), so no job writes into the store; what a job leaves as it was restored is kept once.
// The package knows no dialect and never looks outside the folders it is given.
package blob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Store is a folder with runs/ and cache/ in it. It is safe for concurrent use, also by several processes.
type Store struct {
	Dir string
	// Copy keeps copies, never links: for workspaces that stay where they are, so that a person may change the files.
	Copy bool

	origins origins
	spread  spread
	once    sync.Once
	turns   chan struct{} // holds one token: whose restore copies
}

// Meta is what is known of a stored set of files; it stands beside it as meta.json.
type Meta struct {
	Name    string     `json:"name,omitempty"` // of the artifact; the key of a cache
	Job     string     `json:"job,omitempty"`
	Kind    string     `json:"kind,omitempty"`
	Files   int        `json:"files"`
	Bytes   int64      `json:"bytes"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
	Form    string     `json:"form"`              // "tree" or "archive"; of caches also "parts" or "file"
	Version string     `json:"version,omitempty"` // of a cache's content: caches of one key and other versions are others
	Scope   string     `json:"scope,omitempty"`   // of a cache: the branch that it was saved for
	Parts   []string   `json:"parts,omitempty"`   // of the form "parts": the names of the folders that files come from
	// Left are paths of this machine's own that a cache is of too. They were not copied: they are there, or the cache is
	// none.
	Left []string `json:"left,omitempty"`
}

// The forms of a stored set.
const (
	formTree    = "tree"    // files/ holds the files
	formArchive = "archive" // files.tar.zst does
)

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
	dir := s.artifactDir(run, job, archiveKind)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	unlock, err := lock(ctx, dir, shared)
	if err != nil {
		return 0, err
	}
	defer unlock()
	return s.restore(ctx, dir, root)
}

// ReadArtifact is the text of one file that a job of the run left, at most 100 MiB. fs.ErrNotExist where it left no
// such file.
func (s *Store) ReadArtifact(ctx context.Context, run, job, path string) ([]byte, error) {
	dir := s.artifactDir(run, job, archiveKind)
	unlock, err := lock(ctx, dir, shared)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return s.readOne(ctx, dir, path)
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
		unlock, err := lock(ctx, dir, shared)
		if err != nil {
			return "", 0, err
		}
		n, err := s.restore(ctx, dir, root)
		unlock()
		if err != nil {
			return "", 0, fmt.Errorf("restore the cache %q: %w", key, err)
		}
		now := time.Now()
		_ = os.Chtimes(filepath.Join(dir, metaFile), now, now) // when it was last used, for Sweep; a cache that can't be touched is still a cache
		return key, n, nil
	}
	return "", 0, nil
}

// metaFile stands in every stored set, written last but for the swap.
const metaFile = "meta.json"

func readMeta(dir string) (Meta, error) {
	var meta Meta
	text, err := readPlain(filepath.Join(dir, metaFile))
	if err == nil {
		err = json.Unmarshal(text, &meta)
	}
	if err != nil {
		return meta, fmt.Errorf("read %s: %w", metaFile, err)
	}
	return meta, nil
}

// readPlain reads a small file of the store. A repository may bring a store along: no link is followed and no pipe
// waited for.
func readPlain(path string) ([]byte, error) {
	file, err := openPlain(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, 1<<20))
}

func openPlain(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
}

func (m Meta) write(dir string) error {
	text, err := json.Marshal(m)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, metaFile), text, 0o644)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", metaFile, err)
	}
	return nil
}
