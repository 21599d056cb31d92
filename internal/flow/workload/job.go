package workload

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// JobWorld is what a decision on a Job rests on: the pods that it controls.
type JobWorld struct {
	Job  manifest.Object
	Pods []manifest.Object
	Now  time.Time
}

// jobbing is one decision on its way.
type jobbing struct {
	Decision
	j       batchv1.Job
	now     time.Time
	active  []*corev1.Pod // run or are to run
	done    []*corev1.Pod
	failed  []*corev1.Pod
	leaving int32
	status  batchv1.JobStatus
	indexed bool
}

// Job decides on a Job: pods until enough have succeeded or too many have failed
// (https://kubernetes.io/docs/concepts/workloads/controllers/job/). Pods that have ended are counted while they are there.
func Job(w JobWorld) (Decision, error) {
	r := &jobbing{now: w.Now}
	var err error
	if r.j, err = read[batchv1.Job](w.Job); err != nil {
		return Decision{}, err
	}
	pods, err := readAll[corev1.Pod](w.Pods)
	if err != nil {
		return Decision{}, err
	}
	r.status = *r.j.Status.DeepCopy()
	r.indexed = r.j.Spec.CompletionMode != nil && *r.j.Spec.CompletionMode == batchv1.IndexedCompletion
	r.sort(pods)
	if at, ended := finished(r.j.Status); ended {
		r.outlive(at)
		r.count()
		return r.Decision, r.settle(r.j.Status, r.status)
	}
	if r.j.DeletionTimestamp == nil {
		if err := r.decide(); err != nil {
			return Decision{}, err
		}
	}
	r.count()
	return r.Decision, r.settle(r.j.Status, r.status)
}

func (r *jobbing) sort(pods []*corev1.Pod) {
	for _, p := range pods {
		if !belongs(r.j.ObjectMeta, p.ObjectMeta) {
			continue
		}
		switch {
		case p.Status.Phase == corev1.PodSucceeded:
			r.done = append(r.done, p)
		case p.Status.Phase == corev1.PodFailed:
			r.failed = append(r.failed, p)
		case p.DeletionTimestamp != nil:
			r.leaving++
		default:
			r.active = append(r.active, p)
		}
	}
}

// finished says whether a job has ended, and when.
func finished(s batchv1.JobStatus) (time.Time, bool) {
	for _, c := range s.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time, true
		}
	}
	return time.Time{}, false
}

// outlive removes a job that has ended when its time to live is over, and what still runs of it at once.
func (r *jobbing) outlive(ended time.Time) {
	r.stop()
	if ttl := r.j.Spec.TTLSecondsAfterFinished; ttl != nil && r.j.DeletionTimestamp == nil {
		if left := ended.Add(time.Duration(*ttl) * time.Second).Sub(r.now); left > 0 {
			r.later(left)
		} else {
			r.do(Delete{Kind: JobKind, Name: r.j.Name, UID: string(r.j.UID), Propagation: "Foreground"})
		}
	}
}

func (r *jobbing) stop() {
	for _, p := range r.active {
		r.do(Delete{Kind: Pod, Name: p.Name, UID: string(p.UID), Propagation: "Background"})
	}
	r.leaving += int32(len(r.active))
	r.active = nil
}

// succeeded and wrong are how many pods have ended so; what was counted before stays counted though the pod was removed.
func (r *jobbing) succeeded() int32 {
	if r.indexed {
		return int32(len(r.indexes()))
	}
	return max(r.j.Status.Succeeded, int32(len(r.done)))
}

func (r *jobbing) wrong() int32 { return max(r.j.Status.Failed, int32(len(r.failed))) }

func (r *jobbing) decide() error {
	suspend := r.j.Spec.Suspend != nil && *r.j.Spec.Suspend
	r.suspended(suspend)
	if suspend {
		r.stop()
		r.status.StartTime = nil
		return nil
	}
	if r.status.StartTime == nil {
		now := metav1.NewTime(r.now)
		r.status.StartTime = &now
	}
	if reason, message := r.over(); reason != "" {
		r.stop()
		r.set(batchv1.JobFailureTarget, corev1.ConditionTrue, reason, message)
		r.set(batchv1.JobFailed, corev1.ConditionTrue, reason, message)
		r.warn(reason, "%s", message)
		return nil
	}
	if r.complete() {
		return nil
	}
	return r.fit()
}

