package rollout

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// experiment is an Experiment of the rollout; nil is one that is not there.
type experiment struct {
	object     manifest.Object
	name, hash string
	created    time.Time
	phase      analysis.Phase
	ending     bool
}

func (e *experiment) succeeded() bool { return e != nil && e.phase == analysis.Successful }

// experiments are the one that the status names and those of before.
type experiments struct {
	current *experiment
	others  []*experiment
}

func (p *pass) sortExperiments() {
	for _, o := range p.w.Experiments {
		created, _ := time.Parse(time.RFC3339, o.Text("metadata", "creationTimestamp"))
		ending, _ := o.At("spec", "terminate")
		e := &experiment{
			object: o, name: o.Name(), hash: o.Text("metadata", "labels", HashLabel), created: created,
			phase: analysis.Phase(o.Text("status", "phase")), ending: ending == true,
		}
		if e.name == p.r.Status.Canary.CurrentExperiment {
			p.experiments.current = e
		} else {
			p.experiments.others = append(p.experiments.others, e)
		}
	}
}

// runExperiments begins the experiment of an experiment step, takes over how it ended, and ends and removes old ones.
func (p *pass) runExperiments() {
	e := &p.experiments
	if p.aborted() || p.r.Status.PromoteFull {
		p.endExperiments(append(e.others, e.current)...)
		return
	}
	if p.pausedFor(PauseInconclusive) != nil {
		p.keepExperiment()
		return
	}
	step, _ := p.r.current()
	others := e.others
	if step != nil && step.Experiment != nil {
		if resumed := e.current != nil && e.current.phase == analysis.Inconclusive && p.r.Status.ControllerPause &&
			len(p.r.Status.PauseConditions) == 0; resumed {
			e.others = append(e.others, e.current)
			others, e.current = e.others, nil // a person lets it be tried again
		}
		if e.current == nil && p.stable != nil {
			e.current = p.beginExperiment(*step.Experiment)
		}
		p.judgeExperiment()
		others = slices.DeleteFunc(slices.Clone(others), func(o *experiment) bool { return e.current != nil && o.name == e.current.name })
	} else if e.current != nil {
		others = append(others, e.current)
	}
	p.endExperiments(others...)
	slices.SortStableFunc(others, func(a, b *experiment) int { return b.created.Compare(a.created) })
	keep := p.keeper()
	for _, o := range others {
		if !keep(o.hash, o.phase) {
			p.do(DeleteExperiment{Name: o.name})
		}
	}
}

func (p *pass) keepExperiment() {
	if e := p.experiments.current; e != nil {
		p.status.Canary.CurrentExperiment = e.name
	}
}

func (p *pass) judgeExperiment() {
	e := p.experiments.current
	if e == nil {
		return
	}
	switch e.phase {
	case analysis.Inconclusive:
		p.pauses.add = append(p.pauses.add, PauseInconclusiveExperiment)
		p.keepExperiment()
	case analysis.Error, analysis.Failed:
		p.abort(e.object.Text("status", "message"))
	case analysis.Successful:
		if p.r.Spec.Paused {
			p.keepExperiment() // the step is not left yet
		}
	default:
		p.keepExperiment()
	}
}

func (p *pass) endExperiments(es ...*experiment) {
	for _, e := range es {
		if e != nil && !e.ending && !e.phase.Completed() {
			p.do(TerminateExperiment{Name: e.name})
			e.ending = true
		}
	}
}

// experimentWeights is what a running experiment's templates get of the traffic.
func (p *pass) experimentWeights() []Destination {
	e := p.experiments.current
	step := p.r.before(func(s Step) bool { return s.Experiment != nil })
	if e == nil || step == nil || e.phase != analysis.Running {
		return nil
	}
	var out []Destination
	for _, raw := range e.object.List("status", "templateStatuses") {
		m, _ := raw.(map[string]any)
		t := manifest.Object(m)
		i := slices.IndexFunc(step.Experiment.Templates, func(s ExperimentStepTemplate) bool { return s.Name == t.Text("name") })
		if i >= 0 && step.Experiment.Templates[i].Weight != nil {
			out = append(out, Destination{*step.Experiment.Templates[i].Weight, t.Text("serviceName"), t.Text("podTemplateHash")})
		}
	}
	return out
}

