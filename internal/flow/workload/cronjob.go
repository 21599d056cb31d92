package workload

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	cron "github.com/netresearch/go-cron"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// CronJobWorld is what a decision on a CronJob rests on: the Jobs that it controls. The location of Now is the time zone of
// schedules that name none.
type CronJobWorld struct {
	CronJob manifest.Object
	Jobs    []manifest.Object
	Now     time.Time
}

// cronning is one decision on its way.
type cronning struct {
	Decision
	c      batchv1.CronJob
	active []*batchv1.Job
	good   []*batchv1.Job
	bad    []*batchv1.Job
	now    time.Time
	status batchv1.CronJobStatus
}

// manyMissed is how many missed starts are looked for one by one; where there were more, the last one is near now.
const manyMissed = 100

// CronJob decides on a CronJob: a Job for the last time that was due, if it is not too late for it
// (https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/). Of several missed times one Job is made.
func CronJob(w CronJobWorld) (Decision, error) {
	r := &cronning{now: w.Now}
	var err error
	if r.c, err = read[batchv1.CronJob](w.CronJob); err != nil {
		return Decision{}, err
	}
	jobs, err := readAll[batchv1.Job](w.Jobs)
	if err != nil {
		return Decision{}, err
	}
	r.status = *r.c.Status.DeepCopy()
	r.sort(jobs)
	if r.c.DeletionTimestamp == nil {
		r.forget(r.good, number(r.c.Spec.SuccessfulJobsHistoryLimit, 3))
		r.forget(r.bad, number(r.c.Spec.FailedJobsHistoryLimit, 1))
		if r.c.Spec.Suspend == nil || !*r.c.Spec.Suspend {
			if err := r.start(); err != nil {
				return Decision{}, err
			}
		}
	}
	return r.Decision, r.settle(r.c.Status, r.status)
}

func (r *cronning) sort(jobs []*batchv1.Job) {
	slices.SortFunc(jobs, func(a, b *batchv1.Job) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	r.status.Active = nil
	for _, j := range jobs {
		if !belongs(r.c.ObjectMeta, j.ObjectMeta) {
			continue
		}
		if _, ended := finished(j.Status); !ended {
			r.active = append(r.active, j)
			r.status.Active = append(r.status.Active, reference(j))
			continue
		}
		if j.Status.CompletionTime == nil {
			r.bad = append(r.bad, j)
			continue
		}
		r.good = append(r.good, j)
		if t := j.Status.CompletionTime; r.status.LastSuccessfulTime == nil || t.After(r.status.LastSuccessfulTime.Time) {
			r.status.LastSuccessfulTime = t
		}
	}
}

func reference(j *batchv1.Job) corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: "batch/v1", Kind: "Job", Namespace: j.Namespace, Name: j.Name, UID: j.UID, ResourceVersion: j.ResourceVersion}
}

// forget removes the oldest jobs that have ended beyond a limit.
func (r *cronning) forget(jobs []*batchv1.Job, limit int32) {
	for i := range max(0, len(jobs)-int(limit)) {
		r.do(Delete{Kind: JobKind, Name: jobs[i].Name, UID: string(jobs[i].UID), Propagation: "Background"})
		r.tell("SuccessfulDelete", "Deleted job %v", jobs[i].Name)
	}
}

// parser reads the five fields and the descriptors (@hourly, @every 1h) that CronJobs have.
var parser = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// Schedule reads a CronJob's schedule in its time zone.
func Schedule(spec batchv1.CronJobSpec, here *time.Location) (cron.Schedule, *time.Location, error) {
	if text := strings.TrimSpace(spec.Schedule); strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ=") {
		return nil, nil, fmt.Errorf("cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
	}
	if spec.TimeZone != nil {
		zone, err := time.LoadLocation(*spec.TimeZone)
		if err != nil || *spec.TimeZone == "" || strings.EqualFold(*spec.TimeZone, "Local") {
			return nil, nil, fmt.Errorf("unknown time zone %s", *spec.TimeZone)
		}
		here = zone
	}
	s, err := parser.Parse(spec.Schedule)
	if err != nil {
		return nil, nil, fmt.Errorf("unparseable schedule: %s : %w", spec.Schedule, err)
	}
	return s, here, nil
}

func (r *cronning) start() error {
	s, zone, err := Schedule(r.c.Spec, r.now.Location())
	if err != nil {
		r.warn("UnparseableSchedule", "%v", err)
		return nil
	}
	now := r.now.In(zone)
	due := r.due(s, now)
	if next := s.Next(now); !next.IsZero() {
		r.later(next.Sub(now))
	}
	if due.IsZero() {
		return nil
	}
	if d := r.c.Spec.StartingDeadlineSeconds; d != nil && due.Add(time.Duration(*d)*time.Second).Before(now) {
		r.warn("MissSchedule", "Missed scheduled time to start a job: %s", due.UTC().Format(time.RFC1123Z))
		return nil
	}
	switch r.c.Spec.ConcurrencyPolicy {
	case batchv1.ForbidConcurrent:
		if len(r.active) > 0 {
			r.tell("JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid")
			return nil
		}
	case batchv1.ReplaceConcurrent:
		for _, j := range r.active {
			r.do(Delete{Kind: JobKind, Name: j.Name, UID: string(j.UID), Propagation: "Background"})
			r.tell("SuccessfulDelete", "Deleted job %v", j.Name)
		}
		r.status.Active = nil
	}
	at := metav1.NewTime(due)
	r.status.LastScheduleTime = &at
	return r.make(due)
}

// due is the last time at or before now that a job was to start, after the last one that did; zero for none.
func (r *cronning) due(s cron.Schedule, now time.Time) time.Time {
	from := r.c.CreationTimestamp.Time
	if last := r.status.LastScheduleTime; last != nil {
		from = last.Time
	}
	if d := r.c.Spec.StartingDeadlineSeconds; d != nil {
		if earliest := now.Add(-time.Duration(*d) * time.Second); earliest.After(from) {
			from = earliest
		}
	}
	var due time.Time
	at := from.In(now.Location())
	for n := 0; ; n++ {
		next := s.Next(at)
		if next.IsZero() || next.After(now) {
			return due
		}
		due, at = next, next
		if n == manyMissed { // looking at each would take long: go on from near now
			r.warn("TooManyMissedTimes", "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew")
			if near := now.Add(-2 * s.Next(next).Sub(next)); near.After(at) {
				at = near
			}
		}
	}
}

func (r *cronning) make(due time.Time) error {
	j := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s-%d", r.c.Name[:min(len(r.c.Name), 52)], due.Unix()/60), Namespace: r.c.Namespace,
			Labels: r.c.Spec.JobTemplate.Labels, OwnerReferences: owner(CronJobKind, r.c.ObjectMeta), Annotations: map[string]string{},
		},
		Spec: *r.c.Spec.JobTemplate.Spec.DeepCopy(),
	}
	for k, v := range r.c.Spec.JobTemplate.Annotations {
		j.Annotations[k] = v
	}
	j.Annotations[batchv1.CronJobScheduledTimestampAnnotation] = due.Format(time.RFC3339)
	o, err := write(JobKind, j)
	if err != nil {
		return err
	}
	r.do(Create{o})
	r.tell("SuccessfulCreate", "Created job %v", j.Name)
	return nil
}
