// Package archive is the one place where files become archives and archives become files. Nothing is ever written or
// read outside the folder given: everything goes through os.Root. Devices, pipes, sockets and hard links are refused,
// set-id bits are dropped, and the size and the number of entries are bounded.
package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"

	"github.com/klauspost/compress/zstd"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Pack writes paths of a folder as a zstd-compressed tar, compressing on several cores. Paths are slash-separated,
// below root, and name files, symbolic links and folders (a folder stands for itself alone); a parent comes before what
// is in it. A path of any other kind is an error, as is a file that is replaced or cut while it is read.
func Pack(ctx context.Context, w io.Writer, root *os.Root, paths []string) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)))
	if err != nil {
		return fmt.Errorf("start zstd: %w", err)
	}
	t := tar.NewWriter(z)
	for _, name := range paths {
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), z.Close())
		}
		if err := packOne(t, root, name); err != nil {
			return errors.Join(fmt.Errorf("pack %s: %w", name, err), z.Close())
		}
	}
	return errors.Join(t.Close(), z.Close())
}

func packOne(t *tar.Writer, root *os.Root, name string) error {
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	link := ""
	switch {
	case info.Mode().IsRegular():
		return packFile(t, root, name, info)
	case info.IsDir():
	case info.Mode()&fs.ModeSymlink != 0:
		if link, err = root.Readlink(name); err != nil {
			return err
		}
	default:
		return fault.New(CodeUnsafe, "%s is neither a file, a link nor a folder", name)
	}
	return writeHeader(t, info, name, link)
}

// packFile opens without waiting: what was a file a moment ago may be a pipe by now.
func packFile(t *tar.Writer, root *os.Root, name string, seen fs.FileInfo) error {
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(info, seen) {
		return fault.New(CodeUnsafe, "%s was replaced while it was packed", name)
	}
	if err := writeHeader(t, info, name, ""); err != nil {
		return err
	}
	if _, err = io.CopyN(t, file, info.Size()); errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// writeHeader leaves owners out: a job's files belong to whoever unpacks them.
func writeHeader(t *tar.Writer, info fs.FileInfo, name, link string) error {
	header, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	header.Name, header.Format = name, tar.FormatPAX
	if info.IsDir() {
		header.Name += "/"
	}
	header.Uid, header.Gid, header.Uname, header.Gname = 0, 0, "", ""
	return t.WriteHeader(header)
}
