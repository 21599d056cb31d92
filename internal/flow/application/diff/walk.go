package diff

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// walker collects the differences of two sides.
type walker struct {
	out []Difference
}

// walk compares two values at a path. Elements of found that are gone are passed over and keep their number.
func (d *walker) walk(path string, wanted, found any, f field) {
	switch w := wanted.(type) {
	case map[string]any:
		if x, ok := found.(map[string]any); ok {
			d.maps(path, w, x, f.shape)
			return
		}
	case []any:
		if x, ok := found.([]any); ok {
			d.lists(path, w, x, f)
			return
		}
	default:
		if f.shape.alike(wanted, found) {
			return
		}
	}
	if f.zero && isZero(wanted) && isZero(found) {
		return
	}
	d.out = append(d.out, Difference{Path: path, Wanted: tidy(wanted), Found: tidy(found)})
}

func (d *walker) maps(path string, wanted, found map[string]any, s *shape) {
	keys := slices.AppendSeq(make([]string, 0, len(wanted)), maps.Keys(wanted))
	for k := range found {
		if _, ok := wanted[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		d.walk(path+"/"+escape(k), wanted[k], found[k], s.field(k))
	}
}

func (d *walker) lists(path string, wanted, found []any, f field) {
	one := field{shape: f.shape.element()}
	wanted, _ = present(wanted)
	there, at := present(found)
	if f.merge && len(f.keys) > 0 && keyed(wanted, f.keys) && keyed(there, f.keys) && !(f.order && shuffled(wanted, there, f.keys)) {
		d.keyed(path, wanted, there, at, f.keys, one)
		return
	}
	if f.merge && len(f.keys) == 0 && sameSet(wanted, there) {
		return
	}
	if len(wanted) != len(there) || f.merge {
		d.out = append(d.out, Difference{Path: path, Wanted: tidy(wanted), Found: tidy(found)})
		return
	}
	for i := range wanted {
		d.walk(path+"/"+strconv.Itoa(at[i]), wanted[i], there[i], one)
	}
}

func (d *walker) keyed(path string, wanted, there []any, at []int, keys []string, one field) {
	w := byKey(wanted, keys)
	seen := map[string]bool{}
	for i, e := range there {
		k := key(e, keys)
		seen[k] = true
		var want any
		if j, ok := w[k]; ok {
			want = wanted[j]
		}
		d.walk(path+"/"+strconv.Itoa(at[i]), want, e, one)
	}
	next := len(there) // what is new stands behind what is there
	if len(at) > 0 {
		next = max(next, at[len(at)-1]+1)
	}
	for _, e := range wanted {
		if !seen[key(e, keys)] {
			d.walk(path+"/"+strconv.Itoa(next), e, nil, one)
			next++
		}
	}
}

func sameSet(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for _, e := range a {
		if !contains(b, e) {
			return false
		}
	}
	return true
}

func isZero(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	case string:
		return v == ""
	case bool:
		return !v
	}
	return number(v) == int64(0)
}

var escaper = strings.NewReplacer("~", "~0", "/", "~1")

// escape writes a key as a token of a JSON pointer (RFC 6901).
func escape(k string) string {
	if !strings.ContainsAny(k, "~/") {
		return k
	}
	return escaper.Replace(k)
}

// tokens are the parts of a JSON pointer, unescaped; false where it is none.
func tokens(pointer string) ([]string, bool) {
	if pointer == "" {
		return nil, true
	}
	rest, ok := strings.CutPrefix(pointer, "/")
	if !ok {
		return nil, false
	}
	parts := strings.Split(rest, "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(p, "~1", "/"), "~0", "~")
	}
	return parts, true
}

// pointer writes tokens as a JSON pointer.
func pointer(parts []string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(escape(p))
	}
	return b.String()
}

// below reports whether a pointer is another or leads below it.
func below(p, top string) bool {
	return p == top || strings.HasPrefix(p, top) && p[len(top)] == '/'
}

// lookup is the value that tokens lead to.
func lookup(v any, parts []string) (any, bool) {
	for _, p := range parts {
		switch x := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = x[p]; !ok {
				return nil, false
			}
		case []any:
			i, ok := index(p, len(x))
			if !ok {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	return v, v != any(gone{})
}

// index reads the number of a list's element as RFC 6901 writes it.
func index(text string, length int) (int, bool) {
	i, err := strconv.Atoi(text)
	return i, err == nil && i >= 0 && i < length && text == strconv.Itoa(i)
}

// remove leaves out what tokens lead to: a key goes, an element becomes gone. It reports whether there was something.
func remove(v any, parts []string) bool {
	if len(parts) == 0 {
		return false
	}
	parent, ok := lookup(v, parts[:len(parts)-1])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	switch x := parent.(type) {
	case map[string]any:
		_, ok = x[last]
		delete(x, last)
		return ok
	case []any:
		if i, ok := index(last, len(x)); ok && x[i] != any(gone{}) {
			x[i] = gone{}
			return true
		}
	}
	return false
}
