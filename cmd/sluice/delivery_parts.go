package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sluice-delivery/sluice/internal/dialect/argo/lua"
	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/metrics"
	"github.com/sluice-delivery/sluice/internal/edge/render"
	"github.com/sluice-delivery/sluice/internal/edge/sandbox"
	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// partsOptions say what the drivers of a delivery stand on.
type partsOptions struct {
	home      deliver.Cluster // of the Applications
	here      deliver.Cluster // what https://kubernetes.default.svc means
	local     deliver.Cluster // what the destination `local` means; nil where it is none
	dir       string          // for mirrors and drift
	namespace string          // of projects and Secrets; deliver.DefaultNamespace unless told
	settings  bool            // Argo CD's settings in that namespace hold
	scripts   string          // a folder of health scripts
	scope     cluster.Scope   // what of here may be looked at
	work      bool            // repositories of this machine as their files stand, committed or not
	wrap      func(deliver.Sources) deliver.Sources

	// installation marks what is held, where the settings do not say otherwise; "" for none.
	installation string
	exporter     *metrics.Exporter // nil where nobody asks
	warn         func(app string, f *fault.Fault)
}

// deliveryParts are the drivers behind engine/deliver's ports.
type deliveryParts struct {
	partsOptions

	cache   *source.Cache
	pool    *sandbox.Pool
	run     lua.Run
	book    rulebook
	params  parameters
	places  *places
	running atomic.Pointer[deliver.Sets]
	closing []func()
}

func newDeliveryParts(ctx context.Context, o partsOptions) (*deliveryParts, error) {
	o.namespace = orText(o.namespace, deliver.DefaultNamespace)
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, fault.New(codeState, "%v", err).WithHint("is the folder writable?")
	}
	p := &deliveryParts{partsOptions: o}
	kept := source.Options{Dir: filepath.Join(o.dir, "sources")}
	if o.exporter != nil {
		kept.Asked = o.exporter.GitAsked
	}
	p.cache = source.Open(kept)
	p.pool = sandbox.New(sandbox.Options{Kind: render.Kind})
	var done func()
	p.run, done = newRunner()
	p.places = &places{home: o.home, here: o.here, local: o.local, scope: o.scope, namespace: o.namespace, opened: map[string]*opened{}, exporter: o.exporter}
	p.closing = []func(){done, p.pool.Close, p.cache.Close, p.places.close}
	for _, read := range []func(context.Context) error{p.credentials, p.configured, p.readParameters} {
		if err := read(ctx); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

func (p *deliveryParts) close() {
	for _, f := range slices.Backward(p.closing) {
		f()
	}
	p.closing = nil
}

// credentials takes over the repositories' Secrets and known hosts. One that is wrong is told, and the others are taken.
func (p *deliveryParts) credentials(ctx context.Context) error {
	var all []manifest.Object
	for _, k := range []struct{ kind, selector string }{{"Secret", source.SecretLabel}, {"ConfigMap", ""}} {
		list, err := p.home.List(ctx, manifest.Kind{Version: "v1", Kind: k.kind}, p.namespace, k.selector)
		if err != nil && !manifest.NotFound(err) && !manifest.Is(err, manifest.ReasonForbidden) {
			return err
		}
		all = append(all, list...)
	}
	settings, err := source.Read(all)
	var wrong fault.List
	wrong.AddError(err)
	for _, f := range wrong.Sorted() {
		if p.warn != nil {
			p.warn("", f)
		}
	}
	p.cache.Use(settings)
	return nil
}

// controller is a controller over these drivers.
func (p *deliveryParts) controller(home deliver.Cluster) *deliver.Controller {
	var sources deliver.Sources = rendering{&render.Sources{Cache: p.cache, Pool: p.pool, Warn: p.warn, Home: p.namespace, Work: p.work, Rules: p.renderRules}}
	if p.wrap != nil {
		sources = p.wrap(sources)
	}
	c := &deliver.Controller{
		Home: home, Clusters: p.places, Sources: sources, Namespace: p.namespace, Assess: p.assess, Rules: p.rules(),
	}
	p.applyParameters(c)
	p.measure(c)
	return c
}

// assess is health by scripts and built-in rules.
func (p *deliveryParts) assess(ctx context.Context, objects []manifest.Object) (func(manifest.Object) application.Health, error) {
	_, checker := p.book.now()
	known, err := checker.Assessed(ctx, objects)
	if err != nil {
		return nil, err
	}
	return func(o manifest.Object) application.Health {
		r, ok := known(o)
		if !ok {
			return application.Health{}
		}
		return application.Health{Status: string(r.Status), Message: r.Message}
	}, nil
}

// rendering is edge/render behind the engine's port.
type rendering struct{ *render.Sources }

// Render renders for a target in the engine's words.
func (r rendering) Render(ctx context.Context, app application.Application, sources []application.Source, revisions []string, to deliver.Target) (application.Desired, error) {
	return r.Sources.Render(ctx, app, sources, revisions, render.Target{
		KubeVersion: to.KubeVersion, APIVersions: to.APIVersions, Namespace: to.Namespace, Tracking: to.Tracking,
	})
}

// places finds the clusters of destinations: the one that the controller is for, the local target, and those that Secrets
// with the label argocd.argoproj.io/secret-type: cluster name (documentation page "Declarative Setup, Clusters").
type places struct {
	home, here, local deliver.Cluster
	scope             cluster.Scope
	namespace         string
	exporter          *metrics.Exporter // nil where nobody asks

	mu     sync.Mutex
	opened map[string]*opened // by server
	noHere bool               // here is no destination
}

// opened is a cluster that is in use.
type opened struct {
	name    string
	cluster deliver.Cluster
	state   *cluster.State
	secret  string // the Secret's revision
}

// The names of clusters that no Secret names.
const (
	inClusterName = "in-cluster"
	localName     = "local"
)

func (p *places) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.opened {
		o.state.Close()
	}
	clear(p.opened)
}

