package config

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// entry is one include: what is included and how.
type entry struct {
	kind   string      // local, project, remote, template, component or artifact
	value  *yamlx.Node // of the key that says the kind; the text itself for the short form
	text   string      // its text, variables expanded
	node   *yamlx.Node // the mapping; nil for the short form
	inputs *yamlx.Node
	place  fault.Place
}

// The keys of an include (CI/CD YAML syntax reference, include).
var (
	includeKinds = []string{"local", "project", "remote", "template", "component", "artifact"}
	includeKeys  = append(slices.Clone(includeKinds), "file", "ref", "integrity", "cache", "inputs", "job", "rules")
	headerKeys   = []string{"local", "project", "remote", "file", "ref", "integrity"}
	// withKind says which other keys belong to which kind only.
	withKind = map[string]string{"file": "project", "ref": "project", "integrity": "remote", "cache": "remote", "job": "artifact"}
)

// includes reads everything that an include names, in order, into one tree: what comes later wins.
func (l *loader) includes(ctx context.Context, n *yamlx.Node, o *origin) *yamlx.Node {
	tree := yamlx.NewMapping(nil, n.Place)
	for _, item := range listed(n) {
		if l.stopped {
			break
		}
		e := l.entry(item, o, includeKeys)
		if e == nil || !l.taken(ctx, e, o) {
			continue
		}
		l.each(ctx, e, o, func(f *fetched) {
			if content := l.file(ctx, f.origin, f.content, e.inputs, e.place); content != nil {
				tree = yamlx.Merge(tree, content)
			}
		})
	}
	return tree
}

// externalInputs reads the files of spec:include, each of which holds nothing but inputs.
func (l *loader) externalInputs(ctx context.Context, o *origin, n *yamlx.Node) []*input {
	if o.component != nil && o.kind == "component" {
		l.tell(CodeHeader, n.Place, "a component cannot have spec:include").WithHint("declare its inputs in its own header")
		return nil
	}
	var all []*input
	for _, item := range listed(n) {
		e := l.entry(item, o, headerKeys)
		if e == nil || l.stopped {
			continue
		}
		l.each(ctx, e, o, func(f *fetched) { all = l.inputsOf(f, e, all) })
	}
	return all
}

// inputsOf adds the inputs of one external file.
func (l *loader) inputsOf(f *fetched, e *entry, all []*input) []*input {
	l.config.Files = append(l.config.Files, File{
		Kind: f.origin.kind, Name: f.origin.name, At: e.place, Parent: f.origin.parentIndex, Content: f.content,
	})
	t := l.parse(f.origin, f.content, e.place)
	if t.body == nil {
		return all
	}
	l.known(t.body, []string{"inputs"}, CodeHeader, "a file of inputs")
	return l.declared(all, t.body.Get("inputs"))
}

// listed are the includes of a list, or the only one.
func listed(n *yamlx.Node) []*yamlx.Node {
	switch {
	case n.IsNull():
		return nil
	case n.IsSequence():
		return n.Items
	default:
		return []*yamlx.Node{n}
	}
}

// entry reads one include, or nil where it is not of use.
func (l *loader) entry(n *yamlx.Node, o *origin, keys []string) *entry {
	if n.IsNull() {
		return nil
	}
	if text, ok := n.Str(); ok {
		e := &entry{kind: "local", value: n, text: l.expanded(text, o), place: n.Place}
		if isURL(e.text) {
			e.kind = "remote"
		}
		return e
	}
	if !n.IsMapping() {
		f := l.tell(CodeInclude, n.Place, "an include is a path, a URL or a mapping, but this is %s", n.Describe())
		if n.Tag == referenceTag {
			f.WithHint("references are resolved after includes, so include cannot have one")
		}
		return nil
	}
	l.known(n, keys, CodeInclude, "include")
	e := &entry{node: n, place: n.Place, inputs: n.Get("inputs")}
	if !l.kind(e) {
		return nil
	}
	if e.inputs.IsNull() {
		e.inputs = nil
	} else if !e.inputs.IsMapping() {
		l.tell(CodeInclude, e.inputs.Place, "inputs is %s, but must be a mapping of names and values", e.inputs.Describe())
		return nil
	}
	text, ok := e.value.Str()
	if !ok {
		l.tell(CodeInclude, e.value.Place, "%s is %s, but must be text", e.kind, e.value.Describe())
		return nil
	}
	e.text = l.expanded(text, o)
	return e
}

// kind finds the one key that says what is included.
func (l *loader) kind(e *entry) bool {
	for _, k := range includeKinds {
		p, ok := e.node.Find(k)
		if !ok || p.Value.IsNull() {
			continue
		}
		if e.kind != "" {
			l.tell(CodeInclude, p.Key.Place, "an include has either %s or %s, not both", e.kind, k).WithHint("make two includes of it")
			return false
		}
		e.kind, e.value = k, p.Value
	}
	if e.kind == "" {
		l.tell(CodeInclude, e.place, "the include does not say what to include").WithHint("it needs one of %s", strings.Join(includeKinds, ", "))
		return false
	}
	for key, kind := range withKind {
		if p, ok := e.node.Find(key); ok && kind != e.kind {
			l.tell(CodeInclude, p.Key.Place, "%s has no meaning in an include of %s", key, e.kind).WithHint("it belongs to %s", kind)
		}
	}
	return true
}

// expanded is a text of an include with its variables; those that are not defined are empty.
func (l *loader) expanded(text string, o *origin) string {
	return expand(text, o.variables, false, func(string, Variable) {})
}

// The keys of include:rules.
var includeRuleKeys = []string{"if", "exists", "changes", "when"}

// taken asks the rules of an include.
func (l *loader) taken(ctx context.Context, e *entry, o *origin) bool {
	rules := e.node.Get("rules")
	if rules.IsNull() {
		return true
	}
	if !rules.IsSequence() {
		l.tell(CodeIncludeRule, rules.Place, "the rules of an include are %s, but must be a list", rules.Describe())
		return false
	}
	ok := true
	for i, r := range rules.Items {
		ok = l.includeRule(r, fmt.Sprintf("rule %d of the include", i+1)) && ok
	}
	if !ok || l.in.Rules == nil {
		return ok
	}
	take, faults := l.in.Rules(ctx, rules, o.scope())
	l.faults.Add(faults...)
	return take
}

func (l *loader) includeRule(r *yamlx.Node, what string) bool {
	if !r.IsMapping() {
		l.tell(CodeIncludeRule, r.Place, "%s is %s, but must be a mapping", what, r.Describe())
		return false
	}
	before := l.errors()
	l.known(r, includeRuleKeys, CodeIncludeRule, what)
	if when := r.Get("when"); !when.IsNull() && when.Value != "always" && when.Value != "never" {
		l.tell(CodeIncludeRule, when.Place, "%s has when: %s, but an include is taken always or never", what, when.Text())
	}
	return l.errors() == before
}
