package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

var setKind = manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "ApplicationSet"}

// atlas is a Clusters that knows these, by name and server alike.
type atlas map[string]deliver.Cluster

func (a atlas) Find(_ context.Context, d application.Destination) (deliver.Cluster, deliver.State, error) {
	c, ok := a[d.Name+d.Server]
	if !ok {
		return nil, nil, fmt.Errorf("there are no clusters with this name: %s", d.Name)
	}
	return c, nil, nil
}

func (a atlas) Resolve(ctx context.Context, d application.Destination) (application.Destination, string, error) {
	_, _, err := a.Find(ctx, d)
	return d, "", err
}

// setHarness is a Sets over a store in memory.
type setHarness struct {
	t     *testing.T
	home  *objects.Store
	sets  *deliver.Sets
	mu    sync.Mutex
	world applicationset.World
	fresh []bool
	told  []string
	fails []string
}

// leaves is a repository in memory.
type leaves map[string]string

func (l leaves) Files() ([]string, error) { return slices.Sorted(maps.Keys(l)), nil }

func (l leaves) Read(path string) ([]byte, error) { return []byte(l[path]), nil }

func startSets(t *testing.T, options ...func(*deliver.Sets)) *setHarness {
	t.Helper()
	t.Parallel()
	home, err := objects.Open(objects.Config{Anywhere: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = home.Close() })
	h := &setHarness{t: t, home: home}
	h.sets = &deliver.Sets{
		Home: home, Clusters: atlas{"d": home, "e": home},
		World: func(_ context.Context, _ applicationset.Set, fresh bool) applicationset.World {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.fresh = append(h.fresh, fresh)
			return h.world
		},
		Tell: func(x deliver.Told) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.told = append(h.told, x.Reason+" "+x.Message)
		},
		Failed: func(_, n string, err error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.fails = append(h.fails, n+": "+err.Error())
		},
	}
	for _, o := range options {
		o(h.sets)
	}
	h.sets.Prepare()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.sets.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return h
}

