package rollout

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The patches of this file are those that `kubectl argo rollouts` makes, byte for byte, so that either tool drives either
// controller (https://argo-rollouts.readthedocs.io/en/stable/features/kubectl-plugin/).

func merge(sub, text string, args ...any) manifest.Patch {
	return manifest.Patch{Kind: manifest.MergePatch, Sub: sub, Data: fmt.Appendf(nil, text, args...)}
}

// words is an error in the words of Argo Rollouts, which does not begin them small.
type words string

func (w words) Error() string { return string(w) }

// Promote goes on from a pause, or leaves the step that is being done behind. full goes to the end without steps, pauses
// and analyses. There may be two patches (status, then spec) or none, where there is nothing to promote.
func Promote(r Rollout, full bool) []manifest.Patch {
	if full {
		if r.promoted() {
			return nil
		}
		return []manifest.Patch{merge("status", `{"status":{"promoteFull":true}}`)}
	}
	var out []manifest.Patch
	next := r.nextIndex()
	switch run := r.Status.Canary.CurrentStepAnalysisRunStatus; {
	case r.Spec.Strategy.Canary != nil && run != nil && run.Status == "Inconclusive" &&
		len(r.Status.PauseConditions) > 0 && r.Status.ControllerPause:
		if next != nil {
			out = append(out, merge("status", `{"status":{"pauseConditions":null, "controllerPause":false, "currentStepIndex":%d}}`, *next))
		}
	case len(r.Status.PauseConditions) > 0:
		out = append(out, merge("status", `{"status":{"pauseConditions":null}}`))
	case next != nil:
		out = append(out, merge("status", `{"status":{"pauseConditions":null, "currentStepIndex":%d}}`, *next))
	}
	if r.Spec.Paused {
		out = append(out, merge("", `{"spec":{"paused":false}}`))
	}
	return out
}

// nextIndex is the index after the current step; nil without steps.
func (r Rollout) nextIndex() *int32 {
	_, index := r.current()
	if index == nil {
		return nil
	}
	next := min(*index+1, int32(len(r.Spec.steps())))
	if *index > next {
		next = *index
	}
	return &next
}

// The refusals of SkipStep, in the words of the plugin.
const (
	ErrSkipBlueGreen = words("Cannot skip steps of a bluegreen rollout. Run without a flags")
	ErrSkipNoSteps   = words("Cannot skip steps of a rollout without steps")
)

// SkipStep leaves the current step out, or all that are left.
func SkipStep(r Rollout, all bool) (manifest.Patch, error) {
	if r.Spec.Strategy.BlueGreen != nil {
		return manifest.Patch{}, ErrSkipBlueGreen
	}
	next := r.nextIndex()
	if next == nil {
		return manifest.Patch{}, ErrSkipNoSteps
	}
	if all {
		*next = int32(len(r.Spec.steps()))
	}
	return merge("status", `{"status":{"currentStepIndex":%d}}`, *next), nil
}

// Abort turns an update back.
func Abort() manifest.Patch { return merge("status", `{"status":{"abort":true}}`) }

// Retry takes an aborted update up again.
func Retry() manifest.Patch { return merge("status", `{"status":{"abort":false}}`) }

// RetryExperiment begins an experiment anew.
func RetryExperiment() manifest.Patch { return merge("", `{"status":null}`) }

// Terminate ends an AnalysisRun or an Experiment.
func Terminate() manifest.Patch { return merge("", `{"spec":{"terminate":true}}`) }

// Hold pauses a rollout; Promote lets it go on.
func Hold() manifest.Patch { return merge("", `{"spec":{"paused":true}}`) }

// Restart replaces the pods that are older than a moment, one after the other.
func Restart(at time.Time) manifest.Patch {
	return merge("", "{\n\t\"spec\": {\n\t\t\"restartAt\": \"%s\"\n\t}\n}", at.UTC().Format(time.RFC3339))
}

// Undo goes back to a revision, 0 for the one before the newest. target is the object to patch: the Rollout, or what its
// workloadRef names. The patch is nil where the template is that revision's already. The error says that there is no such
// revision.
func Undo(w World, revision int64) (target manifest.Key, patch *manifest.Patch, err error) {
	var sets []*set
	for _, o := range w.ReplicaSets {
		if s := readSet(o); w.controls(o) {
			if _, ok := s.revision(); ok {
				sets = append(sets, s)
			}
		}
	}
	slices.SortFunc(sets, newestRevisionFirst)
	var to *set
	switch {
	case revision > 0:
		i := slices.IndexFunc(sets, func(s *set) bool { return s.revisionNumber() == revision })
		if i < 0 {
			return target, nil, fmt.Errorf("unable to find specified revision %v in history", revision)
		}
		to = sets[i]
	case len(sets) < 2:
		return target, nil, fmt.Errorf("no revision found for rollout %q", w.Rollout.Object.Name())
	default:
		to = sets[1]
	}
	template := to.object.Sub("spec", "template").Copy()
	template.Drop("metadata", "labels", HashLabel)
	on, path, current := w.templateOwner()
	if equal(template, current) {
		return on.Key(), nil, nil
	}
	data, err := json.Marshal([]any{map[string]any{"op": "replace", "path": "/" + strings.Join(path, "/"), "value": template}})
	if err != nil {
		return target, nil, err
	}
	return on.Key(), &manifest.Patch{Kind: manifest.JSONPatch, Data: data}, nil
}

// templateOwner is the object that holds the pod template, the path of it and the template.
func (w World) templateOwner() (manifest.Object, []string, manifest.Object) {
	if w.Rollout.Spec.WorkloadRef != nil && w.Workload != nil {
		k := w.Workload.Kind()
		k.Version = ""
		path := workloads[k].template
		return w.Workload, path, w.Workload.Sub(path...)
	}
	path := []string{"spec", "template"}
	return w.Rollout.Object, path, w.Rollout.Object.Sub(path...)
}

// SetImage gives the containers of a name ("*" for all) an image. o is the Rollout, or what its workloadRef names; the
// answer is the whole object, to be written back as the plugin does (an update with the revision that was read).
func SetImage(o manifest.Object, container, image string) (manifest.Object, error) {
	out, found := o.Copy(), false
	for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
		for _, e := range out.List("spec", "template", "spec", list) {
			c, ok := e.(map[string]any)
			if ok && (container == "*" || c["name"] == container) {
				c["image"], found = image, true
			}
		}
	}
	if !found {
		return nil, fmt.Errorf("unable to find container named %q", container)
	}
	return out, nil
}

// StatusPatch is the merge patch of the status resource that turns before into after; nil where nothing changed. What
// others changed meanwhile (an abort, a promotion) stays.
func StatusPatch(before, after Status) manifest.Object {
	was, err := manifest.From(before)
	if err != nil {
		return nil
	}
	is, err := manifest.From(after)
	if err != nil {
		return nil
	}
	patch := manifest.Merge(was, is)
	if len(patch) == 0 {
		return nil
	}
	return manifest.Object{"status": map[string]any(patch)}
}
