package workload

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The annotations of deployments and their replica sets.
const (
	revisionNote = "deployment.kubernetes.io/revision"
	historyNote  = "deployment.kubernetes.io/revision-history"
	desiredNote  = "deployment.kubernetes.io/desired-replicas"
	maxNote      = "deployment.kubernetes.io/max-replicas"
)

// DeploymentWorld is what a decision on a Deployment rests on: every replica set of its namespace that it controls or that its
// selector matches, and the pods that the selector matches.
type DeploymentWorld struct {
	Deployment  manifest.Object
	ReplicaSets []manifest.Object
	Pods        []manifest.Object
	Now         time.Time
}

// rolling is one decision on its way.
type rolling struct {
	Decision
	d        appsv1.Deployment
	sets     []*appsv1.ReplicaSet // its own, the oldest first
	fresh    *appsv1.ReplicaSet   // the set of the present template, nil for none
	old      []*appsv1.ReplicaSet // the others
	pods     []*corev1.Pod
	now      time.Time
	status   appsv1.DeploymentStatus
	surge    int32
	missing  int32 // how many may be unavailable
	replicas int32
}

// Deployment decides on a Deployment: a new replica set for a new template, then its pods up and the old ones' down within
// maxSurge and maxUnavailable (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/).
func Deployment(w DeploymentWorld) (Decision, error) {
	r := &rolling{now: w.Now}
	var err error
	if r.d, err = read[appsv1.Deployment](w.Deployment); err != nil {
		return Decision{}, err
	}
	if r.pods, err = readAll[corev1.Pod](w.Pods); err != nil {
		return Decision{}, err
	}
	sets, err := readAll[appsv1.ReplicaSet](w.ReplicaSets)
	if err != nil {
		return Decision{}, err
	}
	if err := r.own(sets); err != nil {
		return Decision{}, err
	}
	r.bounds()
	r.find()
	r.status = *r.d.Status.DeepCopy()
	switch {
	case r.d.DeletionTimestamp != nil:
	case r.d.Spec.Paused:
		r.scaleAll()
	default:
		err = r.roll()
	}
	if err != nil {
		return Decision{}, err
	}
	r.report()
	return r.Decision, r.settle(r.d.Status, r.status)
}

// own takes the replica sets that are the deployment's, adopting and releasing.
func (r *rolling) own(sets []*appsv1.ReplicaSet) error {
	selector, err := metav1.LabelSelectorAsSelector(r.d.Spec.Selector)
	if err != nil {
		return fmt.Errorf("spec.selector of Deployment %s: %w", r.d.Name, err)
	}
	for _, s := range sets {
		mine, a := claim(DeploymentKind, r.d.ObjectMeta, selector, ReplicaSetKind, s.ObjectMeta)
		if a != nil {
			r.do(a)
		}
		if mine {
			r.sets = append(r.sets, s)
		}
	}
	slices.SortFunc(r.sets, func(a, b *appsv1.ReplicaSet) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return nil
}

// bounds reads maxSurge (rounded up) and maxUnavailable (rounded down); where both come to nothing, one pod may be missing.
func (r *rolling) bounds() {
	r.replicas = number(r.d.Spec.Replicas, 1)
	if r.d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return
	}
	quarter := intstr.FromString("25%")
	surge, missing := &quarter, &quarter
	if u := r.d.Spec.Strategy.RollingUpdate; u != nil {
		if u.MaxSurge != nil {
			surge = u.MaxSurge
		}
		if u.MaxUnavailable != nil {
			missing = u.MaxUnavailable
		}
	}
	r.surge, r.missing = share(surge, r.replicas, true), share(missing, r.replicas, false)
	if r.surge == 0 && r.missing == 0 {
		r.missing = 1
	}
	r.missing = min(r.missing, r.replicas)
}

// share is a number, or a percentage of one; what is neither is none.
func share(v *intstr.IntOrString, of int32, up bool) int32 {
	n, err := intstr.GetScaledValueFromIntOrPercent(v, int(of), up)
	if err != nil {
		return 0
	}
	return int32(max(n, 0))
}

// find tells the set of the present template from the others.
func (r *rolling) find() {
	for _, s := range r.sets {
		if r.fresh == nil && sameTemplate(r.d.Spec.Template, s.Spec.Template) {
			r.fresh = s
			continue
		}
		r.old = append(r.old, s)
	}
}

// sameTemplate compares pod templates but for the hash that a replica set adds.
func sameTemplate(a, b corev1.PodTemplateSpec) bool {
	return string(bare(a)) == string(bare(b))
}

func bare(t corev1.PodTemplateSpec) []byte {
	c := t.DeepCopy()
	delete(c.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	data, _ := json.Marshal(c)
	return data
}

// roll is a decision on a deployment that is not paused.
func (r *rolling) roll() error {
	if r.d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return r.recreate()
	}
	if err := r.renew(); err != nil || r.fresh == nil {
		return err
	}
	if r.rescaled() {
		r.scaleAll()
		return nil
	}
	if !r.growFresh() {
		r.shrinkOld()
	}
	r.tidy()
	return nil
}

