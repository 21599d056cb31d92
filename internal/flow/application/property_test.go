package application_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	app "github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// draw makes a world: resources and hooks over waves and phases, some live objects of before, and how healthy all becomes.
func draw(t *rapid.T, tb testing.TB) *world {
	var docs []string
	w := newWorld(tb, "")
	for i := range rapid.IntRange(0, 6).Draw(t, "resources") {
		name := fmt.Sprintf("r%d", i)
		docs = append(docs, config(name, fmt.Sprintf("sync-wave=%d", rapid.IntRange(-1, 2).Draw(t, "wave"))))
		drawHealth(t, w, name)
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "hooks") {
		name := fmt.Sprintf("h%d", i)
		docs = append(docs, config(
			name, "hook="+rapid.SampledFrom([]string{"PreSync", "Sync", "PostSync", "SyncFail", "Skip", "PreSync,PostSync", "PostDelete"}).Draw(t, "hook"),
			fmt.Sprintf("sync-wave=%d", rapid.IntRange(-1, 1).Draw(t, "wave")),
			"hook-delete-policy="+rapid.SampledFrom([]string{"", "HookSucceeded", "HookFailed", "BeforeHookCreation,HookSucceeded"}).Draw(t, "policy"),
		))
		drawHealth(t, w, name)
	}
	if len(docs) > 0 {
		w.desired = objects(tb, stream(docs...))
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "live") {
		o := objects(tb, config(fmt.Sprintf("old%d", i), fmt.Sprintf("sync-wave=%d", rapid.IntRange(-1, 2).Draw(t, "wave")),
			"sync-options="+rapid.SampledFrom([]string{"", "", "Prune=false", "PruneLast=true"}).Draw(t, "option")))[0]
		o.Set("prod", "metadata", "namespace")
		o.Set(fmt.Sprintf("old-uid-%d", i), "metadata", "uid")
		switch rapid.IntRange(0, 3).Draw(t, "tracked") {
		case 0:
		case 1:
			(app.Tracking{App: "other"}).Mark(o, "prod")
		default:
			w.tracking.Mark(o, "prod")
		}
		w.live[o.Key()] = o
	}
	for i := range 7 {
		if rapid.IntRange(0, 12).Draw(t, "refused") == 0 {
			w.refuse[fmt.Sprintf("r%d", i)] = &manifest.Refusal{Code: 403, Reason: manifest.ReasonForbidden, Message: "no"}
		}
	}
	return w
}

func drawHealth(t *rapid.T, w *world, name string) {
	if h := rapid.SampledFrom([]string{"", "Healthy", "Healthy", "Progressing", "Degraded"}).Draw(t, "health"); h != "" {
		w.health[name] = h
	}
}

// The laws of a sync, whatever its world is: it never deletes what it does not track or may not prune, no wave begins before
// the one before it is healthy, and it ends once everything has become healthy or failed, or once it is told to.
func TestSyncLaws(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := draw(rt, t)
		op := app.SyncOperation{Prune: rapid.Bool().Draw(rt, "prune")}
		before := map[string]manifest.Object{}
		for k, o := range w.live {
			before[k.Name] = o
		}
		w.begin(op)
		terminateAt := rapid.IntRange(0, 40).Draw(rt, "terminate")
		for i := range 80 {
			if i == terminateAt && terminateAt < 20 {
				w.state.Phase = app.Terminating
			}
			if i == 40 {
				for n, h := range w.health {
					if h == "Progressing" {
						w.health[n] = "Healthy"
					}
				}
			}
			c := w.compare()
			d := w.step()
			lawfulDeletes(rt, w, d, op, before)
			lawfulWaves(rt, w, d, c)
			if w.state.Phase.Completed() {
				if terminateAt < 20 && i > terminateAt+2 {
					rt.Fatalf("terminated at %d, ended at %d: %s", terminateAt, i, w.state.Message)
				}
				lawfulEnd(rt, w)
				return
			}
		}
		rt.Fatalf("the sync does not end: %s %q\n%s", w.state.Phase, w.state.Message, strings.Join(w.results(), "\n"))
	})
}

func lawfulDeletes(t *rapid.T, w *world, d app.SyncDecision, op app.SyncOperation, before map[string]manifest.Object) {
	for _, a := range d.Actions {
		r, ok := a.(app.Remove)
		if !ok {
			continue
		}
		o := before[r.Key.Name]
		if r.Why != "prune" {
			if o != nil || !strings.HasPrefix(r.Key.Name, "h") {
				t.Fatalf("%s is deleted as %s", r.Key, r.Why)
			}
			continue
		}
		if !op.Prune || o == nil || !w.tracking.Holds(o) || strings.Contains(o.Annotation(app.AnnotationSyncOptions), "Prune=false") {
			t.Fatalf("%s is pruned", r.Key)
		}
	}
}

