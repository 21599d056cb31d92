package diff

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// shortest is the length below which a value is not looked for in texts: it would be found in every word.
const shortest = 3

// Scrub takes a Secret's values out of a text that may quote them, such as a server's refusal. A value that is part of the
// Secret's own name or of its namespace's stays where the text speaks of those.
func Scrub(text string, secrets ...manifest.Object) string {
	var values, names []string
	for _, o := range secrets {
		if o != nil && isSecret(o) {
			values = append(values, secretTexts(o)...)
			names = append(names, o.Name(), o.Namespace())
		}
	}
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	for _, v := range slices.Compact(values) {
		text = scrubbed(text, v, names)
	}
	return text
}

// scrubbed masks a value wherever it stands but inside of a name.
func scrubbed(text, value string, names []string) string {
	var out strings.Builder
	for from := 0; ; {
		at := strings.Index(text[from:], value)
		if at < 0 {
			return out.String() + text[from:]
		}
		at += from
		end := at + len(value)
		if name := around(text, at, end, names); name > 0 {
			out.WriteString(text[from:name])
			from = name
			continue
		}
		out.WriteString(text[from:at] + Mask)
		from = end
	}
}

// around is where the name ends that text[at:end] is part of, -1 where it is part of none. A name stands by itself: what is
// before and after it could not belong to one.
func around(text string, at, end int, names []string) int {
	for _, name := range names {
		if len(name) < end-at {
			continue
		}
		for from := max(0, end-len(name)); from <= at && from+len(name) <= len(text); from++ {
			to := from + len(name)
			if text[from:to] == name && (from == 0 || !nameByte(text[from-1])) && (to == len(text) || !nameByte(text[to])) {
				return to
			}
		}
	}
	return -1
}

// nameByte reports whether a name of Kubernetes may hold a byte.
func nameByte(b byte) bool {
	return b == '-' || b == '.' || b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// secretTexts are the forms in which a Secret's values may stand in a text.
func secretTexts(o manifest.Object) []string {
	var out []string
	add := func(s string) {
		for _, form := range []string{s, quoted(s), strings.TrimSpace(s)} {
			if len(form) >= shortest {
				out = append(out, form)
			}
		}
	}
	for _, name := range []string{"data", "stringData"} {
		for _, v := range leaves(o[name]) {
			add(v)
			if plain, err := base64.StdEncoding.DecodeString(v); err == nil {
				add(string(plain))
			}
			add(base64.StdEncoding.EncodeToString([]byte(v)))
		}
	}
	return out
}

// leaves are the plain values below v, as text.
func leaves(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case map[string]any:
		var out []string
		for _, e := range v {
			out = append(out, leaves(e)...)
		}
		return out
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, leaves(e)...)
		}
		return out
	}
	return []string{fmt.Sprint(v)}
}

// quoted is how Go and JSON write a text between quotes.
func quoted(s string) string {
	data, err := json.Marshal(s)
	if err != nil || len(data) < 2 {
		return s
	}
	return string(data[1 : len(data)-1])
}
