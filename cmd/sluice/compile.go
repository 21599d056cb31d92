package main

import (
	"context"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/config"
	"github.com/sluice-delivery/sluice/internal/edge/tree"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// compile turns the repository's file into a plan for the occasion. All that was found is told, also where there is a
// plan.
func (l *pipeline) compile(ctx context.Context) (*plan.Plan, fault.Faults) {
	return gitlab.Compile(ctx, l.input())
}

// input is what the compiler may read and ask.
func (l *pipeline) input() gitlab.Input {
	own := tree.Open(l.repo.Root, l.repo.Dir != "")
	f := files{own}
	return gitlab.Input{
		File:  l.file,
		Files: f,
		Source: &elsewhere{
			own: l.occasion.Repository.Path, files: f, local: l.given.local, mirror: l.given.mirror, forms: l.given.templates,
		},
		Project:      project{Tree: own, changes: l.changes},
		Occasion:     l.occasion,
		Given:        gitlab.Given{Pipeline: l.given.pipeline, Project: l.given.project},
		Inputs:       config.Given(l.given.inputs),
		ChangedSince: l.changes.Since != "" || l.changes.Paths != nil,
	}
}
