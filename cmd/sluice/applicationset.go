package main

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	forgeclient "github.com/sluice-delivery/sluice/internal/edge/forge"
	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

// setOptions say where ApplicationSets live and what they may ask.
type setOptions struct {
	home       deliver.Cluster // of ApplicationSets and Applications, and of AnalysisRuns
	repo       string          // what a relative repoURL of a git generator means; "" where it means nothing
	namespaces []string
	workers    int
	local      bool // forges may be on this machine
	tell       func(deliver.Told)
	failed     func(namespace, name string, err error)
}

// sets is a controller of ApplicationSets over the drivers of a delivery.
func (p *deliveryParts) sets(ctx context.Context, o setOptions) (*deliver.Sets, error) {
	params, err := p.setParameters(ctx)
	if err != nil {
		return nil, err
	}
	asked := &asking{parts: p, repo: o.repo, anew: params.newGlobbing, forge: &forgeclient.Forge{
		Secret: p.scmSecret(o.home), ConfigMap: configMapOf(p.home, o.home), Home: p.namespace,
		Allowed: params.allowed, Strict: params.strict, Off: params.off, Local: o.local,
	}}
	return &deliver.Sets{
		Home: setsHome{o.home, p.home}, Clusters: p.places, World: asked.world, Namespace: p.namespace,
		Namespaces: append(params.namespaces, o.namespaces...), Policy: params.policy, Interval: params.interval,
		DryRun: params.dryRun, NoRolling: params.noRolling, Workers: o.workers, Tell: o.tell, Failed: o.failed,
	}, nil
}

// setsHome is where ApplicationSets live, and the Secrets of clusters, which may be elsewhere.
type setsHome struct {
	deliver.Cluster

	secrets deliver.Cluster
}

// Watch follows a kind where it is kept.
func (h setsHome) Watch(ctx context.Context, kind manifest.Kind, namespace, selector string, each func(manifest.Change)) error {
	if kind == secrets {
		return h.secrets.Watch(ctx, kind, namespace, selector, each)
	}
	return h.Cluster.Watch(ctx, kind, namespace, selector, each)
}

// setParameters are those of argocd-cmd-params-cm that ApplicationSets go by (documentation pages "ApplicationSet").
type setParameters struct {
	policy                                      applicationset.Policy
	namespaces, allowed                         []string
	strict, off, newGlobbing, dryRun, noRolling bool
	interval                                    time.Duration
}

func (p *deliveryParts) setParameters(ctx context.Context) (setParameters, error) {
	var out setParameters
	if !p.settings {
		out.policy.Override = true
		return out, nil
	}
	data, _, err := p.configMap(ctx, parametersName)
	if err != nil {
		return out, err
	}
	const prefix = "applicationsetcontroller."
	list := func(key string) []string {
		var all []string
		for text := range strings.SplitSeq(data[prefix+key], ",") {
			if text = strings.TrimSpace(text); text != "" {
				all = append(all, text)
			}
		}
		return all
	}
	on := func(key string) bool { return data[prefix+key] == "true" }
	out.policy = applicationset.Policy{
		Sync: data[prefix+"policy"], Override: on("enable.policy.override"),
		Annotations: list("global.preserved.annotations"), Labels: list("global.preserved.labels"),
	}
	// Without a policy of the controller's a set's own counts: with none it would be passed over in silence.
	out.policy.Override = out.policy.Override || out.policy.Sync == ""
	out.namespaces, out.allowed = list("namespaces"), list("allowed.scm.providers")
	out.strict, out.newGlobbing, out.dryRun = on("enable.tokenref.strict.mode"), on("enable.new.git.file.globbing"), on("dryrun")
	out.off, out.noRolling = data[prefix+"enable.scm.providers"] == "false", data[prefix+"enable.progressive.syncs"] == "false"
	if text := data[prefix+"requeue.after"]; text != "" {
		if out.interval, err = time.ParseDuration(text); err != nil {
			out.interval = 0
		}
	}
	return out, nil
}

