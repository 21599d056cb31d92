package workload_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/workload"
)

func statefulSet(replicas int, image, more string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: %d
  serviceName: db
  selector: {matchLabels: {app: db}}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: %q}]}
  %s
`, replicas, image, more)
}

func shipSet(w *world, image string) {
	s := w.get(workload.StatefulSetKind, "db")
	s.Set([]any{map[string]any{"name": "db", "image": image}}, "spec", "template", "spec", "containers")
	s.Set(s.Int(0, "metadata", "generation")+1, "metadata", "generation")
}

// who are the pods with their images, those that leave in brackets.
func who(w *world) string {
	var out []string
	for _, p := range pods(w) {
		text := p.Name() + "=" + p.List("spec", "containers")[0].(map[string]any)["image"].(string)
		if p.Deleting() {
			text = "(" + text + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func TestAStatefulSetStartsAndUpdatesInOrder(t *testing.T) {
	w := newWorld(t, statefulSet(3, "v1", ""))
	var seen []string
	watch := func() {
		for range 40 {
			w.settle()
			if got := who(w); len(seen) == 0 || seen[len(seen)-1] != got {
				seen = append(seen, got)
			}
			w.live()
			w.now = w.now.Add(time.Second)
		}
	}
	watch()
	shipSet(w, "v2")
	watch()
	want := []string{
		"db-0=v1", "db-0=v1 db-1=v1", "db-0=v1 db-1=v1 db-2=v1",
		"db-0=v1 db-1=v1 (db-2=v1)", "db-0=v1 db-1=v1 db-2=v2", "db-0=v1 (db-1=v1) db-2=v2", "db-0=v1 db-1=v2 db-2=v2", "(db-0=v1) db-1=v2 db-2=v2", "db-0=v2 db-1=v2 db-2=v2",
	}
	if got := strings.Join(seen, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	s := w.get(workload.StatefulSetKind, "db")
	if a, _ := health.Assess(s); a.Status != health.Healthy || s.Text("status", "currentRevision") != s.Text("status", "updateRevision") {
		t.Errorf("status %v", s["status"])
	}
	if len(w.list(workload.Claim)) != 3 || w.get(workload.Claim, "data-db-2") == nil {
		t.Errorf("claims: %v", w.list(workload.Claim))
	}
	if got := len(w.list(workload.ControllerRevision)); got != 2 {
		t.Errorf("%d revisions", got)
	}
	s.Set(int64(1), "spec", "replicas")
	seen = nil
	watch()
	want = []string{"db-0=v2 db-1=v2 (db-2=v2)", "db-0=v2 (db-1=v2)", "db-0=v2"}
	if got := strings.Join(seen, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("scaled down\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if len(w.list(workload.Claim)) != 3 {
		t.Error("claims go with their pods")
	}
}

func TestAStatefulSetWaitsForABadPod(t *testing.T) {
	w := newWorld(t, statefulSet(3, "v1", ""))
	w.run()
	shipSet(w, "bad")
	for range 20 {
		w.settle()
		for _, p := range pods(w) {
			switch {
			case p.Deleting():
				w.remove(p)
			case p.Text("status", "phase") == "":
				w.phase(p, "Running", false)
			}
		}
	}
	if got := who(w); got != "db-0=v1 db-1=v1 db-2=bad" {
		t.Errorf("an update that fails stops at its first pod: %s", got)
	}
}

func TestPartitionOnDeleteAndParallel(t *testing.T) {
	w := newWorld(t, statefulSet(3, "v1", "updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 2}}"))
	w.run()
	shipSet(w, "v2")
	w.run()
	if got := who(w); got != "db-0=v1 db-1=v1 db-2=v2" {
		t.Errorf("partition: %s", got)
	}
	w.remove(pods(w)[0])
	w.run()
	if got := who(w); got != "db-0=v1 db-1=v1 db-2=v2" {
		t.Errorf("a pod below the partition comes back as it was: %s", got)
	}
	w = newWorld(t, statefulSet(2, "v1", "updateStrategy: {type: OnDelete}"))
	w.run()
	shipSet(w, "v2")
	w.run()
	if got := who(w); got != "db-0=v1 db-1=v1" {
		t.Errorf("OnDelete: %s", got)
	}
	w.remove(pods(w)[1])
	w.run()
	if got := who(w); got != "db-0=v1 db-1=v2" {
		t.Errorf("OnDelete after a deletion: %s", got)
	}
	w = newWorld(t, statefulSet(3, "v1", "podManagementPolicy: Parallel"))
	w.settle()
	if got := who(w); got != "db-0=v1 db-1=v1 db-2=v1" {
		t.Errorf("Parallel at once: %s", got)
	}
}

// TestAStatefulSetMissesOnePodAtMost: an update in order never takes a second pod while one is not back.
func TestAStatefulSetMissesOnePodAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "replicas")
		w := newWorld(t, statefulSet(n, "v0", rapid.SampledFrom([]string{"", "podManagementPolicy: Parallel"}).Draw(t, "policy")))
		w.run()
		for v := 1; v <= 2; v++ {
			shipSet(w, fmt.Sprint("v", v))
			for range rapid.IntRange(0, 8).Draw(t, "steps") {
				w.step()
				good := 0
				for _, p := range pods(w) {
					if len(p.List("status", "conditions")) > 0 && !p.Deleting() {
						good++
					}
				}
				if good < n-1 {
					t.Fatalf("%d of %d: %s", good, n, who(w))
				}
				if rapid.Bool().Draw(t, "live") {
					w.live()
				}
			}
		}
		w.run()
		for _, p := range pods(w) {
			if p.List("spec", "containers")[0].(map[string]any)["image"] != "v2" {
				t.Fatalf("in the end %s", who(w))
			}
		}
	})
}

func TestADaemonSetIsOnePod(t *testing.T) {
	w := newWorld(t, `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log}
