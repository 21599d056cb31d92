package tree_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/tree"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// world is a folder "in" with files, beside a secret.
func world(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	in := filepath.Join(top, "in")
	for name, text := range map[string]string{"secret": "s3cret", "in/a.yml": "a", "in/sub/b.yml": "b", "in/.hidden/c.yml": "c"} {
		p := filepath.Join(top, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{
		"up": "..", "out.yml": "../secret", "abs.yml": filepath.Join(top, "secret"), "in.yml": "sub/b.yml", "chain.yml": "up/secret", "loop.yml": "loop.yml",
		"dangling.yml": "nowhere", "tty": "/dev/tty",
	} {
		if err := os.Symlink(to, filepath.Join(in, name)); err != nil {
			t.Fatal(err)
		}
	}
	return in
}

func TestReadStaysInside(t *testing.T) {
	in := world(t)
	if err := syscall.Mkfifo(filepath.Join(in, "pipe.yml"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := tree.Open(in, false)
	for name, want := range map[string]string{"a.yml": "a", "/a.yml": "a", "./sub/../a.yml": "a", "//sub//b.yml": "b", "in.yml": "b", ".hidden/c.yml": "c"} {
		if text, err := f.Read(t.Context(), name); err != nil || string(text) != want {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
	for _, name := range []string{"../secret", "/../secret", "sub/../../secret", "..", "out.yml", "abs.yml", "up/secret", "chain.yml", "tty"} {
		if text, err := f.Read(t.Context(), name); fault.CodeOf(err) != tree.CodeOutside {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, name := range []string{"gone", "sub", "/", "", ".", "dangling.yml", "a.yml/x", "pipe.yml"} {
			if text, err := f.Read(t.Context(), name); err == nil || fault.CodeOf(err) != "" {
				t.Errorf("%s: %q %v", name, text, err)
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("a pipe is waited for")
	}
	for _, name := range []string{"gone", "sub", "pipe.yml", "dangling.yml"} {
		if _, err := f.Read(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"a\x00b", "loop.yml"} {
		if _, err := f.Read(t.Context(), name); err == nil {
			t.Errorf("%q was read", name)
		}
	}
}

func TestReadIsBounded(t *testing.T) {
	in := world(t)
	for name, size := range map[string]int64{"most.yml": tree.MaxFile, "more.yml": tree.MaxFile + 1} {
		file, err := os.Create(filepath.Join(in, name))
		if err := errors.Join(err, file.Truncate(size), file.Close()); err != nil {
			t.Fatal(err)
		}
	}
	f := tree.Open(in, false)
	if text, err := f.Read(t.Context(), "most.yml"); err != nil || len(text) != tree.MaxFile {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if _, err := f.Read(t.Context(), "more.yml"); fault.CodeOf(err) != tree.CodeLarge {
		t.Errorf("%v", err)
	}
}

func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestPathsAreThoseOfGitOrOfTheFolder(t *testing.T) {
	in := world(t)
	links := []string{"abs.yml", "chain.yml", "dangling.yml", "in.yml", "loop.yml", "out.yml", "tty", "up"}
	plain, err := tree.Open(in, false).Paths(t.Context())
	want := slices.Sorted(slices.Values(append([]string{".hidden/c.yml", "a.yml", "sub/b.yml"}, links...)))
	if err != nil || !slices.Equal(plain, want) {
		t.Errorf("%q, want %q; %v", plain, want, err)
	}
	if err := os.WriteFile(filepath.Join(in, ".gitignore"), []byte(".hidden\nup\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, in, "init", "-q")
	run(t, in, "add", "a.yml")
	f := tree.Open(in, true)
	listed, err := f.Paths(t.Context())
	want = slices.DeleteFunc(append(want, ".gitignore"), func(p string) bool { return p == "up" || p == ".hidden/c.yml" })
	slices.Sort(want)
	if err != nil || !slices.Equal(listed, want) {
		t.Errorf("%q, want %q; %v", listed, want, err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := tree.Open(in, true).Paths(stopped); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestDigest(t *testing.T) {
	in := world(t)
	const a = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" // SHA-256 of "a"
	f := tree.Open(in, true)
	run(t, in, "init", "-q")
	run(t, in, "add", "a.yml", "sub")
	digest := func(name string, commits bool) string {
		t.Helper()
		d, err := f.Digest(t.Context(), name, commits)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return d
	}
	if got := digest("a.yml", true); got != a {
		t.Errorf("without a commit: %s", got)
	}
	run(t, in, "commit", "-q", "-m", "first")
	first := run(t, in, "rev-parse", "HEAD")
	run(t, in, "commit", "-q", "--allow-empty", "-m", "second")
	for name, want := range map[string]string{"a.yml": first, "/a.yml": first, "sub/../a.yml": first} {
		if got := digest(name, true); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if got := digest(name, false); got != a {
			t.Errorf("%s: %s, want %s", name, got, a)
		}
	}
	if err := os.WriteFile(filepath.Join(in, "a.yml"), []byte("b"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := digest("a.yml", true); got == first || len(got) != 64 {
		t.Errorf("changed: %s", got)
	}
	if got := digest("gone", true); got != "" {
		t.Errorf("gone: %s", got)
	}
	if _, err := f.Digest(t.Context(), "../secret", false); fault.CodeOf(err) != tree.CodeOutside {
		t.Error(err)
	}
}