// asking answers the generators of ApplicationSets.
type asking struct {
	parts *deliveryParts
	repo  string
	anew  bool
	forge *forgeclient.Forge
}

func (a *asking) world(ctx context.Context, set applicationset.Set, fresh bool) applicationset.World {
	space := set.Object.Namespace()
	return applicationset.World{
		Clusters: func() ([]applicationset.Cluster, error) { return a.parts.places.all(ctx) },
		Tree: func(repoURL, revision, project string) (applicationset.Tree, error) {
			if relative(repoURL) && a.repo != "" {
				repoURL = a.repo
			}
			want := source.Want{RepoURL: repoURL, Revision: revision, Project: project, Fresh: fresh}
			commit, _, err := a.parts.cache.Resolve(ctx, want)
			if err != nil {
				return nil, err
			}
			tree, err := a.parts.cache.Tree(ctx, want, commit)
			if err != nil {
				return nil, err
			}
			return treeOf{ctx, tree}, nil
		},
		PullRequests: func(p applicationset.PullRequest) ([]applicationset.Pull, error) {
			return a.forge.PullRequests(ctx, space, p)
		},
		Repositories: func(p applicationset.SCMProvider, keep func(string, []string) bool) ([]applicationset.Repository, error) {
			return a.forge.Repositories(ctx, space, p, keep)
		},
		NewGlobbing: a.anew,
	}
}

// treeOf is a tree of edge/source for one reconciliation.
type treeOf struct {
	ctx  context.Context //nolint:containedctx // the tree lives as long as one call
	tree *source.Tree
}

// Files are the paths of all files.
func (t treeOf) Files() ([]string, error) { return t.tree.Paths(t.ctx, "") }

// Read is what a file holds.
func (t treeOf) Read(path string) ([]byte, error) { return t.tree.Read(t.ctx, path) }

// all are the clusters that generators may choose from: those that Secrets name, and the one that the controller is for where
// none of them is it.
func (p *places) all(ctx context.Context) ([]applicationset.Cluster, error) {
	known, err := p.declared(ctx)
	if err != nil {
		return nil, err
	}
	var out []applicationset.Cluster
	for _, k := range known {
		labels := k.Labels
		if labels == nil {
			labels = map[string]string{}
		}
		out = append(out, applicationset.Cluster{Name: k.Name, Server: k.Server, Project: k.Project, Labels: labels, Annotations: k.Annotations})
	}
	if !p.refusesHere(cluster.InCluster) && !slices.ContainsFunc(out, func(c applicationset.Cluster) bool { return c.Server == cluster.InCluster }) {
		out = append(out, applicationset.Cluster{Name: inClusterName, Server: cluster.InCluster})
	}
	return out, nil
}

// scmSecret reads the Secrets that generators name: those beside the Applications first, then those of the cluster.
func (p *deliveryParts) scmSecret(home deliver.Cluster) func(ctx context.Context, namespace, name string) (map[string]string, map[string]secret.Secret, error) {
	return func(ctx context.Context, namespace, name string) (map[string]string, map[string]secret.Secret, error) {
		o, err := firstOf(ctx, secrets, namespace, name, p.home, home)
		if err != nil {
			return nil, nil, err
		}
		out := map[string]secret.Secret{}
		for k := range o.Sub("data") {
			value, err := base64.StdEncoding.DecodeString(o.Text("data", k))
			if err != nil {
				return nil, nil, errors.New("data." + k + " is not base64")
			}
			out[k] = secret.New(string(value))
		}
		for k := range o.Sub("stringData") {
			out[k] = secret.New(o.Text("stringData", k))
		}
		return o.Labels(), out, nil
	}
}

