package traffic

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
	"github.com/sluice-delivery/sluice/internal/flow/workload"
)

// The annotations on Services of the local target.
const (
	// trafficOf names the Rollout whose traffic a Service carries.
	trafficOf = "sluice.dev/traffic-of"
	// StickyAnnotation keeps clients with the revision that served them first: the cookie's name, and after a colon how many
	// seconds it lasts ("rollout:3600").
	StickyAnnotation = "sluice.dev/sticky"
)

// Local moves the traffic of rollouts on the local target, whatever provider their trafficRouting names: the built-in proxy
// stands in for it. The stable Service is where clients come in; how its requests are shared out stands in its annotation.
type Local struct{ Cluster Cluster }

// Route writes the annotation of the stable Service.
func (l Local) Route(ctx context.Context, r rollout.Rollout, t rollout.Traffic) error {
	stable, canary := r.ServicePair()
	if stable == "" {
		return nil
	}
	s, err := l.Cluster.Get(ctx, serviceKind, r.Object.Namespace(), stable)
	if err != nil {
		return fmt.Errorf("route traffic: Service %s: %w", stable, err)
	}
	shared := shares(t, stable, canary)
	if shared.Sticky, err = sticky(s.Annotation(StickyAnnotation)); err != nil {
		return fmt.Errorf("route traffic: Service %s: %w", stable, err)
	}
	text, err := json.Marshal(shared)
	if err != nil {
		return err
	}
	if s.Annotation(workload.TrafficAnnotation) == string(text) && s.Annotation(trafficOf) == r.Object.Name() {
		return l.release(ctx, r, stable)
	}
	after := s.Copy()
	after.SetAnnotation(workload.TrafficAnnotation, string(text))
	after.SetAnnotation(trafficOf, r.Object.Name())
	if _, err := l.Cluster.Update(ctx, after, "", manifest.Writing{}); err != nil {
		return fmt.Errorf("route traffic: Service %s: %w", stable, err)
	}
	return l.release(ctx, r, stable)
}

// Verified is true: the proxy takes up an annotation before the next request.
func (l Local) Verified(context.Context, rollout.Rollout, rollout.Traffic) (*bool, error) {
	yes := true
	return &yes, nil
}

// Check misses nothing and refuses nothing: the objects of the provider are not needed here.
func (l Local) Check(context.Context, rollout.Rollout) ([]string, fault.Faults, error) {
	return nil, nil, nil
}

// Release takes the annotation from Services that the Rollout's traffic does not come in by any more.
func (l Local) Release(ctx context.Context, r rollout.Rollout) error {
	stable := ""
	if r.Spec.Strategy.Canary != nil && r.Spec.Strategy.Canary.TrafficRouting != nil {
		stable, _ = r.ServicePair()
	}
	return l.release(ctx, r, stable)
}

func (l Local) release(ctx context.Context, r rollout.Rollout, keep string) error {
	all, err := l.Cluster.List(ctx, serviceKind, r.Object.Namespace(), "")
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Annotation(trafficOf) != r.Object.Name() || s.Name() == keep {
			continue
		}
		after := s.Copy()
		after.Drop("metadata", "annotations", trafficOf)
		after.Drop("metadata", "annotations", workload.TrafficAnnotation)
		if _, err := l.Cluster.Update(ctx, after, "", manifest.Writing{}); err != nil && !manifest.NotFound(err) {
			return fmt.Errorf("release Service %s: %w", s.Name(), err)
		}
	}
	return nil
}

var serviceKind = manifest.Kind{Version: "v1", Kind: "Service"}

// shares says a rollout's traffic in the words of the proxy.
func shares(t rollout.Traffic, stable, canary string) workload.Traffic {
	out := workload.Traffic{Shares: []workload.Share{
		{Name: "stable", Service: stable, Hash: t.StableHash, Weight: int(t.Weights.Stable.Weight)},
		{Name: "canary", Service: canary, Hash: t.CanaryHash, Weight: int(t.Weights.Canary.Weight)},
	}}
	for i, a := range t.Weights.Additional {
		out.Shares = append(out.Shares, workload.Share{Name: "experiment-" + strconv.Itoa(i), Service: a.ServiceName, Hash: a.PodTemplateHash, Weight: int(a.Weight)})
	}
	order := func(a, b string) int { return slices.Index(t.Managed, a) - slices.Index(t.Managed, b) }
	for _, h := range t.Headers {
		if len(h.Match) == 0 {
			continue
		}
		m := workload.Match{Headers: map[string]workload.Text{}}
		for _, x := range h.Match {
			if x.HeaderValue != nil {
				m.Headers[x.HeaderName] = workload.Text(*x.HeaderValue)
			}
		}
		out.Routes = append(out.Routes, workload.Route{Name: h.Name, Match: m, Share: "canary"})
	}
	slices.SortStableFunc(out.Routes, func(a, b workload.Route) int { return order(a.Name, b.Name) })
	for _, m := range t.Mirrors {
		percent := 100
		if m.Percentage != nil {
			percent = int(*m.Percentage)
		}
		for _, x := range m.Match {
			to := workload.Match{Method: text(x.Method), Path: text(x.Path), Headers: map[string]workload.Text{}}
			for name, v := range x.Headers {
				to.Headers[name] = workload.Text(v)
			}
			out.Mirrors = append(out.Mirrors, workload.Mirror{Name: m.Name, Match: to, Share: "canary", Percent: percent})
		}
	}
	return out
}

func text(m *rollout.StringMatch) *workload.Text {
	if m == nil {
		return nil
	}
	t := workload.Text(*m)
	return &t
}

func sticky(text string) (*workload.Sticky, error) {
	if text == "" {
		return nil, nil
	}
	cookie, age, timed := strings.Cut(text, ":")
	s := &workload.Sticky{Cookie: cookie}
	if timed {
		n, err := strconv.Atoi(age)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("the annotation %s is COOKIE or COOKIE:SECONDS, not %q", StickyAnnotation, text)
		}
		s.MaxAge = n
	}
	return s, nil
}
