package lua_test

import (
	"context"
	"io/fs"
	"path"
	"testing"
	"testing/fstest"
	"time"

	"github.com/argoproj/argo-cd/v3/resource_customizations"

	"github.com/sluice-delivery/sluice/internal/dialect/argo/lua"
	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// FuzzHealth runs any script on an object: it ends, with a status, with none or with an error, and reading it as a file
// of a folder ends too. What one library function does in one go only the sandbox bounds, so such inputs are passed over.
func FuzzHealth(f *testing.F) {
	_ = fs.WalkDir(resource_customizations.Embedded, "argoproj.io", func(p string, _ fs.DirEntry, _ error) error {
		if path.Ext(p) == ".lua" {
			text, _ := resource_customizations.Embedded.ReadFile(p)
			f.Add(string(text))
		}
		return nil
	})
	f.Add(`return {status = "Healthy", message = string.format("%d", 1)}`)
	f.Fuzz(func(t *testing.T, script string) {
		if len(script) > 4<<10 {
			return
		}
		_, _ = lua.Shipped().Over("mine", fstest.MapFS{"Pod/health.lua": {Data: []byte(script)}})
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		o := manifest.Object{"apiVersion": "v1", "kind": "Pod", "spec": map[string]any{}, "status": map[string]any{}}
		r, err := lua.NewInterpreter().Health(ctx, time.Unix(0, 0), script, o)
		if err == nil && r.Status != "" && !r.Status.Valid() {
			t.Errorf("%+v", r)
		}
		if r != (health.Result{}) && err != nil {
			t.Errorf("%+v and %v", r, err)
		}
	})
}
