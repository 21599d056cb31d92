package gitlab

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/config"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/pattern"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/rubyre"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// difference is the answer to one question for changed files.
type difference struct {
	paths []string
	known bool
	err   error
}

// changed reports whether a changed file matches a pattern. Where there is nothing to compare with (a new branch, a
// tag, a schedule), every file counts as changed (CI/CD YAML syntax reference, rules:changes).
func (c *compiler) changed(ctx context.Context, paths []string, clause *keyword.Changes, s *scope) (bool, string, *fault.Fault) {
	base, place := "", fault.Place{}
	if clause != nil {
		place = clause.Place
		if clause.CompareTo.Set {
			base, place = s.nested(clause.CompareTo.Value), clause.CompareTo.Place
		}
	}
	d := c.difference(ctx, base)
	switch {
	case d.err != nil && base != "":
		return false, "", fault.At(CodeCompareTo, place, "rules:changes:compare_to %q is not a branch, tag or commit of this repository", base).
			WithHint("fetch it first, for example: git fetch origin %s", base)
	case d.err != nil:
		return false, "", fault.At(CodeProject, place, "list the changed files: %v", d.err)
	case !d.known:
		return true, "nothing to compare with, so everything counts as changed", nil
	case len(d.paths) == 0:
		return false, "no file changed", nil
	}
	if clause != nil && clause.Regexp.Set {
		return c.oneMatches("rules:changes", "changed", clause.Regexp, d.paths, s)
	}
	globs, err := c.globs(paths, s.nested, place)
	if err != nil {
		return false, "", err
	}
	glob, path, ok := c.remember("changes:"+base, globs, func() (string, string, bool) { return pattern.Changed(globs, d.paths) })
	switch {
	case ok && path == "":
		return true, "too many comparisons, so taken as changed", nil
	case ok:
		return true, fmt.Sprintf("%s changed (%s)", path, glob), nil
	default:
		return false, fmt.Sprintf("none of %d changed files matches %s", len(d.paths), list(texts(globs))), nil
	}
}

// difference asks for the changed files, once for each base.
func (c *compiler) difference(ctx context.Context, base string) difference {
	if d, ok := c.differences[base]; ok {
		return d
	}
	var d difference
	if c.in.Project != nil && (base != "" || c.in.ChangedSince || c.comparable()) {
		d.paths, d.known, d.err = c.in.Project.Changed(ctx, base)
	}
	c.differences[base] = d
	return d
}

// comparable reports whether the event says what came before it: pushes to branches and merge requests do, and so do
// the child pipelines of those.
func (c *compiler) comparable() bool {
	name := c.in.Occasion.Name
	if c.in.parents.parent != nil {
		name = c.in.parents.origin
	}
	switch name {
	case event.Push, "":
		return c.in.Occasion.Tag == ""
	case "external_pull_request_event":
		return true
	default:
		return c.in.Occasion.Merge != nil
	}
}

// exists reports whether a file of the project matches one of the patterns (CI/CD YAML syntax reference,
// rules:exists).
func (c *compiler) exists(ctx context.Context, clause *keyword.Exists, s *scope) (bool, string, *fault.Fault) {
	var other config.Files
	kind := "exists:"
	if clause.Project.Set {
		files, name, mistake := c.otherProject(ctx, clause, s)
		if files == nil {
			return false, "the files of another project need a server", mistake
		}
		other, kind = files, "exists:"+name+":"
	}
	if clause.Regexp.Set {
		paths, err := c.candidates(ctx, other, nil)
		if err != nil {
			return false, "", fault.At(CodeProject, clause.Place, "list the files of the project: %v", err)
		}
		return c.oneMatches("rules:exists", "exists", clause.Regexp, paths, s)
	}
	globs, mistake := c.globs(keyword.Strings(clause.Paths), s.nested, clause.Place)
	if mistake != nil {
		return false, "", mistake
	}
	paths, err := c.candidates(ctx, other, globs)
	if err != nil {
		return false, "", fault.At(CodeProject, clause.Place, "list the files of the project: %v", err)
	}
	glob, path, ok := c.remember(kind, globs, func() (string, string, bool) { return pattern.Exists(globs, paths) })
	switch {
	case ok && path == "":
		return true, "too many comparisons, so taken as existing", nil
	case ok && glob == path:
		return true, path + " exists", nil
	case ok:
		return true, fmt.Sprintf("%s exists (%s)", path, glob), nil
	default:
		return false, fmt.Sprintf("no file matches %s", list(texts(globs))), nil
	}
}

