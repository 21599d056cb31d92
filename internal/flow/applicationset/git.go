package applicationset

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"sigs.k8s.io/yaml"
)

// git gives folders or files of a repository (documentation page "Git Generator").
func (g *generating) git(spec Git) ([]map[string]any, error) {
	if len(spec.Directories) == 0 && len(spec.Files) == 0 {
		return nil, errNothing
	}
	if g.world.Tree == nil {
		return nil, errors.New("error generating params from git: no repositories are read here")
	}
	project := g.set.Spec.Template.Text("spec", "project")
	if strings.Contains(project, "{{") {
		project = ""
	}
	tree, err := g.world.Tree(spec.RepoURL, spec.Revision, project)
	if err != nil {
		return nil, fmt.Errorf("error generating params from git: %w", err)
	}
	files, err := tree.Files()
	if err != nil {
		return nil, fmt.Errorf("error generating params from git: %w", err)
	}
	var out []map[string]any
	if len(spec.Directories) > 0 {
		out, err = g.directories(spec, files)
	} else {
		out, err = g.files(spec, files, tree)
	}
	if err != nil {
		return nil, fmt.Errorf("error generating params from git: %w", err)
	}
	return out, nil
}

// directories gives the folders whose path a pattern matches. Those whose name begins with a dot, and what is in them, are
// none.
func (g *generating) directories(spec Git, files []string) ([]map[string]any, error) {
	folders := map[string]bool{}
	for _, f := range files {
		for d := path.Dir(f); d != "." && d != "/" && !folders[d]; d = path.Dir(d) {
			folders[d] = true
		}
	}
	var found []string
	for d := range folders {
		if strings.HasPrefix(d, ".") || strings.Contains(d, "/.") {
			continue
		}
		take, leave := false, false
		for _, p := range spec.Directories {
			ok, err := path.Match(p.Path, d)
			if err != nil {
				return nil, fmt.Errorf("the pattern %q of directories: %w", p.Path, err)
			}
			take, leave = take || ok && !p.Exclude, leave || ok && p.Exclude
		}
		if take && !leave {
			found = append(found, d)
		}
	}
	slices.Sort(found)
	var out []map[string]any
	for _, d := range found {
		params := map[string]any{}
		g.place(params, spec.PathParamPrefix, d, "")
		if err := g.values(spec.Values, params); err != nil {
			return nil, fmt.Errorf("error generating params from apps: failed to append templated values: %w", err)
		}
		out = append(out, params)
	}
	return out, nil
}

// files gives what the files hold that a pattern matches and no excluding pattern does.
func (g *generating) files(spec Git, files []string, tree Tree) ([]map[string]any, error) {
	matches := map[string]bool{}
	for _, exclude := range []bool{false, true} {
		for _, p := range spec.Files {
			if p.Exclude != exclude {
				continue
			}
			match, err := globbing(p.Path, g.world.NewGlobbing)
			if err != nil {
				return nil, fmt.Errorf("the pattern %q of files: %w", p.Path, err)
			}
			for _, f := range files {
				if match(f) {
					matches[f] = !exclude
				}
			}
		}
	}
	var out []map[string]any
	for _, f := range files {
		if !matches[f] {
			continue
		}
		data, err := tree.Read(f)
		if err != nil {
			return nil, fmt.Errorf("unable to process file '%s' from repository '%s': %w", f, spec.RepoURL, err)
		}
		sets, err := g.file(spec, f, data)
		if err != nil {
			return nil, fmt.Errorf("unable to process file '%s' from repository '%s': %w", f, spec.RepoURL, err)
		}
		out = append(out, sets...)
	}
	return out, nil
}

