package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// lone is a scenario with a controller of its own, whose settings (argocd-cm) it may change.
type lone struct {
	scenario
	settings map[string]string
}

// TestArgoCDSettings plays the scenarios of Argo CD's end-to-end tests that change its settings.
func TestArgoCDSettings(t *testing.T) {
	kubetest.Start(t, kubetest.C).ApplyCRDs(t, kubetest.ArgoCD)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	slots := make(chan struct{}, 4)
	var group sync.WaitGroup
	var alone sync.Mutex
	for _, sc := range settingsScenarios() {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(sc.name, func(t *testing.T) {
				w := argoStart(t, kubetest.Start(t, kubetest.C), sc.settings)
				w.alone = &alone
				sc.run(w.site(t, sc.scenario))
			})
		})
	}
	group.Wait()
}

// rule changes the settings while the controller runs.
func (s *site) rule(data map[string]string) {
	s.Helper()
	s.w.settings(s.T, data)
}

const finalizerHealth = `
hs = {status = "Healthy"}
if obj.metadata.deletionTimestamp == nil then
  return {status = "Progressing", message = "Waiting to be externally deleted"}
end
for _, f in ipairs(obj.metadata.finalizers or {}) do
  if f == "argocd.argoproj.io/hook-finalizer" then
    hs.message = "Resource has finalizer"
    return hs
  end
end
hs.message = "no finalizer for a hook is wrong"
return hs`

