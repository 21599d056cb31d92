package blob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/edge/archive"
)

// errNoLinks says that the store's file system takes no links from the workspace's.
var errNoLinks = errors.New("the file system takes no links")

// lay puts the files into a new folder of the store: as a tree of links, else as an archive.
func lay(ctx context.Context, root *os.Root, fresh string, files []string) (form string, size int64, err error) {
	dest, err := os.OpenRoot(fresh)
	if err != nil {
		return "", 0, fmt.Errorf("open the store's folder: %w", err)
	}
	defer dest.Close()
	size, err = layTree(ctx, root, dest, files)
	if !errors.Is(err, errNoLinks) {
		return "tree", size, err
	}
	if err := dest.RemoveAll("files"); err != nil {
		return "", 0, fmt.Errorf("clear the store's folder: %w", err)
	}
	file, err := dest.Create("files.tar.zst")
	if err != nil {
		return "", 0, fmt.Errorf("make the archive: %w", err)
	}
	if err := archive.Pack(file, root, files); err != nil {
		return "", 0, errors.Join(err, file.Close())
	}
	return "archive", size, file.Close()
}

// layTree links every file into files/ of dest. The folders on the way are opened once each, through os.Root, so that
// a link planted in the workspace leads nowhere.
func layTree(ctx context.Context, root, dest *os.Root, files []string) (int64, error) {
	if err := dest.Mkdir("files", 0o755); err != nil {
		return 0, fmt.Errorf("make the store's folder: %w", err)
	}
	var total int64
	for first := 0; first < len(files); {
		dir := path.Dir(files[first])
		end := first
		for end < len(files) && path.Dir(files[end]) == dir {
			end++
		}
		if err := ctx.Err(); err != nil {
			return total, context.Cause(ctx)
		}
		n, err := linkFolder(root, dest, dir, files[first:end])
		if total += n; err != nil {
			return total, err
		}
		first = end
	}
	return total, nil
}

// linkFolder links files that stand in one folder.
func linkFolder(root, dest *os.Root, dir string, files []string) (int64, error) {
	target := path.Join("files", dir)
	if err := dest.MkdirAll(target, 0o755); err != nil {
		return 0, fmt.Errorf("make %s: %w", dir, err)
	}
	from, err := root.Open(dir)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", dir, err)
	}
	defer from.Close()
	to, err := dest.Open(target)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", target, err)
	}
	defer to.Close()
	var total int64
	for _, name := range files {
		base := path.Base(name)
		var stat unix.Stat_t
		if err := unix.Fstatat(int(from.Fd()), base, &stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return total, fmt.Errorf("look at %s: %w", name, err)
		}
		if kind := stat.Mode & unix.S_IFMT; kind != unix.S_IFREG && kind != unix.S_IFLNK {
			continue // untracked devices, pipes and sockets are nothing to keep
		}
		total += stat.Size
		err := unix.Linkat(int(from.Fd()), base, int(to.Fd()), base, 0)
		switch {
		case err == nil:
		case errors.Is(err, unix.EXDEV), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPERM), errors.Is(err, unix.EMLINK):
			return total, errNoLinks
		default:
			return total, fmt.Errorf("keep %s: %w", name, err)
		}
	}
	return total, nil
}

// restore copies a stored set into root. A set that is not there is empty.
func restore(ctx context.Context, dir, rootPath string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "meta.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read meta.json: %w", err)
	}
	var meta Meta
	if err := json.Unmarshal(text, &meta); err != nil {
		return 0, fmt.Errorf("read meta.json: %w", err)
	}
	root, err := os.OpenRoot(rootPath)
	if err != nil {
		return 0, fmt.Errorf("open the workspace: %w", err)
	}
	defer root.Close()
	if meta.Form == "archive" {
		file, err := os.Open(filepath.Join(dir, "files.tar.zst"))
		if err != nil {
			return 0, fmt.Errorf("open the archive: %w", err)
		}
		defer file.Close()
		return archive.Unpack(file, root, archive.Limits{})
	}
	return copyTree(ctx, filepath.Join(dir, "files"), root)
}

// copyTree copies every file below dir into root, several at a time.
func copyTree(ctx context.Context, dir string, root *os.Root) (int, error) {
	from, err := os.OpenRoot(dir)
	if err != nil {
		return 0, fmt.Errorf("open the store's folder: %w", err)
	}
	defer from.Close()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	n := 0
	err = fs.WalkDir(from.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if d.IsDir() {
			return root.MkdirAll(name, 0o777)
		}
		n++
		group.Go(func() error { return copyOne(from, root, name, d.Type()) })
		return nil
	})
	if waitErr := group.Wait(); waitErr != nil {
		err = waitErr
	}
	return n, err
}

func copyOne(from, to *os.Root, name string, kind fs.FileMode) error {
	if kind&fs.ModeSymlink != 0 {
		target, err := from.Readlink(name)
		if err != nil {
			return fmt.Errorf("read the link %s: %w", name, err)
		}
		return archive.Link(to, target, name)
	}
	src, err := from.Open(name)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return fmt.Errorf("look at %s: %w", name, err)
	}
	dst, err := archive.Create(to, name, info.Mode())
	if err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	if err := archive.Copy(dst, src); err != nil {
		return errors.Join(fmt.Errorf("copy %s: %w", name, err), dst.Close())
	}
	// The time and the exact mode belong to the file: make looks at the one, the umask changed the other.
	at := unix.NsecToTimeval(info.ModTime().UnixNano())
	err = errors.Join(unix.Futimes(int(dst.Fd()), []unix.Timeval{at, at}), dst.Chmod(info.Mode().Perm()), dst.Close())
	if err != nil {
		return fmt.Errorf("finish %s: %w", name, err)
	}
	return nil
}

// readOne is the text of one file of a stored set. An archive is unpacked aside for it.
func readOne(ctx context.Context, dir, path string) ([]byte, error) {
	from := filepath.Join(dir, "files")
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		aside, err := os.MkdirTemp(filepath.Dir(dir), ".read-")
		if err != nil {
			return nil, fmt.Errorf("read the archive: %w", err)
		}
		defer os.RemoveAll(aside)
		if _, err := restore(ctx, dir, aside); err != nil {
			return nil, err
		}
		from = aside
	}
	root, err := os.OpenRoot(from)
	if err != nil {
		return nil, fmt.Errorf("open the store's folder: %w", err)
	}
	defer root.Close()
	return root.ReadFile(filepath.FromSlash(path))
}
