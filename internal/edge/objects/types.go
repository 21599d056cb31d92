package objects

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
	merge "sigs.k8s.io/structured-merge-diff/v6/typed"
)

// parser knows how server-side apply merges the fields of Kubernetes' own kinds: which lists have keys, which are sets, what
// is one whole. It is made of the Go types' patch tags, and of what stands below where the published schema says otherwise
// (https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy).
var parser = sync.OnceValue(func() *merge.Parser {
	b := &builder{done: map[reflect.Type]string{}}
	for kind, t := range scheme().AllKnownTypes() {
		if kind.Version != runtime.APIVersionInternal && !strings.HasSuffix(kind.Kind, "List") && !strings.HasSuffix(kind.Kind, "Options") {
			ref := b.refer(t)
			b.types = append(b.types, schema.TypeDef{Name: typeName(kind), Atom: schema.Atom{Map: b.atom(*ref.NamedType).Map}})
		}
	}
	return &merge.Parser{Schema: schema.Schema{Types: b.types}}
})

// wholes are structs that are owned and replaced as one.
var wholes = []reflect.Type{
	reflect.TypeFor[metav1.LabelSelector](), reflect.TypeFor[metav1.OwnerReference](), reflect.TypeFor[corev1.ObjectReference](),
	reflect.TypeFor[corev1.LocalObjectReference](), reflect.TypeFor[corev1.TypedLocalObjectReference](), reflect.TypeFor[corev1.SecretReference](),
	reflect.TypeFor[corev1.ConfigMapKeySelector](), reflect.TypeFor[corev1.SecretKeySelector](), reflect.TypeFor[corev1.ObjectFieldSelector](),
	reflect.TypeFor[corev1.ResourceFieldSelector](), reflect.TypeFor[corev1.NodeSelector](), reflect.TypeFor[corev1.NodeSelectorTerm](),
}

// keys are lists whose keys are more than the patch tag's one.
var keys = map[string][]string{
	"Container.ports":                   {"containerPort", "protocol"},
	"EphemeralContainerCommon.ports":    {"containerPort", "protocol"},
	"ServiceSpec.ports":                 {"port", "protocol"},
	"PodSpec.topologySpreadConstraints": {"topologyKey", "whenUnsatisfiable"},
}

// single are maps that are owned as one.
var single = []string{"ServiceSpec.selector", "PodSpec.nodeSelector", "ReplicationControllerSpec.selector"}

type builder struct {
	types []schema.TypeDef
	done  map[reflect.Type]string
}

var (
	anything  = schema.Scalar("untyped")
	number    = schema.Numeric
	text      = schema.String
	truth     = schema.Boolean
	untyped   = schema.TypeRef{Inlined: schema.Atom{Scalar: &anything, List: &schema.List{ElementType: schema.TypeRef{NamedType: new(deduced)}, ElementRelationship: schema.Atomic}, Map: &schema.Map{ElementType: schema.TypeRef{NamedType: new(deduced)}, ElementRelationship: schema.Separable}}}
	scalars   = []reflect.Type{reflect.TypeFor[metav1.Time](), reflect.TypeFor[metav1.MicroTime](), reflect.TypeFor[resource.Quantity](), reflect.TypeFor[intstr.IntOrString]()}
	deduceds  = []reflect.Type{reflect.TypeFor[runtime.RawExtension](), reflect.TypeFor[metav1.FieldsV1]()}
	wholeType = func(t reflect.Type) bool { return slices.Contains(wholes, t) }
)

const deduced = "__untyped_deduced_"

func (b *builder) atom(name string) schema.Atom {
	for _, t := range b.types {
		if t.Name == name {
			return t.Atom
		}
	}
	return schema.Atom{}
}

// refer is how a field of a Go type is merged.
func (b *builder) refer(t reflect.Type) schema.TypeRef {
	if len(b.types) == 0 {
		b.types = append(b.types, schema.TypeDef{Name: deduced, Atom: untyped.Inlined})
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case slices.Contains(scalars, t):
		return scalar(&anything)
	case slices.Contains(deduceds, t):
		return schema.TypeRef{NamedType: new(deduced)}
	}
	switch t.Kind() {
	case reflect.Struct:
		return b.structure(t)
	case reflect.Map:
		return schema.TypeRef{Inlined: schema.Atom{Map: &schema.Map{ElementType: b.refer(t.Elem())}}}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return scalar(&text)
		}
		return schema.TypeRef{Inlined: schema.Atom{List: &schema.List{ElementType: b.refer(t.Elem()), ElementRelationship: schema.Atomic}}}
	case reflect.String:
		return scalar(&text)
	case reflect.Bool:
		return scalar(&truth)
	case reflect.Interface:
		return schema.TypeRef{NamedType: new(deduced)}
	default:
		return scalar(&number)
	}
}

func scalar(s *schema.Scalar) schema.TypeRef { return schema.TypeRef{Inlined: schema.Atom{Scalar: s}} }

func (b *builder) structure(t reflect.Type) schema.TypeRef {
	if n, ok := b.done[t]; ok {
		return schema.TypeRef{NamedType: &n}
	}
	n := t.PkgPath() + "." + t.Name()
	b.done[t] = n
	m := &schema.Map{}
	b.fields(t, m)
	if wholeType(t) {
		m.ElementRelationship = schema.Atomic
	}
	b.types = append(b.types, schema.TypeDef{Name: n, Atom: schema.Atom{Map: m}})
	return schema.TypeRef{NamedType: &n}
}

func (b *builder) fields(t reflect.Type, m *schema.Map) {
	for f := range t.Fields() {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || tag == "-" {
			continue
		}
		if tag == "" && f.Anonymous {
			inner := f.Type
			for inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			b.fields(inner, m)
			continue
		}
		ref, path := b.refer(f.Type), t.Name()+"."+tag
		switch list := ref.Inlined.List; {
		case slices.Contains(single, path):
			ref.Inlined.Map.ElementRelationship = schema.Atomic
		case list != nil && (strings.Contains(f.Tag.Get("patchStrategy"), "merge") || keys[path] != nil):
			list.ElementRelationship = schema.Associative
			if list.Keys = keys[path]; list.Keys == nil && f.Tag.Get("patchMergeKey") != "" {
				list.Keys = []string{f.Tag.Get("patchMergeKey")}
			}
		}
		field := schema.StructField{Name: tag, Type: ref}
		if tag == "protocol" && (t == reflect.TypeFor[corev1.ContainerPort]() || t == reflect.TypeFor[corev1.ServicePort]()) {
			field.Default = string(corev1.ProtocolTCP)
		}
		m.Fields = append(m.Fields, field)
	}
}
