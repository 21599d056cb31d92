package workspace

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"golang.org/x/sys/unix"
)

// Modes of a file that is left out after all: gone without a word, or with the reason in its text.
const (
	gone    = ^uint32(0)
	skipped = ^uint32(1)
)

// stamp is what tells one state of a file from the next.
type stamp struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64
	index        *indexEntry // only while taking: the index's own stat to compare with
	written      int64       // when the index was
}

func stampOf(e *indexEntry, written int64) stamp { return stamp{index: e, written: written} }

func stampFrom(st *unix.Stat_t) stamp {
	return stamp{
		dev: uint64(st.Dev), ino: st.Ino, size: st.Size, //nolint:unconvert // dev is 32 bits on some systems
		mtime: unix.TimespecToNsec(mtimeOf(st)), ctime: unix.TimespecToNsec(ctimeOf(st)),
	}
}

// vouched says whether the index knows exactly this state of the file, and was written after it: then the content is
// the index's object.
func (s stamp) vouched(st *unix.Stat_t) bool {
	if s.index == nil {
		return false
	}
	now := stampFrom(st)
	x := &s.index.stat
	executable := st.Mode&0o100 != 0
	return now.mtime < s.written &&
		x[0] == uint32(now.ctime/1e9) && (x[1] == 0 || x[1] == uint32(now.ctime%1e9)) &&
		x[2] == uint32(now.mtime/1e9) && (x[3] == 0 || x[3] == uint32(now.mtime%1e9)) &&
		x[5] == uint32(now.ino) && x[9] == uint32(now.size) &&
		(x[6] == 0o100644 && !executable || x[6] == 0o100755 && executable)
}

// parallel calls do for 0..n-1 on as many goroutines as there are processors, few calls on the caller's own. It stops
// at the first error.
func parallel(ctx context.Context, n int, do func(i int) error) error {
	if n < 64 {
		for i := range n {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := do(i); err != nil {
				return err
			}
		}
		return nil
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				from := int(next.Add(32)) - 32
				if from >= n {
					return
				}
				err := context.Cause(ctx)
				for i := from; i < min(from+32, n) && err == nil; i++ {
					err = do(i)
				}
				if err != nil {
					once.Do(func() { first = err })
					next.Store(int64(n))
					return
				}
			}
		})
	}
	wg.Wait()
	return first
}

// capture looks at every file and decides where its content comes from later.
func (s *Snapshot) capture(ctx context.Context, fresh int64) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return parallel(ctx, len(s.files), func(i int) error { return s.captureFile(ctx, i, fresh) })
}

func (s *Snapshot) captureFile(ctx context.Context, i int, fresh int64) error {
	f := &s.files[i]
	path := filepath.Join(s.Top, f.path)
	var st unix.Stat_t
	if err := retry(func() error { return unix.Lstat(path, &st) }); err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
			f.mode = gone
			return nil
		}
		return fault.New(CodeUnreadable, "%s cannot be read: %v", f.path, err)
	}
	index := f.seen
	f.seen, f.mtime = stampFrom(&st), unix.TimespecToNsec(mtimeOf(&st))
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		return f.captureLink(path)
	case unix.S_IFREG:
		f.mode = uint32(st.Mode) & 0o777
	case unix.S_IFDIR: // a tracked file that has become a folder: its files are listed apart
		f.mode = gone
		return nil
	default:
		f.skip("it is no regular file")
		return nil
	}
	f.clean = index.vouched(&st)
	if !f.clean {
		f.oid = nil
	}
	inMemory := st.Size <= small && s.budget.Add(-st.Size) >= 0
	if !inMemory && st.Size <= small {
		s.budget.Add(st.Size)
	}
	switch {
	case inMemory:
		return f.load(path)
	case f.clean && f.seen.ctime < fresh:
		return nil
	}
	return s.keep(ctx, i, f, path)
}

func (f *file) skip(why string) { f.mode, f.text = skipped, []byte(why) }

func (f *file) captureLink(path string) error {
	target, err := os.Readlink(path)
	if errors.Is(err, fs.ErrNotExist) {
		f.mode = gone
		return nil
	}
	if err != nil {
		return fault.New(CodeUnreadable, "%s cannot be read: %v", f.path, cause(err))
	}
	f.mode, f.text, f.inText = modeLink, []byte(target), true
	return nil
}

// load reads a small file into memory.
func (f *file) load(path string) error {
	in, err := f.open(path)
	if in == nil {
		return err
	}
	defer in.Close()
	b := make([]byte, f.seen.size+1)
	n, err := io.ReadFull(in, b)
	for err == nil { // it has grown since the lstat
		var more [4096]byte
		var m int
		m, err = in.Read(more[:])
		b, n = append(b[:n], more[:m]...), n+m
	}
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		return fault.New(CodeUnreadable, "%s cannot be read: %v", f.path, cause(err))
	}
	f.text, f.inText, f.oid = b[:n:n], true, nil
	return f.recheck(in)
}

// recheck takes the index's word back if the file was written while it was read.
func (f *file) recheck(in *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(in.Fd()), &st); err != nil {
		return err
	}
	f.clean = f.clean && stampFrom(&st) == f.seen
	return nil
}

// open opens a file to take. Where it has gone or may not be read the file is marked so and nil returned: what git
// tracks must be readable, the rest is left out with a note.
func (f *file) open(path string) (*os.File, error) {
	in, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch {
	case err == nil:
		return in, nil
	case errors.Is(err, fs.ErrNotExist):
		f.mode = gone
		return nil, nil
	case errors.Is(err, fs.ErrPermission) && f.repo < 0:
		f.skip("this user may not read it")
		return nil, nil
	}
	return nil, fault.New(CodeUnreadable, "%s cannot be read: %v", f.path, cause(err)).
		WithHint("give yourself read permission on it")
}

// keep copies a file into the store.
func (s *Snapshot) keep(ctx context.Context, i int, f *file, path string) error {
	in, err := f.open(path)
	if in == nil {
		return err
	}
	defer in.Close()
	copied := s.copyName(int32(i))
	s.stored.Store(true)
	if err := os.MkdirAll(filepath.Dir(copied), 0o700); err != nil {
		return unwritable(s.store, err)
	}
	out, err := os.OpenFile(copied, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return unwritable(s.store, err)
	}
	err = errors.Join(s.copy(ctx, int(in.Fd()), int(out.Fd()), f.seen.size), out.Close())
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return unwritable(f.path, err)
	}
	f.copied, f.number, f.oid = true, int32(i), nil
	return f.recheck(in)
}

// copyName is where the store has the copy of file i: folders of a thousand.
func (s *Snapshot) copyName(i int32) string {
	return filepath.Join(s.store, strconv.Itoa(int(i/1000)), strconv.Itoa(int(i%1000)))
}

func unwritable(path string, err error) error {
	return fault.New(CodeUnwritable, "%s cannot be written: %v", path, cause(err)).
		WithHint("`sluice clean` frees what earlier runs kept")
}
