package deliver

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// handle works on one ApplicationSet.
func (s *Sets) handle(ctx context.Context, key name) (time.Duration, error) {
	o, err := s.Home.Get(ctx, setKind, key.namespace, key.name)
	if manifest.NotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	set, err := applicationset.Decode(o)
	if err != nil {
		set.Object = o
		return applicationset.AfterError, s.failed(ctx, set, applicationset.ReasonParams, err)
	}
	if s.NoRolling {
		set.Spec.Strategy = nil
	}
	if o.Deleting() {
		return s.finalizeSet(ctx, set)
	}
	if set.Reverses() && !slices.Contains(texts(o.List("metadata", "finalizers")), application.ResourcesFinalizer) {
		if err := s.setFinalizers(ctx, o, append(texts(o.List("metadata", "finalizers")), application.ResourcesFinalizer)); err != nil {
			return 0, err
		}
	}
	began := s.Clock()
	after, err := s.reconcile(ctx, set)
	if s.Meter != nil {
		s.Meter.Generated(key.namespace, key.name, s.Clock().Sub(began))
	}
	return after, err
}

// said is an error in a condition: the words alone.
func said(err error) string {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Message
	}
	return err.Error()
}

// reconcile makes the Applications of a set as they should be.
func (s *Sets) reconcile(ctx context.Context, set applicationset.Set) (time.Duration, error) {
	_, fresh := set.Object.Annotations()[setRefreshAnnotation]
	params, err := s.generate(ctx, set, fresh)
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if err != nil {
		return applicationset.AfterError, s.failed(ctx, set, applicationset.ReasonParams, err)
	}
	desired, err := applicationset.RenderAll(set, params)
	if err != nil {
		return applicationset.AfterError, s.failed(ctx, set, applicationset.ReasonTemplate, err)
	}
	existing, err := s.Home.List(ctx, applicationKind, set.Object.Namespace(), "")
	if err != nil {
		return 0, fmt.Errorf("failed to get current applications for application set: %w", err)
	}
	bad := applicationset.Check(set, desired, func(o manifest.Object) error { return s.valid(ctx, o) })
	valid := slices.DeleteFunc(slices.Clone(desired), func(o manifest.Object) bool {
		return slices.ContainsFunc(bad, func(w applicationset.Wrong) bool { return w.Name == o.Name() })
	})
	w := &settling{Sets: s, set: set, kept: set.Status, existing: existing, outcome: applicationset.Outcome{Generated: true}}
	if len(bad) > 0 {
		w.outcome.Reason, w.outcome.Message = applicationset.ReasonValidation, several(bad)
	}
	if valid, err = w.roll(ctx, valid); manifest.Passing(err) {
		return 0, err
	} else if err != nil {
		w.outcome = applicationset.Outcome{Reason: applicationset.ReasonValidation, Message: said(err), Generated: true}
		return applicationset.AfterError, s.conclude(ctx, w.set, w.kept, w.outcome, w.mine())
	}
	work := w.write(ctx, desired, valid)
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	after, err := w.settle(ctx, fresh)
	return after, errors.Join(work, err)
}

// generate asks the generators of a set, where it is their turn.
func (s *Sets) generate(ctx context.Context, set applicationset.Set, fresh bool) ([]applicationset.Params, error) {
	key := name{set.Object.Namespace(), set.Object.Name()}
	now, turn := s.Clock(), applicationset.Requeue(set, max(s.Interval, 0))
	mark := generated{uid: set.Object.UID(), generation: set.Object.Int(0, "metadata", "generation"), at: now}
	s.mu.Lock()
	had, ok := s.made[key]
	before := s.turn[key]
	s.mu.Unlock()
	if ok && !fresh && mark.generation > 0 && had.uid == mark.uid && had.generation == mark.generation && now.Sub(had.at) < turn {
		return had.params, nil
	}
	var err error
	mark.params, err = applicationset.Generate(set, s.World(ctx, set, fresh))
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.made, key)
	if err == nil && turn > 0 && s.turn[key] == before {
		s.made[key] = mark
	}
	return mark.params, err
}

// untilTurn is when the generators of a set are to be asked again, zero for never.
func (s *Sets) untilTurn(set applicationset.Set) time.Duration {
	turn := applicationset.Requeue(set, max(s.Interval, 0))
	s.mu.Lock()
	defer s.mu.Unlock()
	if had, ok := s.made[name{set.Object.Namespace(), set.Object.Name()}]; ok && turn > 0 {
		return max(turn-s.Clock().Sub(had.at), time.Millisecond)
	}
	return turn
}

// several are the words of the last Application that cannot be, and how many more there are.
func several(bad []applicationset.Wrong) string {
	message := bad[len(bad)-1].Err.Error()
	if len(bad) > 1 {
		message = fmt.Sprintf("%s (and %d more)", message, len(bad)-1)
	}
	return message
}

// failed keeps in the status why the generators or the template failed. Nothing is changed of the Applications.
func (s *Sets) failed(ctx context.Context, set applicationset.Set, reason string, err error) error {
	if s.Failed != nil {
		s.Failed(set.Object.Namespace(), set.Object.Name(), err)
	}
	before := set.Status
	return s.conclude(ctx, set, before, applicationset.Outcome{Reason: reason, Message: said(err)}, nil)
}

// valid is why an Application cannot be: its project or its destination is none.
func (s *Sets) valid(ctx context.Context, o manifest.Object) error {
	app, err := Decode(o)
	if err != nil {
		return err
	}
	if app.Spec.Project != "default" { // which permits everything where nobody made it
		_, err := s.Home.Get(ctx, projectKind, s.Namespace, app.Spec.Project)
		if manifest.NotFound(err) {
			return fmt.Errorf("application references project %s which does not exist", app.Spec.Project)
		}
		if err != nil {
			return err
		}
	}
	if r, ok := s.Clusters.(Resolver); ok {
		_, _, err = r.Resolve(ctx, app.Spec.Destination)
	} else {
		_, _, err = s.Clusters.Find(ctx, app.Spec.Destination)
	}
	if err != nil {
		return fmt.Errorf("application destination spec is invalid: %w", err)
	}
	return nil
}

