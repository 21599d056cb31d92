// Package rollout decides what a Rollout does now: which replica sets, selectors, weights and analyses are wanted, and
// what the status says of it. Its input is a World, all that was read; its output is a Decision, all that is to be
// written. It touches nothing and keeps no clock. Rules, names and messages are those of Argo Rollouts
// (https://argo-rollouts.readthedocs.io/en/stable/).
package rollout

import (
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Rollout is one Rollout as it was read. Object is what Spec and Status were decoded from; it holds name, labels,
// annotations, generation and all that neither knows.
type Rollout struct {
	Object manifest.Object
	Spec   Spec
	Status Status
}

// World is all that a decision rests on, read at about the same time.
type World struct {
	Rollout     Rollout
	Workload    manifest.Object                        // what workloadRef names, nil without one
	ReplicaSets []manifest.Object                      // those that the rollout controls or may adopt
	Occupied    []string                               // names of the ReplicaSets of the namespace that are none of those: a new one cannot have them
	Pods        []manifest.Object                      // of those replica sets; read only where Rollout.NeedsPods says so
	Services    map[string]manifest.Object             // every Service that the spec names, by name; missing ones are missing here
	Runs        []analysis.Run                         // AnalysisRuns that the rollout controls
	Experiments []manifest.Object                      // Experiments that the rollout controls
	Templates   map[analysis.TemplateRef]analysis.Spec // every template that the spec names, nested ones too; missing ones are missing here
	Missing     []string                               // other objects that the spec names and that are not there: "Ingress web", "VirtualService web"
	Refused     fault.Faults                           // what in the spec Sluice does not do (step plugins, ALB, …): the rollout is Degraded with it
	Verified    *bool                                  // what the traffic driver said of the weights last set; nil where it cannot tell
	Now         time.Time
}

// Decision is what is to be done, in this order: the actions one after the other, stopping at the first that fails, then
// the status (in every case, so that what happened is kept). After is when to decide anew though nothing changed; zero for never.
type Decision struct {
	Actions []Action
	Status  Status
	// Annotations are to be set on the Rollout itself ("" removes), as rollout.argoproj.io/revision.
	Annotations map[string]string
	// Spec is a merge patch for the Rollout's spec, nil for none (restartAt and the like are never written by Argo; paused: false is, by a retry of a full promotion).
	Spec  manifest.Object
	After time.Duration
}

// Action is one thing to do. The engine carries it out and knows no more of the reason than the event says.
type Action interface{ action() }

// The actions.
type (
	// CreateReplicaSet makes a replica set. The object is whole, its name included.
	CreateReplicaSet struct{ Object manifest.Object }
	// PatchReplicaSet merges a patch into a replica set: scale (spec.replicas), labels, annotations, the pod template's metadata.
	PatchReplicaSet struct {
		Name  string
		Patch manifest.Object
	}
	// DeleteReplicaSet removes an old replica set.
	DeleteReplicaSet struct{ Name string }
	// PatchPod merges metadata into a running pod (canaryMetadata, stableMetadata).
	PatchPod struct {
		Name  string
		Patch manifest.Object
	}
	// EvictPod removes a pod for a restart, by the eviction API.
	EvictPod struct{ Name string }
	// Select points a Service at the pods of a hash ("" removes the hash from the selector) and marks it as managed by the rollout.
	Select struct {
		Service string
		Hash    string
	}
	// ScaleWorkload sets the replicas of what workloadRef names.
	ScaleWorkload struct{ Replicas int32 }
	// Route makes the traffic so: weights and managed routes. The driver of the spec's trafficRouting does it.
	Route struct{ Traffic Traffic }
	// CreateRun makes an AnalysisRun.
	CreateRun struct{ Object manifest.Object }
	// TerminateRun asks a run to end (spec.terminate).
	TerminateRun struct{ Name string }
	// DeleteRun removes an old run.
	DeleteRun struct{ Name string }
	// CreateExperiment makes an Experiment.
	CreateExperiment struct{ Object manifest.Object }
	// TerminateExperiment asks an experiment to end (spec.terminate).
	TerminateExperiment struct{ Name string }
	// DeleteExperiment removes an old experiment.
	DeleteExperiment struct{ Name string }
	// Event is told to whoever watches: a Kubernetes event, a line of a log. Warning or Normal by Warning.
	Event struct {
		Reason  string
		Message string
		Warning bool
	}
)

func (CreateReplicaSet) action()    {}
func (PatchReplicaSet) action()     {}
func (DeleteReplicaSet) action()    {}
func (PatchPod) action()            {}
func (EvictPod) action()            {}
func (Select) action()              {}
func (ScaleWorkload) action()       {}
func (Route) action()               {}
func (CreateRun) action()           {}
func (TerminateRun) action()        {}
func (DeleteRun) action()           {}
func (CreateExperiment) action()    {}
func (TerminateExperiment) action() {}
func (DeleteExperiment) action()    {}
func (Event) action()               {}

// Traffic is how requests are to be shared out. It is whole: what is not in it is not wanted (a managed route that is no
// longer here is removed).
type Traffic struct {
	Weights Weights // of the canary, the stable and an experiment's destinations; of Max together
	Max     int32   // maxTrafficWeight, 100 without one
	Headers []HeaderRoute
	Mirrors []MirrorRoute
	// Managed are all route names that may be made and removed, in their order of precedence.
	Managed []string
	// StableHash and CanaryHash are the pod template hashes, for drivers that name subsets (Istio's DestinationRule).
	StableHash, CanaryHash string
	StableMeta, CanaryMeta *analysis.Meta
}
