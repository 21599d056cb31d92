package main

import (
	"context"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/engine/dispatch"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// Bind makes a late job concrete (dispatch.Binder).
func (l *local) Bind(ctx context.Context, lease dispatch.Lease) run.Bound {
	b, found := l.pipeline.bind(ctx, lease, &blob.Store{Dir: l.state})
	if len(found) > 0 {
		l.remark(found)
	}
	if found.HasErrors() {
		return run.Bound{Err: l.mask.Text(worst(found).Error())}
	}
	b.Skip = l.mask.Text(b.Skip)
	if names := l.innerOf(lease.ID); names != nil && b.Plan != nil {
		choice, err := plan.Choose(b.Plan, names, true)
		if err != nil {
			return run.Bound{Err: l.mask.Text(err.Error())}
		}
		b.Choice = choice
		l.narrow(choice, lease.ID)
	}
	return b
}

// narrow keeps which jobs of late jobs were named: in the run the IDs begin with that of the late job they are in.
func (l *local) narrow(choice *plan.Choice, late string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, names := range choice.Inner {
		if late != "" {
			id = late + "/" + id
		}
		l.inner[id] = names
	}
}

// innerOf are the names given of jobs that a late job becomes; nil is all of them.
func (l *local) innerOf(id string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inner[id]
}
