package deliver

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// question is what a comparison is to compare with.
type question struct {
	sources   []application.Source
	revisions []string // "" means the source's target revision; nil means that for all
	many      bool     // spec.sources
	level     level
	hard      bool
	manifests []string             // of a local folder, instead of the sources
	desired   *application.Desired // what they gave, where that is known already
	quick     bool                 // for an operation: orphans do not matter
	once      bool                 // for a person: nothing is watched afterwards
}

// finding is what a comparison found.
type finding struct {
	application.Comparison

	desired    application.Desired
	sync       application.SyncStatus
	health     application.Health
	conditions []application.Condition
	resources  []application.Resource
	types      []string
	summary    application.Summary
	many       bool
	failed     bool // what is wanted or what is there could not be read
	hooks      []manifest.Object
	namespace  manifest.Object // the destination's, as the cluster has it
	assess     func(manifest.Object) application.Health
	live       application.Live
	lost       error // why what is there could not be read
}

// compare renders what is wanted, reads what is there and compares them. What fails becomes a condition.
func (c *Controller) compare(ctx context.Context, e *entry, at *place, q question) finding {
	f := finding{many: q.many}
	f.sync.ComparedTo.Destination, f.sync.ComparedTo.IgnoreDifferences = at.app.Spec.Destination, at.app.Spec.IgnoreDifferences
	fail := func(kind, format string, args ...any) {
		f.failed = true
		f.conditions = append(f.conditions, application.Condition{Type: kind, Message: fmt.Sprintf(format, args...)})
	}
	lost := c.serves(ctx, at, 0)
	if lost != nil {
		fail(comparisonError, "Failed to load live state: %v", lost)
		at.scope = func(manifest.Kind) (bool, bool) { return false, false }
	}
	revisions := q.revisions
	if !f.failed {
		var err error
		f.desired, revisions, err = c.want(ctx, at, q)
		switch {
		case err != nil && len(q.manifests) > 0:
			fail(comparisonError, "Failed to load local manifests: %v", err)
		case err != nil:
			fail(comparisonError, "Failed to load target state: %v", err)
		}
	}
	if !f.failed && slices.ContainsFunc(f.desired.Objects, func(o manifest.Object) bool { _, known := at.scope(o.Kind()); return !known }) {
		_ = c.serves(ctx, at, time.Second) // a definition may have come since
	}
	f.types = f.desired.Types
	setCompared(&f.sync, q, revisions)
	if !q.once {
		c.follow(ctx, at.state)
	}
	live, err := c.live(ctx, e, at, f.desired)
	if err != nil {
		fail(comparisonError, "Failed to load live state: %v", err)
	}
	if err == nil {
		err = lost
	}
	f.hooks, f.live, f.lost = hooksOf(live), live, err
	f.namespace = live.Objects[manifest.Key{Kind: "Namespace", Name: at.app.Spec.Destination.Namespace}]
	in := application.Comparing{
		App: at.app, Tracking: at.tracking, Desired: f.desired, Live: live, Scope: at.scope, Settings: c.settings(at),
		Permitted: at.permits,
	}
	assess, err := c.Assess(ctx, slices.Collect(maps.Values(live.Objects)))
	if err != nil {
		f.conditions = append(f.conditions, application.Condition{Type: unknownError, Message: "error setting app health: " + err.Error()})
		assess = func(manifest.Object) application.Health { return application.Health{Status: "Unknown"} }
	}
	in.Health, f.assess = assess, assess
	if !f.failed && !q.quick && in.Settings.Orphaned {
		if err := c.orphans(ctx, at, live); err != nil {
			f.conditions = append(f.conditions, application.Condition{Type: unknownError, Message: "find orphaned resources: " + err.Error()})
		}
	}
	if !f.failed && at.app.ServerSideDiff(c.rules.Load().ServerSideDiff) {
		var bad error
		if in.Predicted, bad = c.predict(ctx, e, at, f.desired, live); bad != nil {
			f.conditions = append(f.conditions, application.Condition{Type: unknownError, Message: bad.Error()})
		}
	}
	f.Comparison = application.Compare(in)
	f.judge(at)
	return f
}

// revisions are what was compared with, one for each source.
func (f *finding) revisions() []string {
	if f.many {
		return f.sync.Revisions
	}
	return []string{f.sync.Revision}
}

