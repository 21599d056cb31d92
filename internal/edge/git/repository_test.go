package git_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func open(t *testing.T, dir string) *git.Repository {
	t.Helper()
	r, err := git.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOpenAFolderOutsideGit(t *testing.T) {
	w := newWorld(t)
	w.write("plain/file", "", "plain/.git/nothing", "")
	r := open(t, w.path("plain"))
	if r.Dir != "" || r.Root != w.path("plain") || r.Commit.SHA != git.Zero || r.Dirty || r.Branch != "" {
		t.Errorf("%+v", r)
	}
	if f := r.Facts(); f.Path != "local/plain" || f.DefaultBranch != "main" || f.URL != "" {
		t.Errorf("%+v", f)
	}
	if _, err := git.Open(t.Context(), w.path("nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestOpenARepositoryWithoutCommits(t *testing.T) {
	w := newWorld(t)
	w.write("r/file", "")
	w.git("r", "init", "-q", "-b", "trunk")
	r := open(t, w.path("r"))
	if r.Commit.SHA != git.Zero || r.Parent != git.Zero || r.Branch != "trunk" || !r.Dirty || r.Facts().DefaultBranch != "trunk" {
		t.Errorf("%+v", r)
	}
	if paths, err := r.Changed(t.Context(), ""); err != nil || !slices.Equal(paths, []string{"file"}) {
		t.Error(paths, err)
	}
}

func TestOpenReadsTheCommit(t *testing.T) {
	w := newWorld(t)
	dir := w.repo("r")
	first := w.git("r", "rev-parse", "HEAD")
	w.git("r", "commit", "-q", "--allow-empty", "-m", "Second: \"quoted\", with, commas\n\nBody\nof two lines\n\nTrailer: x")
	w.git("r", "tag", "v1")
	w.git("r", "tag", "-a", "-m", "note", "release/2.0")
	r := open(t, filepath.Join(dir, "src"))
	if r.Root != dir || r.Dir != filepath.Join(dir, ".git") || r.Branch != "main" || r.Dirty || r.Parent != first {
		t.Errorf("%+v", r)
	}
	c := r.Commit
	if c.SHA != w.git("r", "rev-parse", "HEAD") || c.Title != `Second: "quoted", with, commas` || !strings.HasSuffix(strings.TrimSpace(c.Message), "Trailer: x") ||
		c.Author.Name != "Ada" || c.Author.Email != "ada@example.com" || c.At.Unix() != 1770084306 {
		t.Errorf("%+v", c)
	}
	slices.Sort(r.Tags)
	if !slices.Equal(r.Tags, []string{"release/2.0", "v1"}) || r.User.Name != "Ada" {
		t.Errorf("%q %+v", r.Tags, r.User)
	}
}

func TestOpenOtherShapesOfRepositories(t *testing.T) {
	w := newWorld(t)
	main := w.repo("main")
	w.git("main", "commit", "-q", "--allow-empty", "-m", "second")
	sha := w.git("main", "rev-parse", "HEAD")

	t.Run("detached", func(t *testing.T) {
		w.git(".", "clone", "-q", main, "detached")
		w.git("detached", "checkout", "-q", "--detach")
		if r := open(t, w.path("detached")); r.Branch != "" || r.Commit.SHA != sha || r.Facts().DefaultBranch != "main" || r.Upstream() != "" {
			t.Errorf("%+v %+v", r, r.Facts())
		}
	})
	t.Run("a linked work tree", func(t *testing.T) {
		w.git("main", "worktree", "add", "-q", "-b", "side", w.path("linked"))
		r := open(t, filepath.Join(w.path("linked"), "src"))
		if r.Root != w.path("linked") || r.Branch != "side" || r.Commit.SHA != sha || r.Facts().DefaultBranch != "main" {
			t.Errorf("%+v %+v", r, r.Facts())
		}
		if !git.IsClone(t.Context(), w.path("linked")) {
			t.Error("it is no clone")
		}
	})
	t.Run("a submodule, and what is around it", func(t *testing.T) {
		w.repo("around")
		w.git("around", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", main, "sub")
		w.git("around", "commit", "-q", "-m", "sub")
		r := open(t, w.path("around/sub/src"))
		if r.Root != w.path("around/sub") || r.Commit.SHA != sha || r.Remote != main {
			t.Errorf("%+v", r)
		}
		w.write("around/sub/README", "changed\n")
		if r := open(t, w.path("around")); r.Dirty {
			t.Error("what is inside a submodule is looked at with its own settings")
		}
		w.git("around/sub", "checkout", "-q", "HEAD~1", "--force")
		if r := open(t, w.path("around")); !r.Dirty {
			t.Error("another commit of a submodule is a change")
		}
	})
	t.Run("a shallow clone", func(t *testing.T) {
		w.git(".", "clone", "-q", "--depth=1", "file://"+main, "shallow")
		if r := open(t, w.path("shallow")); r.Commit.SHA != sha || r.Parent != git.Zero {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a bare mirror", func(t *testing.T) {
		w.git(".", "clone", "-q", "--mirror", main, "mirror.git")
		if !git.IsClone(t.Context(), w.path("mirror.git")) || git.IsClone(t.Context(), w.path("main/src")) || git.IsClone(t.Context(), w.dir) {
			t.Error("what is a clone is not told")
		}
		at, err := git.At(t.Context(), w.path("mirror.git"), "")
		if err != nil || at.SHA != sha {
			t.Fatal(at, err)
		}
		if text, err := at.Read(t.Context(), "/README"); err != nil || string(text) != "hello\n" {
			t.Errorf("%q %v", text, err)
		}
		if paths, err := at.Paths(t.Context()); err != nil || !slices.Equal(paths, []string{"README", "src/a.go"}) {
			t.Error(paths, err)
		}
		for _, bad := range []string{"gone", "..", "../main/README", "src", "/", "", ":README", "README\x00x"} {
			if text, err := at.Read(t.Context(), bad); !errors.Is(err, fs.ErrNotExist) && bad != "README\x00x" || text != nil {
				t.Errorf("%q: %q %v", bad, text, err)
			}
		}
		if _, err := git.At(t.Context(), w.path("mirror.git"), "nobody"); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	t.Run("one that belongs to somebody else", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("NOT TESTED: only root can give a repository away")
		}
		w.git(".", "clone", "-q", main, "theirs")
		err := filepath.WalkDir(w.path("theirs"), func(p string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(p, 65534, 65534))
		})
		if err != nil {
			t.Fatal(err)
		}
		if r := open(t, w.path("theirs")); r.Commit.SHA != sha || r.Dirty {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a broken one", func(t *testing.T) {
		w.repo("broken")
		w.write("broken/.git/HEAD", "nonsense")
		_, err := git.Open(t.Context(), w.path("broken"))
		if fault.CodeOf(err) != git.CodeFailed {
			t.Error(err)
		}
	})
	t.Run("a broken one inside another", func(t *testing.T) {
		w.write("main/inner/.git/HEAD", "nonsense", "main/inner/.git/objects/x", "")
		if r, err := git.Open(t.Context(), w.path("main/inner")); err == nil {
			t.Errorf("it is taken for the one around it: %+v", r)
		}
	})
}

func TestRemotesInAllForms(t *testing.T) {
	w := newWorld(t)
	w.repo("r")
	w.git("r", "config", "url.https://forge.example/.insteadOf", "forge:")
	for remote, want := range map[string]string{
		"https://gitlab.com/group/sub/project.git":       "gitlab.com group/sub/project",
		"https://user:token@gitlab.com/group/project":    "gitlab.com group/project",
		"https://gitlab.example:8443/group/project.git/": "gitlab.example:8443 group/project",
		"http://[::1]:8080/g/p.git":                      "[::1]:8080 g/p",
		"https://[2001:db8::1]/g/p":                      "[2001:db8::1] g/p",
		"ssh://git@gitlab.com:2222/group/project.git":    "gitlab.com group/project",
		"git+ssh://git@gitlab.com/group/project":         "gitlab.com group/project",
		"git://gitlab.com/group/project.git":             "gitlab.com group/project",
		"git@gitlab.com:group/sub/project.git":           "gitlab.com group/sub/project",
		"gitlab.com:group/project":                       "gitlab.com group/project",
		"we@ird@gitlab.com:g/p":                          "gitlab.com g/p",
		"forge:group/project":                            "forge.example group/project",
		"/srv/git/project.git":                           " local/r",
		"../project.git":                                 " local/r",
		"./with:colon/project.git":                       " local/r",
		"file:///srv/git/project.git":                    " local/r",
		"file://host/srv/project.git":                    " local/r",
		"https://gitlab.com":                             " local/r",
		"ext::sh -c 'touch canary'":                      " local/r",
		"https://gitlab.com/g/p.git?x=1#frag":            "gitlab.com g/p",
		"https://%zz/":                                   " local/r",
	} {
		t.Run(remote, func(t *testing.T) {
			w.git("r", "config", "remote.origin.url", remote)
			f := open(t, w.path("r")).Facts()
			if got := f.Host + " " + f.Path; got != want {
				t.Errorf("%q, want %q", got, want)
			}
			if strings.Contains(f.URL, "token") || (f.Host != "") != (f.URL == "https://"+f.Host+"/"+f.Path) {
				t.Errorf("URL %q", f.URL)
			}
		})
	}
}

func TestTheBranchsOwnRemoteComesFirst(t *testing.T) {
	w := newWorld(t)
	w.repo("r")
	w.git("r", "config", "remote.origin.url", "git@a.example:o/o")
	w.git("r", "config", "remote.fork.url", "git@b.example:f/f")
	for remote, want := range map[string]string{"fork": "b.example", "origin": "a.example", ".": "a.example", "gone": "a.example"} {
		w.git("r", "config", "branch.main.remote", remote)
		w.git("r", "config", "branch.main.merge", "refs/heads/dev")
		r := open(t, w.path("r"))
		if got := r.Facts().Host; got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
		up := "refs/remotes/" + remote + "/dev"
		if remote == "." {
			up = "dev"
		}
		if got := r.Upstream(); got != up {
			t.Errorf("upstream %q, want %q", got, up)
		}
	}
}

func TestDefaultBranch(t *testing.T) {
	w := newWorld(t)
	w.repo("r")
	check := func(want string) {
		t.Helper()
		if got := open(t, w.path("r")).Facts().DefaultBranch; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	check("main")
	w.git("r", "branch", "-m", "main", "feature/x")
	check("feature/x")
	w.git("r", "branch", "master")
	check("master")
	w.git("r", "pack-refs", "--all")
	check("master")
	w.git("r", "update-ref", "refs/remotes/origin/develop", "HEAD")
	w.git("r", "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/develop")
	check("develop")
}

func TestChanged(t *testing.T) {
	w := newWorld(t)
	w.repo("r")
	base := w.git("r", "rev-parse", "HEAD")
	w.write("r/committed", "x", "r/.gitignore", "*.log\n", "r/old name", "text that moves\n")
	w.git("r", "add", ".")
	w.git("r", "commit", "-q", "-m", "second")
	head := w.git("r", "rev-parse", "HEAD")
	w.git("r", "mv", "old name", "new\nname ü")
	w.write("r/staged", "x", "r/src/a.go", "changed", "r/untracked/x", "", "r/a.log", "")
	w.git("r", "add", "staged")
	r := open(t, w.path("r"))
	for base, want := range map[string][]string{
		base:     {".gitignore", "committed", "new\nname ü", "src/a.go", "staged", "untracked/x"},
		head:     {"new\nname ü", "old name", "src/a.go", "staged", "untracked/x"},
		"":       {".gitignore", "README", "committed", "new\nname ü", "src/a.go", "staged", "untracked/x"},
		git.Zero: {".gitignore", "README", "committed", "new\nname ü", "src/a.go", "staged", "untracked/x"},
	} {
		if got, err := r.Changed(t.Context(), base); err != nil || !slices.Equal(got, want) {
			t.Errorf("since %.8s: %q, want %q; %v", base, got, want, err)
		}
	}
	if got, err := r.ChangedBetween(t.Context(), base, head); err != nil || !slices.Equal(got, []string{".gitignore", "committed", "old name"}) {
		t.Errorf("%q %v", got, err)
	}
	if _, err := r.Changed(t.Context(), strings.Repeat("1", 40)); err == nil {
		t.Error("a commit that is not there is no error")
	}
	for name, want := range map[string]bool{"a.log": true, "x/y.log": true, "staged": false, "-v.log": true} {
		if got, err := git.Ignored(t.Context(), r.Root, name); err != nil || got != want {
			t.Errorf("%s is ignored: %v %v", name, got, err)
		}
	}
}

func TestResolveAndMergeBase(t *testing.T) {
	w := newWorld(t)
	w.repo("r")
	root := w.git("r", "rev-parse", "HEAD")
	w.git("r", "tag", "-a", "-m", "x", "v1")
	w.git("r", "checkout", "-q", "-b", "side")
	w.git("r", "commit", "-q", "--allow-empty", "-m", "side")
	w.git("r", "checkout", "-q", "--orphan", "island")
	w.git("r", "commit", "-q", "--allow-empty", "-m", "island")
	r := open(t, w.path("r"))
	for _, name := range []string{"main", "v1", "refs/heads/main", "side~1", root[:9]} {
		if got, err := r.Resolve(t.Context(), name); err != nil || got != root {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
	for _, name := range []string{"nobody", "", "-h", "--upload-pack=touch canary", "$(touch canary)", "HEAD^{tree}", "a..b", "\n", "main:README"} {
		if got, err := r.Resolve(t.Context(), name); !errors.Is(err, git.ErrNoRevision) {
			t.Errorf("%q: %q %v", name, got, err)
		}
	}
	if got, err := r.MergeBase(t.Context(), "main", "side"); err != nil || got != root {
		t.Error(got, err)
	}
	if got, err := r.MergeBase(t.Context(), "main", "island"); err != nil || got != "" {
		t.Error(got, err)
	}
	if _, err := r.MergeBase(t.Context(), "main", "--all"); err == nil {
		t.Error("an option was taken")
	}
}

func TestWithoutGitItSaysSo(t *testing.T) {
	w := newWorld(t)
	w.repo("r")
	t.Setenv("PATH", t.TempDir())
	if _, err := git.Open(t.Context(), w.path("r")); fault.CodeOf(err) != git.CodeMissing {
		t.Error(err)
	}
}

func TestEnvironmentLeadsNowhereElse(t *testing.T) {
	w := newWorld(t)
	w.repo("r")
	other := w.repo("other")
	w.git("other", "commit", "-q", "--allow-empty", "-m", "other")
	for k, v := range map[string]string{
		"GIT_DIR": filepath.Join(other, ".git"), "GIT_WORK_TREE": other, "GIT_INDEX_FILE": filepath.Join(other, ".git/index"),
		"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.fsmonitor", "GIT_CONFIG_VALUE_0": "touch canary",
		"GIT_EXTERNAL_DIFF": "touch canary", "GIT_NAMESPACE": "x",
	} {
		t.Setenv(k, v)
	}
	if r := open(t, w.path("r")); r.Commit.Title != "First" || r.Dirty {
		t.Errorf("%+v", r)
	}
}

func TestACancelEndsGit(t *testing.T) {
	w := newWorld(t)
	w.repo("r")
	// git waits for somebody to write into this include.
	if err := syscall.Mkfifo(w.path("pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.git("r", "config", "extensions.ok", "1")
	w.write("r/.git/config", "[core]\n\trepositoryformatversion = 0\n[include]\n\tpath = "+w.path("pipe")+"\n")
	ctx, stop := contextThatEnds(t)
	defer stop()
	if _, err := git.Open(ctx, w.path("r")); !errors.Is(err, errEnough) {
		t.Error(err)
	}
}

var _ = exec.ErrNotFound

func TestIdentityIsTheSameHoweverARemoteIsWritten(t *testing.T) {
	for _, remote := range []string{
		"https://git.example.com/Team/One.git", "https://ada:s3cret@git.example.com/team/one", "ssh://git@git.example.com/team/one.git", "git@git.example.com:team/one.git/",
	} {
		if got := git.Identity(remote); got != "git.example.com/team/one" {
			t.Errorf("%s is %q", remote, got)
		}
	}
	for _, here := range []string{"", "/srv/one.git", "file:///srv/one.git", "../one"} {
		if got := git.Identity(here); got != "" {
			t.Errorf("%s is %q", here, got)
		}
	}
}
