package rollout

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// The values of a condition's status.
const (
	yes     = "True"
	no      = "False"
	unknown = "Unknown"
)

func itoa(n int) string { return strconv.Itoa(n) }

func (p *pass) condition(kind, status, reason, message string) Condition {
	return Condition{Type: kind, Status: status, Reason: reason, Message: message, LastUpdateTime: p.stamp(), LastTransitionTime: p.stamp()}
}

func (s Status) condition(kind string) *Condition {
	i := slices.IndexFunc(s.Conditions, func(c Condition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	c := s.Conditions[i]
	return &c
}

// set replaces a condition of its type where status or reason differ, and tells whether it did. The moment of the last
// transition is that of the last change of status.
func (s *Status) set(c Condition) bool {
	if was := s.condition(c.Type); was != nil {
		if was.Status == c.Status && was.Reason == c.Reason {
			return false
		}
		if was.Status == c.Status {
			c.LastTransitionTime = was.LastTransitionTime
		}
	}
	s.drop(c.Type)
	s.Conditions = append(s.Conditions, c)
	return true
}

func (s *Status) drop(kind string) {
	s.Conditions = slices.DeleteFunc(s.Conditions, func(c Condition) bool { return c.Type == kind })
}

// notePauses notes the begin and the end of a pause, and a retry, so that the time of a pause does not count as lack of progress.
func (p *pass) notePauses() {
	was := p.r.Status
	progress := was.condition(condProgressing)
	says := func(reason string) bool { return progress != nil && progress.Reason == reason }
	paused := len(was.PauseConditions) > 0 || p.r.Spec.Paused
	if paused != says(reasonPaused) && !says(reasonAborted) && !was.completed() {
		if paused {
			p.r.Status.set(p.condition(condProgressing, unknown, reasonPaused, "Rollout is paused"))
		} else {
			p.r.Status.set(p.condition(condProgressing, unknown, reasonResumed, "Rollout is resumed"))
		}
	}
	if !was.Abort && says(reasonAborted) {
		p.r.Status.set(p.condition(condProgressing, unknown, reasonRetry, "Retrying Rollout after abort"))
	}
	c := was.condition(condPaused)
	if paused != (c != nil && c.Status == yes) && !says(reasonAborted) {
		status := no
		if paused {
			status = yes
		}
		p.r.Status.set(p.condition(condPaused, status, reasonPaused, "Rollout is paused"))
	}
}

// completed reports whether the wanted version is the stable one.
func (s Status) completed() bool { return s.StableRS != "" && s.StableRS == s.CurrentPodHash }

// conditions settles the conditions that the new status comes to.
func (p *pass) conditions() {
	worsened := p.noteHealth()
	p.noteAbort()
	if !p.aborted() {
		p.noteProgress(worsened)
	}
	p.noteAvailability()
	p.noteFailures()
	p.noteCompletion()
}

// noteHealth notes whether the rollout is healthy, and tells whether it just stopped to be so.
func (p *pass) noteHealth() bool {
	paused := len(p.r.Status.PauseConditions) > 0 || p.r.Spec.Paused
	if !paused && p.healthy() {
		p.status.set(p.condition(condHealthy, yes, reasonHealthy, "Rollout is healthy"))
		return false
	}
	if p.r.Status.condition(condHealthy) == nil {
		return false
	}
	return p.status.set(p.condition(condHealthy, no, reasonHealthy, "Rollout is not healthy"))
}

// healthy reports whether all pods are of the wanted version and available, and nothing of the update is left to do.
func (p *pass) healthy() bool {
	s, replicas := p.status, p.r.Spec.replicas()
	if s.UpdatedReplicas != replicas || s.AvailableReplicas != replicas || p.w.Rollout.Status.ObservedGeneration != p.r.generation() {
		return false
	}
	if b := p.r.Spec.Strategy.BlueGreen; b != nil {
		return s.BlueGreen.ActiveSelector == s.CurrentPodHash && (b.PreviewService == "" || s.BlueGreen.PreviewSelector == s.CurrentPodHash)
	}
	steps := len(p.r.Spec.steps())
	return s.completed() && s.Replicas == replicas && (steps == 0 || s.CurrentStepIndex == nil || int(*s.CurrentStepIndex) == steps)
}

func (p *pass) noteAbort() {
	if !p.aborted() {
		return
	}
	message := fmt.Sprintf("Rollout aborted update to revision %d", p.revisionNumber())
	if p.pauses.why != "" {
		message += ": " + p.pauses.why
	}
	if p.status.set(p.condition(condProgressing, no, reasonAborted, message)) {
		p.warn(reasonAborted, "%s", message)
	}
}

// noteProgress notes that the rollout is done, moves, or has not moved for progressDeadlineSeconds.
func (p *pass) noteProgress(worsened bool) {
	s := &p.status
	switch {
	case p.healthy():
		s.set(p.condition(condProgressing, yes, reasonNewSetAvailable, fmt.Sprintf("ReplicaSet %q has successfully progressed.", p.fresh.name)))
	case p.progressed() || worsened:
		reason, message := reasonUpdatedSet, fmt.Sprintf("ReplicaSet %q is progressing.", p.fresh.name)
		if worsened && s.StableRS == s.CurrentPodHash {
			reason, message = reasonNotAvailable, "Rollout does not have minimum availability"
		}
		c := p.condition(condProgressing, yes, reason, message)
		if was := p.r.Status.condition(condProgressing); was != nil && was.Status == yes {
			c.LastTransitionTime = was.LastTransitionTime
		}
		s.drop(condProgressing) // so that the moment of the update is this one
		s.set(c)
	case !p.waits() && p.timedOut():
		p.noteTimeout()
	}
}

func (p *pass) noteTimeout() {
	message := fmt.Sprintf("ReplicaSet %q has timed out progressing.", p.fresh.name)
	p.status.set(p.condition(condProgressing, no, reasonTimedOut, message))
	if p.r.Spec.ProgressDeadlineAbort && !p.status.completed() {
		p.abort(message)
		p.warn(reasonAborted, "%s", message)
	}
}

// progressed reports whether anything moved since the status was last written.
func (p *pass) progressed() bool {
	was, is := p.r.Status, p.status
	moved := false
	switch {
	case p.r.Spec.Strategy.BlueGreen != nil:
		moved = was.BlueGreen.ActiveSelector != is.BlueGreen.ActiveSelector || was.BlueGreen.PreviewSelector != is.BlueGreen.PreviewSelector
	default:
		moved = was.StableRS != is.StableRS || was.CurrentStepHash != is.CurrentStepHash ||
			was.CurrentStepIndex != nil && is.CurrentStepIndex != nil && *was.CurrentStepIndex != *is.CurrentStepIndex
	}
	return moved || is.UpdatedReplicas != was.UpdatedReplicas ||
		is.Replicas-is.UpdatedReplicas < was.Replicas-was.UpdatedReplicas ||
		is.ReadyReplicas > was.ReadyReplicas || is.AvailableReplicas > was.AvailableReplicas
}

// waits reports whether the rollout is where it may be for as long as it takes.
func (p *pass) waits() bool {
	if step, _ := p.r.current(); step != nil && (step.Experiment != nil || step.Analysis != nil || step.Pause != nil) {
		return true
	}
	if c := p.r.Status.condition(condPaused); c != nil && c.Status == yes {
		return true
	}
	return slices.ContainsFunc(p.others, (*set).delayed)
}

func (p *pass) timedOut() bool {
	c := p.status.condition(condProgressing)
	if c == nil || c.Reason == reasonAborted || c.Reason == reasonPaused || c.LastUpdateTime == nil {
		return false
	}
	return c.Reason == reasonTimedOut || c.LastUpdateTime.Add(time.Duration(p.r.Spec.deadline())*time.Second).Before(p.now)
}

// watchProgress asks for a look at the moment at which the progress deadline passes.
func (p *pass) watchProgress() {
	c := p.status.condition(condProgressing)
	if c == nil || c.LastUpdateTime == nil || c.Reason == reasonTimedOut || p.status.Abort || p.r.Spec.Paused ||
		len(p.status.PauseConditions) > 0 || p.healthy() || p.waits() {
		return
	}
	at := c.LastUpdateTime.Add(time.Duration(p.r.Spec.deadline())*time.Second + time.Second)
	p.in(max(at.Sub(p.now), time.Second))
}

func (p *pass) noteAvailability() {
	enough := sum(p.sets, available) >= p.r.Spec.replicas()
	if p.r.Spec.Strategy.BlueGreen != nil {
		enough = byHash(p.sets, p.status.BlueGreen.ActiveSelector).saturated(p.r.Spec.replicas())
	}
	if enough {
		p.status.set(p.condition(condAvailable, yes, reasonAvailable, "Rollout has minimum availability"))
	} else {
		p.status.set(p.condition(condAvailable, no, reasonAvailable, "Rollout does not have minimum availability"))
	}
}

// noteFailures takes over a failure that a replica set tells of (quota, admission), the wanted version's first.
func (p *pass) noteFailures() {
	for _, s := range append([]*set{p.fresh}, p.sets...) {
		for _, e := range s.object.List("status", "conditions") {
			m, _ := e.(map[string]any)
			if m["type"] != condFailure {
				continue
			}
			text := func(k string) string { v, _ := m[k].(string); return v }
			at := p.stamp()
			if t, err := time.Parse(time.RFC3339, text("lastTransitionTime")); err == nil {
				at = &t
			}
			p.status.set(Condition{
				Type: condFailure, Status: text("status"), Reason: text("reason"), Message: text("message"),
				LastUpdateTime: at, LastTransitionTime: at,
			})
			return
		}
	}
	p.status.drop(condFailure)
}

func (p *pass) noteCompletion() {
	if p.status.completed() {
		p.status.set(p.condition(condCompleted, yes, reasonCompleted, reasonCompleted))
		return
	}
	if p.status.set(p.condition(condCompleted, no, reasonCompleted, reasonCompleted)) {
		p.tell(reasonNotCompleted, "Rollout not completed, started update to revision %d (%s)", p.revisionNumber(), p.status.CurrentPodHash)
	}
}
