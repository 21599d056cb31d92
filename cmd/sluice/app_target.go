package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The faults of the delivery half's commands.
const (
	codeNoApp    = "SL3110" // there is no such application
	codeUnserved = "SL3111" // the cluster lacks a definition
	codeBusy     = "SL3112" // an operation is in progress, or none is
	codeWait     = "SL3113" // what was waited for did not come in time
	codeCompare  = "SL3114" // an application cannot be compared
	codeDeliver  = "SL3115" // a folder or repository cannot be delivered
	codePrune    = "SL3118" // a sync left what only pruning deletes
)

var deliveryDocs = []fault.Doc{
	{Code: codeNoApp, Summary: "there is no such application", Text: "The app commands look for Applications where a running `sluice deliver` keeps them, then where `sluice up` does, then in the cluster of --kubeconfig, KUBECONFIG or ~/.kube/config. Name an application of another namespace as namespace/name."},
	{Code: codeUnserved, Summary: "a cluster does not know the kinds of argoproj.io", Text: "Applications and Rollouts are custom resources. `sluice crd install` installs their definitions where none are; `sluice deliver DIR` needs none."},
	{Code: codeBusy, Summary: "an application's operation is in the way, or missing", Text: "An application does one operation at a time. Wait for it with `sluice app wait --operation` or end it with `sluice app terminate`."},
	{Code: codeWait, Summary: "an application did not become as it was to be", Text: "The time of --timeout is over. What was begun goes on; `sluice app explain` says what it waits for."},
	{Code: codeCompare, Summary: "an application cannot be compared", Text: "Its project, its destination or its sources are wrong or away; the message is the one that the application's conditions hold."},
	{Code: codePrune, Summary: "a sync left resources that require pruning", Text: "The sources do not hold them any more, and nothing is deleted unless that is asked for: `sluice app sync --prune`, or spec.syncPolicy.automated.prune."},
	{Code: codeDeliver, Summary: "a folder or repository cannot be delivered", Text: "`sluice deliver` takes a folder of manifests, a kustomization or a chart, or the address of a git repository with --path."},
}

// target is where a command finds a cluster, or the Applications of a `sluice deliver`.
type target struct {
	kubeconfig, context, namespace string
}

// cluster declares the flags of a command that speaks to a cluster.
func (t *target) cluster(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.kubeconfig, "kubeconfig", "", "the cluster's kubeconfig (default: KUBECONFIG, ~/.kube/config)")
	cmd.Flags().StringVar(&t.context, "context", "", "the kubeconfig's context")
	_ = cmd.MarkFlagFilename("kubeconfig")
}

// home declares the flags of commands about Applications, for all below cmd.
func (t *target) home(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&t.kubeconfig, "kubeconfig", "", "the cluster's kubeconfig (default: a running sluice deliver or up, KUBECONFIG, ~/.kube/config)")
	f.StringVar(&t.context, "context", "", "the kubeconfig's context")
	f.StringVarP(&t.namespace, "app-namespace", "N", "", "only Applications of this namespace")
}

// connect opens the cluster that the flags name.
func (t *target) connect(ctx context.Context) (*cluster.Cluster, error) {
	c, err := cluster.Open(t.kubeconfig, t.context)
	if err != nil {
		return nil, err
	}
	if _, err := c.Version(ctx); err != nil {
		return nil, cluster.Fault(c.Server, err)
	}
	return c, nil
}

// house is where Applications are kept, and what it takes to compare them.
type house struct {
	deliver.Cluster

	server  string
	dir     string // of a `sluice deliver`; "" for a cluster
	places  placement
	closing []func()
}

func (h *house) close() {
	for _, f := range h.closing {
		f()
	}
	h.closing = nil
}

// placement is what a `sluice deliver` tells other commands about itself, in .sluice/deliver/place.json.
type placement struct {
	Kubeconfig string `json:"kubeconfig,omitempty"` // of the cluster that it delivers to
	Context    string `json:"context,omitempty"`
	Local      string `json:"local,omitempty"` // the kubeconfig of the local target
	Root       string `json:"root,omitempty"`  // the folder or address that it keeps true
	Mark       string `json:"mark,omitempty"`  // the installation under which it marks what it holds
}

// connectHome opens where Applications are: what the flags name, else a running deliver or up here, else the usual cluster.
func (t *target) connectHome(ctx context.Context) (*house, error) {
	if t.kubeconfig == "" && t.context == "" {
		for _, kept := range []string{"deliver", "up"} {
			dir, ok := findState(kept)
			if !ok {
				continue
			}
			h, err := openHouse(ctx, dir)
			if err == nil || !manifest.Is(err, manifest.ReasonUnreachable) {
				return h, err
			}
		}
	}
	c, err := t.connect(ctx)
	if err != nil {
		return nil, err
	}
	return &house{Cluster: c, server: c.Server, places: placement{Kubeconfig: t.kubeconfig, Context: t.context}}, nil
}

