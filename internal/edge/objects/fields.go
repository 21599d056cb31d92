package objects

import (
	"fmt"
	"reflect"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	merge "sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// manager is who writes where nobody is named.
const manager = "sluice"

// fields keeps metadata.managedFields by the library that the API server itself uses.
type fields struct {
	s        *Store
	mu       sync.Mutex
	managers map[managed]*managedfields.FieldManager
}

type managed struct {
	sort
	sub string
}

func newFields(s *Store) *fields {
	return &fields{s: s, managers: map[managed]*managedfields.FieldManager{}}
}

func (f *fields) of(k *Served, sub string) (*managedfields.FieldManager, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := managed{sort{k.Kind.Group, k.Kind.Kind}, sub}
	if m := f.managers[key]; m != nil {
		return m, nil
	}
	id := gvk(k.Kind)
	var reset map[fieldpath.APIVersion]fieldpath.Filter
	if k.Status {
		keep := fieldpath.NewExcludeSetFilter(fieldpath.NewSet(fieldpath.MakePathOrDie("status")))
		if sub == "status" {
			keep = fieldpath.NewExcludeSetFilter(fieldpath.NewSet(fieldpath.MakePathOrDie("spec")))
		}
		reset = map[fieldpath.APIVersion]fieldpath.Filter{fieldpath.APIVersion(k.Kind.APIVersion()): keep}
	}
	make, types := managedfields.NewDefaultCRDFieldManager, managedfields.NewDeducedTypeConverter()
	if known(k) {
		make, types = managedfields.NewDefaultFieldManager, managedfields.TypeConverter(byTags{})
	}
	m, err := make(types, asIs{}, asIs{}, asIs{}, id, id.GroupVersion(), sub, reset)
	if err != nil {
		return nil, fmt.Errorf("keep the field owners of %s: %w", k.Kind.Kind, err)
	}
	f.managers[key] = m
	return m, nil
}

// update gives after the managedFields that a write of it by who leaves. before is nil for a new object.
func (f *fields) update(k *Served, before, after manifest.Object, sub, who string) (manifest.Object, error) {
	m, err := f.of(k, sub)
	if err != nil {
		return nil, err
	}
	if before == nil {
		before = manifest.Object{"apiVersion": k.Kind.APIVersion(), "kind": k.Kind.Kind}
	}
	out := m.UpdateNoErrors(&unstructured.Unstructured{Object: before.Copy()}, &unstructured.Unstructured{Object: after.Copy()}, who)
	return content(out)
}

// apply merges an applied configuration by who; the answer has its managedFields.
func (f *fields) apply(k *Served, live, applied manifest.Object, sub, who string, force bool) (manifest.Object, error) {
	m, err := f.of(k, sub)
	if err != nil {
		return nil, err
	}
	if live == nil {
		live = manifest.Object{"apiVersion": k.Kind.APIVersion(), "kind": k.Kind.Kind}
	}
	out, err := m.Apply(&unstructured.Unstructured{Object: live.Copy()}, &unstructured.Unstructured{Object: applied.Copy()}, who, force)
	if err != nil {
		return nil, refusal(err)
	}
	return content(out)
}

func content(o runtime.Object) (manifest.Object, error) {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("field owners of a %T", o)
	}
	return u.Object, nil
}

// asIs says that each kind has one version: there is nothing to convert and nothing to default here.
type asIs struct{}

func (asIs) Default(runtime.Object) {}

func (asIs) Convert(in, out, _ any) error {
	reflect.ValueOf(out).Elem().Set(reflect.ValueOf(in).Elem())
	return nil
}

func (asIs) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	return in, nil
}

func (asIs) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

func (asIs) New(kind schema.GroupVersionKind) (runtime.Object, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	return u, nil
}

// byTags reads objects by the schema of parser.
type byTags struct{}

func (byTags) ObjectToTyped(o runtime.Object, opts ...merge.ValidationOptions) (*merge.TypedValue, error) {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("a %T is no unstructured object", o)
	}
	return parser().Type(typeName(u.GroupVersionKind())).FromUnstructured(u.Object, opts...)
}

func (byTags) TypedToObject(v *merge.TypedValue) (runtime.Object, error) {
	m, ok := v.AsValue().Unstructured().(map[string]any)
	if !ok {
		return nil, fmt.Errorf("a merged object is a %T", v.AsValue().Unstructured())
	}
	return &unstructured.Unstructured{Object: m}, nil
}
