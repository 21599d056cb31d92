package deliver

import (
	"time"

	"github.com/sluice-delivery/sluice/internal/engine/loop"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Meter counts what a Controller and its Sets do. Its methods return at once and may be called from several goroutines.
type Meter interface {
	// Queue is asked once for each work queue; load is what it has to do whenever that is asked.
	Queue(name string, load func() loop.Load) loop.Meter
	Compared(app Seen, took time.Duration)
	Ended(app Seen, s application.OperationState)
	// Gone tells that an Application was deleted, or an ApplicationSet.
	Gone(kind manifest.Kind, namespace, name string)
	Generated(namespace, set string, took time.Duration)
}

// The names of work queues, those of Argo CD.
const (
	appQueue = "app_reconciliation_queue"
	setQueue = "applicationset"
)

// Seen is an Application as the controller holds it. The object must not be changed.
type Seen struct {
	Object    manifest.Object
	Automatic bool   // its syncs begin by themselves
	Server    string // of the destination; "" while that is not known
	Orphans   int    // objects of nobody in its namespace, by the last comparison that looked for them
}

// SeenSet is an ApplicationSet as Sets hold it.
type SeenSet struct {
	Namespace, Name string
	Updated         string // the reason of its condition ResourcesUpToDate, "" where it has none
	Owned           int    // Applications in its status
}

// Applications are those that the controller reconciles.
func (c *Controller) Applications() []Seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Seen, 0, len(c.apps))
	for _, e := range c.apps {
		if c.mine(e.object) {
			out = append(out, Seen{e.object, automated(e.object) != nil, e.server, e.orphans})
		}
	}
	return out
}

// Version is the version of a cluster that Applications go to, as it was asked last; "" before.
func (c *Controller) Version(of Cluster) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cat := c.catalogs[of]; cat != nil {
		return cat.version
	}
	return ""
}

// seen is an Application as it is told to the meter.
func (c *Controller) seen(o manifest.Object) Seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := Seen{Object: o, Automatic: automated(o) != nil}
	if e := c.apps[name{o.Namespace(), o.Name()}]; e != nil {
		out.Server, out.Orphans = e.server, e.orphans
	}
	return out
}

// goes notes where an Application goes.
func (c *Controller) goes(e *entry, server string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.server = server
}

// leaves notes how many objects of nobody a comparison found.
func (c *Controller) leaves(e *entry, orphans int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.orphans = orphans
}

// All are the ApplicationSets that are reconciled.
func (s *Sets) All() []SeenSet {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]SeenSet, 0, len(s.sets))
	for key, e := range s.sets {
		out = append(out, SeenSet{key.namespace, key.name, e.updated, e.owned})
	}
	return out
}
