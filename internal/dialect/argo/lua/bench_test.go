package lua_test

import (
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/argo/lua"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// BenchmarkAssess assesses 10,000 objects: by built-in rules, and by a script of Argo CD's that nothing remembers.
func BenchmarkAssess(b *testing.B) {
	for _, kind := range [][2]string{{"apps/v1", "Deployment"}, {"argoproj.io/v1alpha1", "Rollout"}} {
		b.Run(kind[1], func(b *testing.B) {
			objects := make([]manifest.Object, 10_000)
			for n := range objects {
				objects[n] = object(kind[0], kind[1])
				objects[n]["spec"] = map[string]any{"replicas": int64(1), "strategy": map[string]any{"canary": map[string]any{}}}
				objects[n]["status"] = map[string]any{"observedGeneration": "1", "phase": "Healthy"}
			}
			for b.Loop() {
				c := lua.NewChecker(lua.Shipped(), inProcess, func() time.Time { return now })
				if _, err := c.Assess(b.Context(), objects); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
