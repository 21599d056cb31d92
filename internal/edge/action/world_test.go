package action_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/action"
	"github.com/sluice-delivery/sluice/internal/edge/workspace"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// world is a folder to make repositories and jobs in, with a git that has no settings but its own.
type world struct {
	t    *testing.T
	dir  string
	said strings.Builder
}

func newWorld(t *testing.T) *world {
	t.Helper()
	home := t.TempDir()
	text := "[user]\n\tname = Ada\n\temail = ada@example.com\n[init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n"
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "none"))
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, dir: dir}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// git runs git in a folder of the world.
func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = w.path(dir)
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_DATE=2026-02-03T04:05:06+02:00", "GIT_COMMITTER_DATE=2026-02-03T04:05:06+02:00")
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// write makes files: path, content, path, content.
func (w *world) write(pairs ...string) {
	w.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		p := w.path(pairs[i])
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(pairs[i+1]), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) read(name string) string {
	text, err := os.ReadFile(w.path(name))
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return string(text)
}

// commit commits all there is in a repository, which it makes where there is none.
func (w *world) commit(repo, message string) string {
	w.t.Helper()
	if _, err := os.Stat(w.path(repo + "/.git")); err != nil {
		w.git(repo, "init", "-q", "-b", "main")
	}
	w.git(repo, "add", "-A")
	w.git(repo, "commit", "-q", "--allow-empty", "-m", message)
	return w.git(repo, "rev-parse", "HEAD")
}

// greet makes a clone of an action with two versions: tag v1 at the first commit, branch main at the second, and says
// which commits they are.
func (w *world) greet(repo string) (first, second string) {
	w.t.Helper()
	w.write(repo+"/action.yml", "runs: {using: node20, main: dist/index.js}\n", repo+"/dist/index.js", "one\n", repo+"/run.sh", "#!/bin/sh\n", repo+"/sub/action.yaml", "runs: {using: composite, steps: []}\n")
	if err := os.Chmod(w.path(repo+"/run.sh"), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Symlink("dist/index.js", w.path(repo+"/main.js")); err != nil {
		w.t.Fatal(err)
	}
	w.write(repo+"/.gitattributes", "dist export-ignore\n")
	first = w.commit(repo, "one")
	w.git(repo, "tag", "-a", "-m", "v1", "v1")
	w.git(repo, "branch", "releases/v1")
	w.write(repo+"/dist/index.js", "two\n")
	return first, w.commit(repo, "two")
}

// job makes the folders of a job.
func (w *world) job(name string) program.Paths {
	w.t.Helper()
	p := program.Paths{Workspace: w.path(name + "/ws"), Private: w.path(name + "/private"), JobWorkspace: "/job/ws", JobPrivate: "/job/private"}
	for _, dir := range []string{p.Workspace, p.Private} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			w.t.Fatal(err)
		}
	}
	return p
}

// own is a run's own repository, as the command line describes it.
func (w *world) own(repo, ref string) action.Own {
	w.t.Helper()
	snap, err := workspace.Take(w.t.Context(), w.path(repo), w.path("snapshot-"+filepath.Base(repo)), workspace.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = snap.Close() })
	return action.Own{Repository: "acme/shop", Root: w.path(repo), Dir: w.path(repo + "/.git"), Ref: ref, SHA: snap.Head, Snapshot: snap}
}

// Write takes what a checkout says (program.Output).
func (w *world) Write(_ program.Stream, chunk []byte) error {
	w.said.Write(append(chunk, '\n'))
	return nil
}

// fetch checks out into a new job.
func (w *world) fetch(s *action.Sources, paths program.Paths, f program.Fetch) ([]string, error) {
	out, err := s.Fetch(context.Background(), f, paths, w)
	return out.Values, err
}

// files lists what is in a folder, without .git.
func (w *world) files(dir string) string {
	w.t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == ".git" {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if rel, _ := filepath.Rel(dir, p); !d.IsDir() {
			out = append(out, rel)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(out, " ")
}
