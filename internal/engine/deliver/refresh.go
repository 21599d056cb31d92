package deliver

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/application/project"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// place is where an Application goes: its project and its cluster, checked.
type place struct {
	app      application.Application
	project  project.Project
	to       Cluster
	state    State
	at       application.Destination // with server and name, as far as they are known
	tracking application.Tracking
	scope    func(manifest.Kind) (namespaced, known bool)
	target   Target
	user     string // that syncs are done as; "" for our own
	noUser   error  // why there is none, where syncs must be done as one
}

// find finds an Application's place, or the conditions that say why it has none.
func (c *Controller) find(ctx context.Context, app application.Application) (*place, []application.Condition) {
	p := &place{app: app, tracking: c.tracking(app)}
	var none []application.Condition
	if p.project, none = c.projectOf(app); none != nil {
		return nil, none
	}
	bad, complete := sourcesWrong(app.Spec, p.project)
	if !complete {
		return nil, bad
	}
	at, owner, err := c.resolve(ctx, app.Spec.Destination)
	if err == nil {
		p.at = at
		p.to, p.state, err = c.Clusters.Find(ctx, app.Spec.Destination)
	}
	if err != nil {
		return nil, append(bad, application.Condition{Type: invalidSpec, Message: err.Error()})
	}
	if !p.project.PermitsDestination(at.Server, at.Name, app.Spec.Destination.Namespace) || !p.project.PermitsCluster(owner) {
		shown := at.Server
		if app.Spec.Destination.Name != "" {
			shown = app.Spec.Destination.Name
		}
		bad = append(bad, application.Condition{Type: invalidSpec, Message: fmt.Sprintf(
			"application destination server '%s' and namespace '%s' do not match any of the allowed destinations in project '%s'",
			shown, app.Spec.Destination.Namespace, p.project.Name)})
	}
	if len(bad) > 0 {
		return nil, bad
	}
	p.user, p.noUser = c.userOf(p)
	return p, nil
}

// resolve fills server and name of a destination where the driver of clusters can, and tells the project that it belongs to.
func (c *Controller) resolve(ctx context.Context, d application.Destination) (application.Destination, string, error) {
	if r, ok := c.Clusters.(Resolver); ok {
		return r.Resolve(ctx, d)
	}
	return d, "", nil
}

// tracking is how objects of an Application are known.
func (c *Controller) tracking(app application.Application) application.Tracking {
	r := c.rules.Load()
	return application.Tracking{Method: r.Method, Label: r.Label, Instance: r.Installation, App: c.instance(app.Object)}
}

// instance is the name under which objects are tracked: with the namespace before it where that is not the controller's.
func (c *Controller) instance(o manifest.Object) string {
	if o.Namespace() == c.Namespace || o.Namespace() == "" {
		return o.Name()
	}
	return o.Namespace() + "_" + o.Name()
}

func (c *Controller) named(instance string) name {
	if space, n, ok := strings.Cut(instance, "_"); ok {
		return name{space, n}
	}
	return name{c.Namespace, instance}
}

// refresh compares an Application with its sources and its cluster and keeps what it found. The object is as it was
// written then. After is when to look again though nothing changes.
func (c *Controller) refresh(ctx context.Context, e *entry, o manifest.Object, l level, hard bool) (manifest.Object, time.Duration, error) {
	app, err := Decode(o)
	if err != nil {
		return c.keep(ctx, o, unfit(app.Status, []application.Condition{{Type: invalidSpec, Message: "the specification cannot be read: " + err.Error()}}, c.now()))
	}
	at, bad := c.find(ctx, app)
	if bad != nil && ctx.Err() != nil {
		return o, 0, context.Cause(ctx)
	}
	if bad != nil {
		return c.keep(ctx, o, unfit(app.Status, bad, c.now()))
	}
	c.goes(e, at.at.Server)
	f := c.compare(ctx, e, at, question{sources: app.Spec.All(), many: len(app.Spec.Sources) > 0, level: l, hard: hard, manifests: localManifests(app)})
	if ctx.Err() != nil {
		return o, 0, context.Cause(ctx)
	}
	c.leaves(e, len(f.Orphans))
	c.note(o, at, f)
	next := c.found(at, f, l)
	o, after, next, err := c.automatic(ctx, o, at, f, next)
	if err != nil {
		return o, 0, err
	}
	if o, err = c.hookFinalizers(ctx, o, f); err != nil {
		return o, 0, err
	}
	out, _, err := c.keep(ctx, o, next)
	if manifest.Passing(f.lost) {
		after = sooner(after, lostAgain)
	}
	return out, sooner(after, e.stale(c.Clock())), err
}

