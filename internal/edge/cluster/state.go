package cluster

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Scope is which part of a cluster may be looked at; the zero value is all of it.
type Scope struct {
	Namespaces []string // a watch for each; none means one watch for all, or one for each namespace in use where that is forbidden
	Cluster    bool     // also what belongs to no namespace, where Namespaces are told
	Used       bool     // only the kinds that applications name, for who looks once: no other is looked at for marks
}

// State is the live cache of one cluster. It watches the kinds that applications use and those that such objects own, from
// the first time that one asks for them until none does, and keeps what belongs to an application in its JSON form; of
// everything else it keeps what names it and whose it is. Secrets are kept whole, in memory alone.
type State struct {
	api   API
	scope Scope
	ctx   context.Context
	stop  context.CancelFunc
	loops sync.WaitGroup

	mu          sync.Mutex
	served      map[manifest.Kind]manifest.Discovered
	asked       time.Time
	feeds       map[place]*feed
	uses        map[string][]place // of each application
	schemes     []application.Tracking
	wanted      map[manifest.Key]map[string]bool // the applications that render an object, marked or not
	byUID       map[string]*entry
	subscribers map[*subscriber]bool
	scouts      scouts
	since       time.Time // the first watch had told all that was there
	events      map[manifest.Kind]int
}

// Stats are what a State holds.
type Stats struct {
	Objects, Kinds int
	Age            time.Duration         // since it held a kind whole for the first time; less than 0 before
	Events         map[manifest.Kind]int // changes that were told after that, by kind without version
}

// Stats are what the cache holds now.
func (s *State) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Stats{Age: -1, Events: maps.Clone(s.events)}
	if !s.since.IsZero() {
		out.Age = time.Since(s.since)
	}
	kinds := map[manifest.Kind]bool{}
	for p, f := range s.feeds {
		out.Objects += len(f.entries)
		kinds[p.kind] = true
	}
	out.Kinds = len(kinds)
	return out
}

// place is what one watch follows: a kind in its version and a namespace, "" for all.
type place struct {
	kind      manifest.Kind
	namespace string
}

