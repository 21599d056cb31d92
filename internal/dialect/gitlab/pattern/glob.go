// Package pattern holds the small matching languages of a GitLab pipeline: path globs as rules:changes and
// rules:exists use them, path globs as the runner uses them for artifacts and caches, and the refs of only and except.
//
// Patterns are compiled once and matched often, in time proportional to pattern times path at most, whatever the
// pattern says. The package lists no files and asks no repository: paths and facts are arguments.
package pattern

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Limits of one glob.
const (
	MaxGlob         = 2 << 10  // bytes of a glob
	MaxAlternatives = 1024     // globs that its braces stand for
	MaxExpanded     = 64 << 10 // bytes of all of them
)

// MaxComparisons is how many times GitLab compares a path with a glob before it takes a clause as matched (CI/CD YAML
// syntax reference, rules:changes and rules:exists).
const MaxComparisons = 50_000

// Glob is a compiled path pattern. It is read-only and safe for concurrent use.
type Glob struct {
	text  string
	paths []route
}

// Compile reads a glob of rules:changes, rules:exists or only:changes. It means what Ruby's File.fnmatch? makes of it
// with FNM_PATHNAME, FNM_DOTMATCH and FNM_EXTGLOB (CI/CD YAML syntax reference, rules:changes:paths):
//
//   - * and ? and [a-z] stay within one folder level and match leading dots;
//   - **/ at the beginning of a level is any number of levels, also none; ** anywhere else is *, so dir/** is one level;
//   - {a,b} stands for both texts and may nest; \ takes the next character literally;
//   - there is no cleaning: ./a and /a match no path of a repository;
//   - an open { or [ and an empty [] match nothing.
//
// Only a glob above our limits is refused; the fault then is an error and the Glob nil.
func Compile(text string, at fault.Place) (*Glob, *fault.Fault) {
	if len(text) > MaxGlob {
		return nil, tooLarge(at, text)
	}
	texts, ok := rubyBraces(text)
	if !ok {
		return nil, tooLarge(at, text)
	}
	g := &Glob{text: text}
	for _, t := range texts {
		if r, ok := rubyRoute(t); ok {
			g.paths = append(g.paths, r)
		}
	}
	return g, nil
}

// Match reports whether a path, relative to the project and with slashes, matches.
func (g *Glob) Match(path string) bool {
	for i := range g.paths {
		if g.paths[i].match(path) {
			return true
		}
	}
	return false
}

// String is the glob as written.
func (g *Glob) String() string { return g.text }

// Changed reports whether one of the changed paths matches one of the globs, and which pair did. Above MaxComparisons
// possible comparisons nothing is compared: the clause counts as matched, and the pair is empty.
func Changed(globs []*Glob, paths []string) (glob, path string, ok bool) {
	if len(globs)*len(paths) > MaxComparisons {
		return "", "", true
	}
	for _, p := range paths {
		for _, g := range globs {
			if g.Match(p) {
				return g.text, p, true
			}
		}
	}
	return "", "", false
}

// Exists reports whether one of the globs matches one of the files, and which pair did. A glob that ends with a slash
// asks for a folder, which is there when a file lies in it; folders match no other glob. A glob without wildcards is a
// look-up in files, which must be sorted. After MaxComparisons comparisons of globs with wildcards the clause counts as
// matched, and the pair is empty.
func Exists(globs []*Glob, files []string) (glob, path string, ok bool) {
	for _, g := range globs {
		if Literal(g.text) && contains(files, g.text) {
			return g.text, g.text, true
		}
	}
	n := 0
	for _, g := range globs {
		if Literal(g.text) {
			continue
		}
		candidates := files
		if strings.HasSuffix(g.text, "/") {
			candidates = folders(files)
		}
		for _, f := range candidates {
			if n++; n > MaxComparisons {
				return "", "", true
			}
			if g.Match(f) {
				return g.text, f, true
			}
		}
	}
	return "", "", false
}

// folders are the folders that files lie in, each with a slash at its end.
func folders(files []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, f := range files {
		for at := strings.LastIndexByte(f, '/'); at > 0 && !seen[f[:at+1]]; at = strings.LastIndexByte(f[:at], '/') {
			seen[f[:at+1]] = true
			out = append(out, f[:at+1])
		}
	}
	return out
}

// Literal reports whether a text has no wildcard of a glob, so that it names one path.
func Literal(text string) bool { return !strings.ContainsAny(text, "*?[{") }
