package config

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

const referenceTag = "!reference"

// maxReferences is how many references may lead to one another. GitLab's ten levels are those of nested script lists,
// which the next stage counts; this bound only keeps the work small.
const maxReferences = 100

// referrer puts in place of every !reference [a, b, c] the value at that path (Optimize GitLab CI/CD configuration
// files, !reference tags). A reference in a list becomes a list in the list, as in GitLab.
type referrer struct {
	l      *loader
	root   *yamlx.Node
	done   map[*yamlx.Node]*yamlx.Node
	active []*yamlx.Node // references being followed, outermost first
}

// refer resolves all references.
func (l *loader) refer(root *yamlx.Node) *yamlx.Node {
	if !root.HasTags() || l.stopped {
		return root
	}
	r := &referrer{l: l, root: root, done: map[*yamlx.Node]*yamlx.Node{}}
	out := r.node(root)
	switch {
	case out.Size() > yamlx.MaxSize:
		l.tell(CodeTotalSize, root.Place, "the configuration has more than %d values when references are followed", yamlx.MaxSize)
		return root
	case out.Height() > 2*yamlx.MaxDepth:
		l.tell(CodeReferenceDeep, root.Place, "values are nested more than %d levels deep when references are followed", 2*yamlx.MaxDepth)
		return root
	}
	return out
}

func (r *referrer) node(n *yamlx.Node) *yamlx.Node {
	if !n.HasTags() {
		return n
	}
	if out, ok := r.done[n]; ok {
		return out
	}
	var out *yamlx.Node
	switch {
	case n.Tag == referenceTag:
		out = r.follow(n)
	case n.Kind == yamlx.Sequence:
		items := make([]*yamlx.Node, len(n.Items))
		for i, c := range n.Items {
			items[i] = r.node(c)
		}
		out = yamlx.NewSequence(items, n.Place)
	case n.Kind == yamlx.Mapping:
		pairs := make([]yamlx.Pair, len(n.Pairs))
		for i, p := range n.Pairs {
			pairs[i] = yamlx.Pair{Key: p.Key, Value: r.node(p.Value)}
		}
		out = yamlx.NewMapping(pairs, n.Place)
	default:
		out = n
	}
	if len(r.active) == 0 || !slices.Contains(r.active, n) {
		r.done[n] = out
	}
	return out
}

// follow is the value that a reference means, resolved itself; null after a mistake.
func (r *referrer) follow(n *yamlx.Node) *yamlx.Node {
	null := yamlx.NewScalar(yamlx.Null, "", n.Place)
	if !isPath(n) {
		r.l.tell(CodeReference, n.Place, "a !reference takes a list of names").WithHint("for example !reference [.setup, script]")
		return null
	}
	if i := slices.Index(r.active, n); i >= 0 {
		var names []string
		for _, a := range append(slices.Clone(r.active[i:]), n) {
			names = append(names, shown(a))
		}
		r.l.tell(CodeReferenceCircle, n.Place, "references go in a circle: %s", strings.Join(names, " → "))
		return null
	}
	if len(r.active) >= maxReferences {
		r.l.tell(CodeReferenceDeep, n.Place, "references lead to one another more than %d times", maxReferences)
		return null
	}
	r.active = append(r.active, n)
	defer func() { r.active = r.active[:len(r.active)-1] }()
	at := r.root
	for i, name := range n.Items {
		if at.Tag == referenceTag {
			at = r.node(at)
		}
		next := at.Get(name.Value)
		if next.IsNull() {
			r.missing(n, i, at)
			return null
		}
		at = next
	}
	return r.node(at)
}

// missing tells which part of a path leads nowhere.
func (r *referrer) missing(n *yamlx.Node, i int, at *yamlx.Node) {
	name := n.Items[i]
	f := r.l.tell(CodeReferenceMissing, name.Place, "%s leads nowhere: there is no %q", shown(n), name.Value)
	if i > 0 {
		f.Message += " in " + strings.Join(names(n.Items[:i]), ", ")
	}
	if at.Kind == yamlx.Mapping && at.Has(name.Value) {
		f.Message = shown(n) + " leads to an empty value"
	}
	if near := r.l.near(name.Value, at.Keys()); near != "" {
		f.WithHint("did you mean %q?", near)
	}
}

// isPath reports whether a reference is a list of at least one name.
func isPath(n *yamlx.Node) bool {
	return n.Kind == yamlx.Sequence && len(n.Items) > 0 &&
		!slices.ContainsFunc(n.Items, func(i *yamlx.Node) bool { return !i.IsScalar() })
}

func names(nodes []*yamlx.Node) []string {
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = n.Value
	}
	return out
}

// shown is a reference as it is written.
func shown(n *yamlx.Node) string {
	return referenceTag + " [" + strings.Join(names(n.Items), ", ") + "]"
}
