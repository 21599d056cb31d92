package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/metrics"
	"github.com/sluice-delivery/sluice/internal/edge/probe"
	"github.com/sluice-delivery/sluice/internal/edge/traffic"
	"github.com/sluice-delivery/sluice/internal/engine/advance"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// controllerOptions are the flags of `sluice controller`.
type controllerOptions struct {
	target
	only          string
	instance      string
	workers       int
	prometheus    string
	instead       string         // where every Prometheus metric is asked, "" where it says
	router        advance.Router // nil: the objects that a rollout's trafficRouting names
	jobNamespace  string
	elect         bool
	metrics       metricsFlags
	metricsGiven  bool              // --metrics is; "" serves none
	exporter      *metrics.Exporter // nil where nobody asks
	electionPlace string
	verbose       bool

	applicationNamespaces []string
}

// controllerHalf is one of the things that a controller reconciles, and what runs it until ctx ends.
type controllerHalf struct {
	name string
	lock string // the lease; Argo Rollouts' own name, so that never both work
	// metrics is where they are served unless told: the port of Argo's controller
	metrics string
	run     func(ctx context.Context, c *cluster.Cluster, o controllerOptions, log *slog.Logger) error
}

// controllerHalves are all that a controller reconciles.
func controllerHalves() []controllerHalf {
	return []controllerHalf{
		{"applications", "sluice-applications-controller-lock", "127.0.0.1:8082", runApplications},
		{"rollouts", "argo-rollouts-controller-lock", "127.0.0.1:8090", runRollouts},
	}
}

