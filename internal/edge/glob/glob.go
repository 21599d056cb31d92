// Package glob finds files by patterns as the @actions/glob package of npm does (README of actions/toolkit,
// packages/glob): upload-artifact, cache and hashFiles name files so. Files are looked at through a Space, which says
// which folders of this machine a job sees and where. The package follows no link out of the space, writes nothing, and
// refuses patterns with "." or ".." in them, as the original does.
package glob

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Options say how patterns are read and what is found. The zero value is the default of @actions/glob but for Dir.
type Options struct {
	Dir         string // absolute; where relative patterns begin: the job's workspace
	Home        string // absolute; what a leading ~ means; "" makes such a pattern a mistake
	NoDescend   bool   // a folder that is matched does not bring what is in it (implicitDescendants: false)
	NoFollow    bool   // links are taken as they are (followSymbolicLinks: false)
	NoFolders   bool   // only files are given (matchDirectories: false)
	SkipHidden  bool   // what begins with a dot stays out, with all below it (excludeHiddenFiles)
	KeepBroken  bool   // a link that leads nowhere is an error, not passed over (omitBrokenSymbolicLinks: false)
	MaxPatterns int    // default 10,000
}

// Patterns are patterns that were read.
type Patterns struct {
	options Options
	list    []pattern
}

// pattern is one line: an absolute path whose segments may hold wildcards.
type pattern struct {
	negate     bool
	segments   []segment
	onlyFolder bool // it ended with a slash
	implicit   bool // it stands for what is in a folder that the pattern before it matches
	search     string
}

