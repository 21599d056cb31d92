package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// write makes the Applications as they are planned. An error says that something is to be tried again.
func (w *settling) write(ctx context.Context, desired, valid []manifest.Object) error {
	plan, err := applicationset.Plan(w.set, w.existing, desired, valid, w.Policy)
	if err != nil {
		w.wrong(applicationset.ReasonUpdate, err)
		return err
	}
	if w.DryRun {
		return nil
	}
	reason := applicationset.ReasonUpdate
	if !w.Policy.MayUpdate(w.set) {
		reason = applicationset.ReasonCreate
	}
	wrong := slices.Clone(plan.Refused)
	each := func(o manifest.Object, err error) {
		if err != nil && ctx.Err() == nil {
			wrong = append(wrong, applicationset.Wrong{Name: o.Name(), Err: err})
		}
	}
	for _, o := range plan.Create {
		each(o, w.create(ctx, o))
	}
	for _, u := range plan.Update {
		each(u.Object, w.update(ctx, u))
	}
	if first := byName(wrong); first != nil {
		w.wrong(reason, first)
		return first
	}
	going := plan.Delete
	if w.set.Reverses() {
		going, w.left = applicationset.Reverse(w.set, going)
	}
	for _, o := range going {
		each(o, w.remove(ctx, o))
	}
	if first := byName(wrong); first != nil {
		w.wrong(applicationset.ReasonDelete, first)
		return first
	}
	return w.promote(ctx)
}

// wrong keeps what went wrong first.
func (w *settling) wrong(reason string, err error) {
	if w.outcome.Reason == "" || w.outcome.Reason == applicationset.ReasonValidation {
		w.outcome.Reason, w.outcome.Message = reason, said(err)
	}
}

// byName is the error of the first Application by name.
func byName(list []applicationset.Wrong) error {
	if len(list) == 0 {
		return nil
	}
	return slices.MinFunc(list, func(a, b applicationset.Wrong) int { return strings.Compare(a.Name, b.Name) }).Err
}

func (w *settling) create(ctx context.Context, o manifest.Object) error {
	_, err := w.Home.Create(ctx, o, manifest.Writing{Manager: setManager})
	if err == nil {
		w.event(ctx, "created", fmt.Sprintf("created Application %q", o.Name()))
	}
	return err
}

// setManager is the field manager of the Applications that sets write, Argo CD's own.
const setManager = "argocd-applicationset-controller"

func (w *settling) update(ctx context.Context, u applicationset.Update) error {
	out, err := w.Home.Patch(ctx, applicationKind, u.Object.Namespace(), u.Object.Name(), manifest.Patch{Kind: manifest.MergePatch, Data: u.Patch.JSON()}, manifest.Writing{Manager: setManager})
	if manifest.NotFound(err) {
		return nil // it is made again when its deletion is told
	}
	if err == nil && out.Revision() != u.Object.Revision() {
		w.event(ctx, "updated", fmt.Sprintf("updated Application %q", u.Object.Name()))
	}
	return err
}

// remove deletes an Application. One whose cluster is none any more loses the finalizer first that would wait for it.
func (w *settling) remove(ctx context.Context, o manifest.Object) error {
	if o.Deleting() {
		return nil
	}
	if err := w.untie(ctx, o); err != nil {
		return err
	}
	err := w.Home.Delete(ctx, applicationKind, o.Namespace(), o.Name(), manifest.Writing{UID: o.UID(), Manager: setManager})
	if manifest.NotFound(err) {
		return nil
	}
	if err == nil {
		w.event(ctx, "Deleted", fmt.Sprintf("Deleted Application %q", o.Name()))
	}
	return err
}

