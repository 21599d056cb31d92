package applicationset_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// app is an Application as a template makes it.
func app(t testing.TB, name, rest string) manifest.Object {
	t.Helper()
	o := parse(t, `{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: `+name+`, namespace: argocd, finalizers: [resources-finalizer.argocd.argoproj.io]}, spec: {project: p, source: {repoURL: r, path: x}, destination: {name: d}}}`)
	if rest == "" {
		return o
	}
	return manifest.Apply(o, parse(t, rest))
}

// written is an Application as a plan leaves it in the cluster.
func written(t testing.TB, s applicationset.Set, o manifest.Object) manifest.Object {
	t.Helper()
	p, err := applicationset.Plan(s, nil, []manifest.Object{o}, []manifest.Object{o}, applicationset.Policy{})
	if err != nil || len(p.Create) != 1 {
		t.Fatal(p, err)
	}
	return p.Create[0]
}

func TestPlanOwns(t *testing.T) {
	s := decode(t, `{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, metadata: {name: set}, spec: {}}`)
	o := written(t, s, app(t, "a", ""))
	want := []manifest.Owner{{APIVersion: "argoproj.io/v1alpha1", Kind: "ApplicationSet", Name: "set", UID: "set-uid", Controller: new(true), BlockOwnerDeletion: new(true)}}
	if !reflect.DeepEqual(o.Owners(), want) || !applicationset.Owns(s, o) {
		t.Errorf("%+v", o.Owners())
	}
	p, err := applicationset.Plan(s, []manifest.Object{o}, []manifest.Object{app(t, "a", "")}, []manifest.Object{app(t, "a", "")}, applicationset.Policy{})
	if err != nil || len(p.Create)+len(p.Update)+len(p.Delete)+len(p.Refused) > 0 {
		t.Errorf("nothing changed: %+v %v", p, err)
	}
}

