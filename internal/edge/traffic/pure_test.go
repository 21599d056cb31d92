package traffic_test

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/edge/traffic"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// object reads YAML.
func object(t testing.TB, text string) manifest.Object {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o, err := manifest.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// canary is a Rollout with a canary strategy of YAML text.
func canary(t testing.TB, strategy string) rollout.Rollout {
	t.Helper()
	o := object(t, "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: web, namespace: shop, uid: u1}}")
	r := rollout.Rollout{Object: o}
	if err := object(t, strategy).Into(&r.Spec.Strategy.Canary); err != nil {
		t.Fatal(err)
	}
	return r
}

func weights(percent int32, extra ...rollout.Destination) rollout.Traffic {
	return rollout.Traffic{
		Weights: rollout.Weights{Canary: rollout.Destination{Weight: percent}, Stable: rollout.Destination{Weight: 100 - percent}, Additional: extra},
		Max:     100, StableHash: "aaa", CanaryHash: "bbb",
	}
}

// same compares an object with YAML text.
func same(t testing.TB, got manifest.Object, want string) {
	t.Helper()
	a, err := yaml.JSONToYAML(got.JSON())
	if err != nil {
		t.Fatal(err)
	}
	b, err := yaml.JSONToYAML(object(t, want).JSON())
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Errorf("got\n%s\nwant\n%s", a, b)
	}
}

const hosts = `
canaryService: web-canary
stableService: web-stable
trafficRouting: {managedRoutes: [{name: by-header}, {name: copy}], istio: {virtualService: {name: web, routes: [primary]}}}
`

const virtualService = `
kind: VirtualService
metadata: {name: web, namespace: shop, labels: {kept: "yes"}}
spec:
  hosts: [web]
  http:
  - name: primary
    timeout: 3s
    route:
    - {destination: {host: web-stable.shop.svc.cluster.local, port: {number: 8080}}, weight: 100}
    - {destination: {host: web-canary, port: {number: 8080}}}
  - name: other
    route: [{destination: {host: else}}]
`

func first(r rollout.Rollout) rollout.VirtualService {
	return traffic.VirtualServices(*r.Spec.Strategy.Canary.TrafficRouting.Istio)[0]
}

func TestAVirtualServiceIsWeighedAndTheRestOfItStays(t *testing.T) {
	r := canary(t, hosts)
	got, err := traffic.VirtualService(object(t, virtualService), first(r), r, weights(30), "")
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, strings.NewReplacer("weight: 100", "weight: 70", "host: web-canary, port: {number: 8080}}}", "host: web-canary, port: {number: 8080}}, weight: 30}").Replace(virtualService))
}

