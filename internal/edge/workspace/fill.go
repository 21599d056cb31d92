package workspace

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"golang.org/x/sys/unix"
)

// Fill makes dest, which must not exist or be empty, a workspace of its own with the snapshot's files and a git repository
// at the snapshot's commit, HEAD detached as GitLab's runner leaves it. A submodule that the checkout does not want is an
// empty folder.
//
// What a job's git does stays in the workspace: its repository only reads the user's object store (an alternate), and
// has its own references, index, configuration and no hooks.
func (s *Snapshot) Fill(ctx context.Context, dest string, checkout program.Checkout) error {
	if err := os.Mkdir(dest, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return unwritable(dest, err)
	}
	switch checkout.Strategy {
	case "none", "empty":
		return nil
	case "", "clone", "fetch":
	default:
		return fmt.Errorf("%q is no way to fill a workspace", checkout.Strategy)
	}
	pick, err := s.choose(checkout)
	if err != nil {
		return err
	}
	for _, d := range s.folders {
		if !pick.repos[d.home] {
			continue
		}
		if err := os.Mkdir(dest+"/"+d.path, 0o777); err != nil {
			return unwritable(d.path, err)
		}
	}
	stats := make([][10]uint32, len(s.files))
	err = parallel(ctx, len(s.files), func(i int) error {
		if !pick.repos[s.files[i].home] {
			return nil
		}
		return s.fillFile(ctx, dest, i, &stats[i])
	})
	if err != nil {
		return err
	}
	// Links come last, so that no file is ever written through one.
	for i := range s.files {
		if f := &s.files[i]; f.mode == modeLink && pick.repos[f.home] {
			if err := s.fillLink(dest, f); err != nil {
				return err
			}
		}
	}
	if s.perm.Load() == 0 {
		var st unix.Stat_t
		if unix.Lstat(dest, &st) == nil {
			s.perm.Store(uint32(st.Mode) & 0o777)
		}
	}
	for i, r := range s.repos {
		if !pick.repos[i] {
			continue
		}
		if err := r.fill(dest, pick.config(r), stats); err != nil {
			return unwritable(r.prefix+".git", err)
		}
	}
	return nil
}

