package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// ssaManager is the field manager of server-side apply, Argo CD's own so that both agree on who owns what.
const ssaManager = "argocd-controller"

// abreast is how many objects of one step are written at once.
const abreast = 8

// carry does actions at once, eight at a time, and returns their answers in order. A canceled ctx answers with its cause.
func carry(ctx context.Context, at *place, actions []application.SyncAction) []application.Answer {
	out := make([]application.Answer, len(actions))
	slots := make(chan struct{}, abreast)
	var group sync.WaitGroup
	for i, a := range actions {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() != nil {
				out[i] = application.Answer{Action: a, Err: context.Cause(ctx)}
				return
			}
			out[i] = do(ctx, at, a)
		})
	}
	group.Wait()
	return out
}

func do(ctx context.Context, at *place, a application.SyncAction) application.Answer {
	to := at.writer()
	switch a := a.(type) {
	case application.Apply:
		if err := at.refuses(a.Object); err != nil {
			return application.Answer{Action: a, Err: err}
		}
		o, err := apply(ctx, to, a)
		return application.Answer{Action: a, Object: o, Err: err}
	case application.Remove:
		o, err := remove(ctx, to, a)
		return application.Answer{Action: a, Object: o, Err: err}
	case application.Release:
		return application.Answer{Action: a, Err: release(ctx, to, a)}
	default:
		return application.Answer{Action: a, Err: fmt.Errorf("an action of an unknown kind: %T", a)}
	}
}

// apply brings one object to the cluster in the way that the action says.
func apply(ctx context.Context, to Cluster, a application.Apply) (manifest.Object, error) {
	w := manifest.Writing{DryRun: a.DryRun, Manager: ssaManager, Validation: "Strict"}
	if !a.Validation {
		w.Validation = "Ignore"
	}
	var out manifest.Object
	err := retry(ctx, func() error {
		var err error
		out, err = once(ctx, to, a, w)
		return err
	})
	if err != nil && a.DryRun && absentNamespace(err, a.Object) {
		return a.Object, nil // it will be there by then: the sync makes it
	}
	return out, err
}

func once(ctx context.Context, to Cluster, a application.Apply, w manifest.Writing) (manifest.Object, error) {
	o := a.Object
	switch {
	case a.Create || o.Name() == "":
		return to.Create(ctx, o, w)
	case a.Replace:
		return replace(ctx, to, a, w)
	case a.ServerSide:
		return serverSide(ctx, to, a, w)
	default:
		return clientSide(ctx, to, a, w)
	}
}

// replace puts the object in the place of what is there; with Force it is deleted and made anew.
func replace(ctx context.Context, to Cluster, a application.Apply, w manifest.Writing) (manifest.Object, error) {
	o := a.Object.Copy()
	live, err := to.Get(ctx, o.Kind(), o.Namespace(), o.Name())
	if manifest.NotFound(err) {
		return to.Create(ctx, o, w)
	}
	if err != nil {
		return nil, err
	}
	if a.Force {
		return anew(ctx, to, o, live, w)
	}
	o.Set(live.Revision(), "metadata", "resourceVersion")
	return to.Update(ctx, o, "", w)
}

// serverSide applies by the API server (Kubernetes documentation, "Server-Side Apply"), taking over what others own, as
// Argo CD does.
func serverSide(ctx context.Context, to Cluster, a application.Apply, w manifest.Writing) (manifest.Object, error) {
	o := a.Object
	if a.MigrateManager != "" && !a.DryRun && a.Live != nil {
		if err := migrate(ctx, to, a); err != nil {
			return nil, err
		}
	}
	p := manifest.Patch{Kind: manifest.ApplyPatch, Data: o.JSON(), Force: true}
	out, err := to.Patch(ctx, o.Kind(), o.Namespace(), o.Name(), p, w)
	if err != nil && a.Force && refused(err) {
		live, missing := to.Get(ctx, o.Kind(), o.Namespace(), o.Name())
		if missing != nil {
			return nil, err
		}
		return anew(ctx, to, o, live, w)
	}
	return out, err
}

// clientSide applies as `kubectl apply` does: a three-way merge with what was applied before.
func clientSide(ctx context.Context, to Cluster, a application.Apply, w manifest.Writing) (manifest.Object, error) {
	o := a.Object
	live := a.Live
	if live == nil {
		out, err := to.Create(ctx, withLastApplied(o), w)
		if !manifest.Is(err, manifest.ReasonExists) {
			return out, err
		}
		if live, err = to.Get(ctx, o.Kind(), o.Namespace(), o.Name()); err != nil {
			return nil, err
		}
	}
	p, err := threeWay(live, o)
	if err != nil {
		return nil, err
	}
	if p.Data == nil {
		return live, nil
	}
	out, err := to.Patch(ctx, o.Kind(), o.Namespace(), o.Name(), p, w)
	switch {
	case manifest.NotFound(err) && !manifest.Is(err, manifest.ReasonNoKind):
		return to.Create(ctx, withLastApplied(o), w)
	case err != nil && a.Force && refused(err):
		return anew(ctx, to, withLastApplied(o), live, w)
	}
	return out, err
}

// refused reports whether the cluster will never take this change of the object that is there.
func refused(err error) bool {
	return manifest.Is(err, manifest.ReasonInvalid) || manifest.Is(err, manifest.ReasonConflict)
}

