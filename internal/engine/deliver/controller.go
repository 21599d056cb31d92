package deliver

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-delivery/sluice/internal/engine/loop"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Defaults of a Controller, those of Argo CD (documentation page "argocd-cm.yaml example").
const (
	DefaultNamespace = "argocd"
	DefaultInterval  = 2 * time.Minute
	DefaultJitter    = time.Minute
	DefaultWorkers   = 4
)

// Controller reconciles Applications. Home, Clusters, Sources and Assess must be set; the zero value of the rest works.
type Controller struct {
	// Home holds the Applications, the projects and the Secrets that name clusters.
	Home Cluster
	// Clusters finds destinations.
	Clusters Clusters
	// Sources renders what is desired.
	Sources Sources
	// Assess gives what assesses the health of objects, those given and others; Status "" means that a kind has none.
	Assess func(ctx context.Context, objects []manifest.Object) (func(manifest.Object) application.Health, error)
	// Rules hold until Rule gives others.
	Rules
	// Namespace holds the projects, the clusters' Secrets and Applications; DefaultNamespace unless told.
	Namespace string
	// Namespaces are globs (or regular expressions between slashes) of further namespaces whose Applications are reconciled.
	Namespaces []string
	// SelfHeal is the wait between two self-healing syncs of the same revision.
	SelfHeal application.SelfHeal
	// WaveDelay is the pause between the waves of a sync: zero for Argo CD's 2 s, less for none.
	WaveDelay time.Duration
	// SyncTimeout ends an operation that takes longer; zero for never.
	SyncTimeout time.Duration
	// Workers is how many Applications are worked on at once.
	Workers int
	// Clock is the time.
	Clock Clock
	// Tell is told what happens, from several goroutines; it may be nil.
	Tell func(Told)
	// Journal keeps what drifted, before it is reverted; it may be nil.
	Journal func(Drift)
	// Failed is told of what could not be done and is tried again; it may be nil.
	Failed func(namespace, name string, err error)
	// Meter counts; it may be nil.
	Meter Meter

	queue       *loop.Loop[name]
	subresource atomic.Bool
	rules       atomic.Pointer[Rules]

	mu       sync.Mutex
	apps     map[name]*entry
	projects map[string]manifest.Object
	watched  map[State]bool
	catalogs map[Cluster]*catalog

	followers sync.WaitGroup
}

// name names an Application.
type name struct{ namespace, name string }

// entry is what the controller holds of one Application. Only the worker that has the Application reads or writes what
// stands below the line.
type entry struct {
	object  manifest.Object
	asked   level
	cancel  context.CancelFunc // of the step that is at work; nil where none is
	told    map[string]uint64  // what those that hold it were last told of it, by Application
	server  string             // where it goes, by its last comparison
	orphans int                // that its last comparison found

	running   *running
	undone    []application.Answer // of the last step of a deletion
	predicted map[manifest.Key]prediction
	written   map[manifest.Key]written
	due       time.Time // the next comparison by the clock
	again     time.Time // when to compare again though nothing changed: a sync may begin then
	drift     map[manifest.Key]string
}

// level is how much of a comparison is asked for, in rising order.
type level int

const (
	nothing level = iota
	recent        // with the revision that was resolved last
	latest        // with what the target revision means now
	forced        // and whatever was asked a moment ago
)

