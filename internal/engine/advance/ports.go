// Package advance moves Rollouts, AnalysisRuns and Experiments on: it reads the world, asks flow/rollout and flow/analysis
// what to do and does it. It decides nothing itself.
package advance

import (
	"context"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// Cluster is what is read and written; the same drivers fill it as engine/deliver's ports. Every refusal is a *manifest.Refusal.
type Cluster interface {
	Reader
	Writer
	Watch(ctx context.Context, kind manifest.Kind, namespace, selector string, each func(manifest.Change)) error
}

// Reader reads.
type Reader interface {
	Get(ctx context.Context, kind manifest.Kind, namespace, name string) (manifest.Object, error)
	List(ctx context.Context, kind manifest.Kind, namespace, selector string) ([]manifest.Object, error)
}

// Writer writes. Create of a policy/v1 Eviction evicts the pod that has its name.
type Writer interface {
	Create(ctx context.Context, o manifest.Object, w manifest.Writing) (manifest.Object, error)
	Update(ctx context.Context, o manifest.Object, sub string, w manifest.Writing) (manifest.Object, error)
	Patch(ctx context.Context, kind manifest.Kind, namespace, name string, p manifest.Patch, w manifest.Writing) (manifest.Object, error)
	Delete(ctx context.Context, kind manifest.Kind, namespace, name string, w manifest.Writing) error
}

// Router shares out the requests of one rollout as its trafficRouting says.
type Router interface {
	// Route makes the traffic so; asking again for what is so already changes nothing.
	Route(ctx context.Context, r rollout.Rollout, t rollout.Traffic) error
	// Verified tells whether the weights are in force; nil where that cannot be known.
	Verified(ctx context.Context, r rollout.Rollout, t rollout.Traffic) (*bool, error)
	// Check tells which objects that trafficRouting names are missing ("Ingress web"), and what in it is not supported.
	Check(ctx context.Context, r rollout.Rollout) (missing []string, refused fault.Faults, err error)
	// Release undoes what was done to objects that the rollout names no more.
	Release(ctx context.Context, r rollout.Rollout) error
}

// Probe takes measurements.
type Probe interface {
	// Measure begins a reading, or goes on with or ends one that has not ended (its Phase is Running). What went wrong is a
	// measurement too, with the phase Error.
	Measure(ctx context.Context, run analysis.Run, r analysis.Reading, begun analysis.Measurement) analysis.Taken
	// Sweep removes what the oldest measurements of a metric left behind, beyond keep.
	Sweep(ctx context.Context, run analysis.Run, metric string, keep int) error
}
