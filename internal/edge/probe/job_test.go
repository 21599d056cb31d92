package probe_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/edge/probe"
	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

var jobKind = manifest.Kind{Group: "batch", Version: "v1", Kind: "Job"}

// works is a run in a real cluster whose metrics are Jobs.
func works(t *testing.T, level kubetest.Level) (*kubetest.Kube, *probe.Probe, analysis.Run) {
	t.Helper()
	k := kubetest.Start(t, level)
	k.ApplyCRDs(t, kubetest.Rollouts)
	c, err := cluster.Open(k.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	k.Apply(t, "{apiVersion: argoproj.io/v1alpha1, kind: AnalysisRun, metadata: {name: run, labels: {argo-rollouts.argoproj.io/controller-instance-id: nobody}}, spec: {metrics: []}}")
	o := k.Object(t, manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "AnalysisRun"}, "run")
	return k, &probe.Probe{Cluster: c}, analysis.Run{Name: "run", Namespace: k.Namespace, UID: o.UID()}
}

// job is a reading of a metric that runs a shell script.
func job(metric, script string) analysis.Reading {
	return analysis.Reading{Metric: metric, Index: -1, Arrange: analysis.Metric{Name: metric, Provider: analysis.Provider{Job: &analysis.Job{
		Metadata: &analysis.Meta{Labels: map[string]string{"mine": "label"}, Annotations: map[string]string{"mine": "note"}},
		Spec: manifest.Object{"backoffLimit": 0, "template": map[string]any{"spec": map[string]any{
			"restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
			"containers": []any{map[string]any{"name": "job", "image": "busybox", "command": []any{"sh", "-c", script}}},
		}}},
	}}}}
}

func TestJobsOfARealCluster(t *testing.T) {
	k, p, run := works(t, kubetest.C)
	for script, want := range map[string]analysis.Phase{"exit 0": analysis.Successful, "exit 3": analysis.Failed} {
		metric := strings.ReplaceAll(script, " ", "-")
		r := job(metric, script)
		m := p.Measure(t.Context(), run, r, analysis.Measurement{}).Measurement
		if m.Phase != analysis.Running || m.Metadata["job-name"] != run.UID+"."+metric+".1" || m.Metadata["job-namespace"] != k.Namespace {
			t.Fatalf("%s: %+v", script, m)
		}
		o := k.Object(t, jobKind, m.Metadata["job-name"])
		owner, _ := o.Controller()
		if owner.UID != run.UID || owner.Kind != "AnalysisRun" || o.Labels()["analysisrun.argoproj.io/uid"] != run.UID || o.Labels()["mine"] != "label" ||
			o.Annotation("mine") != "note" || o.Annotation("analysisrun.argoproj.io/name") != "run" || o.Annotation("analysisrun.argoproj.io/metric-name") != metric {
			t.Errorf("%s", o.Sub("metadata").JSON())
		}
		if ns, name := probe.JobRun(o); ns != k.Namespace || name != "run" {
			t.Errorf("the Job says it is of %s/%s", ns, name)
		}
		// The same reading once more, as after a crash: the Job that is there is taken.
		if again := p.Measure(t.Context(), run, r, analysis.Measurement{}).Measurement; again.Phase != analysis.Running || again.Metadata["job-name"] != m.Metadata["job-name"] {
			t.Errorf("again: %+v", again)
		}
		r.Index = 0
		k.Wait(t, "the Job of "+script+" ends", func() bool {
			m = p.Measure(t.Context(), run, r, m).Measurement
			return m.Phase.Completed()
		})
		if m.Phase != want || m.FinishedAt == nil {
			t.Errorf("%s: %+v", script, m)
		}
	}
	r := job("long", "sleep 1000")
	m := p.Measure(t.Context(), run, r, analysis.Measurement{}).Measurement
	r.Index, r.Stop = 0, true
	if m = p.Measure(t.Context(), run, r, m).Measurement; m.Phase != analysis.Successful {
		t.Errorf("stopped: %+v", m)
	}
	k.Wait(t, "the Job that was stopped is gone", func() bool { return k.Object(t, jobKind, m.Metadata["job-name"]) == nil })
}

func TestJobsThatCannotBe(t *testing.T) {
	k, p, run := works(t, kubetest.A)
	r := job("strange", "true")
	r.Arrange.Provider.Job.Spec = manifest.Object{"template": map[string]any{}}
	if m := p.Measure(t.Context(), run, r, analysis.Measurement{}).Measurement; m.Phase != analysis.Error || !strings.Contains(m.Message, "is invalid") {
		t.Errorf("an invalid Job: %+v", m)
	}
	r = job("gone", "true")
	r.Index = 0
	if m := p.Measure(t.Context(), run, r, analysis.Measurement{Phase: analysis.Running, Metadata: map[string]string{"job-name": "gone"}}).Measurement; m.Phase != analysis.Error || !strings.Contains(m.Message, "not found") {
		t.Errorf("a Job that is gone: %+v", m)
	}
	if m := p.Measure(t.Context(), run, r, analysis.Measurement{Phase: analysis.Running}).Measurement; m.Phase != analysis.Error || m.Message != "job metadata reference missing" {
		t.Errorf("a Job that nothing is known of: %+v", m)
	}
	long := strings.Repeat("a-long-name-", 8)
	m := p.Measure(t.Context(), run, job(long, "true"), analysis.Measurement{}).Measurement
	if name := m.Metadata["job-name"]; m.Phase != analysis.Running || len(name) != 63 || !strings.HasPrefix(name, run.UID+".a-long-name-") {
		t.Errorf("a long name: %+v", m)
	}
	// Of four old Jobs the two newest are kept; those of other metrics stay.
	for n := range int32(4) {
		at := run
		at.Status.MetricResults = []analysis.MetricResult{{Name: "many", Count: n}}
		if m := p.Measure(t.Context(), at, job("many", "true"), analysis.Measurement{}).Measurement; m.Metadata["job-name"] != fmt.Sprintf("%s.many.%d", run.UID, n+1) {
			t.Fatalf("%+v", m)
		}
	}
	if err := p.Sweep(t.Context(), run, "many", 2); err != nil {
		t.Fatal(err)
	}
	left, err := p.Cluster.List(t.Context(), jobKind, k.Namespace, "")
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, o := range left {
		if o.Annotation("analysisrun.argoproj.io/metric-name") == "many" && !o.Deleting() {
			kept++
		}
	}
	if kept != 2 || len(left) < 3 {
		t.Errorf("%d Jobs of the metric are kept, %d in all", kept, len(left))
	}
}
