package metrics

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-delivery/sluice/internal/edge/source"
)

// requests are those that went to clusters.
type requests struct {
	group
	applications, rollouts *prometheus.CounterVec
	git, fetchFailed       *prometheus.CounterVec
	listFailed             *prometheus.CounterVec
	gitTook                *prometheus.HistogramVec
	silent                 sync.Map // servers that did not answer last
}

// reached reports whether a server answered the last request, where there was one.
func (r *requests) reached(server string) bool {
	_, silent := r.silent.Load(server)
	return !silent
}

func newRequests() *requests {
	r := &requests{
		applications: counter("argocd_app_k8s_request_total", "Requests to clusters.",
			"namespace", "name", "project", "server", "response_code", "verb", "resource_kind", "resource_namespace", "dry_run"),
		rollouts: counter("controller_clientset_k8s_request_total", "Requests to the cluster.", "kind", "namespace", "name", "verb", "status_code"),
	}
	r.git = counter("argocd_git_request_total", "Requests to git servers.", "repo", "request_type")
	r.gitTook = histogram("argocd_git_request_duration_seconds", "How long requests to git servers take.", []float64{0.1, 0.25, .5, 1, 2, 4, 10, 20}, "repo", "request_type")
	r.fetchFailed = counter("argocd_git_fetch_fail_total", "Fetches that failed.", "repo")
	r.listFailed = counter("argocd_git_lsremote_fail_total", "Questions for a repository's branches and tags that failed.", "repo")
	r.group = group{[]prometheus.Collector{r.applications, r.rollouts, r.git, r.gitTook, r.fetchFailed, r.listFailed}, nil, func(chan<- prometheus.Metric) {}}
	return r
}

// ApplicationsAsked counts an answer to the applications' half. Of which application a request is, is not known here.
func (e *Exporter) ApplicationsAsked(server string, q *http.Request, code int) {
	if code == 0 {
		e.requests.silent.Store(server, true)
	} else {
		e.requests.silent.Delete(server)
	}
	a := read(q)
	e.requests.applications.WithLabelValues("", "", "", server, strconv.Itoa(code), a.verb, a.kind, a.namespace, strconv.FormatBool(a.dry)).Inc()
}

// GitAsked counts a request to a git server.
func (e *Exporter) GitAsked(repo, request string, took time.Duration, err error) {
	repo = source.Normal(repo)
	e.requests.git.WithLabelValues(repo, request).Inc()
	e.requests.gitTook.WithLabelValues(repo, request).Observe(took.Seconds())
	switch {
	case err == nil:
	case request == "fetch":
		e.requests.fetchFailed.WithLabelValues(repo).Inc()
	default:
		e.requests.listFailed.WithLabelValues(repo).Inc()
	}
}

// RolloutsAsked counts an answer to the rollouts' half. Objects that come and go in numbers are not told apart.
func (e *Exporter) RolloutsAsked(_ string, q *http.Request, code int) {
	a := read(q)
	switch {
	case a.verb == "Unknown":
		a.kind, a.namespace, a.name = a.verb, a.verb, a.verb
	case a.verb == "List", a.verb == "Watch", a.kind == "events", a.kind == "replicasets":
		a.name = "N/A"
	}
	e.requests.rollouts.WithLabelValues(a.kind, a.namespace, a.name, a.verb, strconv.Itoa(code)).Inc()
}

// asked is what a request is about.
type asked struct {
	verb, kind, namespace, name string
	dry                         bool
}

// read takes a request's address apart (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris).
func read(q *http.Request) asked {
	query := q.URL.Query()
	out := asked{verb: "Unknown", dry: query.Has("dryRun")}
	parts := strings.Split(strings.Trim(q.URL.Path, "/"), "/")
	at := 0
	for i, p := range parts { // a server's address may have a path of its own
		if p == "api" && i+2 < len(parts) {
			at = i + 2
			break
		}
		if p == "apis" && i+3 < len(parts) {
			at = i + 3
			break
		}
	}
	if at == 0 {
		return out
	}
	parts = parts[at:]
	if parts[0] == "namespaces" && len(parts) > 2 {
		out.namespace, parts = parts[1], parts[2:]
	}
	out.kind = parts[0]
	if len(parts) > 1 {
		out.name = parts[1]
	}
	switch q.Method {
	case http.MethodGet:
		switch {
		case query.Get("watch") == "true" || query.Get("watch") == "1":
			out.verb = "Watch"
		case out.name == "":
			out.verb = "List"
		default:
			out.verb = "Get"
		}
	case http.MethodPost:
		out.verb = "Create"
	case http.MethodPut:
		out.verb = "Update"
	case http.MethodPatch:
		out.verb = "Patch"
	case http.MethodDelete:
		out.verb = "Delete"
	}
	return out
}
