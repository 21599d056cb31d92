// Package local runs what the objects of a local target ask for: it watches them, asks flow/workload what to do, and does it;
// pods go to who runs pods, Services to the proxy. It is to a store of objects what the controller manager, the scheduler and
// the kubelet are to a cluster. It decides nothing itself, and knows nothing of Argo's kinds: those are moved by engine/deliver
// and engine/advance over the same store.
package local

import (
	"context"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/workload"
)

// Cluster is the store. Every refusal is a *manifest.Refusal.
type Cluster interface {
	Reader
	Writer
	Watch(ctx context.Context, kind manifest.Kind, namespace, selector string, each func(manifest.Change)) error
}

// Reader reads.
type Reader interface {
	Get(ctx context.Context, kind manifest.Kind, namespace, name string) (manifest.Object, error)
	List(ctx context.Context, kind manifest.Kind, namespace, selector string) ([]manifest.Object, error)
}

// Writer writes.
type Writer interface {
	Create(ctx context.Context, o manifest.Object, w manifest.Writing) (manifest.Object, error)
	Update(ctx context.Context, o manifest.Object, sub string, w manifest.Writing) (manifest.Object, error)
	Patch(ctx context.Context, kind manifest.Kind, namespace, name string, p manifest.Patch, w manifest.Writing) (manifest.Object, error)
	Delete(ctx context.Context, kind manifest.Kind, namespace, name string, w manifest.Writing) error
}

// Pods runs pods. It tells Engine.Report, Engine.Gone and Engine.Event of them.
type Pods interface {
	Run(pod manifest.Object) error // one that runs already is left alone
	Stop(uid string, grace time.Duration) bool
	Forget(pod manifest.Object)
	Files // what pods see of other objects
}

// Files is what pods see of other objects.
type Files interface {
	// Refresh shows a changed ConfigMap or Secret in the volumes of pods.
	Refresh(kind, namespace, name string)
	// SetNames says which names the pods of a namespace see: lines of /etc/hosts.
	SetNames(namespace string, lines []string) error
}

// Proxy listens for Services.
type Proxy interface {
	// Set makes a listener so and gives the address that it listens on.
	Set(name string, l Listener) (string, error)
	// Drop closes one; what is in flight ends.
	Drop(name string)
	// Drain waits until an endpoint that is in no group any more serves nothing, or ctx ends.
	Drain(ctx context.Context, endpoint string) error
}

// Listener is one port of a Service.
type Listener struct {
	Listen string // "127.64.0.1:80"
	TCP    bool   // bytes, not HTTP
	Groups []Group
	workload.Traffic
}

// Group is the endpoints of one share, or of one revision.
type Group struct {
	Name, Hash string
	Weight     int
	Endpoints  []string // "127.1.0.4:8080"
}
