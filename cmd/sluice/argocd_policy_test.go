package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// automated is a change that makes an Application sync by itself.
func automatedBy(fields map[string]any) func(manifest.Object) {
	return set(fields, "spec", "syncPolicy", "automated")
}

// project makes a project and is a change that puts the Application into it.
func (s *site) project(spec string) func(manifest.Object) {
	s.Helper()
	name := "project-" + s.app
	s.w.kube.Apply(s.T, fmt.Sprintf("{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {name: %s}, spec: %s}", name, spec))
	return set(name, "spec", "project")
}

// all is a project's spec that permits everything, with more fields.
func (s *site) all(more string) string {
	return `{sourceRepos: ["*"], destinations: [{server: "*", namespace: "*"}], clusterResourceWhitelist: [{group: "*", kind: "*"}]` + more + `}`
}

// policyScenarios are those of app_autosync_test.go, app_management_test.go (permissions, orphans, namespaces, confirmations),
// project_management_test.go, sync_options_test.go, app_skipreconcile_test.go and diff_test.go.
func policyScenarios() []scenario {
	return []scenario{
		{name: "auto: without self-heal", path: guestbook, run: func(s *site) {
			s.create(automatedBy(map[string]any{"selfHeal": false}))
			s.expect(inSync, succeeded)
			s.edit(guestbookFile, limit(int64(1)))
			s.refresh()
			s.eventually("the commit is synced", func() bool {
				return s.get(deploymentKind, "guestbook-ui").Int(0, "spec", "revisionHistoryLimit") == 1
			})
			s.expect(inSync, succeeded)
			s.merge(deploymentKind, s.space, "guestbook-ui", `{"spec":{"revisionHistoryLimit":0}}`)
			s.expect(outOfSyncs)
			s.refresh()
			s.stays(time.Second, outOfSyncs)
		}},
		{name: "auto: with self-heal, a commit that fails and one that mends it", path: guestbook, run: selfHealed},
		{name: "auto: retries take up a mended commit", path: guestbook, run: func(s *site) {
			s.create(automatedBy(map[string]any{}), set(map[string]any{"limit": int64(-1), "refresh": true, "backoff": map[string]any{"duration": "1s", "factor": int64(1), "maxDuration": "1s"}}, "spec", "syncPolicy", "retry"))
			s.expect(succeeded, inSync, noWarnings)
			s.edit(guestbookFile, limit("badValue"))
			s.refresh()
			s.expect(phased(application.Running), outOfSyncs, want{"it was tried again", func(a application.Application) bool { return a.Status.OperationState.RetryCount >= 1 }})
			s.edit(guestbookFile, limit(int64(42)))
			s.refresh()
			s.expect(succeeded, inSync)
		}},
		{name: "auto: what would wipe out all is not done", path: "deployment", run: func(s *site) {
			s.create(automatedBy(map[string]any{"prune": true}))
			s.expect(succeeded, inSync)
			s.write("notes.txt", "nothing")
			s.remove("deployment.yaml")
			s.refresh()
			s.expect(outOfSyncs, condition("SyncError", "auto-sync will wipe out all resources"))
			s.is(s.get(deploymentKind, "nginx-deployment") != nil, "it was wiped out")
			s.patch(`{"spec":{"syncPolicy":{"automated":{"allowEmpty":true}}}}`)
			s.refresh()
			s.expect(inSync, noWarnings)
			s.is(s.get(deploymentKind, "nginx-deployment") == nil, "it is still there")
		}},
		{name: "auto: a Skip hook", path: guestbook, run: func(s *site) {
			s.create(automatedBy(map[string]any{"selfHeal": true}))
			s.expect(inSync)
			s.edit(guestbookFile, both(annotated(hookKey, "Skip"), set(int64(1), "spec", "replicas")))
			s.refresh()
			s.expect(inSync)
			s.is(s.get(deploymentKind, "guestbook-ui").Int(9, "spec", "replicas") == 0, "it was applied")
		}},
		{name: "skip-reconcile: true", path: guestbook, run: func(s *site) {
			s.create(func(o manifest.Object) { o.SetAnnotation("argocd.argoproj.io/skip-reconcile", "true") })
			time.Sleep(2 * time.Second)
			a, _ := s.read()
			s.is(a.Object["status"] == nil, "it has a status")
		}},
		{name: "skip-reconcile: no boolean", path: guestbook, run: func(s *site) {
			s.create(func(o manifest.Object) { o.SetAnnotation("argocd.argoproj.io/skip-reconcile", "not a boolean value") })
			s.expect(outOfSyncs)
		}},
		{name: "namespace: made by the sync", path: guestbook, run: func(s *site) {
			s.elsewhere()
			s.create(options("CreateNamespace=true"))
			s.expect(outOfSyncs, noWarnings)
			s.must("sync")
			s.expect(inSync, healthy, succeeded, results(3))
			s.must("delete")
			s.gone()
			s.is(s.in("", namespaceKind, s.space) != nil, "the namespace is gone")
		}},
		{name: "namespace: made though the dry run fails", path: "failure-during-sync", run: func(s *site) {
			s.elsewhere()
			s.create(options("CreateNamespace=true"))
			s.expect(outOfSyncs)
			s.sync()
			s.expect(failed, results(2), result(application.ResourceResult{
				Version: "v1", Kind: "Namespace", Name: s.space, Status: "Synced",
				Message: "namespace/" + s.space + " created", HookPhase: application.Running, SyncPhase: "PreSync",
			}),
				result(application.ResourceResult{
					Version: "v1", Kind: "ServiceAccount", Namespace: s.space, Name: "failure-during-sync", Status: "SyncFailed",
					Message: `ServiceAccount "failure-during-sync" is invalid: metadata.labels: Invalid value`, HookPhase: application.Failed, SyncPhase: "Sync",
				}))
		}},
		{name: "namespace: made by server-side apply", path: guestbook, run: func(s *site) {
			s.elsewhere()
			s.create(options("CreateNamespace=true", "ServerSideApply=true"))
			s.must("sync")
			s.same()
			s.expect(inSync, healthy, succeeded, resourceAt("Deployment", s.space, "guestbook-ui", application.Synced, "Healthy"), resourceAt("Service", s.space, "guestbook-ui", application.Synced, "Healthy"))
			s.is(s.in("", namespaceKind, s.space).Annotation(application.AnnotationLastApplied) == "", "it was applied by the client")
		}},
		{name: "namespace: its labels and annotations", path: guestbook, run: func(s *site) { namespaceMeta(s, false) }},
		{name: "namespace: labels and annotations of one that is there", path: guestbook, run: func(s *site) { namespaceMeta(s, true) }},
		{name: "namespace: its own manifest wins", path: "guestbook-with-namespace-manifest", run: func(s *site) {
			s.elsewhere()
			s.edit("guestbook-ui-namespace.yaml", set(s.space, "metadata", "name"))
			s.create(options("CreateNamespace=true"), set(map[string]any{"labels": map[string]any{"foo": "bar", "abc": "123"}, "annotations": map[string]any{"bar": "bat"}}, "spec", "syncPolicy", "managedNamespaceMetadata"))
			s.must("sync")
			s.expect(succeeded)
			labels, notes := s.namespaceMeta()
			s.is(labels == "map[test:true]" && notes == "map[foo:bar something:else]", "it has %s and %s", labels, notes)
		}},
		{name: "namespace: a manifest gives way to metadata", path: "guestbook-with-plain-namespace-manifest", run: func(s *site) {
			s.edit("guestbook-ui-namespace.yaml", set(s.space, "metadata", "name"))
			s.create()
			s.must("sync", "--prune")
			s.expect(succeeded, inSync)
			s.patch(`{"spec":{"syncPolicy":{"syncOptions":["PrunePropagationPolicy=foreground"],"managedNamespaceMetadata":{"labels":{"foo":"bar"}}}}}`)
			s.must("sync", "--prune")
			s.expect(succeeded, inSync)
			s.remove("guestbook-ui-namespace.yaml")
			s.must("refresh", "--hard")
			s.must("sync", "--prune")
			s.expect(succeeded, inSync)
			o := s.in("", namespaceKind, s.space)
			s.is(o != nil && !o.Deleting(), "the namespace was pruned")
		}},
		{name: "destination: no namespace where none is needed", path: "global-with-no-namespace", run: func(s *site) {
			s.create(func(o manifest.Object) { o.Drop("spec", "destination", "namespace") })
			s.expect(want{"it was compared", func(a application.Application) bool { return a.Status.ReconciledAt != nil }}, noWarnings)
		}},
		{name: "destination: no namespace where one is needed", path: guestbook, run: func(s *site) {
			s.create(func(o manifest.Object) { o.Drop("spec", "destination", "namespace") })
			s.refresh()
			a := s.expect(condition("InvalidSpecError", "Deployment"), condition("InvalidSpecError", "Service"))
			s.is(len(a.Status.Conditions) == 2, "there are %d", len(a.Status.Conditions))
		}},
		{name: "destination: no namespace where some need one", path: "guestbook-with-namespace", run: func(s *site) {
			s.create(func(o manifest.Object) { o.Drop("spec", "destination", "namespace") })
			s.refresh()
			a := s.expect(condition("InvalidSpecError", ""))
			s.is(len(a.Status.Conditions) == 2, "there are %d", len(a.Status.Conditions))
		}},
		{name: "destination: a cluster that is taken away", path: guestbook, run: func(s *site) {
			s.w.kube.Apply(s.T, fmt.Sprintf("{apiVersion: v1, kind: Secret, metadata: {name: %s, labels: {argocd.argoproj.io/secret-type: cluster}}, stringData: {name: temp-%s, server: https://kubernetes.default.svc, config: '{}'}}", s.app, s.app))
			s.create(func(o manifest.Object) { o.Drop("spec", "destination", "server") }, set("temp-"+s.app, "spec", "destination", "name"))
			s.must("sync")
			s.expect(healthy, inSync)
			s.w.kube.Do(s.T, http.MethodDelete, "/api/v1/namespaces/"+s.w.kube.Namespace+"/secrets/"+s.app, "", nil)
			s.refresh()
			s.expect(healthIs("Unknown"), unknown, condition("InvalidSpecError", "there are no clusters with this name"))
		}},
		{name: "app: one that holds itself", path: "self-managed-app", run: func(s *site) {
			s.edit("resources.yaml", func(o manifest.Object) {
				o.Set(s.app, "metadata", "name")
				o.Set(s.w.kube.Namespace, "metadata", "namespace")
				o.Set(s.url(), "spec", "source", "repoURL")
				o.Set(s.space, "spec", "destination", "namespace")
			})
			s.create()
			s.must("sync")
			s.expect(succeeded, inSync)
			time.Sleep(time.Second)
			times := map[string]bool{}
			for range 30 {
				a, _ := s.read()
				times[a.Object.Text("status", "reconciledAt")] = true
				time.Sleep(100 * time.Millisecond)
			}
			s.is(len(times) < 3, "it was compared %d times in 3 s", len(times))
		}},
		{name: "app: applications of an application", path: "self-managed-app", more: []string{"config-map"}, run: appOfApps},
		{name: "app: a resource of two", path: "config-map", run: sharedResource},
		{name: "project: sources and destinations", path: guestbook, run: func(s *site) {
			s.create(s.project(s.all("")))
			s.must("sync")
			s.expect(inSync)
			s.project("{sourceRepos: [], destinations: []}")
			s.expect(condition("InvalidSpecError", "do not match any of the allowed destinations in project"), condition("InvalidSpecError", "application repo "+s.url()+" is not permitted in project"),
				unknown, healthIs("Unknown"))
			r := s.sync()
			s.is(r.code == exitFailed, "sync ended with %d", r.code)
			s.expect(phased(application.Errored), messageHas("is not permitted in project"))
			s.project(s.all(`, namespaceResourceBlacklist: [{group: "*", kind: Deployment}]`))
			s.expect(resource("Deployment", "guestbook-ui", application.Unknown, ""), resource("Service", "guestbook-ui", application.Synced, ""))
			s.sync()
			s.expect(failed, result(application.ResourceResult{
				Group: "apps", Version: "v1", Kind: "Deployment", Namespace: s.space, Name: "guestbook-ui", Status: "SyncFailed",
				SyncPhase: "Sync", HookPhase: application.Failed, Message: "resource apps:Deployment is not permitted in project",
			}))
		}},
		{name: "project: a namespace that is denied", path: "two-nice-pods", run: func(s *site) {
			s.create(s.project(`{sourceRepos: ["*"], destinations: [{server: "*", namespace: "!` + s.space + `"}, {server: "*", namespace: "*"}]}`))
			s.expect(condition("InvalidSpecError", "do not match any of the allowed destinations in project"))
		}},
		{name: "project: a server that is denied", path: "two-nice-pods", run: func(s *site) {
			s.create(s.project(`{sourceRepos: ["*"], destinations: [{server: "!https://kubernetes.default.svc", namespace: "*"}, {server: "*", namespace: "*"}]}`))
			s.expect(condition("InvalidSpecError", "do not match any of the allowed destinations in project"))
		}},
		{name: "project: a kind that is denied is left alone", path: guestbook, run: func(s *site) {
			s.apply("{apiVersion: v1, kind: Service, metadata: {name: guestbook-ui, labels: {app.kubernetes.io/instance: " + s.app + "}}, spec: {ports: [{port: 80}], selector: {app: guestbook-ui}}}")
			s.create(s.project(s.all(`, namespaceResourceBlacklist: [{group: "", kind: Service}]`)))
			s.expect(outOfSyncs, resource("Service", "guestbook-ui", application.Unknown, ""), resource("Deployment", "guestbook-ui", application.OutOfSync, ""))
			s.must("delete")
			s.gone()
			s.is(s.get(serviceKind, "guestbook-ui") != nil, "it was deleted")
		}},
		{name: "project: a PreDelete hook where it may not be", path: "pre-delete-hook-restricted", run: func(s *site) {
			s.create(s.project(`{sourceRepos: ["*"], destinations: [{server: "*", namespace: ` + s.space + `}], clusterResourceWhitelist: [{group: "*", kind: "*"}]}`))
			s.must("sync")
			s.expect(inSync)
			s.must("delete", "--wait=false")
			s.expect(condition("DeletionError", ""))
			s.is(s.in("kube-system", podKind, "restricted-pre-delete-hook") == nil, "it was made")
		}},
		{name: "project: orphans", path: guestbook, run: orphaned},
		{name: "project: windows", path: guestbook, run: func(s *site) {
			always := `, syncWindows: [{kind: deny, schedule: "* * * * *", duration: 1h, applications: ["*"]`
			s.create(s.project(s.all(always+"}]")), automatedBy(map[string]any{"selfHeal": true}))
			s.expect(outOfSyncs)
			s.sync("--async")
			s.expect(phased(application.Running), messageHas("blocked by sync window"))
			r := s.sluice("explain")
			s.is(strings.Contains(r.out, "window"), "explain says nothing of a window: %s", r.out)
			s.must("terminate")
			s.expect(failed)
			s.project(s.all(always + ", manualSync: true}]"))
			s.must("sync")
			s.expect(succeeded, inSync)
			s.merge(deploymentKind, s.space, "guestbook-ui", `{"spec":{"revisionHistoryLimit":9}}`)
			s.expect(outOfSyncs)
			s.stays(time.Second, outOfSyncs)
			s.project(s.all(""))
			s.expect(inSync)
		}},
		{name: "diff: Secrets", path: "secrets", run: secretDiff},
		{name: "diff: hooks are left out", path: "hook", run: func(s *site) {
			s.create()
			s.expect(outOfSyncs)
			for _, flags := range [][]string{nil, {"--server-side"}} {
				r := s.sluice("diff", flags...)
				s.is(r.code == exitDifferent && strings.Contains(r.out, "name: pod") && !strings.Contains(r.out, "name: hook"), "diff %v: %d %s%s", flags, r.code, r.out, r.err)
			}
		}},
		{name: "diff: objects that are named twice", path: "duplicated-resources", run: func(s *site) {
			s.dummies("dummies.argoproj.io", "clusterdummies.argoproj.io")
			s.create()
			s.must("sync")
			s.expect(succeeded, inSync, healthy)
			s.same()
		}},
		{name: "diff: a field that is ignored and respected", path: guestbook, run: func(s *site) {
			s.create(set([]any{map[string]any{"group": "apps", "kind": "Deployment", "jsonPointers": words("/spec/revisionHistoryLimit")}}, "spec", "ignoreDifferences"), options("RespectIgnoreDifferences=true"))
			s.must("sync")
			s.expect(inSync)
			s.merge(deploymentKind, s.space, "guestbook-ui", `{"spec":{"revisionHistoryLimit":9}}`)
			s.refresh()
			s.expect(inSync)
			s.must("sync")
			s.is(s.get(deploymentKind, "guestbook-ui").Int(0, "spec", "revisionHistoryLimit") == 9, "the sync did not respect it")
			s.same()
			r := s.must("diff", "--ignored")
			s.is(strings.Contains(r.out, "/spec/revisionHistoryLimit"), "it is not shown: %s", r.out)
		}},
	}
}

