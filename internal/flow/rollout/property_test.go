package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// drawSpec draws a rollout's spec: both strategies, with and without a router, with steps of most kinds.
func drawSpec(t *rapid.T) string {
	replicas := rapid.IntRange(1, 8).Draw(t, "replicas")
	head := fmt.Sprintf("replicas: %d\nstrategy:\n", replicas)
	kind := rapid.SampledFrom([]string{"basic", "routed", "dynamic", "blueGreen"}).Draw(t, "kind")
	if kind == "blueGreen" {
		extra := rapid.SampledFrom([]string{
			"", "autoPromotionEnabled: false", "autoPromotionSeconds: 20", "autoPromotionEnabled: false, previewReplicaCount: 1",
			"prePromotionAnalysis: {templates: [{templateName: rate}]}", "postPromotionAnalysis: {templates: [{templateName: rate}]}",
			"abortScaleDownDelaySeconds: 0", "scaleDownDelaySeconds: 5, scaleDownDelayRevisionLimit: 1",
		}).Draw(t, "extra")
		return head + "  blueGreen: {activeService: active, previewService: preview, " + extra + "}\n"
	}
	steps := rapid.SliceOfN(rapid.SampledFrom(stepsOf(kind)), 0, 5).Draw(t, "steps")
	limits := rapid.SampledFrom([]string{
		"", "maxSurge: 1, maxUnavailable: 0, ", "maxSurge: 0, maxUnavailable: 1, ", "maxSurge: 100%, maxUnavailable: 0, ", "maxSurge: 50%, maxUnavailable: 50%, ",
	}).Draw(t, "limits")
	router := ""
	if kind != "basic" {
		router = "canaryService: canary, stableService: stable, trafficRouting: {plugins: {argoproj-labs/gatewayAPI: {httpRoute: web}}, managedRoutes: [{name: h}]}, "
	}
	if kind == "dynamic" {
		router += "dynamicStableScale: true, "
	}
	return head + "  canary: {" + limits + router + "steps: [" + strings.Join(steps, ", ") + "]}\n"
}

func stepsOf(kind string) []string {
	out := []string{
		"{setWeight: 10}", "{setWeight: 40}", "{setWeight: 75}", "{setWeight: 100}", "{pause: {}}", "{pause: {duration: 20}}",
		"{analysis: {templates: [{templateName: rate}]}}",
	}
	if kind != "basic" {
		out = append(out, "{setCanaryScale: {replicas: 2}}", "{setCanaryScale: {matchTrafficWeight: true}}",
			"{setHeaderRoute: {name: h, match: [{headerName: X, headerValue: {exact: a}}]}}")
	}
	return out
}

func withRate(s *sim) *sim {
	spec, err := analysis.DecodeTemplate(read(s.t, `{spec: {metrics: [{name: rate, provider: {web: {url: "http://x"}}}]}}`))
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	s.w.Templates[analysis.TemplateRef{TemplateName: "rate"}] = spec
	return s
}

// checked makes one decision and looks that it breaks no promise.
func (s *sim) checked() {
	s.t.Helper()
	before := s.w // as it is now: carrying out a decision replaces entries
	before.ReplicaSets, before.Services = slices.Clone(s.w.ReplicaSets), maps.Clone(s.w.Services)
	_, unavailable := before.Rollout.Spec.limits()
	promised := before.Rollout.Spec.replicas() - unavailable
	d := s.decide()
	if spec := before.Rollout.Spec; spec.Strategy.Canary != nil && !spec.routed() {
		was, is := usable(before), usable(s.w)
		if is < was && is < promised {
			s.t.Fatalf("usable pods go from %d to %d, %d are promised\n%s", was, is, promised, s.story())
		}
	}
	s.checkTraffic(before, d)
	s.checkServices(before, d)
	if i := s.status().CurrentStepIndex; i != nil && (*i < 0 || int(*i) > len(s.w.Rollout.Spec.steps())) {
		s.t.Fatalf("step %d of %d", *i, len(s.w.Rollout.Spec.steps()))
	}
}

func (s *sim) story() string {
	return fmt.Sprintf("%s\n%s\n%s", s.w.Rollout.Object.Sub("spec").JSON(), strings.Join(sizes(s.w), "\n"), strings.Join(s.events[max(0, len(s.events)-12):], "\n"))
}

// usable counts the available pods that are still wanted.
func usable(w World) int32 {
	n := int32(0)
	for _, o := range w.ReplicaSets {
		s := readSet(o)
		n += min(s.available, s.replicas)
	}
	return n
}

func setOf(w World, hash string) *set {
	for _, o := range w.ReplicaSets {
		if s := readSet(o); s.hash == hash {
			return s
		}
	}
	return nil
}

