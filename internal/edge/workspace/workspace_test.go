package workspace_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/workspace"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// sh runs a script in dir, with an identity for git and none of the machine's configuration.
func sh(t *testing.T, dir, script string) string {
	t.Helper()
	cmd := exec.Command("bash", "-euc", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_OPTIONAL_LOCKS=0", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com",
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=init.defaultBranch", "GIT_CONFIG_VALUE_0=main", "GIT_CONFIG_KEY_1=protocol.file.allow", "GIT_CONFIG_VALUE_1=always")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n%s%v", script, out, err)
	}
	return string(out)
}

// tree lists a folder: one line a file, with mode and content; .git and .sluice left out.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if d.Name() == ".git" || d.Name() == ".sluice" {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			lines = append(lines, rel+"/")
		case d.Type()&fs.ModeSymlink != 0:
			to, _ := os.Readlink(path)
			lines = append(lines, rel+" -> "+to)
		default:
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			lines = append(lines, fmt.Sprintf("%s %o %d %q", rel, info.Mode().Perm(), info.ModTime().UnixNano(), b))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

const first = `
git init -q .
echo one >one; echo two >two; mkdir -p dir/deep bin; echo three >dir/deep/three; printf '#!/bin/sh\n' >bin/run; chmod +x bin/run; ln -s ../one dir/link
printf '*.o\n/out\n' >.gitignore
git add .; git commit -qm first; git tag -a -m v1 v1.0; echo more >>one; git commit -qam second
`

// worlds are work trees. Prepare builds one in "repo"; drop is then run in a copy of it and takes away what a workspace
// must not have.
var worlds = map[string]struct{ prepare, drop, at string }{
	"a clean repository":                    {prepare: first},
	"without any ignore file":               {prepare: first + `git rm -q .gitignore; git commit -qm none; echo u >untracked; mkdir e; mkdir -p f/g; echo v >f/g/h`, drop: `rm -r e`},
	"changes, staged and not":               {prepare: first + `echo changed >two; echo staged >three; git add three; echo again >>three; chmod -x bin/run`},
	"deletions, staged and not":             {prepare: first + `rm two; git rm -q dir/deep/three`},
	"untracked and ignored files":           {prepare: first + `echo u >untracked; echo o >x.o; mkdir out; echo o >out/y; mkdir empty`, drop: `rm -r x.o out empty`},
	"ignored but tracked":                   {prepare: first + `echo o >x.o; git add -f x.o; git commit -qm forced; echo changed >x.o`},
	"a file that became a folder":           {prepare: first + `rm two; mkdir two; echo in >two/in`},
	"a folder that became a link":           {prepare: first + `mv dir/deep elsewhere; ln -s ../elsewhere dir/deep`},
	"a detached head":                       {prepare: first + `git checkout -q HEAD~1`},
	"no commits yet":                        {prepare: `git init -q .; echo a >a; git add a; echo b >b`},
	"an index of version 4":                 {prepare: first + `git update-index --index-version 4; echo x >>two`},
	"a split index":                         {prepare: first + `git update-index --split-index; echo x >>two; git add two; echo y >>one`},
	"a sparse checkout":                     {prepare: first + `git sparse-checkout set --cone dir; echo x >>one`},
	"a sparse index":                        {prepare: first + `git sparse-checkout set --cone --sparse-index dir; echo x >>one`},
	"names that need care":                  {prepare: first + `printf x >'a b'; printf x >$'tab\there'; printf x >'ünï'; printf x >'"quoted"'; printf x >'*'; git add -A; git commit -qm odd; printf y >$'new\nline'`},
	"a name that only looks like the store": {prepare: first + `echo x >.sluicer; mkdir -p .sluice/runs; echo secret >.sluice/runs/log`, drop: `rm -r .sluice`},
	"sha-256 objects":                       {prepare: `git init -q --object-format=sha256 .; echo a >a; git add a; git commit -qm a; echo b >>a; echo c >c`},
	"a merge with conflicts":                {prepare: first + `git checkout -qb side HEAD~1; echo side >>one; git commit -qam side; git checkout -q main; git merge side || true`},
	"intent to add":                         {prepare: first + `echo new >new; git add -N new`},
	"packed references and loose ones":      {prepare: first + `git branch other; git pack-refs --all; git branch later; git tag light; git update-ref refs/remotes/origin/far HEAD~1`},
	"a shallow clone":                       {prepare: first + `cd ..; mv repo full; git clone -q --depth 1 "file://$PWD/full" repo; echo x >>repo/one`},
	"a linked work tree":                    {prepare: first + `cd ..; mv repo full; cd full; git worktree add -q ../repo HEAD~1; cd ../repo; echo x >>one; echo u >u`},
	"a borrowed object store":               {prepare: first + `cd ..; mv repo full; git clone -q --shared full repo; echo x >>repo/one`},
	"a submodule": {prepare: first + `
		mkdir ../lib; (cd ../lib; git init -q .; echo lib >lib; printf '*.tmp\n' >.gitignore; git add .; git commit -qm lib)
		git submodule --quiet add "file://$PWD/../lib" libs/lib; git commit -qm sub
		echo changed >>libs/lib/lib; echo new >libs/lib/new; echo t >libs/lib/x.tmp`, drop: `rm libs/lib/x.tmp`},
	"a submodule that is not there": {prepare: first + `
		mkdir ../lib; (cd ../lib; git init -q .; echo lib >lib; git add .; git commit -qm lib)
		git submodule --quiet add "file://$PWD/../lib" lib; git commit -qm sub; git submodule --quiet deinit -f lib`},
	"a repository inside":  {prepare: first + `mkdir -p in/side; cd in/side; git init -q .; echo a >a; git add .; git commit -qm a; echo b >b`},
	"started in a folder":  {prepare: first + `echo changed >two`, at: "dir/deep"},
	"no repository at all": {prepare: `echo a >a; mkdir -p b/c empty; ln -s a d; echo x >b/c/x.o; chmod 640 a; mkdir .sluice; echo s >.sluice/s`},
}