// file is the parameters that a file holds: a map, or a list of maps.
func (g *generating) file(spec Git, name string, data []byte) ([]map[string]any, error) {
	sets := []map[string]any{{}}
	if err := yaml.Unmarshal(data, &sets[0]); err != nil {
		sets = nil
		if err := yaml.Unmarshal(data, &sets); err != nil {
			return nil, fmt.Errorf("unable to parse file: %w", err)
		}
	}
	var out []map[string]any
	for _, set := range sets {
		params := map[string]any{}
		if g.set.Spec.GoTemplate {
			for k, v := range set {
				params[k] = v
			}
		} else {
			for k, v := range flatten(set) {
				params[k] = v
			}
		}
		g.place(params, spec.PathParamPrefix, path.Dir(name), path.Base(name))
		if err := g.values(spec.Values, params); err != nil {
			return nil, fmt.Errorf("failed to append templated values: %w", err)
		}
		out = append(out, params)
	}
	return out, nil
}

// place adds the parameters that tell where something was found: path, path.basename, path[0] and so on; with Go templates
// they are an object.
func (g *generating) place(params map[string]any, prefix, dir, file string) {
	segments := strings.Split(dir, "/")
	base := path.Base(dir)
	if g.set.Spec.GoTemplate {
		at := map[string]any{"path": dir, "basename": base, "basenameNormalized": normalize(base), "segments": segments}
		if file != "" {
			at["filename"], at["filenameNormalized"] = file, normalize(file)
		}
		if prefix != "" {
			params[prefix] = map[string]any{"path": at}
		} else {
			params["path"] = at
		}
		return
	}
	name := "path"
	if prefix != "" {
		name = prefix + ".path"
	}
	params[name], params[name+".basename"], params[name+".basenameNormalized"] = dir, base, normalize(base)
	if file != "" {
		params[name+".filename"], params[name+".filenameNormalized"] = file, normalize(file)
	}
	for i, s := range segments {
		if s != "" {
			params[name+"["+strconv.Itoa(i)+"]"] = s
		}
	}
}

// globbing is what a pattern of files matches. The new way is doublestar's. The old one is that of git's pathspecs
// (gitglossary, "pathspec"): a star matches slashes too, and a pattern that is a folder's path matches all that is in it.
func globbing(pattern string, anew bool) (func(string) bool, error) {
	if anew {
		if !doublestar.ValidatePattern(pattern) {
			return nil, path.ErrBadPattern
		}
		return func(f string) bool { return doublestar.MatchUnvalidated(pattern, f) }, nil
	}
	re, err := greedy(pattern)
	if err != nil {
		return nil, err
	}
	folder := strings.TrimSuffix(pattern, "/") + "/"
	return func(f string) bool { return re.MatchString(f) || strings.HasPrefix(f, folder) }, nil
}

func greedy(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			b.WriteString(".*")
			for i+1 < len(pattern) && pattern[i+1] == '*' {
				i++
			}
		case '?':
			b.WriteByte('.')
		case '[':
			class, end := bracket(pattern[i:])
			if end < 0 {
				return nil, path.ErrBadPattern
			}
			b.WriteString(class)
			i += end
		case '\\':
			if i++; i == len(pattern) {
				return nil, path.ErrBadPattern
			}
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	b.WriteString(`\z`)
	return regexp.Compile(b.String())
}

// bracket is a class such as [a-z] or [!ab] as an expression, and where it ends; -1 where it does not.
func bracket(s string) (string, int) {
	var b strings.Builder
	b.WriteByte('[')
	i := 1
	if i < len(s) && (s[i] == '!' || s[i] == '^') {
		b.WriteByte('^')
		i++
	}
	for first := true; i < len(s); i++ {
		switch c := s[i]; {
		case c == ']' && !first:
			b.WriteByte(']')
			return b.String(), i
		case c == '-':
			b.WriteByte('-')
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteString(regexp.QuoteMeta(s[i : i+1]))
		case strings.IndexByte(`]^[&~`, c) >= 0:
			b.WriteString(`\` + string(c))
		default:
			b.WriteByte(c)
		}
		first = false
	}
	return "", -1
}
