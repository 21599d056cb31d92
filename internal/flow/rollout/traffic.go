package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// route decides where the requests go. Weight never goes to pods that are not there: without an available canary pod it
// stays with the stable version, and the stable version's share never grows over what its available pods can take, except
// in an abort and where the canary has no pods left: there one available pod is enough (Argo Rollouts waits for all of them
// and leaves the requests with the bad version meanwhile). It is false where the pass is to wait for the driver to confirm the last weight.
func (p *pass) route() bool {
	if !p.r.Spec.routed() {
		p.status.Canary.Weights = nil
		return true
	}
	t := p.traffic()
	if !p.carries(t) {
		return true
	}
	p.do(Route{Traffic: t})
	s := t.Weights
	c := p.r.Spec.Strategy.Canary
	s.Canary.ServiceName, s.Stable.ServiceName = c.CanaryService, c.StableService
	was := p.r.Status.Canary.Weights
	s.Verified = p.w.Verified
	if was == nil || was.Canary != s.Canary || was.Stable != s.Stable || !slices.Equal(was.Additional, s.Additional) {
		p.tell(reasonWeight, "Traffic weight updated %s", weightChange(was, &s))
		if s.Verified != nil {
			s.Verified = new(bool) // what the driver said was about the weights before
		}
	}
	p.status.Canary.Weights = &s
	if s.Verified == nil || *s.Verified {
		return true
	}
	p.in(verifyAgain)
	steps := p.r.Spec.steps()
	return s.Canary.Weight != p.r.Spec.maxWeight() || int(or(p.r.Status.CurrentStepIndex, 0)) > len(steps)
}

// weightChange tells how the weights changed.
func weightChange(was, is *Weights) string {
	var parts []string
	switch {
	case was == nil:
		parts = append(parts, fmt.Sprintf("to %d", is.Canary.Weight))
	case was.Canary.Weight != is.Canary.Weight:
		parts = append(parts, fmt.Sprintf("from %d to %d", was.Canary.Weight, is.Canary.Weight))
	}
	if was != nil && !slices.Equal(was.Additional, is.Additional) {
		parts = append(parts, fmt.Sprintf("additional: %v", is.Additional))
	}
	return strings.Join(parts, ", ")
}

// carries reports whether the stable version's available pods can take its share.
func (p *pass) carries(t Traffic) bool {
	if p.stable == nil {
		return false
	}
	lost := !byHash(p.sets, t.CanaryHash).some()
	if (lost || p.aborted() && !p.r.Spec.dynamic()) && t.Weights.Canary.Weight == 0 && p.stable.some() {
		return true
	}
	return p.stable.available >= (t.Max-t.Weights.Canary.Weight)*p.r.Spec.replicas()/t.Max
}

// traffic is where the requests are to go now.
func (p *pass) traffic() Traffic {
	most := p.r.Spec.maxWeight()
	t := Traffic{Max: most, CanaryHash: p.fresh.hash}
	if p.stable != nil {
		t.StableHash = p.stable.hash
	}
	t.CanaryMeta, t.StableMeta = p.r.Spec.metadata()
	for _, r := range p.r.Spec.Strategy.Canary.TrafficRouting.ManagedRoutes {
		t.Managed = append(t.Managed, r.Name)
	}
	weight, extra, routes := p.canaryWeight(&t)
	if routes {
		t.Headers, t.Mirrors = p.managedRoutes()
	}
	stable, canary := p.r.ServicePair()
	left := most - weight
	for _, d := range extra {
		left -= d.Weight
	}
	t.Weights = Weights{
		Canary:     Destination{weight, canary, t.CanaryHash},
		Stable:     Destination{left, stable, t.StableHash},
		Additional: extra,
	}
	return t
}