func TestPlanUpdates(t *testing.T) {
	for _, c := range []struct{ name, set, live, want, patch string }{
		{"a field of the spec", "", "", `{spec: {source: {path: other}}}`, `{"spec":{"source":{"path":"other"}}}`},
		{"what somebody added is removed", "", `{metadata: {labels: {x: "1"}, annotations: {y: "2"}}, spec: {revisionHistoryLimit: 3}}`, "", `{"metadata":{"annotations":null,"labels":null},"spec":{"revisionHistoryLimit":null}}`},
		{"what is preserved is not", `{preservedFields: {labels: [x], annotations: [note]}}`, `{metadata: {labels: {x: "1"}, annotations: {note: "2", "argocd.argoproj.io/refresh": hard, "notified.notifications.argoproj.io": z}}}`, "", ``},
		{"finalizers of hooks stay", "", `{metadata: {finalizers: [resources-finalizer.argocd.argoproj.io, pre-delete-finalizer.argocd.argoproj.io/cleanup]}}`, "", ``},
		{"status and operation are others'", "", `{status: {x: 1}, operation: {sync: {}}}`, "", ``},
		{"an operation is begun", "", "", `{operation: {sync: {prune: true}}}`, `{"operation":{"sync":{"prune":true}}}`},
		{"an operation that says nothing", "", "", `{operation: {sync: {}}}`, `{"operation":{"sync":{}}}`},
		{"empty is nothing", "", `{spec: {source: {helm: {parameters: []}, directory: {jsonnet: {}, recurse: false}}, syncPolicy: {syncOptions: []}}}`, "", ``},
		{"automated: {} is something", "", "", `{spec: {syncPolicy: {automated: {}}}}`, `{"spec":{"syncPolicy":{"automated":{}}}}`},
		{"enabled: false is something", "", `{spec: {syncPolicy: {automated: {prune: true, enabled: false}}}}`, `{spec: {syncPolicy: {automated: {prune: true}}}}`, `{"spec":{"syncPolicy":{"automated":{"enabled":null}}}}`},
		{"an ignored pointer", `{ignoreApplicationDifferences: [{jsonPointers: [/spec/source/targetRevision]}]}`, `{spec: {source: {targetRevision: fix}}}`, `{spec: {source: {targetRevision: main}}}`, ``},
		{"ignored for another", `{ignoreApplicationDifferences: [{name: b, jsonPointers: [/spec/source/targetRevision]}]}`, `{spec: {source: {targetRevision: fix}}}`, `{spec: {source: {targetRevision: main}}}`, `{"spec":{"source":{"targetRevision":"main"}}}`},
		{"an ignored syncPolicy", `{ignoreApplicationDifferences: [{jsonPointers: [/spec/syncPolicy]}]}`, `{spec: {syncPolicy: {syncOptions: [a]}}}`, `{spec: {syncPolicy: {automated: {}}}}`, ``},
		{"a jq expression", `{ignoreApplicationDifferences: [{jqPathExpressions: [".spec.sources[] | select(.repoURL == \"a\").targetRevision"]}]}`, `{spec: {source: null, sources: [{repoURL: a, targetRevision: fix}, {repoURL: b, targetRevision: main}]}}`, `{spec: {source: null, sources: [{repoURL: a, targetRevision: main}, {repoURL: b, targetRevision: main}]}}`, ``},
		{"a list is replaced whole", `{ignoreApplicationDifferences: [{jqPathExpressions: [".spec.sources[] | select(.repoURL == \"a\").targetRevision"]}]}`, `{spec: {source: null, sources: [{repoURL: a, targetRevision: fix}, {repoURL: b, targetRevision: old}]}}`, `{spec: {source: null, sources: [{repoURL: a, targetRevision: main}, {repoURL: b, targetRevision: main}]}}`, `{"spec":{"sources":[{"repoURL":"a"},{"repoURL":"b","targetRevision":"main"}]}}`},
		{"a jq expression that finds nothing", `{ignoreApplicationDifferences: [{jqPathExpressions: [".spec.sources[].targetRevision"]}]}`, "", `{spec: {source: {path: other}}}`, `{"spec":{"source":{"path":"other"}}}`},
		{"a jq expression that is none", `{ignoreApplicationDifferences: [{jqPathExpressions: [".spec["]}]}`, "", "", `! failed to build ignore diff config`},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := c.set
			if spec == "" {
				spec = "{}"
			}
			s := decode(t, `{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, spec: `+spec+`}`)
			live := written(t, s, app(t, "a", ""))
			if c.live != "" {
				live = manifest.Apply(live, parse(t, c.live))
			}
			want := app(t, "a", c.want)
			p, err := applicationset.Plan(s, []manifest.Object{live}, []manifest.Object{want}, []manifest.Object{want}, applicationset.Policy{})
			got := ""
			if len(p.Update) > 0 {
				got = string(p.Update[0].Patch.JSON())
			}
			if words, ok := strings.CutPrefix(c.patch, "! "); ok {
				if err == nil || !strings.Contains(err.Error(), words) {
					t.Error(err)
				}
				return
			}
			if err != nil || got != c.patch {
				t.Errorf("%v\ngot  %s\nwant %s", err, got, c.patch)
			}
		})
	}
}

func TestPolicies(t *testing.T) {
	for _, c := range []struct {
		controller, own string
		override        bool
		want            string
	}{
		{"", "", false, "create update delete"},
		{"sync", "create-only", false, "create update delete"},
		{"sync", "create-only", true, "create"},
		{"create-update", "", true, "create update"},
		{"create-delete", "sync", false, "create delete"},
		{"create-only", "create-delete", true, "create delete"},
	} {
		s := decode(t, `{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, spec: {syncPolicy: {applicationsSync: "`+c.own+`"}}}`)
		existing := []manifest.Object{written(t, s, app(t, "old", "")), written(t, s, app(t, "changed", ""))}
		wanted := []manifest.Object{app(t, "new", ""), app(t, "changed", `{spec: {project: q}}`)}
		p, err := applicationset.Plan(s, existing, wanted, wanted, applicationset.Policy{Sync: c.controller, Override: c.override})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for name, n := range map[string]int{"create": len(p.Create), "update": len(p.Update), "delete": len(p.Delete)} {
			if n > 0 {
				got = append(got, name)
			}
		}
		for _, w := range strings.Fields(c.want) {
			if !strings.Contains(fmt.Sprint(got), w) || len(got) != len(strings.Fields(c.want)) {
				t.Errorf("%+v: %v", c, got)
			}
		}
	}
}

