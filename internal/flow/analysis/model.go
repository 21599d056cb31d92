// Package analysis judges measurements: what the next measurements of a run are, what each one says, and what the run
// comes to. Names, fields and rules are those of Argo Rollouts' AnalysisTemplate, AnalysisRun and Experiment
// (https://argo-rollouts.readthedocs.io/en/stable/features/analysis/). It measures nothing itself and keeps no clock.
package analysis

import (
	"encoding/json"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Phase is how far a run, a metric or a measurement is.
type Phase string

// The phases, as Argo Rollouts writes them.
const (
	Pending      Phase = "Pending"
	Running      Phase = "Running"
	Successful   Phase = "Successful"
	Failed       Phase = "Failed"
	Error        Phase = "Error"
	Inconclusive Phase = "Inconclusive"
)

// Completed reports whether a phase is final.
func (p Phase) Completed() bool {
	return p == Successful || p == Failed || p == Error || p == Inconclusive
}

// Argument is an argument of a template or a run: a value, or where it comes from.
type Argument struct {
	Name      string     `json:"name"`
	Value     *string    `json:"value,omitempty"`
	ValueFrom *ValueFrom `json:"valueFrom,omitempty"`
}

// ValueFrom is where an argument's value is taken from; one of the three is set.
type ValueFrom struct {
	SecretKeyRef         *SecretKey `json:"secretKeyRef,omitempty"`
	FieldRef             *Field     `json:"fieldRef,omitempty"`
	PodTemplateHashValue string     `json:"podTemplateHashValue,omitempty"` // Stable or Latest
}

// SecretKey is a key of a Secret in the run's namespace.
type SecretKey struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

// Field is a field of the Rollout, by its path.
type Field struct {
	FieldPath string `json:"fieldPath"`
}

// Spec is the spec of an AnalysisTemplate, a ClusterAnalysisTemplate and an AnalysisRun; templates nest by Templates,
// runs alone have Terminate.
type Spec struct {
	Metrics              []Metric      `json:"metrics,omitempty"`
	DryRun               []MetricMatch `json:"dryRun,omitempty"`
	MeasurementRetention []Retention   `json:"measurementRetention,omitempty"`
	Args                 []Argument    `json:"args,omitempty"`
	Templates            []TemplateRef `json:"templates,omitempty"`
	Terminate            bool          `json:"terminate,omitempty"`
	TTLStrategy          *TTL          `json:"ttlStrategy,omitempty"`
}

// MetricMatch selects metrics by name, a regular expression.
type MetricMatch struct {
	MetricName string `json:"metricName"`
}

// Retention keeps Limit measurements of the metrics that match instead of 10.
type Retention struct {
	MetricName string `json:"metricName"`
	Limit      int32  `json:"limit"`
}

// TTL is how long a finished run is kept, in seconds.
type TTL struct {
	SecondsAfterCompletion *int32 `json:"secondsAfterCompletion,omitempty"`
	SecondsAfterFailure    *int32 `json:"secondsAfterFailure,omitempty"`
	SecondsAfterSuccess    *int32 `json:"secondsAfterSuccess,omitempty"`
}

// TemplateRef names a template.
type TemplateRef struct {
	TemplateName string `json:"templateName,omitempty"`
	ClusterScope bool   `json:"clusterScope,omitempty"`
}

// Metric is one thing measured. Durations are Go's ("5m"); Interval "" with no Count measures once.
type Metric struct {
	Name                    string              `json:"name"`
	Interval                string              `json:"interval,omitempty"`
	InitialDelay            string              `json:"initialDelay,omitempty"`
	Count                   *intstr.IntOrString `json:"count,omitempty"`
	SuccessCondition        string              `json:"successCondition,omitempty"`
	FailureCondition        string              `json:"failureCondition,omitempty"`
	FailureLimit            *intstr.IntOrString `json:"failureLimit,omitempty"`
	InconclusiveLimit       *intstr.IntOrString `json:"inconclusiveLimit,omitempty"`
	ConsecutiveErrorLimit   *intstr.IntOrString `json:"consecutiveErrorLimit,omitempty"`
	ConsecutiveSuccessLimit *intstr.IntOrString `json:"consecutiveSuccessLimit,omitempty"`
	Provider                Provider            `json:"provider"`
}

// Provider is what a metric is measured with. Those that Sluice does not measure with are kept as they are, so that they
// can be named in the error that says so.
type Provider struct {
	Prometheus *Prometheus `json:"prometheus,omitempty"`
	Web        *Web        `json:"web,omitempty"`
	Job        *Job        `json:"job,omitempty"`

	Other map[string]json.RawMessage `json:"-"` // by the provider's name: datadog, newRelic, …
}

// Prometheus is a query of a Prometheus server.
type Prometheus struct {
	Address        string         `json:"address,omitempty"`
	Query          string         `json:"query,omitempty"`
	Authentication Authentication `json:"authentication,omitzero"`
	Timeout        *int64         `json:"timeout,omitempty"` // seconds
	Insecure       bool           `json:"insecure,omitempty"`
	Headers        []Header       `json:"headers,omitempty"`
	RangeQuery     *RangeQuery    `json:"rangeQuery,omitempty"`
}

// RangeQuery makes the query a range; Start and End are expressions of the expr language.
type RangeQuery struct {
	Start string `json:"start,omitempty"`
	End   string `json:"end,omitempty"`
	Step  string `json:"step,omitempty"`
}

// Authentication is how a provider is logged in to.
type Authentication struct {
	Sigv4  map[string]string `json:"sigv4,omitempty"`
	OAuth2 *OAuth2           `json:"oauth2,omitempty"`
}

// OAuth2 is a client's credentials.
type OAuth2 struct {
	TokenURL     string   `json:"tokenUrl,omitempty"`
	ClientID     string   `json:"clientId,omitempty"`
	ClientSecret string   `json:"clientSecret,omitempty"`
	Scopes       []string `json:"scopes,omitempty"`
}

// Header is a header of a request.
type Header struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Web is a request whose JSON answer is measured.
type Web struct {
	Method         string          `json:"method,omitempty"` // GET, POST, PUT
	URL            string          `json:"url"`
	Headers        []Header        `json:"headers,omitempty"`
	Body           string          `json:"body,omitempty"`
	JSONBody       json.RawMessage `json:"jsonBody,omitempty"`
	TimeoutSeconds int64           `json:"timeoutSeconds,omitempty"`
	JSONPath       string          `json:"jsonPath,omitempty"`
	Insecure       bool            `json:"insecure,omitempty"`
	Authentication Authentication  `json:"authentication,omitzero"`
}

// Job is a Kubernetes Job whose end is the measurement.
type Job struct {
	Metadata *Meta           `json:"metadata,omitempty"`
	Spec     manifest.Object `json:"spec"`
}

// Meta is labels and annotations to give.
type Meta struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Status is the status of an AnalysisRun.
type Status struct {
	Phase         Phase          `json:"phase"`
	Message       string         `json:"message,omitempty"`
	MetricResults []MetricResult `json:"metricResults,omitempty"`
	StartedAt     *time.Time     `json:"startedAt,omitempty"`
	CompletedAt   *time.Time     `json:"completedAt,omitempty"`
	RunSummary    Summary        `json:"runSummary,omitzero"`
	DryRunSummary *Summary       `json:"dryRunSummary,omitempty"`
}

// Summary counts metrics by what they came to.
type Summary struct {
	Count        int32 `json:"count,omitempty"`
	Successful   int32 `json:"successful,omitempty"`
	Failed       int32 `json:"failed,omitempty"`
	Inconclusive int32 `json:"inconclusive,omitempty"`
	Error        int32 `json:"error,omitempty"`
}

// MetricResult is one metric's measurements and counts. ConsecutiveError and ConsecutiveSuccess count the newest in a row.
type MetricResult struct {
	Name               string            `json:"name"`
	Phase              Phase             `json:"phase"`
	Measurements       []Measurement     `json:"measurements,omitempty"` // oldest first
	Message            string            `json:"message,omitempty"`
	Count              int32             `json:"count,omitempty"`
	Successful         int32             `json:"successful,omitempty"`
	Failed             int32             `json:"failed,omitempty"`
	Inconclusive       int32             `json:"inconclusive,omitempty"`
	Error              int32             `json:"error,omitempty"`
	ConsecutiveError   int32             `json:"consecutiveError,omitempty"`
	ConsecutiveSuccess int32             `json:"consecutiveSuccess,omitempty"`
	DryRun             bool              `json:"dryRun,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"`
}

// Measurement is one reading of a metric. ResumeAt is when a reading that takes time is looked at again.
type Measurement struct {
	Phase      Phase             `json:"phase"`
	Message    string            `json:"message,omitempty"`
	StartedAt  *time.Time        `json:"startedAt,omitempty"`
	FinishedAt *time.Time        `json:"finishedAt,omitempty"`
	Value      string            `json:"value,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	ResumeAt   *time.Time        `json:"resumeAt,omitempty"`
}

// Run is an AnalysisRun: a name to find it by, what it shall do and how far it is.
type Run struct {
	Name        string
	Namespace   string
	UID         string
	Created     time.Time
	Labels      map[string]string
	Annotations map[string]string
	Spec        Spec
	Status      Status
}

// Reading is one measurement that the engine is to take or to go on with.
type Reading struct {
	Metric  string // its name
	Index   int    // of the measurement in the metric's result, -1 for a new one
	Arrange Metric // the metric with its arguments put in
	Stop    bool   // the reading is to be ended, not gone on with

	secrets []string // what Judge masks in the measurement
}

// Taken is the measurement that a reading came to. Metadata is what the provider tells of the metric as a whole
// (ResolvedPrometheusQuery); it is kept from the first measurement on.
type Taken struct {
	Reading     Reading
	Measurement Measurement
	Metadata    map[string]string
}

// Step is what an AnalysisRun needs now: Take these readings, hand their measurements to Judge, write Status, come back
// After (zero: when something changes), Delete the run when its time is over.
type Step struct {
	Status Status
	Take   []Reading
	After  time.Duration
	Delete bool
}
