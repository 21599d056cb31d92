package action_test

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/action"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// shop makes the user's repository: three commits on main, a tag at the second, a branch from the first, and changes
// that are not committed.
func (w *world) shop() (first, second, third string) {
	w.t.Helper()
	w.write("shop/README", "one\n", "shop/app/main.go", "package main\n", "shop/docs/guide.md", "guide\n", "shop/lib/deep/a.txt", "a\n", "shop/lib/b.txt", "b\n")
	first = w.commit("shop", "one")
	w.git("shop", "branch", "old")
	w.write("shop/README", "two\n")
	second = w.commit("shop", "two")
	w.git("shop", "tag", "-a", "-m", "v2", "v2")
	w.write("shop/README", "three\n")
	third = w.commit("shop", "three")
	w.write("shop/README", "changed\n", "shop/new.txt", "new\n", "shop/lib/new.txt", "new\n")
	return first, second, third
}

// like is the checkout of a workflow that gives no input.
func like(change func(f *program.Fetch)) program.Fetch {
	f := program.Fetch{Depth: 1, Clean: true, ConeMode: true, Persist: true, SetSafe: true, Server: "https://github.com"}
	if change != nil {
		change(&f)
	}
	return f
}

func TestFetchGivesTheWorkTreeAsItStands(t *testing.T) {
	w := newWorld(t)
	_, _, third := w.shop()
	s := &action.Sources{Own: w.own("shop", "refs/heads/main")}
	paths := w.job("job")
	w.write("job/ws/left/over", "x")
	got, err := w.fetch(s, paths, like(nil))
	if err != nil || got[0] != third || got[1] != "refs/heads/main" {
		t.Fatalf("got %q, %v", got, err)
	}
	if files := w.files(paths.Workspace); files != "README app/main.go docs/guide.md lib/b.txt lib/deep/a.txt lib/new.txt new.txt" {
		t.Errorf("files: %s", files)
	}
	if w.read("job/ws/README") != "changed\n" {
		t.Error("the change is lost")
	}
	for want, args := range map[string][]string{
		"main":                              {"symbolic-ref", "--short", "HEAD"},
		third:                               {"rev-parse", "HEAD"},
		"1":                                 {"rev-list", "--count", "HEAD"},
		"true":                              {"rev-parse", "--is-shallow-repository"},
		"origin/main":                       {"rev-parse", "--abbrev-ref", "main@{upstream}"},
		"https://github.com/acme/shop":      {"remote", "get-url", "origin"},
		"":                                  {"tag"},
		" M README\n?? lib/new.txt\n?? new": {"status", "--porcelain"},
	} {
		if out := w.git("job/ws", args...); strings.TrimSpace(out) != strings.TrimSpace(want) && !strings.HasPrefix(out, strings.TrimSpace(want)) {
			t.Errorf("git %q says %q, want %q", args, out, want)
		}
	}
	w.git("job/ws", "fsck", "--no-dangling")
}

