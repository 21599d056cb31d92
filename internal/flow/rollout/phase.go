package rollout

import (
	"strconv"
)

// phase is the rollout's phase and message by its spec and its new status.
func phase(s Spec, is Status) (string, string) {
	for _, c := range is.Conditions {
		if c.Type == condInvalid {
			return Degraded, condInvalid + ": " + c.Message
		}
		if c.Reason == reasonAborted || c.Reason == reasonTimedOut {
			return Degraded, c.Reason + ": " + c.Message
		}
	}
	switch {
	case s.Paused:
		return Paused, "manually paused"
	case len(is.PauseConditions) > 0:
		return Paused, is.PauseConditions[0].Reason
	case s.RestartAt != nil && (is.RestartedAt == nil || !s.RestartAt.Time.Equal(is.RestartedAt.Time)):
		return Progressing, "rollout is restarting"
	case is.UpdatedReplicas < s.replicas():
		return Progressing, "more replicas need to be updated"
	case is.AvailableReplicas < is.UpdatedReplicas:
		return Progressing, "updated replicas are still becoming available"
	}
	if waiting := s.waiting(is); waiting != "" {
		return Progressing, waiting
	}
	return Healthy, ""
}

// waiting is what an update whose pods are all there still waits for.
func (s Spec) waiting(is Status) string {
	promoted := is.completed()
	b := s.Strategy.BlueGreen
	switch {
	case b != nil && (is.BlueGreen.ActiveSelector == "" || is.BlueGreen.ActiveSelector != is.CurrentPodHash):
		return "active service cutover pending"
	case b != nil && !promoted && b.PostPromotionAnalysis != nil &&
		(is.BlueGreen.PostPromotionAnalysisRunStatus == nil || !is.BlueGreen.PostPromotionAnalysisRunStatus.Status.Completed()):
		return "waiting for analysis to complete"
	case b != nil && !promoted:
		return "waiting for post-promotion verification to complete"
	case s.Strategy.Canary != nil && !s.routed() && is.Replicas > is.UpdatedReplicas:
		return "old replicas are pending termination"
	case s.Strategy.Canary != nil && !promoted:
		return "waiting for all steps to complete"
	}
	return ""
}

// PhaseOf is a rollout's phase and message for whoever looks at it: what its status says, unless a change has not been seen
// by the controller yet.
func PhaseOf(r Rollout) (phaseNow, message string) {
	generation := r.Object.Int(0, "metadata", "generation")
	if n, err := strconv.ParseInt(r.Status.ObservedGeneration, 10, 64); err == nil && n < generation {
		return Progressing, "waiting for rollout spec update to be observed"
	}
	if r.Status.ControllerPause && len(r.Status.PauseConditions) == 0 {
		return Progressing, "waiting for rollout to unpause"
	}
	if r.Spec.WorkloadRef != nil {
		seen, err := strconv.ParseInt(r.Status.WorkloadObservedGeneration, 10, 64)
		if note := r.Object.Annotation(WorkloadAnnotation); note != "" && err == nil && seen != number(note) {
			return Progressing, "waiting for rollout spec update to be observed for the reference workload"
		}
	}
	if r.Status.Phase == "" {
		return phase(r.Spec, r.Status)
	}
	return r.Status.Phase, r.Status.Message
}
