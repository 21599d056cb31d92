package artifact_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/artifact"
	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/edge/glob"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func space(t testing.TB, entries ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, e := range entries {
		name, to, isLink := strings.Cut(e, " -> ")
		p := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		switch {
		case isLink:
			err = errors.Join(err, os.Symlink(to, p))
		case strings.HasSuffix(name, "/"):
			err = errors.Join(err, os.MkdirAll(p, 0o755))
		default:
			err = errors.Join(err, os.WriteFile(p, []byte(name), 0o755))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func tree(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, p)
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

func source(work string, paths ...string) artifact.Source {
	return artifact.Source{Paths: paths, Space: glob.Space{{Name: "workspace", Job: "/w", Host: work}}, Dir: "/w"}
}

func target(work, path string) artifact.Target {
	return artifact.Target{Space: glob.Space{{Job: "/w", Host: work}}, Dir: "/w", Path: path}
}

// TestFilesStandWhereUploadArtifactPutsThem has the rules of the action's README.
func TestFilesStandWhereUploadArtifactPutsThem(t *testing.T) {
	work := space(t, "a.txt", "out/b.txt", "out/deep/c.txt", "out/deep/d.log", "out/.hidden", ".secret/x", "dist/e.js", "empty/", "link -> out/b.txt", "folder -> out/deep", "broken -> no", "outside -> /etc/passwd")
	for name, c := range map[string]struct {
		paths  []string
		hidden bool
		want   []string
	}{
		"one file by its name stands alone":   {paths: []string{"out/deep/c.txt"}, want: []string{"c.txt"}},
		"a folder is the root":                {paths: []string{"out"}, want: []string{"b.txt", "deep/c.txt", "deep/d.log"}},
		"with a slash too":                    {paths: []string{"out/"}, want: []string{"b.txt", "deep/c.txt", "deep/d.log"}},
		"what is before the wildcard is root": {paths: []string{"out/**/*.txt"}, want: []string{"b.txt", "deep/c.txt"}},
		"several count from what they share":  {paths: []string{"out/deep/c.txt\ndist/e.js"}, want: []string{"dist/e.js", "out/deep/c.txt"}},
		"several below one folder":            {paths: []string{"out/deep", "out/b.txt"}, want: []string{"b.txt", "deep/c.txt", "deep/d.log"}},
		"what is taken out stays out":         {paths: []string{"out", "!out/**/*.log", "!out/b.txt"}, want: []string{"deep/c.txt"}},
		"hidden files when asked":             {paths: []string{"out", ".secret"}, hidden: true, want: []string{".secret/x", "out/.hidden", "out/b.txt", "out/deep/c.txt", "out/deep/d.log"}},
		"not when not":                        {paths: []string{".secret"}},
		"links give what they lead to":        {paths: []string{"link", "folder", "broken", "outside"}, want: []string{"folder/c.txt", "folder/d.log", "link"}},
		"an empty folder is nothing":          {paths: []string{"empty"}},
		"one match of a wildcard":             {paths: []string{"dist/*.js"}, want: []string{"e.js"}},
		"nothing":                             {paths: []string{"nowhere"}},
		"an absolute path":                    {paths: []string{"/w/dist"}, want: []string{"e.js"}},
		"what the job does not see":           {paths: []string{"/etc/passwd", "/etc"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &artifact.Store{Dir: t.TempDir()}
			from := source(work, c.paths...)
			from.Hidden = c.hidden
			info, err := s.Save(t.Context(), artifact.New{Run: "r", Job: "j", Name: "n"}, from)
			if err != nil || info.Files != len(c.want) || (info.ID != 0) != (len(c.want) > 0) {
				t.Fatalf("%+v %v", info, err)
			}
			if len(c.want) == 0 {
				return
			}
			to := t.TempDir()
			got, folder, err := s.Download(t.Context(), artifact.Choice{Run: "r", Name: "n"}, target(to, ""))
			if err != nil || folder != "/w" || len(got) != 1 {
				t.Fatal(got, folder, err)
			}
			if files := tree(t, to); !slices.Equal(files, c.want) {
				t.Errorf("%q, want %q", files, c.want)
			}
		})
	}
}

func TestAnArtifactIsAValidZipWithItsDigest(t *testing.T) {
	s := &artifact.Store{Dir: t.TempDir()}
	work := space(t, "größe", "run.sh", "z/empty")
	big := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	if err := errors.Join(os.WriteFile(filepath.Join(work, "big"), big, 0o600), os.WriteFile(filepath.Join(work, "z/empty"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2020, 2, 3, 4, 5, 7, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(work, "run.sh"), at, at); err != nil {
		t.Fatal(err)
	}
	info, err := s.Save(t.Context(), artifact.New{Run: "r", Job: "j", Name: "n"}, source(work, "."))
	if err != nil {
		t.Fatal(err)
	}
	_, file, err := s.Open(t.Context(), "r", "n")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(file); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(text.Bytes()); hex.EncodeToString(sum[:]) != info.Digest || int64(text.Len()) != info.Size {
		t.Errorf("%+v", info)
	}
	z, err := zip.NewReader(bytes.NewReader(text.Bytes()), info.Size)
	if err != nil || len(z.File) != 4 {
		t.Fatal(err)
	}
	for _, f := range z.File {
		if f.Mode() != 0o644 || f.Flags&8 != 0 {
			t.Errorf("%s: %v %x", f.Name, f.Mode(), f.Flags)
		}
	}
	to := t.TempDir()
	if _, _, err := s.Download(t.Context(), artifact.Choice{Run: "r", Name: "n"}, target(to, "x/y")); err != nil {
		t.Fatal(err)
	}
	stat, err := os.Stat(filepath.Join(to, "x/y/run.sh"))
	if err != nil || stat.Mode() != 0o644 || !stat.ModTime().Equal(at) {
		t.Errorf("%v %v", stat, err)
	}
	if got, err := os.ReadFile(filepath.Join(to, "x/y/big")); err != nil || !bytes.Equal(got, big) {
		t.Error(err)
	}
}

func TestWhichArtifactsComeWhere(t *testing.T) {
	s := &artifact.Store{Dir: t.TempDir()}
	var ids []string
	for _, name := range []string{"app-linux", "app-mac", "docs"} {
		info, err := s.Save(t.Context(), artifact.New{Run: "r", Job: "j", Name: name}, source(space(t, "out/"+name), "out"))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, fmt.Sprint(info.ID))
	}
	for name, c := range map[string]struct {
		choice artifact.Choice
		merge  bool
		single bool
		want   []string
		code   string
	}{
		"one by its name":            {choice: artifact.Choice{Name: "docs"}, want: []string{"to/docs"}},
		"all":                        {want: []string{"to/app-linux/app-linux", "to/app-mac/app-mac", "to/docs/docs"}},
		"all into one":               {merge: true, want: []string{"to/app-linux", "to/app-mac", "to/docs"}},
		"by a pattern":               {choice: artifact.Choice{Pattern: "app-{linux,mac}"}, want: []string{"to/app-linux/app-linux", "to/app-mac/app-mac"}},
		"by a pattern that none has": {choice: artifact.Choice{Pattern: "lib-*"}},
		"by ids":                     {choice: artifact.Choice{IDs: []string{ids[0] + ", " + ids[2]}}, want: []string{"to/app-linux/app-linux", "to/docs/docs"}},
		"one by its id":              {choice: artifact.Choice{IDs: ids[2:]}, want: []string{"to/docs/docs"}},
		"one by its id, version 5":   {choice: artifact.Choice{IDs: ids[2:]}, single: true, want: []string{"to/docs"}},
		"a name that is not there":   {choice: artifact.Choice{Name: "dosc"}, code: artifact.CodeMissing},
		"an id that is not there":    {choice: artifact.Choice{IDs: []string{"12"}}, code: artifact.CodeMissing},
		"no id":                      {choice: artifact.Choice{IDs: []string{"docs"}}, code: artifact.CodeMissing},
	} {
		t.Run(name, func(t *testing.T) {
			to := t.TempDir()
			goal := target(to, "to")
			goal.Merge, goal.Single, c.choice.Run = c.merge, c.single, "r"
			_, _, err := s.Download(t.Context(), c.choice, goal)
			if fault.CodeOf(err) != c.code || (err == nil) != (c.code == "") {
				t.Fatal(err)
			}
			if got := tree(t, to); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	if _, _, err := s.Download(t.Context(), artifact.Choice{Run: "r"}, target(t.TempDir(), "/elsewhere")); fault.CodeOf(err) != artifact.CodeFolder {
		t.Error(err)
	}
	if got, _, err := s.Download(t.Context(), artifact.Choice{Run: "another"}, target(t.TempDir(), "")); len(got) != 0 || err != nil {
		t.Error(got, err)
	}
}

func TestANameIsTakenOnce(t *testing.T) {
	s := &artifact.Store{Dir: t.TempDir()}
	work := space(t, "f")
	var made atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			_, err := (&artifact.Store{Dir: s.Dir}).Save(t.Context(), artifact.New{Run: "r", Job: "j", Name: "n"}, source(work, "f"))
			switch {
			case err == nil:
				made.Add(1)
			case fault.CodeOf(err) != artifact.CodeExists:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if made.Load() != 1 {
		t.Fatalf("made %d times", made.Load())
	}
	first, err := s.List(t.Context(), "r")
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]artifact.New{"overwrite": {Overwrite: true}, "a later attempt": {Attempt: 2}} {
		n.Run, n.Job, n.Name = "r", "j", "n"
		info, err := s.Save(t.Context(), n, source(work, "f"))
		if err != nil || info.ID <= first[0].ID {
			t.Errorf("%s: %+v %v", name, info, err)
		}
	}
	if _, err := s.Delete(t.Context(), "r", "n"); err != nil {
		t.Error(err)
	}
	if _, err := s.Delete(t.Context(), "r", "n"); fault.CodeOf(err) != artifact.CodeMissing {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(s.Dir, "runs/r/named")); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

func TestWhatCannotBeKeptOrRead(t *testing.T) {
	s := &artifact.Store{Dir: t.TempDir(), Limits: artifact.Limits{Bytes: 100, Entries: 3, Count: 2}}
	save := func(name string, from artifact.Source) error {
		_, err := s.Save(t.Context(), artifact.New{Run: "r", Job: "j", Name: name}, from)
		return err
	}
	for _, name := range []string{"", "a/b", "..", "a:b", "a\nb", strings.Repeat("x", 256), "\xff"} {
		if err := save(name, source(space(t, "f"), "f")); fault.CodeOf(err) != artifact.CodeName {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := save("n", source(space(t, "a:b"), ".")); fault.CodeOf(err) != artifact.CodePath {
		t.Error(err)
	}
	if err := save("n", source(space(t, "a", "b", "c", "d"), ".")); fault.CodeOf(err) != artifact.CodeTooBig {
		t.Error(err)
	}
	if err := save("n", source(space(t, strings.Repeat("x", 101)), ".")); fault.CodeOf(err) != artifact.CodeTooBig {
		t.Error(err)
	}
	if err := save("n", source(space(t, "f"), "a/../b")); fault.CodeOf(err) != glob.CodePattern {
		t.Error(err)
	}
	for i, want := range []string{"", "", artifact.CodeTooBig} {
		if err := save(fmt.Sprint(i), source(space(t, "f"), "f")); fault.CodeOf(err) != want {
			t.Errorf("%d: %v", i, err)
		}
	}
	// Somebody changes what is stored.
	if err := os.WriteFile(filepath.Join(s.Dir, "runs/r/named/0/content"), []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Download(t.Context(), artifact.Choice{Run: "r", Name: "0"}, target(t.TempDir(), "")); fault.CodeOf(err) != artifact.CodeDamaged {
		t.Error(err)
	}
	// A store that a repository brought along may have links in it.
	if err := errors.Join(os.Remove(filepath.Join(s.Dir, "runs/r/named/1/content")), os.Symlink("/etc/passwd", filepath.Join(s.Dir, "runs/r/named/1/content"))); err != nil {
		t.Fatal(err)
	}
	if _, file, err := s.Open(t.Context(), "r", "1"); err == nil {
		file.Close()
		t.Error("a link is open")
	}
}

// bomb is a zip of zeros.
func bomb(t *testing.T, files int, size int64) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i := range files {
		w, err := z.Create(fmt.Sprint("f", i))
		if err == nil {
			_, err = w.Write(make([]byte, size))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func add(t *testing.T, s *artifact.Store, name string, content []byte) {
	t.Helper()
	file := filepath.Join(s.Dir, "up")
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	if _, err := s.Add(t.Context(), artifact.New{Run: "r", Job: "j", Name: name}, file, hex.EncodeToString(sum[:]), int64(len(content))); err != nil {
		t.Fatal(err)
	}
}

func TestBombs(t *testing.T) {
	s := &artifact.Store{Dir: t.TempDir(), Limits: artifact.Limits{Bytes: 5 << 20, Entries: 10}}
	add(t, s, "large", bomb(t, 2, 3<<20))
	add(t, s, "many", bomb(t, 11, 1))
	// One that tells of less than it holds.
	lies := bomb(t, 1, 4<<20)
	at := bytes.LastIndex(lies, []byte("PK\x01\x02"))
	copy(lies[at+24:], []byte{16, 0, 0, 0})
	add(t, s, "lies", lies)
	for name, want := range map[string][]string{"large": {artifact.CodeTooBig}, "many": {artifact.CodeTooBig}, "lies": {artifact.CodeTooBig, artifact.CodeDamaged}} {
		to := t.TempDir()
		_, _, err := s.Download(t.Context(), artifact.Choice{Run: "r", Name: name}, target(to, ""))
		if !slices.Contains(want, fault.CodeOf(err)) {
			t.Errorf("%s: %v", name, err)
		}
		for _, f := range tree(t, to) {
			if info, err := os.Stat(filepath.Join(to, f)); err != nil || info.Size() > 64<<10 {
				t.Errorf("%s: %s has %d bytes", name, f, info.Size())
			}
		}
	}
}

func TestExpiry(t *testing.T) {
	s := &artifact.Store{Dir: t.TempDir()}
	past, later := time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	for name, at := range map[string]*time.Time{"past": &past, "later": &later, "for good": nil} {
		if _, err := s.Save(t.Context(), artifact.New{Run: "r", Job: "j", Name: name, Expires: at}, source(space(t, "f"), "f")); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := s.List(t.Context(), "r"); err != nil || len(all) != 2 {
		t.Errorf("%v %v", all, err)
	}
	if _, _, err := s.Open(t.Context(), "r", "past"); fault.CodeOf(err) != artifact.CodeMissing {
		t.Error(err)
	}
	if swept, err := (&blob.Store{Dir: s.Dir}).Expire(t.Context(), time.Now()); err != nil || swept.Sets != 1 || swept.Bytes == 0 {
		t.Errorf("%+v %v", swept, err)
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "runs/r/named/past")); err == nil {
		t.Error("it is still there")
	}
}

func FuzzUnzip(f *testing.F) {
	for _, entries := range [][]string{{"a", "b/c", "d/"}, {"../x"}, {"/x"}, {"a", "a/b"}, {"."}} {
		var out bytes.Buffer
		z := zip.NewWriter(&out)
		for _, e := range entries {
			if w, err := z.Create(e); err == nil && !strings.HasSuffix(e, "/") {
				_, _ = w.Write([]byte(e))
			}
		}
		_ = z.Close()
		f.Add(out.Bytes())
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		top := t.TempDir()
		s := &artifact.Store{Dir: filepath.Join(top, "store"), Limits: artifact.Limits{Bytes: 1 << 20}}
		to := filepath.Join(top, "to")
		if err := errors.Join(os.Mkdir(s.Dir, 0o755), os.Mkdir(to, 0o755)); err != nil {
			t.Fatal(err)
		}
		add(t, s, "n", content)
		_, _, _ = s.Download(t.Context(), artifact.Choice{Run: "r", Name: "n"}, target(to, ""))
		if left, err := os.ReadDir(top); err != nil || len(left) != 2 {
			t.Errorf("%v %v", left, err)
		}
	})
}
