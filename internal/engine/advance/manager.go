package advance

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/engine/loop"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The kinds that this engine moves.
var (
	Rollouts         = argo("Rollout")
	Runs             = argo("AnalysisRun")
	Experiments      = argo("Experiment")
	Templates        = argo("AnalysisTemplate")
	ClusterTemplates = argo("ClusterAnalysisTemplate")
	replicaSets      = manifest.Kind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}
	services         = manifest.Kind{Version: "v1", Kind: "Service"}
	pods             = manifest.Kind{Version: "v1", Kind: "Pod"}
	secrets          = manifest.Kind{Version: "v1", Kind: "Secret"}
	jobs             = manifest.Kind{Group: "batch", Version: "v1", Kind: "Job"}
	evictions        = manifest.Kind{Group: "policy", Version: "v1", Kind: "Eviction"}
)

func argo(kind string) manifest.Kind {
	return manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: kind}
}

// instanceLabel limits an object to the controller that was started with its value.
const instanceLabel = "argo-rollouts.argoproj.io/controller-instance-id"

// runUID is on the Jobs of measurements.
const runUID = "analysisrun.argoproj.io/uid"

// Config is what a Manager works with. Router, Probe and Clock may be nil: no traffic is routed, nothing is measured, the
// system's time counts.
type Config struct {
	Cluster   *Cache
	Router    Router
	Probe     Probe
	Namespace string // the only one looked at, "" for all
	Instance  string // only objects whose controller-instance-id label has this value; "" for those without
	Workers   int    // rollouts worked on at once, 10 where it is 0
	Readings  int    // measurements taken at once, 50 where it is 0
	Clock     func() time.Time
	Meter     Meter // may be nil
	Log       *slog.Logger
}

// Manager moves Rollouts, AnalysisRuns and Experiments of one cluster on.
type Manager struct {
	Config
	rollouts, runs, experiments *loop.Loop[place]
	deployments                 *loop.Loop[place] // those that are shipped by a Rollout made for them
	events                      *recorder
	index                       index
	flights                     flights
	seen                        sync.Map // UIDs of rollouts that were told of
	whole                       sync.Map // kinds whose status is no subresource
	watched                     sync.Map // kinds that are watched because a rollout names one
	group                       sync.WaitGroup
}

// New is a manager, not yet at work.
func New(c Config) *Manager {
	if c.Workers == 0 {
		c.Workers = 10
	}
	if c.Readings == 0 {
		c.Readings = 50
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	m := &Manager{
		Config: c, rollouts: loop.New[place](), runs: loop.New[place](), experiments: loop.New[place](), deployments: loop.New[place](),
		events: newRecorder(c.Cluster, c.Log), index: newIndex(),
	}
	m.flights.limit = make(chan struct{}, c.Readings)
	for name, l := range map[string]*loop.Loop[place]{"Rollouts": m.rollouts, "AnalysisRuns": m.runs, "Experiments": m.experiments, "Deployments": m.deployments} {
		if c.Meter != nil {
			l.Meter = c.Meter.Queue(name, l.Load)
		}
	}
	m.rollouts.Failed = m.failed("Rollout")
	m.runs.Failed = m.failed("AnalysisRun")
	m.experiments.Failed = m.failed("Experiment")
	m.deployments.Failed = m.failed("Deployment")
	return m
}

func (m *Manager) failed(kind string) func(place, error, int, time.Duration) {
	return func(at place, err error, tries int, again time.Duration) {
		level := slog.LevelWarn
		if manifest.Is(err, manifest.ReasonConflict) && tries < 3 {
			level = slog.LevelDebug // somebody else wrote in between
		}
		if p, ok := errors.AsType[*loop.Panic](err); ok {
			m.Log.Error(p.Error(), "kind", kind, "namespace", at.namespace, "name", at.name, "stack", string(p.Stack))
			return
		}
		m.Log.Log(context.Background(), level, err.Error(), "kind", kind, "namespace", at.namespace, "name", at.name, "tries", tries, "again", again.Round(time.Millisecond))
	}
}

// Run watches and works until ctx ends; then it waits for what is under way and returns ctx's cause. It changes nothing
// before it knows what is there.
func (m *Manager) Run(ctx context.Context) error {
	var background sync.WaitGroup
	recording, stop := context.WithCancel(context.WithoutCancel(ctx))
	background.Go(func() { m.events.run(recording) })
	m.watchAll(ctx)
	var work sync.WaitGroup
	if ctx.Err() == nil {
		work.Go(func() { _ = m.rollouts.Run(ctx, m.Workers, m.measured(Rollouts, m.advance)) })
		work.Go(func() { _ = m.runs.Run(ctx, m.Workers, m.measured(Runs, m.analyse)) })
		work.Go(func() { _ = m.experiments.Run(ctx, m.Workers, m.measured(Experiments, m.experiment)) })
		work.Go(func() { _ = m.deployments.Run(ctx, m.Workers, m.adopt) })
	}
	<-ctx.Done()
	work.Wait()
	m.group.Wait()
	stop()
	background.Wait()
	return context.Cause(ctx)
}

// mine reports whether an object is for this controller.
func (m *Manager) mine(o manifest.Object) bool {
	return o.Labels()[instanceLabel] == m.Instance && (m.Namespace == "" || o.Namespace() == m.Namespace)
}

func (m *Manager) tell(about manifest.Object, reason, message string, warning bool) {
	if m.Meter != nil {
		m.Meter.Told(about, warning, reason)
	}
	m.events.tell(told{about: about, reason: reason, message: message, warning: warning, at: m.Clock()})
}
