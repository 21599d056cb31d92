package workspace

import (
	"bytes"
	"context"
	"maps"
	"os"
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/program"
	"golang.org/x/sys/unix"
)

// refillable is the number of files up to which looking at a used workspace is worth more than making a new one.
const refillable = 256

// Refill says whether a workspace that Fill made for this checkout, and a job has used since, is still exactly what Fill made, so that the
// next job may have it. It looks at everything: names, kinds, modes, times, links and content. In doubt it says no;
// the workspace is to be removed then. Large snapshots are never looked at.
//
// Most small jobs change nothing. Making and removing a dozen inodes for each of them costs more than the shell that
// runs there; on ext4 without a journal, which will not use an inode again for minutes, very much more.
func (s *Snapshot) Refill(ctx context.Context, dest string, checkout program.Checkout) bool {
	if checkout.Empty() || len(s.files) > refillable || ctx.Err() != nil || s.perm.Load() == 0 {
		return false
	}
	c := check{umask: ^s.perm.Load() & 0o777, want: map[string][]string{"": nil}, dest: dest}
	pick, err := s.choose(checkout)
	if err != nil {
		return false
	}
	for _, d := range s.folders {
		if pick.repos[d.home] {
			c.expect(d.path, true)
		}
	}
	stats := make([][10]uint32, len(s.files))
	for i := range s.files {
		f := &s.files[i]
		if !pick.repos[f.home] {
			continue
		}
		c.expect(f.path, false)
		if !f.inText || !c.same(f, &stats[i]) {
			return false
		}
	}
	for i, r := range s.repos {
		if !pick.repos[i] {
			continue
		}
		c.expect(r.prefix+".git", true)
		for _, d := range r.dirs() {
			c.expect(r.prefix+".git/"+d, true)
		}
		for _, f := range r.files(pick.config(r), stats) {
			name := r.prefix + ".git/" + f.name
			c.expect(name, false)
			if !c.same(&file{path: name, mode: 0o666, text: f.data, mtime: -1}, nil) {
				return false
			}
		}
	}
	return c.folders()
}

// check compares a used workspace with what it was.
type check struct {
	dest  string
	umask uint32
	want  map[string][]string // names in each folder
	buf   []byte
}

func (c *check) expect(path string, folder bool) {
	dir := parent(path)
	name := path
	if dir != "" {
		name = path[len(dir)+1:]
	}
	c.want[dir] = append(c.want[dir], name)
	if folder && c.want[path] == nil {
		c.want[path] = []string{}
	}
}

// same says whether a file is as it was; stat gets what the index would say of it.
func (c *check) same(f *file, stat *[10]uint32) bool {
	path := c.dest + "/" + f.path
	if f.mode == modeLink {
		to, err := os.Readlink(path)
		return err == nil && to == string(f.text)
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1 ||
		uint32(st.Mode)&0o7777 != f.mode&^c.umask || st.Size != int64(len(f.text)) ||
		f.mtime >= 0 && unix.TimespecToNsec(mtimeOf(&st)) != f.mtime {
		return false
	}
	if need := len(f.text) + 1; len(c.buf) < need {
		c.buf = make([]byte, max(need, 4096))
	}
	n, err := unix.Read(fd, c.buf)
	if err != nil || !bytes.Equal(c.buf[:n], f.text) {
		return false
	}
	if f.clean && stat != nil {
		*stat = indexStat(&st)
	}
	return true
}

// folders says whether every folder holds just what it held.
func (c *check) folders() bool {
	for dir, names := range maps.All(c.want) {
		path := c.dest + "/" + dir
		var st unix.Stat_t
		if unix.Lstat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR || uint32(st.Mode)&0o777 != 0o777&^c.umask {
			return false
		}
		list, err := os.ReadDir(path)
		if err != nil || len(list) != len(names) {
			return false
		}
		slices.Sort(names)
		for i, d := range list {
			if d.Name() != names[i] {
				return false
			}
		}
	}
	return true
}
