// Package health says how one live Kubernetes object does, by the rules of Argo CD's built-in assessments and in its words.
// It looks at the object alone: an application's health is folded elsewhere, scripts in Lua are dialect/argo/lua's, and
// the clock is never asked. Page: argo-cd.readthedocs.io, operator-manual/health.
package health

import (
	"fmt"
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Status is a health status; "" says that nothing assesses the object, which counts as Healthy where many are folded.
type Status string

// The statuses, from the most to the least healthy.
const (
	Healthy     Status = "Healthy"
	Suspended   Status = "Suspended"
	Progressing Status = "Progressing"
	Missing     Status = "Missing"
	Degraded    Status = "Degraded"
	Unknown     Status = "Unknown"
)

var order = []Status{Healthy, Suspended, Progressing, Missing, Degraded, Unknown}

// Valid reports whether s is one of the six statuses.
func (s Status) Valid() bool { return slices.Contains(order, s) }

// Worse reports whether b is worse than a. What is no status counts as Healthy.
func Worse(a, b Status) bool { return slices.Index(order, b) > max(0, slices.Index(order, a)) }

// Worst is the worst of several statuses, Healthy of none.
func Worst(all ...Status) Status {
	worst := Healthy
	for _, s := range all {
		if Worse(worst, s) {
			worst = s
		}
	}
	return worst
}

// Result is an assessment: the status and, where there is more to say, why.
type Result struct {
	Status  Status `json:"status,omitempty"`
	Message string `json:"message,omitempty"`
}

// The annotations and the finalizer that matter here.
const (
	// IgnoreAnnotation set to "true" keeps an object's health out of its application's.
	IgnoreAnnotation = "argocd.argoproj.io/ignore-healthcheck"
	// RestartAnnotation on a Pod that is not restarted always lets it become Healthy once it is ready.
	RestartAnnotation = "argocd.argoproj.io/ignore-restart-policy"
	// HookFinalizer keeps a hook until the sync has seen its end; such an object is assessed also while it is deleted.
	HookFinalizer = "argocd.argoproj.io/hook-finalizer"
)

// Ignored reports whether the object asks to be left out of its application's health.
func Ignored(o manifest.Object) bool { return o.Annotation(IgnoreAnnotation) == "true" }

// Deletion is the assessment of an object whose deletion has begun: it comes before every script and rule. It is false
// for other objects and for hooks that wait for the sync to see them.
func Deletion(o manifest.Object) (Result, bool) {
	if !o.Deleting() || slices.Contains(o.List("metadata", "finalizers"), any(HookFinalizer)) {
		return Result{}, false
	}
	return Result{Progressing, "Pending deletion"}, true
}

// assessor looks at one object of its kind.
type assessor struct {
	versions []string // that the rule knows; nil for all
	assess   func(*fields) Result
}

var assessors = map[string]assessor{
	"apps/Deployment":                     {[]string{"v1"}, deployment},
	"apps/ReplicaSet":                     {[]string{"v1"}, replicaSet},
	"apps/StatefulSet":                    {[]string{"v1"}, statefulSet},
	"apps/DaemonSet":                      {[]string{"v1"}, daemonSet},
	"Service":                             {[]string{"v1"}, service},
	"PersistentVolumeClaim":               {[]string{"v1"}, claim},
	"Pod":                                 {[]string{"v1"}, pod},
	"extensions/Ingress":                  {nil, ingress},
	"networking.k8s.io/Ingress":           {nil, ingress},
	"batch/Job":                           {[]string{"v1"}, job},
	"autoscaling/HorizontalPodAutoscaler": {[]string{"v1", "v2", "v2beta1", "v2beta2"}, autoscaler},
	"apiregistration.k8s.io/APIService":   {[]string{"v1", "v1beta1"}, apiService},
	"argoproj.io/Workflow":                {nil, workflow},
}

// BuiltIn reports whether Assess has a rule for the kind, whatever its version.
func BuiltIn(k manifest.Kind) bool {
	_, ok := assessors[k.String()]
	return ok
}

// Assess is the health of a live object by the built-in rules; false where its kind has none. An object whose fields are
// not of the types that its kind has is Unknown with the reason.
func Assess(o manifest.Object) (Result, bool) {
	if r, ok := Deletion(o); ok {
		return r, true
	}
	k := o.Kind()
	a, ok := assessors[k.String()]
	if !ok {
		return Result{}, false
	}
	if a.versions != nil && !slices.Contains(a.versions, k.Version) {
		return Result{Unknown, fmt.Sprintf("unsupported %s GVK: %s/%s, Kind=%s", short(k.Kind), k.Group, k.Version, k.Kind)}, true
	}
	f := &fields{Object: o}
	r := a.assess(f)
	if f.wrong != "" {
		return Result{Unknown, fmt.Sprintf("failed to convert unstructured %s to typed: %s", short(k.Kind), f.wrong)}, true
	}
	return r, true
}

func short(kind string) string {
	if kind == "HorizontalPodAutoscaler" {
		return "HPA"
	}
	return kind
}