func newController(s *streams) *cobra.Command {
	var o controllerOptions
	var names []string
	for _, h := range controllerHalves() {
		names = append(names, h.name)
	}
	cmd := &cobra.Command{
		Use:   "controller",
		Short: "Reconcile the argoproj.io objects of a cluster, as Argo's controllers do",
		Long: `Reconcile the custom resources of argoproj.io that are in a cluster, as Argo's own controllers do, until it is
interrupted. Do not run it beside Argo's controllers on the same objects: give each a namespace or an instance id of its
own, or let them elect a leader (for rollouts, --leader-elect takes the lease that Argo Rollouts takes).

Metrics for Prometheus are served at 127.0.0.1:8082 for applications and 127.0.0.1:8090 for rollouts, where those ports are
free, or where --metrics says ('' serves none).

The definitions must be in the cluster: see 'sluice crd install'.`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.metricsGiven = cmd.Flags().Changed("metrics")
			return runController(cmd.Context(), s, o)
		},
	}
	o.cluster(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.namespace, "namespace", "n", "", "only the objects of this namespace; for applications Argo CD's own, which holds projects and settings (default: argocd)")
	f.StringSliceVar(&o.applicationNamespaces, "application-namespaces", nil, "also Applications of these namespaces: globs, or regular expressions between slashes")
	f.StringVar(&o.only, "only", "", "only reconcile "+strings.Join(names, " or "))
	f.StringVar(&o.instance, "instance-id", "", "only objects whose label argo-rollouts.argoproj.io/controller-instance-id has this value")
	f.IntVar(&o.workers, "workers", 10, "objects of a kind that are worked on at once")
	f.StringVar(&o.prometheus, "prometheus", os.Getenv("ARGO_ROLLOUTS_PROMETHEUS_ADDRESS"), "the address of metrics that name none")
	f.StringVar(&o.jobNamespace, "job-namespace", os.Getenv("ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE"), "where the Jobs of analyses are made (default: the analysis run's namespace)")
	f.BoolVar(&o.elect, "leader-elect", false, "work only while holding a lease, so that several may be started")
	f.StringVar(&o.electionPlace, "leader-election-namespace", "kube-system", "where the leases are")
	o.metrics.flags(cmd)
	f.BoolVarP(&o.verbose, "verbose", "v", false, "tell of conflicts and tries too")
	_ = cmd.RegisterFlagCompletionFunc("only", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func runController(ctx context.Context, s *streams, o controllerOptions) error {
	halves := controllerHalves()
	if o.only != "" {
		at := slices.IndexFunc(halves, func(h controllerHalf) bool { return h.name == o.only })
		if at < 0 {
			return fault.New(codeUsage, "--only %s: there is no such half", o.only).WithHint("the halves are applications and rollouts")
		}
		halves = halves[at : at+1]
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: level}))
	c, err := cluster.OpenWith(o.kubeconfig, o.context, cluster.Options{QPS: 100, Burst: 200})
	if err != nil {
		return err
	}
	if err := o.serveHalves(ctx, halves, log); err != nil {
		return err
	}
	version := ""
	if err := persist(ctx, log, func() (err error) {
		version, err = c.Version(ctx)
		return cluster.Fault(c.Server, err) // one that is not there at all is told at once
	}); err != nil {
		return err
	}
	log.Info("reconciling", "cluster", c.Server, "version", version, "namespace", o.namespace)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for _, h := range halves {
		group.Go(func() {
			log := log.With("half", h.name)
			if err := persist(ctx, log, func() error { return h.under(ctx, c, o, log) }); err != nil && ctx.Err() == nil {
				cancel(cluster.Fault(c.Server, err))
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil // it was asked to end
}

// persist does something until it ends in another way than by an error of the cluster that passes.
func persist(ctx context.Context, log *slog.Logger, do func() error) error {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		began := time.Now()
		err := do()
		if ctx.Err() != nil || !manifest.Passing(err) {
			return err
		}
		if time.Since(began) > time.Minute {
			wait = time.Second
		}
		log.Warn("it begins again: the cluster does not do what is asked", "error", err, "after", wait)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// under runs a half, while it holds the lease where that is asked for.
func (h controllerHalf) under(ctx context.Context, c *cluster.Cluster, o controllerOptions, log *slog.Logger) error {
	if !o.elect {
		return h.run(ctx, c, o, log)
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context}).ClientConfig()
	if err != nil {
		return err
	}
	leases, err := coordination.NewForConfig(config)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan error, 1)
	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Name: h.lock, Namespace: o.electionPlace}, Client: leases,
			LockConfig: resourcelock.ResourceLockConfig{Identity: fmt.Sprintf("%s_sluice_%d", host, os.Getpid())},
		},
		LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				log.Info("leading")
				err := h.run(ctx, c, o, log)
				ended <- err
				cancel(err)
			},
			OnStoppedLeading: func() {},
		},
	})
	select {
	case err = <-ended:
	default:
	}
	if err == nil || errors.Is(err, context.Canceled) {
		if context.Cause(ctx) == nil {
			return errors.New("the lease " + h.lock + " was lost")
		}
	}
	return err
}

// runRollouts reconciles Rollouts, AnalysisRuns and Experiments.
func runRollouts(ctx context.Context, c *cluster.Cluster, o controllerOptions, log *slog.Logger) error {
	named := c.Named("rollouts-controller")
	kinds, err := named.Kinds(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(kinds, func(d manifest.Discovered) bool { return d.Kind == advance.Rollouts }) {
		return fault.New(advance.CodeKind, "the cluster %s does not define Rollout (argoproj.io/v1alpha1)", c.Server).
			WithHint("sluice crd install defines it")
	}
	if o.exporter != nil {
		named = named.Counted(o.exporter.RolloutsAsked)
	}
	cache := advance.NewCache(named, o.namespace)
	if o.router == nil {
		o.router = traffic.Driver{Cluster: cache}
	}
	return metered(advance.Config{
		Cluster: cache, Router: o.router,
		Probe:     &probe.Probe{Cluster: cache, Prometheus: o.prometheus, Instead: o.instead, JobNamespace: o.jobNamespace},
		Namespace: o.namespace, Instance: o.instance, Workers: o.workers, Log: log,
	}, o.exporter).Run(ctx)
}
