package metrics_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/edge/metrics"
	"github.com/sluice-delivery/sluice/internal/engine/advance"
	"github.com/sluice-delivery/sluice/internal/engine/loop"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// scrape is what a Prometheus reads.
func scrape(t *testing.T, e *metrics.Exporter) string {
	t.Helper()
	s := httptest.NewServer(e.Handler())
	defer s.Close()
	r, err := http.Get(s.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %s", r.Status, err, text)
	}
	return string(text)
}

// says checks lines that begin so; a line with "!" before it may not be there.
func says(t *testing.T, text string, lines ...string) {
	t.Helper()
	all := strings.Split(text, "\n")
	for _, want := range lines {
		line, absent := strings.CutPrefix(want, "!")
		if found := slices.ContainsFunc(all, func(l string) bool { return strings.HasPrefix(l, line) }); found == absent {
			name, _, _ := strings.Cut(line, "{")
			var near []string
			for _, l := range all {
				if strings.HasPrefix(l, name) {
					near = append(near, l)
				}
			}
			t.Errorf("%s is there: %t, of\n%s", line, found, strings.Join(near, "\n"))
		}
	}
}

func object(t *testing.T, text string) manifest.Object {
	t.Helper()
	o, err := manifest.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestApplications(t *testing.T) {
	e := metrics.New(metrics.Options{Version: "1.2.3", Labels: []string{"team.example.org/name", "tier"}, Conditions: []string{"SyncError"}})
	web := object(t, `{"metadata": {"name": "web", "namespace": "argocd", "labels": {"tier": "front"}},
		"spec": {"source": {"repoURL": "https://ada:secret@Git.Example.org/shop/web.git"}, "destination": {"namespace": "shop"}, "syncPolicy": {"automated": {}}},
		"operation": {"sync": {}}, "status": {"sync": {"status": "OutOfSync"}, "health": {"status": "Degraded"}, "conditions": [{"type": "SyncError"}, {"type": "SyncError"}, {"type": "Other"}]}}`)
	bare := object(t, `{"metadata": {"name": "bare", "namespace": "argocd", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"project": "team", "sources": [{"repoURL": "git@host:a/b.git"}]}}`)
	e.Applications.See(metrics.Seen{
		Applications: func() []metrics.App {
			return []metrics.App{{Object: web, Automatic: true, Server: "https://kubernetes.default.svc", Orphans: 2}, {Object: bare}}
		},
		Sets: func() []metrics.Set {
			return []metrics.Set{{Namespace: "argocd", Name: "all", Updated: "ApplicationSetUpToDate", Owned: 3}, {Namespace: "argocd", Name: "new"}}
		},
		Clusters: func() []metrics.Cluster {
			return []metrics.Cluster{
				{Server: "https://a", Name: "a", Version: "v1.35.4", Objects: 7, Kinds: 2, Age: 90 * time.Second, Events: map[manifest.Kind]int{{Group: "apps", Kind: "Deployment"}: 4}},
				{Server: "https://b", Name: "b", Age: -1},
			}
		},
	})
	seen := metrics.App{Object: web, Automatic: true, Server: "https://kubernetes.default.svc"}
	began := time.Now()
	ended := began.Add(3 * time.Second)
	e.Applications.Ended(seen, application.OperationState{Phase: application.Failed, StartedAt: began, FinishedAt: &ended})
	e.Applications.Ended(seen, application.OperationState{
		Phase: application.Succeeded, StartedAt: began, FinishedAt: &ended, Operation: application.Operation{Sync: &application.SyncOperation{DryRun: true}},
	})
	e.Applications.Compared(seen, 700*time.Millisecond)
	e.Applications.Generated("argocd", "all", time.Second)
	text := scrape(t, e)
	says(
		t, text,
		`argocd_app_info{autosync_enabled="true",dest_namespace="shop",dest_server="https://kubernetes.default.svc",health_status="Degraded",name="web",namespace="argocd",operation="sync",project="default",repo="https://ada:xxxxx@git.example.org/shop/web",sync_status="OutOfSync"} 1`,
		`argocd_app_info{autosync_enabled="false",dest_namespace="",dest_server="",health_status="Unknown",name="bare",namespace="argocd",operation="delete",project="team",repo="git@host/a/b",sync_status="Unknown"} 1`,
		`argocd_app_orphaned_resources_count{name="web",namespace="argocd",project="default"} 2`,
		`argocd_app_labels{label_team_example_org_name="",label_tier="front",name="web",namespace="argocd",project="default"} 1`,
		`argocd_app_condition{condition="SyncError",name="web",namespace="argocd",project="default"} 2`,
		`argocd_app_sync_total{dest_server="https://kubernetes.default.svc",dry_run="false",name="web",namespace="argocd",phase="Failed",project="default"} 1`,
		`argocd_app_sync_total{dest_server="https://kubernetes.default.svc",dry_run="true",name="web",namespace="argocd",phase="Succeeded",project="default"} 1`,
		`argocd_app_sync_duration_seconds_total{dest_server="https://kubernetes.default.svc",name="web",namespace="argocd",project="default"} 6`,
		`argocd_app_reconcile_bucket{dest_server="https://kubernetes.default.svc",namespace="argocd",le="0.5"} 0`,
		`argocd_app_reconcile_bucket{dest_server="https://kubernetes.default.svc",namespace="argocd",le="1"} 1`,
		`argocd_appset_info{name="all",namespace="argocd",resource_update_status="ApplicationSetUpToDate"} 1`,
		`argocd_appset_info{name="new",namespace="argocd",resource_update_status="Unknown"} 1`,
		`argocd_appset_owned_applications{name="all",namespace="argocd"} 3`,
		`argocd_appset_reconcile_count{name="all",namespace="argocd"} 1`,
		`argocd_cluster_info{k8s_version="v1.35.4",name="a",server="https://a"} 1`,
		`argocd_cluster_connection_status{k8s_version="v1.35.4",server="https://a"} 1`,
		`argocd_cluster_connection_status{k8s_version="",server="https://b"} 0`,
		`argocd_cluster_api_resource_objects{server="https://a"} 7`,
		`argocd_cluster_api_resources{server="https://a"} 2`,
		`argocd_cluster_cache_age_seconds{server="https://a"} 90`,
		`argocd_cluster_cache_age_seconds{server="https://b"} -1`,
		`argocd_cluster_events_total{group="apps",kind="Deployment",server="https://a"} 4`,
		`sluice_build_info{`, `go_goroutines `, `process_start_time_seconds `,
	)
	if strings.Contains(text, "secret") {
		t.Error("a password is shown")
	}
	e.Applications.Gone(manifest.KindOf("argoproj.io/v1alpha1", "Application"), "argocd", "web")
	e.Applications.Gone(manifest.KindOf("argoproj.io/v1alpha1", "ApplicationSet"), "argocd", "all")
	says(t, scrape(t, e), "!argocd_app_sync_total{", "!argocd_app_sync_duration_seconds_total{", "!argocd_appset_reconcile_count{", "argocd_app_reconcile_count{")
}

func TestRollouts(t *testing.T) {
	e := metrics.New(metrics.Options{})
	rollout := func(name, strategy, status string) manifest.Object {
		return object(t, `{"metadata": {"name": "`+name+`", "namespace": "shop"}, "spec": {"strategy": `+strategy+`}, "status": `+status+`}`)
	}
	condition := func(kind, reason string) string {
		return `{"conditions": [{"type": "Available", "reason": "AvailableReason"}, {"type": "` + kind + `", "reason": "` + reason + `"}]}`
	}
	objects := map[manifest.Kind][]manifest.Object{
		advance.Rollouts: {
			rollout("done", `{"canary": {"trafficRouting": {"nginx": {"stableIngress": "web"}}}}`, `{"replicas": 5, "availableReplicas": 3, "updatedReplicas": 2, "conditions": [{"type": "Progressing", "reason": "NewReplicaSetAvailable"}]}`),
			rollout("paused", `{"blueGreen": {"activeService": "web"}}`, condition("Progressing", "RolloutPaused")),
			rollout("late", `{"canary": {"trafficRouting": {"istio": {"virtualService": {"name": "web"}}}}}`, condition("Progressing", "ProgressDeadlineExceeded")),
			rollout("aborted", `{"canary": {}}`, condition("Progressing", "RolloutAborted")),
			rollout("refused", `{"canary": {}}`, condition("Progressing", "ReplicaSetCreateError")),
			rollout("wrong", `{}`, condition("InvalidSpec", "InvalidSpec")),
			rollout("new", `{"canary": {}}`, `{}`),
		},
		advance.Runs: {object(t, `{"metadata": {"name": "run", "namespace": "shop"},
			"spec": {"metrics": [{"name": "rate", "provider": {"prometheus": {"query": "up"}}}, {"name": "job", "provider": {"job": {"spec": {}}}}, {"name": "other", "provider": {"plugin": {"a/b": {}}}}], "dryRun": [{"metricName": "job"}]},
			"status": {"phase": "Running", "metricResults": [{"name": "rate", "phase": "Failed"}]}}`)},
		advance.Templates:        {object(t, `{"metadata": {"name": "errors", "namespace": "shop"}, "spec": {"metrics": [{"name": "rate", "provider": {"web": {"url": "http://x"}}}]}}`)},
		advance.ClusterTemplates: {object(t, `{"metadata": {"name": "everywhere"}, "spec": {"metrics": []}}`)},
		advance.Experiments:      {object(t, `{"metadata": {"name": "try", "namespace": "shop"}, "status": {"phase": "Successful"}}`)},
	}
	e.Rollouts.See(func(k manifest.Kind) []manifest.Object { return objects[k] })
	e.Rollouts.Worked(advance.Rollouts, "shop", "done", 200*time.Millisecond, nil)
	e.Rollouts.Worked(advance.Rollouts, "shop", "done", time.Millisecond, errors.New("no"))
	e.Rollouts.Worked(advance.Runs, "shop", "run", time.Millisecond, errors.New("no"))
	e.Rollouts.Told(objects[advance.Rollouts][0], false, "RolloutCompleted")
	e.Rollouts.Told(objects[advance.Rollouts][0], true, "RolloutAborted")
	says(
		t, scrape(t, e),
		`rollout_info{name="done",namespace="shop",phase="Completed",strategy="canary",traffic_router="Nginx"} 1`,
		`rollout_info{name="paused",namespace="shop",phase="Paused",strategy="blueGreen",traffic_router=""} 1`,
		`rollout_info{name="late",namespace="shop",phase="Timeout",strategy="canary",traffic_router="Istio"} 1`,
		`rollout_info{name="aborted",namespace="shop",phase="Abort",strategy="canary",traffic_router=""} 1`,
		`rollout_info{name="refused",namespace="shop",phase="Error",`,
		`rollout_info{name="wrong",namespace="shop",phase="InvalidSpec",strategy="none",traffic_router=""} 1`,
		`rollout_info{name="new",namespace="shop",phase="Progressing",`,
		`rollout_info_replicas_available{name="done",namespace="shop"} 3`,
		`rollout_info_replicas_unavailable{name="done",namespace="shop"} 2`,
		`rollout_info_replicas_desired{name="done",namespace="shop"} 1`,
		`rollout_info_replicas_updated{name="done",namespace="shop"} 2`,
		`rollout_phase{name="done",namespace="shop",phase="Completed",strategy="canary"} 1`,
		`rollout_phase{name="done",namespace="shop",phase="Abort",strategy="canary"} 0`,
		`rollout_reconcile_bucket{name="done",namespace="shop",le="0.15"} 1`,
		`rollout_reconcile_count{name="done",namespace="shop"} 2`,
		`rollout_reconcile_error{name="done",namespace="shop"} 1`,
		`rollout_events_total{name="done",namespace="shop",reason="RolloutAborted",type="Warning"} 1`,
		`rollout_events_total{name="done",namespace="shop",reason="RolloutCompleted",type="Normal"} 1`,
		`analysis_run_info{name="run",namespace="shop",phase="Running"} 1`,
		`analysis_run_phase{name="run",namespace="shop",phase="Running"} 1`,
		`analysis_run_phase{name="run",namespace="shop",phase="Pending"} 0`,
		`analysis_run_metric_type{metric="rate",name="run",namespace="shop",type="Prometheus"} 1`,
		`analysis_run_metric_type{metric="other",name="run",namespace="shop",type="RPCPlugin"} 1`,
		`analysis_run_metric_phase{dry_run="false",metric="rate",name="run",namespace="shop",phase="Failed",type="Prometheus"} 1`,
		`analysis_run_metric_phase{dry_run="true",metric="job",name="run",namespace="shop",phase="Pending",type="Job"} 1`,
		`analysis_run_reconcile_error{name="run",namespace="shop"} 1`,
		`analysis_template_info{name="errors",namespace="shop"} 1`,
		`analysis_template_info{name="everywhere",namespace=""} 1`,
		`analysis_template_metric_info{metric="rate",name="errors",namespace="shop",type="Web"} 1`,
		`experiment_info{name="try",namespace="shop",phase="Successful"} 1`,
		`experiment_phase{name="try",namespace="shop",phase="Successful"} 1`,
	)
	e.Rollouts.Gone(advance.Rollouts, "shop", "done")
	says(t, scrape(t, e), "!rollout_reconcile_count{", "!rollout_events_total{", "!rollout_reconcile_error{", "analysis_run_reconcile_error{")
}

// A queue is counted as client-go counts its own, also while a key is worked on.
func TestQueues(t *testing.T) {
	e := metrics.New(metrics.Options{})
	l := loop.New[string]()
	l.Meter = e.Rollouts.Queue("Rollouts", func() metrics.Load { return metrics.Load(l.Load()) })
	for _, key := range []string{"works", "fails", "waits"} {
		l.Add(key)
	}
	l.AddAfter("later", time.Hour)
	began, held, last := make(chan bool), make(chan bool), make(chan bool)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- l.Run(ctx, 1, func(_ context.Context, key string) (time.Duration, error) {
			switch key {
			case "fails":
				close(began)
				<-held
				return time.Hour, errors.New("no")
			case "waits":
				close(last)
			}
			return 0, nil
		})
	}()
	<-began
	text := scrape(t, e)
	says(
		t, text, `workqueue_depth{name="Rollouts"} 1`, `workqueue_adds_total{name="Rollouts"} 4`, `workqueue_retries_total{name="Rollouts"} 0`,
		`workqueue_queue_duration_seconds_count{name="Rollouts"} 2`, `workqueue_work_duration_seconds_count{name="Rollouts"} 1`,
		`workqueue_longest_running_processor_seconds{name="Rollouts"} `,
	)
	close(held)
	<-last
	stop()
	<-ended
	says(t, scrape(t, e), `workqueue_depth{name="Rollouts"} 0`, `workqueue_retries_total{name="Rollouts"} 1`, `workqueue_work_duration_seconds_count{name="Rollouts"} 3`)
}