// judge makes a status of the comparison.
func (f *finding) judge(at *place) {
	f.conditions = append(f.conditions, f.Comparison.Conditions...)
	f.sync.Status, f.health = f.Comparison.Status, f.Comparison.Health
	f.summary = application.Summary{Images: f.Images, ExternalURLs: f.URLs}
	if slices.ContainsFunc(f.conditions, func(c application.Condition) bool { return c.Type == comparisonError }) {
		f.failed = true
	}
	f.resources = f.Resources(at.app)
	for i := range f.resources {
		r := &f.resources[i]
		namespaced, known := at.scope(manifest.Kind{Group: r.Group, Version: r.Version, Kind: r.Kind})
		if !at.project.PermitsKind(manifest.Kind{Group: r.Group, Version: r.Version, Kind: r.Kind}, namespaced && known, r.Name) {
			r.Status = application.Unknown
		}
		if f.failed && !r.Hook {
			r.Status, r.RequiresPruning = application.Unknown, false
		}
	}
	slices.SortStableFunc(f.resources, func(a, b application.Resource) int { return strings.Compare(resourceKey(a), resourceKey(b)) })
	switch {
	case f.failed:
		f.sync.Status = application.Unknown
	case namespaceChanged(at.app):
		f.sync.Status = application.OutOfSync
	}
	f.Comparison.Status = f.sync.Status
}

func resourceKey(r application.Resource) string {
	return r.Group + "/" + r.Kind + "/" + r.Namespace + "/" + r.Name
}

func setCompared(s *application.SyncStatus, q question, revisions []string) {
	if q.many {
		s.ComparedTo.Sources, s.Revisions = q.sources, revisions
		return
	}
	if len(q.sources) > 0 {
		s.ComparedTo.Source = q.sources[0]
	}
	if len(revisions) > 0 {
		s.Revision = revisions[0]
	}
}

// want renders what is wanted, with the revisions that it was rendered from. Revisions are those that were asked for
// where it fails.
func (c *Controller) want(ctx context.Context, at *place, q question) (application.Desired, []string, error) {
	asked := make([]string, len(q.sources))
	for i, s := range q.sources {
		asked[i] = s.TargetRevision
	}
	if q.desired != nil {
		return *q.desired, q.revisions, nil
	}
	if len(q.manifests) > 0 {
		d, err := parseManifests(q.manifests)
		return d, q.revisions, err
	}
	revisions := c.known(at.app, q)
	if revisions == nil {
		sources := slices.Clone(q.sources)
		for i := range sources {
			if i < len(q.revisions) && q.revisions[i] != "" {
				sources[i].TargetRevision = q.revisions[i]
				asked[i] = q.revisions[i]
			}
		}
		var err error
		if revisions, err = c.Sources.Resolve(ctx, asking(at.app, q), sources); err != nil {
			return application.Desired{}, asked, err
		}
	}
	target := at.target
	target.Fresh = q.hard
	d, err := c.Sources.Render(ctx, at.app, q.sources, revisions, target)
	if err != nil {
		return application.Desired{}, revisions, err
	}
	if len(d.Revisions) > 0 {
		revisions = d.Revisions
	}
	return d, revisions, nil
}

// asking is the Application as Sources sees it: it carries the refresh annotation exactly where the server is to be asked
// whatever was known a moment ago.
func asking(app application.Application, q question) application.Application {
	app.Object = app.Object.Copy()
	app.Object.Drop("metadata", "annotations", refreshAnnotation)
	switch {
	case q.hard:
		app.Object.SetAnnotation(refreshAnnotation, "hard")
	case q.level >= forced:
		app.Object.SetAnnotation(refreshAnnotation, "normal")
	}
	return app
}

// known are the revisions of the last comparison where no newer ones are asked for.
func (c *Controller) known(app application.Application, q question) []string {
	s := app.Status.Sync
	if q.level >= latest || q.revisions != nil || s.Status == application.Unknown || s.Status == "" || !same(q.sources, comparedSources(app)) {
		return nil
	}
	switch {
	case q.many && len(s.Revisions) == len(q.sources):
		return s.Revisions
	case !q.many && s.Revision != "":
		return []string{s.Revision}
	}
	return nil
}

