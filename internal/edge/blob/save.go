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
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/edge/archive"
	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// save lists the files, lays them into a new folder and swaps it in whole, so that no reader sees half of it.
func (s *Store) save(ctx context.Context, dir string, meta Meta, sel program.Select, rootPath string) (program.Saved, error) {
	root, err := os.OpenRoot(rootPath)
	if err != nil {
		return program.Saved{}, fmt.Errorf("open the workspace: %w", err)
	}
	defer root.Close()
	l, err := list(ctx, root, rootPath, sel)
	saved := program.Saved{Unmet: l.unmet}
	if err != nil || len(l.files)+len(l.folders) == 0 {
		saved.Skipped = program.NoFiles
		return saved, err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return saved, fmt.Errorf("make the store's folder: %w", err)
	}
	fresh, err := os.MkdirTemp(parent, freshPrefix)
	if err != nil {
		return saved, fmt.Errorf("make the store's folder: %w", err)
	}
	defer os.RemoveAll(fresh)
	meta.Files = len(l.files)
	y := layer{ctx: ctx, store: s, from: root, origins: s.origins.of(rootPath)}
	if meta.Form, meta.Bytes, err = y.lay(fresh, l); err != nil {
		return saved, err
	}
	if err := meta.write(fresh); err != nil {
		return saved, err
	}
	if err := swap(ctx, fresh, dir); err != nil {
		return saved, err
	}
	saved.Files, saved.Bytes = meta.Files, meta.Bytes
	return saved, nil
}

// freshPrefix begins the names of folders that are not yet, or no longer, a stored set.
const freshPrefix = ".new-"

// swap puts fresh in the place of dir. Readers hold a shared lock, so none loses its files while it reads; what was
// there before is left in fresh.
func swap(ctx context.Context, fresh, dir string) error {
	unlock, err := lock(ctx, dir, exclusive)
	if err != nil {
		return err
	}
	defer unlock()
	if err := exchange(fresh, dir); err != nil {
		return fmt.Errorf("keep %s: %w", filepath.Base(dir), err)
	}
	return nil
}

// listed is what a Select names in a workspace, sorted. Folders are those that are matched themselves: the runner keeps
// them, so an empty one is not lost.
type listed struct{ files, folders, unmet []string }

// list resolves what is selected into paths below root; unmet are the patterns that matched nothing. Devices, pipes and
// sockets are passed over.
func list(ctx context.Context, root *os.Root, rootPath string, sel program.Select) (listed, error) {
	var l listed
	kinds := map[string]fs.FileMode{}
	for _, pattern := range sel.Paths {
		n := 0
		err := program.Each(root.FS(), pattern, func(p string, d fs.DirEntry) {
			if kind := d.Type(); keeps(kind) && p != "." && !inGit(p) {
				n++
				if !sel.Excluded(p) {
					kinds[p] = kind
				}
			}
		})
		if err != nil {
			return l, err
		}
		if n == 0 {
			l.unmet = append(l.unmet, pattern)
		}
	}
	if sel.Untracked {
		switch err := untracked(ctx, root, rootPath, sel, kinds); {
		case errors.Is(err, git.ErrNoRepository):
			l.unmet = append(l.unmet, "untracked")
		case err != nil:
			return l, err
		}
	}
	return sorted(kinds, l), nil
}

// untracked adds what git does not track. A workspace that is no repository of its own has nothing untracked to it, as
// gitlab-runner sees it.
func untracked(ctx context.Context, root *os.Root, rootPath string, sel program.Select, kinds map[string]fs.FileMode) error {
	paths, err := git.Untracked(ctx, rootPath)
	if err != nil {
		return fmt.Errorf("list untracked files: %w", err)
	}
	for _, p := range paths {
		if p = path.Clean(p); inGit(p) || sel.Excluded(p) {
			continue
		}
		info, err := root.Lstat(p)
		if err == nil && keeps(info.Mode()) {
			kinds[p] = info.Mode().Type()
		}
	}
	return nil
}

func keeps(kind fs.FileMode) bool {
	return kind.IsRegular() || kind.IsDir() || kind&fs.ModeSymlink != 0
}

func inGit(p string) bool { return p == ".git" || strings.HasPrefix(p, ".git/") }

// layer lays files of a workspace into the store.
type layer struct {
	ctx     context.Context
	store   *Store
	from    *os.Root
	origins map[string]origin // what was restored into the workspace
	copy    bool              // the files stay with the job, so no link is made
	buf     []byte
}

