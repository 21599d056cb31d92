package rollout

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
)

const oneStep = "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause"

// step looks at one step of a canary; path is the step's and strategy that of the whole.
func (v *validation) step(r Rollout, s Step, path, strategy *field.Path) {
	kinds := 0
	for _, set := range []bool{s.SetWeight != nil, s.Pause != nil, s.Experiment != nil, s.Analysis != nil} {
		if set {
			kinds++
		}
	}
	if kinds > 1 {
		v.invalid(path, fmt.Sprintf("step.Experiment: %t step.Pause: %t step.SetWeight: %t step.Analysis: %t",
			s.Experiment != nil, s.Pause != nil, s.SetWeight != nil, s.Analysis != nil), oneStep)
	}
	if kinds == 0 && s.SetCanaryScale == nil && s.SetHeaderRoute == nil && s.SetMirrorRoute == nil && s.Plugin == nil {
		v.invalid(path, "step.Experiment: true step.Pause: true step.SetWeight: true step.Analysis: true step.SetCanaryScale: true "+
			"step.SetHeaderRoute: true step.SetMirrorRoute: true step.Plugin: true", oneStep)
	}
	most := r.Spec.maxWeight()
	if w := s.SetWeight; w != nil && (*w < 0 || *w > most) {
		v.invalid(path.Child("setWeight"), *w, "SetWeight needs to be between 0 and %d", most)
	}
	if s.Pause != nil && s.Pause.seconds() < 0 {
		v.invalid(path.Child("pause").Child("duration"), s.Pause.seconds(), "Duration needs to be greater than 0")
	}
	if s.SetCanaryScale != nil && !r.Spec.routed() {
		v.add(field.Required(strategy.Child("trafficRouting"), "SetCanaryScale requires TrafficRouting to be set"))
	}
	v.headerRoute(r.Spec, s.SetHeaderRoute, path.Child("setHeaderRoute"))
	v.mirrorRoute(r.Spec, s.SetMirrorRoute, path.Child("setMirrorRoute"))
	v.managed(r.Spec, s, path, strategy)
	v.experiment(r.Spec, s.Experiment, path.Child("experiment"))
	v.arguments(r, s, path.Child("analyses"))
}

func (v *validation) headerRoute(s Spec, h *HeaderRoute, path *field.Path) {
	if h == nil {
		return
	}
	t := s.Strategy.Canary.TrafficRouting
	if t == nil || t.Istio == nil && t.ALB == nil && t.Apisix == nil && len(t.Plugins) == 0 {
		v.invalid(path, h, "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix")
		return
	}
	for i, m := range h.Match {
		v.match(m.HeaderValue, path.Child("match").Index(i))
	}
}

func (v *validation) mirrorRoute(s Spec, m *MirrorRoute, path *field.Path) {
	if m == nil {
		return
	}
	// Argo Rollouts mirrors with Istio only; the Gateway API mirrors too, and Sluice's driver for it does.
	if t := s.Strategy.Canary.TrafficRouting; t == nil || t.Istio == nil && len(t.Plugins) == 0 {
		v.invalid(path, m, "SetMirrorRoute requires TrafficRouting, supports Istio only")
	}
	for i, match := range m.Match {
		at := path.Child("match").Index(i)
		for _, one := range []*StringMatch{match.Method, match.Path} {
			if one != nil {
				v.match(one, at)
			}
		}
	}
}

func (v *validation) match(m *StringMatch, path *field.Path) {
	given := 0
	if m != nil {
		for _, s := range []string{m.Exact, m.Regex, m.Prefix} {
			if s != "" {
				given++
			}
		}
	}
	switch {
	case given == 0:
		v.invalid(path, m, "StringMatch value missed, match value must have one of the following: exact, regex, prefix")
	case given > 1:
		v.invalid(path, m, "StringMatch match value must have exactly one of the following: exact, regex, prefix")
	}
}

// managed requires the routes that steps set to be declared.
func (v *validation) managed(s Spec, step Step, path, strategy *field.Path) {
	t := s.Strategy.Canary.TrafficRouting
	if t == nil || step.SetHeaderRoute == nil && step.SetMirrorRoute == nil {
		return
	}
	if t.ManagedRoutes == nil {
		v.add(field.Required(strategy.Child("trafficRouting", "managedRoutes"), missing("spec.strategy.canary.trafficRouting.managedRoutes")))
		return
	}
	declared := func(name string, at *field.Path) {
		if !slices.Contains(t.ManagedRoutes, ManagedRoute{name}) {
			v.invalid(at, name, "Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes")
		}
	}
	if step.SetHeaderRoute != nil {
		declared(step.SetHeaderRoute.Name, path.Child("setHeaderRoute"))
	}
	if step.SetMirrorRoute != nil {
		declared(step.SetMirrorRoute.Name, path.Child("setMirrorRoute"))
	}
}

func (v *validation) experiment(s Spec, e *ExperimentStep, path *field.Path) {
	if e == nil {
		return
	}
	t := s.Strategy.Canary.TrafficRouting
	for i, template := range e.Templates {
		at := path.Child("templates").Index(i)
		if w := template.Weight; w != nil {
			switch {
			case t == nil:
				v.invalid(at.Child("weight"), *w, "Experiment template weight cannot be set unless TrafficRouting is enabled")
			case t.ALB == nil && t.SMI == nil && t.Istio == nil && len(t.Plugins) == 0:
				v.invalid(at.Child("weight"), *w, "Experiment template weight is only available for TrafficRouting with SMI, ALB, Istio and Plugins at this time")
			}
		}
		if template.SpecRef != "canary" && template.SpecRef != "stable" {
			v.invalid(at.Child("specRef"), template.SpecRef, "Invalid template step SpecRef: must be canary or stable")
		}
	}
}

// arguments refuses fields of the metadata that no downward API gives.
func (v *validation) arguments(r Rollout, s Step, path *field.Path) {
	var args []analysis.Argument
	if s.Experiment != nil {
		for _, a := range s.Experiment.Analyses {
			args = append(args, a.Args...)
		}
	}
	if s.Analysis != nil {
		args = append(args, s.Analysis.Args...)
	}
	for _, arg := range args {
		if arg.ValueFrom == nil || arg.ValueFrom.FieldRef == nil || !strings.HasPrefix(arg.ValueFrom.FieldRef.FieldPath, "metadata") {
			continue
		}
		if _, err := r.field(arg.ValueFrom.FieldRef.FieldPath); err != nil {
			v.invalid(path, arg.ValueFrom.FieldRef.FieldPath, "Analyses arguments must refer to valid object metadata supported by downwardAPI")
		}
	}
}
