package advance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/experiment"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// experiment works on one experiment: read, decide, act, write down.
func (m *Manager) experiment(ctx context.Context, key place) (time.Duration, error) {
	o, err := m.Cluster.Get(ctx, Experiments, key.namespace, key.name)
	if manifest.NotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read experiment %s: %w", key.name, err)
	}
	if !m.mine(o) || o.Deleting() {
		return 0, nil
	}
	w, err := m.experimentWorld(ctx, o)
	if err != nil {
		return 0, err
	}
	d := experiment.Next(w)
	refused, err := m.carryOut(ctx, w, d)
	if err != nil {
		return 0, err
	}
	if refused != nil { // the decision is made anew, knowing it
		w.Refused = refused
		d = experiment.Next(w)
		if again, err := m.carryOut(ctx, w, d); err != nil || again != nil {
			return 0, errors.Join(err, fmt.Errorf("experiment %s: the cluster refuses what it needs", key.name))
		}
	}
	if patch := experiment.StatusPatch(w.Status, d.Status); patch != nil {
		if err := gone(m.writeStatus(ctx, o, patch)); err != nil {
			return 0, fmt.Errorf("write the status of experiment %s: %w", key.name, err)
		}
	}
	return soonest(d.After, resync), nil
}

func (m *Manager) experimentWorld(ctx context.Context, o manifest.Object) (experiment.World, error) {
	spec, status, err := experiment.Decode(o)
	if err != nil {
		m.tell(o, "InvalidSpec", err.Error(), true)
		return experiment.World{}, err
	}
	w := experiment.World{Object: o, Spec: spec, Status: status, Now: m.Clock()}
	if w.Sets, err = m.byTemplate(ctx, replicaSets, o); err != nil {
		return w, err
	}
	if w.Services, err = m.byTemplate(ctx, services, o); err != nil {
		return w, err
	}
	runs, err := m.Cluster.owned(ctx, Runs, o.Namespace(), o.UID())
	if err != nil {
		return w, err
	}
	for _, r := range runs {
		if run, err := analysis.Decode(r); err == nil {
			w.Runs = append(w.Runs, run)
		}
	}
	w.Templates, err = m.templates(ctx, o.Namespace(), spec.Named(), func(ref) {})
	return w, err
}

// byTemplate are the objects of a kind that an experiment made, by the template that they were made for.
func (m *Manager) byTemplate(ctx context.Context, kind manifest.Kind, o manifest.Object) (map[string]manifest.Object, error) {
	all, err := m.Cluster.owned(ctx, kind, o.Namespace(), o.UID())
	if err != nil {
		return nil, err
	}
	out := map[string]manifest.Object{}
	for _, one := range all {
		if name := one.Annotation(rollout.ExperimentTemplate); name != "" && !one.Deleting() {
			out[name] = one
		}
	}
	return out, nil
}

// carryOut does what a decision says. What the cluster refuses for good to make is answered by what it was for.
func (m *Manager) carryOut(ctx context.Context, w experiment.World, d experiment.Decision) (map[string]string, error) {
	var refused map[string]string
	namespace := w.Object.Namespace()
	for _, action := range d.Actions {
		var err error
		switch a := action.(type) {
		case experiment.Event:
			if refused == nil {
				m.tellExperiment(ctx, w.Object, a)
			}
		case experiment.Create:
			err = m.create(ctx, a.Object, w.Object.UID())
			if lasting(err) {
				if refused == nil {
					refused = map[string]string{}
				}
				name := a.Object.Name()
				refused[a.For] = fmt.Sprintf("Failed to create %s %s: %v", a.Object.Text("kind"), name, err)
				err = nil
			}
		case experiment.PatchReplicaSet:
			err = m.merge(ctx, replicaSets, namespace, a.Name, a.Patch)
		case experiment.DeleteService:
			err = m.remove(ctx, services, namespace, a.Name)
		case experiment.TerminateRun:
			err = gone(m.merge(ctx, Runs, namespace, a.Name, terminate()))
		default:
			err = fmt.Errorf("a mistake in Sluice: no way to do %T", action)
		}
		if err != nil {
			return nil, fmt.Errorf("experiment %s: %w", w.Object.Name(), err)
		}
	}
	return refused, nil
}

// lasting reports whether asking again would give the same refusal.
func lasting(err error) bool {
	if r, ok := errors.AsType[*manifest.Refusal](err); ok {
		return !manifest.Passing(err) && r.Code >= 400 && r.Code < 500
	}
	return fault.CodeOf(err) == CodeName
}

// tellExperiment tells an event of an experiment; what concerns its analyses is told of its rollout too.
func (m *Manager) tellExperiment(ctx context.Context, o manifest.Object, e experiment.Event) {
	m.tell(o, e.Reason, e.Message, e.Warning)
	owner, ok := o.Controller()
	if !e.Above || !ok || owner.Kind != Rollouts.Kind {
		return
	}
	if r, err := m.Cluster.Get(ctx, Rollouts, o.Namespace(), owner.Name); err == nil {
		m.tell(r, e.Reason, e.Message, true)
	}
}
