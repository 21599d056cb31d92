package advance

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// act carries out one action of a decision.
func (m *Manager) act(ctx context.Context, w rollout.World, action rollout.Action) error {
	r := w.Rollout
	namespace := r.Object.Namespace()
	switch a := action.(type) {
	case rollout.Event:
		m.tell(r.Object, a.Reason, a.Message, a.Warning)
		return nil
	case rollout.CreateReplicaSet:
		return m.create(ctx, a.Object, r.Object.UID())
	case rollout.PatchReplicaSet:
		return m.merge(ctx, replicaSets, namespace, a.Name, a.Patch)
	case rollout.DeleteReplicaSet:
		return m.remove(ctx, replicaSets, namespace, a.Name)
	case rollout.PatchPod:
		return gone(m.merge(ctx, pods, namespace, a.Name, a.Patch))
	case rollout.EvictPod:
		return m.evict(ctx, namespace, a.Name)
	case rollout.Select:
		return m.selects(ctx, w, a)
	case rollout.ScaleWorkload:
		ref := r.Spec.WorkloadRef
		change := manifest.Object{}
		change.Set(int64(a.Replicas), "spec", "replicas")
		return m.merge(ctx, manifest.KindOf(ref.APIVersion, ref.Kind), namespace, ref.Name, change)
	case rollout.Route:
		return m.route(ctx, r, a.Traffic)
	case rollout.CreateRun:
		return m.create(ctx, a.Object, r.Object.UID())
	case rollout.TerminateRun:
		return gone(m.merge(ctx, Runs, namespace, a.Name, terminate()))
	case rollout.DeleteRun:
		return m.remove(ctx, Runs, namespace, a.Name)
	case rollout.CreateExperiment:
		return m.create(ctx, a.Object, r.Object.UID())
	case rollout.TerminateExperiment:
		return gone(m.merge(ctx, Experiments, namespace, a.Name, terminate()))
	case rollout.DeleteExperiment:
		return m.remove(ctx, Experiments, namespace, a.Name)
	}
	return fmt.Errorf("a mistake in Sluice: no way to do %T", action)
}

func terminate() manifest.Object {
	o := manifest.Object{}
	o.Set(true, "spec", "terminate")
	return o
}

// create makes an object; one that the same owner has made already is as good.
func (m *Manager) create(ctx context.Context, o manifest.Object, owner string) error {
	_, err := m.Cluster.Create(ctx, o, manifest.Writing{})
	if manifest.Is(err, manifest.ReasonExists) {
		is, read := m.Cluster.Fresh(ctx, o.Kind(), o.Namespace(), o.Name())
		if read != nil {
			return err
		}
		if w, ok := is.Controller(); ok && w.UID == owner {
			return nil
		}
		return fault.New(CodeName, "%s %s belongs to another", o.Text("kind"), o.Name())
	}
	if manifest.Is(err, manifest.ReasonNoKind) {
		return fault.New(CodeKind, "the cluster does not define %s", o.Text("kind")).WithHint("sluice crd install")
	}
	if err != nil {
		return fmt.Errorf("create %s %s: %w", o.Text("kind"), o.Name(), err)
	}
	return nil
}

func (m *Manager) merge(ctx context.Context, kind manifest.Kind, namespace, name string, change manifest.Object) error {
	data, err := json.Marshal(change)
	if err != nil {
		return err
	}
	_, err = m.Cluster.Patch(ctx, kind, namespace, name, manifest.Patch{Kind: manifest.MergePatch, Data: data}, manifest.Writing{})
	if err != nil {
		return fmt.Errorf("change %s %s: %w", kind.Kind, name, err)
	}
	return nil
}

// gone takes the absence of an object that is to change or to end for done.
func gone(err error) error {
	if manifest.NotFound(err) {
		return nil
	}
	return err
}

func (m *Manager) remove(ctx context.Context, kind manifest.Kind, namespace, name string) error {
	err := m.Cluster.Delete(ctx, kind, namespace, name, manifest.Writing{Propagation: "Background"})
	if gone(err) != nil {
		return fmt.Errorf("delete %s %s: %w", kind.Kind, name, err)
	}
	return nil
}

// evict asks for a pod to leave, as its disruption budget allows.
func (m *Manager) evict(ctx context.Context, namespace, name string) error {
	o := manifest.Object{"apiVersion": evictions.APIVersion(), "kind": evictions.Kind, "metadata": map[string]any{"name": name, "namespace": namespace}}
	_, err := m.Cluster.Create(ctx, o, manifest.Writing{})
	if manifest.Is(err, manifest.ReasonNoKind) { // a cluster without evictions, as the local target
		return m.remove(ctx, pods, namespace, name)
	}
	if gone(err) != nil {
		return fmt.Errorf("evict pod %s: %w", name, err)
	}
	return nil
}

// selects points a Service at a hash and marks it as the rollout's.
func (m *Manager) selects(ctx context.Context, w rollout.World, a rollout.Select) error {
	change := manifest.Object{}
	change.Set(w.Rollout.Object.Name(), "metadata", "annotations", rollout.ManagedAnnotation)
	if a.Hash == "" {
		change.Set(nil, "spec", "selector", rollout.HashLabel)
	} else {
		change.Set(a.Hash, "spec", "selector", rollout.HashLabel)
	}
	return m.merge(ctx, services, w.Rollout.Object.Namespace(), a.Service, change)
}

// route makes the traffic so; a failure is told, since the rollout cannot go on without.
func (m *Manager) route(ctx context.Context, r rollout.Rollout, t rollout.Traffic) error {
	if m.Router == nil {
		return nil
	}
	err := m.Router.Route(ctx, r, t)
	if err != nil && !manifest.Passing(err) {
		m.tell(r.Object, "TrafficRoutingError", err.Error(), true)
	}
	return err
}
