package objects

import (
	"context"
	"fmt"
	sorts "sort"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// entry is one change: what was there before (nil for a new object) and what it says now (the last state for one that went).
type entry struct {
	rev           int64
	change        string
	before, after manifest.Object
}

// history is the last changes, in order; all after the revision begun are there.
type history struct {
	entries []entry
	begun   int64
	limit   int
}

func (h *history) forget(rev int64) { h.entries, h.begun = nil, rev }

func (h *history) add(e entry) {
	h.entries = append(h.entries, e)
	if over := len(h.entries) - h.limit; over > h.limit/4 { // in portions: each costs a copy
		h.begun = h.entries[over-1].rev
		h.entries = append([]entry(nil), h.entries[over:]...)
	}
}

// since is what came after a revision; false where that is forgotten.
func (h *history) since(rev int64) ([]entry, bool) {
	if rev < h.begun {
		return nil, false
	}
	i := sorts.Search(len(h.entries), func(i int) bool { return h.entries[i].rev > rev })
	return h.entries[i:], true
}

// Watch follows a kind: first what is there (Added) and a Bookmark, then each change, until ctx ends.
func (s *Store) Watch(ctx context.Context, kind manifest.Kind, namespace, selector string, each func(manifest.Change)) error {
	k, err := s.served(kind)
	if err != nil {
		return err
	}
	f, err := newFilter(namespace, selector, "")
	if err != nil {
		return err
	}
	known := map[name]manifest.Object{}
	tell := func(c manifest.Change) error {
		n := name{c.Object.Namespace(), c.Object.Name()}
		if known[n] = c.Object; c.Type == manifest.Deleted {
			delete(known, n)
		}
		each(manifest.Change{Type: c.Type, Object: c.Object.Copy()})
		return nil
	}
	for begun := false; ; begun = true {
		list, rev := s.list(k, f)
		there := map[name]bool{}
		for _, o := range list {
			n := name{o.Namespace(), o.Name()}
			there[n] = true
			switch before := known[n]; {
			case before == nil:
				_ = tell(manifest.Change{Type: manifest.Added, Object: o})
			case before.Revision() != o.Revision():
				_ = tell(manifest.Change{Type: manifest.Modified, Object: o})
			}
		}
		for n, o := range known {
			if !there[n] {
				_ = tell(manifest.Change{Type: manifest.Deleted, Object: o})
			}
		}
		if !begun {
			each(manifest.Change{Type: manifest.Bookmark, Object: manifest.Object{"apiVersion": k.Kind.APIVersion(), "kind": k.Kind.Kind, "metadata": map[string]any{"resourceVersion": fmt.Sprint(rev)}}})
		}
		// A caller that was slower than the history is long begins anew with what is there.
		if _, err := s.follow(ctx, k, f, rev, tell); !manifest.Is(err, manifest.ReasonExpired) {
			return nil //nolint:nilerr // ctx has ended: that is how a watch ends
		}
	}
}

// follow tells of each change after a revision, in order, until ctx ends or each refuses, and gives the revision up to which it
// has told. The objects are those of the store.
func (s *Store) follow(ctx context.Context, k *Served, f filter, rev int64, each func(manifest.Change) error) (int64, error) {
	of := sort{k.Kind.Group, k.Kind.Kind}
	for {
		s.mu.RLock()
		changed, now := s.changed, s.rev
		entries, ok := s.history.since(rev)
		begun := s.history.begun
		s.mu.RUnlock()
		if !ok {
			return rev, expired(rev, begun)
		}
		for _, e := range entries {
			if key := e.after.Key(); key.Group != of.group || key.Kind != of.kind {
				continue
			}
			if c, ok := f.see(e); ok {
				if err := each(c); err != nil {
					return rev, err
				}
			}
		}
		rev = max(now, rev)
		select {
		case <-ctx.Done():
			return rev, ctx.Err()
		case <-changed:
		}
	}
}

// see is how a change looks through the filter: an object that begins to match is added, one that ceases is deleted.
func (f filter) see(e entry) (manifest.Change, bool) {
	was := e.before != nil && f.match(e.before)
	is := e.change != manifest.Deleted && f.match(e.after)
	switch {
	case is && was:
		return manifest.Change{Type: manifest.Modified, Object: e.after}, true
	case is:
		return manifest.Change{Type: manifest.Added, Object: e.after}, true
	case was:
		o := e.after
		if e.change != manifest.Deleted { // its last matching state, with the revision at which it ceased
			o = e.before.Copy()
			o.Set(fmt.Sprint(e.rev), "metadata", "resourceVersion")
		}
		return manifest.Change{Type: manifest.Deleted, Object: o}, true
	}
	return manifest.Change{}, false
}
