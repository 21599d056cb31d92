package deliver

import (
	"context"
	"fmt"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// userOf is the user that syncs of an Application are done as, "" for the driver's own. An error is why it is not synced.
func (c *Controller) userOf(p *place) (string, error) {
	r := c.rules.Load()
	if !r.Impersonate {
		return "", nil
	}
	space := p.app.Spec.Destination.Namespace
	user, err := p.project.Account(p.at.Server, space, p.app.Object.Namespace())
	if err == nil && user == "" && !r.Lenient {
		err = fmt.Errorf("no matching service account found for destination server %s and namespace %s", p.at.Server, space)
	}
	return user, err
}

// writer is the cluster to write to, as the user that syncs are done as.
func (p *place) writer() Cluster {
	if p.user == "" {
		return p.to
	}
	return impersonated{p.to, p.user}
}

// impersonated is a cluster that is written to as another user.
type impersonated struct {
	Cluster
	user string
}

// Create makes an object.
func (i impersonated) Create(ctx context.Context, o manifest.Object, w manifest.Writing) (manifest.Object, error) {
	w.As = i.user
	return i.Cluster.Create(ctx, o, w)
}

// Update replaces an object.
func (i impersonated) Update(ctx context.Context, o manifest.Object, sub string, w manifest.Writing) (manifest.Object, error) {
	w.As = i.user
	return i.Cluster.Update(ctx, o, sub, w)
}

// Patch changes an object.
func (i impersonated) Patch(ctx context.Context, kind manifest.Kind, namespace, name string, p manifest.Patch, w manifest.Writing) (manifest.Object, error) {
	w.As = i.user
	return i.Cluster.Patch(ctx, kind, namespace, name, p, w)
}

// Delete deletes an object.
func (i impersonated) Delete(ctx context.Context, kind manifest.Kind, namespace, name string, w manifest.Writing) error {
	w.As = i.user
	return i.Cluster.Delete(ctx, kind, namespace, name, w)
}
