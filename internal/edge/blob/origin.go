package blob

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// origins remembers, per workspace, which stored file each restored one is a copy of, so that a file which a job leaves
// alone is not kept twice.
type origins struct {
	mu     sync.Mutex
	spaces map[string]map[string]origin // by workspace and path
}

// origin is a restored file. Its change time cannot be set by anyone, so a file with the same number and change time is
// the same file with the same content, unless it was written within the clock's grain.
type origin struct {
	store  string // the stored file
	inode  uint64 // of the copy
	size   int64
	change int64 // change time of the copy, in nanoseconds
	fresh  bool  // changed so shortly before it was looked at that another change may not show
}

// grain is more than the steps in which file systems count change times.
const grain = int64(20 * time.Millisecond)

// of are the files restored into a workspace.
func (o *origins) of(space string) map[string]origin {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.spaces[space]
}

// add remembers restored files, and forgets workspaces that are gone.
func (o *origins) add(space string, found map[string]origin) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for s := range o.spaces {
		if _, err := os.Lstat(s); err != nil {
			delete(o.spaces, s)
		}
	}
	if o.spaces == nil {
		o.spaces = map[string]map[string]origin{}
	}
	// A new map each time: others may be reading the old one.
	all := make(map[string]origin, len(o.spaces[space])+len(found))
	for _, m := range []map[string]origin{o.spaces[space], found} {
		for p, at := range m {
			all[p] = at
		}
	}
	o.spaces[space] = all
}

// same reports whether the file of a workspace is still what was restored.
func (o origin) same(st *unix.Stat_t, dir int, base string) bool {
	if st.Ino != o.inode || st.Size != o.size || changeTime(st) != o.change {
		return false
	}
	var kept unix.Stat_t
	if unix.Lstat(o.store, &kept) != nil || kept.Size != st.Size || kept.Mode&0o777 != st.Mode&0o777 {
		return false
	}
	return !o.fresh || sameContent(dir, base, o.store)
}

// link puts the stored file at its new place too.
func (o origin) link(dst int, base string) bool {
	return unix.Linkat(unix.AT_FDCWD, o.store, dst, base, 0) == nil
}

func sameContent(dir int, base, other string) bool {
	fd, err := unix.Openat(dir, base, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	a := os.NewFile(uintptr(fd), base)
	defer a.Close()
	b, err := os.Open(filepath.Clean(other))
	if err != nil {
		return false
	}
	defer b.Close()
	x, y := make([]byte, chunk), make([]byte, chunk)
	for {
		n, _ := a.Read(x)
		m := 0
		for m < n {
			k, err := b.Read(y[m:n])
			if k == 0 || err != nil {
				return false
			}
			m += k
		}
		if n == 0 {
			return true
		}
		if !bytes.Equal(x[:n], y[:n]) {
			return false
		}
	}
}
