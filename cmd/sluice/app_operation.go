package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func newAppRollback(s *streams, w *target) *cobra.Command {
	var prune, dry, async bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "rollback NAME [ID]",
		Short: "Go back to an entry of the history",
		Long:  "Go back to an entry of `sluice app history`, without ID to the one before the last. It works also when the git server is away.",
		Args:  args(1, 2), ValidArgsFunction: w.completeApps,
		RunE: func(cmd *cobra.Command, given []string) error {
			id := int64(-1)
			if len(given) == 2 {
				n, err := strconv.ParseInt(given[1], 10, 64)
				if err != nil || n < 0 {
					return fault.New(codeUsage, "%q is no id of the history", given[1]).WithHint("see `sluice app history %s`", given[0])
				}
				id = n
			}
			home, o, err := w.app(cmd.Context(), given[0])
			if err != nil {
				return err
			}
			defer home.close()
			app, err := decodeApp(o)
			if err != nil {
				return err
			}
			op, err := application.Rollback(app, id, prune, dry, user())
			if err != nil {
				hint := "see `sluice app history " + given[0] + "`"
				if policyText(app) != "Manual" {
					hint = "it would be synced forward again at once: turn spec.syncPolicy.automated off first, or revert the commit"
				}
				return fault.New(codeUsage, "%v", err).WithHint("%s", hint)
			}
			if o, err = askOperation(cmd.Context(), home, o, op); err != nil || async {
				return err
			}
			return s.follow(cmd.Context(), home, o, timeout)
		},
	}
	cmd.Flags().BoolVar(&prune, "prune", false, "delete what that entry did not hold")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "change nothing")
	cmd.Flags().BoolVar(&async, "async", false, "do not wait for the end")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "wait no longer for the end")
	return cmd
}

func newAppHistory(s *streams, w *target) *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use: "history NAME", Short: "Show what was synced when", Args: args(1, 1), ValidArgsFunction: w.completeApps,
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := f.check(); err != nil {
				return err
			}
			home, o, err := w.app(cmd.Context(), given[0])
			if err != nil {
				return err
			}
			defer home.close()
			app, err := decodeApp(o)
			if err != nil {
				return err
			}
			history := append([]application.History{}, app.Status.History...)
			return f.write(s.out, history, func() []string {
				var out []string
				for _, h := range history {
					out = append(out, strconv.FormatInt(h.ID, 10))
				}
				return out
			}, func(out io.Writer) error {
				var rows [][]string
				for _, h := range history {
					by := orText(h.InitiatedBy.Username, "-")
					if h.InitiatedBy.Automated {
						by = "automated"
					}
					sources := application.Application{Spec: application.Spec{Sources: h.Sources}}
					if len(h.Sources) == 0 {
						sources.Spec.Source = &h.Source
					}
					rows = append(rows, []string{strconv.FormatInt(h.ID, 10), h.DeployedAt.Format(time.RFC3339), revisionText(h.Revision, h.Revisions), by, sourceText(sources)})
				}
				return columns(out, "ID DATE REVISION BY SOURCE", rows)
			})
		},
	}
	f.flag(cmd)
	return cmd
}

func newAppTerminate(s *streams, w *target) *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "terminate NAME", Short: "End the operation that runs", Args: args(1, 1), ValidArgsFunction: w.completeApps,
		RunE: func(cmd *cobra.Command, given []string) error {
			home, o, err := w.app(cmd.Context(), given[0])
			if err != nil {
				return err
			}
			defer home.close()
			if o, err = deliver.Terminate(cmd.Context(), home, o); err != nil {
				return err
			}
			if o == nil {
				return fault.New(codeBusy, "no operation of %s is in progress", given[0]).Exits(exitFailed)
			}
			o, err = poll(cmd.Context(), home, o, timeout, func(app application.Application) bool { return app.Object["operation"] == nil })
			if errors.Is(err, errGone) { // it waited to be deleted, and the operation went with it
				fmt.Fprintf(s.out, "%s is deleted\n", oneLine(given[0]))
				return nil
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(s.out, "%s: %s\n", o.Text("status", "operationState", "phase"), oneLine(o.Text("status", "operationState", "message")))
			return nil
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "wait no longer for the end")
	return cmd
}

func newAppWait(s *streams, w *target) *cobra.Command {
	var synced, healthy, operation, deleted bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "wait NAME",
		Short: "Wait until an application is synced and healthy",
		Long:  "Wait until the application is synced and healthy and no operation runs; with flags, only until what they say. Exit code 3 when the time is over.",
		Args:  args(1, 1), ValidArgsFunction: w.completeApps,
		RunE: func(cmd *cobra.Command, given []string) error {
			home, o, err := w.app(cmd.Context(), given[0])
			if err != nil {
				return err
			}
			defer home.close()
			if !synced && !healthy && !operation && !deleted {
				synced, healthy, operation = true, true, true
			}
			o, err = poll(cmd.Context(), home, o, timeout, func(app application.Application) bool {
				return !deleted && (!synced || app.Status.Sync.Status == application.Synced) && (!healthy || app.Status.Health.Status == "Healthy") &&
					(!operation || app.Object["operation"] == nil)
			})
			if deleted && errors.Is(err, errGone) {
				return nil
			}
			if err != nil {
				return err
			}
			return s.stands(given[0], o)
		},
	}
	cmd.Flags().BoolVar(&synced, "sync", false, "until it is synced")
	cmd.Flags().BoolVar(&healthy, "health", false, "until it is healthy")
	cmd.Flags().BoolVar(&operation, "operation", false, "until no operation runs")
	cmd.Flags().BoolVar(&deleted, "delete", false, "until it is gone")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "wait no longer; 0 waits for ever")
	return cmd
}

func newAppRefresh(s *streams, w *target) *cobra.Command {
	var hard bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "refresh NAME", Short: "Compare an application with its sources now", Args: args(1, 1), ValidArgsFunction: w.completeApps,
		RunE: func(cmd *cobra.Command, given []string) error {
			home, o, err := w.app(cmd.Context(), given[0])
			if err != nil {
				return err
			}
			defer home.close()
			if o, err = refreshApp(cmd.Context(), home, o, hard, timeout); err != nil {
				return err
			}
			return s.stands(given[0], o)
		},
	}
	cmd.Flags().BoolVar(&hard, "hard", false, "render anew, whatever is cached")
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "wait no longer")
	return cmd
}

// stands says how an Application stands.
func (s *streams) stands(called string, o manifest.Object) error {
	app, err := decodeApp(o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s %s %s\n", oneLine(called), app.Status.Sync.Status, app.Status.Health.Status)
	return err
}

// refreshApp asks for a comparison and waits for it.
func refreshApp(ctx context.Context, home deliver.Cluster, o manifest.Object, hard bool, timeout time.Duration) (manifest.Object, error) {
	how := "normal"
	if hard {
		how = "hard"
	}
	patch := manifest.Object{}
	patch.SetAnnotation(application.AnnotationRefresh, how)
	o, err := home.Patch(ctx, applicationKind, o.Namespace(), o.Name(), manifest.Patch{Kind: manifest.MergePatch, Data: patch.JSON()}, manifest.Writing{})
	if err != nil {
		return nil, err
	}
	return poll(ctx, home, o, timeout, func(app application.Application) bool {
		_, asked := app.Object.Annotations()[application.AnnotationRefresh]
		return !asked
	})
}
