package render

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/source"
)

// asker is the part of a sandbox's call that reads files.
type asker func(method string, with, into any) error

// files is one tree as the child sees it: every file is asked of the parent, once. Names begin at the tree's top.
type files struct {
	ask   asker
	tree  string
	texts map[string]content
	lists map[string][]source.Entry
	stats map[string]stat
}

type stat struct {
	found
	err error
}

func newFiles(ask asker, tree string) *files {
	return &files{ask: ask, tree: tree, texts: map[string]content{}, lists: map[string][]source.Entry{}, stats: map[string]stat{}}
}

// stat follows a name; fs.ErrNotExist where there is nothing.
func (f *files) stat(name string) (found, error) {
	if s, ok := f.stats[name]; ok {
		return s.found, s.err
	}
	var s stat
	s.err = f.ask(askStat, place{f.tree, name}, &s.found)
	f.stats[name] = s
	return s.found, s.err
}

func (f *files) isFile(name string) bool {
	s, err := f.stat(name)
	return err == nil && s.Sort == source.File
}

func (f *files) isFolder(name string) bool {
	s, err := f.stat(name)
	return err == nil && s.Sort == source.Folder
}

// list is what is in a folder, by name.
func (f *files) list(name string) ([]source.Entry, error) {
	if l, ok := f.lists[name]; ok {
		return l, nil
	}
	var l []source.Entry
	if err := f.ask(askList, place{f.tree, name}, &l); err != nil {
		return nil, err
	}
	f.lists[name] = l
	return l, nil
}

// walk is everything below a folder, in the order of names, each folder's after it. Names begin at the tree's top. Links
// are told as links.
func (f *files) walk(name string) ([]source.Entry, error) {
	var l []source.Entry
	err := f.ask(askWalk, place{f.tree, name}, &l)
	return l, err
}

// batch is how many files are asked for at once.
const batch = 200

// fetch reads files in few questions, so that read answers at once.
func (f *files) fetch(names []string) error {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { _, ok := f.texts[n]; return ok })
	for part := range slices.Chunk(names, batch) {
		var texts []content
		if err := f.ask(askRead, several{f.tree, part}, &texts); err != nil {
			return err
		}
		if len(texts) != len(part) {
			return errors.New("the parent answered something else")
		}
		for i, name := range part {
			f.texts[name] = texts[i]
		}
	}
	return nil
}

// read is a file's text.
func (f *files) read(name string) ([]byte, error) {
	if err := f.fetch([]string{name}); err != nil {
		return nil, err
	}
	switch c := f.texts[name]; {
	case c.Fault != nil:
		return nil, c.Fault
	case c.Missing:
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	case c.Error != "":
		return nil, errors.New(c.Error)
	default:
		return c.Text, nil
	}
}

// under is the tree below a folder as an fs.FS, for libraries that match patterns.
func (f *files) under(folder string) fs.FS { return lower{f, folder} }

type lower struct {
	files *files
	top   string
}

func (l lower) Open(name string) (fs.File, error) {
	info, err := l.Stat(name)
	if err != nil {
		return nil, err
	}
	return opened{info}, nil
}

func (l lower) Stat(name string) (fs.FileInfo, error) {
	s, err := l.files.stat(path.Join(l.top, name))
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return info{path.Base(name), s.Sort}, nil
}

func (l lower) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := l.files.list(path.Join(l.top, name))
	if err != nil {
		return nil, &fs.PathError{Op: "list", Path: name, Err: err}
	}
	out := make([]fs.DirEntry, len(list))
	for i, e := range list {
		out[i] = fs.FileInfoToDirEntry(info{e.Name, e.Sort})
	}
	return out, nil
}

// info is what libraries may know of a file: its name and sort.
type info struct {
	name string
	sort source.Sort
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return 0 }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.sort == source.Folder }
func (i info) Sys() any           { return nil }
func (i info) Mode() fs.FileMode {
	switch i.sort {
	case source.Folder:
		return fs.ModeDir | 0o755
	case source.Link:
		return fs.ModeSymlink | 0o777
	case source.File:
		return 0o644
	default:
		return fs.ModeIrregular
	}
}

// opened is a file of which only the info is asked.
type opened struct{ fs.FileInfo }

func (o opened) Stat() (fs.FileInfo, error) { return o.FileInfo, nil }
func (opened) Read([]byte) (int, error)     { return 0, io.EOF }
func (opened) Close() error                 { return nil }

// resolve is a path that a source names: from its own folder, or with a slash before it from the repository's top. It is
// cleaned only as far as it stays inside, so that an escape is still seen as one.
func resolve(folder, name string) string {
	if rest, ok := strings.CutPrefix(name, "/"); ok {
		return strings.TrimLeft(rest, "/")
	}
	return strings.TrimPrefix(folder+"/"+name, "/")
}

// clean is a path in its shortest form, for messages and for comparing.
func clean(name string) string {
	c := path.Clean("/" + name)
	if strings.HasPrefix(path.Clean(name), "../") {
		return path.Clean(name)
	}
	return strings.TrimPrefix(c, "/")
}
