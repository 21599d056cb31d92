package application_test

import (
	"fmt"
	"strings"
	"testing"

	app "github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// BenchmarkCompare is the comparison of 10,000 synced Deployments with their pods' templates, applied by kubectl.
func BenchmarkCompare(b *testing.B) {
	const text = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "web:1", ports: [{containerPort: 80}], resources: {requests: {cpu: 100m, memory: 1Gi}}, env: [{name: A, value: a}, {name: B, value: b}]}
      - {name: side, image: "side:1"}
`
	w := newWorld(b, "")
	for i := range 10_000 {
		w.desired = append(w.desired, objects(b, strings.Replace(text, "name: web,", fmt.Sprintf("name: web-%d,", i), 1))...)
	}
	for _, p := range w.compare().Pairs {
		live := p.Target.Copy()
		live.SetAnnotation(app.AnnotationLastApplied, string(p.Target.JSON()))
		live.Set(map[string]any{"replicas": int64(2)}, "status")
		live.Set("RollingUpdate", "spec", "strategy", "type")
		for _, c := range live.List("spec", "template", "spec", "containers") {
			manifest.Object(c.(map[string]any)).Set("IfNotPresent", "imagePullPolicy")
		}
		w.live[p.Key] = live
	}
	b.ReportAllocs()
	for b.Loop() {
		if c := w.compare(); c.Status != app.Synced {
			b.Fatal(c.Status)
		}
	}
}
