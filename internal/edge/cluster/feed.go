package cluster

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// feed is one watch and what it has told. All but ready is guarded by the state's lock.
type feed struct {
	place      place
	namespaced bool
	needed     bool          // an application uses the kind itself; else objects of it may be owned by its own
	narrow     bool          // all namespaces at once are forbidden
	ready      chan struct{} // closed when all that is there was told, or err is known
	synced     bool
	idle       bool // no application uses it
	err        error
	stop       context.CancelFunc
	entries    map[named]*entry
	marked     map[string]map[*entry]bool // by application
	owned      map[string]map[*entry]bool // by the owner's UID
}

// entry is one object. data is its JSON form, nil where it belongs to no application.
type entry struct {
	key    manifest.Key
	uid    string
	rev    uint64
	marks  []string // the applications whose mark it carries
	owners []string // UIDs
	data   []byte
}

// start begins a watch; the lock is held.
func (s *State) start(p place) *feed {
	ctx, stop := context.WithCancel(s.ctx)
	f := &feed{
		place: p, namespaced: s.served[p.kind].Namespaced, ready: make(chan struct{}), stop: stop,
		entries: map[named]*entry{}, marked: map[string]map[*entry]bool{}, owned: map[string]map[*entry]bool{},
	}
	s.feeds[p] = f
	if l := s.scouts.out[p]; l != nil { // the watch sees all that a scout does
		l.stop()
		delete(s.scouts.out, p)
	}
	s.loops.Go(func() {
		err := s.api.Watch(ctx, p.kind, p.namespace, "", func(c manifest.Change) { s.take(f, c) })
		s.ended(f, err)
	})
	return f
}

// ended notes that a watch is over by itself. One that was forbidden stays, so that it is not asked for again and again;
// any other begins anew when next wanted.
func (s *State) ended(f *feed, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feeds[f.place] != f || s.ctx.Err() != nil {
		return
	}
	f.err = err
	if f.err == nil {
		f.err = errClosed
	}
	f.open()
	if !denied(err) || f.place.namespace != "" || !f.namespaced {
		s.drop(f)
	}
	if manifest.NotFound(err) {
		s.served = nil
	}
}

// open lets those go on that wait for a feed.
func (f *feed) open() {
	if !f.synced {
		f.synced = true
		close(f.ready)
	}
}

// drop ends a watch and forgets what it told; the lock is held.
func (s *State) drop(f *feed) {
	f.stop()
	if f.err == nil {
		f.err = errDropped
	}
	f.open()
	if s.feeds[f.place] == f {
		delete(s.feeds, f.place)
	}
	for _, e := range f.entries {
		if s.byUID[e.uid] == e {
			delete(s.byUID, e.uid)
		}
	}
}

// take puts a change into the cache and tells of it.
func (s *State) take(f *feed, c manifest.Change) {
	if c.Type == manifest.Bookmark {
		s.mu.Lock()
		defer s.mu.Unlock()
		f.open()
		if s.since.IsZero() {
			s.since = time.Now()
		}
		return
	}
	s.put(f, c)
}