func TestFetchOfWhatTheRunIsAbout(t *testing.T) {
	w := newWorld(t)
	first, second, third := w.shop()
	for name, c := range map[string]struct {
		ref    string // of the run
		f      program.Fetch
		head   string // as symbolic-ref says it, "" detached
		commit string
		count  string
		text   string
	}{
		"a branch":          {"refs/heads/main", like(nil), "main", third, "1", "changed\n"},
		"its name":          {"refs/heads/main", like(func(f *program.Fetch) { f.Ref = "main" }), "main", third, "1", "changed\n"},
		"its commit":        {"refs/heads/main", like(func(f *program.Fetch) { f.Ref = third }), "", third, "1", "changed\n"},
		"a tag":             {"refs/tags/v3", like(nil), "", third, "1", "changed\n"},
		"no branch":         {"refs/heads/", like(nil), "", third, "1", "changed\n"},
		"no name":           {"refs/heads/a b\n", like(nil), "", third, "1", "changed\n"},
		"a pull request":    {"refs/pull/7/merge", like(nil), "", third, "1", "changed\n"},
		"two deep":          {"refs/heads/main", like(func(f *program.Fetch) { f.Depth = 2 }), "main", third, "2", "changed\n"},
		"whole history":     {"refs/heads/main", like(func(f *program.Fetch) { f.Depth = 0 }), "main", third, "3", "changed\n"},
		"deeper than it is": {"refs/heads/main", like(func(f *program.Fetch) { f.Depth = 50 }), "main", third, "3", "changed\n"},
		"another branch":    {"refs/heads/main", like(func(f *program.Fetch) { f.Ref = "old" }), "old", first, "1", "one\n"},
		"a full reference":  {"refs/heads/main", like(func(f *program.Fetch) { f.Ref = "refs/heads/old"; f.Depth = 0 }), "old", first, "1", "one\n"},
		"another tag":       {"refs/heads/main", like(func(f *program.Fetch) { f.Ref = "v2" }), "", second, "1", "two\n"},
		"another tag, deep": {"refs/heads/main", like(func(f *program.Fetch) { f.Ref = "refs/tags/v2"; f.Depth = 9 }), "", second, "2", "two\n"},
		"another commit":    {"refs/heads/main", like(func(f *program.Fetch) { f.Ref = first }), "", first, "1", "one\n"},
		"by its own name":   {"refs/heads/main", like(func(f *program.Fetch) { f.Repository = "Acme/Shop"; f.Ref = "v2" }), "", second, "1", "two\n"},
		"into a folder":     {"refs/heads/main", like(func(f *program.Fetch) { f.Path = "src/it"; f.Ref = "old" }), "old", first, "1", "one\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &action.Sources{Own: w.own("shop", c.ref)}
			key := "job-" + strings.ReplaceAll(name, " ", "-")
			got, err := w.fetch(s, w.job(key), c.f)
			if err != nil || got[0] != c.commit {
				t.Fatalf("got %q, %v; want %s", got, err, c.commit)
			}
			dir := filepath.Join(key, "ws", c.f.Path)
			if text := w.read(dir + "/README"); text != c.text {
				t.Errorf("README holds %q", text)
			}
			head := w.git(dir, "rev-parse", "--abbrev-ref", "HEAD")
			if want := map[bool]string{true: "HEAD", false: c.head}[c.head == ""]; head != want {
				t.Errorf("HEAD is %s, want %s", head, want)
			}
			if n := w.git(dir, "rev-list", "--count", "HEAD"); n != c.count {
				t.Errorf("history has %s commits, want %s", n, c.count)
			}
			if c.text != "changed\n" {
				if st := w.git(dir, "status", "--porcelain"); st != "" {
					t.Errorf("not clean: %s", st)
				}
			}
			w.git(dir, "fsck", "--no-dangling")
			w.git(dir, "log", "--oneline", "--all")
			refs := w.git(dir, "for-each-ref", "--format=%(refname)")
			if c.f.Depth > 0 && strings.Count(refs, "\n") > 1 {
				t.Errorf("with a depth there are more references than asked for:\n%s", refs)
			}
			if c.f.Depth == 0 && !strings.Contains(refs, "refs/tags/v2") {
				t.Errorf("without a depth tags are missing:\n%s", refs)
			}
		})
	}
	if w.git("shop", "status", "--porcelain") == "" || w.git("shop", "for-each-ref", "--format=%(refname)") != "refs/heads/main\nrefs/heads/old\nrefs/tags/v2" {
		t.Error("the user's repository was changed")
	}
}

func TestFetchTags(t *testing.T) {
	w := newWorld(t)
	_, _, third := w.shop()
	s := &action.Sources{Own: w.own("shop", "refs/heads/main")}
	if _, err := w.fetch(s, w.job("job"), like(func(f *program.Fetch) { f.Tags = true })); err != nil {
		t.Fatal(err)
	}
	if got := w.git("job/ws", "tag"); got != "v2" {
		t.Errorf("tags: %q", got)
	}
	if got := w.git("job/ws", "rev-parse", "HEAD"); got != third {
		t.Errorf("HEAD: %s", got)
	}
	w.git("job/ws", "log", "--oneline", "v2")
	w.git("job/ws", "fsck")
}

