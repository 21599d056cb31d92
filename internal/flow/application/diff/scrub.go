package diff

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// shortest is the length below which a value is not looked for in texts: it would be found in every word.
const shortest = 3

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
