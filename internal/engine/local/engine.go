package local

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/engine/loop"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/workload"
)

// who is the field manager of what the engine writes.
const who = "sluice-local"

// Config is what an engine needs. All but Now and Trouble are required.
type Config struct {
	Cluster Cluster
	Pods    Pods
	Proxy   Proxy
	// PodRange and ServiceRange give addresses.
	PodRange, ServiceRange *Range
	Now                    func() time.Time // nil for time.Now
	// Trouble is told of what went wrong and is tried again.
	Trouble func(key manifest.Key, err error)
}

// Engine is the local target's engine.
type Engine struct {
	c      Config
	loop   *loop.Loop[manifest.Key]
	events *recorder
	group  sync.WaitGroup // pods that drain

	serving sync.Mutex // held by who reads and sets a Service

	mu        sync.Mutex
	leaving   map[string]bool              // pods that drain, by uid
	listeners map[manifest.Key][]string    // names in the proxy, by Service
	told      map[manifest.Key]string      // the last trouble of a Service that was told
	addresses map[manifest.Key][]Reachable // where Services are reached
}

// Reachable is where a port of a Service is reached from this machine.
type Reachable struct {
	Port    int32
	Name    string
	Address string // "127.64.0.1:80"
}

// New makes an engine. Pods may be set later with Connect, since who runs pods tells the engine of them.
func New(c Config) *Engine {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Trouble == nil {
		c.Trouble = func(manifest.Key, error) {}
	}
	e := &Engine{
		c: c, loop: loop.New[manifest.Key](), leaving: map[string]bool{}, listeners: map[manifest.Key][]string{}, told: map[manifest.Key]string{},
		addresses: map[manifest.Key][]Reachable{},
	}
	e.events = newRecorder(c.Cluster, c.Now)
	e.loop.Failed = func(key manifest.Key, err error, _ int, _ time.Duration) { c.Trouble(key, err) }
	return e
}

// Connect says who runs pods.
func (e *Engine) Connect(p Pods) { e.c.Pods = p }

// watched are the kinds that the engine acts on, those that others refer to first.
var watched = []manifest.Kind{
	{Version: "v1", Kind: "ConfigMap"},
	{Version: "v1", Kind: "Secret"},
	workload.Claim, workload.Service, workload.EndpointSlice, workload.DeploymentKind,
	workload.ReplicaSetKind, workload.StatefulSetKind, workload.DaemonSetKind, workload.JobKind, workload.CronJobKind, workload.Pod,
}

// Run works until ctx ends. Pods run on: end them with who runs them.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.node(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var watches sync.WaitGroup
	for _, kind := range watched {
		watches.Go(func() {
			if err := e.c.Cluster.Watch(ctx, kind, "", "", func(c manifest.Change) { e.see(ctx, c) }); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("watch %s: %w", kind, err))
			}
		})
	}
	err := e.loop.Run(ctx, 4, e.handle)
	cancel(nil)
	watches.Wait()
	e.group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// node makes the one node, so that who lists nodes finds it.
func (e *Engine) node(ctx context.Context) error {
	now := e.c.Now().UTC().Format(time.RFC3339)
	o := manifest.Object{"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": workload.Node, "labels": map[string]any{"kubernetes.io/hostname": workload.Node}}}
	made, err := e.c.Cluster.Create(ctx, o, manifest.Writing{Manager: who})
	if manifest.Is(err, manifest.ReasonExists) || manifest.Is(err, manifest.ReasonNoKind) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make the node: %w", err)
	}
	made["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "True", "reason": "Sluice", "message": "this machine", "lastHeartbeatTime": now, "lastTransitionTime": now}}}
	_, err = e.c.Cluster.Update(ctx, made, "status", manifest.Writing{Manager: who})
	return err
}

// see adds what a change may concern.
func (e *Engine) see(ctx context.Context, c manifest.Change) {
	if c.Type == manifest.Bookmark {
		return
	}
	o, key := c.Object, c.Object.Key()
	if w, ok := o.Controller(); ok {
		of := manifest.KindOf(w.APIVersion, w.Kind)
		e.loop.Add(manifest.Key{Group: of.Group, Kind: of.Kind, Namespace: o.Namespace(), Name: w.Name})
	} else if o.Text("kind") == "Pod" || o.Text("kind") == "ReplicaSet" {
		e.orphan(ctx, o)
	}
	switch o.Text("kind") {
	case "ConfigMap", "Secret":
		e.c.Pods.Refresh(o.Text("kind"), o.Namespace(), o.Name())
		return
	case "Service":
		e.routed(ctx, o.Namespace())
	case "EndpointSlice":
		key = manifest.Key{Kind: "Service", Namespace: o.Namespace(), Name: o.Labels()["kubernetes.io/service-name"]}
	case "Pod":
		if c.Type == manifest.Deleted {
			e.c.Pods.Stop(o.UID(), 0)
			e.c.Pods.Forget(o)
			e.c.PodRange.Free(o.UID())
		}
		e.servicesOf(ctx, o)
	}
	e.loop.Add(key)
}

