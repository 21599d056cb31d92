package rollout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func TestRollbackWithinTheWindowSkipsSteps(t *testing.T) {
	s := newSim(t, pausing+"\nrollbackWindow: {revisions: 2}")
	s.settle(60)
	s.tick(time.Minute, 0)
	s.image("web:2")
	s.settle(60)
	for _, p := range Promote(s.w.Rollout, true) {
		s.patch(p)
	}
	s.settle(60)
	expect(t, "phase", s.status().Phase, Healthy)
	s.image("web:1")
	s.settle(60)
	expect(t, "phase", s.status().Phase, Healthy)
	expect(t, "stable", s.status().StableRS, s.hash("web:1"))
	expect(t, "event", strings.Contains(strings.Join(s.events, "\n"), "Rollback within window"), true)
}

func TestReturnToStableSkipsSteps(t *testing.T) {
	s := newSim(t, pausing)
	s.settle(60)
	s.image("web:2")
	s.settle(60)
	s.image("web:1")
	s.settle(60)
	expect(t, "phase", s.status().Phase, Healthy)
	expect(t, "event", slices.Contains(s.events, "SkipSteps: Rollback to stable ReplicaSets"), true)
	expect(t, "canary", s.counts("web:2"), "0/0")
}

func TestBackgroundAnalysisStartsAtItsStep(t *testing.T) {
	s := withRate(newSim(t, `
replicas: 2
strategy:
  canary:
    analysis: {startingStep: 2, templates: [{templateName: rate}], analysisRunMetadata: {labels: {team: a}}}
    steps: [{setWeight: 10}, {pause: {}}, {setWeight: 50}, {pause: {}}]
`))
	s.settle(60)
	s.image("web:2")
	s.settle(60)
	expect(t, "runs before", len(s.w.Runs), 0)
	for _, p := range Promote(s.w.Rollout, false) {
		s.patch(p)
	}
	s.settle(60)
	expect(t, "run", s.w.Runs[0].Name, "web-"+s.hash("web:2")+"-2")
	expect(t, "type", s.w.Runs[0].Labels[TypeLabel], "Background")
	expect(t, "label", s.w.Runs[0].Labels["team"]+s.w.Runs[0].Labels["app"], "aweb")
	s.verdict(analysis.Error, "no answer")
	s.settle(60)
	expect(t, "message", s.status().Message, "RolloutAborted: Rollout aborted update to revision 2: no answer")
}

func TestProgressDeadline(t *testing.T) {
	for _, aborts := range []bool{false, true} {
		s := newSim(t, fmt.Sprintf("replicas: 2\nprogressDeadlineSeconds: 60\nprogressDeadlineAbort: %t\nstrategy: {canary: {steps: [{setWeight: 50}]}}", aborts))
		s.settle(60)
		s.broken["web:2"] = true
		s.image("web:2")
		s.settle(60)
		if s.after <= 0 || s.after > 62*time.Second {
			t.Fatalf("looked at again after %s", s.after)
		}
		s.tick(62*time.Second, 0)
		s.settle(60)
		name := "web-" + s.hash("web:2")
		expect(t, "abort", s.status().Abort, aborts)
		if aborts {
			expect(t, "message", s.status().Message, "RolloutAborted: Rollout aborted update to revision 2")
			expect(t, "stable", s.counts("web:1"), "2/2")
		} else {
			expect(t, "message", s.status().Message, `ProgressDeadlineExceeded: ReplicaSet "`+name+`" has timed out progressing.`)
		}
		expect(t, "phase", s.status().Phase, Degraded)
	}
}

func TestInvalidSpecIsToldAndMended(t *testing.T) {
	s := newSim(t, "replicas: 1\nstrategy: {canary: {steps: [{setWeight: 150}]}}")
	d := s.decide()
	expect(t, "phase", d.Status.Phase, Degraded)
	expect(t, "message", d.Status.Message, `InvalidSpec: The Rollout "web" is invalid: spec.strategy.steps[0].setWeight: Invalid value: 150: SetWeight needs to be between 0 and 100`)
	expect(t, "again", d.After, lookAgain)
	s.change([]any{map[string]any{"setWeight": int64(50)}}, "strategy", "canary", "steps")
	s.settle(60)
	expect(t, "phase", s.status().Phase, Healthy)
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	s := newSim(t, routed)
	d := s.decide()
	expect(t, "message", d.Status.Message, `InvalidSpec: The Rollout "web" is invalid: spec.strategy.canary.steps[1].analysis.templates: Invalid value: "rate": AnalysisTemplate 'rate' not found`)
	withTemplate(s)
	delete(s.w.Services, "canary")
	expect(t, "message", s.decide().Status.Message, `InvalidSpec: The Rollout "web" is invalid: spec.strategy.canary.canaryService: Invalid value: "canary": service "canary" not found`)
	s = newSim(t, "strategy: {canary: {steps: [{plugin: {name: acme/x}}]}}")
	if m := s.decide().Status.Message; !strings.Contains(m, `step plugin "acme/x" is not supported`) {
		t.Error(m)
	}
}

