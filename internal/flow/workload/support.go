package workload

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The faults of this package.
const (
	CodeKind    = "SL5401" // the local target does not run the kind
	CodeField   = "SL5402" // a field is not honoured
	CodeRefused = "SL5403" // a field cannot be passed over
	CodeStored  = "SL5404" // the kind is kept and nothing is done for it
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeKind, Summary: "the local target does not run this kind", Text: "`sluice up` runs workloads, Services and Argo's kinds on this machine. An object of another kind is refused, since what it asks for would not be there. Move it to a folder that only clusters get (an overlay)."},
	{Code: CodeField, Summary: "the local target does not honour a field", Text: "The object runs, without what the field asks for. The table of what is honoured stands in the documentation of the local target."},
	{Code: CodeRefused, Summary: "a field asks for what the local target cannot do", Text: "Running the object without it would be wrong or unsafe, so nothing is started. The message names the field."},
	{Code: CodeStored, Summary: "the kind is kept and nothing is done for it", Text: "The object can be read and changed by kubectl, and what refers to it finds it; on one machine there is nothing to do for it."},
}

// Level is what the local target does with something.
type Level string

// The levels.
const (
	Refused Level = "refused" // `sluice up` does not start
	Ignored Level = "ignored" // a warning; the object runs without it
	Stored  Level = "stored"  // a warning; the object is kept
)

// Entry is one line of what the local target does not honour. Path is the field below the object, "*" for each entry of a
// list, "{pod}" for where the kind has its pod's spec; "" means the whole kind.
type Entry struct {
	Kind  string // group/Kind, "{pod}" for every kind that has pods
	Path  string
	Value string // only this value, "" for any
	Level Level
	What  string
	Hint  string
}

// Runs are the kinds that the local target does something for, by group/Kind.
var Runs = map[string]string{
	"Namespace":                           "A namespace of the object store.",
	"Pod":                                 "Processes of this machine, or containers where an engine is there.",
	"Service":                             "A listener on a loopback address of its own, with the pods behind it.",
	"ConfigMap":                           "Environment and files of pods.",
	"Secret":                              "Environment and files of pods.",
	"PersistentVolumeClaim":               "A folder of the state folder, bound at once.",
	"ServiceAccount":                      "Kept for what refers to it; pods get no token.",
	"Event":                               "Kept for an hour.",
	"Endpoints":                           "Kept; a Service without a selector sends to what its EndpointSlices name.",
	"apps/Deployment":                     "ReplicaSets: rolling update and recreate, history, pause, progress deadline.",
	"apps/ReplicaSet":                     "Pods.",
	"apps/StatefulSet":                    "Pods by ordinals, claims, ordered and parallel, partition, OnDelete.",
	"apps/DaemonSet":                      "One pod: there is one node.",
	"apps/ControllerRevision":             "The history of StatefulSets.",
	"batch/Job":                           "Pods: completions, parallelism, indexed, back-off, deadline, time to live, suspend.",
	"batch/CronJob":                       "Jobs: schedule, time zone, concurrency, deadline, history, suspend.",
	"discovery.k8s.io/EndpointSlice":      "Made for each Service with a selector.",
	"argoproj.io/Application":             "As on a cluster.",
	"argoproj.io/AppProject":              "As on a cluster.",
	"argoproj.io/Rollout":                 "As on a cluster; traffic by the built-in proxy.",
	"argoproj.io/AnalysisRun":             "As on a cluster.",
	"argoproj.io/AnalysisTemplate":        "As on a cluster.",
	"argoproj.io/ClusterAnalysisTemplate": "As on a cluster.",
	"argoproj.io/Experiment":              "As on a cluster.",
}

const (
	routed    = "no mesh and no gateway runs here: Services send requests straight to their pods, and the built-in proxy weighs those of a Rollout"
	asked     = "reach the Service at the address that `sluice up` prints"
	unruled   = "pods have no token, and who has this API's token may do everything"
	unwatched = "no Prometheus runs here; the proxy measures the requests itself"
)

