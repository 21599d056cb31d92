package analysis

import (
	"fmt"
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Collect finds the templates that refs name and those that they name in turn, each once: first those of the namespace,
// then those of the cluster, as Argo Rollouts orders them (https://argo-rollouts.readthedocs.io/en/stable/features/analysis/,
// "Analysis Templates referencing other Templates"). The error names the first that known lacks. Circles end.
func Collect(refs []TemplateRef, known map[TemplateRef]Spec) ([]TemplateRef, error) {
	var local, cluster []TemplateRef
	var walk func(refs []TemplateRef) error
	seen := map[TemplateRef]bool{}
	walk = func(refs []TemplateRef) error {
		for _, ref := range refs {
			spec, ok := known[ref]
			if !ok {
				return Missing{ref}
			}
			if seen[ref] {
				continue
			}
			seen[ref] = true
			if ref.ClusterScope {
				cluster = append(cluster, ref)
			} else {
				local = append(local, ref)
			}
			if err := walk(spec.Templates); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(refs); err != nil {
		return nil, err
	}
	return append(local, cluster...), nil
}

// Missing is a template that is not there.
type Missing struct{ Ref TemplateRef }

func (m Missing) Error() string {
	if m.Ref.ClusterScope {
		return fmt.Sprintf("ClusterAnalysisTemplate '%s' not found", m.Ref.TemplateName)
	}
	return fmt.Sprintf("AnalysisTemplate '%s' not found", m.Ref.TemplateName)
}

// Resolve makes the spec of a run of templates (in the order of Collect) and the arguments, dry-run rules and retention
// rules that the caller gives. A conflict is refused in Argo Rollouts' words.
func Resolve(templates []Spec, args []Argument, dryRun []MetricMatch, retention []Retention) (Spec, error) {
	var out Spec
	for _, t := range templates {
		out.Metrics = append(out.Metrics, t.Metrics...)
		out.DryRun = append(out.DryRun, t.DryRun...)
		out.MeasurementRetention = append(out.MeasurementRetention, t.MeasurementRetention...)
	}
	if name, twice := repeated(out.Metrics, func(m Metric) string { return m.Name }); twice {
		return Spec{}, refuse(CodeTemplates, "two metrics have the same name '%s'", name)
	}
	declared, err := mergeArgs(templates)
	if err != nil {
		return Spec{}, err
	}
	if out.Args, err = fill(declared, args); err != nil {
		return Spec{}, err
	}
	out.DryRun = append(slices.Clone(dryRun), out.DryRun...)
	if name, twice := repeated(out.DryRun, func(m MetricMatch) string { return m.MetricName }); twice {
		return Spec{}, refuse(CodeTemplates, "two Dry-Run metric rules have the same name '%s'", name)
	}
	out.MeasurementRetention = append(slices.Clone(retention), out.MeasurementRetention...)
	if name, twice := repeated(out.MeasurementRetention, func(m Retention) string { return m.MetricName }); twice {
		return Spec{}, refuse(CodeTemplates, "two Measurement Retention metric rules have the same name '%s'", name)
	}
	return out, nil
}

// Worded is an error in Argo Rollouts' own words with our code: Error tells the words alone, since they go into statuses.
type Worded struct{ Fault *fault.Fault }

func (w Worded) Error() string { return w.Fault.Message }

// Unwrap gives the fault.
func (w Worded) Unwrap() error { return w.Fault }

func refuse(code, format string, args ...any) error {
	return Worded{fault.New(code, format, args...)}
}

func repeated[T any](list []T, name func(T) string) (string, bool) {
	seen := map[string]bool{}
	for _, e := range list {
		if seen[name(e)] {
			return name(e), true
		}
		seen[name(e)] = true
	}
	return "", false
}

// mergeArgs declares each argument once; a value wins over none, two values that differ are a conflict.
func mergeArgs(templates []Spec) ([]Argument, error) {
	var out []Argument
	for _, t := range templates {
		for _, arg := range t.Args {
			i := slices.IndexFunc(out, func(a Argument) bool { return a.Name == arg.Name })
			switch {
			case i < 0:
				out = append(out, arg)
			case out[i].Value != nil && arg.Value != nil && *out[i].Value != *arg.Value:
				return nil, refuse(CodeTemplates, "Argument `%s` specified multiple times with different values: '%s', '%s'",
					arg.Name, *out[i].Value, *arg.Value)
			case out[i].Value == nil:
				out[i] = arg
			}
		}
	}
	return out, nil
}

// fill gives declared arguments the caller's values; what the templates do not declare is passed over.
func fill(declared, given []Argument) ([]Argument, error) {
	out := slices.Clone(declared)
	for _, arg := range given {
		i := slices.IndexFunc(out, func(a Argument) bool { return a.Name == arg.Name })
		if i < 0 {
			continue
		}
		if arg.Value != nil {
			out[i].Value = arg.Value
		} else if arg.ValueFrom != nil {
			out[i].ValueFrom = arg.ValueFrom
		}
	}
	for _, arg := range out {
		if arg.Value == nil && arg.ValueFrom == nil {
			return nil, refuse(CodeArgument, "args.%s was not resolved", arg.Name)
		}
	}
	return out, nil
}
