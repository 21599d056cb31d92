package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// userScenarios are what people do with applications by hand, right and wrong.
func userScenarios() []scenario {
	return []scenario{
		{name: "user: looks at it", path: guestbook, run: func(s *site) {
			s.create()
			s.expect(outOfSyncs)
			for _, c := range []struct {
				words []string
				code  int
				says  []string
			}{
				{[]string{"get"}, 0, []string{"Name:", s.app, "OutOfSync", "Missing", "guestbook-ui"}},
				{[]string{"get", "-o", "name"}, 0, []string{s.app}},
				{[]string{"diff"}, exitDifferent, []string{"is missing", "guestbook-ui"}},
				{[]string{"resources"}, 0, []string{"Deployment", "guestbook-ui", "OutOfSync"}},
				{[]string{"explain"}, 0, []string{"Deployment"}},
				{[]string{"manifests"}, 0, []string{"kind: Deployment", "kind: Service"}},
				{[]string{"history"}, 0, []string{"ID"}},
				{[]string{"wait", "--timeout", "200ms"}, exitTimeout, []string{"sluice app explain"}},
				{[]string{"terminate"}, exitFailed, []string{"no operation"}},
				{[]string{"rollback"}, exitUsage, []string{"two are needed"}},
				{[]string{"rollback", "7"}, exitUsage, []string{"no history entry has the id 7"}},
				{[]string{"sync", "--resource", "Deployment/guestbook-ui"}, exitUsage, []string{"GROUP:KIND:"}},
				{[]string{"sync", "--resource", "apps:Deployment:nothing"}, exitUsage, []string{"nothing"}},
				{[]string{"sync", "--revision", "no-such-branch"}, exitFailed, []string{"no-such-branch"}},
				{[]string{"get", "-o", "xml"}, exitUsage, []string{"json"}},
			} {
				r := s.sluice(c.words[0], c.words[1:]...)
				for _, text := range c.says {
					s.is(strings.Contains(r.out+r.err, text), "%v does not say %q:\n%s%s", c.words, text, r.out, r.err)
				}
				s.is(r.code == c.code, "%v ended with %d, not %d:\n%s%s", c.words, r.code, c.code, r.out, r.err)
				s.is(!strings.Contains(r.out+r.err, "%!") && !strings.Contains(r.out+r.err, "goroutine"), "%v says %s%s", c.words, r.out, r.err)
			}
			s.must("sync", "--prune")
			s.expect(inSync, succeeded)
			s.must("wait", "--timeout", "60s")
			s.edit(guestbookFile, limit(int64(7)))
			s.must("sync")
			r := s.must("history")
			s.is(strings.Count(r.out, "\n") == 3, "history: %s", r.out)
			s.must("rollback")
			s.is(s.history() == 3, "the limit is %d", s.history())
			s.must("sync", "--dry-run")
			s.is(s.history() == 3, "a dry run changed something")
		}},
		{name: "user: a name that is wrong", path: "config-map", run: func(s *site) {
			s.create()
			s.expect(outOfSyncs)
			wrong := s.app[:len(s.app)-1]
			for _, verb := range []string{"get", "sync", "diff", "explain", "wait", "history", "rollback", "terminate", "refresh", "delete", "resources", "manifests"} {
				r := s.plain("app", verb, wrong, "--kubeconfig", s.w.kube.Kubeconfig, "-N", s.w.kube.Namespace)
				s.is(r.code == exitUsage && strings.Contains(r.err, fmt.Sprintf("there is no application %q", wrong)) && strings.Contains(r.err, s.app), "%s: %d %s", verb, r.code, r.err)
			}
			r := s.plain("app", "list", "--kubeconfig", s.w.kube.Kubeconfig, "-l", "nothing=here")
			s.is(r.code == 0 && !strings.Contains(r.out, s.app), "list: %d %s", r.code, r.out)
		}},
		{name: "user: one who may not", path: "config-map", run: forbiddenUser},
		{name: "user: a cluster that does not answer", path: "config-map", run: func(s *site) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				s.Fatal(err)
			}
			address := listener.Addr().String()
			listener.Close()
			config := filepath.Join(s.TempDir(), "config")
			text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{name: a, cluster: {server: \"https://%s\"}}]\ncontexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {token: canary-token}}]\n", address)
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				s.Fatal(err)
			}
			for _, words := range [][]string{{"app", "list"}, {"app", "get", "x"}, {"app", "sync", "x"}, {"app", "diff", "x"}, {"crd", "install"}, {"controller"}} {
				r := s.plain(append(words, "--kubeconfig", config)...)
				s.is(r.code == exitUnreachable && strings.Contains(r.err, address) && !strings.Contains(r.err, "canary"), "%v: %d %s", words, r.code, r.err)
			}
			r := s.plain("app", "list", "--kubeconfig", filepath.Join(s.TempDir(), "nothing"))
			s.is(r.code == exitUsage && strings.Contains(r.err, "--kubeconfig"), "no kubeconfig: %d %s", r.code, r.err)
		}},
		{name: "user: events tell what happened", path: "config-map", run: func(s *site) {
			s.create()
			s.must("sync")
			s.expect(inSync)
			s.eventually("the events are there", func() bool {
				_, data := s.w.kube.Do(s.T, "GET", "/api/v1/namespaces/"+s.w.kube.Namespace+"/events?fieldSelector=involvedObject.name="+s.app, "", nil)
				text := strings.ReplaceAll(string(data), `\u003e`, ">")
				return strings.Contains(text, `"OperationStarted"`) && strings.Contains(text, `"OperationCompleted"`) && strings.Contains(text, "Updated sync status: OutOfSync -> Synced")
			})
		}},
	}
}

