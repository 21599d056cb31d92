package analysis

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// retryAfter is how long after an error a metric is measured again, and how often one without an interval would be.
const retryAfter = 10 * time.Second

// How the messages of runs that cannot be begun start.
const (
	unresolved = "Unable to resolve metric arguments"
	invalid    = "Analysis spec invalid"
)

// Next is what an AnalysisRun needs now: the readings that are due, or else its new status and when to look again. Rules
// are those of https://argo-rollouts.readthedocs.io/en/stable/features/analysis/: a metric is first measured after its
// initialDelay, then every interval until its count is reached; an error is tried again after ten seconds; a reading that
// has not ended is gone on with at its ResumeAt; a run that is to end takes no new readings and stops those under way.
// A finished run is deleted when its ttlStrategy says so.
func Next(run Run, values Values, now time.Time) Step {
	if run.Status.Phase.Completed() {
		return finished(run, now)
	}
	metrics, err := check(run)
	if err != nil {
		return Step{Status: broken(run.Status, err.Error())}
	}
	args, secrets, err := run.Spec.secretArgs(values)
	if err != nil {
		return Step{Status: Broken(run, err)}
	}
	var take []Reading
	for i, m := range metrics {
		r, due := reading(run, m, now)
		if !due {
			continue
		}
		if r.Arrange, err = Substitute(run.Spec.Metrics[i], args); err != nil {
			return Step{Status: Broken(run, errors.New(mask(err.Error(), secrets)))}
		}
		r.secrets = secrets
		take = append(take, r)
	}
	if len(take) > 0 {
		return Step{Status: run.Status, Take: take}
	}
	judged := run
	judged.Status = judge(run, metrics, nil, now)
	step := Step{Status: judged.Status}
	if !judged.Status.Phase.Completed() {
		step.After = wait(judged, metrics, now)
	} else {
		step.After = finished(judged, now).After
	}
	return step
}

// Broken is the status of a run whose arguments cannot be had, for example because a Secret is not there. err is not to
// hold a Secret's contents.
func Broken(run Run, err error) Status {
	return broken(run.Status, fmt.Sprintf("%s: %v", unresolved, err))
}

func broken(s Status, message string) Status {
	s.Phase, s.Message = Error, message
	return s
}

// check gives the metrics with arguments put in, and refuses a spec that contradicts itself.
func check(run Run) ([]Metric, error) {
	metrics, err := run.Spec.resolved()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", unresolved, err)
	}
	err = Validate(metrics)
	if err == nil {
		_, err = dryRun(run.Spec, metrics)
	}
	if err == nil {
		_, err = retention(run.Spec, metrics)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", invalid, err)
	}
	return metrics, nil
}

// reading is the metric's next reading where one is due now.
func reading(run Run, m Metric, now time.Time) (Reading, bool) {
	result := run.Status.result(m.Name)
	if result != nil && result.Phase.Completed() {
		return Reading{}, false
	}
	last, index := result.last()
	ending := run.ending()
	if last != nil && last.FinishedAt == nil {
		// Argo waits for ResumeAt even where the run ends.
		if last.ResumeAt != nil && last.ResumeAt.After(now) {
			return Reading{}, false
		}
		return Reading{Metric: m.Name, Index: index, Stop: ending}, true
	}
	fresh := Reading{Metric: m.Name, Index: -1}
	if ending {
		return Reading{}, false
	}
	if last == nil {
		if m.InitialDelay == "" {
			return fresh, true
		}
		delay, err := time.ParseDuration(m.InitialDelay)
		started := run.Status.StartedAt
		return fresh, err == nil && started != nil && !started.Add(delay).After(now)
	}
	if m.reached(*result) {
		return Reading{}, false
	}
	return fresh, now.After(last.FinishedAt.Add(m.pause(*last)))
}

// pause is how long after a measurement the next one is taken.
func (m Metric) pause(last Measurement) time.Duration {
	if last.Phase == Error || m.Interval == "" {
		return retryAfter
	}
	d, err := time.ParseDuration(m.Interval)
	if err != nil {
		return retryAfter // Validate refuses it
	}
	return d
}

func (m Metric) reached(r MetricResult) bool {
	count, ends := m.EffectiveCount()
	return ends && r.Count >= count
}

// wait is how long nothing is due; zero where only a change can bring something.
func wait(run Run, metrics []Metric, now time.Time) time.Duration {
	var soonest time.Time
	for _, m := range metrics {
		at, ok := due(run, m, now)
		if ok && (soonest.IsZero() || at.Before(soonest)) {
			soonest = at
		}
	}
	if soonest.IsZero() {
		return 0
	}
	// A measurement is due only after its moment.
	return max(soonest.Sub(now), 0) + time.Millisecond
}

// due is when something is to be done for a metric.
func due(run Run, m Metric, now time.Time) (time.Time, bool) {
	result := run.Status.result(m.Name)
	if result != nil && result.Phase.Completed() {
		return time.Time{}, false
	}
	last, _ := result.last()
	switch {
	case last == nil && m.InitialDelay != "":
		delay, err := time.ParseDuration(m.InitialDelay)
		started := now
		if run.Status.StartedAt != nil {
			started = *run.Status.StartedAt
		}
		return started.Add(delay), err == nil
	case last == nil:
		return now, !run.ending()
	case last.FinishedAt == nil:
		if last.ResumeAt == nil {
			return time.Time{}, false
		}
		return *last.ResumeAt, true
	case m.reached(*result) || run.ending():
		return time.Time{}, false
	}
	return last.FinishedAt.Add(m.pause(*last)), true
}

// ending reports whether the run takes no new readings: it is to be terminated, or a metric that counts has gone wrong.
func (r Run) ending() bool {
	return r.Spec.Terminate || slices.ContainsFunc(r.Status.MetricResults, func(m MetricResult) bool {
		return !m.DryRun && m.Phase.Completed() && m.Phase != Successful
	})
}

// finished deletes a run that has been over for long enough (ttlStrategy).
func finished(run Run, now time.Time) Step {
	step := Step{Status: run.Status}
	ttl, at := run.Spec.TTLStrategy, run.Status.CompletedAt
	if ttl == nil || at == nil {
		return step
	}
	seconds := ttl.SecondsAfterCompletion
	if run.Status.Phase == Successful && ttl.SecondsAfterSuccess != nil {
		seconds = ttl.SecondsAfterSuccess
	}
	if run.Status.Phase == Failed && ttl.SecondsAfterFailure != nil {
		seconds = ttl.SecondsAfterFailure
	}
	if seconds == nil {
		return step
	}
	end := at.Add(time.Duration(*seconds+1) * time.Second) // Argo counts whole seconds past the limit
	if end.After(now) {
		step.After = end.Sub(now)
	} else {
		step.Delete = true
	}
	return step
}

func (s Status) result(metric string) *MetricResult {
	for i := range s.MetricResults {
		if s.MetricResults[i].Name == metric {
			return &s.MetricResults[i]
		}
	}
	return nil
}

// last is the newest measurement and its index.
func (r *MetricResult) last() (*Measurement, int) {
	if r == nil || len(r.Measurements) == 0 {
		return nil, -1
	}
	i := len(r.Measurements) - 1
	return &r.Measurements[i], i
}
