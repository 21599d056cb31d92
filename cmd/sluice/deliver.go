package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/engine/advance"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// deliverFlags are how a folder or repository is delivered.
type deliverFlags struct {
	target
	path, revision, name string
	space                string
	local, once, recurse bool
	prune, heal          bool
	interval, timeout    time.Duration
	options              []string // of each sync; no flag
	metrics              metricsFlags
}

func newDeliver(s *streams) *cobra.Command {
	var f deliverFlags
	cmd := &cobra.Command{
		Use:   "deliver DIR|GIT-URL",
		Short: "Keep a cluster true to a folder or repository of manifests",
		Long: `Keep what a folder or git repository holds true in a cluster or on the local target, until interrupted: plain manifests, a
kustomization or a Helm chart. In a git repository what is committed counts, elsewhere the files as they are.

Argo CD Applications and projects in it are honoured without any definition in the cluster; a source without repoURL, or
with a relative one, is the same repository. The Applications are kept in .sluice/deliver, where 'sluice app' and 'sluice
rollout' find them while this runs.

Exit codes with --once: 0 synced and healthy, 1 failed, 3 not healthy in time.`,
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			ctx, _, stop := interruptible(cmd.Context())
			defer stop()
			err := s.deliver(ctx, f, given[0])
			return broken(ctx, err)
		},
	}
	f.cluster(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.path, "path", "", "the folder in the repository (default: the one given)")
	fl.StringVar(&f.revision, "revision", "", "the branch, tag or commit to follow (default HEAD)")
	fl.StringVarP(&f.space, "namespace", "n", "", "the namespace for objects that name none (default: the kubeconfig's)")
	fl.StringVar(&f.name, "name", "", "the application's name (default: the folder's)")
	fl.BoolVar(&f.local, "local", false, "deliver to the local target of a running 'sluice up'")
	fl.BoolVar(&f.recurse, "recurse", false, "take the manifests of folders in the folder too")
	fl.BoolVar(&f.once, "once", false, "sync once, wait until all is healthy and end")
	fl.BoolVar(&f.prune, "prune", false, "delete what is not held any more")
	fl.BoolVar(&f.heal, "self-heal", false, "revert what others change")
	fl.DurationVar(&f.interval, "interval", deliver.DefaultInterval, "compare at least so often")
	f.metrics.flags(cmd)
	fl.DurationVar(&f.timeout, "timeout", 10*time.Minute, "with --once, wait no longer")
	return cmd
}

// deliver delivers until ctx ends, or once.
func (s *streams) deliver(ctx context.Context, f deliverFlags, given string) error {
	d, err := f.follow(ctx, given)
	if err != nil {
		return err
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	here, place, namespace, err := f.destination(ctx)
	if err != nil {
		return err
	}
	out := &teller{w: s.err}
	exporter, err := f.metrics.serve(ctx, func(where string) { out.say("", where) })
	if err != nil {
		return err
	}
	here = tallied(here, exporter)
	if f.options, err = syncOptions(ctx, here); err != nil {
		return err
	}
	place.Root, place.Mark = d.repo, d.installation(namespace)
	home, err := objects.Open(objects.Config{Dir: d.state, Anywhere: true, History: 64})
	if err != nil {
		return err
	}
	defer home.Close()
	to := besideCluster(home, here)
	root := &rooted{repo: d.repo, path: d.path, name: d.name, namespace: namespace}
	parts, err := newDeliveryParts(ctx, partsOptions{
		home: home, here: to, local: ifLocal(f.local, to), dir: d.state, wrap: root.wrap,
		installation: place.Mark, exporter: exporter,
		warn: func(app string, f *fault.Fault) { out.say(app, f.Error()) },
	})
	if err != nil {
		return err
	}
	defer parts.close()
	if err := s.lintDelivery(ctx, parts, d, f); err != nil {
		return err
	}
	if kinds, err := here.Kinds(ctx); err == nil && slices.ContainsFunc(kinds, func(d manifest.Discovered) bool { return d.Kind == advance.Rollouts }) {
		out.say("", "the cluster defines Rollout: what moves them on there is its own controller, or `sluice controller --only rollouts`")
	}
	c := parts.controller(home)
	c.Namespaces, c.Interval, c.Tell = []string{"*"}, f.interval, out.tell
	c.Failed = func(_, name string, err error) { out.say(name, err.Error()) }
	write, done := journal(d.state, func(err error) { out.say("", "the journal of drift cannot be written: "+err.Error()) })
	defer done()
	c.Journal = func(x deliver.Drift) { out.drift(x); write(x) }
	implied, err := d.imply(ctx, home, f, namespace)
	if err != nil {
		return err
	}
	c.Prepare()
	return s.running(ctx, c, parts, home, to, d, place, func(ctx context.Context) error {
		if !f.once {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return s.onceDone(ctx, home, implied, f)
	})
}

// running serves the home store and reconciles while do runs, and ends both with it.
func (s *streams) running(ctx context.Context, c *deliver.Controller, parts *deliveryParts, home *objects.Store, to cluster.API, d delivered, place placement, do func(context.Context) error) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the app commands: %w", err)
	}
	access, err := objects.NewAccess(time.Now())
	if err != nil {
		return errors.Join(err, l.Close())
	}
	kubeconfig := filepath.Join(d.state, "kubeconfig")
	if err := objects.WriteKubeconfig(kubeconfig, l.Addr().String(), access, deliver.DefaultNamespace); err != nil {
		return errors.Join(err, l.Close())
	}
	defer os.Remove(kubeconfig)
	if err := place.write(d.state); err != nil {
		return errors.Join(err, l.Close())
	}
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	group.Go(func() { lean(work) })
	group.Go(func() { cancel(home.Serve(work, l, access)) })
	group.Go(func() { cancel(c.Run(work)) })
	group.Go(func() {
		if err := parts.deliverSets(work, c, to, d.repo); err != nil {
			cancel(err)
		}
	})
	group.Go(func() { parts.watchSources(work, c.Repositories, func(repo string) { c.Moved(sourceAt(repo)) }) })
	group.Go(func() {
		log := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
		if err := deliverRollouts(work, home, to, parts.exporter, log); err != nil && work.Err() == nil {
			cancel(err)
		}
	})
	inner, stop := context.WithCancelCause(ctx)
	context.AfterFunc(work, func() { stop(context.Cause(work)) })
	err = do(inner)
	cancel(errEnded)
	group.Wait()
	if cause := context.Cause(work); cause != nil && !errors.Is(cause, errEnded) {
		return cause
	}
	return err
}

