package deliver

import (
	"fmt"
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/application/project"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// projectOf is an Application's project. Where nobody made the project default, it is one that permits everything, which is
// what Argo CD makes of it at its first start.
func (c *Controller) projectOf(app application.Application) (project.Project, []application.Condition) {
	called := orText(app.Spec.Project, "default")
	c.mu.Lock()
	o := c.projects[called]
	c.mu.Unlock()
	if o == nil && called != "default" {
		return project.Project{}, []application.Condition{{Type: invalidSpec, Message: fmt.Sprintf("Application referencing project %s which does not exist", app.Spec.Project)}}
	}
	p := project.Project{Name: called, Namespace: c.Namespace, Spec: project.Spec{
		SourceRepos: []string{"*"}, Destinations: []project.Destination{{Server: "*", Namespace: "*"}},
		ClusterResourceWhitelist: []project.Restriction{{Group: "*", Kind: "*"}}, SourceNamespaces: []string{"*"},
	}}
	if o != nil {
		p.Labels, p.Spec = o.Labels(), project.Spec{}
		if m := o.Sub("spec"); m != nil {
			if err := m.Into(&p.Spec); err != nil {
				return p, []application.Condition{{Type: unknownError, Message: fmt.Sprintf("the project %s cannot be read: %v", called, err)}}
			}
		}
	}
	if len(p.Spec.SignatureKeys) > 0 || len(p.Spec.SourceIntegrity) > 0 { // what it is for is that nothing unsigned is synced
		return p, []application.Condition{{Type: comparisonError, Message: fmt.Sprintf(
			"the project %s requires signed sources, and signatures are not checked here: nothing is synced", called)}}
	}
	p = c.inherited(p)
	if space := app.Object.Namespace(); space != c.Namespace && !p.PermitsNamespace(space) {
		return p, []application.Condition{{Type: unknownError, Message: fmt.Sprintf(
			"application '%s' in namespace '%s' is not allowed to use project '%s'", app.Object.Name(), space, called)}}
	}
	return p, nil
}

// sourcesWrong are the conditions of sources that are incomplete or that the project does not permit. Where they are
// incomplete, complete is false.
func sourcesWrong(spec application.Spec, p project.Project) (bad []application.Condition, complete bool) {
	wrong := func(format string, args ...any) {
		bad = append(bad, application.Condition{Type: invalidSpec, Message: fmt.Sprintf(format, args...)})
	}
	if len(spec.SourceHydrator) > 0 && string(spec.SourceHydrator) != "null" {
		wrong("spec.sourceHydrator is not supported: name the hydrated source in spec.source")
		return bad, false
	}
	many := len(spec.Sources) > 0
	sources := spec.All()
	if len(sources) == 0 {
		sources = []application.Source{{}}
	}
	for _, s := range sources {
		switch {
		case many && (s.RepoURL == "" || s.Path == "" && s.Chart == "" && s.Ref == ""):
			wrong("spec.source.repoURL and either source.path, source.chart, or source.ref are required for source %s", described(s))
			return bad, false
		case !many && (s.RepoURL == "" || s.Path == "" && s.Chart == ""):
			wrong("spec.source.repoURL and either spec.source.path or spec.source.chart are required")
			return bad, false
		case s.Chart != "" && s.TargetRevision == "":
			wrong("spec.source.targetRevision is required if the manifest source is a helm chart")
			return bad, false
		case len(s.Plugin) > 0 && string(s.Plugin) != "null":
			wrong("spec.source.plugin is not supported: config management plugins do not run here")
			return bad, false
		}
	}
	for _, s := range sources {
		if !p.PermitsSource(s.RepoURL) {
			wrong("application repo %s is not permitted in project '%s'", s.RepoURL, p.Name)
		}
	}
	return bad, true
}

func described(s application.Source) string {
	o, err := manifest.From(s)
	if err != nil {
		return s.RepoURL
	}
	return string(o.JSON())
}

// seen is the Application as its project sees it.
func (p *place) seen() project.Target {
	return project.Target{App: p.app.Object.Name(), Server: p.at.Server, Cluster: p.at.Name, Namespace: p.app.Spec.Destination.Namespace}
}

// permits reports whether the project lets the Application have an object.
func (p *place) permits(kind manifest.Kind, namespace, called string) bool {
	namespaced, known := p.scope(kind)
	if !known {
		namespaced = namespace != ""
	}
	return p.project.PermitsKind(kind, namespaced, called) && (!namespaced || p.project.PermitsDestination(p.at.Server, p.at.Name, namespace))
}

// refuses is why the project does not let an object be brought to the cluster; nil where it does.
func (p *place) refuses(o manifest.Object) error {
	k := o.Kind()
	namespaced, known := p.scope(k)
	if !known {
		return nil // the cluster refuses it in its own words
	}
	return p.project.Permit(o, namespaced, p.seen())
}

// window is whether an operation may go on now.
func (c *Controller) window(p *place, s application.OperationState) project.Windowed {
	return p.project.May(p.seen(), !s.Operation.InitiatedBy.Automated, s.StartedAt, c.Clock())
}

// windowNow is whether a sync may begin by itself now.
func (c *Controller) windowNow(p *place) project.Windowed {
	now := c.Clock()
	return p.project.May(p.seen(), false, now, now)
}

// settings are the rules for an Application, its project's about orphans included.
func (c *Controller) settings(p *place) application.Settings {
	s := c.rules.Load().Settings
	s.Cluster = p.at.Server
	if o := p.project.Spec.OrphanedResources; o != nil {
		s.Orphaned, s.OrphanedWarn = true, o.Warn == nil || *o.Warn
		s.OrphanedIgnore = slices.Clone(s.OrphanedIgnore)
		for _, i := range o.Ignore {
			s.OrphanedIgnore = append(s.OrphanedIgnore, application.Chosen{Group: i.Group, Kind: i.Kind, Name: i.Name})
		}
	}
	return s
}
