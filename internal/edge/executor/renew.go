package executor

import (
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// renew makes a folder that a job has used what a new one would be, if that costs less than a new one, and says whether
// it is: the workspace is as the checkout made it, or is emptied where the checkout makes none; the private folder holds
// nothing but its spare files, empty. Making and removing a dozen inodes for each job costs more than the shell that runs
// there (edge/workspace.Refill). In doubt it says no; the folder is to be removed then.
func (f *Folder) renew() bool {
	if list, err := os.ReadDir(f.Path); err != nil || len(list) != 2 || modeOf(f.Private) != os.ModeDir|0o700 {
		return false
	}
	if !clean(f.Private, "", f.spare) {
		return false
	}
	if f.checkout.Empty() {
		return f.perm.IsDir() && modeOf(f.Workspace) == f.perm && clean(f.Workspace, "", nil)
	}
	return f.of.source.Refill(context.Background(), f.Workspace, f.checkout)
}

// modeOf is the mode of a file that is there and ours, else 0.
func modeOf(name string) os.FileMode {
	info, err := os.Lstat(name)
	if err != nil || !ours(info) {
		return 0
	}
	return info.Mode()
}

func ours(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// clean removes everything in the folder dir but the spare files, which it empties, and the folders on the way to them.
// at is the folder's own path among the spare ones, "" at the top.
func clean(dir, at string, spare []string) bool {
	list, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, d := range list {
		full, name := filepath.Join(dir, d.Name()), path.Join(at, d.Name())
		switch {
		case slices.Contains(spare, name) && empty(full):
		case d.IsDir() && leads(spare, name) && modeOf(full) == os.ModeDir|0o700:
			if !clean(full, name, spare) {
				return false
			}
		case removeAll(full) != nil:
			return false
		}
	}
	return true
}

// leads says whether a spare file is below the folder name.
func leads(spare []string, name string) bool {
	return slices.ContainsFunc(spare, func(s string) bool { return strings.HasPrefix(s, name+"/") })
}

// empty empties a file, and says whether it is one that we could have made: no link, and known by no other name.
func empty(name string) bool {
	info, err := os.Lstat(name)
	if err != nil || info.Mode() != 0o600 || !ours(info) {
		return false
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Nlink != 1 {
		return false
	}
	return info.Size() == 0 || os.Truncate(name, 0) == nil
}
