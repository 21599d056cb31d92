package cluster_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

var deployment = manifest.KindOf("apps/v1", "Deployment")

func marked(o manifest.Object, app string) manifest.Object {
	application.Tracking{App: app}.Mark(o, o.Namespace())
	return o
}

func state(t *testing.T, api cluster.API, scope cluster.Scope) *cluster.State {
	t.Helper()
	s := cluster.NewState(api, scope)
	t.Cleanup(s.Close)
	return s
}

func names(l application.Live) []string {
	var out []string
	for k := range l.Objects {
		out = append(out, k.Kind+"/"+k.Name)
	}
	slices.Sort(out)
	return out
}

func TestLiveHoldsWhatIsMarkedWantedAndOwned(t *testing.T) {
	k, c := open(t)
	ctx, ok := t.Context(), must[manifest.Object](t)
	k.ApplyCRDs(t, kubetest.Rollouts) // nobody acts on its objects here
	rollout := manifest.KindOf("argoproj.io/v1alpha1", "Rollout")
	app := "app-" + k.Namespace
	make := func(o manifest.Object) manifest.Object {
		o.Set(k.Namespace, "metadata", "namespace")
		return ok(c.Create(ctx, o, manifest.Writing{}))
	}
	owned := func(o, by manifest.Object) manifest.Object {
		o.Set([]any{map[string]any{"apiVersion": by.Text("apiVersion"), "kind": by.Text("kind"), "name": by.Name(), "uid": by.UID(), "controller": true}}, "metadata", "ownerReferences")
		return o
	}
	mark := func(o manifest.Object) manifest.Object {
		o.Set(k.Namespace, "metadata", "namespace")
		return marked(o, app)
	}
	d := make(mark(object(t, `{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: d}, spec: {}}`)))
	e := make(owned(mark(object(t, `{apiVersion: argoproj.io/v1alpha1, kind: Experiment, metadata: {name: hand}, spec: {templates: []}}`)), d))
	make(owned(object(t, `{apiVersion: argoproj.io/v1alpha1, kind: AnalysisRun, metadata: {name: p}, spec: {metrics: []}}`), e))
	make(mark(config(t, k, "mine")))
	make(config(t, k, "wanted"))
	make(config(t, k, "foreign"))
	make(marked(config(t, k, "another"), "b-"+app))

	s := state(t, c, cluster.Scope{})
	wanted := []manifest.Key{config(t, k, "wanted").Key(), config(t, k, "missing").Key()}
	live := must[application.Live](t)(s.Live(ctx, application.Tracking{App: app}, wanted, []manifest.Kind{configMap, rollout, {Group: "no.such", Version: "v1", Kind: "Thing"}}, []string{k.Namespace}))
	if got, want := fmt.Sprint(names(live)), "[ConfigMap/mine ConfigMap/wanted Rollout/d]"; got != want {
		t.Errorf("live is %s, want %s", got, want)
	}
	var sets []string
	for _, o := range live.Children[d.UID()] {
		sets = append(sets, o.Name())
	}
	if !slices.Contains(sets, "hand") {
		t.Errorf("the Rollout owns %v", sets)
	}
	if runs := live.Children[e.UID()]; len(runs) != 1 || runs[0].Name() != "p" || runs[0].Kind().Kind != "AnalysisRun" {
		t.Errorf("the Experiment owns %v", runs)
	}
	if got := live.Objects[d.Key()]; len(got.List("metadata", "managedFields")) == 0 || got.Kind() != rollout {
		t.Errorf("the Rollout is %s", got.JSON())
	}
	// What is given is the caller's own.
	live.Objects[d.Key()].Set("changed", "metadata", "labels", "x")
	live = must[application.Live](t)(s.Live(ctx, application.Tracking{App: app}, wanted, []manifest.Kind{configMap, rollout}, nil))
	if live.Objects[d.Key()].Text("metadata", "labels", "x") != "" {
		t.Error("the cache was changed through what it gave")
	}
	// What was not kept is read when it is wanted.
	live = must[application.Live](t)(s.Live(ctx, application.Tracking{App: app}, []manifest.Key{config(t, k, "foreign").Key()}, []manifest.Kind{configMap}, nil))
	if got := live.Objects[config(t, k, "foreign").Key()]; got.UID() == "" {
		t.Errorf("live is %v", names(live))
	}
}

