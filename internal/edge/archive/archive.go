// Package archive is the one place where files become archives and archives become files. Nothing is ever written or
// read outside the folder given: everything goes through os.Root. Devices, pipes and sockets are refused, set-id bits
// are dropped, and size, number and growth are bounded.
package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The faults of this package.
const (
	CodeUnsafe  = "SL2301" // an entry would leave the folder
	CodeTooBig  = "SL2302" // more than the limits allow
	CodeDamaged = "SL2303" // not an archive, or cut short
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeUnsafe, Summary: "an archive entry would leave its folder", Text: "The archive holds a path with \"..\", an absolute path, a device, or a link through which a later entry would be written outside. Nothing of it was written outside; the archive is not to be trusted."},
	{Code: CodeTooBig, Summary: "an archive is larger than allowed", Text: "The archive holds more bytes or entries than the limits allow, as an archive bomb does. Unpacking stopped at the limit."},
	{Code: CodeDamaged, Summary: "an archive cannot be read", Text: "The file is not a zstd-compressed tar archive or it was cut short, for example by a full disk. Remove it with `sluice clean` and let the job write it again."},
}

// Limits bound what Unpack accepts. Zero fields mean the defaults.
type Limits struct {
	Bytes   int64 // of all files together; default 64 GiB
	Entries int   // default 2,000,000
}

func (l Limits) orDefault() Limits {
	if l.Bytes == 0 {
		l.Bytes = 64 << 30
	}
	if l.Entries == 0 {
		l.Entries = 2_000_000
	}
	return l
}

// Pack writes the files of a folder as a zstd-compressed tar, compressing on all cores. Files are slash-separated
// paths below root; a file that changed its kind since it was listed is an error.
func Pack(w io.Writer, root *os.Root, files []string) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)))
	if err != nil {
		return fmt.Errorf("start zstd: %w", err)
	}
	t := tar.NewWriter(z)
	for _, name := range files {
		if err := packFile(t, root, name); err != nil {
			return errors.Join(fmt.Errorf("pack %s: %w", name, err), z.Close())
		}
	}
	return errors.Join(t.Close(), z.Close())
}

func packFile(t *tar.Writer, root *os.Root, name string) error {
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if link, err = root.Readlink(name); err != nil {
			return err
		}
	} else if !info.Mode().IsRegular() {
		return fault.New(CodeUnsafe, "%s is neither a file nor a link", name)
	}
	header, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	header.Name, header.Format = name, tar.FormatPAX
	header.Uid, header.Gid, header.Uname, header.Gname = 0, 0, "", ""
	if err := t.WriteHeader(header); err != nil {
		return err
	}
	if link != "" {
		return nil
	}
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.CopyN(t, file, header.Size)
	return err
}

// Unpack writes what an archive of Pack holds below root and returns how many files. Existing files are replaced.
func Unpack(r io.Reader, root *os.Root, l Limits) (int, error) {
	l = l.orDefault()
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxMemory(256<<20))
	if err != nil {
		return 0, fmt.Errorf("start zstd: %w", err)
	}
	defer z.Close()
	t := tar.NewReader(z)
	left := l.Bytes
	for n := 0; ; n++ {
		header, err := t.Next()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, fault.New(CodeDamaged, "the archive cannot be read after %d entries: %v", n, err)
		}
		if n >= l.Entries {
			return n, fault.New(CodeTooBig, "the archive has more than %d entries", l.Entries)
		}
		if left -= header.Size; left < 0 {
			return n, fault.New(CodeTooBig, "the archive unpacks to more than %d bytes", l.Bytes)
		}
		if err := unpackEntry(root, t, header); err != nil {
			return n, err
		}
	}
}

func unpackEntry(root *os.Root, t *tar.Reader, h *tar.Header) error {
	name, err := safe(h.Name)
	if err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o777)
	case tar.TypeSymlink:
		return Link(root, h.Linkname, name)
	case tar.TypeReg:
		file, err := Create(root, name, h.FileInfo().Mode())
		if err != nil {
			return err
		}
		if _, err := io.Copy(file, t); err != nil {
			return errors.Join(fault.New(CodeDamaged, "the archive ends inside %s: %v", name, err), file.Close())
		}
		if err := file.Close(); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		return root.Chtimes(name, h.ModTime, h.ModTime)
	default:
		return fault.New(CodeUnsafe, "the archive's entry %q is of a kind (%c) that is not unpacked", h.Name, h.Typeflag)
	}
}

// safe refuses names that leave the folder. os.Root would too; this says it in words and before anything is made.
func safe(name string) (string, error) {
	clean := path.Clean(name)
	if name == "" || path.IsAbs(name) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsRune(name, 0) {
		return "", fault.New(CodeUnsafe, "the archive's entry %q would be written outside its folder", name)
	}
	return clean, nil
}

// Create makes a new file below root in place of whatever has its name; set-id bits are dropped and the file is
// writable by its owner while it is open. Missing folders are made.
func Create(root *os.Root, name string, mode fs.FileMode) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	file, err := root.OpenFile(name, flags, mode.Perm())
	if errors.Is(err, fs.ErrNotExist) {
		if err := root.MkdirAll(path.Dir(name), 0o777); err != nil {
			return nil, unsafeOr(name, err)
		}
		file, err = root.OpenFile(name, flags, mode.Perm())
	}
	if errors.Is(err, fs.ErrExist) {
		if err := root.RemoveAll(name); err != nil {
			return nil, unsafeOr(name, err)
		}
		file, err = root.OpenFile(name, flags, mode.Perm())
	}
	if err != nil {
		return nil, unsafeOr(name, err)
	}
	return file, nil
}

// Link makes a symbolic link below root in place of whatever has its name. Where it points is the link's business:
// os.Root never follows it outside.
func Link(root *os.Root, target, name string) error {
	err := root.Symlink(target, name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := root.MkdirAll(path.Dir(name), 0o777); err != nil {
			return unsafeOr(name, err)
		}
		err = root.Symlink(target, name)
	}
	if errors.Is(err, fs.ErrExist) {
		if err := root.RemoveAll(name); err != nil {
			return unsafeOr(name, err)
		}
		err = root.Symlink(target, name)
	}
	return unsafeOr(name, err)
}

// unsafeOr names the escape that os.Root refused, and passes other errors on.
func unsafeOr(name string, err error) error {
	if err != nil && strings.Contains(err.Error(), "escapes from parent") {
		return fault.New(CodeUnsafe, "%q would be written outside its folder: a link on the way leaves it", name)
	}
	return err
}
