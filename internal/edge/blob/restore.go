package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/edge/archive"
)

// restore copies a stored set into a workspace and returns how many files that were. A set that is not there is empty.
func (s *Store) restore(ctx context.Context, dir, space string) (int, error) {
	meta, err := readMeta(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	root, err := os.OpenRoot(space)
	if err != nil {
		return 0, fmt.Errorf("open the workspace: %w", err)
	}
	defer root.Close()
	if meta.Form == formArchive {
		file, err := openPlain(filepath.Join(dir, packedFile))
		if err != nil {
			return 0, fmt.Errorf("open the archive: %w", err)
		}
		defer file.Close()
		return archive.Unpack(ctx, file, root, archive.Limits{})
	}
	if info, err := os.Lstat(filepath.Join(dir, "files")); err != nil || !info.IsDir() {
		return 0, fmt.Errorf("open the store's folder: %s is not a folder of ours", filepath.Join(dir, "files"))
	}
	s.spread.in(filepath.Join(s.Dir, "spread"))
	if err := s.turn(ctx); err != nil {
		return 0, err
	}
	defer s.next()
	c := copier{dir: filepath.Join(dir, "files"), to: root, make: s.spread.folder, found: make(map[string]origin, meta.Files)}
	n, err := c.all(ctx)
	s.origins.add(space, c.settled())
	return n, err
}

// turn waits until no other restore of this process copies. One has all cores already, and a file system in whose folders
// many make files at a time is many times slower (ext4 looks for free inodes again and again where others took them).
func (s *Store) turn(ctx context.Context) error {
	s.once.Do(func() { s.turns = make(chan struct{}, 1) })
	select {
	case s.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Store) next() { <-s.turns }

// copier copies the files of a stored tree into a workspace, several at a time.
type copier struct {
	dir   string
	from  *os.Root
	to    *os.Root
	make  func(path string) // makes a folder of the workspace where that is cheap for what comes into it; it need not
	count atomic.Int64

	mu    sync.Mutex
	found map[string]origin
}

// batch is how many files of a folder are copied by one goroutine with the folder opened once.
const batch = 64

func (c *copier) all(ctx context.Context) (int, error) {
	from, err := os.OpenRoot(c.dir)
	if err != nil {
		return 0, fmt.Errorf("open the store's folder: %w", err)
	}
	defer from.Close()
	c.from = from
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(2, runtime.GOMAXPROCS(0)))
	err = c.folder(ctx, group, ".")
	if waitErr := group.Wait(); waitErr != nil {
		err = waitErr
	}
	return int(c.count.Load()), err
}

// folder hands out the files of one folder, and makes and walks those in it.
func (c *copier) folder(ctx context.Context, group *errgroup.Group, name string) error {
	entries, err := fs.ReadDir(c.from.FS(), name)
	if err != nil {
		return fmt.Errorf("list the store's folder: %w", err)
	}
	var files []string
	for i, e := range entries {
		if !e.IsDir() {
			files = append(files, e.Name())
		}
		if len(files) > 0 && (len(files) == batch || i == len(entries)-1) {
			names := files
			group.Go(func() error { return c.files(ctx, name, names) })
			files = nil
		}
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		below := path.Join(name, e.Name())
		if name == "." {
			c.make(filepath.Join(c.to.Name(), e.Name()))
		}
		if err := archive.Folder(c.to, below); err != nil {
			return fmt.Errorf("make %s: %w", below, err)
		}
		if err := c.folder(ctx, group, below); err != nil {
			return err
		}
	}
	return nil
}

// buffers are what files pass through, chunk bytes each.
var buffers = sync.Pool{New: func() any { b := make([]byte, chunk); return &b }}

// files copies files of one folder.
func (c *copier) files(ctx context.Context, dir string, names []string) error {
	src, err := c.from.Open(dir)
	if err != nil {
		return fmt.Errorf("open the store's folder: %w", err)
	}
	defer src.Close()
	dst, err := c.to.Open(dir)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	defer dst.Close()
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for _, base := range names {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		name := path.Join(dir, base)
		if err := c.one(src, dst, name, *buf); err != nil {
			return fmt.Errorf("restore %s: %w", name, err)
		}
		c.count.Add(1)
	}
	return nil
}

// one copies a file, or makes a link anew, in place of whatever has its name.
func (c *copier) one(src, dst *os.File, name string, buf []byte) error {
	base := path.Base(name)
	for again := false; ; again = true {
		_, err := copyFile(int(src.Fd()), int(dst.Fd()), base, buf, func(st *unix.Stat_t) { c.note(name, st) })
		switch {
		case errors.Is(err, unix.EEXIST) && !again:
			if err := c.to.RemoveAll(name); err != nil {
				return err
			}
			continue
		case errors.Is(err, unix.ELOOP):
			to, err := c.from.Readlink(name)
			if err != nil {
				return err
			}
			return archive.Link(c.to, to, name)
		}
		return err
	}
}

// note remembers what a restored file is like.
func (c *copier) note(name string, st *unix.Stat_t) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found[name] = origin{store: filepath.Join(c.dir, filepath.FromSlash(name)), inode: st.Ino, size: st.Size, change: changeTime(st)}
}

// settled are the restored files; those that were changed a moment ago are marked.
func (c *copier) settled() map[string]origin {
	now := time.Now().UnixNano()
	for name, o := range c.found {
		if now-o.change < grain {
			o.fresh = true
			c.found[name] = o
		}
	}
	return c.found
}

// maxRead bounds what readOne takes, in bytes.
const maxRead = 100 << 20

// readOne is the text of one file of a stored set. An archive is unpacked aside for it.
func (s *Store) readOne(ctx context.Context, dir, name string) ([]byte, error) {
	from := filepath.Join(dir, "files")
	if meta, err := readMeta(dir); err != nil {
		return nil, err
	} else if meta.Form == formArchive {
		aside, err := os.MkdirTemp(filepath.Dir(dir), freshPrefix)
		if err != nil {
			return nil, fmt.Errorf("read the archive: %w", err)
		}
		defer os.RemoveAll(aside)
		if _, err := s.restore(ctx, dir, aside); err != nil {
			return nil, err
		}
		from = aside
	}
	root, err := os.OpenRoot(from)
	if err != nil {
		return nil, fmt.Errorf("open the store's folder: %w", err)
	}
	defer root.Close()
	file, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxRead+1))
	if err == nil && len(text) > maxRead {
		err = fmt.Errorf("%s has more than %d bytes", name, maxRead)
	}
	return text, err
}
