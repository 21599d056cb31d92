package deliver_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func TestAnAutomatedApplicationFollowsItsSource(t *testing.T) {
	h := start(t, kubetest.B)
	first := h.commit(map[string]string{"web": docs(configMap("a", "1", ""), configMap("b", "1", ""))})
	h.app("web", "web", automated)
	app := h.until("web", "synced", synced)
	if app.Status.Sync.Revision != first || app.Status.Health.Status != "Healthy" || app.Status.SourceType != "Directory" || len(app.Status.Resources) != 2 || app.Status.ReconciledAt == nil || len(app.Status.History) != 1 {
		t.Errorf("status %s", app.Object.Sub("status").JSON())
	}
	if h := app.Status.History[0]; h.Revision != first || !h.InitiatedBy.Automated || h.Source.Path != "web" {
		t.Errorf("history %+v", h)
	}
	if op := app.Status.OperationState; op.Phase != application.Succeeded || !op.Operation.InitiatedBy.Automated || op.SyncResult.Revision != first || op.Message != "successfully synced (all tasks run)" {
		t.Errorf("operation %+v", op)
	}
	second := h.commit(map[string]string{"web": docs(configMap("a", "2", ""))})
	h.c.Moved(func(application.Source) bool { return true })
	h.until("web", "at the second commit", func(a application.Application) bool { return synced(a) && a.Status.Sync.Revision == second })
	if h.live(configMaps, "a").Text("data", "key") != "2" || h.live(configMaps, "b") != nil {
		t.Error("the cluster does not hold the second commit")
	}
	want := []string{
		"Normal ResourceUpdated Updated sync status:  -> OutOfSync",
		"Normal OperationStarted Initiated automated sync to '" + first + "'",
		"Normal OperationCompleted Sync operation to " + first + " succeeded",
		"Normal ResourceUpdated Updated sync status: OutOfSync -> Synced",
		"Normal OperationCompleted Sync operation to " + second + " succeeded",
	}
	got := h.events("web")
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("no event %q among\n%s", w, strings.Join(got, "\n"))
		}
	}
}

