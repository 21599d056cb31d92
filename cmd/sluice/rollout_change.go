package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// changing is a command that changes the rollouts that it is given.
func changing(s *streams, t *target, cmd *cobra.Command, word string, change func(ctx context.Context, h *rolloutHome, r rollout.Rollout) (string, error)) *cobra.Command {
	cmd.Args = args(1, -1)
	cmd.ValidArgsFunction = t.completeRollouts
	cmd.RunE = func(cmd *cobra.Command, given []string) error {
		return t.with(cmd.Context(), func(h *rolloutHome) error {
			for _, name := range given {
				r, err := h.find(cmd.Context(), name)
				if err != nil {
					return err
				}
				note, err := change(cmd.Context(), h, r)
				if err != nil {
					return err
				}
				if note == "" {
					note = fmt.Sprintf("rollout '%s' %s", name, word)
				}
				if err := said(s, "%s", note); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return cmd
}

// patching is a change by one patch.
func patching(p func() manifest.Patch) func(context.Context, *rolloutHome, rollout.Rollout) (string, error) {
	return func(ctx context.Context, h *rolloutHome, r rollout.Rollout) (string, error) {
		return "", h.patch(ctx, r.Object, p())
	}
}

func newRolloutPromote(s *streams, t *target) *cobra.Command {
	var full, skipOne, skipAll bool
	cmd := &cobra.Command{
		Use:   "promote ROLLOUT...",
		Short: "Go on from a pause, or leave steps out",
		Example: `  sluice rollout promote web                        # go on from a pause
  sluice rollout promote web --skip-current-step    # leave the step out that is being done
  sluice rollout promote web --full                 # go to the end without steps, pauses and analyses`,
	}
	changing(s, t, cmd, "promoted", func(ctx context.Context, h *rolloutHome, r rollout.Rollout) (string, error) {
		if skipOne || skipAll {
			p, err := rollout.SkipStep(r, skipAll)
			if err != nil {
				return "", fault.New(codeRolloutPart, "%v", err)
			}
			return "", h.patch(ctx, r.Object, p)
		}
		patches := rollout.Promote(r, full)
		for _, p := range patches {
			if err := h.patch(ctx, r.Object, p); err != nil {
				return "", err
			}
		}
		if len(patches) == 0 {
			return fmt.Sprintf("rollout '%s' has nothing to promote", r.Object.Name()), nil
		}
		if full {
			return fmt.Sprintf("rollout '%s' fully promoted", r.Object.Name()), nil
		}
		return "", nil
	})
	f := cmd.Flags()
	f.BoolVar(&full, "full", false, "go to the end without steps, pauses and analyses")
	f.BoolVarP(&skipOne, "skip-current-step", "c", false, "leave the current step out")
	f.BoolVarP(&skipAll, "skip-all-steps", "a", false, "leave all steps out that are left")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, given []string) error {
		if full && (skipOne || skipAll) || skipOne && skipAll {
			return fault.New(codeUsage, "--full, --skip-current-step and --skip-all-steps exclude each other")
		}
		return run(cmd, given)
	}
	return cmd
}

func newRolloutPause(s *streams, t *target) *cobra.Command {
	cmd := &cobra.Command{Use: "pause ROLLOUT...", Short: "Hold an update where it is"}
	return changing(s, t, cmd, "paused", patching(rollout.Hold))
}

func newRolloutAbort(s *streams, t *target) *cobra.Command {
	cmd := &cobra.Command{
		Use: "abort ROLLOUT...", Short: "Turn an update back",
		Long: "Turn an update back: all requests go to the stable version and the new one is scaled down. The spec stays as it is;\n'sluice rollout retry' takes the update up again, 'sluice rollout undo' puts the old version into the spec.",
	}
	return changing(s, t, cmd, "aborted", patching(rollout.Abort))
}

func newRolloutRetry(s *streams, t *target) *cobra.Command {
	cmd := &cobra.Command{Use: "retry ROLLOUT...", Short: "Take an aborted update up again"}
	return changing(s, t, cmd, "retried", patching(rollout.Retry))
}

func newRolloutRestart(s *streams, t *target) *cobra.Command {
	var in string
	cmd := &cobra.Command{Use: "restart ROLLOUT...", Short: "Replace the pods one after the other"}
	changing(s, t, cmd, "", func(ctx context.Context, h *rolloutHome, r rollout.Rollout) (string, error) {
		at := time.Now()
		if in != "" {
			d, err := time.ParseDuration(in)
			if err != nil {
				return "", fault.New(codeUsage, "--in %s is no duration", in).WithHint("for example 10s or 5m")
			}
			at = at.Add(d)
		}
		if err := h.patch(ctx, r.Object, rollout.Restart(at)); err != nil {
			return "", err
		}
		if in == "" {
			return fmt.Sprintf("rollout '%s' restarts", r.Object.Name()), nil
		}
		return fmt.Sprintf("rollout '%s' will restart in %s", r.Object.Name(), in), nil
	})
	cmd.Flags().StringVarP(&in, "in", "i", "", "how long to wait before (10s, 5m)")
	return cmd
}

func newRolloutUndo(s *streams, t *target) *cobra.Command {
	var revision int64
	cmd := &cobra.Command{Use: "undo ROLLOUT...", Short: "Go back to an earlier revision's pod template"}
	changing(s, t, cmd, "", func(ctx context.Context, h *rolloutHome, r rollout.Rollout) (string, error) {
		w, err := h.world(ctx, r)
		if err != nil {
			return "", err
		}
		to, patch, err := rollout.Undo(w, revision)
		if err != nil {
			return "", fault.New(codeRolloutPart, "%v", err).WithHint("`sluice rollout get %s` lists the revisions", r.Object.Name())
		}
		if patch == nil {
			return fmt.Sprintf("rollout '%s' is that revision already", r.Object.Name()), nil
		}
		on := r.Object
		if to != on.Key() {
			on = w.Workload
		}
		if err := h.patch(ctx, on, *patch); err != nil {
			return "", err
		}
		return fmt.Sprintf("rollout '%s' undo", r.Object.Name()), nil
	})
	cmd.Flags().Int64Var(&revision, "to-revision", 0, "the revision to go back to (default: the one before the newest)")
	return cmd
}

func newRolloutSetImage(s *streams, t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "set-image ROLLOUT CONTAINER=IMAGE...",
		Short: "Give containers another image ('*' for all)",
		Args:  args(2, -1), ValidArgsFunction: t.completeRollouts,
		RunE: func(cmd *cobra.Command, given []string) error {
			for _, pair := range given[1:] {
				if container, image, ok := strings.Cut(pair, "="); !ok || container == "" || image == "" {
					return fault.New(codeUsage, "%q is not CONTAINER=IMAGE", pair)
				}
			}
			return t.with(cmd.Context(), func(h *rolloutHome) error {
				if err := h.setImages(cmd.Context(), given[0], given[1:]); err != nil {
					return err
				}
				return said(s, "rollout \"%s\" image updated", given[0])
			})
		},
	}
}

// setImages writes the images into the Rollout or into its workload; whoever wrote in between is heard first.
func (h *rolloutHome) setImages(ctx context.Context, name string, pairs []string) error {
	for try := 0; ; try++ {
		r, err := h.find(ctx, name)
		if err != nil {
			return err
		}
		o := r.Object
		if r.Spec.WorkloadRef != nil {
			w, err := h.world(ctx, r)
			if err != nil {
				return err
			}
			o = w.Workload
		}
		for _, pair := range pairs {
			container, image, _ := strings.Cut(pair, "=")
			if o, err = rollout.SetImage(o, container, image); err != nil {
				return fault.New(codeRolloutPart, "%v", err)
			}
		}
		if _, err = h.Update(ctx, o, "", manifest.Writing{}); !manifest.Is(err, manifest.ReasonConflict) || try == 5 {
			return err
		}
	}
}
