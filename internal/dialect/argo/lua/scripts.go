package lua

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/argoproj/argo-cd/v3/resource_customizations"
	"github.com/bmatcuk/doublestar/v4"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The names of scripts.
const (
	healthFile    = "health.lua"
	discoveryFile = "actions/discovery.lua"
	actionFile    = "action.lua"
)

// The bounds of a folder of scripts.
const (
	maxScripts = 10_000
	maxScript  = 256 << 10
)

// source is a set of scripts by path.
type source struct {
	read  func(path string) (string, bool)
	globs []string // folders that stand for many kinds, by name
	match func(glob, folder string) bool
	merge func(key string) bool
}

// Scripts are sets of scripts, of which earlier ones come before later ones. It is safe for concurrent use.
type Scripts struct {
	sources []source

	mu   sync.Mutex
	seen map[string]found
}

type found struct {
	text string
	ok   bool
}

// Shipped are the scripts that Argo CD ships, and no others.
func Shipped() *Scripts { return &Scripts{sources: []source{shipped()}, seen: map[string]found{}} }

// shipped reads Argo CD's scripts as they are asked for.
var shipped = sync.OnceValue(func() source {
	files := resource_customizations.Embedded
	s := source{match: underscores, read: func(p string) (string, bool) {
		data, err := files.ReadFile(p)
		return string(data), err == nil
	}}
	groups, _ := files.ReadDir(".") // an embedded folder is always there
	for _, g := range groups {
		kinds, _ := files.ReadDir(g.Name())
		for _, k := range kinds {
			folder := g.Name() + "/" + k.Name()
			if !strings.Contains(folder, "_") {
				continue
			}
			if _, ok := s.read(folder + "/" + healthFile); ok {
				s.globs = append(s.globs, folder)
			}
		}
	}
	slices.Sort(s.globs)
	return s
})

// Over puts a folder of scripts, laid out as Argo CD's, before all others; name is what it is called in faults. Every
// script is read and compiled now: one that is no Lua, or that stands where none is looked for, is told and left out.
func (s *Scripts) Over(name string, folder fs.FS) (*Scripts, fault.Faults) {
	var list fault.List
	texts := map[string]string{}
	err := fs.WalkDir(folder, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || path.Ext(p) != ".lua" {
			if d.IsDir() && p != "." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
				return fs.SkipDir
			}
			return nil
		}
		if len(texts) >= maxScripts {
			return fault.At(CodeRead, fault.Place{File: name}, "the folder holds more than %d scripts", maxScripts)
		}
		text, err := readScript(folder, p)
		if err != nil {
			list.Add(fault.At(CodeRead, fault.Place{File: path.Join(name, p)}, "the script cannot be read: %s", plain(err)))
			return nil
		}
		if f := lint(path.Join(name, p), p, text); f != nil {
			list.Add(f)
			if f.Severity == fault.Error {
				return nil
			}
		}
		texts[p] = text
		return nil
	})
	if err != nil {
		var f *fault.Fault
		if !errors.As(err, &f) {
			f = fault.At(CodeRead, fault.Place{File: name}, "the folder of scripts cannot be read: %s", plain(err))
		}
		list.Add(f)
	}
	return s.over(texts, nil), list.Sorted()
}

// plain is an error of a file system without its path, which the place says.
func plain(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

func readScript(folder fs.FS, p string) (string, error) {
	info, err := fs.Stat(folder, p)
	if err != nil {
		return "", err
	}
	if info.Size() > maxScript {
		return "", errors.New("it is longer than 256 KiB")
	}
	data, err := fs.ReadFile(folder, p)
	return string(data), err
}

// over puts texts by path before what s has.
func (s *Scripts) over(texts map[string]string, merge func(key string) bool) *Scripts {
	top := source{merge: merge, match: underscores, read: func(p string) (string, bool) {
		text, ok := texts[p]
		return text, ok
	}}
	for p := range texts {
		folder, ok := strings.CutSuffix(p, "/"+healthFile)
		if ok && strings.ContainsAny(folder, "_*") {
			top.globs = append(top.globs, folder)
		}
	}
	slices.Sort(top.globs)
	return &Scripts{sources: append([]source{top}, s.sources...), seen: map[string]found{}}
}

// key is the folder of a kind, "" where the kind's words are no names of folders.
func key(k manifest.Kind) string {
	if k.Kind == "" || strings.ContainsAny(k.Group+k.Kind, "/\\*") {
		return ""
	}
	return k.String()
}

// Health is the health check of a kind: in each set the one of its very name, then the first whose folder stands for it.
func (s *Scripts) Health(k manifest.Kind) (string, bool) {
	folder := key(k)
	if folder == "" {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.seen[folder]; ok {
		return f.text, f.ok
	}
	var f found
	for _, src := range s.sources {
		if f.text, f.ok = src.health(folder); f.ok {
			break
		}
	}
	s.seen[folder] = f
	return f.text, f.ok
}

func (s source) health(folder string) (string, bool) {
	if text, ok := s.read(folder + "/" + healthFile); ok {
		return text, true
	}
	for _, g := range s.globs {
		if s.match(g, folder) {
			return s.read(g + "/" + healthFile)
		}
	}
	return "", false
}

// underscores matches the name of a folder in which _ stands for any text without a slash.
func underscores(glob, folder string) bool {
	return doublestar.MatchUnvalidated(strings.ReplaceAll(glob, "_", "*"), folder)
}

// discovery are the scripts that say which actions an object of a kind has.
func (s *Scripts) discovery(k manifest.Kind) []string {
	folder := key(k)
	if folder == "" {
		return nil
	}
	var out []string
	for _, src := range s.sources {
		text, ok := src.read(folder + "/" + discoveryFile)
		if !ok {
			continue
		}
		out = append(out, text)
		if src.merge == nil || !src.merge(folder) {
			break
		}
	}
	return out
}

// action is the script of an action.
func (s *Scripts) action(k manifest.Kind, name string) (string, bool) {
	folder := key(k)
	if folder == "" || name == "" || strings.ContainsAny(name, "/\\") {
		return "", false
	}
	for _, src := range s.sources {
		if text, ok := src.read(folder + "/actions/" + name + "/" + actionFile); ok {
			return text, true
		}
	}
	return "", false
}
