package keyword

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

const (
	maxCaches       = 4
	maxKeyFiles     = 10
	maxKeyCommits   = 2
	maxFallbackKeys = 5
	maxExposeAs     = 100
	maxURL          = 255
)

var (
	pullPolicies = []string{"always", "if-not-present", "never"}
	identities   = []string{"google_cloud"}
	actions      = []string{"start", "prepare", "stop", "verify", "access"}
	tiers        = []string{"production", "staging", "testing", "development", "other"}
	accesses     = []string{"all", "developer", "maintainer", "none"}
	policies     = []string{"pull-push", "pull", "push"}

	exposeAs        = lazy.Pattern(`^\w[-\w ]*$`)
	environmentName = lazy.Pattern(`^[a-zA-Z0-9_\\${}. -]([a-zA-Z0-9_/\\${}. -]*[a-zA-Z0-9_\\${}. -])?$`)
	reference       = lazy.Pattern(`^\$(\w+|\{\w+\})$`)
)

// script reads commands: text, or lists of texts in lists, up to ten levels.
func (r *reader) script(n *yamlx.Node, what string) *Script {
	out := &Script{Place: n.At(), Lines: []Text{}}
	if s, ok := n.Str(); ok {
		if strings.TrimSpace(s) != "" {
			out.Lines = append(out.Lines, Text{Value: s, Place: n.At(), Set: true})
		}
		return out
	}
	if !n.IsSequence() {
		r.noCommand(n, what)
		return out
	}
	r.flatten(n, what, 0, func(item *yamlx.Node) {
		if s, ok := item.Str(); ok {
			out.Lines = append(out.Lines, Text{Value: s, Place: item.At(), Set: true})
			return
		}
		r.noCommand(item, what)
	})
	return out
}

// noCommand tells of something that is no command; most often it is a line with ": " that YAML takes for a mapping.
func (r *reader) noCommand(n *yamlx.Node, what string) {
	f := r.fail(CodeCommand, n, "a command of %s should be text, not %s", what, n.Describe())
	switch {
	case n.IsMapping() && len(n.Pairs) > 0:
		f.WithHint("a colon with a space behind it makes a mapping; put the whole line in quotes, as in '%s: …'", n.Pairs[0].Key.Value)
	case n.IsScalar():
		f.WithHint("put it in quotes: %q", n.Value)
	case n.IsNull():
		f.WithHint("take the empty item away")
	}
}

func (r *reader) hooks(n *yamlx.Node) *Hooks {
	out := &Hooks{Place: n.At()}
	if !r.mapping(n, "hooks") {
		return nil
	}
	for _, pair := range r.fields(n, scopeOf("hooks"), "hooks") {
		out.PreGetSources = r.script(pair.Value, "hooks:pre_get_sources_script")
	}
	return out
}

// image reads image: a name, or a mapping.
func (r *reader) image(n *yamlx.Node) *Image {
	out := &Image{Place: n.At()}
	if _, ok := n.Str(); ok {
		out.Name = r.filled(n, "image")
		return out
	}
	if !n.IsMapping() {
		r.wrong(n, "image", "a name or a mapping with name")
		return nil
	}
	for name, pair := range r.fields(n, scopeOf("image"), "image") {
		r.container(out, "image", name, pair.Value)
	}
	if n.Get("name").IsNull() {
		r.fail(CodeMissing, n, "image needs name")
	}
	return out
}

// container reads what images and services have in common; path is image or services.
func (r *reader) container(out *Image, path, name string, n *yamlx.Node) {
	what := path + ":" + name
	switch name {
	case "name":
		out.Name = r.filled(n, what)
	case "entrypoint":
		out.Entrypoint = r.texts(n, what)
	case "pull_policy":
		items := []*yamlx.Node{n}
		if n.IsSequence() {
			items = n.Items
		}
		for _, item := range items {
			if t := r.choice(item, what, pullPolicies); t.Set {
				out.PullPolicy = append(out.PullPolicy, t)
			}
		}
		if len(items) == 0 {
			r.fail(CodeMissing, n, "%s is empty", what)
		}
	case "docker":
		out.Docker.Place = n.At()
		if !r.mapping(n, what) {
			return
		}
		for name, pair := range r.fields(n, scopeOf(what), what) {
			switch name {
			case "platform":
				out.Docker.Platform = r.filled(pair.Value, what+":platform")
			case "user":
				out.Docker.User = r.limited(pair.Value, what+":user", 255)
			}
		}
	case "kubernetes":
		out.Kubernetes.Place = n.At()
		if !r.mapping(n, what) {
			return
		}
		for _, pair := range r.fields(n, scopeOf(what), what) {
			if _, ok := pair.Value.Int(); ok {
				out.Kubernetes.User = Text{Value: pair.Value.Text(), Place: pair.Value.At(), Set: true}
				continue
			}
			out.Kubernetes.User = r.limited(pair.Value, what+":user", 255)
		}
	}
}

