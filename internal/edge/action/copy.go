package action

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// maxLink is the longest target of a symbolic link, in bytes, as Linux has it.
const maxLink = 4096

// copier writes a tree into a folder of its own and sums it up while it does. Nothing is written outside of root, and
// links come last, so that nothing is written through one. Without root it only sums up.
type copier struct {
	root    *os.Root
	made    map[string]bool
	entries []string
	links   [][2]string
	files   int
	bytes   int64
	buffer  []byte
}

func newCopier(root *os.Root) *copier {
	return &copier{root: root, made: map[string]bool{".": true}, buffer: make([]byte, 128<<10)}
}

// safe refuses paths that would not stay in the folder or would pass for git's own files.
func safe(p string) error {
	ok := fs.ValidPath(p) && p != "." && !strings.ContainsAny(p, "\x00\\")
	for part := range strings.SplitSeq(p, "/") {
		ok = ok && !strings.EqualFold(strings.TrimRight(part, " ."), ".git") && !strings.EqualFold(part, "git~1")
	}
	if !ok {
		return fault.New(CodeUnsafe, "the path %q is not safe to write", p)
	}
	return nil
}

// folder makes a folder and those it is in.
func (c *copier) folder(p string) error {
	if c.root == nil || c.made[p] {
		return nil
	}
	if err := safe(p); err != nil {
		return err
	}
	if err := c.root.MkdirAll(p, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", p, err)
	}
	c.made[p] = true
	return nil
}

// file writes one file.
func (c *copier) file(p string, executable bool, in io.Reader) error {
	if err := safe(p); err != nil {
		return err
	}
	kind, mode := "f", fs.FileMode(0o644)
	if executable {
		kind, mode = "x", 0o755
	}
	sum := sha256.New()
	var out io.Writer = sum
	if c.root != nil {
		if err := c.folder(path.Dir(p)); err != nil {
			return err
		}
		file, err := c.root.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return twice(p, fmt.Errorf("write %s: %w", p, err))
		}
		defer file.Close()
		out = io.MultiWriter(sum, file)
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, c.buffer)
	if err != nil {
		return fmt.Errorf("write %s: %w", p, err)
	}
	c.files++
	c.bytes += n
	c.enter(kind, hex.EncodeToString(sum.Sum(nil)), p)
	return nil
}

// twice tells a tree that has one path twice, which only a hostile one does, from other errors.
func twice(p string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return fault.New(CodeUnsafe, "the path %q is there twice", p)
	}
	return err
}

// link notes a symbolic link; finish makes it.
func (c *copier) link(p, target string) error {
	if err := safe(p); err != nil {
		return err
	}
	if target == "" || path.IsAbs(target) || strings.ContainsRune(target, 0) || len(target) > maxLink {
		return fault.New(CodeUnsafe, "the link %s points to %q, outside of its repository", p, target)
	}
	c.links = append(c.links, [2]string{p, target})
	c.files++
	sum := sha256.Sum256([]byte(target))
	c.enter("l", hex.EncodeToString(sum[:]), p)
	return nil
}

func (c *copier) enter(kind, sum, p string) {
	c.entries = append(c.entries, p+"\x00"+kind+"\x00"+sum+"\n")
}

// finish makes the links, sees that none leads out of the folder, and gives the digest of the whole.
func (c *copier) finish() (digest string, err error) {
	if c.root != nil {
		for _, l := range c.links {
			if err := c.folder(path.Dir(l[0])); err != nil {
				return "", err
			}
			if err := c.root.Symlink(l[1], l[0]); err != nil {
				return "", twice(l[0], fmt.Errorf("make the link %s: %w", l[0], err))
			}
		}
		for _, l := range c.links {
			if _, err := c.root.Stat(l[0]); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", fault.New(CodeUnsafe, "the link %s points to %q, outside of its repository", l[0], l[1])
			}
		}
	}
	slices.Sort(c.entries)
	sum := sha256.New()
	for _, e := range c.entries {
		_, _ = io.WriteString(sum, e)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// tree takes a folder as it is, without what belongs to git and to us.
func (c *copier) tree(ctx context.Context, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("read %s: %w", p, err)
		case p == ".":
			return nil
		case d.Name() == ".git" || p == ".sluice":
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return c.folder(p)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := root.Readlink(p)
			if err != nil {
				return fmt.Errorf("read the link %s: %w", p, err)
			}
			return c.link(p, target)
		case !d.Type().IsRegular():
			return fault.New(CodeUnsafe, "%s is neither file, folder nor link", p)
		}
		return c.plain(root, p)
	})
}

func (c *copier) plain(root *os.Root, p string) error {
	file, err := root.OpenFile(p, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("read %s: %w", p, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fault.New(CodeUnsafe, "%s is neither file, folder nor link", p)
	}
	if err != nil {
		return err
	}
	return c.file(p, info.Mode()&0o111 != 0, file)
}

// place writes what was found into a folder of root that is not there yet: all of it or nothing is there afterwards.
// Steps of the job may have put links into root; none is followed out of it.
func (f Found) place(ctx context.Context, root *os.Root, dest string) (Found, error) {
	temp := path.Dir(dest) + "/.new-" + strings.ToLower(rand.Text())
	if err := root.MkdirAll(temp, 0o755); err != nil {
		return f, fmt.Errorf("make the folder for actions: %w", err)
	}
	defer func() { _ = root.RemoveAll(temp) }()
	to, err := root.OpenRoot(temp)
	if err != nil {
		return f, fmt.Errorf("open the folder for actions: %w", err)
	}
	defer to.Close()
	if f, _, err = f.write(ctx, to); err != nil {
		return f, err
	}
	if err := root.Rename(temp, dest); err != nil {
		return f, fmt.Errorf("put the action in its place: %w", err)
	}
	return f, nil
}

// write writes the files into an empty folder.
func (f Found) write(ctx context.Context, root *os.Root) (Found, *copier, error) {
	c := newCopier(root)
	var err error
	if f.Clone != "" {
		err = c.export(ctx, f.Clone, f.Commit)
	} else {
		err = c.tree(ctx, f.Dir)
	}
	if err == nil {
		f.Digest, err = c.finish()
	}
	if told, ok := errors.AsType[*fault.Fault](err); ok {
		return f, nil, fault.New(told.Code, "%s from %s: %s", label(f.Repository, f.Ref), f.From, told.Message).WithHint("%s", told.Hint)
	}
	if err != nil {
		return f, nil, fmt.Errorf("copy %s from %s: %w", label(f.Repository, f.Ref), f.From, err)
	}
	return f, c, f.verify()
}

// verify refuses files that are not those that were added.
func (f Found) verify() error {
	if f.exact == "" || f.exact == f.Digest {
		return nil
	}
	return fault.New(CodeTampered, "%s in the cache is not what was added: its files have the digest %s, recorded is %s", label(f.Repository, f.Ref), f.Digest, f.exact).
		WithHint("`sluice action remove %s`, then `sluice action add %s`", label(f.Repository, f.Ref), label(f.Repository, f.Ref))
}