// anew deletes what is there, waits until it is gone and makes the object again. A dry run only asks whether the object
// could be deleted.
func anew(ctx context.Context, to Cluster, o, live manifest.Object, w manifest.Writing) (manifest.Object, error) {
	del := manifest.Writing{DryRun: w.DryRun, UID: live.UID(), Propagation: "Background"}
	if err := to.Delete(ctx, o.Kind(), o.Namespace(), o.Name(), del); err != nil && !manifest.NotFound(err) {
		return nil, err
	}
	if w.DryRun {
		return o, nil
	}
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		out, err := to.Create(ctx, o, w)
		if !manifest.Is(err, manifest.ReasonExists) && !manifest.Is(err, "AlreadyExists") {
			return out, err
		}
		if !pause(ctx, wait) {
			return nil, fmt.Errorf("%s is being deleted and does not go away: %w", o.Key(), context.Cause(ctx))
		}
	}
}

// migrate moves the fields that a client-side apply owns to the server-side manager, so that what is dropped from the
// manifest is dropped from the object (Argo CD documentation page "Sync Options").
func migrate(ctx context.Context, to Cluster, a application.Apply) error {
	o := a.Live.Copy()
	fields := o.List("metadata", "managedFields")
	moved := false
	for _, f := range fields {
		m, ok := f.(map[string]any)
		if ok && m["manager"] == a.MigrateManager && m["operation"] == "Update" && m["subresource"] == nil {
			m["manager"], m["operation"], moved = ssaManager, "Apply", true
		}
	}
	if !moved {
		return nil
	}
	ops, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": unite(fields)},
		{"op": "replace", "path": "/metadata/resourceVersion", "value": o.Revision()},
	})
	if err != nil {
		return err
	}
	_, err = to.Patch(ctx, o.Kind(), o.Namespace(), o.Name(), manifest.Patch{Kind: manifest.JSONPatch, Data: ops}, manifest.Writing{Manager: ssaManager})
	if manifest.Is(err, manifest.ReasonConflict) || manifest.NotFound(err) {
		return nil // it changed meanwhile; the next sync moves them
	}
	return err
}

// remove deletes one object and returns what is left of it, nil where nothing is.
func remove(ctx context.Context, to Cluster, a application.Remove) (manifest.Object, error) {
	w := manifest.Writing{DryRun: a.DryRun, UID: a.UID, Propagation: a.Propagation}
	err := retry(ctx, func() error {
		err := to.Delete(ctx, a.Kind, a.Key.Namespace, a.Key.Name, w)
		if manifest.NotFound(err) {
			return nil
		}
		return err
	})
	if a.DryRun || err != nil && !manifest.Is(err, manifest.ReasonConflict) {
		return nil, err
	}
	refused := err
	left, err := to.Get(ctx, a.Kind, a.Key.Namespace, a.Key.Name)
	if refused != nil && !manifest.NotFound(err) && (err != nil || left.UID() == a.UID) {
		return nil, fmt.Errorf("delete %s: %v", a.Key, refused) // it is this very one, and something else stands against it
	}
	if err != nil || a.UID != "" && left.UID() != a.UID {
		return nil, nil //nolint:nilerr // the deletion was accepted; what became of it is read again
	}
	return left, nil
}

// release takes a finalizer off an object.
func release(ctx context.Context, to Cluster, a application.Release) error {
	return retry(ctx, func() error {
		o, err := to.Get(ctx, a.Kind, a.Key.Namespace, a.Key.Name)
		if manifest.NotFound(err) || err == nil && a.UID != "" && o.UID() != a.UID {
			return nil
		}
		if err != nil {
			return err
		}
		left := []any{}
		for _, f := range o.List("metadata", "finalizers") {
			if f != a.Finalizer {
				left = append(left, f)
			}
		}
		if len(left) == len(o.List("metadata", "finalizers")) {
			return nil
		}
		patch := manifest.Object{}
		patch.Set(left, "metadata", "finalizers")
		patch.Set(o.Revision(), "metadata", "resourceVersion")
		_, err = to.Patch(ctx, a.Kind, a.Key.Namespace, a.Key.Name, manifest.Patch{Kind: manifest.MergePatch, Data: patch.JSON()}, manifest.Writing{Manager: ssaManager})
		if manifest.NotFound(err) {
			return nil
		}
		return err
	})
}

// absentNamespace reports whether an object was refused because its namespace is not there yet.
func absentNamespace(err error, o manifest.Object) bool {
	r, ok := errors.AsType[*manifest.Refusal](err)
	return ok && r.Code == 404 && o.Namespace() != "" && strings.Contains(r.Message, fmt.Sprintf("namespaces %q not found", o.Namespace()))
}

// retry asks again what a server refused for now, with growing waits and jitter, and as often as it says in Retry-After:
// five times, and never more than five requests a second for an object. A conflict that another writer made is one of them.
func retry(ctx context.Context, ask func() error) error {
	wait := 200 * time.Millisecond
	for try := 1; ; try++ {
		err := ask()
		if err == nil || try == 5 || !manifest.Passing(err) {
			return err
		}
		r, _ := errors.AsType[*manifest.Refusal](err)
		if !pause(ctx, max(wait+rand.N(wait/2), r.RetryAfter)) {
			return err
		}
		wait *= 2
	}
}

// pause waits and reports whether ctx lasted.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
