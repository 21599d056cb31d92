package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/engine/advance"
	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// rolloutInfo is what `sluice rollout get` shows, as JSON for programs.
type rolloutInfo struct {
	Name         string         `json:"name"`
	Namespace    string         `json:"namespace"`
	Strategy     string         `json:"strategy"` // Canary, BlueGreen
	Status       string         `json:"status"`   // Healthy, Progressing, Paused, Degraded
	Message      string         `json:"message,omitempty"`
	Step         string         `json:"step,omitempty"` // done/all
	SetWeight    *int32         `json:"setWeight,omitempty"`
	ActualWeight *int32         `json:"actualWeight,omitempty"`
	Weights      []shareInfo    `json:"weights,omitempty"` // of a traffic router
	Images       []imageInfo    `json:"images,omitempty"`
	Replicas     replicaInfo    `json:"replicas"`
	Revisions    []revisionInfo `json:"revisions,omitempty"` // newest first
	Created      time.Time      `json:"created"`
}

type shareInfo struct {
	Service string `json:"service,omitempty"`
	Hash    string `json:"hash,omitempty"`
	Role    string `json:"role"`
	Weight  int32  `json:"weight"`
}

type imageInfo struct {
	Image string   `json:"image"`
	Roles []string `json:"roles,omitempty"`
}

type replicaInfo struct {
	Desired   int32 `json:"desired"`
	Current   int32 `json:"current"`
	Updated   int32 `json:"updated"`
	Ready     int32 `json:"ready"`
	Available int32 `json:"available"`
}

type revisionInfo struct {
	Revision     int64      `json:"revision"`
	ReplicaSets  []setInfo  `json:"replicaSets,omitempty"`
	AnalysisRuns []runInfo  `json:"analysisRuns,omitempty"`
	Experiments  []partInfo `json:"experiments,omitempty"`
}

type partInfo struct {
	Name    string    `json:"name"`
	Status  string    `json:"status"`
	Message string    `json:"message,omitempty"`
	Created time.Time `json:"created"`
}

type setInfo struct {
	partInfo
	Hash      string     `json:"hash"`
	Roles     []string   `json:"roles,omitempty"` // stable, canary, active, preview
	Images    []string   `json:"images,omitempty"`
	Replicas  int32      `json:"replicas"`
	Available int32      `json:"available"`
	Until     *time.Time `json:"scaleDownDeadline,omitempty"`
	Pods      []podInfo  `json:"pods,omitempty"`
}

type podInfo struct {
	partInfo
	Ready    string `json:"ready"` // 1/1
	Restarts int64  `json:"restarts,omitempty"`
}

type runInfo struct {
	partInfo
	Kind    string       `json:"kind,omitempty"` // Step, Background, PrePromotion, PostPromotion
	Metrics []metricInfo `json:"metrics,omitempty"`
}

type metricInfo struct {
	Name         string                 `json:"name"`
	Status       string                 `json:"status"`
	Message      string                 `json:"message,omitempty"`
	Successful   int32                  `json:"successful,omitempty"`
	Failed       int32                  `json:"failed,omitempty"`
	Inconclusive int32                  `json:"inconclusive,omitempty"`
	Errors       int32                  `json:"errors,omitempty"`
	Measurements []analysis.Measurement `json:"measurements,omitempty"` // the newest ones, oldest first
}

// info gathers what belongs to a rollout.
func (h *rolloutHome) info(ctx context.Context, r rollout.Rollout) (rolloutInfo, error) {
	out := headInfo(r)
	w, err := h.world(ctx, r)
	if err != nil {
		return out, err
	}
	namespace := r.Object.Namespace()
	pods, err := h.List(ctx, podKind, namespace, rollout.HashLabel)
	if err != nil {
		return out, err
	}
	revisions := map[int64]*revisionInfo{}
	at := func(o manifest.Object) *revisionInfo {
		n, _ := strconv.ParseInt(o.Annotation(rollout.RevisionAnnotation), 10, 64)
		if revisions[n] == nil {
			revisions[n] = &revisionInfo{Revision: n}
		}
		return revisions[n]
	}
	for _, o := range w.ReplicaSets {
		s := describeSet(r, o, pods)
		out.addImages(s)
		rev := at(o)
		rev.ReplicaSets = append(rev.ReplicaSets, s)
	}
	if err := h.addRuns(ctx, r, at); err != nil {
		return out, err
	}
	for _, rev := range revisions {
		out.Revisions = append(out.Revisions, *rev)
	}
	slices.SortFunc(out.Revisions, func(a, b revisionInfo) int { return cmp.Compare(b.Revision, a.Revision) })
	if c := r.Spec.Strategy.Canary; c != nil && c.TrafficRouting == nil {
		out.ActualWeight = actual(out)
	}
	return out, nil
}

