package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

const guestbook, guestbookFile = "guestbook", "guestbook-ui-deployment.yaml"

const syncOptionsKey, compareOptionsKey = "argocd.argoproj.io/sync-options", "argocd.argoproj.io/compare-options"

// firstMessage is what the operation says of its first resource.
func firstMessage(a application.Application) string {
	op := a.Status.OperationState
	if op == nil || op.SyncResult == nil || len(op.SyncResult.Resources) == 0 {
		return ""
	}
	return op.SyncResult.Resources[0].Message
}

// limit is a change of a Deployment's revisionHistoryLimit.
func limit(n any) func(manifest.Object) { return set(n, "spec", "revisionHistoryLimit") }

// syncScenarios are those of app_management_test.go, sync_options_test.go, sync_waves_test.go, selective_sync_test.go,
// pruning_required_test.go and deployment_test.go.
func syncScenarios() []scenario {
	return append([]scenario{
		{name: "app: made, out of sync, then synced", path: guestbook, run: func(s *site) {
			s.create()
			a := s.expect(outOfSyncs, healthIs("Missing"), noWarnings)
			s.is(a.Status.SourceType == "Kustomize", "the source's type is %s", a.Status.SourceType)
			s.is(strings.Contains(s.plain("app", "list", "--kubeconfig", s.w.kube.Kubeconfig, "-N", s.w.kube.Namespace).out, s.app), "it is not listed")
			r := s.must("sync")
			s.is(strings.Contains(r.out, "Deployment "+s.space+"/guestbook-ui") && strings.Contains(r.out, "Service "+s.space+"/guestbook-ui"), "sync says: %s", r.out)
			a = s.expect(succeeded, inSync, healthy, noWarnings, resource("Deployment", "guestbook-ui", application.Synced, "Healthy"),
				resource("Service", "guestbook-ui", application.Synced, "Healthy"))
			s.is(a.Status.Sync.Revision == s.git("rev-parse", "HEAD"), "the revision is %s", a.Status.Sync.Revision)
			s.is(len(a.Status.History) == 1, "the history holds %d", len(a.Status.History))
		}},
		{name: "app: deleted before a sync", path: guestbook, run: func(s *site) {
			s.create()
			s.expect(outOfSyncs)
			s.must("delete")
			s.gone()
		}},
		{name: "app: deleted with its resources", path: guestbook, run: func(s *site) {
			s.create()
			s.must("sync")
			s.expect(inSync)
			s.must("delete")
			s.gone()
			s.is(s.get(deploymentKind, "guestbook-ui") == nil && s.get(serviceKind, "guestbook-ui") == nil, "something is left")
		}},
		{name: "app: a resource that is deleted is missing", path: guestbook, run: func(s *site) {
			s.create()
			s.must("sync")
			s.expect(inSync)
			s.delete(serviceKind, "guestbook-ui")
			s.expect(outOfSyncs, resource("Service", "guestbook-ui", application.OutOfSync, "Missing"))
		}},
		{name: "app: valuesObject with maps is patched", path: "helm", run: func(s *site) {
			s.create(set(map[string]any{"some": map[string]any{"foo": "bar"}}, "spec", "source", "helm", "valuesObject"))
			s.expect(outOfSyncs)
			s.patch(`{"spec":{"source":{"helm":{"valuesObject":{"some":{"foo":"bar","new":"field"}}}}}}`)
			s.refresh()
			s.must("sync")
			s.expect(succeeded, inSync, noWarnings)
		}},
		{name: "app: an immutable Secret needs force", path: "secrets", run: immutableChange},
		{name: "app: synced again and again", path: "multi-sync/builtin", run: func(s *site) { multiSync(s) }},
		{name: "app: synced again and again by the server", path: "multi-sync/builtin", run: func(s *site) { multiSync(s, "--sync-option", "ServerSideApply=true") }},
		{name: "app: larger than last-applied-configuration may be", path: "multi-sync/builtin", run: func(s *site) {
			s.create()
			s.edit("cm.yaml", func(o manifest.Object) {
				for i := range 16 {
					o.Set(strings.Repeat("A", 16<<10), "data", fmt.Sprintf("field%d", i))
				}
			})
			s.must("sync", "--sync-option", "ServerSideApply=true")
			s.expect(succeeded, inSync)
			s.edit("cm.yaml", set("test-value", "metadata", "labels", "test-label"))
			s.refresh()
			s.must("sync", "--sync-option", "ServerSideApply=true")
			s.expect(succeeded, inSync)
		}},
		{name: "app: rolled back", path: guestbook, run: rolledBack},
		{name: "app: history is cut", path: "config-map", run: func(s *site) {
			s.create()
			s.must("sync")
			a := s.expect(succeeded, inSync)
			s.is(len(a.Status.History) == 1, "the history holds %d", len(a.Status.History))
			s.patch(`{"spec":{"revisionHistoryLimit":1}}`)
			s.must("sync")
			a = s.expect(succeeded, inSync)
			s.is(len(a.Status.History) == 1, "the history holds %d", len(a.Status.History))
		}},
		{name: "app: synced from a folder and back", path: guestbook, more: []string{"guestbook_local"}, run: localSync},
		{name: "app: infos are kept", path: guestbook, run: func(s *site) {
			s.create()
			s.must("sync", "--info", "name1=val1", "--info", "name2=val2")
			a := s.expect(inSync)
			s.is(fmt.Sprint(a.Status.OperationState.Operation.Info) == "[{name1 val1} {name2 val2}]", "they are %v", a.Status.OperationState.Operation.Info)
		}},
		{name: "app: validation can be left out", path: "crd-validation", run: func(s *site) {
			s.create()
			r := s.sync()
			s.is(r.code == exitFailed, "sync ended with %d", r.code)
			s.expect(failed)
			s.is(strings.Contains(r.out, "error validating data") || strings.Contains(r.out, "of type int32"), "it says %s", r.out)
			s.edit("deployment.yaml", annotated(syncOptionsKey, "Validate=false"))
			r = s.sync()
			s.expect(failed)
			s.is(strings.Contains(r.out, "cannot be handled as a Deployment"), "it says %s", r.out)
		}},
		{name: "options: Validate=false lets unknown fields through", path: "sync-options-validate-false", run: func(s *site) {
			s.create()
			s.must("sync")
			s.expect(succeeded)
		}},
		{name: "options: unknown fields are refused", path: "sync-options-validate-false", run: func(s *site) {
			s.create()
			s.edit("invalid-cm.yaml", func(o manifest.Object) { o.Drop("metadata", "annotations") })
			s.sync()
			s.expect(failed)
		}},
		{name: "app: IgnoreExtraneous", path: "two-nice-pods", run: func(s *site) {
			s.edit("pod-1.yaml", annotated(compareOptionsKey, "IgnoreExtraneous"))
			s.create()
			s.must("sync")
			s.expect(succeeded, inSync)
			s.remove("pod-1.yaml")
			s.must("refresh", "--hard")
			a := s.expect(inSync, resource("Pod", "pod-1", application.OutOfSync, ""), resource("Pod", "pod-2", application.Synced, ""))
			s.is(len(a.Status.Resources) == 2, "there are %d resources", len(a.Status.Resources))
			s.sluice("sync")
			s.expect(succeeded, inSync)
		}},
		{name: "app: pruning is told to be needed", path: "two-nice-pods", run: func(s *site) {
			s.create()
			s.must("sync")
			s.expect(succeeded)
			s.remove("pod-2.yaml")
			r := s.sluice("sync")
			s.expect(succeeded, outOfSyncs, result(application.ResourceResult{
				Version: "v1", Kind: "Pod", Namespace: s.space, Name: "pod-2",
				Status: "PruneSkipped", HookPhase: application.Succeeded, SyncPhase: "Sync", Message: "ignored (requires pruning)",
			}))
			s.is(strings.Contains(r.err, "1 resources require pruning") && r.code == exitDifferent, "sync says, exit code %d: %s%s", r.code, r.out, r.err)
		}},
		{name: "app: retries of a hook that fails", path: "hook", run: func(s *site) {
			s.edit("hook.yaml", both(annotated(hookKey, "PreSync"), commanded("false")))
			s.create(set(map[string]any{"limit": int64(1), "backoff": map[string]any{"duration": "1s"}}, "spec", "syncPolicy", "retry"))
			s.sync()
			s.expect(failed, messageHas("retried 1 times"))
		}},
		{name: "app: an operation on HEAD resolves it anew", path: "hook", run: staleRevision},
		{name: "app: a retry takes up a mended commit, of the source it began with", path: guestbook, more: []string{"failure-during-sync"}, run: retryRefresh},
		{name: "app: Replace", path: "config-map", run: func(s *site) {
			s.edit("config-map.yaml", annotated(syncOptionsKey, "Replace=true"))
			s.create()
			replaced(s)
		}},
		{name: "app: Replace asked for", path: "config-map", run: func(s *site) {
			s.create()
			replaced(s, "--sync-option", "Replace=true")
		}},
		{name: "app: a new commit", path: "config-map", run: func(s *site) {
			s.create()
			s.must("sync")
			a := s.expect(inSync)
			s.edit("config-map.yaml", set("hello", "data", "foo"))
			s.refresh()
			b := s.expect(outOfSyncs)
			s.is(a.Status.Sync.Revision != "" && a.Status.Sync.Revision != b.Status.Sync.Revision, "it is still %s", a.Status.Sync.Revision)
		}},
		{name: "app: another application's mark is a difference", path: "tracking-instance-label", run: func(s *site) { movedResource(s) }},
		{name: "app: another application's mark is a difference of server-side applies", path: "tracking-instance-label", run: func(s *site) { movedResource(s, "ServerSideApply=true") }},
		{name: "app: what carries a mark that names another object is no one's", path: "deployment", run: extraResources},
		{name: "app: deletions are confirmed", path: guestbook, run: confirmed(func(s *site) {
			s.edit(guestbookFile, annotated(syncOptionsKey, "Delete=confirm"))
			s.create()
		})},
		{name: "app: deletions of all are confirmed", path: guestbook, run: confirmed(func(s *site) { s.create(options("Delete=confirm", "Prune=confirm")) })},
		{name: "app: the time of a health that stays", path: guestbook, run: func(s *site) {
			at := "2023-01-01T00:00:00Z"
			s.create(set("https://non-existent-cluster", "spec", "destination", "server"), set(at, "status", "reconciledAt"),
				set("Unknown", "status", "health", "status"), set(at, "status", "health", "lastTransitionTime"), set("Unknown", "status", "sync", "status"))
			s.refresh()
			a := s.expect(healthIs("Unknown"))
			s.is(a.Object.Text("status", "health", "lastTransitionTime") == at, "it is %s", a.Object.Text("status", "health", "lastTransitionTime"))
		}},
		{name: "waves: one Deployment that does not become ready", path: "one-deployment", run: func(s *site) {
			s.edit("deployment.yaml", wrongImage)
			s.create()
			s.must("sync")
			s.expect(succeeded, healthIs("Progressing"), inSync, results(1))
		}},
		{name: "waves: a Deployment past its deadline", path: "one-deployment", run: func(s *site) {
			s.edit("deployment.yaml", both(wrongImage, set(int64(1), "spec", "progressDeadlineSeconds")))
			s.create()
			s.must("sync")
			s.expect(succeeded, healthIs("Degraded"), inSync, results(1))
		}},
		{name: "selective: one resource", path: guestbook, run: func(s *site) {
			s.create()
			s.must("sync", "--resource", ":Service:guestbook-ui")
			s.expect(succeeded, outOfSyncs, resource("Service", "guestbook-ui", application.Synced, "Healthy"), resource("Deployment", "guestbook-ui", application.OutOfSync, "Missing"))
		}},
		{name: "selective: of all namespaces", path: "guestbook-with-namespace", run: func(s *site) { selectiveSpaces(s, false) }},
		{name: "selective: of one namespace", path: "guestbook-with-namespace", run: func(s *site) { selectiveSpaces(s, true) }},
		{name: "options: ApplyOutOfSyncOnly", path: guestbook, run: func(s *site) {
			s.create()
			s.expect(outOfSyncs)
			s.must("sync", "--sync-option", "ApplyOutOfSyncOnly=true")
			s.edit(guestbookFile, set(int64(1), "spec", "replicas"))
			s.must("sync", "--sync-option", "ApplyOutOfSyncOnly=true")
			s.expect(results(1), result(application.ResourceResult{
				Group: "apps", Version: "v1", Kind: "Deployment", Namespace: s.space, Name: "guestbook-ui",
				Message: "deployment.apps/guestbook-ui configured", SyncPhase: "Sync", HookPhase: application.Running, Status: "Synced",
			}))
		}},
		{name: "options: Force and Replace", path: guestbook, pods: true, run: forceReplace},
		{name: "waves: pruned in reverse", path: "syncwaves-prune-order", run: pruneOrder},
		{name: "app: a Deployment and its next image", path: "deployment", run: func(s *site) {
			s.create()
			s.must("sync")
			s.expect(succeeded, inSync, healthy)
			s.edit("deployment.yaml", func(o manifest.Object) { container(o)["image"] = "nginx:1.17.4-alpine" })
			s.must("sync")
			s.expect(succeeded, inSync)
		}},
	}, pruneFalse()...)
}