func settingsScenarios() []lone {
	const progressing = `return {status = obj.metadata.annotations and obj.metadata.annotations['health'] or 'Progressing'}`
	out := []lone{
		{scenario{name: "waves: a degraded application is mended", path: "sync-waves", run: func(s *site) {
			s.create()
			s.sync()
			a := s.expect(failed, outOfSyncs, healthIs("Degraded"), results(1), resource("ConfigMap", "cm-1", application.Synced, "Degraded"), resource("ConfigMap", "cm-2", application.OutOfSync, "Missing"))
			before := a.Object.Text("status", "health", "lastTransitionTime")
			time.Sleep(time.Second) // the time of a health has whole seconds
			for _, f := range []string{"cm-1.yaml", "cm-2.yaml"} {
				s.edit(f, func(o manifest.Object) { o.SetAnnotation("health", "Healthy") })
			}
			s.refresh()
			s.expect(resource("ConfigMap", "cm-1", application.OutOfSync, ""))
			s.must("sync")
			a = s.expect(succeeded, inSync, healthy, results(2), resource("ConfigMap", "cm-1", application.Synced, "Healthy"), resource("ConfigMap", "cm-2", application.Synced, "Healthy"))
			s.is(a.Object.Text("status", "health", "lastTransitionTime") != before, "the time of its health is still %s", before)
		}}, map[string]string{"resource.customizations.health.ConfigMap": `return {status = obj.metadata.annotations and obj.metadata.annotations['health'] or 'Degraded'}`}},
		{scenario{name: "deletion: of one that is stuck in a sync", path: "hook-custom-health", more: []string{guestbook}, run: func(s *site) {
			s.create()
			s.sync("--async")
			s.expect(phased(application.Running), outOfSyncs)
			s.must("delete", "--wait=false")
			s.stays(2*time.Second, phased(application.Running))
			s.must("terminate")
			s.gone()
		}}, map[string]string{"resource.customizations.health.ConfigMap": progressing}},
		{scenario{name: "options: the status is ignored everywhere", path: guestbook, run: func(s *site) {
			s.create(automatedBy(map[string]any{"selfHeal": true}))
			s.expect(inSync)
			s.edit(guestbookFile, set(int64(1), "status", "observedGeneration"))
			s.refresh()
			s.expect(inSync)
			s.stays(time.Second, inSync)
		}}, map[string]string{"resource.customizations.ignoreDifferences.all": "jsonPointers: [/status]"}},
		{scenario{name: "tracking: another method", path: "deployment", run: switchedMethod}, map[string]string{"application.resourceTrackingMethod": "annotation"}},
		{scenario{name: "tracking: another label", path: "deployment", run: switchedLabel}, map[string]string{"application.resourceTrackingMethod": "label"}},
		{scenario{name: "tracking: an installation's id", path: guestbook, run: func(s *site) {
			s.tracked("test-configmap", "/ConfigMap:"+s.space+"/test-configmap")
			s.create()
			s.sluice("sync")
			s.expect(succeeded, outOfSyncs, resource("ConfigMap", "test-configmap", application.OutOfSync, ""))
			s.rule(map[string]string{"installationID": "test"})
			s.expect(want{"the other installation's object is not seen", func(a application.Application) bool { return len(a.Status.Resources) == 2 }})
			s.must("sync")
			s.expect(inSync)
			for _, kind := range []manifest.Kind{serviceKind, deploymentKind} {
				s.is(s.get(kind, "guestbook-ui").Annotation(application.AnnotationInstallation) == "test", "the %s lacks the id", kind)
			}
		}}, nil},
		{scenario{name: "exclusions", path: guestbook, run: func(s *site) {
			s.create()
			s.must("sync")
			s.refresh()
			s.expect(condition("ExcludedResourceWarning", "Resource apps/Deployment guestbook-ui is excluded in the settings"))
			s.is(s.get(deploymentKind, "guestbook-ui") == nil, "it was applied")
		}}, map[string]string{"resource.exclusions": "- kinds: [Deployment]"}},
		{scenario{name: "destination: the cluster itself is none", path: guestbook, run: func(s *site) {
			s.create()
			s.must("sync")
			s.expect(healthy, inSync)
			s.rule(map[string]string{"cluster.inClusterEnabled": "false"})
			s.refresh()
			s.expect(healthIs("Unknown"), unknown, condition("InvalidSpecError", `cluster "https://kubernetes.default.svc" is disabled`))
		}}, nil},
		{scenario{name: "diff: known types", path: "crd-creation", run: func(s *site) {
			s.dummies("dummies.argoproj.io", "clusterdummies.argoproj.io")
			s.create()
			s.must("sync")
			s.expect(succeeded, inSync)
			s.merge(manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Dummy"}, s.space, "dummy-crd-instance", `{"spec":{"cpu":"2"}}`)
			s.refresh()
			s.expect(outOfSyncs)
			s.rule(map[string]string{"resource.customizations.knownTypeFields.argoproj.io_Dummy": "- {field: spec, type: core/v1/ResourceList}"})
			s.refresh()
			s.expect(inSync)
		}}, nil},
		{scenario{name: "diff: differences that are ignored, and their managers", path: guestbook, run: diffing}, nil},
		{scenario{name: "actions: old and new style", path: "resource-actions", run: func(s *site) {
			s.create()
			s.must("sync")
			s.expect(inSync)
			r := s.must("action list", "--kind", "CronJob")
			s.is(strings.Contains(r.out, "mixed") && strings.Contains(r.out, "label"), "list: %s", r.out)
			s.plainly("app", "action", "run", s.app, "label", "--kind", "CronJob")
			cron := manifest.Kind{Group: "batch", Version: "v1", Kind: "CronJob"}
			s.is(s.get(cron, "hello").Labels()["sample"] == "test", "the label is not there")
			s.plainly("app", "action", "run", s.app, "mixed", "--kind", "CronJob")
			s.is(s.get(cron, "hello").Labels()["aKey"] == "aValue", "the CronJob was not patched")
			s.is(s.get(manifest.Kind{Group: "batch", Version: "v1", Kind: "Job"}, "hello-123") != nil, "the Job was not made")
		}}, map[string]string{"resource.customizations.actions.batch_CronJob": cronActions}},
		{scenario{name: "actions: status and spec of a custom kind", path: "crd-subresource", run: func(s *site) {
			s.dummies("statussubresources.argoproj.io", "nonstatussubresources.argoproj.io")
			s.create()
			s.must("sync")
			s.expect(succeeded, inSync)
			for kind, name := range map[string]string{"StatusSubResource": "status-subresource", "NonStatusSubResource": "non-status-subresource"} {
				for _, action := range []string{"update-both", "update-spec", "update-status"} {
					s.plainly("app", "action", "run", s.app, action, "--kind", kind)
					o := s.get(manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: kind}, name)
					foo, bar := o.Text("spec", "foo"), o.Text("status", "bar")
					s.is(action == "update-status" || foo == action, "%s %s: foo is %s", kind, action, foo)
					s.is(action == "update-spec" || bar == action, "%s %s: bar is %s", kind, action, bar)
				}
			}
		}}, map[string]string{"resource.customizations": "argoproj.io/StatusSubResource:\n  actions: |\n" + indented(subActions) + "argoproj.io/NonStatusSubResource:\n  actions: |\n" + indented(subActions)}},
		{scenario{name: "kustomize: files above a kustomization", path: guestbook, more: []string{"guestbook_local"}, run: func(s *site) {
			s.edit("kustomization.yaml", func(o manifest.Object) { o.List("resources")[1] = "../guestbook_local/guestbook-ui-svc.yaml" })
			s.create()
			s.must("sync")
			s.expect(succeeded, healthy, inSync)
		}}, map[string]string{"kustomize.buildOptions": "--load-restrictor LoadRestrictionsNone"}},
		{scenario{name: "kustomize: turned off", path: guestbook, run: func(s *site) {
			s.create()
			s.expect(want{"it is Kustomize", func(a application.Application) bool { return a.Status.SourceType == "Kustomize" }})
			s.rule(map[string]string{"kustomize.enable": "false"})
			s.must("refresh", "--hard")
			s.expect(want{"it is a Directory", func(a application.Application) bool { return a.Status.SourceType == "Directory" }})
		}}, nil},
		{scenario{name: "projects: global ones", path: guestbook, run: func(s *site) {
			name := "global-" + s.app
			s.w.kube.Apply(s.T, fmt.Sprintf(`{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {name: %s}, spec: {syncWindows: [{kind: deny, schedule: "* * * * *", duration: 1h, applications: ["*"]}]}}`, name))
			s.rule(map[string]string{"globalProjects": fmt.Sprintf("- labelSelector: {matchExpressions: [{key: opt, operator: In, values: [me]}]}\n  projectName: %s", name)})
			s.create(s.project(s.all("")))
			s.must("sync", "--resource", "apps:Deployment:guestbook-ui")
			s.expect(succeeded)
			s.merge(projectKind, s.w.kube.Namespace, "project-"+s.app, `{"metadata":{"labels":{"opt":"me"}}}`)
			s.sync("--resource", ":Service:guestbook-ui", "--async")
			s.expect(phased(application.Running), messageHas("blocked by sync window"))
			s.must("terminate")
		}}, nil},
	}
	out = append(out, impersonations()...)
	for _, phase := range []string{"PreSync", "Sync", "PostSync"} {
		out = append(out, lone{scenario{name: "hook: the end of a Job that deletes itself is seen, " + phase, path: "hook-resource-deleted-externally", run: func(s *site) {
			s.edit("hook.yaml", annotated(hookKey, phase))
			s.create()
			s.must("sync")
			s.expect(succeeded, inSync, resource("Pod", "pod", application.Synced, "Healthy"), results(2), result(application.ResourceResult{
				Group: "batch", Version: "v1", Kind: "Job", Namespace: s.space, Name: "hook", Message: "Resource has finalizer", HookType: phase,
				Status: "Synced", HookPhase: application.Succeeded, SyncPhase: phase,
			}))
		}}, map[string]string{"resource.customizations.health.batch_Job": finalizerHealth}})
	}
	return out
}

