package deliver_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// job is a Job in YAML whose pod never runs at levels A and B; the test ends it by its status.
func job(called, hook, more string) string {
	return fmt.Sprintf(`apiVersion: batch/v1
kind: Job
metadata: {name: %s, annotations: {argocd.argoproj.io/hook: %s%s}}
spec:
  backoffLimit: 0
  template:
    spec: {restartPolicy: Never, nodeSelector: {none: such}, containers: [{name: c, image: x}]}
`, called, hook, more)
}

// end gives a Job the status that it ended with.
func (h *harness) end(called string, ok bool) {
	h.t.Helper()
	h.eventually("the hook "+called+" is there", func() bool { return h.live(jobs, called) != nil })
	var err error
	defer func() {
		if err != nil {
			h.t.Log(err)
		}
	}()
	h.eventually("the Job's status is taken", func() bool {
		j := h.live(jobs, called)
		if j == nil {
			return false
		}
		now := time.Now().UTC().Format(time.RFC3339)
		began := orNow(j.Text("status", "startTime"), now) // where a controller runs, it set one
		status := `{"status":{"startTime":"` + began + `","active":0,"failed":1,"conditions":[{"type":"FailureTarget","status":"True","reason":"r","message":"m"},{"type":"Failed","status":"True","reason":"r","message":"it broke"}]}}`
		if ok {
			status = `{"status":{"startTime":"` + began + `","completionTime":"` + now + `","active":0,"succeeded":1,"conditions":[{"type":"SuccessCriteriaMet","status":"True"},{"type":"Complete","status":"True"}]}}`
		}
		_, err = h.to.Patch(context.Background(), jobs, h.kube.Namespace, called, manifest.Patch{Kind: manifest.MergePatch, Data: []byte(status), Sub: "status"}, manifest.Writing{})
		return err == nil
	})
}

func orNow(text, now string) string {
	if text == "" {
		return now
	}
	return text
}

func TestHooksRunInTheirPhases(t *testing.T) {
	h := start(t, kubetest.A)
	h.commit(map[string]string{"web": docs(configMap("a", "1", ""), job("before", "PreSync", ", argocd.argoproj.io/hook-delete-policy: HookSucceeded"), job("after", "PostSync", ""))})
	h.app("web", "web", "info: []")
	h.sync("web", application.SyncOperation{})
	h.until("web", "waiting for the first hook", func(a application.Application) bool {
		return a.Status.OperationState != nil && a.Status.OperationState.Message == "waiting for completion of hook batch/Job/before"
	})
	if h.live(configMaps, "a") != nil || h.live(jobs, "after") != nil {
		t.Error("what comes later is there already")
	}
	h.end("before", true)
	h.until("web", "waiting for the last hook", func(a application.Application) bool {
		return a.Status.OperationState.Message == "waiting for completion of hook batch/Job/after"
	})
	if h.live(configMaps, "a") == nil {
		t.Error("the resource is not there")
	}
	h.end("after", true)
	app := h.until("web", "done", phase(application.Succeeded))
	got := map[string]string{}
	for _, r := range app.Status.OperationState.SyncResult.Resources {
		got[r.Name] = r.HookType + " " + r.SyncPhase + " " + string(r.HookPhase)
	}
	if got["before"] != "PreSync PreSync Succeeded" || got["after"] != "PostSync PostSync Succeeded" || got["a"] != " Sync Succeeded" {
		t.Errorf("results %v", got)
	}
	h.eventually("the hook that is to go is gone", func() bool { return h.live(jobs, "before") == nil })
	if h.live(jobs, "after") == nil {
		t.Error("the other hook is gone too")
	}
}

func TestAFailedHookFailsTheSyncAndRunsSyncFail(t *testing.T) {
	h := start(t, kubetest.A)
	h.commit(map[string]string{"web": docs(configMap("a", "1", ""), job("before", "PreSync", ""), configMap("mourning", "1", "argocd.argoproj.io/hook: SyncFail"))})
	h.app("web", "web", "info: []")
	h.sync("web", application.SyncOperation{})
	h.end("before", false)
	app := h.until("web", "failed", phase(application.Failed))
	if h.live(configMaps, "a") != nil || h.live(configMaps, "mourning") == nil {
		t.Errorf("a %v, mourning %v", h.live(configMaps, "a") != nil, h.live(configMaps, "mourning") != nil)
	}
	if m := app.Status.OperationState.Message; m != "one or more synchronization tasks completed unsuccessfully" {
		t.Errorf("message %q", m)
	}
}

