package source

import (
	"context"
	"io/fs"
	"maps"
	"os"
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

// lookAgain is how often the list of repositories is asked for, and how soon one that was not there is found.
const lookAgain = 500 * time.Millisecond

// Watch tells of each change of those of the repositories that are on this machine: a commit, a branch that moved, a file
// of a plain folder; and once of each when its watch stands, since what came before that was not seen. It returns when ctx
// ends, and with an error where the system watches nothing. Addresses on a network are passed over.
func (c *Cache) Watch(ctx context.Context, repos func() []string, changed func(repoURL string)) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer w.Close()
	seen := watching{w: w, owner: map[string][]string{}, roots: map[string]fs.FileInfo{}, pending: map[string]bool{}, timer: time.NewTimer(time.Hour)}
	defer seen.timer.Stop()
	seen.timer.Stop()
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for {
		seen.follow(ctx, c, repos())
		if more, err := seen.next(ctx, look.C, changed); !more {
			return err
		}
	}
}

// watching is folders and whose they are.
type watching struct {
	w       *fsnotify.Watcher
	owner   map[string][]string
	roots   map[string]fs.FileInfo // the folder of each repository that is watched
	pending map[string]bool        // repositories that changed
	timer   *time.Timer            // until they are told of
}

// follow watches the repositories that it is given and no others. One whose folder was replaced is watched anew; one that
// is not there is looked for the next time.
func (s *watching) follow(ctx context.Context, c *Cache, repos []string) {
	for u, was := range s.roots {
		dir, _ := Local(u)
		is, err := os.Stat(dir)
		if !slices.Contains(repos, u) || err != nil || !os.SameFile(was, is) {
			s.leave(u)
		}
	}
	for _, u := range repos {
		dir, local := Local(u)
		if _, ok := s.roots[u]; ok || !local {
			continue
		}
		root, err := os.Stat(dir)
		if err != nil {
			continue
		}
		r, err := c.open(ctx, Want{RepoURL: u})
		if err != nil {
			continue
		}
		if r.plain {
			s.below(dir, u)
		} else {
			for _, at := range gitDirs(dir) {
				s.one(at, u)
				s.below(filepath.Join(at, "refs"), u)
				s.below(filepath.Join(at, "reftable"), u)
			}
		}
		s.roots[u] = root
		s.tell(u)
	}
}

// leave watches a repository no more.
func (s *watching) leave(repo string) {
	delete(s.roots, repo)
	for dir, owners := range s.owner {
		if at := slices.Index(owners, repo); at >= 0 {
			if s.owner[dir] = slices.Delete(owners, at, at+1); len(s.owner[dir]) == 0 {
				delete(s.owner, dir)
				_ = s.w.Remove(dir) // it may be gone
			}
		}
	}
}

// tell has a repository told of soon.
func (s *watching) tell(repo string) {
	s.pending[repo] = true
	s.timer.Reset(settle)
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

// next takes in what happens until it is time to look for repositories again; more is false at the end.
func (s *watching) next(ctx context.Context, look <-chan time.Time, changed func(repoURL string)) (more bool, err error) {
	for {
		select {
		case <-ctx.Done():
			return false, nil
		case <-look:
			return true, nil
		case e, ok := <-s.w.Events:
			if !ok {
				return false, nil
			}
			if strings.HasSuffix(e.Name, ".lock") || e.Op == fsnotify.Chmod {
				continue
			}
			for _, repo := range s.owner[filepath.Dir(e.Name)] {
				if s.counts(e.Name) {
					s.tell(repo)
				}
				if e.Op.Has(fsnotify.Create) {
					s.below(e.Name, repo)
				}
			}
		case err, ok := <-s.w.Errors:
			if !ok {
				return false, err
			}
			for repo := range s.roots { // events were lost: all may have changed
				s.tell(repo)
			}
		case <-s.timer.C:
			for _, repo := range slices.Sorted(maps.Keys(s.pending)) {
				changed(repo)
			}
			clear(s.pending)
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
