package metrics

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Rollouts are the metrics of Rollouts, AnalysisRuns and Experiments.
type Rollouts struct {
	group
	queues *queues
	passes map[manifest.Kind]passes
	events *prometheus.CounterVec

	mu   sync.Mutex
	seen func(manifest.Kind) []manifest.Object
}

// passes are what is counted of the passes over a kind.
type passes struct {
	took   *prometheus.HistogramVec
	failed *prometheus.CounterVec
}

// The kinds that are told of.
var (
	rollouts         = argo("Rollout")
	runs             = argo("AnalysisRun")
	experiments      = argo("Experiment")
	templates        = argo("AnalysisTemplate")
	clusterTemplates = argo("ClusterAnalysisTemplate")
)

func argo(kind string) manifest.Kind {
	return manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: kind}
}

// kinds are how the metrics of each kind begin.
var kinds = map[manifest.Kind]string{rollouts: "rollout", runs: "analysis_run", experiments: "experiment"}

var (
	perObject = []string{"namespace", "name"}

	rolloutInfo        = described("rollout_info", "Information about a rollout.", "strategy", "traffic_router", "phase")
	rolloutAvailable   = described("rollout_info_replicas_available", "Available replicas of a rollout.")
	rolloutUnavailable = described("rollout_info_replicas_unavailable", "Replicas of a rollout that are not available.")
	rolloutDesired     = described("rollout_info_replicas_desired", "Replicas that a rollout asks for.")
	rolloutUpdated     = described("rollout_info_replicas_updated", "Replicas of a rollout's newest version.")
	rolloutPhase       = described("rollout_phase", "The phase of a rollout. Deprecated: use rollout_info.", "strategy", "phase")
	runInfo            = described("analysis_run_info", "Information about an analysis run.", "phase")
	runPhase           = described("analysis_run_phase", "The phase of an analysis run. Deprecated: use analysis_run_info.", "phase")
	runMetricType      = described("analysis_run_metric_type", "What a metric of an analysis run is measured with.", "metric", "type")
	runMetricPhase     = described("analysis_run_metric_phase", "The phase of a metric of an analysis run.", "metric", "type", "dry_run", "phase")
	templateInfo       = described("analysis_template_info", "Information about an analysis template.")
	templateMetric     = described("analysis_template_metric_info", "A metric of an analysis template.", "type", "metric")
	experimentInfo     = described("experiment_info", "Information about an experiment.", "phase")
	experimentPhase    = described("experiment_phase", "The phase of an experiment. Deprecated: use experiment_info.", "phase")
)

func described(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, more(perObject, labels...), nil)
}

func newRollouts(q *queues) *Rollouts {
	r := &Rollouts{
		queues: q, passes: map[manifest.Kind]passes{},
		events: counter("rollout_events_total", "Events of rollouts.", more(perObject, "type", "reason")...),
	}
	parts := []prometheus.Collector{r.events}
	for kind, name := range kinds {
		p := passes{
			histogram(name+"_reconcile", "How long passes over it take.", []float64{0.01, 0.15, .25, .5, 1}, perObject...),
			counter(name+"_reconcile_error", "Passes over it that failed.", perObject...),
		}
		r.passes[kind] = p
		parts = append(parts, p.took, p.failed)
	}
	r.group = group{parts, []*prometheus.Desc{
		rolloutInfo, rolloutAvailable, rolloutUnavailable, rolloutDesired, rolloutUpdated, rolloutPhase, runInfo, runPhase, runMetricType, runMetricPhase,
		templateInfo, templateMetric, experimentInfo, experimentPhase,
	}, r.tell}
	return r
}

// See says whose objects are told of from now on.
func (r *Rollouts) See(objects func(manifest.Kind) []manifest.Object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = objects
}

// Queue counts a work queue of the rollouts' half.
func (r *Rollouts) Queue(name string, load func() Load) Queue {
	return r.queues.add(name, load)
}

// Worked counts a pass over a Rollout, an AnalysisRun or an Experiment.
func (r *Rollouts) Worked(kind manifest.Kind, namespace, name string, took time.Duration, err error) {
	p, ok := r.passes[kind]
	if !ok {
		return
	}
	p.took.WithLabelValues(namespace, name).Observe(took.Seconds())
	if err != nil {
		p.failed.WithLabelValues(namespace, name).Inc()
	}
}

// Told counts an event.
func (r *Rollouts) Told(about manifest.Object, warning bool, reason string) {
	kind := "Normal"
	if warning {
		kind = "Warning"
	}
	r.events.WithLabelValues(about.Namespace(), about.Name(), kind, reason).Inc()
}

// Gone forgets an object that was deleted.
func (r *Rollouts) Gone(kind manifest.Kind, namespace, name string) {
	at := prometheus.Labels{"namespace": namespace, "name": name}
	r.events.DeletePartialMatch(at)
	if p, ok := r.passes[kind]; ok {
		p.took.DeletePartialMatch(at)
		p.failed.DeletePartialMatch(at)
	}
}

