package kubetest_test

import (
	"net/http"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func TestTheNamespaceAndWhatIsInItGoWithTheTest(t *testing.T) {
	var inner *kubetest.Kube
	t.Run("inner", func(t *testing.T) {
		inner = kubetest.Start(t, kubetest.A)
		inner.Apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, finalizers: []}\ndata: {k: v}\n---\n\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n")
		if got := inner.Object(t, manifest.KindOf("v1", "ConfigMap"), "c").Text("data", "k"); got != "v" {
			t.Fatalf("the ConfigMap has %q", got)
		}
	})
	if inner == nil {
		t.Skip("no Kubernetes here")
	}
	code, data := inner.Do(t, http.MethodGet, "/api/v1/namespaces/"+inner.Namespace, "", nil)
	left, _ := manifest.Parse(data)
	if code != http.StatusNotFound && !left.Deleting() {
		t.Errorf("the namespace is still there: %d %s", code, data)
	}
}

func TestDefinitionsAreServedOnceApplied(t *testing.T) {
	k := kubetest.Start(t, kubetest.A)
	k.ApplyCRDs(t, kubetest.ArgoCD, kubetest.Rollouts, kubetest.Gateway, kubetest.Istio)
	made := k.Apply(t, "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: r, finalizers: [example.org/hold]}\nspec: {}\n")
	if made[0].Namespace() != k.Namespace || made[0].UID() == "" {
		t.Errorf("the Rollout is %s", made[0].JSON())
	}
}
