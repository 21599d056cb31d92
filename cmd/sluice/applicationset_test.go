package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

const dirSet = `
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: apps}
spec:
  goTemplate: true
  goTemplateOptions: [missingkey=error]
  generators:
  - git: {repoURL: ., revision: HEAD, directories: [{path: "apps/*"}, {path: apps/off, exclude: true}]}
  template:
    metadata: {name: "{{.path.basename}}"}
    spec:
      source: {repoURL: ., path: "{{.path.path}}"}
      destination: {name: in-cluster, namespace: NAMESPACE}
      syncPolicy: {automated: {prune: true}}
`

func cm(name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {key: %q}\n", name, value)
}

// TestDeliverASet keeps a folder with an ApplicationSet of its own folders true, through a folder that comes and one that
// goes.
func TestDeliverASet(t *testing.T) {
	d := newDelivery(t, map[string]string{
		"set.yaml": dirSet, "apps/a/cm.yaml": cm("of-a", "1"), "apps/b/cm.yaml": cm("of-b", "1"), "apps/off/cm.yaml": cm("of-off", "1"), "apps/.hidden/cm.yaml": cm("of-hidden", "1"),
	})
	out := d.want(0, "deliver", ".", "--once", "--timeout", "2m")
	for _, want := range []string{"a Synced Healthy", "b Synced Healthy"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not said:\n%s", want, out)
		}
	}
	for name, there := range map[string]bool{"of-a": true, "of-b": true, "of-off": false, "of-hidden": false} {
		if (d.object(cmKind, name) != nil) != there {
			t.Errorf("%s: %v", name, !there)
		}
	}
	d.keep(".")
	d.write(map[string]string{"apps/c/cm.yaml": cm("of-c", "1"), "apps/a/cm.yaml": cm("of-a", "2")})
	d.git("rm", "-q", "-r", "apps/b")
	d.commit()
	d.until("the new folder is delivered", func() bool { return d.object(cmKind, "of-c") != nil })
	d.until("the changed one too", func() bool { return d.object(cmKind, "of-a").Text("data", "key") == "2" })
	d.until("what the removed one brought is gone", func() bool { return d.object(cmKind, "of-b") == nil })
	if out := d.want(0, "app", "list"); !strings.Contains(out, "c ") || strings.Contains(out, "\nb ") {
		t.Error(out)
	}
}

// TestDeliverASetThatIsRefused ends with the words of what is wrong.
func TestDeliverASetThatIsRefused(t *testing.T) {
	d := newDelivery(t, map[string]string{"set.yaml": strings.Replace(dirSet, "- git: {repoURL: ., revision: HEAD, ", "- git: {repoURL: ., revision: nowhere, ", 1), "apps/a/cm.yaml": cm("of-a", "1")})
	code, out := d.sluice("deliver", ".", "--once", "--timeout", "1m")
	if code != 1 || !strings.Contains(out, "the ApplicationSet apps: error generating params from git") || !strings.Contains(out, "nowhere") {
		t.Errorf("%d\n%s", code, out)
	}
}

// TestControllerSets reconciles an ApplicationSet of a cluster: clusters that Secrets name and pull requests of a stub of
// Gitea, whose token comes from a Secret and is seen nowhere else.
func TestControllerSets(t *testing.T) {
	kube := kubetest.Start(t, kubetest.B)
	kube.ApplyCRDs(t, kubetest.ArgoCD)
	const token = "canary-token-0123456789"
	var asked atomic.Int32
	gitea := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "token "+token || r.URL.Path != "/api/v1/repos/org/web/pulls" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `[{"number": 7, "title": "Seven", "head": {"ref": "feature/x", "sha": "abc"}, "base": {"ref": "main"}, "user": {"login": "ann"}, "labels": []}]`)
	}))
	defer gitea.Close()
	kube.Apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Secret
metadata: {name: gitea}
stringData: {token: %s}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cmd-params-cm}
data: {applicationsetcontroller.allowed.scm.providers: %q}
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: default}
spec: {sourceRepos: ["*"], destinations: [{server: "*", namespace: "*"}]}
---
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: pulls}
spec:
  goTemplate: true
  generators:
  - pullRequest: {gitea: {owner: org, repo: web, api: %q, tokenRef: {secretName: gitea, key: token}}}
  - clusters: {}
  template:
    metadata: {name: '{{ if .number }}pr-{{.number}}-{{.branch_slug}}{{ else }}on-{{.nameNormalized}}{{ end }}'}
    spec: {project: default, source: {repoURL: https://example.invalid/repo.git, path: x}, destination: {name: in-cluster, namespace: x}}
`, token, gitea.URL, gitea.URL))
	ctx, stop := context.WithCancel(context.Background())
	out := &safeBuffer{}
	done := make(chan int, 1)
	go func() {
		done <- Main(ctx, []string{"controller", "--only", "applications", "--kubeconfig", kube.Kubeconfig, "-n", kube.Namespace, "-v"}, strings.NewReader(""), out, out)
	}()
	defer func() { stop(); <-done }()
	c, err := cluster.Open(kube.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	names := func() string {
		list, err := c.List(t.Context(), applicationKind, kube.Namespace, "")
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		manifest.Sort(list)
		for _, o := range list {
			all = append(all, o.Name())
		}
		return strings.Join(all, " ")
	}
	for end := time.Now().Add(time.Minute); names() != "on-in-cluster pr-7-feature-x"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s\n%s\n%s", names(), kube.Object(t, setsKind, "pulls").Sub("status").JSON(), out)
		}
	}
	kube.Wait(t, "the status tells of both", func() bool {
		return kube.Object(t, setsKind, "pulls").Int(0, "status", "resourcesCount") == 2
	})
	set := kube.Object(t, setsKind, "pulls")
	if owner, ok := kube.Object(t, applicationKind, "pr-7-feature-x").Controller(); !ok || owner.UID != set.UID() || asked.Load() == 0 {
		t.Errorf("%+v", owner)
	}
	// A cluster that is declared is found at once.
	kube.Apply(t, `
apiVersion: v1
kind: Secret
metadata: {name: other, labels: {argocd.argoproj.io/secret-type: cluster}}
stringData: {name: other, server: "https://192.0.2.1:6443", config: "{}"}
`)
	kube.Wait(t, "an Application for the new cluster", func() bool { return strings.Contains(names(), "on-other") })
	if events, err := c.List(t.Context(), manifest.Kind{Version: "v1", Kind: "Event"}, kube.Namespace, ""); err != nil || strings.Contains(fmt.Sprint(events), token) || strings.Contains(string(set.JSON()), token) || strings.Contains(out.String(), token) {
		t.Errorf("the token is seen: %v", err)
	}
	if err := c.Delete(t.Context(), setsKind, kube.Namespace, "pulls", manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	kube.Wait(t, "the Applications go with their set", func() bool { return names() == "" })
}
