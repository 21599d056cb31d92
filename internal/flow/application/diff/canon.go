package diff

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// served are the fields of metadata that the API server alone sets.
var served = []string{
	"managedFields", "creationTimestamp", "resourceVersion", "uid", "generation", "selfLink",
	"deletionTimestamp", "deletionGracePeriodSeconds",
}

// canon is a copy of an object in the one form that sides are compared in: what the server alone sets is gone, and values
// that can be written in several ways are written in one.
func (o Options) canon(in manifest.Object, s *shape) map[string]any {
	out, ok := s.canon(map[string]any(in)).(map[string]any)
	if !ok {
		return nil
	}
	obj := manifest.Object(out)
	if meta := obj.Sub("metadata"); meta != nil {
		for _, name := range served {
			delete(meta, name)
		}
		obj.Drop("metadata", "annotations", lastApplied)
		if len(obj.Sub("metadata", "annotations")) == 0 {
			obj.Drop("metadata", "annotations")
		}
	}
	o.adjust(obj)
	return out
}

// adjust holds what is true of single kinds (https://argo-cd.readthedocs.io/en/stable/user-guide/diffing/).
func (o Options) adjust(obj manifest.Object) {
	kind := obj.Kind()
	crd := kind.Kind == "CustomResourceDefinition" && kind.Group == "apiextensions.k8s.io"
	if o.IgnoreStatus == "all" || o.IgnoreStatus == "" || o.IgnoreStatus == "crd" && crd {
		delete(obj, "status")
	}
	switch {
	case isSecret(obj):
		binaryData(obj)
	case crd:
		if v, ok := obj.At("spec", "preserveUnknownFields"); ok && v == false {
			obj.Drop("spec", "preserveUnknownFields") // v1 leaves it out
		}
	case kind.Group == "rbac.authorization.k8s.io" && kind.Kind == "ClusterRole":
		if _, aggregated := obj.At("aggregationRule"); aggregated && o.IgnoreAggregatedRoles {
			delete(obj, "rules") // the controller manager fills them in
		}
	case kind.Group == "autoscaling" && kind.Kind == "HorizontalPodAutoscaler":
		sortMetrics(obj) // the controller orders them anew
	}
}

func isSecret(o manifest.Object) bool {
	k := o.Kind()
	return k.Group == "" && k.Kind == "Secret"
}

// binaryData moves a Secret's stringData to data, as the API server does.
func binaryData(obj manifest.Object) {
	given, ok := obj["stringData"].(map[string]any)
	if !ok {
		return
	}
	delete(obj, "stringData")
	data, ok := obj["data"].(map[string]any)
	if !ok {
		data = map[string]any{}
		obj["data"] = data
	}
	for k, v := range given {
		if s, ok := v.(string); ok {
			v = base64.StdEncoding.EncodeToString([]byte(s))
		}
		data[k] = v
	}
}

func sortMetrics(obj manifest.Object) {
	metrics := obj.List("spec", "metrics")
	slices.SortStableFunc(metrics, func(a, b any) int { return strings.Compare(identity(a), identity(b)) })
}

// identity is what tells a metric apart: its type and the name of what it measures.
func identity(metric any) string {
	m, ok := metric.(map[string]any)
	if !ok {
		return ""
	}
	o := manifest.Object(m)
	kind := o.Text("type")
	source := o.Sub(strings.ToLower(kind[:min(1, len(kind))]) + kind[min(1, len(kind)):])
	return kind + "/" + source.Text("name") + "/" + source.Text("container") + "/" + source.Text("metric", "name") + "/" + source.Text("describedObject", "name")
}

// canon copies a value into the one form of its shape. Nulls in maps are left out: manifests mean nothing by them.
func (s *shape) canon(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if e != nil {
				out[k] = s.field(k).shape.canon(e)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = s.element().canon(e)
		}
		return out
	}
	return number(v)
}

func (s *shape) element() *shape {
	if s == nil || s.form != list {
		return nil
	}
	return s.elem
}

// number makes a whole number an int64, whatever type it came in.
func number(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case int32:
		return int64(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	}
	return v
}

// alike reports whether two plain values mean the same to the API: quantities and durations may be written in several ways.
func (s *shape) alike(a, b any) bool {
	if equal(a, b) {
		return true
	}
	if s == nil {
		return false
	}
	switch s.form {
	case quantity:
		x, y := readQuantity(a), readQuantity(b)
		return x != nil && y != nil && x.Cmp(*y) == 0
	case duration:
		x, ok := a.(string)
		y, also := b.(string)
		if !ok || !also {
			return false
		}
		d, err := time.ParseDuration(x)
		e, wrong := time.ParseDuration(y)
		return err == nil && wrong == nil && d == e
	}
	return false
}

// readQuantity reads a quantity that is written as a string or a number; nil where it is none.
func readQuantity(v any) *resource.Quantity {
	text, ok := v.(string)
	if !ok {
		data, err := json.Marshal(v)
		if err != nil {
			return nil
		}
		text = string(data)
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return nil
	}
	return &q
}