// recreate takes all old pods away before a new one is made.
func (r *rolling) recreate() error {
	waits := false
	for _, s := range r.old {
		if number(s.Spec.Replicas, 1) > 0 {
			r.scale(s, 0)
			waits = true
		}
		for _, p := range r.pods { // those that end still run
			waits = waits || belongs(s.ObjectMeta, p.ObjectMeta) && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed
		}
	}
	if waits {
		return nil
	}
	if err := r.renew(); err != nil || r.fresh == nil {
		return err
	}
	r.scale(r.fresh, r.replicas)
	r.tidy()
	return nil
}

// renew sees to a set of the present template with the newest revision. fresh stays nil where it has to be made.
func (r *rolling) renew() error {
	var last int64
	for _, s := range r.old {
		last = max(last, revision(s.ObjectMeta))
	}
	if r.fresh != nil {
		r.revise(max(last+1, revision(r.fresh.ObjectMeta)))
		return nil
	}
	hash, err := digest(json.RawMessage(bare(r.d.Spec.Template)), r.status.CollisionCount)
	if err != nil {
		return err
	}
	name := r.d.Name + "-" + hash
	if slices.ContainsFunc(r.old, func(s *appsv1.ReplicaSet) bool { return s.Name == name }) { // another template, the same hash
		count := number(r.status.CollisionCount, 0) + 1
		r.status.CollisionCount = &count
		r.later(time.Millisecond)
		return nil
	}
	return r.make(name, hash, last+1)
}

// make creates the set of the present template, with as many pods as there is room for.
func (r *rolling) make(name, hash string, rev int64) error {
	n := r.replicas
	if r.d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		n = max(0, min(r.replicas, r.replicas+r.surge-wanted(r.old)))
	}
	s := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: r.d.Namespace, Annotations: r.notes(nil, rev), OwnerReferences: owner(DeploymentKind, r.d.ObjectMeta)},
		Spec:       appsv1.ReplicaSetSpec{Replicas: &n, MinReadySeconds: r.d.Spec.MinReadySeconds, Selector: r.d.Spec.Selector.DeepCopy(), Template: *r.d.Spec.Template.DeepCopy()},
	}
	label(&s.Spec.Template.Labels, appsv1.DefaultDeploymentUniqueLabelKey, hash)
	label(&s.Spec.Selector.MatchLabels, appsv1.DefaultDeploymentUniqueLabelKey, hash)
	for k, v := range s.Spec.Template.Labels {
		label(&s.Labels, k, v)
	}
	o, err := write(ReplicaSetKind, s)
	if err != nil {
		return err
	}
	r.do(Create{o})
	if n > 0 {
		r.tell("ScalingReplicaSet", "Scaled up replica set %s from 0 to %d", name, n)
	}
	r.note(rev)
	r.progress(corev1.ConditionTrue, "NewReplicaSetCreated", fmt.Sprintf("Created new replica set %q", name))
	return nil
}

// notes are a set's annotations: the deployment's own, the revision, and what it was scaled for.
func (r *rolling) notes(was map[string]string, rev int64) map[string]string {
	out := map[string]string{}
	for k, v := range r.d.Annotations {
		if k != corev1.LastAppliedConfigAnnotation && k != revisionNote {
			out[k] = v
		}
	}
	out[revisionNote] = strconv.FormatInt(rev, 10)
	out[desiredNote] = strconv.Itoa(int(r.replicas))
	out[maxNote] = strconv.Itoa(int(r.replicas + r.surge))
	if h := was[historyNote]; h != "" {
		out[historyNote] = h
	}
	return out
}

func revision(m metav1.ObjectMeta) int64 {
	n, _ := strconv.ParseInt(m.Annotations[revisionNote], 10, 64)
	return n
}

// revise gives the fresh set its revision: a template that was there before is the newest again.
func (r *rolling) revise(rev int64) {
	was := revision(r.fresh.ObjectMeta)
	change := manifest.Object{}
	if was != rev {
		history := r.fresh.Annotations[historyNote]
		if was > 0 {
			if history != "" {
				history += ","
			}
			history += strconv.FormatInt(was, 10)
			change.SetAnnotation(historyNote, history)
		}
		change.SetAnnotation(revisionNote, strconv.FormatInt(rev, 10))
	}
	if r.fresh.Spec.MinReadySeconds != r.d.Spec.MinReadySeconds {
		change.Set(int64(r.d.Spec.MinReadySeconds), "spec", "minReadySeconds")
	}
	if len(change) > 0 {
		r.do(Patch{Kind: ReplicaSetKind, Name: r.fresh.Name, Patch: change})
	}
	r.note(rev)
	if c := condition(r.status.Conditions, appsv1.DeploymentProgressing); c == nil {
		r.progress(corev1.ConditionTrue, "FoundNewReplicaSet", fmt.Sprintf("Found new replica set %q", r.fresh.Name))
	}
}

// note keeps the newest revision on the deployment.
func (r *rolling) note(rev int64) {
	if text := strconv.FormatInt(rev, 10); r.d.Annotations[revisionNote] != text {
		r.Annotations = map[string]string{revisionNote: text}
	}
}
