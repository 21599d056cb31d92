package diff

import (
	"maps"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Mask is what stands for a secret value. Another value of the same key stands as a longer one, so that a change shows.
const Mask = "++++++++"

// mask hides what a Secret holds on its sides: same value, same mask. The sides are changed; what they share is copied.
func mask(secret bool, annotations []string, sides ...map[string]any) []map[string]any {
	if !secret {
		return sides
	}
	out := make([]map[string]any, len(sides))
	for i, s := range sides {
		if s != nil {
			out[i] = maps.Clone(s)
		}
	}
	hide(out, "data", nil)
	hide(out, "stringData", nil)
	if len(annotations) > 0 {
		metas := make([]map[string]any, len(out))
		for i, s := range out {
			if m, ok := s["metadata"].(map[string]any); ok {
				metas[i] = maps.Clone(m)
				s["metadata"] = metas[i]
			}
		}
		hide(metas, "annotations", annotations)
	}
	return out
}

// hide masks the values of a map that each side has under a name; only nil hides all of them.
func hide(sides []map[string]any, name string, only []string) {
	seen := map[string][]any{}
	for _, side := range sides {
		v, ok := side[name]
		if !ok || v == nil {
			continue
		}
		m, ok := v.(map[string]any)
		if !ok {
			side[name] = maskOf(seen, "", v)
			continue
		}
		masked := make(map[string]any, len(m))
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if only == nil || slices.Contains(only, k) {
				masked[k] = maskOf(seen, k, m[k])
			} else {
				masked[k] = m[k]
			}
		}
		side[name] = masked
	}
}

func maskOf(seen map[string][]any, key string, v any) string {
	for i, e := range seen[key] {
		if equal(e, v) {
			return Mask + strings.Repeat("+", i)
		}
	}
	seen[key] = append(seen[key], v)
	return Mask + strings.Repeat("+", len(seen[key])-1)
}

// Masked is an object as it may be shown: a Secret's data and the named annotations are masked, and so is the copy that
// kubectl's annotation holds. Others are given back as they are.
func Masked(o manifest.Object, annotations []string) manifest.Object {
	if o == nil || !isSecret(o) {
		return o
	}
	var before map[string]any
	text, applied := o.Annotations()[lastApplied]
	if applied {
		if p, err := manifest.Parse([]byte(text)); err == nil {
			before = p
		}
	}
	sides := mask(true, append(slices.Clone(annotations), lastApplied), o, before)
	out := manifest.Object(sides[0])
	if applied && before != nil {
		shown := manifest.Object(sides[1])
		if meta := shown.Sub("metadata"); meta != nil {
			shown = shown.Copy()
			shown.Drop("metadata", "annotations", lastApplied)
		}
		out = out.Copy()
		out.SetAnnotation(lastApplied, string(shown.JSON()))
	}
	return out
}
