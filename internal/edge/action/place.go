package action

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// clear makes the folder ready: empty as actions/checkout leaves it before it fetches. keep says that files of an
// earlier checkout of the same repository stay (clean: false), so that the new one is to be laid over them.
func (k *checkout) clear() (keep bool, err error) {
	rel, err := k.relative()
	if err != nil {
		return false, err
	}
	root, err := os.OpenRoot(k.paths.Workspace)
	if err != nil {
		return false, fmt.Errorf("open the workspace: %w", err)
	}
	defer root.Close()
	if err := noLinks(root, rel); err != nil {
		return false, err
	}
	k.dest = filepath.Join(k.paths.Workspace, filepath.FromSlash(rel))
	if info, err := root.Lstat(rel); err == nil && !info.IsDir() {
		if err := root.Remove(rel); err != nil {
			return false, fmt.Errorf("clear %s: %w", k.dest, err)
		}
	}
	if err := root.MkdirAll(rel, 0o777); err != nil {
		return false, fmt.Errorf("make %s: %w", k.dest, err)
	}
	if !k.f.Clean && k.isOurs(root, rel) {
		return true, nil
	}
	folder, err := root.Open(rel)
	if err != nil {
		return false, fmt.Errorf("clear %s: %w", k.dest, err)
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	for _, name := range names {
		err = errors.Join(err, removeIn(root, path.Join(rel, name)))
	}
	if err != nil {
		return false, fmt.Errorf("clear %s: %w", k.dest, err)
	}
	return false, nil
}

// removeIn removes all of a path, also below folders that may not be written (Go's module cache).
func removeIn(root *os.Root, p string) error {
	err := root.RemoveAll(p)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = fs.WalkDir(root.FS(), p, func(at string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = root.Chmod(at, 0o700)
		}
		return nil
	})
	return root.RemoveAll(p)
}

// relative is the folder in the workspace. A path may be absolute, as the job sees it.
func (k *checkout) relative() (string, error) {
	p := strings.TrimSpace(k.f.Path)
	for _, base := range []string{k.paths.JobWorkspace, k.paths.Workspace} {
		if base != "" && path.IsAbs(p) && (p == base || strings.HasPrefix(p, trimSlash(base)+"/")) {
			p = strings.TrimLeft(p[len(trimSlash(base)):], "/")
			break
		}
	}
	p = path.Clean(p)
	if !filepath.IsLocal(p) || strings.ContainsRune(p, 0) {
		return "", fault.New(CodePlace, "the path %q is not inside the workspace %s", k.f.Path, k.paths.JobWorkspace)
	}
	for part := range strings.SplitSeq(p, "/") {
		if strings.EqualFold(part, ".git") {
			return "", fault.New(CodePlace, "the path %q is inside a repository's own folder", k.f.Path)
		}
	}
	return p, nil
}

// noLinks refuses a path that goes through a symbolic link: what is there would be removed.
func noLinks(root *os.Root, rel string) error {
	at := ""
	for part := range strings.SplitSeq(rel, "/") {
		at = path.Join(at, part)
		info, err := root.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fault.New(CodePlace, "the path %s cannot be used: %v", rel, err)
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return fault.New(CodePlace, "the path %s goes through the symbolic link %s", rel, at)
		}
	}
	return nil
}

// isOurs says whether a folder holds a checkout of the same repository.
func (k *checkout) isOurs(root *os.Root, rel string) bool {
	file, err := root.OpenFile(path.Join(rel, ".git/config"), os.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	text := make([]byte, 64<<10)
	n, _ := file.Read(text)
	return strings.Contains(string(text[:n]), "url = "+k.origin+"\n") || strings.Contains(string(text[:n]), "url = \""+k.origin+"\"\n")
}

// overlay lays a checkout over what is in a folder: files that are in both are the checkout's, others stay.
func overlay(ctx context.Context, from, to string) error {
	root, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.RemoveAll(".git"); err != nil {
		return fmt.Errorf("replace .git: %w", err)
	}
	err = filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		rel, e := filepath.Rel(from, p)
		if err = errors.Join(err, e, ctx.Err()); err != nil || rel == "." {
			return err
		}
		there, e := root.Lstat(rel)
		if d.IsDir() && rel != ".git" {
			if e == nil && !there.IsDir() {
				if err := root.Remove(rel); err != nil {
					return err
				}
			}
			return root.MkdirAll(rel, 0o777)
		}
		if e == nil {
			if err := root.RemoveAll(rel); err != nil {
				return err
			}
		}
		if err := os.Rename(p, filepath.Join(to, rel)); err != nil {
			return err
		}
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("lay the checkout over the files there: %w", err)
	}
	if isFolder(filepath.Join(to, ".git")) {
		_, _ = git.Run(ctx, to, "update-index", "-q", "--refresh") // moved files look changed until then
	}
	return nil
}
