package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// run is an AnalysisRun of the rollout; nil is one that is not there.
type run struct{ analysis.Run }

func (r *run) succeeded() bool { return r != nil && r.Status.Phase == analysis.Successful }

// runs are the AnalysisRuns of the rollout by what the status says that they are for; others are those of before.
type runs struct {
	step, background, pre, post *run
	others                      []*run
}

func (r runs) current() []*run { return []*run{r.step, r.background, r.pre, r.post} }

// sortRuns finds the current runs by the names in the status.
func (p *pass) sortRuns() {
	is := func(s *RunStatus, name string) bool { return s != nil && s.Name == name }
	canary, blue := p.r.Status.Canary, p.r.Status.BlueGreen
	for _, a := range p.w.Runs {
		r := &run{a}
		switch {
		case is(canary.CurrentStepAnalysisRunStatus, a.Name):
			p.runs.step = r
		case is(canary.CurrentBackgroundAnalysisRunStatus, a.Name):
			p.runs.background = r
		case is(blue.PrePromotionAnalysisRunStatus, a.Name):
			p.runs.pre = r
		case is(blue.PostPromotionAnalysisRunStatus, a.Name):
			p.runs.post = r
		default:
			p.runs.others = append(p.runs.others, r)
		}
	}
}

// skipsAnalysis reports whether nothing is measured: an abort, a full promotion, the first version, a return to a version
// within its delay or the rollback window.
func (p *pass) skipsAnalysis() bool {
	return p.aborted() || p.r.Status.PromoteFull || p.comesBack() || p.r.Status.StableRS == "" || p.withinWindow()
}

func (p *pass) canaryRuns() {
	if p.skipsAnalysis() {
		p.endAll()
		return
	}
	step, background := p.stepRun(), p.backgroundRun()
	p.runs.step, p.runs.background = step, background
	p.noteRuns()
	p.endOthers()
}

func (p *pass) blueGreenRuns() {
	if p.skipsAnalysis() {
		p.endAll()
		return
	}
	b := p.r.Spec.Strategy.BlueGreen
	pre := p.promotionRun(b.PrePromotionAnalysis, p.runs.pre, p.skipsPre(), "pre", PrePromotionRun)
	post := p.promotionRun(b.PostPromotionAnalysis, p.runs.post, p.skipsPost(), "post", PostPromotionRun)
	p.runs.pre, p.runs.post = pre, post
	p.noteRuns()
	p.endOthers()
}

func (p *pass) endAll() {
	p.end(p.runs.current()...)
	p.end(p.runs.others...)
	p.noteRuns()
}

// judge takes over a run's verdict: a pause where it came to none, an abort where it is bad.
func (p *pass) judge(r *run) {
	if r == nil {
		return
	}
	switch r.Status.Phase {
	case analysis.Inconclusive:
		p.pauses.add = append(p.pauses.add, PauseInconclusive)
	case analysis.Error, analysis.Failed:
		p.abort(r.Status.Message)
	}
}

// needsRun reports whether an analysis is to be begun: there is none, or the last one came to no verdict and a person let
// the rollout go on, or the update was aborted and is tried again.
func (p *pass) needsRun(r *run) bool {
	if r == nil {
		return true
	}
	if p.r.Status.ControllerPause && p.pausedFor(PauseStep) == nil && p.pausedFor(PauseBlueGreen) == nil {
		return r.Status.Phase == analysis.Inconclusive
	}
	return p.r.Status.AbortedAt != nil
}

func (p *pass) stepRun() *run {
	step, index := p.r.current()
	now := p.runs.step
	if len(p.r.Status.PauseConditions) > 0 || p.r.Status.Abort {
		return now
	}
	if step == nil || step.Analysis == nil || now != nil && now.Labels[StepIndexLabel] != itoa(int(*index)) {
		p.end(now)
		return nil
	}
	if p.needsRun(now) {
		i := itoa(int(*index))
		return p.begins(*step.Analysis, i, map[string]string{TypeLabel: StepRun, StepIndexLabel: i})
	}
	p.judge(now)
	return now
}

