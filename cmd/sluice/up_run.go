package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/edge/pod"
	"github.com/sluice-delivery/sluice/internal/edge/proxy"
	"github.com/sluice-delivery/sluice/internal/edge/traffic"
	localtarget "github.com/sluice-delivery/sluice/internal/engine/local"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// upTarget is a local target that runs in this process.
type upTarget struct {
	s       *streams
	u       *upState
	f       upFlags
	engine  *pod.Engine
	hurry   <-chan struct{}
	out     *teller
	store   *objects.Store
	local   *localtarget.Engine
	pods    *pod.Manager
	proxy   *proxy.Proxy
	metrics *upMetrics
	cluster *cluster.Cluster
	root    *rooted
}

var errUpEnded = errors.New("the local target ended")

// run runs the target until ctx ends, then drains and ends it.
func (t *upTarget) run(ctx context.Context, files []manifest.Object) (err error) {
	t.out = &teller{w: t.s.err}
	if err := t.open(); err != nil {
		return err
	}
	l, access, err := t.listen()
	if err != nil {
		return errors.Join(err, t.close())
	}
	defer os.Remove(t.u.kubeconfig())
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	group.Go(func() { cancel(t.store.Serve(work, l, access)) })
	group.Go(func() { cancel(t.local.Run(work)) })
	group.Go(func() { t.metrics.run(work) })
	if err = t.apply(ctx, files); err == nil {
		for _, beside := range []func(context.Context) error{t.rollouts, t.applications} {
			group.Go(func() {
				if err := beside(work); err != nil && work.Err() == nil {
					cancel(err)
				}
			})
		}
		group.Go(func() { t.show(work) })
		select {
		case <-ctx.Done():
			t.out.say("", "ending")
		case <-work.Done():
			err = context.Cause(work)
		}
	}
	cancel(errUpEnded)
	group.Wait()
	if closed := t.close(); err == nil {
		err = closed
	}
	return err
}

// open opens the store and the drivers.
func (t *upTarget) open() error {
	var err error
	logs := &podLogs{}
	t.store, err = objects.Open(objects.Config{Dir: filepath.Join(t.u.dir, "objects"), Drains: true, Logs: logs})
	if err != nil {
		return err
	}
	pods, services := localtarget.Ranges(t.u.dir)
	if t.metrics, err = newUpMetrics(t.store); err != nil {
		return errors.Join(err, t.store.Close())
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(proxy.GCPercent)
	}
	t.proxy = proxy.New(t.metrics.store.Registry())
	t.local = localtarget.New(localtarget.Config{
		Cluster: t.store, Proxy: serviceListeners{t.proxy}, PodRange: pods, ServiceRange: services,
		Trouble: func(k manifest.Key, err error) { t.out.say(k.Kind+" "+k.Name, err.Error()) },
	})
	self, err := os.Executable()
	if err == nil {
		t.pods, err = pod.New(pod.Config{
			Dir: t.u.dir, Folder: t.u.folder, Child: []string{self, "pod-child"}, Lookup: t.store, Engine: t.engine,
			Report: t.local.Report, Gone: t.local.Gone, Event: t.local.Event, Address: t.local.Address,
		})
	}
	if err != nil {
		return errors.Join(err, t.store.Close())
	}
	logs.of = t.pods
	t.local.Connect(t.pods)
	if !t.pods.Mounts() {
		t.out.say("", "this system lets processes mount nothing: volumes are found below $SLUICE_ROOT, Services by address only")
	}
	return nil
}

// listen opens the REST interface and writes the kubeconfig.
func (t *upTarget) listen() (net.Listener, objects.Access, error) {
	access, err := objects.NewAccess(time.Now())
	if err != nil {
		return nil, access, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, access, fmt.Errorf("listen for kubectl: %w", err)
	}
	if err := objects.WriteKubeconfig(t.u.kubeconfig(), l.Addr().String(), access, t.f.namespace); err != nil {
		return nil, access, errors.Join(err, l.Close())
	}
	t.cluster, err = cluster.OpenWith(t.u.kubeconfig(), "", cluster.Options{QPS: 1000, Burst: 2000})
	if err != nil {
		return nil, access, errors.Join(err, l.Close())
	}
	return l, access, nil
}