func (s *State) put(f *feed, c manifest.Change) {
	var made *entry
	if c.Type != manifest.Deleted {
		made = &entry{key: c.Object.Key(), uid: c.Object.UID(), data: c.Object.JSON()}
		made.rev, _ = strconv.ParseUint(c.Object.Revision(), 10, 64)
		for _, w := range c.Object.Owners() {
			made.owners = append(made.owners, w.UID)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := nameOf(c.Object)
	before := f.entries[n]
	switch {
	case made == nil && (before == nil || before.uid != c.Object.UID()):
		return
	case made != nil && before != nil && before.uid == made.uid && before.rev >= made.rev && made.rev > 0:
		return // a write of ours told of it already
	}
	touched := map[string]bool{}
	if before != nil {
		s.unlink(f, n, before)
		touched = s.apps(before)
	}
	if made != nil {
		for _, t := range s.schemes {
			if app := t.Owner(c.Object); app != "" && !slices.Contains(made.marks, app) {
				made.marks = append(made.marks, app)
			}
		}
		s.link(f, n, made)
		now := s.apps(made)
		maps.Copy(touched, now)
		if len(now) == 0 && s.traced(made) {
			made.data = nil
		}
	}
	if f.synced {
		s.events[manifest.Kind{Group: f.place.kind.Group, Kind: f.place.kind.Kind}]++
		s.tell(touched, c.Object)
	}
}

func (s *State) link(f *feed, n named, e *entry) {
	f.entries[n] = e
	s.byUID[e.uid] = e
	for _, app := range e.marks {
		add(f.marked, app, e)
	}
	for _, uid := range e.owners {
		add(f.owned, uid, e)
	}
}

func (s *State) unlink(f *feed, n named, e *entry) {
	delete(f.entries, n)
	if s.byUID[e.uid] == e {
		delete(s.byUID, e.uid)
	}
	for _, app := range e.marks {
		remove(f.marked, app, e)
	}
	for _, uid := range e.owners {
		remove(f.owned, uid, e)
	}
}

func add(m map[string]map[*entry]bool, k string, e *entry) {
	if m[k] == nil {
		m[k] = map[*entry]bool{}
	}
	m[k][e] = true
}

func remove(m map[string]map[*entry]bool, k string, e *entry) {
	if delete(m[k], e); len(m[k]) == 0 {
		delete(m, k)
	}
}

// apps are the applications that an object belongs to: by its mark, because they render it, or by what owns it.
func (s *State) apps(e *entry) map[string]bool {
	out := map[string]bool{}
	s.climb(e, func(e *entry) {
		for _, app := range e.marks {
			out[app] = true
		}
		for app := range s.wanted[e.key] {
			out[app] = true
		}
	})
	return out
}

// climb calls back with an object and all that own it, as far as they are known.
func (s *State) climb(e *entry, each func(*entry)) {
	seen := map[*entry]bool{}
	for todo := []*entry{e}; len(todo) > 0; todo = todo[1:] {
		if e := todo[0]; e != nil && !seen[e] {
			seen[e] = true
			each(e)
			for _, uid := range e.owners {
				todo = append(todo, s.byUID[uid])
			}
		}
	}
}

// traced reports whether all owners above an object are known. While a cache fills, an owner may come after what it owns.
func (s *State) traced(e *entry) bool {
	known := true
	s.climb(e, func(e *entry) {
		for _, uid := range e.owners {
			known = known && s.byUID[uid] != nil
		}
	})
	return known
}

// Observe puts what a write was answered into the cache before the watch tells of it, so that who wrote reads it.
func (s *State) Observe(o manifest.Object) {
	s.mu.Lock()
	var fs []*feed
	for _, ns := range []string{"", o.Namespace()} {
		if f := s.feeds[place{o.Kind(), ns}]; f != nil && f.synced && f.err == nil && !slices.Contains(fs, f) {
			fs = append(fs, f)
		}
	}
	s.mu.Unlock()
	for _, f := range fs {
		s.put(f, manifest.Change{Type: manifest.Modified, Object: o})
	}
}

// collect reads what belongs to an application out of its feeds.
func (s *State) collect(ctx context.Context, t application.Tracking, wanted []manifest.Key, feeds []*feed) (application.Live, error) {
	keys := make(map[manifest.Key]bool, len(wanted))
	for _, k := range wanted {
		keys[k] = true
	}
	type found struct {
		feed *feed
		*entry
	}
	own := mark(t)
	roots := map[manifest.Key]found{}
	children := map[string][]found{}
	s.mu.Lock()
	for _, f := range feeds {
		see := func(e *entry) {
			if _, ok := roots[e.key]; !ok { // another version of the kind may have given it
				roots[e.key] = found{f, e}
			}
		}
		for e := range f.marked[own] {
			if len(e.owners) == 0 { // a mark on what another object owns was copied there with its labels
				see(e)
			}
		}
		for k := range keys {
			if k.Kind == f.place.kind.Kind && k.Group == f.place.kind.Group {
				if e := f.entries[named{k.Namespace, k.Name}]; e != nil {
					see(e)
				}
			}
		}
	}
	var todo []string
	for _, e := range roots {
		todo = append(todo, e.uid)
	}
	for ; len(todo) > 0; todo = todo[1:] {
		uid := todo[0]
		if children[uid] != nil {
			continue
		}
		seen := map[string]bool{}
		for _, f := range feeds {
			for e := range f.owned[uid] {
				if !seen[e.uid] {
					seen[e.uid] = true
					children[uid] = append(children[uid], found{f, e})
					todo = append(todo, e.uid)
				}
			}
		}
	}
	s.mu.Unlock()

	out := application.Live{Objects: make(map[manifest.Key]manifest.Object, len(roots)), Children: make(map[string][]manifest.Object, len(children))}
	for key, e := range roots {
		o, err := s.whole(ctx, e.feed, e.entry)
		if err != nil {
			return application.Live{}, err
		}
		if o != nil {
			out.Objects[key] = o
		}
	}
	for uid, list := range children {
		for _, e := range list {
			o, err := s.whole(ctx, e.feed, e.entry)
			if err != nil {
				return application.Live{}, err
			}
			if o != nil {
				out.Children[uid] = append(out.Children[uid], o)
			}
		}
		manifest.Sort(out.Children[uid])
	}
	return out, nil
}

// mark is what an application's objects carry.
func mark(t application.Tracking) string {
	o := manifest.Object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "x", "namespace": "x"}}
	t.Mark(o, "x")
	return t.Owner(o)
}

// whole is an object with its contents; they are asked for where they were not kept. nil where it went meanwhile.
func (s *State) whole(ctx context.Context, f *feed, e *entry) (manifest.Object, error) {
	s.mu.Lock()
	data := e.data
	s.mu.Unlock()
	if data != nil {
		return parse(data)
	}
	o, err := s.api.Get(ctx, f.place.kind, e.key.Namespace, e.key.Name)
	if manifest.NotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if e.uid == o.UID() && strconv.FormatUint(e.rev, 10) == o.Revision() {
		e.data = o.JSON()
	}
	s.mu.Unlock()
	return o, nil
}