func (p *pass) backgroundRun() *run {
	spec, now := p.r.Spec.Strategy.Canary.Analysis, p.runs.background
	if spec == nil || len(spec.Templates) == 0 {
		p.end(now)
		return nil
	}
	_, index := p.r.current()
	if p.r.promoted() || p.r.Status.CurrentPodHash == "" || index != nil && *index < or(spec.StartingStep, 0) {
		return nil
	}
	if p.pausedFor(PauseInconclusive) != nil {
		return now
	}
	if p.needsRun(now) {
		return p.begins(spec.Analysis, "", map[string]string{TypeLabel: BackgroundRun})
	}
	p.judge(now)
	return now
}

// promotionRun is the analysis before or after the switch.
func (p *pass) promotionRun(spec *Analysis, now *run, skip bool, infix, kind string) *run {
	switch {
	case spec == nil:
		p.end(now)
		return nil
	case skip:
		p.end(now)
		return now
	case p.pausedFor(PauseInconclusive) != nil:
		return now
	case p.needsRun(now):
		return p.begins(*spec, infix, map[string]string{TypeLabel: kind})
	}
	p.judge(now)
	return now
}

// skipsPre and skipsPost report whether the analysis before, or after, the switch is not to be begun: the version is stable
// already, the switch has, or has not, been made, or the version has not all of its pods.
func (p *pass) skipsPre() bool {
	hash, active := p.fresh.hash, p.r.Status.BlueGreen.ActiveSelector
	if p.r.Status.StableRS == hash || active == "" || active == hash {
		return true
	}
	if n := p.r.Spec.Strategy.BlueGreen.PreviewReplicaCount; n != nil {
		return p.fresh.replicas != *n || p.fresh.available != *n
	}
	return !p.fresh.saturated(p.r.Spec.replicas())
}

func (p *pass) skipsPost() bool {
	hash := p.fresh.hash
	return p.r.Status.StableRS == hash || p.r.Status.BlueGreen.ActiveSelector != hash || !p.fresh.saturated(p.r.Spec.replicas())
}

// begins makes an AnalysisRun, or takes up the one that an earlier decision made and the status does not know of yet.
func (p *pass) begins(a Analysis, infix string, labels map[string]string) *run {
	spec, err := p.resolve(a)
	if err != nil {
		p.wrong = err.Error()
		return nil
	}
	name := strings.TrimSuffix(strings.Join([]string{p.r.Object.Name(), p.fresh.hash, p.revision(), infix}, "-"), "-")
	made := analysis.Run{Namespace: p.r.Object.Namespace(), Labels: p.runLabels(a, labels), Spec: spec}
	known := append(p.runs.current(), p.runs.others...)
	for n := 1; ; n++ {
		made.Name = name
		if n > 1 {
			made.Name = fmt.Sprintf("%s.%d", name, n-1)
		}
		i := slices.IndexFunc(known, func(r *run) bool { return r != nil && r.Name == made.Name })
		if i < 0 {
			break
		}
		if old := known[i]; !old.Status.Phase.Completed() && !old.Spec.Terminate && sameSpec(old.Spec, spec) {
			return old
		}
	}
	notes := map[string]string{RevisionAnnotation: p.revision()}
	maps.Copy(notes, a.AnalysisRunMetadata.Annotations)
	p.do(CreateRun{Object: manifest.Object{
		"apiVersion": version,
		"kind":       "AnalysisRun",
		"metadata": map[string]any{
			"name": made.Name, "namespace": made.Namespace, "labels": anys(made.Labels), "annotations": anys(notes),
			"ownerReferences": []any{p.r.owner()},
		},
		"spec": map[string]any(spec.Object()),
	}})
	return &run{made}
}

func sameSpec(a, b analysis.Spec) bool {
	a.Terminate, b.Terminate = false, false
	a.TTLStrategy, b.TTLStrategy = nil, nil
	return string(a.Object().JSON()) == string(b.Object().JSON())
}

func (p *pass) runLabels(a Analysis, of map[string]string) map[string]string {
	out := map[string]string{HashLabel: p.fresh.hash}
	maps.Copy(out, of)
	if id := p.r.Object.Text("metadata", "labels", InstanceLabel); id != "" {
		out[InstanceLabel] = id
	}
	maps.Copy(out, a.AnalysisRunMetadata.Labels)
	maps.Copy(out, p.r.Spec.Selector.MatchLabels)
	return out
}