// orphan adds the controllers that may adopt what has none.
func (e *Engine) orphan(ctx context.Context, o manifest.Object) {
	kind := workload.ReplicaSetKind
	if o.Text("kind") == "ReplicaSet" {
		kind = workload.DeploymentKind
	}
	list, err := e.c.Cluster.List(ctx, kind, o.Namespace(), "")
	if err != nil {
		return // the store is in this process: it says no only while it closes
	}
	for _, c := range list {
		e.loop.Add(c.Key())
	}
}

// servicesOf adds the Services of a pod's namespace whose selector may mean it.
func (e *Engine) servicesOf(ctx context.Context, pod manifest.Object) {
	list, err := e.c.Cluster.List(ctx, workload.Service, pod.Namespace(), "")
	if err != nil {
		return // as above
	}
	labels := pod.Labels()
	for _, s := range list {
		matches := len(s.Sub("spec", "selector")) > 0
		for k, v := range s.Sub("spec", "selector") {
			matches = matches && labels[k] == v
		}
		if _, routed := s.At("metadata", "annotations", workload.TrafficAnnotation); matches || routed {
			e.loop.Add(s.Key())
		}
	}
}

// routed adds the Services of a namespace whose traffic is shared out, since another one may be a part of it.
func (e *Engine) routed(ctx context.Context, namespace string) {
	list, err := e.c.Cluster.List(ctx, workload.Service, namespace, "")
	if err != nil {
		return // as above
	}
	for _, s := range list {
		if s.Annotation(workload.TrafficAnnotation) != "" {
			e.loop.Add(s.Key())
		}
	}
}

// handle works on one object.
func (e *Engine) handle(ctx context.Context, key manifest.Key) (time.Duration, error) {
	kind := manifest.Kind{Group: key.Group, Kind: key.Kind}
	o, err := e.c.Cluster.Get(ctx, kind, key.Namespace, key.Name)
	if manifest.NotFound(err) {
		if key.Kind == "Service" && key.Group == "" {
			e.close(key)
			return 0, e.names(ctx, key.Namespace)
		}
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	switch {
	case key.Kind == "Pod":
		return 0, e.pod(ctx, o)
	case key.Kind == "PersistentVolumeClaim":
		return 0, e.bind(ctx, o)
	case key.Kind == "Service" && key.Group == "":
		return 0, e.service(ctx, o)
	}
	d, known, err := e.decide(ctx, o)
	if err != nil || !known {
		return 0, err
	}
	return d.After, e.act(ctx, o, d)
}

// decide reads what a decision rests on and asks for it.
func (e *Engine) decide(ctx context.Context, o manifest.Object) (d workload.Decision, known bool, err error) {
	ns, now := o.Namespace(), e.c.Now()
	list := func(kind manifest.Kind) []manifest.Object {
		if err != nil {
			return nil
		}
		var out []manifest.Object
		out, err = e.c.Cluster.List(ctx, kind, ns, "")
		return out
	}
	var pods []manifest.Object
	switch kind := o.Kind().String(); kind {
	case "apps/Deployment", "apps/ReplicaSet", "apps/StatefulSet", "apps/DaemonSet", "batch/Job":
		pods = list(workload.Pod)
	case "batch/CronJob":
	default:
		return d, false, nil
	}
	var more []manifest.Object
	switch o.Text("kind") {
	case "Deployment":
		more = list(workload.ReplicaSetKind)
	case "StatefulSet":
		more = list(workload.ControllerRevision)
	case "CronJob":
		more = list(workload.JobKind)
	}
	if err != nil {
		return d, true, err
	}
	switch o.Text("kind") {
	case "Deployment":
		d, err = workload.Deployment(workload.DeploymentWorld{Deployment: o, ReplicaSets: more, Pods: pods, Now: now})
	case "ReplicaSet":
		d, err = workload.ReplicaSet(workload.ReplicaSetWorld{ReplicaSet: o, Pods: pods, Now: now})
	case "StatefulSet":
		d, err = workload.StatefulSet(workload.StatefulSetWorld{StatefulSet: o, Pods: pods, Revisions: more, Now: now})
	case "DaemonSet":
		d, err = workload.DaemonSet(workload.DaemonSetWorld{DaemonSet: o, Pods: pods, Now: now})
	case "Job":
		d, err = workload.Job(workload.JobWorld{Job: o, Pods: pods, Now: now})
	case "CronJob":
		d, err = workload.CronJob(workload.CronJobWorld{CronJob: o, Jobs: more, Now: now})
	}
	return d, true, err
}
