package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/engine/advance"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
	"github.com/sluice-delivery/sluice/internal/web/terminal"
)

func newRolloutGet(s *streams, t *target) *cobra.Command {
	var f format
	var watch bool
	cmd := &cobra.Command{
		Use: "get ROLLOUT", Short: "Show a rollout: steps, weights, replica sets, pods, analyses with their measurements",
		Args: args(1, 1), ValidArgsFunction: t.completeRollouts,
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if watch {
				return watchRollout(cmd.Context(), s, t, given[0])
			}
			return t.with(cmd.Context(), func(h *rolloutHome) error {
				r, err := h.find(cmd.Context(), given[0])
				if err != nil {
					return err
				}
				info, err := h.info(cmd.Context(), r)
				if err != nil {
					return err
				}
				return f.write(s.out, info, func() []string { return []string{"rollout/" + info.Name} }, func(w io.Writer) error {
					_, err := io.WriteString(w, strings.Join(info.lines(time.Now()), "\n")+"\n")
					return err
				})
			})
		},
	}
	f.flag(cmd)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on showing it (the same as sluice rollout watch)")
	return cmd
}

func newRolloutList(s *streams, t *target) *cobra.Command {
	var f format
	var all bool
	cmd := &cobra.Command{
		Use: "list", Short: "List rollouts", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return t.with(cmd.Context(), func(h *rolloutHome) error {
				infos, err := h.heads(cmd.Context(), all)
				if err != nil {
					return err
				}
				names := func() (out []string) {
					for _, i := range infos {
						out = append(out, "rollout/"+i.Name)
					}
					return out
				}
				return f.write(s.out, infos, names, func(w io.Writer) error { return listRollouts(w, infos, all, time.Now()) })
			})
		},
	}
	f.flag(cmd)
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "those of all namespaces")
	return cmd
}

