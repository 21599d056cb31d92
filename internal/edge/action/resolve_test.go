package action_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/action"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

func TestResolveFindsEachRefOfAClone(t *testing.T) {
	w := newWorld(t)
	first, second := w.greet("mirror/acme/greet")
	w.git("mirror", "clone", "-q", "--bare", "acme/greet", "acme/bare.git")
	s := &action.Sources{Mirror: w.path("mirror")}
	for ref, want := range map[string]string{"v1": first, "main": second, "releases/v1": first, first: first, second[:8]: second, "refs/tags/v1": first} {
		for _, repo := range []string{"acme/greet", "acme/bare", "ACME/Greet"} {
			t.Run(repo+"@"+ref, func(t *testing.T) {
				paths := w.job("job-" + strings.ReplaceAll(repo+ref, "/", "-"))
				out, err := s.Resolve(t.Context(), program.Resolve{Repository: repo, Ref: ref}, paths)
				if err != nil {
					t.Fatal(err)
				}
				at := "/_actions/" + repo + "/" + ref
				if out.Text != "/job/private"+at || out.Values[0] != paths.Private+at || out.Values[1] != want || out.Files[0].Path != "action.yml" {
					t.Errorf("got %q %q %v, want %s", out.Text, out.Values, out.Files, want)
				}
				text := map[string]string{first: "one\n", second: "two\n"}[want]
				for _, name := range []string{"dist/index.js", "main.js"} {
					if got, err := os.ReadFile(filepath.Join(out.Values[0], name)); string(got) != text {
						t.Errorf("%s holds %q, %v; want %q", name, got, err, text)
					}
				}
				if info, err := os.Stat(out.Values[0] + "/run.sh"); err != nil || info.Mode()&0o100 == 0 {
					t.Errorf("run.sh cannot be run: %v", err)
				}
				if info, err := os.Lstat(out.Values[0] + "/main.js"); err != nil || info.Mode()&fs.ModeSymlink == 0 {
					t.Errorf("main.js is no link any more: %v", err)
				}
			})
		}
	}
}

func TestResolveLooksInOrder(t *testing.T) {
	w := newWorld(t)
	folder := func(name string) string {
		w.write(name+"/action.yml", "name: "+name+"\n", name+"/deep/Dockerfile", "FROM scratch\n")
		return w.path(name)
	}
	s := &action.Sources{
		Local:  map[string]string{"acme/a@v1": folder("exact"), "acme/a": folder("any"), "acme/b": folder("b")},
		Paths:  []string{w.path("paths")},
		Cache:  action.Cache{Dir: w.path("cache")},
		Mirror: w.path("mirror"),
	}
	folder("paths/acme/a")
	folder("paths/acme/c@v2")
	folder("paths/acme/d/v1")
	folder("paths/acme/d/v2")
	folder("mirror/acme/c@v2")
	folder("mirror/acme/e")
	if _, err := s.Add(t.Context(), action.Name{Repository: "acme/e", Ref: "v1"}, action.Adding{From: folder("for-cache"), Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for uses, want := range map[string]string{
		"acme/a@v1": "name: exact\n", "acme/a@v2": "name: any\n", "acme/b@main": "name: b\n", "acme/c@v2": "name: paths/acme/c@v2\n",
		"acme/d@v1": "name: paths/acme/d/v1\n", "acme/d@v2": "name: paths/acme/d/v2\n", "acme/e@v1": "name: for-cache\n", "acme/e@v2": "name: mirror/acme/e\n",
		"acme/b/deep@v9": "FROM scratch\n",
	} {
		t.Run(uses, func(t *testing.T) {
			n, err := action.Parse(uses)
			if err != nil {
				t.Fatal(err)
			}
			out, err := s.Resolve(t.Context(), program.Resolve{Repository: n.Repository, Path: n.Path, Ref: n.Ref}, w.job("job-"+strings.ReplaceAll(uses, "/", "-")))
			if err != nil || string(out.Files[0].Content) != want {
				t.Errorf("got %v, %v; want %q", out.Files, err, want)
			}
		})
	}
	if used := s.Used(); len(used) != 9 || !strings.HasPrefix(used[0].Digest, "sha256:") || used[0].From == "" {
		t.Errorf("used: %+v", used)
	}
}

func TestResolveSaysWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	w.greet("mirror/acme/greet")
	s := &action.Sources{Cache: action.Cache{Dir: w.path("cache")}, Mirror: w.path("mirror")}
	for _, c := range []struct{ repository, path, ref, code, want string }{
		{"acme/none", "", "v1", action.CodeMissing, "sluice action add acme/none@v1"},
		{"acme/greet", "", "v9", action.CodeMissing, "has no v9"},
		{"acme/greet", "nothing", "v1", action.CodeNoAction, "no action.yml, action.yaml or Dockerfile in acme/greet/nothing@v1"},
		{"acme/greet", "../..", "v1", action.CodeName, "outside"},
		{"acme/greet", "", "v1^{/x}", action.CodeName, "no tag"},
		{"acme/greet", "", "--upload-pack=x", action.CodeName, "no tag"},
		{"acme/greet", "", "HEAD~1", action.CodeName, "no tag"},
		{"../etc", "", "v1", action.CodeName, "no name of a repository"},
		{"acme/..", "", "v1", action.CodeName, "no name of a repository"},
		{"acme/.git", "", "v1", action.CodeName, "no name of a repository"},
	} {
		t.Run(c.repository+"/"+c.path+"@"+c.ref, func(t *testing.T) {
			_, err := s.Resolve(t.Context(), program.Resolve{Repository: c.repository, Path: c.path, Ref: c.ref}, w.job("job"))
			e, ok := errors.AsType[*program.Error](err)
			if !ok || e.Failure != program.UnmetPrerequisites || fault.CodeOf(e.Err) != c.code || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s %q", err, c.code, c.want)
			}
		})
	}
}

