package objects

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// about answers what is asked of the server itself: version, health, groups, the schema's outline.
func (s *Store) about(w http.ResponseWriter, _ *http.Request, parts []string) error {
	switch path := strings.Join(parts, "/"); {
	case path == "version":
		major, minor, _ := strings.Cut(strings.TrimPrefix(s.c.Version, "v"), ".")
		minor, _, _ = strings.Cut(minor, ".")
		write(w, 200, map[string]any{"major": major, "minor": minor, "gitVersion": s.c.Version, "platform": "sluice"})
	case path == "healthz" || path == "readyz" || path == "livez":
		_, _ = w.Write([]byte("ok"))
	case path == "api":
		write(w, 200, map[string]any{"kind": "APIVersions", "versions": []string{"v1"}, "serverAddressByClientCIDRs": []any{}})
	case path == "apis":
		var groups []any
		for _, g := range s.groups() {
			groups = append(groups, s.group(g))
		}
		write(w, 200, map[string]any{"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
	case len(parts) == 2 && parts[0] == "apis" && slices.Contains(s.groups(), parts[1]):
		g := s.group(parts[1])
		g["kind"], g["apiVersion"] = "APIGroup", "v1"
		write(w, 200, g)
	case path == "openapi/v3":
		paths := map[string]any{"api/v1": map[string]any{"serverRelativeURL": "/openapi/v3/api/v1"}}
		for _, g := range s.groups() {
			p := "apis/" + g + "/" + s.version(g)
			paths[p] = map[string]any{"serverRelativeURL": "/openapi/v3/" + p}
		}
		write(w, 200, map[string]any{"paths": paths})
	case strings.HasPrefix(path, "openapi/v3/"):
		return s.outline(w, parts[2:])
	default:
		return missing()
	}
	return nil
}

// groups are the named groups, in order.
func (s *Store) groups() []string {
	all := map[string]bool{}
	for _, k := range s.c.Kinds {
		if k.Kind.Group != "" {
			all[k.Kind.Group] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func (s *Store) version(group string) string {
	for _, k := range s.c.Kinds {
		if k.Kind.Group == group {
			return k.Kind.Version
		}
	}
	return ""
}

func (s *Store) group(g string) map[string]any {
	v := map[string]any{"groupVersion": g + "/" + s.version(g), "version": s.version(g)}
	return map[string]any{"name": g, "versions": []any{v}, "preferredVersion": v}
}

// resources is the discovery of one group and version.
func (s *Store) resources(w http.ResponseWriter, group, version string) error {
	var list []any
	for _, k := range s.c.Kinds {
		if k.Kind.Group != group || k.Kind.Version != version {
			continue
		}
		r := map[string]any{"name": k.Plural, "singularName": k.Singular, "namespaced": k.Namespaced, "kind": k.Kind.Kind, "verbs": verbs}
		if len(k.Short) > 0 {
			r["shortNames"] = k.Short
		}
		if len(k.Categories) > 0 {
			r["categories"] = k.Categories
		}
		list = append(list, r)
		sub := func(name, group, version, kind string, verbs ...string) {
			r := map[string]any{"name": k.Plural + "/" + name, "singularName": "", "namespaced": k.Namespaced, "kind": kind, "verbs": verbs}
			if group != "" {
				r["group"], r["version"] = group, version
			}
			list = append(list, r)
		}
		if k.Status {
			sub("status", "", "", k.Kind.Kind, "get", "patch", "update")
		}
		if k.Scale {
			sub("scale", "autoscaling", "v1", "Scale", "get", "patch", "update")
		}
		if k.Kind.Kind == "Pod" {
			sub("log", "", "", "Pod", "get")
			sub("eviction", "policy", "v1", "Eviction", "create")
		}
	}
	if list == nil {
		return missing()
	}
	write(w, 200, map[string]any{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": manifest.Kind{Group: group, Version: version}.APIVersion(), "resources": list})
	return nil
}

// outline is the OpenAPI document of a group: its paths, so that clients find that the server validates fields itself. It
// has no schemas.
func (s *Store) outline(w http.ResponseWriter, parts []string) error {
	group, version := "", parts[len(parts)-1]
	if len(parts) == 3 {
		group = parts[1]
	}
	paths := map[string]any{}
	for _, k := range s.c.Kinds {
		if k.Kind.Group != group || k.Kind.Version != version {
			continue
		}
		path := "/" + strings.Join(parts, "/") + "/"
		if k.Namespaced {
			path += "namespaces/{namespace}/"
		}
		op := func(action string) map[string]any {
			var params []any
			for _, p := range []string{"fieldManager", "fieldValidation", "dryRun"} {
				params = append(params, map[string]any{"name": p, "in": "query", "schema": map[string]any{"type": "string", "uniqueItems": true}})
			}
			return map[string]any{
				"parameters": params, "x-kubernetes-action": action, "responses": map[string]any{"200": map[string]any{"description": "OK"}},
				"x-kubernetes-group-version-kind": map[string]any{"group": group, "version": version, "kind": k.Kind.Kind},
			}
		}
		paths[path+k.Plural] = map[string]any{"post": op("post")}
		paths[path+k.Plural+"/{name}"] = map[string]any{"patch": op("patch"), "put": op("put")}
	}
	if len(paths) == 0 {
		return missing()
	}
	write(w, 200, map[string]any{"openapi": "3.0.0", "info": map[string]any{"title": "Sluice", "version": s.c.Version}, "paths": paths, "components": map[string]any{"schemas": map[string]any{}}})
	return nil
}

// allow answers who asks whether they may do something: whoever has the token may do everything.
func allow(w http.ResponseWriter, r *http.Request) error {
	o, err := body(r)
	if err != nil {
		return err
	}
	o["status"] = map[string]any{"allowed": true, "reason": "the local target has no roles"}
	write(w, 201, o)
	return nil
}
