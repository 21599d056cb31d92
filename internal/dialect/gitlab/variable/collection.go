// Package variable knows GitLab's CI/CD variables: which one wins where several have a name, how references in their
// values are followed on the server and on the runner, and what the predefined ones say.
//
// It reads no environment, no repository and no clock: facts are arguments. It does not validate the keyword
// variables:, and it leaves what a job's shell does with $NAME to that shell.
//
// References are followed in three places (GitLab documentation, "Where variables can be used"):
//
//   - the server: $NAME, ${NAME} and %NAME%; Expand, ExpandExisting and Collection.Expand;
//   - the runner: $NAME and ${NAME}, once, and $$ for $; Collection.Runner and ExpandRunner; for the paths of artifacts
//     and caches the parameter expansion of a shell; ExpandPath;
//   - the shell, in scripts: not here.
package variable

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Collection is a set of variables in the order of their precedence: by level, and within a level as added (GitLab
// documentation, CI/CD variable precedence). The zero value and nil are empty. A Collection is not changed once it is
// made, and safe for concurrent use; With makes a larger one without copying.
type Collection struct {
	base *Collection
	own  []plan.Variable // by level, then as added
	last map[string]int  // the strongest of own by name
}

// New makes a collection. Variables may have one name; the strongest counts, and stronger ones may refer to the others.
func New(vs ...plan.Variable) *Collection { return (*Collection)(nil).With(vs...) }

// With adds variables, each where its level puts it.
func (c *Collection) With(vs ...plan.Variable) *Collection {
	out := &Collection{base: c, own: slices.Clone(vs), last: make(map[string]int, len(vs))}
	slices.SortStableFunc(out.own, func(a, b plan.Variable) int { return int(a.Level) - int(b.Level) })
	for i, v := range out.own {
		out.last[v.Name] = i
	}
	return out
}

// Get finds the strongest variable of a name.
func (c *Collection) Get(name string) (plan.Variable, bool) {
	var best plan.Variable
	found := false
	for ; c != nil; c = c.base {
		if i, ok := c.last[name]; ok && (!found || c.own[i].Level > best.Level) {
			best, found = c.own[i], true
		}
	}
	return best, found
}

// Value finds the value of a name, as rules:if asks for it.
func (c *Collection) Value(name string) (string, bool) {
	v, ok := c.Get(name)
	return v.Value, ok
}

// All lists every variable, weakest first, those without effect included.
func (c *Collection) All() []plan.Variable {
	var layers []*Collection
	n := 0
	for ; c != nil; c = c.base {
		layers = append(layers, c)
		n += len(c.own)
	}
	out := make([]plan.Variable, 0, n)
	for _, l := range slices.Backward(layers) {
		out = append(out, l.own...)
	}
	if len(layers) > 1 {
		slices.SortStableFunc(out, func(a, b plan.Variable) int { return int(a.Level) - int(b.Level) })
	}
	return out
}

// Effective lists the strongest variable of each name, weakest first.
func (c *Collection) Effective() []plan.Variable {
	all := c.All()
	last := make(map[string]int, len(all))
	for i, v := range all {
		last[v.Name] = i
	}
	out := all[:0]
	for i, v := range all {
		if last[v.Name] == i {
			out = append(out, v)
		}
	}
	return out
}

// Map is what takes effect, by name.
func (c *Collection) Map() map[string]string {
	out := map[string]string{}
	for _, v := range c.All() {
		out[v.Name] = v.Value
	}
	return out
}

// Masked lists the values that must not show in output, longest first, each once and none empty.
func (c *Collection) Masked() []string {
	var out []string
	for _, v := range c.All() {
		if v.Masked && v.Value != "" {
			out = append(out, v.Value)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(out)
}