func TestWorkspaceHoldsTheWorkTree(t *testing.T) {
	for name, w := range worlds {
		for _, memory := range []int64{0, -1} {
			t.Run(fmt.Sprintf("%s/memory %d", name, memory), func(t *testing.T) {
				t.Parallel()
				base := t.TempDir()
				repo := filepath.Join(base, "repo")
				sh(t, base, "mkdir repo; cd repo\n"+w.prepare)
				sh(t, base, "cp -a repo want; cd want\n"+w.drop)
				before := state(t, repo)
				snapshot := take(t, filepath.Join(repo, w.at), workspace.Options{Memory: memory})
				ws := filepath.Join(base, "ws")
				if err := snapshot.Fill(t.Context(), ws, program.Checkout{Submodules: "recursive"}); err != nil {
					t.Fatal(err)
				}
				if got, want := tree(t, ws), tree(t, filepath.Join(base, "want")); got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
				sameForGit(t, repo, ws)
				abuse(t, ws)
				after := state(t, repo)
				if before != after {
					t.Errorf("the user's checkout changed:\n%s\nwas\n%s", after, before)
				}
			})
		}
	}
}

// state is all that must stay as it is in the user's checkout.
func state(t *testing.T, repo string) string {
	t.Helper()
	return sh(t, repo, `find "$PWD" -not -path "*/.git/*" -not -name .git -printf '%p %s %T@ %m %l\n' | sort
		[ ! -e .git ] || { git for-each-ref; git count-objects -v; cat "$(git rev-parse --git-path config)" "$(git rev-parse --git-path index)" | cksum; }`)
}

func take(t *testing.T, root string, o workspace.Options) *workspace.Snapshot {
	t.Helper()
	store := filepath.Join(t.TempDir(), "store")
	s, err := workspace.Take(t.Context(), root, store, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(store); err == nil {
			t.Error("the store is still there")
		}
	})
	return s
}