// headInfo is what the Rollout alone tells.
func headInfo(r rollout.Rollout) rolloutInfo {
	out := rolloutInfo{Name: r.Object.Name(), Namespace: r.Object.Namespace(), Strategy: "Canary", Created: born(r.Object)}
	out.Status, out.Message = rollout.PhaseOf(r)
	one := int32(1)
	out.Replicas = replicaInfo{Desired: *or(r.Spec.Replicas, &one), Current: r.Status.Replicas, Updated: r.Status.UpdatedReplicas, Ready: r.Status.ReadyReplicas, Available: r.Status.AvailableReplicas}
	c := r.Spec.Strategy.Canary
	if c == nil {
		out.Strategy = "BlueGreen"
		return out
	}
	weight := int32(0)
	index := int32(len(c.Steps))
	if r.Status.CurrentStepIndex != nil {
		index = min(*r.Status.CurrentStepIndex, index)
	}
	if len(c.Steps) > 0 {
		out.Step = fmt.Sprintf("%d/%d", index, len(c.Steps))
		for i := index; i >= 0; i-- {
			if int(i) < len(c.Steps) && c.Steps[i].SetWeight != nil {
				weight = *c.Steps[i].SetWeight
				break
			}
		}
	}
	if int(index) == len(c.Steps) {
		weight = 100
	}
	if r.Status.Abort {
		weight = 0
	}
	out.SetWeight = &weight
	if is := r.Status.Canary.Weights; is != nil && c.TrafficRouting != nil {
		out.ActualWeight = &is.Canary.Weight
		out.Weights = []shareInfo{{is.Canary.ServiceName, is.Canary.PodTemplateHash, "canary", is.Canary.Weight}, {is.Stable.ServiceName, is.Stable.PodTemplateHash, "stable", is.Stable.Weight}}
		for _, d := range is.Additional {
			out.Weights = append(out.Weights, shareInfo{d.ServiceName, d.PodTemplateHash, "experiment", d.Weight})
		}
	}
	return out
}

// actual is the share of the available pods that are the canary's, where no router weighs the requests; 100 where no update
// is on.
func actual(out rolloutInfo) *int32 {
	var canary, all int32
	updating := false
	for _, rev := range out.Revisions {
		for _, s := range rev.ReplicaSets {
			all += s.Available
			if slices.Contains(s.Roles, "canary") {
				canary, updating = canary+s.Available, true
			}
		}
	}
	share := int32(100)
	switch {
	case updating && all == 0:
		share = 0
	case updating:
		share = canary * 100 / all
	}
	return &share
}

func or[T any](v, other *T) *T {
	if v == nil {
		return other
	}
	return v
}

func born(o manifest.Object) time.Time {
	at, _ := time.Parse(time.RFC3339, o.Text("metadata", "creationTimestamp"))
	return at
}

// roles are what a hash is for the rollout.
func roles(r rollout.Rollout, hash string) []string {
	var out []string
	add := func(role, of string) {
		if of != "" && of == hash {
			out = append(out, role)
		}
	}
	if r.Spec.Strategy.BlueGreen != nil {
		add("stable", r.Status.StableRS)
		add("active", r.Status.BlueGreen.ActiveSelector)
		if r.Status.BlueGreen.PreviewSelector != r.Status.BlueGreen.ActiveSelector {
			add("preview", r.Status.BlueGreen.PreviewSelector)
		}
		return out
	}
	add("stable", r.Status.StableRS)
	if r.Status.CurrentPodHash != r.Status.StableRS {
		add("canary", r.Status.CurrentPodHash)
	}
	return out
}

func describeSet(r rollout.Rollout, o manifest.Object, pods []manifest.Object) setInfo {
	s := setInfo{
		partInfo: partInfo{Name: o.Name(), Status: "Healthy", Created: born(o)},
		Hash:     o.Labels()[rollout.HashLabel], Images: imagesOf(o),
		Replicas: int32(o.Int(1, "spec", "replicas")), Available: int32(o.Int(0, "status", "availableReplicas")),
	}
	s.Roles = roles(r, s.Hash)
	switch {
	case s.Replicas == 0 && o.Int(0, "status", "replicas") == 0:
		s.Status = "ScaledDown"
	case s.Available < s.Replicas:
		s.Status = "Progressing"
	}
	if at, err := time.Parse(time.RFC3339, o.Annotation(rollout.DeadlineAnnotation)); err == nil {
		s.Until = &at
	}
	for _, p := range pods {
		if ownedBy(p, o) {
			s.Pods = append(s.Pods, describePod(p))
		}
	}
	return s
}

