// Package meter is the metric store of the local target: it samples the metrics of this process and of the pods that ask
// to be scraped, keeps them for a while in memory, and answers PromQL (https://prometheus.io/docs/prometheus/latest/querying/api/)
// with Prometheus' own engine, so that an AnalysisTemplate that was written for a cluster measures here too. It keeps
// nothing on disk and is no replacement for a Prometheus.
package meter

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// The bounds of the store.
const (
	seriesMost  = 50_000
	bodyMost    = 16 << 20
	queryMost   = 5_000_000 // samples held by one query
	queryLimit  = 10 * time.Second
	scrapeLimit = 2 * time.Second
	lookback    = 15 * time.Second // how old a sample may be to count as now; a vanished series ends at once
)

// Target is a page of metrics to scrape. Labels are added to each of its series.
type Target struct {
	URL    string
	Labels map[string]string
}

// Store keeps samples. New makes one; the zero value is not usable.
type Store struct {
	registry *prometheus.Registry
	keep     time.Duration
	engine   *promql.Engine
	client   *http.Client

	mu      sync.RWMutex
	series  map[uint64]*series
	dropped int
}

// series is one metric with its labels and what was read of it, oldest first.
type series struct {
	labels  labels.Labels
	samples []sample
	gone    bool
}

type sample struct {
	at    int64 // milliseconds
	value float64
}

// New makes a store that keeps samples for a while.
func New(keep time.Duration) *Store {
	return &Store{
		registry: prometheus.NewRegistry(),
		keep:     keep,
		client:   &http.Client{Timeout: scrapeLimit},
		series:   map[uint64]*series{},
		engine: promql.NewEngine(promql.EngineOpts{
			MaxSamples: queryMost, Timeout: queryLimit, LookbackDelta: lookback, EnableAtModifier: true, EnableNegativeOffset: true,
			Parser:                   parser.NewParser(parser.Options{}),
			NoStepSubqueryIntervalFn: func(int64) int64 { return time.Second.Milliseconds() },
		}),
	}
}

// Registry is where this process' metrics are registered.
func (s *Store) Registry() *prometheus.Registry { return s.registry }

// Run samples each interval until ctx ends. targets are asked anew every time.
func (s *Store) Run(ctx context.Context, every time.Duration, targets func() []Target) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.Sample(ctx, now, targets())
		}
	}
}

// Sample reads everything once. What cannot be read ends its series; the series "up" tells which (as Prometheus' does).
func (s *Store) Sample(ctx context.Context, now time.Time, targets []Target) {
	type reading struct {
		samples model.Vector
		labels  map[string]string
		up      *float64
	}
	readings := make([]reading, len(targets)+1)
	own, _ := s.registry.Gather() // what was gathered is given also beside an error
	readings[0] = reading{samples: extract(own, now)}
	var all sync.WaitGroup
	for i, t := range targets {
		all.Go(func() {
			up := 1.0
			found, err := s.scrape(ctx, t.URL, now)
			if err != nil {
				up = 0
			}
			readings[i+1] = reading{samples: found, labels: t.Labels, up: &up}
		})
	}
	all.Wait()
	at := now.UnixMilli()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range readings {
		for _, x := range r.samples {
			s.put(name(x.Metric, r.labels), at, float64(x.Value))
		}
		if r.up != nil {
			s.put(name(model.Metric{model.MetricNameLabel: "up"}, r.labels), at, *r.up)
		}
	}
	s.age(at)
}

func extract(families []*dto.MetricFamily, now time.Time) model.Vector {
	v, _ := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.TimeFromUnixNano(now.UnixNano())}, families...)
	return v
}

func (s *Store) scrape(ctx context.Context, url string, now time.Time) (model.Vector, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", url, resp.Status)
	}
	p := expfmt.NewTextParser(model.UTF8Validation)
	found, err := p.TextToMetricFamilies(http.MaxBytesReader(nil, resp.Body, bodyMost))
	if err != nil {
		return nil, err
	}
	families := make([]*dto.MetricFamily, 0, len(found))
	for _, f := range found {
		families = append(families, f)
	}
	return extract(families, now), nil
}

func name(m model.Metric, more map[string]string) labels.Labels {
	b := labels.NewBuilder(labels.EmptyLabels())
	for k, v := range m {
		b.Set(string(k), string(v))
	}
	for k, v := range more {
		b.Set(k, v)
	}
	return b.Labels()
}

func (s *Store) put(l labels.Labels, at int64, v float64) {
	h := l.Hash()
	x := s.series[h]
	if x == nil {
		if len(s.series) >= seriesMost {
			s.dropped++
			return
		}
		x = &series{labels: l}
		s.series[h] = x
	}
	x.gone = false
	x.samples = append(x.samples, sample{at, v})
}

// age ends the series that were not read this time and forgets what is too old.
func (s *Store) age(at int64) {
	oldest := at - s.keep.Milliseconds()
	for h, x := range s.series {
		if last := x.samples[len(x.samples)-1]; last.at != at && !x.gone {
			x.gone = true
			x.samples = append(x.samples, sample{at, math.Float64frombits(value.StaleNaN)})
		}
		n := 0
		for n < len(x.samples) && x.samples[n].at < oldest {
			n++
		}
		if n == len(x.samples) {
			delete(s.series, h)
			continue
		}
		if n > len(x.samples)/4 {
			x.samples = append([]sample(nil), x.samples[n:]...)
		}
	}
}
