package deliver_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/edge/probe"
	"github.com/sluice-delivery/sluice/internal/edge/traffic"
	"github.com/sluice-delivery/sluice/internal/engine/advance"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// site is one of several clusters: an API server with its controllers, a namespace, a manager of Rollouts, and a stand-in for
// the node that says of pods that they are ready, while it may.
type site struct {
	*kubetest.Kube

	t     *testing.T
	api   *cluster.Cluster
	state *cluster.State
	node  atomic.Bool
}

func raiseSite(t *testing.T, k *kubetest.Kube) *site {
	t.Helper()
	k.ApplyCRDs(t, kubetest.Rollouts)
	api, err := cluster.OpenWith(k.Kubeconfig, "", cluster.Options{Manager: "rollouts-controller", QPS: 100, Burst: 200})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Kube: k, t: t, api: api, state: cluster.NewState(api, cluster.Scope{})}
	s.node.Store(true)
	t.Cleanup(s.state.Close)
	manages(t, api, k.Namespace)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			s.kubelet(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { stop(); <-ended })
	return s
}

// manages lets a manager of Rollouts and AnalysisRuns work until the test ends.
func manages(t *testing.T, c advance.Cluster, namespace string) {
	t.Helper()
	cache := advance.NewCache(c, namespace)
	m := advance.New(advance.Config{
		Cluster: cache, Router: traffic.Driver{Cluster: cache}, Probe: &probe.Probe{Cluster: cache}, Namespace: namespace,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = m.Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-ended })
}

var pods = manifest.Kind{Version: "v1", Kind: "Pod"}

// kubelet says of the namespace's pods that they run, and lets those go that are deleted.
func (s *site) kubelet(ctx context.Context) {
	list, err := s.api.List(ctx, pods, s.Namespace, "")
	if err != nil {
		return
	}
	for _, p := range list {
		if p.Deleting() {
			_ = s.api.Delete(ctx, pods, s.Namespace, p.Name(), manifest.Writing{Grace: new(int64(0))})
			continue
		}
		if p.Text("status", "phase") == "Running" || !s.node.Load() {
			continue
		}
		patch := fmt.Sprintf(`{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True","lastTransitionTime":%q}]}}`, time.Now().UTC().Format(time.RFC3339))
		_, _ = s.api.Patch(ctx, pods, s.Namespace, p.Name(), manifest.Patch{Kind: manifest.MergePatch, Data: []byte(patch), Sub: "status"}, manifest.Writing{})
	}
}

