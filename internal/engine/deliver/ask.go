package deliver

import (
	"context"
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Ask puts an operation into an Application as it was read. It is refused with manifest.ReasonConflict where the
// Application is not that any more; whoever asks looks first that it has no operation. The state of an operation that ended
// stays until the new one begins.
func Ask(ctx context.Context, home Cluster, o manifest.Object, op application.Operation) (manifest.Object, error) {
	patch := manifest.Object{"operation": wire(op)}
	patch.Set(o.Revision(), "metadata", "resourceVersion")
	return home.Patch(ctx, applicationKind, o.Namespace(), o.Name(), manifest.Patch{Kind: manifest.MergePatch, Data: patch.JSON()}, manifest.Writing{Manager: manager})
}

// Terminate tells the operation of an Application to end. The answer is nil where none is in progress. An operation that
// nobody has begun is taken away.
func Terminate(ctx context.Context, home Cluster, o manifest.Object) (manifest.Object, error) {
	for try := 0; ; try++ {
		app, err := Decode(o)
		if err != nil {
			return nil, err
		}
		if app.Operation == nil {
			return nil, nil
		}
		patch := manifest.Object{}
		sub := ""
		if s := app.Status.OperationState; s != nil && !s.Phase.Completed() {
			patch.Set(string(application.Terminating), "status", "operationState", "phase")
		} else {
			patch["operation"] = nil
		}
		patch.Set(o.Revision(), "metadata", "resourceVersion")
		out, err := home.Patch(ctx, applicationKind, o.Namespace(), o.Name(), manifest.Patch{Kind: manifest.MergePatch, Data: patch.JSON(), Sub: sub}, manifest.Writing{Manager: manager})
		if err == nil && patch["status"] != nil && out.Text("status", "operationState", "phase") != string(application.Terminating) {
			// The definition keeps the status apart.
			out, err = home.Patch(ctx, applicationKind, o.Namespace(), o.Name(), manifest.Patch{Kind: manifest.MergePatch, Data: statusOnly(patch), Sub: "status"}, manifest.Writing{Manager: manager})
		}
		if err == nil || !manifest.Is(err, manifest.ReasonConflict) || try == 10 {
			return out, err
		}
		if o, err = home.Get(ctx, applicationKind, o.Namespace(), o.Name()); err != nil {
			return nil, err
		}
	}
}

func statusOnly(patch manifest.Object) []byte {
	return manifest.Object{"status": patch["status"]}.JSON()
}

// Delete begins the deletion of an Application: with its resources, in the foreground or the background, or without.
func Delete(ctx context.Context, home Cluster, o manifest.Object, cascading bool, propagation string) error {
	finalizer := application.ResourcesFinalizer
	if propagation == "background" {
		finalizer = application.ResourcesFinalizerBackground
	}
	for try := 0; ; try++ {
		now := texts(o.List("metadata", "finalizers"))
		next := slices.DeleteFunc(slices.Clone(now), func(f string) bool { return slices.Contains(cascades, f) })
		if cascading {
			next = append(next, finalizer)
		}
		if !slices.Equal(now, next) && !o.Deleting() {
			patch := manifest.Object{}
			patch.Set(next, "metadata", "finalizers")
			patch.Set(o.Revision(), "metadata", "resourceVersion")
			_, err := home.Patch(ctx, applicationKind, o.Namespace(), o.Name(), manifest.Patch{Kind: manifest.MergePatch, Data: patch.JSON()}, manifest.Writing{Manager: manager})
			if manifest.Is(err, manifest.ReasonConflict) && try < 10 {
				if o, err = home.Get(ctx, applicationKind, o.Namespace(), o.Name()); err != nil {
					return err
				}
				continue
			}
			if err != nil {
				return err
			}
		}
		return home.Delete(ctx, applicationKind, o.Namespace(), o.Name(), manifest.Writing{UID: o.UID()})
	}
}
