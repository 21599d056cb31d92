package workload_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/workload"
)

func job(spec string) string {
	return "{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {" + spec + ", template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}"
}

// end ends a pod at the present time.
func (w *world) end(p manifest.Object, phase string) {
	w.phase(p, phase, false)
	p.Set([]any{map[string]any{"name": "c", "state": map[string]any{"terminated": map[string]any{"finishedAt": w.stamp(), "exitCode": int64(1)}}}}, "status", "containerStatuses")
}

// running are the pods of a job that have not ended; they run from now on.
func running(w *world) []manifest.Object {
	var out []manifest.Object
	for _, p := range pods(w) {
		if phase := p.Text("status", "phase"); phase == "" || phase == "Running" {
			if p.Deleting() {
				w.remove(p)
				continue
			}
			w.phase(p, "Running", true)
			out = append(out, p)
		}
	}
	return out
}

func TestAJobCompletes(t *testing.T) {
	w := newWorld(t, job("completions: 5, parallelism: 2"))
	for range 5 {
		w.settle()
		now := running(w)
		if len(now) > 2 {
			t.Fatalf("%d pods at once", len(now))
		}
		if len(now) > 0 {
			w.end(now[0], "Succeeded")
		}
	}
	w.settle()
	j := w.get(workload.JobKind, "j")
	if conditions(j) != "SuccessCriteriaMet=True/CompletionsReached Complete=True/CompletionsReached" || j.Int(0, "status", "succeeded") != 5 || len(running(w)) != 0 {
		t.Errorf("status %v", j["status"])
	}
	if a, _ := health.Assess(j); a.Status != health.Healthy {
		t.Errorf("health %v", a)
	}
}

func TestAJobFails(t *testing.T) {
	for name, c := range map[string]struct {
		spec   string
		do     func(w *world)
		reason string
		pods   int // that were made
	}{
		"at its limit": {"backoffLimit: 2", func(w *world) {
			for range 5 {
				w.settle()
				for _, p := range running(w) {
					w.end(p, "Failed")
				}
				w.now = w.now.Add(7 * time.Minute)
			}
		}, "BackoffLimitExceeded", 3},
		"at its deadline": {"activeDeadlineSeconds: 30, parallelism: 2, completions: 2", func(w *world) {
			w.settle()
			running(w)
			w.now = w.now.Add(31 * time.Second)
		}, "DeadlineExceeded", 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, job(c.spec))
			c.do(w)
			w.settle()
			j := w.get(workload.JobKind, "j")
			if !strings.Contains(conditions(j), "Failed=True/"+c.reason) || w.made != 1+c.pods {
				t.Errorf("%d pods made, %s", w.made-1, conditions(j))
			}
			if a, _ := health.Assess(j); a.Status != health.Degraded {
				t.Errorf("health %v", a)
			}
			if len(running(w)) != 0 {
				t.Error("pods run after the end")
			}
		})
	}
}

func TestAFailedPodIsFollowedAfterAPause(t *testing.T) {
	w := newWorld(t, job("backoffLimit: 6"))
	for i, pause := range []time.Duration{10, 20, 40, 80} {
		w.settle()
		w.end(running(w)[0], "Failed")
		w.settle()
		w.now = w.now.Add(pause*time.Second - time.Second)
		w.settle()
		if len(running(w)) != 0 {
			t.Fatalf("failure %d: a pod is made before %d s", i+1, pause)
		}
		w.now = w.now.Add(2 * time.Second)
		w.settle()
		if len(running(w)) != 1 {
			t.Fatalf("failure %d: no pod is made after %d s", i+1, pause)
		}
	}
}

