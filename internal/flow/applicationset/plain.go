package applicationset

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// tag is a {{ name }} of the plain templates.
var tag = regexp.MustCompile(`(?s)\{\{(.*?)\}\}`)

// plainly puts the parameters that are texts in the places of {{ name }}. What names no parameter stays as it stands.
func plainly(s string, params map[string]any) (string, error) {
	if rest := s[strings.LastIndex(s, "{{"):]; !strings.Contains(rest, "}}") && tag.MatchString(s) {
		return "", fmt.Errorf("invalid template: Cannot find end tag=%q in the template=%q starting from %q", "}}", s, rest[2:])
	}
	size := len(s)
	out := tag.ReplaceAllStringFunc(s, func(found string) string {
		v, ok := params[strings.TrimSpace(found[2:len(found)-2])].(string)
		if !ok || size > maxText {
			return found
		}
		size += len(v)
		return v
	})
	if size > maxText {
		return "", errLarge
	}
	return out, nil
}

// deeply fills every text of a value, the keys of maps too. What it fills shares nothing with what it was given.
func (f *filler) deeply(v any, params map[string]any) (any, error) {
	switch v := v.(type) {
	case string:
		return f.text(v, params)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			var err error
			if out[i], err = f.deeply(e, params); err != nil {
				return nil, err
			}
		}
		return out, nil
	case manifest.Object:
		return f.deeply(map[string]any(v), params)
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			key, err := f.text(k, params)
			if err != nil {
				return nil, err
			}
			if out[key], err = f.deeply(v[k], params); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// missing reports whether a template failed because a parameter is not there.
func missing(err error) bool {
	return strings.Contains(err.Error(), "map has no entry for key") || strings.Contains(err.Error(), "can't evaluate field")
}
