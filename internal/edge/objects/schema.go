package objects

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// scheme holds the Go types of Kubernetes' own kinds. It is made when first needed: most commands do without.
var scheme = sync.OnceValue(func() *runtime.Scheme {
	return schemeOf(
		corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, networkingv1.AddToScheme, discoveryv1.AddToScheme, coordinationv1.AddToScheme,
		autoscalingv2.AddToScheme, policyv1.AddToScheme, rbacv1.AddToScheme, schedulingv1.AddToScheme, storagev1.AddToScheme,
	)
})

// wire holds what a request's body may be besides: scales, evictions, questions about rights.
var wire = sync.OnceValue(func() *runtime.Scheme {
	s := schemeOf(autoscalingv1.AddToScheme, policyv1.AddToScheme, authorizationv1.AddToScheme)
	for kind := range scheme().AllKnownTypes() {
		if o, err := scheme().New(kind); err == nil && !s.Recognizes(kind) && kind.Version != runtime.APIVersionInternal {
			s.AddKnownTypeWithName(kind, o)
		}
	}
	return s
})

func schemeOf(adds ...func(*runtime.Scheme) error) *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range adds {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}

func gvk(k manifest.Kind) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind}
}

// typed is a new value of the kind's Go type; false where there is none, as for argoproj.io.
func typed(k manifest.Kind) (runtime.Object, bool) {
	o, err := scheme().New(gvk(k))
	return o, err == nil
}

// shape makes of what was sent what is kept: values of the fields' types, unknown fields dropped, defaults filled in. For
// kinds without a Go type all is kept as it is. strict refuses unknown fields, as fieldValidation=Strict does.
func shape(k *Served, o manifest.Object, strict bool) (manifest.Object, error) {
	value, ok := typed(k.Kind)
	if !ok {
		return o, nil
	}
	unknown, err := kjson.UnmarshalStrict(o.JSON(), value)
	if err != nil {
		return nil, badRequest("%s in version %q cannot be handled as a %s: %s", k.Kind.Kind, k.Kind.Version, k.Kind.Kind, sane(k, err))
	}
	if strict && len(unknown) > 0 {
		all := make([]string, len(unknown))
		for i, e := range unknown {
			all[i] = e.Error()
		}
		return nil, badRequest("%s in version %q cannot be handled as a %s: strict decoding error: %s", k.Kind.Kind, k.Kind.Version, k.Kind.Kind, strings.Join(all, ", "))
	}
	fill(value)
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(value)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	out := manifest.Object(raw)
	out["apiVersion"], out["kind"] = k.Kind.APIVersion(), k.Kind.Kind
	dropEmptyTimes(raw)
	return out, nil
}

// sane is a decoding error that holds nothing of a Secret's data.
func sane(k *Served, err error) error {
	if k.Kind.Kind == "Secret" {
		return errors.New("a field has a value of the wrong type, or data is not base64")
	}
	return err
}

// dropEmptyTimes removes the nulls that Go's empty times leave.
func dropEmptyTimes(m map[string]any) {
	for key, v := range m {
		switch v := v.(type) {
		case nil:
			if key == "creationTimestamp" {
				delete(m, key)
			}
		case map[string]any:
			dropEmptyTimes(v)
		case []any:
			for _, e := range v {
				if em, ok := e.(map[string]any); ok {
					dropEmptyTimes(em)
				}
			}
		}
	}
}

// known says that a kind is one of Kubernetes' own, with lists that merge by key.
func known(k *Served) bool { return scheme().Recognizes(gvk(k.Kind)) }

func typeName(k schema.GroupVersionKind) string {
	return fmt.Sprintf("%s/%s.%s", k.Group, k.Version, k.Kind)
}
