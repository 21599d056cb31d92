package shell

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	keptMark = ".kept" // in a folder that stays for a look inside
	lockName = ".lock"
)

func isKept(folder string) bool {
	_, err := os.Lstat(filepath.Join(folder, keptMark))
	return err == nil
}

// tryLock takes the lock of a folder; nil when another process has it. The lock ends with the process that holds it.
func tryLock(dir string) (*os.File, error) {
	name := filepath.Join(dir, lockName)
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			_ = f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, nil
			}
			return nil, err
		}
		// The former holder may have removed the file between our open and our lock.
		now, err := os.Lstat(name)
		held, err2 := f.Stat()
		if err == nil && err2 == nil && os.SameFile(now, held) {
			return f, nil
		}
		_ = f.Close()
	}
}

// sweepFolder removes the jobs' folders that a run which ended without cleaning up has left in dir, which is locked.
func sweepFolder(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return unwritable(err)
	}
	var errs []error
	for _, d := range list {
		folder := filepath.Join(dir, d.Name())
		if d.IsDir() && !isKept(folder) {
			errs = append(errs, removeAll(folder))
		}
	}
	return errors.Join(errs...)
}

// removeAll removes a folder also where it holds folders that may not be written (as the module cache of Go).
func removeAll(folder string) error {
	err := os.RemoveAll(folder)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o700) // before it is read: WalkDir reads a folder after this call
		}
		return nil
	})
	return os.RemoveAll(folder)
}

// Sweep removes what crashed runs have left: processes of jobs whose run is gone, and the jobs' folders below dirs that
// no living process has claimed. Kept workspaces stay, and so do processes that a deployment job meant to stay.
func Sweep(ctx context.Context, dirs ...string) error {
	errs := []error{sweepProcesses(ctx)}
	for _, base := range dirs {
		for _, dir := range siblings(base) {
			lock, err := tryLock(dir)
			if err != nil || lock == nil {
				errs = append(errs, err)
				continue
			}
			errs = append(errs, sweepFolder(dir), os.Remove(lock.Name()), lock.Close())
			_ = os.Remove(dir)
		}
	}
	return errors.Join(errs...)
}

// siblings are a folder and those that other runs took beside it.
func siblings(base string) []string {
	var out []string
	list, _ := os.ReadDir(filepath.Dir(base))
	name := filepath.Base(base)
	for _, d := range list {
		rest, ok := strings.CutPrefix(d.Name(), name)
		if ok && d.IsDir() && (rest == "" || rest[0] == '-' && strings.Trim(rest[1:], "0123456789") == "") {
			out = append(out, filepath.Join(filepath.Dir(base), d.Name()))
		}
	}
	return out
}