// plainly runs a command of ours that must pass.
func (s *site) plainly(words ...string) {
	s.Helper()
	r := s.plain(append(words, "--kubeconfig", s.w.kube.Kubeconfig, "-N", s.w.kube.Namespace)...)
	if r.code != 0 {
		s.Fatalf("sluice %s: exit code %d\n%s%s", strings.Join(words, " "), r.code, r.out, r.err)
	}
}

func indented(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString("    " + line)
	}
	return out.String()
}

const subActions = `discovery.lua: return {["update-spec"] = {disabled = false}, ["update-status"] = {}, ["update-both"] = {}}
definitions:
- name: update-both
  action.lua: |
    obj.spec = {foo = "update-both"}
    obj.status = {bar = "update-both"}
    return obj
- name: update-spec
  action.lua: |
    obj.spec = {foo = "update-spec"}
    return obj
- name: update-status
  action.lua: |
    obj.status = {bar = "update-status"}
    return obj
`

const cronActions = `discovery.lua: return {label = {}, mixed = {}}
definitions:
- name: label
  action.lua: |
    obj.metadata.labels = obj.metadata.labels or {}
    obj.metadata.labels.sample = 'test'
    return obj
- name: mixed
  action.lua: |
    local function copy(from) -- without tables that are empty: nobody knows whether they are lists
      if type(from) ~= "table" then return from end
      if next(from) == nil then return nil end
      local to = {}
      for k, v in pairs(from) do to[k] = copy(v) end
      return to
    end
    local job = {apiVersion = "batch/v1", kind = "Job", metadata = {}, spec = {template = {}}}
    job.metadata.name = obj.metadata.name .. "-123"
    job.metadata.namespace = obj.metadata.namespace
    job.metadata.ownerReferences = {{apiVersion = obj.apiVersion, kind = obj.kind, name = obj.metadata.name, uid = obj.metadata.uid}}
    job.spec.template.spec = copy(obj.spec.jobTemplate.spec.template.spec)
    obj.metadata.labels = {aKey = 'aValue'}
    return {{operation = "create", resource = job}, {operation = "patch", resource = obj}}
`

