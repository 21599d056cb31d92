package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/edge/archive"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// listing says of each path below a root what it is: kind, mode, time and content.
func listing(t testing.TB, root *os.Root) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == "." {
			return err
		}
		info, err := root.Lstat(p)
		if err != nil {
			return err
		}
		switch {
		case info.IsDir():
			out[p] = "folder"
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := root.Readlink(p)
			out[p] = "-> " + to
			return err
		default:
			text, err := root.ReadFile(p)
			out[p] = fmt.Sprintf("%v %d %q", info.Mode(), info.ModTime().UnixMicro(), text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPackAndUnpackGiveTheSameTree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		top, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(top)
		from, to := open(t, filepath.Join(top, "from")), open(t, filepath.Join(top, "to"))
		defer from.Close()
		defer to.Close()
		name := rapid.StringMatching(`[a-cA-C .é\\$*-]{1,4}(/[a-c]{1,2}){0,2}`).Filter(func(s string) bool {
			return path.Clean(s) == s && fs.ValidPath(s)
		})
		var paths []string
		for range rapid.IntRange(1, 12).Draw(rt, "entries") {
			p := name.Draw(rt, "name")
			if err := from.MkdirAll(path.Dir(p), 0o755); err != nil {
				continue // a file stands there
			}
			if _, err := from.Lstat(p); err == nil {
				continue
			}
			switch rapid.IntRange(0, 3).Draw(rt, "kind") {
			case 0:
				err = from.Mkdir(p, 0o755)
			case 1:
				err = from.Symlink(rapid.SampledFrom([]string{"a", "../..", "/etc/passwd", "nowhere"}).Draw(rt, "target"), p)
			default:
				err = from.WriteFile(p, rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(rt, "content"), 0o644)
				mode := fs.FileMode(rapid.SampledFrom([]int{0o644, 0o755, 0o400, 0o600, 0o444}).Draw(rt, "mode"))
				at := time.UnixMicro(rapid.Int64Range(0, 2e15).Draw(rt, "time"))
				err = errors.Join(err, from.Chtimes(p, at, at), from.Chmod(p, mode))
			}
			if err != nil {
				rt.Fatal(err)
			}
		}
		want := listing(t, from)
		files := 0
		for p, what := range want {
			paths = append(paths, p)
			if what != "folder" {
				files++
			}
		}
		slices.Sort(paths)
		if len(paths) == 0 {
			return
		}
		var packed bytes.Buffer
		if err := archive.Pack(context.Background(), &packed, from, paths); err != nil {
			rt.Fatal(err)
		}
		n, err := archive.Unpack(context.Background(), &packed, to, archive.Limits{})
		if err != nil || n != files {
			rt.Fatalf("%d of %d files, %v", n, files, err)
		}
		got := listing(t, to)
		for p := range want {
			if got[p] != want[p] {
				rt.Errorf("%s: %s, want %s", p, got[p], want[p])
			}
		}
		if len(got) != len(want) {
			rt.Errorf("%d paths, want %d", len(got), len(want))
		}
	})
}

func open(t testing.TB, dir string) *os.Root {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestACancelEndsPackAndUnpack(t *testing.T) {
	w := newWorld(t)
	stopped, stop := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	stop(why)
	if err := archive.Pack(stopped, io.Discard, w.root, []string{"a"}); !errors.Is(err, why) {
		t.Errorf("Pack: %v", err)
	}
	if _, err := archive.Unpack(stopped, bytes.NewReader(tarball(t, file("a"))), w.root, archive.Limits{}); !errors.Is(err, why) {
		t.Errorf("Unpack: %v", err)
	}
}

// full is a writer whose disk is full after some bytes.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, unix.ENOSPC
	}
	return len(p), nil
}

func TestPackTellsOfAFullDisk(t *testing.T) {
	w := newWorld(t)
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(i * i >> 3)
	}
	if err := w.root.WriteFile("noise", noise, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, left := range []int{0, 100, 1000} {
		if err := archive.Pack(t.Context(), &full{left}, w.root, []string{"noise"}); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("after %d bytes: %v", left, err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(tarball(f, file("a"), link("b", "a"), file("../x")))
	f.Add(tarball(f, link("way", "../outside"), file("way/canary")))
	f.Add(plainTar(f, file("a")))
	f.Add([]byte("\x28\xb5\x2f\xfd"))
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newWorld(t)
		limits := archive.Limits{Bytes: 1 << 20, Entries: 100}
		// As it is, and as the content of a sound frame: most changes break the frame and never come to the tar.
		for _, d := range [][]byte{data, squeeze(t, data)} {
			if _, err := archive.Unpack(t.Context(), bytes.NewReader(d), w.root, limits); err != nil && errors.Is(err, io.EOF) && fault.CodeOf(err) == "" {
				t.Errorf("an end without a code: %v", err)
			}
		}
		w.untouched(t)
	})
}

func BenchmarkPackAndUnpack(b *testing.B) {
	w := newWorld(b)
	var paths []string
	chunk := make([]byte, 100<<10)
	for i := range chunk {
		chunk[i] = byte(i * 7 >> 5)
	}
	for i := range 200 {
		paths = append(paths, fmt.Sprintf("f%03d", i))
		if err := w.root.WriteFile(paths[i], chunk, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	to := newWorld(b)
	b.SetBytes(int64(200 * len(chunk)))
	var packed bytes.Buffer
	for b.Loop() {
		packed.Reset()
		if err := archive.Pack(b.Context(), &packed, w.root, paths); err != nil {
			b.Fatal(err)
		}
		if _, err := archive.Unpack(b.Context(), bytes.NewReader(packed.Bytes()), to.root, archive.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(200*len(chunk))/float64(packed.Len()), "compression")
}
