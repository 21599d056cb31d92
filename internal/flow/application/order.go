package application

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// kinds is the order in which kinds are brought to a cluster inside a wave: what others stand on goes first. It is the order
// of Helm's installs, which Argo CD takes too; kinds that are not here (custom resources) go last.
var kinds = func() map[string]int {
	out := map[string]int{}
	for i, k := range []string{
		"Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "PodSecurityPolicy", "PodDisruptionBudget", "ServiceAccount",
		"Secret", "SecretList", "ConfigMap", "StorageClass", "PersistentVolume", "PersistentVolumeClaim",
		"CustomResourceDefinition", "ClusterRole", "ClusterRoleList", "ClusterRoleBinding", "ClusterRoleBindingList", "Role",
		"RoleList", "RoleBinding", "RoleBindingList", "Service", "DaemonSet", "Pod", "ReplicationController", "ReplicaSet",
		"Deployment", "HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob", "IngressClass", "Ingress", "APIService",
	} {
		out[k] = i - 100
	}
	return out
}()

func rank(k manifest.Kind) int { return kinds[k.Kind] }

// stage is a place in the order of a sync.
type stage struct {
	phase int
	wave  int64
}

func (s stage) compare(o stage) int {
	return cmp.Or(cmp.Compare(s.phase, o.phase), cmp.Compare(s.wave, o.wave))
}

// order sorts tasks as a sync runs them: phase, wave, kind, name.
func order(tasks []*task) {
	slices.SortStableFunc(tasks, func(a, b *task) int {
		return cmp.Or(a.stage().compare(b.stage()), cmp.Compare(rank(a.kind), rank(b.kind)),
			strings.Compare(a.kind.Kind, b.kind.Kind), strings.Compare(a.key.Name, b.key.Name), strings.Compare(a.key.Namespace, b.key.Namespace))
	})
}

// reverse gives the tasks that prune the waves of each other from the other end, so that what was made last goes first, and
// puts those that shall go last into a wave of their own.
func reverse(tasks []*task, all []string) {
	var waves []int64
	var prunes []*task
	last := int64(0)
	for _, t := range tasks {
		last = max(last, t.wave)
		if t.prune {
			waves, prunes = append(waves, t.wave), append(prunes, t)
		}
	}
	slices.Sort(waves)
	waves = slices.Compact(waves)
	for _, t := range prunes {
		i, _ := slices.BinarySearch(waves, t.wave)
		t.wave = waves[len(waves)-1-i]
		if option(t.live, all, "PruneLast") == "true" {
			t.wave = last + 1
		}
	}
}
