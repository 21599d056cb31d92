package application

import (
	"fmt"
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// prepare is what comes before the first object is brought to the cluster: what is asked for must be sound, the namespace is
// made, and a dry run of all must pass. It reports whether the sync may begin.
func (n *syncer) prepare() bool {
	if shared := n.shared(); shared != "" {
		n.state.Phase, n.state.Message = Failed, "Shared resource found: "+shared
		return false
	}
	if !n.sound() {
		n.state.Phase, n.state.Message = Failed, "one or more synchronization tasks are not valid"
		return false
	}
	if n.tested {
		return true
	}
	if i := slices.IndexFunc(n.tasks, func(t *task) bool { return t.space }); i >= 0 && !n.sync.DryRun {
		switch t := n.tasks[i]; {
		case t.failed():
			n.failed(reason(n.tasks))
			return false
		case t.pending():
			n.ask(n.apply(t, false))
			return false
		}
	}
	n.dryRun()
	return false
}

// shared is the message of the first resource that another application holds, where FailOnSharedResource=true.
func (n *syncer) shared() string {
	if v, _ := setting(n.options, "FailOnSharedResource"); v != "true" {
		return ""
	}
	for _, p := range n.Comparison.Pairs {
		if p.Shared != "" {
			return fmt.Sprintf("%s/%s is part of applications %s and %s", p.Key.Kind, p.Key.Name, n.App.QualifiedName(), p.Shared)
		}
	}
	return ""
}

// sound checks each task: it has a name, its kind is known or will be, and the project permits it.
func (n *syncer) sound() bool {
	ok := true
	for _, t := range n.tasks {
		if t.prune || t.space {
			continue
		}
		switch err := n.permits(t); {
		case t.key.Name == "":
			n.set(t, "SyncFailed", Failed, "resource name may not be empty")
			ok = false
		case n.missing(t) && !n.toCome(t):
			n.set(t, "SyncFailed", Failed, fmt.Sprintf(
				"The Kubernetes API could not find %s/%s for requested resource %s/%s. Make sure the %q CRD is installed on the destination cluster.",
				t.key.Group, t.key.Kind, t.key.Namespace, t.key.Name, t.key.Kind))
			ok = false
		case err != nil:
			n.set(t, "SyncFailed", Failed, err.Error())
			ok = false
		}
	}
	return ok
}

func (n *syncer) permits(t *task) error {
	if n.Permit == nil {
		return nil
	}
	return n.Permit(t.target)
}

// missing reports whether the cluster does not serve a kind.
func (n *syncer) missing(t *task) bool {
	if n.Scope == nil {
		return false
	}
	_, known := n.Scope(t.kind)
	return !known
}

// toCome reports whether a kind that the cluster does not serve is no reason to refuse the object before the sync.
func (n *syncer) toCome(t *task) bool {
	return n.comes(t.kind) || option(t.target, n.options, "SkipDryRunOnMissingResource") == "true"
}

// comes reports whether a definition of the kind is among what is synced.
func (n *syncer) comes(k manifest.Kind) bool {
	return slices.ContainsFunc(n.tasks, func(t *task) bool { return !t.prune && defines(t.target, k) })
}

func defines(o manifest.Object, k manifest.Kind) bool {
	return o.Kind().Kind == "CustomResourceDefinition" && o.Text("spec", "group") == k.Group && o.Text("spec", "names", "kind") == k.Kind
}

// dryRun asks for a dry run of every object that can have one. Left out is what would be refused for want of something that
// this very sync brings (its kind, its namespace), and what is to be deleted before it is made.
func (n *syncer) dryRun() {
	for _, t := range n.tasks {
		if t.prune {
			if n.sync.DryRun {
				n.prune(t)
			}
			continue
		}
		if t.space && !n.sync.DryRun || n.missing(t) || n.homeless(t) || t.live != nil && (t.hook || n.forced(t)) {
			continue
		}
		n.ask(n.apply(t, true))
	}
	if len(n.actions) == 0 {
		n.afterDryRun()
	}
}

// homeless reports whether an object's namespace is still to come.
func (n *syncer) homeless(t *task) bool {
	return slices.ContainsFunc(n.tasks, func(o *task) bool {
		return !o.prune && o.key.Kind == "Namespace" && o.key.Group == "" && o.key.Name == t.key.Namespace && o.live == nil && (!o.space || n.sync.DryRun)
	})
}

// afterDryRun goes on when there is nothing to test: an operation that is a dry run has ended.
func (n *syncer) afterDryRun() {
	n.tested = true
	if !n.sync.DryRun {
		n.step()
		return
	}
	n.state.Phase, n.state.Message = Succeeded, "successfully synced (all tasks run)"
}
