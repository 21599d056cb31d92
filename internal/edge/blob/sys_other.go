//go:build !linux

package blob

import (
	"golang.org/x/sys/unix"
)

// clone is not known to be possible here.
func clone(_, _ int) error { return unix.ENOTSUP }

// setTimes gives a file the times of another, to the nanosecond.
func setTimes(dir int, base string, st *unix.Stat_t) error {
	return unix.UtimesNanoAt(dir, base, []unix.Timespec{st.Mtim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
}

// changeTime is when a file's content, mode, times or links last changed.
func changeTime(st *unix.Stat_t) int64 { return st.Ctim.Nano() }

// writing cannot be asked here; only a copy is safe then.
func writing(_ int, _ string) bool { return true }

// exchange puts fresh in the place of dir; what was there is in fresh then.
func exchange(fresh, dir string) error { return replace(fresh, dir) }
