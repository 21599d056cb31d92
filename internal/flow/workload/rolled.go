package workload

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func condition(list []appsv1.DeploymentCondition, t appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range list {
		if list[i].Type == t {
			return &list[i]
		}
	}
	return nil
}

// set writes a condition; its times move only where it changes.
func (r *rolling) set(t appsv1.DeploymentConditionType, status corev1.ConditionStatus, reason, message string) {
	now := metav1.NewTime(r.now)
	c := condition(r.status.Conditions, t)
	if c == nil {
		r.status.Conditions = append(r.status.Conditions, appsv1.DeploymentCondition{Type: t, LastTransitionTime: now})
		c = &r.status.Conditions[len(r.status.Conditions)-1]
	}
	if c.Status == status && c.Reason == reason && c.Message == message {
		return
	}
	if c.Status != status {
		c.LastTransitionTime = now
	}
	c.Status, c.Reason, c.Message, c.LastUpdateTime = status, reason, message, now
}

func (r *rolling) progress(status corev1.ConditionStatus, reason, message string) {
	r.set(appsv1.DeploymentProgressing, status, reason, message)
}

// report writes what the status says: the numbers, and the conditions Available and Progressing.
func (r *rolling) report() {
	was := r.d.Status
	r.status.ObservedGeneration = r.d.Generation
	r.status.Replicas, r.status.UpdatedReplicas, r.status.ReadyReplicas, r.status.AvailableReplicas = 0, 0, 0, 0
	for _, s := range r.sets {
		r.status.Replicas += s.Status.Replicas
		r.status.ReadyReplicas += s.Status.ReadyReplicas
		r.status.AvailableReplicas += s.Status.AvailableReplicas
	}
	if r.fresh != nil {
		r.status.UpdatedReplicas = r.fresh.Status.Replicas
	}
	r.status.UnavailableReplicas = max(0, wanted(r.sets)-r.status.AvailableReplicas)
	if r.status.AvailableReplicas >= r.replicas-r.missing {
		r.set(appsv1.DeploymentAvailable, corev1.ConditionTrue, "MinimumReplicasAvailable", "Deployment has minimum availability.")
	} else {
		r.set(appsv1.DeploymentAvailable, corev1.ConditionFalse, "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
	}
	r.progressing(was)
}

// progressing writes whether the rollout moves on, has ended or stands too long (progressDeadlineSeconds).
func (r *rolling) progressing(was appsv1.DeploymentStatus) {
	c := condition(r.status.Conditions, appsv1.DeploymentProgressing)
	if r.d.Spec.Paused {
		if c == nil || c.Reason != "ProgressDeadlineExceeded" {
			r.progress(corev1.ConditionUnknown, "DeploymentPaused", "Deployment is paused")
		}
		return
	}
	if c != nil && c.Reason == "DeploymentPaused" {
		r.progress(corev1.ConditionUnknown, "DeploymentResumed", "Deployment is resumed")
	}
	if r.fresh == nil {
		return
	}
	deadline := time.Duration(number(r.d.Spec.ProgressDeadlineSeconds, 600)) * time.Second
	moved := r.status.UpdatedReplicas > was.UpdatedReplicas || r.status.Replicas-r.status.UpdatedReplicas < was.Replicas-was.UpdatedReplicas ||
		r.status.ReadyReplicas > was.ReadyReplicas || r.status.AvailableReplicas > was.AvailableReplicas
	switch c = condition(r.status.Conditions, appsv1.DeploymentProgressing); {
	case r.complete():
		r.progress(corev1.ConditionTrue, "NewReplicaSetAvailable", fmt.Sprintf("ReplicaSet %q has successfully progressed.", r.fresh.Name))
	case moved || c != nil && c.Reason == "NewReplicaSetAvailable" && wanted(r.old) > 0:
		r.progress(corev1.ConditionTrue, "ReplicaSetUpdated", fmt.Sprintf("ReplicaSet %q is progressing.", r.fresh.Name))
		condition(r.status.Conditions, appsv1.DeploymentProgressing).LastUpdateTime = metav1.NewTime(r.now)
		r.later(deadline)
	case c == nil || c.Reason == "NewReplicaSetAvailable" || c.Reason == "ProgressDeadlineExceeded":
	default:
		left := c.LastUpdateTime.Add(deadline).Sub(r.now)
		if left <= 0 {
			r.progress(corev1.ConditionFalse, "ProgressDeadlineExceeded", fmt.Sprintf("ReplicaSet %q has timed out progressing.", r.fresh.Name))
			return
		}
		r.later(left + time.Second)
	}
}
