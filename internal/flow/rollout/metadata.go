package rollout

import (
	"encoding/json"
	"maps"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Ephemeral metadata: labels and annotations that the pods of a version have only while it is the canary or the stable one
// (https://argo-rollouts.readthedocs.io/en/stable/features/ephemeral-metadata/). What was given is remembered in an
// annotation of the replica set, so that it alone is taken back.

// injected is the metadata that a set was given.
func injected(s *set) analysis.Meta {
	var m analysis.Meta
	if json.Unmarshal([]byte(s.annotations[EphemeralMetadata]), &m) != nil {
		return analysis.Meta{}
	}
	return m
}

func text(m *analysis.Meta) string {
	data, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	return string(data)
}

// mark gives an object's metadata labels and annotations; false where it has them already.
func mark(o manifest.Object, m analysis.Meta) bool {
	changed := false
	give := func(field string, values map[string]string) {
		for k, v := range values {
			if o.Text("metadata", field, k) != v {
				o.Set(v, "metadata", field, k)
				changed = true
			}
		}
	}
	give("labels", m.Labels)
	give("annotations", m.Annotations)
	return changed
}

// unmark takes labels and annotations away.
func unmark(o manifest.Object, m analysis.Meta) {
	for k := range m.Labels {
		o.Drop("metadata", "labels", k)
	}
	for k := range m.Annotations {
		o.Drop("metadata", "annotations", k)
	}
}

// metadataPatch turns an object that was given one metadata into one that has another; empty where it is so.
func metadataPatch(o manifest.Object, was, is analysis.Meta) manifest.Object {
	patch := manifest.Object{}
	change := func(field string, was, is map[string]string) {
		for k := range was {
			if _, stays := is[k]; !stays {
				if _, there := o.At("metadata", field, k); there {
					patch.Set(nil, "metadata", field, k)
				}
			}
		}
		for k, v := range is {
			if o.Text("metadata", field, k) != v {
				patch.Set(v, "metadata", field, k)
			}
		}
	}
	change("labels", was.Labels, is.Labels)
	change("annotations", was.Annotations, is.Annotations)
	return patch
}

// metadata gives each version's set and its pods the metadata of its part, and takes back what they no longer are.
func (p *pass) metadata() {
	fresh, stable := p.r.Spec.metadata()
	if p.r.Status.StableRS == "" || p.r.Status.StableRS == p.fresh.hash {
		p.mark(p.fresh, stable)
	} else {
		p.mark(p.fresh, fresh)
		p.mark(p.stable, stable)
	}
	for _, s := range p.others {
		p.mark(s, nil)
	}
}

// mark changes the set first and its pods then, so that pods made in between have the new metadata.
func (p *pass) mark(s *set, give *analysis.Meta) {
	if s == nil || s.made {
		return
	}
	was, is := injected(s), meta(give)
	template := manifest.Object(maps.Clone(s.object.Sub("spec", "template")))
	if patch := metadataPatch(template, was, is); len(patch) > 0 {
		var note any
		if give != nil {
			note = text(give)
		}
		whole := manifest.Object{
			"metadata": map[string]any{"annotations": map[string]any{EphemeralMetadata: note}},
			"spec":     map[string]any{"template": map[string]any(patch)},
		}
		p.do(PatchReplicaSet{Name: s.name, Patch: whole})
	}
	for _, pod := range p.w.Pods {
		if c, ok := pod.Controller(); !ok || c.UID != s.object.UID() || pod.Deleting() {
			continue
		}
		if patch := metadataPatch(pod, was, is); len(patch) > 0 {
			p.do(PatchPod{Name: pod.Name(), Patch: patch})
		}
	}
}