func TestDriftIsNamedAndHealed(t *testing.T) {
	h := start(t, kubetest.A, func(c *deliver.Controller, _ *harness) { c.SelfHeal.Timeout = time.Millisecond })
	h.commit(map[string]string{"web": configMap("a", "1", "")})
	h.app("web", "web", automated)
	h.until("web", "synced", synced)
	h.merge(configMaps, "a", `{"data":{"key":"meddled","more":"x"}}`)
	h.eventually("the drift is reverted", func() bool { return h.live(configMaps, "a").Text("data", "key") == "1" })
	app := h.until("web", "synced again", synced)
	if n := app.Status.OperationState.Operation.Sync.SelfHealAttemptsCount; n != 1 {
		t.Errorf("healed %d times", n)
	}
	if len(app.Status.OperationState.Operation.Sync.Resources) != 1 {
		t.Errorf("healed %v", app.Status.OperationState.Operation.Sync.Resources)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var seen, reverted bool
	for _, d := range h.drift {
		for _, x := range d.Differences {
			if x.Path == "/data/key" && x.Manager == "meddler" && x.Found == "meddled" && x.Wanted == "1" && !x.At.IsZero() {
				seen = seen || !d.Reverted
				reverted = reverted || d.Reverted
			}
		}
	}
	if !seen || !reverted {
		t.Errorf("seen %t, reverted %t: %+v", seen, reverted, h.drift)
	}
}

func TestWithoutSelfHealDriftIsOnlyTold(t *testing.T) {
	h := start(t, kubetest.A)
	h.commit(map[string]string{"web": configMap("a", "1", "")})
	h.app("web", "web", "syncPolicy: {automated: {prune: true}}")
	h.until("web", "synced", synced)
	h.merge(configMaps, "a", `{"data":{"key":"meddled"}}`)
	h.until("web", "out of sync", func(a application.Application) bool { return a.Status.Sync.Status == application.OutOfSync })
	h.refresh("web")
	if h.live(configMaps, "a").Text("data", "key") != "meddled" {
		h.mu.Lock()
		t.Errorf("it was reverted: %v %s", h.told, h.get("web").Object.JSON())
		h.mu.Unlock()
	}
}

func TestWhatIsWrongWithASpecIsACondition(t *testing.T) {
	h := start(t, kubetest.A)
	h.commit(map[string]string{"web": configMap("a", "1", "")})
	for called, c := range map[string]struct{ extra, kind, message string }{
		"project":  {"project: none", "InvalidSpecError", "Application referencing project none which does not exist"},
		"both":     {"destination: {server: https://x, name: why}", "InvalidSpecError", "application destination can't have both name and server defined: why https://x"},
		"gone":     {"destination: {name: gone}", "InvalidSpecError", "there are no clusters with this name: gone"},
		"pathless": {"source: {repoURL: https://example.org/r}", "InvalidSpecError", "spec.source.repoURL and either spec.source.path or spec.source.chart are required"},
		"chart":    {"source: {repoURL: https://example.org/r, chart: c}", "InvalidSpecError", "spec.source.targetRevision is required if the manifest source is a helm chart"},
		"nowhere":  {"source: {repoURL: https://example.org/r, path: nowhere}", "ComparisonError", "Failed to load target state: nowhere: app path does not exist"},
	} {
		o := manifest.Object{"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": map[string]any{"name": called, "namespace": "argocd"}}
		base, err := parse("project: default\nsource: {repoURL: https://example.org/r, path: web}\ndestination: {server: https://kubernetes.default.svc, namespace: " + h.kube.Namespace + "}")
		if err != nil {
			t.Fatal(err)
		}
		more, err := parse(c.extra)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range more[0] {
			base[0][k] = v
		}
		o["spec"] = map[string]any(base[0])
		if _, err := h.home.Create(t.Context(), o, manifest.Writing{}); err != nil {
			t.Fatal(err)
		}
		app := h.until(called, "compared", func(a application.Application) bool { return len(a.Status.Conditions) > 0 })
		got := app.Status.Conditions[0]
		if got.Type != c.kind || got.Message != c.message || app.Status.Sync.Status != application.Unknown {
			t.Errorf("%s: %s %q, sync %s", called, got.Type, got.Message, app.Status.Sync.Status)
		}
	}
}

func TestAProjectForbids(t *testing.T) {
	h := start(t, kubetest.A)
	h.commit(map[string]string{"web": docs(configMap("a", "1", ""), "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n")})
	objects, err := parse("apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: default, namespace: argocd}\nspec:\n  sourceRepos: ['*']\n  destinations: [{server: '*', namespace: '" + h.kube.Namespace + "'}]\n  namespaceResourceBlacklist: [{group: '', kind: Secret}]\n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.home.Create(t.Context(), objects[0], manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	h.app("web", "web", "info: []")
	h.until("web", "compared", func(a application.Application) bool { return a.Status.Sync.Status != "" })
	h.sync("web", application.SyncOperation{})
	app := h.until("web", "failed", phase(application.Failed))
	found := false
	for _, r := range app.Status.OperationState.SyncResult.Resources {
		found = found || r.Kind == "Secret" && r.Message == "resource :Secret is not permitted in project default"
	}
	if !found || h.live(configMaps, "a") != nil {
		t.Errorf("operation %s", app.Object.Sub("status", "operationState").JSON())
	}
}

func TestAProjectThatWantsSignaturesIsNotSynced(t *testing.T) {
	h := start(t, kubetest.A)
	h.commit(map[string]string{"web": configMap("a", "1", "")})
	objects, err := parse("apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: default, namespace: argocd}\nspec:\n  sourceRepos: ['*']\n  destinations: [{server: '*', namespace: '*'}]\n  signatureKeys: [{keyID: '4AEE18F83AFDEB23'}]\n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.home.Create(t.Context(), objects[0], manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	h.app("web", "web", "syncPolicy: {automated: {}}")
	h.until("web", "told", func(a application.Application) bool {
		return len(a.Status.Conditions) > 0 && strings.Contains(a.Status.Conditions[0].Message, "signatures are not checked")
	})
	h.sync("web", application.SyncOperation{})
	h.until("web", "not synced", phase(application.Errored))
	if h.live(configMaps, "a") != nil {
		t.Error("it was synced")
	}
}

func TestSelectedResourcesAreSyncedAlone(t *testing.T) {
	h := start(t, kubetest.A)
	h.commit(map[string]string{"web": docs(configMap("a", "1", ""), configMap("b", "1", ""))})
	h.app("web", "web", "info: []")
	h.sync("web", application.SyncOperation{Resources: []application.Chosen{{Kind: "ConfigMap", Name: "b"}}})
	app := h.until("web", "done", phase(application.Succeeded))
	if h.live(configMaps, "a") != nil || h.live(configMaps, "b") == nil || len(app.Status.History) != 0 {
		t.Errorf("history %v", app.Status.History)
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	h := start(t, kubetest.A)
	h.commit(map[string]string{"web": configMap("a", "1", "")})
	h.app("web", "web", "info: []")
	h.sync("web", application.SyncOperation{DryRun: true})
	h.until("web", "done", phase(application.Succeeded))
	if h.live(configMaps, "a") != nil {
		t.Error("it was made")
	}
}

func TestARollbackNeedsNoServer(t *testing.T) {
	h := start(t, kubetest.A)
	first := h.commit(map[string]string{"web": configMap("a", "1", "")})
	h.app("web", "web", "info: []")
	h.sync("web", application.SyncOperation{})
	h.until("web", "synced", synced)
	h.commit(map[string]string{"web": configMap("a", "2", "")})
	h.sync("web", application.SyncOperation{})
	h.eventually("the second commit is there", func() bool { return h.live(configMaps, "a").Text("data", "key") == "2" })
	app := h.until("web", "synced", func(a application.Application) bool { return synced(a) && len(a.Status.History) == 2 })
	h.shelf.mu.Lock()
	h.away = true
	h.shelf.mu.Unlock()
	op, err := application.Rollback(app, 0, false, false, "ada")
	if err != nil {
		t.Fatal(err)
	}
	h.ask("web", op)
	h.eventually("the first commit is there again", func() bool { return h.live(configMaps, "a").Text("data", "key") == "1" })
	app = h.until("web", "done", func(a application.Application) bool { return a.Operation == nil && len(a.Status.History) == 3 })
	if app.Status.History[2].Revision != first || app.Status.OperationState.Operation.InitiatedBy.Username != "ada" {
		t.Errorf("history %+v", app.Status.History)
	}
}

func TestARevisionThatFailedIsNotTriedAgainByItself(t *testing.T) {
	h := start(t, kubetest.A)
	h.commit(map[string]string{"web": docs(configMap("a", "1", ""), "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 70000}]}\n")})
	h.app("web", "web", "syncPolicy: {automated: {prune: true, selfHeal: true}, retry: {limit: 1, backoff: {duration: 100ms}}}")
	app := h.until("web", "failed for good", func(a application.Application) bool {
		return phase(application.Failed)(a) && len(a.Status.Conditions) > 0
	})
	if app.Status.OperationState.RetryCount != 1 || !strings.HasSuffix(app.Status.OperationState.Message, "(retried 1 times).") {
		t.Errorf("operation %+v", app.Status.OperationState)
	}
	if c := app.Status.Conditions[0]; c.Type != "SyncError" || !strings.HasPrefix(c.Message, "Failed last sync attempt to ["+app.Status.Sync.Revision+"]: one or more objects failed to apply") {
		t.Errorf("condition %+v", c)
	}
	h.refresh("web")
	started := app.Status.OperationState.StartedAt
	if now := h.get("web"); !now.Status.OperationState.StartedAt.Equal(started) || now.Operation != nil {
		t.Error("it was tried again")
	}
	h.commit(map[string]string{"web": configMap("a", "1", "")})
	h.refresh("web")
	h.until("web", "synced", synced)
}

func TestADeletionTakesTheResourcesAlong(t *testing.T) {
	h := start(t, kubetest.B)
	h.commit(map[string]string{"web": docs(configMap("a", "1", "argocd.argoproj.io/sync-wave: '1'"), configMap("b", "1", ""), configMap("kept", "1", "argocd.argoproj.io/sync-options: Delete=false"))})
	o := h.app("web", "web", automated)
	h.until("web", "synced", synced)
	o, err := h.home.Get(t.Context(), appKind, "argocd", o.Name())
	if err != nil {
		t.Fatal(err)
	}
	if err := deliver.Delete(t.Context(), h.home, o, true, "foreground"); err != nil {
		t.Fatal(err)
	}
	h.eventually("it is gone", func() bool {
		_, err := h.home.Get(context.Background(), appKind, "argocd", "web")
		return manifest.NotFound(err)
	})
	if h.live(configMaps, "a") != nil || h.live(configMaps, "b") != nil || h.live(configMaps, "kept") == nil {
		t.Error("the wrong ones are left")
	}
}

func TestAWindowHoldsSyncsBack(t *testing.T) {
	h := start(t, kubetest.A)
	h.commit(map[string]string{"web": configMap("a", "1", "")})
	objects, err := parse("apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: default, namespace: argocd}\nspec:\n  sourceRepos: ['*']\n  destinations: [{server: '*', namespace: '*'}]\n  syncWindows: [{kind: deny, schedule: '* * * * *', duration: 1h, applications: ['*']}]\n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.home.Create(t.Context(), objects[0], manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	h.eventually("the project is known", func() bool { return true })
	time.Sleep(200 * time.Millisecond) // the watch tells of the project
	h.app("web", "web", automated)
	h.until("web", "compared", func(a application.Application) bool { return a.Status.Sync.Status == application.OutOfSync })
	h.sync("web", application.SyncOperation{})
	app := h.until("web", "held back", func(a application.Application) bool {
		return a.Status.OperationState != nil && a.Status.OperationState.Message == "Sync operation blocked by sync window"
	})
	if h.live(configMaps, "a") != nil {
		t.Error("it was synced")
	}
	began := time.Now()
	if _, err := deliver.Terminate(t.Context(), h.home, app.Object); err != nil {
		t.Fatal(err)
	}
	h.until("web", "terminated", phase(application.Failed))
	t.Logf("terminated after %v", time.Since(began))
}
