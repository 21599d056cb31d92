package blob

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// clone shares a file's blocks with a new one, to be copied on write; most file systems cannot.
func clone(dst, src int) error { return unix.IoctlFileClone(dst, src) }

// setTimes gives a file the times of another, to the nanosecond.
func setTimes(dir int, base string, st *unix.Stat_t) error {
	return unix.UtimesNanoAt(dir, base, []unix.Timespec{st.Mtim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
}

// changeTime is when a file's content, mode, times or links last changed.
func changeTime(st *unix.Stat_t) int64 { return st.Ctim.Nano() }

// writing reports whether somebody has the file open to write, such as a server that a deployment left running: the
// kernel refuses a read lease then. In doubt nobody has.
func writing(dir int, base string) bool {
	fd, err := unix.Openat(dir, base, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK)
	if err == nil {
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
	}
	return errors.Is(err, unix.EAGAIN)
}

// exchange puts fresh in the place of dir, at once; what was there is in fresh then.
func exchange(fresh, dir string) error {
	err := unix.Renameat2(unix.AT_FDCWD, fresh, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.Rename(fresh, dir)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		return replace(fresh, dir)
	}
	return err
}
