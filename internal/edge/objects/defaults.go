package objects

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// or fills an empty pointer.
func or[T any](p **T, v T) {
	if *p == nil {
		*p = &v
	}
}

// word fills an empty string or number.
func word[T comparable](p *T, v T) {
	if *p == *new(T) {
		*p = v
	}
}

// fill gives the fields that were left out the values that the API reference names as their defaults
// (https://kubernetes.io/docs/reference/kubernetes-api/).
func fill(value runtime.Object) {
	switch o := value.(type) {
	case *corev1.Pod:
		fillPod(&o.Spec)
	case *corev1.Service:
		fillService(o)
	case *corev1.Secret:
		word(&o.Type, corev1.SecretTypeOpaque)
		for k, v := range o.StringData {
			if o.Data == nil {
				o.Data = map[string][]byte{}
			}
			o.Data[k] = []byte(v)
		}
		o.StringData = nil
	case *corev1.Namespace:
		if len(o.Spec.Finalizers) == 0 && o.DeletionTimestamp == nil {
			o.Spec.Finalizers = []corev1.FinalizerName{corev1.FinalizerKubernetes}
		}
		word(&o.Status.Phase, corev1.NamespaceActive)
		if o.Labels == nil {
			o.Labels = map[string]string{}
		}
		if o.Name != "" {
			o.Labels[corev1.LabelMetadataName] = o.Name
		}
	case *appsv1.Deployment:
		fillDeployment(o)
	case *appsv1.ReplicaSet:
		or(&o.Spec.Replicas, 1)
		fillPod(&o.Spec.Template.Spec)
	case *appsv1.StatefulSet:
		fillStatefulSet(o)
	case *appsv1.DaemonSet:
		fillDaemonSet(o)
	case *batchv1.Job:
		fillJob(&o.Spec)
	case *batchv1.CronJob:
		word(&o.Spec.ConcurrencyPolicy, batchv1.AllowConcurrent)
		or(&o.Spec.Suspend, false)
		or(&o.Spec.SuccessfulJobsHistoryLimit, 3)
		or(&o.Spec.FailedJobsHistoryLimit, 1)
		fillPod(&o.Spec.JobTemplate.Spec.Template.Spec)
	case *discoveryv1.EndpointSlice:
		for i := range o.Ports {
			or(&o.Ports[i].Name, "")
			or(&o.Ports[i].Protocol, corev1.ProtocolTCP)
		}
	}
}

func fillDeployment(o *appsv1.Deployment) {
	or(&o.Spec.Replicas, 1)
	or(&o.Spec.RevisionHistoryLimit, 10)
	or(&o.Spec.ProgressDeadlineSeconds, 600)
	word(&o.Spec.Strategy.Type, appsv1.RollingUpdateDeploymentStrategyType)
	if o.Spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType {
		or(&o.Spec.Strategy.RollingUpdate, appsv1.RollingUpdateDeployment{})
		or(&o.Spec.Strategy.RollingUpdate.MaxSurge, intstr.FromString("25%"))
		or(&o.Spec.Strategy.RollingUpdate.MaxUnavailable, intstr.FromString("25%"))
	}
	fillPod(&o.Spec.Template.Spec)
}

func fillStatefulSet(o *appsv1.StatefulSet) {
	or(&o.Spec.Replicas, 1)
	or(&o.Spec.RevisionHistoryLimit, 10)
	word(&o.Spec.PodManagementPolicy, appsv1.OrderedReadyPodManagement)
	word(&o.Spec.UpdateStrategy.Type, appsv1.RollingUpdateStatefulSetStrategyType)
	if o.Spec.UpdateStrategy.Type == appsv1.RollingUpdateStatefulSetStrategyType {
		or(&o.Spec.UpdateStrategy.RollingUpdate, appsv1.RollingUpdateStatefulSetStrategy{})
		or(&o.Spec.UpdateStrategy.RollingUpdate.Partition, 0)
	}
	or(&o.Spec.PersistentVolumeClaimRetentionPolicy, appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{})
	word(&o.Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted, appsv1.RetainPersistentVolumeClaimRetentionPolicyType)
	word(&o.Spec.PersistentVolumeClaimRetentionPolicy.WhenScaled, appsv1.RetainPersistentVolumeClaimRetentionPolicyType)
	fillPod(&o.Spec.Template.Spec)
}

func fillDaemonSet(o *appsv1.DaemonSet) {
	or(&o.Spec.RevisionHistoryLimit, 10)
	word(&o.Spec.UpdateStrategy.Type, appsv1.RollingUpdateDaemonSetStrategyType)
	if o.Spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		or(&o.Spec.UpdateStrategy.RollingUpdate, appsv1.RollingUpdateDaemonSet{})
		or(&o.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable, intstr.FromInt32(1))
		or(&o.Spec.UpdateStrategy.RollingUpdate.MaxSurge, intstr.FromInt32(0))
	}
	fillPod(&o.Spec.Template.Spec)
}

func fillJob(o *batchv1.JobSpec) {
	if o.Completions == nil && o.Parallelism == nil {
		or(&o.Completions, 1)
	}
	or(&o.Parallelism, 1)
	or(&o.BackoffLimit, 6)
	or(&o.CompletionMode, batchv1.NonIndexedCompletion)
	or(&o.Suspend, false)
	or(&o.ManualSelector, false)
	or(&o.PodReplacementPolicy, batchv1.TerminatingOrFailed)
	fillPod(&o.Template.Spec)
}

func fillService(o *corev1.Service) {
	word(&o.Spec.Type, corev1.ServiceTypeClusterIP)
	word(&o.Spec.SessionAffinity, corev1.ServiceAffinityNone)
	or(&o.Spec.InternalTrafficPolicy, corev1.ServiceInternalTrafficPolicyCluster)
	if o.Spec.Type != corev1.ServiceTypeExternalName {
		or(&o.Spec.IPFamilyPolicy, corev1.IPFamilyPolicySingleStack)
		if len(o.Spec.IPFamilies) == 0 {
			o.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol}
		}
	}
	for i := range o.Spec.Ports {
		p := &o.Spec.Ports[i]
		word(&p.Protocol, corev1.ProtocolTCP)
		if p.TargetPort == (intstr.IntOrString{}) {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
	if o.Spec.ClusterIP != "" && len(o.Spec.ClusterIPs) == 0 {
		o.Spec.ClusterIPs = []string{o.Spec.ClusterIP}
	}
	if o.Spec.Type == corev1.ServiceTypeLoadBalancer || o.Spec.Type == corev1.ServiceTypeNodePort {
		word(&o.Spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster)
	}
}
