package blob_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// host is a job that runs on the machine itself, with a workspace and a home of its own.
func host(work, home string) blob.Where {
	return blob.Where{Paths: program.Paths{Workspace: work, JobWorkspace: work}, Home: home, Scope: "refs/heads/main"}
}

func keep(t *testing.T, s *blob.Store, w blob.Where, key string, paths ...string) program.Saved {
	t.Helper()
	saved, err := s.KeepCache(t.Context(), program.SaveCache{Key: key, Version: "v", Once: true, Select: program.Select{Paths: paths}}, w)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func TestCachesOfSeveralFolders(t *testing.T) {
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) {
			work, home, elsewhere := space(t, "node_modules/a/x", "node_modules/.bin/l -> ../a/x", "src/y", "empty/", ".git/lfs/o"), space(t, ".npm/c", ".npm/.d/e", "other"), space(t, "tool/bin")
			saved := keep(t, s, host(work, home), "k-1", "node_modules\n~/.npm\nempty", ".git/lfs", elsewhere+"/tool")
			if saved.Files != 5 || saved.Skipped != "" { // three files, and two folders that stay where they are
				t.Fatalf("%+v", saved)
			}
			// The job goes on with its files; the cache does not change with them.
			if err := os.WriteFile(filepath.Join(work, "node_modules/a/x"), []byte("changed"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(elsewhere, "tool/bin")); err != nil {
				t.Fatal(err)
			}
			newWork := space(t, "src/z")
			found, n, err := s.BringCache(t.Context(), program.RestoreCache{Keys: []string{"k-1"}, Version: "v"}, host(newWork, home))
			if err != nil || found != "k-1" || n != 3 {
				t.Fatal(found, n, err)
			}
			if got, want := tree(t, newWork), []string{"empty/", "node_modules/.bin/l -> ../a/x", "node_modules/a/x", "src/z"}; !slices.Equal(got, want) {
				t.Errorf("workspace: %q", got)
			}
			if text, err := os.ReadFile(filepath.Join(newWork, ".git/lfs/o")); err != nil || string(text) != ".git/lfs/o" {
				t.Errorf("%q %v", text, err)
			}
			// What is the machine's own is left as the user has it meanwhile; where it is gone, the cache is none.
			if got, want := tree(t, elsewhere), []string{"tool/"}; !slices.Equal(got, want) {
				t.Errorf("elsewhere: %q", got)
			}
			if err := os.Remove(filepath.Join(elsewhere, "tool")); err != nil {
				t.Fatal(err)
			}
			if found, _, err := s.BringCache(t.Context(), program.RestoreCache{Keys: []string{"k-1"}, Version: "v"}, host(newWork, home)); found != "" || err != nil {
				t.Error(found, err)
			}
			if text, err := os.ReadFile(filepath.Join(newWork, "node_modules/a/x")); err != nil || string(text) != "node_modules/a/x" {
				t.Errorf("%q %v", text, err)
			}
			// In a container only the workspace and the private folder are shared.
			inside, private := space(t), space(t)
			where := blob.Where{Paths: program.Paths{Workspace: inside, JobWorkspace: "/github/workspace", Private: private, JobPrivate: "/private", Container: "c"}, Home: "/private/home", Scope: "refs/heads/main"}
			if found, n, err := s.BringCache(t.Context(), program.RestoreCache{Keys: []string{"k-1"}, Version: "v"}, where); err != nil || n != 0 || found != "" {
				t.Error(found, n, err)
			}
			keep(t, s, host(work, home), "k-2", "node_modules")
			if found, n, err := s.BringCache(t.Context(), program.RestoreCache{Keys: []string{"k-2"}, Version: "v"}, where); err != nil || n != 2 || found != "k-2" {
				t.Error(found, n, err)
			}
		})
	}
}

