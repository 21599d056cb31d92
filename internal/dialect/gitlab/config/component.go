package config

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

// componentFile takes a CI/CD component: templates/NAME.yml of its project, or templates/NAME/template.yml
// (CI/CD components, "Directory structure").
func (l *loader) componentFile(ctx context.Context, e *entry, o *origin, do func(*fetched)) {
	c, ok := address(e.text)
	if !ok {
		l.tell(CodeComponent, e.value.Place, "%q is no address of a component", e.text).
			WithHint("write HOST/PROJECT/COMPONENT@VERSION, for example $CI_SERVER_FQDN/group/project/name@1.0")
		return
	}
	child := &origin{kind: "component", name: e.text, variables: o.variables}
	if !l.enter(e, child, o) {
		return
	}
	hint := "say where its project is: --local-repository " + c.Project + "@" + c.Version + "=DIR, or --mirror DIR with a clone of it at DIR/" + c.Project
	if l.in.Source == nil {
		l.unavailable(nil, CodeComponent, e, "the component "+e.text, hint)
		return
	}
	release, err := l.in.Source.Component(ctx, c)
	if err != nil || release.Files == nil {
		l.unavailable(err, CodeComponent, e, "the component "+e.text, hint)
		return
	}
	child.files, child.prefix = release.Files, c.Host+"/"+c.Project+"@"+c.Version+":"
	child.component = map[string]*yamlx.Node{
		"name":      yamlx.NewString(c.Name, e.place),
		"reference": yamlx.NewString(c.Version, e.place),
		"sha":       yamlx.NewString(release.SHA, e.place),
		"version":   yamlx.NewScalar(yamlx.Null, "", e.place),
	}
	if release.Version != "" {
		child.component["version"] = yamlx.NewString(release.Version, e.place)
	}
	for _, path := range []string{"templates/" + c.Name + ".yml", "templates/" + c.Name + "/template.yml"} {
		content, err := release.Files.Read(ctx, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			l.tell(CodeFetch, e.value.Place, "%s of the component %s cannot be read: %v", path, e.text, err)
			return
		}
		child.path = path
		do(&fetched{child, content})
		return
	}
	l.tell(CodeComponent, e.value.Place, "the project %s at %s has no component %q", c.Project, c.Version, c.Name).
		WithHint("it needs templates/%s.yml or templates/%s/template.yml", c.Name, c.Name)
}

// address reads HOST/PROJECT/NAME@VERSION; the project has at least one slash of its own or stands alone.
func address(s string) (Component, bool) {
	where, version, ok := strings.Cut(s, "@")
	host, rest, hosted := strings.Cut(where, "/")
	i := strings.LastIndex(rest, "/")
	if !ok || !hosted || host == "" || version == "" || i <= 0 || i == len(rest)-1 {
		return Component{}, false
	}
	c := Component{Host: host, Project: rest[:i], Name: rest[i+1:], Version: version}
	for _, part := range strings.Split(rest, "/") {
		if part == "" || part == "." || part == ".." {
			return Component{}, false
		}
	}
	return c, !strings.ContainsAny(s, " \t\n\x00\\")
}
