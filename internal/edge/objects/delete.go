package objects

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// foreground is the finalizer of an object that waits for its dependents to go.
const foreground = "foregroundDeletion"

// Delete removes an object, or begins to: finalizers, dependents (Foreground) and running pods are waited for, by others.
func (s *Store) Delete(_ context.Context, kind manifest.Kind, namespace, n string, w manifest.Writing) error {
	_, err := s.remove(kind, namespace, n, w, "")
	return err
}

// remove is Delete; it gives what is left, nil where nothing is. rev, where it is said, is the only revision that may go.
func (s *Store) remove(kind manifest.Kind, namespace, n string, w manifest.Writing, rev string) (manifest.Object, error) {
	k, err := s.served(kind)
	if err != nil {
		return nil, err
	}
	return s.locked(func() (manifest.Object, error) {
		o, err := s.find(k, namespace, n)
		if err != nil {
			return nil, err
		}
		if w.UID != "" && w.UID != o.UID() {
			return nil, conflict(k, n, "Precondition failed: UID in precondition: %s, UID in object meta: %s", w.UID, o.UID())
		}
		if rev != "" && rev != o.Revision() {
			return nil, conflict(k, n, "Precondition failed: ResourceVersion in precondition: %s, ResourceVersion in object meta: %s", rev, o.Revision())
		}
		if w.DryRun {
			return o, nil
		}
		return s.delete(k, o, w)
	})
}

// delete removes an object or marks it. The lock is held.
func (s *Store) delete(k *Served, o manifest.Object, w manifest.Writing) (manifest.Object, error) {
	how := w.Propagation
	if how == "" && k.Kind.Kind == "Job" {
		how = "Orphan" // what the API server does where a client of batch/v1 says nothing
	}
	after := o.Copy()
	switch how {
	case "Orphan":
		if err := s.orphan(o.UID()); err != nil {
			return nil, err
		}
	case "Foreground":
		if len(s.owned[o.UID()]) > 0 && !slices.Contains(after.List("metadata", "finalizers"), any(foreground)) {
			after.Set(append(after.List("metadata", "finalizers"), foreground), "metadata", "finalizers")
		}
	}
	grace := s.grace(k, o, w)
	if !o.Deleting() || grace < o.Int(0, "metadata", "deletionGracePeriodSeconds") {
		after.Set(s.c.Now().UTC().Add(time.Duration(grace)*time.Second).Format(time.RFC3339), "metadata", "deletionTimestamp")
		after.Set(grace, "metadata", "deletionGracePeriodSeconds")
		if g := after.Int(0, "metadata", "generation"); g > 0 && !o.Deleting() {
			after.Set(g+1, "metadata", "generation")
		}
		if k.Kind.Kind == "Namespace" {
			after.Set("Terminating", "status", "phase")
		}
	}
	if !s.waits(k, after) {
		return nil, s.drop(k, after, o)
	}
	if same(o, after) {
		return o, nil
	}
	after, err := s.put(o, after)
	if err != nil {
		return nil, err
	}
	if how == "Foreground" {
		s.todo = append(s.todo, func() error { return s.press(after.UID()) })
	}
	if k.Kind.Kind == "Namespace" {
		s.todo = append(s.todo, func() error { return s.empty(after.Name()) })
	}
	return after, nil
}

// grace is how long a pod has to end, in seconds: 0 where nothing of it runs.
func (s *Store) grace(k *Served, o manifest.Object, w manifest.Writing) int64 {
	phase := o.Text("status", "phase")
	if k.Kind.Kind != "Pod" || !s.c.Drains || o.Text("spec", "nodeName") == "" || phase == "Succeeded" || phase == "Failed" {
		return 0
	}
	if w.Grace != nil {
		return max(0, *w.Grace)
	}
	return o.Int(30, "spec", "terminationGracePeriodSeconds")
}

// waits says whether a marked object is still waited for.
func (s *Store) waits(k *Served, o manifest.Object) bool {
	if len(o.List("metadata", "finalizers")) > 0 || o.Int(0, "metadata", "deletionGracePeriodSeconds") > 0 {
		return true
	}
	return k.Kind.Kind == "Namespace" && s.populated(o.Name())
}

// finish removes a marked object that nothing is waited for any more.
func (s *Store) finish(k *Served, o manifest.Object) (manifest.Object, error) {
	if s.waits(k, o) {
		return o, nil
	}
	return o, s.drop(k, o, o)
}

// drop removes an object; last is its last state, o what is kept of it.
func (s *Store) drop(k *Served, last, o manifest.Object) error {
	if _, err := s.put(o, nil); err != nil {
		return err
	}
	uid := last.UID()
	s.todo = append(s.todo, func() error { return s.collect(uid) })
	for _, w := range last.Owners() {
		s.todo = append(s.todo, func() error { return s.press(w.UID) })
	}
	if ns := last.Namespace(); k.Namespaced && ns != "" {
		s.todo = append(s.todo, func() error { return s.emptied(ns) })
	}
	return nil
}

