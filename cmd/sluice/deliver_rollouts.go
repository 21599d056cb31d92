package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/metrics"
	"github.com/sluice-delivery/sluice/internal/edge/probe"
	"github.com/sluice-delivery/sluice/internal/edge/traffic"
	"github.com/sluice-delivery/sluice/internal/engine/advance"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// besideCluster is a cluster beside which a delivery keeps its own objects: Applications, their projects and sets always, the
// other kinds of argoproj.io where the cluster does not define them.
func besideCluster(home, away cluster.API) *cluster.Overlaid {
	return cluster.Overlay(home, away, "Application", "ApplicationSet", "AppProject")
}

// deliverRollouts moves the Rollouts, AnalysisRuns and Experiments on that a delivery keeps beside a cluster that does not
// define them. It begins with the first that is there, since it watches ReplicaSets and pods of the whole cluster.
func deliverRollouts(ctx context.Context, home, api cluster.API, exporter *metrics.Exporter, log *slog.Logger) error {
	if !someAtHome(ctx, home) {
		return nil
	}
	cache := advance.NewCache(api, "")
	return metered(advance.Config{
		Cluster: cache, Router: traffic.Driver{Cluster: cache}, Probe: &probe.Probe{Cluster: cache}, Log: log,
	}, exporter).Run(ctx)
}

// someAtHome waits until there is something to move on; false says that ctx ended before.
func someAtHome(ctx context.Context, home cluster.API) bool {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	found := make(chan struct{}, 1)
	var group sync.WaitGroup
	for _, kind := range []string{"Rollout", "AnalysisRun", "Experiment"} {
		group.Go(func() {
			_ = home.Watch(ctx, manifest.Kind{Group: applicationKind.Group, Version: "v1alpha1", Kind: kind}, "", "", func(c manifest.Change) {
				if c.Type == manifest.Added {
					select {
					case found <- struct{}{}:
					default:
					}
				}
			})
		})
	}
	ok := false
	select {
	case <-ctx.Done():
	case <-found:
		ok = true
	}
	stop()
	group.Wait()
	return ok
}
