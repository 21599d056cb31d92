package keyword

import (
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

// environment reads environment: a name, or a mapping.
func (r *reader) environment(n *yamlx.Node) *Environment {
	out := &Environment{Place: n.At(), Action: Text{Value: "start"}}
	if _, ok := n.Str(); ok {
		out.Name = r.environmentName(n, "environment")
		return out
	}
	if !n.IsMapping() {
		r.wrong(n, "environment", "a name or a mapping with name")
		return nil
	}
	for name, pair := range r.fields(n, scopeOf("environment"), "environment") {
		what, v := "environment:"+name, pair.Value
		switch name {
		case "name":
			out.Name = r.environmentName(v, what)
		case "url":
			out.URL = r.short(v, what, maxURL)
		case "on_stop":
			out.OnStop = r.filled(v, what)
		case "action":
			if t := r.choice(v, what, actions); t.Set {
				out.Action = t
			}
		case "auto_stop_in":
			out.AutoStopIn = r.span(v, what, spanRule{never: true, variable: true})
		case "deployment_tier":
			out.Tier = r.text(v, what)
			if out.Tier.Set && !strings.Contains(out.Tier.Value, "$") && !slices.Contains(tiers, out.Tier.Value) {
				r.badChoice(v, what, out.Tier.Value, tiers)
			}
		case "kubernetes":
			out.Kubernetes = r.cluster(v)
		}
	}
	if n.Get("name").IsNull() {
		r.fail(CodeMissing, n, "environment needs name")
	}
	return out
}

// environmentName reads the name of an environment and checks its characters.
func (r *reader) environmentName(n *yamlx.Node, what string) Text {
	t := r.limited(n, what, 255)
	if t.Set && !environmentName.MatchString(t.Value) {
		r.fail(CodeName, n, "%s can have letters, digits, -, _, /, $, {, }, . and spaces only, and no / at its ends", what)
	}
	return t
}

// cluster reads environment:kubernetes.
func (r *reader) cluster(n *yamlx.Node) *Cluster {
	const what = "environment:kubernetes"
	out := &Cluster{Place: n.At()}
	if !r.mapping(n, what) {
		return nil
	}
	for name, pair := range r.fields(n, scopeOf(what), what) {
		v := pair.Value
		switch name {
		case "agent":
			out.Agent = r.filled(v, what+":agent")
		case "namespace":
			out.Namespace = r.filled(v, what+":namespace")
		case "flux_resource_path":
			out.FluxResourcePath = r.filled(v, what+":flux_resource_path")
		case "managed_resources":
			if r.mapping(v, what+":managed_resources") {
				for _, p := range r.fields(v, scopeOf(what+":managed_resources"), what+":managed_resources") {
					out.ManagedResources = r.flag(p.Value, what+":managed_resources:enabled")
				}
			}
		case "dashboard":
			r.dashboard(out, v)
		}
	}
	return out
}

func (r *reader) dashboard(out *Cluster, n *yamlx.Node) {
	const what = "environment:kubernetes:dashboard"
	if !r.mapping(n, what) {
		return
	}
	for name, pair := range r.fields(n, scopeOf(what), what) {
		switch name {
		case "namespace":
			out.Namespace = r.filled(pair.Value, what+":namespace")
		case "flux_resource_path":
			out.FluxResourcePath = r.filled(pair.Value, what+":flux_resource_path")
		}
	}
}

// release reads release:.
func (r *reader) release(n *yamlx.Node) *Release {
	out := &Release{Place: n.At()}
	if !r.mapping(n, "release") {
		return nil
	}
	for name, pair := range r.fields(n, scopeOf("release"), "release") {
		what, v := "release:"+name, pair.Value
		switch name {
		case "tag_name":
			out.TagName = r.filled(v, what)
		case "tag_message":
			out.TagMessage = r.text(v, what)
		case "name":
			out.Name = r.text(v, what)
		case "description":
			out.Description = r.filled(v, what)
		case "ref":
			out.Ref = r.text(v, what)
		case "milestones":
			out.Milestones = r.oneOrMore(v, what)
		case "released_at":
			out.ReleasedAt = r.text(v, what)
			if out.ReleasedAt.Set && !isMoment(out.ReleasedAt.Value) {
				r.fail(CodeSpan, v, "%s should be a date and time as in 2021-03-15T08:00:00Z", what)
			}
		case "assets":
			out.Links = r.assets(v)
		}
	}
	for _, name := range []string{"tag_name", "description"} {
		if n.Get(name).IsNull() {
			r.fail(CodeMissing, n, "release needs %s", name)
		}
	}
	return out
}

// isMoment reports whether a text is a date, or a date and time, of ISO 8601, or holds a variable.
func isMoment(text string) bool {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly, "20060102T150405Z07:00"} {
		if _, err := time.Parse(layout, text); err == nil {
			return true
		}
	}
	return strings.Contains(text, "$")
}