// forbiddenUser is somebody with a token that permits nothing but to see Applications.
func forbiddenUser(s *site) {
	s.create()
	s.expect(outOfSyncs)
	ns := s.w.kube.Namespace
	s.w.kube.Apply(s.T, fmt.Sprintf(`{apiVersion: v1, kind: ServiceAccount, metadata: {name: %s}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: %s}, rules: [{apiGroups: [argoproj.io], resources: [applications], verbs: [get, list]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: %s}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %s}, subjects: [{kind: ServiceAccount, name: %s, namespace: %s}]}`,
		s.app, s.app, s.app, s.app, s.app, ns))
	code, data := s.w.kube.Do(s.T, "POST", "/api/v1/namespaces/"+ns+"/serviceaccounts/"+s.app+"/token", "application/json", []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`))
	answer, err := manifest.Parse(data)
	if code >= 300 || err != nil {
		s.Fatalf("token: %d %s", code, data)
	}
	config, err := clientcmd.LoadFromFile(s.w.kube.Kubeconfig)
	if err != nil {
		s.Fatal(err)
	}
	for _, u := range config.AuthInfos {
		u.ClientCertificate, u.ClientKey, u.ClientCertificateData, u.ClientKeyData = "", "", nil, nil
		u.Token = answer.Text("status", "token")
	}
	for _, c := range config.Clusters {
		if c.CertificateAuthority != "" && !filepath.IsAbs(c.CertificateAuthority) {
			c.CertificateAuthority = filepath.Join(filepath.Dir(s.w.kube.Kubeconfig), c.CertificateAuthority)
		}
	}
	path := filepath.Join(s.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		s.Fatal(err)
	}
	as := func(words ...string) answered {
		s.Helper()
		return s.plain(append(append([]string{"app"}, words...), "--kubeconfig", path, "-N", ns)...)
	}
	for _, verb := range []string{"list", "get", "history"} {
		words := []string{verb, s.app}
		if verb == "list" {
			words = words[:1]
		}
		if r := as(words...); r.code != 0 {
			s.Fatalf("%s: %d %s", verb, r.code, r.err)
		}
	}
	for _, words := range [][]string{{"sync", s.app}, {"refresh", s.app}, {"delete", s.app}, {"diff", s.app}, {"explain", s.app}} {
		r := as(words...)
		s.is(r.code == exitForbidden && strings.Contains(r.err, "forbidden"), "%v: %d %s%s", words, r.code, r.out, r.err)
		s.is(!strings.Contains(r.err, answer.Text("status", "token")), "%v tells the token", words)
	}
	r := s.plain("app", "list", "--kubeconfig", path)
	s.is(r.code == exitForbidden, "all namespaces: %d %s", r.code, r.err)
}

// TestArgoCDNamespaces plays applications in namespaces that are not the controller's own (app_namespaces_test.go).
func TestArgoCDNamespaces(t *testing.T) {
	kube := kubetest.Start(t, kubetest.C)
	kube.ApplyCRDs(t, kubetest.ArgoCD)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	kube.Apply(t, fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: argocd-cmd-params-cm}, data: {application.namespaces: %q}}", kube.Namespace+"-other*"))
	w := argoStart(t, kube, nil)
	s := w.site(t, scenario{path: guestbook})
	other, closed := kube.Namespace+"-other", kube.Namespace+"-closed"
	s.namespace(other)
	s.namespace(closed)
	kube.Apply(t, fmt.Sprintf(`{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {name: open}, spec: {sourceRepos: ["*"], destinations: [{server: "*", namespace: "*"}], sourceNamespaces: [%s]}}`, other))
	for space, project := range map[string]string{other: "open", closed: "open"} {
		kube.Apply(t, fmt.Sprintf("{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: far, namespace: %s}, spec: {project: %s, source: {repoURL: %q, path: guestbook}, destination: {server: https://kubernetes.default.svc, namespace: %s}}}", space, project, s.url(), s.space))
	}
	kube.Apply(t, fmt.Sprintf("{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: refused, namespace: %s}, spec: {project: default, source: {repoURL: %q, path: guestbook}, destination: {server: https://kubernetes.default.svc, namespace: %s}}}", other, s.url(), s.space))
	run := func(words ...string) answered {
		t.Helper()
		return s.plain(append(words, "--kubeconfig", kube.Kubeconfig)...)
	}
	if r := run("app", "sync", other+"/far"); r.code != 0 {
		t.Fatalf("%d %s%s\n%s", r.code, r.out, r.err, w.logs.of("far"))
	}
	if got := s.get(deploymentKind, "guestbook-ui").Annotation(application.AnnotationTracking); got != other+"_far:apps/Deployment:"+s.space+"/guestbook-ui" {
		t.Errorf("it is marked %q", got)
	}
	if r := run("app", "wait", other+"/far", "--timeout", "60s"); r.code != 0 {
		t.Errorf("%d %s", r.code, r.err)
	}
	if r := run("app", "diff", other+"/far"); r.code != 0 || r.out != "" {
		t.Errorf("diff: %d %s%s", r.code, r.out, r.err)
	}
	if r := run("app", "get", "far"); r.code != exitUsage || !strings.Contains(r.err, closed+"/far") {
		t.Errorf("two of one name: %d %s", r.code, r.err)
	}
	s.eventually("a project that does not take the namespace refuses", func() bool {
		k := *kube
		k.Namespace = other
		text := string(k.Object(t, applicationKind, "refused").JSON())
		return strings.Contains(text, "is not allowed to use project 'default'")
	})
	time.Sleep(time.Second) // what must not come had its time
	k := *kube
	k.Namespace = closed
	if o := k.Object(t, applicationKind, "far"); o["status"] != nil {
		t.Errorf("an application of another namespace is reconciled: %s", o.JSON())
	}
	if r := run("app", "delete", other+"/far"); r.code != 0 {
		t.Errorf("delete: %d %s", r.code, r.err)
	}
	if s.get(deploymentKind, "guestbook-ui") != nil {
		t.Error("the Deployment is left")
	}
}

// TestArgoCDOwnDefinitions plays some scenarios over the definitions that `sluice crd install` brings, in a cluster without
// Argo CD's.
func TestArgoCDOwnDefinitions(t *testing.T) {
	kube := kubetest.Second(t, kubetest.B)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("KUBECONFIG", kube.Kubeconfig)
	s := &site{T: t}
	if r := s.plain("crd", "install", "--kubeconfig", kube.Kubeconfig); r.code != 0 {
		t.Fatalf("%d %s%s", r.code, r.out, r.err)
	}
	w := argoStart(t, kube, nil)
	var some []scenario
	for _, sc := range append(syncScenarios(), policyScenarios()...) {
		if sc.pods {
			continue // the second cluster has no node
		}
		switch sc.path {
		case guestbook, "config-map", "deployment", "secrets", "self-managed-app", "multi-sync/builtin", "tracking-instance-label":
			some = append(some, sc)
		}
	}
	w.play(t, some)
}