// labelled makes a ConfigMap with a label.
func (s *site) labelled(name, label string) {
	s.Helper()
	s.apply(fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, labels: {%s: %s}}}", name, label, s.app))
}

func switchedMethod(s *site) {
	s.create()
	s.must("sync")
	s.expect(succeeded, inSync, healthy)
	other := func() { s.tracked("other-configmap", "/ConfigMap:"+s.space+"/other-configmap") }
	other()
	s.expect(outOfSyncs, healthy)
	s.delete(configMapKind, "other-configmap")
	s.expect(inSync, healthy)
	s.rule(map[string]string{"application.resourceTrackingMethod": "label"})
	s.expect(outOfSyncs)
	s.must("sync", "--prune")
	s.expect(succeeded, inSync, healthy)
	other()
	s.stays(time.Second, inSync, healthy)
	s.labelled("extra-configmap", "app.kubernetes.io/instance")
	s.expect(outOfSyncs, healthy)
	s.delete(configMapKind, "extra-configmap")
	s.expect(inSync, healthy)
}

func switchedLabel(s *site) {
	s.create()
	s.must("sync")
	s.expect(succeeded, inSync, healthy)
	s.labelled("other-configmap", "app.kubernetes.io/instance")
	s.expect(outOfSyncs, healthy)
	s.delete(configMapKind, "other-configmap")
	s.expect(inSync, healthy)
	s.rule(map[string]string{"application.resourceTrackingMethod": "label", "application.instanceLabelKey": "argocd.tracking"})
	s.expect(outOfSyncs)
	s.must("sync", "--prune")
	s.expect(succeeded, inSync, healthy)
	s.labelled("other-configmap", "argocd.tracking")
	s.expect(outOfSyncs, healthy)
	s.delete(configMapKind, "other-configmap")
	s.expect(inSync, healthy)
	s.labelled("other-configmap", "app.kubernetes.io/instance")
	s.stays(time.Second, inSync, healthy)
}

// diffing goes through what is ignored by path and by manager, and what a sync makes of it.
func diffing(s *site) {
	s.create()
	s.must("sync")
	s.expect(inSync)
	s.merge(deploymentKind, s.space, "guestbook-ui", `{"spec":{"template":{"spec":{"containers":[{"name":"guestbook-ui","image":"test","imagePullPolicy":"IfNotPresent","ports":[{"containerPort":80}]}]}}}}`)
	s.refresh()
	s.expect(outOfSyncs)
	r := s.sluice("diff", "--local", s.w.data+"/guestbook")
	s.is(r.code == exitDifferent && strings.Contains(r.out, "===== apps/Deployment/"+s.space+"/guestbook-ui"), "diff: %d %s%s", r.code, r.out, r.err)
	image := "jsonPointers: [/spec/template/spec/containers/0/image]"
	const key = "resource.customizations.ignoreDifferences.apps_Deployment"
	s.rule(map[string]string{key: image})
	s.refresh()
	s.expect(inSync)
	s.same()
	s.patch(`{"spec":{"syncPolicy":{"syncOptions":["ServerSideApply=true"]}}}`)
	s.must("sync")
	s.expect(succeeded)
	s.owned(1)
	s.refresh()
	s.expect(outOfSyncs)
	s.rule(map[string]string{key: image + "\nmanagedFieldsManagers: [revision-history-manager]"})
	s.refresh()
	s.expect(inSync)
	s.must("sync")
	s.is(s.history() == 3, "the limit is %d", s.history())
	s.patch(`{"spec":{"syncPolicy":{"syncOptions":["RespectIgnoreDifferences=true"]}}}`)
	s.owned(1)
	s.refresh()
	s.expect(inSync)
	s.is(s.history() == 1, "the limit is %d", s.history())
	s.must("sync")
	s.expect(succeeded, inSync)
	s.is(s.history() == 1, "the sync did not respect it: the limit is %d", s.history())
}

func (s *site) history() int64 {
	s.Helper()
	return s.get(deploymentKind, "guestbook-ui").Int(0, "spec", "revisionHistoryLimit")
}

// owned applies a revisionHistoryLimit as another manager.
func (s *site) owned(n int) {
	s.Helper()
	path := s.w.kube.Path(s.T, deploymentKind, s.space) + "/guestbook-ui?fieldManager=revision-history-manager&force=true"
	body := fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"guestbook-ui"},"spec":{"revisionHistoryLimit":%d}}`, n)
	if code, data := s.w.kube.Do(s.T, "PATCH", path, manifest.ApplyPatch, []byte(body)); code >= 300 {
		s.Fatalf("apply: %d %s", code, data)
	}
}
