package deliver

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/engine/loop"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

var setKind = manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "ApplicationSet"}

// Defaults of Sets, those of Argo CD's ApplicationSet controller.
const (
	DefaultMostResources = 5000
	defaultSetWorkers    = 4
)

// Sets reconciles ApplicationSets: it asks their generators, makes, changes and removes their Applications, and rolls changes
// out in their steps. Home, Clusters and World must be set; the zero value of the rest works.
type Sets struct {
	// Home holds the ApplicationSets, their Applications and the projects.
	Home Cluster
	// Clusters finds destinations.
	Clusters Clusters
	// World answers the generators of a set. fresh asks servers whatever they said a moment ago.
	World func(ctx context.Context, set applicationset.Set, fresh bool) applicationset.World
	// Namespace holds projects and ApplicationSets; DefaultNamespace unless told.
	Namespace string
	// Namespaces are those of further ApplicationSets, as in Controller.
	Namespaces []string
	// Policy is what sets may do.
	Policy applicationset.Policy
	// Interval is how often git generators are asked that say nothing of it; applicationset.AfterGit unless told, negative for
	// never.
	Interval time.Duration
	// MostResources is how many Applications a status lists; DefaultMostResources unless told, less than 0 for all.
	MostResources int
	// DryRun changes no Application.
	DryRun bool
	// NoRolling treats the strategy RollingSync as AllAtOnce, as Argo CD does where progressive syncs are not enabled.
	NoRolling bool
	// Workers is how many sets are worked on at once.
	Workers int
	// Clock is the time.
	Clock Clock
	// Tell is told what happens, from several goroutines; it may be nil.
	Tell func(Told)
	// Failed is told of what could not be done and is tried again; it may be nil.
	Failed func(namespace, name string, err error)
	// Meter counts; it may be nil.
	Meter Meter

	queue *loop.Loop[name]

	mu   sync.Mutex
	sets map[name]*setEntry
	apps map[name]appMark
	made map[name]generated
	turn map[name]int // counts what made the generators' last answers old
}

// generated is what the generators of a set gave. It is used again until their next turn where a reconciliation comes from
// something else, so that forges are not asked whenever an Application changes.
type generated struct {
	uid        string
	generation int64
	at         time.Time
	params     []applicationset.Params
}

// setEntry is what is held of one ApplicationSet.
type setEntry struct {
	generation int64
	refresh    string
	deleting   bool
	clusters   bool     // a generator of it asks for clusters
	repos      []string // that its generators ask
	steps      bool     // its Applications' statuses matter
	order      map[string]string
	updated    string // the reason of its condition ResourcesUpToDate
	owned      int    // Applications in its status
}

// appMark is what of an Application a set looks at.
type appMark struct {
	set    string
	fields manifest.Object
	status string
}

func (s *Sets) defaults() {
	s.Namespace = orText(s.Namespace, DefaultNamespace)
	s.Interval = orSpan(s.Interval, applicationset.AfterGit)
	if s.MostResources == 0 {
		s.MostResources = DefaultMostResources
	}
	if s.Workers < 1 {
		s.Workers = defaultSetWorkers
	}
	if s.Clock == nil {
		s.Clock = time.Now
	}
}

// Prepare makes it ready to be told of changes before Run; Run calls it where nobody did.
func (s *Sets) Prepare() {
	if s.queue != nil {
		return
	}
	s.defaults()
	s.queue = loop.New[name]()
	s.sets, s.apps, s.made = map[name]*setEntry{}, map[name]appMark{}, map[name]generated{}
	s.turn = map[name]int{}
	if s.Meter != nil {
		s.queue.Meter = s.Meter.Queue(setQueue, s.queue.Load)
	}
	s.queue.Failed = func(key name, err error, _ int, _ time.Duration) {
		if s.Failed != nil {
			s.Failed(key.namespace, key.name, err)
		}
	}
}

// Run reconciles until ctx ends, then waits for what is at work and returns ctx's cause. It ends with an error where the
// cluster does not define ApplicationSets.
func (s *Sets) Run(ctx context.Context) error {
	s.Prepare()
	ctx, stop := context.WithCancelCause(ctx)
	var group sync.WaitGroup
	defer func() {
		stop(nil)
		group.Wait()
	}()
	space := s.Namespace
	if len(s.Namespaces) > 0 {
		space = ""
	}
	group.Go(func() { stop(s.Home.Watch(ctx, applicationKind, space, "", s.applicationChanged)) })
	group.Go(func() { stop(s.Home.Watch(ctx, setKind, space, "", s.setChanged)) })
	group.Go(func() {
		err := s.Home.Watch(ctx, secretKind, s.Namespace, "argocd.argoproj.io/secret-type=cluster", s.clusterChanged)
		if ctx.Err() == nil && err != nil && s.Failed != nil {
			s.Failed(s.Namespace, "", errors.Join(errors.New("the Secrets of clusters are not watched"), err))
		}
	})
	return s.queue.Run(ctx, s.Workers, s.handle)
}

func (s *Sets) allowed(namespace string) bool {
	return namespace == s.Namespace || within(s.Namespaces, namespace)
}

