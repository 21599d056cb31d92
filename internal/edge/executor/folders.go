package executor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"golang.org/x/sys/unix"
)

const (
	keptMark = ".kept" // in a folder that stays for a look inside
	lockName = ".lock"
)

// Folders are the jobs' folders of one process: Dir/<key>/<project> is a workspace, <project>.tmp beside it the job's
// private folder. Two processes may be given the same Dir: the second takes a folder beside it. Safe for several
// goroutines.
type Folders struct {
	base   string
	source Source

	mu    sync.Mutex
	dir   string // claimed for this process, "" before the first Claim
	lock  *os.File
	idle  []idle          // folders of ended jobs whose workspaces are as new
	put   int             // folders ever put by
	taken map[string]bool // keys in use or kept
}

// idle is a folder put by, the name of the workspace in it, and what that holds.
type idle struct {
	path, name string
	checkout   program.Checkout
	spare      []string
}

// Folder is one job's. Path holds the workspace and the private folder.
type Folder struct {
	Path, Workspace, Private string

	of       *Folders
	checkout program.Checkout
	spare    []string    // program.Order
	perm     os.FileMode // of the workspace as it was made, where it is an empty one
}

// NewFolders makes Folders; nothing is touched until the first Claim.
func NewFolders(dir string, source Source) *Folders {
	return &Folders{base: dir, source: source, taken: map[string]bool{}}
}

// Claim makes a job's folder and fills its workspace, or hands on one that is still as new. out hears what the workspace
// should have and has not.
func (x *Folders) Claim(ctx context.Context, o program.Order, out program.Output) (*Folder, error) {
	name := path.Base("/" + o.Project)
	if name == "/" || name == "." || name == ".." {
		name = "project"
	}
	folder, used, err := x.claim(o, name)
	if err != nil {
		return nil, err
	}
	f := &Folder{Path: folder, Workspace: filepath.Join(folder, name), Private: filepath.Join(folder, name+".tmp"), of: x, checkout: o.Checkout, spare: o.Spare}
	if !used {
		err = f.make(ctx)
	}
	if err == nil && o.Checkout.Empty() {
		f.perm = modeOf(f.Workspace)
	}
	for _, r := range x.source.Remarks(o.Checkout) {
		if err == nil {
			err = out.Write(program.System, []byte("warning: "+r))
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Release(false, false))
	}
	return f, nil
}

// make makes the folders and fills the workspace.
func (f *Folder) make(ctx context.Context) error {
	err := os.Mkdir(f.Path, 0o700)
	if err == nil {
		err = os.Mkdir(f.Private, 0o700)
	}
	if err != nil {
		return Unwritable(err)
	}
	return f.of.source.Fill(ctx, f.Workspace, f.checkout)
}

// claim picks the folder for an order and says whether it holds a workspace that is ready.
func (x *Folders) claim(o program.Order, name string) (folder string, used bool, err error) {
	if !filepath.IsLocal(o.Key) || o.Key != filepath.Base(o.Key) || o.Key[0] == '.' {
		return "", false, fault.New(CodeWorkspace, "%q is no name for a job's folder", o.Key)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.claimDir(); err != nil {
		return "", false, err
	}
	key := o.Key
	for n := 2; x.taken[key] || isKept(filepath.Join(x.dir, key)); n++ {
		key = o.Key + "-" + strconv.Itoa(n)
	}
	folder = filepath.Join(x.dir, key)
	for i := len(x.idle) - 1; i >= 0 && !used; i-- {
		if have := x.idle[i]; have.name == name && have.checkout == o.Checkout && slices.Equal(have.spare, o.Spare) {
			used = os.Rename(x.idle[i].path, folder) == nil
			x.idle = slices.Delete(x.idle, i, i+1)
		}
	}
	x.taken[key] = true
	return folder, used, nil
}

// claimDir claims the folder for this process by a lock that ends with it; where another run has it, the next free name.
// What a run that crashed has left there is removed.
func (x *Folders) claimDir() error {
	if x.dir != "" {
		return nil
	}
	base, err := filepath.Abs(x.base)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		dir := base
		if n > 1 {
			dir = fmt.Sprintf("%s-%d", base, n)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return Unwritable(err)
		}
		lock, err := tryLock(dir)
		if err != nil {
			return Unwritable(err)
		}
		if lock == nil {
			continue
		}
		x.dir, x.lock = dir, lock
		return sweepFolder(dir)
	}
}

// Release gives a folder back: kept for a look inside, put by for the next job if it may be and is as new, or removed.
func (f *Folder) Release(keep, reuse bool) error {
	x, key := f.of, filepath.Base(f.Path)
	if keep {
		return os.WriteFile(filepath.Join(f.Path, keptMark), nil, 0o600) // the key stays taken
	}
	defer func() {
		x.mu.Lock()
		delete(x.taken, key)
		x.mu.Unlock()
	}()
	if reuse && f.renew() && x.putBy(f) {
		return nil
	}
	return removeAll(f.Path)
}

func (x *Folders) putBy(f *Folder) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.put++
	path := filepath.Join(x.dir, ".idle-"+strconv.Itoa(x.put))
	if os.Rename(f.Path, path) != nil {
		return false
	}
	x.idle = append(x.idle, idle{path, filepath.Base(f.Workspace), f.checkout, f.spare})
	return true
}

// Close removes folders put by, the lock, and the folder itself where that is empty.
func (x *Folders) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dir == "" {
		return nil
	}
	var errs []error
	for _, i := range x.idle {
		errs = append(errs, removeAll(i.path))
	}
	errs = append(errs, os.Remove(x.lock.Name()), x.lock.Close())
	_ = os.Remove(x.dir) // stays while kept workspaces are in it
	x.dir, x.lock, x.idle = "", nil, nil
	return errors.Join(errs...)
}

// Unwritable is the fault of a folder of a job's that cannot be made or written.
func Unwritable(err error) error {
	return fault.New(CodeWorkspace, "the workspace cannot be made: %v", err).
		WithHint("`sluice clean` frees what earlier runs kept")
}

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
		return Unwritable(err)
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

// SweepFolders removes the jobs' folders below dirs that no living process has claimed, the kept ones excepted.
func SweepFolders(dirs ...string) error {
	var errs []error
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
