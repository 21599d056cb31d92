package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

var appKind = manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Application"}

// patience is how long a test waits for what must come; a loaded machine is slow.
const patience = 90 * time.Second

// shelf is a Sources over texts: each commit keeps what every path held then.
type shelf struct {
	mu      sync.Mutex
	commits []map[string]string
	away    bool
}

func (s *shelf) commit(files map[string]string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := map[string]string{}
	if n := len(s.commits); n > 0 {
		for k, v := range s.commits[n-1] {
			next[k] = v
		}
	}
	for k, v := range files {
		next[k] = v
	}
	s.commits = append(s.commits, next)
	return s.name(len(s.commits) - 1)
}

func (*shelf) name(i int) string { return fmt.Sprintf("%040x", i+1) }

func (s *shelf) Resolve(_ context.Context, _ application.Application, sources []application.Source) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, src := range sources {
		switch {
		case len(src.TargetRevision) == 40:
			out = append(out, src.TargetRevision)
		case s.away:
			return nil, errors.New("dial tcp 192.0.2.1:443: connection refused")
		default:
			out = append(out, s.name(len(s.commits)-1))
		}
	}
	return out, nil
}

func (s *shelf) Render(_ context.Context, _ application.Application, sources []application.Source, revisions []string, _ deliver.Target) (application.Desired, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := application.Desired{Revisions: revisions}
	for i, src := range sources {
		n := -1
		for j := range s.commits {
			if s.name(j) == revisions[i] {
				n = j
			}
		}
		if n < 0 {
			return d, fmt.Errorf("no commit %s", revisions[i])
		}
		text, ok := s.commits[n][src.Path]
		if !ok {
			return d, fmt.Errorf("%s: app path does not exist", src.Path)
		}
		objects, err := parse(text)
		if err != nil {
			return d, err
		}
		d.Objects = append(d.Objects, objects...)
		d.Types = append(d.Types, "Directory")
	}
	return d, nil
}

func parse(text string) ([]manifest.Object, error) {
	var out []manifest.Object
	for _, doc := range strings.Split(text, "\n---\n") {
		if strings.TrimSpace(doc) == "" {
			continue
		}
		data, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			return nil, err
		}
		o, err := manifest.Parse(data)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// here is a Clusters that knows one cluster.
type here struct {
	to    deliver.Cluster
	state deliver.State
}

func (h here) Find(context.Context, application.Destination) (deliver.Cluster, deliver.State, error) {
	return h.to, h.state, nil
}

func (h here) Resolve(_ context.Context, d application.Destination) (application.Destination, string, error) {
	if d.Name != "" && d.Server != "" {
		return d, "", fmt.Errorf("application destination can't have both name and server defined: %s %s", d.Name, d.Server)
	}
	if d.Name == "gone" {
		return d, "", fmt.Errorf("there are no clusters with this name: %s", d.Name)
	}
	d.Server, d.Name = "https://kubernetes.default.svc", "in-cluster"
	return d, "", nil
}

// moving is a Clusters whose cache can be replaced.
type moving struct {
	here
	now *atomic.Pointer[cluster.State]
}

func (m moving) Find(context.Context, application.Destination) (deliver.Cluster, deliver.State, error) {
	return m.to, m.now.Load(), nil
}

// harness is a controller over a store in memory, a shelf and a real cluster.
type harness struct {
	*shelf

	t     *testing.T
	kube  *kubetest.Kube
	home  *objects.Store
	to    *cluster.Cluster
	c     *deliver.Controller
	mu    sync.Mutex
	told  []deliver.Told
	drift []deliver.Drift
	fails []string
	stop  func()
}

type option func(*deliver.Controller, *harness)

func start(t *testing.T, level kubetest.Level, options ...option) *harness {
	t.Helper()
	t.Parallel()
	h := &harness{shelf: &shelf{}, t: t, kube: kubetest.Start(t, level)}
	var err error
	if h.to, err = cluster.Open(h.kube.Kubeconfig, ""); err != nil {
		t.Fatal(err)
	}
	if h.home, err = objects.Open(objects.Config{Anywhere: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.home.Close() })
	state := cluster.NewState(h.to, cluster.Scope{})
	t.Cleanup(state.Close)
	h.c = &deliver.Controller{
		Home: h.home, Clusters: here{h.to, state}, Sources: h.shelf, Assess: assess, WaveDelay: -1, Rules: deliver.Rules{Installation: h.kube.Namespace},
		Tell: func(x deliver.Told) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.told = append(h.told, x)
		},
		Journal: func(d deliver.Drift) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.drift = append(h.drift, d)
		},
		Failed: func(_, n string, err error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.fails = append(h.fails, n+": "+err.Error())
		},
	}
	for _, o := range options {
		o(h.c, h)
	}
	h.run()
	return h
}

// run runs the controller until the test ends or stop is called.
func (h *harness) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	c := h.c
	c.Prepare()
	go func() {
		defer close(done)
		_ = c.Run(ctx)
	}()
	h.stop = sync.OnceFunc(func() { cancel(); <-done })
	h.t.Cleanup(h.stop)
}

func assess(context.Context, []manifest.Object) (func(manifest.Object) application.Health, error) {
	return func(o manifest.Object) application.Health {
		r, ok := health.Assess(o)
		if !ok {
			return application.Health{}
		}
		return application.Health{Status: string(r.Status), Message: r.Message}
	}, nil
}

