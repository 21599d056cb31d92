package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// look is how often an Application is read while it is followed.
const look = 200 * time.Millisecond

// follow shows an operation until it ends.
func (s *streams) follow(ctx context.Context, home deliver.Cluster, o manifest.Object, timeout time.Duration) error {
	asked := o
	show := &progress{w: s.out, seen: map[string]string{}}
	o, err := poll(ctx, home, o, timeout, func(app application.Application) bool {
		op := app.Status.OperationState
		if app.Object["operation"] == nil && (op == nil || op.Phase.Completed()) {
			return true
		}
		if op != nil && op.Phase == application.Running {
			show.state(*op)
		}
		return false
	})
	if err != nil {
		return err
	}
	app, err := decodeApp(o)
	if err != nil {
		return err
	}
	op := app.Status.OperationState
	if op == nil {
		return fault.New(codeBusy, "the operation of %s was taken away before it began", asked.Name()).Exits(exitFailed)
	}
	show.state(*op)
	fmt.Fprintf(s.out, "%s: %s\n", op.Phase, oneLine(op.Message))
	switch {
	case op.Phase == application.Succeeded:
		return unpruned(*op)
	case strings.HasPrefix(op.Message, "Operation terminated"):
		return &exitError{code: exitCanceled}
	default:
		return &exitError{code: exitFailed}
	}
}

// unpruned is what a sync without --prune left, which still differs from the sources; nil where nothing is.
func unpruned(op application.OperationState) error {
	if op.SyncResult == nil || op.Operation.Sync == nil || op.Operation.Sync.Prune || op.Operation.Sync.DryRun {
		return nil
	}
	n := 0
	for _, r := range op.SyncResult.Resources {
		if r.Status == "PruneSkipped" {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return fault.New(codePrune, "%d resources require pruning", n).Exits(exitDifferent).WithHint("they are not in the sources any more: `--prune` deletes them")
}

// progress prints what is new of an operation, one line each: what became of its resources, and what it waits for.
type progress struct {
	w       io.Writer
	seen    map[string]string
	message string
}

func (p *progress) state(op application.OperationState) {
	if op.SyncResult != nil {
		for _, r := range op.SyncResult.Resources {
			p.resource(r)
		}
	}
	if op.Message != "" && op.Message != p.message && op.Message != application.UnderWay && !op.Phase.Completed() {
		p.message = op.Message
		fmt.Fprintf(p.w, "%s\n", oneLine(op.Message))
	}
}

func (p *progress) resource(r application.ResourceResult) {
	what := r.Kind + " " + r.Name
	if r.Namespace != "" {
		what = r.Kind + " " + r.Namespace + "/" + r.Name
	}
	status := r.Status
	if r.HookType != "" {
		status = strings.TrimSpace(string(r.HookPhase) + " (" + r.HookType + " hook)")
	}
	line := fmt.Sprintf("%-8s  %-40s  %-12s  %s", orText(r.SyncPhase, "Sync"), what, status, r.Message)
	key := r.Group + "/" + what + r.SyncPhase
	if p.seen[key] != line {
		p.seen[key] = line
		fmt.Fprintln(p.w, oneLine(line))
	}
}

// errGone says that the Application that was followed is not there any more.
var errGone = errors.New("the application was deleted")

// poll reads an Application until it is so; zero as timeout waits as long as ctx.
func poll(ctx context.Context, home deliver.Cluster, o manifest.Object, timeout time.Duration, so func(application.Application) bool) (manifest.Object, error) {
	if timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, timeout)
		defer stop()
	}
	for {
		now, err := home.Get(ctx, applicationKind, o.Namespace(), o.Name())
		switch {
		case manifest.NotFound(err):
			return o, errGone
		case err == nil:
			o = now
			app, err := decodeApp(o)
			if err != nil {
				return o, err
			}
			if so(app) {
				return o, nil
			}
		case ctx.Err() == nil && !manifest.Passing(err):
			return o, err
		}
		select {
		case <-ctx.Done():
			if timeout > 0 && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return o, fault.New(codeWait, "%s is not so after %s", o.Name(), timeout).Exits(exitTimeout).
					WithHint("`sluice app explain %s` says why", o.Name())
			}
			return o, &exitError{code: exitInterrupted}
		case <-time.After(look):
		}
	}
}
