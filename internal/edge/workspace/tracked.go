package workspace

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/git"
)

// tracked lists the files that the index names; submodules are returned. Names that git would never make, and names
// below something that is no folder on disk, are deleted files to us, as they are to git.
func (t *taker) tracked(r *repo, number int32, x *index, stamp int64) (submodules []string) {
	r.index = x.template(r.oidSize)
	r.indexFiles = make([]int32, len(x.entries))
	real := map[string]bool{"": true}
	var isFolder func(dir string) bool
	isFolder = func(dir string) bool {
		ok, seen := real[dir]
		if !seen {
			ok = isFolder(parent(dir))
			if ok {
				info, err := os.Lstat(filepath.Join(r.top, dir))
				ok = err == nil && info.IsDir()
			}
			real[dir] = ok
		}
		return ok
	}
	for i := range x.entries {
		e := &x.entries[i]
		r.indexFiles[i] = -1
		switch {
		case i > 0 && x.entries[i-1].path == e.path: // another stage of a conflict
		case !safe(e.path) || t.out(r.prefix+e.path) || e.skipWorktree() && !exists(r.top, e.path):
		case e.mode()&modeType == modeGitlink:
			submodules = append(submodules, e.path)
		case isFolder(parent(e.path)):
			r.indexFiles[i] = int32(len(t.s.files))
			f := file{path: r.prefix + e.path, repo: number, home: number, oid: e.oid}
			f.seen = stampOf(e, stamp)
			t.s.files = append(t.s.files, f)
		}
	}
	return submodules
}

func exists(top, path string) bool {
	_, err := os.Lstat(filepath.Join(top, path))
	return err == nil
}

// safe refuses paths that would leave the work tree or reach into a .git.
func safe(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git") || strings.ContainsRune(part, 0) {
			return false
		}
	}
	return true
}

// untracked lists the files of a work tree that are neither tracked nor ignored; a repository inside ends in "/". Where
// nothing can be ignored a walk will do; else git decides.
func untracked(ctx context.Context, p places, conf settings, x *index, top bool) ([]string, error) {
	if !rulesElsewhere(p) {
		paths, err := walk(ctx, p.top, x, top)
		if !errors.Is(err, errIgnoreFile) {
			return paths, err
		}
	}
	out, err := git.Run(ctx, p.top, "ls-files", "-z", "--others", "--exclude-standard", "--exclude=/.sluice")
	if err != nil {
		return nil, err
	}
	var paths []string
	for b := range bytes.SplitSeq(out, []byte{0}) {
		if len(b) > 0 {
			paths = append(paths, string(b))
		}
	}
	return paths, nil
}

var errIgnoreFile = errors.New("there is an ignore file")

// walk lists all files that are not in the index, and gives up at the first .gitignore.
func walk(ctx context.Context, top string, x *index, first bool) ([]string, error) {
	var paths []string
	var below func(dir string) error
	below = func(dir string) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		list, err := os.ReadDir(filepath.Join(top, dir))
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		for _, d := range list {
			path := d.Name()
			if dir != "" {
				path = dir + "/" + path
			}
			switch {
			case d.Name() == ".gitignore":
				return errIgnoreFile
			case strings.EqualFold(d.Name(), ".git"), first && path == ".sluice":
			case d.IsDir() && x.has(path):
			case d.IsDir() && exists(top, path+"/.git"):
				paths = append(paths, path+"/")
			case d.IsDir():
				if err := below(path); err != nil {
					return err
				}
			case !x.has(path):
				paths = append(paths, path)
			}
		}
		return nil
	}
	return paths, below("")
}

// has says whether the index holds the path itself.
func (x *index) has(path string) bool {
	i := sort.Search(len(x.entries), func(i int) bool { return x.entries[i].path >= path })
	return i < len(x.entries) && x.entries[i].path == path
}

// rulesElsewhere says whether ignore rules may come from outside of the work tree. In doubt it says yes.
func rulesElsewhere(p places) bool {
	home, _ := os.UserHomeDir()
	xdg := os.Getenv("XDG_CONFIG_HOME")
	if xdg == "" {
		xdg = filepath.Join(home, ".config")
	}
	if home == "" || os.Getenv("GIT_CONFIG_GLOBAL") != "" || os.Getenv("GIT_CONFIG_SYSTEM") != "" {
		return true
	}
	for _, name := range []string{filepath.Join(xdg, "git", "ignore"), filepath.Join(p.common, "info", "exclude")} {
		if hasRules(optional(name)) {
			return true
		}
	}
	for _, name := range []string{"/etc/gitconfig", filepath.Join(home, ".gitconfig"), filepath.Join(xdg, "git", "config"), filepath.Join(p.common, "config"), filepath.Join(p.git, "config.worktree")} {
		b := bytes.ToLower(optional(name))
		if bytes.Contains(b, []byte("excludesfile")) || bytes.Contains(b, []byte("[include")) {
			return true
		}
	}
	return false
}

// hasRules says whether an ignore file holds more than comments.
func hasRules(b []byte) bool {
	for line := range bytes.Lines(b) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return true
		}
	}
	return false
}
