package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
)

const pausing = `
replicas: 5
strategy:
  canary:
    steps: [{setWeight: 20}, {pause: {}}, {setWeight: 60}, {pause: {duration: 1h}}]
`

func TestFirstVersionIsHealthyWithoutSteps(t *testing.T) {
	s := newSim(t, pausing)
	s.settle(40)
	expect(t, "phase", s.status().Phase, Healthy)
	expect(t, "stable", s.status().StableRS, s.hash("web:1"))
	expect(t, "pods", s.counts("web:1"), "5/5")
	expect(t, "revision", s.w.Rollout.Object.Annotation(RevisionAnnotation), "1")
	expect(t, "step", *s.status().CurrentStepIndex, 4)
	expect(t, "HPA", s.status().HPAReplicas, 5)
	expect(t, "selector", s.status().Selector, "app=web")
}

func TestCanaryGoesThroughItsSteps(t *testing.T) {
	s := newSim(t, pausing)
	s.settle(40)
	s.image("web:2")
	s.settle(60)
	expect(t, "phase", s.status().Phase, Paused)
	expect(t, "message", s.status().Message, PauseStep)
	expect(t, "canary", s.counts("web:2"), "1/1")
	expect(t, "stable", s.counts("web:1"), "4/4")
	expect(t, "step", *s.status().CurrentStepIndex, 1)
	for _, p := range Promote(s.w.Rollout, false) {
		s.patch(p)
	}
	s.settle(60)
	expect(t, "canary", s.counts("web:2"), "3/3")
	expect(t, "stable", s.counts("web:1"), "2/2")
	expect(t, "step", *s.status().CurrentStepIndex, 3)
	if s.after < 59*time.Minute || s.after > time.Hour {
		t.Errorf("looked at again after %s, want about an hour", s.after)
	}
	s.tick(time.Hour+time.Second, 0)
	s.settle(60)
	expect(t, "phase", s.status().Phase, Healthy)
	expect(t, "canary", s.counts("web:2"), "5/5")
	expect(t, "old", s.counts("web:1"), "0/0")
	expect(t, "stable", s.status().StableRS, s.hash("web:2"))
	for _, want := range []string{
		"RolloutUpdated: Rollout updated to revision 2",
		"NewReplicaSetCreated: Created ReplicaSet web-" + s.hash("web:2") + " (revision 2)",
		"RolloutNotCompleted: Rollout not completed, started update to revision 2 (" + s.hash("web:2") + ")",
		"ScalingReplicaSet: Scaled up ReplicaSet web-" + s.hash("web:2") + " (revision 2) from 0 to 1",
		"RolloutStepCompleted: Rollout step 1/4 completed (setWeight: 20)",
		"RolloutPaused: Rollout is paused (CanaryPauseStep)",
		"RolloutResumed: Rollout is resumed",
		"RolloutStepCompleted: Rollout step 4/4 completed (pause: 1h)",
		"RolloutCompleted: Rollout completed update to revision 2 (" + s.hash("web:2") + "): Completed all 4 canary steps",
	} {
		if !strings.Contains(strings.Join(s.events, "\n"), want) {
			t.Errorf("no event %q in\n%s", want, strings.Join(s.events, "\n"))
		}
	}
}

func TestAbortGoesBackToStable(t *testing.T) {
	s := newSim(t, pausing)
	s.settle(40)
	s.image("web:2")
	s.settle(60)
	s.patch(Abort())
	s.settle(60)
	expect(t, "phase", s.status().Phase, Degraded)
	expect(t, "message", s.status().Message, "RolloutAborted: Rollout aborted update to revision 2")
	expect(t, "canary", s.counts("web:2"), "0/0")
	expect(t, "stable", s.counts("web:1"), "5/5")
	expect(t, "step", *s.status().CurrentStepIndex, 0)
	s.patch(Retry())
	s.settle(60)
	expect(t, "phase after retry", s.status().Phase, Paused)
	expect(t, "canary after retry", s.counts("web:2"), "1/1")
}

const routed = `
replicas: 4
strategy:
  canary:
    canaryService: canary
    stableService: stable
    trafficRouting: {plugins: {argoproj-labs/gatewayAPI: {httpRoute: web}}}
    steps: [{setWeight: 25}, {analysis: {templates: [{templateName: rate}], args: [{name: hash, valueFrom: {podTemplateHashValue: Latest}}]}}, {setWeight: 75}, {pause: {}}]
`

func withTemplate(s *sim) *sim {
	spec, err := analysis.DecodeTemplate(read(s.t, `{spec: {args: [{name: hash}], metrics: [{name: rate, provider: {web: {url: "http://x/{{args.hash}}"}}}]}}`))
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	s.w.Templates[analysis.TemplateRef{TemplateName: "rate"}] = spec
	return s
}

func TestRoutedCanaryWithAnalysis(t *testing.T) {
	s := withTemplate(newSim(t, routed))
	s.settle(60)
	expect(t, "phase", s.status().Phase, Healthy)
	expect(t, "stable service", s.picks("stable"), s.hash("web:1"))
	s.image("web:2")
	s.settle(60)
	two := s.hash("web:2")
	expect(t, "message", s.status().Message, "more replicas need to be updated")
	expect(t, "weight", s.traffic.Weights.Canary.Weight, 25)
	expect(t, "stable weight", s.traffic.Weights.Stable.Weight, 75)
	expect(t, "canary service", s.picks("canary"), two)
	expect(t, "stable pods", s.counts("web:1"), "4/4")
	expect(t, "canary pods", s.counts("web:2"), "1/1")
	if len(s.w.Runs) != 1 {
		t.Fatalf("%d runs, want 1", len(s.w.Runs))
	}
	run := s.w.Runs[0]
	expect(t, "run", run.Name, "web-"+two+"-2-1")
	expect(t, "label", run.Labels[StepIndexLabel], "1")
	expect(t, "type", run.Labels[TypeLabel], "Step")
	expect(t, "argument", *run.Spec.Args[0].Value, two)
	expect(t, "in status", s.status().Canary.CurrentStepAnalysisRunStatus.Name, run.Name)
	s.verdict(analysis.Failed, "rate is bad")
	s.decide()
	expect(t, "abort", s.status().Abort, true)
	s.decide()
	expect(t, "weight after abort", s.traffic.Weights.Canary.Weight, 0)
	expect(t, "canary service after abort", s.picks("canary"), s.hash("web:1"))
	s.settle(60)
	expect(t, "message", s.status().Message, `RolloutAborted: Rollout aborted update to revision 2: rate is bad`)
	expect(t, "canary pods wait for their delay", s.counts("web:2"), "1/1")
	s.tick(31*time.Second, 0)
	s.settle(60)
	expect(t, "canary pods", s.counts("web:2"), "0/0")
}
