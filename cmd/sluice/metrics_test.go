package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/engine/advance"
)

// prometheusOf starts Debian's Prometheus, which scrapes an address, and returns its own.
func prometheusOf(t *testing.T, target string) string {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("NOT TESTED: prometheus is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	_ = l.Close()
	dir := t.TempDir()
	put(t, "global: {scrape_interval: 1s}\nscrape_configs: [{job_name: sluice, static_configs: [{targets: ['"+target+"']}]}]\n", dir, "prometheus.yml")
	cmd := exec.Command(program, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+at)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() })
	return at
}

// TestControllerMetrics: a real Prometheus reads what `sluice controller` tells of both of its halves.
func TestControllerMetrics(t *testing.T) {
	t.Parallel()
	g := grounds(t, kubetest.B)
	g.ApplyCRDs(t, kubetest.ArgoCD, kubetest.Rollouts)
	dir := world(t, "-- app/a.yaml --\n"+manifestMap("a", "1"))
	c := g.background(dir, nil, "controller", "--kubeconfig", g.Kubeconfig, "-n", g.Namespace, "--metrics", "127.0.0.1:0", "--metrics-application-labels", "team")
	told := regexp.MustCompile(`metrics at http://([0-9.:]+)/metrics`)
	g.Wait(t, "it tells where its metrics are", func() bool { return told.MatchString(c.String()) })
	at := told.FindStringSubmatch(c.String())[1]
	g.Apply(t, fmt.Sprintf(`
{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {name: default}, spec: {sourceRepos: ["*"], destinations: [{server: "*", namespace: "*"}]}}
---
{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: %[2]s, labels: {team: blue}}, spec: {project: default, source: {repoURL: "file://%[1]s", path: app}, destination: {server: "https://kubernetes.default.svc", namespace: %[2]s}, syncPolicy: {automated: {}}}}
---
{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: web}, spec: {replicas: 0, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web}]}}, strategy: {canary: {}}}}
`, dir, g.Namespace))
	if r, err := http.Get("http://" + at + "/healthz"); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", r, err)
	}
	prometheus := prometheusOf(t, at)
	for _, question := range []string{
		`up{job="sluice"} == 1`,
		`argocd_app_info{name="` + g.Namespace + `", autosync_enabled="true", sync_status="Synced", health_status="Healthy", dest_server="https://kubernetes.default.svc"}`,
		`argocd_app_labels{name="` + g.Namespace + `", label_team="blue"}`,
		`argocd_app_sync_total{name="` + g.Namespace + `", phase="Succeeded", dry_run="false"} == 1`,
		`argocd_app_reconcile_count{dest_server="https://kubernetes.default.svc"} > 0`,
		`sum(argocd_app_k8s_request_total{server="https://kubernetes.default.svc", verb="Patch"}) > 0`,
		`argocd_cluster_info{name="in-cluster", k8s_version=~"v1.+"}`,
		`argocd_cluster_connection_status == 1`,
		`argocd_cluster_api_resource_objects > 0`,
		`sum(argocd_cluster_events_total) > 0`,
		`rollout_info{name="web", strategy="canary", phase="Completed"}`,
		`rollout_info_replicas_desired{name="web"} == 0`,
		`rollout_reconcile_count{name="web"} > 0`,
		`rollout_events_total{name="web", reason="RolloutAddedToInformer"} == 1`,
		`controller_clientset_k8s_request_total{kind="rollouts", verb="Patch", name="web"} or controller_clientset_k8s_request_total{kind="rollouts", verb="Update", name="web"}`,
		`workqueue_adds_total{name="Rollouts"} > 0`,
		`workqueue_depth{name="app_reconciliation_queue"} >= 0`,
		`workqueue_depth{name="applicationset"} >= 0`,
	} {
		var answer struct{ Data struct{ Result []any } }
		g.Wait(t, question, func() bool {
			r, err := http.Get("http://" + prometheus + "/api/v1/query?query=" + url.QueryEscape(question))
			if err != nil {
				return false
			}
			defer r.Body.Close()
			return json.NewDecoder(r.Body).Decode(&answer) == nil && len(answer.Data.Result) > 0
		})
	}
	g.Do(t, http.MethodDelete, g.Path(t, advance.Rollouts, g.Namespace)+"/web", "", nil)
	g.Wait(t, "the rollout's series are gone", func() bool {
		r, err := http.Get("http://" + at + "/metrics")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		return err == nil && !strings.Contains(string(text), "\nrollout_") && strings.Contains(string(text), "\nargocd_app_info{")
	})
}

func TestMetricsThatCannotBeServed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, c := range []struct {
		flags metricsFlags
		says  string
	}{
		{metricsFlags{address: l.Addr().String()}, "address already in use"},
		{metricsFlags{address: "nonsense"}, "missing port"},
		{metricsFlags{labels: []string{"team"}}, "served nowhere"},
	} {
		if _, err := c.flags.serve(t.Context(), func(string) {}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.flags, err)
		}
	}
}
