package git

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
)

// locate finds the work tree's top and its git directory without starting git; "" where there is none.
func locate(dir string) (root, gitDir string) {
	for at := dir; ; at = filepath.Dir(at) {
		p := filepath.Join(at, ".git")
		info, err := os.Lstat(p)
		switch {
		case err == nil && info.Mode().IsRegular():
			text, err := os.ReadFile(p)
			target, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
			if err == nil && ok {
				if !filepath.IsAbs(target) {
					target = filepath.Join(at, target)
				}
				return at, filepath.Clean(target)
			}
		case err == nil && isGitDir(p):
			return at, p
		}
		if at == filepath.Dir(at) {
			return dir, ""
		}
	}
}

// isGitDir reports whether a folder looks like a git directory: git passes over an empty .git, and so do we.
func isGitDir(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "HEAD"))
	objects, e := os.Stat(filepath.Join(dir, "objects"))
	return err == nil && e == nil && objects.IsDir()
}

// IsClone reports whether a folder is a repository of its own, with a work tree or bare.
func IsClone(_ context.Context, dir string) bool {
	root, gitDir := locate(dir)
	return gitDir != "" && root == dir || isGitDir(dir)
}

// headBranch is what is checked out, "" on a detached HEAD.
func headBranch(gitDir string) string {
	text, err := os.ReadFile(filepath.Join(gitDir, "HEAD"))
	if err != nil {
		return ""
	}
	branch, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "ref: refs/heads/")
	if !ok {
		return ""
	}
	return branch
}

// commonDir is the repository's own git directory, also of a linked work tree.
func commonDir(gitDir string) string {
	text, err := os.ReadFile(filepath.Join(gitDir, "commondir"))
	if err != nil {
		return gitDir
	}
	dir := strings.TrimSpace(string(text))
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(gitDir, dir)
	}
	return filepath.Clean(dir)
}

// defaultBranch is what the remote calls so, else the usual names where there are such branches.
func (r *Repository) defaultBranch() string {
	if r.Dir != "" {
		for _, dir := range []string{r.Dir, commonDir(r.Dir)} {
			text, err := os.ReadFile(filepath.Join(dir, "refs/remotes/origin/HEAD"))
			if branch, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "ref: refs/remotes/origin/"); err == nil && ok {
				return branch
			}
		}
		for _, name := range []string{"main", "master"} {
			if r.hasBranch(name) {
				return name
			}
		}
	}
	if d := r.Config["init.defaultbranch"]; d != "" && r.hasBranch(d) {
		return d
	}
	if r.Branch != "" {
		return r.Branch
	}
	return "main"
}

func (r *Repository) hasBranch(name string) bool {
	if r.Dir == "" {
		return false
	}
	common := commonDir(r.Dir)
	for _, ref := range []string{"refs/heads/" + name, "refs/remotes/origin/" + name} {
		if _, err := os.Stat(filepath.Join(common, ref)); err == nil {
			return true
		}
	}
	packed, err := os.ReadFile(filepath.Join(common, "packed-refs"))
	return err == nil && (bytes.Contains(packed, []byte(" refs/heads/"+name+"\n")) || bytes.Contains(packed, []byte(" refs/remotes/origin/"+name+"\n")))
}
