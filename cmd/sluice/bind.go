package main

import (
	"context"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/engine/dispatch"
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
	return b
}