// live is the Rollout, as it is.
func (s *site) live() rollout.Rollout {
	s.t.Helper()
	o := s.Object(s.t, advance.Rollouts, "web")
	if o == nil {
		return rollout.Rollout{}
	}
	r, err := rollout.Decode(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// active is the pod template hash that the active Service sends requests to.
func (s *site) active() string {
	o := s.Object(s.t, manifest.Kind{Version: "v1", Kind: "Service"}, "active")
	return o.Text("spec", "selector", "rollouts-pod-template-hash")
}

const webRollout = `
apiVersion: v1
kind: Service
metadata: {name: active}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: preview}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  strategy: {blueGreen: {activeService: active, previewService: preview, autoPromotionEnabled: false, scaleDownDelaySeconds: 1}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: web, image: "registry.invalid/web:VERSION"}]}
`

// TestAcrossTwoClusters ships a version to two API servers: one after the other with an analysis between them, and cut over in
// both at once.
func TestAcrossTwoClusters(t *testing.T) {
	eu, us := raiseSite(t, kubetest.Start(t, kubetest.B)), raiseSite(t, kubetest.Second(t, kubetest.B))
	if eu.Server == us.Server {
		t.Fatal("both clusters are one")
	}
	home, err := objects.Open(objects.Config{Anywhere: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = home.Close() })
	manages(t, home, "argocd")
	var good atomic.Bool
	var asked atomic.Int32
	metrics := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprintf(w, `{"ok": %v}`, good.Load())
	}))
	t.Cleanup(metrics.Close)
	good.Store(true)

	books := &shelf{}
	books.commit(map[string]string{"web": strings.ReplaceAll(webRollout, "VERSION", "1")})
	where := twoSites{"eu": eu, "us": us}
	c := &deliver.Controller{Home: home, Clusters: where, Sources: books, Assess: assessRollouts, WaveDelay: -1, Rules: deliver.Rules{Interval: time.Second, Jitter: time.Millisecond, Installation: eu.Namespace}}
	sets := &deliver.Sets{Home: home, Clusters: where, World: func(context.Context, applicationset.Set, bool) applicationset.World { return applicationset.World{} }}
	for _, run := range []func(context.Context) error{c.Run, sets.Run} {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- run(ctx) }()
		t.Cleanup(func() { cancel(); <-done })
	}
	h := &setHarness{t: t, home: home, sets: sets}
	template := fmt.Sprintf(`
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors, namespace: argocd}
spec:
  args: [{name: step}]
  metrics: [{name: ok, successCondition: result == true, provider: {web: {url: "%s/{{args.step}}", jsonPath: "{$.ok}"}}}]
`, metrics.URL)
	for _, o := range kubetest.Documents(t, template) {
		if _, err := home.Create(t.Context(), o, manifest.Writing{}); err != nil {
			t.Fatal(err)
		}
	}
	h.set(fmt.Sprintf(`
metadata: {name: web, annotations: {sluice.dev/soak: "1=1s", sluice.dev/analysis: "1=errors", sluice.dev/cut-over: together}}
spec:
  goTemplate: true
  generators: [{list: {elements: [{c: eu, ns: %s}, {c: us, ns: %s}]}}]
  strategy: {type: RollingSync, rollingSync: {steps: [{matchExpressions: [{key: c, operator: In, values: [eu]}]}, {matchExpressions: [{key: c, operator: In, values: [us]}]}]}}
  template:
    metadata: {name: "web-{{.c}}", labels: {c: "{{.c}}"}}
    spec: {project: default, source: {repoURL: https://example.org/repo.git, path: web}, destination: {name: "{{.c}}", namespace: "{{.ns}}"}, syncPolicy: {automated: {}}}
`, eu.Namespace, us.Namespace))

	h.until("version 1 serves in both", func() bool {
		return eu.live().Status.Phase == "Healthy" && us.live().Status.Phase == "Healthy" && rolledOut(h)
	})
	first := map[*site]string{eu: eu.active(), us: us.active()}
	if first[eu] == "" || first[us] == "" || asked.Load() != 1 {
		t.Fatalf("%v, %d measurements", first, asked.Load())
	}

	// Version 2: the analysis after the first cluster fails, and the second one sees nothing of it.
	good.Store(false)
	us.node.Store(false)
	books.commit(map[string]string{"web": strings.ReplaceAll(webRollout, "VERSION", "2")})
	h.until("the analysis holds it", func() bool {
		return strings.Contains(h.condition("web", "RolloutProgressing"), "ended as Failed; nothing goes on")
	})
	if image(us.live()) != "registry.invalid/web:1" || eu.active() != first[eu] {
		t.Fatalf("the second cluster has %s, the first serves %s", image(us.live()), eu.active())
	}

	// Version 3: both have their preview; nobody goes before the last is ready.
	good.Store(true)
	books.commit(map[string]string{"web": strings.ReplaceAll(webRollout, "VERSION", "3")})
	h.until("the second cluster begins", func() bool { return image(us.live()) == "registry.invalid/web:3" })
	h.until("the first one waits", func() bool {
		p, err := applicationset.PreviewOf(eu.live())
		return err == nil && p == applicationset.PreviewReady
	})
	for range 20 {
		time.Sleep(100 * time.Millisecond)
		if eu.active() != first[eu] || us.active() != first[us] {
			t.Fatal("one was promoted before the other was ready")
		}
	}
	us.node.Store(true)
	h.until("both serve version 3", func() bool {
		return eu.active() != first[eu] && us.active() != first[us] && eu.live().Status.Phase == "Healthy" && us.live().Status.Phase == "Healthy"
	})
	h.until("the rollout ends", func() bool { return rolledOut(h) })
}

func rolledOut(h *setHarness) bool {
	return strings.HasPrefix(h.condition("web", "RolloutProgressing"), "False ApplicationSetRolloutComplete")
}

func image(r rollout.Rollout) string {
	for _, c := range r.Object.List("spec", "template", "spec", "containers") {
		m, _ := c.(map[string]any)
		s, _ := m["image"].(string)
		return s
	}
	return ""
}

// twoSites is a Clusters over sites by name.
type twoSites map[string]*site

func (a twoSites) Find(_ context.Context, d application.Destination) (deliver.Cluster, deliver.State, error) {
	s, ok := a[d.Name]
	if !ok {
		return nil, nil, fmt.Errorf("there are no clusters with this name: %s", d.Name)
	}
	return s.api, s.state, nil
}

func (a twoSites) Resolve(ctx context.Context, d application.Destination) (application.Destination, string, error) {
	if _, _, err := a.Find(ctx, d); err != nil {
		return d, "", err
	}
	d.Server = a[d.Name].Server
	return d, "", nil
}

// assessRollouts is health as Argo CD's scripts assess Rollouts, and by built-in rules.
func assessRollouts(ctx context.Context, all []manifest.Object) (func(manifest.Object) application.Health, error) {
	usual, err := assess(ctx, all)
	return func(o manifest.Object) application.Health {
		if o.Kind().Kind != "Rollout" {
			return usual(o)
		}
		r, err := rollout.Decode(o)
		if err != nil {
			return application.Health{Status: "Unknown"}
		}
		phase, message := rollout.PhaseOf(r)
		if phase == rollout.Paused {
			phase = "Suspended"
		}
		return application.Health{Status: phase, Message: message}
	}, err
}
