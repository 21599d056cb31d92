package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// AnnotationOwners holds, on an object of the cluster, the owner references to objects that are not in the cluster: its
// garbage collector would take the object for an orphan and delete it.
const AnnotationOwners = "sluice.dev/owners"

const argo = "argoproj.io"

// Overlaid is a cluster beside which a store of our own keeps Argo's kinds that the cluster has no definition of.
type Overlaid struct {
	home, away API
	always     []string // kinds of argoproj.io that are at home whatever the cluster defines

	mu   sync.Mutex
	kept map[string]bool // kinds of argoproj.io: whether they are at home; decided once
}

// Overlay puts a store beside a cluster. Kinds of argoproj.io that the cluster does not define when first asked are in the
// store, and so are those named, whatever it defines: no other controller there is to take them up. All else is in the
// cluster. Owner references from one to the other stand in AnnotationOwners there and are put back where they belong when the
// object is read, so that who uses this sees one cluster. When the owner is gone, Sweep deletes what it owned, which each
// write that ends one does by itself.
func Overlay(home, away API, always ...string) *Overlaid {
	return &Overlaid{home: home, away: away, always: always}
}

// isHome reports whether a kind is kept in the store.
func (v *Overlaid) isHome(ctx context.Context, kind manifest.Kind) (bool, error) {
	if kind.Group != argo {
		return false, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept == nil {
		home, err := v.home.Kinds(ctx)
		if err != nil {
			return false, err
		}
		away, err := v.away.Kinds(ctx)
		if err != nil {
			return false, err
		}
		v.kept = map[string]bool{}
		for _, d := range home {
			if d.Kind.Group == argo {
				v.kept[d.Kind.Kind] = true
			}
		}
		for _, d := range away {
			if d.Kind.Group == argo && !slices.Contains(v.always, d.Kind.Kind) {
				v.kept[d.Kind.Kind] = false
			}
		}
	}
	return v.kept[kind.Kind], nil
}

// Get reads an object where its kind is kept.
func (v *Overlaid) Get(ctx context.Context, kind manifest.Kind, namespace, name string) (manifest.Object, error) {
	home, err := v.isHome(ctx, kind)
	if err != nil {
		return nil, err
	}
	if home {
		return v.home.Get(ctx, kind, namespace, name)
	}
	return shown(v.away.Get(ctx, kind, namespace, name))
}

// List reads objects where their kind is kept.
func (v *Overlaid) List(ctx context.Context, kind manifest.Kind, namespace, selector string) ([]manifest.Object, error) {
	home, err := v.isHome(ctx, kind)
	if err != nil {
		return nil, err
	}
	if home {
		return v.home.List(ctx, kind, namespace, selector)
	}
	list, err := v.away.List(ctx, kind, namespace, selector)
	for _, o := range list {
		show(o)
	}
	return list, err
}

// Create makes an object where its kind is kept.
func (v *Overlaid) Create(ctx context.Context, o manifest.Object, w manifest.Writing) (manifest.Object, error) {
	home, err := v.isHome(ctx, o.Kind())
	if err != nil {
		return nil, err
	}
	if home {
		return v.home.Create(ctx, o, w)
	}
	if o, err = v.hidden(ctx, o); err != nil {
		return nil, err
	}
	return shown(v.away.Create(ctx, o, w))
}

// Update replaces an object where its kind is kept.
func (v *Overlaid) Update(ctx context.Context, o manifest.Object, sub string, w manifest.Writing) (manifest.Object, error) {
	home, err := v.isHome(ctx, o.Kind())
	if err != nil {
		return nil, err
	}
	if home {
		o, err = v.home.Update(ctx, o, sub, w)
		return v.ended(ctx, o, err)
	}
	if o, err = v.hidden(ctx, o); err != nil {
		return nil, err
	}
	return shown(v.away.Update(ctx, o, sub, w))
}

// Patch changes an object where its kind is kept. A JSON patch of owner references is refused for what is in the cluster.
func (v *Overlaid) Patch(ctx context.Context, kind manifest.Kind, namespace, name string, p manifest.Patch, w manifest.Writing) (manifest.Object, error) {
	home, err := v.isHome(ctx, kind)
	if err != nil {
		return nil, err
	}
	if home {
		o, err := v.home.Patch(ctx, kind, namespace, name, p, w)
		return v.ended(ctx, o, err)
	}
	if p.Data, err = v.hiddenPatch(ctx, kind, namespace, name, p); err != nil {
		return nil, err
	}
	return shown(v.away.Patch(ctx, kind, namespace, name, p, w))
}

// Delete begins a deletion where the kind is kept. What an object of the store owned in the cluster goes too unless it is to
// be orphaned, in the background whatever the propagation.
func (v *Overlaid) Delete(ctx context.Context, kind manifest.Kind, namespace, name string, w manifest.Writing) error {
	home, err := v.isHome(ctx, kind)
	if err != nil {
		return err
	}
	if !home {
		return v.away.Delete(ctx, kind, namespace, name, w)
	}
	if w.Propagation == "Orphan" && !w.DryRun {
		o, err := v.home.Get(ctx, kind, namespace, name)
		if err != nil {
			return err
		}
		if err := v.orphan(ctx, o); err != nil {
			return err
		}
	}
	if err := v.home.Delete(ctx, kind, namespace, name, w); err != nil || w.DryRun {
		return err
	}
	return v.Sweep(ctx, namespace)
}

// Watch follows a kind where it is kept.
func (v *Overlaid) Watch(ctx context.Context, kind manifest.Kind, namespace, selector string, each func(manifest.Change)) error {
	home, err := v.isHome(ctx, kind)
	if err != nil {
		return err
	}
	if home {
		return v.home.Watch(ctx, kind, namespace, selector, each)
	}
	return v.away.Watch(ctx, kind, namespace, selector, func(c manifest.Change) {
		show(c.Object)
		each(c)
	})
}

// Kinds are the cluster's and those of Argo that the store keeps instead.
func (v *Overlaid) Kinds(ctx context.Context) ([]manifest.Discovered, error) {
	out, err := v.away.Kinds(ctx)
	if err != nil {
		return nil, err
	}
	out = slices.DeleteFunc(out, func(d manifest.Discovered) bool {
		return d.Kind.Group == argo && slices.Contains(v.always, d.Kind.Kind)
	})
	more, err := v.home.Kinds(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range more {
		if home, err := v.isHome(ctx, d.Kind); err != nil {
			return nil, err
		} else if home {
			out = append(out, d)
		}
	}
	return out, nil
}

// Version is the cluster's.
func (v *Overlaid) Version(ctx context.Context) (string, error) { return v.away.Version(ctx) }

// ended sweeps after a write that may have been the last of an object that was being deleted.
func (v *Overlaid) ended(ctx context.Context, o manifest.Object, err error) (manifest.Object, error) {
	if err == nil && o.Deleting() {
		err = v.Sweep(ctx, o.Namespace())
	}
	return o, err
}

// ownable are the kinds of the cluster that Argo's objects make.
var ownable = []manifest.Kind{
	{Group: "apps", Version: "v1", Kind: "ReplicaSet"}, {Group: "batch", Version: "v1", Kind: "Job"}, {Version: "v1", Kind: "Service"},
}

// Sweep deletes, in a namespace or in all (""), what only objects of the store owned that are no more.
func (v *Overlaid) Sweep(ctx context.Context, namespace string) error {
	var errs []error
	for _, kind := range ownable {
		list, err := v.away.List(ctx, kind, namespace, "")
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, o := range list {
			if o.Annotation(AnnotationOwners) == "" || len(o.Owners()) > 0 || o.Deleting() {
				continue
			}
			left, gone, err := v.owners(ctx, o)
			switch {
			case err != nil || !gone:
			case len(left) > 0:
				err = v.note(ctx, o, left)
			default:
				err = v.away.Delete(ctx, kind, o.Namespace(), o.Name(), manifest.Writing{UID: o.UID(), Propagation: "Background"})
			}
			if err != nil && !manifest.NotFound(err) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// owners gives the references to owners in the store that are still there, and whether one is gone.
func (v *Overlaid) owners(ctx context.Context, o manifest.Object) (left []any, gone bool, err error) {
	for _, w := range noted(o) {
		owner, err := v.home.Get(ctx, manifest.KindOf(w.Text("apiVersion"), w.Text("kind")), o.Namespace(), w.Text("name"))
		switch {
		case err != nil && !manifest.NotFound(err):
			return nil, false, err
		case err == nil && owner.UID() == w.Text("uid"):
			left = append(left, map[string]any(w))
		default:
			gone = true
		}
	}
	return left, gone, nil
}

// note replaces the owners in the store that an object of the cluster has.
func (v *Overlaid) note(ctx context.Context, o manifest.Object, refs []any) error {
	patch := manifest.Object{}
	patch.Set(o.UID(), "metadata", "uid") // refused for another object of the name
	patch.Set(encoded(refs), "metadata", "annotations", AnnotationOwners)
	_, err := v.away.Patch(ctx, o.Kind(), o.Namespace(), o.Name(), manifest.Patch{Kind: manifest.MergePatch, Data: patch.JSON()}, manifest.Writing{})
	return err
}

// orphan takes an owner in the store off what it owns in the cluster.
func (v *Overlaid) orphan(ctx context.Context, owner manifest.Object) error {
	for _, kind := range ownable {
		list, err := v.away.List(ctx, kind, owner.Namespace(), "")
		if err != nil {
			return err
		}
		for _, o := range list {
			refs := noted(o)
			left := slices.DeleteFunc(slices.Clone(refs), func(w manifest.Object) bool { return w.Text("uid") == owner.UID() })
			if len(left) == len(refs) {
				continue
			}
			if err := v.note(ctx, o, merged(left, nil)); err != nil && !manifest.NotFound(err) {
				return err
			}
		}
	}
	return nil
}

// split parts owner references into those that the cluster knows and those of the store.
func (v *Overlaid) split(ctx context.Context, refs []any) (away, home []any, err error) {
	for _, r := range refs {
		m, _ := r.(map[string]any)
		w := manifest.Object(m)
		isHome, err := v.isHome(ctx, manifest.KindOf(w.Text("apiVersion"), w.Text("kind")))
		if err != nil {
			return nil, nil, err
		}
		if isHome {
			home = append(home, r)
		} else {
			away = append(away, r)
		}
	}
	return away, home, nil
}

// hidden is an object as the cluster is to have it.
func (v *Overlaid) hidden(ctx context.Context, o manifest.Object) (manifest.Object, error) {
	away, home, err := v.split(ctx, o.List("metadata", "ownerReferences"))
	if err != nil || len(home) == 0 {
		return o, err
	}
	o = o.Copy()
	if len(away) > 0 {
		o.Set(away, "metadata", "ownerReferences")
	} else {
		o.Drop("metadata", "ownerReferences")
	}
	o.SetAnnotation(AnnotationOwners, encoded(home).(string))
	return o, nil
}

// hiddenPatch is a patch as the cluster is to have it.
func (v *Overlaid) hiddenPatch(ctx context.Context, kind manifest.Kind, namespace, name string, p manifest.Patch) ([]byte, error) {
	if !strings.Contains(string(p.Data), "ownerReferences") {
		return p.Data, nil
	}
	if p.Kind == manifest.JSONPatch {
		return nil, &manifest.Refusal{Code: http.StatusBadRequest, Reason: "BadRequest", Message: "owner references of an object in the cluster cannot be changed by a JSON patch while Argo's kinds are kept beside it"}
	}
	patch, err := parse(p.Data)
	if err != nil {
		return nil, &manifest.Refusal{Code: http.StatusBadRequest, Reason: "BadRequest", Message: "the patch is no JSON object"}
	}
	if _, told := patch.At("metadata", "ownerReferences"); !told {
		return p.Data, nil
	}
	if p.Kind == manifest.ApplyPatch {
		patch, err = v.hidden(ctx, patch)
		return patch.JSON(), err
	}
	away, home, err := v.split(ctx, patch.List("metadata", "ownerReferences"))
	if err != nil {
		return nil, err
	}
	if p.Kind == manifest.StrategicPatch { // its list is merged by uid with what is there
		o, err := v.away.Get(ctx, kind, namespace, name)
		if err != nil {
			return nil, err
		}
		known := noted(o)
		away = slices.DeleteFunc(away, func(r any) bool { // a deletion need not say what the owner is
			ours := slices.ContainsFunc(known, func(w manifest.Object) bool { return w.Text("uid") == uidOf(r) })
			if ours {
				home = append(home, r)
			}
			return ours
		})
		home = merged(known, objects(home))
	}
	if patch.Drop("metadata", "ownerReferences"); len(away) > 0 || p.Kind == manifest.MergePatch {
		patch.Set(away, "metadata", "ownerReferences")
	}
	patch.Set(encoded(home), "metadata", "annotations", AnnotationOwners)
	return patch.JSON(), nil
}

func uidOf(ref any) string {
	m, _ := ref.(map[string]any)
	return manifest.Object(m).Text("uid")
}

// merged is a list of owner references after a strategic patch of it.
func merged(list, patch []manifest.Object) []any {
	var out []any
	patched := map[string]manifest.Object{}
	for _, w := range patch {
		patched[w.Text("uid")] = w
	}
	for _, w := range list {
		if patched[w.Text("uid")] == nil {
			out = append(out, map[string]any(w))
		}
	}
	for _, w := range patch {
		if w.Text("$patch") != "delete" {
			out = append(out, map[string]any(w))
		}
	}
	return out
}

// encoded is the annotation's value, nil for no owners.
func encoded(refs []any) any {
	if len(refs) == 0 {
		return nil
	}
	data, err := json.Marshal(refs)
	if err != nil {
		return nil // refs come from JSON
	}
	return string(data)
}

func shown(o manifest.Object, err error) (manifest.Object, error) {
	show(o)
	return o, err
}

// show puts the owner references back where they belong.
func show(o manifest.Object) {
	refs := noted(o)
	if len(refs) == 0 {
		return
	}
	list := o.List("metadata", "ownerReferences")
	for _, w := range refs {
		list = append(list, map[string]any(w))
	}
	o.Set(list, "metadata", "ownerReferences")
	if o.Drop("metadata", "annotations", AnnotationOwners); len(o.Sub("metadata", "annotations")) == 0 {
		o.Drop("metadata", "annotations")
	}
}

// noted are the owner references that an object's annotation holds, none where it is not ours to read.
func noted(o manifest.Object) []manifest.Object {
	var list []any
	text := o.Annotation(AnnotationOwners)
	if text == "" || json.Unmarshal([]byte(text), &list) != nil {
		return nil
	}
	return objects(list)
}

// Scout follows a kind by metadata where it is kept, as far as that can be done there.
func (v *Overlaid) Scout(ctx context.Context, kind manifest.Kind, namespace string, each func(manifest.Object)) error {
	home, err := v.isHome(ctx, kind)
	if err != nil {
		return err
	}
	at := v.away
	if home {
		at = v.home
	}
	if s, able := at.(scouting); able {
		return s.Scout(ctx, kind, namespace, each)
	}
	each(nil)
	<-ctx.Done()
	return context.Cause(ctx)
}
