package analysis

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// keep is how many measurements of a metric are kept where measurementRetention says nothing.
const keep = 10

// Judge is the status of a run after its readings: counts, the phase of each metric and of the run, and Argo Rollouts'
// messages. The run stays as it is.
func Judge(run Run, taken []Taken, now time.Time) Status {
	if run.Status.Phase.Completed() {
		return run.Status
	}
	metrics, err := check(run)
	if err != nil {
		return broken(run.Status, err.Error())
	}
	return judge(run, metrics, taken, now)
}

func judge(run Run, metrics []Metric, taken []Taken, now time.Time) Status {
	dry, _ := dryRun(run.Spec, metrics) // check has tried both
	limits, _ := retention(run.Spec, metrics)
	out := run
	out.Status.MetricResults = slices.Clone(run.Status.MetricResults)
	for _, t := range taken {
		_, isDry := dry[t.Reading.Metric]
		out.Status.count(t, isDry, now)
	}
	if out.Status.StartedAt == nil {
		out.Status.StartedAt = stamp(now)
	}
	phase, message := out.assess(metrics, dry)
	if phase != out.Status.Phase {
		out.Status.Phase, out.Status.Message = phase, message
		if phase.Completed() && out.Status.CompletedAt == nil {
			out.Status.CompletedAt = stamp(now)
		}
	}
	for i := range out.Status.MetricResults {
		r := &out.Status.MetricResults[i]
		if n := limit(limits, r.Name); len(r.Measurements) > n {
			r.Measurements = r.Measurements[len(r.Measurements)-n:]
		}
	}
	return out.Status
}

// Kept is how many measurements of a metric are kept; a provider that leaves something behind for each (job) removes what
// is older.
func Kept(run Run, metric string) int {
	metrics, err := run.Spec.resolved()
	if err != nil {
		return keep
	}
	limits, err := retention(run.Spec, metrics)
	if err != nil {
		return keep
	}
	return limit(limits, metric)
}

func limit(limits map[string]int, metric string) int {
	if n, ok := limits[metric]; ok {
		return n
	}
	return keep
}

// stamp is a moment as Kubernetes keeps it: UTC, whole seconds.
func stamp(at time.Time) *time.Time {
	at = at.UTC().Truncate(time.Second)
	return &at
}

// count takes a measurement up into its metric's result.
func (s *Status) count(t Taken, dry bool, now time.Time) {
	r := s.result(t.Reading.Metric)
	if r == nil {
		s.MetricResults = append(s.MetricResults, MetricResult{
			Name: t.Reading.Metric, Phase: Running, DryRun: dry, Metadata: masked(t.Metadata, t.Reading.secrets),
		})
		r = &s.MetricResults[len(s.MetricResults)-1]
	}
	m := t.Measurement
	if m.StartedAt == nil {
		m.StartedAt = stamp(now)
	}
	if m.Phase == "" {
		m.Phase = Running
	}
	if m.Phase.Completed() {
		if t.Reading.Stop && m.Phase == Successful {
			m.Message = "Metric Terminated"
		}
		if m.FinishedAt == nil {
			m.FinishedAt = stamp(now)
		}
		r.tally(m.Phase)
	}
	m.mask(t.Reading.secrets)
	r.Measurements = slices.Clone(r.Measurements)
	if i := t.Reading.Index; i >= 0 && i < len(r.Measurements) {
		r.Measurements[i] = m
	} else {
		r.Measurements = append(r.Measurements, m)
	}
}

func (m *Measurement) mask(secrets []string) {
	if len(secrets) == 0 {
		return
	}
	m.Message, m.Value = mask(m.Message, secrets), mask(m.Value, secrets)
	m.Metadata = masked(m.Metadata, secrets)
}

func masked(texts map[string]string, secrets []string) map[string]string {
	out := maps.Clone(texts)
	for k, v := range out {
		out[k] = mask(v, secrets)
	}
	return out
}

func (r *MetricResult) tally(p Phase) {
	switch p {
	case Successful:
		r.Successful++
		r.Count++
		r.ConsecutiveError = 0
		r.ConsecutiveSuccess++
		return
	case Failed:
		r.Failed++
	case Inconclusive:
		r.Inconclusive++
	case Error:
		r.Error++
		r.ConsecutiveError++
		r.ConsecutiveSuccess = 0
		return
	}
	r.Count++
	r.ConsecutiveError, r.ConsecutiveSuccess = 0, 0
}

