package workload

import (
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// TrafficAnnotation on a Service says how the local target's proxy shares out its requests: a Traffic as JSON. Whoever routes
// the traffic of a rollout writes it on the stable (or root) Service.
const TrafficAnnotation = "sluice.dev/traffic"

// Traffic is how the requests of one Service are shared out. Without it all pods behind the Service get the same.
type Traffic struct {
	Shares  []Share  `json:"shares"`
	Routes  []Route  `json:"routes,omitempty"` // the first that matches, whatever the weights are
	Mirrors []Mirror `json:"mirrors,omitempty"`
	Sticky  *Sticky  `json:"sticky,omitempty"`
}

// Share is the part that one group of pods gets: those behind Service, of its namespace, or of them only those with Hash.
// Weights are shares of their sum.
type Share struct {
	Name    string `json:"name"` // "stable", "canary"
	Service string `json:"service"`
	Hash    string `json:"hash,omitempty"`
	Weight  int    `json:"weight"`
}

// Match is what a request must be like; all that is set must hold.
type Match struct {
	Method  *Text           `json:"method,omitempty"`
	Path    *Text           `json:"path,omitempty"`
	Headers map[string]Text `json:"headers,omitempty"`
	Cookies map[string]Text `json:"cookies,omitempty"`
}

// Text matches a string in one of three ways.
type Text struct {
	Exact  string `json:"exact,omitempty"`
	Prefix string `json:"prefix,omitempty"`
	Regex  string `json:"regex,omitempty"`
}

// Route sends what matches to a share.
type Route struct {
	Name  string `json:"name"`
	Match Match  `json:"match"`
	Share string `json:"share"`
}

// Mirror sends a copy of what matches to a share and drops the answer; of all that matches so many percent.
type Mirror struct {
	Name    string `json:"name"`
	Match   Match  `json:"match"`
	Share   string `json:"share"`
	Percent int    `json:"percent"`
}

// Sticky keeps a client with the share that served it first, by a cookie.
type Sticky struct {
	Cookie string `json:"cookie"`
	MaxAge int    `json:"maxAge,omitempty"` // seconds; 0 until the browser ends
}

// TrafficOf reads a Service's annotation; false where there is none.
func TrafficOf(service manifest.Object) (Traffic, bool, error) {
	var t Traffic
	text := service.Annotation(TrafficAnnotation)
	if text == "" {
		return t, false, nil
	}
	if err := manifest.Decode([]byte(text), &t); err != nil {
		return t, false, fmt.Errorf("the annotation %s of Service %s: %w", TrafficAnnotation, service.Name(), err)
	}
	return t, true, nil
}

// HTTP says whether a port of a Service speaks HTTP, so that its requests can be counted and routed one by one: its appProtocol
// says so (http, h2c, ws, grpc), or its name begins with http, grpc or web, or it is port 80, 8080 or 3000 without a name
// or appProtocol that says otherwise. Everything else is a stream of bytes.
func (b Backend) HTTP() bool {
	if b.AppProtocol != "" {
		p := b.AppProtocol[strings.LastIndex(b.AppProtocol, "/")+1:]
		return strings.HasPrefix(p, "http") && p != "https" || p == "h2c" || p == "ws" || p == "grpc"
	}
	front, _, _ := strings.Cut(b.Name, "-")
	switch front {
	case "http", "http2", "grpc", "web", "ws":
		return true
	case "":
		return b.Port == 80 || b.Port == 8080 || b.Port == 3000
	}
	return false
}