func TestLabelsTrackToo(t *testing.T) {
	k, c := open(t)
	app := "l-" + k.Namespace
	tracking := application.Tracking{Method: "label", App: app}
	o := config(t, k, "l")
	tracking.Mark(o, k.Namespace)
	must[manifest.Object](t)(c.Create(t.Context(), o, manifest.Writing{}))
	s := state(t, c, cluster.Scope{})
	must[application.Live](t)(s.Live(t.Context(), application.Tracking{App: app}, nil, []manifest.Kind{configMap}, nil)) // another way first
	live := must[application.Live](t)(s.Live(t.Context(), tracking, nil, []manifest.Kind{configMap}, nil))
	if got := fmt.Sprint(names(live)); got != "[ConfigMap/l]" {
		t.Errorf("live is %s", got)
	}
}

func TestAChangeIsToldByApplication(t *testing.T) {
	k, c := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	app := "app-" + k.Namespace
	ok := must[manifest.Object](t)
	ok(c.Create(ctx, marked(config(t, k, "before"), app), manifest.Writing{}))
	s := state(t, c, cluster.Scope{})
	var mu sync.Mutex
	var seen []string
	done := make(chan error)
	go func() {
		done <- s.Changed(ctx, func(app string, o manifest.Object) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, app+" "+o.Kind().Kind+"/"+o.Name()+" "+o.Text("data", "k"))
		})
	}()
	kinds := []manifest.Kind{configMap, deployment}
	must[application.Live](t)(s.Live(ctx, application.Tracking{App: app}, []manifest.Key{config(t, k, "wanted").Key()}, kinds, nil))
	expect := func(what string) {
		t.Helper()
		k.Wait(t, "told of "+what, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.Contains(seen, app+" "+what)
		})
	}
	ok(c.Create(ctx, marked(config(t, k, "new", "k", "1"), app), manifest.Writing{}))
	expect("ConfigMap/new 1")
	ok(c.Patch(ctx, configMap, k.Namespace, "new", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"data":{"k":"2"}}`)}, manifest.Writing{}))
	expect("ConfigMap/new 2")
	ok(c.Create(ctx, config(t, k, "wanted", "k", "w"), manifest.Writing{}))
	expect("ConfigMap/wanted w")
	if err := c.Delete(ctx, configMap, k.Namespace, "new", manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	k.Wait(t, "the cache lacks what was deleted", func() bool {
		live := must[application.Live](t)(s.Live(ctx, application.Tracking{App: app}, nil, kinds, nil))
		return fmt.Sprint(names(live)) == "[ConfigMap/before]"
	})
	mu.Lock()
	if slices.Contains(seen, app+" ConfigMap/before ") {
		t.Error("what was there when the kind was first read was told as a change")
	}
	mu.Unlock()
	cancel()
	if err := <-done; err == nil {
		t.Error("Changed ended without a reason")
	}
}

func TestWhoWritesReadsIt(t *testing.T) {
	k, c := open(t)
	app := "app-" + k.Namespace
	s := state(t, c, cluster.Scope{})
	kinds := []manifest.Kind{configMap}
	must[application.Live](t)(s.Live(t.Context(), application.Tracking{App: app}, nil, kinds, nil))
	w := s.Writer()
	for i := range 20 {
		o := marked(config(t, k, fmt.Sprintf("c%d", i)), app)
		must[manifest.Object](t)(w.Create(t.Context(), o, manifest.Writing{}))
		live := must[application.Live](t)(s.Live(t.Context(), application.Tracking{App: app}, nil, kinds, nil))
		if live.Objects[o.Key()] == nil {
			t.Fatalf("%s is not there after it was made", o.Name())
		}
	}
	dry := marked(config(t, k, "dry"), app)
	must[manifest.Object](t)(w.Create(t.Context(), dry, manifest.Writing{DryRun: true}))
	if live := must[application.Live](t)(s.Live(t.Context(), application.Tracking{App: app}, nil, kinds, nil)); live.Objects[dry.Key()] != nil {
		t.Error("a dry run is in the cache")
	}
}

func TestWithoutTheRightToAllNamespacesEachIsWatched(t *testing.T) {
	k, c := open(t)
	ctx := t.Context()
	app := "app-" + k.Namespace
	must[manifest.Object](t)(c.Create(ctx, marked(config(t, k, "mine"), app), manifest.Writing{}))
	limited := as(t, k, `[{apiGroups: [""], resources: [configmaps], verbs: [get, list, watch]}]`)
	s := state(t, limited, cluster.Scope{})
	live := must[application.Live](t)(s.Live(ctx, application.Tracking{App: app}, nil, []manifest.Kind{configMap}, []string{k.Namespace}))
	if got := fmt.Sprint(names(live)); got != "[ConfigMap/mine]" {
		t.Errorf("live is %s", got)
	}
	_, err := s.Live(ctx, application.Tracking{App: app}, nil, []manifest.Kind{configMap, secretKind}, []string{k.Namespace})
	refused(t, err, manifest.ReasonForbidden, 403)
	// Of what is only owned, nothing is known then, and that is no error.
	must[manifest.Object](t)(c.Create(ctx, object(t, `{apiVersion: v1, kind: Service, metadata: {name: s, namespace: `+k.Namespace+`}, spec: {ports: [{port: 80}]}}`), manifest.Writing{}))
	services := as(t, k, `[{apiGroups: [""], resources: [services], verbs: [get, list, watch]}]`)
	s = state(t, services, cluster.Scope{Namespaces: []string{k.Namespace}})
	live = must[application.Live](t)(s.Live(ctx, application.Tracking{App: app}, []manifest.Key{{Kind: "Service", Namespace: k.Namespace, Name: "s"}}, []manifest.Kind{manifest.KindOf("v1", "Service")}, nil))
	if got := fmt.Sprint(names(live)); got != "[Service/s]" {
		t.Errorf("live is %s", got)
	}
}

// as is a cluster seen by a service account with rules in the test's namespace.
func as(t *testing.T, k *kubetest.Kube, rules string) *cluster.Cluster {
	t.Helper()
	name := fmt.Sprintf("u%d", time.Now().UnixNano())
	k.Apply(t, `
{apiVersion: v1, kind: ServiceAccount, metadata: {name: `+name+`}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: `+name+`}, rules: `+rules+`}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: `+name+`}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: `+name+`}, subjects: [{kind: ServiceAccount, name: `+name+`, namespace: `+k.Namespace+`}]}
`)
	code, data := k.Do(t, "POST", "/api/v1/namespaces/"+k.Namespace+"/serviceaccounts/"+name+"/token", "application/json", []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`))
	o, err := manifest.Parse(data)
	if code != 201 || err != nil {
		t.Fatalf("a token: %d %s", code, data)
	}
	config := rest(t, k)
	config.CertData, config.KeyData = nil, nil
	config.BearerToken = o.Text("status", "token")
	c := must[*cluster.Cluster](t)(cluster.Dial(config, cluster.Options{}))
	c.Namespace = k.Namespace
	return c
}

