package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// folder is a plain folder of this machine, read as it stands.
type folder struct{ dir string }

// Plain is the tree of a folder outside git, or of a work tree with what is not committed. It is read as it is at the
// time; .git and .sluice are left out. Its revision is a mark of names, sizes and times.
func Plain(ctx context.Context, dir string) (*Tree, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fault.New(CodeRepository, "there is no folder %s", dir)
	}
	t := newTree("", folder{dir}, "")
	sum := sha256.New()
	var walk func(at string) error
	walk = func(at string) error {
		list, err := t.entries(ctx, at, Entry{Sort: Folder})
		if err != nil {
			return err
		}
		for _, e := range list {
			fmt.Fprintf(sum, "%s/%s %s %s\n", at, e.Name, e.Sort, e.ID)
			if e.Sort == Folder {
				if err := walk(strings.TrimPrefix(at+"/"+e.Name, "/")); err != nil {
					return err
				}
			}
		}
		return ctx.Err()
	}
	if err := walk(""); err != nil {
		return nil, fmt.Errorf("look through %s: %w", dir, err)
	}
	t.Revision = "folder-" + hex.EncodeToString(sum.Sum(nil))[:40]
	return t, nil
}

func (f folder) list(_ context.Context, name string, _ Entry) ([]Entry, error) {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if name == "" {
		name = "."
	}
	dir, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, inside(name, err)
	}
	defer dir.Close()
	all, err := dir.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	out := make([]Entry, 0, len(all))
	for _, d := range all {
		if name == "." && (d.Name() == ".git" || d.Name() == ".sluice") {
			continue
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was removed this very moment
		}
		if err != nil {
			return nil, err
		}
		out = append(out, entryOf(info))
	}
	return out, nil
}

func entryOf(info fs.FileInfo) Entry {
	e := Entry{Name: info.Name(), Sort: Other, ID: fmt.Sprintf("%d-%d", info.Size(), info.ModTime().UnixNano())}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		e.ID += fmt.Sprintf("-%d", s.Ino)
	}
	switch {
	case info.Mode().IsRegular():
		e.Sort = File
	case info.IsDir():
		e.Sort, e.ID = Folder, ""
	case info.Mode()&fs.ModeSymlink != 0:
		e.Sort = Link
	}
	return e
}

func (f folder) read(_ context.Context, name string, e Entry) ([]byte, error) {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if e.Sort == Link {
		target, err := root.Readlink(name)
		return []byte(target), inside(name, err)
	}
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, inside(name, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: name, Err: errNoFile}
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > MaxFile {
		return nil, tooLarge(name, info.Size())
	}
	text, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if len(text) > MaxFile {
		return nil, tooLarge(name, int64(len(text)))
	}
	return text, err
}

func tooLarge(name string, size int64) error {
	return fault.At(CodeLarge, fault.Place{File: name}, "the file has %d bytes; at most %d are read", size, int64(MaxFile))
}

// inside names the escape that os.Root refused; that takes a folder that is changed while it is read.
func inside(name string, err error) error {
	if err != nil && strings.Contains(err.Error(), "escapes from parent") {
		return outside(name)
	}
	return err
}
