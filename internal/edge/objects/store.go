// Package objects keeps Kubernetes objects without Kubernetes: create, update, patch (merge, JSON, strategic and server-side
// apply with field owners), delete with finalizers and owners, watches from a revision, kept in one file that survives a
// killed process; and it serves them by the part of Kubernetes' REST interface that client-go, kubectl and the Argo plugins
// use (https://kubernetes.io/docs/reference/using-api/api-concepts/). It runs nothing: what the objects ask for is done by
// engine/local and edge/pod. It refuses kinds that it was not told of, listens on loopback alone, and has no admission,
// no quotas and no roles: whoever has the token may do everything.
package objects

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Config is how a store is kept. The zero value is a store in memory that serves Builtin.
type Config struct {
	Dir     string           // where objects.log is kept; "" for memory only
	Kinds   []Served         // nil for Builtin
	Now     func() time.Time // nil for time.Now
	Version string           // what the store says it is; "" for "v1.35.4+sluice"
	// Anywhere takes objects in namespaces that are not here (files mode: the namespaces are the cluster's).
	Anywhere bool
	// Drains are pods that are not gone when they are deleted: they are marked, and whoever runs them removes them with a
	// grace of 0. False removes every pod at once.
	Drains bool
	// History is how many changes are kept for watches that begin at a revision; 0 for 16384.
	History int
	// Logs answers pods/log; nil refuses it.
	Logs Logs
}

// name names an object within its kind.
type name struct{ namespace, name string }

// Store is a cluster's objects. Its methods may be called from any goroutine; what they give is the caller's own copy.
type Store struct {
	c      Config
	kinds  map[sort]*Served
	fields *fields

	mu      sync.RWMutex
	objects map[sort]map[name]manifest.Object // never changed in place
	owned   map[string]map[manifest.Key]bool  // by the owner's uid
	gone    removed
	rev     int64
	history history
	changed chan struct{} // closed and replaced at each change
	disk    *disk
	todo    []func() error // what a change asks for after it: garbage
}

// Open reads a store, or begins one.
func Open(c Config) (*Store, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Kinds == nil {
		c.Kinds = Builtin()
	}
	if c.Version == "" {
		c.Version = "v1.35.4+sluice"
	}
	if c.History == 0 {
		c.History = 16384
	}
	s := &Store{
		c: c, kinds: map[sort]*Served{}, objects: map[sort]map[name]manifest.Object{}, owned: map[string]map[manifest.Key]bool{},
		history: history{limit: c.History}, changed: make(chan struct{}),
	}
	for _, k := range c.Kinds {
		s.kinds[sort{k.Kind.Group, k.Kind.Kind}] = &k
	}
	s.fields = newFields(s)
	if c.Dir != "" {
		var err error
		if s.disk, err = openDisk(c.Dir, s); err != nil {
			return nil, err
		}
	}
	s.history.forget(s.rev)
	if k := s.kinds[sort{"", "Namespace"}]; k != nil && !c.Anywhere {
		for _, n := range []string{"default", "kube-system"} {
			o := manifest.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": n}}
			if _, err := s.Create(context.Background(), o, manifest.Writing{}); err != nil && !manifest.Is(err, manifest.ReasonExists) {
				return nil, err
			}
		}
	}
	return s, nil
}

// Close ends the store; watches on it end with their own contexts.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disk == nil {
		return nil
	}
	return s.disk.close()
}

// Version is what the store says it is.
func (s *Store) Version(context.Context) (string, error) { return s.c.Version, nil }

// Kinds is what the store serves.
func (s *Store) Kinds(context.Context) ([]manifest.Discovered, error) {
	out := make([]manifest.Discovered, len(s.c.Kinds))
	for i, k := range s.c.Kinds {
		out[i] = k.Discovered()
	}
	return out, nil
}

// Get reads one object.
func (s *Store) Get(_ context.Context, kind manifest.Kind, namespace, n string) (manifest.Object, error) {
	k, err := s.served(kind)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, err := s.find(k, namespace, n)
	return o.Copy(), err
}

