package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/metrics"
	"github.com/sluice-delivery/sluice/internal/engine/advance"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/engine/loop"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// metricsFlags say what is told to a Prometheus, and where.
type metricsFlags struct {
	address            string
	labels, conditions []string
}

func (f *metricsFlags) flags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.address, "metrics", "", "serve metrics for Prometheus at this address, under /metrics, and /healthz (for example 127.0.0.1:8082)")
	fl.StringSliceVar(&f.labels, "metrics-application-labels", nil, "labels of Applications that argocd_app_labels shows")
	fl.StringSliceVar(&f.conditions, "metrics-application-conditions", nil, "conditions of Applications that argocd_app_condition counts")
}

// serve serves metrics until ctx ends, and returns them; nil where none are asked for.
func (f metricsFlags) serve(ctx context.Context, say func(string)) (*metrics.Exporter, error) {
	if f.address == "" {
		if len(f.labels)+len(f.conditions) > 0 {
			return nil, fault.New(codeUsage, "metrics are chosen and served nowhere").WithHint("say where with --metrics ADDRESS")
		}
		return nil, nil
	}
	e := f.exporter()
	if err := serveMetrics(ctx, e, f.address, say); err != nil {
		return nil, fault.New(codeUsage, "--metrics %s: %v", f.address, err).WithHint("give HOST:PORT, or :PORT for all addresses")
	}
	return e, nil
}

func (f metricsFlags) exporter() *metrics.Exporter {
	return metrics.New(metrics.Options{Version: versionText(), Labels: f.labels, Conditions: f.conditions})
}

// serveMetrics serves metrics at an address until ctx ends.
func serveMetrics(ctx context.Context, e *metrics.Exporter, address string, say func(string)) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s := &http.Server{Handler: e.Handler(), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	go func() { _ = s.Serve(l) }()
	say("metrics at http://" + l.Addr().String() + "/metrics")
	return nil
}

// serveHalves serves metrics where they are asked for; where nothing is said, at the ports of Argo's controllers on this
// machine alone, as far as they are free.
func (o *controllerOptions) serveHalves(ctx context.Context, halves []controllerHalf, log *slog.Logger) (err error) {
	say := func(where string) { log.Info(where) }
	if o.metricsGiven {
		o.exporter, err = o.metrics.serve(ctx, say)
		return err
	}
	o.exporter = o.metrics.exporter()
	for _, h := range halves {
		if err := serveMetrics(ctx, o.exporter, h.metrics, say); err != nil {
			log.Info("metrics are not served there: " + err.Error())
		}
	}
	return nil
}

// tallied is the cluster that Applications call https://kubernetes.default.svc, whose answers are counted.
func tallied(c *cluster.Cluster, e *metrics.Exporter) *cluster.Cluster {
	if e == nil {
		return c
	}
	return c.Counted(func(_ string, q *http.Request, code int) { e.ApplicationsAsked(cluster.InCluster, q, code) })
}

// metered is a manager of Rollouts that is counted.
func metered(c advance.Config, e *metrics.Exporter) *advance.Manager {
	if e == nil {
		return advance.New(c)
	}
	c.Meter = rolloutMeter{e.Rollouts}
	m := advance.New(c)
	e.Rollouts.See(m.Objects)
	return m
}

// measure has a controller of Applications and its ApplicationSets counted.
func (p *deliveryParts) measure(c *deliver.Controller) {
	if p.exporter == nil {
		return
	}
	c.Meter = appMeter{p.exporter.Applications}
	p.exporter.Applications.See(metrics.Seen{
		Applications: func() []metrics.App {
			return mapped(c.Applications(), func(s deliver.Seen) metrics.App { return metrics.App(s) })
		},
		Sets: func() []metrics.Set {
			s := p.running.Load()
			if s == nil {
				return nil
			}
			return mapped(s.All(), func(s deliver.SeenSet) metrics.Set { return metrics.Set(s) })
		},
		Clusters: func() []metrics.Cluster { return p.places.seen(c) },
	})
}

// seen are the clusters in use, as metrics tell of them.
func (p *places) seen(c *deliver.Controller) []metrics.Cluster {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []metrics.Cluster
	for server, o := range p.opened {
		s := o.state.Stats()
		out = append(out, metrics.Cluster{
			Server: server, Name: o.name, Version: c.Version(o.cluster), Objects: s.Objects, Kinds: s.Kinds, Age: s.Age, Events: s.Events,
		})
	}
	return out
}

func mapped[A, B any](all []A, f func(A) B) []B {
	out := make([]B, len(all))
	for i, a := range all {
		out[i] = f(a)
	}
	return out
}

// appMeter fills engine/deliver's port.
type appMeter struct{ *metrics.Applications }

func (m appMeter) Queue(name string, load func() loop.Load) loop.Meter {
	return m.Applications.Queue(name, func() metrics.Load { return metrics.Load(load()) })
}

func (m appMeter) Compared(app deliver.Seen, took time.Duration) {
	m.Applications.Compared(metrics.App(app), took)
}

func (m appMeter) Ended(app deliver.Seen, s application.OperationState) {
	m.Applications.Ended(metrics.App(app), s)
}

// rolloutMeter fills engine/advance's port.
type rolloutMeter struct{ *metrics.Rollouts }

func (m rolloutMeter) Queue(name string, load func() loop.Load) loop.Meter {
	return m.Rollouts.Queue(name, func() metrics.Load { return metrics.Load(load()) })
}
