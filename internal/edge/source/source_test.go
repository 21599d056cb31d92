package source_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

// history makes a repository with tags and branches, and gives its commits.
func (w world) history() (first, second, third string) {
	w.write("repo/app/cm.yaml", "one\n")
	first = w.commit("repo")
	w.git("repo", "tag", "v1.0.0")
	w.write("repo/app/cm.yaml", "two\n")
	second = w.commit("repo")
	w.git("repo", "tag", "-a", "-m", "two", "v1.2.0")
	w.git("repo", "tag", "v2.0.0-rc.1")
	w.git("repo", "branch", "feature/x")
	w.write("repo/app/cm.yaml", "three\n")
	third = w.commit("repo")
	return first, second, third
}

func TestRevisionsMeanWhatArgoSays(t *testing.T) {
	w := newWorld(t)
	first, second, third := w.history()
	w.git(".", "clone", "-q", "--bare", "repo", "bare.git")
	s := w.serve(false)
	now := morning
	for name, repo := range map[string]string{"folder": w.path("repo"), "file": "file://" + w.path("repo"), "bare": w.path("bare.git"), "http": s.URL + "/bare.git"} {
		t.Run(name, func(t *testing.T) {
			c := source.Open(source.Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
			defer c.Close()
			for revision, want := range map[string]string{
				"": third, "HEAD": third, "main": third, "refs/heads/main": third, "feature/x": second, "v1.0.0": first, "refs/tags/v1.2.0": second,
				"v1.2.0": second, "1.x": second, "v1.0.*": first, ">=1.0.0 <1.1": first, "*": second, "*-0": second, "~1.0": first,
				first: first, first[:8]: first, strings.ToUpper(second): second,
			} {
				if got := resolve(t, c, source.Want{RepoURL: repo, Revision: revision}); got != want {
					t.Errorf("%q is %s, want %s", revision, got, want)
				}
			}
			for i, commit := range []string{first, second, third} {
				want := []string{"one\n", "two\n", "three\n"}[i]
				if got := read(t, c, source.Want{RepoURL: repo}, commit, "app/cm.yaml"); got != want {
					t.Errorf("at %s: %q, want %q", commit, got, want)
				}
			}
			for revision, hint := range map[string]string{"mian": `did you mean "main"?`, "9.x": "pre-releases", "--upload-pack=touch x": "", "0123456": "", "refs/heads/none": ""} {
				_, _, err := c.Resolve(t.Context(), source.Want{RepoURL: repo, Revision: revision})
				if fault.CodeOf(err) != source.CodeRevision || !strings.Contains(err.Error(), hint) {
					t.Errorf("%q: %v", revision, err)
				}
			}
			if _, err := c.Tree(t.Context(), source.Want{RepoURL: repo}, strings.Repeat("0", 40)); fault.CodeOf(err) != source.CodeRevision {
				t.Errorf("a commit that is not there: %v", err)
			}
		})
	}
}

func TestTagsWithAPrefix(t *testing.T) {
	w := newWorld(t)
	w.write("repo/a", "one")
	first := w.commit("repo")
	for _, tag := range []string{"app1/v1.0.0", "app1/v1.0.1-rc.1", "app2/v1.0.9", "v1.0.8", "app1/cluster/v1.0.7"} {
		w.git("repo", "tag", tag)
	}
	w.write("repo/a", "two")
	second := w.commit("repo")
	w.git("repo", "tag", "app1/v1.0.1")
	now := morning
	c := w.cache(&now)
	for revision, want := range map[string]string{"v1.0.*": second, "1.x": second, "v1.0.0": first, "<1.0.1": first} {
		if got := resolve(t, c, source.Want{RepoURL: w.path("repo"), Revision: revision, Prefix: "app1/"}); got != want {
			t.Errorf("%s is %s, want %s", revision, got, want)
		}
	}
	for _, revision := range []string{"", "main", "2.x", first} {
		if _, _, err := c.Resolve(t.Context(), source.Want{RepoURL: w.path("repo"), Revision: revision, Prefix: "app1/"}); fault.CodeOf(err) != source.CodeRevision {
			t.Errorf("%q: %v", revision, err)
		}
	}
}

func TestAServerIsBelievedForAWhile(t *testing.T) {
	w := newWorld(t)
	_, _, third := w.history()
	s := w.serve(false)
	now := morning
	c := w.cache(&now)
	want := source.Want{RepoURL: s.URL + "/repo/.git", Revision: "main"}
	resolve(t, c, want)
	asked := s.asked.Load()
	w.write("repo/app/cm.yaml", "four\n")
	fourth := w.commit("repo")
	if got := resolve(t, c, want); got != third || s.asked.Load() != asked {
		t.Errorf("asked again at once: %s", got)
	}
	fresh := want
	fresh.Fresh = true
	if got := resolve(t, c, fresh); got != fourth {
		t.Errorf("a refresh gave %s", got)
	}
	w.write("repo/app/cm.yaml", "five\n")
	fifth := w.commit("repo")
	now = now.Add(4 * time.Minute)
	if got := resolve(t, c, want); got != fifth {
		t.Errorf("after 4 minutes: %s", got)
	}
	for _, commit := range []string{fourth, fifth} {
		read(t, c, want, commit, "app/cm.yaml")
	}
}

func TestWhatWasFetchedIsThereWithoutTheServer(t *testing.T) {
	w := newWorld(t)
	first, _, third := w.history()
	s := w.serve(false)
	now := morning
	want := source.Want{RepoURL: s.URL + "/repo/.git", Revision: "main"}
	c := w.cache(&now)
	for _, commit := range []string{resolve(t, c, want), first} {
		read(t, c, want, commit, "app/cm.yaml")
	}
	s.Close()
	now = now.Add(time.Hour)
	other := w.cache(&now) // as after a restart
	for name, c := range map[string]*source.Cache{"same": c, "restarted": other} {
		got, away, err := c.Resolve(t.Context(), want)
		if err != nil || got != third || fault.CodeOf(away) != source.CodeUnreachable {
			t.Errorf("%s: %s, away %v, %v", name, got, away, err)
		}
		for commit, text := range map[string]string{first: "one\n", third: "three\n"} {
			if got := read(t, c, want, commit, "app/cm.yaml"); got != text {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
	for _, never := range []string{s.URL + "/other", "http://127.0.0.1:14031/a-port-like-a-refusal"} {
		_, _, err := other.Resolve(t.Context(), source.Want{RepoURL: never, Revision: "main"})
		if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Code != source.CodeUnreachable || f.Exit != 5 {
			t.Errorf("never fetched: %v", err)
		}
	}
}

func TestCredentialsStayHidden(t *testing.T) {
	w := newWorld(t)
	_, _, third := w.history()
	s := w.serve(false)
	s.want("Zq8-canary", "")
	url := s.URL + "/repo/.git"
	now := morning
	seen := filepath.Join(w.dir, "argv")
	w.spy(seen)
	c := w.cache(&now)
	_, _, err := c.Resolve(t.Context(), source.Want{RepoURL: url})
	if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Code != source.CodeDenied || f.Exit != 4 || !strings.Contains(f.Hint, source.SecretLabel) {
		t.Errorf("without a password: %v", err)
	}
	for name, known := range map[string]source.Repository{
		"asked":   {URL: url, Username: "me", Password: secret.New("Zq8-canary")},
		"unasked": {URL: url, Username: "me", Password: secret.New("Zq8-canary"), Basic: true},
		"token":   {URL: url, Password: secret.New("Zq8-canary")},
		"pattern": {URL: s.URL + "/", Prefix: true, Username: "me", Password: secret.New("Zq8-canary")},
	} {
		c := source.Open(source.Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
		c.Use(source.Settings{Repositories: []source.Repository{known}})
		if got := resolve(t, c, source.Want{RepoURL: url}); got != third {
			t.Errorf("%s: %s", name, got)
		}
		read(t, c, source.Want{RepoURL: url}, third, "app/cm.yaml")
		c.Close()
	}
	// The password of a prefix is for its own host: another whose name goes on gets none.
	leak := source.Open(source.Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
	defer leak.Close()
	leak.Use(source.Settings{Repositories: []source.Repository{{URL: s.URL[:len(s.URL)-1], Prefix: true, Username: "me", Password: secret.New("Zq8-canary")}}})
	if _, _, err := leak.Resolve(t.Context(), source.Want{RepoURL: url}); fault.CodeOf(err) != source.CodeDenied {
		t.Errorf("the beginning of a host: %v", err)
	}
	inside := strings.Replace(url, "http://", "http://me:Zq8-canary@", 1)
	read(t, c, source.Want{RepoURL: inside}, resolve(t, c, source.Want{RepoURL: inside}), "app/cm.yaml")
	c.Use(source.Settings{Repositories: []source.Repository{{URL: url, Username: "me", Password: secret.New("Zq8-canary-wrong")}}})
	if _, _, err := c.Resolve(t.Context(), source.Want{RepoURL: url, Fresh: true}); fault.CodeOf(err) != source.CodeDenied || strings.Contains(err.Error(), "canary") {
		t.Errorf("a wrong password: %v", err)
	}
	s.want("", "tok-canary")
	c.Use(source.Settings{Repositories: []source.Repository{{URL: url, Bearer: secret.New("tok-canary")}}})
	resolve(t, c, source.Want{RepoURL: url, Fresh: true})
	argv, err := os.ReadFile(seen)
	if err != nil || !strings.Contains(string(argv), "ls-remote") {
		t.Fatalf("the spy saw nothing: %v", err)
	}
	if strings.Contains(string(argv), "canary") {
		t.Errorf("an argument holds a secret:\n%s", argv)
	}
	err = filepath.WalkDir(w.path("state"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if strings.Contains(string(text), "canary") {
			t.Errorf("%s holds a secret", name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// spy puts a git before git that notes its arguments.
func (w world) spy(seen string) {
	real := w.git(".", "--exec-path") + "/git"
	w.write("bin/git", "#!/bin/sh\necho \"$@\" >> "+seen+"\nexec "+real+" \"$@\"\n")
	if err := os.Chmod(w.path("bin/git"), 0o755); err != nil {
		w.t.Fatal(err)
	}
	w.t.(*testing.T).Setenv("PATH", w.path("bin")+":"+os.Getenv("PATH"))
}

func TestCertificatesAreCheckedUnlessToldOtherwise(t *testing.T) {
	w := newWorld(t)
	_, _, third := w.history()
	s := w.serve(true)
	url := s.URL + "/repo/.git"
	now := morning
	c := w.cache(&now)
	if _, _, err := c.Resolve(t.Context(), source.Want{RepoURL: url}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
	c.Use(source.Settings{Repositories: []source.Repository{{URL: url, Insecure: true}}})
	if got := resolve(t, c, source.Want{RepoURL: url}); got != third {
		t.Errorf("insecure: %s", got)
	}
}

func TestSSHUsesTheKeyAndNothingElse(t *testing.T) {
	w := newWorld(t)
	_, _, third := w.history()
	// Stands for ssh: notes what it is given, and serves the repository as the far side would.
	w.write("bin/ssh", "#!/bin/sh\necho \"$@\" > "+w.path("args")+"\nfor a in \"$@\"; do case \"$a\" in -i*) cat \"${a#-i}\" > "+w.path("key")+"; stat -c %a \"${a#-i}\" > "+w.path("mode")+";; -oUserKnownHostsFile=*) cat \"${a#*=}\" > "+w.path("hosts")+";; esac; done\n"+
		"for last; do :; done\ncd "+w.dir+" && exec sh -c \"$last\"\n")
	if err := os.Chmod(w.path("bin/ssh"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", w.path("bin")+":"+os.Getenv("PATH"))
	now := morning
	c := w.cache(&now)
	url := "git@git.example.com:repo/.git"
	c.Use(source.Settings{Repositories: []source.Repository{{URL: url, SSHKey: secret.New("KEY canary")}}, KnownHosts: "git.example.com ssh-ed25519 AAAA"})
	if got := resolve(t, c, source.Want{RepoURL: url}); got != third {
		t.Fatal(got)
	}
	text := func(name string) string {
		data, err := os.ReadFile(w.path(name))
		if err != nil {
			t.Error(err)
		}
		return string(data)
	}
	args := text("args")
	for _, want := range []string{"-F/dev/null", "-oIdentitiesOnly=yes", "-oIdentityAgent=none", "-oBatchMode=yes", "-oStrictHostKeyChecking=yes", "git@git.example.com"} {
		if !strings.Contains(args, want) {
			t.Errorf("ssh was not given %s: %s", want, args)
		}
	}
	if strings.Contains(args, "canary") || text("key") != "KEY canary\n" || text("mode") != "600\n" || !strings.Contains(text("hosts"), "ssh-ed25519") {
		t.Errorf("args %s, key %q mode %s hosts %q", args, text("key"), text("mode"), text("hosts"))
	}
	for a := range strings.FieldsSeq(args) {
		if name, ok := strings.CutPrefix(a, "-i"); ok {
			if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the key is still at %s", name)
			}
		}
	}
}

func TestALocalCommitIsSeenAtOnce(t *testing.T) {
	w := newWorld(t)
	w.history()
	w.write("plain/a.yaml", "a\n", "plain/sub/b.yaml", "b\n")
	now := morning
	c := w.cache(&now)
	repo, plain, later := w.path("repo"), "file://"+w.path("plain"), w.path("later")
	changed := make(chan string, 100)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	var mu sync.Mutex
	repos := []string{repo, plain, "https://example.com/x", later}
	follow := func(list ...string) {
		mu.Lock()
		defer mu.Unlock()
		repos = list
	}
	go func() {
		done <- c.Watch(ctx, func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(repos)
		}, func(u string) { changed <- u })
	}()
	wait := func(what, want string, do func()) {
		t.Helper()
		for len(changed) > 0 {
			<-changed // of what was done before
		}
		do()
		for deadline := time.After(time.Minute); ; {
			select {
			case got := <-changed:
				if got == want {
					return
				}
			case <-deadline:
				t.Fatalf("%s was not seen", what)
			}
		}
	}
	wait("the repository, which may have changed before,", repo, func() {})
	n := 0
	wait("a commit", repo, func() { n++; w.write("repo/app/cm.yaml", strings.Repeat("x", n)); w.commit("repo") })
	if got, want := resolve(t, c, source.Want{RepoURL: repo}), w.git("repo", "rev-parse", "HEAD"); got != want {
		t.Errorf("resolved %s, want %s", got, want)
	}
	wait("a branch in a new folder", repo, func() { n++; w.git("repo", "branch", "-f", "deep/er/x", "HEAD~1") })
	before := resolve(t, c, source.Want{RepoURL: plain})
	wait("a file", plain, func() { n++; w.write("plain/sub/b.yaml", strings.Repeat("y", n)) })
	if after := resolve(t, c, source.Want{RepoURL: plain}); after == before || !strings.HasPrefix(after, "folder-") {
		t.Errorf("the plain folder is %s after %s", after, before)
	}
	wait("a repository that came later", later, func() {
		w.write("later/a.yaml", "a")
		w.commit("later")
	})
	wait("a commit in it", later, func() { w.write("later/a.yaml", "b"); w.commit("later") })
	wait("one in another's place", later, func() {
		if err := os.Rename(later, later+"-old"); err != nil {
			t.Fatal(err)
		}
		w.write("later/a.yaml", "c")
		w.commit("later")
	})
	wait("a commit in that", later, func() { w.write("later/a.yaml", "d"); w.commit("later") })
	wait("a commit beside it", repo, func() { n++; w.write("repo/app/cm.yaml", strings.Repeat("z", n)); w.commit("repo") })
	follow(repo)
	wait("a commit once another is left", repo, func() {
		time.Sleep(time.Second) // that one is not watched any more
		w.write("later/a.yaml", "e")
		w.commit("later")
		for len(changed) > 0 {
			if got := <-changed; got == later {
				t.Error("a repository was told of that is not followed")
			}
		}
		w.write("repo/app/cm.yaml", "last")
		w.commit("repo")
	})
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestPathsOfATree(t *testing.T) {
	w := newWorld(t)
	w.write("repo/a/x.yaml", "x", "repo/a/y.yaml", "y", "repo/b.yaml", "b", "repo/l", "->a", "repo/m", "->l/x.yaml")
	commit := w.commit("repo")
	now := morning
	c := w.cache(&now)
	plain, err := source.Plain(t.Context(), w.path("repo"))
	if err != nil {
		t.Fatal(err)
	}
	inGit, err := c.Tree(t.Context(), source.Want{RepoURL: w.path("repo")}, commit)
	if err != nil {
		t.Fatal(err)
	}
	held := source.Memory("1.0.0", map[string][]byte{"a/x.yaml": []byte("x"), "a/y.yaml": []byte("y"), "b.yaml": []byte("b")})
	for name, tree := range map[string]*source.Tree{"git": inGit, "plain": plain, "memory": held} {
		paths, err := tree.Paths(t.Context(), "")
		if want := []string{"a/x.yaml", "a/y.yaml", "b.yaml"}; err != nil || !slices.Equal(paths, want) {
			t.Errorf("%s: %v, %v", name, paths, err)
		}
		if text, err := tree.Read(t.Context(), "a/./../a//x.yaml"); err != nil || string(text) != "x" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		if name == "memory" {
			continue
		}
		for _, link := range []string{"l/x.yaml", "m", "l/../m"} {
			if text, err := tree.Read(t.Context(), link); err != nil || string(text) != "x" {
				t.Errorf("%s: %s: %q, %v", name, link, text, err)
			}
		}
	}
}
