package traffic

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

var (
	virtualServices  = versions("VirtualService")
	destinationRules = versions("DestinationRule")
)

func versions(kind string) []manifest.Kind {
	const group = "networking.istio.io"
	return []manifest.Kind{{Group: group, Version: "v1alpha3", Kind: kind}, {Group: group, Version: "v1beta1", Kind: kind}, {Group: group, Version: "v1", Kind: kind}}
}

// VirtualServices are those that a Rollout names, whichever field it uses.
func VirtualServices(i rollout.Istio) []rollout.VirtualService {
	if i.VirtualService != nil {
		return append([]rollout.VirtualService{*i.VirtualService}, i.VirtualServices...)
	}
	return i.VirtualServices
}

func namesRule(r rollout.Rollout, name string) bool {
	tr := routing(r)
	return tr != nil && tr.Istio != nil && tr.Istio.DestinationRule != nil && tr.Istio.DestinationRule.Name == name
}

func istioParts(r rollout.Rollout, t rollout.Traffic) []part {
	istio, namespace := routing(r).Istio, r.Object.Namespace()
	var out []part
	host := ""
	if rule := istio.DestinationRule; rule != nil {
		out = append(out, part{
			kinds: destinationRules, namespace: namespace, name: rule.Name, needed: "DestinationRule " + rule.Name,
			change: func(_ context.Context, o manifest.Object) (manifest.Object, error) {
				host = o.Text("spec", "host")
				return DestinationRule(o, r, t)
			},
		})
	}
	for _, vs := range VirtualServices(*istio) {
		name, in, ok := strings.Cut(vs.Name, ".")
		if !ok {
			in = namespace
		}
		out = append(out, part{
			kinds: virtualServices, namespace: in, name: name, needed: "VirtualService " + vs.Name,
			change: func(_ context.Context, o manifest.Object) (manifest.Object, error) {
				return VirtualService(o, vs, r, t, host)
			},
		})
	}
	return out
}

// DestinationRule puts the two pod template hashes into the two subsets' labels, gives each experiment's destination a
// subset of its own, and marks the rule as the Rollout's. A hash that is empty is taken away.
func DestinationRule(o manifest.Object, r rollout.Rollout, t rollout.Traffic) (manifest.Object, error) {
	rule := routing(r).Istio.DestinationRule
	extra := map[string]string{}
	for _, d := range t.Weights.Additional {
		extra[d.ServiceName] = d.PodTemplateHash
	}
	var subsets []any
	var stable, canary bool
	for _, e := range o.List("spec", "subsets") {
		m, _ := e.(map[string]any)
		s := manifest.Object(m)
		name := s.Text("name")
		switch hash, wanted := extra[name]; {
		case name == rule.CanarySubsetName:
			canary = true
			label(s, t.CanaryHash)
		case name == rule.StableSubsetName:
			stable = true
			label(s, t.StableHash)
		case wanted:
			label(s, hash)
			delete(extra, name)
		case ours(s):
			continue // an experiment's that has ended
		}
		subsets = append(subsets, m)
	}
	if !canary {
		return nil, shape(o, "Canary DestinationRule subset '%s' not found", rule.CanarySubsetName)
	}
	if !stable {
		return nil, shape(o, "Stable DestinationRule subset '%s' not found", rule.StableSubsetName)
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		subsets = append(subsets, map[string]any{"name": name, "labels": map[string]any{hashLabel: extra[name]}})
	}
	o.Set(subsets, "spec", "subsets")
	o.SetAnnotation(managedBy, r.Object.Name())
	return o, nil
}

// ours reports whether a subset is one that was made for an experiment: it has the hash and nothing else.
func ours(s manifest.Object) bool {
	labels := s.Sub("labels")
	_, hash := labels[hashLabel]
	return hash && len(labels) == 1 && len(s) == 2
}

