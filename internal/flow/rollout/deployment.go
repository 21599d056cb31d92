package rollout

import (
	"fmt"
	"reflect"
	"strconv"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The annotations that give a plain Deployment a canary or blue-green delivery without changing its kind. They are
// Sluice's own; the Rollout that is made of them is an ordinary one with a workloadRef.
const (
	// StrategyAnnotation is on the Deployment and holds what stands under a Rollout's spec.strategy, in YAML or JSON.
	StrategyAnnotation = "sluice.dev/strategy"
	// ReplicasAnnotation is on the Deployment and keeps how many replicas it had, since its own are scaled down.
	ReplicasAnnotation = "sluice.dev/replicas"
	// MadeAnnotation is on the Rollout that was made for a Deployment.
	MadeAnnotation = "sluice.dev/made-for-deployment"
)

// Adoption is what a Deployment with the annotation, or one that had it, needs now: nothing where all fields are empty.
type Adoption struct {
	Create     manifest.Object // the Rollout to make
	Rollout    manifest.Object // a merge patch for the Rollout that is there
	Deployment manifest.Object // a merge patch for the Deployment
	Delete     bool            // the Rollout is to be removed: its Deployment serves by itself again
	Refused    string          // why the annotation cannot be followed, for a person
}

// Adopt decides about one Deployment. existing is the Rollout of its name, nil where there is none.
func Adopt(deployment, existing manifest.Object) Adoption {
	text, wanted := deployment.Annotations()[StrategyAnnotation]
	ours := existing != nil && existing.Annotation(MadeAnnotation) != ""
	if deployment.Deleting() || !wanted && !ours {
		return Adoption{}
	}
	if !wanted {
		return giveBack(deployment)
	}
	if existing != nil && !ours {
		return Adoption{Refused: fmt.Sprintf("annotation %s: the Rollout %s is there and was not made for this Deployment", StrategyAnnotation, existing.Name())}
	}
	var strategy map[string]any
	if err := yaml.Unmarshal([]byte(text), &strategy); err != nil || len(strategy) == 0 {
		return Adoption{Refused: fmt.Sprintf("annotation %s holds no strategy of a Rollout (canary or blueGreen): %v", StrategyAnnotation, err)}
	}
	spec, err := manifest.From(map[string]any{
		"replicas":    Intended(deployment),
		"workloadRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment.Name(), "scaleDown": "onsuccess"},
		"strategy":    strategy,
	})
	if err != nil {
		return Adoption{Refused: fmt.Sprintf("annotation %s: %v", StrategyAnnotation, err)}
	}
	for _, same := range []string{"minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit"} {
		if v, ok := deployment.At("spec", same); ok {
			spec[same] = v
		}
	}
	made := manifest.Object{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "spec": map[string]any(spec)}
	r, err := Decode(made)
	if err != nil {
		return Adoption{Refused: fmt.Sprintf("annotation %s: %v", StrategyAnnotation, err)}
	}
	if errs := Lint(r); len(errs) > 0 {
		return Adoption{Refused: fmt.Sprintf("annotation %s: %s", StrategyAnnotation, errs[0].Message)}
	}
	var a Adoption
	if remembered := deployment.Annotation(ReplicasAnnotation); remembered != strconv.FormatInt(Intended(deployment), 10) {
		a.Deployment = annotated(strconv.FormatInt(Intended(deployment), 10))
	}
	if existing == nil {
		a.Create = whole(made, deployment)
		return a
	}
	change := map[string]any{}
	for name, v := range spec {
		if was, _ := existing.At("spec", name); !reflect.DeepEqual(was, v) {
			change[name] = v
		}
	}
	if strategy, ok := change["strategy"].(map[string]any); ok { // what was taken out of the strategy is taken out there
		for name := range existing.Sub("spec", "strategy") {
			if _, kept := strategy[name]; !kept {
				strategy[name] = nil
			}
		}
	}
	if len(change) > 0 {
		a.Rollout = manifest.Object{"spec": change}
	}
	return a
}

// Intended is how many replicas a Deployment is to have: its own count while it has one, else what was remembered of it. The
// Rollout scales it down at once (onsuccess), so that no count between is taken for a wish.
func Intended(deployment manifest.Object) int64 {
	own := deployment.Int(1, "spec", "replicas")
	if own > 0 {
		return own
	}
	if n, err := strconv.ParseInt(deployment.Annotation(ReplicasAnnotation), 10, 64); err == nil {
		return n
	}
	return own
}

// giveBack scales the Deployment up again and removes the Rollout once the Deployment's own pods are available.
func giveBack(deployment manifest.Object) Adoption {
	want := Intended(deployment)
	if deployment.Int(1, "spec", "replicas") != want {
		return Adoption{Deployment: manifest.Object{"spec": map[string]any{"replicas": want}}}
	}
	observed := deployment.Int(0, "status", "observedGeneration") >= deployment.Int(0, "metadata", "generation")
	if !observed || deployment.Int(0, "status", "availableReplicas") < want {
		return Adoption{}
	}
	a := Adoption{Delete: true}
	if deployment.Annotation(ReplicasAnnotation) != "" {
		a.Deployment = annotated(nil)
	}
	return a
}

func annotated(replicas any) manifest.Object {
	return manifest.Object{"metadata": map[string]any{"annotations": map[string]any{ReplicasAnnotation: replicas}}}
}

// whole has none of the Deployment's labels: one that tracks an application would have the Rollout pruned.
func whole(made, deployment manifest.Object) manifest.Object {
	made.Set(deployment.Name(), "metadata", "name")
	made.Set(deployment.Namespace(), "metadata", "namespace")
	made.SetAnnotation(MadeAnnotation, deployment.Name())
	made.Set([]any{map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment.Name(), "uid": deployment.UID(),
		"controller": true, "blockOwnerDeletion": true,
	}}, "metadata", "ownerReferences")
	return made
}