func imagesOf(o manifest.Object) []string {
	var out []string
	for _, e := range o.List("spec", "template", "spec", "containers") {
		m, _ := e.(map[string]any)
		if image := manifest.Object(m).Text("image"); image != "" && !slices.Contains(out, image) {
			out = append(out, image)
		}
	}
	return out
}

func describePod(o manifest.Object) podInfo {
	p := podInfo{partInfo: partInfo{Name: o.Name(), Status: o.Text("status", "phase"), Created: born(o)}}
	ready, all := 0, 0
	for _, e := range o.List("status", "containerStatuses") {
		m, _ := e.(map[string]any)
		c := manifest.Object(m)
		all++
		if c["ready"] == true {
			ready++
		}
		p.Restarts += c.Int(0, "restartCount")
		for _, state := range []string{"waiting", "terminated"} {
			if why := c.Text("state", state, "reason"); why != "" {
				p.Status, p.Message = why, c.Text("state", state, "message")
			}
		}
	}
	if o.Deleting() {
		p.Status = "Terminating"
	}
	p.Ready = fmt.Sprintf("%d/%d", ready, max(all, len(o.List("spec", "containers"))))
	return p
}

func (i *rolloutInfo) addImages(s setInfo) {
	if s.Replicas == 0 && len(s.Roles) == 0 {
		return
	}
	for _, image := range s.Images {
		at := slices.IndexFunc(i.Images, func(x imageInfo) bool { return x.Image == image })
		if at < 0 {
			i.Images = append(i.Images, imageInfo{Image: image})
			at = len(i.Images) - 1
		}
		for _, role := range s.Roles {
			if !slices.Contains(i.Images[at].Roles, role) {
				i.Images[at].Roles = append(i.Images[at].Roles, role)
			}
		}
	}
	slices.SortFunc(i.Images, func(a, b imageInfo) int { return strings.Compare(a.Image, b.Image) })
}

// addRuns gathers the analysis runs and experiments of a rollout, by revision.
func (h *rolloutHome) addRuns(ctx context.Context, r rollout.Rollout, at func(manifest.Object) *revisionInfo) error {
	runs, err := h.List(ctx, advance.Runs, r.Object.Namespace(), "")
	if err != nil && !manifest.NotFound(err) {
		return err
	}
	experiments, err := h.List(ctx, advance.Experiments, r.Object.Namespace(), "")
	if err != nil && !manifest.NotFound(err) {
		return err
	}
	for _, o := range experiments {
		if !ownedBy(o, r.Object) {
			continue
		}
		rev := at(o)
		rev.Experiments = append(rev.Experiments, partInfo{o.Name(), o.Text("status", "phase"), o.Text("status", "message"), born(o)})
		for _, run := range runs {
			if ownedBy(run, o) {
				rev.AnalysisRuns = append(rev.AnalysisRuns, describeRun(run))
			}
		}
	}
	for _, o := range runs {
		if ownedBy(o, r.Object) {
			rev := at(o)
			rev.AnalysisRuns = append(rev.AnalysisRuns, describeRun(o))
		}
	}
	return nil
}

// shownMeasurements is how many of a metric's measurements are shown.
const shownMeasurements = 5

func describeRun(o manifest.Object) runInfo {
	out := runInfo{partInfo: partInfo{o.Name(), o.Text("status", "phase"), o.Text("status", "message"), born(o)}, Kind: o.Labels()[rollout.TypeLabel]}
	run, err := analysis.Decode(o)
	if err != nil {
		out.Message = err.Error()
		return out
	}
	for _, m := range run.Status.MetricResults {
		out.Metrics = append(out.Metrics, metricInfo{
			Name: m.Name, Status: string(m.Phase), Message: m.Message, Successful: m.Successful, Failed: m.Failed,
			Inconclusive: m.Inconclusive, Errors: m.Error, Measurements: m.Measurements[max(0, len(m.Measurements)-shownMeasurements):],
		})
	}
	return out
}
