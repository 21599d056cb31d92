package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// syncFlags are how a sync is asked for.
type syncFlags struct {
	prune, dryRun, force, async bool
	revision, local, strategy   string
	resources, options, info    []string
	timeout                     time.Duration
	retries                     int64
}

func newAppSync(s *streams, w *target) *cobra.Command {
	var f syncFlags
	cmd := &cobra.Command{
		Use:   "sync NAME...",
		Short: "Bring applications to what their sources say",
		Long: `Ask for a sync and follow it: each phase, wave and resource as it goes. Exit codes: 0 synced, 1 the sync failed, 3 it was
not done in time (it goes on), 6 it was terminated, 8 it succeeded and left what only --prune deletes.`,
		Args: args(1, -1), ValidArgsFunction: w.completeApps,
		RunE: func(cmd *cobra.Command, given []string) error {
			op, err := f.operation()
			if err != nil {
				return err
			}
			var worst error
			for _, called := range given {
				if err := s.syncApp(cmd.Context(), w, called, op, f); err != nil {
					if len(given) == 1 {
						return err
					}
					_ = s.exit(err)
					worst = err
				}
			}
			if worst != nil {
				return &exitError{code: exitFailed}
			}
			return nil
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.prune, "prune", false, "delete what the sources do not hold any more")
	fl.BoolVar(&f.dryRun, "dry-run", false, "change nothing")
	fl.BoolVar(&f.force, "force", false, "delete and make anew what cannot be changed")
	fl.BoolVar(&f.async, "async", false, "do not wait for the end")
	fl.StringVar(&f.revision, "revision", "", "sync to this branch, tag or commit instead")
	fl.StringVar(&f.local, "local", "", "sync to the manifests of this folder instead")
	fl.StringVar(&f.strategy, "strategy", "hook", "hook, or apply, which runs no hooks")
	fl.StringArrayVar(&f.resources, "resource", nil, "only this resource: GROUP:KIND:[NAMESPACE/]NAME, with ! before it all others; may be given again")
	fl.StringArrayVar(&f.options, "sync-option", nil, "a sync option such as ServerSideApply=true; may be given again")
	fl.StringArrayVar(&f.info, "info", nil, "NAME=VALUE to keep with the operation; may be given again")
	fl.DurationVar(&f.timeout, "timeout", 0, "wait no longer for the end")
	fl.Int64Var(&f.retries, "retry-limit", 0, "try a failed sync so often again; less than 0 for ever")
	_ = cmd.MarkFlagDirname("local")
	_ = cmd.RegisterFlagCompletionFunc("strategy", cobra.FixedCompletions([]string{"hook", "apply"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// operation is what the flags ask for.
func (f syncFlags) operation() (application.Operation, error) {
	op := application.Operation{
		Sync:        &application.SyncOperation{Revision: f.revision, Prune: f.prune, DryRun: f.dryRun, SyncOptions: f.options},
		InitiatedBy: application.Initiator{Username: user()},
		Retry:       application.Retry{Limit: f.retries},
	}
	how := &application.ApplyStrategy{Force: f.force}
	switch f.strategy {
	case "apply":
		op.Sync.SyncStrategy = &application.SyncStrategy{Apply: how}
	case "hook", "":
		op.Sync.SyncStrategy = &application.SyncStrategy{Hook: how}
	default:
		return op, fault.New(codeUsage, "--strategy %s is none", f.strategy).WithHint("the strategies are hook and apply")
	}
	for _, r := range f.resources {
		c, err := chosenResource(r)
		if err != nil {
			return op, err
		}
		op.Sync.Resources = append(op.Sync.Resources, c)
	}
	for _, i := range f.info {
		k, v, ok := strings.Cut(i, "=")
		if !ok {
			return op, fault.New(codeUsage, "--info %s is not NAME=VALUE", i)
		}
		op.Info = append(op.Info, application.Info{Name: k, Value: v})
	}
	return op, nil
}

// againstPolicy refuses what an application that syncs by itself would take back at once.
func (f syncFlags) againstPolicy(app application.Application) error {
	if f.dryRun || policyText(app) == "Manual" {
		return nil
	}
	const hint = "turn spec.syncPolicy.automated off first, or try it with --dry-run"
	if f.local != "" {
		return fault.New(codeUsage, "%s syncs by itself: what a folder holds would be taken back at once", app.Object.Name()).WithHint(hint)
	}
	if src := app.Spec.Source; f.revision != "" && src != nil && f.revision != src.TargetRevision && (src.TargetRevision != "" || f.revision != "HEAD") {
		return fault.New(codeUsage, "%s syncs by itself to %s: it cannot be synced to %s", app.Object.Name(), orText(src.TargetRevision, "HEAD"), f.revision).WithHint(hint)
	}
	return nil
}

// chosenResource reads GROUP:KIND:[NAMESPACE/]NAME.
func chosenResource(text string) (application.Chosen, error) {
	rest, exclude := strings.CutPrefix(text, "!")
	parts := strings.Split(rest, ":")
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return application.Chosen{}, fault.New(codeUsage, "--resource %s is not GROUP:KIND:[NAMESPACE/]NAME", text).
			WithHint("the group of Kubernetes' oldest kinds is empty: :Service:web")
	}
	c := application.Chosen{Group: parts[0], Kind: parts[1], Name: parts[2], Exclude: exclude}
	if space, n, ok := strings.Cut(parts[2], "/"); ok {
		c.Namespace, c.Name = space, n
	}
	return c, nil
}

// syncApp asks for a sync of one application and follows it.
func (s *streams) syncApp(ctx context.Context, w *target, called string, op application.Operation, f syncFlags) error {
	home, o, err := w.app(ctx, called)
	if err != nil {
		return err
	}
	defer home.close()
	app, err := decodeApp(o)
	if err != nil {
		return err
	}
	sync := *op.Sync
	op.Sync = &sync
	if p := app.Spec.SyncPolicy; p != nil {
		sync.SyncOptions = append(append([]string{}, p.SyncOptions...), sync.SyncOptions...)
		if p.Retry != nil && op.Retry.Limit == 0 {
			op.Retry = *p.Retry
		}
	}
	if len(app.Spec.Sources) > 0 && sync.Revision != "" {
		return fault.New(codeUsage, "the application %s has several sources; --revision can name the revision of one only", app.Object.Name())
	}
	if err := f.againstPolicy(app); err != nil {
		return err
	}
	if app.Spec.Source != nil { // what it says now, whatever it says when a try comes
		source := *app.Spec.Source
		sync.Source = &source
	}
	sync.Sources = app.Spec.Sources
	if f.local != "" {
		if sync.Manifests, err = home.localManifests(ctx, o, f.local); err != nil {
			return err
		}
	}
	if o, err = askOperation(ctx, home, o, op); err != nil {
		return err
	}
	if f.async {
		return nil
	}
	if err := s.follow(ctx, home, o, f.timeout); err != nil {
		return err
	}
	return matched(ctx, home, o, sync.Resources)
}

// matched refuses a selection of which the application, as it was synced, has nothing.
func matched(ctx context.Context, home deliver.Cluster, o manifest.Object, chosen []application.Chosen) error {
	if len(chosen) == 0 {
		return nil
	}
	o, err := home.Get(ctx, applicationKind, o.Namespace(), o.Name())
	if err != nil {
		return err
	}
	app, err := decodeApp(o)
	if err != nil {
		return err
	}
	var keys []manifest.Key
	for _, r := range app.Status.Resources {
		keys = append(keys, manifest.Key{Group: r.Group, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name})
	}
	if op := app.Status.OperationState; op != nil && op.SyncResult != nil {
		for _, r := range op.SyncResult.Resources {
			keys = append(keys, manifest.Key{Group: r.Group, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name})
		}
	}
	for _, c := range chosen {
		one := []application.Chosen{c}
		if !c.Exclude && !slices.ContainsFunc(keys, func(k manifest.Key) bool { return application.Selected(one, k) }) {
			return fault.New(codeUsage, "--resource %s:%s:%s: %s has no such resource", c.Group, c.Kind, c.Name, o.Name()).
				WithHint("`sluice app resources %s` lists what it has", o.Name())
		}
	}
	return nil
}

// askOperation puts an operation into an Application, refused where one is going on.
func askOperation(ctx context.Context, home deliver.Cluster, o manifest.Object, op application.Operation) (manifest.Object, error) {
	for try := 0; ; try++ {
		if o["operation"] != nil {
			return nil, fault.New(codeBusy, "another operation of %s is in progress", o.Name()).Exits(exitFailed).
				WithHint("wait for it with `sluice app wait %s --operation` or end it with `sluice app terminate %s`", o.Name(), o.Name())
		}
		if o.Deleting() {
			return nil, fault.New(codeBusy, "the application %s is being deleted", o.Name()).Exits(exitFailed)
		}
		out, err := deliver.Ask(ctx, home, o, op)
		if err == nil {
			message := user() + " initiated sync"
			if op.Sync != nil && op.Sync.Revision != "" {
				message += " to " + op.Sync.Revision
			}
			_, _ = home.Create(ctx, deliver.Event(o, "Normal", "OperationStarted", message, time.Now().UTC()), manifest.Writing{})
			return out, nil
		}
		if !manifest.Is(err, manifest.ReasonConflict) || try == 5 {
			return nil, err
		}
		if o, err = home.Get(ctx, applicationKind, o.Namespace(), o.Name()); err != nil {
			return nil, err
		}
	}
}