// over says why a job has failed, "" while it has not.
func (r *jobbing) over() (reason, message string) {
	limit := number(r.j.Spec.BackoffLimit, 6)
	if r.wrong() > limit || r.j.Spec.Template.Spec.RestartPolicy == corev1.RestartPolicyOnFailure && r.restarts() && r.restartCount() >= limit {
		return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
	}
	if d := r.j.Spec.ActiveDeadlineSeconds; d != nil {
		left := r.status.StartTime.Add(time.Duration(*d) * time.Second).Sub(r.now)
		if left <= 0 {
			return "DeadlineExceeded", "Job was active longer than specified deadline"
		}
		r.later(left)
	}
	return "", ""
}

func (r *jobbing) restarts() bool { return r.restartCount() > 0 }

func (r *jobbing) restartCount() int32 {
	var n int32
	for _, p := range r.active {
		for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
			for _, c := range list {
				n += c.RestartCount
			}
		}
	}
	return n
}

// complete ends a job of which enough pods have succeeded. Without a number of completions one is enough, once none runs.
func (r *jobbing) complete() bool {
	switch n := r.j.Spec.Completions; {
	case n == nil && (r.succeeded() == 0 || len(r.active) > 0):
		return false
	case n != nil && r.succeeded() < *n:
		return false
	}
	r.stop()
	const reason, message = "CompletionsReached", "Reached expected number of succeeded pods"
	r.set(batchv1.JobSuccessCriteriaMet, corev1.ConditionTrue, reason, message)
	r.set(batchv1.JobComplete, corev1.ConditionTrue, reason, message)
	now := metav1.NewTime(r.now)
	r.status.CompletionTime = &now
	r.tell("Completed", "Job completed")
	return true
}

// fit makes the pods that are missing, after a pause that doubles with each failure, or removes those that are too many.
func (r *jobbing) fit() error {
	want := int(number(r.j.Spec.Parallelism, 1))
	if n := r.j.Spec.Completions; n != nil {
		want = min(want, int(*n-r.succeeded()))
	} else if r.succeeded() > 0 {
		want = len(r.active) // no new ones once one has succeeded
	}
	if len(r.active) > want {
		for _, p := range victims(r.active, len(r.active)-want, r.now) {
			r.do(Delete{Kind: Pod, Name: p.Name, UID: string(p.UID), Propagation: "Background"})
			r.tell("SuccessfulDelete", "Deleted pod: %s", p.Name)
		}
		return nil
	}
	if left := r.backoff(); left > 0 && want > len(r.active) {
		r.later(left)
		return nil
	}
	free := r.free()
	for i := range want - len(r.active) - int(r.blocked()) {
		index := -1
		if r.indexed {
			if i >= len(free) {
				break
			}
			index = free[i]
		}
		if err := r.make(index); err != nil {
			return err
		}
	}
	return nil
}

// blocked are pods that are being deleted and must end before others take their place (podReplacementPolicy: Failed).
func (r *jobbing) blocked() int32 {
	if p := r.j.Spec.PodReplacementPolicy; p != nil && *p == batchv1.Failed {
		return r.leaving
	}
	return 0
}

// backoff is how long to wait after the last failure: 10 s, doubled with each, 6 minutes at most.
func (r *jobbing) backoff() time.Duration {
	if len(r.failed) == 0 {
		return 0
	}
	var last, good time.Time
	for _, p := range r.failed {
		if t := ended(p); t.After(last) {
			last = t
		}
	}
	for _, p := range r.done {
		if t := ended(p); t.After(good) {
			good = t
		}
	}
	n := 0 // failures since the last success
	for _, p := range r.failed {
		if ended(p).After(good) {
			n++
		}
	}
	if n == 0 {
		return 0
	}
	wait := 10 * time.Second << min(n-1, 6)
	return last.Add(min(wait, 6*time.Minute)).Sub(r.now)
}

// ended is when a pod's last container ended.
func ended(p *corev1.Pod) time.Time {
	t := p.CreationTimestamp.Time
	for _, c := range p.Status.ContainerStatuses {
		if c.State.Terminated != nil && c.State.Terminated.FinishedAt.After(t) {
			t = c.State.Terminated.FinishedAt.Time
		}
	}
	return t
}

