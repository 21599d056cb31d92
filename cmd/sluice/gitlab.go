package main

import (
	"context"
	"fmt"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/config"
	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/edge/tree"
	"github.com/sluice-delivery/sluice/internal/engine/dispatch"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// gitlabDialect is a GitLab pipeline of a repository.
type gitlabDialect struct{ *pipeline }

func (d gitlabDialect) compile(ctx context.Context) (*plan.Plan, fault.Faults) {
	return gitlab.Compile(ctx, d.input())
}

func (gitlabDialect) idle(code string) bool {
	return code == gitlab.CodeEmpty || code == gitlab.CodeWorkflow
}

// input is what the compiler may read and ask.
func (d gitlabDialect) input() gitlab.Input {
	own := tree.Open(d.repo.Root, d.repo.Dir != "")
	f := files{own}
	return gitlab.Input{
		File:  d.file,
		Files: f,
		Source: &elsewhere{
			own: d.occasion.Repository.Path, files: f, local: d.given.local, mirror: d.given.mirror, forms: d.given.templates,
		},
		Project:      project{Tree: own, changes: d.changes},
		Occasion:     d.occasion,
		Given:        gitlab.Given{Pipeline: d.given.pipeline, Project: d.given.project},
		Inputs:       config.Given(d.given.inputs),
		ChangedSince: d.changes.Since != "" || d.changes.Paths != nil,
	}
}

// bind makes a trigger job its child pipeline.
func (d gitlabDialect) bind(ctx context.Context, lease dispatch.Lease, kept *blob.Store) (run.Bound, fault.Faults) {
	in := gitlab.BindInput{Input: d.input(), Plan: lease.Scope, Job: lease.Job, Artifacts: artifacts{kept, lease}}
	for _, i := range lease.Inputs {
		in.Outputs = append(in.Outputs, i.Outputs...)
	}
	p, found := gitlab.Bind(ctx, in)
	if p == nil && !found.HasErrors() {
		return run.Bound{Skip: found[0].Message}, nil // the view says why it is skipped
	}
	return run.Bound{Plan: p}, found
}

func (d gitlabDialect) order(a attempt) (program.Order, error) { return d.attempt(a).Order(), nil }

func (d gitlabDialect) program(a attempt, paths program.Paths) program.Program {
	in := d.attempt(a)
	in.Paths = paths
	return gitlab.NewProgram(in)
}

func (d gitlabDialect) attempt(a attempt) gitlab.Attempt {
	in := gitlab.Attempt{
		Plan: a.Scope, Job: a.Job, Run: a.Run, ID: a.ID, Key: a.Key, Number: a.number, Attempt: a.Attempt, At: a.Started,
		Timeout: a.timeout, Version: versionText(), Occasion: d.occasion, Container: a.container, Base: a.base,
	}
	for _, i := range a.Inputs {
		in.From = append(in.From, i.ID)
		in.Outputs = append(in.Outputs, i.Outputs...)
	}
	return in
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
