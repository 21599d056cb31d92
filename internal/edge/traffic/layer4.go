package traffic

import (
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// matches are the ports and the SNI hosts of a TLS or TCP route's match blocks. A route that matches several ports is meant
// by no port.
func matchesOf(route manifest.Object) (port int64, hosts []string, single bool) {
	single = true
	for i, e := range route.List("match") {
		m, _ := e.(map[string]any)
		block := manifest.Object(m)
		this := block.Int(0, "port")
		if i > 0 && this != port {
			single = false
		}
		port = this
		for _, h := range block.List("sniHosts") {
			if s, ok := h.(string); ok && !slices.Contains(hosts, s) {
				hosts = append(hosts, s)
			}
		}
	}
	slices.Sort(hosts)
	return port, hosts, single
}

// matchesTLS reports whether a route has the port and exactly the SNI hosts of one that the Rollout names.
func matchesTLS(route manifest.Object, named []rollout.TLSRoute) bool {
	port, hosts, single := matchesOf(route)
	return single && slices.ContainsFunc(named, func(t rollout.TLSRoute) bool {
		want := slices.Clone(t.SNIHosts)
		slices.Sort(want)
		return t.Port == port && slices.Equal(slices.Compact(want), hosts)
	})
}

// matchesTCP reports whether a route has the port of one that the Rollout names.
func matchesTCP(route manifest.Object, named []rollout.TCPRoute) bool {
	port, _, single := matchesOf(route)
	return single && slices.ContainsFunc(named, func(t rollout.TCPRoute) bool { return t.Port == port })
}