func TestRequests(t *testing.T) {
	e := metrics.New(metrics.Options{})
	ask := func(method, at string, code int) {
		q := httptest.NewRequest(method, at, nil)
		e.RolloutsAsked("https://a", q, code)
		e.ApplicationsAsked("https://a", q, code)
	}
	ask("GET", "https://a/apis/argoproj.io/v1alpha1/rollouts?watch=true", 200)
	ask("GET", "https://a/prefix/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts", 200)
	ask("PUT", "https://a/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web/status", 409)
	ask("POST", "https://a/api/v1/namespaces/shop/events", 201)
	ask("PATCH", "https://a/apis/apps/v1/namespaces/shop/deployments/web?dryRun=All", 200)
	ask("GET", "https://a/api/v1/namespaces/shop", 200)
	ask("DELETE", "https://a/apis/apps/v1/namespaces/shop/replicasets/web-1", 0)
	ask("GET", "https://a/version", 200)
	e.GitAsked("https://Host/a.git", "ls-remote", time.Second, nil)
	e.GitAsked("https://Host/a.git", "fetch", 3*time.Second, errors.New("no"))
	says(
		t, scrape(t, e),
		`controller_clientset_k8s_request_total{kind="rollouts",name="N/A",namespace="",status_code="200",verb="Watch"} 1`,
		`controller_clientset_k8s_request_total{kind="rollouts",name="N/A",namespace="shop",status_code="200",verb="List"} 1`,
		`controller_clientset_k8s_request_total{kind="rollouts",name="web",namespace="shop",status_code="409",verb="Update"} 1`,
		`controller_clientset_k8s_request_total{kind="events",name="N/A",namespace="shop",status_code="201",verb="Create"} 1`,
		`controller_clientset_k8s_request_total{kind="namespaces",name="shop",namespace="",status_code="200",verb="Get"} 1`,
		`controller_clientset_k8s_request_total{kind="replicasets",name="N/A",namespace="shop",status_code="0",verb="Delete"} 1`,
		`controller_clientset_k8s_request_total{kind="Unknown",name="Unknown",namespace="Unknown",status_code="200",verb="Unknown"} 1`,
		`argocd_app_k8s_request_total{dry_run="true",name="",namespace="",project="",resource_kind="deployments",resource_namespace="shop",response_code="200",server="https://a",verb="Patch"} 1`,
		`argocd_git_request_total{repo="https://host/a",request_type="fetch"} 1`,
		`argocd_git_request_duration_seconds_bucket{repo="https://host/a",request_type="fetch",le="2"} 0`,
		`argocd_git_fetch_fail_total{repo="https://host/a"} 1`,
		`!argocd_git_lsremote_fail_total{`,
	)
}