func TestFetchOtherRepositories(t *testing.T) {
	w := newWorld(t)
	w.shop()
	first, second := w.greet("mirror/acme/greet")
	w.git("mirror", "clone", "-q", "--bare", "acme/greet", "acme/bare.git")
	w.greet("given")
	w.write("given/dist/index.js", "as it stands\n", "plain/x.txt", "plain\n")
	s := &action.Sources{
		Own: w.own("shop", "refs/heads/main"), Mirror: w.path("mirror"),
		Local: map[string]string{"acme/given@v1": w.path("given"), "acme/plain": w.path("plain")},
	}
	for name, c := range map[string]struct {
		repository, ref string
		depth           int
		commit, head    string
		file, text      string
	}{
		"the default branch": {"acme/greet", "", 1, second, "main", "dist/index.js", "two\n"},
		"a tag":              {"acme/greet", "v1", 1, first, "HEAD", "dist/index.js", "one\n"},
		"a bare clone":       {"acme/bare", "main", 0, second, "main", "dist/index.js", "two\n"},
		"a branch":           {"acme/bare", "releases/v1", 1, first, "releases/v1", "dist/index.js", "one\n"},
		"a given clone":      {"acme/given", "v1", 1, second, "main", "dist/index.js", "as it stands\n"},
		"the only one given": {"acme/given", "", 0, second, "main", "dist/index.js", "as it stands\n"},
		"a plain folder":     {"acme/plain", "v3", 1, "", "main", "x.txt", "plain\n"},
	} {
		t.Run(name, func(t *testing.T) {
			key := "job-" + strings.ReplaceAll(name, " ", "-")
			got, err := w.fetch(s, w.job(key), like(func(f *program.Fetch) {
				f.Repository, f.Ref, f.Depth, f.Path = c.repository, c.ref, c.depth, "other"
			}))
			if err != nil {
				t.Fatal(err)
			}
			dir := key + "/ws/other"
			if c.commit != "" && got[0] != c.commit {
				t.Errorf("commit %s, want %s", got[0], c.commit)
			}
			if head := w.git(dir, "rev-parse", "--abbrev-ref", "HEAD"); head != c.head {
				t.Errorf("HEAD is %s, want %s", head, c.head)
			}
			if text := w.read(dir + "/" + c.file); text != c.text {
				t.Errorf("%s holds %q", c.file, text)
			}
			if url := w.git(dir, "remote", "get-url", "origin"); !strings.HasSuffix(url, c.repository) {
				t.Errorf("origin is %s", url)
			}
			if _, err := os.Stat(w.path(dir + "/.git/objects/info/alternates")); err == nil {
				t.Error("it borrows objects of another repository")
			}
			w.git(dir, "fsck", "--no-dangling")
		})
	}
}

func TestFetchSparse(t *testing.T) {
	w := newWorld(t)
	w.shop()
	w.write("shop/docs/guide.md", "changed too\n", "shop/docs/new.md", "new\n")
	s := &action.Sources{Own: w.own("shop", "refs/heads/main")}
	for name, c := range map[string]struct {
		sparse []string
		cone   bool
		ref    string
		want   string
	}{
		"a folder":          {[]string{"lib"}, true, "", "README lib/b.txt lib/deep/a.txt lib/new.txt new.txt"},
		"a deep folder":     {[]string{"lib/deep\napp\n"}, true, "", "README app/main.go lib/b.txt lib/deep/a.txt lib/new.txt new.txt"},
		"patterns":          {[]string{"*.txt", "!lib/b.txt"}, false, "", "lib/deep/a.txt lib/new.txt new.txt"},
		"one file":          {[]string{"/README"}, false, "", "README"},
		"of another branch": {[]string{"docs"}, true, "old", "README docs/guide.md"},
		"another, patterns": {[]string{"docs/", "a.txt"}, false, "old", "docs/guide.md lib/deep/a.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			key := "job-" + strings.ReplaceAll(name, " ", "-")
			paths := w.job(key)
			if _, err := w.fetch(s, paths, like(func(f *program.Fetch) { f.Sparse, f.ConeMode, f.Ref = c.sparse, c.cone, c.ref })); err != nil {
				t.Fatal(err)
			}
			if got := w.files(paths.Workspace); got != c.want {
				t.Errorf("files %s, want %s", got, c.want)
			}
			for line := range strings.Lines(w.git(key+"/ws", "status", "--porcelain")) {
				if strings.Contains(line, "D ") {
					t.Errorf("git takes a file that is left out for deleted: %s", line)
				}
			}
		})
	}
}

