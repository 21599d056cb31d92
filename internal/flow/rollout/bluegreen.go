package rollout

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// blueGreen takes a blue-green rollout one move on (https://argo-rollouts.readthedocs.io/en/stable/features/bluegreen/).
func (p *pass) blueGreen() {
	b := p.r.Spec.Strategy.BlueGreen
	active, preview := p.service(b.ActiveService), p.service(b.PreviewService)
	if preview != nil && !p.halted() {
		p.point(preview, p.fresh.hash)
	}
	if !p.templateChanged() {
		if p.restart() {
			p.keep()
			return
		}
		p.blueGreenSets()
		p.blueGreenPause(active)
		p.switchActive(active)
		p.blueGreenRuns()
		p.metadata()
	}
	p.blueGreenStatus(active, preview)
}

func (p *pass) blueGreenSets() {
	p.keepCurrent()
	if p.stable != nil {
		p.scale(p.stable, p.r.Spec.replicas())
	}
	if !same(p.fresh, p.stable) {
		p.scaleFresh()
	}
	p.scaleOldDown()
	p.forgetOldSets()
}

// scaleOldDown takes down the sets that nothing sends requests to any more, each after its delay. While an analysis after
// the switch has not come to its end and there is no delay of the user's, they stay for the way back.
func (p *pass) scaleOldDown() {
	b := p.r.Spec.Strategy.BlueGreen
	if p.pausedFor(PauseInconclusive) != nil {
		return
	}
	if b.PostPromotionAnalysis != nil && b.ScaleDownDelaySeconds == nil && !p.skipsPost() && !p.runs.post.succeeded() {
		return
	}
	var old []*set
	for _, s := range p.others {
		if s.active() {
			old = append(old, s)
		}
	}
	slices.SortFunc(old, newestRevisionFirst)
	kept := int32(0)
	for _, s := range old {
		if p.referenced(s) {
			continue
		}
		if count := p.delayedCount(s, &kept, p.r.Spec.replicas()); count != s.replicas {
			p.scale(s, count)
		}
	}
}

// fastTracked reports whether the switch waits for nothing: the version has been active a moment ago, the promotion is a
// full one, or the active Service picks no version yet or this one.
func (p *pass) fastTracked(active *service) bool {
	return p.comesBack() || p.r.Status.PromoteFull || !active.picks || active.hash == p.fresh.hash
}

// comesBack reports whether the wanted version was the stable one a moment ago: it still waits for its scale-down. One that
// waits for it because of an abort does not count, or a retry would go without its analyses.
func (p *pass) comesBack() bool { return p.fresh.returning && p.r.Status.AbortedAt == nil }

// switchActive points the active Service at the wanted version once it has all of its pods and nothing holds it, and back
// at the stable one in an abort.
func (p *pass) switchActive(active *service) {
	if p.halted() {
		return
	}
	if p.r.Status.Abort {
		if p.stable.some() {
			p.point(active, p.stable.hash)
		}
		return
	}
	if !p.readyForPause() || !p.fresh.saturated(p.r.Spec.replicas()) {
		return
	}
	if p.fastTracked(active) || p.blueGreenPauseDone() && p.prePromoted() {
		p.point(active, p.fresh.hash)
	} else if active.manager == "" {
		p.point(active, active.hash)
	}
}

// prePromoted reports whether the analysis before the switch allows it.
func (p *pass) prePromoted() bool {
	b := p.r.Spec.Strategy.BlueGreen
	return b == nil || b.PrePromotionAnalysis == nil || p.runs.pre.succeeded()
}