// elsewhere are metrics of Argo's dashboards that parts of Argo tell that are not here: its API server, Redis and kubectl.
var elsewhere = []string{"argocd_kubectl_exec_pending", "argocd_redis_request_total", "grpc_server_handled_total"}

// everything is an exporter that has something to tell of each of its metrics.
func everything(t *testing.T) *metrics.Exporter {
	t.Helper()
	e := metrics.New(metrics.Options{Labels: []string{"team"}, Conditions: []string{"SyncError"}})
	web := object(t, `{"metadata": {"name": "web", "namespace": "shop"}, "status": {"conditions": [{"type": "SyncError"}]},
		"spec": {"metrics": [{"name": "rate", "provider": {"web": {"url": "http://x"}}}]}}`)
	app := metrics.App{Object: web}
	e.Applications.See(metrics.Seen{
		Applications: func() []metrics.App { return []metrics.App{app} },
		Sets:         func() []metrics.Set { return []metrics.Set{{Namespace: "argocd", Name: "all"}} },
		Clusters: func() []metrics.Cluster {
			return []metrics.Cluster{{Events: map[manifest.Kind]int{{Kind: "Pod"}: 1}}}
		},
	})
	ended := time.Now()
	e.Applications.Ended(app, application.OperationState{FinishedAt: &ended})
	e.Applications.Compared(app, time.Second)
	e.Applications.Generated("argocd", "all", time.Second)
	q := e.Applications.Queue("app_reconciliation_queue", func() metrics.Load { return metrics.Load{} })
	q.Taken(time.Second)
	e.Rollouts.See(func(manifest.Kind) []manifest.Object { return []manifest.Object{web} })
	for _, kind := range []manifest.Kind{advance.Rollouts, advance.Runs, advance.Experiments} {
		e.Rollouts.Worked(kind, "shop", "web", time.Second, errors.New("no"))
	}
	e.Rollouts.Told(web, false, "RolloutCompleted")
	e.ApplicationsAsked("https://a", httptest.NewRequest("GET", "/api/v1/pods", nil), 200)
	e.RolloutsAsked("https://a", httptest.NewRequest("GET", "/api/v1/pods", nil), 200)
	e.GitAsked("https://a/b", "fetch", time.Second, errors.New("no"))
	e.GitAsked("https://a/b", "ls-remote", time.Second, errors.New("no"))
	return e
}