// Resolve fills a destination's server and name, in Argo CD's words where there is no such cluster, and tells the project that
// it belongs to.
func (p *places) Resolve(ctx context.Context, d application.Destination) (application.Destination, string, error) {
	d, c, _, err := p.find(ctx, d)
	if c == nil {
		return d, "", err
	}
	return d, c.Project, err
}

func (p *places) find(ctx context.Context, d application.Destination) (application.Destination, *cluster.Connection, string, error) {
	d.Server = strings.TrimRight(d.Server, "/")
	switch {
	case d.Name != "" && d.Server != "":
		return d, nil, "", fmt.Errorf("application destination can't have both name and server defined: %s %s", d.Name, d.Server)
	case d.Name == "" && d.Server == "":
		//lint:ignore ST1005 Argo CD's words
		return d, nil, "", errors.New("Destination server missing from app spec")
	case p.local != nil && (d.Name == localName || d.Server == localName):
		d.Name, d.Server = localName, localName
		return d, nil, "", nil
	}
	known, err := p.declared(ctx)
	if err != nil {
		return d, nil, "", err
	}
	var found []declared
	for _, k := range known {
		if d.Name != "" && k.Name == d.Name || d.Server != "" && k.Server == d.Server {
			found = append(found, k)
		}
	}
	if p.refusesHere(d.Server) || d.Name == inClusterName && p.refusesHere(cluster.InCluster) {
		return d, nil, "", fmt.Errorf("cluster %q is disabled", cluster.InCluster)
	}
	switch {
	case len(found) == 0 && (d.Name == inClusterName || d.Server == cluster.InCluster):
		d.Name, d.Server = inClusterName, cluster.InCluster
		return d, nil, "", nil
	case len(found) == 0 && d.Name != "":
		return d, nil, "", fmt.Errorf("there are no clusters with this name: %s", d.Name)
	case len(found) == 0:
		return d, nil, "", fmt.Errorf("error getting cluster by server %q: cluster %q not found", d.Server, d.Server)
	case d.Name != "" && len(found) > 1:
		var servers []string
		for _, k := range found {
			servers = append(servers, k.Server)
		}
		return d, nil, "", fmt.Errorf("there are %d clusters with the same name: [%s]", len(found), strings.Join(servers, " "))
	}
	d.Name, d.Server = found[0].Name, found[0].Server
	return d, &found[0].Connection, found[0].revision, nil
}