func configMapOf(from ...deliver.Cluster) func(ctx context.Context, namespace, name string) (map[string]string, error) {
	return func(ctx context.Context, namespace, name string) (map[string]string, error) {
		o, err := firstOf(ctx, configMaps, namespace, name, from...)
		if err != nil {
			return nil, err
		}
		out := map[string]string{}
		for k := range o.Sub("data") {
			out[k] = o.Text("data", k)
		}
		return out, nil
	}
}

// firstOf is an object from the first place that has it.
func firstOf(ctx context.Context, kind manifest.Kind, namespace, name string, from ...deliver.Cluster) (o manifest.Object, err error) {
	for _, c := range from {
		if o, err = c.Get(ctx, kind, namespace, name); err == nil {
			return o, nil
		}
		if !manifest.NotFound(err) {
			return nil, err
		}
	}
	return nil, err
}

// runSets reconciles ApplicationSets until ctx ends, and looks at repositories of this machine when they change.
func (p *deliveryParts) runSets(ctx context.Context, o setOptions) error {
	s, err := p.sets(ctx, o)
	if err != nil {
		return err
	}
	if p.exporter != nil {
		s.Meter = appMeter{p.exporter.Applications}
		p.running.Store(s)
		defer p.running.Store(nil)
	}
	s.Prepare()
	var group sync.WaitGroup
	defer group.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	repos := func() []string {
		all := s.Repositories()
		for i, r := range all {
			if relative(r) && o.repo != "" {
				all[i] = o.repo
			}
		}
		return all
	}
	group.Go(func() {
		p.watchSources(ctx, repos, func(repo string) {
			moved := sourceAt(repo)
			s.Moved(func(url string) bool {
				if relative(url) && o.repo != "" {
					url = o.repo
				}
				return moved(application.Source{RepoURL: url})
			})
		})
	})
	return s.Run(ctx)
}

// controllerSets is ApplicationSets in `sluice controller`: until ctx ends, or the cluster turns out not to define them.
func (p *deliveryParts) controllerSets(ctx context.Context, c deliver.Cluster, o controllerOptions, log *slog.Logger) {
	err := p.runSets(ctx, setOptions{
		home: c, namespaces: o.applicationNamespaces, workers: o.workers,
		tell: func(t deliver.Told) {
			log.Info(t.Message, "applicationset", t.Namespace+"/"+t.Name, "reason", t.Reason)
		},
		failed: func(namespace, name string, err error) {
			log.Warn("tried again", "applicationset", namespace+"/"+name, "error", err)
		},
	})
	if ctx.Err() == nil && err != nil {
		log.Warn("ApplicationSets are not reconciled", "error", err)
	}
}

// deliverSets is ApplicationSets in `sluice deliver`.
func (p *deliveryParts) deliverSets(ctx context.Context, c *deliver.Controller, to deliver.Cluster, repo string) error {
	err := p.runSets(ctx, setOptions{home: to, repo: repo, namespaces: []string{"*"}, local: true, tell: c.Tell, failed: c.Failed})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// setsSettled waits until every ApplicationSet was looked at, as far as it is now, and is the error of one that failed.
func setsSettled(ctx context.Context, home deliver.Cluster, wait time.Duration) error {
	end := time.Now().Add(wait)
	for {
		all, err := home.List(ctx, setsKind, "", "")
		if manifest.NotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		left := ""
		for _, o := range all {
			set, err := applicationset.Decode(o)
			if err != nil {
				return err
			}
			switch of := set.Status.Health; of.Status {
			case "Degraded":
				return fault.New(codeWait, "the ApplicationSet %s: %s", o.Name(), of.Message).Exits(exitFailed)
			case "Healthy":
			default:
				left = o.Name() + " is " + orText(of.Status, "not looked at yet")
			}
		}
		if left == "" {
			return nil
		}
		if time.Now().After(end) {
			return fault.New(codeWait, "the ApplicationSet %s after --timeout", left).Exits(exitTimeout)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

var setsKind = manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "ApplicationSet"}
