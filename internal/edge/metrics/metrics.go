// Package metrics is what a Prometheus reads of the delivery controllers: the names, labels and buckets that Argo CD and Argo
// Rollouts give their controllers' metrics (https://argo-cd.readthedocs.io/en/stable/operator-manual/metrics/,
// https://argo-rollouts.readthedocs.io/en/stable/features/controller-metrics/), so that dashboards and alerts that were made
// for those go on working. What fills the ports of the engines with it is cmd/sluice. It keeps no history.
package metrics

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options choose what is exported beyond the rest.
type Options struct {
	Version string // of this program
	// Labels are labels of Applications that argocd_app_labels shows.
	Labels []string
	// Conditions are types of Applications' conditions that argocd_app_condition counts.
	Conditions []string
}

// Exporter holds all metrics of one process.
type Exporter struct {
	registry *prometheus.Registry
	queues   *queues
	requests *requests

	Applications *Applications
	Rollouts     *Rollouts
}

// New makes an exporter that has nothing to tell yet but of its process.
func New(o Options) *Exporter {
	e := &Exporter{registry: prometheus.NewRegistry(), queues: newQueues(), requests: newRequests()}
	e.Applications, e.Rollouts = newApplications(e.queues, e.requests, o), newRollouts(e.queues)
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "sluice_build_info", Help: "The program that runs.",
		ConstLabels: prometheus.Labels{"version": o.Version, "goversion": runtime.Version(), "goarch": runtime.GOARCH},
	})
	build.Set(1)
	e.registry.MustRegister(
		build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		e.queues, e.requests, e.Applications, e.Rollouts,
	)
	return e
}

// Handler serves /metrics in Prometheus' formats, and /healthz, which answers as long as the process does.
func (e *Exporter) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(e.registry, promhttp.HandlerOpts{Registry: e.registry, ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	return mux
}

// group is several collectors as one, and a function that tells more at every scrape.
type group struct {
	parts []prometheus.Collector
	descs []*prometheus.Desc
	more  func(chan<- prometheus.Metric)
}

func (g group) Describe(ch chan<- *prometheus.Desc) {
	for _, p := range g.parts {
		p.Describe(ch)
	}
	for _, d := range g.descs {
		ch <- d
	}
}

func (g group) Collect(ch chan<- prometheus.Metric) {
	for _, p := range g.parts {
		p.Collect(ch)
	}
	g.more(ch)
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}