func TestAnIndexedJob(t *testing.T) {
	w := newWorld(t, job("completions: 3, parallelism: 3, completionMode: Indexed"))
	w.settle()
	for _, p := range running(w) {
		if n := p.Annotation("batch.kubernetes.io/job-completion-index"); n != "1" {
			w.end(p, "Succeeded")
		} else {
			w.end(p, "Failed")
		}
	}
	w.settle()
	j := w.get(workload.JobKind, "j")
	if got := j.Text("status", "completedIndexes"); got != "0,2" {
		t.Errorf("completed: %s", got)
	}
	w.now = w.now.Add(time.Minute)
	w.settle()
	if now := running(w); len(now) != 1 || now[0].Annotation("batch.kubernetes.io/job-completion-index") != "1" {
		t.Fatalf("again: %v", now)
	}
	w.end(running(w)[0], "Succeeded")
	w.settle()
	if got := j.Text("status", "completedIndexes"); got != "0-2" || !strings.Contains(conditions(j), "Complete=True") {
		t.Errorf("completed: %s %s", got, conditions(j))
	}
}

func TestSuspendAndTimeToLive(t *testing.T) {
	w := newWorld(t, job("suspend: true, ttlSecondsAfterFinished: 10"))
	w.settle()
	j := w.get(workload.JobKind, "j")
	if len(pods(w)) != 0 || conditions(j) != "Suspended=True/JobSuspended" {
		t.Fatalf("suspended: %s", conditions(j))
	}
	j.Set(false, "spec", "suspend")
	w.settle()
	w.end(running(w)[0], "Succeeded")
	w.settle()
	w.now = w.now.Add(9 * time.Second)
	w.settle()
	if w.get(workload.JobKind, "j") == nil {
		t.Fatal("gone too early")
	}
	w.now = w.now.Add(2 * time.Second)
	w.settle()
	if w.get(workload.JobKind, "j") != nil {
		t.Error("the job outlives its time")
	}
}

// TestAJobRunsNoMoreThanItMay: never more pods than parallelism, never more successes than completions, and it ends.
func TestAJobRunsNoMoreThanItMay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		completions, parallel := rapid.IntRange(1, 6).Draw(t, "completions"), rapid.IntRange(1, 4).Draw(t, "parallelism")
		w := newWorld(t, job(fmt.Sprintf("completions: %d, parallelism: %d, backoffLimit: 100, completionMode: %s", completions, parallel, rapid.SampledFrom([]string{"Indexed", "NonIndexed"}).Draw(t, "mode"))))
		for range 200 {
			w.settle()
			now := running(w)
			if len(now) > parallel {
				t.Fatalf("%d at once", len(now))
			}
			for _, p := range now {
				switch rapid.IntRange(0, 3).Draw(t, "end") {
				case 0:
					w.end(p, "Failed")
				case 1, 2:
					w.end(p, "Succeeded")
				}
			}
			w.now = w.now.Add(time.Minute)
		}
		w.settle()
		good := 0
		for _, p := range pods(w) {
			if p.Text("status", "phase") == "Succeeded" {
				good++
			}
		}
		j := w.get(workload.JobKind, "j")
		if strings.Contains(conditions(j), "Complete=True") && good != completions || !strings.Contains(conditions(j), "True") {
			t.Fatalf("%d of %d, %s", good, completions, conditions(j))
		}
	})
}

func cronJob(spec string) string {
	return "{apiVersion: batch/v1, kind: CronJob, metadata: {name: c}, spec: {" + spec + ", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}}}"
}