spec: {selector: {matchLabels: {app: log}}, template: {metadata: {labels: {app: log}}, spec: {containers: [{name: c, image: v1}]}}}`)
	w.run()
	d := w.list(workload.DaemonSetKind)[0]
	if got := images(w); got != "v1×1" || d.Int(0, "status", "numberAvailable") != 1 {
		t.Errorf("%s, %v", got, d["status"])
	}
	d.Set([]any{map[string]any{"name": "c", "image": "v2"}}, "spec", "template", "spec", "containers")
	w.run()
	if got := images(w); got != "v2×1" {
		t.Errorf("after a change: %s", got)
	}
	w.phase(pods(w)[0], "Failed", false)
	w.run()
	if got := images(w); got != "v2×1" || pods(w)[0].Text("status", "phase") != "Running" {
		t.Errorf("after a failure: %s %v", got, pods(w)[0]["status"])
	}
}

func TestEndpointsAreThePodsBehindAService(t *testing.T) {
	w := newWorld(t, deployment(2, "v1", "{}"))
	w.run()
	service := w.create(object(t, "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: web}, {name: admin, port: 81, targetPort: 9000}]}}"))
	for i, p := range pods(w) {
		p.Set(fmt.Sprintf("127.1.0.%d", i+1), "status", "podIP")
		p.Set([]any{map[string]any{"name": "web", "image": "v1", "ports": []any{map[string]any{"name": "web", "containerPort": int64(8080 + i)}}}}, "spec", "containers")
	}
	w.phase(pods(w)[1], "Running", false)
	pods(w)[1].Set("127.1.0.2", "status", "podIP")
	backends, err := workload.Backends(service, pods(w))
	if err != nil || len(backends) != 2 || len(backends[0].Endpoints) != 2 {
		t.Fatalf("%v %v", backends, err)
	}
	if a, b := backends[0].Endpoints[0], backends[0].Endpoints[1]; a.Address != "127.1.0.1:8080" || !a.Ready || a.Hash == "" || b.Address != "127.1.0.2:8081" || b.Ready {
		t.Errorf("endpoints %v %v", a, b)
	}
	decide := func() {
		t.Helper()
		d, err := workload.Endpoints(workload.EndpointsWorld{Service: service, Pods: pods(w), Slices: w.list(workload.EndpointSlice)})
		w.do(service, d, err)
	}
	decide()
	slices := w.list(workload.EndpointSlice)
	if len(slices) != 2 || slices[0].Labels()["kubernetes.io/service-name"] != "web" {
		t.Fatalf("slices, one for each set of ports: %v", slices)
	}
	pods(w)[1].Set(w.stamp(), "metadata", "deletionTimestamp")
	decide()
	leaving := 0
	for _, s := range w.list(workload.EndpointSlice) {
		for _, e := range s.List("endpoints") {
			if c := manifest.Object(e.(map[string]any)).Sub("conditions"); c["terminating"] == true && c["ready"] == false {
				leaving++
			}
		}
	}
	if leaving != 1 {
		t.Errorf("%d endpoints leave", leaving)
	}
	w.remove(pods(w)[1])
	decide()
	if got := len(w.list(workload.EndpointSlice)); got != 1 {
		t.Errorf("%d slices after a pod went", got)
	}
	d, err := workload.Endpoints(workload.EndpointsWorld{Service: service, Pods: pods(w), Slices: w.list(workload.EndpointSlice)})
	if err != nil || len(d.Actions) != 0 {
		t.Errorf("a second decision does something: %v %v", d, err)
	}
}
