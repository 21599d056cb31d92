package git_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// world is a folder to make repositories in, with a git that has no settings but its own.
type world struct {
	t   testing.TB
	dir string
}

func newWorld(t testing.TB) world {
	t.Helper()
	home := t.TempDir()
	text := "[user]\n\tname = Ada\n\temail = ada@example.com\n[init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n[safe]\n\tdirectory = *\n"
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if t, ok := t.(*testing.T); ok {
		t.Setenv("HOME", home)
		t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "none"))
		t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return world{t, dir}
}

// git runs git in a folder of the world.
func (w world) git(dir string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = filepath.Join(w.dir, dir)
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_DATE=2026-02-03T04:05:06+02:00", "GIT_COMMITTER_DATE=2026-02-03T04:05:06+02:00")
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// write makes files: path, content, path, content.
func (w world) write(pairs ...string) {
	w.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		p := filepath.Join(w.dir, pairs[i])
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(pairs[i+1]), 0o755); err != nil {
			w.t.Fatal(err)
		}
	}
}

// repo makes a repository with one commit on main.
func (w world) repo(name string) string {
	w.t.Helper()
	w.write(name+"/README", "hello\n", name+"/src/a.go", "package a\n")
	w.git(name, "init", "-q", "-b", "main")
	w.git(name, "add", ".")
	w.git(name, "commit", "-q", "-m", "First\n\nWith a body.")
	return filepath.Join(w.dir, name)
}

func (w world) path(name string) string { return filepath.Join(w.dir, name) }
