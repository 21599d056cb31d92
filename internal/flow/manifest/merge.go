package manifest

import "reflect"

// Merge is the JSON merge patch (RFC 7386) that turns before into after: what changed or is new, and null for what is
// gone. Lists are replaced whole. It is empty where nothing changed; it shares values with after.
func Merge(before, after Object) Object {
	out := Object{}
	for k, v := range after {
		old, had := before[k]
		if had && reflect.DeepEqual(old, v) {
			continue
		}
		was, is := asMap(old), asMap(v)
		if was == nil || is == nil {
			out[k] = v
			continue
		}
		if sub := Merge(was, is); len(sub) > 0 {
			out[k] = map[string]any(sub)
		}
	}
	for k := range before {
		if _, kept := after[k]; !kept {
			out[k] = nil
		}
	}
	return out
}

// Apply is what the merge patch makes of an object; the object stays as it is.
func Apply(o, patch Object) Object {
	out := o.Copy()
	if out == nil {
		out = Object{}
	}
	out.merge(patch)
	return out
}

func (o Object) merge(patch Object) {
	for k, v := range patch {
		sub := asMap(v)
		switch {
		case v == nil:
			delete(o, k)
		case sub != nil:
			below := asMap(o[k])
			if below == nil {
				below = Object{}
			}
			below.merge(sub)
			o[k] = map[string]any(below)
		default:
			o[k] = clone(v)
		}
	}
}

func asMap(v any) Object {
	switch v := v.(type) {
	case map[string]any:
		return v
	case Object:
		return v
	}
	return nil
}
