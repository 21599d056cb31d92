package main

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// runApplications is the applications half of `sluice controller`.
func runApplications(ctx context.Context, c *cluster.Cluster, o controllerOptions, log *slog.Logger) error {
	named := c.Named("argocd-controller")
	kinds, err := named.Kinds(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(kinds, func(d manifest.Discovered) bool { return d.Kind == applicationKind }) {
		if o.only == "" {
			log.Warn("the cluster does not define Application: none is reconciled (sluice crd install defines it)")
			return nil
		}
		return fault.New(codeUnserved, "the cluster %s does not define Application (argoproj.io/v1alpha1)", c.Server).WithHint("sluice crd install defines it")
	}
	named = tallied(named, o.exporter)
	dir, err := stateHome()
	if err != nil {
		return err
	}
	po := partsOptions{home: named, here: named, dir: dir, namespace: o.namespace, settings: true, exporter: o.exporter, warn: func(app string, f *fault.Fault) {
		log.Warn(f.Message, "application", app, "code", f.Code)
	}}
	p, err := newDeliveryParts(ctx, po)
	if err != nil {
		return err
	}
	defer p.close()
	ac := p.controller(named)
	ac.Workers = o.workers
	ac.Tell = func(t deliver.Told) { log.Info(t.Message, "application", t.Namespace+"/"+t.Name, "reason", t.Reason) }
	ac.Failed = func(namespace, name string, err error) {
		log.Debug("tried again", "application", namespace+"/"+name, "error", err)
	}
	write, done := journal(dir, func(err error) { log.Warn("the journal of drift cannot be written", "error", err) })
	defer done()
	ac.Journal = write
	ac.Namespaces = append(ac.Namespaces, o.applicationNamespaces...)
	ac.Prepare()
	var group sync.WaitGroup
	defer group.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group.Go(func() { p.follow(ctx, ac) })
	group.Go(func() { p.controllerSets(ctx, named, o, log) })
	group.Go(func() { lean(ctx) })
	group.Go(func() { p.watchSources(ctx, ac.Repositories, func(repo string) { ac.Moved(sourceAt(repo)) }) })
	return ac.Run(ctx)
}
