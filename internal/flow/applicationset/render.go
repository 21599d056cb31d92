package applicationset

import (
	"fmt"
	"maps"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Kind is an Application's kind.
var applicationKind = manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Application"}

// over is a generator's template over the set's: what it sets counts, what it leaves empty is the set's (documentation page
// "Templates", generator templates).
func over(own, base manifest.Object) manifest.Object {
	if own == nil {
		return base
	}
	return filledUp(own, base)
}

func filledUp(own, base map[string]any) map[string]any {
	out := maps.Clone(own)
	for k, b := range base {
		o := out[k]
		switch om, bm := asMap(o), asMap(b); {
		case unset(k, o):
			out[k] = b
		case om != nil && bm != nil && k != "valuesObject":
			out[k] = filledUp(om, bm)
		}
	}
	return out
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case int64:
		return v == 0
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// Render makes an Application of a template and parameters (documentation pages "Templates" and "Go Template").
func Render(set Set, p Params) (manifest.Object, error) {
	all, err := RenderAll(set, []Params{p})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// RenderAll makes the Applications of all parameters, in their order. Like Generate, it gives all or none. Two with one name
// are told by Check.
func RenderAll(set Set, params []Params) ([]manifest.Object, error) {
	f, err := newFiller(set.Spec.GoTemplate, set.Spec.GoTemplateOptions)
	if err != nil {
		return nil, fault.New(CodeTemplate, "%v", err)
	}
	out := make([]manifest.Object, len(params))
	for i, p := range params {
		if out[i], err = f.application(set, p); err != nil {
			return nil, fault.New(CodeTemplate, "%v", err)
		}
	}
	return out, nil
}

func (f *filler) application(set Set, p Params) (manifest.Object, error) {
	f.budget.renew()
	values := shared(p.Values)
	o := manifest.Object{"apiVersion": applicationKind.APIVersion(), "kind": applicationKind.Kind}
	meta := map[string]any{}
	for _, field := range []string{"name", "labels", "annotations", "finalizers"} {
		v, ok := p.Template.At("metadata", field)
		if !ok {
			continue
		}
		filled, err := f.deeply(v, values)
		if err != nil {
			return nil, err
		}
		if !empty(filled) {
			meta[field] = filled
		}
	}
	spec, err := f.deeply(map[string]any(p.Template.Sub("spec")), values)
	if err != nil {
		return nil, err
	}
	o["metadata"], o["spec"] = meta, spec
	policy := set.Spec.SyncPolicy
	if empty(meta["finalizers"]) && (policy == nil || !policy.PreserveResourcesOnDeletion) {
		meta["finalizers"] = []any{application.ResourcesFinalizer}
	}
	if set.Spec.TemplatePatch != nil {
		if o, err = f.patched(o, *set.Spec.TemplatePatch, values); err != nil {
			return nil, err
		}
	}
	o.Set(set.Object.Namespace(), "metadata", "namespace")
	if err := readable(o); err != nil {
		return nil, fmt.Errorf("the template of ApplicationSet %s makes an Application %q that cannot be read: %w", set.Object.Name(), o.Name(), err)
	}
	normal(o)
	return o, nil
}

// readable reports what of an Application has the wrong type.
func readable(o manifest.Object) error {
	var spec application.Spec
	return o.Sub("spec").Into(&spec)
}

// shared is a copy of parameters that a template's set cannot change for another.
func shared(values map[string]any) map[string]any {
	out := maps.Clone(values)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range out {
		out[k] = copyOf(v)
	}
	return out
}

func copyOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return shared(v)
	case map[string]string:
		return maps.Clone(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = copyOf(e)
		}
		return out
	case []string:
		return slices.Clone(v)
	}
	return v
}

// patched is an Application with the set's templatePatch over it (documentation page "Templates", template patch). The
// project stays: a patch that a parameter slipped into must not change it.
func (f *filler) patched(o manifest.Object, text string, values map[string]any) (manifest.Object, error) {
	filled, err := f.text(text, values)
	if err != nil {
		return nil, fmt.Errorf("error replacing values in templatePatch: %w", err)
	}
	data, err := yaml.YAMLToJSON([]byte(filled))
	if err != nil {
		return nil, fmt.Errorf("error while converting template to json %q: %w", filled, err)
	}
	var patch manifest.Object
	if string(data) != "null" {
		if patch, err = manifest.Parse(data); err != nil {
			return nil, fmt.Errorf("invalid templatePatch %q: %w", data, err)
		}
	}
	project := o.Text("spec", "project")
	name := o.Name()
	out := manifest.Object(strategic(o, patch))
	out["apiVersion"], out["kind"] = applicationKind.APIVersion(), applicationKind.Kind
	if out.Sub("spec") == nil {
		out["spec"] = map[string]any{}
	}
	if out.Name() == "" {
		out.Set(name, "metadata", "name")
	}
	out.Set(project, "spec", "project")
	delete(out, "status")
	delete(out, "operation")
	return out, nil
}

// strategic is a strategic merge patch as Applications have it: maps are merged, null removes, lists are replaced but for
// finalizers, and $patch: replace or delete does so.
func strategic(below, patch map[string]any) map[string]any {
	switch patch["$patch"] {
	case "replace":
		out := maps.Clone(patch)
		delete(out, "$patch")
		return out
	case "delete":
		return map[string]any{}
	}
	out := maps.Clone(below)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range patch {
		vm, om := asMap(v), asMap(out[k])
		switch {
		case k == "$patch":
		case v == nil:
			delete(out, k)
		case vm != nil && om != nil:
			out[k] = strategic(om, vm)
		case vm != nil:
			out[k] = strategic(nil, vm)
		case k == "finalizers":
			out[k] = united(out[k], v)
		default:
			out[k] = v
		}
	}
	return out
}

func united(a, b any) any {
	x, _ := a.([]any)
	y, ok := b.([]any)
	if !ok {
		return b
	}
	out := slices.Clone(x)
	for _, e := range y {
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

// normal brings a spec to the form in which Argo CD keeps it, so that nobody fights over it.
func normal(o manifest.Object) {
	spec := o.Sub("spec")
	if spec == nil {
		return
	}
	if spec.Text("project") == "" {
		spec["project"] = "default"
	}
	if m, ok := spec["syncPolicy"]; ok && len(asMap(set(map[string]any{"syncPolicy": m})["syncPolicy"])) == 0 {
		delete(spec, "syncPolicy")
	}
	sources := []manifest.Object{spec.Sub("source")}
	for _, s := range spec.List("sources") {
		m, _ := s.(map[string]any)
		sources = append(sources, m)
	}
	for _, s := range sources {
		for _, part := range []string{"helm", "kustomize", "directory"} {
			if s == nil {
				continue
			}
			if v, there := s[part]; there && set(map[string]any{part: v})[part] == nil {
				delete(s, part)
			}
		}
	}
}

// told are fields of which nothing and zero are not the same: automated: {} syncs by itself, enabled: false does not.
var told = []string{"automated", "enabled", "revisionHistoryLimit", "factor"}

// unset reports whether a field says nothing.
func unset(field string, v any) bool {
	if v != nil && slices.Contains(told, field) {
		return false
	}
	return empty(v)
}

// set is a value without the fields that say nothing.
func set(v map[string]any) map[string]any {
	out := map[string]any{}
	for k, e := range v {
		switch x := e.(type) {
		case map[string]any:
			e = set(x)
		case []any:
			list := make([]any, len(x))
			for i, y := range x {
				list[i] = y
				if m, ok := y.(map[string]any); ok {
					list[i] = set(m)
				}
			}
			e = list
		}
		if !unset(k, e) {
			out[k] = e
		}
	}
	return out
}
