package deliver

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/application/project"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Look is what a person wants an Application to be compared with. The zero value is what its sources hold now.
type Look struct {
	Revision   string   // of the only source
	Revisions  []string // of each of several
	Manifests  []string // JSON objects, instead of the sources
	ServerSide bool     // by dry runs in the cluster
	Hard       bool     // whatever is cached
}

// Inspection is how an Application stands, for a person; nothing is written.
type Inspection struct {
	App        application.Application
	Comparison application.Comparison
	Sync       application.SyncStatus
	Conditions []application.Condition
	Resources  []application.Resource
	Desired    application.Desired
	Project    project.Project
	Window     project.Windowed
	Automatic  application.AutomaticAnswer
	Target     project.Target
	Cluster    Cluster // nil where it was not found
	// Children are what live objects own, by UID; Assess is the health of any object.
	Children map[string][]manifest.Object
	Assess   func(manifest.Object) application.Health
}

// Inspect compares an Application as a person asks. The error holds the conditions that keep it from being compared.
func (c *Controller) Inspect(ctx context.Context, o manifest.Object, l Look) (Inspection, error) {
	c.Prepare()
	app, err := Decode(o)
	if err != nil {
		return Inspection{}, err
	}
	in := Inspection{App: app}
	at, bad := c.find(ctx, app)
	if bad != nil {
		in.Conditions = bad
		return in, errors.New(formatConditions(bad))
	}
	q := question{sources: app.Spec.All(), many: len(app.Spec.Sources) > 0, level: forced, hard: l.Hard, once: true, manifests: l.Manifests, revisions: l.Revisions}
	if l.Revision != "" {
		q.revisions = []string{l.Revision}
	}
	if l.ServerSide {
		at.app.Object = o.Copy()
		at.app.Object.SetAnnotation(application.AnnotationCompareOptions, "ServerSideDiff=true")
	}
	f := c.compare(ctx, &entry{}, at, q)
	in.Comparison, in.Sync, in.Conditions, in.Resources, in.Desired = f.Comparison, f.sync, f.conditions, f.resources, f.desired
	in.Project, in.Window, in.Target, in.Cluster = at.project, c.windowNow(at), at.seen(), at.to
	in.Automatic = application.MaySync(application.Automatic{App: app, Comparison: f.Comparison, Revisions: f.revisions(), Now: c.Clock(), SelfHeal: c.SelfHeal})
	in.Children, in.Assess = f.live.Children, f.assess
	if f.failed {
		return in, errors.New(formatConditions(f.conditions))
	}
	return in, nil
}

// Project makes a project known before Run watches them.
func (c *Controller) Project(o manifest.Object) {
	c.Prepare()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.projects[o.Name()] = o
}

// Render renders an Application's sources as they are now, for its destination.
func (c *Controller) Render(ctx context.Context, app application.Application) (application.Desired, error) {
	c.Prepare()
	at, err := c.destined(ctx, app)
	if err != nil {
		return application.Desired{}, err
	}
	if at == nil {
		return application.Desired{}, fmt.Errorf("the cluster of %s is not known", app.QualifiedName())
	}
	d, _, err := c.want(ctx, at, question{sources: app.Spec.All(), many: len(app.Spec.Sources) > 0, level: forced})
	return d, err
}