// container is the first container of a workload.
func container(o manifest.Object) map[string]any {
	return o.List("spec", "template", "spec", "containers")[0].(map[string]any)
}

func wrongImage(o manifest.Object) { container(o)["image"] = "alpine:ops!" }

func immutableChange(s *site) {
	s.create()
	s.edit("secrets.yaml", both(set("dGVzdA==", "data", "new-field"), set(true, "immutable")))
	s.must("sync")
	s.expect(succeeded, inSync, healthy)
	s.edit("secrets.yaml", set("dGVzdDI=", "data", "new-field"))
	r := s.sync()
	s.is(r.code == exitFailed, "sync ended with %d", r.code)
	s.is(!strings.Contains(r.out+r.err, "dGVzdD"), "the Secret's data are told: %s%s", r.out, r.err)
	s.expect(failed, outOfSyncs, results(1), result(application.ResourceResult{
		Version: "v1", Kind: "Secret", Namespace: s.space, Name: "test-secret",
		SyncPhase: "Sync", Status: "SyncFailed", HookPhase: application.Failed, Message: `Secret "test-secret" is invalid`,
	}))
	s.must("sync", "--force")
	s.expect(succeeded, inSync, healthy)
}

func multiSync(s *site, flags ...string) {
	s.create()
	s.must("sync", flags...)
	s.expect(succeeded, inSync)
	s.refresh()
	s.must("sync", flags...)
	s.expect(succeeded, inSync)
	s.edit("cm.yaml", set("test-value", "metadata", "labels", "test-label"))
	s.refresh()
	s.must("sync", flags...)
	s.expect(succeeded, inSync)
	s.is(s.get(configMapKind, "test-cm").Labels()["test-label"] == "test-value", "the label is not there")
}

