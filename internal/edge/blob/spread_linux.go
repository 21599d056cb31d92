package blob

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// spread makes folders in different places of a disk. ext4 puts what is made in a folder near it, and there it must pass
// over every inode that was freed in the last minutes: making files beside those that were just removed, as a workspace
// after another has them, takes milliseconds each instead of microseconds. A folder that is made in one marked as the top
// of a hierarchy (chattr +T) is put into an empty part of the disk instead, picked by its name.
type spread struct {
	once sync.Once
	dir  string // marked; "" where the file system knows no such mark
}

// topDir is EXT4_TOPDIR_FL of linux/fs/ext4.
const topDir = 0x00020000

// in marks a folder, which is made, for this use.
func (s *spread) in(dir string) {
	s.once.Do(func() {
		if os.MkdirAll(dir, 0o755) != nil {
			return
		}
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err != nil {
			return
		}
		defer unix.Close(fd)
		flags, err := unix.IoctlGetInt(fd, unix.FS_IOC_GETFLAGS)
		if err == nil && flags&topDir == 0 {
			err = unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flags|topDir)
		}
		if err == nil {
			s.dir = dir
		}
	})
}

// folder makes a folder far from others where it can; nothing that is there already is touched.
func (s *spread) folder(path string) {
	if s.dir == "" {
		return
	}
	fresh := filepath.Join(s.dir, rand.Text())
	if os.Mkdir(fresh, 0o777) != nil {
		return
	}
	if unix.Renameat2(unix.AT_FDCWD, fresh, unix.AT_FDCWD, path, unix.RENAME_NOREPLACE) != nil {
		_ = os.Remove(fresh)
	}
}
