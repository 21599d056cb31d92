package traffic_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/edge/traffic"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// site is a namespace of a real API server with the definitions of Istio and the Gateway API.
type site struct {
	*kubetest.Kube
	t      *testing.T
	driver traffic.Driver
}

func open(t *testing.T) *site {
	t.Helper()
	k := kubetest.Start(t, kubetest.A)
	k.ApplyCRDs(t, kubetest.Istio, kubetest.Gateway, kubetest.Rollouts)
	c, err := cluster.Open(k.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	return &site{k, t, traffic.Driver{Cluster: c}}
}

// rollout is a Rollout of this namespace. It is in the cluster, since what it owns would be collected as garbage without.
func (s *site) rollout(strategy string) rollout.Rollout {
	s.t.Helper()
	r := canary(s.t, strategy)
	s.Apply(s.t, "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: web, labels: {argo-rollouts.argoproj.io/controller-instance-id: nobody}}, spec: {replicas: 0}}")
	r.Object = s.Object(s.t, manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}, "web")
	return r
}

func (s *site) route(r rollout.Rollout, t rollout.Traffic) {
	s.t.Helper()
	if err := s.driver.Route(s.t.Context(), r, t); err != nil {
		s.t.Fatal(err)
	}
}

// steady routes anew and reports whether that wrote anything.
func (s *site) steady(r rollout.Rollout, t rollout.Traffic, kind manifest.Kind, name string) {
	s.t.Helper()
	was := s.Object(s.t, kind, name).Revision()
	s.route(r, t)
	if is := s.Object(s.t, kind, name).Revision(); is != was {
		s.t.Errorf("%s %s was written though nothing changed", kind, name)
	}
}

var (
	ingressKind = manifest.Kind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}
	virtualKind = manifest.Kind{Group: "networking.istio.io", Version: "v1", Kind: "VirtualService"}
	ruleKind    = manifest.Kind{Group: "networking.istio.io", Version: "v1", Kind: "DestinationRule"}
	routeKind   = manifest.Kind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"}
)

func TestIngressesOfARealServer(t *testing.T) {
	s := open(t)
	r := s.rollout("{canaryService: web-canary, stableService: web-stable, trafficRouting: {nginx: {stableIngresses: [web, inner], additionalIngressAnnotations: {canary-by-header: X}}}}")
	missing, refused, err := s.driver.Check(t.Context(), r)
	if err != nil || refused != nil || fmt.Sprint(missing) != "[Ingress inner Ingress web]" {
		t.Errorf("%v %v %v", missing, refused, err)
	}
	if err := s.driver.Route(t.Context(), r, weights(5)); !manifest.NotFound(err) {
		t.Error(err)
	}
	for _, name := range []string{"web", "inner"} {
		s.Apply(t, `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: `+name+`}, spec: {ingressClassName: nginx, rules: [
  {host: shop.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web-stable, port: {number: 80}}}}]}}]}}`)
	}
	s.route(r, weights(5))
	o := s.Object(t, ingressKind, "web-web-canary")
	if o.Annotation("nginx.ingress.kubernetes.io/canary-weight") != "5" || o.Annotation("nginx.ingress.kubernetes.io/canary-by-header") != "X" || o.Text("spec", "ingressClassName") != "nginx" {
		t.Errorf("%s", o.JSON())
	}
	s.steady(r, weights(5), ingressKind, "web-web-canary")
	if code, data := s.Do(t, "PATCH", s.Path(t, ingressKind, s.Namespace)+"/web-web-canary", manifest.MergePatch, []byte(`{"metadata": {"annotations": {"theirs": "kept"}}}`)); code != 200 {
		t.Fatalf("%d %s", code, data)
	}
	s.route(r, weights(60))
	for _, name := range []string{"web-web-canary", "web-inner-canary"} {
		if o := s.Object(t, ingressKind, name); o.Annotation("nginx.ingress.kubernetes.io/canary-weight") != "60" {
			t.Errorf("%s: %s", name, o.JSON())
		}
	}
	if o := s.Object(t, ingressKind, "web-web-canary"); o.Annotation("theirs") != "kept" {
		t.Error("an annotation of somebody else's is gone")
	}
	r.Object.Set("other", "metadata", "uid")
	if err := s.driver.Route(t.Context(), r, weights(70)); fault.CodeOf(err) != traffic.CodeOwned {
		t.Errorf("an Ingress of another owner: %v", err)
	}
}

