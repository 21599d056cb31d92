package config

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

// extender resolves extends of all entries of the top level (CI/CD YAML syntax reference, extends).
type extender struct {
	l     *loader
	root  *yamlx.Node
	done  map[string]*extended
	path  []string // entries being extended, outermost first
	size  int      // values of all merged entries
	names []string // for hints, once asked for
	deep  int      // entries told to be too deep
}

// maxDeep bounds the entries told to be too deep; a long row of them is one mistake.
const maxDeep = 20

// extended is an entry with what it extends merged in.
type extended struct {
	node   *yamlx.Node
	levels int // of extends above it
}

// extend merges into every entry what it extends.
func (l *loader) extend(root *yamlx.Node) *yamlx.Node {
	x := &extender{l: l, root: root, done: map[string]*extended{}}
	pairs, changed := make([]yamlx.Pair, len(root.Pairs)), false
	for i, p := range root.Pairs {
		pairs[i] = p
		if p.Key.Value == "variables" || !p.Value.Has("extends") || p.Value.Tag != "" {
			continue
		}
		if e := x.entry(p); e.node != p.Value {
			pairs[i].Value, changed = e.node, true
		}
		if l.stopped {
			return root
		}
	}
	if !changed {
		return root
	}
	return yamlx.NewMapping(pairs, root.Place)
}

// bases are the names in extends as written.
func bases(n *yamlx.Node) []string {
	var out []string
	for _, item := range baseNodes(n) {
		out = append(out, item.Value)
	}
	return out
}

func baseNodes(n *yamlx.Node) []*yamlx.Node {
	if n == nil || n.Kind != yamlx.Mapping {
		return nil
	}
	var out []*yamlx.Node
	for _, item := range listed(n.Get("extends")) {
		if item.IsScalar() {
			out = append(out, item)
		}
	}
	return out
}

// entry is the entry p with everything that it extends, worked out once. After a mistake the entry stays as it is.
func (x *extender) entry(p yamlx.Pair) *extended {
	name := p.Key.Value
	if e := x.done[name]; e != nil {
		return e
	}
	e := &extended{node: p.Value}
	extends := p.Value.Get("extends")
	if !p.Value.IsMapping() || extends == nil {
		x.done[name] = e
		return e
	}
	x.path = append(x.path, name)
	merged := x.merged(p, extends, e)
	x.path = x.path[:len(x.path)-1]
	if merged != nil {
		e.node = yamlx.Merge(merged, p.Value)
	}
	if x.size += e.node.Size(); x.size > yamlx.MaxSize && !x.l.stopped {
		x.l.stopped = true
		x.l.tell(CodeTotalSize, extends.Place, "the configuration has more than %d values when extends is followed", yamlx.MaxSize)
	}
	x.done[name] = e
	return e
}

// merged lays the bases of an entry upon one another in the order in which they are named; nil where there are none.
func (x *extender) merged(p yamlx.Pair, extends *yamlx.Node, e *extended) *yamlx.Node {
	if len(x.path) > MaxExtends+1 { // the outermost entry is too deep already and is told below
		return nil
	}
	var merged *yamlx.Node
	for _, item := range listed(extends) {
		base, ok := x.base(p.Key.Value, item)
		if !ok || x.l.stopped {
			continue
		}
		below := x.entry(base)
		e.levels = max(e.levels, below.levels+1)
		merged = yamlx.Merge(merged, below.node)
	}
	if e.levels == MaxExtends+1 && x.deep < maxDeep {
		x.deep++
		x.l.tell(CodeExtendsDeep, extends.Place, "%q extends others over more than %d levels", p.Key.Value, MaxExtends).
			WithHint("GitLab advises at most three")
	}
	return merged
}

// base finds what an item of extends names.
func (x *extender) base(job string, item *yamlx.Node) (yamlx.Pair, bool) {
	if !item.IsScalar() {
		f := x.l.tell(CodeExtends, item.Place, "extends of %q takes names, but this is %s", job, item.Describe())
		if item.Tag == referenceTag {
			f.WithHint("references are resolved after extends")
		}
		return yamlx.Pair{}, false
	}
	base, ok := x.root.Find(item.Value)
	switch {
	case !ok:
		f := x.l.tell(CodeExtendsUnknown, item.Place, "%q extends %q, which does not exist", job, item.Value)
		if near := x.near(item.Value, job); near != "" {
			f.WithHint("did you mean %q?", near)
		}
		return base, false
	case slices.Contains(x.path, item.Value):
		i := slices.Index(x.path, item.Value)
		x.l.tell(CodeExtendsCircle, item.Place, "extends goes in a circle: %s", strings.Join(append(slices.Clone(x.path[i:]), item.Value), " → "))
		return base, false
	case !base.Value.IsMapping():
		x.l.tell(CodeExtends, item.Place, "%q extends %q, which is %s and no mapping", job, item.Value, base.Value.Describe()).
			WithHint("it is at %s", base.Key.Place)
		return base, false
	}
	return base, true
}

func (x *extender) near(name, job string) string {
	if x.names == nil {
		x.names = x.root.Keys()
	}
	return x.l.near(name, slices.DeleteFunc(slices.Clone(x.names), func(n string) bool { return n == job }))
}
