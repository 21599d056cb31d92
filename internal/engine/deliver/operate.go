package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// running is an operation that is at work here. Another process that takes it over begins anew from the state in the cluster.
type running struct {
	started  time.Time
	tries    int64
	desired  *application.Desired
	answered []application.Answer
	applied  time.Time
}

// grace is how long what is at work may go on when the controller is told to stop, and how long a step may take at most.
const (
	grace    = 10 * time.Second
	stepMost = 5 * time.Minute
)

// operate takes the operation of an Application a step on. It returns the object as it is then, and when to go on though
// nothing changes.
func (c *Controller) operate(ctx context.Context, e *entry, o manifest.Object) (manifest.Object, time.Duration, error) {
	o, err := c.Home.Get(ctx, applicationKind, o.Namespace(), o.Name())
	if err != nil {
		if manifest.NotFound(err) {
			return o, 0, nil
		}
		return o, 0, err
	}
	c.remember(o)
	for {
		if o["operation"] == nil {
			e.running = nil
			return o, 0, nil
		}
		app, err := Decode(o)
		if err != nil {
			return c.spoilt(ctx, o, app, err)
		}
		next, again, after, err := c.step(ctx, e, o, app)
		if err != nil {
			return next, 0, err
		}
		o = next
		if !again || ctx.Err() != nil {
			return o, after, nil
		}
	}
}

// spoilt ends an operation that cannot be read.
func (c *Controller) spoilt(ctx context.Context, o manifest.Object, app application.Application, err error) (manifest.Object, time.Duration, error) {
	now := c.now()
	state := application.OperationState{Phase: application.Errored, Message: "the operation cannot be read: " + err.Error(), StartedAt: now, FinishedAt: &now}
	out, err := c.record(ctx, o, app, state)
	return out, 0, err
}

// step does one step. again says that the next one can be done at once.
func (c *Controller) step(ctx context.Context, e *entry, o manifest.Object, app application.Application) (out manifest.Object, again bool, after time.Duration, err error) {
	state, begun := c.stateOf(app)
	if begun {
		e.running = nil
		out, err = c.record(ctx, o, app, state)
		return out, true, 0, err
	}
	if at, waits := state.RetryAt(); waits {
		if left := at.Sub(c.Clock()); left > 0 {
			return o, false, left, nil
		}
		e.running = nil
		out, err = c.record(ctx, o, app, state.Again())
		return out, true, 0, err
	}
	if c.late(state) {
		state.Phase, state.Message = application.Terminating, "operation is terminating due to timeout"
		out, err = c.record(ctx, o, app, state)
		return out, true, 0, err
	}
	terminated := state.Phase == application.Terminating
	decision, acted := c.advance(ctx, e, app, state)
	if !acted && ctx.Err() != nil { // what failed because the controller stops is no end of the operation
		return o, false, 0, context.Cause(ctx)
	}
	if decision.State.Phase.Completed() {
		next := application.Conclude(decision.State, terminated, c.now())
		if terminated && c.timedOut(state) {
			next.Message += ", triggered by controller sync timeout"
		}
		out, err = c.record(ctx, o, app, next)
		if next.Phase.Completed() {
			e.running = nil
		}
		return out, err == nil && !next.Phase.Completed(), 0, err
	}
	out, err = c.record(ctx, o, app, decision.State)
	return out, acted, decision.After, err
}

// stateOf is the state of the operation that goes on, or of the one that begins now.
func (c *Controller) stateOf(app application.Application) (application.OperationState, bool) {
	s := app.Status.OperationState
	if s == nil || s.Phase.Completed() {
		return application.Begin(app, *app.Operation, c.now()), true
	}
	return *s, false
}

func (c *Controller) timedOut(s application.OperationState) bool {
	return c.SyncTimeout > 0 && c.Clock().Sub(s.StartedAt) > c.SyncTimeout
}

func (c *Controller) late(s application.OperationState) bool {
	return s.Phase == application.Running && c.timedOut(s)
}

// ended is a state that ends an operation.
func ended(s application.OperationState, phase application.OperationPhase, format string, args ...any) application.SyncDecision {
	s.Phase, s.Message = phase, fmt.Sprintf(format, args...)
	return application.SyncDecision{State: s}
}

