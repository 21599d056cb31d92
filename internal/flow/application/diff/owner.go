package diff

import (
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// entry is one entry of metadata.managedFields.
type entry struct {
	manager, operation, sub string
	at                      time.Time
	fields                  map[string]any // FieldsV1
}

// entries are metadata.managedFields
// (https://kubernetes.io/docs/reference/using-api/server-side-apply/#managedfields).
func entries(o manifest.Object) []entry {
	var out []entry
	for _, raw := range o.List("metadata", "managedFields") {
		m, ok := raw.(map[string]any)
		if !ok {
			continue
		}
		e := manifest.Object(m)
		at, err := time.Parse(time.RFC3339, e.Text("time"))
		if err != nil {
			at = time.Time{}
		}
		out = append(out, entry{
			manager: e.Text("manager"), operation: e.Text("operation"), sub: e.Text("subresource"), at: at, fields: e.Sub("fieldsV1"),
		})
	}
	return out
}

// owned are the pointers of the fields that FieldsV1 names in v: its leaves.
func owned(v any, fields map[string]any, path []string, add func(path []string)) {
	leaf := true
	for name, below := range fields {
		if name == "." {
			continue
		}
		leaf = false
		step, next, ok := follow(v, name)
		if !ok {
			continue
		}
		sub, _ := below.(map[string]any)
		owned(next, sub, append(path, step), add)
	}
	if leaf && len(path) > 0 {
		add(path)
	}
}

// follow takes one step of FieldsV1: f:name, k:{keys}, v:value or i:index.
func follow(v any, name string) (step string, next any, ok bool) {
	kind, rest, cut := strings.Cut(name, ":")
	if !cut {
		return "", nil, false
	}
	switch x := v.(type) {
	case map[string]any:
		next, ok = x[rest]
		return rest, next, ok && kind == "f"
	case []any:
		i := find(x, kind, rest)
		if i < 0 {
			return "", nil, false
		}
		return itoa(i), x[i], true
	}
	return "", nil, false
}

func find(list []any, kind, rest string) int {
	var want any
	if err := manifest.Decode([]byte(rest), &want); err != nil {
		return -1
	}
	for i, e := range list {
		switch kind {
		case "v":
			if equal(e, want) {
				return i
			}
		case "k":
			if matches(e, want) {
				return i
			}
		case "i":
			if number(want) == int64(i) {
				return i
			}
		}
	}
	return -1
}

// matches reports whether an element has all the keys; a protocol that is not told is TCP.
func matches(e, want any) bool {
	m, ok := e.(map[string]any)
	keys, also := want.(map[string]any)
	if !ok || !also {
		return false
	}
	for k, v := range keys {
		if have, ok := m[k]; !equal(have, v) && (ok || k != "protocol" || v != "TCP") {
			return false
		}
	}
	return true
}

// project is the part of v that FieldsV1 names: what a manager applied.
func project(v any, fields map[string]any) any {
	sub := 0
	for name := range fields {
		if name != "." {
			sub++
		}
	}
	if sub == 0 {
		if _, self := fields["."]; !self {
			return v
		}
	}
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, below := range fields {
			if step, next, ok := follow(x, name); ok {
				sub, _ := below.(map[string]any)
				out[step] = project(next, sub)
			}
		}
		return out
	case []any:
		var out []any
		for name, below := range fields {
			if _, next, ok := follow(x, name); ok {
				sub, _ := below.(map[string]any)
				out = append(out, withKeys(project(next, sub), name))
			}
		}
		return out
	}
	return v
}

// withKeys puts an element's keys in, so that it can be found though its manager did not apply them one by one.
func withKeys(e any, name string) any {
	m, ok := e.(map[string]any)
	rest, keyed := strings.CutPrefix(name, "k:")
	if !ok || !keyed {
		return e
	}
	var keys any
	if err := manifest.Decode([]byte(rest), &keys); err != nil {
		return e
	}
	if keys, ok := keys.(map[string]any); ok {
		for k, v := range keys {
			m[k] = v
		}
	}
	return m
}

// blame names who set each difference's live value: the newest entry that owns the field or what is below it, else the
// newest that owns what it is part of (who lost all fields of a map still owns the map).
func blame(live manifest.Object, out []Difference) {
	if len(out) == 0 {
		return
	}
	type owner struct {
		path string
		of   entry
	}
	var all []owner
	for _, e := range entries(live) {
		owned(map[string]any(live), e.fields, nil, func(p []string) { all = append(all, owner{pointer(p), e}) })
	}
	for i := range out {
		best, direct := -1, false
		for j, o := range all {
			own := below(o.path, out[i].Path)
			if !own && (direct || !below(out[i].Path, o.path)) {
				continue
			}
			if best < 0 || own && !direct || o.of.at.After(all[best].of.at) {
				best, direct = j, own
			}
		}
		if best >= 0 {
			out[i].Manager, out[i].At = all[best].of.manager, all[best].of.at
		}
	}
}
