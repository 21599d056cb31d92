package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
)

// prometheus asks a Prometheus server. The value is a number for a scalar, a list of numbers for a vector or a matrix
// (https://argo-rollouts.readthedocs.io/en/stable/analysis/prometheus/).
func (p *Probe) prometheus(ctx context.Context, metric analysis.Metric, m analysis.Measurement) (analysis.Measurement, error) {
	query := metric.Provider.Prometheus
	timeout := 30 * time.Second
	if query.Timeout != nil {
		if *query.Timeout < 0 {
			return m, errors.New("prometheus timeout should not be negative")
		}
		timeout = time.Duration(*query.Timeout) * time.Second
	}
	ctx, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	c, err := p.server(ctx, *query)
	if err != nil {
		return m, err
	}
	answer, warnings, err := p.ask(ctx, c, *query)
	if err != nil {
		return m, err
	}
	value, err := numbers(answer)
	if err != nil {
		return m, err
	}
	m.Value = analysis.Text(value)
	if len(warnings) > 0 {
		quoted := make([]string, len(warnings))
		for i, w := range warnings {
			quoted[i] = `"` + w + `"`
		}
		m.Metadata = map[string]string{"warnings": strings.Join(quoted, ", ")}
	}
	m.Phase, err = analysis.Assess(metric, value)
	return m, err
}

// headers adds a metric's headers to the requests to its own server.
type headers struct {
	host string
	set  http.Header
	next http.RoundTripper
}

func (h headers) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == h.host {
		r = r.Clone(r.Context())
		for k, v := range h.set {
			r.Header[k] = v
		}
	}
	return h.next.RoundTrip(r)
}

func (p *Probe) server(ctx context.Context, query analysis.Prometheus) (promv1.API, error) {
	address := cmp.Or(p.Instead, query.Address, p.Prometheus)
	if address == "" {
		return nil, errors.New("prometheus address is not configured")
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("prometheus address is not is url format")
	}
	c := client(query.Insecure, 0)
	set := http.Header{}
	for _, h := range query.Headers {
		set.Set(h.Key, h.Value)
	}
	token, err := login(ctx, query.Authentication, c)
	if err != nil {
		return nil, err
	}
	if token != "" {
		set.Set("Authorization", token)
	}
	c.Transport = headers{u.Host, set, c.Transport}
	made, err := api.NewClient(api.Config{Address: address, Client: c})
	if err != nil {
		return nil, err
	}
	return promv1.NewAPI(made), nil
}

func (p *Probe) ask(ctx context.Context, c promv1.API, query analysis.Prometheus) (model.Value, promv1.Warnings, error) {
	now := p.now()
	if query.RangeQuery == nil {
		answer, warnings, _, err := c.Query(ctx, query.Query, now)
		return answer, warnings, err
	}
	from, err := analysis.Moment(query.RangeQuery.Start, now)
	if err != nil {
		return nil, nil, fmt.Errorf("failed to parse rangeQuery.start as time: %w", err)
	}
	to, err := analysis.Moment(query.RangeQuery.End, now)
	if err != nil {
		return nil, nil, fmt.Errorf("failed to parse rangeQuery.end as time: %w", err)
	}
	step, err := time.ParseDuration(query.RangeQuery.Step)
	if err != nil {
		return nil, nil, fmt.Errorf("failed to parse rangeQuery.step as duration: %w", err)
	}
	answer, warnings, _, err := c.QueryRange(ctx, query.Query, promv1.Range{Start: from, End: to, Step: step})
	return answer, warnings, err
}

// numbers are an answer's values without names and times: a float64 or a []float64.
func numbers(answer model.Value) (any, error) {
	switch v := answer.(type) {
	case *model.Scalar:
		return float64(v.Value), nil
	case model.Vector:
		out := make([]float64, 0, len(v))
		for _, s := range v {
			out = append(out, float64(s.Value))
		}
		return out, nil
	case model.Matrix:
		out := []float64{}
		for _, stream := range v {
			for _, s := range stream.Values {
				out = append(out, float64(s.Value))
			}
		}
		return out, nil
	}
	//lint:ignore ST1005 Argo's words
	return nil, errors.New("Prometheus metric type not supported")
}
