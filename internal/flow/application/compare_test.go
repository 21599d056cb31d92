package application_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	app "github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/application/project"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func pairOf(t *testing.T, c app.Comparison, name string) app.Pair {
	t.Helper()
	i := slices.IndexFunc(c.Pairs, func(p app.Pair) bool { return p.Key.Name == name })
	if i < 0 {
		t.Fatalf("no %s in %v", name, c.Pairs)
	}
	return c.Pairs[i]
}

func warnings(c app.Comparison) []string {
	var out []string
	for _, w := range c.Conditions {
		out = append(out, w.Type+": "+w.Message)
	}
	return out
}

func TestTrackingMethods(t *testing.T) {
	role := "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r}"
	for _, c := range []struct {
		tracking      app.Tracking
		label, id     string
		cluster, kept string
	}{
		{app.Tracking{App: "shop"}, "", "shop:/ConfigMap:prod/a", "shop:rbac.authorization.k8s.io/ClusterRole:prod/r", ""},
		{app.Tracking{App: "ns_shop", Method: "annotation+label"}, "ns_shop", "ns_shop:/ConfigMap:prod/a", "ns_shop:rbac.authorization.k8s.io/ClusterRole:prod/r", ""},
		{app.Tracking{App: "shop", Method: "label"}, "shop", "", "", ""},
		{app.Tracking{App: "shop", Instance: "one"}, "", "shop:/ConfigMap:prod/a", "shop:rbac.authorization.k8s.io/ClusterRole:prod/r", "one"},
	} {
		w := newWorld(t, stream(config("a"), role))
		w.tracking = c.tracking
		cmp := w.compare()
		a, r := pairOf(t, cmp, "a").Target, pairOf(t, cmp, "r").Target
		if a.Labels()[app.LabelInstance] != c.label || a.Annotation(app.AnnotationTracking) != c.id || r.Annotation(app.AnnotationTracking) != c.cluster ||
			a.Annotation(app.AnnotationInstallation) != c.kept {
			t.Errorf("%+v marks %v and %v", c.tracking, a, r)
		}
		for _, o := range []manifest.Object{a, r} {
			if !c.tracking.Holds(o) || c.tracking.Foreign(o) != "" {
				t.Errorf("%+v does not know %v", c.tracking, o)
			}
			other := c.tracking
			other.Instance = "two"
			if foreign := other.Foreign(o); c.tracking.Method != "label" && (other.Owner(o) != "" || foreign != c.tracking.App) {
				t.Errorf("%+v says that %v is of %q", other, o, foreign)
			}
		}
	}
	copied := objects(t, config("b", "tracking-id=shop:/ConfigMap:prod/a"))[0]
	if (app.Tracking{App: "shop"}).Holds(copied) {
		t.Error("a copy under another name is held")
	}
	long := app.Tracking{App: strings.Repeat("x", 70), Method: "label"}
	o := objects(t, config("a"))[0]
	long.Mark(o, "prod")
	if n := len(o.Labels()[app.LabelInstance]); n != 63 || !long.Holds(o) {
		t.Errorf("a label of %d letters", n)
	}
}