// parseManifests reads the objects that an operation brings along.
func parseManifests(texts []string) (application.Desired, error) {
	var d application.Desired
	for i, text := range texts {
		o, err := manifest.Parse([]byte(text))
		if err != nil {
			return application.Desired{}, fmt.Errorf("manifest %d of %d is no JSON object: %w", i+1, len(texts), err)
		}
		d.Objects = append(d.Objects, o)
	}
	return d, nil
}

// live reads what the cluster holds of an Application: what is wanted, what carries its mark, and what those own.
func (c *Controller) live(ctx context.Context, e *entry, at *place, d application.Desired) (application.Live, error) {
	var keys []manifest.Key
	kinds := map[manifest.Kind]bool{}
	spaces := map[string]bool{}
	if at.app.Spec.Destination.Namespace != "" {
		spaces[at.app.Spec.Destination.Namespace] = true
	}
	add := func(k manifest.Kind, key manifest.Key) {
		namespaced, known := at.scope(k)
		if !known {
			return
		}
		if !namespaced {
			key.Namespace = ""
		} else if key.Namespace == "" {
			key.Namespace = at.app.Spec.Destination.Namespace
		}
		if key.Namespace != "" {
			spaces[key.Namespace] = true
		}
		kinds[k] = true
		keys = append(keys, key)
	}
	for _, o := range d.Objects {
		if o.Name() != "" {
			add(o.Kind(), o.Key())
		} else {
			add(o.Kind(), manifest.Key{Group: o.Kind().Group, Kind: o.Kind().Kind, Namespace: o.Namespace(), Name: o.GenerateName()})
		}
	}
	for _, r := range at.app.Status.Resources {
		add(manifest.Kind{Group: r.Group, Version: r.Version, Kind: r.Kind}, manifest.Key{Group: r.Group, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name})
	}
	if space := at.app.Spec.Destination.Namespace; space != "" && managesNamespace(at.app) {
		add(manifest.Kind{Version: "v1", Kind: "Namespace"}, manifest.Key{Kind: "Namespace", Name: space})
	}
	live, err := at.state.Live(ctx, at.tracking, keys, sortedKinds(kinds), sortedNames(spaces))
	if err != nil {
		return application.Live{}, err
	}
	e.freshen(live, c.Clock())
	return live, nil
}

// stale is how long what was read may be older than what the cluster answered; zero where it is not. After that it is read
// again, because nothing may tell of it any more.
func (e *entry) stale(now time.Time) time.Duration {
	var left time.Duration
	for _, w := range e.written {
		left = max(left, w.at.Add(behind).Sub(now)+time.Millisecond)
	}
	return left
}

// managesNamespace reports whether the sync makes the destination's namespace.
func managesNamespace(app application.Application) bool {
	return app.Spec.SyncPolicy != nil && (app.Spec.SyncPolicy.ManagedNamespaceMetadata != nil || slices.Contains(app.Spec.SyncPolicy.SyncOptions, "CreateNamespace=true"))
}

func sortedKinds(m map[manifest.Kind]bool) []manifest.Kind {
	var out []manifest.Kind
	for k := range m {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b manifest.Kind) int {
		return strings.Compare(a.APIVersion()+" "+a.Kind, b.APIVersion()+" "+b.Kind)
	})
	return out
}

func sortedNames(m map[string]bool) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// written is an object as the cluster answered that it is now. The watch tells of it a moment later.
type written struct {
	object  manifest.Object // nil: it is gone
	uid     string
	removed bool // its deletion was asked for
	at      time.Time
}

// behind is how long a watch may stay behind an answer.
const behind = 10 * time.Second

// freshen puts what the cluster answered in the place of what the watch still holds.
func (e *entry) freshen(live application.Live, now time.Time) {
	for key, w := range e.written {
		seen, there := live.Objects[key]
		switch {
		case now.Sub(w.at) > behind:
			delete(e.written, key)
		case w.object == nil && there && seen.UID() == w.uid:
			delete(live.Objects, key)
		case w.object == nil:
			delete(e.written, key)
		case !there && !w.removed: // what was deleted was there before, so the watch knows that it went
			live.Objects[key] = w.object
		case there && seen.UID() == w.object.UID() && older(seen.Revision(), w.object.Revision()):
			live.Objects[key] = w.object
		default:
			delete(e.written, key)
		}
	}
}