// Parse reads patterns, one a line; an element may hold several lines. Blank lines and those that begin with # are
// passed over. Mistakes are a *fault.Fault with CodePattern.
func Parse(lines []string, o Options) (*Patterns, error) {
	p := &Patterns{options: o}
	limit := o.MaxPatterns
	if limit == 0 {
		limit = 10_000
	}
	for _, line := range lines {
		for text := range strings.SplitSeq(line, "\n") {
			text = strings.TrimSpace(text)
			if text == "" || text[0] == '#' {
				continue
			}
			if len(p.list) >= 2*limit {
				return nil, fault.New(CodePattern, "there are more than %d patterns", limit)
			}
			if err := p.add(text); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

func (p *Patterns) add(text string) error {
	one, err := p.read(text)
	if err != nil {
		return err
	}
	p.list = append(p.list, one)
	last := len(one.segments) - 1
	if p.options.NoDescend || !one.onlyFolder && last >= 0 && one.segments[last].globstar {
		return nil
	}
	below := one
	below.implicit, below.onlyFolder = true, false
	below.segments = append(slices.Clip(one.segments), segment{globstar: true})
	p.list = append(p.list, below)
	return nil
}

func (p *Patterns) read(text string) (pattern, error) {
	var one pattern
	body := text
	for strings.HasPrefix(body, "!") {
		one.negate = !one.negate
		body = strings.TrimSpace(body[1:])
	}
	if body == "" {
		return one, fault.New(CodePattern, "the pattern %q is empty", text)
	}
	one.onlyFolder = len(body) > 1 && strings.HasSuffix(body, "/")
	begin, rest, err := p.begin(text, body)
	if err != nil {
		return one, err
	}
	for name := range strings.SplitSeq(begin, "/") {
		if name != "" {
			one.segments = append(one.segments, segment{literal: name})
		}
	}
	for name := range strings.SplitSeq(rest, "/") {
		if name == "" {
			continue
		}
		s := compile(name)
		if s.literal == "." || s.literal == ".." {
			return one, fault.New(CodePattern, "the pattern %q has %q in it, which patterns of files may not have", text, name).
				WithHint("write the path from the workspace or an absolute one")
		}
		one.segments = append(one.segments, s)
	}
	one.search = "/"
	for _, s := range one.segments {
		if s.literal == "" {
			break
		}
		one.search = path.Join(one.search, s.literal)
	}
	return one, nil
}

// begin is the literal folder that a pattern starts from, and what follows.
func (p *Patterns) begin(text, body string) (folder, rest string, err error) {
	switch {
	case strings.HasPrefix(body, "/"):
		return "/", body, nil
	case body == "~" || strings.HasPrefix(body, "~/"):
		if p.options.Home == "" {
			return "", "", fault.New(CodePattern, "the pattern %q begins in a home folder, and the job has none", text)
		}
		return p.options.Home, body[1:], nil
	case body == "." || strings.HasPrefix(body, "./"):
		return p.options.Dir, body[1:], nil
	}
	return p.options.Dir, body, nil
}

// Roots are the folders or files where a search begins: of each pattern the path before its first wildcard. One that
// stands below another is left out; the order is that of the patterns.
func (p *Patterns) Roots() []string {
	all := map[string]bool{}
	for _, one := range p.list {
		if !one.negate && !one.implicit {
			all[one.search] = true
		}
	}
	var out []string
	for _, one := range p.list {
		if !one.negate && !one.implicit && !slices.Contains(out, one.search) && !hasAbove(all, one.search) {
			out = append(out, one.search)
		}
	}
	return out
}

func hasAbove(all map[string]bool, name string) bool {
	for name != "/" {
		if name = path.Dir(name); all[name] {
			return true
		}
	}
	return false
}

// kind is what a match stands for.
type kind uint8

const (
	kindFolder kind = 1
	kindFile   kind = 2
	kindAll         = kindFolder | kindFile
)

// match says what the patterns, in their order, make of a path.
func (p *Patterns) match(names []string) kind {
	var out kind
	for _, one := range p.list {
		if one.negate {
			out &^= one.match(names)
		} else {
			out |= one.match(names)
		}
	}
	return out
}

// Match says whether the patterns take a path in; folder says what it is.
func (p *Patterns) Match(name string, folder bool) bool {
	want := kindFile
	if folder {
		want = kindFolder
	}
	return p.match(split(name))&want != 0
}

// leads says whether something below a path may match.
func (p *Patterns) leads(names []string) bool {
	return slices.ContainsFunc(p.list, func(one pattern) bool { return !one.negate && partial(one.segments, names) })
}

func (one pattern) match(names []string) kind {
	if !whole(one.segments, names, one.implicit) {
		return 0
	}
	if one.onlyFolder {
		return kindFolder
	}
	return kindAll
}

// whole matches all of a path. ** takes any number of names; at the end of an implicit pattern at least one.
func whole(segments []segment, names []string, implicit bool) bool {
	for i, s := range segments {
		if !s.globstar {
			if len(names) == 0 || !s.match(names[0]) {
				return false
			}
			names = names[1:]
			continue
		}
		rest := segments[i+1:]
		if len(rest) == 0 {
			return !implicit || len(names) > 0
		}
		if rest[0].globstar {
			continue
		}
		for at := range len(names) + 1 {
			if whole(rest, names[at:], implicit) {
				return true
			}
		}
		return false
	}
	return len(names) == 0
}

func partial(segments []segment, names []string) bool {
	for i, name := range names {
		if i >= len(segments) {
			return false
		}
		if segments[i].globstar {
			return true
		}
		if !segments[i].match(name) {
			return false
		}
	}
	return true
}

func split(name string) []string {
	name = strings.Trim(path.Clean(name), "/")
	if name == "" || name == "." {
		return nil
	}
	return strings.Split(name, "/")
}

// Common is the deepest folder that is above all of some absolute paths, or is one of them.
func Common(paths []string) (string, error) {
	if len(paths) == 0 {
		return "", fmt.Errorf("find what paths have in common: there are none")
	}
	common := split(paths[0])
	for _, p := range paths[1:] {
		names := split(p)
		n := 0
		for n < len(common) && n < len(names) && common[n] == names[n] {
			n++
		}
		common = common[:n]
	}
	return "/" + strings.Join(common, "/"), nil
}
