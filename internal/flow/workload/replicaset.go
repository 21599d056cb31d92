package workload

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// ReplicaSetWorld is what a decision on a ReplicaSet rests on: every pod of its namespace that it controls or that its selector
// matches.
type ReplicaSetWorld struct {
	ReplicaSet manifest.Object
	Pods       []manifest.Object
	Now        time.Time
}

// ReplicaSet decides on a ReplicaSet: as many pods as it wants, no more
// (https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/).
func ReplicaSet(w ReplicaSetWorld) (Decision, error) {
	var d Decision
	s, err := read[appsv1.ReplicaSet](w.ReplicaSet)
	if err != nil {
		return d, err
	}
	pods, err := readAll[corev1.Pod](w.Pods)
	if err != nil {
		return d, err
	}
	selector, err := metav1.LabelSelectorAsSelector(s.Spec.Selector)
	if err != nil {
		return d, fmt.Errorf("spec.selector of ReplicaSet %s: %w", s.Name, err)
	}
	var mine []*corev1.Pod
	for _, p := range pods {
		if !active(p) {
			continue
		}
		ours, a := claim(ReplicaSetKind, s.ObjectMeta, selector, Pod, p.ObjectMeta)
		if a != nil {
			d.do(a)
		}
		if ours {
			mine = append(mine, p)
		}
	}
	if s.DeletionTimestamp == nil {
		if err := d.fit(s, mine, w.Now); err != nil {
			return d, err
		}
	}
	return d, d.settle(s.Status, statusOf(&d, s, mine, w.Now))
}

// fit makes the pods that are missing and removes those that are too many.
func (d *Decision) fit(s appsv1.ReplicaSet, mine []*corev1.Pod, now time.Time) error {
	want := int(number(s.Spec.Replicas, 1))
	for range want - len(mine) {
		p := podOf(s.Spec.Template, s.Namespace, owner(ReplicaSetKind, s.ObjectMeta))
		p.GenerateName = base(s.Name)
		o, err := write(Pod, p)
		if err != nil {
			return err
		}
		d.do(Create{o})
	}
	if len(mine) > want {
		for _, p := range victims(mine, len(mine)-want, now) {
			d.do(Delete{Kind: Pod, Name: p.Name, UID: string(p.UID), Propagation: "Background"})
			d.tell("SuccessfulDelete", "Deleted pod: %s", p.Name)
		}
	}
	return nil
}

// victims are the pods that go first: not placed, not running, not ready, of a low deletion cost, ready for a shorter time,
// restarted more often, younger.
func victims(pods []*corev1.Pod, n int, _ time.Time) []*corev1.Pod {
	sorted := slices.Clone(pods)
	rank := map[corev1.PodPhase]int{corev1.PodPending: 0, corev1.PodUnknown: 1, corev1.PodRunning: 2}
	truth := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(sorted, func(a, b *corev1.Pod) int {
		readyA, sinceA := Ready(a)
		readyB, sinceB := Ready(b)
		return cmp.Or(
			cmp.Compare(truth(a.Spec.NodeName != ""), truth(b.Spec.NodeName != "")),
			cmp.Compare(rank[a.Status.Phase], rank[b.Status.Phase]),
			cmp.Compare(truth(readyA), truth(readyB)),
			cmp.Compare(cost(a), cost(b)),
			sinceB.Compare(sinceA),
			cmp.Compare(restarts(b), restarts(a)),
			b.CreationTimestamp.Compare(a.CreationTimestamp.Time),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return sorted[:n]
}

// cost is the annotation controller.kubernetes.io/pod-deletion-cost.
func cost(p *corev1.Pod) int {
	n, _ := strconv.Atoi(p.Annotations[corev1.PodDeletionCost])
	return n
}

func restarts(p *corev1.Pod) int32 {
	var n int32
	for _, c := range p.Status.ContainerStatuses {
		n = max(n, c.RestartCount)
	}
	return n
}

func statusOf(d *Decision, s appsv1.ReplicaSet, mine []*corev1.Pod, now time.Time) appsv1.ReplicaSetStatus {
	status := *s.Status.DeepCopy()
	status.ObservedGeneration = s.Generation
	status.Replicas = int32(len(mine))
	status.FullyLabeledReplicas, status.ReadyReplicas, status.AvailableReplicas = 0, 0, 0
	template := labels.SelectorFromSet(s.Spec.Template.Labels)
	for _, p := range mine {
		if template.Matches(labels.Set(p.Labels)) {
			status.FullyLabeledReplicas++
		}
		if ready, _ := Ready(p); ready {
			status.ReadyReplicas++
		}
		if ok, left := available(p, s.Spec.MinReadySeconds, now); ok {
			status.AvailableReplicas++
		} else if left > 0 {
			d.later(left)
		}
	}
	return status
}
