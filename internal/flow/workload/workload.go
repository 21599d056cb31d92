// Package workload decides what Kubernetes' own workloads do on the local target: Deployment to ReplicaSets, ReplicaSet,
// StatefulSet, DaemonSet and Job to Pods, CronJob to Jobs, Service to endpoints. Its input is what was read, its output what
// is to be written; it touches nothing and keeps no clock. The rules are those of https://kubernetes.io/docs/concepts/workloads/,
// for one node; what of them is not kept here stands in Support.
package workload

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Node is the name of the one node.
const Node = "local"

// The kinds that are made or changed.
var (
	Pod                = manifest.Kind{Version: "v1", Kind: "Pod"}
	Service            = manifest.Kind{Version: "v1", Kind: "Service"}
	Claim              = manifest.Kind{Version: "v1", Kind: "PersistentVolumeClaim"}
	DeploymentKind     = manifest.Kind{Group: "apps", Version: "v1", Kind: "Deployment"}
	ReplicaSetKind     = manifest.Kind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}
	StatefulSetKind    = manifest.Kind{Group: "apps", Version: "v1", Kind: "StatefulSet"}
	DaemonSetKind      = manifest.Kind{Group: "apps", Version: "v1", Kind: "DaemonSet"}
	ControllerRevision = manifest.Kind{Group: "apps", Version: "v1", Kind: "ControllerRevision"}
	JobKind            = manifest.Kind{Group: "batch", Version: "v1", Kind: "Job"}
	CronJobKind        = manifest.Kind{Group: "batch", Version: "v1", Kind: "CronJob"}
	EndpointSlice      = manifest.Kind{Group: "discovery.k8s.io", Version: "v1", Kind: "EndpointSlice"}
)

// Decision is what is to be done: the actions one after the other, then the status. After is when to decide anew though
// nothing changed; zero for never.
type Decision struct {
	Actions []Action
	Status  manifest.Object // the whole status, nil where it stays as it is
	// Annotations are to be set on the object itself ("" removes).
	Annotations map[string]string
	After       time.Duration
}

// Action is one thing to do.
type Action interface{ action() }

// The actions.
type (
	// Create makes an object; one that is there already is left as it is where it is a PersistentVolumeClaim or a ControllerRevision.
	Create struct{ Object manifest.Object }
	// Patch merges a patch into an object of the same namespace.
	Patch struct {
		Kind  manifest.Kind
		Name  string
		Patch manifest.Object
	}
	// Delete removes an object of the same namespace, if it is still the one of the UID.
	Delete struct {
		Kind        manifest.Kind
		Name, UID   string
		Propagation string
	}
	// Event is told to whoever watches, about the object that was decided on.
	Event struct {
		Reason, Message string
		Warning         bool
	}
)

func (Create) action() {}
func (Patch) action()  {}
func (Delete) action() {}
func (Event) action()  {}

// later makes sure that the decision is taken anew after a while, or sooner.
func (d *Decision) later(after time.Duration) {
	if after = max(after, time.Millisecond); d.After == 0 || after < d.After {
		d.After = after
	}
}

func (d *Decision) do(a ...Action) { d.Actions = append(d.Actions, a...) }

func (d *Decision) tell(reason, format string, args ...any) {
	d.do(Event{Reason: reason, Message: fmt.Sprintf(format, args...)})
}

func (d *Decision) warn(reason, format string, args ...any) {
	d.do(Event{Reason: reason, Message: fmt.Sprintf(format, args...), Warning: true})
}

// settle sets the status where it differs from the one that was read.
func (d *Decision) settle(was, is any) error {
	if reflect.DeepEqual(was, is) {
		return nil
	}
	a, err := manifest.From(was)
	if err != nil {
		return err
	}
	b, err := manifest.From(is)
	if err != nil {
		return err
	}
	if string(a.JSON()) != string(b.JSON()) {
		d.Status = b
	}
	return nil
}

// read decodes an object into its Kubernetes type.
func read[T any](o manifest.Object) (T, error) {
	var v T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o, &v); err != nil {
		return v, fmt.Errorf("read %s: %w", o.Key(), err)
	}
	return v, nil
}

func readAll[T any](list []manifest.Object) ([]*T, error) {
	out := make([]*T, 0, len(list))
	for _, o := range list {
		v, err := read[T](o)
		if err != nil {
			return nil, err
		}
		out = append(out, &v)
	}
	return out, nil
}

