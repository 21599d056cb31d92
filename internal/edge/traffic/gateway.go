package traffic

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

const gatewayPlugin = "argoproj-labs/gatewayAPI"

// gatewayConfig is the plugin's configuration in the Rollout. The ConfigMap that the plugin keeps its managed routes in is
// taken and not needed: managed rules are found by their names.
type gatewayConfig struct {
	Namespace  string      `json:"namespace"`
	HTTPRoute  string      `json:"httpRoute"`
	HTTPRoutes []namedPath `json:"httpRoutes"`
	GRPCRoute  string      `json:"grpcRoute"`
	GRPCRoutes []namedPath `json:"grpcRoutes"`
	TCPRoute   string      `json:"tcpRoute"`
	TCPRoutes  []namedPath `json:"tcpRoutes"`
	TLSRoute   string      `json:"tlsRoute"`
	TLSRoutes  []namedPath `json:"tlsRoutes"`
	ConfigMap  string      `json:"configMap"`
}

type namedPath struct {
	Name            string `json:"name"`
	UseHeaderRoutes bool   `json:"useHeaderRoutes"`
}

func gatewayKinds(kind string) []manifest.Kind {
	var out []manifest.Kind
	for _, version := range []string{"v1", "v1beta1", "v1alpha3", "v1alpha2"} {
		out = append(out, manifest.Kind{Group: "gateway.networking.k8s.io", Version: version, Kind: kind})
	}
	return out
}

func gatewayParts(r rollout.Rollout, t rollout.Traffic, raw manifest.Object) ([]part, error) {
	var c gatewayConfig
	d := json.NewDecoder(bytes.NewReader(raw.JSON()))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return nil, fault.New(CodeProvider, "spec.strategy.canary.trafficRouting.plugins[%s]: %v", gatewayPlugin, err).
			WithHint("httpRoute, httpRoutes, grpcRoutes, tcpRoutes, tlsRoutes and namespace are supported")
	}
	namespace := c.Namespace
	if namespace == "" {
		namespace = r.Object.Namespace()
	}
	var out []part
	for _, sort := range []struct {
		kind string
		one  string
		many []namedPath
	}{{"HTTPRoute", c.HTTPRoute, c.HTTPRoutes}, {"GRPCRoute", c.GRPCRoute, c.GRPCRoutes}, {"TCPRoute", c.TCPRoute, c.TCPRoutes}, {"TLSRoute", c.TLSRoute, c.TLSRoutes}} {
		routes := sort.many
		if sort.one != "" {
			routes = append([]namedPath{{sort.one, true}}, routes...)
		}
		for _, route := range routes {
			managed := sort.kind == "HTTPRoute" && route.UseHeaderRoutes
			out = append(out, part{
				kinds: gatewayKinds(sort.kind), namespace: namespace, name: route.Name, needed: sort.kind + " " + route.Name,
				change: func(_ context.Context, o manifest.Object) (manifest.Object, error) {
					return GatewayRoute(o, r, t, managed)
				},
			})
		}
	}
	if len(out) == 0 {
		return nil, fault.New(CodeProvider, "spec.strategy.canary.trafficRouting.plugins[%s] names no route", gatewayPlugin).
			WithHint("name an HTTPRoute with httpRoute")
	}
	return out, nil
}

// GatewayRoute sets the weights of the two Services in every rule that has both, and, where managed, puts the managed
// rules before the others in the order of managedRoutes. Rules with one of the two alone are left as they are.
func GatewayRoute(o manifest.Object, r rollout.Rollout, t rollout.Traffic, managed bool) (manifest.Object, error) {
	s := newSplit(r, t)
	most := int64(t.Max)
	if most == 0 {
		most = 100
	}
	s.toStable += most - 100
	var first manifest.Object
	var others []any
	for _, e := range o.List("spec", "rules") {
		m, _ := e.(map[string]any)
		rule := manifest.Object(m)
		if managed && rule.Text("name") != "" && slices.Contains(t.Managed, rule.Text("name")) {
			continue
		}
		others = append(others, e)
		if !s.backends(rule, o, r) {
			continue
		}
		if first == nil {
			first = rule
		}
		if err := s.weighBackends(o, rule, r); err != nil {
			return nil, err
		}
	}
	if first == nil {
		return nil, shape(o, "no rule has both backends, the stable Service '%s' and the canary Service '%s'", s.stable, s.canary)
	}
	var made []any
	if managed {
		made = s.managedRules(first, o, r, t)
	}
	o.Set(append(made, others...), "spec", "rules")
	return o, nil
}

// backend finds a Service among a rule's backends.
func backend(rule, o manifest.Object, r rollout.Rollout, service string) manifest.Object {
	for _, e := range rule.List("backendRefs") {
		m, _ := e.(map[string]any)
		ref := manifest.Object(m)
		kind, namespace := ref.Text("kind"), ref.Text("namespace")
		if namespace == "" {
			namespace = o.Namespace()
		}
		if service != "" && ref.Text("name") == service && (kind == "" || kind == "Service") && ref.Text("group") == "" && namespace == r.Object.Namespace() {
			return ref
		}
	}
	return nil
}