// lostAgain is when a cluster is looked at again that could not be read.
const lostAgain = 10 * time.Second

// unfit is the status of an Application whose specification cannot be followed.
func unfit(s application.Status, bad []application.Condition, now time.Time) application.Status {
	s.Conditions = setConditions(s.Conditions, bad, now, invalidSpec, unknownError)
	s.Sync.Status = application.Unknown
	s.Health.Status = "Unknown"
	return s
}

// localManifests are those that the running or the last operation brought along.
func localManifests(app application.Application) []string {
	s := app.Status.OperationState
	if s == nil || s.Operation.Sync == nil {
		return nil
	}
	return s.Operation.Sync.Manifests
}

// found is the status that a comparison gives.
func (c *Controller) found(at *place, f finding, l level) application.Status {
	s := at.app.Status
	now := c.now()
	s.Conditions = setConditions(s.Conditions, nil, now, invalidSpec, unknownError)
	s.Conditions = setConditions(s.Conditions, f.conditions, now, append([]string{orphanWarning}, compared...)...)
	s.Sync = f.sync
	s.Health.Status, s.Health.Message = f.health.Status, ""
	s.Resources = f.resources
	s.SourceType, s.SourceTypes = "", nil
	switch {
	case f.many:
		s.SourceTypes = f.types
	case len(f.types) > 0:
		s.SourceType = f.types[0]
	}
	s.Summary = f.summary
	if s.ReconciledAt == nil || l >= latest {
		s.ReconciledAt = &now
	}
	s.ControllerNamespace = c.Namespace
	return s
}

// keep writes a status with its events and consumes the refresh annotation.
func (c *Controller) keep(ctx context.Context, o manifest.Object, s application.Status) (manifest.Object, time.Duration, error) {
	was, err := Decode(o)
	if err != nil {
		was.Status = application.Status{}
	}
	if was.Status.Health.Status != s.Health.Status {
		now := c.now()
		s.Health.LastTransitionTime = &now
	} else {
		s.Health.LastTransitionTime = was.Status.Health.LastTransitionTime
	}
	ch := change{status: &s, annotations: func(m map[string]any) { delete(m, refreshAnnotation) }}
	out, err := c.write(ctx, o, ch, false)
	if tooLarge(err) {
		small := was.Status
		small.Conditions = setConditions(small.Conditions, []application.Condition{{Type: unknownError, Message: "Application status exceeds the Kubernetes resource size limit and could not be persisted. The displayed status may be stale. Reduce the number of managed resources, set ApplyOutOfSyncOnly=true, lower spec.revisionHistoryLimit, or split the Application."}}, c.now(), unknownError)
		ch.status = &small
		out, err = c.write(ctx, o, ch, false)
	}
	if err != nil {
		if manifest.NotFound(err) {
			return o, 0, nil // it was deleted meanwhile
		}
		return o, 0, fmt.Errorf("write the status of %s: %w", o.Name(), err)
	}
	if a, b := was.Status.Sync.Status, s.Sync.Status; a != b {
		c.event(ctx, o, normal, reasonUpdated, fmt.Sprintf("Updated sync status: %s -> %s", a, b))
	}
	if a, b := was.Status.Health.Status, s.Health.Status; a != b {
		c.event(ctx, o, normal, reasonUpdated, fmt.Sprintf("Updated health status: %s -> %s", a, b))
	}
	return out, 0, nil
}
