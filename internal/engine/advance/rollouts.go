package advance

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// The faults of this package.
const (
	CodeName = "SL5700" // an object that a rollout would make is there and belongs to another
	CodeKind = "SL5701" // the cluster does not have a kind that is needed
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeName, Summary: "an object that a rollout would make is somebody else's", Text: "The AnalysisRun or Experiment that a step makes has a name that is taken by an object which this Rollout does not control. Remove or rename that object; Sluice does not change it."},
	{Code: CodeKind, Summary: "the cluster does not define a kind of argoproj.io", Text: "Rollout, AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate and Experiment must be defined in the cluster: `sluice crd install` defines those that are missing."},
}

// resync is when a rollout is looked at anew though nothing told of a change.
const resync = 15 * time.Minute

// advance works on one rollout: read, decide, act, write down.
func (m *Manager) advance(ctx context.Context, key place) (time.Duration, error) {
	o, err := m.Cluster.Get(ctx, Rollouts, key.namespace, key.name)
	if manifest.NotFound(err) {
		m.index.set(key, nil)
		gone := manifest.Object{}
		gone.Set(key.name, "metadata", "name")
		gone.Set(key.namespace, "metadata", "namespace")
		return 0, m.release(ctx, rollout.Rollout{Object: gone})
	}
	if err != nil {
		return 0, fmt.Errorf("read rollout %s: %w", key.name, err)
	}
	if !m.mine(o) {
		return 0, nil
	}
	r, err := rollout.Decode(o)
	if err != nil {
		m.tell(o, "InvalidSpec", err.Error(), true)
		return 0, nil // a person must act
	}
	if !o.Deleting() && r.Status.ObservedGeneration != fmt.Sprint(o.Int(0, "metadata", "generation")) {
		if err := m.release(ctx, r); err != nil {
			return 0, err
		}
	}
	w, err := m.world(ctx, r)
	if err != nil {
		return 0, err
	}
	d := rollout.Next(w)
	for _, action := range d.Actions {
		if err := m.act(ctx, w, action); err != nil {
			return 0, fmt.Errorf("rollout %s: %w", key.name, err)
		}
	}
	if err := m.writeRollout(ctx, r, d); err != nil {
		return 0, err
	}
	return soonest(d.After, resync), nil
}

func soonest(a, b time.Duration) time.Duration {
	if a > 0 && a < b {
		return a
	}
	return b
}

// writeRollout writes annotations and spec, then the status, each only where it changes, and only onto the rollout that the
// decision was made for: whoever wrote in between is heard first.
func (m *Manager) writeRollout(ctx context.Context, r rollout.Rollout, d rollout.Decision) error {
	o := r.Object
	patch := manifest.Object{}
	for name, value := range d.Annotations {
		was, there := o.Annotations()[name]
		switch {
		case value == "" && there:
			patch.Set(nil, "metadata", "annotations", name)
		case value != "" && was != value:
			patch.Set(value, "metadata", "annotations", name)
		}
	}
	if len(d.Spec) > 0 {
		patch["spec"] = map[string]any(d.Spec)
	}
	if len(patch) > 0 {
		is, err := m.patch(ctx, o, patch, "")
		if err != nil {
			return fmt.Errorf("write rollout %s: %w", o.Name(), err)
		}
		o = is
	}
	status := rollout.StatusPatch(r.Status, d.Status)
	if status == nil {
		return nil
	}
	if err := m.writeStatus(ctx, o, status); err != nil {
		return fmt.Errorf("write the status of rollout %s: %w", o.Name(), err)
	}
	return nil
}

// writeStatus merges a patch of an object's status, by its subresource where the kind has one.
func (m *Manager) writeStatus(ctx context.Context, o, status manifest.Object) error {
	kind := o.Kind()
	if _, whole := m.whole.Load(kind); !whole {
		_, err := m.patch(ctx, o, status.Copy(), "status")
		if !manifest.Is(err, manifest.ReasonNotFound) {
			return err
		}
	}
	_, err := m.patch(ctx, o, status.Copy(), "")
	if err == nil {
		m.whole.Store(kind, true)
	}
	return err
}

// patch merges a change into an object in the state that it was read in. On a conflict the newest state is read, so that
// the next try is made on it.
func (m *Manager) patch(ctx context.Context, o, change manifest.Object, sub string) (manifest.Object, error) {
	change.Set(o.Revision(), "metadata", "resourceVersion")
	data, err := json.Marshal(change)
	if err != nil {
		return nil, err
	}
	is, err := m.Cluster.Patch(ctx, o.Kind(), o.Namespace(), o.Name(), manifest.Patch{Kind: manifest.MergePatch, Data: data, Sub: sub}, manifest.Writing{})
	if manifest.Is(err, manifest.ReasonConflict) {
		_, _ = m.Cluster.Fresh(ctx, o.Kind(), o.Namespace(), o.Name()) // the conflict itself is what is told
	}
	return is, err
}

// release takes the rollout's marks from Services and traffic objects that it names no more.
func (m *Manager) release(ctx context.Context, r rollout.Rollout) error {
	namespace, name := r.Object.Namespace(), r.Object.Name()
	all, err := m.Cluster.List(ctx, services, namespace, "")
	if err != nil {
		return fmt.Errorf("look for services of rollout %s: %w", name, err)
	}
	named := map[string]bool{}
	for _, s := range r.Spec.Services() {
		named[s] = true
	}
	for _, s := range all {
		if s.Annotation(rollout.ManagedAnnotation) != name || named[s.Name()] || s.Deleting() {
			continue
		}
		change := manifest.Object{}
		change.Set(nil, "spec", "selector", rollout.HashLabel)
		change.Set(nil, "metadata", "annotations", rollout.ManagedAnnotation)
		if _, err := m.patch(ctx, s, change, ""); err != nil && !manifest.NotFound(err) {
			return fmt.Errorf("release service %s: %w", s.Name(), err)
		}
	}
	if m.Router == nil {
		return nil
	}
	return m.Router.Release(ctx, r)
}
