package blob_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// space is a new workspace with files in it: "x" is a file with its name as content, "x/" an empty folder, "x -> y" a
// link.
func space(t testing.TB, entries ...string) string {
	t.Helper()
	return fill(t, t.TempDir(), entries...)
}

func fill(t testing.TB, dir string, entries ...string) string {
	t.Helper()
	for _, e := range entries {
		name, to, isLink := strings.Cut(e, " -> ")
		p := filepath.Join(dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		switch {
		case isLink:
			err = errors.Join(err, os.Symlink(to, p))
		case strings.HasSuffix(name, "/"):
			err = errors.Join(err, os.MkdirAll(p, 0o755))
		default:
			err = errors.Join(err, os.WriteFile(p, []byte(name), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tree lists a folder in the form that fill takes, but only folders that are empty.
func tree(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		if strings.HasPrefix(rel, ".git/") || rel == ".git" {
			return nil
		}
		switch {
		case d.IsDir():
			if entries, _ := os.ReadDir(p); len(entries) == 0 {
				out = append(out, rel+"/")
			}
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(p)
			out = append(out, rel+" -> "+to)
			return err
		default:
			out = append(out, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

func stores(t *testing.T) map[string]*blob.Store {
	out := map[string]*blob.Store{"links": {Dir: t.TempDir()}, "copies": {Dir: t.TempDir(), Copy: true}}
	if dir := elsewhere(t); dir != "" {
		out["an archive"] = &blob.Store{Dir: dir}
	}
	return out
}

// elsewhere is a folder on another file system than the temporary one, "" where there is none.
func elsewhere(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "sluice-blob-")
	if err != nil {
		t.Log("no second file system: the archive form is not tested:", err)
		return ""
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	probe := filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(probe, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(probe, filepath.Join(dir, "probe")); !errors.Is(err, syscall.EXDEV) {
		t.Log("/dev/shm is the same file system: the archive form is not tested")
		return ""
	}
	return dir
}

func TestSelectsAsTheRunner(t *testing.T) {
	work := []string{
		"a.o", "b.txt", "build/x.o", "build/deep/y.o", "build/deep/z.txt", "build/empty/", "src/main.c", "lonely/", "odd [1].txt",
		"way -> build", "out -> /etc", "dangling -> nowhere", "build/link -> ../b.txt",
	}
	for name, c := range map[string]struct {
		sel   program.Select
		want  []string
		unmet []string
	}{
		"a file":                              {sel: program.Select{Paths: []string{"b.txt"}}, want: []string{"b.txt"}},
		"a folder means all below it":         {sel: program.Select{Paths: []string{"build"}}, want: []string{"build/deep/y.o", "build/deep/z.txt", "build/empty/", "build/link -> ../b.txt", "build/x.o"}},
		"a folder with a slash":               {sel: program.Select{Paths: []string{"build/"}}, want: []string{"build/deep/y.o", "build/deep/z.txt", "build/empty/", "build/link -> ../b.txt", "build/x.o"}},
		"a star stays in its folder":          {sel: program.Select{Paths: []string{"*.o"}}, want: []string{"a.o"}},
		"two stars cross folders":             {sel: program.Select{Paths: []string{"**/*.o"}}, want: []string{"a.o", "build/deep/y.o", "build/x.o"}},
		"a star takes folders whole":          {sel: program.Select{Paths: []string{"buil*"}}, want: []string{"build/deep/y.o", "build/deep/z.txt", "build/empty/", "build/link -> ../b.txt", "build/x.o"}},
		"a choice":                            {sel: program.Select{Paths: []string{"{a.o,src}"}}, want: []string{"a.o", "src/main.c"}},
		"an empty folder is kept":             {sel: program.Select{Paths: []string{"lonely"}}, want: []string{"lonely/"}},
		"a link is kept as it is":             {sel: program.Select{Paths: []string{"way", "out", "dangling"}}, want: []string{"dangling -> nowhere", "out -> /etc", "way -> build"}},
		"nothing is reached through a link":   {sel: program.Select{Paths: []string{"out/passwd", "out/*", "../*", "/etc/passwd"}}, unmet: []string{"out/passwd", "out/*", "../*", "/etc/passwd"}},
		"what is excluded stays behind":       {sel: program.Select{Paths: []string{"build"}, Exclude: []string{"build/**/*.o"}}, want: []string{"build/deep/z.txt", "build/empty/", "build/link -> ../b.txt"}},
		"exclude is a match, not a folder":    {sel: program.Select{Paths: []string{"build/deep"}, Exclude: []string{"build/deep"}}, want: []string{"build/deep/y.o", "build/deep/z.txt"}},
		"everything excluded is not unmet":    {sel: program.Select{Paths: []string{"*.o"}, Exclude: []string{"*.o"}}},
		"a name with signs, escaped":          {sel: program.Select{Paths: []string{`odd \[1\].txt`}}, want: []string{"odd [1].txt"}},
		"patterns that match nothing, named":  {sel: program.Select{Paths: []string{"b.txt", "no", "no/*.x"}}, want: []string{"b.txt"}, unmet: []string{"no", "no/*.x"}},
		"the same file twice counts once":     {sel: program.Select{Paths: []string{"b.txt", "*.txt", "./b.txt"}}, want: []string{"b.txt", "odd [1].txt"}},
		"a dot at the start of a path is cut": {sel: program.Select{Paths: []string{"./src"}}, want: []string{"src/main.c"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &blob.Store{Dir: t.TempDir()}
			saved, err := s.SaveArtifacts(t.Context(), "run", "job", program.SaveArtifacts{Kind: "archive", Select: c.sel}, space(t, work...))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(saved.Unmet, c.unmet) {
				t.Errorf("unmet %q, want %q", saved.Unmet, c.unmet)
			}
			if (len(c.want) == 0) != (saved.Skipped != "") {
				t.Errorf("skipped: %q", saved.Skipped)
			}
			to := t.TempDir()
			if _, err := s.RestoreArtifacts(t.Context(), "run", "job", to); err != nil {
				t.Fatal(err)
			}
			if got := tree(t, to); !slices.Equal(got, c.want) {
				t.Errorf("restored %q, want %q", got, c.want)
			}
		})
	}
}

func TestEveryFormKeepsContentModeAndTime(t *testing.T) {
	for form, s := range stores(t) {
		t.Run(form, func(t *testing.T) {
			from := space(t, "d/plain", "d/tool", "d/secret", "d/locked/in", "d/empty/", "d/link -> plain", "d/out -> /etc/passwd")
			at := time.Unix(1_000_000_000, 123_456_000)
			if err := errors.Join(
				os.Chmod(filepath.Join(from, "d/tool"), 0o755|fs.ModeSetuid), os.Chmod(filepath.Join(from, "d/secret"), 0o400),
				os.Chtimes(filepath.Join(from, "d/plain"), at, at), os.Chmod(filepath.Join(from, "d/locked"), 0o555),
				syscall.Mkfifo(filepath.Join(from, "d/pipe"), 0o644),
			); err != nil {
				t.Fatal(err)
			}
			saved, err := s.SaveCache(t.Context(), "key", program.Select{Paths: []string{"d"}}, from)
			if err != nil || saved.Files != 6 || saved.Bytes == 0 {
				t.Fatalf("%+v, %v", saved, err)
			}
			to := space(t, "d/plain", "d/out/full", "d/link -> /etc")
			found, n, err := s.RestoreCache(t.Context(), []string{"other", "key"}, to)
			if err != nil || found != "key" || n != 6 {
				t.Fatalf("%q %d %v", found, n, err)
			}
			want := []string{"d/empty/", "d/link -> plain", "d/locked/in", "d/out -> /etc/passwd", "d/plain", "d/secret", "d/tool"}
			if got := tree(t, to); !slices.Equal(got, want) {
				t.Errorf("restored %q, want %q", got, want)
			}
			for name, mode := range map[string]fs.FileMode{"d/plain": 0o644, "d/tool": 0o755, "d/secret": 0o400} {
				if info, err := os.Stat(filepath.Join(to, name)); err != nil || info.Mode() != mode {
					t.Errorf("%s has mode %v, want %v; %v", name, info.Mode(), mode, err)
				}
			}
			if info, _ := os.Stat(filepath.Join(to, "d/plain")); !info.ModTime().Equal(at) {
				t.Errorf("time %v, want %v", info.ModTime(), at)
			}
		})
	}
}

func TestNoJobWritesIntoTheStoreOrAnotherJob(t *testing.T) {
	for form, s := range stores(t) {
		t.Run(form, func(t *testing.T) {
			from := space(t, "f")
			if _, err := s.SaveCache(t.Context(), "k", program.Select{Paths: []string{"f"}}, from); err != nil {
				t.Fatal(err)
			}
			one, two := t.TempDir(), t.TempDir()
			restore(t, s, "k", one)
			restore(t, s, "k", two)
			if err := os.WriteFile(filepath.Join(one, "f"), []byte("spoiled in place"), 0o644); err != nil {
				t.Fatal(err)
			}
			if form == "copies" {
				if err := os.WriteFile(filepath.Join(from, "f"), []byte("changed by a person"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			three := t.TempDir()
			restore(t, s, "k", three)
			for _, dir := range []string{two, three} {
				if text, _ := os.ReadFile(filepath.Join(dir, "f")); string(text) != "f" {
					t.Errorf("%q", text)
				}
			}
		})
	}
}

func restore(t testing.TB, s *blob.Store, key, to string) {
	t.Helper()
	if found, _, err := s.RestoreCache(t.Context(), []string{key}, to); err != nil || found != key {
		t.Fatalf("%q, %v", found, err)
	}
}

// inode tells files apart.
func inode(t testing.TB, parts ...string) uint64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

func TestWhatOthersHoldIsCopied(t *testing.T) {
	s := &blob.Store{Dir: t.TempDir()}
	from := space(t, "mine", "shared", "open")
	if err := os.Link(filepath.Join(from, "shared"), filepath.Join(from, "outside-name")); err != nil {
		t.Fatal(err)
	}
	server, err := os.OpenFile(filepath.Join(from, "open"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if _, err := s.SaveCache(t.Context(), "k", program.Select{Paths: []string{"mine", "shared", "open"}}, from); err != nil {
		t.Fatal(err)
	}
	if _, err := server.WriteString(" and what a server that lives on writes later"); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(s.Dir, "cache", "k", "files")
	for name, linked := range map[string]bool{"mine": true, "shared": false, "open": false} {
		if got := inode(t, from, name) == inode(t, kept, name); got != linked {
			t.Errorf("%s is linked: %v, want %v", name, got, linked)
		}
		if text, _ := os.ReadFile(filepath.Join(kept, name)); string(text) != name {
			t.Errorf("%s holds %q", name, text)
		}
	}
}

func TestWhatIsUnchangedIsKeptOnce(t *testing.T) {
	s := &blob.Store{Dir: t.TempDir()}
	if _, err := s.SaveArtifacts(t.Context(), "r", "first", program.SaveArtifacts{Kind: "archive", Select: program.Select{Paths: []string{"d"}}},
		space(t, "d/same", "d/sly", "d/moded", "d/new", "d/gone")); err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	if _, err := s.RestoreArtifacts(t.Context(), "r", "first", work); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(work, "d", name) }
	// sly has other content with the same size, and its time set back to what it was.
	info, err := os.Stat(in("sly"))
	if err := errors.Join(err, os.WriteFile(in("sly"), []byte("S/ylS"), 0o644), os.Chtimes(in("sly"), info.ModTime(), info.ModTime()),
		os.Chmod(in("moded"), 0o755), os.Remove(in("new")), os.WriteFile(in("new"), []byte("d/new"), 0o644), os.Remove(in("gone"))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveArtifacts(t.Context(), "r", "second", program.SaveArtifacts{Kind: "archive", Select: program.Select{Paths: []string{"d"}}}, work); err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(s.Dir, "runs/r/artifacts/first/files/d"), filepath.Join(s.Dir, "runs/r/artifacts/second/files/d")
	for name, once := range map[string]bool{"same": true, "sly": false, "moded": false, "new": false} {
		if got := inode(t, first, name) == inode(t, second, name); got != once {
			t.Errorf("%s is kept once: %v, want %v", name, got, once)
		}
	}
	if text, _ := os.ReadFile(filepath.Join(second, "sly")); string(text) != "S/ylS" {
		t.Errorf("a changed file was taken for an unchanged one: %q", text)
	}
	if got := tree(t, second); !slices.Equal(got, []string{"moded", "new", "same", "sly"}) {
		t.Errorf("%q", got)
	}
}

func TestASavedSetReplacesTheOneBefore(t *testing.T) {
	for form, s := range stores(t) {
		t.Run(form, func(t *testing.T) {
			for _, name := range []string{"old", "new"} {
				if _, err := s.SaveCache(t.Context(), "k", program.Select{Paths: []string{"*"}}, space(t, name)); err != nil {
					t.Fatal(err)
				}
			}
			// A job that finds nothing leaves what was there.
			if saved, err := s.SaveCache(t.Context(), "k", program.Select{Paths: []string{"*"}}, space(t)); err != nil || saved.Skipped == "" {
				t.Fatalf("%+v %v", saved, err)
			}
			to := t.TempDir()
			restore(t, s, "k", to)
			if got := tree(t, to); !slices.Equal(got, []string{"new"}) {
				t.Errorf("%q", got)
			}
			if entries, _ := filepath.Glob(filepath.Join(s.Dir, "cache", ".new-*")); len(entries) > 0 {
				t.Errorf("litter: %q", entries)
			}
		})
	}
}

func TestALinkInTheWorkspaceLeadsNowhere(t *testing.T) {
	s := &blob.Store{Dir: t.TempDir()}
	if _, err := s.SaveCache(t.Context(), "k", program.Select{Paths: []string{"d"}}, space(t, "d/sub/planted")); err != nil {
		t.Fatal(err)
	}
	top := space(t, "outside/canary", "work/d/")
	for _, to := range []string{"../../outside", filepath.Join(top, "outside")} {
		work := filepath.Join(top, "work")
		os.RemoveAll(filepath.Join(work, "d/sub"))
		fill(t, work, "d/sub -> "+to)
		_, _, err := s.RestoreCache(t.Context(), []string{"k"}, work)
		if err == nil || !strings.Contains(err.Error(), "outside") {
			t.Errorf("%v", err)
		}
		if got := tree(t, filepath.Join(top, "outside")); !slices.Equal(got, []string{"canary"}) {
			t.Fatalf("outside: %q", got)
		}
		// Saving through it reads nothing from there either.
		saved, err := s.SaveCache(t.Context(), "other", program.Select{Paths: []string{"d/sub/canary", "d/sub/*"}}, work)
		if err != nil || saved.Files != 0 {
			t.Errorf("saved %+v, %v", saved, err)
		}
	}
}

func TestNothingToRestoreIsNoError(t *testing.T) {
	s := &blob.Store{Dir: t.TempDir()}
	if n, err := s.RestoreArtifacts(t.Context(), "r", "nobody", t.TempDir()); n != 0 || err != nil {
		t.Error(n, err)
	}
	if found, n, err := s.RestoreCache(t.Context(), []string{"a", "b"}, t.TempDir()); found != "" || n != 0 || err != nil {
		t.Error(found, n, err)
	}
	if entries, _ := os.ReadDir(s.Dir); len(entries) > 0 {
		t.Errorf("asking made %v", entries)
	}
	if _, err := s.ReadArtifact(t.Context(), "r", "nobody", "f"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestReadArtifact(t *testing.T) {
	for form, s := range stores(t) {
		t.Run(form, func(t *testing.T) {
			if _, err := s.SaveArtifacts(t.Context(), "r", "gen / 1", program.SaveArtifacts{Kind: "archive", Select: program.Select{Paths: []string{"."}}},
				space(t, "out/child.yml", "way -> /etc/passwd")); err != nil {
				t.Fatal(err)
			}
			if text, err := s.ReadArtifact(t.Context(), "r", "gen / 1", "out/child.yml"); err != nil || string(text) != "out/child.yml" {
				t.Errorf("%q %v", text, err)
			}
			for _, bad := range []string{"way", "../../../../meta.json", "../meta.json", "/etc/passwd"} {
				if text, err := s.ReadArtifact(t.Context(), "r", "gen / 1", bad); err == nil {
					t.Errorf("%s: %q", bad, text)
				}
			}
			if _, err := s.ReadArtifact(t.Context(), "r", "gen / 1", "gone"); !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
		})
	}
}

func TestFileNamesNeverClashNorEscape(t *testing.T) {
	seen := map[string]string{}
	check := func(t interface {
		Errorf(string, ...any)
	}, text string,
	) {
		name := blob.FileName(text)
		if name == "" || len(name) > 120 || strings.HasPrefix(name, ".") || path.Base(name) != name || !fs.ValidPath(name) || strings.ContainsAny(name, "\x00\\: ") {
			t.Errorf("%q becomes %q", text, name)
		}
		if other, ok := seen[name]; ok && other != text {
			t.Errorf("%q and %q both become %q", text, other, name)
		}
		seen[name] = text
	}
	for _, text := range []string{"", ".", "..", "../x", "a/b", "a_b", "a b", blob.FileName("a b"), blob.FileName(""), "/etc/passwd", strings.Repeat("x", 300), strings.Repeat("x", 100), strings.Repeat("é", 80), "test: [a, b]", "test 1/2", ".hidden", "hidden", "-rf", "$(touch x)", "con\x00"} {
		check(t, text)
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ab./_+ -]{0,6}`)).Draw(rt, "text")
		check(rt, text)
		check(rt, blob.FileName(text))
	})
}

func TestUntracked(t *testing.T) {
	s := &blob.Store{Dir: t.TempDir()}
	work := space(t, "tracked.txt")
	if err := os.WriteFile(filepath.Join(work, ".gitignore"), []byte("*.log\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	gitIn(t, work, "init", "-q")
	gitIn(t, work, "add", ".")
	fill(t, work, "new.txt", "sub/deep/new.txt", "odd\nname", "link -> tracked.txt", ".git/planted")
	gitIn(t, work, "config", "core.worktree", "/etc") // as a job might, to have other files kept
	fill(t, work, "ignored.log", "sub/x.tmp")
	saved, err := s.SaveCache(t.Context(), "k", program.Select{Untracked: true, Exclude: []string{"**/*.tmp"}}, work)
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	restore(t, s, "k", to)
	want := []string{"ignored.log", "link -> tracked.txt", "new.txt", "odd\nname", "sub/deep/new.txt"}
	if got := tree(t, to); !slices.Equal(got, want) {
		t.Errorf("%q, want %q; %+v", got, want, saved)
	}
	if _, err := os.Stat(filepath.Join(to, ".git")); err == nil {
		t.Error(".git was kept")
	}
}

func TestUntrackedOutsideARepository(t *testing.T) {
	s := &blob.Store{Dir: t.TempDir()}
	// The repository around the workspace is not the job's.
	around := space(t, "theirs")
	gitIn(t, around, "init", "-q")
	work := fill(t, filepath.Join(around, "work"), "mine")
	saved, err := s.SaveCache(t.Context(), "k", program.Select{Untracked: true, Paths: []string{"mine"}}, work)
	if err != nil || saved.Files != 1 || !slices.Equal(saved.Unmet, []string{"untracked"}) {
		t.Errorf("%+v %v", saved, err)
	}
}

func TestSweeping(t *testing.T) {
	s := &blob.Store{Dir: filepath.Join(t.TempDir(), "odd [name]")}
	keep := func(job, kind string, expire time.Duration) {
		t.Helper()
		if _, err := s.SaveArtifacts(t.Context(), "r", job, program.SaveArtifacts{Kind: kind, Expire: expire, Select: program.Select{Paths: []string{"*"}}}, space(t, "f")); err != nil {
			t.Fatal(err)
		}
	}
	keep("short", "archive", time.Hour)
	keep("long", "archive", 48*time.Hour)
	keep("for good", "archive", 0)
	keep("short", "junit", time.Hour)
	swept, err := s.Expire(t.Context(), time.Now().Add(2*time.Hour))
	if err != nil || swept.Sets != 2 || swept.Bytes != 2 {
		t.Errorf("%+v %v", swept, err)
	}
	for job, want := range map[string]int{"short": 0, "long": 1, "for good": 1} {
		if n, err := s.RestoreArtifacts(t.Context(), "r", job, t.TempDir()); n != want || err != nil {
			t.Errorf("%s: %d files, %v", job, n, err)
		}
	}

	now := time.Now()
	for i, key := range []string{"new", "old", "older", "oldest"} {
		if _, err := s.SaveCache(t.Context(), key, program.Select{Paths: []string{"*"}}, space(t, "f")); err != nil {
			t.Fatal(err)
		}
		at := now.Add(-time.Duration(i) * 24 * time.Hour)
		if err := os.Chtimes(filepath.Join(s.Dir, "cache", key, "meta.json"), at, at); err != nil {
			t.Fatal(err)
		}
	}
	restore(t, s, "oldest", t.TempDir()) // so it is the newest now
	litter := filepath.Join(s.Dir, "cache", ".new-dead")
	if err := errors.Join(os.Mkdir(litter, 0o755), os.Chtimes(litter, now.Add(-48*time.Hour), now.Add(-48*time.Hour))); err != nil {
		t.Fatal(err)
	}
	if swept, err := s.SweepCaches(t.Context(), now.Add(-12*time.Hour), 3); err != nil || swept.Sets != 1 {
		t.Errorf("%+v %v", swept, err)
	}
	left := map[string]bool{}
	for _, key := range []string{"new", "old", "older", "oldest"} {
		found, _, _ := s.RestoreCache(t.Context(), []string{key}, t.TempDir())
		left[key] = found != ""
	}
	if want := map[string]bool{"new": true, "old": true, "older": false, "oldest": true}; !maps.Equal(left, want) {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Stat(litter); err == nil {
		t.Error("the litter stays")
	}
}

func TestReportsStandBesideArtifacts(t *testing.T) {
	s := &blob.Store{Dir: t.TempDir()}
	for i, kind := range []string{"archive", "junit", "dotenv"} {
		if _, err := s.SaveArtifacts(t.Context(), "r", "j", program.SaveArtifacts{Kind: kind, Select: program.Select{Paths: []string{"*"}}}, space(t, fmt.Sprint("f", i))); err != nil {
			t.Fatal(err)
		}
	}
	to := t.TempDir()
	if _, err := s.RestoreArtifacts(t.Context(), "r", "j", to); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, to); !slices.Equal(got, []string{"f0"}) {
		t.Errorf("%q", got)
	}
}
