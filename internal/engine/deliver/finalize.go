package deliver

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// cascadeForeground is the finalizer that says in words what ResourcesFinalizer means (documentation page "App Deletion").
const cascadeForeground = application.ResourcesFinalizer + "/foreground"

var (
	cascades = []string{application.ResourcesFinalizer, cascadeForeground, application.ResourcesFinalizerBackground}
	held     = append([]string{
		application.PreDeleteFinalizer, application.PreDeleteCleanup, application.PostDeleteFinalizer, application.PostDeleteCleanup,
	}, cascades...)
)

// finalize takes the deletion of an Application a step on. gone says that nothing of it is left to do here.
func (c *Controller) finalize(ctx context.Context, e *entry, o manifest.Object) (gone bool, after time.Duration, err error) {
	o, err = c.Home.Get(ctx, applicationKind, o.Namespace(), o.Name())
	if manifest.NotFound(err) {
		return true, 0, nil
	}
	if err != nil {
		return false, 0, err
	}
	if !slices.ContainsFunc(texts(o.List("metadata", "finalizers")), ours) {
		return true, 0, nil
	}
	app, err := Decode(o)
	if err != nil {
		return false, 0, nil //nolint:nilerr // the comparison tells of it
	}
	at, err := c.destined(ctx, app)
	if err == nil && at == nil {
		// Nothing can be deleted in a cluster that is not known any more.
		return true, 0, c.drop(ctx, o, ours)
	}
	if err != nil {
		return false, poll, c.deletionFailed(ctx, o, app, err.Error())
	}
	return c.undo(ctx, e, o, at)
}

// poll is how often a deletion is looked at that cannot go on.
const poll = 5 * time.Second

func ours(f string) bool { return slices.Contains(held, f) }

func texts(list []any) []string {
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// destined is the place of an Application whatever its project says of it; nil where its cluster is none.
func (c *Controller) destined(ctx context.Context, app application.Application) (*place, error) {
	p := &place{app: app, tracking: c.tracking(app)}
	var bad []application.Condition
	if p.project, bad = c.projectOf(app); bad != nil {
		return nil, errors.New("error getting project: " + bad[0].Message)
	}
	at, _, err := c.resolve(ctx, app.Spec.Destination)
	if err != nil {
		return nil, nil //nolint:nilerr // a cluster that is named by nothing
	}
	p.at = at
	if p.to, p.state, err = c.Clusters.Find(ctx, app.Spec.Destination); err != nil {
		return nil, nil //nolint:nilerr
	}
	return p, c.serves(ctx, p, 0)
}

// undo does what comes next of a deletion.
func (c *Controller) undo(ctx context.Context, e *entry, o manifest.Object, at *place) (gone bool, after time.Duration, err error) {
	app := at.app
	q := question{sources: app.Spec.All(), many: len(app.Spec.Sources) > 0, level: recent, quick: true}
	if slices.ContainsFunc(texts(o.List("metadata", "finalizers")), isHookFinalizer) {
		q.level = latest // a hook that failed may have been mended
	} else {
		q.desired = &application.Desired{}
	}
	f := c.compare(ctx, e, at, q)
	if f.lost != nil {
		if ctx.Err() != nil {
			return false, 0, context.Cause(ctx)
		}
		return false, poll, c.deletionFailed(ctx, o, app, f.lost.Error())
	}
	live := f.live
	live.Objects = maps.Clone(live.Objects)
	maps.DeleteFunc(live.Objects, func(key manifest.Key, x manifest.Object) bool {
		return !at.permits(x.Kind(), key.Namespace, key.Name)
	})
	app.Object = plainCascade(o)
	d := application.NextDeletion(application.Deleting{
		App: app, Tracking: at.tracking, Comparison: f.Comparison, Live: live, Health: f.assess, Answered: e.undone, Now: c.Clock(),
	})
	e.undone = nil
	if d.Condition != nil {
		if err := c.deletionFailed(ctx, o, app, d.Condition.Message); err != nil {
			return false, 0, err
		}
	}
	if len(d.Actions) > 0 {
		e.undone = c.act(ctx, e, at, d.Actions, false)
		e.wrote(e.undone, c.Clock())
		if failed := slices.IndexFunc(e.undone, func(a application.Answer) bool { return a.Err != nil }); failed < 0 && len(d.Drop) == 0 {
			return false, sooner(d.After, poll), nil
		}
	}
	if len(d.Drop) > 0 && d.Condition == nil {
		if slices.Contains(d.Drop, application.ResourcesFinalizer) {
			d.Drop = append(d.Drop, cascadeForeground)
		}
		return false, time.Millisecond, c.drop(ctx, o, func(s string) bool { return slices.Contains(d.Drop, s) })
	}
	return d.Done, sooner(d.After, poll), nil
}

func isHookFinalizer(f string) bool { return ours(f) && !slices.Contains(cascades, f) }

// plainCascade is the object with one name for the foreground cascade.
func plainCascade(o manifest.Object) manifest.Object {
	list := o.List("metadata", "finalizers")
	if !slices.Contains(list, any(cascadeForeground)) {
		return o
	}
	o = o.Copy()
	list = o.List("metadata", "finalizers")
	for i := range list {
		if list[i] == cascadeForeground {
			list[i] = application.ResourcesFinalizer
		}
	}
	return o
}

// drop takes finalizers off.
func (c *Controller) drop(ctx context.Context, o manifest.Object, which func(string) bool) error {
	left := slices.DeleteFunc(texts(o.List("metadata", "finalizers")), which)
	_, err := c.write(ctx, o, change{finalizers: &left}, true)
	if manifest.NotFound(err) {
		return nil
	}
	return err
}

func (c *Controller) deletionFailed(ctx context.Context, o manifest.Object, app application.Application, message string) error {
	for _, cond := range pick(app.Status.Conditions, deletionError) {
		if cond.Message == message {
			return nil
		}
	}
	s := app.Status
	s.Conditions = setConditions(s.Conditions, []application.Condition{{Type: deletionError, Message: message}}, c.now(), deletionError)
	if _, err := c.write(ctx, o, change{status: &s}, false); err != nil && !manifest.NotFound(err) {
		return err
	}
	c.event(ctx, o, warning, reasonRefreshed, "Unable to delete application resources: "+message)
	return nil
}

// hookFinalizers keeps an Application's finalizers for deletion hooks as its sources need them, before its status says Synced.
func (c *Controller) hookFinalizers(ctx context.Context, o manifest.Object, f finding) (manifest.Object, error) {
	if o.Deleting() || f.failed {
		return o, nil
	}
	now := texts(o.List("metadata", "finalizers"))
	app := application.Application{Object: o.Copy()}
	var own []any
	for _, one := range now {
		if !isHookFinalizer(one) {
			own = append(own, one)
		}
	}
	app.Object.Set(own, "metadata", "finalizers")
	next := application.Finalizers(app, f.Comparison)
	if len(next) == len(now) && !slices.ContainsFunc(next, func(s string) bool { return !slices.Contains(now, s) }) {
		return o, nil
	}
	out, err := c.write(ctx, o, change{finalizers: &next}, true)
	if manifest.Is(err, manifest.ReasonConflict) || manifest.NotFound(err) {
		return o, nil // it is looked at again
	}
	return out, err
}
