package rollout_test

import (
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

const canaryText = "canary: {steps: [{setWeight: 20}, {pause: {}}]}"

func deployment(t *testing.T, replicas int, annotations map[string]any) manifest.Object {
	t.Helper()
	o, err := manifest.From(map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": "web", "namespace": "shop", "uid": "u1", "generation": 2, "labels": map[string]any{"app.kubernetes.io/instance": "shop"}, "annotations": annotations},
		"spec":     map[string]any{"replicas": replicas, "minReadySeconds": 3},
		"status":   map[string]any{"observedGeneration": 2, "availableReplicas": replicas},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestADeploymentWithAStrategyGetsARollout(t *testing.T) {
	d := deployment(t, 4, map[string]any{rollout.StrategyAnnotation: canaryText})
	a := rollout.Adopt(d, nil)
	if a.Refused != "" || a.Create == nil {
		t.Fatalf("%+v", a)
	}
	if n := a.Create.Int(0, "spec", "replicas"); n != 4 {
		t.Errorf("%d replicas", n)
	}
	if w, ok := a.Create.Controller(); !ok || w.UID != "u1" || w.Kind != "Deployment" {
		t.Errorf("controlled by %+v", w)
	}
	if a.Create.Text("spec", "workloadRef", "scaleDown") != "onsuccess" || a.Create.Int(0, "spec", "minReadySeconds") != 3 || len(a.Create.Labels()) != 0 {
		t.Errorf("made %s", a.Create.JSON())
	}
	if a.Deployment.Text("metadata", "annotations", rollout.ReplicasAnnotation) != "4" {
		t.Errorf("the replicas are not remembered: %v", a.Deployment)
	}
	if r, err := rollout.Decode(a.Create); err != nil || len(rollout.Lint(r)) > 0 {
		t.Errorf("what is made is no Rollout: %v %v", err, rollout.Lint(r))
	}

	// Scaled down by the rollout, nothing is left to do.
	d = deployment(t, 0, map[string]any{rollout.StrategyAnnotation: canaryText, rollout.ReplicasAnnotation: "4"})
	if again := rollout.Adopt(d, a.Create); again.Create != nil || again.Rollout != nil || again.Deployment != nil || again.Delete || again.Refused != "" {
		t.Errorf("not settled: %+v", again)
	}
	// A new number of replicas goes to the Rollout.
	if more := rollout.Adopt(deployment(t, 6, map[string]any{rollout.StrategyAnnotation: canaryText, rollout.ReplicasAnnotation: "4"}), a.Create); more.Rollout.Int(0, "spec", "replicas") != 6 ||
		more.Deployment.Text("metadata", "annotations", rollout.ReplicasAnnotation) != "6" {
		t.Errorf("%+v", more)
	}
	// Another strategy replaces the first.
	other := rollout.Adopt(deployment(t, 0, map[string]any{rollout.StrategyAnnotation: "blueGreen: {activeService: web}", rollout.ReplicasAnnotation: "4"}), a.Create)
	if s := other.Rollout.Sub("spec", "strategy"); s == nil || s["canary"] != nil || s.Text("blueGreen", "activeService") != "web" {
		t.Errorf("%+v", other)
	}
}

func TestADeploymentWithoutItsStrategyServesByItselfAgain(t *testing.T) {
	made := rollout.Adopt(deployment(t, 4, map[string]any{rollout.StrategyAnnotation: canaryText}), nil).Create
	remembered := map[string]any{rollout.ReplicasAnnotation: "4"}
	if a := rollout.Adopt(deployment(t, 0, remembered), made); a.Deployment.Int(0, "spec", "replicas") != 4 || a.Delete {
		t.Errorf("first it is scaled up: %+v", a)
	}
	starting := deployment(t, 4, remembered)
	starting.Set(int64(3), "status", "availableReplicas")
	if a := rollout.Adopt(starting, made); a.Delete {
		t.Errorf("its pods are not all there: %+v", a)
	}
	if a := rollout.Adopt(deployment(t, 4, remembered), made); !a.Delete {
		t.Errorf("then the Rollout goes: %+v", a)
	}
	mine := made.Copy()
	mine.Drop("metadata", "annotations")
	if a := rollout.Adopt(deployment(t, 4, nil), mine); a.Delete || a.Deployment != nil {
		t.Errorf("a Rollout that a person made is touched: %+v", a)
	}
}

func TestAStrategyThatCannotBeFollowedIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "holds no strategy",
		"canary":                              "holds no strategy",
		"canary: {steps: [{setWeight: 200}]}": "between 0 and 100",
		"canary: {steps: [{plugin: {name: acme/x}}]}": "acme/x",
		"canary: {}\nblueGreen: {activeService: x}":   "Multiple Strategies",
		"canary: {steps: {setWeight: 20}}":            "cannot unmarshal",
	} {
		if a := rollout.Adopt(deployment(t, 1, map[string]any{rollout.StrategyAnnotation: text}), nil); !strings.Contains(a.Refused, want) || a.Create != nil {
			t.Errorf("%q: %+v", text, a)
		}
	}
	mine := manifest.Object{"metadata": map[string]any{"name": "web"}}
	if a := rollout.Adopt(deployment(t, 1, map[string]any{rollout.StrategyAnnotation: canaryText}), mine); !strings.Contains(a.Refused, "not made for this Deployment") {
		t.Errorf("%+v", a)
	}
}
