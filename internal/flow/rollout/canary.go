package rollout

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// verifyAgain is after how long weights that a driver has not confirmed yet are looked at again.
const verifyAgain = 10 * time.Second

// canary takes a canary rollout one move on (https://argo-rollouts.readthedocs.io/en/stable/features/canary/).
func (p *pass) canary() {
	if p.changed() {
		p.canaryStatus()
		return
	}
	if p.restart() {
		p.keep() // counts of available pods are no longer true
		return
	}
	p.metadata()
	p.forgetOldSets()
	p.canaryServices()
	if !p.route() {
		p.keep()
		return
	}
	p.runExperiments()
	p.canaryRuns()
	if len(p.pauses.add) == 0 && !p.canarySets() {
		p.canaryPause()
	}
	p.canaryStatus()
}

// keep leaves the status as it was but for the conditions of pauses.
func (p *pass) keep() {
	weights, at := p.status.Canary.Weights, p.status.RestartedAt
	p.status = p.r.Status
	p.status.Canary.Weights, p.status.RestartedAt = weights, at
	p.status.Phase, p.status.Message = phase(p.r.Spec, p.status)
}

// changed reports whether the pod template or the steps are other ones than those last seen.
func (p *pass) changed() bool {
	return p.r.Status.CurrentStepHash != StepHash(p.r.Spec) || p.r.Status.CurrentStepHash == "" || p.templateChanged()
}

func (p *pass) templateChanged() bool {
	return p.r.Status.CurrentPodHash != "" && p.r.Status.CurrentPodHash != p.fresh.hash
}

// canarySets scales the sets, one at a time: the stable one, the canary, then old ones. True where one changed, since the
// next move needs the new counts.
func (p *pass) canarySets() bool {
	if p.halted() {
		return false
	}
	p.keepCurrent()
	if p.stable != nil && !same(p.stable, p.fresh) {
		var count int32
		if p.r.Spec.routed() {
			// By the weights before this decision, so that pods go only after their traffic has gone, and by the new
			// ones, so that none go whose traffic has just come back.
			_, count = p.r.weighted(p.r.Status.Canary.Weights)
			if w := p.status.Canary.Weights; w != nil && w.Stable.PodTemplateHash == p.stable.hash {
				_, after := p.r.weighted(w)
				count = max(count, after)
			}
		} else {
			_, count = p.r.basic(p.fresh, p.stable, p.others)
		}
		if p.scale(p.stable, count) {
			return true
		}
	}
	return p.scaleFresh() || p.scaleOthersDown()
}

// scaleOthersDown takes pods from the sets that are neither wanted nor stable as far as enough stay available.
func (p *pass) scaleOthersDown() bool {
	var old []*set
	for _, s := range p.others {
		if s.active() {
			old = append(old, s)
		}
	}
	scaled := p.dropBroken(old)
	_, unavailable := p.r.Spec.limits()
	free := sum(p.sets, available) - (p.r.Spec.replicas() - unavailable)
	if free <= 0 {
		return scaled
	}
	slices.SortFunc(old, newestRevisionFirst)
	kept := int32(0)
	for _, s := range old {
		if s.replicas == 0 || p.r.Spec.routed() && p.referenced(s) {
			continue
		}
		if free <= 0 {
			break
		}
		count := p.oldCount(s, free, &kept)
		if count == s.replicas {
			continue
		}
		free -= s.replicas - count
		p.scale(s, count)
		scaled = true
	}
	return scaled
}

// oldCount is how many pods an old set keeps. Without a router they all serve and go as fast as they may. With one, the
// last stable version waits for its delay, and a version that was given up on the way goes at once.
func (p *pass) oldCount(s *set, free int32, kept *int32) int32 {
	switch {
	case !p.r.Spec.routed():
		return max(0, s.replicas-free)
	case !p.r.promoted() && !s.delayed(), p.r.Spec.dynamic():
		return 0
	}
	return p.delayedCount(s, kept, s.replicas)
}

