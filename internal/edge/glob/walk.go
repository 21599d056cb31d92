package glob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
)

const nonblock = syscall.O_NONBLOCK

// Found is a file or folder that the patterns match.
type Found struct {
	Path   string // absolute, as the job sees it, by the way it was found
	Folder bool
}

// Find gives what the patterns match, each once, a folder before what is in it and names in order. Folders that cannot
// be listed give nothing. A link that leads out of the space counts as broken.
func (p *Patterns) Find(ctx context.Context, v *View, give func(Found) error) error {
	w := walker{ctx: ctx, p: p, v: v, give: give}
	for _, root := range p.Roots() {
		if _, err := v.Lstat(root); err != nil {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
				continue
			}
			return fmt.Errorf("look for %s: %w", root, err)
		}
		if err := w.walk(root, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// All lists what Find gives.
func (p *Patterns) All(ctx context.Context, v *View) ([]Found, error) {
	var out []Found
	err := p.Find(ctx, v, func(f Found) error { out = append(out, f); return nil })
	return out, err
}

type walker struct {
	ctx  context.Context
	p    *Patterns
	v    *View
	give func(Found) error
}

// walk looks at one path and at what is below it. chain are the real paths of the folders above, against circles.
func (w *walker) walk(name string, d fs.DirEntry, chain []string) error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	names := split(name)
	match := w.p.match(names)
	leads := match != 0 || w.p.leads(names)
	if !leads || w.p.options.SkipHidden && strings.HasPrefix(path.Base(name), ".") {
		return nil
	}
	if d != nil && d.Type().IsRegular() {
		return w.file(name, match)
	}
	at, info, err := w.v.resolve(name, !w.p.options.NoFollow)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil
	case err != nil && w.p.options.KeepBroken:
		return fmt.Errorf("look at %s: %w", name, err)
	case err != nil || info == nil:
		return nil
	case !info.IsDir():
		return w.file(name, match)
	}
	if slices.Contains(chain, at.job) {
		return nil
	}
	if match&kindFolder != 0 && !w.p.options.NoFolders {
		if err := w.give(Found{Path: name, Folder: true}); err != nil {
			return err
		}
	}
	if !w.p.leads(names) {
		return nil
	}
	return w.below(name, at, append(slices.Clip(chain), at.job))
}

func (w *walker) file(name string, match kind) error {
	if match&kindFile == 0 {
		return nil
	}
	return w.give(Found{Path: name})
}

func (w *walker) below(name string, at place, chain []string) error {
	entries, err := w.v.readDir(name, at)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list %s: %w", name, err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		if err := w.walk(path.Join(name, e.Name()), e, chain); err != nil {
			return err
		}
	}
	return nil
}