func rolledBack(s *site) {
	s.create()
	s.must("sync")
	a := s.expect(inSync)
	source := fmt.Sprintf(`{"repoURL":%q,"path":"guestbook"}`, s.url())
	s.patch(fmt.Sprintf(`{"status":{"history":[{"id":1,"revision":%q,"deployedAt":"2024-01-01T00:01:00Z","source":%s},{"id":2,"revision":"cdb","deployedAt":"2024-01-01T00:00:00Z","source":%s}]}}`,
		a.Status.Sync.Revision, source, source))
	s.must("rollback", "1")
	a = s.expect(succeeded, inSync, results(2))
	s.is(len(a.Status.History) == 3, "the history holds %d", len(a.Status.History))
}

func localSync(s *site) {
	folder := s.w.data + "/guestbook_local"
	s.create()
	s.must("sync")
	port := func(n int) string { return fmt.Sprintf("containerPort: %d", n) }
	s.is(strings.Contains(s.must("manifests").out, port(80)), "the manifests lack %s", port(80))
	s.must("sync", "--local", folder)
	s.expect(succeeded, inSync)
	s.is(strings.Contains(s.must("manifests", "--source", "live").out, port(81)), "the cluster lacks %s", port(81))
	s.must("sync")
	s.expect(succeeded, inSync)
	s.is(strings.Contains(s.must("manifests", "--source", "live").out, port(80)), "the cluster lacks %s", port(80))
	s.patch(`{"spec":{"syncPolicy":{"automated":{}}}}`)
	r := s.sluice("sync", "--local", folder)
	s.is(r.code == exitUsage && strings.Contains(r.err, "syncs by itself"), "a sync from a folder ended with %d though the application syncs by itself: %s%s", r.code, r.out, r.err)
	s.must("sync", "--dry-run", "--local", folder)
}

