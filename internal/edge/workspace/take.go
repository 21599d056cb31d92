package workspace

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// small is the size up to which a file's content may stay in memory.
const small = 64 << 10

// taker gathers one snapshot.
type taker struct {
	s       *Snapshot
	exclude []string
	folders map[string]int32 // of the snapshot, relative to Top: the repositories whose work trees they are in
	fresh   int64            // ns: files changed since may change again without their times telling
}

func newTaker(s *Snapshot, o Options) *taker {
	return &taker{
		s: s, exclude: append([]string{".sluice"}, o.Exclude...), folders: map[string]int32{},
		fresh: time.Now().Add(-50 * time.Millisecond).UnixNano(),
	}
}

// out says whether a path below Top is left out of the snapshot.
func (t *taker) out(path string) bool {
	for _, x := range t.exclude {
		if path == x || strings.HasPrefix(path, x+"/") {
			return true
		}
	}
	return false
}

// folder takes all below Top/prefix, as outside of git.
func (t *taker) folder(ctx context.Context, prefix string) error {
	base := filepath.Join(t.s.Top, prefix)
	return filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		rel, e := filepath.Rel(t.s.Top, path)
		if e != nil {
			return e
		}
		rel = filepath.ToSlash(rel)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && path != base && errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return fault.New(CodeUnreadable, "%s cannot be read: %v", rel, cause(err))
		case t.out(rel) && d.IsDir():
			return fs.SkipDir
		case rel == "." || t.out(rel):
		case d.IsDir():
			t.folders[rel] = 0
		default:
			t.s.files = append(t.s.files, file{path: rel, repo: -1})
		}
		return nil
	})
}

// repository takes the tracked and the untracked files of one repository, and of those inside it.
func (t *taker) repository(ctx context.Context, p places, prefix string, outer int32, level int) error {
	r, index, stamp, err := t.read(ctx, p, prefix)
	if err != nil {
		return fault.New(CodeRepository, "the repository at %s cannot be read: %v", p.top, err)
	}
	r.outer, r.level = outer, level
	number := int32(len(t.s.repos))
	t.s.repos = append(t.s.repos, r)

	type listed struct {
		paths []string
		err   error
	}
	found := make(chan listed, 1)
	go func() {
		paths, err := untracked(ctx, p, r.conf, index, prefix == "")
		found <- listed{paths, err}
	}()
	submodules := t.tracked(r, number, index, stamp)
	var inner []string // repositories that nothing tracks
	others := <-found
	if others.err != nil {
		return fault.New(CodeRepository, "the untracked files of %s cannot be listed: %v", p.top, others.err)
	}
	for _, path := range others.paths {
		if t.out(prefix + path) {
			continue
		}
		if nested, ok := strings.CutSuffix(path, "/"); ok {
			inner = append(inner, nested)
			continue
		}
		t.s.files = append(t.s.files, file{path: prefix + path, repo: -1, home: number})
	}
	for _, path := range submodules {
		if err := t.nested(ctx, r, number, path, level+1); err != nil {
			return err
		}
	}
	for _, path := range inner {
		if err := t.nested(ctx, r, number, path, level); err != nil {
			return err
		}
	}
	return nil
}

// nested takes a submodule or a repository inside another; one that is not there is an empty folder, as git has it.
func (t *taker) nested(ctx context.Context, r *repo, number int32, path string, level int) error {
	t.folders[r.prefix+path] = number
	sub, err := placesOf(filepath.Join(r.top, path))
	if errors.Is(err, errNoRepository) {
		if level > r.level {
			t.s.absent = append(t.s.absent, absent{path: r.prefix + path, outer: number, level: level})
		}
		return nil
	}
	if err != nil {
		return fault.New(CodeRepository, "the submodule at %s cannot be read: %v", r.prefix+path, err)
	}
	return t.repository(ctx, sub, r.prefix+path+"/", number, level)
}

