package workspace

import (
	"context"

	"golang.org/x/sys/unix"
)

func mtimeOf(st *unix.Stat_t) unix.Timespec { return st.Mtim }
func ctimeOf(st *unix.Stat_t) unix.Timespec { return st.Ctim }

// clone shares the blocks of a file (btrfs, XFS, bcachefs).
func clone(in, out int) error { return retry(func() error { return unix.IoctlFileClone(out, in) }) }

// atOnce is how much the kernel copies before we look whether we shall go on.
const atOnce = 32 << 20

// kernelCopy copies in the kernel; done is false where it cannot, and nothing was copied.
func kernelCopy(ctx context.Context, in, out int) (done bool, err error) {
	for first := true; ; first = false {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		var n int
		err := retry(func() (err error) { n, err = unix.CopyFileRange(in, nil, out, nil, atOnce, 0); return err })
		switch {
		case err != nil && first && err != unix.ENOSPC && err != unix.EDQUOT && err != unix.EIO:
			return false, nil
		case err != nil:
			return false, err
		case n == 0:
			return !first, nil // some filesystems say 0 of files that are not empty
		}
	}
}
