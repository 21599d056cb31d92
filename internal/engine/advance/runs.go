package advance

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// poll is how often a reading that takes time is looked at where nothing tells of its end.
const poll = 5 * time.Second

// flights are the measurements that are being taken, by run.
type flights struct {
	limit chan struct{} // one place for each measurement at once

	mu   sync.Mutex
	runs map[string]*flight // by UID
}

// flight is what is under way for one run and what has come of it.
type flight struct {
	flying map[string]context.CancelFunc // by metric
	landed []analysis.Taken
}

func (f *flights) of(uid string) *flight {
	if f.runs == nil {
		f.runs = map[string]*flight{}
	}
	if f.runs[uid] == nil {
		f.runs[uid] = &flight{flying: map[string]context.CancelFunc{}}
	}
	return f.runs[uid]
}

// begin notes a reading as under way; false where the metric has one already.
func (f *flights) begin(ctx context.Context, uid, metric string) (context.Context, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.of(uid)
	if one.flying[metric] != nil || slices.ContainsFunc(one.landed, func(t analysis.Taken) bool { return t.Reading.Metric == metric }) {
		return nil, false
	}
	ctx, cancel := context.WithCancel(ctx)
	one.flying[metric] = cancel
	return ctx, true
}

func (f *flights) land(uid string, t analysis.Taken) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.runs[uid]
	if one == nil || one.flying[t.Reading.Metric] == nil {
		return // the run is gone
	}
	one.flying[t.Reading.Metric]()
	delete(one.flying, t.Reading.Metric)
	one.landed = append(one.landed, t)
}

// state is what has landed and which metrics are flying.
func (f *flights) state(uid string) (landed []analysis.Taken, flying []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.runs[uid]
	if one == nil {
		return nil, nil
	}
	for metric := range one.flying {
		flying = append(flying, metric)
	}
	return slices.Clone(one.landed), flying
}

// written forgets the first measurements that landed: they are in the status.
func (f *flights) written(uid string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one := f.runs[uid]; one != nil {
		one.landed = one.landed[n:]
		if len(one.landed)+len(one.flying) == 0 {
			delete(f.runs, uid)
		}
	}
}

// forget ends what is under way for a run that is over.
func (f *flights) forget(uid string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one := f.runs[uid]; one != nil {
		for _, cancel := range one.flying {
			cancel()
		}
		delete(f.runs, uid)
	}
}

// analyse works on one analysis run: what has been measured is judged and written down, what is due is measured. It waits
// for no measurement.
func (m *Manager) analyse(ctx context.Context, key place) (time.Duration, error) {
	o, err := m.Cluster.Get(ctx, Runs, key.namespace, key.name)
	if manifest.NotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read analysis run %s: %w", key.name, err)
	}
	if !m.mine(o) || o.Deleting() {
		m.flights.forget(o.UID())
		return 0, nil
	}
	run, err := analysis.Decode(o)
	if err != nil {
		return 0, m.writeBroken(ctx, o, err)
	}
	now := m.Clock()
	landed, flying := m.flights.state(run.UID)
	if len(landed) > 0 {
		return 0, m.judge(ctx, o, run, landed, now)
	}
	values, err := m.values(ctx, run)
	if err != nil {
		return 0, err
	}
	step := analysis.Next(run, values, now)
	if step.Delete {
		return 0, m.remove(ctx, Runs, run.Namespace, run.Name)
	}
	m.take(ctx, key, run, step.Take)
	if len(step.Take) == 0 {
		if err := m.writeRun(ctx, o, run, step.Status); err != nil {
			return 0, err
		}
		if step.Status.Phase.Completed() {
			m.flights.forget(run.UID)
		}
		return step.After, nil
	}
	for _, r := range step.Take {
		flying = append(flying, r.Metric)
	}
	return others(run, values, flying, now), nil
}

// others is when something is due for the metrics that nothing is under way for: the next decision where those that are
// under way take a long time.
func others(run analysis.Run, values analysis.Values, flying []string, now time.Time) time.Duration {
	later := now.Add(poll)
	run.Status.MetricResults = slices.Clone(run.Status.MetricResults)
	for _, metric := range flying {
		under := analysis.Measurement{Phase: analysis.Running, StartedAt: &now, ResumeAt: &later}
		at := slices.IndexFunc(run.Status.MetricResults, func(r analysis.MetricResult) bool { return r.Name == metric })
		if at < 0 {
			run.Status.MetricResults = append(run.Status.MetricResults, analysis.MetricResult{Name: metric, Phase: analysis.Running})
			at = len(run.Status.MetricResults) - 1
		}
		r := &run.Status.MetricResults[at]
		r.Measurements = append(slices.Clone(r.Measurements), under)
	}
	return soonest(analysis.Next(run, values, now).After, poll)
}