// Support is what the local target does not honour, of the kinds that it takes.
var Support = []Entry{
	{Kind: "networking.k8s.io/Ingress", Level: Stored, What: "no ingress controller runs here", Hint: asked},
	{Kind: "networking.k8s.io/IngressClass", Level: Stored, What: "no ingress controller runs here"},
	{Kind: "networking.k8s.io/NetworkPolicy", Level: Stored, What: "traffic between processes of this machine is not filtered"},
	{Kind: "networking.istio.io/VirtualService", Level: Stored, What: routed, Hint: asked},
	{Kind: "networking.istio.io/DestinationRule", Level: Stored, What: routed, Hint: asked},
	{Kind: "networking.istio.io/Gateway", Level: Stored, What: routed, Hint: asked},
	{Kind: "gateway.networking.k8s.io/HTTPRoute", Level: Stored, What: routed, Hint: asked},
	{Kind: "gateway.networking.k8s.io/Gateway", Level: Stored, What: routed, Hint: asked},
	{Kind: "autoscaling/HorizontalPodAutoscaler", Level: Stored, What: "nothing scales by load here: replicas stay as the manifest says"},
	{Kind: "policy/PodDisruptionBudget", Level: Stored, What: "no pod is evicted here"},
	{Kind: "rbac.authorization.k8s.io/Role", Level: Stored, What: unruled},
	{Kind: "rbac.authorization.k8s.io/RoleBinding", Level: Stored, What: unruled},
	{Kind: "rbac.authorization.k8s.io/ClusterRole", Level: Stored, What: unruled},
	{Kind: "rbac.authorization.k8s.io/ClusterRoleBinding", Level: Stored, What: unruled},
	{Kind: "scheduling.k8s.io/PriorityClass", Level: Stored, What: "no pod gives way to another here"},
	{Kind: "storage.k8s.io/StorageClass", Level: Stored, What: "claims are bound to folders of the state folder, whatever their class"},
	{Kind: "monitoring.coreos.com/ServiceMonitor", Level: Stored, What: unwatched},
	{Kind: "monitoring.coreos.com/PodMonitor", Level: Stored, What: unwatched},
	{Kind: "monitoring.coreos.com/PrometheusRule", Level: Stored, What: unwatched},
	{Kind: "ResourceQuota", Level: Stored, What: "quotas are not enforced"},
	{Kind: "LimitRange", Level: Stored, What: "limits are not enforced and no defaults are taken from it"},
	{Kind: "PersistentVolume", Level: Stored, What: "claims are bound to folders of the state folder, not to it"},
	{Kind: "argoproj.io/ApplicationSet", Level: Stored, What: "`sluice up` makes no Applications of it"},
	{Kind: "Node", Level: Refused, What: "there is one node, and it is this machine"},
	{Kind: "ReplicationController", Level: Refused, What: "nothing runs ReplicationControllers here", Hint: "use a Deployment"},
	{Kind: "PodTemplate", Level: Stored, What: "nothing uses PodTemplates here"},

	{Kind: "Service", Path: "spec.type", Value: "ExternalName", Level: Ignored, What: "there is no DNS here that could answer with another name"},
	{Kind: "Service", Path: "spec.ports.*.protocol", Value: "UDP", Level: Ignored, What: "the proxy forwards TCP only"},
	{Kind: "Service", Path: "spec.ports.*.protocol", Value: "SCTP", Level: Ignored, What: "the proxy forwards TCP only"},
	{Kind: "Service", Path: "spec.sessionAffinity", Value: "ClientIP", Level: Ignored, What: "all clients have this machine's address, so sessions are not told apart by it"},
	{Kind: "Service", Path: "spec.externalIPs", Level: Ignored, What: "Services listen on loopback only"},
	{Kind: "Service", Path: "spec.loadBalancerSourceRanges", Level: Ignored, What: "Services listen on loopback only"},

	{Kind: "batch/Job", Path: "spec.podFailurePolicy", Level: Ignored, What: "every failure of a pod counts towards backoffLimit"},
	{Kind: "batch/Job", Path: "spec.successPolicy", Level: Ignored, What: "the Job ends when all completions are there"},
	{Kind: "batch/Job", Path: "spec.backoffLimitPerIndex", Level: Ignored, What: "failures count towards backoffLimit, whatever their index"},
	{Kind: "batch/Job", Path: "spec.maxFailedIndexes", Level: Ignored, What: "failures count towards backoffLimit, whatever their index"},
	{Kind: "batch/Job", Path: "spec.managedBy", Level: Ignored, What: "the Job is run here, whoever is named"},
	{Kind: "apps/StatefulSet", Path: "spec.updateStrategy.rollingUpdate.maxUnavailable", Level: Ignored, What: "one pod is updated at a time"},
	{Kind: "apps/StatefulSet", Path: "spec.persistentVolumeClaimRetentionPolicy", Level: Ignored, What: "claims are kept"},

	{Kind: "{pod}", Path: "{pod}.containers.*.resources.limits", Level: Ignored, What: "resource limits are not enforced on processes of this machine"},
	{Kind: "{pod}", Path: "{pod}.containers.*.securityContext", Level: Ignored, What: "processes run as the user who ran `sluice up`"},
	{Kind: "{pod}", Path: "{pod}.securityContext", Level: Ignored, What: "processes run as the user who ran `sluice up`"},
	{Kind: "{pod}", Path: "{pod}.containers.*.volumeDevices", Level: Refused, What: "there are no block devices for pods here"},
	{Kind: "{pod}", Path: "{pod}.containers.*.stdin", Level: Ignored, What: "containers have no standard input"},
	{Kind: "{pod}", Path: "{pod}.containers.*.tty", Level: Ignored, What: "containers have no terminal"},
	{Kind: "{pod}", Path: "{pod}.imagePullSecrets", Level: Ignored, What: "images are pulled as the engine pulls them without a login", Hint: "pull private images before, with `docker pull`"},
	{Kind: "{pod}", Path: "{pod}.hostAliases", Level: Ignored, What: "hosts are those of this machine and the Services"},
	{Kind: "{pod}", Path: "{pod}.dnsConfig", Level: Ignored, What: "names are those of this machine and the Services"},
	{Kind: "{pod}", Path: "{pod}.runtimeClassName", Level: Ignored, What: "processes run as any other of this machine"},
	{Kind: "{pod}", Path: "{pod}.ephemeralContainers", Level: Ignored, What: "ephemeral containers are not run"},
	{Kind: "{pod}", Path: "{pod}.readinessGates", Level: Ignored, What: "a pod is ready when its containers are"},
}

