// Package deliver keeps Applications true to Git: it renders what is desired, watches what is live, asks flow/application
// what to do and does it. It decides nothing itself.
package deliver

import (
	"context"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Reader reads a cluster. Every refusal is a *manifest.Refusal.
type Reader interface {
	Get(ctx context.Context, kind manifest.Kind, namespace, name string) (manifest.Object, error)
	// List gives what a label selector ("" for all) matches, in a namespace or in all ("").
	List(ctx context.Context, kind manifest.Kind, namespace, selector string) ([]manifest.Object, error)
}

// Writer changes a cluster. Update refuses a stale resourceVersion (manifest.ReasonConflict).
type Writer interface {
	Create(ctx context.Context, o manifest.Object, w manifest.Writing) (manifest.Object, error)
	Update(ctx context.Context, o manifest.Object, sub string, w manifest.Writing) (manifest.Object, error)
	Patch(ctx context.Context, kind manifest.Kind, namespace, name string, p manifest.Patch, w manifest.Writing) (manifest.Object, error)
	Delete(ctx context.Context, kind manifest.Kind, namespace, name string, w manifest.Writing) error
}

// Watcher follows a kind: first what is there (Added), then each change. It mends cut watches itself and returns when ctx
// ends or the kind is gone.
type Watcher interface {
	Watch(ctx context.Context, kind manifest.Kind, namespace, selector string, each func(manifest.Change)) error
}

// Kinds is what the cluster serves.
type Kinds interface {
	Kinds(ctx context.Context) ([]manifest.Discovered, error)
	Version(ctx context.Context) (string, error) // v1.35.4
}

// Cluster is one cluster.
type Cluster interface {
	Reader
	Writer
	Watcher
	Kinds
}

// State is the live cache of one cluster: what an application's kinds hold now, without asking the server again.
type State interface {
	// Live is what the application tracks or wants, and what those own, from watches on the kinds in use.
	Live(ctx context.Context, tracking application.Tracking, wanted []manifest.Key, kinds []manifest.Kind, namespaces []string) (application.Live, error)
	// Changed tells, until ctx ends, of every tracked object that changed, by its application's name.
	Changed(ctx context.Context, each func(app string, o manifest.Object)) error
}

// Clusters finds the cluster of a destination.
type Clusters interface {
	Find(ctx context.Context, d application.Destination) (Cluster, State, error)
}

// Resolver is what a Clusters may also be: it tells server and name of a destination that has one of them, which projects
// and windows go by, and the project that the cluster belongs to, "" for none. An error says that the destination is none.
type Resolver interface {
	Resolve(ctx context.Context, d application.Destination) (at application.Destination, project string, err error)
}

// Sources resolves and renders what is desired.
type Sources interface {
	// Resolve is the commit (or chart version) that each source's target revision means now. Where the Application has the
	// annotation argocd.argoproj.io/refresh, servers are asked whatever they said a moment ago.
	Resolve(ctx context.Context, app application.Application, sources []application.Source) ([]string, error)
	// Render makes the objects of the sources at revisions. The same request is answered from a cache.
	Render(ctx context.Context, app application.Application, sources []application.Source, revisions []string, to Target) (application.Desired, error)
}

// Target is what a rendering may know of its cluster.
type Target struct {
	KubeVersion string
	APIVersions []string // "apps/v1", "apps/v1/Deployment"
	Namespace   string
	Tracking    application.Tracking
	Fresh       bool // a hard refresh: no cache answers
}

// Clock is the time.
type Clock func() time.Time