// fillFile writes one file and, where the index vouches for it, notes the stat that the workspace's index will have.
func (s *Snapshot) fillFile(ctx context.Context, dest string, i int, stat *[10]uint32) error {
	f := &s.files[i]
	if f.mode == modeLink {
		return nil
	}
	path := dest + "/" + f.path
	out := -1
	err := retry(func() (err error) {
		out, err = unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, f.mode)
		return err
	})
	if err != nil {
		return unwritable(f.path, err)
	}
	err = s.content(ctx, f, out)
	if err == nil {
		times := []unix.Timespec{unix.NsecToTimespec(f.mtime), unix.NsecToTimespec(f.mtime)}
		err = unix.UtimesNanoAt(unix.AT_FDCWD, path, times, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err == nil && f.clean {
		var st unix.Stat_t
		if err = unix.Fstat(out, &st); err == nil {
			*stat = indexStat(&st)
		}
	}
	if e := unix.Close(out); err == nil {
		err = e
	}
	if _, told := errors.AsType[*fault.Fault](err); err != nil && !told && ctx.Err() == nil {
		return unwritable(f.path, err)
	}
	return err
}

// content writes a file's content from where it is kept.
func (s *Snapshot) content(ctx context.Context, f *file, out int) error {
	if f.inText {
		return writeAll(out, f.text)
	}
	path := s.Top + "/" + f.path
	if f.copied {
		path = s.copyName(f.number)
	}
	in := -1
	err := retry(func() (err error) {
		in, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		return err
	})
	if err == nil {
		defer unix.Close(in)
	}
	if f.copied {
		if err != nil {
			return fmt.Errorf("the snapshot's copy is gone: %w", err)
		}
		return s.copy(ctx, in, out, f.seen.size)
	}
	if err == nil && f.unchanged(in) {
		if err := s.copy(ctx, in, out, f.seen.size); err != nil {
			return err
		}
		if f.unchanged(in) {
			return nil
		}
	}
	return s.fromObjects(ctx, f, out)
}

// unchanged says whether an open file is still the one that the snapshot saw.
func (f *file) unchanged(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && stampFrom(&st) == f.seen
}

// fromObjects writes the content that git keeps, for a file that was changed or removed after the snapshot.
func (s *Snapshot) fromObjects(ctx context.Context, f *file, out int) error {
	r := s.repos[f.repo]
	b, err := git.Run(ctx, r.top, "cat-file", "blob", hex.EncodeToString(f.oid))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil || int64(len(b)) != f.seen.size {
		return fault.New(CodeChanged, "%s changed while the run was going, and its first state is not to be had", f.path).
			WithHint("run again; git keeps another form of this file (line ends, LFS or a filter), so it cannot stand in")
	}
	if err := unix.Ftruncate(out, 0); err != nil {
		return err
	}
	if _, err := unix.Seek(out, 0, 0); err != nil {
		return err
	}
	return writeAll(out, b)
}

func (s *Snapshot) fillLink(dest string, f *file) error {
	path := dest + "/" + f.path
	if err := os.Symlink(string(f.text), path); err != nil {
		return unwritable(f.path, err)
	}
	return nil
}

// indexStat is a file's stat as git's index keeps it.
func indexStat(st *unix.Stat_t) [10]uint32 {
	c, m := unix.TimespecToNsec(ctimeOf(st)), unix.TimespecToNsec(mtimeOf(st))
	return [10]uint32{
		uint32(c / 1e9), uint32(c % 1e9), uint32(m / 1e9), uint32(m % 1e9),
		uint32(st.Dev), uint32(st.Ino), 0, st.Uid, st.Gid, uint32(st.Size),
	}
}

// fill writes a workspace's .git. As few files as git needs: each costs a system call or three for every job.
func (r *repo) fill(dest string, config []byte, stats [][10]uint32) error {
	dot := dest + "/" + r.prefix + ".git/"
	for _, d := range append([]string{""}, r.dirs()...) {
		if err := os.Mkdir(dot+d, 0o777); err != nil {
			return err
		}
	}
	for _, f := range r.files(config, stats) {
		if err := writeFile(dot+f.name, f.data); err != nil {
			return err
		}
	}
	return nil
}

// dirs are the folders of a workspace's .git.
func (r *repo) dirs() []string {
	if len(r.exclude) > 0 {
		return []string{"objects", "objects/info", "refs", "info"}
	}
	return []string{"objects", "objects/info", "refs"}
}

// gitFile is one file of a workspace's .git.
type gitFile struct {
	name string
	data []byte
}

// files are the files of a workspace's .git, for work tree files with these stats.
func (r *repo) files(config []byte, stats [][10]uint32) []gitFile {
	head := r.refs.head
	if head == "" {
		head = "ref: refs/heads/" + r.refs.branch
	}
	index := r.index.fill(func(i int) ([10]uint32, bool) {
		n := r.indexFiles[i]
		if n < 0 || stats[n] == ([10]uint32{}) {
			return [10]uint32{}, false
		}
		return stats[n], true
	})
	files := []gitFile{
		{"HEAD", []byte(head + "\n")},
		{"config", config},
		{"objects/info/alternates", []byte(alternate(r.objects) + "\n")},
		{"packed-refs", r.packed},
		{"index", index},
	}
	if len(r.shallow) > 0 {
		files = append(files, gitFile{"shallow", r.shallow})
	}
	if len(r.exclude) > 0 {
		files = append(files, gitFile{"info/exclude", r.exclude})
	}
	return files
}

func writeFile(path string, data []byte) error {
	fd := -1
	err := retry(func() (err error) {
		fd, err = unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o666)
		return err
	})
	if err != nil {
		return err
	}
	return errors.Join(writeAll(fd, data), unix.Close(fd))
}

// alternate is a path as git reads it in objects/info/alternates: in quotes where its first byte or a line end would mislead.
func alternate(path string) string {
	if filepath.IsAbs(path) && !strings.ContainsAny(path, "\n\r") {
		return path
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(path) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
