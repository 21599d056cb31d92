package diff

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func itoa(i int) string { return strconv.Itoa(i) }

// Rules are rules that are ready to be used on many objects.
type Rules struct {
	rules []ready
}

type ready struct {
	Rule
	queries []query
}

// Prepare reads rules once for many objects. What cannot be read is told as a problem of each object that it is for.
func Prepare(rules []Rule) Rules {
	out := Rules{}
	for _, r := range rules {
		one := ready{Rule: r}
		for _, text := range r.JQ {
			one.queries = append(one.queries, compile(text))
		}
		out.rules = append(out.rules, one)
	}
	return out
}

// hit is a field that a rule leaves out.
type hit struct {
	path []string
	why  string
}

// hits are the fields of an object that the rules leave out. fields are the live object's managedFields.
func (r Rules) hits(side map[string]any, fields []entry) (out []hit, problems []string) {
	for _, rule := range r.rules {
		for _, p := range rule.Pointers {
			parts, ok := tokens(p)
			if !ok {
				problems = append(problems, fmt.Sprintf("%q is no JSON pointer: it begins with no slash", p))
				continue
			}
			if _, there := lookup(side, parts); there && len(parts) > 0 {
				out = append(out, hit{parts, rule.why("jsonPointers " + p)})
			}
		}
		for _, q := range rule.queries {
			paths, err := q.paths(side)
			if err != nil {
				problems = append(problems, fmt.Sprintf("jq path expression %q ignores nothing: %v", q.text, err))
				continue
			}
			for _, p := range paths {
				if _, there := lookup(side, p); there && len(p) > 0 {
					out = append(out, hit{p, rule.why("jqPathExpressions " + q.text)})
				}
			}
		}
		for _, e := range fields {
			if !slices.Contains(rule.Managers, e.manager) {
				continue
			}
			owned(side, e.fields, nil, func(p []string) {
				out = append(out, hit{slices.Clone(p), rule.why("managedFieldsManagers " + e.manager)})
			})
		}
	}
	return out, problems
}

func (r Rule) why(how string) string {
	if r.Why == "" {
		return how
	}
	return r.Why + ": " + how
}

// leaveOut is a copy of a side without the fields of the hits.
func leaveOut(side map[string]any, hits []hit) map[string]any {
	if len(hits) == 0 {
		return side
	}
	out := map[string]any(manifest.Object(side).Copy())
	for _, h := range hits {
		remove(out, h.path)
	}
	return out
}

// explain adds to what counts the differences that the rules took away, each with the reason.
func explain(counted, all []Difference, hits []hit) []Difference {
	counts := make(map[string]bool, len(counted))
	for _, d := range counted {
		counts[d.Path] = true
	}
	out := counted
	for _, d := range all {
		if counts[d.Path] {
			continue
		}
		for _, h := range hits {
			if p := pointer(h.path); below(d.Path, p) || below(p, d.Path) {
				d.Ignored = h.why
				out = append(out, d)
				break
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Difference) int { return comparePaths(a.Path, b.Path) })
	return out
}
