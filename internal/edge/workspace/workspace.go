// Package workspace gives every job a folder of its own with the repository's work tree as it was when the run began:
// tracked files as they are on disk, uncommitted changes and deletions included, and untracked files that are not
// ignored. It never changes the user's checkout or repository, never hard-links a file that a job could write in place,
// and starts no program of the repository's.
//
// One state without a copy of everything: small files are kept in memory, changed and untracked ones are copied when
// the snapshot is taken, and a tracked file that git's index vouches for stays where it is. It is copied from the work
// tree when a job needs it, if size, inode and times are still what they were; else its content comes from git's
// objects, which never change. So a snapshot of a large repository costs one lstat a file, and a run still sees one state.
package workspace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Options shape a snapshot. The zero value is right for most.
type Options struct {
	// Memory bounds the content kept in memory, in bytes: 0 means 8 MiB, less than 0 none.
	Memory int64
	// Exclude names paths below the top that are left out beside .sluice, with slashes.
	Exclude []string
}

// Snapshot is one state of a work tree. Fill may be called by several goroutines at once.
type Snapshot struct {
	// Top is the folder that was taken: the work tree's top, or the folder itself outside of git.
	Top string
	// Sub is where the folder asked for lies below Top, with slashes; "" is Top itself.
	Sub string
	// Head is the commit checked out, "" outside of git and before the first commit.
	Head string
	// Notes are remarks on what was left out.
	Notes []*fault.Fault

	store   string // folder for copies, made when the first is needed
	stored  atomic.Bool
	repos   []*repo
	folders []folder // parents first
	absent  []absent // submodules that the work tree has no files of
	files   []file
	budget  atomic.Int64
	noClone atomic.Bool   // the filesystem has refused to share blocks
	perm    atomic.Uint32 // of folders that Fill makes: tells the umask
}

// repo is one repository of the snapshot: the top one first, then submodules and repositories inside it.
type repo struct {
	places
	prefix     string // of its files below Top: "" or "lib/sub/"
	outer      int32  // the repository that it is in
	level      int    // how many submodules it is deep: those of the top repository are 1
	objects    string // the user's object store
	refs       references
	conf       settings
	oidSize    int
	index      *template
	indexFiles []int32 // for each entry of the index: its file, or -1
	shallow    []byte
	exclude    []byte
	packed     []byte
	config     []byte // of a workspace that has its submodules
	plain      []byte // of one that has not
}

// folder is one folder of the snapshot: its path relative to Top, and the repository whose work tree it is in.
type folder struct {
	path string
	home int32
}

// file is one file or symbolic link of the snapshot. Exactly one source holds its content: text (a link's target, or a
// small file's content), a copy in the store, or the work tree as long as seen is true of it.
type file struct {
	path   string // relative to Top, with slashes
	mode   uint32 // permissions; modeLink for a symbolic link
	mtime  int64  // ns
	clean  bool   // the index vouches for it: a copy has the content of oid
	repo   int32  // whose index holds it, or -1
	home   int32  // the repository whose work tree it is in
	seen   stamp
	text   []byte
	inText bool
	copied bool
	number int32  // of the copy
	oid    []byte // of the content, where the work tree holds it
}

// Take makes the snapshot of the work tree that holds root, or of root itself outside of git. dir is a folder for copies
// (it need not exist yet; Close removes it); it must be outside of the work tree or below its .sluice.
func Take(ctx context.Context, root, dir string, o Options) (*Snapshot, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	s := &Snapshot{Top: root, store: dir}
	switch {
	case o.Memory == 0:
		s.budget.Store(8 << 20)
	case o.Memory > 0:
		s.budget.Store(o.Memory)
	}
	t := newTaker(s, o)
	p, err := locate(root)
	switch {
	case errors.Is(err, errNoRepository):
		err = t.folder(ctx, "")
	case err != nil:
		err = fault.New(CodeRepository, "the repository at %s cannot be read: %v", root, err)
	default:
		s.Top = p.top
		if sub, e := filepath.Rel(p.top, root); e == nil && sub != "." {
			s.Sub = filepath.ToSlash(sub)
		}
		err = t.repository(ctx, p, "", 0, 0)
	}
	if err == nil {
		err = t.finish(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if len(s.repos) > 0 {
		s.Head = s.repos[0].refs.head
	}
	return s, nil
}

// Files is the number of files and links in the snapshot.
func (s *Snapshot) Files() int { return len(s.files) }

// Objects are the object stores that the workspaces' repositories borrow from. A container that shall use git in a
// workspace needs them at the same paths, to read.
func (s *Snapshot) Objects() []string {
	var out []string
	for _, r := range s.repos {
		out = append(out, r.objects)
	}
	return out
}

// Close removes the copies. Workspaces that were filled stay whole.
func (s *Snapshot) Close() error {
	if !s.stored.Load() {
		return nil
	}
	if err := os.RemoveAll(s.store); err != nil {
		return fmt.Errorf("remove the snapshot: %w", err)
	}
	return nil
}