func TestManagedRoutesStandOnTopInTheirOrder(t *testing.T) {
	r, tr := canary(t, hosts), weights(30)
	tr.Managed = []string{"by-header", "copy"}
	percent := int32(35)
	tr.Mirrors = []rollout.MirrorRoute{{Name: "copy", Percentage: &percent, Match: []rollout.RouteMatch{{
		Method: &rollout.StringMatch{Exact: "GET"}, Path: &rollout.StringMatch{Prefix: "/"}, Headers: map[string]rollout.StringMatch{"x": {Regex: "a.*"}},
	}}}}
	tr.Headers = []rollout.HeaderRoute{{Name: "by-header", Match: []rollout.HeaderMatch{
		{HeaderName: "agent", HeaderValue: &rollout.StringMatch{Exact: "fox"}},
		{HeaderName: "agent", HeaderValue: &rollout.StringMatch{Prefix: "chrome"}},
	}}}
	got, err := traffic.VirtualService(object(t, virtualService), first(r), r, tr, "")
	if err != nil {
		t.Fatal(err)
	}
	same(t, manifest.Object{"http": got.List("spec", "http")}, `
http:
- name: by-header
  match: [{headers: {agent: {exact: fox}}}, {headers: {agent: {prefix: chrome}}}]
  route: [{destination: {host: web-canary, port: {number: 8080}}, weight: 100}]
- name: copy
  match: [{method: {exact: GET}, uri: {prefix: /}, headers: {x: {regex: a.*}}}]
  mirror: {host: web-canary, port: {number: 8080}}
  mirrorPercentage: {value: 35}
  route:
  - {destination: {host: web-stable.shop.svc.cluster.local, port: {number: 8080}}, weight: 70}
  - {destination: {host: web-canary, port: {number: 8080}}, weight: 30}
- name: primary
  timeout: 3s
  route:
  - {destination: {host: web-stable.shop.svc.cluster.local, port: {number: 8080}}, weight: 70}
  - {destination: {host: web-canary, port: {number: 8080}}, weight: 30}
- name: other
  route: [{destination: {host: else}}]
`)
	again, err := traffic.VirtualService(got.Copy(), first(r), r, tr, "")
	if err != nil || string(again.JSON()) != string(got.JSON()) {
		t.Errorf("a second time changes something: %v\n%s", err, again.JSON())
	}
	gone, err := traffic.VirtualService(got.Copy(), first(r), r, rollout.Traffic{Managed: tr.Managed, Weights: tr.Weights}, "")
	if err != nil || len(gone.List("spec", "http")) != 2 {
		t.Errorf("the managed routes are not removed: %v %s", err, gone.JSON())
	}
}

const subsets = `
trafficRouting: {managedRoutes: [{name: by-header}], istio: {virtualService: {name: web}, destinationRule: {name: web, canarySubsetName: new, stableSubsetName: old}}}
steps: [{experiment: {templates: [{name: a, specRef: canary}]}}]
`

func TestSubsetsAreWeighedAndLabelled(t *testing.T) {
	r := canary(t, subsets)
	extra := rollout.Destination{ServiceName: "web-exp", Weight: 20, PodTemplateHash: "eee"}
	rule := `
kind: DestinationRule
metadata: {name: web, namespace: shop}
spec: {host: web.shop, subsets: [{name: old, labels: {app: web}, trafficPolicy: {a: b}}, {name: new}, {name: mine, labels: {app: x}}, {name: web-ended, labels: {rollouts-pod-template-hash: zzz}}]}
`
	got, err := traffic.DestinationRule(object(t, rule), r, weights(10, extra))
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, `
kind: DestinationRule
metadata: {name: web, namespace: shop, annotations: {argo-rollouts.argoproj.io/managed-by-rollouts: web}}
spec: {host: web.shop, subsets: [{name: old, labels: {app: web, rollouts-pod-template-hash: aaa}, trafficPolicy: {a: b}}, {name: new, labels: {rollouts-pod-template-hash: bbb}},
  {name: mine, labels: {app: x}}, {name: web-exp, labels: {rollouts-pod-template-hash: eee}}]}
`)
	vs := `
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  http: [{route: [{destination: {host: web, subset: old}, weight: 100}, {destination: {host: web, subset: new}, weight: 0}, {destination: {host: web-ended}, weight: 5}]}]
`
	tr := weights(10, extra)
	tr.Managed = []string{"by-header"}
	tr.Headers = []rollout.HeaderRoute{{Name: "by-header", Match: []rollout.HeaderMatch{{HeaderName: "a", HeaderValue: &rollout.StringMatch{Regex: "b"}}}}}
	o, err := traffic.VirtualService(object(t, vs), first(r), r, tr, "web.shop")
	if err != nil {
		t.Fatal(err)
	}
	same(t, o, `
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  http:
  - {name: by-header, match: [{headers: {a: {regex: b}}}], route: [{destination: {host: web.shop, subset: new}, weight: 100}]}
  - {route: [{destination: {host: web, subset: old}, weight: 70}, {destination: {host: web, subset: new}, weight: 10}, {destination: {host: web-exp}, weight: 20}]}
`)
}