// errNoLinks says that the store's file system takes no links from the workspace's.
var errNoLinks = errors.New("the file system takes no links")

// lay puts the files into a new folder of the store: as a tree of links, else as an archive.
func (y *layer) lay(fresh string, l listed) (form string, size int64, err error) {
	to, err := os.OpenRoot(fresh)
	if err != nil {
		return "", 0, fmt.Errorf("open the store's folder: %w", err)
	}
	defer to.Close()
	size, err = y.tree(to, l)
	if !errors.Is(err, errNoLinks) {
		return formTree, size, err
	}
	if err := to.RemoveAll("files"); err != nil {
		return "", 0, fmt.Errorf("clear the store's folder: %w", err)
	}
	size, err = y.pack(to, l)
	return formArchive, size, err
}

func (y *layer) pack(to *os.Root, l listed) (size int64, err error) {
	paths := slices.Concat(l.folders, l.files)
	slices.Sort(paths)
	for _, p := range l.files {
		if info, err := y.from.Lstat(p); err == nil {
			size += info.Size()
		}
	}
	file, err := to.Create(packedFile)
	if err != nil {
		return 0, fmt.Errorf("make the archive: %w", err)
	}
	if err := archive.Pack(y.ctx, file, y.from, paths); err != nil {
		return 0, errors.Join(err, file.Close())
	}
	if err := file.Close(); err != nil {
		return 0, fmt.Errorf("write the archive: %w", err)
	}
	return size, nil
}

const packedFile = "files.tar.zst"

// tree puts every file into files/ of to. The folders on the way are opened once each, through os.Root, so that a link
// planted in the workspace leads nowhere.
func (y *layer) tree(to *os.Root, l listed) (int64, error) {
	if err := to.Mkdir("files", 0o755); err != nil {
		return 0, fmt.Errorf("make the store's folder: %w", err)
	}
	for _, d := range l.folders {
		if err := to.MkdirAll(path.Join("files", d), 0o755); err != nil {
			return 0, fmt.Errorf("make %s: %w", d, err)
		}
	}
	var total int64
	for first := 0; first < len(l.files); {
		dir := path.Dir(l.files[first])
		end := first
		for end < len(l.files) && path.Dir(l.files[end]) == dir {
			end++
		}
		if y.ctx.Err() != nil {
			return total, context.Cause(y.ctx)
		}
		n, err := y.folder(to, dir, l.files[first:end])
		if total += n; err != nil {
			return total, err
		}
		first = end
	}
	return total, nil
}

// folder keeps files that stand in one folder.
func (y *layer) folder(to *os.Root, dir string, files []string) (int64, error) {
	target := path.Join("files", dir)
	if err := to.MkdirAll(target, 0o755); err != nil {
		return 0, fmt.Errorf("make %s: %w", dir, err)
	}
	src, err := y.from.Open(dir)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", dir, err)
	}
	defer src.Close()
	dst, err := to.Open(target)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", target, err)
	}
	defer dst.Close()
	var total int64
	for _, name := range files {
		n, err := y.keep(int(src.Fd()), int(dst.Fd()), name)
		if err != nil && !errors.Is(err, errNoLinks) {
			err = fmt.Errorf("keep %s: %w", name, err)
		}
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// keep takes one file over: the stored one that it was restored from, where it is as it was; else by a link where
// nobody else has it; else by a copy.
func (y *layer) keep(src, dst int, name string) (int64, error) {
	base := path.Base(name)
	var st unix.Stat_t
	if err := unix.Fstatat(src, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		to, err := y.from.Readlink(name)
		if err != nil {
			return 0, err
		}
		return 0, unix.Symlinkat(to, dst, base)
	case unix.S_IFREG:
	default:
		return 0, errors.New("it is no longer a file")
	}
	if st.Mode&0o400 == 0 && os.Geteuid() != 0 {
		return 0, unix.EACCES // a link would do, and nobody could restore it
	}
	if o, ok := y.origins[name]; ok && o.same(&st, src, base) && o.link(dst, base) {
		return st.Size, nil
	}
	if !y.store.Copy && !y.copy && st.Nlink == 1 && !writing(src, base) {
		switch err := unix.Linkat(src, base, dst, base, 0); {
		case err == nil:
			return st.Size, nil
		case errors.Is(err, unix.EXDEV), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EOPNOTSUPP):
			return 0, errNoLinks
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.EMLINK):
		default:
			return 0, err
		}
	}
	if y.buf == nil {
		y.buf = make([]byte, chunk)
	}
	return copyFile(src, dst, base, y.buf, nil)
}
