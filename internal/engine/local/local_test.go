package local_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/edge/pod"
	"github.com/sluice-delivery/sluice/internal/edge/proxy"
	"github.com/sluice-delivery/sluice/internal/engine/local"
	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/workload"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "pod-child":
			os.Exit(pod.Main(os.Args[2:]))
		case "serve":
			serve(os.Args[2])
		}
	}
	os.Exit(m.Run())
}

// serve is a pod's process: it tells its version, after a short while, and heeds SIGTERM as most do: at once.
func serve(version string) {
	l, err := net.Listen("tcp", os.Getenv("SLUICE_POD_IP")+":8080")
	if err != nil {
		panic(err)
	}
	fmt.Println("up", version)
	_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(5 * time.Millisecond)
		fmt.Fprint(w, version)
	}))
}

// forward is the proxy as the engine knows it.
type forward struct{ p *proxy.Proxy }

func (f forward) Set(name string, l local.Listener) (string, error) {
	s := proxy.Service{Listen: l.Listen}
	if l.TCP {
		s.Protocol = proxy.TCP
	}
	for _, g := range l.Groups {
		s.Groups = append(s.Groups, proxy.Group{Name: g.Name, Hash: g.Hash, Weight: g.Weight, Endpoints: g.Endpoints})
	}
	a, err := f.p.Set(name, s)
	if err != nil {
		return "", err
	}
	return a.String(), nil
}
func (f forward) Drop(name string)                            { f.p.Drop(name) }
func (f forward) Drain(ctx context.Context, end string) error { return f.p.Drain(ctx, end) }

// target is a local target.
type target struct {
	t      testing.TB
	store  *objects.Store
	engine *local.Engine
	pods   *pod.Manager
	dir    string
	stop   func()
}

func newTarget(t testing.TB, dir string) *target {
	t.Helper()
	store, err := objects.Open(objects.Config{Dir: filepath.Join(dir, "objects"), Drains: true})
	if err != nil {
		t.Fatal(err)
	}
	podRange, serviceRange := local.Ranges(dir)
	p := proxy.New(prometheus.NewRegistry())
	e := local.New(local.Config{Cluster: store, Proxy: forward{p}, PodRange: podRange, ServiceRange: serviceRange, Trouble: func(k manifest.Key, err error) { t.Logf("%s: %v", k, err) }})
	m, err := pod.New(pod.Config{
		Dir: dir, Folder: dir, Child: []string{os.Args[0], "pod-child"}, Lookup: store, Report: e.Report, Gone: e.Gone, Event: e.Event, Address: e.Address, Pause: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	e.Connect(m)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	tg := &target{t: t, store: store, engine: e, pods: m, dir: dir}
	tg.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		bound, end := context.WithTimeout(context.Background(), time.Minute)
		defer end()
		_ = p.Close(bound)
		if err := m.Close(bound); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(tg.stop)
	return tg
}

func (tg *target) apply(text string) {
	tg.t.Helper()
	for doc := range strings.SplitSeq(text, "\n---\n") {
		data, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			tg.t.Fatal(err)
		}
		o, err := manifest.Parse(data)
		if err != nil {
			tg.t.Fatal(err)
		}
		if _, err := tg.store.Patch(context.Background(), o.Kind(), "default", o.Name(), manifest.Patch{Kind: manifest.ApplyPatch, Data: o.JSON(), Force: true}, manifest.Writing{Manager: "test"}); err != nil {
			tg.t.Fatal(err)
		}
	}
}

func (tg *target) get(kind manifest.Kind, name string) manifest.Object {
	o, err := tg.store.Get(context.Background(), kind, "default", name)
	if err != nil && !manifest.NotFound(err) {
		tg.t.Fatal(err)
	}
	return o
}

func (tg *target) list(kind manifest.Kind) []manifest.Object {
	out, err := tg.store.List(context.Background(), kind, "default", "")
	if err != nil {
		tg.t.Fatal(err)
	}
	return out
}

func (tg *target) until(what string, ok func() bool) {
	tg.t.Helper()
	for begun := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 90*time.Second {
			for _, kind := range []manifest.Kind{workload.Pod, workload.DeploymentKind, workload.JobKind, workload.StatefulSetKind, {Version: "v1", Kind: "Event"}} {
				for _, o := range tg.list(kind) {
					tg.t.Logf("%s %s %s %s", o.Key(), o.Text("reason"), o.Text("message"), manifest.Object{"s": o["status"]}.JSON())
				}
			}
			tg.t.Fatalf("%s did not come", what)
		}
	}
}

