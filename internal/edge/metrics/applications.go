package metrics

import (
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Applications are the metrics of Applications, ApplicationSets and the clusters that they go to.
type Applications struct {
	group
	queues    *queues
	requests  *requests
	options   Options
	syncs     *prometheus.CounterVec
	lasted    *prometheus.CounterVec
	compared  *prometheus.HistogramVec
	generated *prometheus.HistogramVec
	labels    *prometheus.Desc

	mu   sync.Mutex
	seen Seen
}

// Seen is asked at every scrape; what is nil is not told of.
type Seen struct {
	Applications func() []App
	Sets         func() []Set
	Clusters     func() []Cluster
}

// App is an Application as its controller holds it.
type App struct {
	Object    manifest.Object
	Automatic bool   // its syncs begin by themselves
	Server    string // of the destination; "" while that is not known
	Orphans   int    // objects of nobody in its namespace
}

// Set is an ApplicationSet as its controller holds it.
type Set struct {
	Namespace, Name string
	Updated         string // the reason of its condition ResourcesUpToDate, "" where it has none
	Owned           int    // Applications in its status
}

// Cluster is one destination.
type Cluster struct {
	Server, Name, Version string
	Objects, Kinds        int           // in its cache
	Age                   time.Duration // of the cache, less than 0 for none
	Events                map[manifest.Kind]int
}

var (
	perApp = []string{"namespace", "name", "project"}
	perSet = []string{"namespace", "name"}

	appInfo = prometheus.NewDesc("argocd_app_info", "Information about an application.",
		more(perApp, "autosync_enabled", "repo", "dest_server", "dest_namespace", "sync_status", "health_status", "operation"), nil)
	appCondition = prometheus.NewDesc("argocd_app_condition", "Conditions of an application.", more(perApp, "condition"), nil)
	appOrphans   = prometheus.NewDesc("argocd_app_orphaned_resources_count", "Objects of nobody in the namespace of an application.", perApp, nil)
	setInfo      = prometheus.NewDesc("argocd_appset_info", "Information about an application set.", more(perSet, "resource_update_status"), nil)
	setOwned     = prometheus.NewDesc("argocd_appset_owned_applications", "Applications of an application set.", perSet, nil)

	clusterInfo    = prometheus.NewDesc("argocd_cluster_info", "Information about a cluster.", []string{"server", "k8s_version", "name"}, nil)
	clusterReached = prometheus.NewDesc("argocd_cluster_connection_status", "Whether a cluster is known and answered last.", []string{"server", "k8s_version"}, nil)
	clusterObjects = prometheus.NewDesc("argocd_cluster_api_resource_objects", "Objects of a cluster in the cache.", []string{"server"}, nil)
	clusterKinds   = prometheus.NewDesc("argocd_cluster_api_resources", "Kinds of a cluster that are watched.", []string{"server"}, nil)
	clusterAge     = prometheus.NewDesc("argocd_cluster_cache_age_seconds", "Age of the cache of a cluster.", []string{"server"}, nil)
	clusterEvents  = prometheus.NewDesc("argocd_cluster_events_total", "Changes that the watches of a cluster told.", []string{"server", "group", "kind"}, nil)
)

func more(labels []string, names ...string) []string {
	return append(labels[:len(labels):len(labels)], names...)
}

func newApplications(q *queues, r *requests, o Options) *Applications {
	a := &Applications{
		queues: q, requests: r, options: o,
		syncs:     counter("argocd_app_sync_total", "How many syncs of an application ended.", more(perApp, "dest_server", "phase", "dry_run")...),
		lasted:    counter("argocd_app_sync_duration_seconds_total", "How long the syncs of an application took.", more(perApp, "dest_server")...),
		compared:  histogram("argocd_app_reconcile", "How long comparisons take.", []float64{0.25, .5, 1, 2, 4, 8, 16}, "namespace", "dest_server"),
		generated: histogram("argocd_appset_reconcile", "How long passes over an application set take.", prometheus.DefBuckets, perSet...),
	}
	descs := []*prometheus.Desc{
		appInfo, appCondition, appOrphans, setInfo, setOwned, clusterInfo, clusterReached, clusterObjects, clusterKinds, clusterAge, clusterEvents,
	}
	if len(o.Labels) > 0 {
		names := more(perApp)
		for _, l := range o.Labels {
			names = append(names, "label_"+unfit.ReplaceAllString(l, "_"))
		}
		a.labels = prometheus.NewDesc("argocd_app_labels", "Labels of an application.", names, nil)
		descs = append(descs, a.labels)
	}
	a.group = group{[]prometheus.Collector{a.syncs, a.lasted, a.compared, a.generated}, descs, a.tell}
	return a
}

// unfit is what a label's name may not hold (https://prometheus.io/docs/concepts/data_model/).
var unfit = regexp.MustCompile(`[^a-zA-Z0-9_]`)

// See says what is asked at every scrape from now on.
func (a *Applications) See(s Seen) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = s
}