// assess settles the phase of every metric and of the run.
func (r *Run) assess(metrics []Metric, dry map[string]int) (Phase, string) {
	var (
		worst    Phase
		message  string
		ending   = r.ending()
		over     = true
		counting Summary
		rehearse Summary
	)
	if r.Spec.Terminate {
		message = "Run Terminated"
	}
	for _, m := range metrics {
		_, isDry := dry[m.Name]
		sum := &counting
		if isDry {
			sum = &rehearse
		}
		sum.Count++
		result := r.Status.result(m.Name)
		if result == nil {
			over = false // not begun, for example because of its initial delay
			continue
		}
		result.settle(m, ending)
		if !result.Phase.Completed() {
			over = false
			continue
		}
		wrong, why := m.violated(*result)
		sum.add(wrong)
		if isDry {
			if worst == "" {
				worst = Successful
			}
			if why != "" {
				result.Message = fmt.Sprintf("Metric assessed %s due to %s", result.Phase, why)
			}
			continue
		}
		if worst == "" || worse(worst, result.Phase) {
			worst = result.Phase
			if why != "" {
				message = fmt.Sprintf("Metric \"%s\" assessed %s due to %s", m.Name, result.Phase, why)
				if result.Message != "" {
					message += fmt.Sprintf(": \"Error Message: %s\"", result.Message)
				}
			}
		}
	}
	r.Status.RunSummary, r.Status.DryRunSummary = counting, &rehearse
	message = strings.TrimSpace(message)
	switch {
	case ending && worst == "":
		return Successful, message
	case ending:
		return worst, message
	case !over || worst == "":
		return Running, ""
	}
	return worst, message
}

func (s *Summary) add(p Phase) {
	switch p {
	case Error:
		s.Error++
	case Failed:
		s.Failed++
	case Inconclusive:
		s.Inconclusive++
	default:
		s.Successful++
	}
}

// settle gives a result the phase that its counts come to; a phase that is final stays.
func (r *MetricResult) settle(m Metric, ending bool) {
	phase := m.phase(*r, ending)
	if phase == r.Phase {
		return
	}
	if last, _ := r.last(); last != nil {
		r.Message = last.Message
	}
	r.Phase = phase
}

// phase is what a metric's counts come to by its limits, its count and whether the run ends.
func (m Metric) phase(r MetricResult, ending bool) Phase {
	if r.Phase.Completed() {
		return r.Phase
	}
	last, _ := r.last()
	switch {
	case last == nil && ending:
		return Successful
	case last == nil:
		return Pending
	case !last.Phase.Completed():
		return Running
	}
	if wrong, _ := m.violated(r); wrong != "" {
		return wrong
	}
	wanted := number(m.ConsecutiveSuccessLimit, 0)
	if wanted > 0 && r.ConsecutiveSuccess >= wanted {
		return Successful
	}
	if m.reached(r) {
		switch limited := number(m.FailureLimit, 0) >= 0; {
		case limited && wanted > 0:
			return Inconclusive
		case wanted > 0:
			return Failed
		}
		return Successful
	}
	if ending {
		return Successful
	}
	return Running
}

// violated is the limit that a metric's counts exceed and what it makes of the metric; errors weigh over inconclusive
// measurements, those over failures.
func (m Metric) violated(r MetricResult) (phase Phase, why string) {
	if n := number(m.FailureLimit, 0); n >= 0 && r.Failed > n {
		phase, why = Failed, fmt.Sprintf("failed (%d) > failureLimit (%d)", r.Failed, n)
	}
	if n := number(m.InconclusiveLimit, 0); r.Inconclusive > n {
		phase, why = Inconclusive, fmt.Sprintf("inconclusive (%d) > inconclusiveLimit (%d)", r.Inconclusive, n)
	}
	if n := number(m.ConsecutiveErrorLimit, defaultErrorLimit); r.ConsecutiveError > n {
		phase, why = Error, fmt.Sprintf("consecutiveErrors (%d) > consecutiveErrorLimit (%d)", r.ConsecutiveError, n)
	}
	return phase, why
}

// order ranks phases, best first.
var order = []Phase{Successful, Running, Pending, Inconclusive, Error, Failed}

func worse(current, other Phase) bool {
	return slices.Index(order, other) > max(slices.Index(order, current), 0)
}

// Worse reports whether other is a worse outcome than current: Successful, Running, Pending, Inconclusive, Error, Failed.
func Worse(current, other Phase) bool { return worse(current, other) }

// Event is told to whoever watches a run.
type Event struct {
	Reason  string
	Message string
	Warning bool
}

// Events are what a change of status is told as, with Argo Rollouts' reasons: MetricFailed, AnalysisRunSuccessful, ….
func Events(before, after Status) []Event {
	var out []Event
	for _, r := range after.MetricResults {
		was := before.result(r.Name)
		if r.Phase.Completed() && (was == nil || was.Phase != r.Phase) {
			out = append(out, event("Metric", r.Phase, fmt.Sprintf("Metric '%s' Completed. Result: %s", r.Name, r.Phase)))
		}
	}
	if after.Phase.Completed() && before.Phase != after.Phase {
		out = append(out, event("AnalysisRun", after.Phase, fmt.Sprintf("Analysis Completed. Result: %s", after.Phase)))
	}
	return out
}

func event(what string, p Phase, message string) Event {
	return Event{Reason: what + string(p), Message: message, Warning: p == Failed || p == Error}
}