// advance looks at the world, asks what to do and does it. It reports whether there was something to do.
func (c *Controller) advance(ctx context.Context, e *entry, app application.Application, state application.OperationState) (application.SyncDecision, bool) {
	at, bad := c.find(ctx, app)
	if bad != nil {
		return ended(state, application.Errored, "%s", formatConditions(bad)), false
	}
	c.goes(e, at.at.Server)
	if at.noUser != nil {
		return ended(state, application.Errored, "failed to find a matching service account to impersonate: %v", at.noUser), false
	}
	if state.Phase != application.Terminating {
		if w := c.window(at, state); !w.Allowed {
			state.Message = "Sync operation blocked by sync window"
			return application.SyncDecision{State: state, After: c.until(w.Next)}, false
		}
	}
	f, state, stop := c.world(ctx, e, at, state)
	if stop != nil {
		return *stop, false
	}
	d := application.Next(application.Syncing{
		App: app, Operation: state.Operation, State: state, Comparison: f.Comparison, Hooks: ofOperation(f.hooks, state),
		Answered: e.running.answered, Health: f.assess, Scope: at.scope, Now: c.Clock(),
		Namespace: f.namespace, Applied: e.running.applied, WaveDelay: c.WaveDelay, Tracking: at.tracking, Permit: at.refuses,
	})
	e.running.answered, e.running.applied = nil, d.Applied
	if len(d.Actions) == 0 {
		d.After = sooner(d.After, e.stale(c.Clock()))
		return d, false
	}
	c.before(at, f, d.Actions)
	e.running.answered = c.act(ctx, e, at, d.Actions, state.Phase == application.Terminating)
	e.wrote(e.running.answered, c.Clock())
	return d, true
}

// world compares for an operation: once with what its revisions mean, then with the same objects until it ends. stop is how
// the operation ends where there is nothing to compare.
func (c *Controller) world(ctx context.Context, e *entry, at *place, state application.OperationState) (finding, application.OperationState, *application.SyncDecision) {
	r := e.running
	if r == nil || !r.started.Equal(state.StartedAt) || r.tries != state.RetryCount {
		r = &running{started: state.StartedAt, tries: state.RetryCount}
		e.running = r
	}
	op := state.Operation.Sync
	q := question{level: forced, manifests: op.Manifests, quick: true, revisions: append([]string{}, op.Revisions...)}
	q.sources, q.many = state.Sources(at.app)
	if op.Revision != "" && !q.many {
		q.revisions = []string{op.Revision}
	}
	if s := state.SyncResult; s != nil {
		switch {
		case q.many && len(s.Revisions) == len(q.sources):
			q.revisions = s.Revisions
		case !q.many && s.Revision != "":
			q.revisions = []string{s.Revision}
		}
	}
	q.desired = r.desired
	f := c.compare(ctx, e, at, q)
	if r.desired == nil && !f.failed {
		d := f.desired
		r.desired = &d
	}
	state = state.Resolved(at.app, q.sources, f.revisions())
	if state.Phase == application.Terminating {
		return f, state, nil
	}
	if bad := pick(f.conditions, comparisonError, invalidSpec); len(bad) > 0 {
		d := ended(state, application.Errored, "%s", formatConditions(bad))
		return f, state, &d
	}
	return f, state, nil
}

// act carries actions out. What is at work when the controller is told to stop gets its time; a termination ends it at once,
// but for what the termination itself does (last).
func (c *Controller) act(ctx context.Context, e *entry, at *place, actions []application.SyncAction, last bool) []application.Answer {
	work, stop := context.WithTimeout(context.WithoutCancel(ctx), stepMost)
	defer stop()
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(grace, stop)
	})()
	if last {
		return carry(work, at, actions)
	}
	c.mu.Lock()
	e.cancel = stop
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		e.cancel = nil
		c.mu.Unlock()
	}()
	return carry(work, at, actions)
}

