// Package metrics counts and times requests and writes them in Prometheus' text format.
//
// It holds what this service needs and no more: one counter and one histogram by route, and values read when they are asked for.
package metrics

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// bounds are the upper ends of the histogram's buckets, in seconds.
var bounds = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5}

// Registry is safe for use by several goroutines. Its zero value is ready.
type Registry struct {
	mu     sync.Mutex
	routes map[string]*route
	values []value
}

type route struct {
	codes   map[int]int64
	buckets []int64 // of len(bounds)+1, not cumulated
	sum     time.Duration
}

type value struct {
	name, kind, help, labels string
	read                     func() float64
}

// Observe counts one request. A route is a pattern, never a path: paths have no end.
func (r *Registry) Observe(pattern string, code int, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.routes == nil {
		r.routes = map[string]*route{}
	}
	one := r.routes[pattern]
	if one == nil {
		one = &route{codes: map[int]int64{}, buckets: make([]int64, len(bounds)+1)}
		r.routes[pattern] = one
	}
	one.codes[code]++
	one.sum += took
	at, _ := slices.BinarySearch(bounds, took.Seconds())
	one.buckets[at]++
}

// Value adds a metric that is read when the page is written. Kind is counter or gauge; labels are written as they are, without braces.
func (r *Registry) Value(name, kind, help, labels string, read func() float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values = append(r.values, value{name, kind, help, labels, read})
}

// WriteTo writes the page, ordered, so that equal states give equal pages.
func (r *Registry) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	r.mu.Lock()
	for _, v := range r.values {
		head(&b, v.name, v.kind, v.help)
		labels := ""
		if v.labels != "" {
			labels = "{" + v.labels + "}"
		}
		fmt.Fprintf(&b, "%s%s %g\n", v.name, labels, v.read())
	}
	patterns := slices.Sorted(maps.Keys(r.routes))
	head(&b, "http_requests_total", "counter", "Requests by route and status code.")
	for _, p := range patterns {
		for _, code := range slices.Sorted(maps.Keys(r.routes[p].codes)) {
			fmt.Fprintf(&b, "http_requests_total{route=%q,code=\"%d\"} %d\n", p, code, r.routes[p].codes[code])
		}
	}
	head(&b, "http_request_duration_seconds", "histogram", "Time to answer, by route.")
	for _, p := range patterns {
		r.routes[p].write(&b, p)
	}
	r.mu.Unlock()
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (o *route) write(b *strings.Builder, pattern string) {
	var sum int64
	for i, n := range o.buckets {
		sum += n
		le := "+Inf"
		if i < len(bounds) {
			le = fmt.Sprintf("%g", bounds[i])
		}
		fmt.Fprintf(b, "http_request_duration_seconds_bucket{route=%q,le=%q} %d\n", pattern, le, sum)
	}
	fmt.Fprintf(b, "http_request_duration_seconds_sum{route=%q} %g\n", pattern, o.sum.Seconds())
	fmt.Fprintf(b, "http_request_duration_seconds_count{route=%q} %d\n", pattern, sum)
}

func head(b *strings.Builder, name, kind, help string) {
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}
