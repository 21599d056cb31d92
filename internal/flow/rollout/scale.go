package rollout

import (
	"slices"
	"strconv"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// scale gives a set a number of pods and the rollout's number as an annotation; true where the number of pods changed.
func (p *pass) scale(s *set, count int32) bool {
	desired := strconv.Itoa(int(p.r.Spec.replicas()))
	resize := s.replicas != count
	stale := s.annotations[DesiredAnnotation] != desired || p.r.Spec.replicas() == 0 && s.delayed()
	if !resize && !stale {
		return false
	}
	patch := manifest.Object{}
	if s.annotations[DesiredAnnotation] != desired {
		patch.Set(desired, "metadata", "annotations", DesiredAnnotation)
		s.annotations[DesiredAnnotation] = desired
	}
	if count == 0 && s.delayed() && !p.delaysAbort() {
		patch.Set(nil, "metadata", "annotations", DeadlineAnnotation)
		delete(s.annotations, DeadlineAnnotation)
	}
	if resize {
		patch.Set(int64(count), "spec", "replicas")
	}
	if len(patch) > 0 {
		p.do(PatchReplicaSet{Name: s.name, Patch: patch})
	}
	if !resize {
		return false
	}
	way := "down"
	if count > s.replicas {
		way = "up"
	}
	p.tell(reasonScaling, "Scaled %s ReplicaSet %s (revision %d) from %d to %d", way, s.name, s.revisionNumber(), s.replicas, count)
	s.replicas = count
	return true
}

// delay notes when a set is to be scaled down; with no delay it takes such a note back.
func (p *pass) delay(s *set, d time.Duration) {
	if d == 0 {
		p.undelay(s)
		return
	}
	at := p.now.Add(d).UTC().Format(time.RFC3339)
	p.do(PatchReplicaSet{Name: s.name, Patch: deadline(at)})
	s.annotations[DeadlineAnnotation] = at
	p.until(p.now.Add(d))
}

func (p *pass) undelay(s *set) {
	if s.delayed() {
		p.do(PatchReplicaSet{Name: s.name, Patch: deadline(nil)})
		delete(s.annotations, DeadlineAnnotation)
	}
}

func deadline(at any) manifest.Object {
	return manifest.Object{"metadata": map[string]any{"annotations": map[string]any{DeadlineAnnotation: at}}}
}

// keepCurrent takes deadlines back from the wanted and the stable set: a return to a version within its delay.
func (p *pass) keepCurrent() {
	if !p.delaysAbort() {
		p.undelay(p.fresh)
	}
	if p.stable != nil && !same(p.stable, p.fresh) {
		p.undelay(p.stable)
	}
}

// delaysAbort reports whether an abort leaves the new version's pods for a while (abortScaleDownDelaySeconds,
// https://argo-rollouts.readthedocs.io/en/stable/features/scaledown-aborted-rs/).
func (p *pass) delaysAbort() bool {
	if !p.aborted() || p.stable == nil {
		return false
	}
	if p.r.Spec.Strategy.Canary != nil && !p.r.Spec.routed() {
		return false
	}
	_, scales, said := p.r.Spec.abortDelay()
	return scales && (said || !p.r.Spec.dynamic())
}

// scaleFresh gives the wanted version's set the number of pods that it is to have now; after an abort it stays for its
// delay. True where it changed.
func (p *pass) scaleFresh() bool {
	s := p.fresh
	count := p.freshCount(p.status.Canary.Weights)
	if p.delaysAbort() && !same(s, p.stable) {
		wait, _, _ := p.r.Spec.abortDelay()
		if !s.delayed() {
			if s.replicas > 0 && p.stable.available == p.r.Spec.replicas() { // not before stable can stand alone
				p.delay(s, wait)
			}
			return false
		}
		if left, waits := s.remaining(p.now); waits {
			p.in(left + time.Millisecond)
			return false
		}
		count = 0
	}
	scaled := p.scale(s, count)
	p.scaleWorkload(s, count)
	return scaled
}

// scaleWorkload takes pods from the workload as the rollout's first version gets its own (scaleDown: progressively).
func (p *pass) scaleWorkload(s *set, count int32) {
	ref := p.r.Spec.WorkloadRef
	if ref == nil || ref.ScaleDown != "progressively" || s.revisionNumber() != 1 {
		return
	}
	if ready := p.r.Status.ReadyReplicas; ready > 0 || s.replicas > count {
		p.setWorkload(max(0, p.r.Spec.replicas()-ready))
	}
}

func (p *pass) setWorkload(count int32) {
	if p.w.Workload.Kind().Kind == "Deployment" && int32(p.w.Workload.Int(1, "spec", "replicas")) != count {
		p.do(ScaleWorkload{Replicas: count})
	}
}

// freshCount is how many pods the wanted version is to have now.
func (p *pass) freshCount(w *Weights) int32 {
	b := p.r.Spec.Strategy.BlueGreen
	if b == nil {
		count := int32(0)
		if p.r.Spec.routed() {
			count, _ = p.r.weighted(w)
		} else {
			count, _ = p.r.basic(p.fresh, p.stable, p.others)
		}
		return count
	}
	replicas := p.r.Spec.replicas()
	if b.PreviewReplicaCount == nil {
		return replicas
	}
	active := byHash(p.sets, p.r.Status.BlueGreen.ActiveSelector)
	switch {
	case active == nil || same(active, p.fresh), p.r.Status.PromoteFull:
		return replicas
	case p.fresh.hash != p.r.Status.CurrentPodHash:
		return *b.PreviewReplicaCount
	case !p.r.Spec.Paused && len(p.r.Status.PauseConditions) == 0 && p.r.Status.BlueGreen.ScaleUpPreviewCheckPoint:
		return replicas
	}
	return *b.PreviewReplicaCount
}

// readyForPause reports whether the wanted version has the pods that it is to have, available.
func (p *pass) readyForPause() bool {
	count := p.freshCount(nil)
	return p.fresh.replicas == count && p.fresh.available == count
}

// referenced reports whether something may still send requests to a set: the status or a Service names it.
func (p *pass) referenced(s *set) bool {
	if s.hash == "" {
		return false
	}
	was := p.r.Status
	refs := []string{was.StableRS, was.CurrentPodHash, was.BlueGreen.ActiveSelector, was.BlueGreen.PreviewSelector}
	if w := was.Canary.Weights; w != nil {
		refs = append(refs, w.Canary.PodTemplateHash, w.Stable.PodTemplateHash)
	}
	for _, name := range p.r.Spec.Services() {
		if svc, ok := p.w.Services[name]; ok {
			refs = append(refs, svc.Text("spec", "selector", HashLabel))
		}
	}
	return slices.Contains(refs, s.hash)
}

// delayed is how many pods an old set is to have: all until its deadline, which it gets now if it has none; nothing
// beyond scaleDownDelayRevisionLimit sets.
func (p *pass) delayedCount(s *set, kept *int32, count int32) int32 {
	limit := p.r.Spec.revisionLimit()
	if !s.delayed() {
		wait := p.r.Spec.scaleDownDelay()
		if *kept >= limit || wait == 0 {
			return 0
		}
		*kept++
		p.delay(s, wait)
		return s.replicas
	}
	*kept++
	left, waits := s.remaining(p.now)
	if !waits || *kept > limit {
		return 0
	}
	p.in(left + time.Millisecond)
	return count
}