func TestTLSAndTCPRoutes(t *testing.T) {
	both := func(stable, canary int) string {
		return strings.NewReplacer("S", strconv.Itoa(stable), "C", strconv.Itoa(canary)).Replace("route: [{destination: {host: web-stable}, weight: S}, {destination: {host: web-canary}, weight: C}]")
	}
	for name, c := range map[string]struct{ virtual, was, want string }{
		"the only tls": {"{name: web}", "tls: [{match: [{port: 443}], " + both(100, 0) + "}]", "tls: [{match: [{port: 443}], " + both(75, 25) + "}]"},
		"tls by sni": {
			"{name: web, tlsRoutes: [{port: 443, sniHosts: [b, a]}]}",
			"tls: [{match: [{port: 443, sniHosts: [a]}], " + both(100, 0) + "}, {match: [{port: 443, sniHosts: [a]}, {port: 443, sniHosts: [b]}], " + both(100, 0) + "}]",
			"tls: [{match: [{port: 443, sniHosts: [a]}], " + both(100, 0) + "}, {match: [{port: 443, sniHosts: [a]}, {port: 443, sniHosts: [b]}], " + both(75, 25) + "}]",
		},
		"tcp by port": {
			"{name: web, tcpRoutes: [{port: 6379}]}",
			"tcp: [{match: [{port: 1}, {port: 6379}], " + both(100, 0) + "}, {match: [{port: 6379}], " + both(100, 0) + "}]",
			"tcp: [{match: [{port: 1}, {port: 6379}], " + both(100, 0) + "}, {match: [{port: 6379}], " + both(75, 25) + "}]",
		},
		"http and tls": {
			"{name: web, routes: [p]}",
			"http: [{name: p, " + both(100, 0) + "}]\ntls: [{route: [{destination: {host: pass}}]}]",
			"http: [{name: p, " + both(75, 25) + "}]\ntls: [{route: [{destination: {host: pass}}]}]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := canary(t, "{canaryService: web-canary, stableService: web-stable, trafficRouting: {istio: {virtualService: "+c.virtual+"}}}")
			got, err := traffic.VirtualService(manifest.Object{"spec": map[string]any(object(t, c.was))}, first(r), r, weights(25), "")
			if err != nil {
				t.Fatal(err)
			}
			same(t, got.Sub("spec"), c.want)
		})
	}
}

func TestWhatAVirtualServiceLacksIsSaid(t *testing.T) {
	for _, c := range []struct{ virtual, spec, want string }{
		{"{name: web, routes: [gone]}", "http: [{name: p, route: []}]", "HTTP Route 'gone' is not found"},
		{"{name: web}", "http: [{name: p, route: []}, {name: q, route: []}]", "exactly one route"},
		{"{name: web}", "http: [{name: p, route: [{destination: {host: web-stable}}]}]", "Canary Service 'web-canary' not found in route"},
		{"{name: web}", "http: [{name: p, route: [{destination: {host: web-canary}}]}]", "Stable Service 'web-stable' not found in route"},
		{"{name: web}", "hosts: [a]", "no route"},
		{"{name: web, tcpRoutes: [{port: 9}]}", "tcp: [{match: [{port: 8}], route: []}]", "No matching TCP routes"},
		{"{name: web, tlsRoutes: [{port: 9}]}", "hosts: [a]", "No matching TLS routes"},
		{"{name: web}", "http: [{route: [{destination: {host: web-stable}}, {destination: {host: web-canary}}, {destination: {host: third}, weight: 5}]}]", "third"},
	} {
		r := canary(t, "{canaryService: web-canary, stableService: web-stable, trafficRouting: {istio: {virtualService: "+c.virtual+"}}}")
		_, err := traffic.VirtualService(manifest.Object{"kind": "VirtualService", "spec": map[string]any(object(t, c.spec))}, first(r), r, weights(25), "")
		if fault.CodeOf(err) != traffic.CodeShape || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v", c.virtual, c.spec, err)
		}
	}
}