func selfHealed(s *site) {
	s.create(automatedBy(map[string]any{"selfHeal": true}), set(int64(0), "spec", "syncPolicy", "retry", "limit"))
	s.expect(succeeded, inSync)
	s.merge(deploymentKind, s.space, "guestbook-ui", `{"spec":{"revisionHistoryLimit":0}}`)
	s.eventually("it is healed", func() bool {
		return s.get(deploymentKind, "guestbook-ui").Int(0, "spec", "revisionHistoryLimit") == 3
	})
	s.expect(succeeded, inSync)
	s.edit(guestbookFile, limit("badValue"))
	s.refresh()
	s.expect(failed)
	s.refresh()
	s.expect(outOfSyncs, condition("SyncError", "Failed last sync attempt"))
	s.edit(guestbookFile, limit(int64(1)))
	s.refresh()
	s.expect(succeeded)
	s.refresh()
	s.expect(inSync, noWarnings)
}

// elsewhere takes the destination's namespace away, so that the sync makes it.
func (s *site) elsewhere() {
	s.Helper()
	s.space += "-new"
	s.forgetNamespace(s.space)
}

// namespaceMeta are the labels and annotations of the destination's namespace that somebody asked for.
func (s *site) namespaceMeta() (labels, notes string) {
	s.Helper()
	o := s.in("", namespaceKind, s.space)
	if o == nil {
		s.Fatal("there is no namespace")
	}
	l, a := o.Labels(), o.Annotations()
	delete(l, "kubernetes.io/metadata.name")
	delete(a, application.AnnotationTracking)
	delete(a, application.AnnotationLastApplied)
	delete(a, "sluice.dev/test")
	return fmt.Sprint(l), fmt.Sprint(a)
}