// declared is a cluster that a Secret names.
type declared struct {
	cluster.Connection
	revision string
}

func (p *places) declared(ctx context.Context) ([]declared, error) {
	secrets, err := p.home.List(ctx, manifest.Kind{Version: "v1", Kind: "Secret"}, p.namespace, cluster.LabelSecretType+"="+cluster.SecretCluster)
	if manifest.NotFound(err) || manifest.Is(err, manifest.ReasonForbidden) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []declared
	for _, s := range secrets {
		c, err := cluster.Decode(s)
		if err != nil {
			continue // whoever names it is told that it is none
		}
		out = append(out, declared{c, s.UID() + s.Revision()})
	}
	return out, nil
}

// Find opens the cluster of a destination, once for all that go there.
func (p *places) Find(ctx context.Context, d application.Destination) (deliver.Cluster, deliver.State, error) {
	d, c, revision, err := p.find(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.opened[d.Server]
	if o != nil && o.secret == revision {
		return o.cluster, o.state, nil
	}
	to, scope := p.here, p.scope
	switch {
	case d.Server == localName:
		to, scope = p.local, cluster.Scope{}
	case c != nil && (c.Server != cluster.InCluster):
		dialed, err := c.Dial(cluster.Options{Manager: "argocd-controller", QPS: 100, Burst: 200})
		if err != nil {
			return nil, nil, err
		}
		if p.exporter != nil {
			dialed = dialed.Counted(p.exporter.ApplicationsAsked)
		}
		to, scope = dialed, c.Scope()
	case c != nil:
		scope = c.Scope()
	}
	scope.Used = p.scope.Used
	if o != nil {
		go o.state.Close() // its watches end in their own time
	}
	o = &opened{name: d.Name, cluster: to, state: cluster.NewState(to, scope), secret: revision}
	p.opened[d.Server] = o
	return o.cluster, o.state, nil
}

// journal appends drift to a file, one JSON object a line, until close. A file that cannot be written is told once.
func journal(dir string, warn func(error)) (write func(deliver.Drift), closing func()) {
	file, err := os.OpenFile(filepath.Join(dir, "drift.jsonl"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		warn(err)
		return nil, func() {}
	}
	var mu sync.Mutex
	told := false
	return func(d deliver.Drift) {
		data, err := json.Marshal(d)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			_, err = file.Write(append(data, '\n'))
		}
		if err != nil && !told {
			told = true
			warn(err)
		}
	}, func() { _ = file.Close() }
}

// watchSources asks for comparisons when a repository on this machine changes, until ctx ends. repos are asked for anew now
// and then. Where the system watches nothing, the comparisons by the clock are left.
func (p *deliveryParts) watchSources(ctx context.Context, repos func() []string, moved func(repo string)) {
	if err := p.cache.Watch(ctx, repos, moved); err != nil {
		<-ctx.Done()
	}
}

// sourceAt tells of a source whether it is in a repository.
func sourceAt(repo string) func(application.Source) bool {
	dir, _ := source.Local(repo)
	return func(s application.Source) bool {
		at, ok := source.Local(s.RepoURL)
		return ok && at == dir
	}
}

// stateHome is where a controller keeps mirrors.
func stateHome() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "sluice", "deliver"), nil
}
