package application_test

import (
	"slices"
	"strings"
	"testing"

	app "github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// TestManagedNamespaceIsKept holds that the destination's namespace is never pruned while managedNamespaceMetadata looks
// after it, though the sources held it once and it still carries the application's mark.
func TestManagedNamespaceIsKept(t *testing.T) {
	space := "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod}"
	w := newWorld(t, stream(config("a"), space))
	w.begin(app.SyncOperation{})
	w.run(20)
	key := manifest.Key{Kind: "Namespace", Name: "prod"}
	w.live[key] = w.space
	w.desired = objects(t, config("a"))
	if p := pairOf(t, w.compare(), "prod"); !p.Prune {
		t.Fatalf("without metadata it is to be pruned: %+v", p)
	}
	w.app.Spec.SyncPolicy = &app.SyncPolicy{ManagedNamespaceMetadata: &app.NamespaceMeta{Labels: map[string]string{"team": "shop"}}}
	p := pairOf(t, w.compare(), "prod")
	if p.Prune || p.Target == nil || p.Target.Labels()["team"] != "shop" || p.Target.Annotation(app.AnnotationTracking) != "" {
		t.Fatalf("%+v", p)
	}
	w.begin(app.SyncOperation{Prune: true})
	w.run(20)
	if w.live[key] == nil || w.space.Labels()["team"] != "shop" || !slices.Contains(w.log, "apply prod") {
		t.Errorf("%v: %v", w.log, w.space)
	}
}

// TestNamespaceIsMissing holds that only objects of kinds that are known to live in namespaces need one.
func TestNamespaceIsMissing(t *testing.T) {
	w := newWorld(t, stream(config("a"), "apiVersion: config.example.com/v1\nkind: Console\nmetadata: {name: cluster}"))
	w.app.Spec.Destination.Namespace, w.unknown["Console"] = "", true
	got := strings.Join(warnings(w.compare()), "\n")
	if got != "InvalidSpecError: Namespace for a /v1, Kind=ConfigMap is missing." {
		t.Error(got)
	}
}
