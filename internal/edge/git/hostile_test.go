package git_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/git"
)

var errEnough = errors.New("enough")

func contextThatEnds(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errEnough)
}

// traps are settings and files of a repository that make git start a program, each with the canary it would make.
func traps(w world, dir, canary string) {
	touch := "touch " + canary + "-"
	w.write(dir+"/.gitattributes", "*.txt filter=evil diff=evil merge=evil\n*.dat filter=a=b\n*.lfs filter=proc\n*.wt filter=wt\n*.inc filter=inc\n")
	w.write(dir+"/.git/info/attributes", "*.info filter=evil\n", dir+"/.git/included", "[filter \"inc\"]\n\tclean = "+touch+"included; cat\n")
	config, err := os.ReadFile(filepath.Join(w.dir, dir, ".git/config"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.write(dir+"/.git/config", string(config)+`
[core]
	hooksPath = `+filepath.Join(w.dir, dir, "evil-hooks")+`
	fsmonitor = `+touch+`fsmonitor
	sshCommand = `+touch+`ssh
	pager = `+touch+`pager
	editor = `+touch+`editor
	askPass = `+touch+`askpass
	gitProxy = `+touch+`proxy
	alternateRefsCommand = `+touch+`alternates
[pager]
	log = `+touch+`pager-log
	status = true
[diff]
	external = `+touch+`external
[diff "evil"]
	command = `+touch+`diff
	textconv = `+touch+`textconv
[filter "evil"]
	clean = `+touch+`clean; cat
	smudge = `+touch+`smudge; cat
	required = true
[filter "a=b"]
	clean = `+touch+`equals; cat
[filter "proc"]
	process = `+touch+`process
	required
[gpg]
	program = `+touch+`gpg
[log]
	showSignature = true
[credential]
	helper = "!`+touch+`credential"
[alias]
	status = "!`+touch+`alias"
	log = "!`+touch+`alias"
[include]
	path = included
[remote "origin"]
	url = ext::sh -c "`+touch+`ext"
	promisor = true
	partialclonefilter = blob:none
	uploadpack = `+touch+`uploadpack
	vcs = ext
[submodule "sub"]
	update = "!`+touch+`update"
[extensions]
	worktreeConfig = true
`, dir+"/.git/config.worktree", "[filter \"wt\"]\n\tclean = "+touch+"worktree; cat\n")
	for _, hook := range []string{"post-checkout", "post-index-change", "pre-commit", "reference-transaction", "fsmonitor-watchman"} {
		script := "#!/bin/sh\n" + touch + hook + "\n"
		w.write(dir+"/.git/hooks/"+hook, script, dir+"/evil-hooks/"+hook, script)
	}
}

func TestHostileRepositoriesStartNothing(t *testing.T) {
	w := newWorld(t)
	names := []string{"a.txt", "b.dat", "c.lfs", "d.wt", "e.inc", "f.info"}
	for _, dir := range []string{"r", "r/sub"} {
		w.repo(dir)
		for _, n := range names {
			w.write(dir+"/"+n, "first\n")
		}
		w.git(dir, "add", ".")
		w.git(dir, "commit", "-q", "-m", "files")
	}
	// The submodule is a gitlink with a repository of its own, as clone --recursive leaves it.
	w.git("r", "rm", "-q", "-r", "--cached", "--ignore-unmatch", "sub")
	w.git("r", "-c", "advice.addEmbeddedRepo=false", "add", "sub")
	w.write("r/.gitmodules", "[submodule \"sub\"]\n\tpath = sub\n\turl = ext::sh -c touch\n\tignore = none\n")
	w.git("r", "commit", "-q", "-m", "sub", "--allow-empty")
	base := w.git("r", "rev-parse", "HEAD~1")
	canary := w.path("canary")
	for _, dir := range []string{"r", "r/sub"} {
		traps(w, dir, canary)
		for _, n := range names {
			w.write(dir+"/"+n, "other\n") // same size, so that git must look into it
		}
	}
	w.write("r/.git/objects/info/alternates", w.path("r/sub/.git/objects")+"\n")

	r := open(t, w.path("r"))
	if !r.Dirty {
		t.Error("the change is not seen")
	}
	for what, call := range map[string]func() error{
		"facts":     func() error { _ = r.Facts(); return nil },
		"changed":   func() error { _, err := r.Changed(t.Context(), base); return err },
		"between":   func() error { _, err := r.ChangedBetween(t.Context(), base, "HEAD"); return err },
		"all":       func() error { _, err := r.Changed(t.Context(), ""); return err },
		"untracked": func() error { _, err := git.Untracked(t.Context(), r.Root); return err },
		"ignored":   func() error { _, err := git.Ignored(t.Context(), r.Root, "a.txt"); return err },
		"merge":     func() error { _, err := r.MergeBase(t.Context(), base, "HEAD"); return err },
		"last":      func() error { _, err := git.LastChange(t.Context(), r.Root, "a.txt"); return err },
		"tags":      func() error { _, err := git.Tags(t.Context(), r.Root); return err },
		"revision": func() error {
			at, err := git.At(t.Context(), r.Root, "main")
			if err != nil {
				return err
			}
			_, readErr := at.Read(t.Context(), "a.txt")
			_, pathsErr := at.Paths(t.Context())
			return errors.Join(readErr, pathsErr)
		},
		"a blob that is missing, which a partial clone would fetch": func() error {
			_, err := git.Run(t.Context(), r.Root, "cat-file", "blob", strings.Repeat("12", 20))
			if err == nil {
				return errors.New("it was found")
			}
			return nil
		},
	} {
		if err := call(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	made, err := filepath.Glob(canary + "*")
	if err != nil || len(made) > 0 {
		t.Errorf("programs were started: %q %v", made, err)
	}
	if left, _ := filepath.Glob(w.path("r/.git/*.lock")); len(left) > 0 {
		t.Errorf("locks are left: %q", left)
	}
}

// The traps must be able to snap: git as a person calls it falls into them.
func TestTheTrapsAreReal(t *testing.T) {
	w := newWorld(t)
	w.repo("r")
	w.write("r/a.txt", "first\n", "r/b.dat", "first\n", "r/d.wt", "first\n", "r/e.inc", "first\n")
	w.git("r", "add", ".")
	w.git("r", "commit", "-q", "-m", "files")
	traps(w, "r", w.path("canary"))
	for _, n := range []string{"a.txt", "b.dat", "d.wt", "e.inc"} {
		w.write("r/"+n, "other\n")
	}
	w.git("r", "-c", "core.fsmonitor=false", "status", "--porcelain")
	for _, name := range []string{"clean", "equals", "worktree", "included"} {
		if _, err := os.Stat(w.path("canary-" + name)); err != nil {
			t.Errorf("the trap %q does not snap, so that it tests nothing", name)
		}
	}
}

func TestHostileBranchNames(t *testing.T) {
	w := newWorld(t)
	w.repo("r")
	sha := w.git("r", "rev-parse", "HEAD")
	for _, name := range []string{"$(touch${IFS}canary)", "`touch`canary", "--upload-pack=x", "-b", "a;touch-canary", "a|b", "a'b\"c", "über", "a%0ab", "HEAD"} {
		if err := os.WriteFile(w.path("r/.git/HEAD"), []byte("ref: refs/heads/"+name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(w.path("r/.git/refs/heads/"+name), []byte(sha+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := git.Open(t.Context(), w.path("r"))
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if r.Branch != name || r.Commit.SHA != sha {
			t.Errorf("%q: branch %q at %s", name, r.Branch, r.Commit.SHA)
		}
		if got, err := r.Resolve(t.Context(), "refs/heads/"+name); err != nil || got != sha {
			t.Errorf("%q: %s %v", name, got, err)
		}
		_ = r.Facts()
	}
	if made, _ := filepath.Glob(w.path("r/canary*")); len(made) > 0 {
		t.Errorf("%q", made)
	}
}

// A partial clone fetches what it lacks with the program that its own configuration names.
func TestAPartialCloneFetchesNothing(t *testing.T) {
	w := newWorld(t)
	full := w.repo("full")
	w.repo("r")
	w.git("r", "config", "core.repositoryFormatVersion", "1")
	for _, kv := range [][2]string{{"extensions.partialClone", "origin"}, {"remote.origin.promisor", "true"}, {"remote.origin.url", full}, {"remote.origin.uploadpack", "touch " + w.path("canary") + "; git-upload-pack"}} {
		w.git("r", "config", kv[0], kv[1])
	}
	blob := w.git("r", "rev-parse", "HEAD:README")
	if err := os.Remove(w.path("r/.git/objects/" + blob[:2] + "/" + blob[2:])); err != nil {
		t.Fatal(err)
	}
	at, err := git.At(t.Context(), w.path("r"), "main")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := at.Read(t.Context(), "README"); err == nil {
		t.Error("the file was fetched")
	}
	if _, err := os.Stat(w.path("canary")); err == nil {
		t.Error("the repository's program was started")
	}
	w.git("r", "cat-file", "blob", blob) // as a person does it, to see that the trap is one
	if _, err := os.Stat(w.path("canary")); err != nil {
		t.Error("the trap does not snap, so that it tests nothing")
	}
}