// blueGreenStatus tells how far a blue-green rollout is, and marks the wanted version stable once the switch is done.
func (p *pass) blueGreenStatus(active, preview *service) {
	p.base()
	s := &p.status
	if p.templateChanged() {
		p.reset()
	}
	if p.straight() {
		p.pauses.clear, p.pauses.retract = true, true
	}
	if preview != nil {
		s.BlueGreen.PreviewSelector = preview.hash
	}
	s.BlueGreen.ActiveSelector = active.hash
	if why := p.fullyPromotes(); why != "" {
		p.promote(why)
	} else {
		s.BlueGreen.ScaleUpPreviewCheckPoint = p.previewed()
	}
	s.HPAReplicas, s.AvailableReplicas = sum(p.sets, present), sum(p.sets, available)
	s.Selector = metav1.FormatLabelSelector(p.r.Spec.Selector)
	if a := byHash(p.sets, active.hash); a != nil {
		s.HPAReplicas, s.AvailableReplicas, s.ReadyReplicas = a.pods, a.available, a.ready
		if selector := selectorOf(a.object.Sub("spec", "selector")); selector != nil {
			s.Selector = metav1.FormatLabelSelector(selector)
		}
	}
	p.finish()
}

// previewed reports whether the preview with its own number of pods (previewReplicaCount) is over, so that the version gets
// all of them. Once true it stays so until the update is over.
func (p *pass) previewed() bool {
	b := p.r.Spec.Strategy.BlueGreen
	if b.PreviewReplicaCount == nil {
		return false
	}
	if p.r.Status.BlueGreen.ScaleUpPreviewCheckPoint {
		return true
	}
	return p.prePromoted() && p.blueGreenPauseDone() && p.fresh.available == *b.PreviewReplicaCount
}

// fullyPromotes is why the wanted version becomes the stable one now; "" where it does not.
func (p *pass) fullyPromotes() string {
	if p.stable == nil {
		return "Initial deploy"
	}
	if p.r.Spec.Strategy.Canary != nil {
		return p.canaryPromotes()
	}
	active := p.status.BlueGreen.ActiveSelector
	switch {
	case active == "":
		return "Initial deploy" // the Service is pointed at the stable version next
	case active != p.status.CurrentPodHash:
		return ""
	case p.r.Status.PromoteFull:
		return "Full promotion requested"
	case p.withinWindow():
		return "Rollback within window"
	case p.aborted():
		return ""
	}
	if p.r.Spec.Strategy.BlueGreen.PostPromotionAnalysis != nil {
		if p.comesBack() {
			return "Rollback to '" + p.fresh.name + "' within scaleDownDelay"
		}
		if !p.runs.post.succeeded() {
			return ""
		}
	}
	return "Completed blue-green update"
}

func (p *pass) canaryPromotes() string {
	if p.aborted() || p.fresh.available != p.r.Spec.replicas() {
		return ""
	}
	count := len(p.r.Spec.steps())
	_, index := p.r.current()
	switch {
	case p.r.Status.PromoteFull:
		return "Full promotion requested"
	case p.withinWindow():
		return "Rollback within window"
	case index == nil || int(*index) == count:
		return "Completed all " + itoa(count) + " canary steps"
	}
	return ""
}

// promote marks the wanted version stable.
func (p *pass) promote(why string) {
	p.pauses.clear, p.pauses.retract = true, true
	s := &p.status
	s.PromoteFull, s.BlueGreen.ScaleUpPreviewCheckPoint = false, false
	if count := int32(len(p.r.Spec.steps())); count > 0 {
		s.CurrentStepIndex = &count
	} else {
		s.CurrentStepIndex = nil
	}
	revision := p.revisionNumber()
	if s.StableRS != s.CurrentPodHash {
		if c := p.r.Spec.Strategy.Canary; c != nil && c.PingPong != nil {
			s.Canary.StablePingPong = ping
			if p.r.Status.Canary.StablePingPong == ping {
				s.Canary.StablePingPong = pong
			}
		}
		s.StableRS = s.CurrentPodHash
		p.tell(reasonCompleted, "Rollout completed update to revision %d (%s): %s", revision, s.CurrentPodHash, why)
	}
	if ref := p.r.Spec.WorkloadRef; ref != nil && ref.ScaleDown == "onsuccess" && revision == 1 && p.r.Status.Phase == Healthy {
		p.setWorkload(0)
	}
}
