package source_test

import (
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/source"
)

// world is a folder to make repositories in, with a git that has no settings but its own.
type world struct {
	t   testing.TB
	dir string
}

func newWorld(t *testing.T) world {
	t.Helper()
	home := t.TempDir()
	text := "[user]\n\tname = Ada\n\temail = ada@example.com\n[protocol \"file\"]\n\tallow = always\n"
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "none"))
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return world{t, dir}
}

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

// write makes files: path, content, path, content. A content that begins with -> makes a link.
func (w world) write(pairs ...string) {
	w.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		p := w.path(pairs[i])
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		if target, ok := strings.CutPrefix(pairs[i+1], "->"); ok && err == nil {
			err = os.Symlink(target, p)
		} else if err == nil {
			err = os.WriteFile(p, []byte(pairs[i+1]), 0o644)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w world) path(name string) string { return filepath.Join(w.dir, name) }

// commit commits everything in a repository, which is made where it is missing, and gives the commit.
func (w world) commit(repo string) string {
	w.t.Helper()
	if _, err := os.Stat(w.path(repo + "/.git")); err != nil {
		w.git(repo, "init", "-q", "-b", "main")
	}
	w.git(repo, "add", "-A")
	w.git(repo, "commit", "-q", "--allow-empty", "-m", "A change")
	return w.git(repo, "rev-parse", "HEAD")
}

// cache opens a cache below the world whose clock stands where *now says.
func (w world) cache(now *time.Time) *source.Cache {
	c := source.Open(source.Options{Dir: w.path("state"), Now: func() time.Time { return *now }})
	w.t.Cleanup(c.Close)
	return c
}

var morning = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// server serves the world's repositories with git's own http-backend. Where password is set, it must be given.
type server struct {
	*httptest.Server
	asked    atomic.Int64
	mu       sync.Mutex
	password string
	bearer   string
}

// want says which password or token must be given from now on.
func (s *server) want(password, bearer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.password, s.bearer = password, bearer
}

func (w world) serve(tls bool) *server {
	w.t.Helper()
	where, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		w.t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path:   filepath.Join(strings.TrimSpace(string(where)), "git-http-backend"),
		Stderr: io.Discard,
		Env:    []string{"GIT_PROJECT_ROOT=" + w.dir, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + os.Getenv("HOME"), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
	s := &server{}
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		_, password, _ := r.BasicAuth()
		s.mu.Lock()
		refused := s.password != "" && password != s.password || s.bearer != "" && r.Header.Get("Authorization") != "Bearer "+s.bearer
		s.mu.Unlock()
		if refused {
			rw.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(rw, "who are you?", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(rw, r)
	})
	if tls {
		s.Server = httptest.NewTLSServer(handler)
	} else {
		s.Server = httptest.NewServer(handler)
	}
	w.t.Cleanup(s.Close)
	return s
}

// resolve resolves and wants no error.
func resolve(t *testing.T, c *source.Cache, w source.Want) string {
	t.Helper()
	id, _, err := c.Resolve(t.Context(), w)
	if err != nil {
		t.Fatalf("%s %q: %v", w.RepoURL, w.Revision, err)
	}
	return id
}

// read reads a file of a commit and wants no error.
func read(t *testing.T, c *source.Cache, w source.Want, commit, name string) string {
	t.Helper()
	tree, err := c.Tree(t.Context(), w, commit)
	if err != nil {
		t.Fatalf("%s at %s: %v", w.RepoURL, commit, err)
	}
	text, err := tree.Read(t.Context(), name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(text)
}
