package applicationset_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func TestOrderIsRead(t *testing.T) {
	for annotations, want := range map[string]string{
		`sluice.dev/soak: "10m"`:                              "",
		`sluice.dev/soak: "1=10m, 2=1h30m"`:                   "",
		`sluice.dev/soak: "soon"`:                             "no duration",
		`sluice.dev/soak: "3=1m"`:                             "a step from 1 to 2",
		`sluice.dev/soak: "1=1m,1=2m"`:                        "named twice",
		`sluice.dev/analysis: "errors, cluster:slow"`:         "",
		`sluice.dev/analysis: "1=errors,slow;2=cluster:slow"`: "",
		`sluice.dev/analysis: "1=errors,;2=x"`:                "is empty",
		`sluice.dev/analysis-args: "a=b, c=d=e"`:              "",
		`sluice.dev/analysis-args: "a"`:                       "is not name=value",
		`sluice.dev/cut-over: together`:                       "",
		`sluice.dev/cut-over: "one by one"`:                   "is not together",
	} {
		_, err := rollingSet(t, annotations, "dev", "prod").Order()
		if (err == nil) != (want == "") || err != nil && (fault.CodeOf(err) != applicationset.CodeOrder || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", annotations, err)
		}
	}
	s := decode(t, `{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, metadata: {annotations: {sluice.dev/soak: 10m}}, spec: {}}`)
	if o, err := s.Order(); err == nil || !strings.Contains(err.Error(), "RollingSync") {
		t.Errorf("%+v %v", o, err)
	}
	o, err := rollingSet(t, `sluice.dev/soak: "2=1h", sluice.dev/analysis: "2=errors,cluster:slow", sluice.dev/analysis-args: "a=b,c=d=e"`, "dev", "prod").Order()
	if err != nil || o.Soak[0] != 0 || o.Soak[1] != time.Hour || !slices.Equal(o.Analysis[1], []analysis.TemplateRef{{TemplateName: "errors"}, {TemplateName: "slow", ClusterScope: true}}) || len(o.Args) != 2 || *o.Args[1].Value != "d=e" {
		t.Errorf("%+v %v", o, err)
	}
}

func TestAStepSoaks(t *testing.T) {
	s := rollingSet(t, `sluice.dev/soak: 10m`, "dev", "prod")
	dev, prod := at(t, "a", "dev", "Synced", "Healthy", "r"), at(t, "b", "prod", "OutOfSync", "Missing", "r")
	dev.Set("2026-01-02T11:55:00Z", "status", "operationState", "finishedAt")
	dev.Set("2026-01-02T11:56:00Z", "status", "health", "lastTransitionTime")
	in := applicationset.Syncing{Existing: []manifest.Object{dev, prod}, Now: noon}
	r := roll(t, &s, in)
	if got := statuses(r) + r.Rollout.Message; got != "a=Healthy/1 b=Waiting/2ApplicationSet is performing rollout of step 1: it soaks until 2026-01-02T12:06:00Z" || r.After != 6*time.Minute {
		t.Errorf("%s %v", got, r.After)
	}
	in.Now = noon.Add(6 * time.Minute)
	if r = roll(t, &s, in); syncs(r) != "b" {
		t.Error(statuses(r))
	}
}

func TestAStepIsAnalysed(t *testing.T) {
	s := rollingSet(t, `sluice.dev/analysis: "1=errors,cluster:slow", sluice.dev/analysis-args: "service=web"`, "dev", "prod")
	dev, prod := at(t, "a", "dev", "Synced", "Healthy", "r"), at(t, "b", "prod", "OutOfSync", "Missing", "r")
	in := applicationset.Syncing{Existing: []manifest.Object{dev, prod}, Now: noon, Runs: map[string]analysis.Phase{}}
	r := roll(t, &s, in)
	run := r.Analyse
	if run == nil || !strings.HasPrefix(run.Name, "set-step-1-") || run.Step != 1 || len(run.Templates) != 2 || syncs(r) != "" {
		t.Fatalf("%+v %s", run, statuses(r))
	}
	var args []string
	for _, a := range run.Args {
		args = append(args, a.Name+"="+*a.Value)
	}
	if strings.Join(args, " ") != "service=web applicationset=set step=1" {
		t.Error(args)
	}
	for _, c := range []struct {
		phase analysis.Phase
		syncs string
		words string
	}{
		{analysis.Pending, "", "is Pending"},
		{analysis.Running, "", "is Running"},
		{analysis.Failed, "", "ended as Failed; nothing goes on"},
		{analysis.Inconclusive, "", "ended as Inconclusive"},
		{analysis.Error, "", "ended as Error"},
		{analysis.Successful, "b", "step 2"},
	} {
		in.Runs[run.Name] = c.phase
		r = roll(t, &s, in)
		if syncs(r) != c.syncs || r.Analyse != nil || !strings.Contains(r.Rollout.Message, c.words) {
			t.Errorf("%s: %q %s", c.phase, syncs(r), r.Rollout.Message)
		}
	}
	// Another revision is another run; with nothing left to sync, none is made.
	in.Existing[0].Set("r2", "status", "sync", "revision")
	in.Existing[1].Set("r2", "status", "sync", "revision")
	if r = roll(t, &s, in); r.Analyse == nil || r.Analyse.Name == run.Name {
		t.Errorf("%+v", r.Analyse)
	}
	in.Existing[1] = at(t, "b", "prod", "Synced", "Healthy", "r2")
	if r = roll(t, &s, in); r.Analyse != nil || r.Rollout.Status != "False" {
		t.Errorf("%+v %+v", r.Analyse, r.Rollout)
	}
}

