package rollout

import (
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Services are the names of the Services that the spec names, each once.
func (s Spec) Services() []string {
	var out []string
	for _, ref := range s.serviceRefs() {
		if !slices.Contains(out, ref.name) {
			out = append(out, ref.name)
		}
	}
	return out
}

// serviceRef is a Service that the spec names and the field that names it.
type serviceRef struct{ name, field string }

func (s Spec) serviceRefs() []serviceRef {
	var out []serviceRef
	add := func(name, field string) {
		if name != "" {
			out = append(out, serviceRef{name, "spec.strategy." + field})
		}
	}
	if b := s.Strategy.BlueGreen; b != nil {
		add(b.ActiveService, "blueGreen.activeService")
		add(b.PreviewService, "blueGreen.previewService")
	} else if c := s.Strategy.Canary; c != nil {
		add(c.StableService, "canary.stableService")
		add(c.CanaryService, "canary.canaryService")
		if c.PingPong != nil {
			add(c.PingPong.PingService, "canary.pingPong.pingService")
			add(c.PingPong.PongService, "canary.pingPong.pongService")
		}
	}
	return out
}

// Templates are the analysis templates that the spec names itself, each once. Those that they name in turn are read as
// long as a read one names an unread one (analysis.Spec.Templates).
func (s Spec) Templates() []analysis.TemplateRef {
	var out []analysis.TemplateRef
	add := func(refs ...analysis.TemplateRef) {
		for _, ref := range refs {
			if !slices.Contains(out, ref) {
				out = append(out, ref)
			}
		}
	}
	if b := s.Strategy.BlueGreen; b != nil {
		for _, a := range []*Analysis{b.PrePromotionAnalysis, b.PostPromotionAnalysis} {
			if a != nil {
				add(a.Templates...)
			}
		}
	}
	if c := s.Strategy.Canary; c != nil && c.Analysis != nil {
		add(c.Analysis.Templates...)
	}
	for _, step := range s.steps() {
		if step.Analysis != nil {
			add(step.Analysis.Templates...)
		}
		if step.Experiment != nil {
			for _, a := range step.Experiment.Analyses {
				add(analysis.TemplateRef{TemplateName: a.TemplateName, ClusterScope: a.ClusterScope})
			}
		}
	}
	return out
}

// NeedsPods reports whether World.Pods is to be read: where a restart is on, or where the strategy gives metadata to the
// pods of one version.
func (r Rollout) NeedsPods() bool {
	if r.Spec.RestartAt != nil && !r.Spec.RestartAt.Equal(r.Status.RestartedAt) {
		return true
	}
	fresh, stable := r.Spec.metadata()
	return fresh != nil || stable != nil
}

// metadata is what the pods of the new and of the stable version are given.
func (s Spec) metadata() (fresh, stable *analysis.Meta) {
	switch {
	case s.Strategy.Canary != nil:
		return s.Strategy.Canary.CanaryMetadata, s.Strategy.Canary.StableMetadata
	case s.Strategy.BlueGreen != nil:
		return s.Strategy.BlueGreen.PreviewMetadata, s.Strategy.BlueGreen.ActiveMetadata
	}
	return nil, nil
}

// workloads are the kinds that workloadRef may name, and where each has its pod template and its selector.
var workloads = map[manifest.Kind]struct{ template, selector []string }{
	{Group: "apps", Kind: "Deployment"}: {[]string{"spec", "template"}, []string{"spec", "selector"}},
	{Group: "apps", Kind: "ReplicaSet"}: {[]string{"spec", "template"}, []string{"spec", "selector"}},
	{Kind: "PodTemplate"}:               {[]string{"template"}, nil},
}

// ServicePair are the Services of the stable and of the canary version; with pingPong those that take the part now.
func (r Rollout) ServicePair() (stable, canary string) {
	c := r.Spec.Strategy.Canary
	switch {
	case c == nil:
		return "", ""
	case c.PingPong == nil:
		return c.StableService, c.CanaryService
	case r.Status.Canary.StablePingPong == ping:
		return c.PingPong.PingService, c.PingPong.PongService
	}
	return c.PingPong.PongService, c.PingPong.PingService
}