func (s *Sets) untie(ctx context.Context, o manifest.Object) error {
	list := texts(o.List("metadata", "finalizers"))
	r, ok := s.Clusters.(Resolver)
	if !ok || !slices.Contains(list, application.ResourcesFinalizer) {
		return nil
	}
	app, err := Decode(o)
	if err != nil {
		return nil //nolint:nilerr // whoever finalizes it tells
	}
	if _, _, err := r.Resolve(ctx, app.Spec.Destination); err == nil || ctx.Err() != nil || manifest.Passing(err) {
		return nil
	}
	left := slices.DeleteFunc(list, func(f string) bool { return f == application.ResourcesFinalizer })
	if err := s.finalizers(ctx, applicationKind, o, left); err != nil && !manifest.NotFound(err) {
		return fmt.Errorf("error updating finalizers: %w", err)
	}
	return nil
}

func (s *Sets) setFinalizers(ctx context.Context, o manifest.Object, list []string) error {
	return s.finalizers(ctx, setKind, o, list)
}

// finalizers writes an object's finalizers, refused where the object is not that any more.
func (s *Sets) finalizers(ctx context.Context, kind manifest.Kind, o manifest.Object, list []string) error {
	patch := manifest.Object{}
	out := []any{}
	for _, f := range list {
		out = append(out, f)
	}
	patch.Set(out, "metadata", "finalizers")
	patch.Set(o.Revision(), "metadata", "resourceVersion")
	_, err := s.Home.Patch(ctx, kind, o.Namespace(), o.Name(), manifest.Patch{Kind: manifest.MergePatch, Data: patch.JSON()}, manifest.Writing{Manager: setManager})
	return err
}

// finalizeSet takes the deletion of a set a step on. Its Applications go with it by their owner references; where the policy
// lets none be deleted they lose those first, and with the deletion order Reverse the last step's go first.
func (s *Sets) finalizeSet(ctx context.Context, set applicationset.Set) (time.Duration, error) {
	list := texts(set.Object.List("metadata", "finalizers"))
	if !slices.Contains(list, application.ResourcesFinalizer) {
		return 0, nil
	}
	all, err := s.Home.List(ctx, applicationKind, set.Object.Namespace(), "")
	if err != nil {
		return 0, err
	}
	w := &settling{Sets: s, set: set, existing: all}
	mine := w.mine()
	switch {
	case !s.Policy.MayDelete(set):
		for _, o := range mine {
			if err := s.release(ctx, o); err != nil {
				return 0, err
			}
		}
	case set.Reverses():
		now, left := applicationset.Reverse(set, mine)
		for _, o := range now {
			if err := w.remove(ctx, o); err != nil {
				return 0, err
			}
		}
		if left || len(now) > 0 {
			return poll, nil
		}
	}
	err = s.setFinalizers(ctx, set.Object, slices.DeleteFunc(list, func(f string) bool { return f == application.ResourcesFinalizer }))
	if manifest.NotFound(err) {
		return 0, nil
	}
	return 0, err
}

// release takes an Application's owner references off, so that it stays when its set goes.
func (s *Sets) release(ctx context.Context, o manifest.Object) error {
	patch := manifest.Object{}
	patch.Set(nil, "metadata", "ownerReferences")
	patch.Set(o.Revision(), "metadata", "resourceVersion")
	_, err := s.Home.Patch(ctx, applicationKind, o.Namespace(), o.Name(), manifest.Patch{Kind: manifest.MergePatch, Data: patch.JSON()}, manifest.Writing{Manager: setManager})
	if manifest.NotFound(err) {
		return nil
	}
	if err != nil {
		return errors.Join(errors.New("error updating application"), err)
	}
	return nil
}

// event tells of a set beside it in the cluster, and to whoever watches.
func (w *settling) event(ctx context.Context, reason, message string) {
	o := w.set.Object
	if w.Tell != nil {
		w.Tell(Told{Namespace: o.Namespace(), Name: o.Name(), Type: normal, Reason: reason, Message: message})
	}
	ctx, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	e := Event(o, normal, reason, message, w.Clock().UTC())
	e.Set("applicationset-controller", "source", "component")
	_, _ = w.Home.Create(ctx, e, manifest.Writing{Manager: manager})
}
