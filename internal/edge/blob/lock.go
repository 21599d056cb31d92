package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// How a set is locked.
const (
	shared    = unix.LOCK_SH
	exclusive = unix.LOCK_EX
)

// lock takes a lock on the set of files that dir holds, against other processes too. The lock's file stays.
func lock(ctx context.Context, dir string, how int) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, fmt.Errorf("make the store's folder: %w", err)
	}
	name := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".lock")
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", filepath.Base(dir), err)
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { file.Close() }, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return nil, errors.Join(fmt.Errorf("lock %s: %w", filepath.Base(dir), err), file.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), file.Close())
		case <-time.After(wait):
		}
	}
}

// replace puts fresh in the place of dir in three steps; what was there is in fresh then.
func replace(fresh, dir string) error {
	aside := fresh + ".old"
	err := os.Rename(dir, aside)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Rename(fresh, dir)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return errors.Join(err, os.Rename(aside, dir))
	}
	return os.Rename(aside, fresh)
}
