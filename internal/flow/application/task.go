package application

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// task is one thing that a sync does with one object in one phase.
type task struct {
	key    manifest.Key
	kind   manifest.Kind
	target manifest.Object // as it is applied; nil to prune
	live   manifest.Object
	phase  string
	wave   int64
	hook   bool
	prune  bool
	space  bool // the namespace that CreateNamespace=true makes
	result *ResourceResult
}

func (t *task) stage() stage { return stage{slices.Index(phases, t.phase), t.wave} }

func (t *task) pending() bool {
	return t.result == nil || t.result.Status == "" && t.result.HookPhase == ""
}

func (t *task) running() bool { return t.result != nil && t.result.HookPhase == Running }

func (t *task) failed() bool {
	return t.result != nil && (t.result.HookPhase == Failed || t.result.HookPhase == Errored)
}

func (t *task) completed() bool { return t.result != nil && t.result.HookPhase.Completed() }

func (t *task) title() string { return t.key.Group + "/" + t.key.Kind + "/" + t.key.Name }

// resultKey tells results apart: a hook of two phases has two.
type resultKey struct {
	key   manifest.Key
	phase string
}

func (r ResourceResult) id() resultKey {
	return resultKey{manifest.Key{Group: r.Group, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}, r.SyncPhase}
}

// plan makes the tasks of an operation of what was compared.
func (n *syncer) plan() {
	hooked := n.hooksRun()
	for i := range n.Comparison.Pairs {
		p := &n.Comparison.Pairs[i]
		switch {
		case p.Hook:
			if hooked && p.Target != nil {
				n.planHook(p)
			}
		case n.chosen(p):
			n.tasks = append(n.tasks, n.planResource(p))
		}
	}
	if t := n.planNamespace(); t != nil {
		n.tasks = append(n.tasks, t)
	}
	for _, t := range n.tasks {
		t.result = n.results[resultKey{t.key, t.phase}]
		if t.pending() && n.made(t) {
			n.set(t, "Synced", Running, done(Apply{Object: t.target}, t.live))
		}
	}
	reverse(n.tasks, n.options)
	order(n.tasks)
}

// hooksRun: hooks do not run in a selective sync, nor under the apply strategy
// (https://argo-cd.readthedocs.io/en/stable/user-guide/selective_sync/).
func (n *syncer) hooksRun() bool {
	return len(n.sync.Resources) == 0 && (n.sync.SyncStrategy == nil || n.sync.SyncStrategy.Apply == nil)
}

// chosen reports whether a resource takes part.
func (n *syncer) chosen(p *Pair) bool {
	if len(n.sync.Resources) > 0 {
		return Selected(n.sync.Resources, p.Key)
	}
	if v, _ := setting(n.options, "ApplyOutOfSyncOnly"); v == "true" && p.Status == Synced {
		return n.touched(p.Key, Sync)
	}
	return true
}

// touched reports whether this operation has done something with an object, or has just been answered about it.
func (n *syncer) touched(k manifest.Key, phase string) bool {
	return n.results[resultKey{k, phase}] != nil || slices.ContainsFunc(n.Answered, func(a Answer) bool {
		act, ok := a.Action.(Apply)
		return ok && !act.DryRun && act.Object.Key() == k
	})
}

// Selected reports whether a selection names a resource. A namespace that is not told is any; what is excluded is out, and
// where all entries exclude, the rest is in.
func Selected(list []Chosen, k manifest.Key) bool {
	included, only := false, true
	for _, c := range list {
		hit := glob(c.Group, k.Group) && glob(c.Kind, k.Kind) && glob(c.Name, k.Name) && (c.Namespace == "" || glob(c.Namespace, k.Namespace))
		switch {
		case c.Exclude && hit:
			return false
		case !c.Exclude:
			only = false
			included = included || hit
		}
	}
	return included || only
}

func (n *syncer) planResource(p *Pair) *task {
	t := &task{key: p.Key, kind: p.Kind, target: p.Target, live: p.Live, phase: Sync, wave: p.Wave, prune: p.Prune}
	if v, _ := setting(n.options, "RespectIgnoreDifferences"); v == "true" && p.Merged != nil {
		t.target = p.Merged
	}
	return t
}