// TestDashboards holds every question of the dashboards that Argo CD and Argo Rollouts give away against what is exported:
// its metric must be there, with the labels that the question goes by.
func TestDashboards(t *testing.T) {
	names := labelsOf(t, scrape(t, everything(t)))
	for _, dashboard := range []string{
		filepath.Join(kubetest.Module(t, "github.com/argoproj/argo-cd/v3"), "examples/dashboard.json"),
		filepath.Join(kubetest.Module(t, "github.com/argoproj/argo-rollouts"), "examples/dashboard.json"),
	} {
		asked := 0
		for _, question := range questions(t, dashboard) {
			for _, s := range selectors(t, question) {
				if slices.Contains(elsewhere, s.name) {
					continue
				}
				asked++
				labels, ok := names[s.name]
				if !ok {
					t.Errorf("nothing tells %s: %s", s.name, question)
				}
				for _, l := range s.labels {
					if !labels[l] && l != "job" && l != "namespace" { // those a Prometheus adds
						t.Errorf("%s has no label %s: %s", s.name, l, question)
					}
				}
			}
		}
		if asked < 10 {
			t.Errorf("%s asks %d questions", dashboard, asked)
		}
	}
}

// labelsOf are the labels of each series of a page, by its name.
func labelsOf(t *testing.T, text string) map[string]map[string]bool {
	t.Helper()
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]bool{}
	for name, f := range families {
		labels := map[string]bool{}
		for _, m := range f.Metric {
			for _, l := range m.Label {
				labels[l.GetName()] = true
			}
		}
		out[name] = labels
		if strings.HasSuffix(f.Type.String(), "HISTOGRAM") {
			bucket := map[string]bool{"le": true}
			for l := range labels {
				bucket[l] = true
			}
			out[name+"_bucket"], out[name+"_count"], out[name+"_sum"] = bucket, labels, labels
		}
		if f.Type.String() == "SUMMARY" {
			labels["quantile"] = true
		}
	}
	return out
}

