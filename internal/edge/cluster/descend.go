package cluster

import (
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// owns says what objects of a kind make and own, by the controllers that Kubernetes and Argo bring.
var owns = map[string][]string{
	"apps/Deployment": {"apps/ReplicaSet"}, "apps/ReplicaSet": {"Pod"}, "ReplicationController": {"Pod"},
	"apps/StatefulSet": {"Pod", "apps/ControllerRevision", "PersistentVolumeClaim"}, "apps/DaemonSet": {"Pod", "apps/ControllerRevision"},
	"batch/CronJob": {"batch/Job"}, "batch/Job": {"Pod"},
	"Service": {"discovery.k8s.io/EndpointSlice"}, "argoproj.io/ApplicationSet": {"argoproj.io/Application"},
	"argoproj.io/Rollout":    {"apps/ReplicaSet", "argoproj.io/AnalysisRun", "argoproj.io/Experiment"},
	"argoproj.io/Experiment": {"apps/ReplicaSet", "argoproj.io/AnalysisRun", "Service"}, "argoproj.io/AnalysisRun": {"batch/Job"},
}

// others is what a custom resource may own; of its controller nothing is known.
var others = []string{"apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "apps/ReplicaSet", "batch/Job", "batch/CronJob", "Pod", "Service", "ConfigMap"}

// builtin are the groups of Kubernetes itself; their kinds own what owns says and nothing else.
var builtin = map[string]bool{
	"": true, "apps": true, "batch": true, "autoscaling": true, "policy": true, "networking.k8s.io": true, "rbac.authorization.k8s.io": true,
	"storage.k8s.io": true, "apiextensions.k8s.io": true, "apiregistration.k8s.io": true, "admissionregistration.k8s.io": true,
	"scheduling.k8s.io": true, "coordination.k8s.io": true, "node.k8s.io": true, "certificates.k8s.io": true, "discovery.k8s.io": true,
	"events.k8s.io": true, "flowcontrol.apiserver.k8s.io": true, "gateway.networking.k8s.io": true, "argoproj.io": true,
}

// follows is a kind to watch.
type follows struct {
	manifest.Discovered
	needed bool // asked for by itself
}

// descend gives the kinds that are served, each followed by what they may own. A version that is not served is watched in
// the group's preferred one.
func descend(served map[manifest.Kind]manifest.Discovered, kinds []manifest.Kind) []follows {
	var out []follows
	seen := map[manifest.Kind]bool{}
	bare := func(k manifest.Kind) manifest.Kind { return manifest.Kind{Group: k.Group, Kind: k.Kind} }
	named := map[string]manifest.Kind{}
	for k := range served {
		named[k.String()] = bare(k)
	}
	for _, k := range kinds {
		d, ok := served[k]
		if !ok {
			d, ok = served[bare(k)]
		}
		if ok && !seen[d.Kind] {
			seen[d.Kind], seen[bare(k)] = true, true
			out = append(out, follows{d, true})
		}
	}
	for i := 0; i < len(out); i++ {
		of := owns[out[i].Kind.String()]
		if !builtin[out[i].Kind.Group] {
			of = others
		}
		for _, name := range of {
			if k, ok := named[name]; ok && !seen[k] {
				seen[k] = true
				out = append(out, follows{served[k], false})
			}
		}
	}
	return out
}