func namespaceMeta(s *site, there bool) {
	if there {
		s.merge(namespaceKind, "", s.space, `{"metadata":{"labels":{"test":"true"},"annotations":{"something":"whatevs","kubectl.kubernetes.io/last-applied-configuration":"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"annotations\":{\"something\":\"whatevs\"},\"labels\":{\"test\":\"true\"},\"name\":\"x\"}}"}}}`)
	} else {
		s.elsewhere()
	}
	s.create(options("CreateNamespace=true"), set(map[string]any{"labels": map[string]any{"foo": "bar"}, "annotations": map[string]any{"bar": "bat"}}, "spec", "syncPolicy", "managedNamespaceMetadata"))
	s.must("sync")
	s.expect(succeeded, inSync, noWarnings)
	holds := func(what, wantLabels, wantNotes string) {
		s.Helper()
		labels, notes := s.namespaceMeta()
		s.is(labels == wantLabels && notes == wantNotes, "%s: %s and %s", what, labels, notes)
	}
	if !there {
		holds("at first", "map[foo:bar]", "map[argocd.argoproj.io/sync-options:ServerSideApply=true bar:bat]")
	}
	s.patch(`{"spec":{"syncPolicy":{"managedNamespaceMetadata":{"labels":{"foo":null,"new":"label"}}}}}`)
	s.must("sync")
	s.expect(succeeded, inSync)
	if !there {
		holds("another label", "map[new:label]", "map[argocd.argoproj.io/sync-options:ServerSideApply=true bar:bat]")
	}
	s.patch(`{"spec":{"syncPolicy":{"managedNamespaceMetadata":{"annotations":{"bar":null,"something":"hmm"}}}}}`)
	s.must("sync")
	s.expect(succeeded, inSync)
	if !there {
		holds("another annotation", "map[new:label]", "map[argocd.argoproj.io/sync-options:ServerSideApply=true something:hmm]")
	}
	_, notes := s.namespaceMeta()
	s.is(strings.Contains(notes, "something:hmm") && !strings.Contains(notes, "bar:bat"), "the annotations are %s", notes)
}

