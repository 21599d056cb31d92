package diff

import (
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// merged is Target with the fields that the rules ignore as live has them, so that a sync does not touch them
// (https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/, "Respect ignore differences configs").
func (in Input) merged(rules Rules, s *shape) manifest.Object {
	if isSecret(in.Target) {
		in.Target = in.Target.Copy()
		binaryData(in.Target)
	}
	out := map[string]any(in.Target.Copy())
	live := map[string]any(in.Live)
	fields := entries(in.Live)
	targetHits, _ := rules.hits(out, fields)
	liveHits, _ := rules.hits(live, fields)
	var set [][]string
	for _, h := range liveHits {
		v, ok := lookup(live, h.path)
		if !ok {
			continue
		}
		if at, ok := translate(h.path, live, out, field{shape: s}); ok {
			put(out, at, manifest.Object{"v": v}.Copy()["v"])
			set = append(set, at)
		}
	}
	for _, h := range targetHits {
		if !slices.ContainsFunc(set, func(p []string) bool { return overlaps(p, h.path) }) {
			remove(out, h.path)
		}
	}
	tidied, ok := tidy(out).(map[string]any)
	if !ok {
		return out
	}
	return tidied
}

func overlaps(a, b []string) bool {
	n := min(len(a), len(b))
	return slices.Equal(a[:n], b[:n])
}

// translate is the place in to of what tokens lead to in from: elements of merged lists are found by their keys, of others
// by their number where the lists are of one length. An element that to lacks gets the place behind the last.
func translate(path []string, from, to any, f field) ([]string, bool) {
	out := make([]string, 0, len(path))
	for i, p := range path {
		last := i == len(path)-1
		switch src := from.(type) {
		case map[string]any:
			dst, ok := to.(map[string]any)
			if !ok {
				return nil, false
			}
			from, to, f = src[p], dst[p], f.shape.field(p)
			if to == nil && !last {
				to = map[string]any{}
				if _, list := from.([]any); list {
					to = []any{}
				}
			}
		case []any:
			dst, _ := to.([]any)
			n, ok := index(p, len(src))
			if !ok {
				return nil, false
			}
			at := n
			if f.merge && len(f.keys) > 0 {
				var there bool
				if at, there = byKey(dst, f.keys)[key(src[n], f.keys)]; !there {
					at = len(dst)
				}
			} else if len(dst) != len(src) {
				return nil, false
			}
			if at == len(dst) && !last {
				return nil, false // live alone has the element: nothing of it is applied
			}
			p, from, to = itoa(at), src[n], nil
			if at < len(dst) {
				to = dst[at]
			}
			f = field{shape: f.shape.element()}
		default:
			return nil, false
		}
		out = append(out, p)
	}
	return out, true
}

// put sets a value at tokens, making the maps on the way; the place behind a list's last element appends.
func put(root map[string]any, path []string, v any) {
	var at any = root
	set := func(any) {}
	for i, p := range path {
		last := i == len(path)-1
		switch x := at.(type) {
		case map[string]any:
			if last {
				x[p] = v
				return
			}
			if x[p] == nil {
				x[p] = map[string]any{}
			}
			at, set = x[p], func(n any) { x[p] = n }
		case []any:
			n, ok := index(p, len(x)+1)
			switch {
			case !ok || n == len(x) && !last:
				return
			case n == len(x):
				set(append(x, v))
				return
			case last:
				x[n] = v
				return
			}
			at, set = x[n], func(e any) { x[n] = e }
		default:
			return
		}
	}
}
