package advance

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Cache is a cluster whose watched kinds are read from memory. What is written through it is seen by the next read, also
// before the watch tells of it. Objects are given out as copies.
type Cache struct {
	Cluster
	namespace string // the only one watched, "" for all

	mu      sync.Mutex
	shelves map[manifest.Kind]*shelf
}

// NewCache is a cache that watches one namespace, or all ("").
func NewCache(c Cluster, namespace string) *Cache {
	return &Cache{Cluster: c, namespace: namespace, shelves: map[manifest.Kind]*shelf{}}
}

// shelf holds the objects of one kind.
type shelf struct {
	mu      sync.Mutex
	full    bool // all that is there has been told
	partial bool // a selector narrows the watch: it answers no questions
	objects map[place]manifest.Object
	gone    map[string]time.Time // UIDs of deleted objects: a late answer must not bring one back
}

type place struct{ namespace, name string }

const (
	remember  = 10 * time.Minute // how long a deletion is kept in mind
	lookAgain = 15 * time.Second // for a kind that the cluster does not have yet
)

// follow watches a kind until ctx ends, and tells each change after it is taken up. known is closed once the kind's objects
// are known, or are known not to be had now.
func (c *Cache) follow(ctx context.Context, log *slog.Logger, kind manifest.Kind, namespace, selector string, known func(), tell func(manifest.Change)) {
	s := &shelf{partial: selector != "", objects: map[place]manifest.Object{}, gone: map[string]time.Time{}}
	c.mu.Lock()
	c.shelves[kind] = s
	c.mu.Unlock()
	told := ""
	for ctx.Err() == nil {
		err := c.Cluster.Watch(ctx, kind, namespace, selector, func(change manifest.Change) {
			if change.Type == manifest.Bookmark {
				s.complete()
				known()
				return
			}
			s.take(change)
			tell(change)
		})
		s.empty()
		known()
		if err != nil && ctx.Err() == nil && err.Error() != told && !manifest.Is(err, manifest.ReasonNoKind) {
			told = err.Error()
			log.Warn("a kind cannot be watched", "kind", kind.String(), "error", told)
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
		}
	}
}

func (s *shelf) complete() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = true
}

// empty forgets everything: the kind is gone.
func (s *shelf) empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = false
	clear(s.objects)
}

func (s *shelf) take(change manifest.Change) {
	o := change.Object
	if change.Type != manifest.Deleted {
		s.put(o)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place{o.Namespace(), o.Name()}
	if is, ok := s.objects[at]; ok && (o.UID() == "" || is.UID() == o.UID()) {
		delete(s.objects, at)
	}
	now := time.Now()
	for uid, when := range s.gone {
		if now.Sub(when) > remember {
			delete(s.gone, uid)
		}
	}
	if o.UID() != "" {
		s.gone[o.UID()] = now
	}
}

// put takes an object up unless a newer state of it is known.
func (s *shelf) put(o manifest.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, gone := s.gone[o.UID()]; gone {
		return
	}
	at := place{o.Namespace(), o.Name()}
	if is, ok := s.objects[at]; ok && is.UID() == o.UID() && newer(is, o) {
		return
	}
	s.objects[at] = o
}

// newer compares resourceVersions of one object, which Kubernetes numbers upwards.
func newer(a, b manifest.Object) bool {
	x, err := strconv.ParseUint(a.Revision(), 10, 64)
	y, err2 := strconv.ParseUint(b.Revision(), 10, 64)
	return err == nil && err2 == nil && x > y
}

// shelf is the kind's shelf where it can answer for a namespace.
func (c *Cache) shelf(kind manifest.Kind, namespace string) *shelf {
	if c.namespace != "" && namespace != "" && namespace != c.namespace {
		return nil
	}
	c.mu.Lock()
	s := c.shelves[kind]
	c.mu.Unlock()
	if s == nil || s.partial {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.full {
		return nil
	}
	return s
}

// Get reads an object, from memory where its kind is watched.
func (c *Cache) Get(ctx context.Context, kind manifest.Kind, namespace, name string) (manifest.Object, error) {
	s := c.shelf(kind, namespace)
	if s == nil {
		return c.Cluster.Get(ctx, kind, namespace, name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[place{namespace, name}]
	if !ok {
		return nil, &manifest.Refusal{Code: 404, Reason: manifest.ReasonNotFound, Message: kind.String() + " " + strconv.Quote(name) + " not found"}
	}
	return o.Copy(), nil
}

// Fresh reads an object from the cluster itself.
func (c *Cache) Fresh(ctx context.Context, kind manifest.Kind, namespace, name string) (manifest.Object, error) {
	o, err := c.Cluster.Get(ctx, kind, namespace, name)
	return c.keep(o, err)
}

// List reads what a selector matches, from memory where the kind is watched; ordered by namespace and name.
func (c *Cache) List(ctx context.Context, kind manifest.Kind, namespace, selector string) ([]manifest.Object, error) {
	s := c.shelf(kind, namespace)
	if s == nil {
		return c.Cluster.List(ctx, kind, namespace, selector)
	}
	want, err := labels.Parse(selector)
	if err != nil {
		return nil, err
	}
	return s.list(func(o manifest.Object) bool {
		return (namespace == "" || o.Namespace() == namespace) && (want.Empty() || want.Matches(labels.Set(o.Labels())))
	}), nil
}

func (s *shelf) list(wanted func(manifest.Object) bool) []manifest.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []manifest.Object
	for _, o := range s.objects {
		if wanted(o) {
			out = append(out, o.Copy())
		}
	}
	slices.SortFunc(out, func(a, b manifest.Object) int {
		if n := strings.Compare(a.Namespace(), b.Namespace()); n != 0 {
			return n
		}
		return strings.Compare(a.Name(), b.Name())
	})
	return out
}

// owned are the objects of a kind in a namespace that a UID controls, and how many there are in all. The kind that the
// cluster does not have has none.
func (c *Cache) owned(ctx context.Context, kind manifest.Kind, namespace, uid string) ([]manifest.Object, error) {
	by := func(o manifest.Object) bool {
		w, ok := o.Controller()
		return ok && w.UID == uid && o.Namespace() == namespace
	}
	if s := c.shelf(kind, namespace); s != nil {
		return s.list(by), nil
	}
	all, err := c.Cluster.List(ctx, kind, namespace, "")
	if manifest.NotFound(err) {
		return nil, nil
	}
	return slices.DeleteFunc(all, func(o manifest.Object) bool { return !by(o) }), err
}

// Create makes an object.
func (c *Cache) Create(ctx context.Context, o manifest.Object, w manifest.Writing) (manifest.Object, error) {
	return c.keep(c.Cluster.Create(ctx, o, w))
}

// Update replaces an object.
func (c *Cache) Update(ctx context.Context, o manifest.Object, sub string, w manifest.Writing) (manifest.Object, error) {
	return c.keep(c.Cluster.Update(ctx, o, sub, w))
}

// Patch changes an object.
func (c *Cache) Patch(ctx context.Context, kind manifest.Kind, namespace, name string, p manifest.Patch, w manifest.Writing) (manifest.Object, error) {
	return c.keep(c.Cluster.Patch(ctx, kind, namespace, name, p, w))
}

func (c *Cache) keep(o manifest.Object, err error) (manifest.Object, error) {
	if err != nil || o == nil {
		return o, err
	}
	c.mu.Lock()
	s := c.shelves[o.Kind()]
	c.mu.Unlock()
	if s != nil && o.UID() != "" {
		s.put(o.Copy())
	}
	return o, nil
}
