package advance_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/edge/probe"
	"github.com/sluice-delivery/sluice/internal/edge/traffic"
	"github.com/sluice-delivery/sluice/internal/engine/advance"
	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// manager is one for a cluster, as the command wires it.
func manager(t testing.TB, kubeconfig, namespace, instance string, log *slog.Logger) *advance.Manager {
	t.Helper()
	c, err := cluster.OpenWith(kubeconfig, "", cluster.Options{Manager: "rollouts-controller", QPS: 100, Burst: 200})
	if err != nil {
		t.Fatal(err)
	}
	return managed(c, namespace, instance, log)
}

func managed(c advance.Cluster, namespace, instance string, log *slog.Logger) *advance.Manager {
	cache := advance.NewCache(c, namespace)
	return advance.New(advance.Config{
		Cluster: cache, Router: traffic.Driver{Cluster: cache}, Probe: &probe.Probe{Cluster: cache},
		Namespace: namespace, Instance: instance, Log: log,
	})
}

// stage is a namespace with a node and a manager at work in it.
type stage struct {
	*kubetest.Kube
	t *testing.T
}

func raise(t *testing.T) *stage {
	t.Helper()
	k := kubetest.Start(t, kubetest.C)
	k.ApplyCRDs(t, kubetest.Rollouts)
	s := &stage{k, t}
	s.run(manager(t, k.Kubeconfig, k.Namespace, "", slog.New(slog.NewTextHandler(t.Output(), nil))))
	return s
}

// run lets a manager work until the test ends.
func (s *stage) run(m *advance.Manager) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		_ = m.Run(ctx)
		close(ended)
	}()
	s.t.Cleanup(func() { stop(); <-ended })
}

func (s *stage) rollout() rollout.Rollout {
	s.t.Helper()
	r, err := rollout.Decode(s.Object(s.t, advance.Rollouts, "web"))
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// patch changes the Rollout as the plugin does.
func (s *stage) patch(p manifest.Patch) {
	s.t.Helper()
	path := s.Path(s.t, advance.Rollouts, s.Namespace) + "/web"
	if p.Sub != "" {
		path += "/" + p.Sub
	}
	if code, data := s.Do(s.t, http.MethodPatch, path, p.Kind, p.Data); code != http.StatusOK {
		s.t.Fatalf("patch %s: %d %s", p.Data, code, data)
	}
}

func (s *stage) merge(text string) {
	s.t.Helper()
	s.patch(manifest.Patch{Kind: manifest.MergePatch, Data: []byte(text)})
}

// version gives the Rollout's pods another template.
func (s *stage) version(v int) {
	s.t.Helper()
	s.merge(fmt.Sprintf(`{"spec": {"template": {"metadata": {"annotations": {"version": "%d"}}}}}`, v))
}

// phase waits for a phase at a step (-1 for any).
func (s *stage) phase(want string, step int32) {
	s.t.Helper()
	s.Wait(s.t, fmt.Sprintf("the rollout is %s at step %d", want, step), func() bool {
		r := s.rollout()
		phase, _ := rollout.PhaseOf(r)
		return phase == want && (step < 0 || r.Status.CurrentStepIndex != nil && *r.Status.CurrentStepIndex == step)
	})
}

func (s *stage) promote(full bool) {
	s.t.Helper()
	for _, p := range rollout.Promote(s.rollout(), full) {
		s.patch(p)
	}
}

// selector is the hash that a Service picks.
func (s *stage) selector(service string) string {
	s.t.Helper()
	return s.Object(s.t, manifest.Kind{Version: "v1", Kind: "Service"}, service).Text("spec", "selector", rollout.HashLabel)
}

// pods counts the pods of a hash that are not on their way out.
func (s *stage) pods(hash string) (n int) {
	s.t.Helper()
	code, data := s.Do(s.t, http.MethodGet, "/api/v1/namespaces/"+s.Namespace+"/pods?labelSelector="+rollout.HashLabel+"%3D"+hash, "", nil)
	list, err := manifest.Parse(data)
	if code != http.StatusOK || err != nil {
		s.t.Fatalf("%d %v", code, err)
	}
	for _, e := range list.List("items") {
		if !manifest.Object(e.(map[string]any)).Deleting() {
			n++
		}
	}
	return n
}

// web is a Rollout of three pods with a strategy.
func web(strategy string) string {
	return `
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  replicas: 3
  progressDeadlineSeconds: 120
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: web, image: "nginx:1.19-alpine", ports: [{containerPort: 80}]}]
  strategy: ` + strategy
}

// ingress is where requests for the stable Service come in.
const ingress = `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {rules: [{host: shop.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: stable, port: {number: 80}}}}]}}]}
`

func service(name string) string {
	return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec: {ports: [{port: 80}], selector: {app: web}}\n"
}

// metric is a server whose answer the test sets: it counts requests and notes when the first bad answer went out.
type metric struct {
	at    string
	bad   atomic.Bool
	asked atomic.Int32
	since atomic.Int64
}

func measured(t *testing.T) *metric {
	m := &metric{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		m.asked.Add(1)
		if m.bad.Load() {
			m.since.CompareAndSwap(0, time.Now().UnixNano())
		}
		fmt.Fprintf(w, `{"rate": %d}`, map[bool]int{false: 1, true: 0}[m.bad.Load()])
	}))
	t.Cleanup(s.Close)
	m.at = s.URL
	return m
}