// canaryWeight is the canary's weight, what goes to an experiment, and whether managed routes stay. An abort, which
// ends all of them, comes before everything but a finished update.
func (p *pass) canaryWeight(t *Traffic) (weight int32, extra []Destination, routes bool) {
	most, replicas := p.r.Spec.maxWeight(), p.r.Spec.replicas()
	if back, from := p.rollingBack(); back {
		t.CanaryHash = from
		return p.returning(), nil, false
	}
	_, index := p.r.current()
	switch {
	case p.r.promoted():
		return 0, nil, false
	case p.aborted():
		return p.returning(), nil, false
	case p.fresh.available == 0:
		return 0, p.experimentWeights(), false
	case p.r.Status.PromoteFull:
		if p.r.Spec.dynamic() {
			return min(most, most*p.fresh.available/max(replicas, 1)), nil, false
		}
		if w := p.r.Status.Canary.Weights; w != nil {
			return w.Canary.Weight, nil, false
		}
		return 0, nil, false
	case index == nil:
		return 0, nil, true
	case !p.atCounts(nil):
		return p.weightBefore(*index), p.experimentWeights(), true
	case int(*index) < len(p.r.Spec.steps()):
		return p.r.weight(), p.experimentWeights(), true
	}
	return most, nil, true
}

// weightBefore is the weight of the steps before one: the version has not the pods for more yet.
func (p *pass) weightBefore(index int32) int32 {
	steps := p.r.Spec.steps()
	for i := min(index, int32(len(steps))) - 1; i >= 0; i-- {
		if steps[i].SetWeight != nil {
			return *steps[i].SetWeight
		}
	}
	return 0
}

// returning is the canary's weight while the requests go back to the stable version: nothing at once, or with
// dynamicStableScale what the stable version's available pods cannot take yet.
func (p *pass) returning() int32 {
	if !p.r.Spec.dynamic() || p.stable == nil {
		return 0
	}
	most := p.r.Spec.maxWeight()
	weight := max(0, most-most*p.stable.available/max(p.r.Spec.replicas(), 1))
	if w := p.r.Status.Canary.Weights; w != nil {
		if s := byHash(p.sets, w.Canary.PodTemplateHash); !s.some() {
			return 0 // what it would get would be lost
		}
		weight = min(weight, w.Canary.Weight)
	}
	return weight
}

// managedRoutes are the header and mirror routes that the steps up to the current one have set and not removed. The first
// version has none, since there is nothing to tell it from.
func (p *pass) managedRoutes() ([]HeaderRoute, []MirrorRoute) {
	_, index := p.r.current()
	if index == nil || p.revisionNumber() <= 1 {
		return nil, nil
	}
	var (
		headers []HeaderRoute
		mirrors []MirrorRoute
	)
	steps := p.r.Spec.steps()
	for i := range min(int(*index)+1, len(steps)) {
		if h := steps[i].SetHeaderRoute; h != nil {
			headers = slices.DeleteFunc(headers, func(o HeaderRoute) bool { return o.Name == h.Name })
			if len(h.Match) > 0 {
				headers = append(headers, *h)
			}
		}
		if m := steps[i].SetMirrorRoute; m != nil {
			mirrors = slices.DeleteFunc(mirrors, func(o MirrorRoute) bool { return o.Name == m.Name })
			if len(m.Match) > 0 {
				mirrors = append(mirrors, *m)
			}
		}
	}
	return headers, mirrors
}

// atCounts reports whether both versions have the pods of the current step, and old ones are gone where they would get
// requests.
func (p *pass) atCounts(w *Weights) bool {
	var canary, stable int32
	if p.r.Spec.routed() {
		canary, stable = p.r.weighted(w)
	} else {
		canary, stable = p.r.basic(p.fresh, p.stable, p.others)
	}
	if p.fresh.replicas != canary || p.fresh.available != canary {
		return false
	}
	if !p.r.Spec.dynamic() && (p.stable == nil || p.stable.replicas != stable || p.stable.pods != stable) {
		return false
	}
	return p.r.Spec.routed() || sum(p.others, available) == 0
}
