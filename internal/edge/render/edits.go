package render

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// image sets an image as `kustomize edit set image` does: name=new:tag, name=new@digest, name:tag, name@digest,
// name=*:tag (the name stays).
func (k *kustomization) image(text string) error {
	entry, err := parseImage(text)
	if err != nil {
		return err
	}
	list := k.list("images")
	for i, e := range list {
		old, ok := e.(map[string]any)
		if !ok || old["name"] != entry["name"] {
			continue
		}
		merged := maps.Clone(old)
		if entry["newTag"] != nil {
			delete(merged, "digest")
		}
		if entry["digest"] != nil {
			delete(merged, "newTag")
		}
		maps.Copy(merged, entry)
		list = slices.Clone(list)
		list[i] = merged
		k.set("images", list)
		return nil
	}
	k.set("images", append(list, entry))
	return nil
}

func parseImage(text string) (map[string]any, error) {
	name, value, renamed := strings.Cut(text, "=")
	if !renamed {
		value = name
	}
	entry := map[string]any{}
	image, digest, hasDigest := strings.Cut(value, "@")
	tag, hasTag := "", false
	if at := strings.LastIndexByte(image, ':'); at > strings.LastIndexByte(image, '/') {
		image, tag, hasTag = image[:at], image[at+1:], true
	}
	if !renamed {
		name = image
	}
	if name == "" || !renamed && !hasTag && !hasDigest || hasTag && tag == "" || hasDigest && digest == "" {
		return nil, fault.New(CodeKustomize, "kustomize.images: %q cannot be read", text).WithHint("write name:tag, name@digest, name=new, name=new:tag or name=new@digest")
	}
	entry["name"] = name
	if renamed && image != "*" && image != "" {
		entry["newName"] = image
	}
	if hasTag && tag != "*" {
		entry["newTag"] = tag
	}
	if hasDigest {
		entry["digest"] = digest
	}
	return entry, nil
}

// replicas sets how many of a workload there are.
func (k *kustomization) replicas(r application.KustomizeReplica) error {
	count, ok := wholeNumber(r.Count)
	if !ok || r.Name == "" {
		return fault.New(CodeKustomize, "kustomize.replicas: the count of %q is not a whole number", r.Name)
	}
	entry := map[string]any{"name": r.Name, "count": count}
	list := slices.Clone(k.list("replicas"))
	for i, e := range list {
		if old, ok := e.(map[string]any); ok && old["name"] == r.Name {
			list[i] = entry
			k.set("replicas", list)
			return nil
		}
	}
	k.set("replicas", append(list, entry))
	return nil
}

func wholeNumber(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	}
	return 0, false
}

// labels adds common labels as `kustomize edit add label` does: on selectors and templates, too, unless told otherwise.
func (k *kustomization) labels(file string, s application.Kustomize, env *environ) error {
	if len(s.CommonLabels) == 0 {
		return nil
	}
	pairs := map[string]any{}
	var wrong fault.List
	for _, name := range slices.Sorted(maps.Keys(s.CommonLabels)) {
		if k.hasLabel(name, s.ForceCommonLabels) && !s.ForceCommonLabels {
			wrong.Add(there(file, "label", name, "forceCommonLabels"))
		}
		pairs[name] = env.expand(s.CommonLabels[name])
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	if !s.LabelWithoutSelector {
		k.merge("commonLabels", pairs)
		return nil
	}
	entry := map[string]any{"pairs": pairs, "includeSelectors": false}
	if s.LabelIncludeTemplates {
		entry["includeTemplates"] = true
	}
	k.set("labels", append(slices.Clone(k.list("labels")), entry))
	return nil
}

// hasLabel reports whether the file sets a label already, and drops it where it is to be replaced.
func (k *kustomization) hasLabel(name string, drop bool) bool {
	found := false
	for _, m := range append(k.pairs(), k.fields["commonLabels"]) {
		if labels, ok := m.(map[string]any); ok {
			if _, has := labels[name]; has {
				found = true
				if drop {
					delete(labels, name)
				}
			}
		}
	}
	return found
}

func (k *kustomization) pairs() []any {
	var out []any
	for _, e := range k.list("labels") {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m["pairs"])
		}
	}
	return out
}

// annotations adds common annotations as `kustomize edit add annotation` does.
func (k *kustomization) annotations(file string, s application.Kustomize, env *environ) error {
	if len(s.CommonAnnotations) == 0 {
		return nil
	}
	old, _ := k.fields["commonAnnotations"].(map[string]any)
	pairs := map[string]any{}
	var wrong fault.List
	for _, name := range slices.Sorted(maps.Keys(s.CommonAnnotations)) {
		value := s.CommonAnnotations[name]
		if _, has := old[name]; has && !s.ForceCommonAnnotations {
			wrong.Add(there(file, "annotation", name, "forceCommonAnnotations"))
		}
		if s.CommonAnnotationsEnvsubst {
			value = env.expand(value)
		}
		pairs[name] = value
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	k.merge("commonAnnotations", pairs)
	return nil
}

func there(file, what, name, force string) *fault.Fault {
	return fault.At(CodeKustomize, fault.Place{File: file}, "%s", fmt.Sprintf("the kustomization sets the common %s %q already", what, name)).
		WithHint("set kustomize.%s: true to replace it", force)
}

func (k *kustomization) merge(field string, pairs map[string]any) {
	old, _ := k.fields[field].(map[string]any)
	out := maps.Clone(old)
	if out == nil {
		out = map[string]any{}
	}
	maps.Copy(out, pairs)
	k.set(field, out)
}
