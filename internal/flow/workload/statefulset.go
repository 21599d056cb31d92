package workload

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// StatefulSetWorld is what a decision on a StatefulSet rests on: the pods and the ControllerRevisions of its namespace that it
// controls or that its selector matches.
type StatefulSetWorld struct {
	StatefulSet manifest.Object
	Pods        []manifest.Object
	Revisions   []manifest.Object
	Now         time.Time
}

// stateful is one decision on its way.
type stateful struct {
	Decision
	s                appsv1.StatefulSet
	pods             map[int]*corev1.Pod // by ordinal
	now              time.Time
	current, update  string // revisions by name
	templates        map[string]corev1.PodTemplateSpec
	start, replicas  int
	partition        int
	ordered, rolling bool
}

// StatefulSet decides on a StatefulSet: pods by their ordinals, one after the other unless podManagementPolicy is Parallel,
// updated from the last to the partition (https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/). One pod is
// updated at a time.
func StatefulSet(w StatefulSetWorld) (Decision, error) {
	r := &stateful{now: w.Now, pods: map[int]*corev1.Pod{}, templates: map[string]corev1.PodTemplateSpec{}}
	var err error
	if r.s, err = read[appsv1.StatefulSet](w.StatefulSet); err != nil {
		return Decision{}, err
	}
	pods, err := readAll[corev1.Pod](w.Pods)
	if err != nil {
		return Decision{}, err
	}
	for _, p := range pods {
		if belongs(r.s.ObjectMeta, p.ObjectMeta) {
			if n, ok := ordinal(r.s.Name, p.Name); ok {
				r.pods[n] = p
			}
		}
	}
	r.read()
	if err := r.revisions(w.Revisions); err != nil {
		return Decision{}, err
	}
	if r.s.DeletionTimestamp == nil {
		if err := r.decide(); err != nil {
			return Decision{}, err
		}
	}
	return r.Decision, r.settle(r.s.Status, r.report())
}

func (r *stateful) read() {
	spec := r.s.Spec
	r.replicas = int(number(spec.Replicas, 1))
	if spec.Ordinals != nil {
		r.start = int(spec.Ordinals.Start)
	}
	r.ordered = spec.PodManagementPolicy != appsv1.ParallelPodManagement
	r.rolling = spec.UpdateStrategy.Type != appsv1.OnDeleteStatefulSetStrategyType
	if u := spec.UpdateStrategy.RollingUpdate; u != nil {
		r.partition = int(number(u.Partition, 0))
	}
}

// ordinal is the number in a pod's name.
func ordinal(set, pod string) (int, bool) {
	text, ok := strings.CutPrefix(pod, set+"-")
	n, err := strconv.Atoi(text)
	return n, ok && err == nil && n >= 0 && strconv.Itoa(n) == text
}

// revisions finds the revision of the present template, or makes it, and the one that was current before.
func (r *stateful) revisions(list []manifest.Object) error {
	all, err := readAll[appsv1.ControllerRevision](list)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(c *appsv1.ControllerRevision) bool { return !belongs(r.s.ObjectMeta, c.ObjectMeta) })
	slices.SortFunc(all, func(a, b *appsv1.ControllerRevision) int { return cmp.Compare(a.Revision, b.Revision) })
	data, err := json.Marshal(r.s.Spec.Template)
	if err != nil {
		return err
	}
	var last int64
	for _, c := range all {
		var t corev1.PodTemplateSpec
		if err := json.Unmarshal(c.Data.Raw, &t); err != nil {
			return fmt.Errorf("read ControllerRevision %s: %w", c.Name, err)
		}
		r.templates[c.Name] = t
		last = max(last, c.Revision)
	}
	hash, err := digest(json.RawMessage(data), r.s.Status.CollisionCount)
	if err != nil {
		return err
	}
	r.update = base(r.s.Name) + hash
	r.templates[r.update] = r.s.Spec.Template
	r.current = cmp.Or(r.s.Status.CurrentRevision, r.update)
	if _, ok := r.templates[r.current]; !ok { // somebody removed it
		r.current = r.update
	}
	at := slices.IndexFunc(all, func(c *appsv1.ControllerRevision) bool { return c.Name == r.update })
	switch {
	case at < 0:
		return r.revise(hash, data, last+1)
	case all[at].Revision < last: // a template that was there before is the newest again
		r.do(Patch{Kind: ControllerRevision, Name: r.update, Patch: manifest.Object{"revision": last + 1}})
	}
	r.forget(all)
	return nil
}