// dependents are the objects that name an owner, in order.
func (s *Store) dependents(uid string) []manifest.Object {
	var out []manifest.Object
	for _, key := range slices.SortedFunc(maps.Keys(s.owned[uid]), manifest.Key.Compare) {
		if o := s.objects[sort{key.Group, key.Kind}][name{key.Namespace, key.Name}]; o != nil {
			out = append(out, o)
		}
	}
	return out
}

// collect removes what an owner that has gone leaves: objects of which no owner is there any more. The others lose the
// reference (https://kubernetes.io/docs/concepts/architecture/garbage-collection/).
func (s *Store) collect(uid string) error {
	for _, o := range s.dependents(uid) {
		k := s.kinds[sort{o.Kind().Group, o.Kind().Kind}]
		left := slices.DeleteFunc(o.Owners(), func(w manifest.Owner) bool { return !s.alive(w, o.Namespace()) })
		if len(left) > 0 {
			if err := s.disown(o, uid); err != nil {
				return err
			}
			continue
		}
		if o.Deleting() {
			continue
		}
		if _, err := s.delete(k, o, manifest.Writing{Propagation: "Background"}); err != nil {
			return fmt.Errorf("remove %s: %w", o.Key(), err)
		}
	}
	return nil
}

// alive says whether an owner is there. Owners of kinds that this store does not keep are: they live elsewhere.
func (s *Store) alive(w manifest.Owner, namespace string) bool {
	of := manifest.KindOf(w.APIVersion, w.Kind)
	k, ok := s.kinds[sort{of.Group, of.Kind}]
	if !ok {
		return true
	}
	o, err := s.find(k, namespace, w.Name)
	return err == nil && o.UID() == w.UID
}

func (s *Store) orphan(uid string) error {
	for _, o := range s.dependents(uid) {
		if err := s.disown(o, uid); err != nil {
			return err
		}
	}
	return nil
}

// disown takes one owner from an object.
func (s *Store) disown(o manifest.Object, uid string) error {
	after := o.Copy()
	var left []any
	for _, e := range after.List("metadata", "ownerReferences") {
		if m, ok := e.(map[string]any); !ok || m["uid"] != uid {
			left = append(left, e)
		}
	}
	after.Set(left, "metadata", "ownerReferences")
	if left == nil {
		after.Drop("metadata", "ownerReferences")
	}
	_, err := s.put(o, after)
	return err
}

// press moves an object on that is deleted in the foreground: its dependents go first; it goes when none is left that blocks.
func (s *Store) press(uid string) error {
	var o manifest.Object
	for _, all := range s.objects {
		for _, one := range all {
			if one.UID() == uid {
				o = one
			}
		}
	}
	if o == nil || !o.Deleting() || !slices.Contains(o.List("metadata", "finalizers"), any(foreground)) {
		return nil
	}
	blocked := false
	for _, d := range s.dependents(uid) {
		for _, w := range d.Owners() {
			blocked = blocked || w.UID == uid && w.BlockOwnerDeletion != nil && *w.BlockOwnerDeletion
		}
		if !d.Deleting() {
			if _, err := s.delete(s.kinds[sort{d.Kind().Group, d.Kind().Kind}], d, manifest.Writing{Propagation: "Foreground"}); err != nil {
				return err
			}
		}
	}
	if blocked && len(s.dependents(uid)) > 0 {
		return nil
	}
	after := o.Copy()
	left := slices.DeleteFunc(after.List("metadata", "finalizers"), func(f any) bool { return f == foreground })
	after.Set(left, "metadata", "finalizers")
	if len(left) == 0 {
		after.Drop("metadata", "finalizers")
	}
	after, err := s.put(o, after)
	if err != nil {
		return err
	}
	_, err = s.finish(s.kinds[sort{o.Kind().Group, o.Kind().Kind}], after)
	return err
}

// populated says whether a namespace holds anything.
func (s *Store) populated(namespace string) bool {
	for of, all := range s.objects {
		if k := s.kinds[of]; k == nil || !k.Namespaced {
			continue
		}
		for n := range all {
			if n.namespace == namespace {
				return true
			}
		}
	}
	return false
}

// empty deletes what a namespace holds.
func (s *Store) empty(namespace string) error {
	for _, k := range s.c.Kinds {
		if !k.Namespaced {
			continue
		}
		for _, o := range s.filtered(&k, filter{namespace: namespace}) {
			if now, err := s.find(&k, namespace, o.Name()); err != nil || now.Deleting() {
				continue
			} else if _, err := s.delete(s.kinds[sort{k.Kind.Group, k.Kind.Kind}], now, manifest.Writing{Propagation: "Background"}); err != nil {
				return err
			}
		}
	}
	return s.emptied(namespace)
}

// emptied removes a namespace that is being terminated once it holds nothing.
func (s *Store) emptied(namespace string) error {
	k := s.kinds[sort{"", "Namespace"}]
	if k == nil {
		return nil
	}
	o, err := s.find(k, "", namespace)
	if err != nil || !o.Deleting() {
		return nil //nolint:nilerr // a namespace that is not here needs no end
	}
	_, err = s.finish(k, o)
	return err
}
