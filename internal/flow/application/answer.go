package application

import (
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/application/diff"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// read makes results of what was answered.
func (n *syncer) read() {
	tests, failed := 0, false
	for _, a := range n.Answered {
		switch act := a.Action.(type) {
		case Apply:
			t := n.find(act.Object.Key(), act.phase())
			if act.DryRun {
				tests++
				failed = n.readTest(t, act, a) || failed
				continue
			}
			n.readApply(t, act, a)
		case Remove:
			n.readRemove(act, a)
		}
	}
	switch {
	case tests == 0 || n.state.Phase == Terminating:
	case failed:
		n.state.Phase, n.state.Message = Failed, "one or more objects failed to apply (dry run)"
	default:
		n.tested = true
		if n.sync.DryRun {
			n.state.Phase, n.state.Message = Succeeded, "successfully synced (all tasks run)"
		}
	}
}

func (a Apply) phase() string {
	if a.Hook != "" {
		return a.Hook
	}
	return Sync
}

func (n *syncer) find(k manifest.Key, phase string) *task {
	for _, t := range n.tasks {
		if t.key == k && (t.phase == phase || t.space) {
			return t
		}
	}
	return nil
}

// readTest reads the answer to a dry run and reports whether it fails the sync. Only what says that the object is wrong
// does: a server may refuse a dry run because something else is not there yet that the sync will bring.
func (n *syncer) readTest(t *task, act Apply, a Answer) bool {
	if t == nil {
		return false
	}
	if a.Err != nil && faulty(a.Err) && !(manifest.Is(a.Err, manifest.ReasonNoKind) && n.toCome(t)) {
		n.set(t, "SyncFailed", Failed, n.refusal(t, a.Err))
		return true
	}
	if n.sync.DryRun {
		n.set(t, "Synced", Succeeded, done(act, a.Object)+" (dry run)")
	}
	return false
}

// faulty reports whether a refusal is about the object itself.
func faulty(err error) bool {
	return manifest.Is(err, manifest.ReasonInvalid) || manifest.Is(err, "BadRequest") || manifest.Is(err, manifest.ReasonNoKind) ||
		manifest.Is(err, "UnsupportedMediaType") || manifest.Is(err, "RequestEntityTooLarge")
}

func (n *syncer) readApply(t *task, act Apply, a Answer) {
	if t == nil {
		return
	}
	if manifest.Is(a.Err, manifest.ReasonNoKind) && n.comes(t.kind) && n.Now.Sub(n.applied) < established {
		n.lookAfter(retryAfter / 2) // its definition was just made, and the cluster does not serve it yet
		return
	}
	n.applied = n.Now
	switch {
	case a.Err == nil:
		if a.Object != nil {
			t.live = a.Object
			if t.hook {
				n.hooks[t.key] = a.Object
			}
		}
		n.set(t, "Synced", Running, done(act, a.Object))
	case manifest.Is(a.Err, manifest.ReasonConflict), manifest.Is(a.Err, manifest.ReasonThrottled):
		n.lookAfter(retryAfter) // the same will be asked again
	default:
		n.set(t, "SyncFailed", Failed, n.refusal(t, a.Err))
	}
}

func (n *syncer) readRemove(act Remove, a Answer) {
	gone := a.Err == nil || manifest.NotFound(a.Err) || manifest.Is(a.Err, manifest.ReasonConflict) && act.UID != ""
	switch act.Why {
	case "terminate":
		n.ended = true
		if gone {
			return
		}
		n.broken = true
		for _, t := range n.tasks {
			if t.hook && t.key == act.Key && t.result != nil {
				n.set(t, t.result.Status, Failed, "failed to delete: "+n.refusal(t, a.Err))
			}
		}
	case "prune":
		t := n.find(act.Key, Sync)
		if t == nil {
			n.readPruned(act, a, gone)
			return
		}
		if gone {
			n.set(t, "Pruned", Succeeded, "pruned")
		} else {
			n.set(t, "SyncFailed", Failed, n.refusal(t, a.Err))
		}
		n.applied = n.Now
	case "hook":
		if gone {
			return
		}
		for _, t := range n.tasks {
			if t.hook && t.key == act.Key && t.pending() {
				n.set(t, "SyncFailed", Failed, "failed to delete hook before creation: "+n.refusal(t, a.Err))
			}
		}
	}
}

// readPruned records a prune whose object is gone already from what was compared.
func (n *syncer) readPruned(act Remove, a Answer, gone bool) {
	t := &task{key: act.Key, kind: act.Kind, phase: Sync, prune: true}
	if gone {
		n.set(t, "Pruned", Succeeded, "pruned")
	} else {
		n.set(t, "SyncFailed", Failed, n.refusal(t, a.Err))
	}
	n.tasks = append(n.tasks, t)
	n.applied = n.Now
}

// refusal is an error's text without the values of the Secret that it is about.
func (n *syncer) refusal(t *task, err error) string {
	return diff.Scrub(err.Error(), t.target, t.live)
}

// done says what an apply did, in kubectl's words.
func done(a Apply, got manifest.Object) string {
	k := a.Object.Kind()
	name := strings.ToLower(k.Kind)
	if k.Group != "" {
		name += "." + k.Group
	}
	what := "configured"
	switch {
	case a.ServerSide:
		what = "serverside-applied"
	case a.Live == nil:
		what = "created"
	case a.Replace:
		what = "replaced"
	case got != nil && got.Revision() != "" && got.Revision() == a.Live.Revision():
		what = "unchanged"
	}
	return fmt.Sprintf("%s/%s %s", name, a.Object.Name(), what)
}
