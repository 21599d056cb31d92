package rollout

import (
	"math"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// share is a number of pods, or a share of them in percent ("25%"), rounded up or down; what is neither is none.
func share(v intstr.IntOrString, of int32, up bool) int32 {
	if v.Type == intstr.Int {
		return v.IntVal
	}
	percent, err := strconv.Atoi(strings.ReplaceAll(v.StrVal, "%", ""))
	if err != nil {
		return 0
	}
	exact := float64(percent) * float64(of) / 100
	if up {
		return int32(math.Ceil(exact))
	}
	return int32(math.Floor(exact))
}

// limits are how many pods more than replicas there may be (rounded up) and how many fewer may be available (rounded
// down). Where both come to nothing, one pod may be missing, since nothing could move otherwise.
func (s Spec) limits() (surge, unavailable int32) {
	replicas := s.replicas()
	unavailable = share(s.unavailable(), replicas, false)
	if s.Strategy.Canary != nil {
		surge = share(s.surge(), replicas, true)
		if surge == 0 && unavailable == 0 {
			unavailable = 1
		}
	}
	return surge, min(unavailable, replicas)
}

// basic are the pods that the new and the stable set are to have now where there is no router: as near to the weight as
// whole pods come, within maxSurge and maxUnavailable, old sets before the stable one
// (https://argo-rollouts.readthedocs.io/en/stable/features/canary/). Without a stable set of its own the new one gets all.
func (r Rollout) basic(fresh, stable *set, others []*set) (canary, rest int32) {
	replicas := r.Spec.replicas()
	surge, unavailable := r.Spec.limits()
	_, weight := r.canaryScale()
	goalNew, goalStable := approximate(replicas, weight, r.Spec.maxWeight(), surge)
	apart := stable != nil && !same(fresh, stable)
	if !apart {
		goalNew, goalStable = replicas, 0
	}
	b := balance{most: replicas + surge, least: replicas - unavailable}
	if fresh != nil {
		b.canary = fresh.replicas
	}
	all := append([]*set{}, others...)
	all = append(all, fresh)
	if apart {
		b.stable = stable.replicas
		all = append(all, stable)
	}
	b.grow(goalNew, goalStable, b.most-sum(all, wanted), fresh != nil, apart)
	if sum(others, wanted) > 0 {
		return b.canary, b.stable // older sets shrink first
	}
	b.shrink(goalNew, goalStable, fresh, stable, apart)
	return b.canary, b.stable
}

// balance is the numbers of the two sets on their way to their goals, within a most of all and a least of available pods.
type balance struct{ canary, stable, most, least int32 }

// grow adds pods while there is room, to the stable set first.
func (b *balance) grow(goalNew, goalStable, room int32, hasNew, apart bool) {
	if apart && b.stable < goalStable && room > 0 {
		add := min(room, goalStable-b.stable)
		b.stable += add
		room -= add
	}
	if hasNew && b.canary < goalNew && room > 0 {
		b.canary += min(room, goalNew-b.canary)
	}
}

// shrink takes pods away as long as enough stay available: from the stable set while the canary grows, from the canary
// else. The side that shrinks counts by what it wants and not by what is available, so that broken pods of the one do not
// keep the other up.
func (b *balance) shrink(goalNew, goalStable int32, fresh, stable *set, apart bool) {
	growing := fresh == nil || goalNew >= fresh.replicas
	free := removable(fresh, !growing) + removable(stable, growing) - b.least
	if free <= 0 {
		return
	}
	if !growing {
		b.canary = drain(fresh, goalNew, free, b.canary)
		b.canary, b.stable = b.fit(fresh, stable, b.canary, b.stable)
	} else if apart {
		b.stable = drain(stable, goalStable, free, b.stable)
		b.stable, b.canary = b.fit(stable, fresh, b.stable, b.canary)
	}
}

// removable are the pods of a set that count as there when pods are to be taken away.
func removable(s *set, all bool) int32 {
	if s == nil {
		return 0
	}
	if all || s.replicas < s.available {
		return s.replicas
	}
	return s.available
}

func drain(s *set, goal, free, count int32) int32 {
	if s == nil || s.replicas <= goal {
		return count
	}
	return max(goal, s.replicas-free)
}

// fit brings two numbers under the most: the side that stays gives first, but gets back what would leave too few pods
// available; then the side that shrinks gives.
func (b *balance) fit(shrinking, staying *set, less, stay int32) (int32, int32) {
	if staying == nil {
		return less, stay
	}
	stay -= max(0, stay+less-b.most)
	usable := min(staying.available, stay)
	if shrinking != nil {
		usable += min(shrinking.available, less)
	}
	lost := max(0, staying.available-stay)
	stay += min(lost, max(0, b.least-usable))
	less -= max(0, stay+less-b.most)
	return less, stay
}

// approximate finds the two numbers of pods that come nearest to a weight. With pods to spare their sum may be one more
// than replicas; of two that are as near the larger canary wins; a weight that is neither nothing nor all leaves no side
// without a pod where there are two.
func approximate(replicas, weight, most, surge int32) (canary, stable int32) {
	if replicas == 0 {
		return 0, 0
	}
	type option struct{ canary, total int32 }
	exact := float64(replicas*weight) / float64(most)
	up, down := int32(math.Ceil(exact)), int32(math.Floor(exact))
	none := weight == most || weight == 0 || (replicas == 1 && surge == 0)
	var options []option
	add := func(ok bool, canary, total int32) {
		if ok {
			options = append(options, option{canary, total})
		}
	}
	add(up < replicas || none, up, replicas)
	add(!halfway(weight, most, replicas) && (down != 0 || none), down, replicas)
	if surge > 0 {
		add(true, up, replicas+1)
		add(!halfway(weight, most, replicas+1) && (down != 0 || none), down, replicas+1)
	}
	if len(options) == 0 {
		return 0, replicas
	}
	away := func(o option) float64 {
		return math.Abs(float64(o.canary*most)/float64(o.total) - float64(weight))
	}
	best := options[0]
	for _, o := range options[1:] {
		if away(o) < away(best) {
			best = o
		}
	}
	return best.canary, best.total - best.canary
}

// halfway reports whether rounding up and down are as far from the weight.
func halfway(weight, most, total int32) bool {
	_, part := math.Modf(float64(total) * (float64(weight) / float64(most)))
	return part == 0.5
}

// weighted are the pods that the new and the stable set are to have where a router shares out the requests: the canary by
// its weight or setCanaryScale, the stable set all of them or, with dynamicStableScale, as many as its traffic needs.
func (r Rollout) weighted(w *Weights) (canary, stable int32) {
	replicas, most := r.Spec.replicas(), r.Spec.maxWeight()
	fixed, weight := r.canaryScale()
	if fixed != nil {
		canary = *fixed
	} else {
		canary = r.Spec.atLeast(proportion(replicas, weight, most))
	}
	if !r.Spec.dynamic() {
		return canary, replicas
	}
	stable = proportion(replicas, most-weight, most)
	if w != nil {
		stable = max(stable, proportion(replicas, w.Stable.Weight, most))
		if r.Status.Abort {
			canary = max(canary, proportion(replicas, w.Canary.Weight, most))
		}
	}
	return r.Spec.atLeast(canary), r.Spec.atLeast(stable)
}

// proportion is a weight's share of the pods, rounded up.
func proportion(replicas, weight, most int32) int32 {
	return int32(math.Ceil(float64(weight) * float64(replicas) / float64(most)))
}

// atLeast gives a set that has pods minPodsPerReplicaSet of them.
func (s Spec) atLeast(count int32) int32 {
	if count == 0 || !s.routed() {
		return count
	}
	return max(count, or(s.Strategy.Canary.MinPodsPerReplicaSet, count))
}
