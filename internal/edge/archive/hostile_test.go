package archive_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/sluice-delivery/sluice/internal/edge/archive"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// tarball is a compressed archive of entries as they are, good or bad.
func tarball(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	return squeeze(t, plainTar(t, entries...))
}

func plainTar(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var raw bytes.Buffer
	w := tar.NewWriter(&raw)
	for _, h := range entries {
		content := []byte("planted")
		if h.Typeflag != tar.TypeReg {
			content = nil
		}
		h.Size = int64(len(content))
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return raw.Bytes()
}

func squeeze(t testing.TB, raw []byte) []byte {
	t.Helper()
	z, err := encoder()
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(raw, nil)
}

// encoder is made once: its tables are large.
var encoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
})

// world is a folder with a canary beside the root that an archive is unpacked into.
type world struct {
	outside string
	root    *os.Root
}

func newWorld(t testing.TB) world {
	t.Helper()
	top := t.TempDir()
	for _, d := range []string{"root", "outside"} {
		if err := os.Mkdir(filepath.Join(top, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(top, "outside", "canary"), []byte("alive"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(filepath.Join(top, "root"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return world{outside: filepath.Join(top, "outside"), root: root}
}

// untouched fails where anything beside the root has changed.
func (w world) untouched(t testing.TB) {
	t.Helper()
	entries, err := os.ReadDir(w.outside)
	text, readErr := os.ReadFile(filepath.Join(w.outside, "canary"))
	if err != nil || readErr != nil || len(entries) != 1 || string(text) != "alive" {
		t.Fatalf("outside the root: %v %v %q %v", entries, err, text, readErr)
	}
	if beside, _ := os.ReadDir(filepath.Dir(w.outside)); len(beside) != 2 {
		t.Fatalf("beside the root: %v", beside)
	}
}

func file(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name} }

func link(name, to string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
}

func TestUnpackRefusesHostileArchives(t *testing.T) {
	for name, c := range map[string]struct {
		entries []tar.Header
		code    string
	}{
		"a path upwards":                      {[]tar.Header{file("../outside/canary")}, archive.CodeUnsafe},
		"a path upwards from below":           {[]tar.Header{file("a/b/../../../outside/canary")}, archive.CodeUnsafe},
		"an absolute path":                    {[]tar.Header{file("/tmp/sluice-planted")}, archive.CodeUnsafe},
		"the folder itself as a file":         {[]tar.Header{file(".")}, archive.CodeUnsafe},
		"a file through a link upwards":       {[]tar.Header{link("way", "../outside"), file("way/canary")}, archive.CodeUnsafe},
		"a file through an absolute link":     {[]tar.Header{link("way", "/tmp"), file("way/sluice-planted")}, archive.CodeUnsafe},
		"a file through a chain of links":     {[]tar.Header{link("a", "b"), link("b", ".."), file("a/outside/canary")}, archive.CodeUnsafe},
		"a folder through a link upwards":     {[]tar.Header{link("way", "../outside"), {Typeflag: tar.TypeDir, Name: "way/dir/", Mode: 0o755}}, archive.CodeUnsafe},
		"a link through a link upwards":       {[]tar.Header{link("way", "../outside"), link("way/canary", "x")}, archive.CodeUnsafe},
		"a hard link outside":                 {[]tar.Header{{Typeflag: tar.TypeLink, Name: "hard", Linkname: "../outside/canary"}}, archive.CodeUnsafe},
		"a hard link inside":                  {[]tar.Header{file("a"), {Typeflag: tar.TypeLink, Name: "hard", Linkname: "a"}}, archive.CodeUnsafe},
		"a character device":                  {[]tar.Header{{Typeflag: tar.TypeChar, Name: "null", Devmajor: 1, Devminor: 3}}, archive.CodeUnsafe},
		"a block device":                      {[]tar.Header{{Typeflag: tar.TypeBlock, Name: "disk", Devmajor: 8}}, archive.CodeUnsafe},
		"a pipe":                              {[]tar.Header{{Typeflag: tar.TypeFifo, Name: "pipe"}}, archive.CodeUnsafe},
		"a contiguous file, which nobody has": {[]tar.Header{{Typeflag: tar.TypeCont, Name: "cont"}}, archive.CodeUnsafe},
		"a link in place of the folder":       {[]tar.Header{link(".", "../outside")}, archive.CodeUnsafe},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := archive.Unpack(t.Context(), bytes.NewReader(tarball(t, c.entries...)), w.root, archive.Limits{})
			if got := fault.CodeOf(err); got != c.code {
				t.Errorf("code %q of %v, want %s", got, err, c.code)
			}
			w.untouched(t)
			if _, err := os.Lstat("/tmp/sluice-planted"); err == nil {
				t.Error("a file was planted in /tmp")
			}
		})
	}
}

// A name with a NUL, or one that is no tar entry at all, cannot be written by Go's tar writer: the bytes are changed.
func TestUnpackBytesThatNoWriterMakes(t *testing.T) {
	pax := plainTar(t, tar.Header{Typeflag: tar.TypeReg, Name: strings.Repeat("n", 200) + "QQQ", Format: tar.FormatPAX})
	gnu := plainTar(t, file("sparse"))
	gnu[156] = tar.TypeGNUSparse
	checksum(gnu)
	for name, raw := range map[string][]byte{
		"a NUL in a PAX path":      bytes.Replace(pax, []byte("QQQ\n"), []byte("Q\x00Q\n"), 1),
		"GNU sparse without a map": gnu,
		"a header that is noise":   bytes.Repeat([]byte("noise"), 400),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := archive.Unpack(t.Context(), bytes.NewReader(squeeze(t, raw)), w.root, archive.Limits{})
			if code := fault.CodeOf(err); code != archive.CodeDamaged && code != archive.CodeUnsafe {
				t.Errorf("%v", err)
			}
			w.untouched(t)
		})
	}
}

// checksum mends the checksum of the first header of a tar.
func checksum(raw []byte) {
	copy(raw[148:156], "        ")
	sum := 0
	for _, b := range raw[:512] {
		sum += int(b)
	}
	copy(raw[148:156], []byte{byte('0' + sum>>15&7), byte('0' + sum>>12&7), byte('0' + sum>>9&7), byte('0' + sum>>6&7), byte('0' + sum>>3&7), byte('0' + sum&7), 0, ' '})
}

func TestUnpackDropsSetIDBits(t *testing.T) {
	w := newWorld(t)
	h := file("tool")
	h.Mode = 0o6755
	if _, err := archive.Unpack(t.Context(), bytes.NewReader(tarball(t, h)), w.root, archive.Limits{}); err != nil {
		t.Fatal(err)
	}
	info, err := w.root.Stat("tool")
	if err != nil || info.Mode() != 0o755 {
		t.Errorf("mode %v, %v; want -rwxr-xr-x", info.Mode(), err)
	}
}

func TestUnpackReplacesWhatIsThere(t *testing.T) {
	w := newWorld(t)
	// The names differ in case only; a pipe, a folder and a link outside stand where files and a folder are to be.
	if err := errors.Join(
		syscall.Mkfifo(filepath.Join(w.root.Name(), "pipe"), 0o644),
		w.root.MkdirAll("folder/full", 0o755), w.root.Symlink("../outside/canary", "link"), w.root.WriteFile("dir", []byte("x"), 0o644),
		w.root.Symlink("nowhere", "dangling"),
	); err != nil {
		t.Fatal(err)
	}
	n, err := archive.Unpack(t.Context(), bytes.NewReader(tarball(t, file("pipe"), file("folder"), file("link"), file("dir/in"), file("dangling/in"), file("Case"), file("case"))), w.root, archive.Limits{})
	if err != nil || n != 7 {
		t.Fatalf("%d files, %v", n, err)
	}
	for _, name := range []string{"pipe", "folder", "link", "dir/in", "dangling/in", "Case", "case"} {
		if text, err := w.root.ReadFile(name); err != nil || string(text) != "planted" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	w.untouched(t)
}

func TestUnpackFollowsLinksInside(t *testing.T) {
	w := newWorld(t)
	if err := errors.Join(w.root.Mkdir("real", 0o755), w.root.Symlink("real", "way")); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Unpack(t.Context(), bytes.NewReader(tarball(t, tar.Header{Typeflag: tar.TypeDir, Name: "way/", Mode: 0o755}, file("way/in"))), w.root, archive.Limits{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.root.Stat("real/in"); err != nil {
		t.Error(err)
	}
}

// zeros is an endless file of zeros in a tar, compressed a thousand times and more.
func zeros(t testing.TB, size int64) io.Reader {
	t.Helper()
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		z, _ := zstd.NewWriter(w)
		tw := tar.NewWriter(z)
		err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "zeros", Size: size, Mode: 0o644, Format: tar.FormatPAX})
		chunk := make([]byte, 1<<20)
		for left := size; err == nil && left > 0; left -= int64(len(chunk)) {
			_, err = tw.Write(chunk[:min(left, int64(len(chunk)))])
		}
		w.CloseWithError(errors.Join(err, tw.Close(), z.Close()))
	}()
	t.Cleanup(func() { r.Close(); <-done })
	return r
}

func TestUnpackStopsBombsAtTheLimit(t *testing.T) {
	t.Run("a file that says that it is large", func(t *testing.T) {
		w := newWorld(t)
		_, err := archive.Unpack(t.Context(), zeros(t, 1<<40), w.root, archive.Limits{Bytes: 8 << 20})
		if fault.CodeOf(err) != archive.CodeTooBig {
			t.Errorf("%v", err)
		}
		if _, err := w.root.Stat("zeros"); err == nil {
			t.Error("the file was begun")
		}
	})
	t.Run("many files", func(t *testing.T) {
		w := newWorld(t)
		var many []tar.Header
		for i := range 2000 {
			many = append(many, file(strings.Repeat("d", i%7+1)))
		}
		_, err := archive.Unpack(t.Context(), bytes.NewReader(tarball(t, many...)), w.root, archive.Limits{Entries: 1999})
		if fault.CodeOf(err) != archive.CodeTooBig {
			t.Errorf("%v", err)
		}
	})
	t.Run("the sum of files", func(t *testing.T) {
		w := newWorld(t)
		_, err := archive.Unpack(t.Context(), bytes.NewReader(tarball(t, file("a"), file("b"), file("c"))), w.root, archive.Limits{Bytes: 20})
		if fault.CodeOf(err) != archive.CodeTooBig {
			t.Errorf("%v", err)
		}
	})
}

// A million entries of nothing compress to a few KiB; they are counted, not kept.
func TestUnpackAMillionEntries(t *testing.T) {
	if testing.Short() {
		t.Skip("a million entries take seconds")
	}
	block := make([]byte, 512)
	copy(block, plainTar(t, tar.Header{Typeflag: tar.TypeDir, Name: "d/"})[:512])
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	for range 1_000_000 {
		if _, err := z.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	_, err = archive.Unpack(t.Context(), &packed, w.root, archive.Limits{Entries: 300_000})
	if fault.CodeOf(err) != archive.CodeTooBig {
		t.Errorf("%v", err)
	}
}

func TestUnpackTellsDamage(t *testing.T) {
	whole := tarball(t, file("a"), file("b"), file("c"))
	for n := 0; n < len(whole); n += 3 {
		w := newWorld(t)
		if _, err := archive.Unpack(t.Context(), bytes.NewReader(whole[:n]), w.root, archive.Limits{}); fault.CodeOf(err) != archive.CodeDamaged {
			t.Fatalf("cut at %d of %d: %v", n, len(whole), err)
		}
	}
	w := newWorld(t)
	if _, err := archive.Unpack(t.Context(), bytes.NewReader(tarball(t)), w.root, archive.Limits{}); fault.CodeOf(err) != archive.CodeDamaged {
		t.Errorf("no entries at all: %v", err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-2] ^= 0x55 // in the checksum
	if _, err := archive.Unpack(t.Context(), bytes.NewReader(flipped), w.root, archive.Limits{}); fault.CodeOf(err) != archive.CodeDamaged {
		t.Errorf("a false checksum: %v", err)
	}
}

func TestUnpackSparseFilesOfPAX(t *testing.T) {
	// Hand-made as GNU tar --format=pax --sparse writes it (GNU.sparse 0.1): 1 MiB of holes, four bytes at its end.
	var raw bytes.Buffer
	records := paxRecord("GNU.sparse.size", "1048576") + paxRecord("GNU.sparse.numblocks", "1") +
		paxRecord("GNU.sparse.map", "1048572,4") + paxRecord("GNU.sparse.name", "holes")
	raw.Write(header("PaxHeader/holes", tar.TypeXHeader, len(records)))
	raw.WriteString(records)
	raw.Write(make([]byte, 512-len(records)))
	raw.Write(header("GNUSparseFile.1/holes", tar.TypeReg, 4))
	raw.WriteString("tail")
	raw.Write(make([]byte, 508+1024))
	packed := squeeze(t, raw.Bytes())

	w := newWorld(t)
	if _, err := archive.Unpack(t.Context(), bytes.NewReader(packed), w.root, archive.Limits{Bytes: 1000}); fault.CodeOf(err) != archive.CodeTooBig {
		t.Errorf("holes are not counted: %v", err)
	}
	if _, err := archive.Unpack(t.Context(), bytes.NewReader(packed), w.root, archive.Limits{}); err != nil {
		t.Fatal(err)
	}
	text, err := w.root.ReadFile("holes")
	if err != nil || len(text) != 1<<20 || string(text[len(text)-4:]) != "tail" {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

func paxRecord(key, value string) string {
	body := " " + key + "=" + value + "\n"
	n := len(body) + 2
	if n > 99 {
		n++
	}
	digits := []byte{byte('0' + n/10), byte('0' + n%10)}
	return string(digits) + body
}

func header(name string, kind byte, size int) []byte {
	b := make([]byte, 512)
	copy(b, name)
	copy(b[100:], "0000644\x000000000\x000000000\x00")
	for i, at := 0, 134; i < 11; i, at = i+1, at-1 {
		b[at] = byte('0' + size>>(3*i)&7)
	}
	copy(b[136:], "00000000000\x00")
	b[156] = kind
	copy(b[257:], "ustar\x0000")
	checksum(b)
	return b
}

func TestPackRefusesWhatIsNoFile(t *testing.T) {
	w := newWorld(t)
	if err := syscall.Mkfifo(filepath.Join(w.root.Name(), "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- archive.Pack(t.Context(), io.Discard, w.root, []string{"pipe"}) }()
	select {
	case err := <-done:
		if fault.CodeOf(err) != archive.CodeUnsafe {
			t.Errorf("%v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Pack waits for somebody to write into a pipe")
	}
	if err := w.root.Symlink("../outside", "way"); err != nil {
		t.Fatal(err)
	}
	if err := archive.Pack(t.Context(), io.Discard, w.root, []string{"way/canary"}); err == nil {
		t.Error("a file outside the root was read")
	}
	if err := archive.Pack(t.Context(), io.Discard, w.root, []string{"gone"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
