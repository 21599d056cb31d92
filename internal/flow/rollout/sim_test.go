package rollout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// sim is a cluster of one rollout: it carries out decisions, and its replica sets' pods become available when tick says
// so. It keeps objects as JSON does, so that what is written is what is read.
type sim struct {
	t       failer
	w       World
	ids     int
	broken  map[string]bool // images whose pods never become available
	traffic *Traffic
	events  []string
	moves   int // actions but Route and events, of the last decision
	after   time.Duration
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func read(t failer, text string) manifest.Object {
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

// newSim starts a cluster with a rollout whose spec is given as YAML without selector and template.
func newSim(t failer, spec string) *sim {
	t.Helper()
	o := read(t, `
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web, namespace: shop, uid: r-1, generation: 1}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
`)
	for k, v := range read(t, spec) {
		o.Set(v, "spec", k)
	}
	s := &sim{t: t, broken: map[string]bool{}}
	s.w = World{Services: map[string]manifest.Object{}, Templates: map[analysis.TemplateRef]analysis.Spec{}, Now: began}
	s.load(o)
	for _, name := range s.w.Rollout.Spec.Services() {
		s.w.Services[name] = read(t, fmt.Sprintf("{apiVersion: v1, kind: Service, metadata: {name: %s, namespace: shop}, spec: {selector: {app: web}}}", name))
	}
	return s
}

func (s *sim) load(o manifest.Object) {
	s.t.Helper()
	r, err := Decode(o)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	s.w.Rollout = r
}

// change edits the spec as a user does.
func (s *sim) change(value any, path ...string) {
	o := s.w.Rollout.Object.Copy()
	o.Set(value, append([]string{"spec"}, path...)...)
	o.Set(o.Int(0, "metadata", "generation")+1, "metadata", "generation")
	s.load(o)
}

func (s *sim) image(image string) {
	s.change([]any{map[string]any{"name": "web", "image": image}}, "template", "spec", "containers")
}

// patch applies a patch of the command line's.
func (s *sim) patch(p manifest.Patch) {
	s.t.Helper()
	o, err := manifest.Parse(p.Data)
	if err != nil {
		s.t.Fatalf("%s: %v", p.Data, err)
	}
	now := manifest.Apply(s.w.Rollout.Object, o)
	if p.Sub == "" {
		now.Set(now.Int(0, "metadata", "generation")+1, "metadata", "generation")
	}
	s.load(now)
}

func (s *sim) set(name string) (int, manifest.Object) {
	i := slices.IndexFunc(s.w.ReplicaSets, func(o manifest.Object) bool { return o.Name() == name })
	if i < 0 {
		s.t.Fatalf("no replica set %s", name)
	}
	return i, s.w.ReplicaSets[i]
}

// decide makes one decision and carries it out.
func (s *sim) decide() Decision {
	s.t.Helper()
	d := Next(s.w)
	s.moves = 0
	for _, a := range d.Actions {
		s.do(a)
	}
	o := s.w.Rollout.Object.Copy()
	if patch := StatusPatch(s.w.Rollout.Status, d.Status); patch != nil {
		o = manifest.Apply(o, patch)
		s.moves++
	}
	for k, v := range d.Annotations {
		if v == "" {
			o.Drop("metadata", "annotations", k)
		} else {
			o.SetAnnotation(k, v)
		}
		s.moves++
	}
	for k, v := range d.Spec {
		o.Set(v, "spec", k)
		o.Set(o.Int(0, "metadata", "generation")+1, "metadata", "generation")
		s.moves++
	}
	s.after = d.After
	s.load(o)
	return d
}

func (s *sim) do(a Action) {
	s.t.Helper()
	if _, told := a.(Event); !told {
		s.moves++
	}
	switch a := a.(type) {
	case Event:
		s.events = append(s.events, a.Reason+": "+a.Message)
	case CreateReplicaSet:
		o := a.Object.Copy()
		s.ids++
		o.Set(fmt.Sprintf("rs-%d", s.ids), "metadata", "uid")
		o.Set(s.w.Now.Format(time.RFC3339), "metadata", "creationTimestamp")
		s.w.ReplicaSets = append(s.w.ReplicaSets, o)
	case PatchReplicaSet:
		i, o := s.set(a.Name)
		s.w.ReplicaSets[i] = manifest.Apply(o, a.Patch)
	case DeleteReplicaSet:
		i, _ := s.set(a.Name)
		s.w.ReplicaSets = slices.Delete(s.w.ReplicaSets, i, i+1)
	case Select:
		o := s.w.Services[a.Service].Copy()
		o.Set(a.Hash, "spec", "selector", HashLabel)
		o.SetAnnotation(ManagedAnnotation, s.w.Rollout.Object.Name())
		s.w.Services[a.Service] = o
	case Route:
		s.moves--
		t := a.Traffic
		s.traffic = &t
	case CreateRun:
		r, err := analysis.Decode(a.Object)
		if err != nil {
			s.t.Fatalf("%v", err)
		}
		s.ids++
		r.UID, r.Created = fmt.Sprintf("run-%d", s.ids), s.w.Now
		s.w.Runs = append(s.w.Runs, r)
	case TerminateRun:
		i := slices.IndexFunc(s.w.Runs, func(r analysis.Run) bool { return r.Name == a.Name })
		s.w.Runs[i].Spec.Terminate = true
		s.w.Runs[i].Status.Phase = analysis.Successful
	case DeleteRun:
		s.w.Runs = slices.DeleteFunc(s.w.Runs, func(r analysis.Run) bool { return r.Name == a.Name })
	case CreateExperiment:
		o := a.Object.Copy()
		s.ids++
		o.Set(fmt.Sprintf("ex-%d", s.ids), "metadata", "uid")
		o.Set(s.w.Now.Format(time.RFC3339), "metadata", "creationTimestamp")
		s.w.Experiments = append(s.w.Experiments, o)
	case TerminateExperiment:
		for _, o := range s.w.Experiments {
			if o.Name() == a.Name {
				o.Set(true, "spec", "terminate")
				o.Set("Successful", "status", "phase")
			}
		}
	case DeleteExperiment:
		s.w.Experiments = slices.DeleteFunc(s.w.Experiments, func(o manifest.Object) bool { return o.Name() == a.Name })
	case ScaleWorkload:
		s.w.Workload.Set(int64(a.Replicas), "spec", "replicas")
	case EvictPod:
		s.w.Pods = slices.DeleteFunc(s.w.Pods, func(o manifest.Object) bool { return o.Name() == a.Name })
	case PatchPod:
		for i, o := range s.w.Pods {
			if o.Name() == a.Name {
				s.w.Pods[i] = manifest.Apply(o, a.Patch)
			}
		}
	default:
		s.t.Fatalf("no case for %T", a)
	}
}

// tick lets time pass and up to most more pods of each set become available; broken images' never do.
func (s *sim) tick(d time.Duration, most int64) {
	s.w.Now = s.w.Now.Add(d)
	for i, o := range s.w.ReplicaSets {
		o = o.Copy()
		want := o.Int(0, "spec", "replicas")
		have := min(o.Int(0, "status", "availableReplicas"), want)
		image := fmt.Sprint(o.List("spec", "template", "spec", "containers")[0].(map[string]any)["image"])
		if s.broken[image] {
			have = 0
		} else {
			have = min(want, have+most)
		}
		o.Set(map[string]any{"replicas": want, "readyReplicas": have, "availableReplicas": have}, "status")
		s.w.ReplicaSets[i] = o
	}
}

// settle decides and ticks until nothing moves any more, at most n times.
func (s *sim) settle(n int) {
	s.t.Helper()
	for range n {
		s.decide()
		still := s.moves == 0
		before := sizes(s.w)
		s.tick(time.Second, 2)
		if still && slices.Equal(before, sizes(s.w)) {
			return
		}
	}
	s.t.Fatalf("still moving after %d decisions: %s %s\n%s", n, s.status().Phase, s.status().Message, strings.Join(s.events, "\n"))
}

func sizes(w World) []string {
	var out []string
	for _, o := range w.ReplicaSets {
		out = append(out, fmt.Sprint(o.Name(), o.Int(0, "spec", "replicas"), o.Sub("status")))
	}
	return out
}

func (s *sim) status() Status { return s.w.Rollout.Status }

// hash is the pod template hash of the set with an image, "" without one.
func (s *sim) hash(image string) string {
	for _, o := range s.w.ReplicaSets {
		if o.List("spec", "template", "spec", "containers")[0].(map[string]any)["image"] == image {
			return o.Text("metadata", "labels", HashLabel)
		}
	}
	return ""
}

// counts is "wanted/available" of the set with an image.
func (s *sim) counts(image string) string {
	for _, o := range s.w.ReplicaSets {
		if o.List("spec", "template", "spec", "containers")[0].(map[string]any)["image"] == image {
			return fmt.Sprintf("%d/%d", o.Int(0, "spec", "replicas"), o.Int(0, "status", "availableReplicas"))
		}
	}
	return ""
}

func (s *sim) picks(service string) string {
	return s.w.Services[service].Text("spec", "selector", HashLabel)
}

// verdict ends every run that is under way.
func (s *sim) verdict(p analysis.Phase, message string) {
	for i := range s.w.Runs {
		if r := &s.w.Runs[i]; !r.Status.Phase.Completed() {
			r.Status.Phase, r.Status.Message = p, message
		}
	}
}

func expect[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}
