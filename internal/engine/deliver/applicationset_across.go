package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// This file does what the promotion order across clusters asks for (docs/decisions, "Promotion across clusters"):
// AnalysisRuns between steps, and one cut-over of all blue-green Rollouts.

var (
	runKind             = manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "AnalysisRun"}
	templateKind        = manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "AnalysisTemplate"}
	clusterTemplateKind = manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "ClusterAnalysisTemplate"}
	rolloutKind         = manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}
)

// The labels of the AnalysisRuns of a set.
const (
	labelSet  = "sluice.dev/applicationset"
	labelStep = "sluice.dev/step"
)

// across reads what the promotion order of a set goes by.
func (w *settling) across(ctx context.Context, in *applicationset.Syncing) error {
	order, err := w.set.Order()
	if err != nil {
		return err
	}
	if len(order.Analysis) > 0 {
		runs, err := w.Home.List(ctx, runKind, w.set.Object.Namespace(), labelSet+"="+labelText(w.set.Object.Name()))
		if err != nil {
			return fmt.Errorf("read the analysis runs of the set: %w", err)
		}
		in.Runs = map[string]analysis.Phase{}
		for _, r := range runs {
			phase := analysis.Phase(r.Text("status", "phase"))
			if phase == "" {
				phase = analysis.Pending
			}
			in.Runs[r.Name()] = phase
		}
	}
	if !order.Together {
		return nil
	}
	in.Ready = map[string]bool{}
	for _, o := range w.mine() {
		ready, busy, _, err := w.previews(ctx, o)
		if err != nil {
			return err
		}
		in.Ready[o.Name()] = ready > 0 && busy == 0
	}
	return nil
}

// labelText is a name as a label takes it: at most 63 bytes.
func labelText(s string) string { return s[:min(len(s), 63)] }

// waits reports whether the rollout goes by what nobody tells of: runs and previews, which are looked at now and then.
func (w *settling) waits() bool {
	order, err := w.set.Order()
	return err == nil && w.rolled.Rollout.Status == "True" && (len(order.Analysis) > 0 || order.Together)
}

// waiting is a Rollout of an Application whose preview is ready.
type waiting struct {
	to Cluster
	rollout.Rollout
}

// previews counts an Application's Rollouts whose preview is ready and those that are on their way. A cluster that does not
// answer makes them busy: nothing is promoted that cannot be seen.
func (w *settling) previews(ctx context.Context, o manifest.Object) (ready, busy int, list []waiting, err error) {
	app, err := Decode(o)
	if err != nil {
		return 0, 1, nil, nil //nolint:nilerr // the Application's own status tells
	}
	var to Cluster
	for _, r := range app.Status.Resources {
		if r.Group != rolloutKind.Group || r.Kind != rolloutKind.Kind {
			continue
		}
		if to == nil {
			if to, _, err = w.Clusters.Find(ctx, app.Spec.Destination); err != nil {
				return 0, 1, nil, nil //nolint:nilerr // as above
			}
		}
		live, err := to.Get(ctx, rolloutKind, r.Namespace, r.Name)
		if manifest.NotFound(err) {
			busy++
			continue
		}
		if err != nil {
			w.tellFailed(err)
			busy++
			continue
		}
		decoded, err := rollout.Decode(live)
		if err != nil {
			return 0, 0, nil, err
		}
		preview, err := applicationset.PreviewOf(decoded)
		if err != nil {
			return 0, 0, nil, fmt.Errorf("application %s: %w", o.Name(), err)
		}
		switch preview {
		case applicationset.PreviewReady:
			ready++
			list = append(list, waiting{to, decoded})
		case applicationset.PreviewBusy:
			busy++
		}
	}
	return ready, busy, list, nil
}

func (w *settling) tellFailed(err error) {
	if w.Failed != nil {
		w.Failed(w.set.Object.Namespace(), w.set.Object.Name(), err)
	}
}

// promote does what the rollout decided beside the Applications: comparisons, an analysis, the cut-over.
func (w *settling) promote(ctx context.Context) error {
	if w.rolled == nil {
		return nil
	}
	var wrong []error
	for _, name := range w.rolled.Refresh {
		wrong = append(wrong, w.refresh(ctx, name))
	}
	if w.rolled.Analyse != nil {
		wrong = append(wrong, w.analyse(ctx, *w.rolled.Analyse))
	}
	if len(w.rolled.CutOver) > 0 {
		wrong = append(wrong, w.cutOver(ctx, w.rolled.CutOver))
	}
	if err := errors.Join(wrong...); err != nil {
		w.wrong(applicationset.ReasonUpdate, err)
		return err
	}
	return nil
}

