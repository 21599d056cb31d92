package cluster_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// bare is the cluster without the definitions that other tests have brought.
type bare struct{ *cluster.Cluster }

func (b bare) Kinds(ctx context.Context) ([]manifest.Discovered, error) {
	list, err := b.Cluster.Kinds(ctx)
	return slices.DeleteFunc(list, func(d manifest.Discovered) bool { return d.Kind.Group == "argoproj.io" }), err
}

func overlay(t *testing.T) (*kubetest.Kube, *cluster.Cluster, *objects.Store, *cluster.Overlaid) {
	t.Helper()
	k, c := open(t)
	home := must[*objects.Store](t)(objects.Open(objects.Config{Kinds: objects.Argo(), Anywhere: true}))
	return k, c, home, cluster.Overlay(home, bare{c})
}

func rolloutOf(k *kubetest.Kube, name string) manifest.Object {
	return manifest.Object{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": map[string]any{"name": name, "namespace": k.Namespace}, "spec": map[string]any{"replicas": int64(1)}}
}

func reference(o manifest.Object) map[string]any {
	return map[string]any{"apiVersion": o.Text("apiVersion"), "kind": o.Text("kind"), "name": o.Name(), "uid": o.UID(), "controller": true, "blockOwnerDeletion": true}
}

func serviceOf(k *kubetest.Kube, name string, owners ...any) manifest.Object {
	o := manifest.Object{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": name, "namespace": k.Namespace}, "spec": map[string]any{"ports": []any{map[string]any{"port": int64(80)}}}}
	if len(owners) > 0 {
		o.Set(owners, "metadata", "ownerReferences")
	}
	return o
}

func TestOwnersBesideTheClusterAreHiddenFromItAndShownHere(t *testing.T) {
	k, c, home, v := overlay(t)
	ctx, ok := t.Context(), must[manifest.Object](t)
	service := manifest.KindOf("v1", "Service")
	r := ok(v.Create(ctx, rolloutOf(k, "r"), manifest.Writing{}))
	if _, err := home.Get(ctx, r.Kind(), k.Namespace, "r"); err != nil {
		t.Fatalf("the Rollout is not in the store: %v", err)
	}
	made := ok(v.Create(ctx, serviceOf(k, "s", reference(r)), manifest.Writing{}))
	look := func(what string, o manifest.Object, owners int) {
		t.Helper()
		if n := len(o.Owners()); n != owners || o.Annotation(cluster.AnnotationOwners) != "" {
			t.Errorf("%s: %s", what, o.JSON())
		}
		raw := ok(c.Get(ctx, service, k.Namespace, "s"))
		if len(raw.Owners()) != 0 || (raw.Annotation(cluster.AnnotationOwners) != "") != (owners > 0) {
			t.Errorf("%s: the cluster has %s", what, raw.JSON())
		}
	}
	look("create", made, 1)
	look("get", ok(v.Get(ctx, service, k.Namespace, "s")), 1)
	made.SetLabel("a", "b")
	look("update", ok(v.Update(ctx, made, "", manifest.Writing{})), 1)
	list := must[[]manifest.Object](t)(v.List(ctx, service, k.Namespace, "a=b"))
	if len(list) != 1 {
		t.Fatalf("the list is %v", list)
	}
	look("list", list[0], 1)
	patch := func(kind string, data manifest.Object) (manifest.Object, error) {
		return v.Patch(ctx, service, k.Namespace, "s", manifest.Patch{Kind: kind, Data: data.JSON()}, manifest.Writing{})
	}
	refs := func(list ...any) manifest.Object {
		o := manifest.Object{}
		o.Set(list, "metadata", "ownerReferences")
		return o
	}
	second := ok(v.Create(ctx, rolloutOf(k, "second"), manifest.Writing{}))
	look("a strategic patch adds", ok(patch(manifest.StrategicPatch, refs(reference(second)))), 2)
	look("and takes away", ok(patch(manifest.StrategicPatch, refs(map[string]any{"$patch": "delete", "uid": second.UID()}))), 1)
	look("a merge patch replaces", ok(patch(manifest.MergePatch, refs(reference(r), reference(second)))), 2)
	look("and empties", ok(patch(manifest.MergePatch, refs())), 0)
	applied := serviceOf(k, "s", reference(r))
	got, err := v.Patch(ctx, service, k.Namespace, "s", manifest.Patch{Kind: manifest.ApplyPatch, Data: applied.JSON(), Force: true}, manifest.Writing{Manager: "m"})
	look("apply", ok(got, err), 1)
	_, err = v.Patch(ctx, service, k.Namespace, "s", manifest.Patch{Kind: manifest.JSONPatch, Data: []byte(`[{"op":"remove","path":"/metadata/ownerReferences/0"}]`)}, manifest.Writing{})
	refused(t, err, "BadRequest", http.StatusBadRequest)
}

func TestWhatTheStoreOwnedInTheClusterGoesWithIt(t *testing.T) {
	k, c, _, v := overlay(t)
	ctx, ok := t.Context(), must[manifest.Object](t)
	service := manifest.KindOf("v1", "Service")
	one := ok(v.Create(ctx, rolloutOf(k, "one"), manifest.Writing{}))
	two := ok(v.Create(ctx, rolloutOf(k, "two"), manifest.Writing{}))
	held := rolloutOf(k, "held")
	held.Set([]any{"example.org/hold"}, "metadata", "finalizers")
	held = ok(v.Create(ctx, held, manifest.Writing{}))
	ok(v.Create(ctx, serviceOf(k, "alone", reference(one)), manifest.Writing{}))
	ok(v.Create(ctx, serviceOf(k, "shared", reference(one), map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "two", "uid": two.UID()}), manifest.Writing{}))
	ok(v.Create(ctx, serviceOf(k, "free"), manifest.Writing{}))
	ok(v.Create(ctx, serviceOf(k, "later", reference(held)), manifest.Writing{}))
	there := func(name string) bool {
		_, err := c.Get(ctx, service, k.Namespace, name)
		return err == nil
	}
	if err := v.Delete(ctx, one.Kind(), k.Namespace, "one", manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	if there("alone") || !there("shared") || !there("free") || !there("later") {
		t.Errorf("alone %v, shared %v, free %v, later %v", there("alone"), there("shared"), there("free"), there("later"))
	}
	if err := v.Delete(ctx, two.Kind(), k.Namespace, "two", manifest.Writing{Propagation: "Orphan"}); err != nil {
		t.Fatal(err)
	}
	if !there("shared") {
		t.Error("an orphan was deleted")
	}
	if err := v.Delete(ctx, held.Kind(), k.Namespace, "held", manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	if !there("later") {
		t.Error("what is owned went before its owner, which has a finalizer")
	}
	ok(v.Patch(ctx, held.Kind(), k.Namespace, "held", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"metadata":{"finalizers":null}}`)}, manifest.Writing{}))
	if there("later") {
		t.Error("what was owned stays after its owner's finalizer went")
	}
}

func TestTheKindsOfBothAreServedAndTheClustersOwnComeFirst(t *testing.T) {
	k, c := open(t)
	k.ApplyCRDs(t, kubetest.Rollouts)
	home := must[*objects.Store](t)(objects.Open(objects.Config{Kinds: objects.Argo(), Anywhere: true}))
	count := func(v cluster.API, kind string) (n int) {
		for _, d := range must[[]manifest.Discovered](t)(v.Kinds(t.Context())) {
			if d.Kind.Group == "argoproj.io" && d.Kind.Kind == kind {
				n++
			}
		}
		return n
	}
	if n := count(cluster.Overlay(home, c), "Rollout"); n != 1 {
		t.Errorf("%d Rollouts are served", n)
	}
	if n := count(cluster.Overlay(home, c, "Rollout"), "Rollout"); n != 1 {
		t.Errorf("%d times Rollout where it is always at home", n)
	}
	if n := count(cluster.Overlay(home, bare{c}), "Application"); n != 1 {
		t.Errorf("%d Applications are served", n)
	}
	must[manifest.Object](t)(cluster.Overlay(home, c).Create(t.Context(), rolloutOf(k, "r"), manifest.Writing{}))
	if _, err := c.Get(t.Context(), rolloutOf(k, "r").Kind(), k.Namespace, "r"); err != nil {
		t.Errorf("a cluster that defines Rollouts does not have it: %v", err)
	}
}

func TestTheCacheSeesOneClusterOfBoth(t *testing.T) {
	k, _, _, v := overlay(t)
	ctx, ok := t.Context(), must[manifest.Object](t)
	app := "app-" + k.Namespace
	r := ok(v.Create(ctx, marked(rolloutOf(k, "r"), app), manifest.Writing{}))
	set := object(t, `{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: rs}, spec: {replicas: 0, selector: {matchLabels: {a: r}}, template: {metadata: {labels: {a: r}}, spec: {containers: [{name: c, image: i}]}}}}`)
	set.Set(k.Namespace, "metadata", "namespace")
	set.Set([]any{reference(r)}, "metadata", "ownerReferences")
	ok(v.Create(ctx, set, manifest.Writing{}))
	s := state(t, v, cluster.Scope{})
	live := must[application.Live](t)(s.Live(ctx, application.Tracking{App: app}, nil, []manifest.Kind{r.Kind()}, nil))
	if sets := live.Children[r.UID()]; len(sets) != 1 || sets[0].Name() != "rs" {
		t.Errorf("the Rollout owns %v of %v", sets, names(live))
	}
}
