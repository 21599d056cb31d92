package workload

import (
	"cmp"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func wanted(sets []*appsv1.ReplicaSet) int32 {
	var n int32
	for _, s := range sets {
		n += number(s.Spec.Replicas, 1)
	}
	return n
}

// scale sets how many pods a set is to have, and what that was for.
func (r *rolling) scale(s *appsv1.ReplicaSet, n int32) {
	was := number(s.Spec.Replicas, 1)
	change := manifest.Object{}
	if was != n {
		change.Set(int64(n), "spec", "replicas")
	}
	for note, v := range map[string]int32{desiredNote: r.replicas, maxNote: r.replicas + r.surge} {
		if text := strconv.Itoa(int(v)); s.Annotations[note] != text {
			change.SetAnnotation(note, text)
		}
	}
	if len(change) == 0 {
		return
	}
	r.do(Patch{Kind: ReplicaSetKind, Name: s.Name, Patch: change})
	switch {
	case n > was:
		r.tell("ScalingReplicaSet", "Scaled up replica set %s from %d to %d", s.Name, was, n)
	case n < was:
		r.tell("ScalingReplicaSet", "Scaled down replica set %s from %d to %d", s.Name, was, n)
	}
	s.Spec.Replicas = &n
}

// rescaled says that the deployment's size changed since its sets were last scaled.
func (r *rolling) rescaled() bool {
	for _, s := range r.sets {
		if n := number(s.Spec.Replicas, 1); n > 0 {
			if desired, err := strconv.Atoi(s.Annotations[desiredNote]); err == nil && int32(desired) != r.replicas {
				return true
			}
		}
	}
	return false
}

// scaleAll follows a change of size: the one set that has pods gets all; two or more share by their sizes.
func (r *rolling) scaleAll() {
	var running []*appsv1.ReplicaSet
	for _, s := range r.sets {
		if number(s.Spec.Replicas, 1) > 0 {
			running = append(running, s)
		}
	}
	last := r.fresh
	if len(running) == 1 {
		last = running[0]
	}
	switch {
	case len(running) <= 1:
		if last != nil {
			r.scale(last, r.replicas)
		}
	case r.full():
		for _, s := range r.old {
			r.scale(s, 0)
		}
	case r.d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType:
		r.proportion(running)
	}
}

// full says that the fresh set is all there: as many as are wanted, all available.
func (r *rolling) full() bool {
	return r.fresh != nil && number(r.fresh.Spec.Replicas, 1) == r.replicas && r.fresh.Status.AvailableReplicas == r.replicas
}

// proportion shares a change of size among sets that all have pods, the largest first, so that a rollout that stands in the
// middle stays there. The whole comes to at most replicas and surge.
func (r *rolling) proportion(running []*appsv1.ReplicaSet) {
	slices.SortStableFunc(running, func(a, b *appsv1.ReplicaSet) int {
		return cmp.Compare(number(b.Spec.Replicas, 1), number(a.Spec.Replicas, 1))
	})
	room := int32(0)
	if r.replicas > 0 {
		room = r.replicas + r.surge
	}
	all := wanted(running)
	left := room - all
	sizes := make([]int32, len(running))
	for i, s := range running {
		n := number(s.Spec.Replicas, 1)
		sizes[i] = n
		most, err := strconv.Atoi(s.Annotations[maxNote])
		if err != nil || most <= 0 {
			most = int(all)
		}
		part := int32(float64(n)*float64(room)/float64(most)+0.5) - n
		if left > 0 {
			part = max(0, min(part, left))
		} else {
			part = min(0, max(part, left))
		}
		sizes[i] += part
		left -= part
	}
	sizes[0] = max(0, sizes[0]+left) // what rounding leaves goes to the largest
	for i, s := range running {
		r.scale(s, max(0, sizes[i]))
	}
}

// growFresh scales the fresh set towards its size and says whether it did.
func (r *rolling) growFresh() bool {
	now := number(r.fresh.Spec.Replicas, 1)
	n := now
	if now > r.replicas {
		n = r.replicas
	} else if room := r.replicas + r.surge - wanted(r.sets); room > 0 {
		n = min(r.replicas, now+room)
	}
	r.scale(r.fresh, n)
	return n != now
}

// shrinkOld takes pods from the old sets, those that are not available first, as long as enough are available.
func (r *rolling) shrinkOld() {
	if wanted(r.old) == 0 {
		return
	}
	least := r.replicas - r.missing
	coming := number(r.fresh.Spec.Replicas, 1) - r.fresh.Status.AvailableReplicas
	most := wanted(r.sets) - least - coming
	if most <= 0 {
		return
	}
	to := map[*appsv1.ReplicaSet]int32{}
	for _, s := range r.old { // pods that are not available are missed by nobody
		n := number(s.Spec.Replicas, 1)
		cut := min(most, max(0, n-s.Status.AvailableReplicas))
		to[s] = n - cut
		most -= cut
	}
	spare := -least // a set's status may be older than its size
	for _, s := range r.sets {
		spare += min(s.Status.AvailableReplicas, number(s.Spec.Replicas, 1))
	}
	for _, s := range r.old {
		cut := max(0, min(most, spare, to[s]))
		to[s] -= cut
		spare -= cut
		most -= cut
	}
	for _, s := range r.old {
		if n := number(s.Spec.Replicas, 1); to[s] != n {
			r.scale(s, to[s])
		}
	}
}

// tidy removes old sets beyond revisionHistoryLimit, once the rollout is complete.
func (r *rolling) tidy() {
	if !r.complete() {
		return
	}
	var idle []*appsv1.ReplicaSet
	for _, s := range r.old {
		if number(s.Spec.Replicas, 1) == 0 && s.Status.Replicas == 0 && s.DeletionTimestamp == nil && s.Generation <= s.Status.ObservedGeneration {
			idle = append(idle, s)
		}
	}
	slices.SortStableFunc(idle, func(a, b *appsv1.ReplicaSet) int { return cmp.Compare(revision(a.ObjectMeta), revision(b.ObjectMeta)) })
	for i := range max(0, len(idle)-int(number(r.d.Spec.RevisionHistoryLimit, 10))) {
		r.do(Delete{Kind: ReplicaSetKind, Name: idle[i].Name, UID: string(idle[i].UID), Propagation: "Background"})
	}
}

// complete says that all pods are of the present template and available, and no others are left.
func (r *rolling) complete() bool {
	if r.fresh == nil {
		return false
	}
	var others int32
	for _, s := range r.old {
		others += s.Status.Replicas
	}
	return r.fresh.Status.Replicas == r.replicas && r.fresh.Status.AvailableReplicas >= r.replicas && others == 0 && wanted(r.old) == 0
}
