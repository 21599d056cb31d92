// Package experiment decides what an Experiment does now: which replica sets, Services and analysis runs are wanted for a
// while, and what comes of it. It touches nothing and keeps no clock. Rules, names and messages are those of Argo Rollouts
// (https://argo-rollouts.readthedocs.io/en/stable/features/experiment/).
package experiment

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// Spec is the spec of an Experiment.
type Spec struct {
	Templates               []Template                       `json:"templates,omitempty"`
	Duration                string                           `json:"duration,omitempty"`
	ProgressDeadlineSeconds *int32                           `json:"progressDeadlineSeconds,omitempty"` // 600
	Terminate               bool                             `json:"terminate,omitempty"`
	Analyses                []rollout.ExperimentStepAnalysis `json:"analyses,omitempty"`
	ScaleDownDelaySeconds   *int32                           `json:"scaleDownDelaySeconds,omitempty"` // 30
	DryRun                  []analysis.MetricMatch           `json:"dryRun,omitempty"`
	MeasurementRetention    []analysis.Retention             `json:"measurementRetention,omitempty"`
	AnalysisRunMetadata     analysis.Meta                    `json:"analysisRunMetadata,omitzero"`
}

// Template is one replica set of an Experiment; Template is its pod template.
type Template struct {
	Name            string                `json:"name"`
	Replicas        *int32                `json:"replicas,omitempty"`
	MinReadySeconds int32                 `json:"minReadySeconds,omitempty"`
	Selector        *metav1.LabelSelector `json:"selector,omitempty"`
	Template        manifest.Object       `json:"template,omitempty"`
	Service         *rollout.NamedService `json:"service,omitempty"`
}

// Status is an Experiment's status under the names that Argo Rollouts writes.
type Status struct {
	Phase            analysis.Phase      `json:"phase,omitempty"`
	Message          string              `json:"message,omitempty"`
	TemplateStatuses []TemplateStatus    `json:"templateStatuses,omitempty"`
	AvailableAt      *time.Time          `json:"availableAt,omitempty"`
	Conditions       []rollout.Condition `json:"conditions,omitempty"`
	AnalysisRuns     []RunStatus         `json:"analysisRuns,omitempty"`
}

// TemplateStatus is how one template stands: Progressing, Running, Successful, Failed or Error.
type TemplateStatus struct {
	Name               string     `json:"name"`
	Replicas           int32      `json:"replicas"`
	UpdatedReplicas    int32      `json:"updatedReplicas"`
	ReadyReplicas      int32      `json:"readyReplicas"`
	AvailableReplicas  int32      `json:"availableReplicas"`
	CollisionCount     *int32     `json:"collisionCount,omitempty"`
	Status             string     `json:"status,omitempty"`
	Message            string     `json:"message,omitempty"`
	LastTransitionTime *time.Time `json:"lastTransitionTime,omitempty"`
	ServiceName        string     `json:"serviceName,omitempty"`
	PodTemplateHash    string     `json:"podTemplateHash,omitempty"`
}

// RunStatus is how one of the analyses stands.
type RunStatus struct {
	Name        string         `json:"name"`
	AnalysisRun string         `json:"analysisRun"`
	Phase       analysis.Phase `json:"phase"`
	Message     string         `json:"message,omitempty"`
}

// The statuses of templates, best first.
const (
	Successful  = "Successful"
	Running     = "Running"
	Progressing = "Progressing"
	Error       = "Error"
	Failed      = "Failed"
)

var order = []string{Successful, Running, Progressing, Error, Failed}

// World is all that a decision rests on.
type World struct {
	Object    manifest.Object
	Spec      Spec
	Status    Status
	Sets      map[string]manifest.Object             // the experiment's ReplicaSets by template
	Services  map[string]manifest.Object             // its Services by template
	Runs      []analysis.Run                         // AnalysisRuns that it controls
	Templates map[analysis.TemplateRef]analysis.Spec // those that it names and those that they name; missing ones are missing here
	Refused   map[string]string                      // why the cluster did not make what a template or an analysis needs, by "template/NAME" and "analysis/NAME"
	Now       time.Time
}

// Decision is what is to be done, in this order, then the status. After is when to decide anew though nothing changed.
type Decision struct {
	Actions []Action
	Status  Status
	After   time.Duration
}

// Action is one thing to do.
type Action interface{ action() }

// The actions. For is what the cluster's refusal is to be told of (World.Refused).
type (
	// Create makes a ReplicaSet, a Service or an AnalysisRun; the object is whole.
	Create struct {
		Object manifest.Object
		For    string
	}
	// PatchReplicaSet merges a patch into a replica set.
	PatchReplicaSet struct {
		Name  string
		Patch manifest.Object
	}
	// DeleteService removes a template's Service.
	DeleteService struct{ Name string }
	// TerminateRun asks a run to end.
	TerminateRun struct{ Name string }
	// Event is told to whoever watches; Above also to whoever watches the rollout that made the experiment.
	Event struct {
		Reason, Message string
		Warning, Above  bool
	}
)

func (Create) action()          {}
func (PatchReplicaSet) action() {}
func (DeleteService) action()   {}
func (TerminateRun) action()    {}
func (Event) action()           {}

// Decode reads an Experiment. An error says which field has a wrong type.
func Decode(o manifest.Object) (Spec, Status, error) {
	var body struct {
		Spec   Spec   `json:"spec"`
		Status Status `json:"status"`
	}
	if err := o.Into(&body); err != nil {
		return Spec{}, Status{}, fmt.Errorf("read Experiment %s: %w", o.Name(), err)
	}
	return body.Spec, body.Status, nil
}

// Named are the templates that the spec names, each once.
func (s Spec) Named() []analysis.TemplateRef {
	var out []analysis.TemplateRef
	for _, a := range s.Analyses {
		out = append(out, analysis.TemplateRef{TemplateName: a.TemplateName, ClusterScope: a.ClusterScope})
	}
	return out
}

// StatusPatch is the merge patch that turns one status into the other; nil where nothing changed.
func StatusPatch(before, after Status) manifest.Object {
	was, err := manifest.From(before)
	if err != nil {
		return nil
	}
	is, err := manifest.From(after)
	if err != nil {
		return nil
	}
	patch := manifest.Merge(was, is)
	if len(patch) == 0 {
		return nil
	}
	return manifest.Object{"status": map[string]any(patch)}
}

func completed(status string) bool {
	return status == Successful || status == Failed || status == Error
}

func or(v *int32, other int32) int32 {
	if v == nil {
		return other
	}
	return *v
}

func (s Spec) deadline() time.Duration {
	return time.Duration(or(s.ProgressDeadlineSeconds, 600)) * time.Second
}

func (s Spec) delay() time.Duration {
	return time.Duration(or(s.ScaleDownDelaySeconds, 30)) * time.Second
}

func (s Spec) required() bool {
	for _, a := range s.Analyses {
		if a.RequiredForCompletion {
			return true
		}
	}
	return false
}

// stamp is a moment as Kubernetes keeps it: UTC, whole seconds.
func stamp(at time.Time) *time.Time {
	at = at.UTC().Truncate(time.Second)
	return &at
}
