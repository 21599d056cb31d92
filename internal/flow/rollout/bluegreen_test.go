package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
)

func blue(t *testing.T, extra string) *sim {
	t.Helper()
	s := withRate(newSim(t, "replicas: 3\nstrategy: {blueGreen: {activeService: active, previewService: preview, "+extra+"}}"))
	s.settle(60)
	expect(t, "phase", s.status().Phase, Healthy)
	expect(t, "active", s.picks("active"), s.hash("web:1"))
	return s
}

func TestBlueGreenSwitchesByItself(t *testing.T) {
	s := blue(t, "")
	s.image("web:2")
	s.settle(60)
	one, two := s.hash("web:1"), s.hash("web:2")
	expect(t, "phase", s.status().Phase, Healthy)
	expect(t, "active", s.picks("active"), two)
	expect(t, "preview", s.picks("preview"), two)
	expect(t, "active selector", s.status().BlueGreen.ActiveSelector, two)
	expect(t, "selector", s.status().Selector, "app=web,rollouts-pod-template-hash="+two)
	expect(t, "old pods stay for their delay", s.counts("web:1"), "3/3")
	if note := setOf(s.w, one).annotations[DeadlineAnnotation]; note == "" {
		t.Error("the old set has no scale-down-deadline")
	}
	expect(t, "event", strings.Contains(strings.Join(s.events, "\n"), "SwitchService: Switched selector for service 'active' from '"+one+"' to '"+two+"'"), true)
	s.tick(31*time.Second, 0)
	s.settle(60)
	expect(t, "old pods", s.counts("web:1"), "0/0")
	expect(t, "deadline", setOf(s.w, one).annotations[DeadlineAnnotation], "")
}

func TestBlueGreenWaitsForAPerson(t *testing.T) {
	s := blue(t, "autoPromotionEnabled: false")
	s.image("web:2")
	s.settle(60)
	expect(t, "phase", s.status().Phase, Paused)
	expect(t, "message", s.status().Message, PauseBlueGreen)
	expect(t, "active", s.picks("active"), s.hash("web:1"))
	for _, p := range Promote(s.w.Rollout, false) {
		s.patch(p)
	}
	s.settle(60)
	expect(t, "active", s.picks("active"), s.hash("web:2"))
	expect(t, "phase", s.status().Phase, Healthy)
}

func TestBlueGreenPromotesAfterSeconds(t *testing.T) {
	for _, promoted := range []bool{false, true} {
		s := blue(t, "autoPromotionSeconds: 60")
		s.image("web:2")
		s.settle(60)
		expect(t, "message", s.status().Message, PauseBlueGreen)
		if s.after <= 40*time.Second || s.after > 61*time.Second {
			t.Errorf("looked at again after %s", s.after)
		}
		if promoted {
			for _, p := range Promote(s.w.Rollout, false) {
				s.patch(p)
			}
		} else {
			s.tick(61*time.Second, 0)
		}
		s.settle(60)
		expect(t, "active", s.picks("active"), s.hash("web:2"))
	}
}

func TestPreviewHasItsOwnNumberOfPods(t *testing.T) {
	s := blue(t, "autoPromotionEnabled: false, previewReplicaCount: 1")
	s.image("web:2")
	s.settle(60)
	expect(t, "preview pods", s.counts("web:2"), "1/1")
	expect(t, "message", s.status().Message, PauseBlueGreen)
	for _, p := range Promote(s.w.Rollout, false) {
		s.patch(p)
	}
	s.decide()
	expect(t, "checkpoint", s.status().BlueGreen.ScaleUpPreviewCheckPoint, true)
	s.settle(60)
	expect(t, "pods", s.counts("web:2"), "3/3")
	expect(t, "active", s.picks("active"), s.hash("web:2"))
	expect(t, "checkpoint after", s.status().BlueGreen.ScaleUpPreviewCheckPoint, false)
}