func appOfApps(s *site) {
	child := "child-" + s.app
	s.Cleanup(func() {
		path := "/apis/argoproj.io/v1alpha1/namespaces/" + s.w.kube.Namespace + "/applications/" + child
		s.w.kube.Do(s.T, http.MethodPatch, path, manifest.MergePatch, []byte(`{"metadata":{"finalizers":null}}`))
		s.w.kube.Do(s.T, http.MethodDelete, path, "", nil)
	})
	s.edit("resources.yaml", func(o manifest.Object) {
		o.Set(child, "metadata", "name")
		o.Set(s.w.kube.Namespace, "metadata", "namespace")
		o.Set([]any{application.ResourcesFinalizer}, "metadata", "finalizers")
		o.Set(map[string]any{"repoURL": s.url(), "path": "config-map"}, "spec", "source")
		o.Set(s.space, "spec", "destination", "namespace")
		o.Set(map[string]any{}, "spec", "syncPolicy", "automated")
	})
	s.create(set(s.w.kube.Namespace, "spec", "destination", "namespace"))
	s.must("sync")
	s.expect(inSync, resource("Application", child, application.Synced, ""))
	s.eventually("the child is synced", func() bool { return s.get(configMapKind, "my-map") != nil })
	s.must("delete")
	s.gone()
	s.is(s.get(configMapKind, "my-map") == nil, "what the child held is left")
}