func (s *split) backends(rule, o manifest.Object, r rollout.Rollout) bool {
	return backend(rule, o, r, s.stable) != nil && backend(rule, o, r, s.canary) != nil
}

func (s *split) weighBackends(o, rule manifest.Object, r rollout.Rollout) error {
	canary := backend(rule, o, r, s.canary)
	canary["weight"] = s.toCanary
	backend(rule, o, r, s.stable)["weight"] = s.toStable
	var out []any
	for _, e := range rule.List("backendRefs") {
		m, _ := e.(map[string]any)
		ref := manifest.Object(m)
		name := ref.Text("name")
		at := slices.IndexFunc(s.extra, func(d rollout.Destination) bool { return d.ServiceName == name })
		switch {
		case name == s.canary || name == s.stable:
		case at >= 0:
			continue // added anew below
		case ref.Int(1, "weight") == 0:
		case s.experiments:
			continue
		default:
			return shape(o, "a backend that is neither the canary's nor the stable's has a weight: %s", name)
		}
		out = append(out, e)
	}
	for _, d := range s.extra {
		ref := canary.Copy()
		ref["name"], ref["weight"] = d.ServiceName, int64(d.Weight)
		out = append(out, map[string]any(ref))
	}
	rule["backendRefs"] = out
	return nil
}

func (s *split) managedRules(base, o manifest.Object, r rollout.Rollout, t rollout.Traffic) []any {
	var out []any
	for _, name := range t.Managed {
		for _, h := range t.Headers {
			if h.Name == name && len(h.Match) > 0 {
				rule := base.Copy()
				rule["name"] = name
				rule["matches"] = headerMatches(base, h)
				to := backend(rule, o, r, s.canary)
				to["weight"] = int64(1)
				rule["backendRefs"] = []any{map[string]any(to)}
				out = append(out, map[string]any(rule))
			}
		}
		for _, m := range t.Mirrors {
			if m.Name == name && len(m.Match) > 0 {
				out = append(out, s.mirrorRule(base, o, r, m))
			}
		}
	}
	return out
}

func (s *split) mirrorRule(base, o manifest.Object, r rollout.Rollout, m rollout.MirrorRoute) any {
	rule := base.Copy()
	rule["name"] = m.Name
	var matches []any
	for _, one := range m.Match {
		match := manifest.Object{}
		if one.Method != nil && one.Method.Exact != "" {
			match["method"] = one.Method.Exact
		}
		if one.Path != nil {
			match["path"] = pathMatch(*one.Path)
		}
		var headers []any
		for _, name := range sorted(one.Headers) {
			value := one.Headers[name]
			headers = append(headers, headerMatch(name, &value))
		}
		if headers != nil {
			match["headers"] = headers
		}
		matches = append(matches, map[string]any(match))
	}
	rule["matches"] = matches
	to := backend(base, o, r, s.canary).Copy()
	to.Drop("weight")
	to.Drop("filters")
	mirror := map[string]any{"backendRef": map[string]any(to)}
	if m.Percentage != nil {
		mirror["percent"] = int64(*m.Percentage)
	}
	rule["filters"] = append(rule.List("filters"), map[string]any{"type": "RequestMirror", "requestMirror": mirror})
	return map[string]any(rule)
}

// headerMatches are the base rule's matches, each with each of the headers: one header that fits is enough.
func headerMatches(base manifest.Object, h rollout.HeaderRoute) []any {
	bases := base.Copy().List("matches")
	if len(bases) == 0 {
		bases = []any{map[string]any{}}
	}
	var out []any
	for _, e := range bases {
		m, _ := e.(map[string]any)
		for _, header := range h.Match {
			match := manifest.Object(m).Copy()
			match["headers"] = append(slices.Clone(match.List("headers")), headerMatch(header.HeaderName, header.HeaderValue))
			out = append(out, map[string]any(match))
		}
	}
	return out
}

func headerMatch(name string, v *rollout.StringMatch) map[string]any {
	kind, value := "Exact", ""
	switch {
	case v == nil:
	case v.Regex != "":
		kind, value = "RegularExpression", v.Regex
	case v.Prefix != "":
		kind, value = "RegularExpression", regexp.QuoteMeta(v.Prefix)+".*"
	default:
		value = v.Exact
	}
	return map[string]any{"name": name, "type": kind, "value": value}
}

func pathMatch(v rollout.StringMatch) map[string]any {
	switch {
	case v.Regex != "":
		return map[string]any{"type": "RegularExpression", "value": v.Regex}
	case v.Exact != "":
		return map[string]any{"type": "Exact", "value": v.Exact}
	}
	return map[string]any{"type": "PathPrefix", "value": v.Prefix}
}