// sameForGit asks both repositories the same questions.
func sameForGit(t *testing.T, repo, ws string) {
	t.Helper()
	if _, err := os.Lstat(filepath.Join(repo, ".git")); err != nil {
		return
	}
	for _, question := range []string{
		"git status --porcelain -z | tr '\\0' '\\n' | grep -v .sluice/ || true", "git rev-parse HEAD || true", "git log --oneline || true", "git describe --tags --always || true",
		"git diff HEAD --stat || true", "git diff --cached --raw --abbrev=40 || true", "git tag -l", "git ls-files -s", "git submodule status 2>&1 | sed 's,(.*,,' || true", "git fsck --no-dangling 2>/dev/null || true",
	} {
		got, want := sh(t, ws, question), sh(t, repo, question)
		if got != want {
			t.Errorf("%s says\n%s\nin the repository\n%s", question, got, want)
		}
	}
	if branch := strings.TrimSpace(sh(t, ws, "git symbolic-ref -q HEAD || true")); branch != "" && sh(t, repo, "git rev-parse -q --verify HEAD || true") != "" {
		t.Errorf("HEAD is on %s, want it detached", branch)
	}
}

// abuse does what a job may do to its workspace, the worst included.
func abuse(t *testing.T, ws string) {
	t.Helper()
	if _, err := os.Lstat(filepath.Join(ws, ".git")); err != nil {
		return
	}
	sh(t, ws, `
		git add -A . || true; git commit -qm job --no-verify || true; git branch mine; git tag -f v1.0 || true
		git config user.name job; git gc -q --prune=now || true; git reflog expire --expire=all --all
		find . -type f -not -path './.git/*' -exec sh -c 'chmod u+w "$1"; echo overwritten >>"$1"' _ {} \;
		git checkout -q --orphan fresh; git clean -qfdx; rm -rf .git/objects`)
}

func TestRunSeesOneState(t *testing.T) {
	for name, memory := range map[string]int64{"in memory": 0, "from git's objects and copies": -1} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			repo := filepath.Join(base, "repo")
			sh(t, base, "mkdir repo; cd repo\n"+first+`
				head -c 300000 /dev/urandom >big; git add big; git commit -qm big; echo dirty >two; echo u >u; head -c 200000 /dev/zero >v
				find . -not -path './.git/*' -exec touch -h -d '1 hour ago' {} +; git update-index -q --refresh || true`)
			age(t, repo)
			s := take(t, repo, workspace.Options{Memory: memory})
			want := tree(t, repo)
			sh(t, repo, `echo later >one; echo later >>u; rm two dir/deep/three; echo x >v; echo new >new; printf other | dd of=big bs=1 seek=100 conv=notrunc status=none; mv dir moved`)
			ws := filepath.Join(base, "ws")
			if err := s.Fill(t.Context(), ws, program.Checkout{Strategy: "clone"}); err != nil {
				t.Fatal(err)
			}
			if got := tree(t, ws); got != want {
				t.Errorf("got\n%.2000s\nwant\n%.2000s", got, want)
			}
		})
	}
}

// age waits until the files are older than what the snapshot calls fresh, so that they stay in the work tree.
func age(t *testing.T, dir string) {
	t.Helper()
	sh(t, dir, `sleep 0.1; git update-index -q --refresh || true; sleep 0.1`)
}

func TestFileThatGitKeepsInAnotherFormIsAClearError(t *testing.T) {
	base := t.TempDir()
	repo := filepath.Join(base, "repo")
	sh(t, base, "mkdir repo; cd repo\n"+first+`printf 'crlf text eol=crlf\n' >.gitattributes; printf 'a\r\nb\r\n' >crlf; git add .; git commit -qm crlf`)
	age(t, repo)
	s := take(t, repo, workspace.Options{Memory: -1})
	sh(t, repo, `echo other >crlf`)
	err := s.Fill(t.Context(), filepath.Join(base, "ws"), program.Checkout{})
	if fault.CodeOf(err) != workspace.CodeChanged {
		t.Errorf("got %v, want %s", err, workspace.CodeChanged)
	}
}

func TestWorkspacesAreApart(t *testing.T) {
	base := t.TempDir()
	repo := filepath.Join(base, "repo")
	sh(t, base, "mkdir repo; cd repo\n"+first+`for i in $(seq 200); do echo $i >f$i; done; git add .; git commit -qm many`)
	want := tree(t, repo)
	s := take(t, repo, workspace.Options{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			ws := filepath.Join(base, fmt.Sprint("ws", i))
			if err := s.Fill(t.Context(), ws, program.Checkout{}); err != nil {
				t.Error(err)
				return
			}
			if got := tree(t, ws); got != want {
				t.Errorf("workspace %d differs", i)
			}
			sh(t, ws, `for f in f*; do echo changed >>$f; done; git commit -qam mine`)
		})
	}
	wg.Wait()
	if got := tree(t, repo); got != want {
		t.Error("the user's files changed")
	}
}

