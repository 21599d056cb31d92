package application

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application/diff"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The finalizers of an Application (https://argo-cd.readthedocs.io/en/stable/user-guide/app_deletion/). The first two ask
// for its resources to be deleted with it, foreground and background; the others hold it until its delete hooks have ended
// and are cleaned up.
const (
	ResourcesFinalizer           = "resources-finalizer.argocd.argoproj.io"
	ResourcesFinalizerBackground = "resources-finalizer.argocd.argoproj.io/background"
	PreDeleteFinalizer           = "pre-delete-finalizer.argocd.argoproj.io"
	PreDeleteCleanup             = "pre-delete-finalizer.argocd.argoproj.io/cleanup"
	PostDeleteFinalizer          = "post-delete-finalizer.argocd.argoproj.io"
	PostDeleteCleanup            = "post-delete-finalizer.argocd.argoproj.io/cleanup"
)

// Finalizers are the finalizers that an application needs besides its own: those of the delete hooks that its sources hold.
func Finalizers(app Application, c Comparison) []string {
	var out []string
	for _, v := range app.Object.List("metadata", "finalizers") {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	need := func(kind string, names ...string) {
		if slices.ContainsFunc(c.Pairs, func(p Pair) bool { return p.Target != nil && slices.Contains(Hooks(p.Target), kind) }) {
			for _, f := range names {
				if !slices.Contains(out, f) {
					out = append(out, f)
				}
			}
		}
	}
	need(PreDelete, PreDeleteFinalizer, PreDeleteCleanup)
	need(PostDelete, PostDeleteFinalizer, PostDeleteCleanup)
	return out
}

// Deleting is the input of NextDeletion: an application that is being deleted. Comparison may be empty where its sources
// cannot be rendered any more; Live then still names what it holds.
type Deleting struct {
	App        Application
	Tracking   Tracking
	Comparison Comparison
	Live       Live
	Health     func(manifest.Object) Health
	Answered   []Answer
	Now        time.Time
}

// DeletionDecision is what a deletion does next: the actions, then the finalizers in Drop are taken off the application.
// Done says that none of those is left that hold resources or hooks. Condition is why it cannot go on, nil where it can.
type DeletionDecision struct {
	Actions   []SyncAction
	Drop      []string
	Condition *Condition
	Message   string
	Done      bool
	After     time.Duration
}

// NextDeletion decides how an application that is being deleted goes: PreDelete hooks, then its resources from the highest
// wave down (what keeps itself by Delete=false or Helm's policy stays, and a CustomResourceDefinition always), then PostDelete
// hooks. The finalizers are its memory: a stage that has ended has dropped its own.
func NextDeletion(d Deleting) DeletionDecision {
	n := &deletion{Deleting: d}
	has := func(f string) bool { return slices.Contains(d.App.Object.List("metadata", "finalizers"), any(f)) }
	for _, a := range d.Answered {
		if a.Err != nil && !manifest.NotFound(a.Err) && !manifest.Is(a.Err, manifest.ReasonExists) {
			n.errs = append(n.errs, a.Err)
		}
	}
	switch {
	case has(PreDeleteFinalizer):
		n.hooks(PreDelete, PreDeleteFinalizer)
	case has(PreDeleteCleanup):
		n.clean(PreDelete, PreDeleteCleanup)
	case has(ResourcesFinalizer):
		n.resources("Foreground", ResourcesFinalizer)
	case has(ResourcesFinalizerBackground):
		n.resources("Background", ResourcesFinalizerBackground)
	case has(PostDeleteFinalizer):
		n.hooks(PostDelete, PostDeleteFinalizer)
	case has(PostDeleteCleanup):
		n.clean(PostDelete, PostDeleteCleanup)
	default:
		n.out.Done = true
	}
	if n.out.Condition == nil && len(n.errs) > 0 {
		n.refuse("Unable to delete application resources: %v", n.errs[0])
	}
	return n.out
}

type deletion struct {
	Deleting
	out  DeletionDecision
	errs []error
}

func (n *deletion) refuse(format string, args ...any) {
	n.out.Message = fmt.Sprintf(format, args...)
	n.out.Condition = &Condition{Type: "DeletionError", Message: n.out.Message}
	n.out.After = 10 * time.Second
}

// hooks runs the hooks of a stage until all are healthy. One that fails blocks the deletion until it is mended or removed.
func (n *deletion) hooks(kind, finalizer string) {
	waiting := 0
	for _, p := range n.Comparison.Pairs {
		if p.Target == nil || !slices.Contains(Hooks(p.Target), kind) {
			continue
		}
		target := p.Target
		if target.Name() == "" {
			target = target.Copy()
			target.Set(fmt.Sprintf("%s%s-%d", target.GenerateName(), strings.ToLower(kind), n.since().Unix()), "metadata", "name")
			p.Key = target.Key()
		}
		live := p.Live
		if live == nil {
			live = n.Live.Objects[p.Key]
		}
		if live == nil {
			waiting++
			n.out.Actions = append(n.out.Actions, Apply{Object: target, Hook: kind, Validation: true})
			continue
		}
		h := Health{}
		if n.Health != nil {
			h = n.Health(live)
		}
		switch h.Status {
		case "", "Healthy":
		case "Degraded", "Unknown":
			n.refuse("%s hook %s/%s/%s failed: %s", kind, p.Key.Group, p.Key.Kind, p.Key.Name, h.Message)
			if changed(target, live) {
				n.out.Actions = append(n.out.Actions, Remove{Key: p.Key, Kind: p.Kind, UID: live.UID(), Propagation: "Background", Why: "hook"})
			}
			return
		default:
			waiting++
		}
	}
	if waiting > 0 {
		n.out.Message = fmt.Sprintf("waiting for %d %s hooks", waiting, kind)
		n.out.After = 5 * time.Second
		return
	}
	n.out.Drop = []string{finalizer}
}

// since is when the deletion began.
func (n *deletion) since() time.Time {
	at, err := time.Parse(time.RFC3339, n.App.Object.Text("metadata", "deletionTimestamp"))
	if err != nil {
		return time.Unix(0, 0)
	}
	return at
}

// changed reports whether the sources want another hook than the one that is there: then it is made anew.
func changed(target, live manifest.Object) bool {
	return diff.Objects(diff.Input{Target: target, Live: live, Manager: SyncManager}, diff.Rules{}).Counts()
}

// clean deletes the hooks of a stage as their policies say; hooks that shall be gone before they are made again go too
// before the resources are deleted, so that nothing of the application is left.
func (n *deletion) clean(kind, finalizer string) {
	for _, p := range n.Comparison.Pairs {
		if p.Live == nil || p.Live.Deleting() || !slices.Contains(Hooks(p.Live), kind) {
			continue
		}
		policies := deletePolicies(p.Live)
		if slices.Contains(policies, HookSucceeded) || kind == PreDelete && slices.Contains(policies, BeforeHookCreation) {
			n.out.Actions = append(n.out.Actions, Remove{Key: p.Key, Kind: p.Kind, UID: p.Live.UID(), Propagation: "Background", Why: "hook"})
		}
	}
	n.out.Drop = []string{finalizer}
}

// resources deletes what the application holds, the highest wave first, and waits until it is gone.
func (n *deletion) resources(propagation, finalizer string) {
	all := n.App.SyncOptions(nil)
	var held []manifest.Object
	for _, k := range manifest.Keys(n.Live.Objects) {
		if o := n.Live.Objects[k]; n.deletes(o, all) {
			held = append(held, o)
		}
	}
	if len(held) == 0 {
		n.out.Drop = []string{finalizer}
		return
	}
	for _, o := range held {
		if option(o, all, "Delete") == "confirm" && !Approved(n.App, n.since()) {
			n.out.Message = fmt.Sprintf("waiting for deletion confirmation of %s/%s/%s", o.Key().Group, o.Key().Kind, o.Name())
			return
		}
	}
	last := wave(slices.MaxFunc(held, func(a, b manifest.Object) int { return int(wave(a) - wave(b)) }))
	for _, o := range held {
		if wave(o) == last && !o.Deleting() {
			n.out.Actions = append(n.out.Actions, Remove{Key: o.Key(), Kind: o.Kind(), UID: o.UID(), Propagation: propagation, Why: "delete"})
		}
	}
	n.out.Message = fmt.Sprintf("%d objects remaining for deletion", len(held))
	n.out.After = 5 * time.Second
}

// deletes reports whether an object goes with the application.
func (n *deletion) deletes(o manifest.Object, all []string) bool {
	k := o.Kind()
	hooks := Hooks(o)
	self := k.Group == "argoproj.io" && k.Kind == "Application" && o.UID() != "" && o.UID() == n.App.Object.UID()
	return n.Tracking.Holds(o) && len(o.Owners()) == 0 && k.Kind != "CustomResourceDefinition" && !self && !keeps(o, all) &&
		!slices.Contains(hooks, PreDelete) && !slices.Contains(hooks, PostDelete)
}
