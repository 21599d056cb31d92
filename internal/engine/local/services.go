package local

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/workload"
)

// service gives a Service its address, its endpoints and its listeners.
func (e *Engine) service(ctx context.Context, s manifest.Object) error {
	e.serving.Lock() // what is read last is set last
	defer e.serving.Unlock()
	if s.Deleting() || s.Text("spec", "type") == "ExternalName" {
		e.close(s.Key())
		return nil
	}
	if s.Text("spec", "clusterIP") == "" {
		return e.address(ctx, s)
	}
	if ip := s.Text("spec", "clusterIP"); ip != "None" {
		if got, err := e.c.ServiceRange.Take(s.UID(), ip); err != nil || got != ip { // of another folder's range, or taken: a new one
			return e.address(ctx, s)
		}
	}
	pods, err := e.c.Cluster.List(ctx, workload.Pod, s.Namespace(), "")
	if err != nil {
		return err
	}
	ends, err := e.c.Cluster.List(ctx, workload.EndpointSlice, s.Namespace(), "kubernetes.io/service-name="+s.Name())
	if err != nil {
		return err
	}
	d, err := workload.Endpoints(workload.EndpointsWorld{Service: s, Pods: pods, Slices: ends})
	if err != nil {
		return err
	}
	if err := e.listen(ctx, s, pods, ends); err != nil { // first the traffic, then what is told of it
		return err
	}
	if err := e.act(ctx, s, d); err != nil {
		return err
	}
	return e.names(ctx, s.Namespace())
}

// address gives a Service its cluster IP, and node ports where its type asks for them.
func (e *Engine) address(ctx context.Context, s manifest.Object) error {
	e.c.ServiceRange.Free(s.UID())
	ip, err := e.c.ServiceRange.Take(s.UID(), "")
	if err != nil {
		return err
	}
	return e.patch(ctx, workload.Service, s.Namespace(), s.Name(), manifest.Object{"spec": map[string]any{"clusterIP": ip, "clusterIPs": []any{ip}}})
}

// listen opens a Service's ports: on its cluster IP, and on 127.0.0.1 for node ports and load balancers.
func (e *Engine) listen(ctx context.Context, s manifest.Object, pods, ends []manifest.Object) error {
	backends, err := workload.Backends(s, pods)
	if err != nil {
		return err
	}
	if len(s.Sub("spec", "selector")) == 0 {
		byHand(backends, ends)
	}
	traffic, routed, err := workload.TrafficOf(s)
	if err != nil {
		e.events.tell(ctx, s, "BadTraffic", err.Error(), true)
	}
	var names []string
	var reach []Reachable
	kind, ip := s.Text("spec", "type"), s.Text("spec", "clusterIP")
	for _, b := range backends {
		if b.Protocol != "TCP" || ip == "None" {
			continue
		}
		l := Listener{TCP: !b.HTTP() && !routed, Groups: groups(b)}
		if routed {
			l.Traffic = traffic
			if l.Groups, err = e.shares(ctx, s, b, traffic, pods); err != nil {
				return err
			}
		}
		for _, at := range listens(kind, ip, b) {
			l.Listen = at
			name := s.Namespace() + "/" + s.Name() + ":" + cmp.Or(b.Name, itoa(b.Port))
			if len(names) > 0 && slices.Contains(names, name) {
				name += "@" + at
			}
			got := e.open(ctx, s, name, l)
			names = append(names, name)
			if got != "" {
				reach = append(reach, Reachable{b.Port, b.Name, got})
			}
		}
	}
	e.mu.Lock()
	was := e.listeners[s.Key()]
	e.listeners[s.Key()], e.addresses[s.Key()] = names, reach
	e.mu.Unlock()
	for _, n := range was {
		if !slices.Contains(names, n) {
			e.c.Proxy.Drop(n)
		}
	}
	return e.balanced(ctx, s, kind)
}

// listens are the addresses of a port.
func listens(kind, ip string, b workload.Backend) []string {
	out := []string{net.JoinHostPort(ip, itoa(b.Port))}
	switch {
	case kind == "LoadBalancer":
		out = append(out, net.JoinHostPort("127.0.0.1", itoa(b.Port)))
	case kind == "NodePort" && b.NodePort > 0:
		out = append(out, net.JoinHostPort("127.0.0.1", itoa(b.NodePort)))
	}
	return out
}

// open makes a listener so; where its address cannot be had, one on a free port takes its place, and that is told once.
func (e *Engine) open(ctx context.Context, s manifest.Object, name string, l Listener) string {
	got, err := e.c.Proxy.Set(name, l)
	if err == nil {
		return got
	}
	host, _, _ := net.SplitHostPort(l.Listen)
	e.mu.Lock()
	told := e.told[s.Key()] == name+err.Error()
	e.told[s.Key()] = name + err.Error()
	was := ""
	for _, r := range e.addresses[s.Key()] {
		if h, _, _ := net.SplitHostPort(r.Address); h == host {
			was = r.Address
		}
	}
	e.mu.Unlock()
	l.Listen = cmp.Or(was, net.JoinHostPort(host, "0"))
	got, err2 := e.c.Proxy.Set(name, l)
	if err2 != nil {
		e.events.tell(ctx, s, "FailedListen", err.Error(), true)
		e.c.Trouble(s.Key(), err)
		return ""
	}
	if !told {
		e.events.tell(ctx, s, "OtherPort", fmt.Sprintf("%v; it is reached at %s", err, got), true)
		e.c.Trouble(s.Key(), fmt.Errorf("%w; it is reached at %s", err, got))
	}
	return got
}

