package cluster_test

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The local target's store is a cluster like any other over its REST interface.
func TestTheLocalStoreIsAClusterToo(t *testing.T) {
	store := must[*objects.Store](t)(objects.Open(objects.Config{}))
	access := must[objects.Access](t)(objects.NewAccess(time.Now()))
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- store.Serve(ctx, l, access) }()
	t.Cleanup(func() { stop(); <-served })
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := objects.WriteKubeconfig(path, l.Addr().String(), access, "mine"); err != nil {
		t.Fatal(err)
	}
	c := must[*cluster.Cluster](t)(cluster.Open(path, ""))
	if c.Namespace != "mine" {
		t.Errorf("the namespace is %q", c.Namespace)
	}
	kinds := must[[]manifest.Discovered](t)(c.Kinds(ctx))
	if !slices.ContainsFunc(kinds, func(d manifest.Discovered) bool { return d.Kind.Kind == "Rollout" && d.Namespaced && d.Preferred }) {
		t.Errorf("the kinds are %v", kinds)
	}
	one := manifest.Object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "one", "namespace": "default"}, "data": map[string]any{"k": "1"}}
	must[manifest.Object](t)(c.Create(ctx, marked(one, "app"), manifest.Writing{}))
	_, err := c.Create(ctx, one, manifest.Writing{})
	refused(t, err, manifest.ReasonExists, http.StatusConflict)
	_, err = c.Get(ctx, manifest.KindOf("no.such/v1", "Thing"), "default", "x")
	refused(t, err, manifest.ReasonNoKind, http.StatusNotFound)
	s := state(t, c, cluster.Scope{})
	live := must[application.Live](t)(s.Live(ctx, application.Tracking{App: "app"}, nil, []manifest.Kind{configMap}, nil))
	if live.Objects[one.Key()].Text("data", "k") != "1" {
		t.Errorf("live is %v", names(live))
	}
	// The same cache over the store itself.
	s = state(t, store, cluster.Scope{})
	live = must[application.Live](t)(s.Live(ctx, application.Tracking{App: "app"}, nil, []manifest.Kind{configMap}, nil))
	if live.Objects[one.Key()].Text("data", "k") != "1" {
		t.Errorf("live is %v", names(live))
	}
}
