package applicationset

import (
	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// Preview is how a blue-green Rollout stands before a cut-over of several clusters.
type Preview string

// The ways it may stand.
const (
	PreviewNone  Preview = ""      // it is no blue-green Rollout, or promoted what it has
	PreviewReady Preview = "Ready" // it waits to be promoted
	PreviewBusy  Preview = "Busy"  // it gets there, or not at all
)

// PreviewOf tells how a Rollout stands. An error says that it would promote itself.
func PreviewOf(r rollout.Rollout) (Preview, error) {
	b := r.Spec.Strategy.BlueGreen
	if b == nil {
		return PreviewNone, nil
	}
	if b.AutoPromotionEnabled == nil || *b.AutoPromotionEnabled || b.AutoPromotionSeconds > 0 {
		return PreviewBusy, fault.New(CodeOrder, "the annotation %s: the Rollout %s/%s promotes itself", AnnotationCutOver, r.Object.Namespace(), r.Object.Name()).
			WithHint("set strategy.blueGreen.autoPromotionEnabled: false and no autoPromotionSeconds")
	}
	phase, message := rollout.PhaseOf(r)
	switch {
	case phase == rollout.Healthy:
		return PreviewNone, nil
	case phase != rollout.Paused || message != rollout.PauseBlueGreen:
		return PreviewBusy, nil
	}
	if run := r.Status.BlueGreen.PrePromotionAnalysisRunStatus; run != nil && run.Status != analysis.Successful {
		return PreviewBusy, nil
	}
	return PreviewReady, nil
}