func (r *Rollouts) tell(ch chan<- prometheus.Metric) {
	r.mu.Lock()
	seen := r.seen
	r.mu.Unlock()
	if seen == nil {
		return
	}
	for _, o := range seen(rollouts) {
		rollout(ch, o)
	}
	for _, o := range seen(runs) {
		run(ch, o)
	}
	for _, o := range slices.Concat(seen(templates), seen(clusterTemplates)) {
		template(ch, o)
	}
	for _, o := range seen(experiments) {
		at, phase := []string{o.Namespace(), o.Name()}, o.Text("status", "phase")
		gauge(ch, experimentInfo, 1, more(at, phase)...)
		each(ch, experimentPhase, at, phase)
	}
}

// each tells of every phase of an analysis whether it is the one; none yet counts as Pending.
func each(ch chan<- prometheus.Metric, d *prometheus.Desc, labels []string, phase string) {
	for _, p := range []analysis.Phase{analysis.Pending, analysis.Error, analysis.Failed, analysis.Successful, analysis.Running, analysis.Inconclusive} {
		gauge(ch, d, truth(phase == string(p) || phase == "" && p == analysis.Pending), more(labels, string(p))...)
	}
}

func rollout(ch chan<- prometheus.Metric, o manifest.Object) {
	at, phase := []string{o.Namespace(), o.Name()}, phaseOf(o)
	strategy, router := "none", ""
	switch {
	case o.Sub("spec", "strategy", "blueGreen") != nil:
		strategy = "blueGreen"
	case o.Sub("spec", "strategy", "canary") != nil:
		strategy = "canary"
		for _, known := range [][2]string{{"alb", "ALB"}, {"ambassador", "Ambassador"}, {"istio", "Istio"}, {"nginx", "Nginx"}, {"smi", "SMI"}, {"appMesh", "AppMesh"}} {
			if o.Sub("spec", "strategy", "canary", "trafficRouting", known[0]) != nil {
				router = known[1]
			}
		}
	}
	gauge(ch, rolloutInfo, 1, more(at, strategy, router, phase)...)
	available := o.Int(0, "status", "availableReplicas")
	gauge(ch, rolloutAvailable, float64(available), at...)
	gauge(ch, rolloutUnavailable, float64(o.Int(0, "status", "replicas")-available), at...)
	gauge(ch, rolloutDesired, float64(o.Int(1, "spec", "replicas")), at...)
	gauge(ch, rolloutUpdated, float64(o.Int(0, "status", "updatedReplicas")), at...)
	for _, p := range []string{"Completed", "Progressing", "Paused", "Timeout", "Error", "Abort", "InvalidSpec"} {
		gauge(ch, rolloutPhase, truth(phase == p), more(at, strategy, p)...)
	}
}

// phaseOf is a rollout's phase as its metrics tell it, which is not the phase of its status.
func phaseOf(o manifest.Object) string {
	out := "Progressing"
	for _, c := range o.List("status", "conditions") {
		m, _ := c.(map[string]any)
		switch m["type"] {
		case "InvalidSpec":
			return "InvalidSpec"
		case "Progressing":
			reason, _ := m["reason"].(string)
			out = orText(map[string]string{
				"NewReplicaSetAvailable": "Completed", "RolloutPaused": "Paused", "ReplicaSetCreateError": "Error",
				"ProgressDeadlineExceeded": "Timeout", "RolloutAborted": "Abort",
			}[reason], out)
		}
	}
	return out
}

func run(ch chan<- prometheus.Metric, o manifest.Object) {
	r, err := analysis.Decode(o)
	if err != nil {
		return // its own event tells
	}
	at := []string{r.Namespace, r.Name}
	gauge(ch, runInfo, 1, more(at, string(r.Status.Phase))...)
	each(ch, runPhase, at, string(r.Status.Phase))
	dry := r.Spec.Rehearsed()
	for _, m := range r.Spec.Metrics {
		gauge(ch, runMetricType, 1, more(at, m.Name, typeOf(m))...)
		phase := ""
		for _, result := range r.Status.MetricResults {
			if result.Name == m.Name {
				phase = string(result.Phase)
			}
		}
		each(ch, runMetricPhase, more(at, m.Name, typeOf(m), strconv.FormatBool(dry[m.Name])), phase)
	}
}

func template(ch chan<- prometheus.Metric, o manifest.Object) {
	gauge(ch, templateInfo, 1, o.Namespace(), o.Name())
	spec, err := analysis.DecodeTemplate(o)
	if err != nil {
		return
	}
	for _, m := range spec.Metrics {
		gauge(ch, templateMetric, 1, o.Namespace(), o.Name(), typeOf(m), m.Name)
	}
}

// types are the providers as metrics call them.
var types = map[string]string{
	"prometheus": "Prometheus", "job": "Job", "kayenta": "Kayenta", "web": "Web", "datadog": "Datadog", "wavefront": "Wavefront", "newRelic": "NewRelic",
	"cloudWatch": "CloudWatch", "graphite": "Graphite", "influxdb": "Influxdb", "skywalking": "skywalking", "plugin": "RPCPlugin",
}

func typeOf(m analysis.Metric) string {
	named := m.Provider.Names()
	if len(named) == 0 {
		return "Unknown Provider"
	}
	return orText(types[named[0]], types["plugin"]) // a plugin counts under its own name
}
