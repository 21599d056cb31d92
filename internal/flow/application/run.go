package application

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// retryAfter is the pause before what a server refused for the moment is asked again.
const retryAfter = time.Second

// csaManager is the field manager of kubectl's client-side apply, whose fields move to a server-side apply.
const csaManager = "kubectl-client-side-apply"

// UnderWay is the message of an operation that waits for nothing but its own requests.
const UnderWay = "one or more tasks are running"

func (n *syncer) ask(a ...SyncAction) {
	n.actions = append(n.actions, a...)
	n.state.Message = UnderWay
}

// run asks for the next actions of one stage: first what is pruned, then hooks that stand in the way, then the kinds in
// their order, all of one kind at once.
func (n *syncer) run(here []*task) {
	pending := filter(here, (*task).pending)
	if prunes := filter(pending, func(t *task) bool { return t.prune }); len(prunes) > 0 {
		n.runPrunes(prunes, here)
		return
	}
	var blocked, free []*task
	for _, t := range pending {
		if t.hook && t.live != nil && slices.Contains(deletePolicies(t.target), BeforeHookCreation) {
			blocked = append(blocked, t)
			continue
		}
		free = append(free, t)
	}
	for _, t := range blocked {
		n.deleteHook(t, "hook")
	}
	if len(blocked) > 0 {
		n.wait(blocked, "deletion of")
		n.lookAfter(retryAfter)
		return
	}
	first := rank(free[0].kind)
	free = filter(free, func(t *task) bool { return rank(t.kind) == first })
	if wait := n.undefined(free); len(wait) > 0 {
		n.wait(wait, "")
		n.lookAfter(retryAfter / 2)
		return
	}
	for _, t := range free {
		n.ask(n.apply(t, false))
	}
}

// undefined are the definitions that this sync applied, of kinds that are next, and that the cluster does not serve yet.
func (n *syncer) undefined(next []*task) []*task {
	if n.Scope == nil || n.applied.IsZero() || n.Now.Sub(n.applied) >= established {
		return nil
	}
	return filter(n.tasks, func(d *task) bool {
		return d.result != nil && d.result.Status == "Synced" && slices.ContainsFunc(next, func(t *task) bool {
			return n.missing(t) && defines(d.target, t.kind)
		})
	})
}

func (n *syncer) runPrunes(prunes, here []*task) {
	if wait := n.unapproved(prunes); len(wait) > 0 {
		n.wait(wait, "pruning confirmation of")
		return
	}
	for _, t := range prunes {
		n.prune(t)
	}
	if len(n.actions) == 0 && len(filter(here, (*task).pending)) > 0 {
		n.run(here)
	} else if len(n.actions) == 0 {
		n.step()
	}
}

// unapproved are the resources whose pruning a person must approve and has not since the operation began
// (https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/, "Resource Pruning With Confirmation").
func (n *syncer) unapproved(prunes []*task) []*task {
	if !n.sync.Prune || Approved(n.App, n.state.StartedAt) {
		return nil
	}
	return filter(prunes, func(t *task) bool { return option(t.live, n.options, "Prune") == "confirm" })
}

// Approved reports whether deletions of an application were approved at or after a time.
func Approved(app Application, since time.Time) bool {
	at, err := time.Parse(time.RFC3339, app.Object.Annotation(AnnotationApproved))
	return err == nil && !at.Before(since.Truncate(time.Second))
}

// prune deletes what the sources no longer name, or says why it does not.
func (n *syncer) prune(t *task) {
	switch {
	case !n.sync.Prune:
		n.set(t, "PruneSkipped", Succeeded, "ignored (requires pruning)")
	case option(t.live, n.options, "Prune") == "false":
		n.set(t, "PruneSkipped", Succeeded, "ignored (no prune)")
	case n.sync.DryRun:
		n.set(t, "Pruned", Succeeded, "pruned (dry run)")
	case t.live.Deleting():
		n.set(t, "Pruned", Succeeded, "pruned")
	default:
		n.ask(Remove{Key: t.key, Kind: t.kind, UID: t.live.UID(), Propagation: n.propagation(), Why: "prune"})
	}
}

func (n *syncer) propagation() string {
	switch v, _ := setting(n.options, "PrunePropagationPolicy"); strings.ToLower(v) {
	case "background":
		return "Background"
	case "orphan":
		return "Orphan"
	}
	return "Foreground"
}

// apply is the action that brings a task's object to the cluster, as the options ask.
func (n *syncer) apply(t *task, test bool) Apply {
	a := Apply{
		Object: t.target, Live: t.live, DryRun: test || n.sync.DryRun,
		Replace:    option(t.target, n.options, "Replace") == "true",
		Validation: option(t.target, n.options, "Validate") != "false",
		Force:      n.forced(t),
	}
	a.ServerSide = !a.Replace && option(t.target, n.options, "ServerSideApply") == "true"
	if a.ServerSide && option(t.target, n.options, "ClientSideApplyMigration") != "false" {
		a.MigrateManager = cmp.Or(n.App.Object.Annotation(AnnotationMigration), csaManager)
	}
	if !t.hook {
		return a
	}
	a.Hook = t.phase
	a.Object = t.target.Copy()
	a.Object.SetAnnotation(AnnotationOperation, n.maker(t))
	finalizers := a.Object.List("metadata", "finalizers")
	if !slices.Contains(finalizers, any(HookFinalizer)) {
		a.Object.Set(append(slices.Clone(finalizers), HookFinalizer), "metadata", "finalizers")
	}
	return a
}