// balanced says in the status of a load balancer where it is reached.
func (e *Engine) balanced(ctx context.Context, s manifest.Object, kind string) error {
	if kind != "LoadBalancer" || len(s.List("status", "loadBalancer", "ingress")) > 0 {
		return nil
	}
	after := s.Copy()
	after["status"] = map[string]any{"loadBalancer": map[string]any{"ingress": []any{map[string]any{"ip": "127.0.0.1"}}}}
	after.Drop("metadata", "resourceVersion")
	_, err := e.c.Cluster.Update(ctx, after, "status", manifest.Writing{Manager: who})
	return err
}

// groups are a port's endpoints by their revision, each with the weight of its number.
func groups(b workload.Backend) []Group {
	by := map[string]*Group{}
	for _, p := range b.Endpoints {
		if !p.Ready {
			continue
		}
		g := by[p.Hash]
		if g == nil {
			g = &Group{Name: cmp.Or(p.Hash, "all"), Hash: p.Hash}
			by[p.Hash] = g
		}
		g.Endpoints = append(g.Endpoints, p.Address)
		g.Weight++
	}
	var out []Group
	for _, hash := range slices.Sorted(maps.Keys(by)) {
		out = append(out, *by[hash])
	}
	return out
}

// shares are the groups that the traffic of a Service names.
func (e *Engine) shares(ctx context.Context, s manifest.Object, port workload.Backend, t workload.Traffic, pods []manifest.Object) ([]Group, error) {
	var out []Group
	for _, share := range t.Shares {
		of := s
		if share.Service != "" && share.Service != s.Name() {
			var err error
			of, err = e.c.Cluster.Get(ctx, workload.Service, s.Namespace(), share.Service)
			if manifest.NotFound(err) {
				out = append(out, Group{Name: share.Name, Hash: share.Hash, Weight: share.Weight})
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		backends, err := workload.Backends(of, pods)
		if err != nil {
			return nil, err
		}
		g := Group{Name: share.Name, Hash: share.Hash, Weight: share.Weight}
		for _, b := range backends {
			if b.Port != port.Port && (b.Name == "" || b.Name != port.Name) {
				continue
			}
			for _, p := range b.Endpoints {
				if p.Ready && (share.Hash == "" || p.Hash == share.Hash) {
					g.Endpoints = append(g.Endpoints, p.Address)
					g.Hash = cmp.Or(g.Hash, p.Hash)
				}
			}
			break
		}
		out = append(out, g)
	}
	return out, nil
}

// byHand takes the endpoints of a Service without a selector from the EndpointSlices that somebody wrote for it.
func byHand(backends []workload.Backend, ends []manifest.Object) {
	for i := range backends {
		for _, slice := range ends {
			for _, p := range slice.List("ports") {
				m, _ := p.(map[string]any)
				if port := manifest.Object(m); port.Text("name") == backends[i].Name {
					for _, end := range slice.List("endpoints") {
						em, _ := end.(map[string]any)
						if ready, said := manifest.Object(em).At("conditions", "ready"); said && ready != true {
							continue
						}
						for _, a := range manifest.Object(em).List("addresses") {
							backends[i].Endpoints = append(backends[i].Endpoints, workload.Endpoint{Address: net.JoinHostPort(fmt.Sprint(a), fmt.Sprint(port.Int(0, "port"))), Ready: true})
						}
					}
				}
			}
		}
	}
}

// close ends a Service's listeners.
func (e *Engine) close(key manifest.Key) {
	e.mu.Lock()
	names := e.listeners[key]
	delete(e.listeners, key)
	delete(e.addresses, key)
	delete(e.told, key)
	e.mu.Unlock()
	for _, n := range names {
		e.c.Proxy.Drop(n)
	}
}

// Reach is where a Service is reached; nothing where it has no listener.
func (e *Engine) Reach(key manifest.Key) []Reachable {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.addresses[key])
}

// names tells the pods of a namespace, and of the others, the names of its Services, as a cluster's DNS does.
func (e *Engine) names(ctx context.Context, namespace string) error {
	all, err := e.c.Cluster.List(ctx, workload.Service, "", "")
	if err != nil {
		return err
	}
	pods, err := e.c.Cluster.List(ctx, workload.Pod, "", "")
	if err != nil {
		return err
	}
	spaces := map[string]bool{namespace: true}
	for _, p := range pods {
		spaces[p.Namespace()] = true
	}
	for space := range spaces {
		var lines []string
		for _, s := range all {
			lines = append(lines, namesOf(s, space, pods)...)
		}
		if err := e.c.Pods.SetNames(space, lines); err != nil {
			return err
		}
	}
	return nil
}

func namesOf(s manifest.Object, space string, pods []manifest.Object) []string {
	full := s.Name() + "." + s.Namespace()
	forms := []string{full, full + ".svc", full + ".svc.cluster.local"}
	if s.Namespace() == space {
		forms = append([]string{s.Name()}, forms...)
	}
	ip := s.Text("spec", "clusterIP")
	if ip != "" && ip != "None" {
		return []string{ip + " " + strings.Join(forms, " ")}
	}
	var out []string
	backends, err := workload.Backends(s, pods)
	if err != nil || ip == "" {
		return nil
	}
	ready := map[string]string{}
	for _, b := range backends {
		for _, p := range b.Endpoints {
			host, _, _ := net.SplitHostPort(p.Address)
			ready[p.Pod] = host
		}
	}
	for _, pod := range slices.Sorted(maps.Keys(ready)) {
		var own []string
		for _, f := range forms {
			own = append(own, pod+"."+f)
		}
		out = append(out, ready[pod]+" "+strings.Join(append(forms, own...), " "))
	}
	return out
}