func TestAllCutOverTogether(t *testing.T) {
	s := rollingSet(t, `sluice.dev/cut-over: together`, "eu", "us")
	eu, us := at(t, "eu", "eu", "Synced", "Suspended", "r2"), at(t, "us", "us", "OutOfSync", "Healthy", "r2")
	in := applicationset.Syncing{Existing: []manifest.Object{eu, us}, Now: noon}
	if r := roll(t, &s, in); syncs(r) != "" || len(r.CutOver) > 0 {
		t.Error("a suspended one whose preview is not ready is passed over:", statuses(r))
	}
	in.Ready = map[string]bool{"eu": true}
	r := roll(t, &s, in)
	if syncs(r) != "us" || len(r.CutOver) > 0 || !strings.Contains(r.Rollout.Message, "step 2") {
		t.Error(statuses(r), r.CutOver, r.Rollout.Message)
	}
	in.Existing[1] = at(t, "us", "us", "Synced", "Degraded", "r2")
	if r = roll(t, &s, in); len(r.CutOver) > 0 {
		t.Error("a degraded one is cut over", r.CutOver)
	}
	in.Existing[1] = at(t, "us", "us", "Synced", "Suspended", "r2")
	in.Ready["us"] = true
	if r = roll(t, &s, in); !slices.Equal(r.CutOver, []string{"eu", "us"}) || !strings.Contains(r.Rollout.Message, "promoted together") {
		t.Error(r.CutOver, r.Rollout.Message)
	}
	// One went; the other follows, though the first is healthy by then.
	in.Existing[0] = at(t, "eu", "eu", "Synced", "Healthy", "r2")
	delete(in.Ready, "eu")
	if r = roll(t, &s, in); !slices.Equal(r.CutOver, []string{"us"}) {
		t.Error(r.CutOver, r.Rollout.Message)
	}
	// One that has not seen the revision yet is not forgotten.
	in.Existing[0].Set("r1", "status", "sync", "revision")
	in.Existing[0].Set("2026-01-02T11:00:00Z", "status", "reconciledAt")
	in.Existing[1].Set("2026-01-02T11:30:00Z", "status", "reconciledAt")
	if r = roll(t, &s, in); len(r.CutOver) > 0 || !slices.Equal(r.Refresh, []string{"eu"}) {
		t.Error(r.CutOver, r.Refresh, r.Rollout.Message)
	}
}

// Whatever happens, with the order of several clusters too: no step is overtaken, no later step begins while the one before
// soaks or is analysed, and no preview is promoted while another is not ready.
func TestAcrossClustersNobodyGoesFirst(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := draw(t, rt, `sluice.dev/soak: "1=1m", sluice.dev/analysis: "2=errors", sluice.dev/cut-over: together`)
		for range rapid.IntRange(3, 30).Draw(rt, "rounds") {
			before := map[string]applicationset.ApplicationStatus{}
			for _, s := range m.set.Status.ApplicationStatus {
				before[s.Application] = s
			}
			out := m.turn(t, rt)
			m.across(rt, before, out)
			if out.Analyse != nil {
				m.runs[out.Analyse.Name] = rapid.SampledFrom([]analysis.Phase{analysis.Running, analysis.Successful, analysis.Failed}).Draw(rt, "phase")
			}
			m.apply(out)
			m.happen(rt)
			for name := range m.apps {
				m.ready[name] = rapid.Bool().Draw(rt, "ready")
			}
		}
	})
}

func (m *machine) across(rt *rapid.T, before map[string]applicationset.ApplicationStatus, out applicationset.Rolled) {
	done := map[string]bool{}
	for _, s := range out.Statuses {
		o := m.apps[s.Application]
		held := m.ready[s.Application] && o.Text("status", "sync", "status") == "Synced" && o.Text("status", "health", "status") == "Suspended"
		done[s.Application] = s.Status == applicationset.Healthy || held
	}
	for _, s := range out.Statuses {
		if s.Status != applicationset.Pending || before[s.Application].Status == applicationset.Pending {
			continue
		}
		for name, at := range m.steps {
			if at < m.steps[s.Application] && !done[name] {
				rt.Fatalf("%s begins before %s is done: %s", s.Application, name, statuses(out))
			}
			if at == 0 && m.steps[s.Application] > 0 {
				for _, path := range [][]string{{"status", "operationState", "finishedAt"}, {"status", "health", "lastTransitionTime"}} {
					if when, err := time.Parse(time.RFC3339, m.apps[name].Text(path...)); err == nil && m.now.Sub(when) < time.Minute {
						rt.Fatalf("%s begins %v after %s was done", s.Application, m.now.Sub(when), name)
					}
				}
			}
		}
		if m.steps[s.Application] == 2 && out.Analyse != nil {
			rt.Fatalf("%s begins before the analysis", s.Application)
		}
	}
	if len(out.CutOver) == 0 {
		return
	}
	for name := range m.steps {
		if !done[name] {
			rt.Fatalf("%v are promoted while %s is not ready: %s", out.CutOver, name, statuses(out))
		}
	}
}
