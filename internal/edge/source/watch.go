package source

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is what is waited for after a change, so that one commit is told once.
const settle = 20 * time.Millisecond

// maxWatched bounds the folders that are watched below one repository or plain folder.
const maxWatched = 10_000

// Watch tells of each change of those of the repositories that are on this machine: a commit, a branch that moved, a file
// of a plain folder. It returns when ctx ends. Addresses on a network are passed over.
func (c *Cache) Watch(ctx context.Context, repoURLs []string, changed func(repoURL string)) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer w.Close()
	seen := watching{w: w, owner: map[string][]string{}}
	for _, u := range repoURLs {
		dir, ok := Local(u)
		if !ok {
			continue
		}
		r, err := c.open(ctx, Want{RepoURL: u})
		if err != nil {
			return err
		}
		if r.plain {
			seen.below(dir, u)
			continue
		}
		for _, at := range gitDirs(dir) {
			seen.one(at, u)
			seen.below(filepath.Join(at, "refs"), u)
			seen.below(filepath.Join(at, "reftable"), u)
		}
	}
	return seen.run(ctx, changed)
}

// watching is folders and whose they are.
type watching struct {
	w     *fsnotify.Watcher
	owner map[string][]string
}

func (s *watching) one(dir, repo string) {
	if len(s.owner) >= maxWatched || s.w.Add(dir) != nil {
		return // gone, or no more than the system allows: the next poll sees the change
	}
	if !slices.Contains(s.owner[dir], repo) {
		s.owner[dir] = append(s.owner[dir], repo)
	}
}

func (s *watching) below(dir, repo string) {
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		if d.Name() == ".git" || d.Name() == ".sluice" {
			return fs.SkipDir
		}
		s.one(name, repo)
		return nil
	})
}

func (s *watching) run(ctx context.Context, changed func(repoURL string)) error {
	pending := map[string]bool{}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-s.w.Events:
			if !ok {
				return nil
			}
			if strings.HasSuffix(e.Name, ".lock") || e.Op == fsnotify.Chmod {
				continue
			}
			for _, repo := range s.owner[filepath.Dir(e.Name)] {
				if s.counts(e.Name) {
					pending[repo] = true
					timer.Reset(settle)
				}
				if e.Op.Has(fsnotify.Create) {
					s.below(e.Name, repo)
				}
			}
		case err, ok := <-s.w.Errors:
			if !ok {
				return err
			}
			for _, repos := range s.owner { // events were lost: all may have changed
				for _, repo := range repos {
					pending[repo] = true
				}
			}
			timer.Reset(settle)
		case <-timer.C:
			for _, repo := range sorted(pending) {
				changed(repo)
			}
			clear(pending)
		}
	}
}

// counts leaves out what git writes into its own folder that moves no reference.
func (s *watching) counts(name string) bool {
	dir := filepath.Dir(name)
	if filepath.Base(dir) != ".git" && !strings.HasSuffix(dir, ".git") {
		return true
	}
	switch filepath.Base(name) {
	case "HEAD", "packed-refs", "refs", "reftable":
		return true
	}
	return false
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for s := range set {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}