func staleRevision(s *site) {
	first := s.git("rev-parse", "HEAD")
	s.create()
	s.must("sync", "--revision", first)
	a := s.expect(succeeded, inSync, healthy)
	s.is(a.Status.OperationState.SyncResult.Revision == first, "it synced %s", a.Status.OperationState.SyncResult.Revision)
	second := s.write("failure-during-sync.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: failure-during-sync\n  labels:\n    my-label: has-inva/id-character!\n")
	s.patch(`{"operation":{"initiatedBy":{"username":"e2e","automated":true},"info":[{"name":"Reason","value":"Syncing latest"}],"sync":{},"retry":{"limit":1,"backoff":{"duration":"1s"}}}}`)
	a = s.expect(failed, messageHas("retried 1 times"))
	s.is(a.Status.OperationState.SyncResult.Revision == second, "it tried %s", a.Status.OperationState.SyncResult.Revision)
}

const steadyRetry = `{"limit":-1,"refresh":true,"backoff":{"duration":"1s","factor":1,"maxDuration":"1s"}}`

func retryRefresh(s *site) {
	s.create()
	s.patch(`{"spec":{"syncPolicy":{"retry":` + steadyRetry + `}}}`)
	s.must("sync")
	s.expect(succeeded, inSync)
	s.edit(guestbookFile, limit("badValue"))
	s.sync("--async")
	s.expect(phased(application.Running), outOfSyncs, want{"it was tried again", func(a application.Application) bool { return a.Status.OperationState.RetryCount >= 1 }})
	s.patch(`{"spec":{"source":{"path":"failure-during-sync"}}}`)
	s.edit(guestbookFile, limit(int64(42)))
	a := s.expect(want{"the history holds two", func(a application.Application) bool { return len(a.Status.History) == 2 }})
	s.is(a.Status.History[1].Source.Path == guestbook, "the second is of %s", a.Status.History[1].Source.Path)
}