// 50 applications of 20 objects, a quarter of the installation that the product is measured with: what the cache holds of them, and that it holds next to nothing of the others.
func TestTheCacheIsSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("1,000 objects")
	}
	k, _ := open(t)
	c := must[*cluster.Cluster](t)(cluster.OpenWith(k.Kubeconfig, "", cluster.Options{QPS: 5000, Burst: 5000}))
	ctx := t.Context()
	const apps, each = 50, 20
	var group sync.WaitGroup
	gate := make(chan struct{}, 16)
	for i := range apps * each {
		gate <- struct{}{}
		group.Go(func() {
			defer func() { <-gate }()
			o := config(t, k, fmt.Sprintf("c%d", i))
			for n := range 40 { // about what a Deployment with its managed fields comes to
				o.Set(strings.Repeat("v", 40), "data", fmt.Sprintf("key-%d-of-%d", n, i))
			}
			if _, err := c.Create(ctx, marked(o, fmt.Sprintf("app%d-%s", i/each, k.Namespace)), manifest.Writing{}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := state(t, c, cluster.Scope{Namespaces: []string{k.Namespace}})
	for i := range apps {
		live := must[application.Live](t)(s.Live(ctx, application.Tracking{App: fmt.Sprintf("app%d-%s", i, k.Namespace)}, nil, []manifest.Kind{configMap}, nil))
		if len(live.Objects) != each {
			t.Fatalf("application %d has %d objects", i, len(live.Objects))
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d objects: %d KiB", apps*each, held>>10)
	if held > 10<<20 {
		t.Errorf("the cache holds %d MiB of %d objects, want at most 10", held>>20, apps*each)
	}
	runtime.KeepAlive(s)
}
