package health

import (
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// fields reads an object as its kind's type would be read: what is missing is zero, what has another type is noted.
type fields struct {
	manifest.Object

	wrong string // the first field of a wrong type, in words
}

func (f *fields) note(path []string, v any, want string) {
	if f.wrong == "" {
		f.wrong = fmt.Sprintf("%s is %s, not %s", strings.Join(path, "."), typeWord(v), want)
	}
}

func typeWord(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case int64, int, float64:
		return "a number"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

// at is the value at a path, nil where there is none.
func (f *fields) at(path []string) any {
	var v any = map[string]any(f.Object)
	for i, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			if v != nil {
				f.note(path[:i], v, "an object")
			}
			return nil
		}
		v = m[p]
	}
	return v
}

func (f *fields) text(path ...string) string {
	v := f.at(path)
	s, ok := v.(string)
	if !ok && v != nil {
		f.note(path, v, "a string")
	}
	return s
}

func (f *fields) flag(path ...string) bool {
	v := f.at(path)
	b, ok := v.(bool)
	if !ok && v != nil {
		f.note(path, v, "a boolean")
	}
	return b
}

// number is the whole number at a path and whether there is one.
func (f *fields) number(path ...string) (int64, bool) {
	v := f.at(path)
	switch n := v.(type) {
	case nil:
		return 0, false
	case int64:
		return n, true
	case int:
		return int64(n), true
	case float64:
		if n == float64(int64(n)) {
			return int64(n), true
		}
	}
	f.note(path, v, "a whole number")
	return 0, false
}

func (f *fields) count(path ...string) int64 {
	n, _ := f.number(path...)
	return n
}

// each is the list of objects at a path.
func (f *fields) each(path ...string) []*fields {
	v := f.at(path)
	list, ok := v.([]any)
	if !ok && v != nil {
		f.note(path, v, "a list")
	}
	out := make([]*fields, 0, len(list))
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			f.note(path, v, "a list of objects")
			continue
		}
		out = append(out, &fields{Object: m})
	}
	return out
}

// condition is one of status.conditions.
type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func (f *fields) conditions() []condition {
	list := f.each("status", "conditions")
	out := make([]condition, len(list))
	for i, c := range list {
		out[i] = condition{c.text("type"), c.text("status"), c.text("reason"), c.text("message")}
		f.take(c, "status.conditions")
	}
	return out
}

// take passes on what is wrong with an entry of a list.
func (f *fields) take(entry *fields, list string) {
	if f.wrong == "" && entry.wrong != "" {
		f.wrong = list + ": " + entry.wrong
	}
}

// observed reports whether the controller has seen the newest generation.
func (f *fields) observed() bool {
	return f.count("metadata", "generation") <= f.count("status", "observedGeneration")
}
