package meter

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// Query evaluates an expression at a time.
func (s *Store) Query(ctx context.Context, expression string, at time.Time) (parser.Value, error) {
	q, err := s.engine.NewInstantQuery(ctx, s, nil, expression, at)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	return result(q.Exec(ctx))
}

// Range evaluates an expression at each step of a span.
func (s *Store) Range(ctx context.Context, expression string, from, to time.Time, step time.Duration) (parser.Value, error) {
	q, err := s.engine.NewRangeQuery(ctx, s, nil, expression, from, to, step)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	return result(q.Exec(ctx))
}

// result takes the value out of a query, which reuses its memory once closed: it is copied by its JSON form only later, so
// series are cloned here.
func result(r *promql.Result) (parser.Value, error) {
	if r.Err != nil {
		return nil, r.Err
	}
	switch v := r.Value.(type) {
	case promql.Vector:
		return slices.Clone(v), nil
	case promql.Matrix:
		out := make(promql.Matrix, len(v))
		for i, x := range v {
			out[i] = promql.Series{Metric: x.Metric, Floats: slices.Clone(x.Floats), Histograms: slices.Clone(x.Histograms)}
		}
		return out, nil
	default:
		return v, nil
	}
}

// Handler serves /metrics and Prometheus' query interface: /api/v1/query, /api/v1/query_range.
func (s *Store) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/api/v1/query", s.query)
	mux.HandleFunc("/api/v1/query_range", s.queryRange)
	return mux
}

func (s *Store) query(w http.ResponseWriter, r *http.Request) {
	at, err := moment(r.FormValue("time"), time.Now())
	if err != nil {
		refuse(w, http.StatusBadRequest, "bad_data", err)
		return
	}
	v, err := s.Query(r.Context(), r.FormValue("query"), at)
	answer(w, v, err)
}

func (s *Store) queryRange(w http.ResponseWriter, r *http.Request) {
	from, err1 := moment(r.FormValue("start"), time.Time{})
	to, err2 := moment(r.FormValue("end"), time.Time{})
	step, err3 := span(r.FormValue("step"))
	if err := errors.Join(err1, err2, err3); err != nil {
		refuse(w, http.StatusBadRequest, "bad_data", err)
		return
	}
	if step <= 0 || to.Before(from) || to.Sub(from)/step > 11_000 {
		refuse(w, http.StatusBadRequest, "bad_data", errors.New("the range is empty, its step is none, or it has more than 11,000 points"))
		return
	}
	v, err := s.Range(r.Context(), r.FormValue("query"), from, to, step)
	answer(w, v, err)
}

// moment reads a Unix time in seconds or an RFC 3339 time.
func moment(text string, other time.Time) (time.Time, error) {
	if text == "" {
		if other.IsZero() {
			return other, errors.New("a time is missing")
		}
		return other, nil
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		sec, frac := math.Modf(f)
		return time.Unix(int64(sec), int64(frac*1e9)), nil
	}
	return time.Parse(time.RFC3339Nano, text)
}

// span reads seconds or a duration of Prometheus ("15s", "1m").
func span(text string) (time.Duration, error) {
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Duration(f * float64(time.Second)), nil
	}
	d, err := model.ParseDuration(text)
	return time.Duration(d), err
}

func answer(w http.ResponseWriter, v parser.Value, err error) {
	if err != nil {
		code, kind := http.StatusUnprocessableEntity, "execution"
		if _, ok := errors.AsType[parser.ParseErrors](err); ok {
			code, kind = http.StatusBadRequest, "bad_data"
		}
		refuse(w, code, kind, err)
		return
	}
	reply(w, http.StatusOK, map[string]any{"status": "success", "data": map[string]any{"resultType": v.Type(), "result": v}})
}

func refuse(w http.ResponseWriter, code int, kind string, err error) {
	reply(w, code, map[string]any{"status": "error", "errorType": kind, "error": err.Error()})
}

func reply(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

// Querier lets Prometheus' engine read the store.
func (s *Store) Querier(from, to int64) (storage.Querier, error) { return &querier{s, from, to}, nil }

type querier struct {
	store    *Store
	from, to int64
}

func (q *querier) Close() error { return nil }

// LabelNames is not asked for by queries.
func (q *querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errors.ErrUnsupported
}

// LabelValues is not asked for by queries.
func (q *querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errors.ErrUnsupported
}

// Select gives the series that match, with the samples of the span.
func (q *querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	q.store.mu.RLock()
	defer q.store.mu.RUnlock()
	var found []storage.Series
	for _, x := range q.store.series {
		if !matches(x.labels, matchers) {
			continue
		}
		var in []chunks.Sample
		for _, p := range x.samples {
			if p.at >= q.from && p.at <= q.to {
				in = append(in, p)
			}
		}
		if len(in) > 0 {
			found = append(found, storage.NewListSeries(x.labels, in))
		}
	}
	slices.SortFunc(found, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return &set{series: found, at: -1}
}

func matches(l labels.Labels, all []*labels.Matcher) bool {
	for _, m := range all {
		if !m.Matches(l.Get(m.Name)) {
			return false
		}
	}
	return true
}

type set struct {
	series []storage.Series
	at     int
}

func (s *set) Next() bool                        { s.at++; return s.at < len(s.series) }
func (s *set) At() storage.Series                { return s.series[s.at] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

// The methods of a sample that Prometheus' engine reads; there are no native histograms here.

func (p sample) ST() int64                     { return 0 }
func (p sample) T() int64                      { return p.at }
func (p sample) F() float64                    { return p.value }
func (p sample) H() *histogram.Histogram       { return nil }
func (p sample) FH() *histogram.FloatHistogram { return nil }
func (p sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (p sample) Copy() chunks.Sample           { return p }
