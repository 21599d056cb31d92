package rollout

import "fmt"

// current is the canary step that the rollout is at and its index; nil at the end, and no index without steps.
func (r Rollout) current() (step *Step, index *int32) {
	steps := r.Spec.steps()
	if len(steps) == 0 {
		return nil, nil
	}
	i := or(r.Status.CurrentStepIndex, 0)
	if int(i) >= len(steps) || i < 0 {
		return nil, &i
	}
	return &steps[i], &i
}

// before walks back from the current step, itself first, to the first one that is.
func (r Rollout) before(is func(Step) bool) *Step {
	step, index := r.current()
	if step == nil {
		return nil
	}
	steps := r.Spec.steps()
	for i := *index; i >= 0; i-- {
		if is(steps[i]) {
			return &steps[i]
		}
	}
	return nil
}

// weight is what the steps done so far ask for: the last setWeight, nothing before the first, all after the last step,
// nothing in an abort.
func (r Rollout) weight() int32 {
	if r.Status.Abort {
		return 0
	}
	if step, _ := r.current(); step == nil {
		return r.Spec.maxWeight()
	}
	if s := r.before(func(s Step) bool { return s.SetWeight != nil }); s != nil {
		return *s.SetWeight
	}
	return 0
}

// promoted reports whether the wanted version is the stable one.
func (r Rollout) promoted() bool { return r.Status.StableRS == r.Status.CurrentPodHash }

// canaryScale is a fixed number of canary pods, or the weight that its number follows.
func (r Rollout) canaryScale() (replicas *int32, weight int32) {
	if r.Status.PromoteFull || r.Status.StableRS == "" || r.promoted() {
		return nil, r.Spec.maxWeight()
	}
	if s := r.setCanaryScale(); s != nil {
		switch {
		case s.Replicas != nil:
			return s.Replicas, 0
		case s.Weight != nil:
			return nil, *s.Weight
		}
	}
	return nil, r.weight()
}

// setCanaryScale is the step's scale that is in force; none without a router, after matchTrafficWeight, and in an abort
// unless the canary is to stay.
func (r Rollout) setCanaryScale() *CanaryScale {
	if !r.Spec.routed() {
		return nil
	}
	if _, scales, _ := r.Spec.abortDelay(); r.Status.Abort && scales {
		return nil
	}
	s := r.before(func(s Step) bool { return s.SetCanaryScale != nil })
	if s == nil || s.SetCanaryScale.MatchTrafficWeight {
		return nil
	}
	return s.SetCanaryScale
}

// String is a step as Argo Rollouts tells it: "setWeight: 20", "pause: 1h".
func (s Step) String() string {
	switch {
	case s.SetWeight != nil:
		return fmt.Sprintf("setWeight: %d", *s.SetWeight)
	case s.Pause != nil && s.Pause.Duration != nil:
		return "pause: " + s.Pause.Duration.String()
	case s.Pause != nil:
		return "pause"
	case s.Experiment != nil:
		return "experiment"
	case s.Analysis != nil:
		return "analysis"
	case s.SetCanaryScale != nil && s.SetCanaryScale.Weight != nil:
		return fmt.Sprintf("setCanaryScale{weight: %d}", *s.SetCanaryScale.Weight)
	case s.SetCanaryScale != nil && s.SetCanaryScale.MatchTrafficWeight:
		return "setCanaryScale{matchTrafficWeight: true}"
	case s.SetCanaryScale != nil && s.SetCanaryScale.Replicas != nil:
		return fmt.Sprintf("setCanaryScale{replicas: %d}", *s.SetCanaryScale.Replicas)
	case s.Plugin != nil:
		return "plugin: " + s.Plugin.Name
	}
	return "invalid" // so Argo calls setHeaderRoute and setMirrorRoute
}
