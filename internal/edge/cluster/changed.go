package cluster

import (
	"context"
	"sync"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Changed tells, until ctx ends, of every object that changed and belongs to an application, by the application's name
// ("ns_name" where it is not in Argo's own namespace). Changes that come faster than each returns are told as one, with the
// last object. What was there when a kind was first read is not told. The object must not be changed.
func (s *State) Changed(ctx context.Context, each func(app string, o manifest.Object)) error {
	sub := &subscriber{latest: map[notice]manifest.Object{}, ring: make(chan struct{}, 1)}
	s.mu.Lock()
	s.subscribers[sub] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.subscribers, sub)
		s.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.ctx.Done():
			return errClosed
		case <-sub.ring:
			for _, n := range sub.take() {
				each(n.app, n.object)
			}
		}
	}
}

type notice struct {
	app string
	key manifest.Key
}

type told struct {
	app    string
	object manifest.Object
}

// subscriber is who wants to be told of changes, and what is to be told.
type subscriber struct {
	mu     sync.Mutex
	order  []notice
	latest map[notice]manifest.Object
	ring   chan struct{}
}

func (s *subscriber) take() []told {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]told, 0, len(s.order))
	for _, n := range s.order {
		out = append(out, told{n.app, s.latest[n]})
	}
	s.order = nil
	clear(s.latest)
	return out
}

// tell tells the subscribers that an object of applications changed; the state's lock is held.
func (s *State) tell(apps map[string]bool, o manifest.Object) {
	for sub := range s.subscribers {
		sub.mu.Lock()
		for app := range apps {
			n := notice{app, o.Key()}
			if _, ok := sub.latest[n]; !ok {
				sub.order = append(sub.order, n)
			}
			sub.latest[n] = o
		}
		sub.mu.Unlock()
		select {
		case sub.ring <- struct{}{}:
		default:
		}
	}
}

// Writer is the cluster, whose writes the cache knows of as soon as they are answered.
func (s *State) Writer() API { return writer{s.api, s} }

type writer struct {
	API
	state *State
}

func (w writer) note(o manifest.Object, opts manifest.Writing, err error) (manifest.Object, error) {
	if err == nil && !opts.DryRun && o.UID() != "" {
		w.state.Observe(o)
	}
	return o, err
}

func (w writer) Create(ctx context.Context, o manifest.Object, opts manifest.Writing) (manifest.Object, error) {
	made, err := w.API.Create(ctx, o, opts)
	return w.note(made, opts, err)
}

func (w writer) Update(ctx context.Context, o manifest.Object, sub string, opts manifest.Writing) (manifest.Object, error) {
	made, err := w.API.Update(ctx, o, sub, opts)
	return w.note(made, opts, err)
}

func (w writer) Patch(ctx context.Context, kind manifest.Kind, namespace, name string, p manifest.Patch, opts manifest.Writing) (manifest.Object, error) {
	made, err := w.API.Patch(ctx, kind, namespace, name, p, opts)
	return w.note(made, opts, err)
}