func (tg *target) healthy(kind manifest.Kind, name string) func() bool {
	return func() bool {
		o := tg.get(kind, name)
		if o == nil {
			return false
		}
		a, ok := health.Assess(o)
		return ok && a.Status == health.Healthy
	}
}

func shop(version string, replicas int) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: %d
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: web
        command: [%q, serve, %q]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {periodSeconds: 1, tcpSocket: {port: http}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 18080, targetPort: http}]}`, replicas, os.Args[0], version)
}

func (tg *target) url(service string) string {
	tg.t.Helper()
	var at []local.Reachable
	tg.until("an address of "+service, func() bool {
		at = tg.engine.Reach(manifest.Key{Kind: "Service", Namespace: "default", Name: service})
		return len(at) > 0
	})
	return "http://" + at[0].Address
}

func ask(url string) (string, error) {
	r, err := http.Get(url) //nolint:gosec,noctx // a loopback address of the test's
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != 200 {
		err = fmt.Errorf("%s: %s", r.Status, body)
	}
	return string(body), err
}

func TestADeploymentServesAndRollsWithoutAFailedRequest(t *testing.T) {
	tg := newTarget(t, t.TempDir())
	tg.apply(shop("v1", 2))
	tg.until("v1", tg.healthy(workload.DeploymentKind, "web"))
	url := tg.url("web")
	if got, err := ask(url); got != "v1" || err != nil {
		t.Fatalf("%q %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var asked, failed atomic.Int64
	var wrong atomic.Value
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for ctx.Err() == nil {
				asked.Add(1)
				if got, err := ask(url); err != nil || got != "v1" && got != "v2" {
					failed.Add(1)
					wrong.Store(fmt.Sprint(got, err))
				}
			}
		})
	}
	tg.until("some requests", func() bool { return asked.Load() > 50 })
	tg.apply(shop("v2", 2))
	tg.until("v2 everywhere", func() bool {
		d := tg.get(workload.DeploymentKind, "web")
		return tg.healthy(workload.DeploymentKind, "web")() && len(tg.list(workload.Pod)) == 2 && d.Int(0, "status", "updatedReplicas") == 2 && d.Annotation("deployment.kubernetes.io/revision") == "2"
	})
	cancel()
	group.Wait()
	if failed.Load() > 0 || asked.Load() < 100 {
		t.Errorf("%d of %d requests failed: %v", failed.Load(), asked.Load(), wrong.Load())
	}
	if got, err := ask(url); got != "v2" || err != nil {
		t.Errorf("in the end %q %v", got, err)
	}
	if err := tg.store.Delete(t.Context(), workload.DeploymentKind, "default", "web", manifest.Writing{Propagation: "Background"}); err != nil {
		t.Fatal(err)
	}
	tg.until("no pods", func() bool { return len(tg.list(workload.Pod)) == 0 && tg.pods.Running() == 0 })
}

func TestTrafficIsSharedAsTheServiceSays(t *testing.T) {
	tg := newTarget(t, t.TempDir())
	for _, v := range []string{"stable", "canary"} {
		tg.apply(strings.NewReplacer("name: web}", "name: "+v+"}", "app: web", "app: "+v).Replace(shop(v, 1)))
	}
	for _, v := range []string{"stable", "canary"} {
		tg.until(v, tg.healthy(workload.DeploymentKind, v))
	}
	url := tg.url("stable")
	share := func(stable, canary int) (n int) {
		t.Helper()
		note := fmt.Sprintf(`{"shares":[{"name":"stable","service":"stable","weight":%d},{"name":"canary","service":"canary","weight":%d}]}`, stable, canary)
		patch, _ := manifest.From(map[string]any{"metadata": map[string]any{"annotations": map[string]any{workload.TrafficAnnotation: note}}})
		if _, err := tg.store.Patch(t.Context(), workload.Service, "default", "stable", manifest.Patch{Kind: manifest.MergePatch, Data: patch.JSON()}, manifest.Writing{}); err != nil {
			t.Fatal(err)
		}
		want := map[int]string{0: "stable", 100: "canary"}[canary]
		if want != "" {
			tg.until("all to "+want, func() bool { got, err := ask(url); return err == nil && got == want })
		} else {
			tg.until("both", func() bool { got, err := ask(url); return err == nil && got == "canary" })
		}
		for range 100 {
			got, err := ask(url)
			if err != nil {
				t.Fatal(err)
			}
			if got == "canary" {
				n++
			}
		}
		return n
	}
	if n := share(100, 0); n != 0 {
		t.Errorf("at 0%%: %d", n)
	}
	if n := share(80, 20); n < 15 || n > 25 {
		t.Errorf("at 20%%: %d", n)
	}
	if n := share(0, 100); n != 100 {
		t.Errorf("at 100%%: %d", n)
	}
}

func TestJobsStatefulSetsAndNames(t *testing.T) {
	tg := newTarget(t, t.TempDir())
	tg.apply(shop("v1", 1) + `
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec: {completions: 2, parallelism: 2, template: {spec: {restartPolicy: Never, containers: [{name: c, command: [sh, -c, 'echo hello from $HOSTNAME']}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}]
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: c, command: [sh, -c, 'echo $HOSTNAME >>$SLUICE_ROOT/data/x; exec sleep 1000'], volumeMounts: [{name: data, mountPath: /data}]}]`)
	tg.until("the job", tg.healthy(workload.JobKind, "once"))
	tg.until("the set", tg.healthy(workload.StatefulSetKind, "db"))
	tg.until("web", tg.healthy(workload.DeploymentKind, "web"))
	if c := tg.get(workload.Claim, "data-db-1"); c.Text("status", "phase") != "Bound" {
		t.Errorf("the claim: %v", c["status"])
	}
	data := filepath.Join(tg.dir, "claims", "default", "data-db-1", "x")
	tg.until("the claim's file", func() bool { got, _ := os.ReadFile(data); return string(got) == "db-1\n" })
	none := int64(0)
	if err := tg.store.Delete(t.Context(), workload.Pod, "default", "db-1", manifest.Writing{Grace: &none}); err != nil {
		t.Fatal(err)
	}
	tg.until("db-1 once more", func() bool { got, _ := os.ReadFile(data); return string(got) == "db-1\ndb-1\n" })
	if !tg.pods.Mounts() {
		t.Log("this system lets processes mount nothing: names are not tried")
		return
	}
	tg.apply(`