func TestCachesAreKeptOnceAndFoundByPrefix(t *testing.T) {
	s := &blob.Store{Dir: t.TempDir()}
	home := t.TempDir()
	first := host(space(t, "f"), home)
	for _, key := range []string{"deps-1", "deps-2", "other-1"} {
		if saved := keep(t, s, first, key, "f"); saved.Files != 1 {
			t.Fatalf("%+v", saved)
		}
	}
	if saved := keep(t, s, host(space(t, "f", "g"), home), "deps-1", "*"); saved.Skipped == "" || saved.Files != 0 {
		t.Errorf("%+v", saved)
	}
	if saved := keep(t, s, first, "none", "nothing/*"); saved.Skipped == "" {
		t.Errorf("%+v", saved)
	}
	topic := first
	topic.Scope, topic.Scopes = "refs/heads/topic", []string{"refs/heads/main"}
	keep(t, s, topic, "deps-0", "f")
	for name, c := range map[string]struct {
		who  blob.Where
		ask  program.RestoreCache
		want string
	}{
		"the key itself":              {first, program.RestoreCache{Keys: []string{"deps-1"}, Prefixes: []string{"deps-"}, Version: "v"}, "deps-1"},
		"the newest by a prefix":      {first, program.RestoreCache{Keys: []string{"deps-9"}, Prefixes: []string{"no-", "deps-", "other-"}, Version: "v"}, "deps-2"},
		"the first prefix that fits":  {first, program.RestoreCache{Keys: []string{"x"}, Prefixes: []string{"other-", "deps-"}, Version: "v"}, "other-1"},
		"not of another version":      {first, program.RestoreCache{Keys: []string{"deps-1"}, Prefixes: []string{""}, Version: "w"}, ""},
		"not of another branch":       {first, program.RestoreCache{Keys: []string{"deps-0"}, Version: "v"}, ""},
		"its own branch before main":  {topic, program.RestoreCache{Keys: []string{"x"}, Prefixes: []string{"deps-"}, Version: "v"}, "deps-0"},
		"main where its own has none": {topic, program.RestoreCache{Keys: []string{"other-1"}, Version: "v"}, "other-1"},
		"only looked for":             {first, program.RestoreCache{Keys: []string{"deps-1"}, Version: "v", Look: true}, "deps-1"},
	} {
		t.Run(name, func(t *testing.T) {
			to := t.TempDir()
			who := c.who
			who.Paths = program.Paths{Workspace: to, JobWorkspace: to}
			found, n, err := s.BringCache(t.Context(), c.ask, who)
			if err != nil || found != c.want {
				t.Errorf("%q %v", found, err)
			}
			if want := found != "" && !c.ask.Look; (n == 1) != want || (len(tree(t, to)) == 1) != want {
				t.Errorf("%d files: %q", n, tree(t, to))
			}
		})
	}
	// GitLab's caches are others, and stay as they were.
	if found, _, err := s.BringCache(t.Context(), program.RestoreCache{Keys: []string{"deps-1"}}, first); found != "" || err != nil {
		t.Error(found, err)
	}
	if _, err := s.KeepCache(t.Context(), program.SaveCache{Key: "deps-1", Select: program.Select{Paths: []string{"*"}}}, first); err != nil {
		t.Fatal(err)
	}
	if found, n, err := s.BringCache(t.Context(), program.RestoreCache{Keys: []string{"deps-1"}}, host(t.TempDir(), home)); found != "deps-1" || n != 1 || err != nil {
		t.Error(found, n, err)
	}
}

// TestACacheWhoseFoldersAreGone is of no use any more, and must not keep another one from its key.
func TestACacheWhoseFoldersAreGone(t *testing.T) {
	s := &blob.Store{Dir: t.TempDir()}
	work, home := t.TempDir(), t.TempDir()
	fill(t, work, "dep/a")
	fill(t, home, ".cache/go/x")
	w, ask := host(work, home), program.RestoreCache{Keys: []string{"k"}, Prefixes: []string{"k"}, Version: "v"}
	keep(t, s, w, "k", "dep", "~/.cache/go")
	if found, _, err := s.BringCache(t.Context(), ask, w); found != "k" || err != nil {
		t.Fatal(found, err)
	}
	if err := os.RemoveAll(filepath.Join(home, ".cache")); err != nil {
		t.Fatal(err)
	}
	if found, n, err := s.BringCache(t.Context(), ask, w); found != "" || n != 0 || err != nil {
		t.Error(found, n, err)
	}
	fill(t, home, ".cache/go/x")
	if saved := keep(t, s, w, "k", "dep", "~/.cache/go"); saved.Skipped != "" {
		t.Errorf("not saved again: %s", saved.Skipped)
	}
	if found, _, err := s.BringCache(t.Context(), ask, w); found != "k" || err != nil {
		t.Error(found, err)
	}
}

func TestFilesOfClientsAreKeptOnce(t *testing.T) {
	s := &blob.Store{Dir: t.TempDir()}
	id := blob.CacheID{Key: "k", Version: "v"}
	for i, want := range []bool{true, false} {
		from := fill(t, s.Dir, "up")
		if _, kept, err := s.AddFile(t.Context(), id, filepath.Join(from, "up")); err != nil || kept != want {
			t.Fatal(i, kept, err)
		}
	}
	if !s.HasFile(id) || s.HasFile(blob.CacheID{Key: "k"}) {
		t.Error("HasFile")
	}
	if _, ok, _ := s.FindCache(t.Context(), blob.Find{Keys: []string{"k"}, Version: "v"}); ok {
		t.Error("a native step finds a client's file")
	}
	hit, ok, err := s.FindFile(t.Context(), blob.Find{Prefixes: []string{""}, Version: "v"})
	if err != nil || !ok || hit.Bytes != 2 {
		t.Fatal(hit, ok, err)
	}
	file, err := s.OpenFile(hit)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
}