func TestWorkspaceIsUsedAgainOnlyWhenNothingChanged(t *testing.T) {
	base := t.TempDir()
	repo := filepath.Join(base, "repo")
	sh(t, base, "mkdir repo; cd repo\n"+first+"echo dirty >two; echo u >u")
	s := take(t, repo, workspace.Options{})
	for script, want := range map[string]bool{
		`cat one; ls -lR`: true,
		`touch x; rm x`:   true,
		`echo x >x`:       false,
		`mkdir x`:         false,
		`echo other >one`: false,
		`printf 'ONE\nmore\n' | dd of=one conv=notrunc status=none`: false,
		`touch one`:                          false,
		`chmod 600 two`:                      false,
		`chmod 700 dir`:                      false,
		`rm u`:                               false,
		`ln one ../kept`:                     false,
		`rm dir/link; ln -s ../two dir/link`: false,
		`git commit -qam job`:                false,
		`git tag mine`:                       false,
		`git config user.name x`:             false,
		`mkdir .git/hooks; echo evil >.git/hooks/post-checkout`: false,
		`echo x >.git/objects/x`:                                false,
		`rm two; mkfifo two`:                                    false,
	} {
		ws := filepath.Join(base, "ws")
		if err := s.Fill(t.Context(), ws, program.Checkout{}); err != nil {
			t.Fatal(err)
		}
		sh(t, ws, script)
		if got := s.Refill(t.Context(), ws, program.Checkout{}); got != want {
			t.Errorf("after %s: %v", script, got)
		}
		if err := os.RemoveAll(ws); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEmptyWorkspaces(t *testing.T) {
	base := t.TempDir()
	sh(t, base, "mkdir repo; cd repo\n"+first)
	s := take(t, filepath.Join(base, "repo"), workspace.Options{})
	for _, mode := range []string{"none", "empty"} {
		ws := filepath.Join(base, mode)
		if err := s.Fill(t.Context(), ws, program.Checkout{Strategy: mode}); err != nil {
			t.Fatal(err)
		}
		if got := tree(t, ws); got != "./" {
			t.Errorf("%s: got %s", mode, got)
		}
	}
	if err := s.Fill(t.Context(), filepath.Join(base, "other"), program.Checkout{Strategy: "sideways"}); err == nil {
		t.Error("an unknown mode was taken")
	}
}

func TestLeftOutWithANote(t *testing.T) {
	base := t.TempDir()
	sh(t, base, "mkdir repo; cd repo\n"+first+"git rm -q .gitignore; mkfifo pipe; mkdir cache; echo x >cache/x")
	s := take(t, filepath.Join(base, "repo"), workspace.Options{Exclude: []string{"cache"}})
	if len(s.Notes) != 1 || s.Notes[0].Code != workspace.CodeSkipped || !strings.Contains(s.Notes[0].Message, "pipe") {
		t.Errorf("notes are %v", s.Notes)
	}
	ws := filepath.Join(base, "ws")
	if err := s.Fill(t.Context(), ws, program.Checkout{}); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, ws); strings.Contains(got, "pipe") || strings.Contains(got, "cache") {
		t.Errorf("got %s", got)
	}
}

func TestUnwritableIsAFault(t *testing.T) {
	base := t.TempDir()
	sh(t, base, "mkdir repo; cd repo\n"+first)
	s := take(t, filepath.Join(base, "repo"), workspace.Options{})
	err := s.Fill(t.Context(), filepath.Join(base, "no", "such", "folder"), program.Checkout{})
	if fault.CodeOf(err) != workspace.CodeUnwritable {
		t.Errorf("got %v", err)
	}
}

func TestCanceledFillStops(t *testing.T) {
	base := t.TempDir()
	sh(t, base, "mkdir repo; cd repo\n"+first+`for i in $(seq 200); do echo $i >f$i; done`)
	ctx, cancel := context.WithCancel(t.Context())
	s := take(t, filepath.Join(base, "repo"), workspace.Options{})
	cancel()
	if err := s.Fill(ctx, filepath.Join(base, "ws"), program.Checkout{}); err == nil {
		t.Error("a canceled fill went well")
	}
}