apiVersion: batch/v1
kind: Job
metadata: {name: names}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, command: [sh, -c, 'getent hosts web.default.svc.cluster.local && getent hosts web && getent hosts db-0.db.default.svc && test "$WEB_SERVICE_PORT" = 18080']}]}}, backoffLimit: 0}`)
	tg.until("the names", tg.healthy(workload.JobKind, "names"))
}

func TestATargetGoesOnWhereItEnded(t *testing.T) {
	dir := t.TempDir()
	tg := newTarget(t, dir)
	tg.apply(shop("v1", 2))
	tg.until("v1", tg.healthy(workload.DeploymentKind, "web"))
	url := tg.url("web")
	before := tg.list(workload.Pod)
	tg.stop()
	if _, err := ask(url); err == nil {
		t.Error("it serves after its end")
	}
	tg = newTarget(t, dir)
	tg.until("both pods again", func() bool {
		n := 0
		for _, p := range tg.list(workload.Pod) {
			for _, c := range p.List("status", "containerStatuses") {
				if m := manifest.Object(c.(map[string]any)); m["ready"] == true && m.Int(0, "restartCount") == 1 {
					n++
				}
			}
		}
		return n == 2
	})
	after := tg.list(workload.Pod)
	if len(after) != 2 || after[0].Name() != before[0].Name() || after[0].Text("status", "podIP") != before[0].Text("status", "podIP") {
		t.Errorf("the pods are others")
	}
	tg.until("answers", func() bool { got, err := ask(url); return err == nil && got == "v1" })
}
