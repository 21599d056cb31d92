package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// result is what a load test found.
type result struct {
	took  []time.Duration // of every request, ascending
	wrong []error
	span  time.Duration
}

func sum(customers []customer, span time.Duration) result {
	r := result{span: span}
	for _, c := range customers {
		r.took = append(r.took, c.took...)
		r.wrong = append(r.wrong, c.wrong...)
	}
	slices.Sort(r.took)
	return r
}

// at gives a percentile by the nearest-rank method: the least time that share of all requests did not exceed.
func (r result) at(share float64) time.Duration {
	if len(r.took) == 0 {
		return 0
	}
	rank := int(share*float64(len(r.took))+0.9999999) - 1
	return r.took[min(max(rank, 0), len(r.took)-1)]
}

func (r result) rate() float64 {
	if r.span <= 0 {
		return 0
	}
	return float64(len(r.took)) / r.span.Seconds()
}

func (r result) share() float64 {
	if len(r.took) == 0 {
		return 0
	}
	return float64(len(r.wrong)) / float64(len(r.took))
}

func (r result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests in %.1f s: %.0f requests/s\n", len(r.took), r.span.Seconds(), r.rate())
	fmt.Fprintf(&b, "p50 %s   p95 %s   p99 %s\n", ms(r.at(0.50)), ms(r.at(0.95)), ms(r.at(0.99)))
	fmt.Fprintf(&b, "%d errors (%.2f %%)\n", len(r.wrong), 100*r.share())
	for _, err := range r.wrong[:min(3, len(r.wrong))] {
		fmt.Fprintf(&b, "  %v\n", err)
	}
	return b.String()
}

// metrics gives the figures as GitLab's metrics report wants them: OpenMetrics text.
func (r result) metrics() string {
	return fmt.Sprintf("requests_per_second %.1f\nrequest_p50_seconds %g\nrequest_p95_seconds %g\nrequest_p99_seconds %g\nrequest_error_ratio %g\n",
		r.rate(), r.at(0.50).Seconds(), r.at(0.95).Seconds(), r.at(0.99).Seconds(), r.share())
}

// judge says what was not good enough.
func (r result) judge(most float64, p99 time.Duration) error {
	var all []error
	if len(r.took) == 0 {
		all = append(all, errors.New("no request was answered"))
	}
	if r.share() > most {
		all = append(all, fmt.Errorf("%.2f %% of the requests went wrong; %.2f %% may", 100*r.share(), 100*most))
	}
	if got := r.at(0.99); got > p99 {
		all = append(all, fmt.Errorf("p99 is %s; at most %s", ms(got), ms(p99)))
	}
	return errors.Join(all...)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
