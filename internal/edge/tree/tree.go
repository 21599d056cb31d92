// Package tree reads the files of one folder, a repository's work tree or a clone of another project. Every path goes
// through os.Root: "..", absolute names and links that leave the folder are refused, whatever they are called with.
package tree

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The faults of this package.
const (
	CodeOutside = "SL2601" // the path leaves the folder
	CodeLarge   = "SL2602" // the file is larger than a configuration may be
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeOutside, Summary: "a path leaves the repository", Text: "Files of a pipeline are read inside the repository only: a path with \"..\", or a symbolic link that points outside, is refused."},
	{Code: CodeLarge, Summary: "a configuration file is too large", Text: "Configuration files are read up to 64 MiB."},
}

// MaxFile is the largest file that Read takes, in bytes: a whole configuration may have no more.
const MaxFile = 64 << 20

// Tree is a folder. It is safe for concurrent use.
type Tree struct {
	dir string
	top string // of the work tree that dir is part of, "" outside git

	once  sync.Once
	paths []string
	err   error
}

// Open takes a folder; git says whether its files are listed by git or by walking.
func Open(dir string, inGit bool) *Tree {
	t := &Tree{dir: dir}
	if inGit {
		t.top = dir
	}
	return t
}

// Read is a file's text. A file that is not there is fs.ErrNotExist.
func (t *Tree) Read(_ context.Context, name string) ([]byte, error) {
	file, size, err := t.open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if size > MaxFile {
		return nil, fault.New(CodeLarge, "%s has %d bytes; at most %d are read", name, size, int64(MaxFile))
	}
	var text bytes.Buffer
	text.Grow(int(size) + bytes.MinRead) // grown by doubling it would take several times its size
	if _, err := text.ReadFrom(io.LimitReader(file, MaxFile)); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return text.Bytes(), nil
}

// open opens a regular file of the folder, and says how large it is.
func (t *Tree) open(name string) (*os.File, int64, error) {
	root, err := os.OpenRoot(t.dir)
	if err != nil {
		return nil, 0, fmt.Errorf("open %s: %w", t.dir, err)
	}
	defer root.Close()
	inside := clean(name)
	if inside == ".." || strings.HasPrefix(inside, "../") {
		return nil, 0, fault.New(CodeOutside, "%q leaves the repository", name)
	}
	// Without O_NONBLOCK a pipe would be waited for, and nobody may ever write into it.
	file, err := root.OpenFile(filepath.FromSlash(inside), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, outside(name, err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("not a file: %w", fs.ErrNotExist)
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("read %s: %w", name, err), file.Close())
	}
	return file, info.Size(), nil
}

// clean is a path from the root in its shortest form; GitLab takes a slash before it for the root.
func clean(name string) string { return path.Clean(strings.TrimLeft(name, "/")) }

// outside names the escape that os.Root refused; other errors pass.
func outside(name string, err error) error {
	if strings.Contains(err.Error(), "escapes from parent") {
		return fault.New(CodeOutside, "%q leaves the repository through a symbolic link", name)
	}
	return err
}

// Paths lists every file: what git tracks and what is new and not ignored, or all outside git. Slash-separated, sorted.
func (t *Tree) Paths(ctx context.Context) ([]string, error) {
	t.once.Do(func() {
		if t.top == "" {
			t.paths, t.err = t.walk()
			return
		}
		out, err := git.Run(ctx, t.dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
		if err != nil {
			t.err = fmt.Errorf("list the repository's files: %w", err)
			return
		}
		t.paths = strings.FieldsFunc(string(out), func(c rune) bool { return c == 0 })
		slices.Sort(t.paths)
		t.paths = slices.Compact(t.paths)
	})
	return t.paths, t.err
}

func (t *Tree) walk() ([]string, error) {
	var paths []string
	err := filepath.WalkDir(t.dir, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrPermission) && p != t.dir {
			return nil // whatever is in there cannot be read either
		}
		if err != nil || p == t.dir {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".sluice" || d.Name() == ".git" {
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(t.dir, p)
		paths = append(paths, filepath.ToSlash(rel))
		return err
	})
	slices.Sort(paths)
	return paths, err
}

// Digest is the SHA-256 of a file's text, or with commits the last commit that changed it together with the text where
// that is not committed; "" where there is no such file. Hexadecimal.
func (t *Tree) Digest(ctx context.Context, name string, commits bool) (string, error) {
	file, _, err := t.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	if commits && t.top != "" {
		sha, err := git.LastChange(ctx, t.dir, clean(name))
		if err != nil || sha != "" {
			return sha, err
		}
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
