package advance

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// patience is how long the start waits for the first lists.
const patience = 30 * time.Second

// ref is an object that others name: a Service, a template, an Ingress.
type ref struct {
	kind string // without group and version: kinds of one name do not meet here
	place
}

// index is who names what.
type index struct {
	mu    *sync.Mutex
	users map[ref]map[place]bool
	uses  map[place][]ref
}

func newIndex() index {
	return index{mu: &sync.Mutex{}, users: map[ref]map[place]bool{}, uses: map[place][]ref{}}
}

// set says what a rollout names now.
func (i index) set(user place, refs []ref) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, r := range i.uses[user] {
		delete(i.users[r], user)
		if len(i.users[r]) == 0 {
			delete(i.users, r)
		}
	}
	delete(i.uses, user)
	if len(refs) == 0 {
		return
	}
	i.uses[user] = refs
	for _, r := range refs {
		if i.users[r] == nil {
			i.users[r] = map[place]bool{}
		}
		i.users[r][user] = true
	}
}

func (i index) of(r ref) []place {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []place
	for user := range i.users[r] {
		out = append(out, user)
	}
	return out
}

// watchAll begins the watches that are always on and waits for what is there.
func (m *Manager) watchAll(ctx context.Context) {
	var ready sync.WaitGroup
	for _, w := range []struct {
		kind     manifest.Kind
		cluster  bool
		selector string
		tell     func(manifest.Change)
	}{
		{Rollouts, false, "", m.rolloutChanged},
		{replicaSets, false, "", m.ownedChanged},
		{Runs, false, "", m.runChanged},
		{Experiments, false, "", m.experimentChanged},
		{services, false, "", m.namedChanged},
		{Templates, false, "", m.namedChanged},
		{ClusterTemplates, true, "", m.namedChanged},
		{jobs, false, runUID, m.jobChanged},
		{deployments, false, "", m.deploymentChanged},
	} {
		namespace := m.Namespace
		if w.cluster {
			namespace = ""
		}
		ready.Add(1)
		known := sync.OnceFunc(ready.Done)
		m.group.Go(func() { m.Cluster.follow(ctx, m.Log, w.kind, namespace, w.selector, known, w.tell) })
	}
	all := make(chan struct{})
	m.watched.Store(deployments, all)
	m.group.Go(func() {
		ready.Wait()
		close(all)
	})
	select {
	case <-all:
	case <-ctx.Done():
	case <-time.After(patience):
		m.Log.Warn("the first lists take long; what is not known yet is read from the cluster")
	}
}

// watchNamed begins the watch of a kind that a rollout names and waits for the first list. Later changes bring the
// rollouts that name the object.
func (m *Manager) watchNamed(ctx context.Context, kind manifest.Kind) {
	done := make(chan struct{})
	was, on := m.watched.LoadOrStore(kind, done)
	if !on {
		known := sync.OnceFunc(func() { close(done) })
		// The watch outlives the rollout that asked for it; it ends with the loop that ctx belongs to.
		m.group.Go(func() { m.Cluster.follow(ctx, m.Log, kind, m.Namespace, "", known, m.namedChanged) })
	} else {
		done = was.(chan struct{})
	}
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(patience):
	}
}

func at(o manifest.Object) place { return place{o.Namespace(), o.Name()} }

func (m *Manager) rolloutChanged(c manifest.Change) {
	o := c.Object
	if c.Type != manifest.Deleted && !m.mine(o) {
		return
	}
	if _, known := m.seen.LoadOrStore(o.UID(), true); !known && c.Type == manifest.Added {
		m.tell(o, "RolloutAddedToInformer", fmt.Sprintf("Rollout resource added to informer: %s/%s", o.Namespace(), o.Name()), false)
	}
	if c.Type == manifest.Deleted {
		m.seen.Delete(o.UID())
		m.gone(Rollouts, o)
	}
	if o.Annotation(rollout.MadeAnnotation) != "" {
		m.deployments.Add(at(o))
	}
	m.rollouts.Add(at(o))
}

// ownedChanged brings the controller of an object.
func (m *Manager) ownedChanged(c manifest.Change) {
	w, ok := c.Object.Controller()
	if !ok {
		return
	}
	owner := place{c.Object.Namespace(), w.Name}
	switch w.Kind {
	case "Rollout":
		m.rollouts.Add(owner)
	case "Experiment":
		m.experiments.Add(owner)
	}
}

func (m *Manager) runChanged(c manifest.Change) {
	if c.Type == manifest.Deleted {
		m.flights.forget(c.Object.UID())
		m.gone(Runs, c.Object)
	} else if m.mine(c.Object) {
		m.runs.Add(at(c.Object))
	}
	m.ownedChanged(c)
}

func (m *Manager) experimentChanged(c manifest.Change) {
	if c.Type == manifest.Deleted {
		m.gone(Experiments, c.Object)
	} else if m.mine(c.Object) {
		m.experiments.Add(at(c.Object))
	}
	m.ownedChanged(c)
}

func (m *Manager) jobChanged(c manifest.Change) {
	name := c.Object.Annotation("analysisrun.argoproj.io/name")
	namespace := c.Object.Annotation("analysisrun.argoproj.io/namespace")
	if name != "" {
		m.runs.Add(place{namespace, name})
	}
}

// namedChanged brings those that name an object.
func (m *Manager) namedChanged(c manifest.Change) {
	o := c.Object
	for _, user := range m.index.of(ref{o.Text("kind"), at(o)}) {
		m.rollouts.Add(user)
	}
}
