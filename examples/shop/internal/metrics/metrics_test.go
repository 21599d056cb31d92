package metrics_test

import (
	"strings"
	"testing"
	"time"

	"example.com/shop/internal/metrics"
)

func TestPage(t *testing.T) {
	var r metrics.Registry
	r.Value("shop_orders_total", "counter", "Orders placed.", "", func() float64 { return 7 })
	r.Value("shop_build_info", "gauge", "What runs.", `version="1.2.3"`, func() float64 { return 1 })
	r.Observe("GET /b", 200, 3*time.Millisecond)
	r.Observe("GET /a", 404, 5*time.Millisecond)
	r.Observe("GET /a", 200, 9*time.Second)

	var page strings.Builder
	if _, err := r.WriteTo(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# TYPE shop_orders_total counter\nshop_orders_total 7\n",
		`shop_build_info{version="1.2.3"} 1` + "\n",
		`http_requests_total{route="GET /a",code="200"} 1` + "\n" + `http_requests_total{route="GET /a",code="404"} 1` + "\n" + `http_requests_total{route="GET /b",code="200"} 1` + "\n",
		`http_request_duration_seconds_bucket{route="GET /b",le="0.0025"} 0` + "\n",
		`http_request_duration_seconds_bucket{route="GET /b",le="0.005"} 1` + "\n",
		`http_request_duration_seconds_bucket{route="GET /a",le="0.005"} 1` + "\n",
		`http_request_duration_seconds_bucket{route="GET /a",le="2.5"} 1` + "\n",
		`http_request_duration_seconds_bucket{route="GET /a",le="+Inf"} 2` + "\n",
		`http_request_duration_seconds_sum{route="GET /a"} 9.005` + "\n",
		`http_request_duration_seconds_count{route="GET /a"} 2` + "\n",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("missing:\n%s\nin:\n%s", want, page.String())
		}
	}
}
