package rollout

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// lookAgain is after how long an invalid rollout is looked at again: what it names may be there by then.
const lookAgain = 20 * time.Second

// Next decides what a rollout does now. A rollout moves by small steps: what a decision does changes the world, and the next
// decision is made on the changed one. Once everything is as it shall be, only Route is asked for, which changes nothing.
func Next(w World) Decision {
	if w.Rollout.Object.Deleting() {
		return Decision{Status: w.Rollout.Status}
	}
	p := &pass{w: w, r: w.Rollout, now: w.Now, notes: map[string]string{}}
	p.r.Status.Conditions = slices.Clone(p.r.Status.Conditions)
	if p.r.Status.Abort && p.r.Status.AbortedAt == nil {
		p.r.Status.PromoteFull = false // the abort came later, since a promotion of an aborted update finds AbortedAt
	}
	if problem := p.resolveWorkload(); problem != "" {
		return p.invalid(problem)
	}
	if problem := validate(p.w, p.r); problem != "" {
		return p.invalid(problem)
	}
	if p.r.Spec.Replicas == nil {
		p.spec = manifest.Object{"replicas": int64(defaultReplicas)} // as the scale subresource needs it
	}
	hash, err := Hash(p.r.Spec.Template, p.r.Status.CollisionCount)
	if err != nil {
		return p.invalid(err.Error())
	}
	p.hash = hash
	p.claim()
	p.find()
	if p.fresh == nil && !p.create() {
		return p.decision() // another object has the name: the next hash is another one
	}
	if p.r.promoted() && p.aborted() {
		p.pauses.retract = true
	}
	p.notePauses()
	p.syncRevision()
	p.status = p.carried()
	switch {
	case p.scaling():
		p.scaleOnly()
	case p.r.Spec.Strategy.BlueGreen != nil:
		p.blueGreen()
		if same(p.fresh, p.stable) { // the first version is the stable one at once and is scaled as such
			p.scaleWorkload(p.fresh, p.fresh.replicas)
		}
	default:
		p.canary()
	}
	if p.wrong != "" {
		return p.invalid(p.wrong)
	}
	return p.decision()
}

// pass is one decision in the making. r is the rollout as it was read, with the template that its workloadRef gives and
// with the conditions of its pauses noted; status is the new one.
type pass struct {
	w             World
	r             Rollout
	status        Status
	now           time.Time
	hash          string
	sets, others  []*set // others are neither the wanted nor the stable one
	fresh, stable *set   // the wanted version's and the stable one's; the same once promoted
	runs          runs
	experiments   experiments
	services      map[string]*service
	pauses        pauses
	actions       []Action
	notes         map[string]string
	spec          manifest.Object
	after         time.Duration
	wrong         string // what turned out to be invalid on the way
}

func (p *pass) do(a ...Action) { p.actions = append(p.actions, a...) }

func (p *pass) tell(reason, format string, args ...any) {
	p.do(Event{Reason: reason, Message: fmt.Sprintf(format, args...)})
}

func (p *pass) warn(reason, format string, args ...any) {
	p.do(Event{Reason: reason, Message: fmt.Sprintf(format, args...), Warning: true})
}

// until asks for another look at a moment; what waits for it is due after it.
func (p *pass) until(at time.Time) {
	if d := at.Sub(p.now); d > 0 {
		p.in(d + time.Millisecond)
	}
}

func (p *pass) in(d time.Duration) {
	if p.after == 0 || d < p.after {
		p.after = d
	}
}

func (p *pass) decision() Decision {
	return Decision{Actions: p.actions, Status: p.status, Annotations: p.notes, Spec: p.spec, After: p.after}
}

// resolveWorkload takes the pod template and the selector from what workloadRef names, and notes its generation. The answer
// is what is wrong with it.
func (p *pass) resolveWorkload() string {
	ref := p.r.Spec.WorkloadRef
	if ref == nil {
		if p.r.Object.Annotation(WorkloadAnnotation) != "" {
			p.notes[WorkloadAnnotation] = ""
		}
		return ""
	}
	if p.r.Spec.hasTemplate() {
		return "template must be empty for workload reference rollout"
	}
	kind := manifest.KindOf(ref.APIVersion, ref.Kind)
	kind.Version = ""
	where, ok := workloads[kind]
	if !ok {
		return fmt.Sprintf("workload of type %s/%s is not supported", kind.Group, kind.Kind)
	}
	if p.w.Workload == nil {
		return fmt.Sprintf("%s %q not found", ref.Kind, ref.Name)
	}
	p.r.Spec.Template = p.w.Workload.Sub(where.template...).Copy()
	if p.r.Spec.Selector == nil && where.selector != nil {
		p.r.Spec.Selector = selectorOf(p.w.Workload.Sub(where.selector...))
	}
	generation := strconv.FormatInt(p.w.Workload.Int(0, "metadata", "generation"), 10)
	if p.r.Object.Annotation(WorkloadAnnotation) != generation {
		p.notes[WorkloadAnnotation] = generation
	}
	return ""
}

// hasTemplate reports whether the spec has a pod template of its own. Definitions may give an empty one.
func (s Spec) hasTemplate() bool {
	t := s.Template
	return len(t.List("spec", "containers")) > 0 || len(t.Labels()) > 0 || len(t.Annotations()) > 0
}

// workloadGeneration is the generation of the workload that this decision looked at; "" without one.
func (p *pass) workloadGeneration() string {
	if p.r.Spec.WorkloadRef == nil {
		return ""
	}
	return strconv.FormatInt(p.w.Workload.Int(0, "metadata", "generation"), 10)
}