// NewState makes a cache that is empty until it is asked. Close ends its watches.
func NewState(api API, scope Scope) *State {
	s := &State{
		api: api, scope: scope, feeds: map[place]*feed{}, uses: map[string][]place{}, wanted: map[manifest.Key]map[string]bool{},
		byUID: map[string]*entry{}, subscribers: map[*subscriber]bool{}, events: map[manifest.Kind]int{},
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.loops.Go(s.sweep)
	return s
}

// Close ends the watches and waits for them.
func (s *State) Close() {
	s.stop()
	s.loops.Wait()
}

// Live is what the application tracks or wants, in the versions of kinds and in those where its mark was seen, and what those
// own. It waits until each kind has been read once. A kind that the cluster does not serve holds nothing; one that may not be
// read is a refusal. The objects are the caller's own.
func (s *State) Live(ctx context.Context, tracking application.Tracking, wanted []manifest.Key, kinds []manifest.Kind, namespaces []string) (application.Live, error) {
	s.adopt(tracking, wanted)
	own := mark(tracking)
	for {
		known := s.sighted(own, kinds)
		feeds, err := s.follow(ctx, tracking.App, known, namespaces)
		if err != nil {
			return application.Live{}, err
		}
		again, err := s.synced(ctx, feeds, len(namespaces) > 0)
		if err != nil {
			return application.Live{}, err
		}
		if err := s.lookedAll(ctx); err != nil {
			return application.Live{}, err
		}
		if again || len(s.sighted(own, kinds)) > len(known) {
			continue
		}
		return s.collect(ctx, tracking, wanted, feeds)
	}
}

// Release forgets an application: kinds that no other uses are watched no more.
func (s *State) Release(app string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, apps := range s.wanted {
		if delete(apps, app); len(apps) == 0 {
			delete(s.wanted, key)
		}
	}
	delete(s.uses, app)
	delete(s.scouts.seen, app)
	used := s.used()
	for p, f := range s.feeds {
		if !used[p] {
			s.drop(f)
		}
	}
}

// used are the places that an application asked for last.
func (s *State) used() map[place]bool {
	out := map[place]bool{}
	for _, ps := range s.uses {
		for _, p := range ps {
			out[p] = true
		}
	}
	return out
}

// adopt notes how an application marks its objects and which it renders.
func (s *State) adopt(t application.Tracking, wanted []manifest.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := t.App
	for key, apps := range s.wanted {
		if apps[app] && !slices.Contains(wanted, key) {
			if delete(apps, app); len(apps) == 0 {
				delete(s.wanted, key)
			}
		}
	}
	for _, key := range wanted {
		if s.wanted[key] == nil {
			s.wanted[key] = map[string]bool{}
		}
		s.wanted[key][app] = true
	}
	t.App = ""
	if slices.Contains(s.schemes, t) {
		return
	}
	s.schemes = append(s.schemes, t)
	s.recall()
	for _, f := range s.feeds { // what was passed over may carry the new mark
		s.drop(f)
	}
}

// follow starts what is not watched yet and gives the feeds of the kinds and of what they may own.
func (s *State) follow(ctx context.Context, app string, kinds []manifest.Kind, namespaces []string) ([]*feed, error) {
	served, err := s.kinds(ctx, kinds)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var feeds []*feed
	var places []place
	for _, w := range descend(served, kinds) {
		for _, ns := range s.spaces(w.Discovered, namespaces) {
			p := place{w.Kind, ns}
			f := s.feeds[p]
			if f == nil {
				f = s.start(p)
			}
			f.needed = f.needed || w.needed
			feeds, places = append(feeds, f), append(places, p)
		}
	}
	s.uses[app] = places
	s.scout()
	return feeds, nil
}

// spaces are the namespaces that a kind is watched in, one by one; "" for all at once.
func (s *State) spaces(d manifest.Discovered, namespaces []string) []string {
	switch {
	case !d.Namespaced && len(s.scope.Namespaces) > 0 && !s.scope.Cluster:
		return nil
	case !d.Namespaced:
		return []string{""}
	case len(s.scope.Namespaces) > 0:
		return s.scope.Namespaces
	case s.feeds[place{d.Kind, ""}] != nil && s.feeds[place{d.Kind, ""}].narrow:
		return namespaces
	}
	return []string{""}
}

// kinds gives what is served, asking again where one of the kinds is not among what is known.
func (s *State) kinds(ctx context.Context, wanted []manifest.Kind) (map[manifest.Kind]manifest.Discovered, error) {
	s.mu.Lock()
	served, asked := s.served, s.asked
	s.mu.Unlock()
	missing := slices.ContainsFunc(wanted, func(k manifest.Kind) bool { _, ok := served[k]; return !ok })
	if served != nil && (!missing || time.Since(asked) < stale) {
		return served, nil
	}
	list, err := s.api.Kinds(ctx)
	if err != nil {
		return nil, err
	}
	served = make(map[manifest.Kind]manifest.Discovered, 2*len(list))
	for _, d := range list {
		if !slices.Contains(d.Verbs, "watch") || !slices.Contains(d.Verbs, "list") {
			continue
		}
		served[d.Kind] = d
		bare := manifest.Kind{Group: d.Kind.Group, Kind: d.Kind.Kind}
		if _, ok := served[bare]; !ok || d.Preferred {
			served[bare] = d
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served, s.asked = served, time.Now()
	return served, nil
}

// synced waits until each feed has been read once. again says that one is to be asked for anew: it was dropped meanwhile, or
// it may only be read in single namespaces, which are known.
func (s *State) synced(ctx context.Context, feeds []*feed, spaces bool) (again bool, err error) {
	for _, f := range feeds {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-s.ctx.Done():
			return false, errClosed
		case <-f.ready:
		}
		s.mu.Lock()
		failed, needed := f.err, f.needed
		if denied(failed) && f.place.namespace == "" && f.namespaced && spaces && len(s.scope.Namespaces) == 0 {
			f.narrow = true
			failed = errDropped
		}
		s.mu.Unlock()
		switch {
		case failed == nil, manifest.NotFound(failed), denied(failed) && !needed:
		case errors.Is(failed, errDropped):
			again = true
		default:
			return false, failed
		}
	}
	return again, nil
}

var (
	errClosed  = &manifest.Refusal{Reason: manifest.ReasonUnreachable, Message: "the cache of the cluster is closed"} // there is another one
	errDropped = errors.New("the watch was ended to begin anew")
)

// sweep drops, every few minutes, watches that no application has asked for since the last time, and the contents of
// objects that belong to none any more.
func (s *State) sweep() {
	for sleep(s.ctx, 5*time.Minute) == nil {
		s.mu.Lock()
		used := s.used()
		for p, f := range s.feeds {
			if idle := f.idle; !used[p] && idle {
				s.drop(f)
				continue
			}
			f.idle = !used[p]
			for _, e := range f.entries {
				if len(s.apps(e)) == 0 {
					e.data = nil
				}
			}
		}
		s.mu.Unlock()
	}
}