func TestFetchSubmodules(t *testing.T) {
	w := newWorld(t)
	w.write("up/inner/i.txt", "inner\n", "up/lib/l.txt", "lib\n", "shop/a.txt", "a\n")
	w.commit("up/inner", "one")
	w.commit("up/lib", "one")
	w.git("up/lib", "-c", "protocol.file.allow=always", "submodule", "add", "-q", "--name", "inner", "../inner", "deep/inner")
	w.commit("up/lib", "two")
	w.commit("shop", "one")
	w.git("shop", "remote", "add", "origin", w.path("up/shop"))
	w.git("shop", "-c", "protocol.file.allow=always", "submodule", "add", "-q", "../lib", "vendor/lib")
	w.git("shop", "-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init", "--recursive")
	w.commit("shop", "two")
	w.git("shop", "branch", "other")
	w.git("shop", "commit", "-q", "--allow-empty", "-m", "three")
	own := w.own("shop", "refs/heads/main")
	own.Origin = "https://github.com/acme/shop"
	for _, ref := range []string{"", "other"} {
		for how, want := range map[string]string{
			"":          ".gitmodules a.txt",
			"true":      ".gitmodules a.txt vendor/lib/.gitmodules vendor/lib/l.txt",
			"recursive": ".gitmodules a.txt vendor/lib/.gitmodules vendor/lib/deep/inner/i.txt vendor/lib/l.txt",
		} {
			t.Run("at "+ref+" "+how, func(t *testing.T) {
				key := "job-" + ref + how
				paths := w.job(key)
				if _, err := w.fetch(&action.Sources{Own: own}, paths, like(func(f *program.Fetch) { f.Ref, f.Submodules = ref, how })); err != nil {
					t.Fatal(err)
				}
				if got := w.files(paths.Workspace); got != want {
					t.Errorf("files %s, want %s", got, want)
				}
				if st := w.git(key+"/ws", "status", "--porcelain"); st != "" {
					t.Errorf("not clean: %s", st)
				}
			})
		}
	}
	t.Run("that are nowhere", func(t *testing.T) {
		s := &action.Sources{Mirror: w.path("up")}
		w.git("up", "clone", "-q", "../shop", "acme/shop")
		_, err := w.fetch(s, w.job("none"), like(func(f *program.Fetch) { f.Repository, f.Submodules = "acme/shop", "true" }))
		if err == nil || !strings.Contains(err.Error(), action.CodeSubmodule) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("of the mirror", func(t *testing.T) {
		w.git("up", "clone", "-q", "--bare", "lib", "acme/lib.git")
		s := &action.Sources{Mirror: w.path("up")}
		paths := w.job("mirrored")
		if _, err := w.fetch(s, paths, like(func(f *program.Fetch) { f.Repository, f.Submodules = "acme/shop", "true" })); err != nil {
			t.Fatal(err)
		}
		if got := w.files(paths.Workspace); got != ".gitmodules a.txt vendor/lib/.gitmodules vendor/lib/l.txt" {
			t.Errorf("files %s", got)
		}
	})
}

func TestFetchClean(t *testing.T) {
	w := newWorld(t)
	w.shop()
	s := &action.Sources{Own: w.own("shop", "refs/heads/main")}
	for clean, want := range map[bool]string{true: "", false: "built\n"} {
		paths := w.job(map[bool]string{true: "clean", false: "kept"}[clean])
		for _, ref := range []string{"", "", "old"} {
			if _, err := w.fetch(s, paths, like(func(f *program.Fetch) { f.Clean, f.Ref = clean, ref })); err != nil {
				t.Fatal(err)
			}
			got, _ := os.ReadFile(paths.Workspace + "/out/built")
			if ref == "old" && string(got) != want {
				t.Errorf("clean %t: out/built holds %q, want %q", clean, got, want)
			}
			if err := errors.Join(os.MkdirAll(paths.Workspace+"/out", 0o755), os.WriteFile(paths.Workspace+"/out/built", []byte("built\n"), 0o644),
				os.WriteFile(paths.Workspace+"/README", []byte("by a step\n"), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if text, _ := os.ReadFile(paths.Workspace + "/docs/guide.md"); string(text) != "guide\n" {
			t.Errorf("clean %t: %q", clean, text)
		}
	}
	if head := w.git("kept/ws", "rev-parse", "--abbrev-ref", "HEAD"); head != "old" {
		t.Errorf("HEAD is %s", head)
	}
}

func TestFetchKeepsTheToken(t *testing.T) {
	w := newWorld(t)
	w.shop()
	s := &action.Sources{Own: w.own("shop", "refs/heads/main")}
	for persist, want := range map[bool]int{true: 1, false: 0} {
		paths := w.job(map[bool]string{true: "with", false: "without"}[persist])
		if _, err := w.fetch(s, paths, like(func(f *program.Fetch) { f.Token, f.Persist = "ghs_secret", persist })); err != nil {
			t.Fatal(err)
		}
		config, _ := os.ReadFile(paths.Workspace + "/.git/config")
		if n := strings.Count(string(config), "AUTHORIZATION: basic "+action.Basic("ghs_secret")); n != want {
			t.Errorf("persist %t: %s", persist, config)
		}
		if strings.Contains(string(config), "ghs_secret") || strings.Contains(w.said.String(), "secret") {
			t.Error("the token stands in clear")
		}
	}
	if got := w.git("with/ws", "config", "--get-urlmatch", "http.extraheader", "https://github.com/acme/shop"); got != "AUTHORIZATION: basic "+action.Basic("ghs_secret") {
		t.Errorf("git reads %q", got)
	}
}

func TestFetchStaysInTheWorkspace(t *testing.T) {
	w := newWorld(t)
	w.shop()
	w.write("precious/file", "x")
	s := &action.Sources{Own: w.own("shop", "refs/heads/main")}
	paths := w.job("job")
	if err := os.Symlink(w.path("precious"), paths.Workspace+"/link"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"../x", "/etc", "a/../../x", "link", "link/deeper", ".git", "a/.GIT/hooks", "/job/wsx"} {
		if _, err := w.fetch(s, paths, like(func(f *program.Fetch) { f.Path = p })); err == nil || !strings.Contains(err.Error(), action.CodePlace) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if w.read("precious/file") != "x" {
		t.Error("a file outside is gone")
	}
	for _, p := range []string{"/job/ws/abs", "./rel/", paths.Workspace + "/host"} {
		if _, err := w.fetch(s, paths, like(func(f *program.Fetch) { f.Path = p })); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	if got := w.read("job/ws/abs/README") + w.read("job/ws/rel/README") + w.read("job/ws/host/README"); got != "changed\nchanged\nchanged\n" {
		t.Errorf("got %q", got)
	}
}

func TestFetchSaysWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	w.shop()
	s := &action.Sources{Own: w.own("shop", "refs/heads/main"), Cache: action.Cache{Dir: w.path("cache")}}
	for _, c := range []struct{ repository, ref, want string }{
		{"", "nothing", "a branch or tag with the name 'nothing' could not be found"},
		{"", "0123456789012345678901234567890123456789", "could not be found"},
		{"", "--orphan", "no tag, branch or commit"},
		{"acme/none", "", "acme/none@HEAD is not on this machine"},
		{"acme/none", "v1", "sluice action add acme/none@v1"},
		{"not a repository", "", "no name of a repository"},
	} {
		_, err := w.fetch(s, w.job("job"), like(func(f *program.Fetch) { f.Repository, f.Ref = c.repository, c.ref }))
		if e, ok := errors.AsType[*program.Error](err); !ok || e.Failure != program.UnmetPrerequisites || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s@%s: %v", c.repository, c.ref, err)
		}
	}
	if _, err := w.fetch(s, w.job("lfs"), like(func(f *program.Fetch) { f.Ref, f.LFS = "old", true })); err != nil {
		t.Error(err)
	}
}

func TestFetchOfAFolderOutsideGit(t *testing.T) {
	w := newWorld(t)
	w.write("folder/a.txt", "a\n")
	own := w.own("folder", "refs/heads/main")
	own.Dir = ""
	if _, err := w.fetch(&action.Sources{Own: own}, w.job("job"), like(nil)); err != nil || w.read("job/ws/a.txt") != "a\n" {
		t.Errorf("%v, %q", err, w.read("job/ws/a.txt"))
	}
}

func TestFetchOfAFilledWorkspaceKeepsItsFiles(t *testing.T) {
	w := newWorld(t)
	_, _, third := w.shop()
	own := w.own("shop", "refs/heads/main")
	s := &action.Sources{Own: own}
	paths := w.job("job")
	if err := own.Snapshot.Fill(t.Context(), paths.Workspace, program.Checkout{}); err != nil {
		t.Fatal(err)
	}
	w.write("job/ws/marker", "still here\n")
	got, err := w.fetch(s, paths, like(func(f *program.Fetch) { f.Filled = true }))
	if err != nil || got[0] != third {
		t.Fatalf("%q, %v", got, err)
	}
	if head := w.git("job/ws", "symbolic-ref", "--short", "HEAD"); head != "main" {
		t.Errorf("HEAD is %s", head)
	}
	if n := w.git("job/ws", "rev-list", "--count", "HEAD"); n != "1" {
		t.Errorf("history has %s commits", n)
	}
	if w.read("job/ws/marker") != "still here\n" || w.read("job/ws/README") != "changed\n" {
		t.Error("the files were touched")
	}
	if _, err := w.fetch(s, paths, like(func(f *program.Fetch) { f.Filled, f.Ref = true, "old" })); err == nil {
		t.Error("another ref was taken for what is there")
	}
}

// TestFetchOfWhatTheEventIsAbout takes the work tree under names that only the event's payload has.
func TestFetchOfWhatTheEventIsAbout(t *testing.T) {
	for name, c := range map[string]struct{ ref, as, head string }{
		"a branch":      {"their-branch", "refs/heads/their-branch", "refs/heads/their-branch"},
		"a commit":      {strings.Repeat("ab", 20), "", ""},
		"a merge":       {"refs/pull/7/merge", "refs/pull/7/merge", ""},
		"an odd branch": {"a..b", "refs/heads/a..b", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, _, third := w.shop()
			got, err := w.fetch(&action.Sources{Own: w.own("shop", "refs/heads/main")}, w.job("job"), like(func(f *program.Fetch) {
				f.Ref, f.Current, f.As = c.ref, true, c.as
			}))
			if err != nil || got[0] != third || w.read("job/ws/README") != "changed\n" {
				t.Fatalf("%q, %v", got, err)
			}
			text := strings.TrimPrefix(w.read("job/ws/.git/HEAD"), "ref: ")
			if want := cmp.Or(c.head, third); strings.TrimSpace(text) != want {
				t.Errorf("HEAD is %q, want %q", text, want)
			}
		})
	}
}

func TestFetchCutsHistoryAsGitDoes(t *testing.T) {
	w := newWorld(t)
	w.write("shop/a", "0")
	w.commit("shop", "0")
	for i, steps := range [][]string{{"x", "x", "x"}, {"y"}, {"x", "y"}} { // sides of different length, merged again
		for _, s := range steps {
			w.git("shop", "checkout", "-q", "-B", s, "main")
			for n := range i + 2 {
				w.write("shop/"+s, strings.Repeat(s, 10*i+n+1))
				w.commit("shop", s)
			}
			w.git("shop", "checkout", "-q", "main")
			w.git("shop", "merge", "-q", "--no-ff", "-m", "merge "+s, s)
		}
	}
	s := &action.Sources{Own: w.own("shop", "refs/heads/main")}
	for depth := 1; depth < 12; depth++ {
		at := strings.Repeat("d", depth)
		w.git(".", "clone", "-q", "--depth", strconv.Itoa(depth), "--single-branch", "file://"+w.path("shop"), "want"+at)
		if _, err := w.fetch(s, w.job("job"+at), like(func(f *program.Fetch) { f.Depth = depth })); err != nil {
			t.Fatal(err)
		}
		want, got := w.git("want"+at, "rev-list", "HEAD"), w.git("job"+at+"/ws", "rev-list", "HEAD")
		if want != got {
			t.Errorf("depth %d: %d commits, git has %d", depth, strings.Count(got, "\n")+1, strings.Count(want, "\n")+1)
		}
	}
}
