package main

import (
	"slices"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
)

// TestArgoCD plays the scenarios of Argo CD's own end-to-end tests against `sluice controller`, over Argo CD's definitions.
func TestArgoCD(t *testing.T) {
	kube := kubetest.Start(t, kubetest.C)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	kube.ApplyCRDs(t, kubetest.ArgoCD)
	w := argoStart(t, kube, nil)
	w.play(t, slices.Concat(hookScenarios(), syncScenarios(), renderScenarios(), policyScenarios(), userScenarios()))
}
