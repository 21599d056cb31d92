package deliver

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/application/project"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Rules are what a Controller goes by; they may change while it runs.
type Rules struct {
	// Settings are what all comparisons go by.
	Settings application.Settings
	// Method is how resources are tracked: annotation (the default), label, annotation+label.
	Method string
	// Label is the tracking label's name, app.kubernetes.io/instance unless told.
	Label string
	// Installation is the id that keeps two installations apart that share a cluster.
	Installation string
	// ServerSideDiff compares by dry runs in the cluster where an application does not say otherwise.
	ServerSideDiff bool
	// Impersonate has syncs done as the service accounts that projects name for destinations
	// (https://argo-cd.readthedocs.io/en/stable/operator-manual/app-sync-using-impersonation/); one without an account is not
	// synced, or with Lenient as the driver's own user.
	Impersonate, Lenient bool
	// Interval is how often each Application is compared though nothing told of a change; negative for never. Jitter is
	// the most that is added at random, a third of it unless told.
	Interval, Jitter time.Duration
	// Globals are projects whose lists are added to those of others, as Argo CD's globalProjects
	// (https://argo-cd.readthedocs.io/en/stable/user-guide/projects/).
	Globals []Global
}

// Global is a project that others inherit from, those whose labels it takes.
type Global struct {
	Project string
	Takes   func(labels map[string]string) bool
}

// Rule takes over rules for all comparisons and syncs from now on, and asks for a comparison of every Application.
func (c *Controller) Rule(r Rules) {
	c.Prepare()
	r.complete()
	c.rules.Store(&r)
	c.mu.Lock()
	var keys []name
	for key := range c.apps {
		keys = append(keys, key)
	}
	c.mu.Unlock()
	for _, key := range keys {
		c.ask(key, latest, 0)
	}
}

// complete fills what rules leave open with Argo CD's defaults.
func (r *Rules) complete() {
	r.Label = orText(r.Label, "app.kubernetes.io/instance")
	r.Method = orText(r.Method, "annotation")
	if r.Interval == 0 {
		r.Interval, r.Jitter = DefaultInterval, orSpan(r.Jitter, DefaultJitter)
	}
}

// inherited is a project with what the global projects give it.
func (c *Controller) inherited(p project.Project) project.Project {
	for _, g := range c.rules.Load().Globals {
		if g.Project == p.Name || g.Takes == nil || !g.Takes(p.Labels) {
			continue
		}
		c.mu.Lock()
		o := c.projects[g.Project]
		c.mu.Unlock()
		if o == nil {
			continue
		}
		global := project.Project{Name: g.Project, Namespace: c.Namespace}
		if m := o.Sub("spec"); m == nil || m.Into(&global.Spec) == nil {
			p = p.Inherit(global)
		}
	}
	return p
}

// within reports whether a namespace is among patterns: globs, or regular expressions between slashes
// (https://argo-cd.readthedocs.io/en/stable/operator-manual/app-any-namespace/).
func within(patterns []string, namespace string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if inner, ok := strings.CutPrefix(p, "/"); ok && len(inner) > 1 && strings.HasSuffix(inner, "/") {
			re, err := regexp.Compile(strings.TrimSuffix(inner, "/"))
			return err == nil && re.MatchString(namespace)
		}
		ok, err := path.Match(p, namespace)
		return err == nil && ok
	})
}

// globalProject reports whether others may inherit from a project.
func (c *Controller) globalProject(o manifest.Object) bool {
	return slices.ContainsFunc(c.rules.Load().Globals, func(g Global) bool { return g.Project == o.Name() })
}
