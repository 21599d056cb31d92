package cluster_test

import (
	"net/http"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// A name that is none reaches no other object: with an empty one a request would be for all of the kind.
func TestANameIsOneObject(t *testing.T) {
	k, c := open(t)
	kind := manifest.Kind{Version: "v1", Kind: "ConfigMap"}
	k.Apply(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: stays}}`)
	for _, at := range []struct{ namespace, name string }{{k.Namespace, ""}, {k.Namespace, "."}, {k.Namespace, ".."}, {k.Namespace, "../stays"}, {k.Namespace, "a%2fb"}, {"..", "stays"}, {"x/../" + k.Namespace, "stays"}} {
		if o, err := c.Get(t.Context(), kind, at.namespace, at.name); !manifest.NotFound(err) {
			t.Errorf("get %q: %s %v", at, o.JSON(), err)
		}
		if err := c.Delete(t.Context(), kind, at.namespace, at.name, manifest.Writing{}); err != nil && !manifest.NotFound(err) {
			t.Errorf("delete %q: %v", at, err)
		}
		o := manifest.Object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": at.name, "namespace": at.namespace}}
		if _, err := c.Patch(t.Context(), kind, at.namespace, at.name, manifest.Patch{Kind: manifest.ApplyPatch, Data: o.JSON()}, manifest.Writing{}); !manifest.Is(err, manifest.ReasonInvalid) {
			t.Errorf("apply %q: %v", at, err)
		}
		if _, err := c.Update(t.Context(), o, "", manifest.Writing{}); !manifest.Is(err, manifest.ReasonInvalid) {
			t.Errorf("update %q: %v", at, err)
		}
	}
	if code, _ := k.Do(t, http.MethodGet, "/api/v1/namespaces/"+k.Namespace+"/configmaps/stays", "", nil); code != http.StatusOK {
		t.Error("the deletion of an object without a name has deleted others")
	}
}
