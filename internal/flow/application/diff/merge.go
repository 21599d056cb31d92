package diff

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
)

// gone stands in a list for an element that a rule leaves out, so that the others keep their places.
type gone struct{}

// merge is what live becomes when wanted is applied: what is wanted, and of live what was not applied before (last). Lists of
// known types are merged by their keys; of others, lists of one length element by element, else what is wanted replaces what
// is there. Neither side is changed; the answer may share with both.
func merge(wanted, live, last any, f field) any {
	switch w := wanted.(type) {
	case map[string]any:
		if l, ok := live.(map[string]any); ok {
			return mergeMaps(w, l, last, f)
		}
	case []any:
		if l, ok := live.([]any); ok {
			return mergeLists(w, l, last, f)
		}
	default:
		if f.shape.alike(wanted, live) {
			return live
		}
	}
	return tidy(wanted)
}

func mergeMaps(wanted, live map[string]any, last any, f field) map[string]any {
	before, _ := last.(map[string]any)
	out := make(map[string]any, len(live)+2)
	changed := false
	for k, l := range live {
		w, ok := wanted[k]
		if !ok {
			if _, applied := before[k]; !applied {
				out[k] = l
			} else {
				changed = true
			}
			continue
		}
		out[k] = merge(w, l, before[k], f.shape.field(k))
		changed = changed || f.retain && !equal(out[k], l)
	}
	for k, w := range wanted {
		if _, ok := live[k]; !ok {
			out[k] = tidy(w)
			changed = true
		}
	}
	if f.retain && changed {
		for k := range out {
			if _, ok := wanted[k]; !ok {
				delete(out, k)
			}
		}
	}
	return out
}

func mergeLists(wanted, live []any, last any, f field) []any {
	before, _ := last.([]any)
	wanted, _ = present(wanted)
	switch {
	case f.merge && len(f.keys) > 0 && keyed(wanted, f.keys) && keyed(live, f.keys):
		return mergeKeyed(wanted, live, before, f)
	case f.merge && len(f.keys) == 0:
		return mergeSet(wanted, live, before)
	}
	there, _ := present(live)
	if len(there) != len(wanted) {
		return tidy(wanted).([]any)
	}
	out := make([]any, len(wanted))
	for i, w := range wanted {
		var b any
		if i < len(before) {
			b = before[i]
		}
		one := field{shape: f.shape.element()}
		out[i] = merge(w, there[i], b, one)
	}
	return out
}

// mergeKeyed keeps live's order and appends what is new.
func mergeKeyed(wanted, live, before []any, f field) []any {
	w, b := byKey(wanted, f.keys), byKey(before, f.keys)
	one := field{shape: f.shape.element(), retain: f.retain}
	out := make([]any, 0, len(live))
	done := map[string]bool{}
	for _, l := range live {
		k := key(l, f.keys)
		if i, ok := w[k]; ok && !done[k] {
			var was any
			if j, ok := b[k]; ok {
				was = keyless(before[j], wanted[i], f.keys)
			}
			out, done[k] = append(out, merge(wanted[i], l, was, one)), true
			continue
		}
		if _, applied := b[k]; !applied && l != any(gone{}) {
			out = append(out, l)
		}
	}
	for _, e := range wanted {
		if k := key(e, f.keys); !done[k] {
			out, done[k] = append(out, tidy(e)), true
		}
	}
	if f.order && shuffled(wanted, out, f.keys) {
		return arrange(wanted, out, f.keys)
	}
	return out
}

// keyless is what was applied of an element without those of its keys that are not wanted in words: they are alike, or it
// would be another element.
func keyless(was, wanted any, keys []string) any {
	b, ok1 := was.(map[string]any)
	w, ok2 := wanted.(map[string]any)
	if !ok1 || !ok2 {
		return was
	}
	out := b
	for _, k := range keys {
		if _, told := w[k]; told || b[k] == nil {
			continue
		}
		if len(out) == len(b) {
			out = maps.Clone(b)
		}
		delete(out, k)
	}
	return out
}

// shuffled reports whether the wanted elements stand in another order than they are wanted in.
func shuffled(wanted, have []any, keys []string) bool {
	at, last := byKey(have, keys), -1
	for _, e := range wanted {
		i := at[key(e, keys)]
		if i < last {
			return true
		}
		last = i
	}
	return false
}

// arrange puts the wanted elements in their order on the places that they hold together.
func arrange(wanted, have []any, keys []string) []any {
	w, at := byKey(wanted, keys), byKey(have, keys)
	out, next := make([]any, len(have)), 0
	for i, e := range have {
		if _, ok := w[key(e, keys)]; !ok {
			out[i] = e
			continue
		}
		out[i] = have[at[key(wanted[next], keys)]]
		next++
	}
	return out
}

// mergeSet merges a list of plain values, each of which stands once.
func mergeSet(wanted, live, before []any) []any {
	var out []any
	for _, l := range live {
		if l != any(gone{}) && (contains(wanted, l) || !contains(before, l)) {
			out = append(out, l)
		}
	}
	for _, w := range wanted {
		if !contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

func contains(list []any, v any) bool {
	for _, e := range list {
		if equal(e, v) {
			return true
		}
	}
	return false
}

// keyed reports whether every element is a map that has the first key, and none stands twice.
func keyed(list []any, keys []string) bool {
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		if e == any(gone{}) {
			continue
		}
		m, ok := e.(map[string]any)
		if !ok || m[keys[0]] == nil {
			return false
		}
		k := key(e, keys)
		if seen[k] {
			return false
		}
		seen[k] = true
	}
	return true
}

// key is what tells an element from the others; a protocol that is not told is TCP.
func key(e any, keys []string) string {
	m, ok := e.(map[string]any)
	if !ok {
		return "\x00"
	}
	if len(keys) == 1 {
		if s, ok := m[keys[0]].(string); ok {
			return s
		}
	}
	var b strings.Builder
	for _, k := range keys {
		v := m[k]
		if v == nil && k == "protocol" {
			v = "TCP"
		}
		fmt.Fprint(&b, v, "\x00")
	}
	return b.String()
}

func byKey(list []any, keys []string) map[string]int {
	out := make(map[string]int, len(list))
	for i, e := range list {
		if e == any(gone{}) {
			continue
		}
		if k := key(e, keys); k != "\x00" {
			if _, ok := out[k]; !ok {
				out[k] = i
			}
		}
	}
	return out
}

// present is a list without what is gone, and where each element stood.
func present(l []any) ([]any, []int) {
	out, at := make([]any, 0, len(l)), make([]int, 0, len(l))
	for i, e := range l {
		if e != any(gone{}) {
			out, at = append(out, e), append(at, i)
		}
	}
	return out, at
}

// tidy is a value without what is gone; it shares what needs no change.
func tidy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = tidy(e)
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			if e != any(gone{}) {
				out = append(out, tidy(e))
			}
		}
		return out
	}
	return v
}

// equal compares JSON values; whole numbers of any type are one.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			w, ok := b[k]
			if !ok || !equal(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	if x, y := number(a), number(b); x == nil || y == nil || reflect.TypeOf(x).Comparable() && reflect.TypeOf(y).Comparable() {
		return x == y
	}
	return false
}
