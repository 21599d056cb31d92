package pod

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func equal(a, b corev1.PodStatus) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// status is what the pod's status says now. The lock is held.
func (l *life) status() corev1.PodStatus {
	s := corev1.PodStatus{
		StartTime: &l.begun, PodIP: l.address, PodIPs: []corev1.PodIP{{IP: l.address}}, HostIP: "127.0.0.1", HostIPs: []corev1.HostIP{{IP: "127.0.0.1"}},
		QOSClass: corev1.PodQOSBestEffort, Reason: l.failure, Message: l.message,
	}
	if l.pod.Status.QOSClass != "" {
		s.QOSClass = l.pod.Status.QOSClass
	}
	ready := true
	for _, c := range l.containers {
		cs := c.status()
		if c.init {
			s.InitContainerStatuses = append(s.InitContainerStatuses, cs)
		} else {
			s.ContainerStatuses = append(s.ContainerStatuses, cs)
			ready = ready && cs.Ready
		}
	}
	s.Phase = l.phase()
	done := s.Phase == corev1.PodSucceeded || s.Phase == corev1.PodFailed
	reason := ""
	switch {
	case s.Phase == corev1.PodSucceeded:
		reason = "PodCompleted"
	case s.Phase == corev1.PodFailed:
		reason = "PodFailed"
	case !ready || !l.initDone:
		reason = "ContainersNotReady"
	}
	initialised := ""
	if !l.initDone {
		initialised = "ContainersNotInitialized"
	}
	ready = ready && l.initDone && !done
	for _, c := range []struct {
		t      corev1.PodConditionType
		yes    bool
		reason string
	}{
		{corev1.PodScheduled, true, ""}, {corev1.PodInitialized, l.initDone, initialised}, {corev1.ContainersReady, ready, reason}, {corev1.PodReady, ready, reason},
	} {
		s.Conditions = append(s.Conditions, l.condition(c.t, c.yes, c.reason))
	}
	return s
}

func (l *life) condition(t corev1.PodConditionType, yes bool, reason string) corev1.PodCondition {
	c := corev1.PodCondition{Type: t, Status: corev1.ConditionFalse, Reason: reason, LastTransitionTime: metav1.NewTime(l.m.c.Now().Truncate(1))}
	if yes {
		c.Status, c.Reason = corev1.ConditionTrue, ""
	}
	for _, was := range l.last.Conditions {
		if was.Type == t && was.Status == c.Status {
			c.LastTransitionTime = was.LastTransitionTime
		}
	}
	return c
}

// phase is the pod's phase: Pending until its containers have started, Succeeded or Failed when all have ended for good.
func (l *life) phase() corev1.PodPhase {
	ended, bad, began, runs := true, l.failure != "", false, false
	for _, c := range l.containers {
		runs = runs || c.state.Running != nil
		switch {
		case c.init:
			if c.over && c.state.Terminated != nil && c.state.Terminated.ExitCode != 0 && !c.sidecar() {
				return corev1.PodFailed
			}
		default:
			began = began || c.state.Waiting == nil || c.restarts > 0 || c.last.Terminated != nil
			ended = ended && c.over
			bad = bad || c.over && (c.state.Terminated == nil || c.state.Terminated.ExitCode != 0)
		}
	}
	switch {
	case bad && (ended || l.failure != "" && !runs):
		return corev1.PodFailed
	case ended:
		return corev1.PodSucceeded
	case !l.initDone || !began:
		return corev1.PodPending
	}
	return corev1.PodRunning
}
