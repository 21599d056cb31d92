package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// stateDir is where a repository's runs, caches and numbers are kept.
func stateDir(root string) string { return filepath.Join(root, ".sluice") }

// openState makes the state folder; git never sees it.
func openState(root string) (string, error) {
	dir := stateDir(root)
	if err := sound(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fault.New(codeState, "%v", err).WithHint("is the repository's folder writable?")
	}
	file, err := os.OpenFile(filepath.Join(dir, ".gitignore"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return dir, nil
	}
	if err == nil {
		_, err = file.WriteString("*\n")
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return "", fault.New(codeState, "%v", err).WithHint("is the disk full?")
	}
	return dir, nil
}

// sound refuses a state folder that is not what we would have made. A repository may bring one along: through its
// links we would write, and clean, somewhere else.
func sound(dir string) error {
	if err := expect(dir, fs.ModeDir); err != nil {
		return err
	}
	for _, sub := range []string{"runs", "cache", "work", "groups"} {
		if err := expect(filepath.Join(dir, sub), fs.ModeDir); err != nil {
			return err
		}
	}
	for _, file := range []string{"number", ".gitignore"} {
		if err := expect(filepath.Join(dir, file), 0); err != nil {
			return err
		}
	}
	return nil
}

// expect is an error when there is something of another kind. A link is never of the kind.
func expect(path string, kind fs.FileMode) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.New(codeState, "%v", err)
	}
	if info.Mode().Type() == kind {
		return nil
	}
	what := "a file"
	if kind == fs.ModeDir {
		what = "a folder"
	}
	return fault.New(codeState, "%s is not %s of ours (%v)", path, what, info.Mode()).
		WithHint("sluice keeps its runs there and follows no links; remove it")
}

// openPlain opens a file to read that must be a regular one: no link is followed and no pipe waited for.
func openPlain(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is not a file", path), err, file.Close())
	}
	return file, nil
}

// readPlain reads at most limit bytes of a regular file.
func readPlain(path string, limit int64) ([]byte, error) {
	file, err := openPlain(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit))
}