func (h *rolloutHome) heads(ctx context.Context, all bool) ([]rolloutInfo, error) {
	namespace := h.namespace
	if all {
		namespace = ""
	}
	objects, err := h.List(ctx, advance.Rollouts, namespace, "")
	if manifest.Is(err, manifest.ReasonNoKind) {
		return nil, fault.New(codeUnserved, "%s does not know Rollouts", h.server).WithHint("sluice crd install defines them")
	}
	if err != nil {
		return nil, err
	}
	out := []rolloutInfo{}
	for _, o := range objects {
		r, err := rollout.Decode(o)
		if err != nil {
			return nil, err
		}
		out = append(out, headInfo(r))
	}
	slices.SortFunc(out, func(a, b rolloutInfo) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return out, nil
}

func listRollouts(w io.Writer, infos []rolloutInfo, all bool, now time.Time) error {
	head := "NAME STRATEGY STATUS STEP SET-WEIGHT READY DESIRED UP-TO-DATE AVAILABLE AGE"
	if all {
		head = "NAMESPACE " + head
	}
	var rows [][]string
	for _, i := range infos {
		weight := "-"
		if i.SetWeight != nil {
			weight = fmt.Sprint(*i.SetWeight)
		}
		row := []string{
			i.Name, i.Strategy, i.Status, or1(i.Step, "-"), weight, fmt.Sprintf("%d/%d", i.Replicas.Ready, i.Replicas.Current),
			fmt.Sprint(i.Replicas.Desired), fmt.Sprint(i.Replicas.Updated), fmt.Sprint(i.Replicas.Available), age(now, i.Created),
		}
		if all {
			row = append([]string{i.Namespace}, row...)
		}
		rows = append(rows, row)
	}
	return columns(w, head, rows)
}

func newRolloutWatch(s *streams, t *target) *cobra.Command {
	return &cobra.Command{
		Use: "watch ROLLOUT", Short: "Show a rollout live; away from a terminal, print its changes",
		Args: args(1, 1), ValidArgsFunction: t.completeRollouts,
		RunE: func(cmd *cobra.Command, given []string) error { return watchRollout(cmd.Context(), s, t, given[0]) },
	}
}

// redraw is how long changes are gathered for one picture.
const redraw = 200 * time.Millisecond

// watchRollout shows a rollout until it is interrupted or gone.
func watchRollout(ctx context.Context, s *streams, t *target, name string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	return t.with(ctx, func(h *rolloutHome) error {
		if _, err := h.find(ctx, name); err != nil {
			return err
		}
		block, live := terminal.NewBlock(s.out, os.Getenv)
		said := ""
		show := func(i rolloutInfo) error {
			if live {
				return block.Draw(i.lines(time.Now()))
			}
			line := i.summary()
			if line == said {
				return nil
			}
			said = line
			_, err := fmt.Fprintf(s.out, "%s %s\n", time.Now().UTC().Format(time.RFC3339), line)
			return err
		}
		every := 10 * time.Second
		if live {
			every = time.Second // ages go on
		}
		err := h.follow(ctx, name, every, func(r rollout.Rollout) (bool, error) {
			info, err := h.info(ctx, r)
			if err != nil {
				return false, err
			}
			return false, show(info)
		})
		if ctx.Err() != nil {
			return nil // it was asked to end
		}
		return err
	})
}

// summary is a rollout in one line, for logs: a line is told when it changes.
func (i rolloutInfo) summary() string {
	parts := []string{i.Status}
	if i.Message != "" {
		parts = append(parts, "("+i.Message+")")
	}
	if i.Step != "" {
		parts = append(parts, "step "+i.Step)
	}
	if i.ActualWeight != nil {
		parts = append(parts, fmt.Sprintf("weight %d", *i.ActualWeight))
	}
	for _, rev := range i.Revisions {
		for _, s := range rev.ReplicaSets {
			if s.Replicas > 0 || len(s.Pods) > 0 {
				parts = append(parts, strings.TrimSuffix(fmt.Sprintf("%s %d/%d %s", s.Name, s.Available, s.Replicas, strings.Join(s.Roles, ",")), " "))
			}
		}
		for _, a := range rev.AnalysisRuns {
			for _, m := range a.Metrics {
				if n := len(m.Measurements); n > 0 {
					parts = append(parts, fmt.Sprintf("%s %s=%s %s", a.Name, m.Name, or1(m.Measurements[n-1].Value, "-"), m.Measurements[n-1].Phase))
				}
			}
		}
	}
	return oneLine(strings.Join(parts, " · "))
}

// follow calls back with a rollout now and after each change of it or of what belongs to it, at least so often, until the
// answer is done, ctx ends or the rollout is gone.
func (h *rolloutHome) follow(ctx context.Context, name string, every time.Duration, each func(rollout.Rollout) (done bool, err error)) error {
	watching, stop := context.WithCancel(ctx)
	changed := make(chan struct{}, 1)
	poke := func(manifest.Change) {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	ended := make(chan struct{}, 4)
	kinds := []manifest.Kind{advance.Rollouts, replicaSetKind, podKind, advance.Runs}
	for _, kind := range kinds {
		go func() {
			_ = h.Watch(watching, kind, h.namespace, "", poke) // without it, `every` is what is left
			ended <- struct{}{}
		}()
	}
	defer func() {
		stop()
		for range kinds {
			<-ended
		}
	}()
	for {
		r, err := h.find(ctx, name)
		if err != nil {
			return err
		}
		if done, err := each(r); done || err != nil {
			return err
		}
		select {
		case <-changed:
			select { // several changes make one picture
			case <-time.After(redraw):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		case <-time.After(every):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func newRolloutStatus(s *streams, t *target) *cobra.Command {
	var watch bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "status ROLLOUT", Short: "Wait until a rollout is healthy, and say by the exit code whether it is",
		Long: `Print a rollout's status and each change of it until it is Healthy (exit 0) or Degraded (exit 1). With --timeout it gives
up after that time (exit 3). With --watch=false it prints the status once.`,
		Args: args(1, 1), ValidArgsFunction: t.completeRollouts,
		RunE: func(cmd *cobra.Command, given []string) error {
			ctx := cmd.Context()
			if timeout > 0 {
				var stop context.CancelFunc
				ctx, stop = context.WithTimeout(ctx, timeout)
				defer stop()
			}
			return t.with(ctx, func(h *rolloutHome) error {
				said, last := "", ""
				err := h.follow(ctx, given[0], 5*time.Second, func(r rollout.Rollout) (bool, error) {
					phase, message := rollout.PhaseOf(r)
					line := phase
					if message != "" {
						line += " - " + message
					}
					if line != said {
						fmt.Fprintln(s.out, oneLine(line))
					}
					said, last = line, phase
					return !watch || phase == rollout.Healthy || phase == rollout.Degraded, nil
				})
				if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil && cmd.Context().Err() == nil {
					return fault.New(codeRolloutTime, "rollout %s is not healthy after %s: %s", given[0], timeout, said).Exits(exitTimeout)
				}
				if err == nil && last == rollout.Degraded {
					return fault.New(codeDegraded, "the rollout is in a degraded state with message: %s", strings.TrimPrefix(said, "Degraded - ")).Exits(exitFailed).
						WithHint("see `sluice rollout get %s`", given[0])
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", true, "wait until it is healthy or degraded")
	cmd.Flags().DurationVarP(&timeout, "timeout", "t", 0, "how long to wait (0: for ever)")
	return cmd
}
