package rollout

import (
	"fmt"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Decode reads a Rollout. An error says which field has a wrong type; what is missing or contradicts itself is for Validate.
func Decode(o manifest.Object) (Rollout, error) {
	var body struct {
		Spec   Spec   `json:"spec"`
		Status Status `json:"status"`
	}
	if err := o.Into(&body); err != nil {
		return Rollout{}, fmt.Errorf("read Rollout %s: %w", o.Name(), err)
	}
	return Rollout{Object: o, Spec: body.Spec, Status: body.Status}, nil
}

// Defaults of a Rollout's spec (https://argo-rollouts.readthedocs.io/en/stable/features/specification/).
const (
	defaultReplicas         = 1
	defaultHistory          = 10
	defaultRunHistory       = 5
	defaultProgressDeadline = 600
	defaultScaleDownDelay   = 30
	defaultAbortDelay       = 30
)

func or(v *int32, other int32) int32 {
	if v == nil {
		return other
	}
	return *v
}

func (s Spec) replicas() int32 { return or(s.Replicas, defaultReplicas) }
func (s Spec) history() int32  { return or(s.RevisionHistoryLimit, defaultHistory) }
func (s Spec) deadline() int32 { return or(s.ProgressDeadlineSeconds, defaultProgressDeadline) }

// routed reports whether requests are shared out by a router and not by the numbers of pods.
func (s Spec) routed() bool {
	return s.Strategy.Canary != nil && s.Strategy.Canary.TrafficRouting != nil
}

func (s Spec) dynamic() bool { return s.routed() && s.Strategy.Canary.DynamicStableScale }

// maxWeight is all of the traffic: 100, or maxTrafficWeight.
func (s Spec) maxWeight() int32 {
	if s.routed() {
		return or(s.Strategy.Canary.TrafficRouting.MaxTrafficWeight, 100)
	}
	return 100
}

func (s Spec) steps() []Step {
	if s.Strategy.Canary == nil {
		return nil
	}
	return s.Strategy.Canary.Steps
}

// runHistory is how many successful and other finished runs are kept.
func (s Spec) runHistory() (successful, other int32) {
	if s.Analysis == nil {
		return defaultRunHistory, defaultRunHistory
	}
	return or(s.Analysis.SuccessfulRunHistoryLimit, defaultRunHistory), or(s.Analysis.UnsuccessfulRunHistoryLimit, defaultRunHistory)
}

// scaleDownDelay is how long an old replica set is kept after the traffic has left it.
func (s Spec) scaleDownDelay() time.Duration {
	seconds := int32(0)
	switch {
	case s.Strategy.BlueGreen != nil:
		seconds = or(s.Strategy.BlueGreen.ScaleDownDelaySeconds, defaultScaleDownDelay)
	case s.routed():
		seconds = or(s.Strategy.Canary.ScaleDownDelaySeconds, defaultScaleDownDelay)
	}
	return time.Duration(seconds) * time.Second
}

// abortDelay is how long the new version is kept after an abort; scales is false where it is to stay for good
// (abortScaleDownDelaySeconds: 0), said is whether the spec gives a number.
func (s Spec) abortDelay() (delay time.Duration, scales, said bool) {
	var given *int32
	switch {
	case s.Strategy.BlueGreen != nil:
		given = s.Strategy.BlueGreen.AbortScaleDownDelaySeconds
	case s.routed():
		given = s.Strategy.Canary.AbortScaleDownDelaySeconds
	default:
		return 0, true, false
	}
	seconds := or(given, defaultAbortDelay)
	return time.Duration(seconds) * time.Second, given == nil || *given != 0, given != nil
}

// revisionLimit is how many old replica sets may wait for their scale-down.
func (s Spec) revisionLimit() int32 {
	const all = 1<<31 - 1
	switch {
	case s.Strategy.BlueGreen != nil:
		return or(s.Strategy.BlueGreen.ScaleDownDelayRevisionLimit, all)
	case s.Strategy.Canary != nil:
		return or(s.Strategy.Canary.ScaleDownDelayRevisionLimit, all)
	}
	return all
}

// quarter is the default of maxSurge and maxUnavailable.
var quarter = intstr.FromString("25%")

// surge and unavailable are the limits as the spec gives them.
func (s Spec) surge() intstr.IntOrString {
	if c := s.Strategy.Canary; c != nil && c.MaxSurge != nil {
		return *c.MaxSurge
	}
	return quarter
}

func (s Spec) unavailable() intstr.IntOrString {
	switch {
	case s.Strategy.BlueGreen != nil && s.Strategy.BlueGreen.MaxUnavailable != nil:
		return *s.Strategy.BlueGreen.MaxUnavailable
	case s.Strategy.Canary != nil && s.Strategy.Canary.MaxUnavailable != nil:
		return *s.Strategy.Canary.MaxUnavailable
	}
	return quarter
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (r Rollout) generation() string {
	return strconv.FormatInt(r.Object.Int(0, "metadata", "generation"), 10)
}