func TestCompare(t *testing.T) {
	w := newWorld(t, stream(config("a"), config("b"), strings.Replace(config("a"), "a: b", "a: c", 1), config("hook", "hook=Sync"), "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: excluded}"))
	w.begin(app.SyncOperation{})
	w.run(20)
	w.live[manifest.Key{Kind: "ConfigMap", Namespace: "prod", Name: "b"}].Set("hand", "data", "a")
	stray := objects(t, config("stray"))[0]
	stray.Set("prod", "metadata", "namespace")
	w.tracking.Mark(stray, "prod")
	w.live[stray.Key()] = stray
	child := stray.Copy()
	child.Set("child", "metadata", "name")
	w.tracking.Mark(child, "prod")
	child.Set([]any{map[string]any{"kind": "ConfigMap", "name": "stray", "uid": "u", "apiVersion": "v1"}}, "metadata", "ownerReferences")
	w.live[child.Key()] = child
	in := app.Comparing{
		App: w.app, Tracking: w.tracking, Desired: app.Desired{Objects: w.desired}, Live: app.Live{Objects: w.live}, Scope: w.scope, Health: w.assess,
		Settings: app.Settings{ResourceExclusions: []app.Exclusion{{Kinds: []string{"Deployment"}}}},
	}
	c := app.Compare(in)
	wantLines(t, "conditions", warnings(c), []string{
		"ExcludedResourceWarning: Resource apps/Deployment excluded is excluded in the settings",
		"RepeatedResourceWarning: Resource /ConfigMap/prod/a appeared 2 times among application resources.",
	})
	var got []string
	for _, p := range c.Pairs {
		got = append(got, strings.Join([]string{p.Key.Name, string(p.Status), map[bool]string{true: "prune"}[p.Prune], map[bool]string{true: "hook"}[p.Hook]}, " "))
	}
	wantLines(t, "pairs", got, []string{"a Synced  ", "b OutOfSync  ", "hook   hook", "stray OutOfSync prune "})
	if c.Status != app.OutOfSync || c.Health.Status != "Healthy" {
		t.Error(c.Status, c.Health)
	}
	in.Permitted = func(_ manifest.Kind, _, name string) bool { return name != "stray" }
	if c := app.Compare(in); len(c.Pairs) != 3 {
		t.Errorf("what the project does not permit is a pair: %v", c.Pairs)
	}
	in.Permitted = nil
	w.live[manifest.Key{Kind: "ConfigMap", Namespace: "prod", Name: "b"}].Set("b", "data", "a")
	stray.SetAnnotation(app.AnnotationCompareOptions, "IgnoreExtraneous")
	if c := app.Compare(in); c.Status != app.Synced || pairOf(t, c, "stray").Status != app.OutOfSync {
		t.Error("IgnoreExtraneous:", c.Status)
	}
	if r := c.Resources(w.app); len(r) != 4 || !r[3].RequiresPruning || !r[2].Hook {
		t.Errorf("%+v", r)
	}
}

// A resource that is annotated Skip is neither compared nor pruned.
func TestSkipped(t *testing.T) {
	w := newWorld(t, config("a"))
	w.begin(app.SyncOperation{})
	w.run(10)
	w.desired = objects(t, config("a", "hook=Skip"))
	if c := w.compare(); c.Status != app.Synced || pairOf(t, c, "a").Prune {
		t.Errorf("%+v", c)
	}
}

func TestHealth(t *testing.T) {
	for _, c := range []struct {
		health map[string]string
		ignore bool
		want   string
	}{
		{map[string]string{}, false, "Healthy"},
		{map[string]string{"a": "Healthy", "b": "Suspended"}, false, "Suspended"},
		{map[string]string{"a": "Progressing", "b": "Suspended"}, false, "Progressing"},
		{map[string]string{"a": "Degraded", "b": "Progressing"}, false, "Degraded"},
		{map[string]string{"a": "Degraded", "b": "Unknown"}, false, "Unknown"},
		{map[string]string{"b": "Degraded"}, true, "Healthy"},
	} {
		w := newWorld(t, stream(config("a"), config("b", "ignore-healthcheck="+map[bool]string{true: "true"}[c.ignore])))
		w.begin(app.SyncOperation{})
		w.run(10)
		w.health = c.health
		if got := w.compare().Health.Status; got != c.want {
			t.Errorf("%v: %s, want %s", c.health, got, c.want)
		}
	}
	w := newWorld(t, stream(config("a"), "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: child}"))
	if got := w.compare().Health.Status; got != "Missing" {
		t.Error(got)
	}
	w = newWorld(t, "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: child}")
	if got := w.compare().Health.Status; got != "Healthy" {
		t.Errorf("a child that is missing makes its parent %s", got)
	}
}

func TestSummary(t *testing.T) {
	w := newWorld(t, stream(workload, "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\nspec: {tls: [{hosts: [b.x]}], rules: [{host: a.x}, {host: b.x}]}", config("c", "link.argocd.argoproj.io/external-link=Site|https://c.x")))
	w.begin(app.SyncOperation{})
	w.run(10)
	pod := objects(t, "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{image: 'old:1'}]}")[0]
	web := w.live[manifest.Key{Group: "apps", Kind: "Deployment", Namespace: "prod", Name: "web"}]
	c := app.Compare(app.Comparing{App: w.app, Tracking: w.tracking, Desired: app.Desired{Objects: w.desired}, Scope: w.scope, Live: app.Live{
		Objects: w.live, Children: map[string][]manifest.Object{web.UID(): {pod}},
	}})
	wantLines(t, "images", c.Images, []string{"old:1", "web:1"})
	wantLines(t, "urls", c.URLs, []string{"http://a.x/", "https://b.x/", "https://c.x"})
}