func TestIstioOfARealServer(t *testing.T) {
	s := open(t)
	r := s.rollout(subsets)
	r.Spec.Strategy.Canary.Steps = nil
	if missing, _, err := s.driver.Check(t.Context(), r); err != nil || fmt.Sprint(missing) != "[DestinationRule web VirtualService web]" {
		t.Errorf("%v %v", missing, err)
	}
	s.Apply(t, `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: web}, spec: {hosts: [web], http: [
  {retries: {attempts: 3}, route: [{destination: {host: web, subset: old}, weight: 100}, {destination: {host: web, subset: new}, weight: 0}]}]}}`)
	s.Apply(t, `{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: web}, spec: {host: web, subsets: [{name: old, labels: {app: web}}, {name: new, labels: {app: web}}]}}`)
	tr := weights(30)
	tr.Managed = []string{"by-header"}
	tr.Headers = []rollout.HeaderRoute{{Name: "by-header", Match: []rollout.HeaderMatch{{HeaderName: "a", HeaderValue: &rollout.StringMatch{Regex: "b.*"}}}}}
	s.route(r, tr)
	o := s.Object(t, virtualKind, "web")
	same(t, manifest.Object{"http": o.List("spec", "http")}, `
http:
- {name: by-header, match: [{headers: {a: {regex: b.*}}}], route: [{destination: {host: web, subset: new}, weight: 100}]}
- {retries: {attempts: 3}, route: [{destination: {host: web, subset: old}, weight: 70}, {destination: {host: web, subset: new}, weight: 30}]}
`)
	rule := s.Object(t, ruleKind, "web")
	same(t, rule.Sub("spec"), "{host: web, subsets: [{name: old, labels: {app: web, rollouts-pod-template-hash: aaa}}, {name: new, labels: {app: web, rollouts-pod-template-hash: bbb}}]}")
	s.steady(r, tr, virtualKind, "web")
	s.steady(r, tr, ruleKind, "web")
	r.Spec.Strategy.Canary.TrafficRouting = nil
	if err := s.driver.Release(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	rule = s.Object(t, ruleKind, "web")
	same(t, rule.Sub("spec"), "{host: web, subsets: [{name: old, labels: {app: web}}, {name: new, labels: {app: web}}]}")
	if rule.Annotation(rollout.ManagedAnnotation) != "" {
		t.Error("the mark stays")
	}
}

func TestGatewayRoutesOfARealServer(t *testing.T) {
	s := open(t)
	r := s.rollout("{canaryService: web-canary, stableService: web-stable, trafficRouting: {plugins: {argoproj-labs/gatewayAPI: {httpRoutes: [{name: web, useHeaderRoutes: true}]}}}}")
	if missing, _, err := s.driver.Check(t.Context(), r); err != nil || fmt.Sprint(missing) != "[HTTPRoute web]" {
		t.Errorf("%v %v", missing, err)
	}
	s.Apply(t, `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: web}, spec: {parentRefs: [{name: gate}], hostnames: [shop.example], rules: [
  {matches: [{path: {type: PathPrefix, value: /}}], timeouts: {request: 3s}, backendRefs: [{name: web-stable, port: 80}, {name: web-canary, port: 80, weight: 0}]}]}}`)
	tr := weights(30)
	tr.Managed = []string{"copy", "by-header"}
	tr.Headers = []rollout.HeaderRoute{{Name: "by-header", Match: []rollout.HeaderMatch{{HeaderName: "a", HeaderValue: &rollout.StringMatch{Exact: "b"}}}}}
	percent := int32(40)
	tr.Mirrors = []rollout.MirrorRoute{{Name: "copy", Percentage: &percent, Match: []rollout.RouteMatch{{Path: &rollout.StringMatch{Exact: "/copied"}}}}}
	s.route(r, tr)
	rules := s.Object(t, routeKind, "web").List("spec", "rules")
	if len(rules) != 3 {
		t.Fatalf("%d rules: %v", len(rules), rules)
	}
	var names []string
	for _, e := range rules {
		rule := manifest.Object(e.(map[string]any))
		names = append(names, rule.Text("name"))
	}
	if !slices.Equal(names, []string{"copy", "by-header", ""}) {
		t.Errorf("rules %q", names)
	}
	last := manifest.Object(rules[2].(map[string]any))
	for i, want := range []int64{70, 30} {
		ref := manifest.Object(last.List("backendRefs")[i].(map[string]any))
		if ref.Int(-1, "weight") != want {
			t.Errorf("backend %d: %s", i, ref.JSON())
		}
	}
	if last.Text("timeouts", "request") != "3s" {
		t.Errorf("%s", last.JSON())
	}
	s.steady(r, tr, routeKind, "web")
	s.route(r, rollout.Traffic{Managed: tr.Managed, Weights: tr.Weights, Max: 100})
	if n := len(s.Object(t, routeKind, "web").List("spec", "rules")); n != 1 {
		t.Errorf("%d rules are left", n)
	}
}

// While somebody else writes the same object all the time, every weight arrives and none of their fields is lost.
func TestWritesOfOthersAreKept(t *testing.T) {
	s := open(t)
	r := s.rollout("{canaryService: web-canary, stableService: web-stable, trafficRouting: {istio: {virtualService: {name: web}}}}")
	s.Apply(t, `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: web}, spec: {hosts: [web], http: [
  {route: [{destination: {host: web-stable}, weight: 100}, {destination: {host: web-canary}, weight: 0}]}]}}`)
	ctx, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	others.Go(func() {
		c := s.driver.Cluster.(*cluster.Cluster)
		for n := 0; ctx.Err() == nil; n++ {
			data := fmt.Appendf(nil, `{"metadata": {"annotations": {"theirs-%d": "x"}}}`, n%50)
			_, _ = c.Patch(ctx, virtualKind, s.Namespace, "web", manifest.Patch{Kind: manifest.MergePatch, Data: data}, manifest.Writing{})
		}
	})
	for percent := range int32(20) {
		for {
			err := s.driver.Route(t.Context(), r, weights(percent))
			if err == nil {
				break
			}
			if !manifest.Is(err, manifest.ReasonConflict) { // more than five in a row: the engine comes again
				t.Fatal(err)
			}
		}
		o := s.Object(t, virtualKind, "web")
		http := manifest.Object(o.List("spec", "http")[0].(map[string]any))
		if got := manifest.Object(http.List("route")[1].(map[string]any)).Int(-1, "weight"); got != int64(percent) {
			t.Errorf("the weight is %d, want %d", got, percent)
		}
	}
	stop()
	others.Wait()
	if n := len(s.Object(t, virtualKind, "web").Annotations()); n == 0 {
		t.Error("the others' annotations are gone")
	}
}
