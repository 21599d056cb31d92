package advance

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// view is the reading of one rollout's world.
type view struct {
	m    *Manager
	w    rollout.World
	refs []ref
}

// world reads all that a decision about a rollout rests on, and notes what it names, so that a change of that brings it again.
func (m *Manager) world(ctx context.Context, r rollout.Rollout) (rollout.World, error) {
	v := &view{m: m, w: rollout.World{Rollout: r, Now: m.Clock()}}
	for _, read := range []func(context.Context) error{v.workload, v.sets, v.pods, v.services, v.runs, v.experiments, v.templates, v.traffic} {
		if err := read(ctx); err != nil {
			return rollout.World{}, fmt.Errorf("read what rollout %s rests on: %w", r.Object.Name(), err)
		}
	}
	m.index.set(at(r.Object), v.refs)
	return v.w, nil
}

func (v *view) namespace() string { return v.w.Rollout.Object.Namespace() }

func (v *view) names(kind, name string) {
	v.refs = append(v.refs, ref{kind, place{v.namespace(), name}})
}

func (v *view) workload(ctx context.Context) error {
	w := v.w.Rollout.Spec.WorkloadRef
	if w == nil {
		return nil
	}
	v.names(w.Kind, w.Name)
	kind := manifest.KindOf(w.APIVersion, w.Kind)
	if kind != replicaSets { // watched already
		v.m.watchNamed(ctx, kind)
	}
	o, err := v.m.Cluster.Get(ctx, kind, v.namespace(), w.Name)
	if manifest.NotFound(err) {
		return nil
	}
	v.w.Workload = o
	return err
}

// sets reads the replica sets that the rollout controls or may adopt; the names of the others are taken.
func (v *view) sets(ctx context.Context) error {
	all, err := v.m.Cluster.List(ctx, replicaSets, v.namespace(), "")
	if err != nil {
		return err
	}
	wanted := v.selector()
	for _, o := range all {
		owner, owned := o.Controller()
		if owned && owner.UID == v.w.Rollout.Object.UID() || !owned && wanted.Matches(labels.Set(o.Labels())) {
			v.w.ReplicaSets = append(v.w.ReplicaSets, o)
		} else {
			v.w.Occupied = append(v.w.Occupied, o.Name())
		}
	}
	return nil
}

// selector is the rollout's, or its workload's; nothing where there is none.
func (v *view) selector() labels.Selector {
	s := v.w.Rollout.Spec.Selector
	if s == nil && v.w.Workload != nil {
		var from metav1.LabelSelector
		if v.w.Workload.Sub("spec", "selector").Into(&from) == nil {
			s = &from
		}
	}
	if s == nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		return labels.Nothing()
	}
	out, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return labels.Nothing() // the rollout is told invalid
	}
	return out
}

func (v *view) pods(ctx context.Context) error {
	if !v.w.Rollout.NeedsPods() {
		return nil
	}
	var hashes []string
	mine := map[string]bool{}
	for _, o := range v.w.ReplicaSets {
		mine[o.UID()] = true
		if hash := o.Labels()[rollout.HashLabel]; hash != "" {
			hashes = append(hashes, hash)
		}
	}
	if len(hashes) == 0 {
		return nil
	}
	all, err := v.m.Cluster.List(ctx, pods, v.namespace(), rollout.HashLabel+" in ("+strings.Join(hashes, ",")+")")
	if err != nil {
		return err
	}
	v.w.Pods = slices.DeleteFunc(all, func(o manifest.Object) bool {
		owner, ok := o.Controller()
		return !ok || !mine[owner.UID]
	})
	return nil
}

func (v *view) services(ctx context.Context) error {
	v.w.Services = map[string]manifest.Object{}
	for _, name := range v.w.Rollout.Spec.Services() {
		v.names("Service", name)
		o, err := v.m.Cluster.Get(ctx, services, v.namespace(), name)
		if manifest.NotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		v.w.Services[name] = o
	}
	return nil
}

func (v *view) runs(ctx context.Context) error {
	all, err := v.m.Cluster.owned(ctx, Runs, v.namespace(), v.w.Rollout.Object.UID())
	if err != nil {
		return err
	}
	for _, o := range all {
		run, err := analysis.Decode(o)
		if err != nil {
			v.m.Log.Warn("an analysis run cannot be read", "namespace", o.Namespace(), "name", o.Name(), "error", err)
			continue
		}
		v.w.Runs = append(v.w.Runs, run)
	}
	return nil
}

