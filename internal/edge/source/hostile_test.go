package source_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func TestAddressesThatStartProgramsAreRefused(t *testing.T) {
	w := newWorld(t)
	w.history()
	now := morning
	c := w.cache(&now)
	canary := w.path("canary")
	for _, address := range []string{
		"", " ", "-", "--upload-pack=touch " + canary, "ext::sh -c touch% " + canary, "ext::sh://x", "fd::7", "repo", "./repo", "../repo",
		"ssh://-oProxyCommand=touch " + canary + "/x", "ssh://-oProxyCommand=touch%20x/x", "-oProxyCommand=touch:x", "me@-oProxyCommand=x:y", "host:-x", "host::x", "ftp://host/x",
		"file://host/etc", "https://", "https:///x", "http://-x/y", "https://host/\x00", "https://host/a\rb", "https://host/a\nb", "transport::https://host/x", "git@host:",
	} {
		if _, _, err := c.Resolve(t.Context(), source.Want{RepoURL: address}); fault.CodeOf(err) != source.CodeAddress {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, _, err := c.Resolve(t.Context(), source.Want{RepoURL: w.path("none")}); fault.CodeOf(err) != source.CodeRepository {
		t.Errorf("no folder: %v", err)
	}
	if _, err := os.Stat(canary); err == nil {
		t.Error("a program was started")
	}
}

// TestAHostileRepositoryStartsNothing is S14 for sources: whatever a repository's own settings and files say, reading it
// starts no program and reaches no other file.
func TestAHostileRepositoryStartsNothing(t *testing.T) {
	w := newWorld(t)
	canary, outside := w.path("canary"), w.path("outside")
	w.write("outside", "secret of the machine\n", "evil.sh", "#!/bin/sh\ntouch "+canary+"\ncat\n")
	if err := os.Chmod(w.path("evil.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.write("repo/app/cm.yaml", "one\n", "repo/.gitattributes", "* filter=evil diff=evil\n", "repo/.gitmodules", "[submodule \"x\"]\n\tpath = sub\n\turl = ext::"+w.path("evil.sh")+"\n\tupdate = !touch "+canary+"\n",
		"repo/up", "->../outside", "repo/abs", "->"+outside, "repo/app/hop", "->../up", "repo/loop", "->loop2", "repo/loop2", "->loop", "repo/etc", "->/etc", "repo/app/self", "->.", "repo/dir/x", "x", "repo/inside", "->dir/../app/cm.yaml", "repo/a\rb", "cr\n")
	commit := w.commit("repo")
	w.git("repo", "update-index", "--add", "--cacheinfo", "160000,"+commit+",sub")
	w.git("repo", "commit", "-q", "-m", "A submodule")
	evil := w.path("evil.sh")
	for _, kv := range []string{
		"core.fsmonitor=" + evil, "core.hooksPath=" + w.path("hooks"), "core.sshCommand=" + evil, "core.pager=" + evil, "filter.evil.smudge=" + evil, "filter.evil.clean=" + evil, "filter.evil.process=" + evil,
		"diff.evil.textconv=" + evil, "credential.helper=!" + evil, "core.alternateRefsCommand=" + evil, "uploadpack.packObjectsHook=" + evil, "protocol.ext.allow=always", "core.gitProxy=" + evil, "remote.origin.url=ext::" + evil, "remote.origin.uploadpack=" + evil,
		"remote.origin.promisor=true", "extensions.partialClone=origin",
	} {
		key, value, _ := strings.Cut(kv, "=")
		w.git("repo", "config", key, value)
	}
	for _, hook := range []string{"post-checkout", "reference-transaction", "pre-auto-gc", "fsmonitor-watchman"} {
		w.write("hooks/"+hook, "#!/bin/sh\ntouch "+canary+"\n", "repo/.git/hooks/"+hook, "#!/bin/sh\ntouch "+canary+"\n")
		_ = os.Chmod(w.path("hooks/"+hook), 0o755)
		_ = os.Chmod(w.path("repo/.git/hooks/"+hook), 0o755)
	}
	_ = os.Remove(canary) // the set-up itself may have run some
	s := w.serve(false)
	now := morning
	for name, repo := range map[string]string{"folder": w.path("repo"), "http": s.URL + "/repo/.git"} {
		t.Run(name, func(t *testing.T) {
			c := w.cache(&now)
			want := source.Want{RepoURL: repo, Revision: "main"}
			tree, err := c.Tree(t.Context(), want, resolve(t, c, want))
			if err != nil {
				t.Fatal(err)
			}
			hostile(t, tree)
			if _, err := tree.Read(t.Context(), "sub/x"); fault.CodeOf(err) != source.CodeSubmodule {
				t.Errorf("a submodule: %v", err)
			}
		})
	}
	plain, err := source.Plain(t.Context(), w.path("repo"))
	if err != nil {
		t.Fatal(err)
	}
	hostile(t, plain)
	if _, err := os.Stat(canary); err == nil {
		t.Error("a program of the repository was started")
	}
}

func hostile(t *testing.T, tree *source.Tree) {
	t.Helper()
	for _, name := range []string{"up", "abs", "app/hop", "loop", "etc/passwd", "etc", "../outside", "app/../../outside", "..", "/etc/passwd", "app/self/self/../../../outside", "app/\x00"} {
		if text, err := tree.Read(t.Context(), name); fault.CodeOf(err) != source.CodeOutside {
			t.Errorf("%q: %q, %v", name, text, err)
		}
		if _, err := tree.List(t.Context(), name); fault.CodeOf(err) != source.CodeOutside {
			t.Errorf("list %q: %v", name, err)
		}
	}
	for _, name := range []string{"%2e%2e/outside", "APP/cm.yaml", "app/CM.yaml", ".git/config", ".GIT/config", "app/cm.yaml/x", "none", "a"} {
		if text, err := tree.Read(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %q, %v", name, text, err)
		}
	}
	for name, want := range map[string]string{"inside": "one\n", "app/self/self/cm.yaml": "one\n", "a\rb": "cr\n"} {
		if text, err := tree.Read(t.Context(), name); err != nil || string(text) != want {
			t.Errorf("%q: %q, %v", name, text, err)
		}
	}
	if _, err := tree.Read(t.Context(), "app"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder as a file: %v", err)
	}
}

func TestDeepAndWideTreesAreReadAsTheyAreAsked(t *testing.T) {
	w := newWorld(t)
	var files []string
	for i := range 10_000 {
		files = append(files, fmt.Sprintf("repo/wide/%05d.yaml", i), "x")
	}
	deep := "repo/" + strings.Repeat("d/", 100) + "end"
	w.write(append(files, deep, "bottom", "repo/chain0", "->wide/00000.yaml")...)
	for i := 1; i < 60; i++ {
		w.write(fmt.Sprintf("repo/chain%d", i), fmt.Sprintf("->chain%d", i-1))
	}
	commit := w.commit("repo")
	now := morning
	c := w.cache(&now)
	tree, err := c.Tree(t.Context(), source.Want{RepoURL: w.path("repo")}, commit)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := tree.Read(t.Context(), strings.TrimPrefix(deep, "repo/")); err != nil || string(text) != "bottom" {
		t.Errorf("deep: %q, %v", text, err)
	}
	if paths, err := tree.Paths(t.Context(), "wide"); err != nil || len(paths) != 10_000 {
		t.Errorf("wide: %d, %v", len(paths), err)
	}
	if text, err := tree.Read(t.Context(), "chain30"); err != nil || string(text) != "x" {
		t.Errorf("a chain of 30: %q, %v", text, err)
	}
	if _, err := tree.Read(t.Context(), "chain59"); fault.CodeOf(err) != source.CodeOutside {
		t.Errorf("a chain of 60: %v", err)
	}
}
