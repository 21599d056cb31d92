package workspace

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// pathspec is one of git's (gitglossary, pathspec): a file or folder, or a pattern.
type pathspec struct {
	written string
	exclude bool
	all     bool // "." and ""
	pattern *regexp.Regexp
}

// pathspecs choose paths: one of the including and none of the excluding ones must match. Without an including one every
// path is chosen that is not excluded.
type pathspecs []pathspec

// parsePathspecs reads a list with blanks between. attr and prefix are magic that has no use here; they are refused.
func parsePathspecs(list string) (pathspecs, error) {
	var out pathspecs
	for _, written := range strings.Fields(list) {
		p, err := parsePathspec(written)
		if err != nil {
			return nil, fmt.Errorf("GIT_SUBMODULE_PATHS: %q is no pathspec: %w", written, err)
		}
		out = append(out, p)
	}
	return out, nil
}

func parsePathspec(written string) (pathspec, error) {
	p := pathspec{written: written}
	magic, rest, err := cutMagic(written)
	if err != nil {
		return p, err
	}
	literal, glob, flags := false, false, "(?s)"
	for _, m := range magic {
		switch m {
		case "exclude":
			p.exclude = true
		case "top":
		case "literal":
			literal = true
		case "glob":
			glob = true
		case "icase":
			flags = "(?is)"
		default:
			return p, fmt.Errorf("git has no magic %q for submodules", m)
		}
	}
	if rest == "" && p.exclude {
		return p, fmt.Errorf("it excludes nothing; write it without a blank before the path")
	}
	rest = path.Clean(rest)
	if rest == ".." || strings.HasPrefix(rest, "../") || rest[0] == '/' {
		return p, fmt.Errorf("it is outside of the repository")
	}
	p.all = rest == "."
	body := regexp.QuoteMeta(rest) + "(/.*)?"
	if !literal && strings.ContainsAny(rest, `*?[\`) {
		body = globPattern(rest, glob) + "|" + body
	}
	p.pattern, err = regexp.Compile(flags + "^(?:" + body + ")$")
	return p, err
}

// cutMagic takes `:(exclude,icase)` or the short `:!` off a pathspec.
func cutMagic(written string) (magic []string, rest string, err error) {
	rest, ok := strings.CutPrefix(written, ":")
	if !ok {
		return nil, written, nil
	}
	if long, ok := strings.CutPrefix(rest, "("); ok {
		words, rest, closed := strings.Cut(long, ")")
		if !closed {
			return nil, "", fmt.Errorf("a ) is missing")
		}
		for word := range strings.SplitSeq(words, ",") {
			if word != "" {
				magic = append(magic, word)
			}
		}
		return magic, rest, nil
	}
	for rest != "" {
		switch rest[0] {
		case '!', '^':
			magic = append(magic, "exclude")
		case '/':
			magic = append(magic, "top")
		case ':':
			return magic, rest[1:], nil
		default:
			return magic, rest, nil
		}
		rest = rest[1:]
	}
	return magic, rest, nil
}

// globPattern turns a shell pattern into a regular expression. Where glob is said * and ? stay in one folder and ** does
// not; else they match slashes too, as git has it.
func globPattern(glob string, folders bool) string {
	one := "."
	if folders {
		one = "[^/]"
	}
	var b strings.Builder
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case folders && strings.HasPrefix(glob[i:], "**/"):
			b.WriteString("(?:.*/)?")
			i += 2
		case folders && strings.HasPrefix(glob[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString(one + "*")
		case c == '?':
			b.WriteString(one)
		case c == '[':
			end := strings.IndexByte(glob[i+1:], ']')
			if end < 1 {
				b.WriteString(`\[`)
				continue
			}
			set := glob[i+1 : i+1+end]
			if set[0] == '!' {
				set = "^" + set[1:]
			}
			b.WriteString("[" + strings.ReplaceAll(set, `\`, `\\`) + "]")
			i += end + 1
		case c == '\\' && i+1 < len(glob):
			i++
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		}
	}
	return b.String()
}

func (p pathspec) match(path string) bool { return p.all || p.pattern.MatchString(path) }

func (x pathspecs) match(path string) bool {
	including, chosen := false, false
	for _, p := range x {
		switch {
		case !p.exclude:
			including = true
			chosen = chosen || p.match(path)
		case p.match(path):
			return false
		}
	}
	return chosen || !including
}

// unused lists the including pathspecs, as written, that match none of the paths.
func (x pathspecs) unused(paths []string) []string {
	var out []string
	for _, p := range x {
		used := p.exclude || p.all
		for _, path := range paths {
			used = used || p.match(path)
		}
		if !used {
			out = append(out, p.written)
		}
	}
	return out
}
