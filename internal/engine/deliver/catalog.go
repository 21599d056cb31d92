package deliver

import (
	"context"
	"slices"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// catalog is what a cluster serves, as it was asked a while ago.
type catalog struct {
	at       time.Time
	scopes   map[manifest.Kind]bool // namespaced
	version  string
	versions []string
}

// believed is how long a cluster is not asked again what it serves.
const believed = time.Minute

// serves fills what the cluster of a place serves. It asks where what is known is older than most; zero is a minute. An
// error says that the cluster does not answer.
func (c *Controller) serves(ctx context.Context, p *place, most time.Duration) error {
	if most == 0 {
		most = believed
	}
	c.mu.Lock()
	cat := c.catalogs[p.to]
	c.mu.Unlock()
	if cat == nil || c.Clock().Sub(cat.at) > most {
		fresh, err := askCatalog(ctx, p.to, c.Clock())
		if err != nil {
			return err
		}
		cat = fresh
		c.mu.Lock()
		c.catalogs[p.to] = cat
		c.mu.Unlock()
	}
	p.scope = func(k manifest.Kind) (bool, bool) {
		n, ok := cat.scopes[k]
		return n, ok
	}
	p.target = Target{KubeVersion: cat.version, APIVersions: cat.versions, Namespace: p.app.Spec.Destination.Namespace, Tracking: p.tracking}
	return nil
}

func askCatalog(ctx context.Context, to Cluster, now time.Time) (*catalog, error) {
	kinds, err := to.Kinds(ctx)
	if err != nil {
		return nil, err
	}
	cat := &catalog{at: now, scopes: map[manifest.Kind]bool{}}
	if cat.version, err = to.Version(ctx); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, k := range kinds {
		cat.scopes[k.Kind] = k.Namespaced
		names[k.Kind.APIVersion()] = true
		names[k.Kind.APIVersion()+"/"+k.Kind.Kind] = true
	}
	for n := range names {
		cat.versions = append(cat.versions, n)
	}
	slices.Sort(cat.versions)
	return cat, nil
}
