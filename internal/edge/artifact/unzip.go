package artifact

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/edge/archive"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// maxDirectory bounds what is read of a zip to list it, in bytes.
const maxDirectory = 512 << 20

// maxRatio is more than deflate can shrink anything; a zip whose entries share their bytes goes past it.
const maxRatio = 1100

// unzip unpacks a zip below root and returns how many files that were. Files get the mode 0644, as GitHub's artifacts
// keep none.
func unzip(ctx context.Context, file io.ReaderAt, size int64, root *os.Root, l Limits) (int, error) {
	listing := &budget{from: file, left: maxDirectory}
	z, err := zip.NewReader(listing, size)
	if err != nil {
		return 0, fault.New(CodeDamaged, "the artifact cannot be read as a zip: %v", err)
	}
	listing.left = -1
	folders, files, err := entries(z, min(l.Bytes, size*maxRatio+1<<20), l.Entries)
	if err != nil {
		return 0, err
	}
	for _, name := range folders {
		if err := archive.Folder(root, name); err != nil {
			return 0, err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	workers := max(2, runtime.GOMAXPROCS(0))
	for w := range workers {
		group.Go(func() error {
			for i := w; i < len(files); i += workers {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err := unpack(root, files[i]); err != nil {
					return fmt.Errorf("unpack %s: %w", files[i].Name, err)
				}
			}
			return nil
		})
	}
	return len(files), group.Wait()
}

// budget bounds how much is read while left is not negative.
type budget struct {
	from io.ReaderAt
	left int64
}

func (b *budget) ReadAt(p []byte, at int64) (int, error) {
	if b.left >= 0 {
		if b.left -= int64(len(p)); b.left < 0 {
			return 0, errors.New("its list of files is too long")
		}
	}
	return b.from.ReadAt(p, at)
}

// entries checks what is in the zip before anything is written. Of entries of one name the last counts.
func entries(z *zip.Reader, bytes int64, count int) (folders []string, files []*zip.File, err error) {
	if len(z.File) > count {
		return nil, nil, fault.New(CodeTooBig, "the artifact has %d entries; %d are allowed", len(z.File), count)
	}
	at := map[string]int{}
	left := uint64(bytes)
	for _, f := range z.File {
		name, err := archive.Safe(strings.TrimPrefix(f.Name, "/"))
		if err != nil || strings.HasPrefix(f.Name, "//") {
			return nil, nil, fault.New(CodeUnsafe, "the artifact's entry %q would be written outside its folder", f.Name)
		}
		mode := f.Mode()
		switch {
		case mode.IsDir():
			folders = append(folders, name)
			continue
		case !mode.IsRegular():
			return nil, nil, fault.New(CodeUnsafe, "the artifact's entry %q is neither a file nor a folder", f.Name)
		case name == ".":
			return nil, nil, fault.New(CodeUnsafe, "the artifact's entry %q would replace its folder", f.Name)
		case f.UncompressedSize64 > left:
			return nil, nil, fault.New(CodeTooBig, "the artifact unpacks to more than %d bytes", bytes)
		}
		left -= f.UncompressedSize64
		f.Name = name
		if i, again := at[name]; again {
			files[i] = f
			continue
		}
		at[name] = len(files)
		files = append(files, f)
	}
	return folders, files, nil
}

func unpack(root *os.Root, f *zip.File) (err error) {
	in, err := f.Open()
	if err != nil {
		return damaged(err)
	}
	defer in.Close()
	out, err := archive.Create(root, f.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	n, err := io.Copy(out, io.LimitReader(in, int64(f.UncompressedSize64)+1))
	switch {
	case err != nil && (errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)):
		return err
	case err != nil:
		return damaged(err)
	case n > int64(f.UncompressedSize64):
		return fault.New(CodeTooBig, "it unpacks to more than the %d bytes it tells of", f.UncompressedSize64)
	}
	if at := f.Modified; at.After(time.Unix(0, 0)) {
		tv := unix.NsecToTimeval(at.UnixNano())
		if err := unix.Futimes(int(out.Fd()), []unix.Timeval{tv, tv}); err != nil {
			return err
		}
	}
	return out.Chmod(0o644)
}

func damaged(err error) error { return fault.New(CodeDamaged, "the artifact is damaged: %v", err) }