// oneMatches reports whether a regular expression in Ruby's language matches one of the paths; above the number of paths
// that GitLab looks at it does (CI/CD YAML syntax reference, rules:changes:regexp).
func (c *compiler) oneMatches(what, verb string, t keyword.Text, paths []string, s *scope) (bool, string, *fault.Fault) {
	if len(paths) > pattern.MaxComparisons {
		return true, "too many comparisons, so taken as matched", nil
	}
	text := s.nested(t.Value)
	re, err := rubyre.Compile(text)
	if err != nil {
		return false, "", fault.At(CodeRegexp, t.Place, "%s:regexp: %q cannot be read: %v", what, text, err)
	}
	path, held, err := re.Any(paths)
	switch {
	case err != nil:
		return false, "", fault.At(CodeRegexp, t.Place, "%s:regexp: %q on %s: %v", what, text, path, err).
			WithHint("anchor it with \\A and \\z, and keep repetitions out of repetitions")
	case held:
		return true, fmt.Sprintf("%s %s (/%s/)", path, verb, text), nil
	default:
		return false, fmt.Sprintf("none of %d files matches /%s/", len(paths), text), nil
	}
}

// globs compiles path patterns after their variables are filled in, each text once.
func (c *compiler) globs(paths []string, expand func(string) string, at fault.Place) ([]*pattern.Glob, *fault.Fault) {
	out := make([]*pattern.Glob, 0, len(paths))
	for _, p := range paths {
		text := expand(p)
		glob, ok := c.compiled[text]
		if !ok {
			var err *fault.Fault
			if glob, err = pattern.Compile(text, at); err != nil {
				return nil, err
			}
			c.compiled[text] = glob
		}
		out = append(out, glob)
	}
	return out, nil
}

func texts(globs []*pattern.Glob) []string {
	out := make([]string, len(globs))
	for i, g := range globs {
		out[i] = g.String()
	}
	return out
}

// candidates are the files among which exists looks: the project's, or where an include of another project asks, those
// of that project that its patterns name, all of them for none. other is the project that the clause itself names.
func (c *compiler) candidates(ctx context.Context, other config.Files, globs []*pattern.Glob) ([]string, error) {
	if other != nil {
		return other.Glob(ctx, "**")
	}
	if c.elsewhere == nil {
		return c.paths(ctx)
	}
	var out []string
	if globs == nil {
		return c.elsewhere.Glob(ctx, "**")
	}
	for _, g := range globs {
		text := g.String()
		if strings.HasSuffix(text, "/") {
			text += "**"
		}
		found, err := c.elsewhere.Glob(ctx, text)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// paths is the sorted list of the project's files, asked for once.
func (c *compiler) paths(ctx context.Context) ([]string, error) {
	if c.listed || c.in.Project == nil {
		return c.tree, nil
	}
	tree, err := c.in.Project.Paths(ctx)
	if err != nil {
		return nil, err
	}
	c.tree, c.listed = slices.Sorted(slices.Values(tree)), true
	return c.tree, nil
}

// remember keeps the answer for a set of globs: many jobs share theirs.
func (c *compiler) remember(kind string, globs []*pattern.Glob, ask func() (string, string, bool)) (glob, path string, ok bool) {
	key := kind + "\x00" + strings.Join(texts(globs), "\x00")
	m, seen := c.matches[key]
	if !seen {
		m.glob, m.path, m.ok = ask()
		c.matches[key] = m
	}
	return m.glob, m.path, m.ok
}

// match is an answer that remember keeps.
type match struct {
	glob, path string
	ok         bool
}
