package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/config"
	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/edge/remote"
	"github.com/sluice-delivery/sluice/internal/edge/tree"
	"github.com/sluice-delivery/sluice/internal/engine/intake"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// listing is a tree that can be read and listed: a folder, or a revision of a clone.
type listing interface {
	Read(ctx context.Context, path string) ([]byte, error)
	Paths(ctx context.Context) ([]string, error)
}

// files is the GitLab dialect's view of a tree (config.Files).
type files struct{ listing }

// Read is a file's text; an escape is said in the dialect's words.
func (f files) Read(ctx context.Context, path string) ([]byte, error) {
	text, err := f.listing.Read(ctx, path)
	if fault.CodeOf(err) == tree.CodeOutside {
		return nil, errors.Join(config.ErrOutside, err)
	}
	return text, err
}

// Glob lists what an include's pattern matches.
func (f files) Glob(ctx context.Context, pattern string) ([]string, error) {
	paths, err := f.Paths(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, p := range paths {
		if config.MatchPath(pattern, p) {
			out = append(out, p)
		}
	}
	return out, nil
}

// project is the repository itself, for the compiler (gitlab.Project).
type project struct {
	*tree.Tree
	changes *intake.Changes
}

// Changed lists the files that differ from base.
func (p project) Changed(ctx context.Context, base string) ([]string, bool, error) {
	return p.changes.Changed(ctx, base)
}

// elsewhere finds what a GitLab pipeline names outside of the repository: in the folders that were given, then in the mirror, and for remote
// files on the web (config.Source).
type elsewhere struct {
	own    string // the repository's own path
	files  config.Files
	local  map[string]string // owner/repo or owner/repo@ref -> folder
	mirror string            // holds owner/repo or owner/repo.git, clones or folders
	forms  string            // folder of templates
}

// find is the folder of a project, and whether the ref has been settled by how it was given. No ref means the head of
// the default branch: the folder that was given for HEAD, or the only one that was given for the project.
func (e *elsewhere) find(path, ref string) (dir string, settled, ok bool) {
	if dir, ok := e.local[path+"@"+ref]; ok {
		return dir, true, true
	}
	if dir, ok := e.local[path]; ok {
		return dir, true, true
	}
	if ref == "" {
		refs := e.refs(path)
		if slices.Contains(refs, "HEAD") {
			refs = []string{"HEAD"}
		}
		if len(refs) == 1 {
			return e.local[path+"@"+refs[0]], true, true
		}
	}
	if e.mirror == "" || strings.Contains("/"+path+"/", "/../") {
		return "", false, false
	}
	for _, name := range []string{path, path + ".git"} {
		dir := filepath.Join(e.mirror, filepath.FromSlash(name))
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir, false, true
		}
	}
	return "", false, false
}

// refs are the refs of a project for which a folder was given, sorted.
func (e *elsewhere) refs(path string) []string {
	var out []string
	for name := range e.local {
		if ref, ok := strings.CutPrefix(name, path+"@"); ok {
			out = append(out, ref)
		}
	}
	slices.Sort(out)
	return out
}

// Project is the tree of another project. A folder given for it is taken as it is, a clone of the mirror at the ref.
func (e *elsewhere) Project(ctx context.Context, path, ref string) (config.Files, error) {
	dir, settled, ok := e.find(path, ref)
	if !ok && path == e.own && ref == "" {
		return e.files, nil
	}
	if !ok {
		return nil, config.ErrNotConfigured
	}
	if settled || !git.IsClone(ctx, dir) {
		return files{tree.Open(dir, false)}, nil
	}
	r, err := git.At(ctx, dir, ref)
	if err != nil {
		return nil, err
	}
	return files{r}, nil
}

// Component is the project of a component at the version asked for. Folders given for versions are looked through as
// the tags of a clone are: ~latest and a shortened version mean the newest of them.
func (e *elsewhere) Component(ctx context.Context, c config.Component) (config.Release, error) {
	dir, settled, ok := e.find(c.Project, c.Version)
	if !settled {
		if ref, version := newest(e.refs(c.Project), c.Version); version != "" {
			return config.Release{Files: files{tree.Open(e.local[c.Project+"@"+ref], false)}, Version: version}, nil
		}
	}
	if !ok && c.Project == e.own {
		return config.Release{Files: e.files}, nil
	}
	if !ok {
		return config.Release{}, config.ErrNotConfigured
	}
	if settled || !git.IsClone(ctx, dir) {
		return config.Release{Files: files{tree.Open(dir, false)}, Version: exactVersion(c.Version)}, nil
	}
	tags, err := git.Tags(ctx, dir)
	if err != nil {
		return config.Release{}, err
	}
	ref, version := newest(tags, c.Version)
	r, err := git.At(ctx, dir, ref)
	if err != nil {
		return config.Release{}, err
	}
	return config.Release{Files: files{r}, SHA: r.SHA, Version: version}, nil
}

// Remote is the content behind an address, from a folder that was given for its repository or from the web.
func (e *elsewhere) Remote(ctx context.Context, r config.Remote) ([]byte, error) {
	if text, ok, err := e.raw(ctx, r.URL); ok {
		return text, err
	}
	return remote.Fetcher{}.Fetch(ctx, r.URL)
}

// Template is the text of a template from the folder given, or from the one given for GitLab's source.
func (e *elsewhere) Template(ctx context.Context, name string) ([]byte, error) {
	dir := e.forms
	if source, settled, _ := e.find("gitlab-org/gitlab", ""); dir == "" && settled {
		dir = filepath.Join(source, "lib/gitlab/ci/templates")
	}
	if dir == "" {
		return nil, config.ErrNotConfigured
	}
	text, err := files{tree.Open(dir, false)}.Read(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no template %s: %w", dir, name, fs.ErrNotExist)
	}
	return text, err
}
