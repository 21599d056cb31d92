package local

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/workload"
)

// act carries a decision out: the actions up to the first that fails, then the status.
func (e *Engine) act(ctx context.Context, o manifest.Object, d workload.Decision) error {
	var failed error
	for _, a := range d.Actions {
		if failed = e.one(ctx, o, a); failed != nil {
			break
		}
	}
	if len(d.Annotations) > 0 && failed == nil {
		change := manifest.Object{}
		for k, v := range d.Annotations {
			var value any = v
			if v == "" {
				value = nil
			}
			change.Set(value, "metadata", "annotations", k)
		}
		failed = e.patch(ctx, o.Kind(), o.Namespace(), o.Name(), change)
	}
	if d.Status != nil {
		after := o.Copy()
		after["status"] = map[string]any(d.Status)
		after.Drop("metadata", "resourceVersion") // only the engine writes it: the last one counts
		if _, err := e.c.Cluster.Update(ctx, after, "status", manifest.Writing{Manager: who}); err != nil && !manifest.NotFound(err) && failed == nil {
			failed = fmt.Errorf("write the status of %s: %w", o.Key(), err)
		}
	}
	return failed
}

func (e *Engine) one(ctx context.Context, o manifest.Object, a workload.Action) error {
	switch a := a.(type) {
	case workload.Create:
		return e.create(ctx, o, a.Object)
	case workload.Patch:
		err := e.patch(ctx, a.Kind, o.Namespace(), a.Name, a.Patch)
		if manifest.NotFound(err) {
			return nil // it has gone meanwhile: that brings the next decision
		}
		return err
	case workload.Delete:
		err := e.c.Cluster.Delete(ctx, a.Kind, o.Namespace(), a.Name, manifest.Writing{Manager: who, UID: a.UID, Propagation: a.Propagation})
		if manifest.NotFound(err) || manifest.Is(err, manifest.ReasonConflict) {
			return nil // as above
		}
		if err != nil {
			return fmt.Errorf("remove %s %s: %w", a.Kind, a.Name, err)
		}
	case workload.Event:
		e.events.tell(ctx, o, a.Reason, a.Message, a.Warning)
	}
	return nil
}

func (e *Engine) create(ctx context.Context, by, o manifest.Object) error {
	made, err := e.c.Cluster.Create(ctx, o, manifest.Writing{Manager: who})
	kind := o.Text("kind")
	switch {
	case manifest.Is(err, manifest.ReasonExists) && kind != "ReplicaSet":
		return nil // claims and revisions are kept; a pod of the same name is still going, and its end brings the next decision
	case manifest.Is(err, manifest.ReasonForbidden): // the namespace is going
		return nil
	case err != nil:
		e.events.tell(ctx, by, "FailedCreate", fmt.Sprintf("Error creating: %v", err), true)
		return fmt.Errorf("make a %s for %s: %w", kind, by.Key(), err)
	case kind == "Pod" && by.Text("kind") == "StatefulSet":
		e.events.tell(ctx, by, "SuccessfulCreate", fmt.Sprintf("create Pod %s in StatefulSet %s successful", made.Name(), by.Name()), false)
	case kind == "Pod":
		e.events.tell(ctx, by, "SuccessfulCreate", "Created pod: "+made.Name(), false)
	}
	return nil
}

func (e *Engine) patch(ctx context.Context, kind manifest.Kind, namespace, name string, change manifest.Object) error {
	data, err := json.Marshal(map[string]any(change))
	if err == nil {
		_, err = e.c.Cluster.Patch(ctx, kind, namespace, name, manifest.Patch{Kind: manifest.MergePatch, Data: data}, manifest.Writing{Manager: who})
	}
	if err != nil {
		return fmt.Errorf("change %s %s: %w", kind, name, err)
	}
	return nil
}

// bind gives a claim its folder: there is nothing to wait for.
func (e *Engine) bind(ctx context.Context, o manifest.Object) error {
	if o.Text("status", "phase") == "Bound" || o.Deleting() {
		return nil
	}
	after := o.Copy()
	status := map[string]any{"phase": "Bound"}
	if modes := o.List("spec", "accessModes"); modes != nil {
		status["accessModes"] = modes
	}
	if size, ok := o.At("spec", "resources", "requests", "storage"); ok {
		status["capacity"] = map[string]any{"storage": size}
	}
	after["status"] = status
	_, err := e.c.Cluster.Update(ctx, after, "status", manifest.Writing{Manager: who})
	return err
}

// recorder writes Events; the same one again counts up.
type recorder struct {
	c   Cluster
	now func() time.Time
	mu  sync.Mutex
	n   map[string]*recorded
}

type recorded struct {
	name  string
	count int64
}

func newRecorder(c Cluster, now func() time.Time) *recorder {
	return &recorder{c: c, now: now, n: map[string]*recorded{}}
}

// tell records what happened to an object. An event that cannot be written is lost: nothing depends on it.
func (r *recorder) tell(ctx context.Context, o manifest.Object, reason, message string, warning bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kind, now := "Normal", r.now().UTC().Format(time.RFC3339)
	if warning {
		kind = "Warning"
	}
	key := o.UID() + "\x00" + reason + "\x00" + message
	if was := r.n[key]; was != nil {
		was.count++
		data, _ := json.Marshal(map[string]any{"count": was.count, "lastTimestamp": now})
		_, err := r.c.Patch(ctx, manifest.Kind{Version: "v1", Kind: "Event"}, namespaceOf(o), was.name, manifest.Patch{Kind: manifest.MergePatch, Data: data}, manifest.Writing{Manager: who})
		if !manifest.NotFound(err) {
			return
		}
	}
	const most = 4096
	if len(r.n) > most {
		r.n = map[string]*recorded{}
	}
	made, err := r.c.Create(ctx, manifest.Object{
		"apiVersion": "v1", "kind": "Event", "metadata": map[string]any{"generateName": o.Name() + ".", "namespace": namespaceOf(o)},
		"involvedObject": map[string]any{"apiVersion": o.Text("apiVersion"), "kind": o.Text("kind"), "namespace": o.Namespace(), "name": o.Name(), "uid": o.UID()},
		"reason":         reason, "message": message, "type": kind, "count": int64(1), "firstTimestamp": now, "lastTimestamp": now, "source": map[string]any{"component": "sluice"}, "reportingComponent": "sluice",
	}, manifest.Writing{Manager: who})
	if err == nil {
		r.n[key] = &recorded{made.Name(), 1}
	}
}

func namespaceOf(o manifest.Object) string {
	if n := o.Namespace(); n != "" {
		return n
	}
	return "default"
}
