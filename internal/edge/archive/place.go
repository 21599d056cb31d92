package archive

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// create makes a new file below root in place of whatever has its name. Missing folders are made.
func create(root *os.Root, name string) (*os.File, error) {
	var file *os.File
	err := place(root, name, func() (err error) {
		file, err = root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	return file, err
}

// Create makes a new file below root, for its owner alone, in place of whatever has its name; a link there is replaced,
// not followed. Missing folders are made.
func Create(root *os.Root, name string) (*os.File, error) { return create(root, name) }

// Safe is an archive entry's name made clean; one that leaves its folder is a fault with CodeUnsafe.
func Safe(name string) (string, error) { return safe(name) }

// Link makes a symbolic link below root in place of whatever has its name. Where it points is the link's business:
// os.Root never follows it outside.
func Link(root *os.Root, target, name string) error {
	return place(root, name, func() error { return root.Symlink(target, name) })
}

// Folder makes a folder below root and those above it. What is there already stays if it is a folder, or a link that
// leads to one inside; anything else is replaced.
func Folder(root *os.Root, name string) error {
	err := root.MkdirAll(name, 0o777)
	if err == nil || !errors.Is(err, fs.ErrExist) && !errors.Is(err, unix.ENOTDIR) {
		return unsafeOr(name, err)
	}
	for at := range prefixes(name) {
		err := root.Mkdir(at, 0o777)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			if err != nil {
				return unsafeOr(name, err)
			}
			continue
		}
		info, err := root.Stat(at)
		if err == nil && info.IsDir() {
			continue
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unsafeOr(name, err)
		}
		if err := errors.Join(root.Remove(at), root.Mkdir(at, 0o777)); err != nil {
			return unsafeOr(name, err)
		}
	}
	return nil
}

// prefixes are the folders on the way to name, and name.
func prefixes(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := range len(name) {
			if name[i] == '/' && !yield(name[:i]) {
				return
			}
		}
		yield(name)
	}
}

// place makes something new, and makes room for it where that does not go at once.
func place(root *os.Root, name string, make func() error) error {
	err := make()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		if err := Folder(root, path.Dir(name)); err != nil {
			return err
		}
		err = make()
	}
	if errors.Is(err, fs.ErrExist) {
		if err := root.RemoveAll(name); err != nil {
			return unsafeOr(name, err)
		}
		err = make()
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