func TestOrphans(t *testing.T) {
	w := newWorld(t, config("a"))
	for _, name := range []string{"lost", "kube-root-ca.crt", "told"} {
		o := objects(t, config(name))[0]
		o.Set("prod", "metadata", "namespace")
		w.live[o.Key()] = o
	}
	c := app.Compare(app.Comparing{App: w.app, Tracking: w.tracking, Desired: app.Desired{Objects: w.desired}, Live: app.Live{Objects: w.live}, Scope: w.scope, Settings: app.Settings{
		Orphaned: true, OrphanedWarn: true, OrphanedIgnore: []app.Chosen{{Kind: "ConfigMap", Name: "tol*"}},
	}})
	if len(c.Orphans) != 1 || c.Orphans[0].Name != "lost" {
		t.Error(c.Orphans)
	}
	wantLines(t, "conditions", warnings(c), []string{"OrphanedResourceWarning: Application has 1 orphaned resources"})
}

// No Secret's value is in the JSON form of a comparison.
func TestComparisonHidesSecrets(t *testing.T) {
	w := newWorld(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: CANARY-1}")
	w.begin(app.SyncOperation{})
	w.run(10)
	w.desired = objects(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: CANARY-2}")
	w.app.Spec.IgnoreDifferences = []app.Ignore{{Kind: "Secret", JQPathExpressions: []string{".data.a[].b"}}}
	c := w.compare()
	facts := app.Explain(app.Explaining{App: w.app, Comparison: c, Now: start})
	text, err := json.Marshal([]any{c, facts, w.state})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "CANARY") || strings.Contains(string(text), "Q0FOQVJZ") {
		t.Error(string(text))
	}
	if c.Status != app.OutOfSync || len(pairOf(t, c, "s").Differences) == 0 {
		t.Errorf("%+v", c.Pairs)
	}
}

func automatic(w *world, policy app.Automated) app.Automatic {
	w.app.Spec.SyncPolicy = &app.SyncPolicy{Automated: &policy}
	w.app.Status.OperationState = &w.state
	return app.Automatic{App: w.app, Comparison: w.compare(), Revisions: []string{"0123456789abcdef"}, Now: w.now}
}

func TestMaySync(t *testing.T) {
	off, on := false, true
	fresh := func() *world { return newWorld(t, stream(config("a"), config("b"))) }
	w := fresh()
	a := automatic(w, app.Automated{Enabled: &on})
	a.App.Status.OperationState = nil
	if got := app.MaySync(a); got.Operation == nil || got.Operation.Sync.Revision != "0123456789abcdef" || got.Operation.Retry.Limit != 5 || !got.Operation.InitiatedBy.Automated ||
		got.Why != "Initiated automated sync to '0123456789abcdef'" {
		t.Errorf("%+v", got)
	}
	a = automatic(w, app.Automated{Enabled: &off})
	if got := app.MaySync(a); got.Operation != nil {
		t.Errorf("%+v", got)
	}
	w.refuse["a"] = errInvalid
	w.begin(app.SyncOperation{Revision: "0123456789abcdef"})
	w.run(10)
	got := app.MaySync(automatic(w, app.Automated{}))
	if got.Operation != nil || got.Condition == nil ||
		got.Condition.Message != "Failed last sync attempt to [0123456789abcdef]: one or more objects failed to apply (dry run)" {
		t.Errorf("%+v", got)
	}
	a = automatic(w, app.Automated{})
	a.Revisions = []string{"another"}
	if got := app.MaySync(a); got.Operation == nil {
		t.Errorf("a new revision is not tried: %+v", got)
	}

	w = fresh()
	w.begin(app.SyncOperation{})
	w.run(10)
	w.state = app.Conclude(w.state, false, w.now)
	w.live[manifest.Key{Kind: "ConfigMap", Namespace: "prod", Name: "b"}].Set("hand", "data", "a")
	if got := app.MaySync(automatic(w, app.Automated{})); got.Operation != nil || !strings.Contains(got.Why, "most recent sync already to") {
		t.Errorf("%+v", got)
	}
	if got := app.MaySync(automatic(w, app.Automated{SelfHeal: true})); got.Operation != nil || got.After != 5*time.Second {
		t.Errorf("%+v", got)
	}
	w.now = w.now.Add(5 * time.Second)
	if got := app.MaySync(automatic(w, app.Automated{SelfHeal: true})); got.Operation == nil || len(got.Operation.Sync.Resources) != 1 || got.Operation.Sync.Resources[0].Name != "b" || got.Operation.Sync.SelfHealAttemptsCount != 1 {
		t.Errorf("%+v", got)
	}

	w = fresh()
	w.begin(app.SyncOperation{})
	w.run(10)
	w.desired = w.desired[:1]
	a = automatic(w, app.Automated{})
	a.Revisions = []string{"new"}
	if got := app.MaySync(a); got.Operation != nil || !strings.Contains(got.Why, "need to prune extra resources only but automated prune is disabled") {
		t.Errorf("%+v", got)
	}
	w.desired = nil
	a = automatic(w, app.Automated{Prune: true})
	a.Revisions = []string{"new"}
	if got := app.MaySync(a); got.Operation != nil || got.Condition == nil || got.Condition.Message != "Skipping sync attempt to [new]: auto-sync will wipe out all resources" {
		t.Errorf("%+v", got)
	}
	a = automatic(w, app.Automated{Prune: true, AllowEmpty: true})
	a.Revisions = []string{"new"}
	if got := app.MaySync(a); got.Operation == nil {
		t.Errorf("%+v", got)
	}
}

