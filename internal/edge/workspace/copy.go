package workspace

import (
	"context"
	"errors"
	"io"
	"sync"

	"golang.org/x/sys/unix"
)

// large is the size from which the kernel copies, and blocks are shared where the filesystem can.
const large = 128 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, large); return &b }}

// copy copies the content of one open file into another, new one: shared blocks where the filesystem can, else by the
// kernel, else by hand.
func (s *Snapshot) copy(ctx context.Context, in, out int, size int64) error {
	if size >= large {
		if !s.noClone.Load() {
			if err := clone(in, out); err == nil {
				return nil
			}
			s.noClone.Store(true)
		}
		done, err := kernelCopy(ctx, in, out)
		if done || err != nil {
			return err
		}
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := retryRead(in, *buf)
		if err != nil || n == 0 {
			return err
		}
		if err := writeAll(out, (*buf)[:n]); err != nil {
			return err
		}
		if n < len(*buf) && int64(n) == size { // the usual case, spared the read that says so; stamps tell of more
			return nil
		}
	}
}

func retryRead(fd int, b []byte) (n int, err error) {
	err = retry(func() error { n, err = unix.Read(fd, b); return err })
	return n, err
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		var n int
		err := retry(func() (err error) { n, err = unix.Write(fd, b); return err })
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrShortWrite
		}
		b = b[n:]
	}
	return nil
}

// retry calls again what a signal has interrupted.
func retry(do func() error) error {
	for {
		if err := do(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