func TestATerminationEndsASync(t *testing.T) {
	h := start(t, kubetest.A)
	h.commit(map[string]string{"web": docs(configMap("a", "1", ""), job("before", "PreSync", ""))})
	h.app("web", "web", "info: []")
	h.sync("web", application.SyncOperation{})
	app := h.until("web", "waiting", func(a application.Application) bool {
		return a.Status.OperationState != nil && strings.HasPrefix(a.Status.OperationState.Message, "waiting for completion of hook")
	})
	if _, err := deliver.Terminate(t.Context(), h.home, app.Object); err != nil {
		t.Fatal(err)
	}
	app = h.until("web", "terminated", phase(application.Failed))
	if app.Status.OperationState.Message != "Operation terminated" {
		t.Errorf("message %q", app.Status.OperationState.Message)
	}
	h.eventually("the hook is gone", func() bool { j := h.live(jobs, "before"); return j == nil || j.Deleting() })
}

// The cache of a cluster ends with the Secret that the cluster was read of; no comparison is lost with it.
func TestACacheOfACluster(t *testing.T) {
	var now atomic.Pointer[cluster.State]
	h := start(t, kubetest.A, func(c *deliver.Controller, h *harness) {
		now.Store(cluster.NewState(h.to, cluster.Scope{}))
		c.Clusters = moving{here{to: h.to}, &now}
		c.SelfHeal.Timeout = time.Millisecond
	})
	t.Cleanup(func() { now.Load().Close() })
	h.commit(map[string]string{"web": docs(configMap("a", "1", ""))})
	h.app("web", "web", automated)
	h.until("web", "synced", synced)
	now.Load().Close()
	h.until("web", "told that it cannot be read", func(a application.Application) bool { return a.Status.Sync.Status == application.Unknown })
	now.Store(cluster.NewState(h.to, cluster.Scope{}))
	h.until("web", "synced again", synced)
	old := now.Swap(cluster.NewState(h.to, cluster.Scope{}))
	old.Close()
	h.merge(configMaps, "a", `{"data":{"key":"2"}}`)
	h.eventually("it is followed and healed", func() bool { return h.live(configMaps, "a").Text("data", "key") == "1" })
}

func TestWavesWaitForHealth(t *testing.T) {
	h := start(t, kubetest.A)
	first := strings.Replace(job("first", "x", ""), ", annotations: {argocd.argoproj.io/hook: x}", "", 1)
	h.commit(map[string]string{"web": docs(first, configMap("second", "1", "argocd.argoproj.io/sync-wave: '1'"))})
	h.app("web", "web", "info: []")
	h.sync("web", application.SyncOperation{})
	h.until("web", "waiting for the first wave", func(a application.Application) bool {
		return a.Status.OperationState != nil && a.Status.OperationState.Message == "waiting for healthy state of batch/Job/first"
	})
	if h.live(configMaps, "second") != nil {
		t.Error("the second wave is there")
	}
	h.end("first", true)
	h.until("web", "done", phase(application.Succeeded))
	if h.live(configMaps, "second") == nil {
		t.Error("the second wave is missing")
	}
}

func TestADefinitionAndItsObjectsGoInOneSync(t *testing.T) {
	h := start(t, kubetest.A)
	group := strings.ReplaceAll(h.kube.Namespace, "test-", "x") + ".example.org"
	crd := fmt.Sprintf(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.%[1]s}
spec:
  group: %[1]s
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`, group)
	t.Cleanup(func() {
		_ = h.to.Delete(context.Background(), manifest.Kind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}, "", "widgets."+group, manifest.Writing{})
	})
	h.commit(map[string]string{"web": docs(fmt.Sprintf("apiVersion: %s/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: 1}\n", group), crd)})
	h.app("web", "web", "info: []")
	h.sync("web", application.SyncOperation{})
	h.until("web", "done", phase(application.Succeeded))
	h.until("web", "synced", synced)
	if h.live(manifest.Kind{Group: group, Version: "v1", Kind: "Widget"}, "w") == nil {
		t.Error("the object is missing")
	}
}

func TestANamespaceIsMade(t *testing.T) {
	h := start(t, kubetest.B)
	space := h.kube.Namespace + "-made"
	spaces := manifest.Kind{Version: "v1", Kind: "Namespace"}
	t.Cleanup(func() { _ = h.to.Delete(context.Background(), spaces, "", space, manifest.Writing{}) })
	h.commit(map[string]string{"web": configMap("a", "1", "")})
	o := h.app("web", "web", "syncPolicy: {automated: {}, syncOptions: [CreateNamespace=true], managedNamespaceMetadata: {labels: {team: x}}}")
	o.Set(space, "spec", "destination", "namespace")
	if _, err := h.home.Patch(t.Context(), appKind, "argocd", "web", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"spec":{"destination":{"namespace":"` + space + `"}}}`)}, manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	h.until("web", "synced there", func(a application.Application) bool {
		return synced(a) && a.Status.Sync.ComparedTo.Destination.Namespace == space
	})
	ns, err := h.to.Get(t.Context(), spaces, "", space)
	if err != nil || ns.Labels()["team"] != "x" {
		t.Errorf("namespace %v %v", ns.Labels(), err)
	}
}