// What another ApplicationSet owns is left alone; what nobody owns is taken; what is wanted and not valid is neither changed
// nor removed.
func TestPlanLeavesOthersAlone(t *testing.T) {
	s := decode(t, `{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, metadata: {name: mine}, spec: {}}`)
	other := decode(t, `{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, metadata: {name: other}, spec: {}}`)
	existing := []manifest.Object{written(t, other, app(t, "theirs", "")), app(t, "nobodys", ""), written(t, s, app(t, "broken", "")), app(t, "stranger", "")}
	wanted := []manifest.Object{app(t, "theirs", `{spec: {project: q}}`), app(t, "nobodys", ""), app(t, "broken", `{spec: {project: q}}`)}
	p, err := applicationset.Plan(s, existing, wanted, wanted[:2], applicationset.Policy{})
	if err != nil || len(p.Create) > 0 || len(p.Delete) > 0 || len(p.Update) != 1 || len(p.Refused) != 1 {
		t.Fatalf("%+v %v", p, err)
	}
	if got := p.Refused[0].Err.Error(); got != "Object argocd/theirs is already owned by another ApplicationSet controller other" {
		t.Error(got)
	}
	if got := manifest.Apply(existing[1], p.Update[0].Patch); !applicationset.Owns(s, got) {
		t.Errorf("%s", got.JSON())
	}
}

func TestCheck(t *testing.T) {
	s := decode(t, `{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, metadata: {name: set}, spec: {}}`)
	got := applicationset.Check(s, []manifest.Object{app(t, "b", ""), app(t, "a", ""), app(t, "b", ""), app(t, "Bad_Name", ""), app(t, "c", "")}, func(o manifest.Object) error {
		if o.Name() == "c" {
			return errors.New("application references project p which does not exist")
		}
		return nil
	})
	var text []string
	for _, w := range got {
		text = append(text, w.Name+": "+w.Err.Error()[:min(len(w.Err.Error()), 70)])
	}
	want := []string{
		`Bad_Name: ApplicationSet set makes an application whose name "Bad_Name" is none:`,
		"b: ApplicationSet set contains applications with duplicate name: b", "c: application references project p which does not exist",
	}
	if fmt.Sprint(text) != fmt.Sprint(want) {
		t.Errorf("%q", text)
	}
}

// Whatever is live, the cluster is as wanted after what a plan says, and a second plan has nothing to do.
func TestAPlanSettles(t *testing.T) {
	s := decode(t, `{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, spec: {ignoreApplicationDifferences: [{jsonPointers: [/spec/source/targetRevision]}]}}`)
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string) manifest.Object {
			o := app(t, name, "")
			for _, at := range [][]string{{"spec", "project"}, {"spec", "source", "path"}, {"spec", "source", "targetRevision"}, {"metadata", "labels", "x"}, {"metadata", "annotations", "y"}, {"spec", "source", "helm", "values"}} {
				if v := rapid.SampledFrom([]string{"", "one", "two"}).Draw(rt, strings.Join(at, ".")); v != "" {
					o.Set(v, at...)
				}
			}
			if rapid.Bool().Draw(rt, "auto") {
				o.Set(map[string]any{"prune": rapid.Bool().Draw(rt, "prune"), "enabled": rapid.Bool().Draw(rt, "enabled")}, "spec", "syncPolicy", "automated")
			}
			return o
		}
		world := map[string]manifest.Object{}
		var wanted []manifest.Object
		for _, name := range []string{"a", "b", "c"} {
			if rapid.Bool().Draw(rt, "there") {
				o := draw(name)
				if rapid.Bool().Draw(rt, "mine") {
					o = written(t, s, o)
				}
				world[name] = o
			}
			if rapid.Bool().Draw(rt, "wanted") {
				wanted = append(wanted, draw(name))
			}
		}
		for round := range 2 {
			p, err := applicationset.Plan(s, values(world), wanted, wanted, applicationset.Policy{})
			if err != nil {
				rt.Fatal(err)
			}
			if round == 1 && len(p.Create)+len(p.Update)+len(p.Delete) > 0 {
				rt.Fatalf("not settled: %+v", p)
			}
			for _, o := range p.Create {
				world[o.Name()] = o
			}
			for _, u := range p.Update {
				world[u.Object.Name()] = manifest.Apply(u.Object, u.Patch)
			}
			for _, o := range p.Delete {
				delete(world, o.Name())
			}
		}
		for _, w := range wanted {
			if d, err := applicationset.Differs(s, world[w.Name()], w); d || err != nil {
				rt.Errorf("%s is not as wanted: %v", w.Name(), err)
			}
		}
	})
}

