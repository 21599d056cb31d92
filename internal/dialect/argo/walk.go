package argo

import (
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Field is one field of a kind, found by walking the type that its objects are read into.
type Field struct {
	// Path names it: dots between fields, lists without an index ("spec.sources.repoURL"), ".*" for any key of a map.
	Path string
	// As is the path that has the fields of this one, where the same type stood before; "" else.
	As string

	owner reflect.Type // the struct that it is a field of
	name  string
}

// leaves are types that the walk does not look into: Kubernetes' own, which Kubernetes documents.
var leaves = []reflect.Type{
	reflect.TypeFor[metav1.LabelSelector](), reflect.TypeFor[metav1.Time](), reflect.TypeFor[intstr.IntOrString](),
}

// walk lists the fields below a type in the order of their declaration. A struct is gone through where it is met first.
func walk(t reflect.Type, path string, seen map[reflect.Type]string, out []Field) []Field {
	for i := range t.NumField() {
		x := t.Field(i)
		name, _, _ := strings.Cut(x.Tag.Get("json"), ",")
		if x.Anonymous && name == "" {
			out = walk(x.Type, path, seen, out)
			continue
		}
		if name == "" || name == "-" {
			continue
		}
		f := Field{Path: path + name, owner: t, name: name}
		inside, mark := below(x.Type)
		before, met := seen[inside]
		switch {
		case inside == nil:
			out = append(out, f)
		case met:
			f.As = before
			out = append(out, f)
		default:
			seen[inside] = f.Path
			out = walk(inside, f.Path+mark+".", seen, append(out, f))
		}
	}
	return out
}

// below is the struct that a type holds, through pointers, lists and maps, and ".*" where a map is on the way; nil where
// there is none to look into.
func below(t reflect.Type) (reflect.Type, string) {
	mark := ""
	for {
		if slices.Contains(anything, t) || slices.Contains(leaves, t) {
			return nil, ""
		}
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice:
			t = t.Elem()
		case reflect.Map:
			t, mark = t.Elem(), ".*"
		case reflect.Struct:
			if t.NumField() == 0 {
				return nil, ""
			}
			return t, mark
		default:
			return nil, ""
		}
	}
}
