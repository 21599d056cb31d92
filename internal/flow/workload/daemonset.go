package workload

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// DaemonSetWorld is what a decision on a DaemonSet rests on: the pods that it controls.
type DaemonSetWorld struct {
	DaemonSet manifest.Object
	Pods      []manifest.Object
	Now       time.Time
}

// DaemonSet decides on a DaemonSet: one pod, since there is one node; a changed template replaces it unless updateStrategy
// is OnDelete (https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/). Selectors of nodes are not looked at.
func DaemonSet(w DaemonSetWorld) (Decision, error) {
	var d Decision
	s, err := read[appsv1.DaemonSet](w.DaemonSet)
	if err != nil {
		return d, err
	}
	pods, err := readAll[corev1.Pod](w.Pods)
	if err != nil {
		return d, err
	}
	hash, err := digest(s.Spec.Template, s.Status.CollisionCount)
	if err != nil {
		return d, err
	}
	st := *s.Status.DeepCopy()
	st.ObservedGeneration, st.DesiredNumberScheduled = s.Generation, 1
	st.CurrentNumberScheduled, st.NumberReady, st.NumberAvailable, st.UpdatedNumberScheduled, st.NumberUnavailable = 0, 0, 0, 0, 0
	there := false
	for _, p := range pods {
		if !belongs(s.ObjectMeta, p.ObjectMeta) {
			continue
		}
		if !active(p) {
			there = there || p.DeletionTimestamp != nil
			if p.DeletionTimestamp == nil {
				d.do(Delete{Kind: Pod, Name: p.Name, UID: string(p.UID), Propagation: "Background"})
				d.warn("FailedDaemonPod", "Found failed daemon pod %s/%s on node %s, will try to kill it", p.Namespace, p.Name, Node)
			}
			continue
		}
		updated := p.Labels[appsv1.ControllerRevisionHashLabelKey] == hash
		if there || !updated && s.Spec.UpdateStrategy.Type != appsv1.OnDeleteDaemonSetStrategyType {
			there = true
			d.do(Delete{Kind: Pod, Name: p.Name, UID: string(p.UID), Propagation: "Background"})
			d.tell("SuccessfulDelete", "Deleted pod: %s", p.Name)
			continue
		}
		there = true
		st.CurrentNumberScheduled++
		if updated {
			st.UpdatedNumberScheduled++
		}
		if ready, _ := Ready(p); ready {
			st.NumberReady++
		}
		if ok, left := available(p, s.Spec.MinReadySeconds, w.Now); ok {
			st.NumberAvailable++
		} else if left > 0 {
			d.later(left)
		}
	}
	st.NumberUnavailable = st.DesiredNumberScheduled - st.NumberAvailable
	if !there && s.DeletionTimestamp == nil {
		p := podOf(s.Spec.Template, s.Namespace, owner(DaemonSetKind, s.ObjectMeta))
		p.GenerateName = base(s.Name)
		label(&p.Labels, appsv1.ControllerRevisionHashLabelKey, hash)
		label(&p.Labels, appsv1.DeprecatedTemplateGeneration, fmt.Sprint(s.Generation))
		o, err := write(Pod, p)
		if err != nil {
			return d, err
		}
		d.do(Create{o})
	}
	return d, d.settle(s.Status, st)
}
