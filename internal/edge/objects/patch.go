package objects

import (
	"context"
	"fmt"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Patch changes an object, its status or its scale. Server-side apply makes the object where there is none; lists of
// argoproj.io kinds are one value to it, as the definitions of Argo's say of most of theirs.
func (s *Store) Patch(_ context.Context, kind manifest.Kind, namespace, n string, p manifest.Patch, w manifest.Writing) (manifest.Object, error) {
	k, err := s.served(kind)
	if err != nil {
		return nil, err
	}
	if k.Namespaced && namespace == "" {
		namespace = "default"
	}
	return s.locked(func() (manifest.Object, error) {
		before, err := s.find(k, namespace, n)
		switch {
		case p.Kind == manifest.ApplyPatch:
			return s.apply(k, namespace, n, before, p, w)
		case err != nil:
			return nil, err
		}
		of := before
		if p.Sub == "scale" && k.Scale {
			of = k.scaleOf(before)
		}
		after, err := patched(k, of, p)
		if err != nil {
			return nil, err
		}
		if after.Name() != n || k.Namespaced && after.Namespace() != namespace && after.Namespace() != "" {
			return nil, badRequest("the name of the object (%s) does not match the name on the URL (%s)", after.Name(), n)
		}
		return s.replace(k, before, after, p.Sub, w)
	})
}

// patched is an object after a merge, JSON or strategic patch.
func patched(k *Served, o manifest.Object, p manifest.Patch) (manifest.Object, error) {
	var data []byte
	var err error
	switch p.Kind {
	case manifest.MergePatch:
		var changes manifest.Object
		if err = manifest.Decode(p.Data, &changes); err != nil || changes == nil {
			return nil, badRequest("the patch is no JSON object: %v", sane(k, err))
		}
		return manifest.Apply(o, changes), nil
	case manifest.JSONPatch:
		var ops jsonpatch.Patch
		if ops, err = jsonpatch.DecodePatch(p.Data); err == nil {
			if data, err = ops.Apply(o.JSON()); err != nil {
				return nil, &manifest.Refusal{Code: 422, Reason: manifest.ReasonInvalid, Message: fmt.Sprintf("the server rejected our request due to an error in our request: %v", err)}
			}
		}
	case manifest.StrategicPatch:
		value, ok := typed(k.Kind)
		if !ok && p.Sub != "scale" {
			return nil, unknownPatch()
		}
		if p.Sub == "scale" {
			data, err = jsonpatch.MergePatch(o.JSON(), p.Data)
			break
		}
		data, err = strategicpatch.StrategicMergePatch(o.JSON(), p.Data, value)
	default:
		return nil, unknownPatch()
	}
	if err != nil {
		return nil, badRequest("%v", sane(k, err))
	}
	out, err := manifest.Parse(data)
	if err != nil {
		return nil, badRequest("%v", sane(k, err))
	}
	return out, nil
}

func unknownPatch() error {
	return &manifest.Refusal{
		Code: 415, Reason: "UnsupportedMediaType",
		Message: "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
	}
}

// apply is server-side apply.
func (s *Store) apply(k *Served, namespace, n string, before manifest.Object, p manifest.Patch, w manifest.Writing) (manifest.Object, error) {
	applied, err := s.applied(k, namespace, n, p, w)
	if err != nil {
		return nil, err
	}
	if before == nil && p.Sub != "" {
		return nil, notFound(k, n)
	}
	if before != nil {
		if r := applied.Revision(); r != "" && r != before.Revision() {
			return nil, stale(k, n)
		}
		if uid := applied.UID(); uid != "" && uid != before.UID() {
			return nil, conflict(k, n, "Precondition failed: UID in precondition: %s, UID in object meta: %s", uid, before.UID())
		}
	}
	after, err := s.fields.apply(k, before, applied, p.Sub, who(w), p.Force)
	if err != nil {
		return nil, err
	}
	owners, _ := after.At("metadata", "managedFields")
	if before != nil {
		if after, err = s.part(k, before, after, p.Sub); err != nil {
			return nil, err
		}
	} else if err := s.begin(k, after); err != nil {
		return nil, err
	}
	if after, err = shape(k, after, false); err != nil {
		return nil, err
	}
	if owners != nil {
		after.Set(owners, "metadata", "managedFields")
	}
	if before == nil {
		selectJob(k, after)
	}
	if err := check(k, before, after); err != nil {
		return nil, err
	}
	if before == nil {
		return s.add(k, after, w)
	}
	return s.change(k, before, after, p.Sub, w)
}

// applied reads the configuration of a server-side apply: YAML or JSON, whole, without what only the server writes.
func (s *Store) applied(k *Served, namespace, n string, p manifest.Patch, w manifest.Writing) (manifest.Object, error) {
	data, err := yaml.YAMLToJSON(p.Data)
	if err != nil {
		return nil, badRequest("error decoding YAML: %v", sane(k, err))
	}
	o, err := manifest.Parse(data)
	if err != nil {
		return nil, badRequest("error decoding YAML: %v", sane(k, err))
	}
	if o.Kind() != k.Kind {
		return nil, badRequest("the API version in the data (%s) does not match the expected API version (%s)", o.Text("apiVersion"), k.Kind.APIVersion())
	}
	if len(o.List("metadata", "managedFields")) > 0 {
		return nil, badRequest("metadata.managedFields must be nil")
	}
	if o.Name() == "" {
		o.Set(n, "metadata", "name")
	}
	if o.Name() != n {
		return nil, badRequest("the name of the object (%s) does not match the name on the URL (%s)", o.Name(), n)
	}
	if k.Namespaced {
		o.Set(namespace, "metadata", "namespace")
	}
	return prune(k, o, w.Validation == "Strict")
}

// prune drops the fields that the kind does not have, which the merge by schema would refuse, without filling in others: an
// applier owns only what it says.
func prune(k *Served, o manifest.Object, strict bool) (manifest.Object, error) {
	if !known(k) {
		return o, nil
	}
	if _, err := shape(k, o.Copy(), strict); err != nil {
		return nil, err
	}
	if strings, ok := o["stringData"].(map[string]any); ok && k.Kind.Kind == "Secret" {
		for key, v := range strings {
			o.Set(encode(v), "data", key)
		}
		delete(o, "stringData")
	}
	keep(map[string]any(o), &parser().Schema, typeName(gvk(k.Kind)))
	return o, nil
}
