package source

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// MaxFile is the largest file that is read, in bytes.
const MaxFile = 64 << 20

// maxLinks bounds the symbolic links on the way to one file.
const maxLinks = 40

// Sort is what an entry of a tree is.
type Sort string

// The sorts.
const (
	File      Sort = "file"
	Folder    Sort = "folder"
	Link      Sort = "link"
	Submodule Sort = "submodule"
	Other     Sort = "other" // devices and pipes of a plain folder
)

// Entry is one name in a folder. ID changes when what is behind the name changes: a git object's name, or for a plain
// folder what the file system says of size, time and number.
type Entry struct {
	Name string `json:"name"`
	Sort Sort   `json:"sort"`
	ID   string `json:"id"`
}

// layer is where a tree's files lie. Paths are clean, and no part of them is a link.
type layer interface {
	list(ctx context.Context, folder string, e Entry) ([]Entry, error)
	read(ctx context.Context, name string, e Entry) ([]byte, error)
}

// Tree is the files of one revision, or of a plain folder. Names are slash-separated and begin at its top, which is "".
// Symbolic links are followed inside; nothing outside is reached by any name. It is safe for concurrent use.
type Tree struct {
	Revision string // the commit, the chart's version, or the mark of a plain folder
	layer    layer
	top      Entry

	mu    sync.Mutex
	known map[string][]Entry
}

func newTree(revision string, l layer, id string) *Tree {
	return &Tree{Revision: revision, layer: l, top: Entry{Sort: Folder, ID: id}, known: map[string][]Entry{}}
}

// Read is a file's text. fs.ErrNotExist where there is none; a path that leaves the tree is a fault with CodeOutside.
func (t *Tree) Read(ctx context.Context, name string) ([]byte, error) {
	real, e, err := t.Stat(ctx, name)
	if err != nil {
		return nil, err
	}
	if e.Sort != File {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errNoFile}
	}
	return t.layer.read(ctx, real, e)
}

var errNoFile = errors.New("is not a file")

// List is what is in a folder, by name. Links are told as links: Stat says where they lead.
func (t *Tree) List(ctx context.Context, name string) ([]Entry, error) {
	real, e, err := t.Stat(ctx, name)
	if err != nil {
		return nil, err
	}
	if e.Sort != Folder {
		return nil, &fs.PathError{Op: "list", Path: name, Err: errors.New("is not a folder")}
	}
	return t.entries(ctx, real, e)
}

// Stat follows a name: real is its place without links, and the entry there is never a link.
func (t *Tree) Stat(ctx context.Context, name string) (real string, e Entry, err error) {
	if strings.ContainsRune(name, 0) || path.IsAbs(name) {
		return "", Entry{}, outside(name)
	}
	rest := split(name)
	links := 0
	var at []string
	entries := []Entry{t.top}
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		if part == ".." {
			if len(at) == 0 {
				return "", Entry{}, outside(name)
			}
			at, entries = at[:len(at)-1], entries[:len(entries)-1]
			continue
		}
		here := entries[len(entries)-1]
		if here.Sort == Submodule {
			return "", Entry{}, fault.New(CodeSubmodule, "%q leads into the submodule %s, which is not fetched", name, strings.Join(at, "/")).
				WithHint("give the submodule's repository as a source of its own")
		}
		if here.Sort != Folder {
			return "", Entry{}, missing(name)
		}
		list, err := t.entries(ctx, strings.Join(at, "/"), here)
		if err != nil {
			return "", Entry{}, err
		}
		i, ok := slices.BinarySearchFunc(list, part, func(e Entry, n string) int { return strings.Compare(e.Name, n) })
		if !ok {
			return "", Entry{}, missing(name)
		}
		if list[i].Sort != Link {
			at, entries = append(at, part), append(entries, list[i])
			continue
		}
		if links++; links > maxLinks {
			return "", Entry{}, fault.New(CodeOutside, "%q goes through more than %d symbolic links", name, maxLinks).WithHint("look for links that lead to each other")
		}
		target, err := t.layer.read(ctx, path.Join(strings.Join(at, "/"), part), list[i])
		if err != nil {
			return "", Entry{}, err
		}
		if path.IsAbs(string(target)) {
			return "", Entry{}, leaves(name, path.Join(append(slices.Clone(at), part)...))
		}
		steps := split(string(target))
		if deeper(steps) > len(at) {
			return "", Entry{}, leaves(name, path.Join(append(slices.Clone(at), part)...))
		}
		rest = append(steps, rest...)
	}
	return strings.Join(at, "/"), entries[len(entries)-1], nil
}

// deeper is how far above its folder a path climbs at most.
func deeper(steps []string) int {
	depth, most := 0, 0
	for _, s := range steps {
		if s == ".." {
			depth++
		} else {
			depth--
		}
		most = max(most, depth)
	}
	return most
}

func split(name string) []string {
	return slices.DeleteFunc(strings.Split(name, "/"), func(p string) bool { return p == "" || p == "." })
}

func missing(name string) error { return &fs.PathError{Op: "find", Path: name, Err: fs.ErrNotExist} }

func outside(name string) error {
	return fault.New(CodeOutside, "%q leaves the repository", name).WithHint("write a path inside it; nothing else is read")
}

func leaves(name, link string) error {
	return fault.At(CodeOutside, fault.Place{File: link}, "%q leaves the repository through the symbolic link %s", name, link).WithHint("make the link lead to a place inside")
}

// entries is the listing of a folder, read once.
func (t *Tree) entries(ctx context.Context, real string, e Entry) ([]Entry, error) {
	t.mu.Lock()
	list, ok := t.known[real]
	t.mu.Unlock()
	if ok {
		return list, nil
	}
	list, err := t.layer.list(ctx, real, e)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	t.mu.Lock()
	t.known[real] = list
	t.mu.Unlock()
	return list, nil
}

// Paths lists every file below a folder, from the tree's top, sorted; links are left out.
func (t *Tree) Paths(ctx context.Context, folder string) ([]string, error) {
	real, e, err := t.Stat(ctx, folder)
	if err != nil {
		return nil, err
	}
	var out []string
	var walk func(at string, e Entry) error
	walk = func(at string, e Entry) error {
		list, err := t.entries(ctx, at, e)
		if err != nil {
			return err
		}
		for _, one := range list {
			switch name := path.Join(at, one.Name); one.Sort {
			case File:
				out = append(out, name)
			case Folder:
				if err := walk(name, one); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if e.Sort == Folder {
		err = walk(real, e)
	}
	slices.Sort(out)
	return out, err
}
