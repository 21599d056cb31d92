package main

import (
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// ofSource is a change of the Application's source.
func ofSource(value any, path ...string) func(manifest.Object) {
	return set(value, append([]string{"spec", "source"}, path...)...)
}

// sources is a change that gives the Application several sources.
func (s *site) sources(list ...map[string]any) func(manifest.Object) {
	return func(o manifest.Object) {
		o.Drop("spec", "source")
		var all []any
		for _, one := range list {
			if one["repoURL"] == nil {
				one["repoURL"] = s.url()
			}
			all = append(all, one)
		}
		o.Set(all, "spec", "sources")
	}
}

// data is a value of the ConfigMap my-map.
func (s *site) data(key string) string {
	s.Helper()
	o := s.get(configMapKind, "my-map")
	if o == nil {
		s.Fatal("there is no ConfigMap my-map")
	}
	return o.Text("data", key)
}

func words(list ...string) []any {
	var out []any
	for _, w := range list {
		out = append(out, w)
	}
	return out
}

// renderScenarios are those of helm_test.go, kustomize_test.go, jsonnet_test.go, app_multiple_sources_test.go,
// declarative_test.go, api_versions_test.go and git_test.go.
func renderScenarios() []scenario {
	ok := []want{succeeded, inSync, healthy, noWarnings}
	return []scenario{
		{name: "declarative: a chart", path: "helm", run: func(s *site) {
			s.create()
			s.must("sync")
			s.expect(ok...)
		}},
		{name: "declarative: a path that is not there", path: "guestbook", run: func(s *site) {
			s.create(ofSource("garbage", "path"))
			s.expect(healthy, unknown, condition("ComparisonError", "garbage: app path does not exist"))
			s.must("delete")
			s.gone()
		}},
		{name: "declarative: a project that is not there", path: "guestbook", run: func(s *site) {
			s.create(set("garbage", "spec", "project"))
			s.expect(healthIs("Unknown"), unknown, condition("InvalidSpecError", "Application referencing project garbage which does not exist"))
		}},
		{name: "declarative: a repository that is not there", path: "guestbook", run: func(s *site) {
			s.create(ofSource("file:///nowhere/at/all", "repoURL"))
			s.expect(healthy, unknown, condition("ComparisonError", "/nowhere/at/all"))
			s.must("delete")
			s.gone()
		}},
		{name: "helm: a values file that is not there", path: "helm", run: func(s *site) {
			s.create(ofSource(words("does-not-exist-values.yaml"), "helm", "valueFiles"))
			s.expect(healthy, unknown, condition("ComparisonError", "does-not-exist-values.yaml: no such file or directory"))
			r := s.sync()
			s.is(r.code == exitFailed, "sync ended with %d", r.code)
			s.expect(phased(application.Errored), messageHas("does-not-exist-values.yaml: no such file or directory"))
			s.patch(`{"spec":{"source":{"helm":{"ignoreMissingValueFiles":true}}}}`)
			s.must("sync")
			s.expect(ok...)
		}},
		{name: "helm: a pattern of values files", path: "helm-glob-values", run: func(s *site) {
			s.create(ofSource(words("envs/*.yaml"), "helm", "valueFiles"))
			s.must("sync")
			s.expect(ok...)
			s.is(s.data("foo") == "b-value", "foo is %s", s.data("foo"))
		}},
		{name: "helm: a pattern of values files in folders", path: "helm-glob-values", run: func(s *site) {
			s.create(ofSource(words("envs/**/*.yaml"), "helm", "valueFiles"))
			s.must("sync")
			s.expect(ok...)
			s.is(s.data("foo") == "c-value", "foo is %s", s.data("foo"))
		}},
		{name: "helm: a pattern that matches nothing", path: "helm-glob-values", run: func(s *site) {
			s.create(ofSource(words("nonexistent/*.yaml"), "helm", "valueFiles"))
			s.expect(condition("ComparisonError", `values file glob "nonexistent/*.yaml" matched no files`))
			s.patch(`{"spec":{"source":{"helm":{"ignoreMissingValueFiles":true}}}}`)
			s.must("sync")
			s.expect(ok...)
		}},
		{name: "helm: a definition in a hook", path: "helm-crd", run: func(s *site) {
			s.dummies("crontabs.stable.example.com")
			s.create()
			s.must("sync")
			s.expect(succeeded, healthy, inSync, results(2))
		}},
		{name: "helm: definitions in crds/", path: "helm3-crd", run: func(s *site) {
			s.dummies("crontabs.stable.example.com")
			s.create()
			s.must("sync")
			s.expect(inSync, resource("CustomResourceDefinition", "crontabs.stable.example.com", application.Synced, ""))
		}},
		{name: "helm: variables in parameters", path: "helm-values", run: func(s *site) {
			s.create(ofSource([]any{map[string]any{"name": "foo", "value": "$ARGOCD_APP_NAME"}}, "helm", "parameters"))
			s.must("sync")
			s.expect(succeeded, inSync)
			s.is(s.data("foo") == s.app, "foo is %s", s.data("foo"))
			s.patch(`{"spec":{"source":{"helm":{"parameters":[{"name":"foo","value":"${ARGOCD_APP_NAME}-x","forceString":true}]}}}}`)
			s.must("sync")
			s.is(s.data("foo") == s.app+"-x", "foo is %s", s.data("foo"))
		}},
		{name: "helm: the cluster's version", path: "helm-kube-version", run: func(s *site) {
			s.create()
			s.must("sync")
			s.expect(inSync)
			s.is(strings.HasPrefix(s.data("kubeVersion"), "v1."), "it is %s", s.data("kubeVersion"))
			s.patch(`{"spec":{"source":{"helm":{"kubeVersion":"999.999.999"}}}}`)
			s.must("sync")
			s.expect(inSync)
			s.is(s.data("kubeVersion") == "v999.999.999", "it is %s", s.data("kubeVersion"))
		}},
		{name: "helm: the cluster's API versions", path: "helm-api-versions", run: func(s *site) {
			s.create()
			s.must("sync")
			s.expect(succeeded) // definitions that other tests make and delete change the versions
			s.is(strings.Contains(s.data("apiVersions"), "v1"), "they are %s", s.data("apiVersions"))
			s.patch(`{"spec":{"source":{"helm":{"apiVersions":["v1/MyTestResource"]}}}}`)
			s.must("sync")
			s.is(strings.Contains(s.data("apiVersions"), "v1/MyTestResource"), "they are %s", s.data("apiVersions"))
		}},
		{name: "helm: another namespace", path: "helm-namespace", run: func(s *site) {
			s.create()
			s.must("sync")
			s.expect(inSync)
			s.patch(`{"spec":{"source":{"helm":{"namespace":"does-not-exist"}}}}`)
			s.expect(outOfSyncs)
		}},
		{name: "helm: a hidden folder", path: ".hidden-helm", run: func(s *site) {
			s.write("foo.yaml", "")
			s.create(ofSource(words("foo.yaml"), "helm", "valueFiles"))
			s.must("sync")
			s.expect(ok...)
		}},
		{name: "kustomize: prefix, suffix and labels", path: guestbook, run: func(s *site) {
			s.create(ofSource("k2-", "kustomize", "namePrefix"), ofSource("-deploy1", "kustomize", "nameSuffix"))
			s.expect(outOfSyncs)
			s.patch(`{"spec":{"source":{"kustomize":{"namePrefix":"k2-patched-","commonLabels":{"patched-by":"argo-cd"}}}}}`)
			s.must("sync")
			s.expect(ok...)
			for _, kind := range []manifest.Kind{serviceKind, deploymentKind} {
				o := s.get(kind, "k2-patched-guestbook-ui-deploy1")
				s.is(o != nil && o.Labels()["patched-by"] == "argo-cd", "the %s lacks the label", kind)
			}
		}},
		{name: "kustomize: a generated ConfigMap is left aside", path: "kustomize-cm-gen", run: generatedMaps},
		{name: "kustomize: a file that is not there", path: "invalid-kustomize", run: func(s *site) {
			s.create()
			s.expect(healthy, unknown, condition("ComparisonError", "invalid-kustomize/does-not-exist.yaml: no such file or directory"))
		}},
		{name: "kustomize: images", path: guestbook, run: func(s *site) {
			s.create(ofSource(words("quay.io/argoprojlabs/argocd-e2e-container=alpine:bar"), "kustomize", "images"))
			s.must("sync")
			a := s.expect(ok...)
			s.is(fmt.Sprint(a.Status.Summary.Images) == "[alpine:bar]", "the images are %v", a.Status.Summary.Images)
		}},
		{name: "kustomize: replicas", path: guestbook, run: func(s *site) {
			s.create(ofSource([]any{map[string]any{"name": "guestbook-ui", "count": int64(2)}}, "kustomize", "replicas"),
				ofSource([]any{map[string]any{"patch": "- {op: add, path: /spec/template/spec/containers/0/command, value: [sh, -c, 'trap exit TERM; sleep 600 & wait']}", "target": map[string]any{"kind": "Deployment"}}}, "kustomize", "patches"))
			s.must("sync")
			s.expect(ok...)
			s.is(s.get(deploymentKind, "guestbook-ui").Int(0, "spec", "replicas") == 2, "it has other replicas")
		}},
		{name: "jsonnet: with its defaults", path: "jsonnet-tla", run: func(s *site) {
			s.create()
			s.sync()
			s.expect(inSync)
			o := s.get(deploymentKind, "jsonnet-guestbook-ui")
			s.is(o != nil && o.Int(0, "spec", "replicas") == 1, "the Deployment is %s", o.JSON())
		}},
		{name: "jsonnet: top-level arguments", path: "jsonnet-tla", run: func(s *site) {
			s.create(ofSource([]any{map[string]any{"name": "name", "value": "testing-tla"}, map[string]any{"name": "replicas", "value": "0", "code": true}}, "directory", "jsonnet", "tlas"))
			s.must("sync")
			s.expect(inSync)
			o := s.get(deploymentKind, "testing-tla")
			s.is(o != nil && o.Int(9, "spec", "replicas") == 0, "the Deployment is %s", o.JSON())
		}},
		{name: "jsonnet: variables in top-level arguments", path: "jsonnet-tla-cm", run: func(s *site) { jsonnetNames(s, "tlas") }},
		{name: "jsonnet: variables in external ones", path: "jsonnet-ext-var", run: func(s *site) { jsonnetNames(s, "extVars") }},
		{name: "jsonnet: imports of nested folders", path: "jsonnet-nested-dir-with-imports/apps", run: func(s *site) {
			for _, ns := range []string{"hello-world", "hello-root"} {
				s.forgetNamespace(ns)
			}
			s.create(ofSource(true, "directory", "recurse"))
			s.must("sync")
			s.expect(succeeded, inSync, resource("Namespace", "hello-world", application.Synced, ""), resource("Namespace", "hello-root", application.Synced, ""))
		}},
		{name: "sources: two", path: guestbook, more: []string{"two-nice-pods"}, run: func(s *site) {
			s.create(s.sources(map[string]any{"path": guestbook, "name": "guestbook"}, map[string]any{"path": "two-nice-pods", "name": "dynamic duo"}))
			s.must("sync")
			a := s.expect(succeeded, inSync, healthy, resource("Pod", "pod-1", application.Synced, "Healthy"), resource("Pod", "pod-2", application.Synced, "Healthy"),
				resource("Deployment", "guestbook-ui", application.Synced, "Healthy"))
			s.is(len(a.Status.Sync.Revisions) == 2 && a.Status.Sync.Revision == "" && len(a.Status.SourceTypes) == 2, "it is %+v of %v", a.Status.Sync, a.Status.SourceTypes)
			s.patch(fmt.Sprintf(`{"spec":{"sources":[{"repoURL":%q,"path":"two-nice-pods","name":"dynamic duo"}]}}`, s.url()))
			s.expect(outOfSyncs)
			s.must("sync", "--prune")
			a = s.expect(succeeded, inSync)
			s.is(len(a.Status.Resources) == 2, "there are %d resources", len(a.Status.Resources))
		}},
		{name: "sources: values of another", path: "helm-guestbook", more: []string{"multiple-source-values"}, run: func(s *site) {
			s.create(s.sources(map[string]any{"ref": "values"}, map[string]any{
				"path": "helm-guestbook", "targetRevision": "HEAD",
				"helm": map[string]any{"releaseName": "helm-guestbook", "valueFiles": words("$values/multiple-source-values/values.yaml")},
			}))
			s.sync()
			s.expect(succeeded, inSync)
			s.is(s.get(deploymentKind, "guestbook-ui").Int(0, "spec", "replicas") == 3, "it has other replicas")
		}},
		{name: "sources: the last one wins", path: guestbook, more: []string{"two-nice-pods", "multiple-source-values"}, run: func(s *site) {
			s.create(s.sources(map[string]any{"path": guestbook}, map[string]any{"path": "two-nice-pods"}, map[string]any{"path": "multiple-source-values"}))
			s.sync()
			a := s.expect(inSync, resource("Pod", "pod-1", application.Synced, ""), condition("RepeatedResourceWarning", "pod-1"))
			s.is(s.get(podKind, "pod-1").Labels()["foo"] == "bar", "the Pod is of another source")
			s.is(len(a.Status.Resources) == 4, "there are %d resources", len(a.Status.Resources))
		}},
		{name: "git: a range of versions", path: "deployment", run: func(s *site) {
			s.git("tag", "v0.1.0")
			s.create(ofSource("v0.1.*", "targetRevision"))
			s.must("sync")
			first := s.expect(inSync).Status.Sync.Revision
			s.edit("deployment.yaml", set("new-app", "metadata", "name"))
			s.git("tag", "v0.1.2")
			s.must("sync", "--prune")
			a := s.expect(inSync, resource("Deployment", "new-app", application.Synced, ""))
			s.is(a.Status.Sync.Revision != first, "it is still %s", first)
		}},
		{name: "git: a range of versions without v", path: "deployment", run: func(s *site) {
			s.git("tag", "0.1.0")
			s.create(ofSource("0.1.*", "targetRevision"))
			s.must("sync")
			s.expect(inSync)
		}},
		{name: "git: a range of versions behind a prefix", path: "deployment", run: func(s *site) {
			s.git("tag", "component-a/v0.1.0")
			s.git("tag", "v9.9.9")
			s.create(ofSource("v0.1.*", "targetRevision"), ofSource("component-a/", "tagPrefix"))
			s.must("sync")
			a := s.expect(inSync)
			s.is(a.Status.Sync.Revision == s.git("rev-parse", "component-a/v0.1.0"), "it is %s", a.Status.Sync.Revision)
		}},
		{name: "git: an annotated tag, moved, heals nothing by itself", path: guestbook, run: func(s *site) { movedTag(s, "-a", "-m", "say") }},
		{name: "git: a tag, moved, heals nothing by itself", path: guestbook, run: func(s *site) { movedTag(s) }},
		{name: "directory: a definition and its objects", path: "crd-creation", run: func(s *site) {
			s.dummies("dummies.argoproj.io", "clusterdummies.argoproj.io")
			s.create()
			s.must("sync")
			s.expect(succeeded, inSync, healthy)
			s.same()
		}},
	}
}

// dummies takes definitions away when the scenario ends, and makes scenarios wait that use the same.
func (s *site) dummies(names ...string) {
	s.w.alone.Lock()
	s.Cleanup(func() {
		for _, name := range names {
			path := "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + name
			s.w.kube.Do(s.T, "DELETE", path, "", nil)
			s.eventually("the definition "+name+" is gone", func() bool {
				code, _ := s.w.kube.Do(s.T, "GET", path, "", nil)
				return code == 404
			})
		}
		s.w.alone.Unlock()
	})
}

// same holds that no way of comparing finds a difference.
func (s *site) same() {
	s.Helper()
	for _, flags := range [][]string{nil, {"--server-side"}, {"--revision", s.git("rev-parse", "HEAD")}, {"--local", s.repo + "/" + s.path}} {
		if r := s.sluice("diff", flags...); r.code != 0 || r.out != "" {
			s.Fatalf("diff %v: exit code %d\n%s%s", flags, r.code, r.out, r.err)
		}
	}
}

func generatedMaps(s *site) {
	s.create()
	s.must("sync")
	a := s.expect(succeeded, inSync, healthy)
	old := a.Status.Resources[0].Name
	s.is(strings.HasPrefix(old, "my-map-"), "it is called %s", old)
	s.edit("kustomization.yaml", func(o manifest.Object) {
		o.List("configMapGenerator")[0].(map[string]any)["literals"] = words("foo=baz")
	})
	s.must("refresh", "--hard")
	s.sluice("sync")
	a = s.expect(succeeded, inSync, healthy, resource("ConfigMap", old, application.OutOfSync, ""))
	s.is(len(a.Status.Resources) == 2, "there are %d resources", len(a.Status.Resources))
}

func jsonnetNames(s *site, where string) {
	s.create(ofSource([]any{map[string]any{"name": "foo", "value": "$ARGOCD_APP_NAME"}, map[string]any{"name": "bar", "value": "'$ARGOCD_APP_NAME'", "code": true}}, "directory", "jsonnet", where))
	s.must("sync")
	s.expect(succeeded, inSync)
	s.is(s.data("foo") == s.app && s.data("bar") == s.app, "they are %s and %s", s.data("foo"), s.data("bar"))
}

func movedTag(s *site, flags ...string) {
	s.git(append([]string{"tag", "moving"}, flags...)...)
	s.create(ofSource("moving", "targetRevision"), set(map[string]any{"prune": true, "selfHeal": false}, "spec", "syncPolicy", "automated"))
	a := s.expect(inSync, succeeded)
	s.is(a.Status.Sync.Revision == s.git("rev-parse", "moving^{commit}"), "it is %s", a.Status.Sync.Revision)
	s.edit(guestbookFile, limit(int64(10)))
	s.git(append([]string{"tag", "-f", "moving"}, flags...)...)
	s.must("refresh", "--hard")
	s.eventually("the Deployment follows", func() bool {
		return s.get(deploymentKind, "guestbook-ui").Int(0, "spec", "revisionHistoryLimit") == 10
	})
	s.expect(inSync, succeeded)
	s.merge(deploymentKind, s.space, "guestbook-ui", `{"spec":{"revisionHistoryLimit":9}}`)
	s.expect(outOfSyncs)
	s.is(s.get(deploymentKind, "guestbook-ui").Int(0, "spec", "revisionHistoryLimit") == 9, "it was healed")
}