// Queue counts a work queue of the applications' half.
func (a *Applications) Queue(name string, load func() Load) Queue {
	return a.queues.add(name, load)
}

// Compared counts a comparison.
func (a *Applications) Compared(app App, took time.Duration) {
	a.compared.WithLabelValues(app.Object.Namespace(), app.Server).Observe(took.Seconds())
}

// Ended counts an operation that ended.
func (a *Applications) Ended(app App, s application.OperationState) {
	named := append(names(app.Object), app.Server)
	dry := s.Operation.Sync != nil && s.Operation.Sync.DryRun
	a.syncs.WithLabelValues(more(named, string(s.Phase), strconv.FormatBool(dry))...).Inc()
	if s.FinishedAt != nil {
		a.lasted.WithLabelValues(named...).Add(max(s.FinishedAt.Sub(s.StartedAt), 0).Seconds())
	}
}

// Generated counts a pass over an ApplicationSet.
func (a *Applications) Generated(namespace, set string, took time.Duration) {
	a.generated.WithLabelValues(namespace, set).Observe(took.Seconds())
}

// Gone forgets an Application, or an ApplicationSet, that was deleted.
func (a *Applications) Gone(kind manifest.Kind, namespace, name string) {
	at := prometheus.Labels{"namespace": namespace, "name": name}
	if kind.Kind == "ApplicationSet" {
		a.generated.DeletePartialMatch(at)
		return
	}
	a.syncs.DeletePartialMatch(at)
	a.lasted.DeletePartialMatch(at)
}

// names are an Application's values of perApp.
func names(o manifest.Object) []string {
	return []string{o.Namespace(), o.Name(), orText(o.Text("spec", "project"), "default")}
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (a *Applications) tell(ch chan<- prometheus.Metric) {
	a.mu.Lock()
	seen := a.seen
	a.mu.Unlock()
	if seen.Applications != nil {
		for _, app := range seen.Applications() {
			a.one(ch, app)
		}
	}
	if seen.Sets != nil {
		for _, s := range seen.Sets() {
			gauge(ch, setInfo, 1, s.Namespace, s.Name, orText(s.Updated, "Unknown"))
			gauge(ch, setOwned, float64(s.Owned), s.Namespace, s.Name)
		}
	}
	if seen.Clusters != nil {
		for _, c := range seen.Clusters() {
			c.tell(ch, c.Age >= 0 && a.requests.reached(c.Server))
		}
	}
}

func (a *Applications) one(ch chan<- prometheus.Metric, app App) {
	o := app.Object
	operation := ""
	switch {
	case o.Deleting():
		operation = "delete"
	case o.Sub("operation", "sync") != nil:
		operation = "sync"
	}
	repo := o.Text("spec", "source", "repoURL")
	if many := o.List("spec", "sources"); len(many) > 0 {
		first, _ := many[0].(map[string]any)
		repo = manifest.Object(first).Text("repoURL")
	}
	at := names(o)
	gauge(ch, appInfo, 1, more(at, strconv.FormatBool(app.Automatic), source.Normal(source.Shown(repo)), app.Server, o.Text("spec", "destination", "namespace"),
		orText(o.Text("status", "sync", "status"), string(application.Unknown)), orText(o.Text("status", "health", "status"), "Unknown"), operation)...)
	gauge(ch, appOrphans, float64(app.Orphans), at...)
	if a.labels != nil {
		values, all := more(at), o.Labels()
		for _, l := range a.options.Labels {
			values = append(values, all[l])
		}
		gauge(ch, a.labels, 1, values...)
	}
	for _, wanted := range a.options.Conditions {
		n := 0
		for _, c := range o.List("status", "conditions") {
			if m, _ := c.(map[string]any); m["type"] == wanted {
				n++
			}
		}
		if n > 0 {
			gauge(ch, appCondition, float64(n), more(at, wanted)...)
		}
	}
}

func (c Cluster) tell(ch chan<- prometheus.Metric, reached bool) {
	gauge(ch, clusterInfo, 1, c.Server, c.Version, c.Name)
	gauge(ch, clusterReached, truth(reached), c.Server, c.Version)
	gauge(ch, clusterObjects, float64(c.Objects), c.Server)
	gauge(ch, clusterKinds, float64(c.Kinds), c.Server)
	age := -1.0
	if c.Age >= 0 {
		age = float64(int(c.Age.Seconds()))
	}
	gauge(ch, clusterAge, age, c.Server)
	for kind, n := range c.Events {
		ch <- prometheus.MustNewConstMetric(clusterEvents, prometheus.CounterValue, float64(n), c.Server, kind.Group, kind.Kind)
	}
}
