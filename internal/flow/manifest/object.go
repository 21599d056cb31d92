// Package manifest is a Kubernetes object as a value: what names it, what belongs to whom, what order its kind takes, and
// what a cluster may answer to a write. It reads no files and talks to no cluster.
package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind names a sort of objects: group ("" for the core group), version ("v1") and kind ("Deployment").
type Kind struct {
	Group   string `json:"group,omitempty"`
	Version string `json:"version,omitempty"`
	Kind    string `json:"kind"`
}

// KindOf splits an apiVersion as manifests write it ("apps/v1", "v1").
func KindOf(apiVersion, kind string) Kind {
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group, version = "", apiVersion
	}
	return Kind{group, version, kind}
}

// APIVersion is the form of manifests: "apps/v1", "v1".
func (k Kind) APIVersion() string {
	if k.Group == "" {
		return k.Version
	}
	return k.Group + "/" + k.Version
}

// String is group/Kind without the version: "apps/Deployment", "Service".
func (k Kind) String() string {
	if k.Group == "" {
		return k.Kind
	}
	return k.Group + "/" + k.Kind
}

// Key names one object of a cluster whatever the version it is read in. Namespace is "" for what belongs to the cluster.
type Key struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// String is group/Kind/namespace/name, as Argo CD writes a resource: "apps/Deployment/default/web", ":Service:…" is not used.
func (k Key) String() string {
	return fmt.Sprintf("%s/%s/%s/%s", k.Group, k.Kind, k.Namespace, k.Name)
}

// Compare orders keys by group, kind, namespace and name.
func (k Key) Compare(o Key) int { return strings.Compare(k.String(), o.String()) }

// Object is an object as JSON gives it: map[string]any, []any, string, bool, int64, float64 and nil. It is what a Kubernetes
// client calls unstructured content.
type Object map[string]any

// Parse reads one object of JSON; whole numbers become int64.
func Parse(data []byte) (Object, error) {
	var o Object
	if err := Decode(data, &o); err != nil {
		return nil, err
	}
	return o, nil
}

// Decode reads JSON into v; where v takes any, whole numbers become int64 and others float64.
func Decode(data []byte, v any) error {
	if o, ok := v.(*Object); ok {
		v = (*map[string]any)(o)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	switch v := v.(type) {
	case *map[string]any:
		for k, e := range *v {
			(*v)[k] = numbers(e)
		}
	case *any:
		*v = numbers(*v)
	}
	return nil
}

// UnmarshalJSON keeps whole numbers whole where an object is a field of something else, too.
func (o *Object) UnmarshalJSON(data []byte) error { return Decode(data, o) }

func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = numbers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = numbers(e)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64() // a number too large for a float is infinite there too
		return f
	}
	return v
}

// From makes an object of a typed value by its JSON form.
func From(v any) (Object, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return Parse(data)
}

// Into fills a typed value from the object's JSON form. Fields that the type lacks are passed over.
func (o Object) Into(v any) error {
	data, err := json.Marshal(map[string]any(o))
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// Kind is what apiVersion and kind say.
func (o Object) Kind() Kind { return KindOf(o.Text("apiVersion"), o.Text("kind")) }

// Key names the object.
func (o Object) Key() Key {
	k := o.Kind()
	return Key{k.Group, k.Kind, o.Namespace(), o.Name()}
}

// Name is metadata.name.
func (o Object) Name() string { return o.Text("metadata", "name") }

// GenerateName is metadata.generateName.
func (o Object) GenerateName() string { return o.Text("metadata", "generateName") }

// Namespace is metadata.namespace.
func (o Object) Namespace() string { return o.Text("metadata", "namespace") }

// UID is metadata.uid.
func (o Object) UID() string { return o.Text("metadata", "uid") }

// Revision is metadata.resourceVersion.
func (o Object) Revision() string { return o.Text("metadata", "resourceVersion") }

// Deleting reports whether a deletion has begun.
func (o Object) Deleting() bool { return o.Text("metadata", "deletionTimestamp") != "" }

// Labels are metadata.labels, nil where there are none; what is no string is left out.
func (o Object) Labels() map[string]string { return o.texts("metadata", "labels") }

// Annotations are metadata.annotations.
func (o Object) Annotations() map[string]string { return o.texts("metadata", "annotations") }

// Annotation is one annotation.
func (o Object) Annotation(name string) string { return o.Text("metadata", "annotations", name) }

// Owner is an entry of metadata.ownerReferences.
type Owner struct {
	APIVersion         string `json:"apiVersion"`
	Kind               string `json:"kind"`
	Name               string `json:"name"`
	UID                string `json:"uid"`
	Controller         *bool  `json:"controller,omitempty"`
	BlockOwnerDeletion *bool  `json:"blockOwnerDeletion,omitempty"`
}

// Owners are metadata.ownerReferences.
func (o Object) Owners() []Owner {
	raw, _ := o.At("metadata", "ownerReferences")
	list, _ := raw.([]any)
	var out []Owner
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			continue
		}
		var w Owner
		if Object(m).Into(&w) == nil {
			out = append(out, w)
		}
	}
	return out
}