// questions are what a dashboard of Grafana asks, its variables filled in.
func questions(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	var out []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if q, ok := v["expr"].(string); ok && q != "" {
				out = append(out, strings.NewReplacer("$interval", "5m", "$grouping", "namespace", "$", "").Replace(q))
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(all)
	return out
}

// selector is what of a metric a question goes by.
type selector struct {
	name   string
	labels []string
}

func selectors(t *testing.T, question string) []selector {
	t.Helper()
	e, err := parser.NewParser(parser.Options{}).ParseExpr(question)
	if err != nil {
		t.Fatalf("%s: %v", question, err)
	}
	var out []selector
	var by []string
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.AggregateExpr:
			by = append(by, n.Grouping...)
		case *parser.VectorSelector:
			s := selector{n.Name, slices.Clone(by)}
			for _, m := range n.LabelMatchers {
				if m.Name != "__name__" {
					s.labels = append(s.labels, m.Name)
				}
			}
			out = append(out, s)
		}
		return nil
	})
	return out
}

// TestPage holds docs/metrics.md against what is exported: each name once, with its type.
func TestPage(t *testing.T) {
	root, err := kubetest.Root()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| ([a-z]+) \\|").FindAllStringSubmatch(string(page), -1) {
		shown[row[1]] = row[2]
	}
	text := scrape(t, everything(t))
	for _, row := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(text, -1) {
		name, kind := row[1], row[2]
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") || strings.HasPrefix(name, "promhttp_") {
			continue
		}
		if shown[name] != kind {
			t.Errorf("%s is a %s, and docs/metrics.md says %q", name, kind, shown[name])
		}
		delete(shown, name)
	}
	for name := range shown {
		t.Errorf("docs/metrics.md tells of %s, which is not there", name)
	}
}