func replaced(s *site, flags ...string) {
	s.must("sync", flags...)
	a := s.expect(inSync)
	s.is(firstMessage(a) == "configmap/my-map created", "it says %s", firstMessage(a))
	s.must("sync", flags...)
	a = s.expect(inSync)
	s.is(firstMessage(a) == "configmap/my-map replaced", "it says %s", firstMessage(a))
}

func movedResource(s *site, opts ...string) {
	s.create(options(opts...))
	s.must("sync")
	s.expect(succeeded, inSync)
	s.merge(configMapKind, s.space, "my-map", fmt.Sprintf(`{"metadata":{"annotations":{%q:"old-app:/ConfigMap:%s/my-map"}}}`, application.AnnotationTracking, s.space))
	s.refresh()
	s.expect(outOfSyncs)
	s.must("sync")
	s.expect(succeeded, inSync)
	o := s.get(configMapKind, "my-map")
	s.is(o.Annotation(application.AnnotationTracking) == s.app+":/ConfigMap:"+s.space+"/my-map", "the mark is %s", o.Annotation(application.AnnotationTracking))
	s.is(o.Labels()["app.kubernetes.io/instance"] == "my-release", "the label is %s", o.Labels()["app.kubernetes.io/instance"])
}

// tracked makes a ConfigMap with the mark of an object.
func (s *site) tracked(name, of string) {
	s.Helper()
	s.apply(fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, annotations: {%s: %q}}}", name, application.AnnotationTracking, s.app+":"+of))
}

func extraResources(s *site) {
	s.create()
	s.must("sync")
	s.expect(succeeded, inSync, healthy)
	s.tracked("extra-configmap", "apps/Deployment:"+s.space+"/guestbook-cm")
	s.refresh()
	s.expect(succeeded, inSync, healthy)
	s.must("sync", "--prune")
	s.is(s.get(configMapKind, "extra-configmap") != nil, "it was pruned")
	s.tracked("other-configmap", "/ConfigMap:"+s.space+"/other-configmap")
	s.refresh()
	s.expect(succeeded, outOfSyncs, healthy)
	s.must("sync", "--prune")
	s.is(s.get(configMapKind, "other-configmap") == nil, "it was not pruned")
	s.expect(succeeded, inSync, healthy)
	role := manifest.Kind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"}
	one, other := "one-"+s.app, "other-"+s.app
	for _, name := range []string{one, other} {
		s.Cleanup(func() {
			s.w.kube.Do(s.T, "DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterroles/"+name, "", nil)
		})
		s.apply(fmt.Sprintf("{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: %s, annotations: {%s: %q}}}", name, application.AnnotationTracking,
			s.app+":rbac.authorization.k8s.io/ClusterRole:"+s.space+"/"+other))
		s.refresh()
		if name == one {
			s.expect(succeeded, inSync, healthy)
		} else {
			s.expect(succeeded, outOfSyncs, healthy)
		}
	}
	s.must("sync", "--prune")
	s.is(s.get(role, other) == nil && s.get(role, one) != nil, "the wrong one was pruned, or none")
	s.expect(succeeded, inSync, healthy)
}

