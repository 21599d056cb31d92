package experiment

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// Next decides what an experiment does now.
func Next(w World) Decision {
	if w.Object.Deleting() {
		return Decision{Status: w.Status}
	}
	p := &pass{w: w, status: w.Status}
	p.status.TemplateStatuses = slices.Clone(w.Status.TemplateStatuses)
	p.status.AnalysisRuns = slices.Clone(w.Status.AnalysisRuns)
	p.status.Conditions = slices.Clone(w.Status.Conditions)
	if problem := invalid(w.Object.Name(), w.Spec); problem != "" {
		p.drop("InvalidSpec", problem)
		p.set("InvalidSpec", "True", "InvalidSpec", problem)
		return Decision{Status: p.status}
	}
	p.drop("InvalidSpec", "")
	p.ending = p.ends(w.Status)
	for _, t := range w.Spec.Templates {
		p.template(t)
	}
	for _, a := range w.Spec.Analyses {
		p.analysis(a)
	}
	p.conclude()
	p.conditions()
	if was, is := w.Status.Phase, p.status.Phase; was != is {
		p.tell("Experiment"+string(is), bad(is), false, "Experiment transitioned from %s -> %s", was, is)
	}
	p.timers()
	return Decision{Actions: p.actions, Status: p.status, After: p.after}
}

// pass is one decision in the making.
type pass struct {
	w       World
	status  Status
	ending  bool // everything is to be scaled down
	actions []Action
	after   time.Duration
}

func (p *pass) do(a ...Action) { p.actions = append(p.actions, a...) }

func (p *pass) tell(reason string, warning, above bool, format string, args ...any) {
	p.do(Event{Reason: reason, Message: fmt.Sprintf(format, args...), Warning: warning, Above: above})
}

func (p *pass) in(d time.Duration) {
	d = max(d, 0) + time.Millisecond // what waits for a moment is due after it
	if p.after == 0 || d < p.after {
		p.after = d
	}
}

func bad(phase analysis.Phase) bool {
	return phase == analysis.Failed || phase == analysis.Error || phase == analysis.Inconclusive
}

// ends reports whether an experiment in a status is to be scaled down: it is over, asked to end, or something failed.
func (p *pass) ends(s Status) bool {
	return p.w.Spec.Terminate || s.Phase.Completed() ||
		slices.ContainsFunc(s.TemplateStatuses, func(t TemplateStatus) bool { return t.Status == Failed || t.Status == Error }) ||
		slices.ContainsFunc(s.AnalysisRuns, func(r RunStatus) bool { return bad(r.Phase) }) ||
		p.proved(s)
}

// proved reports whether all analyses that the experiment waits for were successful, at least one.
func (p *pass) proved(s Status) bool {
	for _, a := range p.w.Spec.Analyses {
		if !a.RequiredForCompletion {
			continue
		}
		if r := find(s.AnalysisRuns, a.Name); r == nil || r.Phase != analysis.Successful {
			return false
		}
	}
	return p.w.Spec.required()
}

func find(runs []RunStatus, name string) *RunStatus {
	for i := range runs {
		if runs[i].Name == name {
			return &runs[i]
		}
	}
	return nil
}

// passed reports whether the experiment has run for its duration.
func (p *pass) passed() bool {
	at, ok := p.over()
	return ok && p.w.Now.After(at)
}

func (p *pass) over() (time.Time, bool) {
	d, err := time.ParseDuration(p.w.Spec.Duration)
	if p.w.Spec.Duration == "" || err != nil || p.status.AvailableAt == nil {
		return time.Time{}, false
	}
	return p.status.AvailableAt.Add(d), true
}

// analysis begins an analysis once all templates are available, and takes over how it stands.
func (p *pass) analysis(a rollout.ExperimentStepAnalysis) {
	was := RunStatus{Name: a.Name}
	if r := find(p.w.Status.AnalysisRuns, a.Name); r != nil {
		was = *r
	}
	is := was
	p.follow(a, &is)
	if is.Phase != "" && is.Phase != was.Phase {
		message := fmt.Sprintf("AnalysisRun '%s' transitioned from %s -> %s", a.Name, was.Phase, is.Phase)
		if is.Message != "" {
			message += ": " + is.Message
		}
		p.tell("AnalysisRun"+string(is.Phase), bad(is.Phase), true, "%s", message)
	}
	if r := find(p.status.AnalysisRuns, a.Name); r != nil {
		*r = is
	} else {
		p.status.AnalysisRuns = append(p.status.AnalysisRuns, is)
	}
}

