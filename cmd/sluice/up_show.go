package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-delivery/sluice/internal/edge/proxy"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/workload"
)

// parts are what the Applications of the target stand on.
func (t *upTarget) parts() partsOptions {
	named := t.cluster.Named("argocd-controller")
	return partsOptions{
		home: named, here: named, local: named, dir: t.u.dir, wrap: t.root.wrap,
		warn: func(app string, f *fault.Fault) { t.out.say(app, f.Error()) },
	}
}

func matchOf(m workload.Match) proxy.Match {
	out := proxy.Match{Method: textOf(m.Method), Path: textOf(m.Path)}
	for _, pair := range []struct {
		from map[string]workload.Text
		to   *map[string]proxy.Text
	}{{m.Headers, &out.Headers}, {m.Cookies, &out.Cookies}} {
		for k, v := range pair.from {
			if *pair.to == nil {
				*pair.to = map[string]proxy.Text{}
			}
			(*pair.to)[k] = textOf(&v)
		}
	}
	return out
}

func textOf(t *workload.Text) proxy.Text {
	if t == nil {
		return proxy.Text{}
	}
	return proxy.Text{Exact: t.Exact, Prefix: t.Prefix, Regex: t.Regex}
}

// followed are the kinds whose health is shown.
var followed = []manifest.Kind{
	workload.DeploymentKind, workload.StatefulSetKind, workload.DaemonSetKind, workload.JobKind, workload.Pod,
	{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"},
}

// shower writes a line for each change of health, and the addresses when all is well.
type shower struct {
	t      *upTarget
	mu     sync.Mutex
	health map[manifest.Key]health.Result
	first  map[manifest.Kind]bool
	told   string
}

// show follows what runs until ctx ends.
func (t *upTarget) show(ctx context.Context) {
	s := &shower{t: t, health: map[manifest.Key]health.Result{}, first: map[manifest.Kind]bool{}}
	var group sync.WaitGroup
	for _, k := range followed {
		group.Go(func() { _ = t.store.Watch(ctx, k, "", "", func(c manifest.Change) { s.see(k, c) }) }) // the store serves each
	}
	event := manifest.Kind{Version: "v1", Kind: "Event"}
	begun := false
	group.Go(func() {
		_ = t.store.Watch(ctx, event, "", "", func(c manifest.Change) {
			if begun = begun || c.Type == manifest.Bookmark; begun && c.Type == manifest.Added && c.Object.Text("type") == "Warning" && c.Object.Text("reason") != "Unhealthy" {
				t.out.say(c.Object.Text("involvedObject", "kind")+" "+c.Object.Text("involvedObject", "name"), c.Object.Text("reason")+": "+c.Object.Text("message"))
			}
		})
	})
	group.Go(func() { _ = t.store.Watch(ctx, workload.Service, "", "", func(manifest.Change) { s.settle() }) })
	group.Wait()
}

func (s *shower) see(kind manifest.Kind, c manifest.Change) {
	s.mu.Lock()
	key := c.Object.Key()
	_, owned := c.Object.Controller()
	switch {
	case c.Type == manifest.Bookmark:
		s.first[kind] = true
	case owned:
	case c.Type == manifest.Deleted:
		if _, known := s.health[key]; known {
			delete(s.health, key)
			s.t.out.say(key.Kind+" "+key.Name, "is gone")
		}
	default:
		now, ok := health.Assess(c.Object)
		was := s.health[key]
		if ok && now != was {
			s.health[key] = now
			if strings.Contains(now.Message, "observed") { // the status is older than the spec, for a moment
				break
			}
			text := strings.ToLower(string(now.Status))
			if now.Message != "" && now.Status != health.Healthy {
				text += ": " + now.Message
			}
			s.t.out.say(key.Kind+" "+key.Name, text)
		}
	}
	s.mu.Unlock()
	s.settle()
}

// settle writes the addresses when everything is healthy and they are not those that were written last.
func (s *shower) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.first) < len(followed) {
		return
	}
	for _, h := range s.health {
		if h.Status != health.Healthy && h.Status != health.Suspended {
			return
		}
	}
	text := s.t.addresses()
	if text == s.told {
		return
	}
	s.told = text
	s.t.out.mu.Lock()
	defer s.t.out.mu.Unlock()
	fmt.Fprintf(s.t.s.out, "%s", text)
}

// addresses says where the Services are reached, and how to look inside.
func (t *upTarget) addresses() string {
	var b strings.Builder
	list, err := t.store.List(context.Background(), workload.Service, "", "")
	if err != nil {
		return ""
	}
	for _, o := range list {
		for _, r := range t.local.Reach(o.Key()) {
			name := o.Name()
			if o.Namespace() != t.f.namespace {
				name += "." + o.Namespace()
			}
			if r.Name != "" {
				name += " (" + r.Name + ")"
			}
			scheme := ""
			if slices.Contains([]string{"", "http", "web"}, r.Name) {
				scheme = "http://"
			}
			fmt.Fprintf(&b, "Service %-24s %s%s\n", oneLine(name), scheme, r.Address)
		}
	}
	fmt.Fprintf(&b, "look inside with: KUBECONFIG=%s kubectl get all\n", fromHere(t.u.kubeconfig()))
	return b.String()
}