// write makes an object of a value, with its kind.
func write(kind manifest.Kind, v any) (manifest.Object, error) {
	o, err := manifest.From(v)
	if err != nil {
		return nil, err
	}
	o["apiVersion"], o["kind"] = kind.APIVersion(), kind.Kind
	o.Drop("metadata", "creationTimestamp")
	if s := o.Sub("status"); s != nil {
		delete(o, "status")
	}
	return o, nil
}

// owner is the reference by which a made object belongs to its maker.
func owner(kind manifest.Kind, m metav1.ObjectMeta) []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{APIVersion: kind.APIVersion(), Kind: kind.Kind, Name: m.Name, UID: m.UID, Controller: &yes, BlockOwnerDeletion: &yes}}
}

// belongs says whether a controller's reference names m.
func belongs(to, m metav1.ObjectMeta) bool {
	c := metav1.GetControllerOf(&m)
	return c != nil && c.UID == to.UID
}

// claim sorts objects that may belong to a controller: its own that match, orphans to adopt, and own ones to release.
func claim(kind manifest.Kind, to metav1.ObjectMeta, selector labels.Selector, of manifest.Kind, m metav1.ObjectMeta) (mine bool, a Action) {
	matches := selector.Matches(labels.Set(m.Labels))
	switch c := metav1.GetControllerOf(&m); {
	case c != nil && c.UID == to.UID:
		if matches || to.DeletionTimestamp != nil {
			return true, nil
		}
		rest := slices.DeleteFunc(slices.Clone(m.OwnerReferences), func(w metav1.OwnerReference) bool { return w.UID == to.UID })
		return false, Patch{Kind: of, Name: m.Name, Patch: owned(rest, m)}
	case c == nil && matches && m.DeletionTimestamp == nil && to.DeletionTimestamp == nil:
		return true, Patch{Kind: of, Name: m.Name, Patch: owned(append(slices.Clone(m.OwnerReferences), owner(kind, to)...), m)}
	}
	return false, nil
}

// owned is the patch that sets owners, of the object with this UID alone.
func owned(refs []metav1.OwnerReference, m metav1.ObjectMeta) manifest.Object {
	list := []any{}
	for _, r := range refs {
		if o, err := manifest.From(r); err == nil {
			list = append(list, map[string]any(o))
		}
	}
	return manifest.Object{"metadata": map[string]any{"ownerReferences": list, "uid": string(m.UID)}}
}

// digest is a short name of a value: that of a pod template and, after a clash of names, its count.
func digest(v any, collisions *int32) (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	h := fnv.New32a()
	h.Write(data)
	if collisions != nil {
		fmt.Fprintf(h, "#%d", *collisions)
	}
	return rand.SafeEncodeString(fmt.Sprint(h.Sum32())), nil
}

// active says that a pod counts: it has not ended and is not being deleted.
func active(p *corev1.Pod) bool {
	return p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed && p.DeletionTimestamp == nil
}

// Ready says whether a pod's Ready condition is true, and since when.
func Ready(p *corev1.Pod) (bool, time.Time) {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue, c.LastTransitionTime.Time
		}
	}
	return false, time.Time{}
}

// available says whether a pod has been ready long enough, and else how long that takes yet; 0 where it is not ready.
func available(p *corev1.Pod, minReady int32, now time.Time) (bool, time.Duration) {
	ready, since := Ready(p)
	if !ready {
		return false, 0
	}
	left := since.Add(time.Duration(minReady) * time.Second).Sub(now)
	return minReady == 0 || left <= 0, max(left, 0)
}

// podOf is a pod of a template.
func podOf(t corev1.PodTemplateSpec, namespace string, owners []metav1.OwnerReference) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Labels: maps.Clone(t.Labels), Annotations: maps.Clone(t.Annotations), Finalizers: t.Finalizers, OwnerReferences: owners},
		Spec:       *t.Spec.DeepCopy(),
	}
}

func label(m *map[string]string, key, value string) {
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[key] = value
}

// base is the front of generated names, cut so that the suffix fits.
func base(name string) string {
	const most = 253 - 6
	return strings.TrimRight(name[:min(len(name), most)], "-.") + "-"
}

func number(p *int32, other int32) int32 {
	if p == nil {
		return other
	}
	return *p
}