// take begins the readings that are not under way already.
func (m *Manager) take(ctx context.Context, key place, run analysis.Run, readings []analysis.Reading) {
	for _, r := range readings {
		taking, ok := m.flights.begin(ctx, run.UID, r.Metric)
		if !ok {
			continue
		}
		m.group.Go(func() {
			select {
			case m.flights.limit <- struct{}{}:
			case <-taking.Done():
				return
			}
			defer func() { <-m.flights.limit }()
			t := m.measure(taking, run, r)
			if taking.Err() != nil {
				return // Sluice or the run is about to end: nothing was found out
			}
			m.flights.land(run.UID, t)
			m.runs.Add(key)
		})
	}
}

// measure takes a reading; a mistake of ours in doing so is its error.
func (m *Manager) measure(ctx context.Context, run analysis.Run, r analysis.Reading) (t analysis.Taken) {
	defer func() {
		if v := recover(); v != nil {
			t = analysis.Taken{Reading: r, Measurement: analysis.Measurement{Phase: analysis.Error, Message: fmt.Sprintf("a mistake in Sluice: panic: %v", v)}}
		}
	}()
	var begun analysis.Measurement
	if r.Index >= 0 {
		for _, result := range run.Status.MetricResults {
			if result.Name == r.Metric && r.Index < len(result.Measurements) {
				begun = result.Measurements[r.Index]
			}
		}
	}
	if m.Probe == nil {
		begun.Phase, begun.Message = analysis.Error, "nothing is measured here"
		return analysis.Taken{Reading: r, Measurement: begun}
	}
	return m.Probe.Measure(ctx, run, r, begun)
}

// judge writes down what landed.
func (m *Manager) judge(ctx context.Context, o manifest.Object, run analysis.Run, landed []analysis.Taken, now time.Time) error {
	status := analysis.Judge(run, landed, now)
	if err := m.writeRun(ctx, o, run, status); err != nil {
		return err
	}
	changed := analysis.StatusPatch(run.Status, status) != nil
	m.flights.written(run.UID, len(landed))
	key := place{run.Namespace, run.Name}
	if status.Phase.Completed() {
		m.flights.forget(run.UID)
	}
	if changed {
		m.runs.Add(key)
	} else {
		m.runs.AddAfter(key, poll) // a reading goes on
	}
	judged := run
	judged.Status = status
	return m.sweep(ctx, judged, landed)
}

// sweep removes old Jobs of the metrics that were measured by one.
func (m *Manager) sweep(ctx context.Context, run analysis.Run, landed []analysis.Taken) error {
	for _, t := range landed {
		if t.Reading.Arrange.Provider.Job == nil || !t.Measurement.Phase.Completed() {
			continue
		}
		if err := m.Probe.Sweep(ctx, run, t.Reading.Metric, analysis.Kept(run, t.Reading.Metric)); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) writeRun(ctx context.Context, o manifest.Object, run analysis.Run, status analysis.Status) error {
	patch := analysis.StatusPatch(run.Status, status)
	if patch == nil {
		return nil
	}
	if err := gone(m.writeStatus(ctx, o, patch)); err != nil {
		return fmt.Errorf("write the status of analysis run %s: %w", run.Name, err)
	}
	for _, e := range analysis.Events(run.Status, status) {
		m.tell(o, e.Reason, e.Message, e.Warning)
	}
	return nil
}

// writeBroken ends a run that cannot be read.
func (m *Manager) writeBroken(ctx context.Context, o manifest.Object, err error) error {
	if o.Text("status", "phase") == string(analysis.Error) {
		return nil
	}
	m.tell(o, "AnalysisRunError", err.Error(), true)
	patch := manifest.Object{"status": map[string]any{"phase": string(analysis.Error), "message": err.Error()}}
	return m.writeStatus(ctx, o, patch)
}

// values are the contents of the Secrets that a run's arguments name. A key that is not there is left out.
func (m *Manager) values(ctx context.Context, run analysis.Run) (analysis.Values, error) {
	if run.Status.Phase.Completed() {
		return nil, nil
	}
	out := analysis.Values{}
	for _, key := range analysis.Secrets(run) {
		o, err := m.Cluster.Get(ctx, secrets, run.Namespace, key.Name)
		if manifest.NotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read secret %s: %w", key.Name, err)
		}
		text, ok := o.At("data", key.Key)
		if !ok {
			continue
		}
		encoded, _ := text.(string)
		data, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, errors.New("secret " + key.Name + " is not base64") // the error would quote it
		}
		out[key] = string(data)
	}
	return out, nil
}