func label(subset manifest.Object, hash string) {
	if hash == "" {
		subset.Drop("labels", hashLabel)
		return
	}
	subset.Set(hash, "labels", hashLabel)
}

// released takes hashes and mark away again.
func released(_ context.Context, o manifest.Object) (manifest.Object, error) {
	var subsets []any
	for _, e := range o.List("spec", "subsets") {
		m, _ := e.(map[string]any)
		if ours(m) {
			continue
		}
		label(m, "")
		subsets = append(subsets, m)
	}
	if subsets != nil {
		o.Set(subsets, "spec", "subsets")
	}
	o.Drop("metadata", "annotations", managedBy)
	return o, nil
}

// split is who gets what in one VirtualService.
type split struct {
	stable, canary         string // Services
	stableSet, canarySet   string // subsets, "" for a split between hosts
	toStable, toCanary     int64
	extra                  []rollout.Destination
	experiments, anyWeighs bool
}

// VirtualService sets the weights of the named routes (HTTP, TLS and TCP) and puts the managed routes on top of the HTTP
// routes, in the order of managedRoutes. Host is the DestinationRule's host, where there is one
// (https://argo-rollouts.readthedocs.io/en/stable/features/traffic-management/istio/).
func VirtualService(o manifest.Object, vs rollout.VirtualService, r rollout.Rollout, t rollout.Traffic, host string) (manifest.Object, error) {
	s := newSplit(r, t)
	var managed, others []any
	for _, e := range o.List("spec", "http") {
		m, _ := e.(map[string]any)
		if slices.Contains(t.Managed, manifest.Object(m).Text("name")) {
			managed = append(managed, e)
		} else {
			others = append(others, e)
		}
	}
	weighed, err := s.http(o, vs, others)
	if err != nil {
		return nil, err
	}
	if err := s.layer4(o, "tls", len(vs.TLSRoutes), func(route manifest.Object) bool { return matchesTLS(route, vs.TLSRoutes) }); err != nil {
		return nil, err
	}
	if err := s.layer4(o, "tcp", len(vs.TCPRoutes), func(route manifest.Object) bool { return matchesTCP(route, vs.TCPRoutes) }); err != nil {
		return nil, err
	}
	if !s.anyWeighs {
		return nil, shape(o, "it has no route with the canary and the stable destination")
	}
	made, err := s.managed(o, weighed, t, host)
	if err != nil {
		return nil, err
	}
	if len(managed)+len(others)+len(made) > 0 {
		o.Set(append(made, others...), "spec", "http")
	}
	return o, nil
}

func newSplit(r rollout.Rollout, t rollout.Traffic) *split {
	s := &split{extra: t.Weights.Additional, toCanary: int64(t.Weights.Canary.Weight)}
	s.stable, s.canary = Services(r, t)
	if istio := routing(r).Istio; istio != nil && istio.DestinationRule != nil {
		s.stableSet, s.canarySet = istio.DestinationRule.StableSubsetName, istio.DestinationRule.CanarySubsetName
	}
	s.toStable = 100 - s.toCanary // Istio's weights add up to 100
	for _, d := range s.extra {
		s.toStable -= int64(d.Weight)
	}
	s.experiments = slices.ContainsFunc(r.Spec.Strategy.Canary.Steps, func(step rollout.Step) bool { return step.Experiment != nil })
	return s
}

// http weighs the HTTP routes that are named, or the only one, and gives the first of them.
func (s *split) http(o manifest.Object, vs rollout.VirtualService, routes []any) (manifest.Object, error) {
	var first manifest.Object
	if len(routes) == 0 {
		return nil, nil
	}
	chosen := vs.Routes
	if len(chosen) == 0 {
		if len(routes) > 1 {
			return nil, shape(o, "spec.http[] should be set in VirtualService and it must have exactly one route when omitting spec.strategy.canary.trafficRouting.istio.virtualService.routes")
		}
		route, _ := routes[0].(map[string]any)
		return route, s.weigh(o, route)
	}
	for _, name := range chosen {
		at := slices.IndexFunc(routes, func(e any) bool {
			m, _ := e.(map[string]any)
			return manifest.Object(m).Text("name") == name
		})
		if at < 0 {
			return nil, shape(o, "HTTP Route '%s' is not found in the defined Virtual Service.", name)
		}
		route, _ := routes[at].(map[string]any)
		if err := s.weigh(o, route); err != nil {
			return nil, err
		}
		if first == nil {
			first = route
		}
	}
	return first, nil
}

