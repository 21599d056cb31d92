package argo

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// fields holds what was written against the Go type that it is read into: one list of fields for both. asks takes what the
// table says of fields that can be read, and are refused or have no effect.
type fields struct {
	kind         string
	faults, asks *fault.List
}

// anything are the types that take whatever is written; their own readers judge it.
var anything = []reflect.Type{
	reflect.TypeFor[manifest.Object](), reflect.TypeFor[json.RawMessage](), reflect.TypeFor[any](),
	reflect.TypeFor[map[string]any](), reflect.TypeFor[map[string]json.RawMessage](), reflect.TypeFor[metav1.FieldsV1](),
}

// open are the types that name more fields than they have: what they do not know is judged by name later.
var open = []reflect.Type{reflect.TypeFor[analysis.Provider]()}

func (f fields) value(n *yamlx.Node, t reflect.Type, path string) {
	if n.IsNull() || slices.Contains(anything, t) {
		return // a null is as if nothing were written
	}
	switch t {
	case reflect.TypeFor[intstr.IntOrString]():
		if _, ok := n.Int(); !ok {
			f.scalar(n, path, "a number or a text", func() bool { _, ok := n.Str(); return ok })
		}
		return
	case reflect.TypeFor[metav1.Time](), reflect.TypeFor[time.Time]():
		f.scalar(n, path, "a time as in 2026-01-31T10:00:00Z", func() bool { _, err := time.Parse(time.RFC3339, n.Value); return err == nil })
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		f.value(n, t.Elem(), path)
	case reflect.Struct:
		f.mapping(n, t, path)
	case reflect.Slice:
		if !n.IsSequence() {
			f.wrong(n, path, "a list")
			return
		}
		for i, item := range n.Items {
			f.value(item, t.Elem(), path+"["+strconv.Itoa(i)+"]")
		}
	case reflect.Map:
		if !n.IsMapping() {
			f.wrong(n, path, "a mapping")
			return
		}
		for _, p := range n.Pairs {
			f.value(p.Value, t.Elem(), path+"."+p.Key.Value)
		}
	case reflect.String:
		f.scalar(n, path, "a text", func() bool { _, ok := n.Str(); return ok })
	case reflect.Bool:
		f.scalar(n, path, "true or false", func() bool { _, ok := n.Bool(); return ok })
	case reflect.Int, reflect.Int32, reflect.Int64:
		f.scalar(n, path, "a whole number", func() bool { _, ok := n.Int(); return ok })
	case reflect.Float64:
		f.scalar(n, path, "a number", func() bool { _, ok := n.Float(); return ok })
	}
}

func (f fields) mapping(n *yamlx.Node, t reflect.Type, path string) {
	if !n.IsMapping() {
		f.wrong(n, path, "a mapping")
		return
	}
	known := map[string]member{}
	gather(t, known)
	for _, p := range n.Pairs {
		name := p.Key.Value
		inside, ok := known[name]
		if !ok {
			if !slices.Contains(open, t) {
				f.unknown(p.Key, name, path, known)
			}
			continue
		}
		if row, ok := told()[fieldOf{f.kind, name, inside.owner}]; ok {
			if says(p.Value) {
				f.tell(p.Key, path+"."+name, row)
			}
			continue
		}
		if form, ok := templates[fieldOf{f.kind, name, inside.owner}]; ok {
			fields{"Application", f.faults, f.asks}.value(p.Value, form, path+"."+name)
			continue
		}
		f.value(p.Value, inside.form, path+"."+name)
	}
}

// says reports whether a value asks for anything: null, false and an empty list do not.
func says(n *yamlx.Node) bool {
	if no, ok := n.Bool(); ok && !no {
		return false
	}
	return !n.IsNull() && (!n.IsSequence() || len(n.Items) > 0)
}

// tell tells of a field that is known by name and does not do what Argo does with it.
func (f fields) tell(key *yamlx.Node, path string, row Row) {
	path = strings.TrimPrefix(path, ".")
	if row.Support == Refused {
		f.asks.Add(fault.At(CodeRefused, key.At(), "%s: %s", path, row.Note).WithHint("%s", row.Hint))
		return
	}
	f.asks.Add(fault.At(CodeNoted, key.At(), "%s: %s", path, row.Note).WithSeverity(row.Tell))
}

// template is the Application that an ApplicationSet makes more of.
type template struct {
	Metadata manifest.Object  `json:"metadata"`
	Spec     application.Spec `json:"spec"`
}

// templates are the fields of an ApplicationSet that hold a template, kept there as it was written.
var templates = map[fieldOf]reflect.Type{
	{"ApplicationSet", "template", reflect.TypeFor[applicationset.Spec]()}:        reflect.TypeFor[template](),
	{"ApplicationSet", "template", reflect.TypeFor[applicationset.List]()}:        reflect.TypeFor[template](),
	{"ApplicationSet", "template", reflect.TypeFor[applicationset.Clusters]()}:    reflect.TypeFor[template](),
	{"ApplicationSet", "template", reflect.TypeFor[applicationset.Git]()}:         reflect.TypeFor[template](),
	{"ApplicationSet", "template", reflect.TypeFor[applicationset.SCMProvider]()}: reflect.TypeFor[template](),
	{"ApplicationSet", "template", reflect.TypeFor[applicationset.PullRequest]()}: reflect.TypeFor[template](),
	{"ApplicationSet", "template", reflect.TypeFor[applicationset.Combination]()}: reflect.TypeFor[template](),
}

// member is a field of a struct, and the struct that declares it.
type member struct{ owner, form reflect.Type }

// gather lists a struct's fields by their JSON names, those of embedded structs among them.
func gather(t reflect.Type, into map[string]member) {
	for i := range t.NumField() {
		x := t.Field(i)
		name, _, _ := strings.Cut(x.Tag.Get("json"), ",")
		switch {
		case x.Anonymous && name == "":
			gather(x.Type, into)
		case name != "" && name != "-":
			into[name] = member{t, x.Type}
		}
	}
}

func (f fields) unknown(key *yamlx.Node, name, path string, known map[string]member) {
	names := make([]string, 0, len(known))
	for k := range known {
		names = append(names, k)
	}
	slices.Sort(names)
	told := fault.At(CodeField, key.At(), "%s has no field %q; it would be dropped", strings.TrimPrefix(path, "."), name).WithSeverity(fault.Warning)
	if near := fault.Nearest(name, names); near != "" {
		told = told.WithHint("did you mean %q?", near)
	}
	f.faults.Add(told)
}

func (f fields) scalar(n *yamlx.Node, path, want string, ok func() bool) {
	if !n.IsScalar() || !ok() {
		f.wrong(n, path, want)
	}
}

func (f fields) wrong(n *yamlx.Node, path, want string) {
	told := fault.At(CodeType, n.At(), "%s must be %s, not %s", strings.TrimPrefix(path, "."), want, n.Describe())
	if want == "a text" && n.IsScalar() {
		told = told.WithHint("put it in quotes: %q", n.Value)
	}
	f.faults.Add(told)
}