// volumes are the sources of volumes that are honoured; all others are refused.
var volumes = []string{"emptyDir", "configMap", "secret", "hostPath", "persistentVolumeClaim", "projected", "downwardAPI"}

// podPath is where a kind has its pod's spec.
func podPath(kind string) []string {
	switch kind {
	case "Pod":
		return []string{"spec"}
	case "apps/Deployment", "apps/ReplicaSet", "apps/StatefulSet", "apps/DaemonSet", "batch/Job", "argoproj.io/Rollout":
		return []string{"spec", "template", "spec"}
	case "batch/CronJob":
		return []string{"spec", "jobTemplate", "spec", "template", "spec"}
	}
	return nil
}

// Finding is what the local target does not honour in an object. Path leads to it: keys, and numbers for places in lists.
type Finding struct {
	Path  []string
	Code  string
	Error bool
	What  string
	Hint  string
}

// Check finds what in an object the local target does not honour.
func Check(o manifest.Object) []Finding {
	kind := o.Kind().String()
	var out []Finding
	if _, ok := Runs[kind]; !ok {
		e := slices.IndexFunc(Support, func(e Entry) bool { return e.Kind == kind && e.Path == "" })
		if e < 0 {
			return []Finding{{Path: []string{"kind"}, Code: CodeKind, Error: true, What: fmt.Sprintf("the local target does not run objects of the kind %s", kind), Hint: "keep it in an overlay that only clusters get"}}
		}
		if Support[e].Level == Refused {
			return []Finding{{Path: []string{"kind"}, Code: CodeKind, Error: true, What: Support[e].What, Hint: Support[e].Hint}}
		}
		out = append(out, Finding{Path: []string{"kind"}, Code: CodeStored, What: fmt.Sprintf("%s is kept and has no effect: %s", o.Text("kind"), Support[e].What), Hint: Support[e].Hint})
	}
	pod := podPath(kind)
	for _, e := range Support {
		if e.Path == "" || e.Kind != kind && (e.Kind != "{pod}" || pod == nil) {
			continue
		}
		for _, path := range matches(o, e, pod) {
			f := Finding{Path: path, Code: CodeField, What: strings.Join(path, ".") + " is not honoured: " + e.What, Hint: e.Hint}
			if e.Level == Refused {
				f.Code, f.Error, f.What = CodeRefused, true, strings.Join(path, ".")+": "+e.What
			}
			out = append(out, f)
		}
	}
	return append(out, checkVolumes(o, pod)...)
}

func checkVolumes(o manifest.Object, pod []string) []Finding {
	if pod == nil {
		return nil
	}
	var out []Finding
	for i, v := range o.List(append(slices.Clone(pod), "volumes")...) {
		m, _ := v.(map[string]any)
		for source := range m {
			if source != "name" && !slices.Contains(volumes, source) {
				path := append(slices.Clone(pod), "volumes", strconv.Itoa(i), source)
				out = append(out, Finding{
					Path: path, Code: CodeRefused, Error: true, What: fmt.Sprintf("%s: volumes of the kind %s are not supported", strings.Join(path, "."), source),
					Hint: "supported are " + strings.Join(volumes, ", "),
				})
			}
		}
	}
	return out
}

// matches are the places in an object that an entry means. What is empty or false asks for nothing.
func matches(o manifest.Object, e Entry, pod []string) [][]string {
	path := e.Path
	if e.Kind == "{pod}" {
		path = strings.Replace(path, "{pod}", strings.Join(pod, "."), 1)
	}
	var out [][]string
	paths := []string{path}
	if strings.Contains(path, ".containers.*") && e.Kind == "{pod}" {
		paths = append(paths, strings.Replace(path, ".containers.*", ".initContainers.*", 1))
	}
	for _, p := range paths {
		walk(map[string]any(o), strings.Split(p, "."), nil, func(at []string, v any) {
			if e.Value != "" && v != e.Value || empty(v) || e.Path == "spec.persistentVolumeClaimRetentionPolicy" && keeps(v) {
				return
			}
			out = append(out, at)
		})
	}
	return out
}

// keeps says that a retention policy asks for what is done anyway.
func keeps(v any) bool {
	m, _ := v.(map[string]any)
	for _, how := range m {
		if how != "Retain" {
			return false
		}
	}
	return true
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

func walk(v any, path, at []string, found func([]string, any)) {
	if len(path) == 0 {
		found(at, v)
		return
	}
	if path[0] == "*" {
		list, _ := v.([]any)
		for i, e := range list {
			walk(e, path[1:], append(slices.Clone(at), strconv.Itoa(i)), found)
		}
		return
	}
	if m, ok := v.(map[string]any); ok {
		if e, ok := m[path[0]]; ok {
			walk(e, path[1:], append(slices.Clone(at), path[0]), found)
		}
	}
}
