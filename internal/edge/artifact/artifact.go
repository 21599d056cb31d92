// Package artifact keeps the named artifacts of runs (GitHub Docs, "Storing and sharing data from a workflow"). Each is
// one file: a zip, as the official clients upload and download it, or a single file where it was uploaded as such. What
// a native step saves is written as a zip too, not compressed, so that both sides see the same artifact with the same
// digest. Nothing is unpacked outside the folder it is meant for; the package knows no dialect and no network.
package artifact

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Store is a folder in which runs/RUN/named holds the artifacts of a run. It is safe for concurrent use, also by several
// processes.
type Store struct {
	Dir    string
	Limits Limits

	mu   sync.Mutex
	last int64 // the newest id given out
	seen seen
}

// Limits bound what is kept and unpacked. Zero fields mean the defaults.
type Limits struct {
	Bytes   int64 // of an artifact's files, unpacked; default 64 GiB
	Entries int   // files in an artifact; default 2,000,000
	Count   int   // artifacts of a run; default 10,000
}

func (l Limits) orDefault() Limits {
	return Limits{Bytes: cmp.Or(l.Bytes, 64<<30), Entries: cmp.Or(l.Entries, 2_000_000), Count: cmp.Or(l.Count, 10_000)}
}

// Info is what is known of an artifact.
type Info struct {
	ID      int64      `json:"id"` // unique in the store, below 2^53, later ones greater
	Run     string     `json:"run"`
	Job     string     `json:"job"` // that made it
	Attempt int        `json:"attempt,omitempty"`
	Name    string     `json:"name"`
	Size    int64      `json:"bytes"`           // of the stored file
	Digest  string     `json:"digest"`          // SHA-256 of the stored file, hexadecimal
	Files   int        `json:"files,omitempty"` // in it; 0 where that was not counted
	MIME    string     `json:"mime,omitempty"`  // "" is a zip
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
}

// Zip says whether the artifact is a zip of files, and not one file as it is.
func (i Info) Zip() bool { return i.MIME == "" || i.MIME == zipType }

// FileName is how a download is called.
func (i Info) FileName() string {
	if i.Zip() {
		return i.Name + ".zip"
	}
	return i.Name
}

const (
	zipType     = "application/zip"
	metaFile    = "meta.json"
	contentFile = "content"
	freshPrefix = ".new-"
)

func (s *Store) folder(run string) string {
	return filepath.Join(s.Dir, "runs", blob.FileName(run), "named")
}

func (s *Store) path(run, name string) string {
	return filepath.Join(s.folder(run), blob.FileName(name))
}

// List gives the artifacts of a run that have not expired, oldest first. A run without any is no error.
func (s *Store) List(ctx context.Context, run string) ([]Info, error) {
	entries, err := os.ReadDir(s.folder(run))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the artifacts: %w", err)
	}
	var out []Info
	for _, e := range entries {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		info, file, err := s.open(filepath.Join(s.folder(run), e.Name()))
		if err != nil {
			continue // deleted meanwhile, or not ours
		}
		file.Close()
		if !info.expired() {
			out = append(out, info)
		}
	}
	slices.SortFunc(out, func(a, b Info) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

func (i Info) expired() bool { return i.Expires != nil && !i.Expires.After(time.Now()) }

// Open opens an artifact's file to read; it stays readable when the artifact is deleted meanwhile. A fault with
// CodeMissing where the run has none of that name, or has no longer.
func (s *Store) Open(_ context.Context, run, name string) (Info, *os.File, error) {
	info, file, err := s.open(s.path(run, name))
	if errors.Is(err, fs.ErrNotExist) {
		return info, nil, missing(name)
	}
	if err != nil {
		return info, nil, fmt.Errorf("open the artifact %q: %w", name, err)
	}
	if info.expired() {
		file.Close()
		return info, nil, missing(name)
	}
	return info, file, nil
}

func missing(name string) error {
	return fault.New(CodeMissing, "the run has no artifact %q", name)
}

// open reads through one open folder, so that both files are of the same artifact even where it is replaced meanwhile.
func (s *Store) open(dir string) (info Info, file *os.File, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return info, nil, err
	}
	defer root.Close()
	meta, err := openPlain(root, metaFile)
	if err != nil {
		return info, nil, err
	}
	defer meta.Close()
	text, err := io.ReadAll(io.LimitReader(meta, 1<<20))
	if err == nil {
		err = json.Unmarshal(text, &info)
	}
	if err != nil {
		return info, nil, fmt.Errorf("read %s: %w", metaFile, err)
	}
	file, err = openPlain(root, contentFile)
	return info, file, err
}

