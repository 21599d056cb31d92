package pattern

import (
	"path"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// CompilePath reads a glob of artifacts:paths, artifacts:exclude or cache:paths, whose variables are already expanded.
// It means what gitlab-runner makes of it with doublestar v4 (CI/CD YAML syntax reference, artifacts:paths):
//
//   - ** is any number of levels, also none, where it is a whole level, the last one included: dir/** is dir and all
//     below; as a part of a level it is *;
//   - * and ? and [a-z] stay within one level and match leading dots; {a,b} stands for both texts;
//   - the text is cleaned (./a, a//b, a/) and may be absolute or leave the project as long as it comes back into it.
//
// project is the project folder as the job sees it, "" where that is not known. A glob that names something outside of
// the project is answered with a warning and a nil Glob: the runner tells it and goes on. A glob that cannot be read is
// an error.
func CompilePath(text, project string, at fault.Place) (*Glob, *fault.Fault) {
	if len(text) > MaxGlob {
		return nil, tooLarge(at, text)
	}
	clean, ok := relative(text, project)
	if !ok {
		return nil, fault.At(CodeOutside, at, "%s is not in the project folder", text).WithSeverity(fault.Warning).
			WithHint("paths are relative to the project: copy the files there first")
	}
	if !doublestar.ValidatePattern(clean) {
		return nil, fault.At(CodeGlob, at, "the path pattern %q cannot be read", text).WithHint(`write \ before a [, { or \ that is meant literally`)
	}
	texts, ok := rubyBraces(clean)
	if !ok {
		return nil, tooLarge(at, text)
	}
	g := &Glob{text: text}
	for _, t := range texts {
		g.paths = append(g.paths, starRoute(t))
	}
	return g, nil
}

// Covers reports whether a path or one of the folders it lies in matches: a folder in artifacts:paths or cache:paths
// means everything below it.
func (g *Glob) Covers(file string) bool {
	for i := range g.paths {
		r := &g.paths[i]
		if r.plain {
			if file == r.literal || strings.HasPrefix(file, r.literal) && file[len(r.literal)] == '/' {
				return true
			}
			continue
		}
		for at := 0; at <= len(file); at++ {
			at = nextSlash(file, at)
			if r.match(file[:at]) {
				return true
			}
		}
	}
	return false
}

// Selects reports whether a file is kept by paths and exclude together. Exclude is not recursive: a folder in it takes
// nothing out (CI/CD YAML syntax reference, artifacts:exclude). Nil globs are passed over.
func Selects(paths, exclude []*Glob, file string) bool {
	kept := false
	for _, g := range paths {
		if g != nil && g.Covers(file) {
			kept = true
			break
		}
	}
	if !kept {
		return false
	}
	for _, g := range exclude {
		if g != nil && g.Match(file) {
			return false
		}
	}
	return true
}

// relative brings a glob into the project; "." is the project itself.
func relative(text, project string) (string, bool) {
	full := path.Clean(text)
	if project != "" {
		project = path.Clean(project)
		if !path.IsAbs(text) {
			full = path.Join(project, text)
		}
		if full == project {
			return ".", true
		}
		below, ok := strings.CutPrefix(full, strings.TrimSuffix(project, "/")+"/")
		return below, ok
	}
	return full, !path.IsAbs(full) && full != ".." && !strings.HasPrefix(full, "../")
}

// starRoute reads one valid doublestar glob without braces.
func starRoute(s string) route {
	if s == "." {
		return route{levels: []level{{deep: true}}}
	}
	var r route
	for i := 0; i <= len(s); {
		l, n := starLevel(s[i:])
		i += n + 1
		if last := len(r.levels) - 1; l.deep && last >= 0 && r.levels[last].deep {
			continue
		}
		r.levels = append(r.levels, l)
	}
	r.seal()
	return r
}

// starLevel reads up to the next / or the end and gives the bytes taken.
func starLevel(s string) (l level, n int) {
	if s == "**" || strings.HasPrefix(s, "**/") {
		return level{deep: true}, 2
	}
	for n < len(s) && s[n] != '/' {
		switch s[n] {
		case '*':
			for n < len(s) && s[n] == '*' {
				n++
			}
			l.tokens = append(l.tokens, token{op: star})
		case '?':
			n++
			l.tokens = append(l.tokens, token{op: any})
		case '[':
			t, taken := rubyClass(s[n+1:])
			if taken < 0 {
				t, taken = token{op: never}, len(s)-n-1
			}
			n += 1 + taken
			l.tokens = append(l.tokens, forward(t))
		default:
			if s[n] == '\\' && n+1 < len(s) {
				n++
			}
			_, size := utf8.DecodeRuneInString(s[n:])
			l.tokens = append(l.tokens, token{op: char, literal: s[n : n+size]})
			n += size
		}
	}
	return l, n
}

// forward drops the ends that Ruby gives to ranges: in doublestar a range that runs backwards is empty.
func forward(t token) token {
	kept := t.ranges[:0]
	for i := 0; i < len(t.ranges); i++ {
		if i+2 < len(t.ranges) && t.ranges[i+2].text == "" {
			i += 2
		}
		kept = append(kept, t.ranges[i])
	}
	t.ranges = kept
	return t
}