func (s *Sets) setChanged(ch manifest.Change) {
	o := ch.Object
	key := name{o.Namespace(), o.Name()}
	if ch.Type == manifest.Bookmark || !s.allowed(key.namespace) {
		return
	}
	if ch.Type == manifest.Deleted {
		s.mu.Lock()
		delete(s.sets, key)
		delete(s.made, key)
		delete(s.turn, key)
		s.mu.Unlock()
		if s.Meter != nil {
			s.Meter.Gone(setKind, key.namespace, key.name)
		}
		return
	}
	next := markOf(o)
	s.mu.Lock()
	was := s.sets[key]
	s.sets[key] = next
	s.mu.Unlock()
	// A status that was written is no reason to look again.
	if was == nil || was.generation != next.generation || !maps.Equal(was.order, next.order) || was.generation == 0 || next.deleting || next.refresh != "" && was.refresh != next.refresh {
		s.queue.Add(key)
	}
}

// markOf is what is to be known of a set when something else changes.
func markOf(o manifest.Object) *setEntry {
	e := &setEntry{generation: o.Int(0, "metadata", "generation"), deleting: o.Deleting()}
	if text, ok := o.Annotations()[setRefreshAnnotation]; ok {
		e.refresh = text + "!"
	}
	e.steps = o.Text("spec", "strategy", "type") == "RollingSync"
	e.owned = len(o.List("status", "resources"))
	for _, c := range o.List("status", "conditions") {
		if m, _ := c.(map[string]any); m["type"] == applicationset.ResourcesUpToDate {
			e.updated, _ = m["reason"].(string)
		}
	}
	e.order = o.Annotations()
	maps.DeleteFunc(e.order, func(k, _ string) bool { return !strings.HasPrefix(k, "sluice.dev/") })
	var walk func(list []any)
	walk = func(list []any) {
		for _, g := range list {
			m, _ := g.(map[string]any)
			gen := manifest.Object(m)
			e.clusters = e.clusters || gen["clusters"] != nil
			if repo := gen.Text("git", "repoURL"); repo != "" {
				e.repos = append(e.repos, repo)
			}
			walk(gen.List("matrix", "generators"))
			walk(gen.List("merge", "generators"))
		}
	}
	walk(o.List("spec", "generators"))
	return e
}

// setRefreshAnnotation asks for a reconciliation that asks every server anew.
const setRefreshAnnotation = "argocd.argoproj.io/application-set-refresh"

// applicationChanged looks again at the set of an Application where something changed that the set wrote, or that its
// rollout goes by.
func (s *Sets) applicationChanged(ch manifest.Change) {
	o := ch.Object
	key := name{o.Namespace(), o.Name()}
	if ch.Type == manifest.Bookmark || !s.allowed(key.namespace) {
		return
	}
	owner, ok := o.Controller()
	if ok && owner.Kind != setKind.Kind {
		ok = false
	}
	s.mu.Lock()
	was, had := s.apps[key]
	mark := appMark{}
	if ok {
		mark = appMark{set: owner.Name, fields: fieldsOf(o), status: statusOf(o)}
	}
	switch {
	case ch.Type == manifest.Deleted:
		delete(s.apps, key)
	case ok:
		s.apps[key] = mark
	case had:
		delete(s.apps, key)
	}
	of := name{key.namespace, mark.set}
	if !ok {
		of.name = was.set
	}
	e := s.sets[of]
	again := e != nil && (ch.Type == manifest.Deleted || had && !reflect.DeepEqual(was.fields, mark.fields) || had && e.steps && was.status != mark.status || !had && e.steps)
	s.mu.Unlock()
	if again {
		s.queue.AddAfter(of, settle)
	}
}

// fieldsOf is what a set writes of an Application.
func fieldsOf(o manifest.Object) manifest.Object {
	return manifest.Object{
		"spec": o["spec"], "labels": map[string]any(o.Sub("metadata", "labels")), "annotations": map[string]any(o.Sub("metadata", "annotations")),
		"finalizers": o.List("metadata", "finalizers"), "deleting": o.Deleting(),
	}
}

// statusOf is what a rollout goes by.
func statusOf(o manifest.Object) string {
	return strings.Join([]string{
		o.Text("status", "health", "status"), o.Text("status", "sync", "status"), o.Text("status", "sync", "revision"),
		o.Text("status", "operationState", "phase"), o.Text("status", "operationState", "startedAt"),
	}, " ")
}

// clusterChanged looks again at all sets that ask for clusters.
func (s *Sets) clusterChanged(ch manifest.Change) {
	if ch.Type == manifest.Bookmark {
		return
	}
	s.again(func(e *setEntry) bool { return e.clusters })
}

// Moved asks every set anew that asks a repository for which the function is true: it moved on.
func (s *Sets) Moved(is func(repoURL string) bool) {
	s.again(func(e *setEntry) bool { return slices.ContainsFunc(e.repos, is) })
}

// Repositories are those that the generators of sets ask, each once, in order.
func (s *Sets) Repositories() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, e := range s.sets {
		out = append(out, e.repos...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// again asks the generators of some sets anew.
func (s *Sets) again(which func(*setEntry) bool) {
	s.mu.Lock()
	var keys []name
	for key, e := range s.sets {
		if which(e) {
			delete(s.made, key)
			s.turn[key]++
			keys = append(keys, key)
		}
	}
	s.mu.Unlock()
	for _, key := range keys {
		s.queue.AddAfter(key, settle)
	}
}

// now is the time as statuses hold it.
func (s *Sets) now() time.Time { return s.Clock().UTC().Truncate(time.Second) }