func TestConclude(t *testing.T) {
	s := app.OperationState{Phase: app.Failed, Message: "no", Operation: app.Operation{Sync: &app.SyncOperation{Revision: "r"}, Retry: app.Retry{Limit: 1, Refresh: true, Backoff: &app.Backoff{Duration: "1s"}}}, SyncResult: &app.SyncResult{Revision: "r"}}
	one := app.Conclude(s, false, start)
	if at, ok := one.RetryAt(); one.Phase != app.Running || !ok || !at.Equal(start.Add(time.Second)) || one.Message != "no. Retrying attempt #1 at 12:00PM." {
		t.Errorf("%+v", one)
	}
	again := one.Again()
	if again.Operation.Sync.Revision != "" || again.SyncResult != nil || again.FinishedAt != nil {
		t.Errorf("%+v", again)
	}
	again.Phase, again.Message = app.Failed, "no"
	if end := app.Conclude(again, false, start); end.Phase != app.Failed || end.Message != "no (retried 1 times)." {
		t.Errorf("%+v", end)
	}
	if end := app.Conclude(s, true, start); end.Phase != app.Failed {
		t.Errorf("a terminated operation is tried again: %+v", end)
	}
}

func TestHistory(t *testing.T) {
	limit := int64(3)
	var a app.Application
	a.Spec.RevisionHistoryLimit = &limit
	for i := range 5 {
		s := app.OperationState{Phase: app.Succeeded, Operation: app.Operation{Sync: &app.SyncOperation{}}, SyncResult: &app.SyncResult{Revision: string(rune('a' + i)), Source: app.Source{Path: "p"}}}
		a.Status.History = app.Remember(a, s, start)
	}
	if h := a.Status.History; len(h) != 3 || h[0].ID != 2 || h[2].ID != 4 || h[2].Revision != "e" {
		t.Fatalf("%+v", h)
	}
	op, err := app.Rollback(a, -1, true, false, "ann")
	if err != nil || op.Sync.Revision != "d" || op.Sync.Source.Path != "p" || !op.Sync.Prune || op.InitiatedBy.Username != "ann" {
		t.Errorf("%+v %v", op, err)
	}
	if _, err := app.Rollback(a, 0, false, false, ""); err == nil {
		t.Error("an entry that is gone is rolled back to")
	}
	a.Spec.SyncPolicy = &app.SyncPolicy{Automated: &app.Automated{}}
	if _, err := app.Rollback(a, 3, false, false, ""); err == nil || err.Error() != "rollback cannot be initiated when auto-sync is enabled" {
		t.Error(err)
	}
}

func TestExplain(t *testing.T) {
	w := newWorld(t, stream(config("a"), workload))
	w.health["web"] = "Degraded"
	w.begin(app.SyncOperation{})
	w.run(10)
	w.live[manifest.Key{Kind: "ConfigMap", Namespace: "prod", Name: "a"}].Set("hand", "data", "a")
	a := automatic(w, app.Automated{})
	facts := app.Explain(app.Explaining{App: a.App, Comparison: a.Comparison, Automatic: app.MaySync(a), Now: w.now, Window: project.Windowed{Why: "no allow window is active", Next: start}})
	var got []string
	for _, f := range facts {
		got = append(got, f.Topic+" "+f.Subject+" "+f.Message+" / "+f.Hint)
	}
	wantLines(t, "facts", got, []string{
		`comparison /ConfigMap/prod/a /data/a: wanted "b", found "hand" / `, "health apps/Deployment/prod/web Degraded / ",
		"automatic  Skipping auto-sync: most recent sync already to [0123456789abcdef] / ",
		"window  no allow window is active / syncs are allowed from 2026-03-01T12:00:00Z",
	})
}