// settling is one reconciliation.
type settling struct {
	*Sets

	set      applicationset.Set
	kept     applicationset.Status // as the cluster holds it
	existing []manifest.Object     // Applications of its namespace
	outcome  applicationset.Outcome
	rolled   *applicationset.Rolled
	left     bool // deletions wait for others
	moved    bool // an Application came to another status, from which it may go on at once
}

// mine are the Applications of the set.
func (w *settling) mine() []manifest.Object {
	return slices.DeleteFunc(slices.Clone(w.existing), func(o manifest.Object) bool { return !applicationset.Owns(w.set, o) })
}

// roll takes a rollout in steps on and gives the Applications as they are to be written. Its statuses are kept before
// anything is done, so that a stop in between starts nothing twice.
func (w *settling) roll(ctx context.Context, valid []manifest.Object) ([]manifest.Object, error) {
	if len(w.set.Steps()) == 0 {
		w.set.Status.ApplicationStatus = nil
		if done := applicationset.Completed(); w.set.Rolls() {
			w.outcome.Rollout = &done
		}
		_, err := w.set.Order()
		return valid, err
	}
	in := applicationset.Syncing{Set: w.set, Existing: w.mine(), Desired: valid, Now: w.Clock()}
	if err := w.across(ctx, &in); err != nil {
		return nil, err
	}
	rolled, err := applicationset.Roll(in)
	if err != nil {
		return nil, err
	}
	w.rolled, w.outcome.Rollout = &rolled, &rolled.Rollout
	w.moved = !reflect.DeepEqual(stands(w.set.Status.ApplicationStatus), stands(rolled.Statuses))
	w.set.Status.ApplicationStatus = rolled.Statuses
	if err := w.keepStatus(ctx, &w.set, w.kept); err != nil {
		return nil, err
	}
	w.kept = w.set.Status
	return rolled.Desired, nil
}

// stands is how far each Application is.
func stands(list []applicationset.ApplicationStatus) map[string]string {
	out := map[string]string{}
	for _, s := range list {
		out[s.Application] = s.Status
	}
	return out
}

// settle keeps how it went and says when to look again.
func (w *settling) settle(ctx context.Context, fresh bool) (time.Duration, error) {
	apps, err := w.Home.List(ctx, applicationKind, w.set.Object.Namespace(), "")
	if err != nil {
		return 0, err
	}
	w.existing = apps
	if err := w.conclude(ctx, w.set, w.kept, w.outcome, w.mine()); err != nil {
		return 0, err
	}
	if fresh {
		if err := w.refreshed(ctx); err != nil {
			return 0, err
		}
	}
	after := w.untilTurn(w.set)
	if w.outcome.Reason == applicationset.ReasonValidation && after == 0 {
		after = applicationset.AfterError
	}
	if w.left {
		after = sooner(after, poll)
	}
	if w.rolled != nil {
		after = sooner(after, w.rolled.After)
		if w.moved {
			after = settle
		}
		if slices.ContainsFunc(w.rolled.Statuses, func(a applicationset.ApplicationStatus) bool { return a.Status == applicationset.Pending }) || w.rolled.Analyse != nil || len(w.rolled.CutOver) > 0 || w.waits() {
			after = sooner(after, poll)
		}
	}
	return after, nil
}

// refreshed takes the annotation off that asked for this.
func (w *settling) refreshed(ctx context.Context) error {
	patch := manifest.Object{}
	patch.Set(nil, "metadata", "annotations", setRefreshAnnotation)
	_, err := w.Home.Patch(ctx, setKind, w.set.Object.Namespace(), w.set.Object.Name(), manifest.Patch{Kind: manifest.MergePatch, Data: patch.JSON()}, manifest.Writing{Manager: manager})
	if manifest.NotFound(err) {
		return nil
	}
	return err
}

// conclude keeps the conditions of an outcome, and the Applications where they are given. before is the status as the cluster
// holds it.
func (s *Sets) conclude(ctx context.Context, set applicationset.Set, before applicationset.Status, o applicationset.Outcome, apps []manifest.Object) error {
	set.Status.Conditions = applicationset.Conditions(set, o, s.now())
	set.Status.Health = applicationset.HealthOf(set.Status.Conditions)
	if apps != nil || o.Reason == "" {
		set.Status.Resources, set.Status.ResourcesCount = applicationset.Resources(apps, max(s.MostResources, 0))
	}
	return s.keepStatus(ctx, &set, before)
}

// keepStatus writes what changed of a status.
func (s *Sets) keepStatus(ctx context.Context, set *applicationset.Set, before applicationset.Status) error {
	a, err1 := manifest.From(before)
	b, err2 := manifest.From(set.Status)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	patch := manifest.Merge(a, b)
	if len(patch) == 0 {
		return nil
	}
	whole := manifest.Object{"status": map[string]any(patch)}
	o, err := s.Home.Patch(ctx, setKind, set.Object.Namespace(), set.Object.Name(), manifest.Patch{Kind: manifest.MergePatch, Data: whole.JSON(), Sub: "status"}, manifest.Writing{Manager: manager})
	if manifest.NotFound(err) {
		return nil // it was deleted meanwhile
	}
	if err != nil {
		return fmt.Errorf("unable to set application set status: %w", err)
	}
	set.Object = o
	return nil
}
