package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Cache keeps actions: Dir/<owner>/<repo>/<ref>/files with record.json beside them. Entries come and go whole, so that
// several processes may use one cache. The zero value holds nothing.
type Cache struct{ Dir string }

// Record is what is known of an entry.
type Record struct {
	Repository string    `json:"repository"` // owner/repo
	Ref        string    `json:"ref"`
	Commit     string    `json:"commit,omitempty"` // "" of a folder outside git
	Digest     string    `json:"digest"`           // "sha256:…" of the files' names, modes and contents
	Source     string    `json:"source"`           // where it came from
	Added      time.Time `json:"added"`
	Files      int       `json:"files"`
	Bytes      int64     `json:"bytes"`
}

const recordName = "record.json"

// DefaultCache is $XDG_CACHE_HOME/sluice/actions, or ~/.cache in its place.
func DefaultCache() Cache {
	base := os.Getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			return Cache{}
		}
		base = filepath.Join(home, ".cache")
	}
	return Cache{Dir: filepath.Join(base, "sluice", "actions")}
}

// entry is the folder of an entry. Repositories are called without regard to case, as on GitHub; refs are not.
func (c Cache) entry(repository, ref string) string {
	return filepath.Join(c.Dir, filepath.FromSlash(strings.ToLower(repository)), url.PathEscape(ref))
}

// get finds an entry by its ref, or a commit by any entry that came to it.
func (c Cache) get(repository, ref string) (Found, bool, error) {
	if c.Dir == "" {
		return Found{}, false, nil
	}
	dir := c.entry(repository, ref)
	r, err := readRecord(dir)
	if errors.Is(err, fs.ErrNotExist) && isShort(ref) {
		list, e := c.of(strings.ToLower(repository))
		if e != nil {
			return Found{}, false, e
		}
		for _, other := range list {
			if strings.HasPrefix(other.Commit, ref) {
				dir, r, err = c.entry(other.Repository, other.Ref), other, nil
			}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return Found{}, false, nil
	}
	if err != nil {
		return Found{}, false, err
	}
	return Found{
		Repository: repository, Ref: ref, Dir: filepath.Join(dir, "files"), Commit: r.Commit, Digest: r.Digest, exact: r.Digest,
		From: "the cache",
	}, true, nil
}

func readRecord(dir string) (Record, error) {
	text, err := os.ReadFile(filepath.Join(dir, recordName))
	if err != nil {
		return Record{}, err
	}
	var r Record
	if err := json.Unmarshal(text, &r); err != nil || !strings.HasPrefix(r.Digest, "sha256:") {
		return r, fault.New(CodeCache, "the record of %s cannot be read", dir).WithHint("remove the folder and add the action again")
	}
	return r, nil
}

// put stores what was found under its name, in place of what was there.
func (c Cache) put(ctx context.Context, f Found, source string, now time.Time) (Record, error) {
	if c.Dir == "" {
		return Record{}, fault.New(CodeCache, "there is no folder for the cache: neither XDG_CACHE_HOME nor HOME is set")
	}
	dest := c.entry(f.Repository, f.Ref)
	if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
		return Record{}, fault.New(CodeCache, "the cache cannot be written: %v", err)
	}
	temp, err := os.MkdirTemp(filepath.Dir(dest), ".new-")
	if err != nil {
		return Record{}, fault.New(CodeCache, "the cache cannot be written: %v", err)
	}
	defer os.RemoveAll(temp)
	files := filepath.Join(temp, "files")
	if err := os.Mkdir(files, 0o755); err != nil {
		return Record{}, fault.New(CodeCache, "the cache cannot be written: %v", err)
	}
	root, err := os.OpenRoot(files)
	if err != nil {
		return Record{}, fault.New(CodeCache, "the cache cannot be written: %v", err)
	}
	defer root.Close()
	f, sum, err := f.write(ctx, root)
	if err != nil {
		return Record{}, err
	}
	r := Record{
		Repository: f.Repository, Ref: f.Ref, Commit: f.Commit, Digest: f.Digest, Source: source, Added: now.UTC().Truncate(time.Second),
		Files: sum.files, Bytes: sum.bytes,
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return Record{}, err
	}
	if err := os.WriteFile(filepath.Join(temp, recordName), append(text, '\n'), 0o644); err != nil {
		return Record{}, fault.New(CodeCache, "the cache cannot be written: %v", err)
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return Record{}, err
	}
	return r, swap(temp, dest)
}

