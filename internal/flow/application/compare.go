package application

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/application/diff"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Compare tells how live stands against what is desired: every resource and hook as a Pair, the application's sync status and
// health, and the conditions that follow from them. It changes nothing of its input
// (https://argo-cd.readthedocs.io/en/stable/user-guide/diffing/).
func Compare(c Comparing) Comparison {
	k := comparer{Comparing: c, rules: map[manifest.Kind]diff.Rules{}, problems: map[string]bool{}}
	k.targets()
	k.pairs()
	out := Comparison{Status: Synced, Conditions: k.conditions}
	for _, p := range k.found {
		if p.Status == OutOfSync && !p.Hook && !extraneousIgnored(p) {
			out.Status = OutOfSync
		}
		out.Pairs = append(out.Pairs, p)
	}
	out.Health = health(out.Pairs)
	out.Images, out.URLs = k.summary(out.Pairs)
	k.orphans(&out)
	return out
}

// extraneousIgnored reports whether a resource that the sources do not name shall not make the application out of sync
// (https://argo-cd.readthedocs.io/en/stable/user-guide/compare-options/).
func extraneousIgnored(p Pair) bool {
	return p.Prune && slices.Contains(words(p.Live.Annotation(AnnotationCompareOptions)), "IgnoreExtraneous")
}

// comparer is a comparison on its way.
type comparer struct {
	Comparing
	rules      map[manifest.Kind]diff.Rules // of rules that name no object
	problems   map[string]bool
	conditions []Condition
	wanted     []manifest.Object // targets with their namespaces and marks
	found      []Pair
	defined    map[manifest.Kind]bool // kinds that the targets define: whether namespaced
}

func (c *comparer) warn(kind, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if !c.problems[kind+message] {
		c.problems[kind+message] = true
		c.conditions = append(c.conditions, Condition{Type: kind, Message: message})
	}
}

// namespaced tells of a kind whether its objects live in namespaces: what the cluster says, else what a definition among the
// targets says, else that they do.
func (c *comparer) namespaced(k manifest.Kind) bool {
	if c.Scope != nil {
		if namespaced, known := c.Scope(k); known {
			return namespaced
		}
	}
	if namespaced, ok := c.defined[manifest.Kind{Group: k.Group, Kind: k.Kind}]; ok {
		return namespaced
	}
	return true
}

// known reports whether anything says where objects of a kind live.
func (c *comparer) known(k manifest.Kind) bool {
	if c.Scope != nil {
		if _, known := c.Scope(k); known {
			return true
		}
	}
	_, ok := c.defined[manifest.Kind{Group: k.Group, Kind: k.Kind}]
	return ok || c.Scope == nil
}

// targets puts every desired object in its place: namespace and tracking mark set, each once, what is excluded left out.
func (c *comparer) targets() {
	c.defined = definitions(c.Desired.Objects)
	count, last := map[manifest.Key]int{}, map[manifest.Key]int{}
	for _, o := range c.Desired.Objects {
		o = c.placed(o)
		if o == nil {
			continue
		}
		if o.Name() == "" {
			c.wanted = append(c.wanted, o) // a hook that is named at its sync
			continue
		}
		k := o.Key()
		if count[k]++; count[k] > 1 {
			c.wanted[last[k]] = o
			continue
		}
		last[k] = len(c.wanted)
		c.wanted = append(c.wanted, o)
	}
	for _, o := range c.wanted {
		if n := count[o.Key()]; n > 1 && o.Name() != "" {
			c.warn("RepeatedResourceWarning", "Resource %s appeared %d times among application resources.", o.Key(), n)
		}
	}
}

func (c *comparer) placed(o manifest.Object) manifest.Object {
	kind, namespace := o.Kind(), c.App.Spec.Destination.Namespace
	if !c.Settings.Includes(kind) {
		c.warn("ExcludedResourceWarning", "Resource %s/%s %s is excluded in the settings", kind.Group, kind.Kind, o.Name())
		return nil
	}
	o = o.Copy()
	switch {
	case !c.namespaced(kind):
		o.Drop("metadata", "namespace")
	case o.Namespace() == "" && namespace == "" && !c.known(kind):
	case o.Namespace() == "" && namespace == "":
		c.warn("InvalidSpecError", "Namespace for %s %s is missing.", o.Name(), gvk(kind))
	case o.Namespace() == "":
		o.Set(namespace, "metadata", "namespace")
	}
	c.Tracking.Mark(o, namespace)
	return o
}

// gvk is how Kubernetes prints a kind.
func gvk(k manifest.Kind) string { return fmt.Sprintf("%s/%s, Kind=%s", k.Group, k.Version, k.Kind) }