func (r *stateful) revise(hash string, data []byte, rev int64) error {
	c := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{Name: r.update, Namespace: r.s.Namespace, OwnerReferences: owner(StatefulSetKind, r.s.ObjectMeta), Labels: map[string]string{}},
		Data:       runtime.RawExtension{Raw: data}, Revision: rev,
	}
	for k, v := range r.s.Spec.Template.Labels {
		c.Labels[k] = v
	}
	c.Labels[appsv1.ControllerRevisionHashLabelKey] = hash
	o, err := write(ControllerRevision, c)
	if err == nil {
		r.do(Create{o})
	}
	return err
}

// forget removes revisions beyond revisionHistoryLimit that no pod has.
func (r *stateful) forget(all []*appsv1.ControllerRevision) {
	used := map[string]bool{r.current: true, r.update: true}
	for _, p := range r.pods {
		used[p.Labels[appsv1.StatefulSetRevisionLabel]] = true
	}
	idle := slices.DeleteFunc(slices.Clone(all), func(c *appsv1.ControllerRevision) bool { return used[c.Name] })
	for i := range max(0, len(idle)-int(number(r.s.Spec.RevisionHistoryLimit, 10))) {
		r.do(Delete{Kind: ControllerRevision, Name: idle[i].Name, UID: string(idle[i].UID), Propagation: "Background"})
	}
}

// decide makes, removes and updates pods; where order is asked for, one at a time.
func (r *stateful) decide() error {
	for n := r.start; n < r.start+r.replicas; n++ {
		p := r.pods[n]
		switch {
		case p == nil:
			if err := r.make(n); err != nil {
				return err
			}
		case p.DeletionTimestamp == nil && (p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded):
			r.do(Delete{Kind: Pod, Name: p.Name, UID: string(p.UID), Propagation: "Background"})
			r.warn("RecreatingFailedPod", "StatefulSet %s/%s is recreating failed Pod %s", r.s.Namespace, r.s.Name, p.Name)
		}
		if r.ordered && !r.good(r.pods[n]) {
			return nil // the next one waits for this one
		}
	}
	condemned := r.condemned()
	for _, p := range condemned {
		if p.DeletionTimestamp == nil {
			if r.ordered && !r.good(p) && r.anyBad() {
				return nil
			}
			r.take(p)
		}
		if r.ordered {
			return nil // the next one goes when this one has gone
		}
	}
	if r.rolling {
		r.renew()
	}
	return nil
}

// good says that a pod runs, is ready long enough and stays.
func (r *stateful) good(p *corev1.Pod) bool {
	if p == nil || p.DeletionTimestamp != nil {
		return false
	}
	ok, left := available(p, r.s.Spec.MinReadySeconds, r.now)
	if !ok && left > 0 {
		r.later(left)
	}
	return ok
}

func (r *stateful) anyBad() bool {
	for n := r.start; n < r.start+r.replicas; n++ {
		if !r.good(r.pods[n]) {
			return true
		}
	}
	return false
}

// condemned are the pods beyond the wanted ordinals, the highest first.
func (r *stateful) condemned() []*corev1.Pod {
	var out []*corev1.Pod
	for n, p := range r.pods {
		if n < r.start || n >= r.start+r.replicas {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *corev1.Pod) int {
		x, _ := ordinal(r.s.Name, a.Name)
		y, _ := ordinal(r.s.Name, b.Name)
		return y - x
	})
	return out
}