// confirmed is a scenario in which pruning and deleting waits for a person.
func confirmed(create func(s *site)) func(s *site) {
	return func(s *site) {
		s.apply(fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: test-configmap, annotations: {%s: %q, %s: Prune=confirm}}}",
			application.AnnotationTracking, s.app+":/ConfigMap:"+s.space+"/test-configmap", syncOptionsKey))
		create(s)
		s.sync("--async")
		s.expect(phased(application.Running))
		s.stays(2*time.Second, phased(application.Running))
		confirm := func() {
			s.patch(fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, application.AnnotationApproved, time.Now().UTC().Format(time.RFC3339)))
		}
		confirm()
		s.expect(succeeded, inSync, healthy)
		time.Sleep(time.Second) // the approval of the sync is older than the deletion
		s.must("delete", "--wait=false")
		s.stays(2*time.Second, want{"it is being deleted", func(a application.Application) bool { return a.Object.Deleting() }})
		confirm()
		s.gone()
	}
}

func selectiveSpaces(s *site, named bool) {
	other := s.space + "-o"
	s.namespace(other)
	for _, f := range []string{"guestbook-ui-deployment-ns.yaml", "guestbook-ui-svc-ns.yaml"} {
		s.edit(f, set(other, "metadata", "namespace"))
	}
	s.create()
	which, status, health := "apps:Deployment:guestbook-ui", application.Synced, "Healthy"
	if named {
		which, status, health = "apps:Deployment:"+other+"/guestbook-ui", application.OutOfSync, "Missing"
	}
	s.must("sync", "--prune", "--resource", which)
	s.expect(succeeded, outOfSyncs, resourceAt("Deployment", other, "guestbook-ui", application.Synced, "Healthy"),
		resourceAt("Deployment", s.space, "guestbook-ui", status, health))
}

func forceReplace(s *site) {
	s.Cleanup(func() {
		s.merge(deploymentKind, s.space, "guestbook-ui", `{"metadata":{"finalizers":null}}`)
	})
	s.create()
	s.must("sync")
	s.expect(inSync)
	s.edit(guestbookFile, func(o manifest.Object) {
		o.Set([]any{"test.example.com/finalizer"}, "metadata", "finalizers")
		o.SetAnnotation(syncOptionsKey, "Force=true,Replace=true")
		o.Set("e2e", "spec", "selector", "matchLabels", "env")
		o.Set("e2e", "spec", "template", "metadata", "labels", "env")
		o.Set(int64(2), "spec", "replicas")
		container(o)["command"] = []any{"/bin/sh", "-c", "trap exit TERM; sleep 600 & wait"}
	})
	s.refresh()
	s.must("sync")
	s.expect(inSync, healthy)
}

func pruneOrder(s *site) {
	s.edit("pod.yaml", func(o manifest.Object) {
		c := o.List("spec", "containers")[0].(map[string]any)
		delete(c, "lifecycle") // there is no curl here: the finalizer is taken away below
		c["args"] = []any{"trap exit TERM; sleep 600 & wait"}
		o.Set(int64(1), "spec", "terminationGracePeriodSeconds")
	})
	s.create()
	s.must("sync")
	s.expect(inSync, healthy)
	s.remove("pod.yaml", "rbac.yaml")
	s.must("refresh", "--hard")
	s.expect(outOfSyncs)
	s.sync("--async")
	s.eventually("the Pod is being deleted", func() bool { o := s.get(podKind, "pod-with-finalizers"); return o != nil && o.Deleting() })
	binding := manifest.Kind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"}
	s.stays(2*time.Second, want{"what it needs is still there", func(application.Application) bool { return s.get(binding, "modify-pods-rolebinding") != nil }})
	s.merge(podKind, s.space, "pod-with-finalizers", `{"metadata":{"finalizers":null}}`)
	s.expect(succeeded, inSync, healthy, results(4))
	s.absent("pod-with-finalizers")
}

// pruneFalse are the ways in which a resource is kept though it was pruned.
func pruneFalse() []scenario {
	keep := func(s *site) { s.edit("pod-1.yaml", annotated(syncOptionsKey, "Prune=false")) }
	var out []scenario
	for name, begin := range map[string]func(s *site){
		"of a resource":              func(s *site) { keep(s); s.create() },
		"of an application":          func(s *site) { s.create(options("Prune=false")) },
		"of a resource over another": func(s *site) { keep(s); s.create(options("Prune=true")) },
	} {
		out = append(out, scenario{name: "app: Prune=false " + name, path: "two-nice-pods", run: func(s *site) {
			begin(s)
			s.sync()
			s.expect(succeeded, inSync)
			s.remove("pod-1.yaml")
			s.must("refresh", "--hard")
			s.sync()
			s.expect(succeeded, outOfSyncs, resource("Pod", "pod-1", application.OutOfSync, ""))
		}})
	}
	return out
}
