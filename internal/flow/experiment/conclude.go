package experiment

import (
	"fmt"
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// conclude says how the experiment stands by its templates and its analyses.
func (p *pass) conclude() {
	if p.status.Phase == "" {
		p.status.Phase = analysis.Pending
		return
	}
	if p.status.Phase.Completed() {
		return
	}
	templates, why := p.templates()
	analyses, because := p.analyses()
	if templates == analysis.Running && p.status.AvailableAt == nil {
		p.status.AvailableAt = stamp(p.w.Now)
	}
	switch {
	case templates == analysis.Successful && (analyses.Completed() || p.w.Spec.required()),
		!templates.Completed() && analyses.Completed() && analyses != analysis.Successful,
		!templates.Completed() && p.proved(p.status):
		p.status.Phase, p.status.Message = analyses, because
	default:
		p.status.Phase, p.status.Message = templates, why
	}
}

// templates is what the templates alone make of the experiment.
func (p *pass) templates() (analysis.Phase, string) {
	worst, message := p.worst()
	return map[string]analysis.Phase{
		Progressing: analysis.Pending, Failed: analysis.Failed, Error: analysis.Error, Successful: analysis.Successful, Running: analysis.Running,
	}[worst], message
}

// analyses is what the analyses alone make of it: the worst of them; success where all that are required were successful.
func (p *pass) analyses() (analysis.Phase, string) {
	worst, message := analysis.Successful, ""
	for _, a := range p.w.Spec.Analyses {
		r := find(p.status.AnalysisRuns, a.Name)
		if r != nil && analysis.Worse(worst, r.Phase) {
			worst, message = r.Phase, r.Message
		} else if r == nil || r.Phase == "" {
			if analysis.Worse(worst, analysis.Pending) {
				worst, message = analysis.Pending, ""
			}
		}
	}
	if p.proved(p.status) && !bad(worst) {
		return analysis.Successful, "Required AnalysisRuns completed"
	}
	if worst == analysis.Pending {
		worst = analysis.Running
	}
	return worst, message
}

// conditions tells of progress as conditions.
func (p *pass) conditions() {
	name := p.w.Object.Name()
	switch {
	case p.status.Phase == analysis.Successful:
		p.set("Progressing", "False", "ExperimentCompleted", fmt.Sprintf("Experiment %q has successfully ran and completed.", name))
	case p.progressed():
		if c := p.condition("Progressing"); c != nil && c.Reason == "ReplicaSetUpdated" && c.Status == "True" {
			at := *c
			at.LastUpdateTime = stamp(p.w.Now)
			*c = at
			return
		}
		p.set("Progressing", "True", "ReplicaSetUpdated", fmt.Sprintf("Experiment %q is progressing.", name))
	case p.status.AvailableAt != nil && !p.passed():
		p.set("Progressing", "True", "NewReplicaSetAvailable", fmt.Sprintf("Experiment %q is running.", name))
	}
}

// progressed reports whether the pods of a template came or went.
func (p *pass) progressed() bool {
	was := p.w.Status.TemplateStatuses
	if len(was) < len(p.status.TemplateStatuses) {
		return true
	}
	return slices.ContainsFunc(was, func(w TemplateStatus) bool {
		is := p.state(w.Name)
		return w.Replicas != is.Replicas || w.ReadyReplicas != is.ReadyReplicas || w.AvailableReplicas != is.AvailableReplicas
	})
}

func (p *pass) condition(kind string) *rollout.Condition {
	for i := range p.status.Conditions {
		if p.status.Conditions[i].Type == kind {
			return &p.status.Conditions[i]
		}
	}
	return nil
}

// set sets a condition; one with the same status and reason stays as it is.
func (p *pass) set(kind, status, reason, message string) {
	now := stamp(p.w.Now)
	c := rollout.Condition{Type: kind, Status: status, Reason: reason, Message: message, LastUpdateTime: now, LastTransitionTime: now}
	if is := p.condition(kind); is != nil {
		if is.Status == status && is.Reason == reason {
			return
		}
		if is.Status == status {
			c.LastTransitionTime = is.LastTransitionTime
		}
		p.status.Conditions = slices.DeleteFunc(p.status.Conditions, func(o rollout.Condition) bool { return o.Type == kind })
	}
	p.status.Conditions = append(p.status.Conditions, c)
}

// drop removes a condition unless it has the message.
func (p *pass) drop(kind, message string) {
	p.status.Conditions = slices.DeleteFunc(p.status.Conditions, func(o rollout.Condition) bool { return o.Type == kind && o.Message != message })
}