// invalid is the decision for a spec that cannot be followed: nothing but its status.
func (p *pass) invalid(problem string) Decision {
	s := p.w.Rollout.Status
	s.Conditions = slices.Clone(s.Conditions)
	message := fmt.Sprintf("The Rollout \"%s\" is invalid: %s", p.r.Object.Name(), problem)
	if c := s.condition(condInvalid); c == nil || c.Message != message {
		s.drop(condInvalid)
		s.set(p.condition(condInvalid, yes, reasonInvalid, message))
	}
	s.ObservedGeneration = p.r.generation()
	s.Phase, s.Message = phase(p.r.Spec, s)
	return Decision{Status: s, Annotations: map[string]string{}, After: lookAgain}
}

// carried is the part of the status that every decision keeps.
func (p *pass) carried() Status {
	was := p.r.Status
	s := Status{RestartedAt: was.RestartedAt, ALB: was.ALB}
	s.Canary.Weights = was.Canary.Weights
	return s
}

// base fills in what both strategies tell.
func (p *pass) base() {
	s, was := &p.status, p.r.Status
	s.CurrentPodHash = p.fresh.hash
	s.Replicas = sum(p.sets, present)
	s.UpdatedReplicas = p.fresh.pods
	s.ReadyReplicas = sum(p.sets, ready)
	s.CollisionCount = was.CollisionCount
	s.Conditions = slices.Clone(was.Conditions)
	s.drop(condInvalid)
	s.PromoteFull = was.PromoteFull
	s.StableRS = was.StableRS
}

// reset begins an update: what was of the one before is over.
func (p *pass) reset() {
	p.pauses.clear, p.pauses.retract = true, true
	s := &p.status
	s.RestartedAt = p.r.Spec.RestartAt // new pods need no restart
	s.PromoteFull = false
	s.BlueGreen.PrePromotionAnalysisRunStatus, s.BlueGreen.PostPromotionAnalysisRunStatus = nil, nil
	s.BlueGreen.ScaleUpPreviewCheckPoint = false
	s.Canary.CurrentStepAnalysisRunStatus, s.Canary.CurrentBackgroundAnalysisRunStatus = nil, nil
	s.CurrentStepIndex = nil
	if len(p.r.Spec.steps()) > 0 {
		s.CurrentStepIndex = new(int32)
	}
}

// finish settles conditions, pauses and phase, tells of what changed, and asks for the look at the progress deadline.
func (p *pass) finish() {
	p.conditions()
	p.persist()
}

func (p *pass) persist() {
	p.settlePauses()
	s := &p.status
	s.WorkloadObservedGeneration = p.workloadGeneration()
	s.ObservedGeneration = p.r.generation()
	s.Phase, s.Message = phase(p.r.Spec, *s)
	was := len(p.w.Rollout.Status.PauseConditions) > 0
	switch is := len(s.PauseConditions) > 0; {
	case is && !was:
		p.tell(reasonPaused, "Rollout is paused (%s)", s.PauseConditions[0].Reason)
	case was && !is && s.AbortedAt == nil:
		p.tell(reasonResumed, "Rollout is resumed")
	}
	p.watchProgress()
}

// scaling reports whether the rollout's number of pods changed: the sets still know another one.
func (p *pass) scaling() bool {
	for _, s := range []*set{p.fresh, p.stable} {
		if !s.active() {
			continue
		}
		n, err := strconv.ParseInt(s.annotations[DesiredAnnotation], 10, 32)
		if err == nil && int32(n) != p.r.Spec.replicas() {
			return true
		}
	}
	return false
}

// scaleOnly follows a new number of pods and leaves everything else.
func (p *pass) scaleOnly() {
	p.status = p.r.Status
	p.status.Conditions = slices.Clone(p.r.Status.Conditions)
	counted := p.sets
	if p.r.Spec.Strategy.BlueGreen != nil {
		p.blueGreenSets()
		if s := byHash(p.sets, p.status.BlueGreen.ActiveSelector); s != nil {
			counted = []*set{s}
		}
	} else {
		p.canarySets()
	}
	p.status.HPAReplicas = sum(counted, present)
	p.status.AvailableReplicas = sum(counted, available)
	p.persist()
}

// find sorts the sets into the wanted, the stable and the other ones.
func (p *pass) find() {
	slices.SortFunc(p.sets, oldestFirst)
	p.fresh = byHash(p.sets, p.hash)
	if p.fresh == nil {
		p.fresh = p.alike()
	}
	p.sort()
	p.sortRuns()
	p.sortExperiments()
}

func (p *pass) sort() {
	p.stable = nil
	if hash := p.r.Status.StableRS; hash != "" {
		if p.stable = byHash(p.sets, hash); p.fresh != nil && p.fresh.hash == hash {
			p.stable = p.fresh
		}
	}
	p.others = without(p.sets, p.fresh, p.stable)
}

// alike is a set with the same template under another hash, which another release has computed.
func (p *pass) alike() *set {
	for _, s := range p.sets {
		template := s.object.Sub("spec", "template").Copy()
		unmark(template, injected(s))
		if equal(bare(template), bare(p.r.Spec.Template)) {
			return s
		}
	}
	return nil
}

// meta is metadata for pods, empty where there is none.
func meta(m *analysis.Meta) analysis.Meta {
	if m == nil {
		return analysis.Meta{}
	}
	return *m
}
