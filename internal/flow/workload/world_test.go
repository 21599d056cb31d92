package workload_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/workload"
	"sigs.k8s.io/yaml"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a small cluster: objects by key, a clock, and pods that do what the test says.
type world struct {
	t       fataler
	objects map[manifest.Key]manifest.Object
	now     time.Time
	made    int
	events  []string
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func newWorld(t fataler, text ...string) *world {
	w := &world{t: t, objects: map[manifest.Key]manifest.Object{}, now: start}
	for _, s := range text {
		w.create(object(t, s))
	}
	return w
}

func object(t fataler, text string) manifest.Object {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v", err)
	}
	o, err := manifest.Parse(data)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return o
}

func (w *world) stamp() string { return w.now.UTC().Format(time.RFC3339) }

func (w *world) create(o manifest.Object) manifest.Object {
	o = o.Copy()
	w.made++
	if o.Name() == "" {
		o.Set(fmt.Sprintf("%s%03d", o.GenerateName(), w.made), "metadata", "name")
	}
	if o.Namespace() == "" {
		o.Set("default", "metadata", "namespace")
	}
	if _, there := w.objects[o.Key()]; there {
		if o.Text("kind") != "PersistentVolumeClaim" && o.Text("kind") != "ControllerRevision" {
			w.t.Fatalf("%s is made twice", o.Key())
		}
		return o
	}
	o.Set(fmt.Sprintf("uid-%d", w.made), "metadata", "uid")
	o.Set(w.stamp(), "metadata", "creationTimestamp")
	o.Set(int64(1), "metadata", "generation")
	w.objects[o.Key()] = o
	return o
}

func (w *world) get(kind manifest.Kind, name string) manifest.Object {
	return w.objects[manifest.Key{Group: kind.Group, Kind: kind.Kind, Namespace: "default", Name: name}]
}

func (w *world) list(kind manifest.Kind) []manifest.Object {
	var out []manifest.Object
	for k, o := range w.objects {
		if k.Group == kind.Group && k.Kind == kind.Kind {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b manifest.Object) int { return strings.Compare(a.Name(), b.Name()) })
	return out
}

// merge is a merge patch.
func merge(into, patch map[string]any) {
	for k, v := range patch {
		if v == nil {
			delete(into, k)
			continue
		}
		pm, ok := v.(map[string]any)
		im, is := into[k].(map[string]any)
		if ok && is {
			merge(im, pm)
			continue
		}
		into[k] = v
	}
}

// do carries a decision out.
func (w *world) do(o manifest.Object, d workload.Decision, err error) bool {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v", o.Key(), err)
	}
	for _, a := range d.Actions {
		switch a := a.(type) {
		case workload.Create:
			w.create(a.Object)
		case workload.Patch:
			target := w.get(a.Kind, a.Name)
			if target == nil {
				w.t.Fatalf("a patch of %s %s, which is not there", a.Kind, a.Name)
			}
			_, spec := a.Patch["spec"]
			merge(target, a.Patch.Copy())
			if spec {
				target.Set(target.Int(0, "metadata", "generation")+1, "metadata", "generation")
			}
		case workload.Delete:
			target := w.get(a.Kind, a.Name)
			switch {
			case target == nil || target.UID() != a.UID:
				w.t.Fatalf("a deletion of %s %s, which is not there", a.Kind, a.Name)
			case a.Kind.Kind == "Pod" && target.Text("status", "phase") == "Running":
				target.Set(w.stamp(), "metadata", "deletionTimestamp")
			default:
				w.remove(target)
			}
		case workload.Event:
			w.events = append(w.events, a.Reason+": "+a.Message)
		}
	}
	for k, v := range d.Annotations {
		o.SetAnnotation(k, v)
	}
	if d.Status != nil {
		o["status"] = map[string]any(d.Status.Copy())
	}
	acts := slices.ContainsFunc(d.Actions, func(a workload.Action) bool { _, told := a.(workload.Event); return !told })
	return acts || d.Status != nil || len(d.Annotations) > 0
}

func (w *world) remove(o manifest.Object) {
	delete(w.objects, o.Key())
	for _, e := range w.objects {
		if c, ok := e.Controller(); ok && c.UID == o.UID() {
			w.remove(e)
		}
	}
}

// step decides on every object once and says whether anything changed.
func (w *world) step() bool {
	changed := false
	for _, o := range w.list(workload.CronJobKind) {
		d, err := workload.CronJob(workload.CronJobWorld{CronJob: o, Jobs: w.list(workload.JobKind), Now: w.now})
		changed = w.do(o, d, err) || changed
	}
	for _, o := range w.list(workload.DeploymentKind) {
		d, err := workload.Deployment(workload.DeploymentWorld{Deployment: o, ReplicaSets: w.list(workload.ReplicaSetKind), Pods: w.list(workload.Pod), Now: w.now})
		changed = w.do(o, d, err) || changed
	}
	for _, o := range w.list(workload.ReplicaSetKind) {
		d, err := workload.ReplicaSet(workload.ReplicaSetWorld{ReplicaSet: o, Pods: w.list(workload.Pod), Now: w.now})
		changed = w.do(o, d, err) || changed
	}
	for _, o := range w.list(workload.StatefulSetKind) {
		d, err := workload.StatefulSet(workload.StatefulSetWorld{StatefulSet: o, Pods: w.list(workload.Pod), Revisions: w.list(workload.ControllerRevision), Now: w.now})
		changed = w.do(o, d, err) || changed
	}
	for _, o := range w.list(workload.DaemonSetKind) {
		d, err := workload.DaemonSet(workload.DaemonSetWorld{DaemonSet: o, Pods: w.list(workload.Pod), Now: w.now})
		changed = w.do(o, d, err) || changed
	}
	for _, o := range w.list(workload.JobKind) {
		if w.get(workload.JobKind, o.Name()) == nil {
			continue
		}
		d, err := workload.Job(workload.JobWorld{Job: o, Pods: w.list(workload.Pod), Now: w.now})
		changed = w.do(o, d, err) || changed
	}
	return changed
}

// settle steps until nothing changes.
func (w *world) settle() {
	w.t.Helper()
	for range 100 {
		if !w.step() {
			return
		}
	}
	w.t.Fatalf("it does not come to rest")
}

// The lives of a pod.
func (w *world) phase(p manifest.Object, phase string, ready bool) {
	p.Set(phase, "status", "phase")
	p.Set(workload.Node, "spec", "nodeName")
	truth := "False"
	if ready {
		truth = "True"
	}
	p.Set([]any{map[string]any{"type": "Ready", "status": truth, "lastTransitionTime": w.stamp()}}, "status", "conditions")
}

// live brings every pod on: those that leave go, those that are new run and are ready.
func (w *world) live() {
	for _, p := range w.list(workload.Pod) {
		switch {
		case p.Deleting():
			w.remove(p)
		case p.Text("status", "phase") == "":
			w.phase(p, "Running", true)
		}
	}
}

// run goes on until all is at rest and every pod is ready.
func (w *world) run() {
	w.t.Helper()
	for range 200 {
		w.settle()
		before := len(w.events)
		w.live()
		w.now = w.now.Add(time.Second)
		if !w.step() && before == len(w.events) {
			return
		}
	}
	w.t.Fatalf("it does not come to rest")
}

func pods(w *world) []manifest.Object { return w.list(workload.Pod) }

var _ fataler = (*testing.T)(nil)