// swap puts a folder in the place of another one.
func swap(temp, dest string) error {
	old := temp + ".old"
	err := os.Rename(dest, old)
	if err == nil {
		defer os.RemoveAll(old)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fault.New(CodeCache, "the cache cannot be written: %v", err)
	}
	if err := os.Rename(temp, dest); err != nil {
		return fault.New(CodeCache, "the cache cannot be written: %v", err)
	}
	return nil
}

// List lists the entries by name. An entry whose record is damaged is told in the error, beside the others.
func (c Cache) List() ([]Record, error) {
	owners, err := folders(c.Dir)
	var out []Record
	errs := []error{err}
	for _, owner := range owners {
		repos, err := folders(filepath.Join(c.Dir, owner))
		errs = append(errs, err)
		for _, repo := range repos {
			list, err := c.of(owner + "/" + repo)
			errs = append(errs, err)
			out = append(out, list...)
		}
	}
	slices.SortFunc(out, func(a, b Record) int {
		return strings.Compare(strings.ToLower(label(a.Repository, a.Ref)), strings.ToLower(label(b.Repository, b.Ref)))
	})
	return out, errors.Join(errs...)
}

// of lists the entries of one repository.
func (c Cache) of(repository string) ([]Record, error) {
	dir := filepath.Join(c.Dir, filepath.FromSlash(repository))
	refs, err := folders(dir)
	var out []Record
	errs := []error{err}
	for _, ref := range refs {
		r, err := readRecord(filepath.Join(dir, ref))
		if errors.Is(err, fs.ErrNotExist) {
			continue // being removed
		}
		if errs = append(errs, err); err == nil {
			out = append(out, r)
		}
	}
	return out, errors.Join(errs...)
}

// folders are the names of a folder's folders, those in the making left out.
func folders(dir string) ([]string, error) {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || dir == "" {
		return nil, nil
	}
	if err != nil {
		return nil, fault.New(CodeCache, "the cache cannot be read: %v", err)
	}
	var out []string
	for _, d := range list {
		if d.IsDir() && !strings.HasPrefix(d.Name(), ".new-") {
			out = append(out, d.Name())
		}
	}
	return out, nil
}

// Remove removes an entry, or with ref "" every entry of a repository, and says what it removed.
func (c Cache) Remove(repository, ref string) ([]Record, error) {
	if err := checkRepository(repository); err != nil {
		return nil, err
	}
	list, err := c.of(strings.ToLower(repository))
	if err != nil && ref == "" {
		return nil, err
	}
	dir := filepath.Join(c.Dir, filepath.FromSlash(strings.ToLower(repository)))
	if ref != "" {
		if err := checkRef(ref); err != nil {
			return nil, err
		}
		dir = c.entry(repository, ref)
		list = slices.DeleteFunc(list, func(r Record) bool { return r.Ref != ref })
	}
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, fault.New(CodeCache, "the cache cannot be written: %v", err)
	}
	for range 2 { // the folders of the repository and of its owner, where they are empty now
		dir = filepath.Dir(dir)
		if dir == c.Dir || os.Remove(dir) != nil {
			break
		}
	}
	return list, nil
}

// Check reads an entry's files again and says whether they are those that were added.
func (c Cache) Check(ctx context.Context, r Record) error {
	f, ok, err := c.get(r.Repository, r.Ref)
	if err != nil || !ok {
		return err
	}
	return f.check(ctx)
}

// check sums up a folder without copying it.
func (f Found) check(ctx context.Context) error {
	c := newCopier(nil)
	err := c.tree(ctx, f.Dir)
	if err == nil {
		f.Digest, err = c.finish()
	}
	if err != nil {
		return fmt.Errorf("check %s in the cache: %w", label(f.Repository, f.Ref), err)
	}
	return f.verify()
}
