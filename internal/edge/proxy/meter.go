package proxy

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// meter counts requests. The names follow Prometheus' practice for HTTP (https://prometheus.io/docs/practices/naming/).
type meter struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	flight   *prometheus.GaugeVec
	mirrored *prometheus.CounterVec
}

func newMeter(reg prometheus.Registerer) *meter {
	labels := []string{"namespace", "service", "group", "pod_template_hash"}
	m := &meter{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_proxy_requests_total", Help: "Requests that were answered, by the status code; code 0 is a client that left.",
		}, append(labels, "code")),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sluice_proxy_request_duration_seconds", Help: "Time from a request's header to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, labels),
		flight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_proxy_requests_in_flight", Help: "Requests and connections that are being served.",
		}, labels),
		mirrored: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_proxy_mirrored_requests_total", Help: "Copies of requests, by what became of them: sent, failed, dropped.",
		}, append(labels, "result")),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.seconds, m.flight, m.mirrored)
	}
	return m
}

// groupMeter holds one group's counters, so that counting a request looks nothing up.
type groupMeter struct {
	meter  *meter
	labels [4]string
	codes  sync.Map // int → prometheus.Counter
	time   prometheus.Observer
	flight prometheus.Gauge
}

func (m *meter) group(namespace, service, name, hash string) *groupMeter {
	g := &groupMeter{
		meter: m, labels: [4]string{namespace, service, name, hash},
		time:   m.seconds.WithLabelValues(namespace, service, name, hash),
		flight: m.flight.WithLabelValues(namespace, service, name, hash),
	}
	for _, code := range commonCodes {
		g.counter(code)
	}
	return g
}

// commonCodes are counted from zero on, so that a rate sees their first request.
var commonCodes = []int{200, 404, 500, 502, 503}

// begin counts a request in, the returned function counts it out with its status code.
func (g *groupMeter) begin() time.Time {
	g.flight.Inc()
	return time.Now()
}

func (g *groupMeter) end(since time.Time, code int) {
	g.flight.Dec()
	g.time.Observe(time.Since(since).Seconds())
	g.counter(code).Inc()
}

func (g *groupMeter) counter(code int) prometheus.Counter {
	c, ok := g.codes.Load(code)
	if !ok {
		c, _ = g.codes.LoadOrStore(code, g.meter.requests.WithLabelValues(g.labels[0], g.labels[1], g.labels[2], g.labels[3], strconv.Itoa(code)))
	}
	return c.(prometheus.Counter)
}

func (g *groupMeter) mirror(result string) {
	g.meter.mirrored.WithLabelValues(g.labels[0], g.labels[1], g.labels[2], g.labels[3], result).Inc()
}