// Controller is the owner that manages the object.
func (o Object) Controller() (Owner, bool) {
	for _, w := range o.Owners() {
		if w.Controller != nil && *w.Controller {
			return w, true
		}
	}
	return Owner{}, false
}

// At is the value at a path of keys; false where a step is missing or is no map.
func (o Object) At(path ...string) (any, bool) {
	var v any = map[string]any(o)
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[p]; !ok {
			return nil, false
		}
	}
	return v, true
}

// Text is the string at a path, "" where there is none.
func (o Object) Text(path ...string) string {
	v, _ := o.At(path...)
	s, _ := v.(string)
	return s
}

// Int is the whole number at a path, or other where there is none.
func (o Object) Int(other int64, path ...string) int64 {
	v, _ := o.At(path...)
	switch v := v.(type) {
	case int64:
		return v
	case int:
		return int64(v)
	case float64:
		return int64(v)
	}
	return other
}

// List is the list at a path, nil where there is none.
func (o Object) List(path ...string) []any {
	v, _ := o.At(path...)
	l, _ := v.([]any)
	return l
}

// Sub is the map at a path as an object, nil where there is none. It shares what it holds.
func (o Object) Sub(path ...string) Object {
	v, _ := o.At(path...)
	m, _ := v.(map[string]any)
	return m
}

func (o Object) texts(path ...string) map[string]string {
	m := o.Sub(path...)
	if m == nil {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		if s, ok := v.(string); ok {
			out[k] = s
		}
	}
	return out
}

// Set puts a value at a path, making the maps on the way. A step that is there and is no map is replaced.
func (o Object) Set(value any, path ...string) {
	m := map[string]any(o)
	for _, p := range path[:len(path)-1] {
		next, ok := m[p].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[p] = next
		}
		m = next
	}
	m[path[len(path)-1]] = value
}

// Drop removes what stands at a path, and the maps on the way that it leaves empty stay.
func (o Object) Drop(path ...string) {
	if m := o.Sub(path[:len(path)-1]...); m != nil {
		delete(m, path[len(path)-1])
	}
}

// SetLabel sets one label.
func (o Object) SetLabel(name, value string) { o.Set(value, "metadata", "labels", name) }

// SetAnnotation sets one annotation.
func (o Object) SetAnnotation(name, value string) { o.Set(value, "metadata", "annotations", name) }

// Copy is a copy that shares nothing.
func (o Object) Copy() Object {
	if o == nil {
		return nil
	}
	return Object(clone(map[string]any(o)).(map[string]any))
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case Object:
		return clone(map[string]any(v))
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	default:
		return v
	}
}

// JSON is the object's JSON form with sorted keys. Objects hold only what JSON can say.
func (o Object) JSON() []byte {
	data, err := json.Marshal(map[string]any(o))
	if err != nil {
		panic(fmt.Sprintf("an object that JSON cannot say: %v", err))
	}
	return data
}

// Sort orders objects by key, so that output does not depend on a map's order.
func Sort(objects []Object) {
	slices.SortStableFunc(objects, func(a, b Object) int { return a.Key().Compare(b.Key()) })
}

// Keys are the keys of a map of objects, in order.
func Keys(objects map[Key]Object) []Key {
	return slices.SortedFunc(maps.Keys(objects), Key.Compare)
}