// lawfulWaves: what is applied now belongs to a stage all of whose predecessors are done and well.
func lawfulWaves(t *rapid.T, w *world, d app.SyncDecision, c app.Comparison) {
	phases := []string{"PreSync", "Sync", "PostSync"}
	at := func(p app.Pair, phase string) [2]int64 { return [2]int64{int64(slices.Index(phases, phase)), p.Wave} }
	done := map[string]app.ResourceResult{}
	for _, r := range d.State.SyncResult.Resources {
		done[r.Name+" "+r.SyncPhase] = r
	}
	for _, a := range d.Actions {
		act, ok := a.(app.Apply)
		if !ok || act.DryRun || act.Hook == "SyncFail" {
			continue
		}
		phase := act.Hook
		if phase == "" {
			phase = "Sync"
		}
		i := slices.IndexFunc(c.Pairs, func(p app.Pair) bool { return p.Key == act.Object.Key() })
		here := at(c.Pairs[i], phase)
		for _, p := range c.Pairs {
			if p.Target == nil {
				continue
			}
			of := []string{"Sync"}
			if p.Hook {
				of = app.Hooks(p.Target)
			}
			for _, ph := range of {
				s := at(p, ph)
				if s[0] < 0 || s[0] > here[0] || s[0] == here[0] && s[1] >= here[1] {
					continue
				}
				if r := done[p.Key.Name+" "+ph]; r.HookPhase != app.Succeeded {
					t.Fatalf("%s in %s/%d begins though %s in %s/%d is %q (%s)", act.Object.Name(), phase, here[1], p.Key.Name, ph, p.Wave, r.HookPhase, r.Message)
				}
				if h := w.health[p.Key.Name]; h == "Progressing" || h == "Degraded" {
					t.Fatalf("%s begins though %s is %s", act.Object.Name(), p.Key.Name, h)
				}
			}
		}
	}
}

// lawfulEnd: no hook is held by the finalizer after the end, and a sync that succeeded left the application synced.
func lawfulEnd(t *rapid.T, w *world) {
	for k, o := range w.live {
		if slices.Contains(o.List("metadata", "finalizers"), any(app.HookFinalizer)) {
			t.Fatalf("%s is still held (%s)", k, w.state.Message)
		}
	}
	if w.state.Phase != app.Succeeded {
		return
	}
	for _, p := range w.compare().Pairs {
		if !p.Hook && p.Target != nil && p.Status != app.Synced {
			t.Fatalf("synced, but %s differs: %+v", p.Key, p.Differences)
		}
	}
}

// A decision depends on nothing but its input: asked again without answers, a sync asks for the same.
func TestSyncRepeats(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := draw(rt, t)
		w.begin(app.SyncOperation{Prune: true})
		for range rapid.IntRange(0, 15).Draw(rt, "steps") {
			if w.step(); w.state.Phase.Completed() {
				return
			}
		}
		in := app.Syncing{
			App: w.app, Operation: w.state.Operation, State: w.state, Comparison: w.compare(), Answered: w.answers, Health: w.assess, Scope: w.scope,
			Now: w.now, Namespace: w.space, Applied: w.applied, WaveDelay: w.delay, Tracking: w.tracking,
		}
		a, b := app.Next(in), app.Next(in)
		if !reflect.DeepEqual(a, b) {
			rt.Fatalf("%v\n%v", a, b)
		}
	})
}

// An application always comes to no retry beyond its limit, and no pause is longer than the longest it was told.
func TestRetryLaws(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := int64(rapid.IntRange(0, 5).Draw(rt, "limit"))
		factor := int64(rapid.IntRange(1, 4).Draw(rt, "factor"))
		s := app.OperationState{Phase: app.Failed, Operation: app.Operation{Retry: app.Retry{
			Limit: limit, Backoff: &app.Backoff{Duration: "2s", Factor: &factor, MaxDuration: "30s"},
		}}}
		now, tries := start, int64(0)
		for {
			s = app.Conclude(s, false, now)
			at, again := s.RetryAt()
			if !again {
				break
			}
			if wait := at.Sub(now); wait < 2*time.Second || wait > 30*time.Second {
				rt.Fatalf("a pause of %s", wait)
			}
			if tries++; tries > limit {
				rt.Fatalf("%d retries of %d", tries, limit)
			}
			s = s.Again()
			s.Phase, s.Message, now = app.Failed, "no", at
		}
		if tries != limit || s.Phase != app.Failed {
			rt.Fatalf("%d retries of %d, then %s", tries, limit, s.Phase)
		}
	})
}