func (c *Controller) defaults() {
	c.Namespace = orText(c.Namespace, DefaultNamespace)
	if c.Workers < 1 {
		c.Workers = DefaultWorkers
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func orSpan(d, other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return d
}

// now is the time as statuses hold it: whole seconds of UTC.
func (c *Controller) now() time.Time { return c.Clock().UTC().Truncate(time.Second) }

// Prepare makes the controller ready to be told of changes before Run; Run calls it where nobody did.
func (c *Controller) Prepare() {
	if c.queue != nil {
		return
	}
	c.defaults()
	r := c.Rules
	r.complete()
	c.rules.Store(&r)
	c.queue = loop.New[name]()
	c.apps = map[name]*entry{}
	c.projects = map[string]manifest.Object{}
	c.watched = map[State]bool{}
	c.catalogs = map[Cluster]*catalog{}
	if c.Meter != nil {
		c.queue.Meter = c.Meter.Queue(appQueue, c.queue.Load)
	}
	c.queue.Failed = func(key name, err error, _ int, _ time.Duration) {
		if c.Failed != nil {
			c.Failed(key.namespace, key.name, err)
		}
	}
}

// Run reconciles until ctx ends, then waits for what is at work and returns ctx's cause.
func (c *Controller) Run(ctx context.Context) error {
	c.Prepare()
	ctx, stop := context.WithCancelCause(ctx)
	var group sync.WaitGroup
	defer func() {
		stop(nil)
		group.Wait()
		c.followers.Wait()
	}()
	group.Go(func() {
		stop(c.Home.Watch(ctx, projectKind, c.Namespace, "", c.projectChanged))
	})
	space := c.Namespace
	if len(c.Namespaces) > 0 {
		space = ""
	}
	group.Go(func() {
		stop(c.Home.Watch(ctx, applicationKind, space, "", c.applicationChanged))
	})
	return c.queue.Run(ctx, c.Workers, c.handle)
}

// mine reports whether an Application is this controller's to reconcile.
func (c *Controller) mine(o manifest.Object) bool {
	if skip, err := strconv.ParseBool(o.Annotation("argocd.argoproj.io/skip-reconcile")); err == nil && skip {
		return false
	}
	return c.allowed(o.Namespace())
}

func (c *Controller) allowed(namespace string) bool {
	return namespace == c.Namespace || within(c.Namespaces, namespace)
}

func (c *Controller) applicationChanged(ch manifest.Change) {
	o := ch.Object
	key := name{o.Namespace(), o.Name()}
	if ch.Type == manifest.Bookmark || !c.allowed(key.namespace) {
		return
	}
	if ch.Type == manifest.Deleted {
		if parent := c.tracking(application.Application{}).Owner(o); parent != "" {
			defer c.ask(c.named(parent), recent, 0)
		}
		c.mu.Lock()
		if e := c.apps[key]; e != nil {
			if e.cancel != nil {
				e.cancel()
			}
			if e.object.UID() == o.UID() {
				delete(c.apps, key)
				for state := range c.watched {
					if r, ok := state.(interface{ Release(app string) }); ok {
						defer r.Release(c.instance(o))
					}
				}
			}
		}
		c.mu.Unlock()
		if c.Meter != nil {
			c.Meter.Gone(applicationKind, key.namespace, key.name)
		}
		return
	}
	c.remember(o)
	c.queue.Add(key)
}

// remember keeps an Application as it was last seen; an older one than is held is passed over.
func (c *Controller) remember(o manifest.Object) {
	key := name{o.Namespace(), o.Name()}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.apps[key]
	if e == nil {
		e = &entry{}
		c.apps[key] = e
	}
	if e.object != nil && e.object.UID() == o.UID() && older(o.Revision(), e.object.Revision()) {
		return
	}
	if e.object != nil && e.object.UID() != o.UID() {
		e = &entry{} // the worker that has the old one keeps it to itself
		c.apps[key] = e
	}
	if e.object != nil && turnedOn(e.object, o) {
		e.asked = max(e.asked, latest)
	}
	e.object = o
	if o.Text("status", "operationState", "phase") == string(application.Terminating) && e.cancel != nil {
		e.cancel()
	}
}

// older compares two resourceVersions, which are numbers that grow (Kubernetes API concepts, since 1.35).
func older(a, b string) bool {
	x, err1 := strconv.ParseUint(a, 10, 64)
	y, err2 := strconv.ParseUint(b, 10, 64)
	return err1 == nil && err2 == nil && x < y
}

// turnedOn reports whether automatic syncs or self-healing came to be wanted.
func turnedOn(was, is manifest.Object) bool {
	a, b := automated(was), automated(is)
	return b != nil && (a == nil || b.SelfHeal && !a.SelfHeal)
}

func automated(o manifest.Object) *application.Automated {
	m := o.Sub("spec", "syncPolicy", "automated")
	if m == nil {
		return nil
	}
	var a application.Automated
	if m.Into(&a) != nil || a.Enabled != nil && !*a.Enabled {
		return nil
	}
	return &a
}

// projectChanged keeps projects and looks again at what refers to one.
func (c *Controller) projectChanged(ch manifest.Change) {
	if ch.Type == manifest.Bookmark {
		return
	}
	o := ch.Object
	c.mu.Lock()
	was := c.projects[o.Name()]
	if ch.Type == manifest.Deleted {
		delete(c.projects, o.Name())
	} else {
		c.projects[o.Name()] = o
	}
	var keys []name
	if was == nil || ch.Type == manifest.Deleted || was.Int(0, "metadata", "generation") != o.Int(0, "metadata", "generation") || o.Deleting() {
		for key, e := range c.apps {
			if c.globalProject(o) || orText(e.object.Text("spec", "project"), "default") == o.Name() {
				e.asked = max(e.asked, recent)
				keys = append(keys, key)
			}
		}
	}
	c.mu.Unlock()
	for _, key := range keys {
		c.queue.Add(key)
	}
}

// Ask asks for a comparison of one Application with what its sources hold now, at once.
func (c *Controller) Ask(namespace, appName string) { c.ask(name{namespace, appName}, latest, 0) }

// Moved asks for a comparison of every Application that has a source for which the function is true: a repository moved on.
func (c *Controller) Moved(is func(application.Source) bool) {
	c.mu.Lock()
	var keys []name
	for key, e := range c.apps {
		var spec application.Spec
		m := e.object.Sub("spec")
		if m != nil && m.Into(&spec) == nil && slices.ContainsFunc(spec.All(), is) {
			keys = append(keys, key)
		}
	}
	c.mu.Unlock()
	for _, key := range keys {
		c.ask(key, latest, 0)
	}
}

func (c *Controller) ask(key name, l level, after time.Duration) {
	c.mu.Lock()
	e := c.apps[key]
	if e != nil && after == 0 {
		e.asked = max(e.asked, l)
	}
	c.mu.Unlock()
	if e != nil {
		c.queue.AddAfter(key, after)
	}
}

// follow watches the live objects of a cluster, once for each.
func (c *Controller) follow(ctx context.Context, s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s == nil || c.watched[s] {
		return
	}
	c.watched[s] = true
	c.followers.Go(func() {
		_ = s.Changed(ctx, c.liveChanged)
		if ctx.Err() == nil {
			c.unfollow(s)
		}
	})
}

// unfollow looks again, soon, at every Application: a cache of live objects has ended, as it does when the Secret of its
// cluster changes, and who went by it goes by another from then on.
func (c *Controller) unfollow(s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.watched, s)
	for key, e := range c.apps {
		e.asked = max(e.asked, recent)
		c.queue.AddAfter(key, time.Second)
	}
}

// settle is how long live changes are gathered before they are looked at.
const settle = 100 * time.Millisecond

func (c *Controller) liveChanged(instance string, o manifest.Object) {
	if !c.news(instance, o) {
		return
	}
	key := c.named(instance)
	c.mu.Lock()
	e := c.apps[key]
	if e != nil {
		e.asked = max(e.asked, recent)
	}
	c.mu.Unlock()
	if e != nil {
		c.queue.AddAfter(key, settle)
	}
}

// news reports whether a change of an object can make another comparison of its application. Of an Application that
// another holds, a new time of its own comparison cannot (documentation page "Reconcile Optimization"): with many of them,
// each comparison of one would else be followed by one of all.
func (c *Controller) news(instance string, o manifest.Object) bool {
	if k := o.Kind(); k.Group != applicationKind.Group || k.Kind != applicationKind.Kind {
		return true
	}
	child, uid := name{o.Namespace(), o.Name()}, o.UID()
	sum := fingerprint(manifest.Object{
		"spec": o["spec"], "labels": o.Sub("metadata", "labels"), "annotations": o.Sub("metadata", "annotations"),
		"deleting": o.Deleting(), "sync": o.Text("status", "sync", "status"), "health": o.Text("status", "health", "status"),
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.apps[child]
	if e == nil || e.object.UID() != uid {
		return true // it is not ours, or it is new or gone
	}
	if old, told := e.told[instance]; told && old == sum {
		return false
	}
	if e.told == nil {
		e.told = map[string]uint64{}
	}
	e.told[instance] = sum
	return true
}

// interval is the wait until the next comparison by the clock; zero for never.
func (c *Controller) interval() time.Duration {
	switch r := c.rules.Load(); {
	case r.Interval < 0:
		return 0
	case r.Jitter <= 0:
		return r.Interval
	default:
		return r.Interval + rand.N(r.Jitter)
	}
}

// Repositories are the addresses of all Applications' sources, each once.
func (c *Controller) Repositories() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := map[string]bool{}
	for _, e := range c.apps {
		for _, repo := range repositories(e.object) {
			seen[repo] = true
		}
	}
	return sortedNames(seen)
}

// repositories are the addresses of an Application's sources, read without the rest of it.
func repositories(o manifest.Object) []string {
	out := []string{o.Text("spec", "source", "repoURL")}
	for _, s := range o.List("spec", "sources") {
		if m, ok := s.(map[string]any); ok {
			out = append(out, manifest.Object(m).Text("repoURL"))
		}
	}
	return slices.DeleteFunc(out, func(r string) bool { return r == "" })
}
