package advance

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

var deployments = manifest.Kind{Group: "apps", Version: "v1", Kind: "Deployment"}

// deploymentChanged brings the rollouts that name a Deployment, and the Deployment itself where it asks for a Rollout or
// has one.
func (m *Manager) deploymentChanged(c manifest.Change) {
	m.namedChanged(c)
	_, asks := c.Object.Annotations()[rollout.StrategyAnnotation]
	if c.Type != manifest.Deleted && (asks || c.Object.Annotation(rollout.ReplicasAnnotation) != "") {
		m.deployments.Add(at(c.Object))
	}
}

// adopt makes, keeps or removes the Rollout of a Deployment as its annotation says.
func (m *Manager) adopt(ctx context.Context, key place) (time.Duration, error) {
	d, err := m.Cluster.Get(ctx, deployments, key.namespace, key.name)
	if manifest.NotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read deployment %s: %w", key.name, err)
	}
	existing, err := m.Cluster.Get(ctx, Rollouts, key.namespace, key.name)
	if err != nil && !manifest.NotFound(err) {
		return 0, fmt.Errorf("read rollout %s: %w", key.name, err)
	}
	a := rollout.Adopt(d, existing)
	if a.Refused != "" {
		m.tell(d, "InvalidStrategy", a.Refused, true)
		return 0, nil // a person must act
	}
	if a.Create != nil {
		if err := m.create(ctx, a.Create, d.UID()); err != nil {
			return 0, err
		}
		m.tell(d, "RolloutCreated", fmt.Sprintf("Rollout %s now ships this Deployment", key.name), false)
	}
	if a.Rollout != nil {
		if err := m.merge(ctx, Rollouts, key.namespace, key.name, a.Rollout); err != nil {
			return 0, err
		}
	}
	if a.Delete {
		if err := m.remove(ctx, Rollouts, key.namespace, key.name); err != nil {
			return 0, err
		}
		m.tell(d, "RolloutRemoved", "this Deployment serves by itself again", false)
	}
	if a.Deployment != nil { // last: while it is remembered, what comes before is done again
		return 0, m.merge(ctx, deployments, key.namespace, key.name, a.Deployment)
	}
	return 0, nil
}