var errEnded = errors.New("the delivery ended")

func ifLocal(yes bool, to deliver.Cluster) deliver.Cluster {
	if yes {
		return to
	}
	return nil
}

// destination opens the cluster that is delivered to.
func (f *deliverFlags) destination(ctx context.Context) (*cluster.Cluster, placement, string, error) {
	var p placement
	if f.local {
		dir, ok := findState("up")
		if !ok {
			return nil, p, "", fault.New(codeDeliver, "no local target runs here").Exits(exitUnreachable).WithHint("start it with `sluice up` in this folder or one above it")
		}
		p.Local = filepath.Join(dir, "kubeconfig")
		f.kubeconfig, f.context = p.Local, ""
	} else {
		p.Kubeconfig, p.Context = f.kubeconfig, f.context
		if one := os.Getenv("KUBECONFIG"); p.Kubeconfig == "" && !strings.ContainsRune(one, os.PathListSeparator) {
			p.Kubeconfig = one // the app commands may be called with another one
		}
		if p.Kubeconfig != "" {
			abs, err := filepath.Abs(p.Kubeconfig)
			if err != nil {
				return nil, p, "", err
			}
			p.Kubeconfig = abs
		}
	}
	c, err := cluster.OpenWith(f.kubeconfig, f.context, cluster.Options{QPS: 100, Burst: 200})
	if err != nil {
		return nil, p, "", err
	}
	if _, err := c.Version(ctx); err != nil {
		return nil, p, "", cluster.Fault(c.Server, err)
	}
	return c, p, orText(f.space, c.Namespace), nil
}

// syncOptions are those of a delivery: its namespace is made, unless who delivers may not even see namespaces. Then it is
// there, or what goes into it is refused.
func syncOptions(ctx context.Context, here deliver.Cluster) ([]string, error) {
	_, err := here.List(ctx, manifest.Kind{Version: "v1", Kind: "Namespace"}, "", "")
	if manifest.Is(err, manifest.ReasonForbidden) {
		return nil, nil
	}
	return []string{"CreateNamespace=true"}, err
}

// lock keeps a second delivery out of the state folder.
func (d *delivered) lock() (func(), error) {
	if err := os.MkdirAll(d.state, 0o700); err != nil {
		return nil, fault.New(codeState, "%v", err)
	}
	file, err := os.OpenFile(filepath.Join(d.state, "lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fault.New(codeState, "%v", err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fault.New(codeDeliver, "another `sluice deliver` runs here").WithHint("it keeps its state in %s", d.state)
	}
	return func() { _ = file.Close() }, nil
}

func (p placement) write(dir string) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "place.json"), data, 0o600)
}

// impliedLabel marks the Application that a delivery makes by itself.
const impliedLabel = "sluice.dev/implied"