// layer4 weighs the TLS or TCP routes that are named, or the only one where it has both destinations.
func (s *split) layer4(o manifest.Object, section string, named int, matches func(manifest.Object) bool) error {
	routes := o.List("spec", section)
	if len(routes) == 0 {
		if named > 0 {
			return shape(o, "No matching %s routes found in the defined Virtual Service.", strings.ToUpper(section))
		}
		return nil
	}
	if named == 0 {
		if len(routes) > 1 && !s.anyWeighs {
			return shape(o, "spec.%s[] should be set in VirtualService and it must have exactly one route when omitting spec.strategy.canary.trafficRouting.istio.virtualService.%sRoutes", section, section)
		}
		route, _ := routes[0].(map[string]any)
		if len(routes) > 1 || s.anyWeighs && s.lacks(route) != nil {
			return nil // somebody's own
		}
		return s.weigh(o, route)
	}
	found := false
	for _, e := range routes {
		route, _ := e.(map[string]any)
		if !matches(route) {
			continue
		}
		found = true
		if err := s.weigh(o, route); err != nil {
			return err
		}
	}
	if !found {
		return shape(o, "No matching %s routes found in the defined Virtual Service.", strings.ToUpper(section))
	}
	return nil
}

// whose says whether a destination is the stable's or the canary's.
func (s *split) whose(destination manifest.Object) (stable, canary bool) {
	if s.canarySet != "" {
		set := destination.Text("destination", "subset")
		if set == s.canarySet || set == s.stableSet {
			return set == s.stableSet, set == s.canarySet
		}
	}
	name := hostname(destination.Text("destination", "host"))
	switch name {
	case "":
		return false, false
	case s.canary:
		return false, true
	case s.stable:
		return true, false
	}
	return false, false
}

func (s *split) lacks(route manifest.Object) []string {
	var stable, canary bool
	for _, e := range route.List("route") {
		m, _ := e.(map[string]any)
		a, b := s.whose(m)
		stable, canary = stable || a, canary || b
	}
	var out []string
	for _, missing := range []struct {
		is           bool
		what, subset string
		service      string
	}{{!canary, "Canary", s.canarySet, s.canary}, {!stable, "Stable", s.stableSet, s.stable}} {
		switch {
		case !missing.is:
		case missing.subset != "":
			out = append(out, missing.what+" DestinationRule subset '"+missing.subset+"' not found in route")
		default:
			out = append(out, missing.what+" Service '"+missing.service+"' not found in route")
		}
	}
	return out
}

// weigh sets the weights of one route's destinations, adds those of experiments and removes those of experiments that ended.
func (s *split) weigh(o, route manifest.Object) error {
	if lacks := s.lacks(route); lacks != nil {
		return shape(o, "%s", strings.Join(lacks, "; "))
	}
	s.anyWeighs = true
	extra := map[string]int64{}
	for _, d := range s.extra {
		extra[d.ServiceName] = int64(d.Weight)
	}
	var out []any
	for _, e := range route.List("route") {
		m, _ := e.(map[string]any)
		d := manifest.Object(m)
		name := hostname(d.Text("destination", "host"))
		stable, canary := s.whose(d)
		switch weight, wanted := extra[name]; {
		case canary:
			setWeight(d, s.toCanary)
		case stable:
			setWeight(d, s.toStable)
		case wanted:
			setWeight(d, weight)
			delete(extra, name)
		case d.Int(0, "weight") == 0: // somebody's own that gets nothing
		case s.experiments:
			continue
		default:
			return shape(o, "a destination that is neither the canary's nor the stable's has a weight: %s", d.Text("destination", "host"))
		}
		out = append(out, m)
	}
	for _, d := range s.extra {
		if weight, left := extra[d.ServiceName]; left {
			out = append(out, map[string]any{"destination": map[string]any{"host": d.ServiceName}, "weight": weight})
		}
	}
	route["route"] = out
	return nil
}

