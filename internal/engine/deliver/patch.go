package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// applicationKind is what this package reconciles.
var (
	applicationKind = manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Application"}
	secretKind      = manifest.Kind{Version: "v1", Kind: "Secret"}
	projectKind     = manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "AppProject"}
)

// wire is a value's JSON form as an object compares it.
func wire(v any) map[string]any {
	o, err := manifest.From(v)
	if err != nil {
		panic(fmt.Sprintf("a status that JSON cannot say: %v", err))
	}
	return o
}

// change is what a write makes of an Application: each part that is set replaces the one that the object has.
type change struct {
	status      *application.Status
	annotations func(map[string]any) // changes metadata.annotations in place
	finalizers  *[]string
	operation   *any // to nil: the operation is consumed
}

// apply is the patch that makes the change on an object; empty where nothing changes.
func (ch change) apply(o manifest.Object) manifest.Object {
	now := manifest.Object{}
	was := manifest.Object{}
	if ch.status != nil {
		was["status"], now["status"] = map[string]any(orEmpty(o.Sub("status"))), wire(ch.status)
	}
	if ch.annotations != nil {
		old := orEmpty(o.Sub("metadata", "annotations"))
		fresh := old.Copy()
		ch.annotations(fresh)
		was.Set(map[string]any(old), "metadata", "annotations")
		now.Set(map[string]any(fresh), "metadata", "annotations")
	}
	if ch.finalizers != nil {
		var old []any
		if l := o.List("metadata", "finalizers"); len(l) > 0 {
			old = l
		}
		var list []any
		for _, f := range *ch.finalizers {
			list = append(list, f)
		}
		was.Set(old, "metadata", "finalizers")
		now.Set(list, "metadata", "finalizers")
	}
	if ch.operation != nil {
		if v, there := o["operation"]; there {
			was["operation"] = v
		}
		if *ch.operation != nil {
			now["operation"] = *ch.operation
		}
	}
	return manifest.Merge(was, now)
}

func orEmpty(o manifest.Object) manifest.Object {
	if o == nil {
		return manifest.Object{}
	}
	return o
}

// write makes a change on an Application as it was read, refused with manifest.ReasonConflict where guarded and the
// object is not that any more. It returns the object as it is then, the same one where nothing changed.
func (c *Controller) write(ctx context.Context, o manifest.Object, ch change, guarded bool) (manifest.Object, error) {
	patch := ch.apply(o)
	if len(patch) == 0 {
		return o, nil
	}
	status, more := patch["status"]
	if more && c.subresource.Load() {
		delete(patch, "status")
		var err error
		if len(patch) > 0 {
			if o, err = c.patch(ctx, o, patch, "", guarded); err != nil {
				return nil, err
			}
		}
		return c.patch(ctx, o, map[string]any{"status": status}, "status", false)
	}
	out, err := c.patch(ctx, o, patch, "", guarded)
	if err != nil || !more {
		return out, err
	}
	// A definition with a status subresource drops a status that is written with the rest; Argo CD's own has none.
	if !reflect.DeepEqual(orEmpty(out.Sub("status")), orEmpty(o.Sub("status"))) {
		return out, nil
	}
	if left := ch.apply(out); left["status"] != nil {
		c.subresource.Store(true)
		return c.patch(ctx, out, map[string]any{"status": status}, "status", false)
	}
	return out, nil
}

func (c *Controller) patch(ctx context.Context, o manifest.Object, patch map[string]any, sub string, guarded bool) (manifest.Object, error) {
	if guarded {
		meta, _ := patch["metadata"].(map[string]any)
		if meta == nil {
			meta = map[string]any{}
		}
		meta["resourceVersion"] = o.Revision()
		patch["metadata"] = meta
	}
	data, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	out, err := c.Home.Patch(ctx, applicationKind, o.Namespace(), o.Name(), manifest.Patch{Kind: manifest.MergePatch, Data: data, Sub: sub}, manifest.Writing{Manager: manager})
	if err != nil {
		return nil, err
	}
	c.remember(out)
	return out, nil
}

// tooLarge reports whether the status did not fit into the store (1.5 MiB in etcd).
func tooLarge(err error) bool {
	r, ok := errors.AsType[*manifest.Refusal](err)
	return ok && (r.Code == 413 || r.Reason == "RequestEntityTooLarge")
}