func sharedResource(s *site) {
	s.create()
	s.must("sync")
	s.expect(inSync)
	other := &site{T: s.T, w: s.w, repo: s.repo, path: s.path, space: s.space, app: "z" + s.app}
	s.Cleanup(other.tidy)
	other.create()
	other.expect(condition("SharedResourceWarning", "ConfigMap/my-map is part of applications "))
	r := other.sync("--sync-option", "FailOnSharedResource=true")
	s.is(r.code == exitFailed, "sync ended with %d", r.code)
	other.expect(failed, messageHas("Shared resource found"))
}

func orphaned(s *site) {
	put := s.project(s.all(", orphanedResources: {warn: true}"))
	s.create(put)
	s.must("sync")
	s.expect(inSync, noWarnings)
	s.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: orphaned-configmap}}")
	s.refresh()
	s.expect(condition("OrphanedResourceWarning", "Application has 1 orphaned resources"))
	r := s.must("resources")
	s.is(strings.Contains(r.out, "orphaned-configmap") && strings.Contains(r.out, "guestbook-ui"), "resources: %s", r.out)
	s.project(s.all(`, orphanedResources: {warn: true, ignore: [{group: Test, kind: ConfigMap}]}`))
	s.refresh()
	s.expect(condition("OrphanedResourceWarning", "Application has 1 orphaned resources"))
	for _, ignore := range []string{"{kind: ConfigMap}", "{kind: ConfigMap, name: orphaned-configmap}"} {
		s.project(s.all(`, orphanedResources: {warn: true, ignore: [` + ignore + `]}`))
		s.refresh()
		s.expect(inSync, noWarnings)
		s.is(!strings.Contains(s.must("resources").out, "orphaned-configmap"), "%s: it is shown", ignore)
	}
	s.project(s.all(""))
	s.refresh()
	s.expect(inSync, noWarnings)
}

