package rollout

import (
	"slices"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// restartAgain is after how long a restart that has not reached all pods is looked at again.
const restartAgain = 30 * time.Second

// restart evicts pods that are older than restartAt, never more at once than maxUnavailable (at least one), the stable
// version's first (https://argo-rollouts.readthedocs.io/en/stable/features/restart/). True where it evicted any.
func (p *pass) restart() bool {
	at := p.r.Spec.RestartAt
	if at == nil || at.Equal(p.r.Status.RestartedAt) {
		return false
	}
	if !p.now.After(at.Time) {
		p.until(at.Time)
		return false
	}
	pods := p.ownPods()
	_, unavailable := p.r.Spec.limits()
	free := p.availablePods(pods) - (max(p.r.Spec.replicas(), sum(p.sets, wanted)) - max(unavailable, 1))
	old, evicted := 0, 0
	for _, pod := range pods {
		created, err := time.Parse(time.RFC3339, pod.Text("metadata", "creationTimestamp"))
		if err != nil || !created.Before(at.Time) {
			continue
		}
		old++
		if free <= 0 || pod.Deleting() {
			continue
		}
		p.do(EvictPod{Name: pod.Name()})
		free--
		evicted++
	}
	if old == 0 {
		p.status.RestartedAt = at
	} else {
		p.in(restartAgain)
	}
	return evicted > 0
}

// ownPods are the pods of the rollout's sets: the stable one's, the wanted one's, then old ones'.
func (p *pass) ownPods() []manifest.Object {
	order := map[string]int{}
	for i, s := range append([]*set{p.stable, p.fresh}, p.others...) {
		if s == nil {
			continue
		}
		if _, told := order[s.object.UID()]; !told {
			order[s.object.UID()] = i
		}
	}
	rank := func(o manifest.Object) (int, bool) {
		for _, w := range o.Owners() {
			if n, ok := order[w.UID]; ok {
				return n, true
			}
		}
		return 0, false
	}
	var out []manifest.Object
	for _, o := range p.w.Pods {
		if _, ok := rank(o); ok {
			out = append(out, o)
		}
	}
	slices.SortStableFunc(out, func(a, b manifest.Object) int {
		x, _ := rank(a)
		y, _ := rank(b)
		return x - y
	})
	return out
}

// availablePods counts the pods that have been ready for minReadySeconds.
func (p *pass) availablePods(pods []manifest.Object) int32 {
	count := int32(0)
	for _, o := range pods {
		if o.Deleting() {
			continue
		}
		for _, e := range o.List("status", "conditions") {
			c, _ := e.(map[string]any)
			if c["type"] != "Ready" || c["status"] != yes {
				continue
			}
			since, _ := c["lastTransitionTime"].(string)
			at, err := time.Parse(time.RFC3339, since)
			wait := time.Duration(p.r.Spec.MinReadySeconds) * time.Second
			if wait == 0 || err == nil && !at.Add(wait).After(p.now) {
				count++
			}
		}
	}
	return count
}