// beginExperiment makes the step's Experiment, or takes up the one that an earlier decision made.
func (p *pass) beginExperiment(step ExperimentStep) *experiment {
	spec, err := p.experimentSpec(step)
	if err != nil {
		p.wrong = err.Error()
		return nil
	}
	base := fmt.Sprintf("%s-%s-%s-%d", p.r.Object.Name(), p.hash, p.revision(), or(p.r.Status.CurrentStepIndex, 0))
	name := base
	for n := 1; ; n++ {
		i := slices.IndexFunc(p.experiments.others, func(e *experiment) bool { return e.name == name })
		if i < 0 {
			break
		}
		if old := p.experiments.others[i]; !old.phase.Completed() && !old.ending && sameExperiment(old.object.Sub("spec"), spec) {
			return old
		}
		name = fmt.Sprintf("%s-%d", base, n)
	}
	labels := map[string]any{HashLabel: p.hash}
	if id := p.r.Object.Text("metadata", "labels", InstanceLabel); id != "" {
		labels[InstanceLabel] = id
	}
	o := manifest.Object{
		"apiVersion": version,
		"kind":       "Experiment",
		"metadata": map[string]any{
			"name": name, "namespace": p.r.Object.Namespace(), "labels": labels,
			"annotations": map[string]any{RevisionAnnotation: p.revision()}, "ownerReferences": []any{p.r.owner()},
		},
		"spec": map[string]any(spec),
	}
	p.do(CreateExperiment{Object: o})
	p.tell("ExperimentCreated", "Created Experiment '%s'", name)
	return &experiment{object: o, name: name, hash: p.hash, created: p.now}
}

func sameExperiment(a, b manifest.Object) bool {
	a = a.Copy()
	a.Drop("terminate")
	return string(a.JSON()) == string(b.JSON())
}

func (p *pass) experimentSpec(step ExperimentStep) (manifest.Object, error) {
	spec := manifest.Object{}
	if step.Duration != "" {
		spec["duration"] = step.Duration
	}
	if n := p.r.Spec.ProgressDeadlineSeconds; n != nil {
		spec["progressDeadlineSeconds"] = int64(*n)
	}
	var templates, analyses, rehearsed []any
	for _, t := range step.Templates {
		o, err := p.experimentTemplate(t)
		if err != nil {
			return nil, err
		}
		templates = append(templates, map[string]any(o))
	}
	for _, a := range step.Analyses {
		args, err := p.r.arguments(a.Args, p.stable.hash, p.fresh.hash)
		if err != nil {
			return nil, err
		}
		a.Args = args
		o, err := manifest.From(a)
		if err != nil {
			return nil, err
		}
		analyses = append(analyses, map[string]any(o))
	}
	for _, d := range step.DryRun {
		rehearsed = append(rehearsed, map[string]any{"metricName": d.MetricName})
	}
	for field, list := range map[string][]any{"templates": templates, "analyses": analyses, "dryRun": rehearsed} {
		if len(list) > 0 {
			spec[field] = list
		}
	}
	m := step.AnalysisRunMetadata
	if len(m.Labels) > 0 {
		spec.Set(anys(m.Labels), "analysisRunMetadata", "labels")
	}
	if len(m.Annotations) > 0 {
		spec.Set(anys(m.Annotations), "analysisRunMetadata", "annotations")
	}
	return spec, nil
}

// experimentTemplate is one of the experiment's replica sets: the pod template of a version with the step's own metadata.
func (p *pass) experimentTemplate(t ExperimentStepTemplate) (manifest.Object, error) {
	from := p.fresh
	switch t.SpecRef {
	case "canary":
	case "stable":
		from = p.stable
	default:
		return nil, words("Invalid template step SpecRef: must be canary or stable")
	}
	template := from.object.Sub("spec", "template").Copy()
	selector := from.object.Sub("spec", "selector").Copy()
	if t.Selector != nil {
		s, err := manifest.From(t.Selector)
		if err != nil {
			return nil, err
		}
		selector = s
	}
	mark(template, t.Metadata)
	for _, k := range slices.Sorted(maps.Keys(t.Metadata.Labels)) {
		selector.Set(t.Metadata.Labels[k], "matchLabels", k)
	}
	o := manifest.Object{"name": t.Name, "template": map[string]any(template), "selector": map[string]any(selector)}
	if t.Replicas != nil {
		o["replicas"] = int64(*t.Replicas)
	}
	if n := from.object.Int(0, "spec", "minReadySeconds"); n != 0 {
		o["minReadySeconds"] = n
	}
	if t.Weight != nil || t.Service != nil {
		service := map[string]any{}
		if t.Service != nil && t.Service.Name != "" {
			service["name"] = t.Service.Name
		}
		o["service"] = service
	}
	return o, nil
}