// definitions are the kinds that CustomResourceDefinitions among the objects define, and whether they are namespaced.
func definitions(objects []manifest.Object) map[manifest.Kind]bool {
	out := map[manifest.Kind]bool{}
	for _, o := range objects {
		if o.Kind().Kind == "CustomResourceDefinition" && o.Kind().Group == "apiextensions.k8s.io" {
			out[manifest.Kind{Group: o.Text("spec", "group"), Kind: o.Text("spec", "names", "kind")}] = o.Text("spec", "scope") != "Cluster"
		}
	}
	return out
}

// pairs joins targets with live objects, and adds the live objects that the sources do not name.
func (c *comparer) pairs() {
	used := map[manifest.Key]bool{}
	for _, t := range c.wanted {
		k := t.Key()
		live := c.Live.Objects[k]
		if t.Name() == "" {
			live = nil
		}
		used[k] = true
		c.found = append(c.found, c.pair(k, t, live))
	}
	for _, k := range slices.SortedFunc(maps.Keys(c.Live.Objects), manifest.Key.Compare) {
		live := c.Live.Objects[k]
		if used[k] || !c.Tracking.Holds(live) || len(live.Owners()) > 0 || !c.Settings.Includes(live.Kind()) {
			continue
		}
		if c.Permitted != nil && !c.Permitted(live.Kind(), live.Namespace(), live.Name()) {
			continue
		}
		if c.App.managed(live) {
			c.found = append(c.found, c.pair(k, namespaceOf(k.Name, c.App.Spec.SyncPolicy.ManagedNamespaceMetadata), live))
			continue
		}
		c.found = append(c.found, c.extra(k, live))
	}
	slices.SortStableFunc(c.found, func(a, b Pair) int { return a.Key.Compare(b.Key) })
}

func (c *comparer) extra(k manifest.Key, live manifest.Object) Pair {
	p := Pair{Key: k, Kind: live.Kind(), Live: live, Wave: wave(live)}
	if isHook(live) {
		p.Hook = true
		return p
	}
	out := diff.Objects(c.input(nil, live), diff.Rules{})
	p.Found, p.Status, p.Prune = out.Found, OutOfSync, true
	p.Health = c.assess(live)
	return p
}

func (c *comparer) pair(k manifest.Key, target, live manifest.Object) Pair {
	p := Pair{Key: k, Kind: target.Kind(), Target: target, Live: live, Wave: wave(target), Hook: isHook(target)}
	if live != nil {
		if owner := c.Tracking.Owner(live); owner != "" && !c.Tracking.Holds(live) {
			p.Shared = qualified(owner)
			c.warn("SharedResourceWarning", "%s/%s is part of applications %s and %s", k.Kind, k.Name, c.App.QualifiedName(), p.Shared)
		} else if other := c.Tracking.Foreign(live); other != "" {
			p.Shared = qualified(other)
			c.warn("SharedResourceWarning", "%s/%s is part of application %s of the installation %q", k.Kind, k.Name, p.Shared, live.Annotation(AnnotationInstallation))
		}
	}
	if p.Hook {
		return p
	}
	out := diff.Objects(c.input(target, live), c.rulesFor(target))
	p.Wanted, p.Found, p.Differences, p.Merged = out.Wanted, out.Found, out.Differences, out.Merged
	for _, problem := range out.Problems {
		c.warn("ComparisonError", "%s/%s: %s", k.Kind, k.Name, problem)
	}
	p.Status = Synced
	if live == nil {
		p.Status, p.Health = OutOfSync, &Health{Status: "Missing"}
		return p
	}
	if out.Counts() {
		p.Status = OutOfSync
	}
	p.Health = c.assess(live)
	return p
}

func (c *comparer) assess(live manifest.Object) *Health {
	if c.Health == nil {
		return nil
	}
	if h := c.Health(live); h.Status != "" {
		return &h
	}
	return nil
}

func (c *comparer) input(target, live manifest.Object) diff.Input {
	in := diff.Input{
		Target: target, Live: live, Manager: SyncManager, Webhooks: c.App.webhooksCount(),
		Options: diff.Options{
			IgnoreStatus: c.Settings.IgnoreResourceStatus, IgnoreAggregatedRoles: c.Settings.IgnoreAggregatedRoles,
			MaskedAnnotations: c.Settings.MaskedAnnotations,
		},
	}
	for _, k := range c.Settings.KnownTypes {
		in.Options.KnownTypes = append(in.Options.KnownTypes, diff.KnownType(k))
	}
	if target == nil || live == nil || c.Predicted == nil {
		return in
	}
	opts := words(target.Annotation(AnnotationCompareOptions))
	if v, _ := setting(opts, "ServerSideDiff"); v != "false" {
		in.Predicted = c.Predicted[target.Key()]
	}
	return in
}