// assets reads release:assets.
func (r *reader) assets(n *yamlx.Node) []Link {
	const what = "release:assets"
	if !r.mapping(n, what) {
		return nil
	}
	var out []Link
	for _, pair := range r.fields(n, scopeOf(what), what) {
		if !pair.Value.IsSequence() {
			r.wrong(pair.Value, what+":links", "a list of mappings")
			continue
		}
		for _, item := range pair.Value.Items {
			if r.mapping(item, "an item of "+what+":links") {
				out = append(out, r.link(item))
			}
		}
	}
	if links := n.Get("links"); links.IsNull() || links.IsSequence() && len(links.Items) == 0 {
		r.fail(CodeMissing, n, "%s needs links", what)
	}
	return out
}

// link reads one of release:assets:links.
func (r *reader) link(n *yamlx.Node) Link {
	const what = "release:assets:links"
	out := Link{Place: n.At()}
	for name, pair := range r.fields(n, scopeOf(what), "an item of "+what) {
		v := pair.Value
		switch name {
		case "name":
			out.Name = r.filled(v, what+":name")
		case "url":
			out.URL = r.filled(v, what+":url")
		case "filepath":
			out.FilePath = r.filled(v, what+":filepath")
		case "link_type":
			out.Type = r.choice(v, what+":link_type", []string{"runbook", "package", "image", "other"})
		}
	}
	for _, name := range []string{"name", "url"} {
		if n.Get(name).IsNull() {
			r.fail(CodeMissing, n, "an item of %s needs %s", what, name)
		}
	}
	return out
}

// pages reads pages: true, false or a mapping.
func (r *reader) pages(n *yamlx.Node) *Pages {
	out := &Pages{Enabled: true, Place: n.At()}
	if b, ok := n.Bool(); ok {
		out.Enabled = b
		return out
	}
	if !n.IsMapping() {
		r.wrong(n, "pages", "true, false or a mapping")
		return nil
	}
	for name, pair := range r.fields(n, scopeOf("pages"), "pages") {
		switch name {
		case "publish":
			out.Publish = r.filled(pair.Value, "pages:publish")
		case "path_prefix":
			out.PathPrefix = r.text(pair.Value, "pages:path_prefix")
		case "expire_in":
			out.ExpireIn = r.span(pair.Value, "pages:expire_in", spanRule{never: true, variable: true})
		}
	}
	return out
}

// dast reads dast_configuration:.
func (r *reader) dast(n *yamlx.Node) *Dast {
	const what = "dast_configuration"
	out := &Dast{Place: n.At()}
	if !r.mapping(n, what) {
		return nil
	}
	for name, pair := range r.fields(n, scopeOf(what), what) {
		switch name {
		case "site_profile":
			out.SiteProfile = r.filled(pair.Value, what+":site_profile")
		case "scanner_profile":
			out.ScannerProfile = r.filled(pair.Value, what+":scanner_profile")
		}
	}
	return out
}