// checkTraffic looks at every weight that is asked for, and that no set is taken below the traffic that it has.
func (s *sim) checkTraffic(before World, d Decision) {
	for _, a := range d.Actions {
		r, ok := a.(Route)
		if !ok {
			continue
		}
		w := r.Traffic.Weights
		if w.Canary.Weight < 0 || w.Stable.Weight < 0 || w.Canary.Weight+w.Stable.Weight != 100 {
			s.t.Fatalf("weights %d and %d", w.Canary.Weight, w.Stable.Weight)
		}
		if c := setOf(before, r.Traffic.CanaryHash); w.Canary.Weight > 0 && !c.some() {
			s.t.Fatalf("weight %d for a canary without pods\n%s", w.Canary.Weight, s.story())
		}
	}
	if s.traffic == nil || s.traffic.StableHash == "" {
		return
	}
	w := s.traffic.Weights.Stable.Weight
	if is := setOf(s.w, s.traffic.StableHash); w > 0 && (is == nil || is.replicas < w*s.w.Rollout.Spec.replicas()/100) {
		if was := setOf(before, s.traffic.StableHash); is == nil || was.replicas > is.replicas {
			s.t.Fatalf("the stable set is taken to less than its weight %d: %+v\n%s", w, is, s.story())
		}
	}
}

// checkServices looks at every switch of a Service: there must be a pod behind it, and all of them where all requests go there.
func (s *sim) checkServices(before World, d Decision) {
	for _, a := range d.Actions {
		sel, ok := a.(Select)
		if !ok || sel.Service == "preview" {
			continue
		}
		to := setOf(before, sel.Hash)
		if !to.some() {
			s.t.Fatalf("%s is pointed at nothing\n%s", sel.Service, s.story())
		}
		if sel.Service == "active" && !before.Rollout.Status.Abort && to.available < before.Rollout.Spec.replicas() {
			s.t.Fatalf("active is pointed at %d pods\n%s", to.available, s.story())
		}
	}
	if hash := s.picks2("active"); hash != "" {
		if is, was := setOf(s.w, hash), setOf(before, hash); is == nil || is.replicas < s.w.Rollout.Spec.replicas() && was.replicas > is.replicas {
			s.t.Fatalf("the active set shrinks: %+v\n%s", is, s.story())
		}
	}
}

func (s *sim) picks2(service string) string {
	if s.w.Services[service] == nil {
		return ""
	}
	return s.picks(service)
}

// run decides and ticks n times.
func (s *sim) run(n int, pace int64) {
	for range n {
		s.checked()
		s.tick(time.Second, pace)
	}
}

// heal lets everything go well until the rollout is healthy.
func (s *sim) heal(t *rapid.T) {
	t.Helper()
	s.broken = map[string]bool{}
	s.change(false, "paused")
	for range 300 {
		s.checked()
		s.tick(3*time.Second, 3)
		s.verdict(analysis.Successful, "")
		if s.status().Abort {
			s.patch(Retry())
		}
		if s.status().Phase == Paused {
			for _, p := range Promote(s.w.Rollout, false) {
				s.patch(p)
			}
		}
		if s.status().Phase == Healthy && s.moves == 0 {
			return
		}
	}
	t.Fatalf("never healthy: %s %s, step %v\n%s\n%+v", s.status().Phase, s.status().Message, or(s.status().CurrentStepIndex, -1), s.story(), s.status())
}

func TestPromisesHoldWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := withRate(newSim(t, drawSpec(t)))
		s.run(30, 3)
		images := []string{"web:1", "web:2", "web:3", "web:bad"}
		s.broken["web:bad"] = true
		for range rapid.IntRange(1, 8).Draw(t, "turns") {
			switch rapid.SampledFrom([]string{"image", "image", "abort", "retry", "promote", "full", "scale", "good", "bad", "unclear", "pause", "resume", "wait", "crash"}).Draw(t, "turn") {
			case "image":
				s.image(rapid.SampledFrom(images).Draw(t, "image"))
			case "abort":
				s.patch(Abort())
			case "retry":
				s.patch(Retry())
			case "promote":
				for _, p := range Promote(s.w.Rollout, false) {
					s.patch(p)
				}
			case "full":
				for _, p := range Promote(s.w.Rollout, true) {
					s.patch(p)
				}
			case "scale":
				s.change(int64(rapid.IntRange(1, 8).Draw(t, "to")), "replicas")
			case "good":
				s.verdict(analysis.Successful, "")
			case "bad":
				s.verdict(analysis.Failed, "bad")
			case "unclear":
				s.verdict(analysis.Inconclusive, "")
			case "pause":
				s.change(true, "paused")
			case "resume":
				s.change(false, "paused")
			case "crash":
				s.broken[rapid.SampledFrom(images).Draw(t, "crashes")] = true
			case "wait":
				s.tick(40*time.Second, 1)
			}
			s.run(rapid.IntRange(0, 12).Draw(t, "decisions"), int64(rapid.IntRange(0, 3).Draw(t, "pace")))
		}
		s.heal(t)
		last := s.w.Rollout.Object.List("spec", "template", "spec", "containers")[0].(map[string]any)["image"].(string)
		if s.status().StableRS != s.hash(last) || s.status().StableRS == "" {
			t.Fatalf("healthy with stable %s, want %s", s.status().StableRS, s.hash(last))
		}
		if s.traffic != nil && s.w.Rollout.Spec.routed() && s.traffic.Weights.Stable.Weight != 100 {
			t.Fatalf("healthy with weight %d for stable", s.traffic.Weights.Stable.Weight)
		}
	})
}

func TestAbortGoesBackFromAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := withRate(newSim(t, drawSpec(t)))
		s.heal(t)
		stable := s.status().StableRS
		s.image("web:2")
		s.run(rapid.IntRange(1, 25).Draw(t, "decisions"), int64(rapid.IntRange(0, 3).Draw(t, "pace")))
		if rapid.Bool().Draw(t, "with a full promotion under way") {
			for _, p := range Promote(s.w.Rollout, true) {
				s.patch(p)
			}
			s.run(rapid.IntRange(0, 3).Draw(t, "more"), 1)
		}
		if s.status().StableRS != stable {
			return // the update was over
		}
		s.patch(Abort())
		s.run(1, 0)
		if s.status().StableRS != stable {
			t.Fatalf("an abort ends in the new version\n%s", s.story())
		}
		s.run(60, 2)
		if m := s.status().Message; s.status().Phase != Degraded || !strings.HasPrefix(m, "RolloutAborted: ") {
			t.Fatalf("%s %s\n%s", s.status().Phase, m, s.story())
		}
		if s.traffic != nil && s.w.Rollout.Spec.routed() && (s.traffic.Weights.Canary.Weight != 0 || s.traffic.StableHash != stable) {
			t.Fatalf("traffic %+v after an abort", s.traffic)
		}
		if hash := s.picks2("active"); hash != "" && hash != stable {
			t.Fatalf("active picks %s, want %s", hash, stable)
		}
		if back := setOf(s.w, stable); back.available != s.w.Rollout.Spec.replicas() {
			t.Fatalf("%d stable pods", back.available)
		}
	})
}

func TestNewRevisionStartsAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := withRate(newSim(t, drawSpec(t)))
		s.heal(t)
		stable := s.status().StableRS
		s.image("web:2")
		s.run(rapid.IntRange(0, 20).Draw(t, "decisions"), 2)
		if s.status().StableRS != stable {
			return
		}
		back := rapid.Bool().Draw(t, "back")
		s.image(map[bool]string{true: "web:1", false: "web:3"}[back])
		s.run(1, 0)
		steps := len(s.w.Rollout.Spec.steps())
		want := 0
		if back {
			want = steps
		}
		if i := s.status().CurrentStepIndex; steps > 0 && int(*i) != want {
			t.Fatalf("step %d, want %d", *i, want)
		}
		if n := len(s.status().PauseConditions); n > 0 || s.status().Abort {
			t.Fatalf("pauses %v, abort %v", s.status().PauseConditions, s.status().Abort)
		}
		s.heal(t)
	})
}

func TestDecisionsDoNotChangeTheWorldTheyRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := withRate(newSim(t, drawSpec(t)))
		s.run(rapid.IntRange(0, 20).Draw(t, "before"), 2)
		s.image("web:2")
		s.run(rapid.IntRange(0, 20).Draw(t, "after"), 2)
		text := func() string {
			objects := append(slices.Clone(s.w.ReplicaSets), s.w.Rollout.Object)
			for _, k := range s.w.Rollout.Spec.Services() {
				objects = append(objects, s.w.Services[k])
			}
			status, err := manifest.From(s.w.Rollout.Status)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, o := range append(objects, status) {
				out = append(out, string(o.JSON()))
			}
			return strings.Join(out, "\n")
		}
		before := text()
		a, b := Next(s.w), Next(s.w)
		if text() != before {
			t.Fatalf("the world changed:\n%s\n%s", before, text())
		}
		if len(a.Actions) != len(b.Actions) || fmt.Sprint(a.Actions) != fmt.Sprint(b.Actions) && s.traffic == nil {
			t.Fatalf("two decisions on one world differ:\n%v\n%v", a.Actions, b.Actions)
		}
	})
}
