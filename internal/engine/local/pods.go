package local

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/workload"
)

// pod places a pod on the one node and runs it; one that is deleted is taken from the Services first, then ended.
func (e *Engine) pod(ctx context.Context, o manifest.Object) error {
	if o.Deleting() {
		return e.leave(ctx, o)
	}
	if o.Text("spec", "nodeName") == "" {
		if err := e.patch(ctx, workload.Pod, o.Namespace(), o.Name(), manifest.Object{"spec": map[string]any{"nodeName": workload.Node}, "metadata": map[string]any{"uid": o.UID()}}); err != nil {
			if manifest.NotFound(err) {
				return nil
			}
			return err
		}
		e.events.tell(ctx, o, "Scheduled", fmt.Sprintf("Successfully assigned %s/%s to %s", o.Namespace(), o.Name(), workload.Node), false)
		return nil // the change comes back
	}
	return e.c.Pods.Run(o)
}

// Address gives a pod its address.
func (e *Engine) Address(pod manifest.Object) string {
	a, err := e.c.PodRange.Take(pod.UID(), pod.Text("status", "podIP"))
	if err != nil {
		e.c.Trouble(pod.Key(), err)
		return "127.0.0.1"
	}
	return a
}

// leave ends a pod: no new requests, those in flight are waited for, then its processes end. The grace holds for all of it.
func (e *Engine) leave(ctx context.Context, o manifest.Object) error {
	e.mu.Lock()
	known := e.leaving[o.UID()]
	e.leaving[o.UID()] = true
	e.mu.Unlock()
	left := time.Duration(o.Int(0, "metadata", "deletionGracePeriodSeconds")) * time.Second
	if t, err := time.Parse(time.RFC3339, o.Text("metadata", "deletionTimestamp")); err == nil {
		left = min(left, max(0, t.Sub(e.c.Now()))+time.Second)
	}
	if known {
		if left <= time.Second {
			e.c.Pods.Stop(o.UID(), left)
		}
		return nil
	}
	endpoints, err := e.withdraw(ctx, o)
	if err != nil {
		e.mu.Lock()
		delete(e.leaving, o.UID())
		e.mu.Unlock()
		return err
	}
	e.group.Go(func() {
		until := time.Now().Add(left)
		drain, cancel := context.WithDeadline(ctx, until)
		defer cancel()
		for _, a := range endpoints {
			_ = e.c.Proxy.Drain(drain, a) // at the end of the grace it ends all the same
		}
		if ctx.Err() != nil {
			return // the whole target ends; whoever ends it ends the pods
		}
		if !e.c.Pods.Stop(o.UID(), time.Until(until)) {
			e.Gone(o)
		}
	})
	return nil
}

// withdraw takes a pod from the Services that it is behind, and gives its endpoints.
func (e *Engine) withdraw(ctx context.Context, pod manifest.Object) ([]string, error) {
	services, err := e.c.Cluster.List(ctx, workload.Service, pod.Namespace(), "")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, s := range services {
		if s.Deleting() {
			continue
		}
		backends, err := workload.Backends(s, []manifest.Object{pod})
		if err != nil {
			return nil, err
		}
		for _, b := range backends {
			for _, p := range b.Endpoints {
				out = append(out, p.Address)
			}
		}
		if len(out) > 0 || s.Annotation(workload.TrafficAnnotation) != "" {
			if err := e.service(ctx, s); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// Report writes a pod's status; pod.Config.Report.
func (e *Engine) Report(pod, status manifest.Object) {
	ctx := context.Background()
	now, err := e.c.Cluster.Get(ctx, workload.Pod, pod.Namespace(), pod.Name())
	if err != nil || now.UID() != pod.UID() {
		return // it has gone
	}
	after := now.Copy()
	after["status"] = map[string]any(status)
	if q := now.Text("status", "qosClass"); q != "" {
		after.Set(q, "status", "qosClass")
	}
	after.Set(now.Int(1, "metadata", "generation"), "status", "observedGeneration")
	after.Drop("metadata", "resourceVersion")
	if _, err := e.c.Cluster.Update(ctx, after, "status", manifest.Writing{Manager: who}); err != nil && !manifest.NotFound(err) {
		e.c.Trouble(pod.Key(), fmt.Errorf("write its status: %w", err))
	}
}

// Gone removes a pod whose processes have ended; pod.Config.Gone.
func (e *Engine) Gone(pod manifest.Object) {
	none := int64(0)
	err := e.c.Cluster.Delete(context.Background(), workload.Pod, pod.Namespace(), pod.Name(), manifest.Writing{Manager: who, UID: pod.UID(), Grace: &none})
	if err != nil && !manifest.NotFound(err) && !manifest.Is(err, manifest.ReasonConflict) {
		e.c.Trouble(pod.Key(), fmt.Errorf("remove it: %w", err))
	}
	e.mu.Lock()
	delete(e.leaving, pod.UID())
	e.mu.Unlock()
}

// Event records what happened to a pod; pod.Config.Event.
func (e *Engine) Event(pod manifest.Object, reason, message string, warning bool) {
	e.events.tell(context.Background(), pod, reason, message, warning)
}

func itoa(n int32) string { return strconv.Itoa(int(n)) }
