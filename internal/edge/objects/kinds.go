package objects

import (
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Served is a kind that a store keeps and serves.
type Served struct {
	Kind       manifest.Kind
	Plural     string
	Singular   string
	Short      []string
	Categories []string
	Namespaced bool
	// Status and Scale say which subresources there are. Without Status the status is a field as any other.
	Status, Scale bool
	// Generation is kept: it counts the changes of all but metadata (and the status, where that is a subresource).
	Generation bool
	// HPAReplicas: the scale's status comes from status.HPAReplicas (Argo's Rollout), not from status.replicas.
	HPAReplicas bool
}

var verbs = []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}

func served(group, version, kind, plural, singular string, short ...string) Served {
	return Served{Kind: manifest.Kind{Group: group, Version: version, Kind: kind}, Plural: plural, Singular: singular, Short: short, Namespaced: true}
}

func (s Served) cluster() Served                { s.Namespaced = false; return s }
func (s Served) status() Served                 { s.Status = true; return s }
func (s Served) generation() Served             { s.Generation = true; return s }
func (s Served) scale() Served                  { s.Scale = true; return s }
func (s Served) in(categories ...string) Served { s.Categories = categories; return s }

// Resource is the name of the REST collection with its group, as error messages give it: "deployments.apps", "pods".
func (s Served) Resource() string {
	if s.Kind.Group == "" {
		return s.Plural
	}
	return s.Plural + "." + s.Kind.Group
}

// Workloads are the kinds of Kubernetes itself that the local target keeps; what it does with each says flow/workload.
func Workloads() []Served {
	return []Served{
		served("", "v1", "Namespace", "namespaces", "namespace", "ns").cluster().status(),
		served("", "v1", "Node", "nodes", "node", "no").cluster().status(),
		served("", "v1", "PersistentVolume", "persistentvolumes", "persistentvolume", "pv").cluster().status(),
		served("", "v1", "Pod", "pods", "pod", "po").status().generation().in("all"),
		served("", "v1", "Service", "services", "service", "svc").status().in("all"),
		served("", "v1", "Endpoints", "endpoints", "endpoints", "ep"),
		served("", "v1", "ConfigMap", "configmaps", "configmap", "cm"),
		served("", "v1", "Secret", "secrets", "secret"),
		served("", "v1", "Event", "events", "event", "ev"),
		served("", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount", "sa"),
		served("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "persistentvolumeclaim", "pvc").status(),
		served("", "v1", "ResourceQuota", "resourcequotas", "resourcequota", "quota").status(),
		served("", "v1", "LimitRange", "limitranges", "limitrange", "limits"),
		served("", "v1", "ReplicationController", "replicationcontrollers", "replicationcontroller", "rc").status().generation().scale().in("all"),
		served("", "v1", "PodTemplate", "podtemplates", "podtemplate"),
		served("apps", "v1", "Deployment", "deployments", "deployment", "deploy").status().generation().scale().in("all"),
		served("apps", "v1", "ReplicaSet", "replicasets", "replicaset", "rs").status().generation().scale().in("all"),
		served("apps", "v1", "StatefulSet", "statefulsets", "statefulset", "sts").status().generation().scale().in("all"),
		served("apps", "v1", "DaemonSet", "daemonsets", "daemonset", "ds").status().generation().in("all"),
		served("apps", "v1", "ControllerRevision", "controllerrevisions", "controllerrevision"),
		served("batch", "v1", "Job", "jobs", "job").status().generation().in("all"),
		served("batch", "v1", "CronJob", "cronjobs", "cronjob", "cj").status().generation().in("all"),
		served("networking.k8s.io", "v1", "Ingress", "ingresses", "ingress", "ing").status().generation(),
		served("networking.k8s.io", "v1", "IngressClass", "ingressclasses", "ingressclass").cluster().generation(),
		served("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "networkpolicy", "netpol").generation(),
		served("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "endpointslice").generation(),
		served("coordination.k8s.io", "v1", "Lease", "leases", "lease"),
		served("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "horizontalpodautoscaler", "hpa").status(),
		served("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "poddisruptionbudget", "pdb").status().generation(),
		served("rbac.authorization.k8s.io", "v1", "Role", "roles", "role"),
		served("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", "rolebinding"),
		served("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", "clusterrole").cluster(),
		served("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", "clusterrolebinding").cluster(),
		served("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", "priorityclass", "pc").cluster(),
		served("storage.k8s.io", "v1", "StorageClass", "storageclasses", "storageclass", "sc").cluster(),
		served("networking.istio.io", "v1", "VirtualService", "virtualservices", "virtualservice", "vs").generation(),
		served("networking.istio.io", "v1", "DestinationRule", "destinationrules", "destinationrule", "dr").generation(),
		served("networking.istio.io", "v1", "Gateway", "gateways", "gateway", "gw").generation(),
		served("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes", "httproute").status().generation(),
		served("gateway.networking.k8s.io", "v1", "Gateway", "gateways", "gateway", "gtw").status().generation(),
		served("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors", "servicemonitor", "smon").generation(),
		served("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors", "podmonitor", "pmon").generation(),
		served("monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules", "prometheusrule", "promrule").generation(),
	}
}

// Argo are the kinds of Argo CD and Argo Rollouts, with the subresources that their definitions give them.
func Argo() []Served {
	const group, version = "argoproj.io", "v1alpha1"
	rollout := served(group, version, "Rollout", "rollouts", "rollout", "ro").status().generation().scale()
	rollout.HPAReplicas = true
	return []Served{
		served(group, version, "Application", "applications", "application", "app", "apps").generation(),
		served(group, version, "ApplicationSet", "applicationsets", "applicationset", "appset", "appsets").status().generation(),
		served(group, version, "AppProject", "appprojects", "appproject", "appproj", "appprojs").generation(),
		rollout,
		served(group, version, "AnalysisRun", "analysisruns", "analysisrun", "ar").generation(),
		served(group, version, "AnalysisTemplate", "analysistemplates", "analysistemplate", "at").generation(),
		served(group, version, "ClusterAnalysisTemplate", "clusteranalysistemplates", "clusteranalysistemplate", "cat").cluster().generation(),
		served(group, version, "Experiment", "experiments", "experiment", "exp").generation(),
	}
}

// Builtin is everything that the local target keeps.
func Builtin() []Served { return append(Workloads(), Argo()...) }

// sort is what one kind of a store is known by, whatever its version.
type sort struct{ group, kind string }

func (s *Store) served(kind manifest.Kind) (*Served, error) {
	k, ok := s.kinds[sort{kind.Group, kind.Kind}]
	if !ok || kind.Version != "" && kind.Version != k.Kind.Version {
		return nil, &manifest.Refusal{
			Code: 404, Reason: manifest.ReasonNoKind,
			Message: "no matches for kind \"" + kind.Kind + "\" in version \"" + kind.APIVersion() + "\"",
		}
	}
	return k, nil
}

// Discovered is the kind as discovery tells it.
func (s Served) Discovered() manifest.Discovered {
	return manifest.Discovered{Kind: s.Kind, Plural: s.Plural, Namespaced: s.Namespaced, Verbs: slices.Clone(verbs), Preferred: true}
}
