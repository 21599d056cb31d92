package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/glob"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// CachePaths names what a native cache step keeps, as actions/cache does: patterns of @actions/glob, where a folder that
// is matched is kept with all in it.
type CachePaths struct {
	CacheID
	Paths []string // one a line
	Once  bool     // a cache of that key, version and scope stays as it is
	Space glob.Space
	Dir   string // the job's workspace, as the job sees it
	Home  string
}

// SavePaths keeps files of all folders that a job sees, each in the part of its mount, so that they can be brought to
// where the same mounts are in another job. What lies in a folder that stays on this machine (its user's home) is only
// noted: a copy brought back later could undo what the user did there meanwhile. Files are copied, since the job goes on with them.
func (s *Store) SavePaths(ctx context.Context, c CachePaths) (program.Saved, error) {
	dir := s.idDir(kindCache, c.CacheID)
	if c.Once && s.has(dir) {
		return program.Saved{Skipped: alreadyKept(c.Key)}, nil
	}
	parts, err := c.parts(ctx)
	if err != nil {
		return program.Saved{}, err
	}
	if len(parts) == 0 {
		return program.Saved{Skipped: program.NoFiles, Unmet: c.Paths}, nil
	}
	var saved program.Saved
	fill := func(fresh string) error {
		saved, err = s.layParts(ctx, fresh, c, parts)
		return err
	}
	if !c.Once {
		err := s.swapIn(ctx, dir, fill)
		return saved, err
	}
	kept, err := s.unlessKept(ctx, dir, fill)
	if err == nil && !kept {
		saved = program.Saved{Skipped: alreadyKept(c.Key)}
	}
	return saved, err
}

func alreadyKept(key string) string { return fmt.Sprintf("there is a cache %q already", key) }

func (s *Store) swapIn(ctx context.Context, dir string, fill func(string) error) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("make the store's folder: %w", err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), freshPrefix)
	if err != nil {
		return fmt.Errorf("make the store's folder: %w", err)
	}
	defer os.RemoveAll(fresh)
	if err := fill(fresh); err != nil {
		return err
	}
	return swap(ctx, fresh, dir)
}

// part is what is kept of one mount.
type part struct {
	mount glob.Mount
	paths []string // below it
}

func (c CachePaths) parts(ctx context.Context) ([]part, error) {
	patterns, err := glob.Parse(c.Paths, glob.Options{Dir: c.Dir, Home: c.Home, NoDescend: true})
	if err != nil {
		return nil, err
	}
	view := c.Space.Open()
	defer view.Close()
	found := map[int][]string{}
	err = patterns.Find(ctx, view, func(f glob.Found) error {
		if mount, rel, ok := c.Space.At(f.Path); ok {
			found[mount] = append(found[mount], rel)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for the cache's files: %w", err)
	}
	var out []part
	for i, m := range c.Space {
		if len(found[i]) > 0 {
			out = append(out, part{m, found[i]})
		}
	}
	return out, nil
}

func partDir(dir string, i int) string { return filepath.Join(dir, "part-"+strconv.Itoa(i)) }

func (s *Store) layParts(ctx context.Context, fresh string, c CachePaths, parts []part) (program.Saved, error) {
	var saved program.Saved
	meta := Meta{Name: c.Key, Kind: kindCache, Form: formParts, Version: c.Version, Scope: c.Scope, Created: time.Now()}
	for _, p := range parts {
		if p.mount.Stays {
			for _, rel := range p.paths {
				meta.Left = append(meta.Left, filepath.Join(p.mount.Host, filepath.FromSlash(rel)))
			}
			continue
		}
		one, err := s.layPart(ctx, partDir(fresh, len(meta.Parts)), p)
		if err != nil {
			return saved, err
		}
		meta.Parts = append(meta.Parts, p.mount.Key())
		meta.Files += one.Files
		meta.Bytes += one.Bytes
	}
	saved.Files, saved.Bytes = meta.Files+len(meta.Left), meta.Bytes
	return saved, meta.write(fresh)
}

func (s *Store) layPart(ctx context.Context, dir string, p part) (Meta, error) {
	meta := Meta{Kind: kindCache, Created: time.Now()}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return meta, fmt.Errorf("make the store's folder: %w", err)
	}
	root, err := os.OpenRoot(p.mount.Host)
	if err != nil {
		return meta, fmt.Errorf("open %s: %w", p.mount.Job, err)
	}
	defer root.Close()
	l, err := below(ctx, root, p.paths)
	if err != nil {
		return meta, err
	}
	y := layer{ctx: ctx, store: s, from: root, origins: s.origins.of(p.mount.Host), copy: true}
	meta.Files = len(l.files)
	if meta.Form, meta.Bytes, err = y.lay(dir, l); err != nil {
		return meta, err
	}
	return meta, meta.write(dir)
}

// below lists paths of a folder with all that is in them; links stay links.
func below(ctx context.Context, root *os.Root, paths []string) (l listed, err error) {
	kinds := map[string]fs.FileMode{}
	for _, p := range paths {
		err := fs.WalkDir(root.FS(), p, func(p string, d fs.DirEntry, err error) error {
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return fmt.Errorf("list %s: %w", p, err)
			}
			if p != "." && keeps(d.Type()) {
				kinds[p] = d.Type()
			}
			return nil
		})
		if err != nil {
			return l, err
		}
	}
	return sorted(kinds, l), nil
}

// RestorePaths brings a cache back to where its mounts are in this job. Parts of mounts that the job does not have stay
// behind; missing are their names.
func (s *Store) RestorePaths(ctx context.Context, h Hit, space glob.Space) (files int, missing []string, err error) {
	unlock, err := lock(ctx, h.dir, shared)
	if err != nil {
		return 0, nil, err
	}
	defer unlock()
	meta, err := readMeta(h.dir)
	if err != nil {
		return 0, nil, fmt.Errorf("restore the cache %q: %w", h.Name, err)
	}
	names := meta.Parts
	if meta.Form != formParts {
		names = []string{"workspace"}
	}
	for i, name := range names {
		at := slices.IndexFunc(space, func(m glob.Mount) bool { return m.Key() == name })
		if at < 0 {
			missing = append(missing, name)
			continue
		}
		dir := h.dir
		if meta.Form == formParts {
			dir = partDir(h.dir, i)
		}
		n, err := s.restore(ctx, dir, space[at].Host)
		if files += n; err != nil {
			return files, missing, fmt.Errorf("restore the cache %q: %w", h.Name, err)
		}
	}
	used(h.dir)
	return files, missing, nil
}

// sorted are listed paths; files of one folder stand together, so that it is opened once.
func sorted(kinds map[string]fs.FileMode, l listed) listed {
	for p, kind := range kinds {
		if kind.IsDir() {
			l.folders = append(l.folders, p)
		} else {
			l.files = append(l.files, p)
		}
	}
	slices.Sort(l.folders)
	slices.SortFunc(l.files, func(a, b string) int {
		da, ba := path.Split(a)
		db, bb := path.Split(b)
		if c := strings.Compare(da, db); c != 0 {
			return c
		}
		return strings.Compare(ba, bb)
	})
	return l
}
