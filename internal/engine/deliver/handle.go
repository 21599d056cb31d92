package deliver

import (
	"context"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// handle works on one Application: its operation first, then its deletion, then a comparison where one is due.
func (c *Controller) handle(ctx context.Context, key name) (time.Duration, error) {
	c.mu.Lock()
	e := c.apps[key]
	var o manifest.Object
	var asked level
	if e != nil {
		o, asked = e.object, e.asked
		e.asked = nothing
	}
	c.mu.Unlock()
	if e == nil || !c.mine(o) {
		return 0, nil
	}
	after, err := c.work(ctx, e, o, asked)
	if err != nil {
		c.mu.Lock()
		e.asked = max(e.asked, asked)
		c.mu.Unlock()
	}
	return after, err
}

func (c *Controller) work(ctx context.Context, e *entry, o manifest.Object, asked level) (time.Duration, error) {
	var after time.Duration
	if o["operation"] != nil {
		next, wait, err := c.operate(ctx, e, o)
		if err != nil || next["metadata"] == nil {
			return 0, err
		}
		o, after = next, wait
	}
	if o.Deleting() && o["operation"] == nil {
		gone, wait, err := c.finalize(ctx, e, o)
		if gone || err != nil {
			return wait, err
		}
		after = sooner(after, wait)
	}
	if ctx.Err() != nil {
		return 0, nil
	}
	wait, err := c.refreshDue(ctx, e, o, asked)
	return sooner(after, wait), err
}

// refreshDue compares where a comparison is wanted and says when the next one is.
func (c *Controller) refreshDue(ctx context.Context, e *entry, o manifest.Object, asked level) (time.Duration, error) {
	now := c.Clock()
	app, err := Decode(o)
	if err == nil && e.due.IsZero() && app.Status.ReconciledAt != nil {
		e.due = c.expiry(*app.Status.ReconciledAt)
	}
	c.mu.Lock()
	asked = max(asked, e.asked) // what the operation asked for
	e.asked = nothing
	c.mu.Unlock()
	if !e.again.IsZero() && !now.Before(e.again) {
		asked = max(asked, recent)
	}
	l, hard := wanted(app, asked, !e.due.IsZero() && !now.Before(e.due))
	if err != nil {
		l = max(l, recent)
	}
	if l == nothing {
		return sooner(c.untilDue(e), c.left(e.again)), nil
	}
	began := c.Clock()
	_, wait, err := c.refresh(ctx, e, o, l, hard)
	if c.Meter != nil {
		c.Meter.Compared(c.seen(o), c.Clock().Sub(began))
	}
	if err != nil {
		c.mu.Lock()
		e.asked = max(e.asked, l)
		c.mu.Unlock()
		return 0, err
	}
	if l >= latest || e.due.IsZero() {
		e.due = c.expiry(c.Clock())
	}
	e.again = time.Time{}
	if wait > 0 {
		e.again = c.Clock().Add(wait)
	}
	return sooner(wait, c.untilDue(e)), nil
}

func (c *Controller) expiry(from time.Time) time.Time {
	d := c.interval()
	if d == 0 {
		return time.Time{}
	}
	return from.Add(d)
}

func (c *Controller) untilDue(e *entry) time.Duration { return c.left(e.due) }

// left is the wait until a time, at least a millisecond; zero where there is none.
func (c *Controller) left(at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	return max(at.Sub(c.Clock()), time.Millisecond)
}

// sooner is the shorter of two waits, of which zero is never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	if b == 0 {
		return a
	}
	return min(a, b)
}

// automatic begins a sync where one is due by itself. A condition that says why none does is kept in the status.
func (c *Controller) automatic(ctx context.Context, o manifest.Object, at *place, f finding, s application.Status) (manifest.Object, time.Duration, application.Status, error) {
	if o["operation"] != nil {
		return o, 0, s, nil
	}
	w := c.windowNow(at)
	if !w.Allowed {
		return o, c.until(w.Next), s, nil
	}
	app := at.app
	app.Status.Sync = s.Sync
	a := application.MaySync(application.Automatic{App: app, Comparison: f.Comparison, Revisions: f.revisions(), Now: c.Clock(), SelfHeal: c.SelfHeal})
	var conditions []application.Condition
	if a.Condition != nil {
		conditions = append(conditions, *a.Condition)
	}
	s.Conditions = setConditions(s.Conditions, conditions, c.now(), syncError)
	if a.Operation == nil {
		return o, a.After, s, nil
	}
	var op any = wire(a.Operation)
	out, err := c.write(ctx, o, change{operation: &op}, true)
	switch {
	case manifest.Is(err, manifest.ReasonConflict), manifest.NotFound(err):
		return o, settle, s, nil // somebody wrote the application meanwhile: it is looked at again
	case err != nil:
		s.Conditions = setConditions(s.Conditions, []application.Condition{{Type: syncError, Message: err.Error()}}, c.now(), syncError)
		return o, settle, s, nil
	}
	c.event(ctx, o, normal, reasonStarted, a.Why)
	return out, time.Millisecond, s, nil
}