// find is the object as it is kept. The lock is held.
func (s *Store) find(k *Served, namespace, n string) (manifest.Object, error) {
	if !k.Namespaced {
		namespace = ""
	}
	if o := s.objects[sort{k.Kind.Group, k.Kind.Kind}][name{namespace, n}]; o != nil {
		return o, nil
	}
	return nil, notFound(k, n)
}

// List gives what a label selector ("" for all) matches, in a namespace or in all (""), by namespace and name.
func (s *Store) List(_ context.Context, kind manifest.Kind, namespace, selector string) ([]manifest.Object, error) {
	k, err := s.served(kind)
	if err != nil {
		return nil, err
	}
	f, err := newFilter(namespace, selector, "")
	if err != nil {
		return nil, err
	}
	list, _ := s.list(k, f)
	for i := range list {
		list[i] = list[i].Copy()
	}
	return list, nil
}

// list is what a filter lets through, as it is kept, and the revision of the whole.
func (s *Store) list(k *Served, f filter) ([]manifest.Object, int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.filtered(k, f), s.rev
}

func (s *Store) filtered(k *Served, f filter) []manifest.Object {
	all := s.objects[sort{k.Kind.Group, k.Kind.Kind}]
	var out []manifest.Object
	for _, n := range slices.SortedFunc(maps.Keys(all), name.compare) {
		if f.match(all[n]) {
			out = append(out, all[n])
		}
	}
	return out
}

func (n name) compare(o name) int {
	if c := strings.Compare(n.namespace, o.namespace); c != 0 {
		return c
	}
	return strings.Compare(n.name, o.name)
}

// put makes a change true: on disk, in memory, in the history. before is nil for a new object, after is nil for one that
// goes. The lock is held. The answer is the object with its revision.
func (s *Store) put(before, after manifest.Object) (manifest.Object, error) {
	change, o := manifest.Modified, after
	if before == nil {
		change = manifest.Added
	}
	if after == nil {
		change, o = manifest.Deleted, before.Copy()
	}
	o.Set(fmt.Sprint(s.rev+1), "metadata", "resourceVersion")
	if s.disk != nil {
		if err := s.disk.write(s.rev+1, change, o); err != nil {
			return nil, &manifest.Refusal{Code: 500, Reason: "InternalError", Message: err.Error()}
		}
	}
	s.rev++
	s.keep(change, before, o)
	s.history.add(entry{s.rev, change, before, o})
	close(s.changed)
	s.changed = make(chan struct{})
	if s.disk != nil {
		s.disk.compact(s)
	}
	return o, nil
}

// keep is the part of put that reading the file does too.
func (s *Store) keep(change string, before, o manifest.Object) {
	key := o.Key()
	of := sort{key.Group, key.Kind}
	if s.objects[of] == nil {
		s.objects[of] = map[name]manifest.Object{}
	}
	if before != nil {
		for _, w := range before.Owners() {
			delete(s.owned[w.UID], key)
			if len(s.owned[w.UID]) == 0 {
				delete(s.owned, w.UID)
			}
		}
	}
	if change == manifest.Deleted {
		delete(s.objects[of], name{key.Namespace, key.Name})
		s.gone.add(o.UID())
		return
	}
	s.objects[of][name{key.Namespace, key.Name}] = o
	for _, w := range o.Owners() {
		if s.owned[w.UID] == nil {
			s.owned[w.UID] = map[manifest.Key]bool{}
		}
		s.owned[w.UID][key] = true
	}
}

// locked runs a write and then what it asks for.
func (s *Store) locked(do func() (manifest.Object, error)) (manifest.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := do()
	for len(s.todo) > 0 {
		next := s.todo[0]
		s.todo = s.todo[1:]
		if e := next(); e != nil && err == nil {
			err = e
		}
	}
	return o.Copy(), err
}

// removed remembers the uids that were lately removed, so that what is made for an owner that has just gone goes too.
type removed struct {
	uids map[string]bool
	ring []string
	next int
}

func (r *removed) add(uid string) {
	const limit = 4096
	if r.uids == nil {
		r.uids, r.ring = map[string]bool{}, make([]string, limit)
	}
	delete(r.uids, r.ring[r.next])
	r.ring[r.next], r.uids[uid] = uid, true
	r.next = (r.next + 1) % limit
}
