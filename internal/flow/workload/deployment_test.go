package workload_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/workload"
)

func deployment(replicas int, image, strategy string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: %d
  revisionHistoryLimit: 2
  progressDeadlineSeconds: 60
  strategy: %s
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: %q}]}
`, replicas, strategy, image)
}

func ship(w *world, image string) {
	d := w.get(workload.DeploymentKind, "web")
	d.Set([]any{map[string]any{"name": "web", "image": image}}, "spec", "template", "spec", "containers")
	d.Set(d.Int(0, "metadata", "generation")+1, "metadata", "generation")
}

// images are those of the pods, counted.
func images(w *world) string {
	n := map[string]int{}
	for _, p := range pods(w) {
		n[p.List("spec", "containers")[0].(map[string]any)["image"].(string)]++
	}
	var out []string
	for k, v := range n {
		out = append(out, fmt.Sprintf("%s×%d", k, v))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func conditions(o manifest.Object) string {
	var out []string
	for _, c := range o.List("status", "conditions") {
		m := manifest.Object(c.(map[string]any))
		out = append(out, m.Text("type")+"="+m.Text("status")+"/"+m.Text("reason"))
	}
	return strings.Join(out, " ")
}

func TestADeploymentRollsOutAndBack(t *testing.T) {
	w := newWorld(t, deployment(3, "v1", "{type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}"))
	w.run()
	d := w.get(workload.DeploymentKind, "web")
	if got := images(w); got != "v1×3" {
		t.Fatalf("pods: %s", got)
	}
	if got := conditions(d); got != "Progressing=True/NewReplicaSetAvailable Available=True/MinimumReplicasAvailable" {
		t.Errorf("conditions: %s", got)
	}
	if a, ok := health.Assess(d); !ok || a.Status != health.Healthy {
		t.Errorf("health: %v", a)
	}
	for i, image := range []string{"v2", "v3", "v4", "v1"} {
		ship(w, image)
		w.run()
		if got := images(w); got != image+"×3" {
			t.Fatalf("after %s: %s", image, got)
		}
		if got := d.Annotation("deployment.kubernetes.io/revision"); got != fmt.Sprint(i+2) {
			t.Errorf("revision after %s: %s", image, got)
		}
	}
	if got := len(w.list(workload.ReplicaSetKind)); got != 3 {
		t.Errorf("%d replica sets are kept, want the newest and 2 older", got)
	}
	for range 3 {
		w.step()
	}
	ship(w, "v3") // back: the old replica set is the newest again
	w.run()
	for _, s := range w.list(workload.ReplicaSetKind) {
		if s.Int(0, "spec", "replicas") == 3 && (s.Annotation("deployment.kubernetes.io/revision") != "6" || s.Annotation("deployment.kubernetes.io/revision-history") != "3") {
			t.Errorf("annotations after a return: %v", s.Annotations())
		}
	}
}

func TestRecreateNeverRunsTwoRevisions(t *testing.T) {
	w := newWorld(t, deployment(3, "v1", "{type: Recreate}"))
	w.run()
	ship(w, "v2")
	for range 30 {
		w.settle()
		if got := images(w); strings.Contains(got, " ") {
			t.Fatalf("both run: %s", got)
		}
		w.live()
	}
	if got := images(w); got != "v2×3" {
		t.Errorf("pods: %s", got)
	}
}

func TestAPausedDeploymentOnlyScales(t *testing.T) {
	w := newWorld(t, deployment(2, "v1", "{}"))
	w.run()
	d := w.get(workload.DeploymentKind, "web")
	d.Set(true, "spec", "paused")
	d.Set(int64(4), "spec", "replicas")
	ship(w, "v2")
	w.run()
	if got := images(w); got != "v1×4" || !strings.Contains(conditions(d), "Progressing=Unknown/DeploymentPaused") {
		t.Errorf("paused: %s, %s", got, conditions(d))
	}
	d.Drop("spec", "paused")
	w.run()
	if got := images(w); got != "v2×4" {
		t.Errorf("resumed: %s", got)
	}
}

func TestADeploymentThatStandsTellsSo(t *testing.T) {
	w := newWorld(t, deployment(2, "v1", "{rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}"))
	w.run()
	ship(w, "bad")
	w.settle()
	for _, p := range pods(w) {
		if p.Text("status", "phase") == "" {
			w.phase(p, "Running", false)
		}
	}
	w.settle()
	d := w.get(workload.DeploymentKind, "web")
	w.now = w.now.Add(59 * time.Second)
	w.settle()
	if strings.Contains(conditions(d), "ProgressDeadlineExceeded") {
		t.Fatalf("too early: %s", conditions(d))
	}
	w.now = w.now.Add(2 * time.Second)
	dec, _ := workload.Deployment(workload.DeploymentWorld{Deployment: d, ReplicaSets: w.list(workload.ReplicaSetKind), Pods: pods(w), Now: w.now})
	w.do(d, dec, nil)
	if !strings.Contains(conditions(d), "Progressing=False/ProgressDeadlineExceeded") || images(w) != "bad×1 v1×2" {
		t.Errorf("%s, %s", conditions(d), images(w))
	}
	if a, _ := health.Assess(d); a.Status != health.Degraded {
		t.Errorf("health: %v", a)
	}
	ship(w, "v1") // back
	w.run()
	if images(w) != "v1×2" || !strings.Contains(conditions(d), "NewReplicaSetAvailable") {
		t.Errorf("back: %s, %s", images(w), conditions(d))
	}
}

func TestPodsThatMatchAreAdoptedAndOthersReleased(t *testing.T) {
	w := newWorld(t, deployment(2, "v1", "{}"))
	w.run()
	p := pods(w)[0]
	p.SetLabel("app", "other")
	w.run()
	if _, ok := p.Controller(); ok || len(pods(w)) != 3 {
		t.Errorf("a pod that matches no more: %v, %d pods", p["metadata"], len(pods(w)))
	}
	s := w.list(workload.ReplicaSetKind)[0]
	p.Set(s.Sub("spec", "template", "metadata", "labels").Copy()["app"], "metadata", "labels", "app")
	w.run()
	if len(pods(w)) != 2 {
		t.Errorf("%d pods after one was adopted", len(pods(w)))
	}
}

// TestARolloutKeepsItsPromises: whatever sizes, limits, templates and slow pods there are, there are never more pods than
// maxSurge allows, never fewer available than maxUnavailable allows once they were there, and in the end all are new.
func TestARolloutKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		replicas := rapid.IntRange(1, 8).Draw(t, "replicas")
		surge := rapid.IntRange(0, 4).Draw(t, "maxSurge")
		missing := rapid.IntRange(0, 4).Draw(t, "maxUnavailable")
		w := newWorld(t, deployment(replicas, "v0", fmt.Sprintf("{type: RollingUpdate, rollingUpdate: {maxSurge: %d, maxUnavailable: %d}}", surge, missing)))
		w.run()
		if surge == 0 && missing == 0 {
			missing = 1
		}
		least := replicas - min(missing, replicas)
		check := func() {
			t.Helper()
			all, good := 0, 0
			for _, p := range pods(w) {
				if p.Deleting() {
					continue
				}
				all++
				for _, c := range p.List("status", "conditions") {
					if c.(map[string]any)["status"] == "True" {
						good++
					}
				}
			}
			if all > replicas+surge {
				t.Fatalf("%d pods of %d with maxSurge %d: %s", all, replicas, surge, images(w))
			}
			if good < least {
				t.Fatalf("%d pods are available of %d with maxUnavailable %d: %s", good, replicas, missing, images(w))
			}
		}
		versions := rapid.IntRange(1, 3).Draw(t, "versions")
		for v := 1; v <= versions; v++ {
			ship(w, fmt.Sprintf("v%d", v))
			for range rapid.IntRange(1, 12).Draw(t, "steps") {
				w.step()
				check()
				for _, p := range pods(w) { // some pods come on, others are slow
					if rapid.Bool().Draw(t, "moves") {
						switch {
						case p.Deleting():
							w.remove(p)
						case p.Text("status", "phase") == "":
							w.phase(p, "Running", true)
						}
					}
				}
				w.now = w.now.Add(time.Second)
				check()
			}
		}
		for quiet := 0; quiet < 2; {
			if quiet++; w.step() {
				quiet = 0
			}
			check()
			w.live()
			w.now = w.now.Add(time.Second)
		}
		if got, want := images(w), fmt.Sprintf("v%d×%d", versions, replicas); got != want {
			t.Fatalf("in the end %s, want %s", got, want)
		}
		if d := w.get(workload.DeploymentKind, "web"); !strings.Contains(conditions(d), "NewReplicaSetAvailable") {
			t.Fatalf("in the end %s", conditions(d))
		}
	})
}

// TestAnySizeIsReached: changes of size in the middle of a rollout end in the last size, with pods of the last template.
func TestAnySizeIsReached(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, deployment(rapid.IntRange(0, 6).Draw(t, "replicas"), "v0", "{}"))
		w.run()
		size := int64(0)
		for i := range rapid.IntRange(1, 4).Draw(t, "changes") {
			d := w.get(workload.DeploymentKind, "web")
			size = rapid.Int64Range(0, 9).Draw(t, "size")
			d.Set(size, "spec", "replicas")
			ship(w, fmt.Sprintf("v%d", i%2))
			for range rapid.IntRange(0, 4).Draw(t, "steps") {
				w.step()
				if rapid.Bool().Draw(t, "live") {
					w.live()
				}
			}
		}
		w.run()
		if got := len(pods(w)); got != int(size) || strings.Contains(images(w), " ") {
			t.Fatalf("%d pods (%s), want %d", got, images(w), size)
		}
	})
}