func TestASharedResourceIsRefused(t *testing.T) {
	h := start(t, kubetest.A)
	h.commit(map[string]string{"web": configMap("a", "1", "")})
	h.app("one", "web", automated)
	h.until("one", "synced", synced)
	h.app("two", "web", "syncPolicy: {syncOptions: [FailOnSharedResource=true]}")
	h.until("two", "compared", func(a application.Application) bool { return len(a.Status.Conditions) > 0 })
	h.sync("two", application.SyncOperation{SyncOptions: []string{"FailOnSharedResource=true"}})
	app := h.until("two", "failed", phase(application.Failed))
	if want := "Shared resource found: ConfigMap/a is part of applications argocd/two and one"; app.Status.OperationState.Message != want {
		t.Errorf("message %q, want %q", app.Status.OperationState.Message, want)
	}
	if app.Status.Conditions[0].Type != "SharedResourceWarning" {
		t.Errorf("conditions %v", app.Status.Conditions)
	}
}

func TestServerSideApplyAndDiff(t *testing.T) {
	h := start(t, kubetest.A)
	h.commit(map[string]string{"web": configMap("a", "1", "")})
	h.app("web", "web", "syncPolicy: {automated: {selfHeal: true}, syncOptions: [ServerSideApply=true]}")
	h.until("web", "synced", synced)
	h.merge(configMaps, "a", `{"data":{"other":"x"}}`) // of another owner: none of our business
	h.refresh("web")
	if _, err := h.home.Patch(t.Context(), appKind, "argocd", "web", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"metadata":{"annotations":{"argocd.argoproj.io/compare-options":"ServerSideDiff=true"}}}`)}, manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	h.refresh("web")
	app := h.until("web", "synced", synced)
	if len(app.Status.Conditions) > 0 {
		t.Errorf("conditions %v", app.Status.Conditions)
	}
	o := h.live(configMaps, "a")
	if o.Text("data", "other") != "x" {
		t.Error("a field of another owner was taken away")
	}
	owner := ""
	for _, f := range o.List("metadata", "managedFields") {
		if m := f.(map[string]any); m["operation"] == "Apply" {
			owner, _ = m["manager"].(string)
		}
	}
	if owner != "argocd-controller" {
		t.Errorf("applied by %q", owner)
	}
}

func TestSecretsAreNowhereToBeSeen(t *testing.T) {
	const canary = "CANARY-7f3a"
	h := start(t, kubetest.A, func(c *deliver.Controller, _ *harness) { c.SelfHeal.Timeout = time.Millisecond })
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: " + canary + "}\n"
	h.commit(map[string]string{"web": secret, "bad": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: kubernetes.io/tls\nstringData: {password: " + canary + "}\n"})
	h.app("web", "web", automated)
	h.until("web", "synced", synced)
	h.merge(manifest.Kind{Version: "v1", Kind: "Secret"}, "s", `{"stringData":{"password":"`+canary+`-evil"}}`)
	h.eventually("the Secret drifts and is healed", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.drift) >= 2 })
	h.until("web", "synced", synced)
	h.app("bad", "bad", "info: []")
	h.sync("bad", application.SyncOperation{})
	h.until("bad", "failed", phase(application.Failed))
	all := h.get("web").Object.Copy()
	text := string(all.JSON()) + string(h.get("bad").Object.JSON()) + strings.Join(h.events("web"), "\n") + strings.Join(h.events("bad"), "\n")
	h.mu.Lock()
	defer h.mu.Unlock()
	text += fmt.Sprintf("%+v %+v %+v", h.told, h.drift, h.fails)
	for _, mark := range []string{canary, "Q0FOQVJZLTdmM2E"} {
		if i := strings.Index(text, mark); i >= 0 {
			t.Errorf("a Secret's data are told: …%s…", text[max(0, i-200):i])
		}
	}
}

// storm is a cluster that refuses what it can: each third write with 409, each fourth with 429, each fifth with 500.
type storm struct {
	deliver.Cluster
	n    atomic.Int64
	calm atomic.Bool
	hits atomic.Int64
}

func (s *storm) hit() error {
	if s.calm.Load() {
		return nil
	}
	n := s.n.Add(1)
	switch {
	case n%3 == 0:
		s.hits.Add(1)
		return &manifest.Refusal{Code: 409, Reason: manifest.ReasonConflict, Message: "the object has been modified"}
	case n%4 == 0:
		s.hits.Add(1)
		return &manifest.Refusal{Code: 429, Reason: manifest.ReasonThrottled, Message: "too many requests", RetryAfter: 50 * time.Millisecond}
	case n%5 == 0:
		s.hits.Add(1)
		return &manifest.Refusal{Code: 500, Reason: "InternalError", Message: "etcdserver: request timed out"}
	}
	return nil
}

func (s *storm) Create(ctx context.Context, o manifest.Object, w manifest.Writing) (manifest.Object, error) {
	if err := s.hit(); err != nil {
		return nil, err
	}
	return s.Cluster.Create(ctx, o, w)
}

func (s *storm) Patch(ctx context.Context, kind manifest.Kind, namespace, name string, p manifest.Patch, w manifest.Writing) (manifest.Object, error) {
	if err := s.hit(); err != nil {
		return nil, err
	}
	return s.Cluster.Patch(ctx, kind, namespace, name, p, w)
}

func (s *storm) Delete(ctx context.Context, kind manifest.Kind, namespace, name string, w manifest.Writing) error {
	if err := s.hit(); err != nil {
		return err
	}
	return s.Cluster.Delete(ctx, kind, namespace, name, w)
}

func TestAStormPasses(t *testing.T) {
	var at, home *storm
	h := start(t, kubetest.B, func(c *deliver.Controller, h *harness) {
		in := c.Clusters.(here)
		at, home = &storm{Cluster: in.to}, &storm{Cluster: h.home}
		c.Clusters, c.Home = here{at, in.state}, home
	})
	var list []string
	for i := range 20 {
		list = append(list, configMap(fmt.Sprintf("c%d", i), "1", ""))
	}
	h.commit(map[string]string{"web": docs(list...)})
	h.app("web", "web", automated)
	h.until("web", "synced", synced)
	list = slices.Delete(list, 5, 15)
	h.commit(map[string]string{"web": docs(list...)})
	h.c.Ask("argocd", "web")
	var all []manifest.Object
	defer func() {
		if t.Failed() {
			t.Logf("%s", h.get("web").Object.Sub("status").JSON())
			for _, o := range all {
				t.Logf("%s", o.JSON())
			}
		}
	}()
	h.eventually("ten are pruned", func() bool {
		var err error
		all, err = h.to.List(context.Background(), configMaps, h.kube.Namespace, "")
		return err == nil && len(all) == 11 // and kube-root-ca.crt, where a controller manager runs
	})
	if at.hits.Load() < 5 || home.hits.Load() < 3 {
		t.Fatalf("the storm hit %d and %d times only", at.hits.Load(), home.hits.Load())
	}
}

func TestAnOperationGoesOnAfterARestart(t *testing.T) {
	h := start(t, kubetest.A)
	h.commit(map[string]string{"web": docs(configMap("a", "1", ""), job("before", "PreSync", ""))})
	h.app("web", "web", "info: []")
	h.sync("web", application.SyncOperation{})
	h.until("web", "waiting", func(a application.Application) bool {
		return a.Status.OperationState != nil && strings.HasPrefix(a.Status.OperationState.Message, "waiting for completion of hook")
	})
	uid := h.live(jobs, "before").UID()
	h.stop()
	old := h.c
	h.c = &deliver.Controller{Home: old.Home, Clusters: old.Clusters, Sources: old.Sources, Assess: old.Assess, WaveDelay: -1, Rules: old.Rules, Tell: old.Tell, Failed: old.Failed}
	h.commit(map[string]string{"web": configMap("a", "2", "")}) // the operation stays with its own revision
	h.run()
	h.end("before", true)
	h.until("web", "done", phase(application.Succeeded))
	if h.live(jobs, "before").UID() != uid || h.live(configMaps, "a").Text("data", "key") != "1" {
		t.Error("it began anew")
	}
}