// refresh asks for a comparison of an Application.
func (w *settling) refresh(ctx context.Context, called string) error {
	patch := manifest.Object{}
	patch.Set("normal", "metadata", "annotations", refreshAnnotation)
	_, err := w.Home.Patch(ctx, applicationKind, w.set.Object.Namespace(), called, manifest.Patch{Kind: manifest.MergePatch, Data: patch.JSON()}, manifest.Writing{Manager: setManager})
	if manifest.NotFound(err) {
		return nil
	}
	return err
}

// analyse makes an AnalysisRun. One of its name is the same.
func (w *settling) analyse(ctx context.Context, a applicationset.Analysing) error {
	spec, err := w.resolve(ctx, a)
	if err != nil {
		return fmt.Errorf("the analysis after step %d: %w", a.Step, err)
	}
	o := w.set.Object
	_, err = w.Home.Create(ctx, manifest.Object{
		"apiVersion": runKind.APIVersion(), "kind": runKind.Kind, "spec": map[string]any(spec.Object()),
		"metadata": map[string]any{
			"name": a.Name, "namespace": o.Namespace(), "labels": map[string]any{labelSet: labelText(o.Name()), labelStep: strconv.Itoa(a.Step)},
			"ownerReferences": []any{map[string]any{
				"apiVersion": setKind.APIVersion(), "kind": setKind.Kind, "name": o.Name(), "uid": o.UID(), "controller": true, "blockOwnerDeletion": true,
			}},
		},
	}, manifest.Writing{Manager: manager})
	if manifest.Is(err, manifest.ReasonExists) {
		return nil
	}
	if err == nil {
		w.event(ctx, "AnalysisRunCreated", fmt.Sprintf("created AnalysisRun %q after step %d", a.Name, a.Step))
	}
	return err
}

// resolve is the spec of a run of the templates that a step names.
func (w *settling) resolve(ctx context.Context, a applicationset.Analysing) (analysis.Spec, error) {
	known := map[analysis.TemplateRef]analysis.Spec{}
	var refs []analysis.TemplateRef
	for {
		var err error
		refs, err = analysis.Collect(a.Templates, known)
		missing, ok := errors.AsType[analysis.Missing](err)
		if err == nil {
			break
		}
		if !ok {
			return analysis.Spec{}, err
		}
		kind, space := templateKind, w.set.Object.Namespace()
		if missing.Ref.ClusterScope {
			kind, space = clusterTemplateKind, ""
		}
		o, err := w.Home.Get(ctx, kind, space, missing.Ref.TemplateName)
		if manifest.NotFound(err) {
			return analysis.Spec{}, missing
		}
		if err != nil {
			return analysis.Spec{}, err
		}
		if known[missing.Ref], err = analysis.DecodeTemplate(o); err != nil {
			return analysis.Spec{}, err
		}
	}
	var specs []analysis.Spec
	var args []analysis.Argument
	for _, ref := range refs {
		specs = append(specs, known[ref])
	}
	// What no template asks for is not given to it.
	for _, arg := range a.Args {
		if slices.ContainsFunc(specs, func(s analysis.Spec) bool {
			return slices.ContainsFunc(s.Args, func(x analysis.Argument) bool { return x.Name == arg.Name })
		}) {
			args = append(args, arg)
		}
	}
	return analysis.Resolve(specs, args, nil, nil)
}

// cutOver promotes the previews of Applications, in all their clusters.
func (w *settling) cutOver(ctx context.Context, apps []string) error {
	var all []waiting
	for _, o := range w.mine() {
		if !slices.Contains(apps, o.Name()) {
			continue
		}
		_, busy, list, err := w.previews(ctx, o)
		if err != nil {
			return err
		}
		if busy > 0 {
			return nil // it changed since: nobody goes
		}
		all = append(all, list...)
	}
	var wrong []error
	promoted := 0
	for _, r := range all {
		for _, p := range rollout.Promote(r.Rollout, false) {
			if _, err := r.to.Patch(ctx, rolloutKind, r.Object.Namespace(), r.Object.Name(), p, manifest.Writing{Manager: setManager}); err != nil {
				wrong = append(wrong, fmt.Errorf("promote the Rollout %s/%s: %w", r.Object.Namespace(), r.Object.Name(), err))
				continue
			}
			promoted++
		}
	}
	if promoted > 0 {
		w.event(ctx, "CutOver", fmt.Sprintf("promoted %d Rollouts of %d Applications together", len(all), len(apps)))
	}
	return errors.Join(wrong...)
}