func (m *metric) template(name, more string) string {
	return "---\napiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: " + name + "}\nspec:\n  metrics:\n  - {name: rate, " + more +
		`successCondition: result == 1, provider: {web: {url: "` + m.at + `", jsonPath: "{$.rate}"}}}` + "\n"
}

func TestACanaryThroughEveryKindOfStep(t *testing.T) {
	s := raise(t)
	good := measured(t)
	s.Apply(t, ingress+good.template("once", "")+service("stable")+service("canary")+"---"+web(`
    canary:
      stableService: stable
      canaryService: canary
      scaleDownDelaySeconds: 1
      trafficRouting: {nginx: {stableIngress: web}}
      steps:
      - setWeight: 34
      - pause: {}
      - analysis: {templates: [{templateName: once}]}
      - setCanaryScale: {replicas: 2}
      - experiment: {duration: 2s, templates: [{name: try, specRef: canary}], analyses: [{name: check, templateName: once, requiredForCompletion: true}]}
      - setWeight: 67
      - pause: {duration: 1s}
      - pause: {}
`))
	s.phase(rollout.Healthy, -1)
	first := s.rollout().Status.StableRS
	s.version(2)
	s.phase(rollout.Paused, 1)
	second := s.rollout().Status.CurrentPodHash
	s.Wait(t, "two pods are new and the canary Service picks them", func() bool {
		return s.pods(second) == 2 && s.pods(first) == 3 && s.selector("canary") == second && s.selector("stable") == first
	})
	if good.asked.Load() != 0 {
		t.Error("it was measured before its step")
	}
	s.promote(false)
	s.phase(rollout.Paused, 7)
	if good.asked.Load() != 2 {
		t.Errorf("measured %d times", good.asked.Load())
	}
	s.Wait(t, "the canary has the scale that it was given", func() bool { return s.pods(second) == 2 && s.pods(first) == 3 })
	s.promote(false)
	s.phase(rollout.Healthy, 8)
	s.Wait(t, "the new version is alone", func() bool {
		return s.pods(second) == 3 && s.pods(first) == 0 && s.selector("stable") == second && s.selector("canary") == second
	})
}

func TestAFailedMeasurementTurnsBackWithinFiveSeconds(t *testing.T) {
	s := raise(t)
	m := measured(t)
	s.Apply(t, m.template("always", "interval: 1s, count: 1000, ")+"---"+web("{canary: {analysis: {templates: [{templateName: always}]}, steps: [{setWeight: 34}, {pause: {}}]}}"))
	s.phase(rollout.Healthy, -1)
	first := s.rollout().Status.StableRS
	s.version(2)
	s.phase(rollout.Paused, 1)
	s.Wait(t, "it is measured", func() bool { return m.asked.Load() > 2 })
	m.bad.Store(true)
	s.phase(rollout.Degraded, -1)
	r := s.rollout()
	took := r.Status.AbortedAt.Add(time.Second).Sub(time.Unix(0, m.since.Load())) // abortedAt has whole seconds
	t.Logf("turned back within %v", took)
	if took > 5*time.Second {
		t.Errorf("it took %v from the bad answer to the abort", took)
	}
	if !r.Status.Abort || !strings.Contains(r.Status.Message, `Metric "rate" assessed Failed due to failed (1) > failureLimit (0)`) {
		t.Errorf("%+v", r.Status)
	}
	s.Wait(t, "the stable version has all pods", func() bool { return s.pods(first) == 3 && s.pods(r.Status.CurrentPodHash) == 0 })
	run, err := analysis.Decode(s.Object(t, advance.Runs, r.Status.Canary.CurrentBackgroundAnalysisRunStatus.Name))
	if err != nil || run.Status.Phase != analysis.Failed || run.Status.MetricResults[0].Failed != 1 {
		t.Errorf("%v %+v", err, run.Status)
	}
	// It is taken up again once the metric is well.
	m.bad.Store(false)
	s.patch(rollout.Retry())
	s.phase(rollout.Paused, 1)
	s.promote(true)
	s.phase(rollout.Healthy, -1)
}

