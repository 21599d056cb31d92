package cluster_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// TestScouts holds that an object which carries an application's mark is found though no application names its kind, that
// those are told who follow changes, and that who looks once does not send anybody out.
func TestScouts(t *testing.T) {
	k := kubetest.Start(t, kubetest.A)
	c, err := cluster.Open(k.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	app := "scouted-" + k.Namespace
	limits := manifest.Kind{Version: "v1", Kind: "LimitRange"}
	marked := func(kind, name string) {
		key := manifest.Key{Kind: kind, Namespace: k.Namespace, Name: name}
		k.Apply(t, fmt.Sprintf("{apiVersion: v1, kind: %s, metadata: {name: %s, annotations: {%s: %q}}, spec: {limits: [{type: Pod}]}}", kind, name, application.AnnotationTracking,
			fmt.Sprintf("%s:/%s:%s/%s", app, key.Kind, key.Namespace, key.Name)))
	}
	marked("LimitRange", "before")
	tracking := application.Tracking{Method: "annotation", App: app}
	ask := func(s *cluster.State) map[manifest.Key]manifest.Object {
		live, err := s.Live(t.Context(), tracking, nil, []manifest.Kind{{Version: "v1", Kind: "ConfigMap"}}, []string{k.Namespace})
		if err != nil {
			t.Fatal(err)
		}
		return live.Objects
	}
	s := cluster.NewState(c, cluster.Scope{})
	defer s.Close()
	var mu sync.Mutex
	told := 0
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Changed(ctx, func(of string, _ manifest.Object) {
			mu.Lock()
			defer mu.Unlock()
			if of == app {
				told++
			}
		})
	}()
	defer func() { stop(); <-done }()
	holds := func(what string, so func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !so(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not: %s", what)
			}
		}
	}
	key := func(name string) manifest.Key {
		return manifest.Key{Kind: limits.Kind, Namespace: k.Namespace, Name: name}
	}
	if ask(s)[key("before")] == nil {
		t.Error("what was there before is not found at once")
	}
	holds("it was told", func() bool { mu.Lock(); defer mu.Unlock(); return told > 0 })
	marked("LimitRange", "after")
	holds("what came after is found", func() bool { return ask(s)[key("after")] != nil })

	// A kind that others watch already is found in their watch.
	other := application.Tracking{Method: "annotation", App: "other-" + k.Namespace}
	if _, err := s.Live(t.Context(), other, nil, []manifest.Kind{limits}, []string{k.Namespace}); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	app += "-late"
	mu.Unlock()
	tracking.App = app
	marked("LimitRange", "watched")
	holds("what others watch is found", func() bool { return ask(s)[key("watched")] != nil })

	once := cluster.NewState(c, cluster.Scope{Used: true})
	defer once.Close()
	for range 5 {
		if len(ask(once)) > 0 {
			t.Fatal("who looks once found what it did not ask for")
		}
		time.Sleep(100 * time.Millisecond)
	}
}