func TestRefMeansOneCommitThroughoutARun(t *testing.T) {
	w := newWorld(t)
	_, second := w.greet("mirror/acme/greet")
	s := &action.Sources{Mirror: w.path("mirror")}
	r := program.Resolve{Repository: "acme/greet", Ref: "main"}
	for _, job := range []string{"a", "b"} {
		out, err := s.Resolve(t.Context(), r, w.job(job))
		if err != nil || out.Values[1] != second {
			t.Errorf("%s got %q, %v; want %s", job, out.Values, err, second)
		}
		w.write("mirror/acme/greet/later", "x")
		w.commit("mirror/acme/greet", "later")
	}
}

func TestTamperedCacheIsRefused(t *testing.T) {
	w := newWorld(t)
	first, _ := w.greet("greet")
	cache := action.Cache{Dir: w.path("cache")}
	s := &action.Sources{Cache: cache}
	n := action.Name{Repository: "acme/greet", Ref: "v1"}
	added, err := s.Add(t.Context(), n, action.Adding{From: w.path("greet"), Now: time.Now()})
	if err != nil || added[0].Record.Commit != first || added[0].Record.Files != 6 {
		t.Fatalf("%+v, %v", added, err)
	}
	r := program.Resolve{Repository: "acme/greet", Ref: "v1"}
	if out, err := s.Resolve(t.Context(), r, w.job("good")); err != nil || out.Values[1] != first {
		t.Fatalf("%q, %v", out.Values, err)
	}
	for name, change := range map[string]func(files string) error{
		"a file's text":   func(f string) error { return os.WriteFile(f+"/dist/index.js", []byte("evil\n"), 0o644) },
		"a file more":     func(f string) error { return os.WriteFile(f+"/evil", nil, 0o644) },
		"a file less":     func(f string) error { return os.Remove(f + "/run.sh") },
		"a mode":          func(f string) error { return os.Chmod(f+"/run.sh", 0o644) },
		"a link's target": func(f string) error { return errors.Join(os.Remove(f+"/main.js"), os.Symlink("run.sh", f+"/main.js")) },
		"a link that leaves": func(f string) error {
			return errors.Join(os.Remove(f+"/main.js"), os.Symlink("/etc/passwd", f+"/main.js"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.Add(t.Context(), n, action.Adding{From: w.path("greet"), Now: time.Now()}); err != nil {
				t.Fatal(err)
			}
			if err := change(w.path("cache/acme/greet/v1/files")); err != nil {
				t.Fatal(err)
			}
			paths := w.job("bad-" + strings.ReplaceAll(name, " ", "-"))
			_, err := s.Resolve(t.Context(), r, paths)
			if e, ok := errors.AsType[*program.Error](err); !ok || e.Failure != program.DataIntegrity {
				t.Errorf("resolved: %v", err)
			}
			if list, _ := os.ReadDir(paths.Private + "/_actions/acme/greet"); len(list) > 0 {
				t.Errorf("left behind: %v", list)
			}
			if _, err := s.Tree(t.Context(), "acme/greet", "v1"); err == nil {
				t.Error("its files could be read")
			}
		})
	}
}

func TestJobsCannotChangeWhatOthersGet(t *testing.T) {
	w := newWorld(t)
	w.greet("greet")
	s := &action.Sources{Cache: action.Cache{Dir: w.path("cache")}}
	if _, err := s.Add(t.Context(), action.Name{Repository: "acme/greet", Ref: "v1"}, action.Adding{From: w.path("greet"), Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	r := program.Resolve{Repository: "acme/greet", Ref: "v1"}
	out, err := s.Resolve(t.Context(), r, w.job("one"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(out.Values[0]+"/dist/index.js", os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.WriteString("mine\n")
	_ = file.Close()
	if again, err := s.Resolve(t.Context(), r, w.job("one")); err != nil || again.Text != out.Text {
		t.Errorf("again in the same job: %q, %v", again.Text, err)
	}
	if got := w.read("one/private/_actions/acme/greet/v1/dist/index.js"); got != "mine\n" {
		t.Errorf("the job's own copy was copied again: %q", got)
	}
	if _, err := s.Resolve(t.Context(), r, w.job("two")); err != nil || w.read("two/private/_actions/acme/greet/v1/dist/index.js") != "one\n" {
		t.Errorf("the other job: %v", err)
	}
}

func TestLinkOfAJobIsNotFollowed(t *testing.T) {
	w := newWorld(t)
	w.greet("mirror/acme/greet")
	paths := w.job("job")
	if err := os.Mkdir(w.path("outside"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(w.path("outside"), paths.Private+"/_actions"); err != nil {
		t.Fatal(err)
	}
	s := &action.Sources{Mirror: w.path("mirror")}
	if _, err := s.Resolve(t.Context(), program.Resolve{Repository: "acme/greet", Ref: "v1"}, paths); err == nil {
		t.Error("the link was followed")
	}
	if got := w.files(w.path("outside")); got != "" {
		t.Errorf("written outside: %s", got)
	}
}

func TestTreeReadsOtherRepositories(t *testing.T) {
	w := newWorld(t)
	w.write("mirror/acme/flows/.github/workflows/ci.yml", "on: workflow_call\n", "plain/.github/workflows/ci.yml", "on: push\n", "plain/x/y", "")
	w.commit("mirror/acme/flows", "one")
	w.git("mirror/acme/flows", "tag", "v1")
	w.write("mirror/acme/flows/.github/workflows/ci.yml", "changed, not committed\n")
	s := &action.Sources{Mirror: w.path("mirror"), Local: map[string]string{"acme/plain": w.path("plain")}}
	for repository, want := range map[string]string{"acme/flows": "on: workflow_call\n", "acme/plain": "on: push\n"} {
		files, err := s.Tree(t.Context(), repository, "v1")
		if err != nil {
			t.Fatal(err)
		}
		if text, err := files.Read(t.Context(), ".github/workflows/ci.yml"); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", repository, text, err)
		}
		if _, err := files.Read(t.Context(), "none"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a file that is not there: %v", repository, err)
		}
		if paths, err := files.Paths(t.Context()); err != nil || paths[0] != ".github/workflows/ci.yml" {
			t.Errorf("%s: %q, %v", repository, paths, err)
		}
	}
}

func TestOwnRepositoryIsFoundInTheClone(t *testing.T) {
	w := newWorld(t)
	first, _ := w.greet("shop")
	s := &action.Sources{Own: w.own("shop", "refs/heads/main")}
	out, err := s.Resolve(t.Context(), program.Resolve{Repository: "acme/shop", Path: "sub", Ref: "v1"}, w.job("job"))
	if err != nil || out.Values[1] != first || out.Files[0].Path != "action.yaml" {
		t.Errorf("%q, %v", out.Values, err)
	}
}

func TestManyJobsAskAtOnce(t *testing.T) {
	w := newWorld(t)
	first, _ := w.greet("mirror/acme/greet")
	s := &action.Sources{Mirror: w.path("mirror")}
	var group sync.WaitGroup
	for i := range 8 {
		paths := w.job(fmt.Sprint("job", i))
		group.Go(func() {
			out, err := s.Resolve(t.Context(), program.Resolve{Repository: "acme/greet", Ref: "v1"}, paths)
			if err != nil || out.Values[1] != first {
				t.Errorf("%q, %v", out.Values, err)
			}
		})
	}
	group.Wait()
	if used := s.Used(); len(used) != 1 || used[0].Commit != first {
		t.Errorf("used %+v", used)
	}
}