// setWeight leaves a weight alone that says the same: an absent one is 0.
func setWeight(d manifest.Object, weight int64) {
	if _, is := d["weight"]; is && d.Int(-1, "weight") == weight {
		return
	}
	d["weight"] = weight
}

// managed makes the managed routes, in their order.
func (s *split) managed(o, weighed manifest.Object, t rollout.Traffic, host string) ([]any, error) {
	var out []any
	for _, name := range t.Managed {
		for _, h := range t.Headers {
			if h.Name == name && len(h.Match) > 0 {
				out = append(out, s.headerRoute(weighed, h, host))
			}
		}
		for _, m := range t.Mirrors {
			if m.Name == name && len(m.Match) > 0 {
				out = append(out, s.mirrorRoute(weighed, m, host))
			}
		}
	}
	if len(out) > 0 && weighed == nil {
		return nil, fault.New(CodeManaged, "VirtualService %s has no HTTP route that managed routes could stand before", where(o))
	}
	return out, nil
}

// target is the canary as a destination: the DestinationRule's host and subset, or the canary Service; the port of the
// route that is weighed.
func (s *split) target(weighed manifest.Object, host string) map[string]any {
	out := map[string]any{"host": s.canary}
	if s.canarySet != "" {
		out["subset"] = s.canarySet
		if host != "" {
			out["host"] = host
		}
	}
	if list := weighed.List("route"); len(list) > 0 {
		m, _ := list[0].(map[string]any)
		if port := manifest.Object(m).Copy().Sub("destination", "port"); port != nil {
			out["port"] = map[string]any(port)
		}
	}
	return out
}

func (s *split) headerRoute(weighed manifest.Object, h rollout.HeaderRoute, host string) map[string]any {
	var match []any
	for _, m := range h.Match {
		match = append(match, map[string]any{"headers": map[string]any{m.HeaderName: stringMatch(m.HeaderValue)}})
	}
	return map[string]any{
		"name": h.Name, "match": match,
		"route": []any{map[string]any{"destination": s.target(weighed, host), "weight": int64(100)}},
	}
}

func (s *split) mirrorRoute(weighed manifest.Object, r rollout.MirrorRoute, host string) map[string]any {
	percent := int64(100)
	if r.Percentage != nil {
		percent = int64(*r.Percentage)
	}
	var match []any
	for _, m := range r.Match {
		one := map[string]any{}
		if m.Method != nil {
			one["method"] = stringMatch(m.Method)
		}
		if m.Path != nil {
			one["uri"] = stringMatch(m.Path)
		}
		if len(m.Headers) > 0 {
			headers := map[string]any{}
			for name, value := range m.Headers {
				headers[name] = stringMatch(&value)
			}
			one["headers"] = headers
		}
		match = append(match, one)
	}
	return map[string]any{
		"name": r.Name, "match": match, "route": weighed.Copy().List("route"),
		"mirror": s.target(weighed, host), "mirrorPercentage": map[string]any{"value": percent},
	}
}

func stringMatch(m *rollout.StringMatch) map[string]any {
	out := map[string]any{}
	if m == nil {
		return out
	}
	for kind, value := range map[string]string{"exact": m.Exact, "prefix": m.Prefix, "regex": m.Regex} {
		if value != "" {
			out[kind] = value
		}
	}
	return out
}