func (p *pass) follow(a rollout.ExperimentStepAnalysis, is *RunStatus) {
	fail := func(format string, args ...any) { is.Phase, is.Message = analysis.Error, fmt.Sprintf(format, args...) }
	if p.w.Status.AvailableAt == nil {
		if problem := p.lacking(a); problem != "" && !is.Phase.Completed() {
			kind := "AnalysisTemplate"
			if a.ClusterScope {
				kind = "ClusterAnalysisTemplate"
			}
			fail("%s verification failed for analysis '%s': %s", kind, a.Name, problem)
		}
		return
	}
	if is.AnalysisRun == "" {
		if p.ending || is.Phase.Completed() {
			return
		}
		run, err := p.run(a)
		if err == nil && p.w.Refused["analysis/"+a.Name] != "" {
			err = fmt.Errorf("%s", p.w.Refused["analysis/"+a.Name])
		}
		if err != nil {
			fail("Failed to create AnalysisRun for analysis '%s': %v", a.Name, err)
			return
		}
		p.do(Create{Object: run, For: "analysis/" + a.Name})
		is.Phase, is.AnalysisRun = analysis.Pending, run.Name()
		return
	}
	if is.Phase.Completed() {
		return
	}
	at := slices.IndexFunc(p.w.Runs, func(r analysis.Run) bool { return r.Name == is.AnalysisRun })
	if at < 0 {
		fail("analysisrun.argoproj.io %q not found", is.AnalysisRun)
		return
	}
	run := p.w.Runs[at]
	if !p.ending {
		if run.Status.Phase != "" {
			is.Phase, is.Message = run.Status.Phase, run.Status.Message
		}
		return
	}
	if !run.Status.Phase.Completed() && !run.Spec.Terminate {
		p.tell("AnalysisRunTerminating", false, false, "Terminating %s (%s)", a.Name, run.Name)
		p.do(TerminateRun{Name: run.Name})
	}
}

// lacking names the first template of an analysis that is not there.
func (p *pass) lacking(a rollout.ExperimentStepAnalysis) string {
	_, err := analysis.Collect([]analysis.TemplateRef{{TemplateName: a.TemplateName, ClusterScope: a.ClusterScope}}, p.w.Templates)
	if err != nil {
		return err.Error()
	}
	return ""
}

// run is the AnalysisRun of an analysis, under a name that none of the experiment's runs has.
func (p *pass) run(a rollout.ExperimentStepAnalysis) (manifest.Object, error) {
	refs, err := analysis.Collect([]analysis.TemplateRef{{TemplateName: a.TemplateName, ClusterScope: a.ClusterScope}}, p.w.Templates)
	if err != nil {
		return nil, err
	}
	specs := make([]analysis.Spec, len(refs))
	for i, ref := range refs {
		specs[i] = p.w.Templates[ref]
	}
	args, err := p.args(a.Args)
	if err != nil {
		return nil, err
	}
	spec, err := analysis.Resolve(specs, args, p.w.Spec.DryRun, p.w.Spec.MeasurementRetention)
	if err != nil {
		return nil, err
	}
	name := p.w.Object.Name() + "-" + a.Name
	for n := 1; slices.ContainsFunc(p.w.Runs, func(r analysis.Run) bool { return r.Name == name }); n++ {
		name = fmt.Sprintf("%s-%s.%d", p.w.Object.Name(), a.Name, n)
	}
	labels := map[string]string{}
	if id := p.w.Object.Labels()[rollout.InstanceLabel]; id != "" {
		labels[rollout.InstanceLabel] = id
	}
	maps.Copy(labels, p.w.Spec.AnalysisRunMetadata.Labels)
	return manifest.From(map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun",
		"metadata": map[string]any{
			"name": name, "namespace": p.w.Object.Namespace(), "labels": labels,
			"annotations": p.w.Spec.AnalysisRunMetadata.Annotations, "ownerReferences": []any{p.owner()},
		},
		"spec": spec,
	})
}

func (p *pass) owner() map[string]any {
	return map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment", "name": p.w.Object.Name(), "uid": p.w.Object.UID(),
		"controller": true, "blockOwnerDeletion": true,
	}
}

// args puts what the experiment knows into an analysis' arguments.
func (p *pass) args(args []analysis.Argument) ([]analysis.Argument, error) {
	known := map[string]string{}
	if at := p.w.Status.AvailableAt; at != nil {
		known["experiment.availableAt"] = at.UTC().Format(time.RFC3339)
		if end, ok := p.over(); ok {
			known["experiment.finishedAt"] = end.UTC().Format(time.RFC3339)
		}
	}
	for name, o := range p.w.Sets {
		known["templates."+name+".podTemplateHash"] = o.Labels()[rollout.HashLabel]
		known["templates."+name+".replicaset.name"] = o.Name()
	}
	out := slices.Clone(args)
	for i := range out {
		if out[i].Value == nil {
			continue
		}
		value, err := analysis.Fill(*out[i].Value, known)
		if err != nil {
			return nil, err
		}
		out[i].Value = &value
	}
	return out, nil
}

// timers asks for another look when the duration or a template's deadline is over.
func (p *pass) timers() {
	if p.ends(p.status) {
		return
	}
	if at, ok := p.over(); ok && at.After(p.w.Now) {
		p.in(at.Sub(p.w.Now))
	}
	for _, t := range p.w.Spec.Templates {
		s := p.state(t.Name)
		if (s.Status == Progressing || s.Status == Running) && s.LastTransitionTime != nil && s.AvailableReplicas != or(t.Replicas, 1) {
			p.in(s.LastTransitionTime.Add(p.w.Spec.deadline()).Sub(p.w.Now))
		}
	}
}