// imply makes the Application of the folder, or changes it to what the flags say. One of another name, of an earlier call,
// is forgotten; what it brought stays.
func (d *delivered) imply(ctx context.Context, home deliver.Cluster, f deliverFlags, namespace string) (manifest.Object, error) {
	before, err := home.List(ctx, applicationKind, "", "")
	if err != nil {
		return nil, err
	}
	for _, o := range before {
		if o.Labels()[impliedLabel] == "true" && o.Name() != d.name {
			if err := deliver.Delete(ctx, home, o, false, ""); err != nil {
				return nil, err
			}
			continue
		}
		// The source may have moved while nobody looked, and when it was compared last says nothing of that.
		o.SetAnnotation(application.AnnotationRefresh, "normal")
		if _, err := home.Update(ctx, o, "", manifest.Writing{}); err != nil {
			return nil, err
		}
	}
	spec := application.Spec{
		Project: "default", Source: &application.Source{RepoURL: d.repo, Path: d.path, TargetRevision: d.revision},
		Destination: application.Destination{Name: inClusterName, Namespace: namespace},
		SyncPolicy:  &application.SyncPolicy{SyncOptions: f.options},
	}
	if f.local {
		spec.Destination.Name = localName
	}
	if f.recurse {
		spec.Source.Directory = &application.Directory{Recurse: true}
	}
	if !f.once {
		spec.SyncPolicy.Automated = &application.Automated{Prune: f.prune, SelfHeal: f.heal, AllowEmpty: true}
	}
	wire, err := manifest.From(spec)
	if err != nil {
		return nil, err
	}
	o, err := home.Get(ctx, applicationKind, deliver.DefaultNamespace, d.name)
	if manifest.NotFound(err) {
		o = manifest.Object{
			"apiVersion": applicationKind.APIVersion(), "kind": applicationKind.Kind, "spec": map[string]any(wire),
			"metadata": map[string]any{"name": d.name, "namespace": deliver.DefaultNamespace, "labels": map[string]any{impliedLabel: "true"}},
		}
		return home.Create(ctx, o, manifest.Writing{})
	}
	if err != nil {
		return nil, err
	}
	o.SetLabel(impliedLabel, "true")
	o["spec"] = map[string]any(wire)
	return home.Update(ctx, o, "", manifest.Writing{})
}

// onceDone syncs the folder's Application, waits for all of them and says how they ended.
func (s *streams) onceDone(ctx context.Context, home deliver.Cluster, o manifest.Object, f deliverFlags) error {
	end := time.Now().Add(f.timeout)
	// What an earlier call left unfinished goes first.
	o, err := poll(ctx, home, o, f.timeout, func(a application.Application) bool { return a.Operation == nil })
	if err != nil {
		return err
	}
	op := application.Operation{
		Sync:        &application.SyncOperation{Prune: f.prune, SyncOptions: f.options},
		InitiatedBy: application.Initiator{Username: user()},
	}
	if o, err = askOperation(ctx, home, o, op); err != nil {
		return err
	}
	if err := s.follow(ctx, home, o, time.Until(end)); err != nil {
		return err
	}
	if err := setsSettled(ctx, home, time.Until(end)); err != nil {
		return err
	}
	all, err := listApps(ctx, home, "")
	if err != nil {
		return err
	}
	for _, o := range all {
		if err := s.settled(ctx, home, o, time.Until(end)); err != nil {
			return err
		}
	}
	return nil
}

// settled waits until an Application is synced, as far as it does that by itself, and healthy.
func (s *streams) settled(ctx context.Context, home deliver.Cluster, o manifest.Object, left time.Duration) error {
	if left <= 0 {
		return fault.New(codeWait, "%s is not healthy after --timeout", o.Name()).Exits(exitTimeout)
	}
	began := time.Now()
	var last application.Application
	_, err := poll(ctx, home, o, left, func(a application.Application) bool {
		last = a
		if a.Operation != nil || a.Status.Sync.Status == "" {
			return false
		}
		if wrong := a.Status.Sync.Status == application.Unknown || hasFailed(a); wrong && time.Since(began) > time.Second {
			return true
		}
		auto := policyText(a) != "Manual" || a.Object.Labels()[impliedLabel] != ""
		return (!auto || a.Status.Sync.Status == application.Synced) && (a.Status.Health.Status == "Healthy" || !auto && a.Status.Health.Status == "Missing" || a.Status.Health.Status == "Suspended")
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s %s %s\n", oneLine(last.Object.Name()), last.Status.Sync.Status, last.Status.Health.Status)
	if last.Status.Sync.Status == application.Unknown || hasFailed(last) {
		for _, c := range last.Status.Conditions {
			fmt.Fprintf(s.err, "%s: %s: %s\n", oneLine(last.Object.Name()), c.Type, oneLine(c.Message))
		}
		return &exitError{code: exitFailed}
	}
	return nil
}

func hasFailed(a application.Application) bool {
	op := a.Status.OperationState
	return op != nil && op.Phase.Completed() && op.Phase != application.Succeeded
}