// apply brings the files into the store.
func (t *upTarget) apply(ctx context.Context, files []manifest.Object) error {
	files, t.root = t.u.completed(files, t.f.namespace)
	return applyUp(ctx, t.store, files, t.f.namespace, t.s.err)
}

// rollouts moves Rollouts, analyses and experiments.
func (t *upTarget) rollouts(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	o := controllerOptions{workers: 4, prometheus: t.f.prometheus, router: traffic.Local{Cluster: t.cluster.Named("rollouts-controller")}}
	if o.prometheus == "" {
		o.instead = "http://" + t.metrics.address()
	}
	return runRollouts(ctx, t.cluster, o, log)
}

// applications keeps Applications true, from the first that is there.
func (t *upTarget) applications(ctx context.Context) error {
	first, cancel := context.WithCancel(ctx)
	err := t.store.Watch(first, applicationKind, "", "", func(c manifest.Change) {
		if c.Type == manifest.Added {
			cancel()
		}
	})
	cancel()
	if err != nil || ctx.Err() != nil {
		return err
	}
	parts, err := newDeliveryParts(ctx, t.parts())
	if err != nil {
		return err
	}
	defer parts.close()
	c := parts.controller(t.cluster.Named("argocd-controller"))
	c.Namespaces, c.Tell, c.Workers = []string{"*"}, t.out.tell, 4
	c.Failed = func(_, name string, err error) { t.out.say(name, err.Error()) }
	write, done := journal(t.u.dir, func(err error) { t.out.say("", "the journal of drift cannot be written: "+err.Error()) })
	defer done()
	c.Journal = write
	c.Prepare()
	var group sync.WaitGroup
	group.Go(func() { parts.watchSources(ctx, c.Repositories, func(repo string) { c.Moved(sourceAt(repo)) }) })
	defer group.Wait()
	return c.Run(ctx)
}

// close drains and ends what runs: first the Services take nothing new and what is in flight ends, then the processes. A second
// Ctrl-C ends the patience.
func (t *upTarget) close() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() { // ends with close
		select {
		case <-t.hurry:
			cancel()
		case <-stop:
		}
	}()
	drain, done := context.WithTimeout(ctx, 10*time.Second)
	_ = t.proxy.Close(drain) // what is in flight after that is cut
	done()
	err := t.pods.Close(ctx)
	if t.engine != nil {
		err = errors.Join(err, t.engine.Close())
	}
	return errors.Join(err, t.store.Close())
}

// podLogs are the logs of pods, once there is who runs them.
type podLogs struct{ of objects.Logs }

// serviceListeners is edge/proxy behind engine/local's port.
type serviceListeners struct{ p *proxy.Proxy }

func (l serviceListeners) Set(name string, x localtarget.Listener) (string, error) {
	s := proxy.Service{Listen: x.Listen}
	s.Namespace, s.Name, _ = strings.Cut(name, "/")
	s.Name, _, _ = strings.Cut(s.Name, ":")
	if x.TCP {
		s.Protocol = proxy.TCP
	}
	for _, g := range x.Groups {
		s.Groups = append(s.Groups, proxy.Group{Name: g.Name, Hash: g.Hash, Weight: g.Weight, Endpoints: g.Endpoints})
	}
	for _, r := range x.Routes {
		s.Routes = append(s.Routes, proxy.Route{Name: r.Name, Match: matchOf(r.Match), Group: r.Share})
	}
	for _, m := range x.Mirrors {
		s.Mirrors = append(s.Mirrors, proxy.Mirror{Name: m.Name, Match: matchOf(m.Match), Group: m.Share, Percent: m.Percent})
	}
	if x.Sticky != nil {
		s.Sticky = &proxy.Sticky{Cookie: x.Sticky.Cookie, MaxAge: x.Sticky.MaxAge}
	}
	a, err := l.p.Set(name, s)
	if err != nil {
		return "", err
	}
	return a.String(), nil
}

func (l serviceListeners) Drop(name string)                            { l.p.Drop(name) }
func (l serviceListeners) Drain(ctx context.Context, end string) error { return l.p.Drain(ctx, end) }

// Logs writes what a container printed.
func (l *podLogs) Logs(ctx context.Context, p manifest.Object, o objects.LogOptions, w io.Writer) error {
	return l.of.Logs(ctx, p, o, w)
}