func TestWorkloadRef(t *testing.T) {
	s := newSim(t, "replicas: 2\nworkloadRef: {apiVersion: apps/v1, kind: Deployment, name: web, scaleDown: onsuccess}\nstrategy: {canary: {}}")
	o := s.w.Rollout.Object.Copy()
	o.Drop("spec", "template")
	o.Drop("spec", "selector")
	s.load(o)
	s.w.Workload = read(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, generation: 4}, spec: {replicas: 2, selector: {matchLabels: {app: web}},
		template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "web:1"}]}}}}`)
	s.settle(60)
	expect(t, "phase", s.status().Phase, Healthy)
	expect(t, "generation", s.w.Rollout.Object.Annotation(WorkloadAnnotation), "4")
	expect(t, "observed", s.status().WorkloadObservedGeneration, "4")
	expect(t, "deployment", s.w.Workload.Int(-1, "spec", "replicas"), 0)
}

func TestRestartEvictsOneAfterTheOther(t *testing.T) {
	s := newSim(t, "replicas: 3\nstrategy: {canary: {maxSurge: 1, maxUnavailable: 0}}")
	s.settle(60)
	pod := func(i int) manifest.Object {
		return read(t, fmt.Sprintf(`{metadata: {name: p%d, creationTimestamp: %q, ownerReferences: [{uid: %s, controller: true}]},
			status: {conditions: [{type: Ready, status: "True", lastTransitionTime: %q}]}}`, i, s.w.Now.Format(time.RFC3339), s.w.ReplicaSets[0].UID(), s.w.Now.Format(time.RFC3339)))
	}
	s.w.Pods = []manifest.Object{pod(1), pod(2), pod(3)}
	s.tick(time.Minute, 0)
	s.patch(Restart(s.w.Now))
	expect(t, "reads pods", s.w.Rollout.NeedsPods(), true)
	s.tick(time.Second, 0)
	for i := 4; i < 7; i++ {
		before := len(s.w.Pods)
		s.decide()
		expect(t, "evicted", before-len(s.w.Pods), 1)
		expect(t, "message", s.status().Message, "rollout is restarting")
		s.decide()
		expect(t, "waits for the new pod", len(s.w.Pods), 2)
		s.tick(time.Second, 0)
		s.w.Pods = append(s.w.Pods, pod(i))
	}
	s.settle(20)
	expect(t, "phase", s.status().Phase, Healthy)
	if !s.w.Rollout.Spec.RestartAt.Equal(s.status().RestartedAt) {
		t.Error("restartedAt is not restartAt")
	}
}

func TestEphemeralMetadata(t *testing.T) {
	s := newSim(t, `
replicas: 2
strategy:
  canary:
    canaryMetadata: {labels: {role: canary}, annotations: {note: new}}
    stableMetadata: {labels: {role: stable}}
    steps: [{setWeight: 50}, {pause: {}}]