// openPlain opens a file of the store. A repository may bring a store along: no link is followed, no pipe waited for.
func openPlain(root *os.Root, name string) (*os.File, error) {
	file, err := root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file of ours", name)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Delete removes an artifact; a fault with CodeMissing where there is none.
func (s *Store) Delete(_ context.Context, run, name string) (Info, error) {
	dir := s.path(run, name)
	info, file, err := s.open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return info, missing(name)
	}
	if err == nil {
		file.Close()
	}
	aside, err := os.MkdirTemp(filepath.Dir(dir), freshPrefix)
	if err != nil {
		return info, fmt.Errorf("delete the artifact %q: %w", name, err)
	}
	defer os.RemoveAll(aside)
	switch err := os.Rename(dir, filepath.Join(aside, "gone")); {
	case errors.Is(err, fs.ErrNotExist):
		return info, missing(name)
	case err != nil:
		return info, fmt.Errorf("delete the artifact %q: %w", name, err)
	}
	return info, nil
}

// New is an artifact to be kept.
type New struct {
	Run, Job  string
	Attempt   int // of the job, from 1: a later attempt replaces what an earlier one of the same job made
	Name      string
	MIME      string // "" is a zip
	Expires   *time.Time
	Overwrite bool
}

// Check says whether the artifact may be made: a fault with CodeName, CodeExists or CodeTooBig where not.
func (s *Store) Check(ctx context.Context, n New) error {
	if err := CheckName(n.Name); err != nil {
		return err
	}
	all, err := s.List(ctx, n.Run)
	if err != nil {
		return err
	}
	for _, old := range all {
		if old.Name == n.Name && !n.Replaces(old) {
			return exists(n.Name)
		}
	}
	if limit := s.Limits.orDefault().Count; len(all) >= limit {
		return fault.New(CodeTooBig, "the run has %d artifacts already, and may have no more", limit)
	}
	return nil
}

// Replaces says whether the artifact takes the place of an earlier one of its name.
func (n New) Replaces(old Info) bool {
	return n.Overwrite || old.Job == n.Job && old.Attempt < n.Attempt || old.expired()
}

func exists(name string) error {
	return fault.New(CodeExists, "the run has an artifact %q already", name).
		WithHint("artifacts do not change: give each upload a name of its own, or set overwrite: true")
}

// Add keeps an uploaded file, which is moved and must be on the same file system. Digest and size are the caller's,
// who has seen every byte.
func (s *Store) Add(ctx context.Context, n New, file, digest string, size int64) (Info, error) {
	if err := s.Check(ctx, n); err != nil {
		return Info{}, err
	}
	fresh, err := s.fresh(n.Run)
	if err != nil {
		return Info{}, err
	}
	defer os.RemoveAll(fresh)
	if err := os.Rename(file, filepath.Join(fresh, contentFile)); err != nil {
		return Info{}, fmt.Errorf("keep the artifact %q: %w", n.Name, err)
	}
	return s.keep(n, fresh, Info{Digest: digest, Size: size})
}

func (s *Store) fresh(run string) (string, error) {
	if err := os.MkdirAll(s.folder(run), 0o755); err != nil {
		return "", fmt.Errorf("make the artifacts' folder: %w", err)
	}
	fresh, err := os.MkdirTemp(s.folder(run), freshPrefix)
	if err != nil {
		return "", fmt.Errorf("make the artifact's folder: %w", err)
	}
	return fresh, nil
}

// keep gives a new artifact its place. Whoever comes second finds the place taken, also from another process.
func (s *Store) keep(n New, fresh string, info Info) (Info, error) {
	info.Run, info.Job, info.Attempt, info.Name, info.MIME, info.Expires = n.Run, n.Job, n.Attempt, n.Name, n.MIME, n.Expires
	info.Created = time.Now().UTC()
	info.ID = s.id()
	text, err := json.Marshal(info)
	if err == nil {
		err = os.WriteFile(filepath.Join(fresh, metaFile), text, 0o644)
	}
	if err != nil {
		return Info{}, fmt.Errorf("keep the artifact %q: %w", n.Name, err)
	}
	if file, err := os.Open(filepath.Join(fresh, contentFile)); err == nil { // else it is looked through when it is read
		if m, ok := markOf(file); ok {
			s.seen.add(m, info.Digest)
		}
		file.Close()
	}
	dir := s.path(n.Run, n.Name)
	for range 100 {
		err = os.Rename(fresh, dir)
		if err == nil {
			return info, nil
		}
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, unix.ENOTEMPTY) {
			return Info{}, fmt.Errorf("keep the artifact %q: %w", n.Name, err)
		}
		old, file, openErr := s.open(dir)
		if openErr == nil {
			file.Close()
			if !n.Replaces(old) {
				return Info{}, exists(n.Name)
			}
		}
		if _, err := s.Delete(context.Background(), n.Run, n.Name); err != nil && fault.CodeOf(err) != CodeMissing {
			return Info{}, err
		}
	}
	return Info{}, fmt.Errorf("keep the artifact %q: %w", n.Name, err)
}

// id is the time in microseconds, made unique: numbers grow from run to run and fit into a double.
func (s *Store) id() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last+1, time.Now().UnixMicro())
	return s.last
}
