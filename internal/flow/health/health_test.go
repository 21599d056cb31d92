package health_test

import (
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func object(t *testing.T, text string) manifest.Object {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o, err := manifest.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestAssess reads testdata/*.yaml: documents whose first line says what is expected ("# Healthy", "# Degraded: why",
// "# none").
func TestAssess(t *testing.T) {
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile("testdata/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for doc := range strings.SplitSeq(strings.TrimPrefix(string(data), "---\n"), "\n---\n") {
			first, rest, _ := strings.Cut(doc, "\n")
			want, ok := strings.CutPrefix(first, "# ")
			if !ok {
				t.Fatalf("%s: a document does not say what is expected: %s", f.Name(), first)
			}
			t.Run(f.Name()+"/"+want, func(t *testing.T) {
				r, known := health.Assess(object(t, rest))
				got := string(r.Status)
				if r.Message != "" {
					got += ": " + r.Message
				}
				if !known {
					got = "none"
				}
				if got != want {
					t.Errorf("got  %s\nwant %s\nof\n%s", got, want, rest)
				}
			})
		}
	}
}

func TestOrder(t *testing.T) {
	sorted := []health.Status{health.Healthy, health.Suspended, health.Progressing, health.Missing, health.Degraded, health.Unknown}
	for i, a := range sorted {
		for j, b := range sorted {
			if health.Worse(a, b) != (j > i) {
				t.Errorf("Worse(%s, %s) = %v", a, b, j <= i)
			}
		}
	}
	if got := health.Worst(health.Progressing, "", health.Missing, health.Healthy); got != health.Missing {
		t.Errorf("the worst is %s", got)
	}
	if got := health.Worst(); got != health.Healthy {
		t.Errorf("the worst of none is %s", got)
	}
	if health.Worse("", "") || health.Worse("", health.Healthy) {
		t.Error("no status is not Healthy")
	}
}

// TestAssessNeverFails draws objects of every kind with wrong types anywhere: each gets one of the six statuses.
func TestAssessNeverFails(t *testing.T) {
	kinds := [][2]string{
		{"apps/v1", "Deployment"},
		{"apps/v1", "ReplicaSet"},
		{"apps/v1", "StatefulSet"},
		{"apps/v1", "DaemonSet"},
		{"v1", "Service"},
		{"v1", "PersistentVolumeClaim"},
		{"v1", "Pod"},
		{"networking.k8s.io/v1", "Ingress"},
		{"batch/v1", "Job"},
		{"autoscaling/v1", "HorizontalPodAutoscaler"},
		{"autoscaling/v2", "HorizontalPodAutoscaler"},
		{"apiregistration.k8s.io/v1", "APIService"},
		{"argoproj.io/v1alpha1", "Workflow"},
	}
	names := []string{
		"metadata", "spec", "status", "replicas", "observedGeneration", "generation", "conditions", "phase", "restartPolicy",
		"containerStatuses", "state", "waiting", "reason", "updateStrategy", "type", "loadBalancer", "ingress", "annotations",
		"autoscaling.alpha.kubernetes.io/conditions", "message", "terminated", "deletionTimestamp", "finalizers",
	}
	values := []any{"Always", "Running", "Failed", "", int64(3), 1.5, true, nil, "[{]", "2025-01-01T00:00:00Z"}
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		leaf := rapid.SampledFrom(values)
		if depth == 0 {
			return leaf
		}
		return rapid.OneOf(leaf,
			rapid.Map(rapid.SliceOfN(value(depth-1), 0, 3), func(l []any) any { return l }),
			rapid.Map(rapid.MapOfN(rapid.SampledFrom(names), value(depth-1), 0, 6), func(m map[string]any) any { return m }))
	}
	rapid.Check(t, func(t *rapid.T) {
		o := manifest.Object(rapid.MapOfN(rapid.SampledFrom(names), value(4), 0, 6).Draw(t, "object"))
		k := rapid.SampledFrom(kinds).Draw(t, "kind")
		o["apiVersion"], o["kind"] = k[0], k[1]
		before := string(o.JSON())
		r, ok := health.Assess(o)
		if !ok || !r.Status.Valid() {
			t.Fatalf("%v of %s", r, before)
		}
		if before != string(o.JSON()) {
			t.Fatal("the object was changed")
		}
	})
}
