package rollout

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// The examples that Argo Rollouts documents; TestArithmeticIsArgos holds three thousand more.
func TestDocumentedReplicaCounts(t *testing.T) {
	pods := func(n int32) *intstr.IntOrString { v := intstr.FromInt32(n); return &v }
	for _, c := range []struct {
		replicas, weight, fresh, stable int32
		unavailable, surge              int32
		wantFresh, wantStable           int32
	}{
		{10, 10, 0, 10, 1, 1, 1, 9},
		{10, 30, 0, 10, 0, 3, 3, 10},
		{10, 30, 0, 10, 5, 0, 0, 7},
		{10, 5, 0, 10, 1, 1, 1, 10}, // Argo's comment says 9, its code 10: one of eleven is nearer to 5%
		{1, 5, 0, 1, 0, 1, 1, 1},
		{1, 95, 0, 1, 0, 1, 1, 1},
	} {
		r := Rollout{
			Spec: Spec{Replicas: &c.replicas, Strategy: Strategy{Canary: &Canary{
				MaxUnavailable: pods(c.unavailable), MaxSurge: pods(c.surge), Steps: []Step{{SetWeight: &c.weight}},
			}}},
			Status: Status{StableRS: "stable", CurrentPodHash: "fresh"},
		}
		fresh := &set{name: "fresh", replicas: c.fresh, available: c.fresh}
		stable := &set{name: "stable", replicas: c.stable, available: c.stable}
		if a, b := r.basic(fresh, stable, nil); a != c.wantFresh || b != c.wantStable {
			t.Errorf("%+v: %d and %d", c, a, b)
		}
	}
}

// https://argo-rollouts.readthedocs.io/en/stable/features/canary/: shares are rounded up for maxSurge, down for maxUnavailable.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		replicas           int32
		surge, unavailable string
		wantSurge, wantGap int32
	}{
		{10, "25%", "25%", 3, 2}, {10, "0%", "0%", 0, 1}, {3, "1%", "1%", 1, 0}, {0, "25%", "25%", 0, 0}, {2, "0%", "1%", 0, 1}, {4, "", "", 1, 1},
	} {
		canary := &Canary{}
		if c.surge != "" {
			surge, unavailable := intstr.FromString(c.surge), intstr.FromString(c.unavailable)
			canary.MaxSurge, canary.MaxUnavailable = &surge, &unavailable
		}
		s := Spec{Replicas: &c.replicas, Strategy: Strategy{Canary: canary}}
		if a, b := s.limits(); a != c.wantSurge || b != c.wantGap {
			t.Errorf("%+v: %d and %d", c, a, b)
		}
	}
}

func TestWeightsBecomePods(t *testing.T) {
	three, two := int32(3), int32(2)
	for _, c := range []struct {
		weight, replicas      int32
		dynamic               bool
		least                 *int32
		weights               *Weights
		wantFresh, wantStable int32
	}{
		{10, 10, false, nil, nil, 1, 10},
		{5, 10, false, nil, nil, 1, 10},
		{0, 10, false, &two, nil, 0, 10},
		{5, 10, false, &two, nil, 2, 10},
		{40, 10, true, nil, nil, 4, 6},
		{40, 10, true, nil, &Weights{Stable: Destination{Weight: 100}}, 4, 10},
		{40, 10, true, nil, &Weights{Stable: Destination{Weight: 60}}, 4, 6},
		{90, 10, true, &three, nil, 9, 3},
		{100, 10, true, &three, nil, 10, 0},
	} {
		r := Rollout{
			Spec: Spec{Replicas: &c.replicas, Strategy: Strategy{Canary: &Canary{
				TrafficRouting: &TrafficRouting{}, DynamicStableScale: c.dynamic, MinPodsPerReplicaSet: c.least, Steps: []Step{{SetWeight: &c.weight}},
			}}},
			Status: Status{StableRS: "stable", CurrentPodHash: "fresh"},
		}
		if a, b := r.weighted(c.weights); a != c.wantFresh || b != c.wantStable {
			t.Errorf("%+v: %d and %d", c, a, b)
		}
	}
}
