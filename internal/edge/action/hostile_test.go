package action_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/action"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// tree makes a commit from entries that git itself would not add: mode, path and content of each. A path has one part.
// A folder holds the one file config with that content.
func (w *world) tree(repo string, entries ...[3]string) {
	w.t.Helper()
	if err := os.MkdirAll(w.path(repo), 0o755); err != nil {
		w.t.Fatal(err)
	}
	w.git(repo, "init", "-q", "-b", "main")
	var raw bytes.Buffer
	for _, e := range entries {
		id := e[2] // of a submodule's commit
		if e[0] != "160000" {
			id = w.hash(repo, "blob", []byte(e[2]))
		}
		if e[0] == "40000" {
			id = w.hash(repo, "tree", append([]byte("100644 config\x00"), rawID(w.t, id)...))
		}
		fmt.Fprintf(&raw, "%s %s\x00", e[0], e[1])
		raw.Write(rawID(w.t, id))
	}
	tree := w.hash(repo, "tree", raw.Bytes())
	commit := w.git(repo, "commit-tree", "-m", "hostile", tree)
	w.git(repo, "update-ref", "refs/heads/main", commit)
}

func rawID(t *testing.T, id string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// hash writes an object, however bad it is.
func (w *world) hash(repo, kind string, content []byte) string {
	w.t.Helper()
	cmd := exec.Command("git", "hash-object", "-w", "--stdin", "--literally", "-t", kind)
	cmd.Dir, cmd.Stdin = w.path(repo), bytes.NewReader(content)
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestHostileTreesAreNotWritten(t *testing.T) {
	w := newWorld(t)
	inner := "[core]\n\tfsmonitor = touch " + w.path("canary") + "\n"
	yml := [3]string{"100644", "action.yml", "runs: {using: node20}\n"}
	for name, entries := range map[string][][3]string{
		"dotgit":         {{"40000", ".git", inner}, yml},
		"dotgit-case":    {{"40000", ".GIT", inner}, yml},
		"dotgit-dots":    {{"40000", ".git . ", inner}, yml},
		"dotgit-short":   {{"40000", "GIT~1", inner}, yml},
		"dotdot":         {{"40000", "..", inner}, yml},
		"slash":          {{"100644", "../../escaped", "x"}, yml},
		"absolute":       {{"100644", "/escaped", "x"}, yml},
		"backslash":      {{"100644", "..\\escaped", "x"}, yml},
		"link-absolute":  {yml, {"120000", "link", "/etc"}},
		"link-up":        {yml, {"120000", "link", "../../../../escaped"}},
		"link-chain":     {yml, {"120000", "here", "."}, {"120000", "link", "here/../../../escaped"}},
		"link-loop":      {yml, {"120000", "link", "link"}},
		"link-empty":     {yml, {"120000", "link", ""}},
		"link-long":      {yml, {"120000", "link", strings.Repeat("a/", 4000)}},
		"link-then-file": {yml, {"120000", "x", ".."}, {"40000", "x", inner}},
		"twice":          {{"100644", "x", "1"}, {"100644", "x", "2"}, yml},
	} {
		t.Run(name, func(t *testing.T) {
			w.tree("mirror/acme/"+name, entries...)
			s := &action.Sources{Mirror: w.path("mirror"), Cache: action.Cache{Dir: w.path("cache")}}
			paths := w.job("job-" + name)
			if inner := w.git("mirror/acme/"+name, "rev-parse", "main"); inner == "" {
				t.Fatal("no commit")
			}
			_, err := s.Resolve(t.Context(), program.Resolve{Repository: "acme/" + name, Ref: "main"}, paths)
			if err == nil {
				t.Error("it was brought into the job")
			} else if e, ok := errors.AsType[*program.Error](err); !ok || e.Failure != program.DataIntegrity {
				t.Errorf("it was refused for another reason: %v", err)
			}
			if list, _ := os.ReadDir(paths.Private + "/_actions/acme/" + name); len(list) > 0 {
				t.Errorf("left behind: %v", list)
			}
			if _, err := s.Add(t.Context(), action.Name{Repository: "acme/" + name, Ref: "main"}, action.Adding{Offline: true, Now: time.Now()}); err == nil {
				t.Error("it was put into the cache")
			}
			_, _ = w.fetch(s, paths, like(func(f *program.Fetch) { f.Repository, f.Path = "acme/"+name, "other" }))
			for _, p := range []string{"/escaped", w.path("escaped"), w.path("job-" + name + "/escaped"), w.path("job-" + name + "/ws/escaped"), w.path("canary"), paths.Private + "/escaped"} {
				if _, err := os.Lstat(p); err == nil {
					t.Errorf("%s was written", p)
				}
			}
			if text, err := os.ReadFile(paths.Workspace + "/other/.git/config"); err == nil && strings.Contains(string(text), "canary") {
				t.Error("the repository wrote its own configuration")
			}
		})
	}
}

func TestHostileClonesStartNothing(t *testing.T) {
	w := newWorld(t)
	w.greet("mirror/acme/evil")
	touch := "touch " + w.path("canary")
	w.write("mirror/acme/evil/.gitattributes", "* filter=evil diff=evil\n")
	w.commit("mirror/acme/evil", "attributes")
	for key, value := range map[string]string{
		"core.fsmonitor": touch, "core.sshCommand": touch, "core.pager": touch, "core.alternateRefsCommand": touch, "uploadpack.packObjectsHook": touch,
		"filter.evil.smudge": touch, "filter.evil.clean": touch, "filter.evil.process": touch, "diff.evil.textconv": touch, "diff.external": touch,
		"credential.helper": "!" + touch, "gpg.program": touch, "core.gitProxy": touch, "core.hooksPath": "hooks",
	} {
		w.git("mirror/acme/evil", "config", key, value)
	}
	for _, hook := range []string{"post-checkout", "pre-commit", "post-index-change", "reference-transaction", "post-rewrite"} {
		for _, dir := range []string{".git/hooks", "hooks"} {
			p := "mirror/acme/evil/" + dir + "/" + hook
			w.write(p, "#!/bin/sh\n"+touch+"\n")
			if err := os.Chmod(w.path(p), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = os.Remove(w.path("canary")) // the set-up itself may have made it
	s := &action.Sources{Mirror: w.path("mirror"), Cache: action.Cache{Dir: w.path("cache")}, Local: map[string]string{"acme/given": w.path("mirror/acme/evil")}}
	if _, err := s.Resolve(t.Context(), program.Resolve{Repository: "acme/evil", Ref: "v1"}, w.job("a")); err != nil {
		t.Error(err)
	}
	if _, err := s.Add(t.Context(), action.Name{Repository: "acme/evil", Ref: "main"}, action.Adding{From: "file://" + w.path("mirror/acme/evil"), Now: time.Now()}); err != nil {
		t.Error(err)
	}
	for i, repo := range []string{"acme/evil", "acme/given"} {
		paths := w.job(fmt.Sprint("job", i))
		for range 2 {
			if _, err := w.fetch(s, paths, like(func(f *program.Fetch) { f.Repository, f.Clean = repo, false })); err != nil {
				t.Errorf("%s: %v", repo, err)
			}
		}
		config, _ := os.ReadFile(paths.Workspace + "/.git/config")
		if bytes.Contains(config, []byte("canary")) {
			t.Errorf("%s: settings came along:\n%s", repo, config)
		}
	}
	if _, err := os.Stat(w.path("canary")); err == nil {
		t.Error("the repository has started a program")
	}
}

func TestHostileSubmodulesAreRefused(t *testing.T) {
	w := newWorld(t)
	w.write("mirror/acme/top/a", "a")
	commit := w.commit("mirror/acme/top", "one")
	touch := "touch " + w.path("canary")
	for name, c := range map[string]struct{ modules, at string }{
		"ext":       {"[submodule \"x\"]\n\tpath = x\n\turl = ext::sh -c '" + touch + "'\n", "x"},
		"update":    {"[submodule \"x\"]\n\tpath = x\n\turl = ./nowhere\n\tupdate = !" + touch + "\n", "x"},
		"option":    {"[submodule \"x\"]\n\tpath = x\n\turl = --upload-pack=" + touch + "\n", "x"},
		"traversal": {"[submodule \"../../hooks\"]\n\tpath = x\n\turl = https://github.com/acme/top\n", "x"},
		"dash":      {"[submodule \"-u\"]\n\tpath = x\n\turl = https://github.com/acme/top\n", "x"},
		"none":      {"", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			repo := "mirror/evil/" + name
			w.tree(repo, [3]string{"100644", ".gitmodules", c.modules}, [3]string{"160000", c.at, commit})
			s := &action.Sources{Mirror: w.path("mirror")}
			_, err := w.fetch(s, w.job("job-"+name), like(func(f *program.Fetch) { f.Repository, f.Submodules = "evil/"+name, "recursive" }))
			if e, ok := errors.AsType[*program.Error](err); !ok || e.Failure != program.UnmetPrerequisites {
				t.Errorf("got %v", err)
			}
			if _, err := os.Stat(w.path("canary")); err == nil {
				t.Error("a program was started")
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a/b@c", "a/b/c/d@refs/heads/x", "./x", "docker://x", "a/b@", "a/../b@c", "-a/b@c", "a/b@--x", "A/b.c/.github/workflows/x.yml@v1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uses string) {
		n, err := action.Parse(uses)
		if err != nil {
			return
		}
		if again, err := action.Parse(n.String()); err != nil || again != n {
			t.Errorf("%q is %+v, and again %+v, %v", uses, n, again, err)
		}
		for part := range strings.SplitSeq(n.Repository+"/"+n.Path+"/"+n.Ref, "/") {
			if part == ".." || strings.EqualFold(part, ".git") && !strings.Contains("/"+n.Path+"/", "/"+part+"/") {
				t.Errorf("%q has the part %q", uses, part)
			}
		}
		if strings.HasPrefix(n.Ref, "-") || strings.HasPrefix(n.Repository, "-") {
			t.Errorf("%q may be taken for an option", uses)
		}
	})
}
