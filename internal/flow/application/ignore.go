package application

import (
	"path"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/application/diff"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// rulesFor are the rules of the application and of the settings that speak of an object
// (https://argo-cd.readthedocs.io/en/stable/user-guide/diffing/). They are read once for a kind where none names an object.
func (c *comparer) rulesFor(o manifest.Object) diff.Rules {
	kind := o.Kind()
	named := false
	for _, i := range c.App.Spec.IgnoreDifferences {
		named = named || i.Name != "" || i.Namespace != ""
	}
	if r, ok := c.rules[kind]; ok && !named {
		return r
	}
	var list []diff.Rule
	for _, i := range c.App.Spec.IgnoreDifferences {
		if i.speaksOf(o) {
			list = append(list, i.rule("ignoreDifferences of the application"))
		}
	}
	for _, i := range c.Settings.IgnoreDifferences {
		if i.speaksOf(o) {
			list = append(list, i.rule("ignoreDifferences of the settings"))
		}
	}
	r := diff.Prepare(list)
	c.rules[kind] = r
	return r
}

func (i Ignore) rule(why string) diff.Rule {
	return diff.Rule{Pointers: i.JSONPointers, JQ: i.JQPathExpressions, Managers: i.ManagedFieldsManagers, Why: why}
}

// speaksOf reports whether a rule is for an object. Group, kind and name may be globs; name and namespace "" are all.
func (i Ignore) speaksOf(o manifest.Object) bool {
	k := o.Kind()
	return glob(i.Group, k.Group) && glob(i.Kind, k.Kind) &&
		(i.Name == "" || glob(i.Name, o.Name())) && (i.Namespace == "" || i.Namespace == o.Namespace())
}

// glob matches in the manner of path.Match; what is no pattern matches itself.
func glob(pattern, text string) bool {
	if pattern == text || pattern == "*" {
		return true
	}
	if !strings.ContainsAny(pattern, "*?[") {
		return false
	}
	// a slash is no separator here: groups and names have none
	ok, err := path.Match(pattern, text)
	return err == nil && ok
}

// Includes reports whether a kind is held at all: resource.inclusions and resource.exclusions of argocd-cm
// (https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#resource-exclusioninclusion).
func (s Settings) Includes(k manifest.Kind) bool {
	included := len(s.ResourceInclusions) == 0
	for _, e := range s.ResourceInclusions {
		included = included || e.matches(k, s.Cluster)
	}
	for _, e := range s.ResourceExclusions {
		if e.matches(k, s.Cluster) {
			return false
		}
	}
	return included
}

// matches: a list that is empty matches all.
func (e Exclusion) matches(k manifest.Kind, cluster string) bool {
	return anyGlob(e.APIGroups, k.Group) && anyGlob(e.Kinds, k.Kind) && anyGlob(e.Clusters, cluster)
}

func anyGlob(patterns []string, text string) bool {
	for _, p := range patterns {
		// a URL's slashes are letters here
		if glob(strings.ReplaceAll(p, "/", "\x01"), strings.ReplaceAll(text, "/", "\x01")) {
			return true
		}
	}
	return len(patterns) == 0
}
