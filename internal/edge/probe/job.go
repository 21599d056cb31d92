package probe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The names that Argo Rollouts gives to a measurement's Job.
const (
	jobName       = "job-name"
	jobNamespace  = "job-namespace"
	runUID        = "analysisrun.argoproj.io/uid"
	runName       = "analysisrun.argoproj.io/name"
	runNamespace  = "analysisrun.argoproj.io/namespace"
	runMetric     = "analysisrun.argoproj.io/metric-name"
	longestLabel  = 63
	shortenedHash = 8
)

var jobKind = manifest.Kind{Group: "batch", Version: "v1", Kind: "Job"}

// JobRun is the name of the AnalysisRun that a Job was made for, "" for others'.
func JobRun(job manifest.Object) (namespace, name string) {
	if job.Labels()[runUID] == "" {
		return "", ""
	}
	return job.Annotation(runNamespace), job.Annotation(runName)
}

// job begins, looks at or ends a Job (https://argo-rollouts.readthedocs.io/en/stable/analysis/job/).
func (p *Probe) job(ctx context.Context, run analysis.Run, r analysis.Reading, m analysis.Measurement) (analysis.Measurement, error) {
	if p.Cluster == nil {
		return m, errors.New("there is no cluster to run a Job in")
	}
	if m.Metadata[jobName] == "" {
		if r.Index >= 0 {
			return m, errors.New("job metadata reference missing")
		}
		return p.begin(ctx, run, r, m)
	}
	namespace := m.Metadata[jobNamespace]
	if namespace == "" {
		namespace = run.Namespace
	}
	if r.Stop {
		err := p.Cluster.Delete(ctx, jobKind, namespace, m.Metadata[jobName], manifest.Writing{Propagation: "Foreground"})
		if err != nil && !manifest.NotFound(err) {
			return m, err
		}
		m.Phase = analysis.Successful
		return m, nil
	}
	job, err := p.Cluster.Get(ctx, jobKind, namespace, m.Metadata[jobName])
	if manifest.Passing(err) {
		return m, nil // looked at again
	}
	if err != nil {
		return m, err
	}
	switch {
	case condition(job, "Complete"):
		m.Phase = analysis.Successful
	case condition(job, "Failed"):
		m.Phase = analysis.Failed
	}
	return m, nil
}

func condition(job manifest.Object, kind string) bool {
	return slices.ContainsFunc(job.List("status", "conditions"), func(e any) bool {
		m, _ := e.(map[string]any)
		c := manifest.Object(m)
		return c.Text("type") == kind && c.Text("status") == "True"
	})
}

func (p *Probe) begin(ctx context.Context, run analysis.Run, r analysis.Reading, m analysis.Measurement) (analysis.Measurement, error) {
	job, err := p.object(run, r)
	if err != nil {
		return m, err
	}
	made, err := p.Cluster.Create(ctx, job, manifest.Writing{})
	if manifest.Is(err, manifest.ReasonExists) {
		// Made before the measurement could be written down.
		made, err = p.Cluster.Get(ctx, jobKind, job.Namespace(), job.Name())
		if err == nil && made.Labels()[runUID] != run.UID {
			err = fmt.Errorf("jobs.batch %q already exists", job.Name())
		}
	}
	if err != nil {
		return m, err
	}
	m.Phase = analysis.Running
	m.Metadata = map[string]string{jobName: made.Name(), jobNamespace: made.Namespace()}
	return m, nil
}

// object is the Job of a reading.
func (p *Probe) object(run analysis.Run, r analysis.Reading) (manifest.Object, error) {
	namespace := run.Namespace
	if p.JobNamespace != "" {
		namespace = p.JobNamespace
	}
	labels, annotations := map[string]string{}, map[string]string{}
	if meta := r.Arrange.Provider.Job.Metadata; meta != nil {
		maps.Copy(labels, meta.Labels)
		maps.Copy(annotations, meta.Annotations)
	}
	labels[runUID] = run.UID
	annotations[runName], annotations[runNamespace], annotations[runMetric] = run.Name, run.Namespace, r.Metric
	meta := map[string]any{"name": name(run, r.Metric), "namespace": namespace, "labels": labels, "annotations": annotations}
	if namespace == run.Namespace { // an owner in another namespace would be collected as garbage at once
		yes := true
		meta["ownerReferences"] = []manifest.Owner{{
			APIVersion: "argoproj.io/v1alpha1", Kind: "AnalysisRun", Name: run.Name, UID: run.UID, Controller: &yes, BlockOwnerDeletion: &yes,
		}}
	}
	return manifest.From(map[string]any{
		"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": map[string]any(r.Arrange.Provider.Job.Spec),
	})
}

// name is UID.METRIC.N, with N counting all measurements ever taken. A Job's name becomes a label of its pods: where it is
// longer than a label may be, the metric's name is shortened and given a hash.
func name(run analysis.Run, metric string) string {
	n := int32(1)
	for _, r := range run.Status.MetricResults {
		if r.Name == metric {
			n = r.Count + r.Error + 1
		}
	}
	full := fmt.Sprintf("%s.%s.%d", run.UID, metric, n)
	if len(full) <= longestLabel {
		return full
	}
	sum := sha256.Sum256([]byte(metric))
	tail := fmt.Sprintf("-%s.%d", hex.EncodeToString(sum[:])[:shortenedHash], n)
	head := run.UID + "." + metric
	return strings.TrimRight(head[:longestLabel-len(tail)], "-.") + tail
}

// Sweep removes the oldest Jobs of a run's metric beyond keep.
func (p *Probe) Sweep(ctx context.Context, run analysis.Run, metric string, keep int) error {
	namespace := run.Namespace
	if p.JobNamespace != "" {
		namespace = p.JobNamespace
	}
	jobs, err := p.Cluster.List(ctx, jobKind, namespace, runUID+"="+run.UID)
	if err != nil {
		return fmt.Errorf("list the Jobs of analysis run %s: %w", run.Name, err)
	}
	jobs = slices.DeleteFunc(jobs, func(o manifest.Object) bool { return o.Annotation(runMetric) != metric })
	slices.SortStableFunc(jobs, func(a, b manifest.Object) int {
		return strings.Compare(a.Text("metadata", "creationTimestamp"), b.Text("metadata", "creationTimestamp"))
	})
	for i := range len(jobs) - keep {
		err := p.Cluster.Delete(ctx, jobKind, namespace, jobs[i].Name(), manifest.Writing{Propagation: "Foreground"})
		if err != nil && !manifest.NotFound(err) {
			return err
		}
	}
	return nil
}