// forced reports whether an object is deleted and made anew where it cannot be changed.
func (n *syncer) forced(t *task) bool {
	if s := n.sync.SyncStrategy; s != nil && (s.Apply != nil && s.Apply.Force || s.Hook != nil && s.Hook.Force) {
		return true
	}
	return option(t.target, n.options, "Force") == "true"
}

// judge looks at what runs. Resources are not judged before all of their stage is applied, nor while the wave delay lasts and
// more is to come, because what the cluster shows may be older than what was applied; those of a last stage without hooks
// are not judged at all: the sync has done its part when they are applied.
func (n *syncer) judge() {
	judged := n.judged()
	early := slices.ContainsFunc(n.tasks, (*task).pending) && !n.applied.IsZero() && n.Now.Sub(n.applied) < n.delay()
	for _, t := range n.tasks {
		if !t.running() || !t.hook && !judged[t.stage()] {
			continue
		}
		if t.live == nil {
			if t.hook && !n.applied.IsZero() && n.Now.Sub(n.applied) >= unseen {
				n.set(t, t.result.Status, Failed, "the hook was deleted before it had ended")
			}
			continue
		}
		h := Health{}
		if n.Health != nil {
			h = n.Health(t.live)
		}
		switch {
		case h.Status == "":
			n.set(t, t.result.Status, Succeeded, "")
		case early && !t.hook:
			n.lookAfter(n.delay() - n.Now.Sub(n.applied))
		case h.Status == "Healthy":
			n.set(t, t.result.Status, Succeeded, h.Message)
		case h.Status == "Degraded", h.Status == "Unknown" && t.hook:
			n.set(t, t.result.Status, Failed, h.Message)
		default:
			if t.hook {
				n.set(t, t.result.Status, Running, h.Message)
			}
		}
	}
}

// judged are the stages whose resources are looked at.
func (n *syncer) judged() map[stage]bool {
	out := map[stage]bool{}
	main, _ := split(n.tasks)
	for _, t := range main {
		out[t.stage()] = true
	}
	if len(main) > 0 {
		last := main[len(main)-1].stage()
		out[last] = slices.ContainsFunc(main, func(t *task) bool { return t.hook && t.stage() == last })
	}
	for _, t := range main {
		if t.pending() {
			out[t.stage()] = false
		}
	}
	return out
}

// deleteHook asks for the end of a hook's object.
func (n *syncer) deleteHook(t *task, why string) {
	if !t.live.Deleting() {
		n.actions = append(n.actions, Remove{Key: t.key, Kind: t.kind, UID: t.live.UID(), Propagation: "Background", Why: why})
	}
	n.unhold(t)
}

// unhold takes Argo's finalizer off a hook, once.
func (n *syncer) unhold(t *task) {
	if t.live == nil || !slices.Contains(t.live.List("metadata", "finalizers"), any(HookFinalizer)) {
		return
	}
	for _, a := range n.actions {
		if r, ok := a.(Release); ok && r.Key == t.key {
			return
		}
	}
	n.actions = append(n.actions, Release{Key: t.key, Kind: t.kind, UID: t.live.UID(), Finalizer: HookFinalizer})
}

// release lets go of every hook that has ended: the finalizer was there so that its end could be seen.
func (n *syncer) release() {
	for _, t := range n.tasks {
		if t.hook && t.completed() {
			n.unhold(t)
		}
	}
}

// terminate ends an operation that was told to: hooks that run are deleted, and what is answered then is the end.
func (n *syncer) terminate() {
	if !n.ended {
		for _, t := range n.tasks {
			if n.unfinished(t) {
				n.deleteHook(t, "terminate")
				n.set(t, "Synced", Failed, "Terminated")
			}
		}
		for _, t := range n.tasks {
			if t.hook && t.running() {
				n.set(t, t.result.Status, Failed, "Terminated")
			}
		}
		if slices.ContainsFunc(n.actions, func(a SyncAction) bool { r, ok := a.(Remove); return ok && r.Why == "terminate" }) {
			n.state.Message = "operation is terminating"
			return
		}
	}
	n.state.Phase, n.state.Message = Failed, "Operation terminated"
	if n.broken {
		n.state.Phase, n.state.Message = Errored, "Operation termination had errors"
	}
}

// unfinished reports whether a hook of this operation runs: its result says so, or it was made and the answer was lost.
func (n *syncer) unfinished(t *task) bool {
	if !t.hook || t.live == nil || t.completed() {
		return false
	}
	held := slices.Contains(t.live.List("metadata", "finalizers"), any(HookFinalizer))
	return t.running() || t.pending() && held
}

// String is what a task is called in a failed test.
func (t *task) String() string { return fmt.Sprintf("%s %s/%d", t.title(), t.phase, t.wave) }