func (n *syncer) planHook(p *Pair) {
	for _, phase := range Hooks(p.Target) {
		if !slices.Contains(phases, phase) {
			continue
		}
		target := p.Target.Copy()
		if target.Name() == "" {
			target.Set(target.GenerateName()+n.suffix(phase), "metadata", "name")
			if n.Tracking.App != "" {
				n.Tracking.Mark(target, n.App.Spec.Destination.Namespace)
			}
		}
		t := &task{key: target.Key(), kind: p.Kind, target: target, phase: phase, wave: p.Wave, hook: true}
		if t.live = n.hooks[t.key]; t.live == nil && p.Target.Name() != "" {
			t.live = p.Live
		}
		n.tasks = append(n.tasks, t)
	}
}

// made reports whether this try of the operation has made a hook, which its results do not say where the controller ended
// before it could record that.
func (n *syncer) made(t *task) bool {
	return t.hook && t.live != nil && t.live.Annotation(AnnotationOperation) == n.maker(t)
}

// maker names the operation, its try and the phase that makes a hook.
func (n *syncer) maker(t *task) string {
	return fmt.Sprintf("%s/%d/%s", n.state.StartedAt.UTC().Format(time.RFC3339), n.state.RetryCount, t.phase)
}

// suffix is what a hook without a name is called by: the revision, the phase and the operation's start.
func (n *syncer) suffix(phase string) string {
	revision := ""
	if r := n.state.SyncResult; r != nil {
		if revision = r.Revision; revision == "" && len(r.Revisions) > 0 {
			revision = r.Revisions[0]
		}
	}
	if len(revision) >= 8 {
		revision = revision[:7]
	}
	return strings.ToLower(fmt.Sprintf("%s-%s-%d", revision, phase, n.state.StartedAt.UTC().Unix()))
}

// CreatesNamespace is the namespace that an operation makes where it is missing, or gives its managedNamespaceMetadata; ""
// for none (https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/, "Create Namespace").
func CreatesNamespace(app Application, op Operation) string {
	v, _ := setting(app.SyncOptions(op.Sync), "CreateNamespace")
	if v != "true" {
		return ""
	}
	return app.Spec.Destination.Namespace
}

func (n *syncer) planNamespace() *task {
	name := CreatesNamespace(n.App, n.Operation)
	if name == "" {
		return nil
	}
	key := manifest.Key{Kind: "Namespace", Name: name}
	for _, t := range n.tasks {
		if t.key == key {
			return nil // the sources hold it
		}
	}
	var meta *NamespaceMeta
	if p := n.App.Spec.SyncPolicy; p != nil {
		meta = p.ManagedNamespaceMetadata
	}
	if n.Namespace != nil && meta == nil && !n.touched(key, PreSync) {
		return nil
	}
	o := namespaceOf(name, meta)
	return &task{key: key, kind: o.Kind(), target: o, live: n.Namespace, phase: PreSync, space: true}
}

// namespaceOf is the destination's namespace as managedNamespaceMetadata, nil for none, wants it.
func namespaceOf(name string, meta *NamespaceMeta) manifest.Object {
	o := manifest.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}
	if meta == nil {
		return o
	}
	for k, v := range meta.Labels {
		o.SetLabel(k, v)
	}
	for k, v := range meta.Annotations {
		o.SetAnnotation(k, v)
	}
	if _, ok := setting(words(o.Annotation(AnnotationSyncOptions)), "ServerSideApply"); !ok {
		o.SetAnnotation(AnnotationSyncOptions, strings.Trim(o.Annotation(AnnotationSyncOptions)+",ServerSideApply=true", ","))
	}
	return o
}

// managed reports whether a live object is the destination's namespace, which managedNamespaceMetadata looks after: it may
// carry the application's mark from a time when the sources held it, and is not pruned for that.
func (a Application) managed(o manifest.Object) bool {
	p := a.Spec.SyncPolicy
	return p != nil && p.ManagedNamespaceMetadata != nil && o.Kind().Kind == "Namespace" && o.Kind().Group == "" && o.Name() == a.Spec.Destination.Namespace
}
