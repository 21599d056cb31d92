package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/edge/tree"
	"github.com/sluice-delivery/sluice/internal/engine/dispatch"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// settle is how long the work tree must be quiet before a run begins: editors write in several steps.
const settle = 300 * time.Millisecond

// watch runs the pipeline, then again whenever files change: the rules then see these files as what changed, so that
// jobs with rules:changes run only where they are concerned. It ends with Ctrl-C; a run that fails does not end it.
func (s *streams) watch(ctx context.Context, r *runFlags, jobs []string) error {
	repo, err := git.Open(ctx, orText(r.dir, "."))
	if err != nil {
		return err
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the repository: %w", err)
	}
	defer w.Close()
	for {
		if err := observe(ctx, w, repo); err != nil {
			return err
		}
		if code := s.exit(s.runOnce(ctx, r, jobs)); errors.Is(context.Cause(ctx), dispatch.ErrInterrupted) {
			return &exitError{code: code}
		}
		fmt.Fprintln(s.err, "waiting for changes; Ctrl-C ends")
		changed, err := nextChange(ctx, w, repo)
		if errors.Is(err, dispatch.ErrInterrupted) {
			return &exitError{code: exitInterrupted}
		}
		if err != nil {
			return err
		}
		r.changed = changed
		fmt.Fprintf(s.err, "changed: %s\n", strings.Join(changed, ", "))
	}
}

// observe adds every folder that holds a file of the repository.
func observe(ctx context.Context, w *fsnotify.Watcher, repo *git.Repository) error {
	paths, err := tree.Open(repo.Root, repo.Dir != "").Paths(ctx)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, p := range append(paths, ".") {
		for dir := filepath.Dir(filepath.FromSlash(p)); !seen[dir]; dir = filepath.Dir(dir) {
			seen[dir] = true
			if err := w.Add(filepath.Join(repo.Root, dir)); err != nil {
				return fault.New(codeUsage, "watch %s: %v", dir, err).WithHint("the limit is fs.inotify.max_user_watches")
			}
		}
	}
	return nil
}

// nextChange waits for changes and returns the paths, once the tree is quiet again.
func nextChange(ctx context.Context, w *fsnotify.Watcher, repo *git.Repository) ([]string, error) {
	changed := map[string]bool{}
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case err := <-w.Errors:
			return nil, fmt.Errorf("watch the repository: %w", err)
		case e := <-w.Events:
			rel, err := filepath.Rel(repo.Root, e.Name)
			if err != nil || e.Op == fsnotify.Chmod || ours(rel) {
				continue
			}
			changed[filepath.ToSlash(rel)] = true
			quiet.Reset(settle)
		case <-quiet.C:
			paths, err := unignored(ctx, repo, changed)
			if err != nil {
				return nil, err
			}
			if len(paths) > 0 {
				return paths, nil
			}
			clear(changed)
		}
	}
}

// ours reports whether a path is git's or Sluice's own.
func ours(rel string) bool {
	first, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
	return first == ".git" || first == ".sluice"
}

// unignored leaves out what git ignores.
func unignored(ctx context.Context, repo *git.Repository, changed map[string]bool) ([]string, error) {
	var paths []string
	for p := range changed {
		if repo.Dir != "" {
			ignored, err := git.Ignored(ctx, repo.Root, p)
			if err != nil {
				return nil, err
			}
			if ignored {
				continue
			}
		}
		paths = append(paths, p)
	}
	slices.Sort(paths)
	return paths, nil
}