func TestACronJobStartsJobs(t *testing.T) {
	jobs := func(w *world) string {
		var out []string
		for _, j := range w.list(workload.JobKind) {
			out = append(out, strings.TrimPrefix(j.Annotation("batch.kubernetes.io/cronjob-scheduled-timestamp"), "2026-03-"))
		}
		return strings.Join(out, " ")
	}
	every := func(w *world, step time.Duration, n int, each func(*world)) {
		for range n {
			w.settle()
			each(w)
			w.now = w.now.Add(step)
		}
	}
	finish := func(w *world) {
		for _, p := range running(w) {
			w.end(p, "Succeeded")
		}
		w.settle()
	}
	hang := func(w *world) { running(w) }
	for name, c := range map[string]struct {
		spec string
		do   func(w *world)
		want string
	}{
		"each hour":              {"schedule: '0 * * * *'", func(w *world) { every(w, 10*time.Minute, 14, finish) }, "01T13:00:00Z 01T14:00:00Z"},
		"three are kept":         {"schedule: '0 * * * *'", func(w *world) { every(w, 10*time.Minute, 40, finish) }, "01T16:00:00Z 01T17:00:00Z 01T18:00:00Z"},
		"of the missed the last": {"schedule: '0 * * * *'", func(w *world) { w.now = w.now.Add(5*time.Hour + time.Minute); w.settle() }, "01T17:00:00Z"},
		"of very many the last":  {"schedule: '* * * * *'", func(w *world) { w.now = w.now.Add(500 * time.Hour); w.settle() }, "22T08:00:00Z"},
		"too late is too late":   {"schedule: '0 * * * *', startingDeadlineSeconds: 60", func(w *world) { w.now = w.now.Add(5*time.Hour + 2*time.Minute); w.settle() }, ""},
		"Forbid waits":           {"schedule: '0 * * * *', concurrencyPolicy: Forbid", func(w *world) { every(w, 30*time.Minute, 7, hang) }, "01T13:00:00Z"},
		"Replace replaces":       {"schedule: '0 * * * *', concurrencyPolicy: Replace", func(w *world) { every(w, 30*time.Minute, 7, hang) }, "01T15:00:00Z"},
		"Allow allows":           {"schedule: '0 * * * *', concurrencyPolicy: Allow", func(w *world) { every(w, 30*time.Minute, 7, hang) }, "01T13:00:00Z 01T14:00:00Z 01T15:00:00Z"},
		"suspended":              {"schedule: '0 * * * *', suspend: true", func(w *world) { every(w, 30*time.Minute, 7, hang) }, ""},
		"in its time zone":       {"schedule: '0 8 * * *', timeZone: America/New_York", func(w *world) { w.now = w.now.Add(90 * time.Minute); w.settle() }, "01T08:00:00-05:00"},
		"no such time zone":      {"schedule: '0 8 * * *', timeZone: Nowhere/City", func(w *world) { w.step(); w.now = w.now.Add(48 * time.Hour); w.step() }, ""},
		"no schedule at all":     {"schedule: 'at noon'", func(w *world) { w.step() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, cronJob(c.spec))
			c.do(w)
			if got := jobs(w); got != c.want {
				t.Errorf("jobs: %s, want %s\n%v", got, c.want, w.events)
			}
		})
	}
}

func TestWhatIsNotHonouredIsTold(t *testing.T) {
	for name, c := range map[string]struct{ object, want string }{
		"a deployment":      {deployment(1, "i", "{}"), ""},
		"an unknown kind":   {"{apiVersion: example.com/v1, kind: Thing, metadata: {name: a}}", "SL5401! kind"},
		"an Ingress":        {"{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}}", "SL5404 kind"},
		"an autoscaler":     {"{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: a}}", "SL5404 kind"},
		"a Role":            {"{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: a}}", "SL5404 kind"},
		"a VirtualService":  {"{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: a}}", "SL5404 kind"},
		"a block device":    {"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {initContainers: [{name: i}], containers: [{name: b}, {name: c, volumeDevices: [{name: d}]}]}}", "SL5403! spec.containers.1.volumeDevices"},
		"limits":            {"{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c, resources: {limits: {cpu: 1}}}]}}}}}}", "SL5402 spec.jobTemplate.spec.template.spec.containers.0.resources.limits"},
		"a volume":          {"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {volumes: [{name: v, emptyDir: {}}, {name: w, nfs: {server: x}}]}}", "SL5403! spec.volumes.1.nfs"},
		"a UDP port":        {"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 1, protocol: TCP}, {port: 1, protocol: UDP}]}}", "SL5402 spec.ports.1.protocol"},
		"a Rollout's pod":   {"{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: a}, spec: {template: {spec: {hostAliases: [{ip: 1.2.3.4}]}}}}", "SL5402 spec.template.spec.hostAliases"},
		"an empty security": {"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {securityContext: {}}}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range workload.Check(object(t, c.object)) {
				text := f.Code
				if f.Error {
					text += "!"
				}
				got = append(got, text+" "+strings.Join(f.Path, "."))
			}
			if strings.Join(got, "\n") != c.want {
				t.Errorf("got %s, want %s", strings.Join(got, "\n"), c.want)
			}
		})
	}
}
