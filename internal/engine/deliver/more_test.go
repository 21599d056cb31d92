package deliver_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func (h *harness) gone(called string) func() bool {
	return func() bool {
		_, err := h.home.Get(context.Background(), appKind, "argocd", called)
		return manifest.NotFound(err)
	}
}

func TestDeletionHooksRunAroundTheResources(t *testing.T) {
	h := start(t, kubetest.B)
	h.commit(map[string]string{"web": docs(configMap("a", "1", ""), job("pre", "PreDelete", ""), job("post", "PostDelete", ", argocd.argoproj.io/hook-delete-policy: HookSucceeded"))})
	h.app("web", "web", automated)
	app := h.until("web", "synced with its finalizers", func(a application.Application) bool {
		return synced(a) && len(a.Object.List("metadata", "finalizers")) == 4
	})
	if h.live(jobs, "pre") != nil || h.live(jobs, "post") != nil {
		t.Error("the hooks ran at the sync")
	}
	if err := deliver.Delete(t.Context(), h.home, app.Object, true, "foreground"); err != nil {
		t.Fatal(err)
	}
	h.eventually("the first hook is there", func() bool { return h.live(jobs, "pre") != nil })
	if h.live(configMaps, "a") == nil {
		t.Error("the resource went before the hook ended")
	}
	h.end("pre", true)
	h.eventually("the last hook is there", func() bool { return h.live(jobs, "post") != nil })
	if h.live(configMaps, "a") != nil {
		t.Error("the resource is there after the deletion of resources")
	}
	h.end("post", true)
	h.eventually("it is gone", h.gone("web"))
}

func TestAFailedDeletionHookIsToldAndHoldsTheDeletion(t *testing.T) {
	h := start(t, kubetest.B)
	h.commit(map[string]string{"web": docs(configMap("a", "1", ""), job("pre", "PreDelete", ""))})
	h.app("web", "web", automated)
	app := h.until("web", "synced with its finalizers", func(a application.Application) bool {
		return synced(a) && len(a.Object.List("metadata", "finalizers")) == 2
	})
	if err := deliver.Delete(t.Context(), h.home, app.Object, true, "background"); err != nil {
		t.Fatal(err)
	}
	h.end("pre", false)
	h.until("web", "told", func(a application.Application) bool {
		return slices.ContainsFunc(a.Status.Conditions, func(c application.Condition) bool { return c.Type == "DeletionError" })
	})
	if h.live(configMaps, "a") == nil {
		t.Error("the resource is gone")
	}
}

func TestTheForegroundFinalizerCascades(t *testing.T) {
	h := start(t, kubetest.B)
	h.commit(map[string]string{"web": configMap("a", "1", "")})
	h.app("web", "web", automated)
	h.until("web", "synced", synced)
	if _, err := h.home.Patch(t.Context(), appKind, "argocd", "web", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"metadata":{"finalizers":["resources-finalizer.argocd.argoproj.io/foreground"]}}`)}, manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	if err := h.home.Delete(t.Context(), appKind, "argocd", "web", manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	h.eventually("it is gone", h.gone("web"))
	if h.live(configMaps, "a") != nil {
		t.Error("the resource is still there")
	}
}

func TestAnApplicationOfAnotherNamespaceNeedsItsProjectsLeave(t *testing.T) {
	h := start(t, kubetest.A, func(c *deliver.Controller, _ *harness) { c.Namespaces = []string{"team-*"} })
	h.commit(map[string]string{"web": configMap("a", "1", "")})
	objects, err := parse(docs(
		"apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: closed, namespace: argocd}\nspec:\n  sourceRepos: ['*']\n  destinations: [{server: '*', namespace: '*'}]\n",
		"apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: open, namespace: argocd}\nspec:\n  sourceRepos: ['*']\n  destinations: [{server: '*', namespace: '*'}]\n  sourceNamespaces: [team-a]\n",
	))
	if err != nil {
		t.Fatal(err)
	}
	for _, called := range []string{"closed", "open"} {
		app, err := parse("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: " + called + ", namespace: team-a}\nspec:\n  project: " + called +
			"\n  source: {repoURL: https://example.org/r, path: web}\n  destination: {server: https://kubernetes.default.svc, namespace: " + h.kube.Namespace + "}\n  " + automated + "\n")
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, app...)
	}
	for _, o := range objects {
		if _, err := h.home.Create(t.Context(), o, manifest.Writing{}); err != nil {
			t.Fatal(err)
		}
	}
	get := func(called string) manifest.Object {
		o, err := h.home.Get(context.Background(), appKind, "team-a", called)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	h.eventually("the one that may is synced", func() bool { return get("open").Text("status", "sync", "status") == "Synced" })
	if id := h.live(configMaps, "a").Annotation("argocd.argoproj.io/tracking-id"); !strings.HasPrefix(id, "team-a_open:") {
		t.Errorf("tracked as %q", id)
	}
	h.eventually("the other is told why not", func() bool {
		l := get("closed").List("status", "conditions")
		return len(l) == 1 && strings.Contains(l[0].(map[string]any)["message"].(string), "is not allowed to use project")
	})
}

func TestOrphansAreToldWhereTheProjectAsks(t *testing.T) {
	h := start(t, kubetest.A)
	h.commit(map[string]string{"web": configMap("a", "1", "")})
	objects, err := parse("apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: watched, namespace: argocd}\nspec:\n  sourceRepos: ['*']\n  destinations: [{server: '*', namespace: '*'}]\n  orphanedResources: {warn: true, ignore: [{kind: ConfigMap, name: fine}]}\n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.home.Create(t.Context(), objects[0], manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	for _, called := range []string{"fine", "lost"} {
		o, err := parse(configMap(called, "1", ""))
		if err != nil {
			t.Fatal(err)
		}
		o[0].Set(h.kube.Namespace, "metadata", "namespace")
		if _, err := h.to.Create(t.Context(), o[0], manifest.Writing{}); err != nil {
			t.Fatal(err)
		}
	}
	h.app("web", "web", automated)
	if _, err := h.home.Patch(t.Context(), appKind, "argocd", "web", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"spec":{"project":"watched"}}`)}, manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	h.until("web", "told of one orphan", func(a application.Application) bool {
		return synced(a) && slices.ContainsFunc(a.Status.Conditions, func(c application.Condition) bool {
			return c.Type == "OrphanedResourceWarning" && c.Message == "Application has 1 orphaned resources"
		})
	})
}