// services reads the list of containers beside a job.
func (r *reader) services(n *yamlx.Node) *Services {
	out := &Services{Place: n.At(), Items: []Service{}}
	if !n.IsSequence() {
		r.wrong(n, "services", "a list of images").WithHint("write a - before each service")
		return nil
	}
	r.flatten(n, "services", 0, func(item *yamlx.Node) {
		s := Service{Image: Image{Place: item.At()}}
		if _, ok := item.Str(); ok {
			s.Name = r.filled(item, "an item of services")
			out.Items = append(out.Items, s)
			return
		}
		if !r.mapping(item, "an item of services") {
			return
		}
		for name, pair := range r.fields(item, scopeOf("services"), "an item of services") {
			switch name {
			case "alias":
				s.Alias = r.filled(pair.Value, "services:alias")
				s.Aliases = strings.FieldsFunc(s.Alias.Value, func(c rune) bool { return c == ',' || c == ' ' })
			case "command":
				s.Command = r.texts(pair.Value, "services:command")
			case "variables":
				s.Variables = r.variables(pair.Value, "services:variables")
			default:
				r.container(&s.Image, "services", name, pair.Value)
			}
		}
		if item.Get("name").IsNull() {
			r.fail(CodeMissing, item, "an item of services needs name")
		}
		out.Items = append(out.Items, s)
	})
	return out
}

// artifacts reads artifacts:.
func (r *reader) artifacts(n *yamlx.Node) *Artifacts {
	out := &Artifacts{Place: n.At()}
	if !r.mapping(n, "artifacts") {
		return nil
	}
	for name, pair := range r.fields(n, scopeOf("artifacts"), "artifacts") {
		what, v := "artifacts:"+name, pair.Value
		switch name {
		case "name":
			out.Name = r.text(v, what)
		case "paths":
			out.Paths = r.texts(v, what).Items
		case "exclude":
			out.Exclude = r.texts(v, what).Items
		case "untracked":
			out.Untracked = r.flag(v, what)
		case "when":
			out.When = whenOf(r.choice(v, what, partWhen))
		case "expire_in":
			out.ExpireIn = r.span(v, what, spanRule{never: true})
		case "expose_as":
			out.ExposeAs = r.limited(v, what, maxExposeAs)
			if out.ExposeAs.Set && !exposeAs.MatchString(out.ExposeAs.Value) {
				r.fail(CodeName, v, "%s can have letters, digits, -, _ and spaces only", what)
			}
		case "access":
			out.Access = r.choice(v, what, accesses)
		case "public":
			out.Public = r.flag(v, what)
		case "reports":
			out.Reports = r.reports(v)
		}
	}
	r.artifactsTogether(out)
	return out
}

// artifactsTogether checks what excludes or needs each other in artifacts.
func (r *reader) artifactsTogether(a *Artifacts) {
	if a.Access.Set && a.Public.Set {
		r.failAt(CodeTogether, a.Public.Place, "artifacts:public and artifacts:access exclude each other").WithHint("keep access")
	}
	if !a.ExposeAs.Set {
		return
	}
	if len(a.Paths) == 0 {
		r.failAt(CodeMissing, a.ExposeAs.Place, "artifacts:expose_as needs paths beside it")
	}
	for _, p := range a.Paths {
		if strings.Contains(p.Value, "*") {
			r.failAt(CodeTogether, p.Place, "artifacts:paths cannot have * when expose_as is used")
		}
	}
}

// reports reads artifacts:reports.
func (r *reader) reports(n *yamlx.Node) []Report {
	if !r.mapping(n, "artifacts:reports") {
		return nil
	}
	out := make([]Report, 0, len(n.Pairs))
	for name, pair := range r.fields(n, scopeOf("artifacts:reports"), "artifacts:reports") {
		what := "artifacts:reports:" + name
		report := Report{Kind: name, Place: pair.Key.At()}
		if name == "coverage_report" {
			r.coverageReport(&report, pair.Value)
		} else {
			report.Paths = r.oneOrMore(pair.Value, what)
		}
		out = append(out, report)
	}
	return out
}

// coverageReport reads artifacts:reports:coverage_report.
func (r *reader) coverageReport(out *Report, n *yamlx.Node) {
	const what = "artifacts:reports:coverage_report"
	if !r.mapping(n, what) {
		return
	}
	for name, pair := range r.fields(n, scopeOf(what), what) {
		switch name {
		case "coverage_format":
			out.Format = r.choice(pair.Value, what+":coverage_format", []string{"cobertura", "jacoco"})
		case "path":
			if t := r.filled(pair.Value, what+":path"); t.Set {
				out.Paths = []Text{t}
			}
		}
	}
	for _, name := range []string{"coverage_format", "path"} {
		if n.Get(name).IsNull() {
			r.fail(CodeMissing, n, "%s needs %s", what, name)
		}
	}
}

// resourceGroup reads resource_group:.
func (r *reader) resourceGroup(n *yamlx.Node) Text {
	t := r.limited(n, "resource_group", 255)
	if t.Set && !environmentName.MatchString(t.Value) {
		r.note(CodeName, fault.Warning, n.At(), "resource_group", "resource_group can have letters, digits, -, _, /, $, {, }, . and spaces only, and no / at its ends")
	}
	return t
}