func TestThePingAndThePongTakeTurns(t *testing.T) {
	r := canary(t, "{pingPong: {pingService: ping, pongService: pong}}")
	for turn, want := range map[string]string{"": "ping pong", "ping": "ping pong", "pong": "pong ping"} {
		r.Status.Canary.StablePingPong = turn
		if stable, canary := traffic.Services(r, rollout.Traffic{}); stable+" "+canary != want {
			t.Errorf("%q: %s %s", turn, stable, canary)
		}
	}
}

func TestACanaryIngressIsMadeOfTheStableOne(t *testing.T) {
	r := canary(t, `
canaryService: web-canary
stableService: web-stable
trafficRouting:
  maxTrafficWeight: 1000
  nginx: {stableIngress: web, annotationPrefix: my.nginx, additionalIngressAnnotations: {canary-by-header: X-Canary, my.nginx/canary-by-header-value: "yes"}, canaryIngressAnnotations: {a.b/c: d}}
`)
	got, err := traffic.CanaryIngress(r, weights(25), object(t, `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop, annotations: {kubernetes.io/ingress.class: nginx, other: x}}
spec:
  ingressClassName: nginx
  tls: [{hosts: [a]}]
  defaultBackend: {service: {name: web-stable}}
  rules:
  - host: a
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web-stable, port: {number: 80}}}}, {path: /x, pathType: Prefix, backend: {service: {name: else, port: {number: 80}}}}]}
  - host: b
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: else, port: {number: 80}}}}]}
  - host: c
`))
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web-web-canary
  namespace: shop
  ownerReferences: [{apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: web, uid: u1, controller: true, blockOwnerDeletion: true}]
  annotations: {kubernetes.io/ingress.class: nginx, my.nginx/canary: "true", my.nginx/canary-weight: "25", my.nginx/canary-weight-total: "1000",
    my.nginx/canary-by-header: X-Canary, my.nginx/canary-by-header-value: "yes", a.b/c: d}
spec:
  ingressClassName: nginx
  tls: [{hosts: [a]}]
  rules:
  - host: a
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web-canary, port: {number: 80}}}}, {path: /x, pathType: Prefix, backend: {service: {name: else, port: {number: 80}}}}]}
`)
	if _, err := traffic.CanaryIngress(r, weights(25), object(t, "{metadata: {name: web}}")); fault.CodeOf(err) != traffic.CodeShape {
		t.Error(err)
	}
	if name := traffic.CanaryIngressName(strings.Repeat("r", 200), strings.Repeat("i", 200)); len(name) != 253 || !strings.HasSuffix(name, "i-canary") {
		t.Error(name)
	}
}

const route = `
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  rules:
  - matches: [{path: {type: PathPrefix, value: /}}]
    backendRefs: [{name: web-stable, port: 80, weight: 100}, {name: web-canary, port: 80, weight: 0}]
  - matches: [{path: {type: Exact, value: /health}}]
    backendRefs: [{name: web-stable, port: 80, weight: 1}]
`

func TestAGatewayRouteIsWeighed(t *testing.T) {
	r := canary(t, "{canaryService: web-canary, stableService: web-stable, trafficRouting: {plugins: {argoproj-labs/gatewayAPI: {httpRoute: web}}}}")
	tr := weights(250)
	tr.Max, tr.Managed = 1000, []string{"copy", "by-header"}
	tr.Headers = []rollout.HeaderRoute{{Name: "by-header", Match: []rollout.HeaderMatch{
		{HeaderName: "a", HeaderValue: &rollout.StringMatch{Exact: "b"}}, {HeaderName: "c", HeaderValue: &rollout.StringMatch{Prefix: "d."}},
	}}}
	tr.Mirrors = []rollout.MirrorRoute{{Name: "copy", Match: []rollout.RouteMatch{{Method: &rollout.StringMatch{Exact: "GET"}}}}}
	got, err := traffic.GatewayRoute(object(t, route), r, tr, true)
	if err != nil {
		t.Fatal(err)
	}
	same(t, manifest.Object{"rules": got.List("spec", "rules")}, `