func values(m map[string]manifest.Object) []manifest.Object {
	var out []manifest.Object
	for _, o := range m {
		out = append(out, o)
	}
	manifest.Sort(out)
	return out
}

func TestConditions(t *testing.T) {
	s := decode(t, `{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, spec: {}}`)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	text := func(list []applicationset.Condition) string {
		var out []string
		for _, c := range list {
			out = append(out, fmt.Sprintf("%s=%s %s %q %d", c.Type, c.Status, c.Reason, c.Message, c.LastTransitionTime.Unix()-at.Unix()))
		}
		return strings.Join(out, "\n")
	}
	s.Status.Conditions = applicationset.Conditions(s, applicationset.Outcome{Reason: applicationset.ReasonParams, Message: "no"}, at)
	if got, want := text(s.Status.Conditions), `ErrorOccurred=True ApplicationGenerationFromParamsError "no" 0
ParametersGenerated=False ErrorOccurred "no" 0
ResourcesUpToDate=False ErrorOccurred "no" 0`; got != want {
		t.Error(got)
	}
	s.Status.Conditions = applicationset.Conditions(s, applicationset.Outcome{Reason: applicationset.ReasonUpdate, Message: "no", Generated: true}, at.Add(time.Minute))
	if got, want := text(s.Status.Conditions), `ErrorOccurred=True UpdateApplicationError "no" 60
ParametersGenerated=True ParametersGenerated "Successfully generated parameters for all Applications" 60
ResourcesUpToDate=False ErrorOccurred "no" 0`; got != want {
		t.Error(got)
	}
	s.Status.Conditions = append(s.Status.Conditions, applicationset.Condition{Type: applicationset.RolloutProgressing, Status: "True"})
	s.Status.Conditions = applicationset.Conditions(s, applicationset.Outcome{Generated: true}, at.Add(2*time.Minute))
	if got, want := text(s.Status.Conditions), `ErrorOccurred=False ApplicationSetUpToDate "All applications have been generated successfully" 120
ParametersGenerated=True ParametersGenerated "Successfully generated parameters for all Applications" 60
ResourcesUpToDate=True ApplicationSetUpToDate "All applications have been generated successfully" 120`; got != want {
		t.Error(got)
	}
}

func TestRequeue(t *testing.T) {
	for spec, want := range map[string]time.Duration{
		`{generators: [{list: {}}]}`:                                                                 0,
		`{generators: [{list: {}}, {git: {repoURL: x}}]}`:                                            3 * time.Minute,
		`{generators: [{pullRequest: {github: {}}}]}`:                                                30 * time.Minute,
		`{generators: [{scmProvider: {requeueAfterSeconds: 5}}, {git: {}}]}`:                         5 * time.Second,
		`{generators: [{matrix: {generators: [{git: {requeueAfterSeconds: 60}}, {clusters: {}}]}}]}`: time.Minute,
		`{generators: [{git: {requeueAfterSeconds: 0}}]}`:                                            0,
	} {
		if got := applicationset.Requeue(decode(t, `{kind: ApplicationSet, spec: `+spec+`}`), applicationset.AfterGit); got != want {
			t.Errorf("%s: %v", spec, got)
		}
	}
}