func (v *view) experiments(ctx context.Context) error {
	var err error
	v.w.Experiments, err = v.m.Cluster.owned(ctx, Experiments, v.namespace(), v.w.Rollout.Object.UID())
	return err
}

// templates reads the templates that the spec names and those that they name in turn.
func (v *view) templates(ctx context.Context) error {
	var err error
	v.w.Templates, err = v.m.templates(ctx, v.namespace(), v.w.Rollout.Spec.Templates(), func(r ref) { v.refs = append(v.refs, r) })
	return err
}

func (m *Manager) templates(ctx context.Context, namespace string, named []analysis.TemplateRef, note func(ref)) (map[analysis.TemplateRef]analysis.Spec, error) {
	out := map[analysis.TemplateRef]analysis.Spec{}
	asked := map[analysis.TemplateRef]bool{}
	for len(named) > 0 {
		next := named[0]
		named = named[1:]
		if asked[next] {
			continue
		}
		asked[next] = true
		kind, in := Templates, namespace
		if next.ClusterScope {
			kind, in = ClusterTemplates, ""
		}
		note(ref{kind.Kind, place{in, next.TemplateName}})
		o, err := m.Cluster.Get(ctx, kind, in, next.TemplateName)
		if manifest.NotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		spec, err := analysis.DecodeTemplate(o)
		if err != nil {
			return nil, err
		}
		out[next] = spec
		named = append(named, spec.Templates...)
	}
	return out, nil
}

// traffic reads what the router knows.
func (v *view) traffic(ctx context.Context) error {
	r := v.w.Rollout
	c := r.Spec.Strategy.Canary
	if v.m.Router == nil || c == nil || c.TrafficRouting == nil {
		return nil
	}
	var err error
	if v.w.Missing, v.w.Refused, err = v.m.Router.Check(ctx, r); err != nil {
		return err
	}
	v.routed(ctx, *c.TrafficRouting)
	if weights := r.Status.Canary.Weights; weights != nil {
		v.w.Verified, err = v.m.Router.Verified(ctx, r, rollout.Traffic{Weights: *weights})
	}
	return err
}

// routed notes the objects that requests come in by, and watches their kinds: somebody may set their weights back.
func (v *view) routed(ctx context.Context, t rollout.TrafficRouting) {
	if t.Nginx != nil {
		v.watch(ctx, manifest.Kind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"})
		for _, name := range append([]string{t.Nginx.StableIngress}, t.Nginx.StableIngresses...) {
			v.names("Ingress", name)
			v.names("Ingress", v.w.Rollout.Object.Name()+"-"+name+"-canary")
		}
	}
	if t.Istio != nil {
		v.watch(ctx, manifest.Kind{Group: "networking.istio.io", Version: "v1alpha3", Kind: "VirtualService"})
		all := t.Istio.VirtualServices
		if t.Istio.VirtualService != nil {
			all = append([]rollout.VirtualService{*t.Istio.VirtualService}, all...)
		}
		for _, s := range all {
			name, in, ok := strings.Cut(s.Name, ".")
			if !ok {
				in = v.namespace()
			}
			v.refs = append(v.refs, ref{"VirtualService", place{in, name}})
		}
		if rule := t.Istio.DestinationRule; rule != nil {
			v.watch(ctx, manifest.Kind{Group: "networking.istio.io", Version: "v1alpha3", Kind: "DestinationRule"})
			v.names("DestinationRule", rule.Name)
		}
	}
	for _, config := range t.Plugins {
		v.watch(ctx, manifest.Kind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"})
		in := config.Text("namespace")
		if in == "" {
			in = v.namespace()
		}
		list := []any{map[string]any{"name": config.Text("httpRoute")}}
		for _, e := range append(list, config.List("httpRoutes")...) {
			if m, ok := e.(map[string]any); ok {
				v.refs = append(v.refs, ref{"HTTPRoute", place{in, manifest.Object(m).Text("name")}})
			}
		}
	}
}

func (v *view) watch(ctx context.Context, kind manifest.Kind) { v.m.watchNamed(ctx, kind) }
