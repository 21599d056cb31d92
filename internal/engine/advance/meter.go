package advance

import (
	"context"
	"time"

	"github.com/sluice-delivery/sluice/internal/engine/loop"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Meter counts what a Manager does. Its methods return at once and may be called from several goroutines.
type Meter interface {
	// Queue is asked once for each work queue; load is what it has to do whenever that is asked.
	Queue(name string, load func() loop.Load) loop.Meter
	// Worked tells of one pass over an object of Rollouts, Runs or Experiments that is there.
	Worked(kind manifest.Kind, namespace, name string, took time.Duration, err error)
	// Gone tells that there is no such object any more.
	Gone(kind manifest.Kind, namespace, name string)
	Told(about manifest.Object, warning bool, reason string)
}

// measured is a handle whose passes are counted.
func (m *Manager) measured(kind manifest.Kind, handle loop.Handle[place]) loop.Handle[place] {
	if m.Meter == nil {
		return handle
	}
	return func(ctx context.Context, key place) (time.Duration, error) {
		began := time.Now()
		after, err := handle(ctx, key)
		if _, gone := m.Cluster.Get(ctx, kind, key.namespace, key.name); !manifest.NotFound(gone) {
			m.Meter.Worked(kind, key.namespace, key.name, time.Since(began), err)
		}
		return after, err
	}
}

// gone tells the meter that an object was deleted.
func (m *Manager) gone(kind manifest.Kind, o manifest.Object) {
	if m.Meter != nil {
		m.Meter.Gone(kind, o.Namespace(), o.Name())
	}
}

// Objects are those of a kind as they were seen last: of Rollouts, Runs and Experiments those that this manager moves, of
// Templates and ClusterTemplates all.
func (m *Manager) Objects(kind manifest.Kind) []manifest.Object {
	s := m.Cluster.shelf(kind, "")
	if s == nil {
		return nil
	}
	if kind == Templates || kind == ClusterTemplates {
		return s.list(func(manifest.Object) bool { return true })
	}
	return s.list(m.mine)
}