// renew replaces one pod that is not of the update revision: one that is not good anyway, else the highest, and that only
// when all others down to the partition are good.
func (r *stateful) renew() {
	var next *corev1.Pod
	for n := r.start + r.replicas - 1; n >= r.start+r.partition && n >= r.start; n-- {
		p := r.pods[n]
		if p == nil || p.DeletionTimestamp != nil {
			return
		}
		stale, good := p.Labels[appsv1.StatefulSetRevisionLabel] != r.update, r.good(p)
		switch {
		case !good && stale:
			r.take(p)
			return
		case !good:
			return
		case stale && next == nil:
			next = p
		}
	}
	if next != nil {
		r.take(next)
	}
}

func (r *stateful) take(p *corev1.Pod) {
	r.do(Delete{Kind: Pod, Name: p.Name, UID: string(p.UID), Propagation: "Background"})
	r.tell("SuccessfulDelete", "delete Pod %s in StatefulSet %s successful", p.Name, r.s.Name)
}

// make creates a pod with its claims, of the current revision below the partition.
func (r *stateful) make(n int) error {
	rev := r.update
	if r.rolling && n < r.start+r.partition {
		rev = r.current
	}
	t := r.templates[rev]
	p := podOf(t, r.s.Namespace, owner(StatefulSetKind, r.s.ObjectMeta))
	p.Name = fmt.Sprintf("%s-%d", r.s.Name, n)
	label(&p.Labels, appsv1.StatefulSetPodNameLabel, p.Name)
	label(&p.Labels, appsv1.PodIndexLabel, strconv.Itoa(n))
	label(&p.Labels, appsv1.StatefulSetRevisionLabel, rev)
	p.Spec.Hostname, p.Spec.Subdomain = p.Name, r.s.Spec.ServiceName
	for _, c := range r.s.Spec.VolumeClaimTemplates {
		name := c.Name + "-" + p.Name
		made := c.DeepCopy()
		made.ObjectMeta = metav1.ObjectMeta{Name: name, Namespace: r.s.Namespace, Labels: c.Labels, Annotations: c.Annotations}
		if sel := r.s.Spec.Selector; sel != nil && len(made.Labels) == 0 {
			made.Labels = sel.MatchLabels
		}
		o, err := write(Claim, made)
		if err != nil {
			return err
		}
		r.do(Create{o})
		p.Spec.Volumes = slices.DeleteFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == c.Name })
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: c.Name, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}})
	}
	o, err := write(Pod, p)
	if err == nil {
		r.do(Create{o})
	}
	return err
}

func (r *stateful) report() appsv1.StatefulSetStatus {
	st := *r.s.Status.DeepCopy()
	st.ObservedGeneration = r.s.Generation
	st.Replicas, st.ReadyReplicas, st.AvailableReplicas, st.CurrentReplicas, st.UpdatedReplicas = 0, 0, 0, 0, 0
	for _, p := range r.pods {
		if p.Status.Phase == "" || p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded {
			continue
		}
		st.Replicas++
		if ready, _ := Ready(p); ready && p.DeletionTimestamp == nil {
			st.ReadyReplicas++
		}
		if r.good(p) {
			st.AvailableReplicas++
		}
		if p.DeletionTimestamp == nil {
			switch p.Labels[appsv1.StatefulSetRevisionLabel] {
			case r.update:
				st.UpdatedReplicas++
				if r.current == r.update {
					st.CurrentReplicas++
				}
			case r.current:
				st.CurrentReplicas++
			}
		}
	}
	st.CurrentRevision, st.UpdateRevision = r.current, r.update
	if r.rolling && st.UpdatedReplicas == st.Replicas && st.ReadyReplicas == st.Replicas && int(st.Replicas) == r.replicas {
		st.CurrentRevision, st.CurrentReplicas = r.update, st.UpdatedReplicas
	}
	return st
}
