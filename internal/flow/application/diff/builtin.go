package diff

import (
	"reflect"
	"sync"

	admission "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling1 "k8s.io/api/autoscaling/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	flowcontrol "k8s.io/api/flowcontrol/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	scheduling "k8s.io/api/scheduling/v1"
	storage "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// builtin are Kubernetes' own kinds that manifests hold.
var builtin = sync.OnceValue(func() map[manifest.Kind]reflect.Type {
	out := map[manifest.Kind]reflect.Type{}
	add := func(apiVersion string, values ...any) {
		for _, v := range values {
			t := reflect.TypeOf(v)
			out[manifest.KindOf(apiVersion, t.Name())] = t
		}
	}
	add(
		"v1", core.Pod{}, core.Service{}, core.ConfigMap{}, core.Secret{}, core.Namespace{}, core.ServiceAccount{},
		core.PersistentVolume{}, core.PersistentVolumeClaim{}, core.ReplicationController{}, core.ResourceQuota{}, core.LimitRange{},
		//lint:ignore SA1019 clusters still serve the kind
		core.Endpoints{}, core.PodTemplate{}, core.Node{}, core.Event{},
	)
	add("apps/v1", apps.Deployment{}, apps.StatefulSet{}, apps.DaemonSet{}, apps.ReplicaSet{}, apps.ControllerRevision{})
	add("batch/v1", batch.Job{}, batch.CronJob{})
	add("autoscaling/v1", autoscaling1.HorizontalPodAutoscaler{})
	add("autoscaling/v2", autoscaling.HorizontalPodAutoscaler{})
	add("networking.k8s.io/v1", networking.Ingress{}, networking.IngressClass{}, networking.NetworkPolicy{})
	add("rbac.authorization.k8s.io/v1", rbac.Role{}, rbac.ClusterRole{}, rbac.RoleBinding{}, rbac.ClusterRoleBinding{})
	add("policy/v1", policy.PodDisruptionBudget{})
	add("storage.k8s.io/v1", storage.StorageClass{}, storage.CSIDriver{}, storage.VolumeAttachment{})
	add("scheduling.k8s.io/v1", scheduling.PriorityClass{})
	add("coordination.k8s.io/v1", coordination.Lease{})
	add("discovery.k8s.io/v1", discovery.EndpointSlice{})
	add("flowcontrol.apiserver.k8s.io/v1", flowcontrol.FlowSchema{}, flowcontrol.PriorityLevelConfiguration{})
	add(
		"admissionregistration.k8s.io/v1", admission.MutatingWebhookConfiguration{}, admission.ValidatingWebhookConfiguration{},
		admission.ValidatingAdmissionPolicy{}, admission.ValidatingAdmissionPolicyBinding{},
	)
	return out
})

// embeddable are the types that a custom kind may hold, by the names that Argo CD's knownTypeFields takes.
var embeddable = sync.OnceValue(func() map[string]reflect.Type {
	out := map[string]reflect.Type{
		"core/Quantity":    reflect.TypeFor[resource.Quantity](),
		"meta/v1/Duration": reflect.TypeFor[metav1.Duration](),
	}
	add := func(group string, values ...any) {
		for _, v := range values {
			t := reflect.TypeOf(v)
			out[group+"/"+t.Name()] = t
		}
	}
	add(
		"core/v1", core.PodSpec{}, core.PodTemplateSpec{}, core.PodTemplate{}, core.Container{}, core.ResourceRequirements{}, core.Volume{},
		core.VolumeMount{}, core.VolumeSource{}, core.Affinity{}, core.NodeAffinity{}, core.PodAffinity{}, core.PodAntiAffinity{},
		core.Toleration{}, core.EnvVar{}, core.EnvFromSource{}, core.SecurityContext{}, core.PodSecurityContext{}, core.Probe{},
		core.Lifecycle{}, core.LocalObjectReference{}, core.ObjectReference{}, core.SecretKeySelector{}, core.ConfigMapKeySelector{},
		core.ServiceSpec{}, core.ServicePort{}, core.ContainerPort{}, core.PersistentVolumeClaim{}, core.PersistentVolumeClaimSpec{},
		core.PersistentVolumeSpec{}, core.NodeSelector{}, core.TopologySpreadConstraint{}, core.ResourceList{}, core.HostAlias{},
		core.ResourceQuotaSpec{}, core.LimitRangeSpec{}, core.Capabilities{}, core.EphemeralContainer{},
	)
	return out
})

// knownTypes are fields of custom kinds that are known without being told.
var knownTypes = []KnownType{
	{"argoproj.io", "Rollout", "spec.template", "core/v1/PodTemplateSpec"},
}