`)
	label := func(image string) string {
		for _, o := range s.w.ReplicaSets {
			if readSet(o).hash == s.hash(image) {
				return o.Text("spec", "template", "metadata", "labels", "role")
			}
		}
		return ""
	}
	s.settle(60)
	expect(t, "first", label("web:1"), "stable")
	s.image("web:2")
	s.settle(60)
	expect(t, "canary", label("web:2"), "canary")
	expect(t, "stable", label("web:1"), "stable")
	two := setOf(s.w, s.hash("web:2"))
	s.w.Pods = []manifest.Object{read(t, fmt.Sprintf(`{metadata: {name: p, labels: {role: canary}, annotations: {note: new}, ownerReferences: [{uid: %s, controller: true}]}}`, two.object.UID()))}
	for _, p := range Promote(s.w.Rollout, false) {
		s.patch(p)
	}
	s.settle(60)
	expect(t, "promoted", label("web:2"), "stable")
	expect(t, "old", label("web:1"), "")
	expect(t, "pod", s.w.Pods[0].Labels()["role"], "stable")
	expect(t, "note of the pod", s.w.Pods[0].Annotation("note"), "")
	expect(t, "hash", s.hash("web:2"), two.hash)
}

func TestAntiAffinity(t *testing.T) {
	s := newSim(t, "replicas: 2\nstrategy: {canary: {antiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {}}, steps: [{setWeight: 50}, {pause: {}}]}}")
	s.settle(60)
	s.image("web:2")
	s.settle(60)
	two := setOf(s.w, s.hash("web:2")).object.Sub("spec", "template")
	expect(t, "keeps away from", repelled(two), s.hash("web:1"))
	expect(t, "found without it", equal(bare(two), s.w.Rollout.Spec.Template), true)
}

func TestExperimentStep(t *testing.T) {
	s := withRate(newSim(t, `
replicas: 2
strategy:
  canary:
    canaryService: canary
    stableService: stable
    trafficRouting: {plugins: {argoproj-labs/gatewayAPI: {httpRoute: web}}}
    steps:
    - experiment:
        duration: 1m
        templates: [{name: base, specRef: stable, weight: 10}, {name: new, specRef: canary, weight: 10, metadata: {labels: {x: z}}}]
        analyses: [{name: rate, templateName: rate, args: [{name: h, valueFrom: {podTemplateHashValue: Stable}}]}]
    - pause: {}
