package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/engine/advance"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// The faults of the rollout commands.
const (
	codeNoRollout   = "SL3150" // there is no such rollout
	codeRolloutPart = "SL3151" // the rollout does not have what was asked for
	codeRolloutTime = "SL3152" // a rollout did not become healthy in time
	codeDegraded    = "SL3153" // a rollout is degraded
	codeRolloutFile = "SL3154" // a file of rollouts cannot be read
)

var rolloutDocs = []fault.Doc{
	{Code: codeNoRollout, Summary: "there is no such rollout", Text: "The rollout commands look in the namespace of -n, or of the kubeconfig's context, of the cluster that --kubeconfig, KUBECONFIG or ~/.kube/config names, or of a running `sluice up` or `sluice deliver`."},
	{Code: codeRolloutPart, Summary: "a rollout does not have what was asked for", Text: "There is no such container, revision or step in it, or nothing to promote."},
	{Code: codeRolloutTime, Summary: "a rollout did not become healthy in time", Text: "The time of --timeout is over. What was begun goes on; `sluice rollout get` shows how far it is."},
	{Code: codeDegraded, Summary: "a rollout is degraded", Text: "It was aborted, an analysis failed, its pods do not become ready in time, or its spec is invalid. The message says which; `sluice rollout get` shows the measurements. `sluice rollout retry` takes an aborted update up again, `sluice rollout undo` goes back."},
	{Code: codeRolloutFile, Summary: "a file of rollouts cannot be read", Text: "There is no such file, or it cannot be opened. What is wrong inside of a file has codes of its own."},
}

func newRollout(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollout",
		Short: "See and steer rollouts",
		Long: `See and steer Argo Rollouts' Rollouts: those of a running 'sluice up' or 'sluice deliver' (found in this folder or one
above it), or of the cluster that --kubeconfig, KUBECONFIG or ~/.kube/config names. The changes are those that
'kubectl argo rollouts' makes, so either tool steers either controller.`,
		Args: known,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	w := &target{}
	f := cmd.PersistentFlags()
	f.StringVar(&w.kubeconfig, "kubeconfig", "", "the cluster's kubeconfig (default: a running sluice up or deliver, KUBECONFIG, ~/.kube/config)")
	f.StringVar(&w.context, "context", "", "the kubeconfig's context")
	f.StringVarP(&w.namespace, "namespace", "n", "", "the namespace (default: the context's)")
	cmd.AddCommand(
		newRolloutGet(s, w), newRolloutList(s, w), newRolloutWatch(s, w), newRolloutStatus(s, w), newRolloutLint(s),
		newRolloutPromote(s, w), newRolloutPause(s, w), newRolloutAbort(s, w), newRolloutRetry(s, w), newRolloutUndo(s, w),
		newRolloutSetImage(s, w), newRolloutRestart(s, w),
	)
	return cmd
}

// rolloutHome is where rollouts are, and which namespace is meant.
type rolloutHome struct {
	*house
	namespace string
}

func (t *target) rollouts(ctx context.Context) (*rolloutHome, error) {
	h, err := t.connectHome(ctx)
	if err != nil {
		return nil, err
	}
	out := &rolloutHome{house: h, namespace: t.namespace}
	if c, ok := h.Cluster.(*cluster.Cluster); ok && out.namespace == "" {
		out.namespace = c.Namespace
	}
	return out, nil
}

// with opens where rollouts are for one command, and turns what the cluster refuses into what a person can act on.
func (t *target) with(ctx context.Context, do func(*rolloutHome) error) error {
	h, err := t.rollouts(ctx)
	if err != nil {
		return err
	}
	defer h.close()
	return cluster.Fault(h.server, do(h))
}

// find reads a rollout by name. The object is as the cluster has it.
func (h *rolloutHome) find(ctx context.Context, name string) (rollout.Rollout, error) {
	o, err := h.Get(ctx, advance.Rollouts, h.namespace, name)
	if manifest.NotFound(err) {
		return rollout.Rollout{}, h.missing(ctx, name)
	}
	if err != nil {
		return rollout.Rollout{}, err
	}
	return rollout.Decode(o)
}

func (h *rolloutHome) missing(ctx context.Context, name string) error {
	f := fault.New(codeNoRollout, "there is no rollout %q in namespace %s", name, h.namespace)
	all, err := h.List(ctx, advance.Rollouts, h.namespace, "")
	if manifest.Is(err, manifest.ReasonNoKind) {
		return fault.New(codeUnserved, "%s does not know Rollouts", h.server).WithHint("sluice crd install defines them")
	}
	var names []string
	for _, o := range all {
		names = append(names, o.Name())
	}
	if near := fault.Nearest(name, names); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	if len(names) == 0 {
		return f.WithHint("there is none; see -n NAMESPACE")
	}
	return f.WithHint("there are %s", strings.Join(names, ", "))
}

// complete offers the names of rollouts to the shell.
func (t *target) completeRollouts(cmd *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	_ = t.with(cmd.Context(), func(h *rolloutHome) error {
		all, err := h.List(cmd.Context(), advance.Rollouts, h.namespace, "")
		for _, o := range all {
			names = append(names, o.Name())
		}
		return err
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}

// patchRollout makes one change.
func (h *rolloutHome) patch(ctx context.Context, o manifest.Object, p manifest.Patch) error {
	_, err := h.Patch(ctx, o.Kind(), o.Namespace(), o.Name(), p, manifest.Writing{})
	if p.Sub != "" && manifest.Is(err, manifest.ReasonNotFound) { // a definition whose status is no subresource
		p.Sub = ""
		_, err = h.Patch(ctx, o.Kind(), o.Namespace(), o.Name(), p, manifest.Writing{})
	}
	return err
}

// world reads what belongs to a rollout: replica sets, and what its workloadRef names.
func (h *rolloutHome) world(ctx context.Context, r rollout.Rollout) (rollout.World, error) {
	w := rollout.World{Rollout: r}
	namespace := r.Object.Namespace()
	all, err := h.List(ctx, replicaSetKind, namespace, "")
	if err != nil {
		return w, err
	}
	w.ReplicaSets = slices.DeleteFunc(all, func(o manifest.Object) bool { return !ownedBy(o, r.Object) })
	if ref := r.Spec.WorkloadRef; ref != nil {
		w.Workload, err = h.Get(ctx, manifest.KindOf(ref.APIVersion, ref.Kind), namespace, ref.Name)
		if manifest.NotFound(err) {
			return w, fault.New(codeRolloutPart, "%s %s, which rollout %s runs, is not there", ref.Kind, ref.Name, r.Object.Name())
		}
	}
	return w, err
}

var (
	replicaSetKind = manifest.Kind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}
	podKind        = manifest.Kind{Version: "v1", Kind: "Pod"}
)

func ownedBy(o, owner manifest.Object) bool {
	w, ok := o.Controller()
	return ok && w.UID == owner.UID()
}

// said prints what a change did, in the manner of kubectl.
func said(s *streams, format string, args ...any) error {
	_, err := fmt.Fprintln(s.out, oneLine(fmt.Sprintf(format, args...)))
	return err
}
