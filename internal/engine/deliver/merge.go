package deliver

import (
	"bytes"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// lastApplied is where client-side apply keeps what it applied, so that what is dropped from the manifest is dropped from
// the object too (Kubernetes documentation, "Declarative Management of Kubernetes Objects Using Configuration Files").
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// withLastApplied is the object as client-side apply sends it. The annotation holds the object as it was wanted, without
// the annotation itself; the API refuses annotations of more than 256 KiB together, so a larger object goes without.
func withLastApplied(o manifest.Object) manifest.Object {
	const most = 200 << 10 // bytes
	plain := o.Copy()
	plain.Drop("metadata", "annotations", lastApplied)
	if len(plain.Sub("metadata", "annotations")) == 0 {
		plain.Set(map[string]any{}, "metadata", "annotations")
	}
	text := plain.JSON()
	out := plain.Copy()
	if len(text) <= most {
		out.SetAnnotation(lastApplied, string(text)+"\n")
	}
	return out
}

// threeWay is the patch that client-side apply sends for an object that is there: what changed since it was applied last
// and what somebody changed of what is wanted, nothing else. The patch is nil where there is nothing to do. Kinds of
// Kubernetes' own are merged by their merge keys, others by RFC 7386.
func threeWay(live, target manifest.Object) (manifest.Patch, error) {
	modified := withLastApplied(target)
	original := []byte(live.Annotation(lastApplied))
	if len(original) == 0 {
		original = nil
	}
	k := target.Kind()
	typed, err := scheme.Scheme.New(schema.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind})
	if err != nil {
		data, err := jsonmergepatch.CreateThreeWayJSONMergePatch(original, modified.JSON(), live.JSON())
		if err != nil {
			return manifest.Patch{}, fmt.Errorf("compare %s with what is there: %w", target.Key(), err)
		}
		return patchOf(manifest.MergePatch, data), nil
	}
	meta, err := strategicpatch.NewPatchMetaFromStruct(typed)
	if err != nil {
		return manifest.Patch{}, err
	}
	data, err := strategicpatch.CreateThreeWayMergePatch(original, modified.JSON(), live.JSON(), meta, true)
	if err != nil {
		return manifest.Patch{}, fmt.Errorf("compare %s with what is there: %w", target.Key(), err)
	}
	return patchOf(manifest.StrategicPatch, data), nil
}

// patchOf leaves a patch without data where it changes nothing but the annotation of what was applied, and that says the same.
func patchOf(kind string, data []byte) manifest.Patch {
	if bytes.Equal(bytes.TrimSpace(data), []byte("{}")) {
		return manifest.Patch{Kind: kind}
	}
	return manifest.Patch{Kind: kind, Data: data}
}

// unite makes one entry of those of managedFields that one manager applied with in one version: the sets of fields are
// tries, and their union is that of the maps.
func unite(fields []any) []any {
	var out []any
	var own map[string]map[string]any
	for _, f := range fields {
		m, ok := f.(map[string]any)
		if !ok || m["manager"] != ssaManager || m["operation"] != "Apply" || m["subresource"] != nil {
			out = append(out, f)
			continue
		}
		version, _ := m["apiVersion"].(string)
		if old := own[version]; old != nil {
			a, _ := old["fieldsV1"].(map[string]any)
			b, _ := m["fieldsV1"].(map[string]any)
			old["fieldsV1"] = union(a, b)
			continue
		}
		if own == nil {
			own = map[string]map[string]any{}
		}
		own[version] = m
		out = append(out, m)
	}
	return out
}

func union(a, b map[string]any) map[string]any {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range b {
		x, ok1 := out[k].(map[string]any)
		y, ok2 := v.(map[string]any)
		if ok1 && ok2 {
			out[k] = union(x, y)
		} else if _, there := out[k]; !there {
			out[k] = v
		}
	}
	return out
}
