package rollout

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
)

// validate is the first thing that is wrong with a rollout or with what it names; "" for nothing. r has the template that
// its workloadRef gives.
func validate(w World, r Rollout) string {
	if errs := Validate(r); len(errs) > 0 {
		return errs[0].Error()
	}
	if refused := append(slices.Clone(w.Refused), Unsupported(r)...); len(refused) > 0 {
		return refused[0].Message
	}
	for _, check := range []func(World, Rollout) *field.Error{servicesWrong, templatesWrong, routersWrong} {
		if err := check(w, r); err != nil {
			return err.Error()
		}
	}
	return ""
}

// at makes the path of a dotted name.
func at(path string) *field.Path {
	parts := strings.Split(path, ".")
	return field.NewPath(parts[0], parts[1:]...)
}

func servicesWrong(w World, r Rollout) *field.Error {
	t, err := podTemplate(r.Spec.Template)
	if err != nil {
		return field.InternalError(at("spec.template"), err)
	}
	for _, ref := range r.Spec.serviceRefs() {
		svc, ok := w.Services[ref.name]
		if !ok {
			return field.Invalid(at(ref.field), ref.name, fmt.Sprintf("service %q not found", ref.name))
		}
		selector := svc.Sub("spec", "selector")
		for _, k := range slices.Sorted(maps.Keys(selector)) {
			if have, ok := t.Labels[k]; k != HashLabel && (!ok || have != selector.Text(k)) {
				return field.Invalid(at(ref.field), ref.name, fmt.Sprintf("Service %q has unmatch label %q in rollout", ref.name, k))
			}
		}
		if m := svc.Annotation(ManagedAnnotation); m != "" && m != r.Object.Name() {
			return field.Invalid(at(ref.field), ref.name, fmt.Sprintf("Service %q is managed by another Rollout", ref.name))
		}
	}
	return nil
}

// analysisRef is an analysis of the spec and the field that it stands in.
type analysisRef struct {
	analysis   Analysis
	path       *field.Path
	background bool
}

func (s Spec) analyses() []analysisRef {
	var out []analysisRef
	strategy := at("spec.strategy")
	if b := s.Strategy.BlueGreen; b != nil {
		if a := b.PrePromotionAnalysis; a != nil {
			out = append(out, analysisRef{*a, strategy.Child("blueGreen", "prePromotionAnalysis", "templates"), false})
		}
		if a := b.PostPromotionAnalysis; a != nil {
			out = append(out, analysisRef{*a, strategy.Child("blueGreen", "postPromotionAnalysis", "templates"), false})
		}
		return out
	}
	for i, step := range s.steps() {
		if step.Analysis != nil {
			out = append(out, analysisRef{*step.Analysis, strategy.Child("canary", "steps").Index(i).Child("analysis", "templates"), false})
		}
	}
	if c := s.Strategy.Canary; c != nil && c.Analysis != nil {
		out = append(out, analysisRef{c.Analysis.Analysis, strategy.Child("canary", "analysis", "templates"), true})
	}
	return out
}

func templatesWrong(w World, r Rollout) *field.Error {
	for _, ref := range r.Spec.analyses() {
		if err := templateWrong(w, r, ref); err != nil {
			return err
		}
	}
	return nil
}

func templateWrong(w World, r Rollout, ref analysisRef) *field.Error {
	refs, err := analysis.Collect(ref.analysis.Templates, w.Templates)
	if err != nil {
		var gone analysis.Missing
		errors.As(err, &gone)
		return field.Invalid(ref.path, gone.Ref.TemplateName, err.Error())
	}
	var (
		specs []analysis.Spec
		names []string
	)
	for _, t := range refs {
		specs = append(specs, w.Templates[t])
		names = append(names, t.TemplateName)
	}
	value := fmt.Sprintf("templateNames: %s", names)
	args, err := r.arguments(ref.analysis.Args, "dummy-stable-hash", "dummy-new-hash")
	if err != nil {
		// A field may be there later, for example of the status; a run is made once it is.
		args = placeholders(ref.analysis.Args)
	}
	if _, err := analysis.Resolve(specs, args, ref.analysis.DryRun, ref.analysis.MeasurementRetention); err != nil {
		return field.Invalid(ref.path, value, err.Error())
	}
	if ref.background {
		return nil
	}
	for i, spec := range specs {
		if msg := endless(spec, names[i]); msg != "" {
			return field.Invalid(ref.path, names[i], msg)
		}
	}
	return nil
}

const dummy = "dummy-value"

func placeholders(args []analysis.Argument) []analysis.Argument {
	var out []analysis.Argument
	for _, a := range args {
		value := dummy
		out = append(out, analysis.Argument{Name: a.Name, Value: &value})
	}
	return out
}

// endless is why a template cannot be waited for: a metric of it never ends, or its arguments cannot be put in.
func endless(spec analysis.Spec, name string) string {
	var args []analysis.Argument
	for _, a := range spec.Args {
		if a.Value != nil && a.ValueFrom != nil {
			return fmt.Sprintf("AnalysisTemplate %s: arg '%s' has both Value and ValueFrom fields", name, a.Name)
		}
		if a.Value == nil {
			value := dummy
			a.Value = &value
		}
		args = append(args, a)
	}
	for _, m := range spec.Metrics {
		whole, err := analysis.Substitute(m, args)
		if err != nil {
			return fmt.Sprintf("AnalysisTemplate %s: %v", name, err)
		}
		if _, ends := whole.EffectiveCount(); !ends {
			return fmt.Sprintf("AnalysisTemplate %s has metric %s which runs indefinitely. Invalid value for count: %s", name, whole.Name, whole.Count)
		}
	}
	return ""
}

func routersWrong(w World, r Rollout) *field.Error {
	if !r.Spec.routed() {
		return nil
	}
	path := at("spec.strategy.canary.trafficRouting")
	t := r.Spec.Strategy.Canary.TrafficRouting
	if n := t.Nginx; n != nil {
		single, several := n.StableIngress != "", len(n.StableIngresses) > 0
		switch {
		case single && several:
			return field.InternalError(path.Child("nginx"), words("Either StableIngress or StableIngresses must be configured. Both are configured."))
		case !single && !several:
			return field.InternalError(path.Child("nginx"), words("Either StableIngress or StableIngresses must be configured. Neither are configured."))
		}
	}
	if i := t.Istio; i != nil && (i.VirtualService != nil) == (len(i.VirtualServices) > 0) {
		return field.InternalError(path.Child("istio"), errors.New("either VirtualService or VirtualServices must be configured"))
	}
	if len(w.Missing) > 0 {
		return field.Invalid(path, w.Missing[0], w.Missing[0]+" not found")
	}
	return nil
}