// wrote remembers what the cluster answered, until the watch tells of it too.
func (e *entry) wrote(answers []application.Answer, now time.Time) {
	if e.written == nil {
		e.written = map[manifest.Key]written{}
	}
	for _, a := range answers {
		switch act := a.Action.(type) {
		case application.Apply:
			if a.Err == nil && !act.DryRun && a.Object != nil {
				e.written[a.Object.Key()] = written{object: a.Object, at: now}
			}
		case application.Remove:
			if a.Err == nil && !act.DryRun {
				e.written[act.Key] = written{object: a.Object, uid: act.UID, removed: true, at: now}
			}
		}
	}
}

// ofOperation are the hooks that the operation's results name.
func ofOperation(hooks []manifest.Object, state application.OperationState) []manifest.Object {
	if state.SyncResult == nil {
		return nil
	}
	var out []manifest.Object
	for _, h := range hooks {
		key := h.Key()
		if slices.ContainsFunc(state.SyncResult.Resources, func(r application.ResourceResult) bool {
			return r.HookType != "" && r.Group == key.Group && r.Kind == key.Kind && r.Namespace == key.Namespace && r.Name == key.Name
		}) {
			out = append(out, h)
		}
	}
	return out
}

// hooksOf are the hooks among live objects.
func hooksOf(live application.Live) []manifest.Object {
	var out []manifest.Object
	for _, key := range manifest.Keys(live.Objects) {
		if o := live.Objects[key]; len(application.Hooks(o)) > 0 {
			out = append(out, o)
		}
	}
	return out
}

// record writes the state of an operation. Where somebody wrote the Application meanwhile, it is read again, so that a
// termination is never lost. A final state takes the operation away and adds to the history.
func (c *Controller) record(ctx context.Context, o manifest.Object, app application.Application, state application.OperationState) (manifest.Object, error) {
	for range 10 {
		status := app.Status
		status.OperationState = &state
		ch := change{status: &status}
		if state.Phase.Completed() {
			status.History = application.Remember(app, state, c.now())
			var none any
			ch.operation = &none
		}
		out, err := c.write(ctx, o, ch, true)
		if err == nil {
			if state.Phase.Completed() {
				c.completed(ctx, out, state)
			}
			return out, nil
		}
		if manifest.NotFound(err) {
			return manifest.Object{}, nil
		}
		if !manifest.Is(err, manifest.ReasonConflict) {
			return o, fmt.Errorf("write the operation of %s: %w", o.Name(), err)
		}
		fresh, err := c.Home.Get(ctx, applicationKind, o.Namespace(), o.Name())
		if err != nil {
			if manifest.NotFound(err) {
				return manifest.Object{}, nil
			}
			return o, err
		}
		was := app.Status.OperationState
		if app, err = Decode(fresh); err != nil {
			return fresh, err
		}
		o = fresh
		if s := app.Status.OperationState; s != nil && s.Phase == application.Terminating && !state.Phase.Completed() && was != nil && s.StartedAt.Equal(was.StartedAt) {
			state.Phase, state.Message = application.Terminating, "operation is terminating"
		}
	}
	return o, errors.New("the application changes faster than its operation can be written")
}

// completed tells of an operation that ended and asks for a comparison.
func (c *Controller) completed(ctx context.Context, o manifest.Object, s application.OperationState) {
	words := []string{"Sync operation"}
	if s.Operation.Sync != nil && len(s.Operation.Sync.Resources) > 0 {
		words[0] = "Partial sync operation"
	}
	if r := s.SyncResult; r != nil {
		revision := r.Revision
		if len(r.Revisions) > 0 {
			revision = strings.Join(r.Revisions, ",")
		}
		words = append(words, "to", revision)
	}
	kind := normal
	if s.Phase == application.Succeeded {
		words = append(words, "succeeded")
	} else {
		kind = warning
		words = append(words, "failed:", s.Message)
	}
	c.event(ctx, o, kind, reasonCompleted, strings.Join(words, " "))
	if c.Meter != nil {
		c.Meter.Ended(c.seen(o), s)
	}
	if s.Operation.Sync != nil && !s.Operation.Sync.DryRun {
		l := forced // it was synced to a commit that is newer than what was resolved last
		if s.Operation.InitiatedBy.Automated {
			l = latest
		}
		c.ask(name{o.Namespace(), o.Name()}, l, 0)
	}
}

// until is the wait until a time; zero for never.
func (c *Controller) until(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(t.Sub(c.Clock()), time.Second)
}
