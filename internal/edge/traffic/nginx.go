package traffic

import (
	"context"
	"maps"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

var ingresses = []manifest.Kind{{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}}

const (
	nginxPrefix  = "nginx.ingress.kubernetes.io"
	ingressClass = "kubernetes.io/ingress.class"
	longestName  = 253
)

// StableIngresses are the Ingresses that a Rollout's requests come in by.
func StableIngresses(n rollout.Nginx) []string {
	if len(n.StableIngresses) > 0 {
		return n.StableIngresses
	}
	if n.StableIngress == "" {
		return nil
	}
	return []string{n.StableIngress}
}

// CanaryIngressName is the name of the Ingress that is made beside a stable one. It is cut to what a name may be long.
func CanaryIngressName(rolloutName, stable string) string {
	const suffix = "-canary"
	prefix := rolloutName + "-" + stable
	if len(prefix) > longestName-len(suffix) {
		prefix = prefix[:longestName-len(suffix)]
	}
	return prefix + suffix
}

func (d Driver) nginxParts(r rollout.Rollout, t rollout.Traffic) []part {
	var out []part
	namespace := r.Object.Namespace()
	for _, name := range StableIngresses(*routing(r).Nginx) {
		stable := part{
			kinds: ingresses, namespace: namespace, name: name, needed: "Ingress " + name,
			change: func(_ context.Context, o manifest.Object) (manifest.Object, error) { return o, nil },
		}
		want := func(ctx context.Context) (manifest.Object, error) {
			o, err := d.get(ctx, stable)
			if err != nil {
				return nil, err
			}
			return CanaryIngress(r, t, o)
		}
		out = append(out, stable, part{
			kinds: ingresses, namespace: namespace, name: CanaryIngressName(r.Object.Name(), name),
			create: want,
			change: func(ctx context.Context, was manifest.Object) (manifest.Object, error) {
				if w, ok := was.Controller(); !ok || w.UID != r.Object.UID() {
					return nil, fault.New(CodeOwned, "canary ingress `%s` controlled by different object", was.Name())
				}
				is, err := want(ctx)
				if err != nil {
					return nil, err
				}
				return mergeIngress(was, is), nil
			},
		})
	}
	return out
}

// CanaryIngress is the Ingress beside a stable one: the stable one's rules that lead to the stable Service, leading to the
// canary instead, with the annotations that tell NGINX the weight
// (https://argo-rollouts.readthedocs.io/en/stable/features/traffic-management/nginx/).
func CanaryIngress(r rollout.Rollout, t rollout.Traffic, stable manifest.Object) (manifest.Object, error) {
	stableService, canaryService := Services(r, t)
	rules := turned(stable, stableService, canaryService)
	if len(rules) == 0 {
		return nil, fault.New(CodeShape, "ingress `%s` has no rules using service %s backend", stable.Name(), stableService)
	}
	yes := true
	o := manifest.Object{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}
	o.Set(CanaryIngressName(r.Object.Name(), stable.Name()), "metadata", "name")
	o.Set(r.Object.Namespace(), "metadata", "namespace")
	owner, err := manifest.From(manifest.Owner{
		APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: r.Object.Name(), UID: r.Object.UID(),
		Controller: &yes, BlockOwnerDeletion: &yes,
	})
	if err != nil {
		return nil, err
	}
	o.Set([]any{map[string]any(owner)}, "metadata", "ownerReferences")
	for name, value := range nginxAnnotations(r, t, stable) {
		o.SetAnnotation(name, value)
	}
	o.Set(rules, "spec", "rules")
	for _, field := range []string{"tls", "ingressClassName"} {
		if v, ok := stable.Copy().At("spec", field); ok {
			o.Set(v, "spec", field)
		}
	}
	return o, nil
}

// turned are the rules that have a path to one Service, with those paths leading to another.
func turned(ingress manifest.Object, from, to string) []any {
	var out []any
	for _, e := range ingress.Copy().List("spec", "rules") {
		m, _ := e.(map[string]any)
		rule, found := manifest.Object(m), false
		for _, e := range rule.List("http", "paths") {
			m, _ := e.(map[string]any)
			if path := manifest.Object(m); from != "" && path.Text("backend", "service", "name") == from {
				path.Set(to, "backend", "service", "name")
				found = true
			}
		}
		if found {
			out = append(out, map[string]any(rule))
		}
	}
	return out
}

func nginxAnnotations(r rollout.Rollout, t rollout.Traffic, stable manifest.Object) map[string]string {
	n := routing(r).Nginx
	prefix := n.AnnotationPrefix
	if prefix == "" {
		prefix = nginxPrefix
	}
	out := map[string]string{}
	if class := stable.Annotation(ingressClass); class != "" {
		out[ingressClass] = class
	}
	for name, value := range n.AdditionalIngressAnnotations {
		if !strings.HasPrefix(name, prefix) {
			name = prefix + "/" + name
		}
		out[name] = value
	}
	maps.Copy(out, n.CanaryIngressAnnotations)
	out[prefix+"/canary"] = "true"
	out[prefix+"/canary-weight"] = strconv.Itoa(int(t.Weights.Canary.Weight))
	if limit := routing(r).MaxTrafficWeight; limit != nil {
		out[prefix+"/canary-weight-total"] = strconv.Itoa(int(*limit))
	}
	return out
}

// mergeIngress brings a canary Ingress that is there to what is wanted: its rules, and the annotations under the names that
// are wanted. Other annotations stay.
func mergeIngress(was, is manifest.Object) manifest.Object {
	for name, value := range is.Annotations() {
		was.SetAnnotation(name, value)
	}
	for _, field := range []string{"rules", "tls", "ingressClassName"} {
		if v, ok := is.At("spec", field); ok {
			was.Set(v, "spec", field)
		} else {
			was.Drop("spec", field)
		}
	}
	return was
}