// app makes an Application; extra is YAML below spec.
func (h *harness) app(called, path, extra string) manifest.Object {
	h.t.Helper()
	text := fmt.Sprintf(`apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: %s, namespace: argocd}
spec:
  project: default
  source: {repoURL: https://example.org/repo.git, path: %s}
  destination: {server: https://kubernetes.default.svc, namespace: %s}
%s`, called, path, h.kube.Namespace, indent(extra))
	objects, err := parse(text)
	if err != nil {
		h.t.Fatal(err)
	}
	o, err := h.home.Create(h.t.Context(), objects[0], manifest.Writing{})
	if err != nil {
		h.t.Fatal(err)
	}
	return o
}

func indent(text string) string {
	var out []string
	for _, l := range strings.Split(strings.TrimSpace(text), "\n") {
		out = append(out, "  "+l)
	}
	return strings.Join(out, "\n")
}

const automated = "syncPolicy: {automated: {prune: true, selfHeal: true}}"

// get reads an Application.
func (h *harness) get(called string) application.Application {
	h.t.Helper()
	o, err := h.home.Get(context.Background(), appKind, "argocd", called)
	if err != nil {
		h.t.Fatal(err)
	}
	app, err := deliver.Decode(o)
	if err != nil {
		h.t.Fatal(err)
	}
	return app
}

// until waits until an Application is so.
func (h *harness) until(called, what string, so func(application.Application) bool) application.Application {
	h.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		app := h.get(called)
		if so(app) {
			return app
		}
		if time.Now().After(end) {
			h.mu.Lock()
			defer h.mu.Unlock()
			app.Object.Drop("metadata", "managedFields")
			h.t.Fatalf("%s is not %s:\n%s\ntold: %v\nfailed: %v", called, what, app.Object.JSON(), h.told, h.fails)
		}
	}
}

func synced(a application.Application) bool {
	return a.Status.Sync.Status == application.Synced && a.Operation == nil
}

func phase(p application.OperationPhase) func(application.Application) bool {
	return func(a application.Application) bool {
		return a.Operation == nil && a.Status.OperationState != nil && a.Status.OperationState.Phase == p
	}
}

// sync asks for a sync.
func (h *harness) sync(called string, op application.SyncOperation) {
	h.t.Helper()
	h.ask(called, application.Operation{Sync: &op})
}

func (h *harness) ask(called string, op application.Operation) {
	h.t.Helper()
	for {
		app := h.until(called, "free", func(a application.Application) bool { return a.Operation == nil })
		_, err := deliver.Ask(h.t.Context(), h.home, app.Object, op)
		if err == nil {
			return
		}
		if !manifest.Is(err, manifest.ReasonConflict) {
			h.t.Fatal(err)
		}
	}
}

// live reads an object of the test's namespace; nil where there is none.
func (h *harness) live(kind manifest.Kind, called string) manifest.Object {
	h.t.Helper()
	o, err := h.to.Get(context.Background(), kind, h.kube.Namespace, called)
	if manifest.NotFound(err) {
		return nil
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return o
}

// eventually waits until something holds.
func (h *harness) eventually(what string, holds func() bool) {
	h.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.t.Fatalf("not: %s\ntold: %v\nfailed: %v", what, h.told, h.fails)
		}
	}
}

func (h *harness) refresh(called string) {
	h.t.Helper()
	_, err := h.home.Patch(h.t.Context(), appKind, "argocd", called, manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"metadata":{"annotations":{"argocd.argoproj.io/refresh":"normal"}}}`)}, manifest.Writing{})
	if err != nil {
		h.t.Fatal(err)
	}
	h.until(called, "refreshed", func(a application.Application) bool {
		_, asked := a.Object.Annotations()["argocd.argoproj.io/refresh"]
		return !asked
	})
}

func (h *harness) merge(kind manifest.Kind, called, patch string) {
	h.t.Helper()
	if _, err := h.to.Patch(h.t.Context(), kind, h.kube.Namespace, called, manifest.Patch{Kind: manifest.MergePatch, Data: []byte(patch)}, manifest.Writing{Manager: "meddler"}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) events(called string) []string {
	h.t.Helper()
	list, err := h.home.List(context.Background(), manifest.Kind{Version: "v1", Kind: "Event"}, "argocd", "")
	if err != nil {
		h.t.Fatal(err)
	}
	slices.SortFunc(list, func(a, b manifest.Object) int { return strings.Compare(a.Name(), b.Name()) })
	var out []string
	for _, e := range list {
		if e.Text("involvedObject", "name") == called {
			out = append(out, e.Text("type")+" "+e.Text("reason")+" "+e.Text("message"))
		}
	}
	return out
}

var (
	configMaps = manifest.Kind{Version: "v1", Kind: "ConfigMap"}
	jobs       = manifest.Kind{Group: "batch", Version: "v1", Kind: "Job"}
)

func configMap(called, value, annotations string) string {
	if annotations != "" {
		annotations = ", annotations: {" + annotations + "}"
	}
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s%s}\ndata: {key: %q}\n", called, annotations, value)
}

func docs(list ...string) string { return strings.Join(list, "\n---\n") }
