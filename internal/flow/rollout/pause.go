package rollout

import (
	"slices"
	"time"
)

// pauses is what a decision does to the pause conditions and to an abort.
type pauses struct {
	add, remove []string
	clear       bool
	abort       bool // begins
	retract     bool // an abort is over
	why         string
}

func (p *pass) pausedFor(reason string) *PauseCondition {
	i := slices.IndexFunc(p.r.Status.PauseConditions, func(c PauseCondition) bool { return c.Reason == reason })
	if i < 0 {
		return nil
	}
	return &p.r.Status.PauseConditions[i]
}

func (p *pass) aborted() bool {
	return !p.pauses.retract && (p.pauses.abort || p.r.Status.Abort)
}

func (p *pass) abort(why string) { p.pauses.abort, p.pauses.why = true, why }

// halted is why nothing may move: the user paused the rollout, or an analysis did not come to a verdict.
func (p *pass) halted() bool {
	return p.r.Spec.Paused || p.pausedFor(PauseInconclusive) != nil
}

// stamp is the moment as Kubernetes keeps it: UTC, whole seconds.
func (p *pass) stamp() *time.Time {
	at := p.now.UTC().Truncate(time.Second)
	return &at
}

// settlePauses writes the pauses and the abort into the new status. An abort wins over every pause.
func (p *pass) settlePauses() {
	s := &p.status
	if p.aborted() {
		s.Abort, s.AbortedAt = true, p.r.Status.AbortedAt
		if s.AbortedAt == nil {
			s.AbortedAt = p.stamp()
		}
		return
	}
	s.Abort, s.AbortedAt = false, nil
	if p.fresh.returning {
		s.AbortedAt = p.r.Status.AbortedAt // until the deadline of the abort is known to be gone: see comesBack
	}
	if p.pauses.clear {
		return
	}
	controller := p.r.Status.ControllerPause
	var left []PauseCondition
	for _, c := range p.r.Status.PauseConditions {
		if !slices.Contains(p.pauses.remove, c.Reason) {
			left = append(left, c)
		}
	}
	for _, reason := range p.pauses.add {
		if p.pausedFor(reason) == nil {
			left = append(left, PauseCondition{Reason: reason, StartTime: *p.stamp()})
			controller = true
		}
	}
	if len(left) > 0 {
		s.ControllerPause, s.PauseConditions = controller, left
	}
}

// canaryPause begins the pause of a pause step and waits for its end.
func (p *pass) canaryPause() {
	step, _ := p.r.current()
	if p.r.Spec.Paused || p.r.Status.PromoteFull || step == nil || step.Pause == nil {
		return
	}
	cond := p.pausedFor(PauseStep)
	if cond == nil {
		if !p.r.Status.ControllerPause { // else a person has just ended it
			p.pauses.add = append(p.pauses.add, PauseStep)
			if step.Pause.Duration != nil {
				p.until(p.stamp().Add(time.Duration(step.Pause.seconds()) * time.Second))
			}
		}
		return
	}
	if step.Pause.Duration != nil {
		p.until(cond.StartTime.Add(time.Duration(step.Pause.seconds()) * time.Second))
	}
}

// pauseDone reports whether the current pause step is over: a person has ended it or its time has passed.
func (p *pass) pauseDone(step Pause) bool {
	cond := p.pausedFor(PauseStep)
	if cond == nil {
		return p.r.Status.ControllerPause
	}
	return step.Duration != nil && p.now.After(cond.StartTime.Add(time.Duration(step.seconds())*time.Second))
}

// holds reports whether a blue-green rollout waits before the switch.
func (b *BlueGreen) holds() bool {
	return b.AutoPromotionEnabled != nil && !*b.AutoPromotionEnabled || b.AutoPromotionSeconds > 0
}

// blueGreenPause begins the pause before the switch once the new version is ready, and ends it.
func (p *pass) blueGreenPause(active *service) {
	if p.r.Status.Abort || !p.readyForPause() || p.halted() {
		return
	}
	b := p.r.Spec.Strategy.BlueGreen
	if p.fastTracked(active) || p.r.Status.BlueGreen.ScaleUpPreviewCheckPoint || !b.holds() {
		p.pauses.remove = append(p.pauses.remove, PauseBlueGreen)
		return
	}
	if !p.prePromoted() {
		return
	}
	switch cond := p.pausedFor(PauseBlueGreen); {
	case cond == nil && !p.r.Status.ControllerPause:
		p.pauses.add = append(p.pauses.add, PauseBlueGreen)
		if b.AutoPromotionSeconds > 0 {
			p.until(p.stamp().Add(time.Duration(b.AutoPromotionSeconds) * time.Second))
		}
	case cond == nil: // a person has just ended it
	case p.blueGreenPauseDone():
		p.pauses.remove = append(p.pauses.remove, PauseBlueGreen)
	case b.AutoPromotionSeconds > 0:
		p.until(cond.StartTime.Add(time.Duration(b.AutoPromotionSeconds) * time.Second))
	}
}

// blueGreenPauseDone reports whether nothing holds the switch any more: a person has resumed, or autoPromotionSeconds
// have passed.
func (p *pass) blueGreenPauseDone() bool {
	b := p.r.Spec.Strategy.BlueGreen
	if len(p.pauses.add) > 0 {
		return false
	}
	if p.r.Status.BlueGreen.ScaleUpPreviewCheckPoint || !b.holds() {
		return true
	}
	cond := p.pausedFor(PauseBlueGreen)
	if b.AutoPromotionEnabled != nil && !*b.AutoPromotionEnabled {
		return p.r.Status.ControllerPause && cond == nil
	}
	return cond != nil && p.now.After(cond.StartTime.Add(time.Duration(b.AutoPromotionSeconds)*time.Second)) ||
		cond == nil && p.r.Status.ControllerPause
}
