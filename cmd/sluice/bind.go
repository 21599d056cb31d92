package main

import (
	"context"
	"fmt"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab"
	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/engine/dispatch"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// Bind makes a late job concrete (dispatch.Binder): a trigger job becomes its child pipeline.
func (l *local) Bind(ctx context.Context, lease dispatch.Lease) run.Bound {
	in := gitlab.BindInput{
		Input: l.pipeline.input(), Plan: lease.Scope, Job: lease.Job, Artifacts: artifacts{&blob.Store{Dir: l.state}, lease},
	}
	for _, i := range lease.Inputs {
		in.Outputs = append(in.Outputs, i.Outputs...)
	}
	p, found := gitlab.Bind(ctx, in)
	if p != nil || found.HasErrors() {
		l.remark(found) // without a plan, what was found is why the job is skipped, and the view says that
	}
	switch {
	case found.HasErrors():
		return run.Bound{Err: l.mask.Text(worst(found).Error())}
	case p == nil:
		return run.Bound{Skip: l.mask.Text(found[0].Message)}
	default:
		return run.Bound{Plan: p}
	}
}

// artifacts reads what jobs of the run left, for a child pipeline whose file a job wrote (gitlab.Artifacts).
type artifacts struct {
	store *blob.Store
	lease dispatch.Lease
}

// ReadArtifact is the text of one file; job is an ID in the plan of the trigger job.
func (a artifacts) ReadArtifact(ctx context.Context, job, path string) ([]byte, error) {
	text, err := a.store.ReadArtifact(ctx, a.lease.Run, a.lease.Prefix+job, path)
	if err != nil {
		return nil, fmt.Errorf("read %s of job %s: %w", path, job, err)
	}
	return text, nil
}

var _ gitlab.Artifacts = artifacts{}
