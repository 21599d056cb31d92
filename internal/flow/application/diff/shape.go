package diff

import (
	"maps"
	"reflect"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// shape is what is known of a value's type: how to write it in one form and how to merge it. Nil is a value of which nothing
// is known, which is merged as JSON.
type shape struct {
	form   form
	fields map[string]field // of a struct
	elem   *shape           // of a list or a map
}

type form int

const (
	plain form = iota
	quantity
	duration
	structure
	table
	list
)

// field is one field of a struct.
type field struct {
	shape  *shape
	zero   bool     // the API leaves the zero value out, so both are one
	merge  bool     // a list that is merged: by keys, or as a set where there are none
	keys   []string // what tells its elements apart
	retain bool     // of its value, the keys that are not wanted go when anything of it changes (a union)
	order  bool     // the order of a merged list counts
}

func (s *shape) field(name string) field {
	switch {
	case s == nil:
		return field{}
	case s.form == structure:
		return s.fields[name]
	case s.form == table:
		return field{shape: s.elem}
	}
	return field{}
}

// shapes are made when first used, of the types of Kubernetes' API; they are never changed after.
var shapes = struct {
	sync.Mutex
	of map[reflect.Type]*shape
}{of: map[reflect.Type]*shape{}}

// shapeOf is the shape of a kind; of one that Kubernetes does not have, what all objects share with what the options know.
func (o Options) shapeOf(kind manifest.Kind) *shape {
	shapes.Lock()
	defer shapes.Unlock()
	if t, ok := builtin()[kind]; ok {
		return shapeFor(t)
	}
	root := &shape{form: structure, fields: map[string]field{"metadata": {shape: shapeFor(reflect.TypeFor[metav1.ObjectMeta]())}}}
	for _, known := range append(knownTypes, o.KnownTypes...) {
		if t, ok := embeddable()[known.Type]; ok && known.Group == kind.Group && known.Kind == kind.Kind {
			root.plant(strings.Split(known.Field, "."), shapeFor(t))
		}
	}
	return root
}

// plant puts a shape at a path of fields below s.
func (s *shape) plant(path []string, leaf *shape) {
	for _, name := range path[:len(path)-1] {
		next := &shape{form: structure, fields: map[string]field{}}
		if old := s.fields[name].shape; old != nil {
			maps.Copy(next.fields, old.fields) // old may be another kind's too
		}
		s.fields[name] = field{shape: next}
		s = next
	}
	s.fields[path[len(path)-1]] = field{shape: leaf}
}

func shapeFor(t reflect.Type) *shape {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if s, ok := shapes.of[t]; ok {
		return s
	}
	s := &shape{}
	shapes.of[t] = s // before its fields, which may lead back to it
	switch {
	case t == reflect.TypeFor[resource.Quantity]():
		s.form = quantity
	case t == reflect.TypeFor[metav1.Duration]():
		s.form = duration
	case t == reflect.TypeFor[metav1.Time](), t == reflect.TypeFor[metav1.MicroTime](), t == reflect.TypeFor[intstr.IntOrString](),
		t == reflect.TypeFor[runtime.RawExtension](), t == reflect.TypeFor[metav1.FieldsV1]():
	case t.Kind() == reflect.Map:
		s.form, s.elem = table, shapeFor(t.Elem())
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		s.form, s.elem = list, shapeFor(t.Elem())
	case t.Kind() == reflect.Struct:
		s.form, s.fields = structure, map[string]field{}
		s.collect(t)
	}
	return s
}

func (s *shape) collect(t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, flags, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" && (f.Anonymous || strings.Contains(flags, "inline")) {
			s.collect(f.Type)
			continue
		}
		if name == "" || name == "-" {
			continue
		}
		strategy := "," + f.Tag.Get("patchStrategy") + ","
		one := field{
			shape:  shapeFor(f.Type),
			zero:   strings.Contains(flags, "omitempty") && f.Type.Kind() != reflect.Pointer && f.Type.Kind() != reflect.Struct || strings.Contains(flags, "omitzero"),
			merge:  strings.Contains(strategy, ",merge,"),
			retain: strings.Contains(strategy, ",retainKeys,"),
			order:  name == "initContainers" || name == "env",
		}
		if key := f.Tag.Get("patchMergeKey"); key != "" {
			one.keys = []string{key}
			if name == "ports" && (key == "port" || key == "containerPort") {
				one.keys = []string{key, "protocol"} // the same port serves TCP and UDP
			}
		}
		s.fields[name] = one
	}
}