func (h *setHarness) set(text string) {
	h.t.Helper()
	list, err := parse(text)
	if err != nil {
		h.t.Fatal(err)
	}
	o := list[0]
	o["apiVersion"], o["kind"] = "argoproj.io/v1alpha1", "ApplicationSet"
	o.Set("argocd", "metadata", "namespace")
	if _, err := h.home.Create(h.t.Context(), o, manifest.Writing{}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *setHarness) patch(kind manifest.Kind, called, sub, text string) {
	h.t.Helper()
	_, err := h.home.Patch(h.t.Context(), kind, "argocd", called, manifest.Patch{Kind: manifest.MergePatch, Data: []byte(text), Sub: sub}, manifest.Writing{})
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *setHarness) get(kind manifest.Kind, called string) manifest.Object {
	h.t.Helper()
	o, err := h.home.Get(context.Background(), kind, "argocd", called)
	if manifest.NotFound(err) {
		return nil
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return o
}

func (h *setHarness) apps() string {
	h.t.Helper()
	list, err := h.home.List(context.Background(), appKind, "argocd", "")
	if err != nil {
		h.t.Fatal(err)
	}
	var out []string
	for _, o := range list {
		out = append(out, o.Name())
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (h *setHarness) until(what string, holds func() bool) {
	h.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			h.mu.Lock()
			defer h.mu.Unlock()
			list, _ := h.home.List(context.Background(), setKind, "argocd", "")
			var text []string
			for _, o := range list {
				o.Drop("metadata", "managedFields")
				text = append(text, string(o.JSON()))
			}
			apps, _ := h.home.List(context.Background(), appKind, "argocd", "")
			for _, o := range apps {
				text = append(text, o.Name()+" "+string(o.Sub("status").JSON()))
			}
			h.t.Fatalf("not: %s\napps: %s\nsets: %s\ntold: %v\nfailed: %v", what, h.apps(), strings.Join(text, "\n"), h.told, h.fails)
		}
	}
}

// condition is the status and message of a set's condition.
func (h *setHarness) condition(called, kind string) string {
	s, err := applicationset.Decode(h.get(setKind, called))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, c := range s.Status.Conditions {
		if c.Type == kind {
			return c.Status + " " + c.Reason + " " + c.Message
		}
	}
	return ""
}

const upToDate = "True ApplicationSetUpToDate All applications have been generated successfully"

const listSet = `
metadata: {name: guestbook}
spec:
  goTemplate: true
  generators: [{list: {elements: [{c: one}, {c: two}]}}]
  template:
    metadata: {name: "{{.c}}-app", labels: {env: "{{.c}}"}}
    spec: {project: default, source: {repoURL: https://example.org/repo.git, path: "{{.c}}"}, destination: {name: d, namespace: x}, syncPolicy: {automated: {prune: true}}}
`

func TestASetMakesChangesAndRemoves(t *testing.T) {
	h := startSets(t)
	h.set(listSet)
	h.until("two Applications", func() bool {
		return h.apps() == "one-app two-app" && h.condition("guestbook", "ResourcesUpToDate") == upToDate
	})
	if got := h.condition("guestbook", "ParametersGenerated"); got != "True ParametersGenerated Successfully generated parameters for all Applications" {
		t.Error(got)
	}
	one := h.get(appKind, "one-app")
	if c, ok := one.Controller(); !ok || c.Name != "guestbook" || c.UID != h.get(setKind, "guestbook").UID() || fmt.Sprint(one.List("metadata", "finalizers")) != "[resources-finalizer.argocd.argoproj.io]" {
		t.Errorf("%s", one.JSON())
	}
	status := h.get(setKind, "guestbook").Sub("status")
	if status.Int(0, "resourcesCount") != 2 || status.Text("health", "status") != "Healthy" || len(status.List("resources")) != 2 {
		t.Errorf("%s", status.JSON())
	}
	// What somebody changes is put right; what the set changes is changed.
	h.patch(appKind, "one-app", "", `{"spec":{"source":{"path":"meddled"}}}`)
	h.until("the meddled path is put right", func() bool { return h.get(appKind, "one-app").Text("spec", "source", "path") == "one" })
	h.patch(setKind, "guestbook", "", `{"spec":{"generators":[{"list":{"elements":[{"c":"two"},{"c":"three"}]}}],"template":{"spec":{"source":{"targetRevision":"v2"}}}}}`)
	h.until("three replaces one", func() bool {
		o := h.get(appKind, "one-app")
		return o.Deleting() && h.apps() == "one-app three-app two-app" && h.get(appKind, "two-app").Text("spec", "source", "targetRevision") == "v2"
	})
	h.patch(appKind, "one-app", "", `{"metadata":{"finalizers":null}}`) // the Application's controller would
	h.until("one is gone", func() bool {
		return h.apps() == "three-app two-app" && h.get(setKind, "guestbook").Int(0, "status", "resourcesCount") == 2
	})
	h.mu.Lock()
	told := strings.Join(h.told, "|")
	h.mu.Unlock()
	for _, want := range []string{`created created Application "one-app"`, `updated updated Application "one-app"`, `Deleted Deleted Application "one-app"`} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not told in %s", want, told)
		}
	}
	// One that disappears is made again.
	if err := h.home.Delete(t.Context(), appKind, "argocd", "two-app", manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	h.patch(appKind, "two-app", "", `{"metadata":{"finalizers":null}}`)
	h.until("two is made again", func() bool { o := h.get(appKind, "two-app"); return o != nil && !o.Deleting() })
	// The set goes and takes its Applications along (the store collects what its owner leaves).
	if err := h.home.Delete(t.Context(), setKind, "argocd", "guestbook", manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	h.until("all are being deleted", func() bool { return h.get(appKind, "two-app").Deleting() && h.get(appKind, "three-app").Deleting() })
}

// Nothing is removed while a generator fails, and the status says why.
func TestAFailingGeneratorRemovesNothing(t *testing.T) {
	h := startSets(t)
	h.mu.Lock()
	h.world.Tree = func(string, string, string) (applicationset.Tree, error) {
		return leaves{"apps/a/x": "", "apps/b/x": ""}, nil
	}
	h.mu.Unlock()
	h.set(`
metadata: {name: dirs}
spec:
  goTemplate: true
  generators: [{git: {repoURL: https://example.org/r, revision: HEAD, directories: [{path: "apps/*"}], requeueAfterSeconds: 1}}]
  template: {metadata: {name: "{{.path.basename}}"}, spec: {project: default, source: {repoURL: r, path: x}, destination: {name: d}}}
`)
	h.until("two Applications", func() bool { return h.apps() == "a b" })
	h.mu.Lock()
	h.world.Tree = func(string, string, string) (applicationset.Tree, error) {
		return nil, errors.New("connection refused")
	}
	h.mu.Unlock()
	h.until("the error is told", func() bool {
		return h.condition("dirs", "ErrorOccurred") == "True ApplicationGenerationFromParamsError error generating params from git: connection refused"
	})
	if got := h.condition("dirs", "ParametersGenerated"); h.apps() != "a b" || got != "False ErrorOccurred error generating params from git: connection refused" {
		t.Error(h.apps(), got)
	}
	h.mu.Lock()
	h.world.Tree = func(string, string, string) (applicationset.Tree, error) { return leaves{"apps/a/x": ""}, nil }
	h.fresh = nil
	h.mu.Unlock()
	// A refresh is asked for; the annotation is taken off.
	h.patch(setKind, "dirs", "", `{"metadata":{"annotations":{"argocd.argoproj.io/application-set-refresh":"true"}}}`)
	h.until("the refresh is done", func() bool {
		_, asked := h.get(setKind, "dirs").Annotations()["argocd.argoproj.io/application-set-refresh"]
		return !asked && h.get(appKind, "b").Deleting() && h.condition("dirs", "ErrorOccurred") == "False ApplicationSetUpToDate All applications have been generated successfully"
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Contains(h.fresh, true) {
		t.Error("servers were not asked anew")
	}
}

// Forges and repositories are asked when it is their turn, not whenever an Application changes.
func TestGeneratorsAreAskedInTheirTurn(t *testing.T) {
	h := startSets(t)
	var asked atomic.Int32
	h.mu.Lock()
	h.world.Tree = func(string, string, string) (applicationset.Tree, error) {
		asked.Add(1)
		return leaves{"apps/a/x": ""}, nil
	}
	h.mu.Unlock()
	h.set(`
metadata: {name: dirs}
spec:
  goTemplate: true
  generators: [{git: {repoURL: https://example.org/r, revision: HEAD, directories: [{path: "apps/*"}]}}]
  template: {metadata: {name: "{{.path.basename}}"}, spec: {project: default, source: {repoURL: r, path: x}, destination: {name: d}}}
`)
	h.until("an Application", func() bool { return h.condition("dirs", "ResourcesUpToDate") == upToDate })
	before := asked.Load()
	for i := range 5 {
		h.patch(appKind, "a", "", fmt.Sprintf(`{"spec":{"source":{"path":"meddled-%d"}}}`, i))
		h.until("it is put right", func() bool { return h.get(appKind, "a").Text("spec", "source", "path") == "x" })
	}
	if asked.Load() != before {
		t.Errorf("asked %d times more", asked.Load()-before)
	}
	h.sets.Moved(func(repo string) bool { return repo == "https://example.org/r" })
	h.until("it is asked when it moved", func() bool { return asked.Load() == before+1 })
	h.patch(setKind, "dirs", "", `{"spec":{"template":{"spec":{"source":{"path":"y"}}}}}`)
	h.until("and when the set changes", func() bool {
		return asked.Load() > before+1 && h.get(appKind, "a").Text("spec", "source", "path") == "y"
	})
}

func TestARefusedGenerator(t *testing.T) {
	h := startSets(t)
	h.set(`
metadata: {name: plug}
spec:
  generators: [{plugin: {configMapRef: {name: x}}}]
  template: {metadata: {name: x}, spec: {source: {repoURL: r}, destination: {name: d}}}
`)
	h.until("it is refused", func() bool {
		return strings.HasPrefix(h.condition("plug", "ErrorOccurred"), "True ApplicationGenerationFromParamsError the generator plugin is not supported")
	})
	if h.get(setKind, "plug").Text("status", "health", "status") != "Degraded" {
		t.Error("it is not degraded")
	}
}

// What cannot be is told, the others are made.
func TestInvalidApplications(t *testing.T) {
	h := startSets(t)
	h.set(strings.NewReplacer("[{c: one}, {c: two}]", "[{c: one}, {c: two}, {c: nowhere}, {c: one}]", "destination: {name: d,", `destination: {name: '{{ if eq .c "nowhere" }}gone{{ else }}d{{ end }}',`).Replace(listSet))
	h.until("the others are made", func() bool { return h.apps() == "two-app" })
	h.until("it is told", func() bool {
		return h.condition("guestbook", "ErrorOccurred") == "True ApplicationValidationError ApplicationSet guestbook contains applications with duplicate name: one-app (and 1 more)" && h.condition("guestbook", "ParametersGenerated") != ""
	})
}

func TestPoliciesOfTheController(t *testing.T) {
	h := startSets(t, func(s *deliver.Sets) { s.Policy = applicationset.Policy{Sync: applicationset.PolicyCreateOnly} })
	h.set("metadata:\n  name: guestbook\n  finalizers: [resources-finalizer.argocd.argoproj.io]\n" + strings.SplitN(listSet, "}\n", 2)[1])
	h.until("two Applications", func() bool { return h.apps() == "one-app two-app" })
	h.patch(setKind, "guestbook", "", `{"spec":{"generators":[{"list":{"elements":[{"c":"two"},{"c":"three"}]}}],"template":{"spec":{"source":{"targetRevision":"v2"}}}}}`)
	h.until("three is made", func() bool { return h.apps() == "one-app three-app two-app" && h.get(appKind, "three-app") != nil })
	if h.get(appKind, "one-app").Deleting() || h.get(appKind, "two-app").Text("spec", "source", "targetRevision") != "" {
		t.Error("it was changed")
	}
	// The set goes and leaves its Applications.
	if err := h.home.Delete(t.Context(), setKind, "argocd", "guestbook", manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	h.until("the set is gone", func() bool { return h.get(setKind, "guestbook") == nil })
	for _, a := range []string{"one-app", "two-app", "three-app"} {
		if o := h.get(appKind, a); o.Deleting() || len(o.Owners()) > 0 {
			t.Errorf("%s", o.JSON())
		}
	}
}

func TestADryRunOfSetsChangesNothing(t *testing.T) {
	h := startSets(t, func(s *deliver.Sets) { s.DryRun = true })
	h.set(listSet)
	h.until("it was looked at", func() bool { return h.condition("guestbook", "ParametersGenerated") != "" })
	if h.apps() != "" {
		t.Error(h.apps())
	}
}

// Steps, one after the other; the Applications' controller is played.
func TestARollingSet(t *testing.T) {
	h := startSets(t)
	h.set(listSet + `
  strategy:
    type: RollingSync
    deletionOrder: Reverse
    rollingSync: {steps: [{matchExpressions: [{key: env, operator: In, values: [one]}]}, {matchExpressions: [{key: env, operator: In, values: [two]}]}]}
`)
	status := func(app string) string {
		s, err := applicationset.Decode(h.get(setKind, "guestbook"))
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range s.Status.ApplicationStatus {
			if a.Application == app {
				return a.Status + " " + a.Step
			}
		}
		return ""
	}
	h.until("both are there", func() bool { return h.apps() == "one-app two-app" })
	compared := func(app, sync, health string) {
		h.patch(appKind, app, "", `{"status":{"sync":{"status":"`+sync+`","revision":"r1"},"health":{"status":"`+health+`"},"reconciledAt":"`+time.Now().UTC().Format(time.RFC3339)+`"}}`)
	}
	compared("one-app", "OutOfSync", "Missing")
	compared("two-app", "OutOfSync", "Missing")
	h.until("one is synced", func() bool { return h.get(appKind, "one-app")["operation"] != nil && status("one-app") == "Pending 1" })
	one := h.get(appKind, "one-app")
	if one.Text("operation", "initiatedBy", "username") != "applicationset-controller" || one.Sub("operation", "sync")["prune"] != true || one.Sub("spec", "syncPolicy", "automated")["enabled"] != false || status("two-app") != "Waiting 2" || h.get(appKind, "two-app")["operation"] != nil {
		t.Errorf("%s %s", one.JSON(), status("two-app"))
	}
	h.until("the condition tells of it", func() bool {
		return h.condition("guestbook", "RolloutProgressing") == "True ApplicationSetModified ApplicationSet is performing rollout of step 1"
	})
	play := func(app string) {
		h.patch(appKind, app, "", `{"operation":null,"status":{"operationState":{"phase":"Succeeded","startedAt":"`+time.Now().Add(time.Second).UTC().Format(time.RFC3339)+`"}}}`)
		compared(app, "Synced", "Healthy")
	}
	play("one-app")
	h.until("two is synced", func() bool { return status("one-app") == "Healthy 1" && h.get(appKind, "two-app")["operation"] != nil })
	play("two-app")
	h.until("the rollout ends", func() bool {
		return h.condition("guestbook", "RolloutProgressing") == "False ApplicationSetRolloutComplete ApplicationSet Rollout has completed"
	})
	// The set goes: the last step's Applications first.
	if err := h.home.Delete(t.Context(), setKind, "argocd", "guestbook", manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	h.until("two goes", func() bool { return h.get(appKind, "two-app").Deleting() })
	if h.get(appKind, "one-app").Deleting() {
		t.Error("one goes too")
	}
	h.patch(appKind, "two-app", "", `{"metadata":{"finalizers":null}}`)
	h.until("one goes", func() bool { return h.get(appKind, "one-app").Deleting() })
	h.patch(appKind, "one-app", "", `{"metadata":{"finalizers":null}}`)
	h.until("the set goes", func() bool { return h.get(setKind, "guestbook") == nil })
}