func secretDiff(s *site) {
	s.create()
	s.must("sync")
	s.expect(inSync)
	s.same()
	s.merge(secrets, s.space, "test-secret", `{"data":{"username":null,"password":"`+base64.StdEncoding.EncodeToString([]byte("foo-canary"))+`"}}`)
	s.refresh()
	s.expect(outOfSyncs)
	for _, words := range [][]string{{"diff"}, {"diff", "-o", "json"}, {"diff", "--server-side"}, {"manifests", "--source", "live"}, {"manifests"}, {"get", "-o", "yaml"}, {"explain"}} {
		r := s.sluice(words[0], words[1:]...)
		for _, data := range []string{"test-username", "test-password", "foo-canary", "dGVzdC1", "Zm9vLWNh"} {
			s.is(!strings.Contains(r.out+r.err, data), "%v tells %s: %s%s", words, data, r.out, r.err)
		}
	}
	r := s.sluice("diff")
	s.is(r.code == exitDifferent && strings.Contains(r.out, "username: ++++++++") && strings.Contains(r.out, "password: ++++++++"), "diff: %d %s", r.code, r.out)
	s.patch(`{"spec":{"ignoreDifferences":[{"kind":"Secret","jsonPointers":["/data"]}]}}`)
	s.refresh()
	s.expect(inSync)
	s.same()
}
