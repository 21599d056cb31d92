package objects

import (
	"context"
	"crypto/rand"
	"fmt"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Create keeps a new object.
func (s *Store) Create(_ context.Context, o manifest.Object, w manifest.Writing) (manifest.Object, error) {
	k, err := s.served(o.Kind())
	if err != nil {
		return nil, err
	}
	return s.locked(func() (manifest.Object, error) { return s.create(k, o.Copy(), w) })
}

// create keeps o, which is the store's from now on. The lock is held.
func (s *Store) create(k *Served, o manifest.Object, w manifest.Writing) (manifest.Object, error) {
	if err := s.begin(k, o); err != nil {
		return nil, err
	}
	o, err := shape(k, o, w.Validation == "Strict")
	if err != nil {
		return nil, err
	}
	selectJob(k, o)
	if err := check(k, nil, o); err != nil {
		return nil, err
	}
	if _, err := s.find(k, o.Namespace(), o.Name()); err == nil {
		return nil, exists(k, o.Name())
	}
	if o, err = s.fields.update(k, nil, o, "", who(w)); err != nil {
		return nil, err
	}
	return s.add(k, o, w)
}

// add puts a new object, whose managedFields are there.
func (s *Store) add(k *Served, o manifest.Object, w manifest.Writing) (manifest.Object, error) {
	if w.DryRun {
		o.Drop("metadata", "resourceVersion")
		return o, nil
	}
	o, err := s.put(nil, o)
	if err != nil {
		return nil, err
	}
	if c, ok := o.Controller(); ok && s.gone.uids[c.UID] { // its owner went while it was made
		s.todo = append(s.todo, func() error { return s.collect(c.UID) })
	}
	if k.Kind.Kind == "Event" && s.rev%256 == 0 {
		s.todo = append(s.todo, s.sweepEvents)
	}
	return o, nil
}

// begin checks and sets what a new object's metadata says.
func (s *Store) begin(k *Served, o manifest.Object) error {
	if o.Revision() != "" {
		return badRequest("resourceVersion should not be set on objects to be created")
	}
	o["apiVersion"] = k.Kind.APIVersion()
	if !k.Namespaced {
		o.Drop("metadata", "namespace")
	} else {
		if o.Namespace() == "" {
			o.Set("default", "metadata", "namespace")
		}
		if err := s.mayEnter(k, o); err != nil {
			return err
		}
	}
	if o.Name() == "" && o.GenerateName() != "" {
		o.Set(o.GenerateName()+suffix(), "metadata", "name")
	}
	for _, drop := range []string{"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion", "managedFields"} {
		o.Drop("metadata", drop)
	}
	o.Set(string(uuid.NewUUID()), "metadata", "uid")
	o.Set(s.now(), "metadata", "creationTimestamp")
	o.Drop("metadata", "generation")
	if k.Generation {
		o.Set(int64(1), "metadata", "generation")
	}
	if k.Status {
		delete(o, "status")
		if k.Kind.Kind == "Pod" {
			o["status"] = map[string]any{"phase": "Pending", "qosClass": "BestEffort"}
		}
	}
	return nil
}

// selectJob gives a Job the selector by which it finds its pods, unless it says that it has its own.
func selectJob(k *Served, o manifest.Object) {
	if own, _ := o.At("spec", "manualSelector"); k.Kind.String() != "batch/Job" || own == true {
		return
	}
	for name, v := range map[string]string{"batch.kubernetes.io/controller-uid": o.UID(), "controller-uid": o.UID(), "batch.kubernetes.io/job-name": o.Name(), "job-name": o.Name()} {
		o.Set(v, "spec", "template", "metadata", "labels", name)
	}
	o.Set(o.UID(), "spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid")
}

// mayEnter asks that the namespace is there and stays.
func (s *Store) mayEnter(k *Served, o manifest.Object) error {
	of, ok := s.kinds[sort{"", "Namespace"}]
	if !ok || s.c.Anywhere {
		return nil
	}
	ns, err := s.find(of, "", o.Namespace())
	if err != nil {
		return err
	}
	if ns.Deleting() {
		return forbidden(k, o.Name(), "unable to create new content in namespace %s because it is being terminated", o.Namespace())
	}
	return nil
}

// Update replaces an object, or its status or scale.
func (s *Store) Update(_ context.Context, o manifest.Object, sub string, w manifest.Writing) (manifest.Object, error) {
	k, err := s.served(o.Kind())
	if err != nil {
		return nil, err
	}
	return s.locked(func() (manifest.Object, error) {
		before, err := s.find(k, o.Namespace(), o.Name())
		if err != nil {
			return nil, err
		}
		return s.replace(k, before, o.Copy(), sub, w)
	})
}

// replace makes after, of which the request says the parts that it may change, what is kept.
func (s *Store) replace(k *Served, before, after manifest.Object, sub string, w manifest.Writing) (manifest.Object, error) {
	if uid := after.UID(); uid != "" && uid != before.UID() {
		return nil, conflict(k, before.Name(), "Precondition failed: UID in precondition: %s, UID in object meta: %s", uid, before.UID())
	}
	if r := after.Revision(); r != "" && r != "0" && r != before.Revision() {
		return nil, stale(k, before.Name())
	}
	after, err := s.part(k, before, after, sub)
	if err != nil {
		return nil, err
	}
	if after, err = shape(k, after, w.Validation == "Strict"); err != nil {
		return nil, err
	}
	if err := check(k, before, after); err != nil {
		return nil, err
	}
	if after, err = s.fields.update(k, before, after, sub, who(w)); err != nil {
		return nil, err
	}
	return s.change(k, before, after, sub, w)
}

// part takes from a request what its subresource may change and leaves the rest as it was.
func (s *Store) part(k *Served, before, after manifest.Object, sub string) (manifest.Object, error) {
	switch {
	case sub == "scale" && k.Scale:
		out := before.Copy()
		out.Set(after.Int(0, "spec", "replicas"), "spec", "replicas")
		return out, nil
	case sub == "status" && k.Status:
		out := before.Copy()
		if out["status"] = after["status"]; out["status"] == nil {
			delete(out, "status")
		}
		if m, ok := after.At("metadata", "managedFields"); ok {
			out.Set(m, "metadata", "managedFields")
		}
		return out, nil
	case sub != "":
		return nil, &manifest.Refusal{Code: 404, Reason: manifest.ReasonNotFound, Message: "the server could not find the requested resource"}
	}
	if k.Status {
		if after["status"] = before.Copy()["status"]; after["status"] == nil {
			delete(after, "status")
		}
	}
	after["apiVersion"] = k.Kind.APIVersion()
	for _, fixed := range []string{"uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName", "namespace", "name", "selfLink"} {
		after.Drop("metadata", fixed)
		if v, ok := before.At("metadata", fixed); ok {
			after.Set(v, "metadata", fixed)
		}
	}
	return after, nil
}

// change puts a changed object where it differs, and ends a deletion that waited for it.
func (s *Store) change(k *Served, before, after manifest.Object, sub string, w manifest.Writing) (manifest.Object, error) {
	after.Set(before.Revision(), "metadata", "resourceVersion")
	if same(before, after) {
		return before, nil
	}
	if k.Generation && sub != "status" && !reflect.DeepEqual(counted(k, before), counted(k, after)) {
		after.Set(before.Int(0, "metadata", "generation")+1, "metadata", "generation")
	}
	if w.DryRun {
		return after, nil
	}
	after, err := s.put(before, after)
	if err == nil && after.Deleting() {
		return s.finish(k, after)
	}
	return after, err
}

// counted is what a change of counts as a new generation.
func counted(k *Served, o manifest.Object) map[string]any {
	out := map[string]any{}
	for key, v := range o {
		if key != "metadata" && (key != "status" || !k.Status) {
			out[key] = v
		}
	}
	return out
}

// same says that a write changes nothing but, at most, the times of field owners.
func same(a, b manifest.Object) bool {
	return reflect.DeepEqual(withoutTimes(a), withoutTimes(b))
}

func withoutTimes(o manifest.Object) manifest.Object {
	entries := o.List("metadata", "managedFields")
	if len(entries) == 0 {
		return o
	}
	timeless := make([]any, len(entries))
	for i, e := range entries {
		m := manifest.Object{}
		if em, ok := e.(map[string]any); ok {
			for k, v := range em {
				if k != "time" {
					m[k] = v
				}
			}
		}
		timeless[i] = map[string]any(m)
	}
	out, meta := manifest.Object{}, map[string]any{}
	for k, v := range o {
		out[k] = v
	}
	for k, v := range o.Sub("metadata") {
		meta[k] = v
	}
	meta["managedFields"] = timeless
	out["metadata"] = meta
	return out
}

func who(w manifest.Writing) string {
	if w.Manager == "" {
		return manager
	}
	return w.Manager
}

func (s *Store) now() string { return s.c.Now().UTC().Format(time.RFC3339) }

// letters are those of generated names: no vowels, nothing that reads like another.
const letters = "bcdfghjklmnpqrstvwxz2456789"

func suffix() string {
	var b [5]byte
	_, _ = rand.Read(b[:])
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b[:])
}

// sweepEvents removes events that are older than an hour, as the API server does.
func (s *Store) sweepEvents() error {
	k, old := s.kinds[sort{"", "Event"}], s.c.Now().Add(-time.Hour)
	for _, o := range s.filtered(k, filter{}) {
		if made, err := time.Parse(time.RFC3339, o.Text("metadata", "creationTimestamp")); err == nil && made.Before(old) {
			if _, err := s.put(o, nil); err != nil {
				return fmt.Errorf("remove an old event: %w", err)
			}
		}
	}
	return nil
}
