package objects

import (
	"encoding/base64"

	"sigs.k8s.io/structured-merge-diff/v6/schema"
)

func encode(v any) string {
	text, _ := v.(string)
	return base64.StdEncoding.EncodeToString([]byte(text))
}

// keep removes from m the fields that a type of the schema does not have.
func keep(m map[string]any, s *schema.Schema, name string) {
	atom, ok := s.Resolve(schema.TypeRef{NamedType: &name})
	if ok && atom.Map != nil {
		keepIn(m, s, atom)
	}
}

func keepIn(v any, s *schema.Schema, atom schema.Atom) {
	if atom.Scalar != nil {
		return // anything goes
	}
	switch v := v.(type) {
	case map[string]any:
		if atom.Map == nil {
			return
		}
		for key, e := range v {
			field, ok := atom.Map.FindField(key)
			ref := field.Type
			if !ok {
				if ref = atom.Map.ElementType; ref == (schema.TypeRef{}) {
					if key != "apiVersion" && key != "kind" {
						delete(v, key)
					}
					continue
				}
			}
			if inner, ok := s.Resolve(ref); ok {
				keepIn(e, s, inner)
			}
		}
	case []any:
		if atom.List == nil {
			return
		}
		inner, ok := s.Resolve(atom.List.ElementType)
		for _, e := range v {
			if ok {
				keepIn(e, s, inner)
			}
		}
	}
}
