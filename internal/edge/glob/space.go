package glob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Mount is a folder of this machine that a job sees.
type Mount struct {
	Name string // how a cache calls it in another job, whose folders stand elsewhere: "workspace", "home"; "" is Job
	Job  string // absolute path as the job sees it
	Host string // the folder on this machine
	// Stays says that the folder is this machine's own and is there after the job: what is in it need not be kept.
	Stays bool
}

// Space is what a job sees of this machine. Of mounts one in another the inner one is taken. A job on the machine
// itself has a mount of / too; without one, whatever is not in a mount is not there.
type Space []Mount

// Of is the space of a job by its host's paths. A job outside of containers sees the whole machine. home is its HOME as
// the job sees it, "" for none.
func Of(p program.Paths, home string) Space {
	s := Space{{Name: "workspace", Job: p.JobWorkspace, Host: p.Workspace}}
	if p.JobPrivate != "" && p.Private != "" {
		s = append(s, Mount{Name: "private", Job: p.JobPrivate, Host: p.Private})
	}
	if p.Container == "" && p.JobWorkspace == p.Workspace {
		if path.IsAbs(home) {
			s = append(s, Mount{Name: "home", Job: home, Host: home, Stays: true})
		}
		s = append(s, Mount{Name: "machine", Job: "/", Host: "/", Stays: true})
	}
	return s
}

// Key is the mount's name.
func (m Mount) Key() string {
	if m.Name != "" {
		return m.Name
	}
	return m.Job
}

// View is a space that is open. It is used by one goroutine at a time.
type View struct {
	space Space
	roots []*os.Root       // opened when first needed
	real  map[string]place // folders that were resolved
}

// place is a path without links.
type place struct {
	job   string // as the job sees it
	mount int
	rel   string // below the mount
}

// Open makes the space ready to be looked at. Close ends it.
func (s Space) Open() *View {
	return &View{space: s, roots: make([]*os.Root, len(s)), real: map[string]place{}}
}

// Close lets go of the folders.
func (v *View) Close() error {
	var errs []error
	for _, r := range v.roots {
		if r != nil {
			errs = append(errs, r.Close())
		}
	}
	return errors.Join(errs...)
}

// At finds the mount that an absolute path of the job is in, by its text alone.
func (s Space) At(name string) (mount int, rel string, ok bool) {
	name, best := path.Clean(name), -1
	for i, m := range s {
		if within(m.Job, name) && (best < 0 || len(m.Job) > len(s[best].Job)) {
			best = i
		}
	}
	if best < 0 {
		return 0, "", false
	}
	rel = strings.TrimPrefix(strings.TrimPrefix(name, path.Clean(s[best].Job)), "/")
	if rel == "" {
		rel = "."
	}
	return best, rel, true
}

func within(folder, name string) bool {
	folder = path.Clean(folder)
	return folder == "/" || name == folder || strings.HasPrefix(name, folder+"/")
}

func (v *View) root(mount int) (*os.Root, error) {
	if v.roots[mount] == nil {
		r, err := os.OpenRoot(v.space[mount].Host)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", v.space[mount].Job, err)
		}
		v.roots[mount] = r
	}
	return v.roots[mount], nil
}

func (v *View) lstat(name string) (place, fs.FileInfo, error) {
	mount, rel, ok := v.space.At(name)
	if !ok {
		return place{}, nil, &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrNotExist}
	}
	root, err := v.root(mount)
	if err != nil {
		return place{}, nil, err
	}
	info, err := root.Lstat(rel)
	return place{name, mount, rel}, info, err
}

// maxLinks bounds how many links stand on one way, as Linux does.
const maxLinks = 40

// resolve goes to a path and follows links as the job would. The last name is followed only where follow is set.
// Something above all mounts is a folder without an info.
func (v *View) resolve(name string, follow bool) (place, fs.FileInfo, error) {
	at, rest := place{job: "/", mount: -1}, split(name)
	if parent := path.Dir(path.Clean(name)); parent != "/" {
		if p, ok := v.real[parent]; ok {
			at, rest = p, rest[len(rest)-1:]
		}
	}
	var info fs.FileInfo
	for links := 0; len(rest) > 0; {
		step := rest[0]
		rest = rest[1:]
		if step == ".." {
			at, info = place{job: path.Dir(at.job), mount: -1}, nil
			continue
		}
		next := path.Join(at.job, step)
		p, i, err := v.lstat(next)
		if err != nil {
			if !v.above(next) {
				return p, nil, err
			}
			p, i = place{job: next, mount: -1}, nil
		}
		if i != nil && i.Mode()&fs.ModeSymlink != 0 && (follow || len(rest) > 0) {
			if links++; links > maxLinks {
				return p, nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("too many links")}
			}
			to, err := v.roots[p.mount].Readlink(p.rel)
			if err != nil {
				return p, nil, err
			}
			if path.IsAbs(to) {
				at = place{job: "/", mount: -1}
			}
			rest, info = append(steps(to), rest...), nil
			continue
		}
		at, info = p, i
	}
	if at.mount < 0 { // the top, or where .. led
		if p, i, err := v.lstat(at.job); err == nil {
			at, info = p, i
		}
	}
	return at, info, nil
}

func steps(to string) []string {
	var out []string
	for s := range strings.SplitSeq(to, "/") {
		if s != "" && s != "." {
			out = append(out, s)
		}
	}
	return out
}

// above says whether a mount stands below a path: then it is a folder, whatever else is known of it.
func (v *View) above(name string) bool {
	for _, m := range v.space {
		if within(name, path.Clean(m.Job)) {
			return true
		}
	}
	return false
}

// Stat is what a path of the job leads to, links followed.
func (v *View) Stat(name string) (fs.FileInfo, error) {
	_, info, err := v.resolve(name, true)
	if err == nil && info == nil {
		err = &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return info, err
}

// Lstat is what stands at a path of the job.
func (v *View) Lstat(name string) (fs.FileInfo, error) {
	_, info, err := v.resolve(name, false)
	if err == nil && info == nil {
		err = &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrNotExist}
	}
	return info, err
}

// Open opens a file to read, links followed within the space; what is not a regular file is an error.
func (v *View) Open(name string) (*os.File, fs.FileInfo, error) {
	at, info, err := v.resolve(name, true)
	if err != nil {
		return nil, nil, err
	}
	if info == nil || !info.Mode().IsRegular() {
		return nil, nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("it is not a regular file")}
	}
	file, err := v.roots[at.mount].OpenFile(at.rel, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, nil, err
	}
	if info, err = file.Stat(); err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: errors.New("it is no longer a regular file")}
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

func (v *View) readDir(name string, at place) ([]fs.DirEntry, error) {
	if at.mount < 0 {
		return nil, nil
	}
	dir, err := v.roots[at.mount].Open(at.rel)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	v.real[name] = at
	return dir.ReadDir(-1)
}