rules:
- name: copy
  matches: [{method: GET}]
  filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web-canary, port: 80}}}]
  backendRefs: [{name: web-stable, port: 80, weight: 750}, {name: web-canary, port: 80, weight: 250}]
- name: by-header
  matches:
  - {path: {type: PathPrefix, value: /}, headers: [{name: a, type: Exact, value: b}]}
  - {path: {type: PathPrefix, value: /}, headers: [{name: c, type: RegularExpression, value: 'd\..*'}]}
  backendRefs: [{name: web-canary, port: 80, weight: 1}]
- matches: [{path: {type: PathPrefix, value: /}}]
  backendRefs: [{name: web-stable, port: 80, weight: 750}, {name: web-canary, port: 80, weight: 250}]
- matches: [{path: {type: Exact, value: /health}}]
  backendRefs: [{name: web-stable, port: 80, weight: 1}]
`)
	gone, err := traffic.GatewayRoute(got.Copy(), r, rollout.Traffic{Managed: tr.Managed}, true)
	if err != nil || len(gone.List("spec", "rules")) != 2 {
		t.Errorf("%v %s", err, gone.JSON())
	}
}

// However often and in whatever order weights are set: they add up, are never negative, and the last ones alone count.
func TestWeightsAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := canary(t, "{canaryService: web-canary, stableService: web-stable, steps: [{experiment: {templates: []}}], trafficRouting: {istio: {virtualService: {name: web, routes: [primary]}}}}")
		o, g := object(t, virtualService), object(t, route)
		for range rapid.IntRange(1, 5).Draw(rt, "turns") {
			percent := rapid.Int32Range(0, 100).Draw(rt, "percent")
			var extra []rollout.Destination
			for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"e1", "e2", "e3"}), 0, 3, rapid.ID).Draw(rt, "extra") {
				extra = append(extra, rollout.Destination{ServiceName: name, Weight: rapid.Int32Range(0, (100-percent)/3).Draw(rt, "share")})
			}
			var err error
			if o, err = traffic.VirtualService(o, first(r), r, weights(percent, extra...), ""); err != nil {
				rt.Fatal(err)
			}
			if g, err = traffic.GatewayRoute(g, r, weights(percent, extra...), true); err != nil {
				rt.Fatal(err)
			}
			for _, list := range [][]any{
				manifest.Object(o.List("spec", "http")[0].(map[string]any)).List("route"),
				manifest.Object(g.List("spec", "rules")[0].(map[string]any)).List("backendRefs"),
			} {
				sum := int64(0)
				for _, e := range list {
					w := manifest.Object(e.(map[string]any)).Int(0, "weight")
					if w < 0 {
						rt.Fatalf("a weight of %d", w)
					}
					sum += w
				}
				if sum != 100 || len(list) < 2+len(extra) {
					rt.Fatalf("%d weights of %d in all: %v", len(list), sum, list)
				}
			}
		}
	})
}

func TestRefusedProvidersAreNamed(t *testing.T) {
	r := canary(t, "{trafficRouting: {alb: {}, smi: {}, ambassador: {}, appMesh: {}, traefik: {}, apisix: {}, plugins: {x/y: {}}, nginx: {stableIngress: web}}}")
	got := traffic.Refused(r)
	for i, name := range []string{"alb", "smi", "ambassador", "appMesh", "traefik", "apisix", "plugins[x/y]"} {
		if i >= len(got) || got[i].Code != traffic.CodeProvider || !strings.Contains(got[i].Message, "trafficRouting."+name) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if len(got) != 7 {
		t.Errorf("%d refused", len(got))
	}
}