`))
	s.settle(60)
	s.image("web:2")
	s.settle(60)
	two := s.hash("web:2")
	if len(s.w.Experiments) != 1 {
		t.Fatalf("%d experiments", len(s.w.Experiments))
	}
	e := s.w.Experiments[0]
	expect(t, "name", e.Name(), "web-"+two+"-2-0")
	expect(t, "current", s.status().Canary.CurrentExperiment, e.Name())
	expect(t, "argument", manifest.Object(e.List("spec", "analyses")[0].(map[string]any)).List("args")[0].(map[string]any)["value"], any(s.hash("web:1")))
	e.Set("Running", "status", "phase")
	e.Set([]any{map[string]any{"name": "base", "serviceName": "b", "podTemplateHash": "h1"}, map[string]any{"name": "new", "serviceName": "n", "podTemplateHash": "h2"}}, "status", "templateStatuses")
	s.settle(60)
	expect(t, "stable's weight", s.traffic.Weights.Stable.Weight, 80)
	expect(t, "experiment's", len(s.traffic.Weights.Additional), 2)
	e.Set("Successful", "status", "phase")
	s.settle(60)
	expect(t, "step", *s.status().CurrentStepIndex, 1)
	expect(t, "stable's weight after", s.traffic.Weights.Stable.Weight, 100)
}

func TestCollisionRaisesTheCount(t *testing.T) {
	s := newSim(t, "replicas: 1\nstrategy: {canary: {}}")
	hash, err := Hash(s.w.Rollout.Spec.Template, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.w.Occupied = []string{"web-" + hash}
	s.settle(60)
	expect(t, "count", or(s.status().CollisionCount, 0), 1)
	expect(t, "phase", s.status().Phase, Healthy)
	if s.status().StableRS == hash {
		t.Error("the taken hash is used")
	}
}

func TestAdoptedRolloutGetsNoNewReplicaSet(t *testing.T) {
	s := newSim(t, pausing)
	s.settle(60)
	// The set of another release with another hash, defaults filled in by the API server, and no owner any more.
	o := s.w.ReplicaSets[0].Copy()
	o.Set("web-other", "metadata", "name")
	o.Set("other", "metadata", "labels", HashLabel)
	o.Set("other", "spec", "template", "metadata", "labels", HashLabel)
	o.Set("ClusterFirst", "spec", "template", "spec", "dnsPolicy")
	o.Drop("metadata", "ownerReferences")
	s.w.ReplicaSets = []manifest.Object{o}
	s.w.Rollout.Object.Set(map[string]any{}, "status")
	s.load(s.w.Rollout.Object)
	s.settle(60)
	expect(t, "sets", len(s.w.ReplicaSets), 1)
	expect(t, "stable", s.status().StableRS, "other")
	expect(t, "adopted", s.w.controls(s.w.ReplicaSets[0]), true)
}

func TestPatchesAreThePlugins(t *testing.T) {
	at := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	step := int32(1)
	r := Rollout{Spec: Spec{Paused: true, Strategy: Strategy{Canary: &Canary{Steps: make([]Step, 3)}}}, Status: Status{StableRS: "a", CurrentPodHash: "b", CurrentStepIndex: &step}}
	paused := r
	paused.Status.PauseConditions = []PauseCondition{{Reason: PauseStep}}
	unclear := paused
	unclear.Status.ControllerPause = true
	unclear.Status.Canary.CurrentStepAnalysisRunStatus = &RunStatus{Status: analysis.Inconclusive}
	skip, err := SkipStep(r, false)
	if err != nil {
		t.Fatal(err)
	}
	all, err := SkipStep(r, true)
	if err != nil {
		t.Fatal(err)
	}
	join := func(ps ...manifest.Patch) string {
		var out []string
		for _, p := range ps {
			out = append(out, p.Sub+" "+string(p.Data))
		}
		return strings.Join(out, " | ")
	}
	for _, c := range []struct{ got, want string }{
		{join(Promote(r, false)...), `status {"status":{"pauseConditions":null, "currentStepIndex":2}} |  {"spec":{"paused":false}}`},
		{join(Promote(paused, false)...), `status {"status":{"pauseConditions":null}} |  {"spec":{"paused":false}}`},
		{join(Promote(unclear, false)...), `status {"status":{"pauseConditions":null, "controllerPause":false, "currentStepIndex":2}} |  {"spec":{"paused":false}}`},
		{join(Promote(r, true)...), `status {"status":{"promoteFull":true}}`},
		{join(skip), `status {"status":{"currentStepIndex":2}}`},
		{join(all), `status {"status":{"currentStepIndex":3}}`},
		{join(Abort()), `status {"status":{"abort":true}}`},
		{join(Retry()), `status {"status":{"abort":false}}`},
		{join(Hold()), ` {"spec":{"paused":true}}`},
		{join(Restart(at)), " {\n\t\"spec\": {\n\t\t\"restartAt\": \"2026-05-06T07:08:09Z\"\n\t}\n}"},
	} {
		expect(t, "patch", c.got, c.want)
	}
	if _, err := SkipStep(Rollout{Spec: Spec{Strategy: Strategy{BlueGreen: &BlueGreen{}}}}, false); err != ErrSkipBlueGreen {
		t.Error(err)
	}
}

func TestUndoAndSetImage(t *testing.T) {
	s := newSim(t, "replicas: 1\nstrategy: {canary: {}}")
	s.settle(60)
	s.image("web:2")
	s.settle(60)
	key, p, err := Undo(s.w, 0)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "target", key.Kind, "Rollout")
	expect(t, "patch", string(p.Data), `[{"op":"replace","path":"/spec/template","value":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"image":"web:1","name":"web"}]}}}]`)
	if _, p, err := Undo(s.w, 2); p != nil || err != nil {
		t.Errorf("undo to the current revision: %v, %v", p, err)
	}
	_, _, err = Undo(s.w, 9)
	expect(t, "error", fmt.Sprint(err), "unable to find specified revision 9 in history")
	o, err := SetImage(s.w.Rollout.Object, "web", "web:9")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "image", fmt.Sprint(o.List("spec", "template", "spec", "containers")[0]), "map[image:web:9 name:web]")
	_, err = SetImage(s.w.Rollout.Object, "nope", "x")
	expect(t, "error", fmt.Sprint(err), `unable to find container named "nope"`)
}

func TestTimesAreWholeSeconds(t *testing.T) {
	s := newSim(t, pausing)
	s.w.Now = s.w.Now.Add(123456 * time.Microsecond)
	s.settle(60)
	s.image("web:2")
	s.settle(60)
	for _, c := range s.status().Conditions {
		if c.LastUpdateTime.Nanosecond() != 0 || c.LastTransitionTime.Nanosecond() != 0 {
			t.Errorf("%s: %s %s", c.Type, c.LastUpdateTime, c.LastTransitionTime)
		}
	}
	var _ metav1.Time
}
