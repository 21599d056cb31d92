package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Limits bound what Unpack accepts. Zero fields mean the defaults.
type Limits struct {
	Bytes   int64 // of all files together, as they are unpacked; default 64 GiB
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

// maxWindow bounds the memory that an archive can ask of the decoder, in bytes.
const maxWindow = 256 << 20

// Unpack writes what an archive of Pack holds below root and returns how many files and links that were. Existing
// files are replaced. Where it fails, what was unpacked before stays.
func Unpack(ctx context.Context, r io.Reader, root *os.Root, l Limits) (files int, err error) {
	l = l.orDefault()
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxMemory(maxWindow))
	if err != nil {
		return 0, fault.New(CodeDamaged, "the archive cannot be read: %v", err)
	}
	defer z.Close()
	t := tar.NewReader(z)
	left := l.Bytes
	for n := 0; ; n++ {
		if ctx.Err() != nil {
			return files, context.Cause(ctx)
		}
		header, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, whole(z, n)
		}
		if err != nil {
			return files, fault.New(CodeDamaged, "the archive cannot be read after %d entries: %v", n, err)
		}
		if n >= l.Entries {
			return files, fault.New(CodeTooBig, "the archive has more than %d entries", l.Entries)
		}
		if left -= header.Size; left < 0 {
			return files, fault.New(CodeTooBig, "the archive unpacks to more than %d bytes", l.Bytes)
		}
		if err := unpackOne(root, t, header); err != nil {
			return files, err
		}
		if header.Typeflag != tar.TypeDir {
			files++
		}
	}
}

// whole reads what follows the last entry, so that the checksum is looked at; tar itself stops early. An archive
// without any entry is one that was never written to its end.
func whole(z io.Reader, entries int) error {
	if _, err := io.CopyN(io.Discard, z, 1<<20); err != nil && !errors.Is(err, io.EOF) {
		return fault.New(CodeDamaged, "the archive cannot be read to its end: %v", err)
	}
	if entries == 0 {
		return fault.New(CodeDamaged, "the archive is empty")
	}
	return nil
}

func unpackOne(root *os.Root, t *tar.Reader, h *tar.Header) error {
	name, err := safe(h.Name)
	if err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return Folder(root, name)
	case tar.TypeSymlink, tar.TypeReg:
		if name == "." {
			return fault.New(CodeUnsafe, "the archive's entry %q would replace its folder", h.Name)
		}
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		return Link(root, h.Linkname, name)
	case tar.TypeReg:
		return unpackFile(root, name, t, h)
	default:
		return fault.New(CodeUnsafe, "the archive's entry %q is of a kind (%q) that is not unpacked", h.Name, h.Typeflag)
	}
}

func unpackFile(root *os.Root, name string, t *tar.Reader, h *tar.Header) error {
	file, err := create(root, name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, t); err != nil {
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG) {
			return errors.Join(fmt.Errorf("write %s: %w", name, err), file.Close())
		}
		return errors.Join(fault.New(CodeDamaged, "the archive ends inside %s: %v", name, err), file.Close())
	}
	err = errors.Join(setTime(file, h.ModTime), file.Chmod(h.FileInfo().Mode().Perm()), file.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// setTime keeps a file's time: make and its kin look at it.
func setTime(file *os.File, at time.Time) error {
	tv := unix.NsecToTimeval(at.UnixNano())
	return unix.Futimes(int(file.Fd()), []unix.Timeval{tv, tv})
}

// safe refuses names that leave the folder. os.Root would too; this says it in words and before anything is made.
func safe(name string) (string, error) {
	clean := path.Clean(name)
	if name == "" || path.IsAbs(name) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsRune(name, 0) {
		return "", fault.New(CodeUnsafe, "the archive's entry %q would be written outside its folder", name)
	}
	return clean, nil
}