// dropBroken takes the pods from old sets that are not available: they are the first to be removed.
func (p *pass) dropBroken(old []*set) bool {
	scaled := false
	for _, s := range old {
		if s.replicas > s.available {
			scaled = p.scale(s, s.available) || scaled
		}
	}
	return scaled
}

// canaryStatus tells how far a canary is, and moves it to the next step or to its end.
func (p *pass) canaryStatus() {
	p.base()
	s := &p.status
	s.AvailableReplicas = sum(p.sets, available)
	s.HPAReplicas = sum(p.sets, present)
	s.Selector = metav1.FormatLabelSelector(p.r.Spec.Selector)
	s.Canary.StablePingPong = p.r.Status.Canary.StablePingPong
	s.CurrentStepHash = StepHash(p.r.Spec)
	count := int32(len(p.r.Spec.steps()))
	if p.changed() {
		p.begin(count)
		p.finish()
		return
	}
	step, index := p.r.current()
	straight := p.straight()
	if straight {
		p.pauses.clear, p.pauses.retract = true, true
		if count > 0 {
			index = &count
		}
	}
	switch why := p.fullyPromotes(); {
	case why != "":
		p.promote(why)
	case p.aborted():
		p.backToStart(count)
	case !straight && step != nil && p.stepDone(*step):
		*index++
		s.Canary.CurrentStepAnalysisRunStatus = nil
		p.tell(reasonStepCompleted, "Rollout step %d/%d completed (%s)", *index, count, step)
		p.pauses.remove = append(p.pauses.remove, PauseStep)
		s.CurrentStepIndex = index
	default:
		s.CurrentStepIndex = index
	}
	p.finish()
}

// straight reports whether steps, pauses and analyses are passed over.
func (p *pass) straight() bool { return p.r.Status.PromoteFull || p.withinWindow() }

// begin starts an update at its first step, or at its end where it goes back to the stable version or to one of the
// rollback window that still runs.
func (p *pass) begin(count int32) {
	p.reset()
	if count == 0 {
		return
	}
	switch {
	case p.r.Status.StableRS == p.fresh.hash:
		p.tell(reasonSkip, "Rollback to stable ReplicaSets")
		p.status.CurrentStepIndex = &count
	case p.withinWindow() && p.fresh.active():
		p.tell(reasonSkip, "Rollback to active ReplicaSets within RollbackWindow")
		p.status.CurrentStepIndex = &count
	}
}

func (p *pass) backToStart(count int32) {
	if count == 0 {
		return
	}
	p.status.CurrentStepIndex = new(int32)
	if p.status.StableRS == p.status.CurrentPodHash {
		p.status.CurrentStepIndex = &count
	}
}

// withinWindow reports whether the wanted version is older than the stable one by fewer revisions than rollbackWindow says
// (https://argo-rollouts.readthedocs.io/en/stable/features/rollback/).
func (p *pass) withinWindow() bool {
	window := p.r.Spec.RollbackWindow
	if window == nil || window.Revisions <= 0 || p.stable == nil || !p.fresh.created.Before(p.stable.created) {
		return false
	}
	between := int32(0)
	for _, s := range p.sets {
		if s.annotations[ExperimentName] == "" && s.created.Before(p.stable.created) && p.fresh.created.Before(s.created) {
			between++
		}
	}
	return between < window.Revisions
}

// stepDone reports whether the current step has come to its end.
func (p *pass) stepDone(s Step) bool {
	if p.r.Spec.Paused {
		return false
	}
	w := p.status.Canary.Weights
	switch {
	case s.Pause != nil:
		return p.pauseDone(*s.Pause)
	case s.SetCanaryScale != nil:
		return p.atCounts(w)
	case s.SetWeight != nil:
		return p.atCounts(w) && (w == nil || w.Verified == nil || *w.Verified)
	case s.Experiment != nil:
		return p.experiments.current.succeeded()
	case s.Analysis != nil:
		return p.runs.step.succeeded()
	}
	return s.SetHeaderRoute != nil || s.SetMirrorRoute != nil
}
