package pattern

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/expr"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Facts are what only and except look at.
type Facts struct {
	Ref     string // the branch or tag; of a merge request pipeline anything
	Tag     bool   // Ref is a tag
	Merge   bool   // a merge request pipeline, of whatever kind
	Source  string // CI_PIPELINE_SOURCE: push, web, merge_request_event, ...
	Project string // path of the project, group/project
}

// Ref is one entry of only or except.
type Ref struct {
	text    string
	name    string // without the project
	re      *expr.Pattern
	project string
	limited bool
}

// Refs is a list of them; any one suffices.
type Refs []*Ref

// CompileRef reads one entry of only or except (GitLab documentation, deprecated keywords, only:refs): the name of a
// branch or tag, /a regular expression/flags, or a keyword for a kind of pipeline (branches, tags, pushes, schedules,
// merge_requests, api, web, ...); @group/project behind it limits it to that project.
//
// An invalid regular expression is an error and the Ref nil. An @ inside a regular expression is answered with a
// warning, because what follows is taken as a project; the Ref is as GitLab understands it.
func CompileRef(text string, at fault.Place) (*Ref, *fault.Fault) {
	r := &Ref{text: text}
	r.name, r.project, r.limited = strings.Cut(text, "@")
	if expr.IsPattern(text) {
		if _, err := expr.CompilePattern(text); err != nil {
			return nil, fault.At(CodeRef, at, "the ref %s: %v", text, err)
		}
		if r.limited {
			return r, fault.At(CodeRefPath, at, "the ref %s matches nothing: what follows the @ is taken as a project", text).
				WithSeverity(fault.Warning).WithHint(`write \x40 for an @ in a regular expression`)
		}
	}
	if expr.IsPattern(r.name) {
		re, err := expr.CompilePattern(r.name)
		if err != nil {
			return nil, fault.At(CodeRef, at, "the ref %s: %v", text, err)
		}
		r.re = re
	}
	return r, nil
}

// String is the entry as written.
func (r *Ref) String() string { return r.text }

// Match reports whether the entry fits the pipeline. Names and regular expressions are about branches and tags: in
// merge request pipelines only keywords fit.
func (r *Ref) Match(f Facts) bool {
	if r.limited && r.project != f.Project {
		return false
	}
	source := strings.TrimSuffix(f.Source, "_event")
	switch {
	case r.name == "tags" && f.Tag && !f.Merge, r.name == "branches" && !f.Tag && !f.Merge:
		return true
	case source != "" && (r.name == source || r.name == plural(source)):
		return true
	case f.Merge:
		return false
	case r.re != nil:
		return r.re.Match(f.Ref)
	default:
		return r.name == f.Ref
	}
}

// Match finds the entry that fits.
func (rs Refs) Match(f Facts) (*Ref, bool) {
	for _, r := range rs {
		if r.Match(f) {
			return r, true
		}
	}
	return nil, false
}

// plural is English enough for the pipeline sources: pushes, policies, schedules.
func plural(source string) string {
	switch {
	case strings.HasSuffix(source, "sh"), strings.HasSuffix(source, "ch"), strings.HasSuffix(source, "s"), strings.HasSuffix(source, "x"):
		return source + "es"
	case strings.HasSuffix(source, "y") && len(source) > 1 && !strings.ContainsRune("aeiou", rune(source[len(source)-2])):
		return source[:len(source)-1] + "ies"
	default:
		return source + "s"
	}
}
