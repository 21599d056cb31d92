package meter_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-delivery/sluice/internal/edge/meter"
)

// world is a store with a counter and a histogram of ten minutes, read each second, and a client of Prometheus for it.
func world(t *testing.T, scraped ...meter.Target) (v1.API, *meter.Store, time.Time) {
	t.Helper()
	s := meter.New(time.Hour)
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total", Help: "x"}, []string{"code"})
	seconds := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "duration_seconds", Help: "x", Buckets: []float64{.1, .5, 1}})
	s.Registry().MustRegister(requests, seconds)
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for range 600 {
		requests.WithLabelValues("200").Add(9)
		requests.WithLabelValues("500").Add(1)
		seconds.Observe(.2)
		now = now.Add(time.Second)
		s.Sample(context.Background(), now, scraped)
	}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	c, err := api.NewClient(api.Config{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return v1.NewAPI(c), s, now
}

func TestPrometheusClientsAreAnswered(t *testing.T) {
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "# TYPE orders_total counter\norders_total{kind=\"web\"} 7\n# TYPE temperature gauge\ntemperature 21.5\n")
	}))
	defer pages.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	q, _, now := world(t,
		meter.Target{URL: pages.URL + "/metrics", Labels: map[string]string{"pod": "web-1"}},
		meter.Target{URL: gone.URL, Labels: map[string]string{"pod": "web-2"}})
	for query, want := range map[string]string{
		`sum(rate(requests_total{code=~"5.."}[1m])) / sum(rate(requests_total[1m]))`: `{} => 0.1 @[1795349400]`,
		`requests_total{code="200"}`: `requests_total{code="200"} => 5400 @[1795349400]`,
		`histogram_quantile(0.5, sum by (le) (rate(duration_seconds_bucket[5m])))`: `{} => 0.30000000000000004 @[1795349400]`,
		`orders_total`:            `orders_total{kind="web", pod="web-1"} => 7 @[1795349400]`,
		`temperature > 30`:        ``,
		`up{pod="web-2"}`:         `up{pod="web-2"} => 0 @[1795349400]`,
		`scalar(up{pod="web-1"})`: `scalar: 1 @[1795349400]`,
		`count(nothing)`:          ``,
		`max_over_time(temperature[1m:5s] offset 1m)`: `{pod="web-1"} => 21.5 @[1795349400]`,
	} {
		v, _, _, err := q.Query(context.Background(), query, now)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if got := v.String(); got != want {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
	}
	v, _, _, err := q.QueryRange(context.Background(), `sum(rate(requests_total[1m]))`, v1.Range{Start: now.Add(-2 * time.Minute), End: now, Step: time.Minute})
	if err != nil || v.String() != "{} =>\n10 @[1795349280]\n10 @[1795349340]\n10 @[1795349400]" {
		t.Errorf("a range: %v %v", v, err)
	}
	for _, query := range []string{`sum(`, `rate(requests_total)`} {
		if _, _, _, err := q.Query(context.Background(), query, now); err == nil {
			t.Errorf("%s is taken", query)
		}
	}
}

func TestASeriesThatVanishesEndsAtOnce(t *testing.T) {
	here := true
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if here {
			fmt.Fprint(w, "temperature 21\n")
		}
	}))
	defer page.Close()
	s := meter.New(time.Minute)
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	targets := []meter.Target{{URL: page.URL}}
	value := func() string {
		v, err := s.Query(context.Background(), "temperature", now)
		if err != nil {
			t.Fatal(err)
		}
		return v.String()
	}
	s.Sample(context.Background(), now, targets)
	if value() == "" {
		t.Error("what was read is not there")
	}
	here = false
	now = now.Add(time.Second)
	s.Sample(context.Background(), now, targets)
	if got := value(); got != "" {
		t.Errorf("what vanished is still %s", got)
	}
	now = now.Add(2 * time.Minute)
	s.Sample(context.Background(), now, nil)
	v, err := s.Query(context.Background(), "max_over_time(temperature[10m])", now)
	if err != nil || v.String() != "" {
		t.Errorf("what is older than the store keeps is still there: %v %v", v, err)
	}
}
