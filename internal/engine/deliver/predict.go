package deliver

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// prediction is what the server would make of an object, and of what.
type prediction struct {
	live   string // the live object's resourceVersion
	wanted uint64
	object manifest.Object
}

// predict asks the server what each wanted object that is there would become (documentation page "Diff Strategies",
// server-side diff). What has not changed since is not asked again.
func (c *Controller) predict(ctx context.Context, e *entry, at *place, d application.Desired, live application.Live) (map[manifest.Key]manifest.Object, error) {
	out := map[manifest.Key]manifest.Object{}
	keep := map[manifest.Key]prediction{}
	var mu sync.Mutex
	var group sync.WaitGroup
	var errs []error
	slots := make(chan struct{}, abreast)
	for _, o := range d.Objects {
		o = o.Copy()
		namespaced, known := at.scope(o.Kind())
		if !known || len(application.Hooks(o)) > 0 || o.Name() == "" {
			continue
		}
		if namespaced && o.Namespace() == "" {
			o.Set(at.app.Spec.Destination.Namespace, "metadata", "namespace")
		} else if !namespaced {
			o.Drop("metadata", "namespace")
		}
		there := live.Objects[o.Key()]
		if there == nil || there.Deleting() {
			continue
		}
		at.tracking.Mark(o, at.app.Spec.Destination.Namespace)
		sum := fingerprint(o)
		if was, ok := e.predicted[o.Key()]; ok && was.live == there.Revision() && was.wanted == sum {
			out[o.Key()], keep[o.Key()] = was.object, was
			continue
		}
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			answer, err := apply(ctx, at.writer(), application.Apply{Object: o, ServerSide: true, DryRun: true, Validation: true})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("server-side diff of %s: %w", o.Key(), err))
				return
			}
			out[o.Key()] = answer
			keep[o.Key()] = prediction{live: there.Revision(), wanted: sum, object: answer}
		})
	}
	group.Wait()
	e.predicted = keep
	return out, errors.Join(errs...)
}

func fingerprint(o manifest.Object) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(o.JSON())
	return h.Sum64()
}

// orphanKinds are kinds that nobody puts into a repository and every namespace has, or that say nothing.
var orphanKinds = map[string]bool{
	"/Event": true, "events.k8s.io/Event": true, "/Endpoints": true, "discovery.k8s.io/EndpointSlice": true, "coordination.k8s.io/Lease": true,
	"metrics.k8s.io/PodMetrics": true,
}

// orphans adds the objects of the destination's namespace to what is live, so that those of nobody are found (documentation
// page "Orphaned Resources Monitoring").
func (c *Controller) orphans(ctx context.Context, at *place, live application.Live) error {
	space := at.app.Spec.Destination.Namespace
	if space == "" {
		return nil
	}
	kinds, err := at.to.Kinds(ctx)
	if err != nil {
		return err
	}
	for _, k := range kinds {
		if !k.Namespaced || !k.Preferred || orphanKinds[k.Kind.Group+"/"+k.Kind.Kind] || !lists(k) {
			continue
		}
		list, err := at.to.List(ctx, k.Kind, space, "")
		if manifest.Is(err, manifest.ReasonForbidden) || manifest.NotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		for _, o := range list {
			if _, there := live.Objects[o.Key()]; !there {
				live.Objects[o.Key()] = o
			}
		}
	}
	return nil
}

func lists(k manifest.Discovered) bool {
	for _, v := range k.Verbs {
		if v == "list" {
			return true
		}
	}
	return false
}