// resolve is the spec of a run of an analysis.
func (p *pass) resolve(a Analysis) (analysis.Spec, error) {
	refs, err := analysis.Collect(a.Templates, p.w.Templates)
	if err != nil {
		return analysis.Spec{}, err
	}
	var specs []analysis.Spec
	for _, ref := range refs {
		specs = append(specs, p.w.Templates[ref])
	}
	stable := ""
	if p.stable != nil {
		stable = p.stable.hash
	}
	args, err := p.r.arguments(a.Args, stable, p.fresh.hash)
	if err != nil {
		return analysis.Spec{}, err
	}
	return analysis.Resolve(specs, args, a.DryRun, a.MeasurementRetention)
}

// end asks runs that are under way to end.
func (p *pass) end(rs ...*run) {
	for _, r := range rs {
		if r != nil && r.UID != "" && !r.Spec.Terminate && !r.Status.Phase.Completed() {
			p.do(TerminateRun{Name: r.Name})
			r.Spec.Terminate = true
		}
	}
}

// endOthers ends the runs that are no longer current, and removes those whose version is gone and finished ones beyond the
// limits.
func (p *pass) endOthers() {
	var others []*run
	for _, r := range p.runs.others {
		if !slices.ContainsFunc(p.runs.current(), func(c *run) bool { return c != nil && c.Name == r.Name }) {
			others = append(others, r)
		}
	}
	p.end(others...)
	slices.SortStableFunc(others, func(a, b *run) int { return b.Created.Compare(a.Created) })
	keep := p.keeper()
	for _, r := range others {
		if !keep(r.Labels[HashLabel], r.Status.Phase) {
			p.do(DeleteRun{Name: r.Name})
		}
	}
}

// keeper decides, newest first, whether a run or an experiment of a version is kept.
func (p *pass) keeper() func(hash string, phase analysis.Phase) bool {
	good, bad := p.r.Spec.runHistory()
	return func(hash string, phase analysis.Phase) bool {
		if s := byHash(p.sets, hash); s == nil || s.deleting {
			return false
		}
		left := &bad
		switch {
		case !phase.Completed():
			return true
		case phase == analysis.Successful:
			left = &good
		}
		*left--
		return *left >= 0
	}
}

// forgetRuns removes the runs and experiments of a version whose set is removed.
func (p *pass) forgetRuns(hash string) {
	for _, r := range p.runs.others {
		if r.Labels[HashLabel] == hash {
			p.do(DeleteRun{Name: r.Name})
		}
	}
	p.runs.others = slices.DeleteFunc(p.runs.others, func(r *run) bool { return r.Labels[HashLabel] == hash })
	for _, e := range p.experiments.others {
		if e.hash == hash {
			p.do(DeleteExperiment{Name: e.name})
		}
	}
	p.experiments.others = slices.DeleteFunc(p.experiments.others, func(e *experiment) bool { return e.hash == hash })
}

// noteRuns writes the current runs into the status and tells of their changes.
func (p *pass) noteRuns() {
	s, was := &p.status, p.r.Status
	note := func(to **RunStatus, before *RunStatus, r *run, kind string) {
		if r == nil {
			return
		}
		*to = &RunStatus{Name: r.Name, Status: r.Status.Phase, Message: r.Status.Message}
		p.tellRun(before, r, kind)
	}
	if p.r.Spec.Strategy.BlueGreen != nil {
		note(&s.BlueGreen.PostPromotionAnalysisRunStatus, was.BlueGreen.PostPromotionAnalysisRunStatus, p.runs.post, PostPromotionRun)
		note(&s.BlueGreen.PrePromotionAnalysisRunStatus, was.BlueGreen.PrePromotionAnalysisRunStatus, p.runs.pre, PrePromotionRun)
		return
	}
	note(&s.Canary.CurrentStepAnalysisRunStatus, was.Canary.CurrentStepAnalysisRunStatus, p.runs.step, StepRun)
	note(&s.Canary.CurrentBackgroundAnalysisRunStatus, was.Canary.CurrentBackgroundAnalysisRunStatus, p.runs.background, BackgroundRun)
}

func (p *pass) tellRun(before *RunStatus, r *run, kind string) {
	phase := r.Status.Phase
	if phase == "" || before != nil && (before.Name != r.Name || before.Status == phase) {
		return
	}
	was := "NoPreviousStatus"
	if before != nil {
		was = string(before.Status)
	}
	p.do(Event{
		Reason:  "AnalysisRun" + string(phase),
		Message: fmt.Sprintf("%s Analysis Run '%s' Status New: '%s' Previous: '%s'", kind, r.Name, phase, was),
		Warning: phase == analysis.Failed || phase == analysis.Error,
	})
}
