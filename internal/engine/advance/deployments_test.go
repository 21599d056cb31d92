package advance_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/engine/advance"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

var deployments = manifest.Kind{Group: "apps", Version: "v1", Kind: "Deployment"}

const plain = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: web, image: "nginx:1.19-alpine"}]
`

// TestADeploymentIsShippedByItsAnnotation takes a Deployment that runs through a canary and back to itself, on a real node.
func TestADeploymentIsShippedByItsAnnotation(t *testing.T) {
	k := kubetest.Start(t, kubetest.C)
	k.ApplyCRDs(t, kubetest.Rollouts)
	ctx, stop := context.WithCancel(context.Background())
	m := manager(t, k.Kubeconfig, k.Namespace, "", slog.New(slog.NewTextHandler(t.Output(), nil)))
	ended := make(chan struct{})
	go func() {
		_ = m.Run(ctx)
		close(ended)
	}()
	defer func() { stop(); <-ended }()

	k.Apply(t, plain)
	k.Wait(t, "the Deployment serves", func() bool { return k.Object(t, deployments, "web").Int(0, "status", "availableReplicas") == 2 })
	patch := func(text string) {
		t.Helper()
		if code, data := k.Do(t, "PATCH", k.Path(t, deployments, k.Namespace)+"/web", manifest.MergePatch, []byte(text)); code != 200 {
			t.Fatalf("%d %s", code, data)
		}
	}
	status := func() manifest.Object { return k.Object(t, advance.Rollouts, "web").Sub("status") }
	patch(`{"metadata":{"annotations":{"` + rollout.StrategyAnnotation + `":"canary: {steps: [{setWeight: 50}, {pause: {}}]}"}}}`)
	k.Wait(t, "the Rollout has taken over", func() bool {
		d := k.Object(t, deployments, "web")
		return status().Text("phase") == "Healthy" && status().Int(0, "availableReplicas") == 2 && d.Int(-1, "spec", "replicas") == 0
	})

	patch(`{"spec":{"template":{"metadata":{"annotations":{"version":"2"}}}}}`)
	k.Wait(t, "the canary pauses at half", func() bool {
		return status().Text("phase") == "Paused" && status().Int(0, "updatedReplicas") == 1 && status().Int(0, "replicas") == 2
	})

	patch(`{"metadata":{"annotations":{"` + rollout.StrategyAnnotation + `":null}}}`)
	k.Wait(t, "the Deployment serves by itself and the Rollout is gone", func() bool {
		d := k.Object(t, deployments, "web")
		return k.Object(t, advance.Rollouts, "web") == nil && d.Int(0, "status", "availableReplicas") == 2 && d.Annotation(rollout.ReplicasAnnotation) == ""
	})
}