func (r *jobbing) make(index int) error {
	p := podOf(r.j.Spec.Template, r.j.Namespace, owner(JobKind, r.j.ObjectMeta))
	p.GenerateName = base(r.j.Name)
	if index >= 0 {
		text := strconv.Itoa(index)
		p.GenerateName = base(r.j.Name + "-" + text)
		label(&p.Annotations, batchv1.JobCompletionIndexAnnotation, text)
		label(&p.Labels, batchv1.JobCompletionIndexAnnotation, text)
		if p.Spec.Hostname == "" {
			p.Spec.Hostname = r.j.Name + "-" + text
		}
		for _, list := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
			for i := range list {
				if !slices.ContainsFunc(list[i].Env, func(e corev1.EnvVar) bool { return e.Name == "JOB_COMPLETION_INDEX" }) {
					list[i].Env = append(list[i].Env, corev1.EnvVar{Name: "JOB_COMPLETION_INDEX", Value: text})
				}
			}
		}
	}
	o, err := write(Pod, p)
	if err == nil {
		r.do(Create{o})
	}
	return err
}

// indexes are the completion indexes that have succeeded.
func (r *jobbing) indexes() []int {
	seen := map[int]bool{}
	for part := range strings.SplitSeq(r.j.Status.CompletedIndexes, ",") {
		low, high, ranged := strings.Cut(part, "-")
		a, err := strconv.Atoi(low)
		if err != nil {
			continue
		}
		b := a
		if ranged {
			b, _ = strconv.Atoi(high)
		}
		for ; a <= b; a++ {
			seen[a] = true
		}
	}
	for _, p := range r.done {
		if n, err := strconv.Atoi(p.Annotations[batchv1.JobCompletionIndexAnnotation]); err == nil {
			seen[n] = true
		}
	}
	var out []int
	for n := range seen {
		if n < int(number(r.j.Spec.Completions, 0)) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// free are the completion indexes that neither have succeeded nor run.
func (r *jobbing) free() []int {
	if !r.indexed {
		return nil
	}
	taken := r.indexes()
	for _, p := range r.active {
		if n, err := strconv.Atoi(p.Annotations[batchv1.JobCompletionIndexAnnotation]); err == nil {
			taken = append(taken, n)
		}
	}
	var out []int
	for n := range int(number(r.j.Spec.Completions, 0)) {
		if !slices.Contains(taken, n) {
			out = append(out, n)
		}
	}
	return out
}

// ranges writes numbers as "0,2-4".
func ranges(list []int) string {
	var parts []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, strconv.Itoa(list[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", list[i], list[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

func (r *jobbing) count() {
	r.status.Active, r.status.Succeeded, r.status.Failed = int32(len(r.active)), r.succeeded(), r.wrong()
	var ready int32
	for _, p := range r.active {
		if ok, _ := Ready(p); ok {
			ready++
		}
	}
	leaving := r.leaving
	r.status.Ready, r.status.Terminating = &ready, &leaving
	if r.indexed {
		r.status.CompletedIndexes = ranges(r.indexes())
	}
	if r.status.UncountedTerminatedPods == nil {
		r.status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{}
	}
}

func (r *jobbing) set(t batchv1.JobConditionType, status corev1.ConditionStatus, reason, message string) {
	now := metav1.NewTime(r.now)
	for i := range r.status.Conditions {
		if c := &r.status.Conditions[i]; c.Type == t {
			if c.Status != status {
				c.LastTransitionTime = now
			}
			if c.Status != status || c.Reason != reason {
				c.LastProbeTime = now
			}
			c.Status, c.Reason, c.Message = status, reason, message
			return
		}
	}
	r.status.Conditions = append(r.status.Conditions, batchv1.JobCondition{Type: t, Status: status, Reason: reason, Message: message, LastProbeTime: now, LastTransitionTime: now})
}

func (r *jobbing) suspended(now bool) {
	was := slices.ContainsFunc(r.status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Type == batchv1.JobSuspended && c.Status == corev1.ConditionTrue
	})
	switch {
	case now && !was:
		r.set(batchv1.JobSuspended, corev1.ConditionTrue, "JobSuspended", "Job suspended")
		r.tell("Suspended", "Job suspended")
	case !now && was:
		r.set(batchv1.JobSuspended, corev1.ConditionFalse, "JobResumed", "Job resumed")
		r.tell("Resumed", "Job resumed")
	}
}