// read gathers what is known of a repository before its files: settings, references and the index, with the index
// file's time.
func (t *taker) read(ctx context.Context, p places, prefix string) (*repo, *index, int64, error) {
	r := &repo{places: p, prefix: prefix, objects: filepath.Join(p.common, "objects"), oidSize: 20}
	r.conf = readSettings(filepath.Join(p.common, "config"))
	if strings.EqualFold(r.conf["extensions.objectformat"], "sha256") {
		r.oidSize = 32
	}
	var err error
	if r.refs, err = readReferences(ctx, p.top, p, r.conf); err != nil {
		return nil, nil, 0, err
	}
	r.packed = r.refs.packed()
	r.plain = []byte(r.conf.config(p.top))
	r.config = append(slices.Clip(r.plain), r.conf.submodules(p.top)...)
	r.shallow = optional(filepath.Join(p.common, "shallow"))
	if b := optional(filepath.Join(p.common, "info", "exclude")); hasRules(b) {
		r.exclude = b
	}
	x, stamp, err := readIndex(ctx, p, r.oidSize)
	return r, x, stamp, err
}

func optional(file string) []byte {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return b
}

// readIndex reads the index itself, or has git list it where only git can read it.
func readIndex(ctx context.Context, p places, oidSize int) (*index, int64, error) {
	name := filepath.Join(p.git, "index")
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &index{}, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	x, err := parseIndex(b, oidSize)
	if errors.Is(err, errUnknownIndex) {
		x, err = indexByGit(ctx, p)
		return x, 0, err
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	return x, info.ModTime().UnixNano(), nil
}

// indexByGit makes an index from git's list. It has no stats, so that every file counts as changed.
func indexByGit(ctx context.Context, p places) (*index, error) {
	out, err := git.Run(ctx, p.top, "ls-files", "-z", "--stage", "-t")
	if err != nil {
		return nil, err
	}
	x := &index{}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if line == "" {
			continue
		}
		meta, path, ok := strings.Cut(line, "\t")
		parts := strings.Fields(meta)
		if !ok || len(parts) != 4 {
			return nil, fmt.Errorf("git lists %q", line)
		}
		mode, e1 := strconv.ParseUint(parts[1], 8, 32)
		stage, e2 := strconv.ParseUint(parts[3], 10, 2)
		oid, e3 := hex.DecodeString(parts[2])
		if err := errors.Join(e1, e2, e3); err != nil {
			return nil, fmt.Errorf("git lists %q: %w", line, err)
		}
		e := indexEntry{path: path, oid: oid, flags: uint32(stage) << 12}
		e.stat[6] = uint32(mode)
		if parts[0] == "S" {
			e.flags |= flagExtended | flagSkipWorktree
		}
		x.entries = append(x.entries, e)
	}
	return x, nil
}

// finish looks at every file, copies what must be copied now, and lists the folders.
func (t *taker) finish(ctx context.Context) error {
	if err := t.s.capture(ctx, t.fresh); err != nil {
		return err
	}
	kept := t.s.files[:0]
	renumber := make([]int32, len(t.s.files))
	for i := range t.s.files {
		f := t.s.files[i]
		renumber[i] = -1
		switch {
		case f.mode == skipped:
			t.s.Notes = append(t.s.Notes, fault.New(CodeSkipped, "%s is not copied into the workspaces: %s", f.path, f.text).WithSeverity(fault.Note))
			continue
		case f.mode == gone:
			continue
		}
		renumber[i] = int32(len(kept))
		kept = append(kept, f)
		t.above(f.path, f.home)
	}
	clear(t.s.files[len(kept):])
	t.s.files = slices.Clip(kept)
	for _, r := range t.s.repos {
		for i, n := range r.indexFiles {
			if n >= 0 {
				r.indexFiles[i] = renumber[n]
			}
		}
	}
	for d, home := range maps.Clone(t.folders) {
		t.above(d, home)
	}
	for d, home := range t.folders {
		t.s.folders = append(t.s.folders, folder{d, home})
	}
	slices.SortFunc(t.s.folders, func(a, b folder) int { return strings.Compare(a.path, b.path) })
	return nil
}

// above adds the folders that a path of a work tree is in. It stops at the first that is known: those above it are in
// the same work tree, or it is the work tree's top, which belongs to the repository around it.
func (t *taker) above(path string, home int32) {
	for d := parent(path); d != ""; d = parent(d) {
		if _, known := t.folders[d]; known {
			return
		}
		t.folders[d] = home
	}
}

func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return ""
}

// cause is an error without the path that os puts before it: our messages name the path themselves.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