func TestBlueGreenIsSwitchedAbortedAndUndone(t *testing.T) {
	s := raise(t)
	m := measured(t)
	s.Apply(t, m.template("before", "")+service("active")+service("preview")+"---"+web(`
    {blueGreen: {activeService: active, previewService: preview, autoPromotionEnabled: false, scaleDownDelaySeconds: 2, abortScaleDownDelaySeconds: 1, prePromotionAnalysis: {templates: [{templateName: before}]}}}`))
	s.phase(rollout.Healthy, -1)
	first := s.rollout().Status.StableRS
	s.version(2)
	s.phase(rollout.Paused, -1)
	second := s.rollout().Status.CurrentPodHash
	if s.selector("active") != first || s.selector("preview") != second {
		t.Errorf("active picks %s, preview %s", s.selector("active"), s.selector("preview"))
	}
	s.promote(false)
	s.phase(rollout.Healthy, -1)
	s.Wait(t, "the old version is gone after its delay", func() bool { return s.selector("active") == second && s.pods(first) == 0 && s.pods(second) == 3 })

	m.bad.Store(true)
	s.version(3)
	s.phase(rollout.Degraded, -1)
	if s.selector("active") != second {
		t.Errorf("active picks %s after an abort", s.selector("active"))
	}
	third := s.rollout().Status.CurrentPodHash
	s.Wait(t, "the bad version is gone", func() bool { return s.pods(third) == 0 && s.pods(second) == 3 })

	m.bad.Store(false)
	s.version(2)
	s.phase(rollout.Healthy, -1)
	s.merge(fmt.Sprintf(`{"spec": {"restartAt": %q}}`, time.Now().UTC().Format(time.RFC3339)))
	s.Wait(t, "all pods are replaced", func() bool {
		r := s.rollout()
		return r.Status.RestartedAt != nil && r.Status.AvailableReplicas == 3
	})
}

func TestNginxWeightsFollowTheSteps(t *testing.T) {
	s := raise(t)
	s.Apply(t, ingress+service("stable")+service("canary")+"---"+web("{canary: {stableService: stable, canaryService: canary, trafficRouting: {nginx: {stableIngress: web}}, steps: [{setWeight: 5}, {pause: {}}, {setWeight: 50}, {pause: {}}]}}"))
	weight := func() string {
		o := s.Object(t, manifest.Kind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}, "web-web-canary")
		return o.Annotation("nginx.ingress.kubernetes.io/canary-weight")
	}
	s.phase(rollout.Healthy, -1)
	s.version(2)
	for _, want := range []string{"5", "50"} {
		s.Wait(t, "the canary gets "+want, func() bool { p, _ := rollout.PhaseOf(s.rollout()); return p == rollout.Paused && weight() == want })
		s.promote(false)
	}
	s.phase(rollout.Healthy, 4)
	s.Wait(t, "the canary gets nothing once it is stable", func() bool { return weight() == "0" })
	s.version(3)
	s.Wait(t, "the canary gets 5", func() bool { return weight() == "5" })
	s.patch(rollout.Abort())
	s.Wait(t, "the canary gets nothing after an abort", func() bool { return weight() == "0" })
	s.phase(rollout.Degraded, -1)
}

func TestSecretsOfArgumentsStayOutOfEverything(t *testing.T) {
	s := raise(t)
	const secret = "hush-4711-hush"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"you said": %q}`, r.Header.Get("Authorization")) // a server that repeats it
	}))
	t.Cleanup(server.Close)
	s.Apply(t, `
apiVersion: v1
kind: Secret
metadata: {name: token}
stringData: {key: `+secret+`}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisRun
metadata: {name: leaky}
spec:
  args: [{name: token, valueFrom: {secretKeyRef: {name: token, key: key}}}, {name: gone, value: x}]
  metrics:
  - {name: echo, successCondition: 'result.nothing == 1', provider: {web: {url: "`+server.URL+`/{{args.token}}", headers: [{key: Authorization, value: "{{args.token}}"}]}}}
  - {name: asked, provider: {prometheus: {address: "http://127.0.0.1:1", query: 'up{token="{{args.token}}"}'}}}
  - {name: refused, provider: {web: {url: "http://127.0.0.1:1/{{args.token}}?a={{args.token}}"}}}
`)
	s.Wait(t, "the run ends", func() bool {
		return analysis.Phase(s.Object(t, advance.Runs, "leaky").Text("status", "phase")).Completed()
	})
	o := s.Object(t, advance.Runs, "leaky")
	if strings.Contains(string(o.JSON()), secret) {
		t.Errorf("the run holds the secret: %s", o.Sub("status").JSON())
	}
	if !strings.Contains(string(o.JSON()), "*****") {
		t.Errorf("nothing was masked, so nothing was measured: %s", o.Sub("status").JSON())
	}
	_, events := s.Do(t, http.MethodGet, "/api/v1/namespaces/"+s.Namespace+"/events", "", nil)
	if strings.Contains(string(events), secret) {
		t.Error("an event holds the secret")
	}
}