// openHouse opens the Applications of a running `sluice deliver` or `sluice up`.
func openHouse(ctx context.Context, dir string) (*house, error) {
	c, err := cluster.Open(filepath.Join(dir, "kubeconfig"), "")
	if err != nil {
		return nil, err
	}
	h := &house{Cluster: c, server: c.Server, dir: dir}
	if _, err := c.Version(ctx); err != nil {
		return nil, err
	}
	data, err := readPlain(filepath.Join(dir, "place.json"), 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &h.places); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "place.json"), err)
	}
	return h, nil
}

// findState finds .sluice/KEPT with a kubeconfig in this folder or one above it.
func findState(kept string) (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		at := filepath.Join(stateDir(dir), kept)
		if info, err := os.Lstat(filepath.Join(at, "kubeconfig")); err == nil && info.Mode().IsRegular() {
			return at, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false
		}
		dir = up
	}
}

// app opens where Applications are and finds one.
func (t *target) app(ctx context.Context, called string) (*house, manifest.Object, error) {
	h, err := t.connectHome(ctx)
	if err != nil {
		return nil, nil, err
	}
	o, err := findApp(ctx, h, t.namespace, called)
	if err != nil {
		h.close()
		return nil, nil, cluster.Fault(h.server, err)
	}
	return h, o, nil
}

// completeApps offers the names of Applications to the shell.
func (t *target) completeApps(cmd *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 && cmd.Name() != "sync" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	h, err := t.connectHome(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer h.close()
	all, err := h.List(cmd.Context(), applicationKind, t.namespace, "")
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, o := range all {
		names = append(names, o.Name())
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// inspector is what compares an Application of this house for a person. It knows the projects; nothing of it runs.
func (h *house) inspector(ctx context.Context, o manifest.Object) (*deliver.Controller, error) {
	parts, err := h.parts(ctx, o)
	if err != nil {
		return nil, err
	}
	h.closing = append(h.closing, parts.close)
	c := parts.controller(h)
	c.Namespaces = []string{"*"}
	c.Prepare()
	projects, err := h.List(ctx, projectKind, c.Namespace, "")
	if err != nil && !manifest.NotFound(err) {
		return nil, err
	}
	for _, p := range projects {
		c.Project(p)
	}
	return c, nil
}

// parts are the drivers that compare an Application of this house. Projects and settings are where its controller has them.
func (h *house) parts(ctx context.Context, app manifest.Object) (*deliveryParts, error) {
	o := partsOptions{home: h, dir: h.dir, scope: cluster.Scope{Used: true}, settings: h.dir == "", namespace: app.Text("status", "controllerNamespace"), installation: h.places.Mark}
	var err error
	if o.dir == "" {
		if o.dir, err = stateHome(); err != nil {
			return nil, err
		}
	}
	switch {
	case h.dir == "":
		o.here = h.Cluster
	case h.places.Local != "":
		o.here, err = cluster.Open(h.places.Local, "")
	case h.places.Root == "":
		o.here = h.Cluster // a `sluice up`
	default:
		o.here, err = cluster.Open(h.places.Kubeconfig, h.places.Context)
	}
	if err != nil {
		return nil, err
	}
	if h.dir != "" && o.here != h.Cluster {
		o.here = besideCluster(h.Cluster, o.here)
		o.local = ifLocal(h.places.Local != "", o.here)
	}
	return newDeliveryParts(ctx, o)
}

// localManifests renders a folder with an Application's settings, as the JSON objects that an operation takes along.
func (h *house) localManifests(ctx context.Context, o manifest.Object, dir string) ([]string, error) {
	app, err := decodeApp(o)
	if err != nil {
		return nil, err
	}
	sources := app.Spec.All()
	if len(sources) != 1 {
		return nil, fault.New(codeUsage, "--local works for applications with one source; %s has %d", o.Name(), len(sources))
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(abs); err != nil || !info.IsDir() {
		return nil, fault.New(codeUsage, "--local %s is no folder", dir)
	}
	parts, err := h.parts(ctx, o)
	if err != nil {
		return nil, err
	}
	defer parts.close()
	parts.work = true
	one := sources[0]
	one.RepoURL, one.Path, one.TargetRevision = abs, ".", ""
	app.Spec.Source, app.Spec.Sources = &one, nil
	c := parts.controller(h)
	desired, err := c.Render(ctx, app)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, x := range desired.Objects {
		out = append(out, string(x.JSON()))
	}
	if len(out) == 0 {
		return nil, fault.New(codeUsage, "--local %s holds no manifests", dir)
	}
	return out, nil
}

// projectKind is AppProject.
var projectKind = manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "AppProject"}