func TestAnalysisBeforeTheSwitch(t *testing.T) {
	s := blue(t, "prePromotionAnalysis: {templates: [{templateName: rate}]}")
	s.image("web:2")
	s.settle(60)
	two := s.hash("web:2")
	expect(t, "run", s.w.Runs[0].Name, "web-"+two+"-2-pre")
	expect(t, "type", s.w.Runs[0].Labels[TypeLabel], "PrePromotion")
	expect(t, "active", s.picks("active"), s.hash("web:1"))
	s.verdict(analysis.Failed, "too slow")
	s.settle(60)
	expect(t, "message", s.status().Message, "RolloutAborted: Rollout aborted update to revision 2: too slow")
	expect(t, "active", s.picks("active"), s.hash("web:1"))
	s.patch(Retry())
	s.settle(60)
	expect(t, "second run", s.w.Runs[1].Name, "web-"+two+"-2-pre.1")
	s.verdict(analysis.Successful, "")
	s.settle(60)
	expect(t, "active", s.picks("active"), two)
	expect(t, "phase", s.status().Phase, Healthy)
}

func TestAnalysisAfterTheSwitch(t *testing.T) {
	s := blue(t, "postPromotionAnalysis: {templates: [{templateName: rate}]}")
	s.image("web:2")
	s.settle(60)
	one, two := s.hash("web:1"), s.hash("web:2")
	expect(t, "run", s.w.Runs[0].Name, "web-"+two+"-2-post")
	expect(t, "active", s.picks("active"), two)
	expect(t, "stable", s.status().StableRS, one)
	expect(t, "message", s.status().Message, "waiting for analysis to complete")
	expect(t, "old pods", s.counts("web:1"), "3/3")

	// A third version while the second one is active and not yet stable: the second keeps its pods.
	s.image("web:3")
	s.run(30, 3)
	if active := setOf(s.w, two); s.picks("active") == two && active.replicas != 3 {
		t.Errorf("the active set has %d pods", active.replicas)
	}
	s.image("web:2")
	s.run(30, 3)
	s.verdict(analysis.Failed, "errors")
	s.settle(60)
	expect(t, "active", s.picks("active"), one)
	expect(t, "phase", s.status().Phase, Degraded)
}

func TestUnclearAnalysisPausesAndIsTriedAgain(t *testing.T) {
	s := blue(t, "prePromotionAnalysis: {templates: [{templateName: rate}]}")
	s.image("web:2")
	s.settle(60)
	s.verdict(analysis.Inconclusive, "")
	s.settle(60)
	expect(t, "message", s.status().Message, PauseInconclusive)
	for _, p := range Promote(s.w.Rollout, false) {
		s.patch(p)
	}
	s.settle(60)
	expect(t, "runs", len(s.w.Runs), 2)
	s.verdict(analysis.Successful, "")
	s.settle(60)
	expect(t, "phase", s.status().Phase, Healthy)
}

func TestGoingBackWithinTheDelayIsFast(t *testing.T) {
	s := blue(t, "autoPromotionEnabled: false")
	s.image("web:2")
	s.settle(60)
	for _, p := range Promote(s.w.Rollout, false) {
		s.patch(p)
	}
	s.settle(60)
	s.image("web:1")
	s.settle(60)
	expect(t, "active", s.picks("active"), s.hash("web:1"))
	expect(t, "phase", s.status().Phase, Healthy)
	expect(t, "revision", s.w.Rollout.Object.Annotation(RevisionAnnotation), "3")
	expect(t, "history", setOf(s.w, s.hash("web:1")).annotations[HistoryAnnotation], "1")
}

func TestOldSetsBeyondTheLimitGo(t *testing.T) {
	s := blue(t, "scaleDownDelaySeconds: 3600, scaleDownDelayRevisionLimit: 1")
	s.change(int64(1), "revisionHistoryLimit")
	for _, image := range []string{"web:2", "web:3", "web:4"} {
		s.image(image)
		s.settle(60)
	}
	expect(t, "kept for its delay", s.counts("web:3"), "3/3")
	expect(t, "beyond the limits", s.counts("web:2")+s.counts("web:1"), "")
}
