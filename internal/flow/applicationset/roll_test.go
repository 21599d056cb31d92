package applicationset_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// rolling is a set with these steps, each of the Applications whose label env is its name.
func rollingSet(t testing.TB, annotations string, steps ...string) applicationset.Set {
	t.Helper()
	var list []string
	for _, s := range steps {
		name, most, _ := strings.Cut(s, " ")
		step := `{matchExpressions: [{key: env, operator: In, values: [` + name + `]}]`
		if most != "" {
			step += `, maxUpdate: ` + most
		}
		list = append(list, step+"}")
	}
	return decode(t, `{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, metadata: {name: set, annotations: {`+annotations+`}}, spec: {strategy: {type: RollingSync, rollingSync: {steps: [`+strings.Join(list, ", ")+`]}}}}`)
}

// at is an Application of a step as it stands: sync, health, revision.
func at(t testing.TB, name, env, sync, health, revision string) manifest.Object {
	t.Helper()
	return app(t, name, `{metadata: {labels: {env: `+env+`}}, spec: {syncPolicy: {automated: {prune: true}, syncOptions: [CreateNamespace=true]}}, status: {sync: {status: `+sync+`, revision: `+revision+`}, health: {status: `+health+`}}}`)
}

// desiredOf is an Application as the set wants it: without its status.
func desiredOf(o manifest.Object) manifest.Object {
	o = o.Copy()
	delete(o, "status")
	delete(o, "operation")
	return o
}

// roll rolls once and keeps the statuses in the set.
func roll(t testing.TB, s *applicationset.Set, in applicationset.Syncing) applicationset.Rolled {
	t.Helper()
	in.Set = *s
	if in.Desired == nil {
		for _, o := range in.Existing {
			in.Desired = append(in.Desired, desiredOf(o))
		}
	}
	for i, o := range in.Existing { // as they were written: a set turns automatic syncs off
		o = o.Copy()
		if o.Sub("spec", "syncPolicy", "automated") != nil {
			o.Set(false, "spec", "syncPolicy", "automated", "enabled")
		}
		in.Existing[i] = o
	}
	out, err := applicationset.Roll(in)
	if err != nil {
		t.Fatal(err)
	}
	s.Status.ApplicationStatus = out.Statuses
	return out
}

func statuses(r applicationset.Rolled) string {
	var out []string
	for _, s := range r.Statuses {
		out = append(out, s.Application+"="+s.Status+"/"+s.Step)
	}
	return strings.Join(out, " ")
}

func syncs(r applicationset.Rolled) string {
	var out []string
	for _, o := range r.Desired {
		if o["operation"] != nil {
			out = append(out, o.Name())
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// The page's way: dev, then prod, each when the one before is healthy.
func TestRollInSteps(t *testing.T) {
	s := rollingSet(t, "", "dev", "prod")
	dev, prod, other := at(t, "a-dev", "dev", "OutOfSync", "Missing", "r1"), at(t, "b-prod", "prod", "OutOfSync", "Missing", "r1"), at(t, "c-other", "other", "OutOfSync", "Missing", "r1")
	all := func() []manifest.Object { return []manifest.Object{dev.Copy(), prod.Copy(), other.Copy()} }
	r := roll(t, &s, applicationset.Syncing{Existing: all(), Now: noon})
	if got := statuses(r) + " | " + syncs(r); got != "a-dev=Pending/1 b-prod=Waiting/2 c-other=Waiting/-1 | a-dev" {
		t.Fatal(got)
	}
	if got := r.Statuses[0].Message + "|" + r.Statuses[1].Message + "|" + r.Rollout.Message; got != "Application moved to Pending status, watching for the Application resource to start Progressing|No Application status found, defaulting status to Waiting|ApplicationSet is performing rollout of step 1" {
		t.Error(got)
	}
	a := r.Desired[0]
	if got := string(a.Sub("operation").JSON()); got != `{"info":[{"name":"Reason","value":"ApplicationSet RollingSync triggered a sync of this Application resource"}],"initiatedBy":{"automated":true,"username":"applicationset-controller"},"retry":{"limit":5},"sync":{"prune":true,"syncOptions":["CreateNamespace=true"]}}` {
		t.Error(got)
	}
	if got := string(a.Sub("spec", "syncPolicy").JSON()); got != `{"automated":{"enabled":false,"prune":true},"syncOptions":["CreateNamespace=true"]}` {
		t.Error(got)
	}
	if r.Statuses[0].TargetRevisions[0] != "r1" || !r.Statuses[0].LastTransitionTime.Equal(noon) {
		t.Errorf("%+v", r.Statuses[0])
	}

	// The operation stands there: it is not begun twice.
	dev["operation"] = map[string]any{"sync": map[string]any{}}
	r = roll(t, &s, applicationset.Syncing{Existing: all(), Now: noon.Add(time.Second)})
	if got := statuses(r) + " | " + syncs(r); got != "a-dev=Pending/1 b-prod=Waiting/2 c-other=Waiting/-1 | " {
		t.Fatal(got)
	}
	delete(dev, "operation")
	dev.Set(map[string]any{"phase": "Running", "startedAt": "2026-01-02T12:00:02Z"}, "status", "operationState")
	r = roll(t, &s, applicationset.Syncing{Existing: all(), Now: noon.Add(3 * time.Second)})
	if got := statuses(r) + " | " + syncs(r); got != "a-dev=Progressing/1 b-prod=Waiting/2 c-other=Waiting/-1 | " {
		t.Fatal(got)
	}
	dev.Set("Synced", "status", "sync", "status")
	dev.Set("Progressing", "status", "health", "status")
	r = roll(t, &s, applicationset.Syncing{Existing: all(), Now: noon.Add(4 * time.Second)})
	if got := statuses(r); !strings.HasPrefix(got, "a-dev=Progressing/1 b-prod=Waiting") {
		t.Fatal(got)
	}
	dev.Set("Healthy", "status", "health", "status")
	r = roll(t, &s, applicationset.Syncing{Existing: all(), Now: noon.Add(5 * time.Second)})
	if got := statuses(r) + " | " + syncs(r) + " | " + r.Rollout.Message; got != "a-dev=Healthy/1 b-prod=Pending/2 c-other=Waiting/-1 | b-prod | ApplicationSet is performing rollout of step 2" {
		t.Fatal(got)
	}
	prod.Set(map[string]any{"phase": "Succeeded", "startedAt": "2026-01-02T12:00:06Z"}, "status", "operationState")
	prod.Set("Synced", "status", "sync", "status")
	prod.Set("Healthy", "status", "health", "status")
	for range 2 {
		r = roll(t, &s, applicationset.Syncing{Existing: all(), Now: noon.Add(7 * time.Second)})
	}
	if got := statuses(r) + " | " + r.Rollout.Status + " " + r.Rollout.Reason + " " + r.Rollout.Message; got != "a-dev=Healthy/1 b-prod=Healthy/2 c-other=Waiting/-1 | False ApplicationSetRolloutComplete ApplicationSet Rollout has completed" {
		t.Fatal(got)
	}
	// A new revision begins anew; the second of two that compare apart does not overtake the first.
	prod.Set("r2", "status", "sync", "revision")
	prod.Set("OutOfSync", "status", "sync", "status")
	prod.Set("2026-01-02T12:01:00Z", "status", "reconciledAt")
	dev.Set("2026-01-02T12:00:30Z", "status", "reconciledAt")
	r = roll(t, &s, applicationset.Syncing{Existing: all(), Now: noon.Add(61 * time.Second)})
	if got := statuses(r) + " | " + syncs(r) + " | " + fmt.Sprint(r.Refresh); got != "a-dev=Healthy/1 b-prod=Waiting/2 c-other=Waiting/-1 |  | [a-dev]" {
		t.Fatal(got)
	}
	dev.Set("2026-01-02T12:01:02Z", "status", "reconciledAt")
	dev.Set("r2", "status", "sync", "revision")
	r = roll(t, &s, applicationset.Syncing{Existing: all(), Now: noon.Add(62 * time.Second)})
	if got := statuses(r) + " | " + syncs(r); got != "a-dev=Healthy/1 b-prod=Pending/2 c-other=Waiting/-1 | b-prod" {
		t.Fatal(got)
	}
}

func TestStatusesByWhatHappens(t *testing.T) {
	const transition = "2026-01-02T12:00:00Z"
	for _, c := range []struct{ name, status, live, want string }{
		{"a revision changes", "Healthy r1", `{status: {sync: {status: OutOfSync, revision: r2}, health: {status: Healthy}}}`, "Waiting: Application has pending changes, setting status to Waiting"},
		{"a revision changes and nothing differs", "Healthy r1", `{status: {sync: {status: Synced, revision: r2}, health: {status: Healthy}}}`, "Healthy: Application resource has synced, updating status to Healthy"},
		{"synced and not healthy", "Waiting r1", `{status: {sync: {status: Synced, revision: r1}, health: {status: Degraded}}}`, "Progressing: Application resource has synced, updating status to Progressing"},
		{"it drifts", "Healthy r1", `{status: {sync: {status: OutOfSync, revision: r1}, health: {status: Healthy}}}`, "Waiting: Application has pending changes, setting status to Waiting"},
		{"the spec differs: synced speaks of the old one", "Healthy r1", `{spec: {source: {path: old}}, status: {sync: {status: Synced, revision: r1}, health: {status: Healthy}}}`, "Waiting: Application has pending changes (spec differs), setting status to Waiting"},
		{"both", "Healthy r1", `{spec: {source: {path: old}}, status: {sync: {status: Synced, revision: r2}, health: {status: Healthy}}}`, "Waiting: Application has pending changes (revision and spec differ), setting status to Waiting"},
		{"synced with what it was compared with before", "Waiting r1", `{status: {sync: {status: Synced, revision: r1, comparedTo: {source: {repoURL: r, path: old}, destination: {name: d}}}, health: {status: Healthy}}}`, "Waiting: before"},
		{"compared with what it is", "Waiting r1", `{status: {sync: {status: Synced, revision: r1, comparedTo: {source: {repoURL: r, path: x}, destination: {name: d}}}, health: {status: Healthy}}}`, "Healthy: Application resource has synced, updating status to Healthy"},
		{"pending, an old operation", "Pending r1", `{status: {sync: {status: OutOfSync, revision: r1}, operationState: {phase: Succeeded, startedAt: "2026-01-02T11:00:00Z"}}}`, "Pending: before"},
		{"pending, not reconciled since", "Pending r1", `{status: {sync: {status: OutOfSync, revision: r1}, reconciledAt: "2026-01-02T11:00:00Z", operationState: {phase: Running, startedAt: "2026-01-02T12:00:01Z"}}}`, "Pending: before"},
		{"pending, begun", "Pending r1", `{status: {sync: {status: OutOfSync, revision: r1}, operationState: {phase: Running, startedAt: "2026-01-02T12:00:01Z"}}}`, "Progressing: Application resource became Progressing, updating status from Pending to Progressing"},
		{"pending, begun in the same second by us", "Pending r1", `{status: {sync: {status: OutOfSync, revision: r1}, operationState: {phase: Succeeded, startedAt: "2026-01-02T12:00:00Z", operation: {initiatedBy: {username: applicationset-controller}}, syncResult: {revision: r1, source: {repoURL: r, path: x}}}}}`, "Progressing: Application resource completed a sync successfully, updating status from Pending to Progressing"},
		{"pending, begun in the same second by us, of another revision", "Pending r1", `{status: {sync: {status: OutOfSync, revision: r1}, operationState: {phase: Succeeded, startedAt: "2026-01-02T12:00:00Z", operation: {initiatedBy: {username: applicationset-controller}}, syncResult: {revision: r0, source: {repoURL: r, path: x}}}}}`, "Pending: before"},
		{"pending, begun in the same second by another", "Pending r1", `{status: {sync: {status: OutOfSync, revision: r1}, operationState: {phase: Succeeded, startedAt: "2026-01-02T12:00:00Z"}}}`, "Pending: before"},
		{"pending, failed", "Pending r1", `{status: {sync: {status: OutOfSync, revision: r1}, operationState: {phase: Failed, startedAt: "2026-01-02T12:00:01Z"}}}`, "Progressing: Application resource completed a sync, updating status from Pending to Progressing"},
		{"pending, it cannot", "Pending r1", `{status: {sync: {status: Unknown, revision: r1}, conditions: [{type: InvalidSpecError}]}}`, "Progressing: Application resource has error and cannot sync, updating status to Progressing"},
		{"progressing, not synced", "Progressing r1", `{status: {sync: {status: OutOfSync, revision: r1}, health: {status: Healthy}}}`, "Progressing: before"},
		{"progressing, done", "Progressing r1", `{status: {sync: {status: Synced, revision: r1}, health: {status: Healthy}}}`, "Healthy: Application resource became Healthy, updating status from Progressing to Healthy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := rollingSet(t, "", "dev 0")
			status, revision, _ := strings.Cut(c.status, " ")
			was, err := time.Parse(time.RFC3339, transition)
			if err != nil {
				t.Fatal(err)
			}
			s.Status.ApplicationStatus = []applicationset.ApplicationStatus{{Application: "a", Status: status, Message: "before", Step: "1", TargetRevisions: []string{revision}, LastTransitionTime: &was}}
			live := app(t, "a", c.live)
			live.SetLabel("env", "dev")
			want := app(t, "a", "")
			want.SetLabel("env", "dev")
			r := roll(t, &s, applicationset.Syncing{Existing: []manifest.Object{live}, Desired: []manifest.Object{want}, Now: noon.Add(time.Minute)})
			got := r.Statuses[0]
			if text := got.Status + ": " + got.Message; text != c.want {
				t.Errorf("%s\nwant %s", text, c.want)
			}
			if (got.Message == "before") != got.LastTransitionTime.Equal(was) {
				t.Errorf("%s with the time %v", got.Message, got.LastTransitionTime)
			}
		})
	}
}

func TestMaxUpdate(t *testing.T) {
	for most, want := range map[string]int{"": 10, "0": 0, "3": 3, "30": 10, `"0%"`: 0, `"1%"`: 1, `"25%"`: 2, `"100%"`: 10, `"lots"`: 0} {
		s := rollingSet(t, "", "dev "+most)
		var all []manifest.Object
		for i := range 10 {
			all = append(all, at(t, fmt.Sprintf("app-%d", i), "dev", "OutOfSync", "Missing", "r"))
		}
		r := roll(t, &s, applicationset.Syncing{Existing: all, Now: noon})
		if got := strings.Count(statuses(r), "Pending"); got != want || len(strings.Fields(syncs(r))) != want {
			t.Errorf("maxUpdate %s: %d Pending, %q, want %d", most, got, syncs(r), want)
		}
	}
}

func TestStepsSelect(t *testing.T) {
	for expressions, want := range map[string]bool{
		`[]`: true,
		`[{key: env, operator: In, values: [a, dev]}]`:                                          true,
		`[{key: env, operator: In, values: [a]}]`:                                               false,
		`[{key: none, operator: In, values: [dev]}]`:                                            false,
		`[{key: env, operator: NotIn, values: [dev]}]`:                                          false,
		`[{key: env, operator: NotIn, values: [a]}, {key: none, operator: NotIn, values: [x]}]`: true,
		`[{key: env, operator: In, values: [dev]}, {key: env, operator: NotIn, values: [dev]}]`: false,
		`[{key: env, operator: Exists}]`:                                                        false,
	} {
		s := decode(t, `{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, spec: {strategy: {type: RollingSync, rollingSync: {steps: [{matchExpressions: `+expressions+`}]}}}}`)
		r := roll(t, &s, applicationset.Syncing{Existing: []manifest.Object{at(t, "a", "dev", "OutOfSync", "Missing", "r")}, Now: noon})
		if got := r.Statuses[0].Step == "1"; got != want {
			t.Errorf("%s: %v", expressions, got)
		}
	}
}

func TestReverse(t *testing.T) {
	s := rollingSet(t, "", "dev", "qa", "prod")
	s.Spec.Strategy.DeletionOrder = "reverse"
	if !s.Reverses() {
		t.Error("it does not reverse")
	}
	dying := at(t, "d", "prod", "Synced", "Healthy", "r")
	dying.Set("2026-01-02T12:00:00Z", "metadata", "deletionTimestamp")
	names := func(list []manifest.Object) string {
		var out []string
		for _, o := range list {
			out = append(out, o.Name())
		}
		return strings.Join(out, " ")
	}
	all := []manifest.Object{at(t, "a", "dev", "Synced", "Healthy", "r"), at(t, "b", "other", "Synced", "Healthy", "r"), at(t, "c", "prod", "Synced", "Healthy", "r"), dying}
	for _, c := range []struct {
		going []manifest.Object
		now   string
		left  bool
	}{{all, "c", true}, {[]manifest.Object{all[0], all[1], dying}, "", true}, {all[:2], "a", true}, {all[1:2], "b", false}, {nil, "", false}} {
		if now, left := applicationset.Reverse(s, c.going); names(now) != c.now || left != c.left {
			t.Errorf("%s: %s %v", names(c.going), names(now), left)
		}
	}
}

// machine is a world in which Applications are synced when they are asked to, and anything else may happen at any time.
type machine struct {
	set   applicationset.Set
	apps  map[string]manifest.Object
	spec  map[string]string // the path that the set wants, by name
	steps map[string]int
	most  []int
	runs  map[string]analysis.Phase
	ready map[string]bool
	now   time.Time
}

// Whatever happens: no more than maxUpdate Applications of a step begin while others are under way, none of a later step
// begins before all earlier ones are healthy, none is synced that is not Pending, and automatic syncs stay off.
func TestRollNeverOvertakes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := draw(t, rt, "")
		for range rapid.IntRange(3, 30).Draw(rt, "rounds") {
			before := map[string]applicationset.ApplicationStatus{}
			for _, s := range m.set.Status.ApplicationStatus {
				before[s.Application] = s
			}
			out := m.turn(t, rt)
			m.check(rt, before, out)
			m.apply(out)
			m.happen(rt)
		}
	})
}

// When nothing more goes wrong, a rollout ends.
func TestARolloutEnds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := draw(t, rt, "")
		for range rapid.IntRange(0, 10).Draw(rt, "rounds") {
			m.apply(m.turn(t, rt))
			m.happen(rt)
		}
		for i := range m.most {
			if m.most[i] == 0 {
				return // it waits for a person
			}
		}
		var out applicationset.Rolled
		for range 5 * (len(m.apps) + 1) {
			m.now = m.now.Add(time.Minute)
			out = m.turn(t, rt)
			m.apply(out)
			m.settle()
		}
		if out.Rollout.Status != "False" {
			rt.Fatalf("%s: %s", statuses(out), out.Rollout.Message)
		}
	})
}

func draw(t *testing.T, rt *rapid.T, annotations string) *machine {
	names := []string{"dev", "qa", "prod"}
	var steps []string
	m := &machine{apps: map[string]manifest.Object{}, spec: map[string]string{}, steps: map[string]int{}, runs: map[string]analysis.Phase{}, ready: map[string]bool{}, now: noon}
	for _, n := range names {
		most := rapid.SampledFrom([]string{"", " 1", " 2", ` "50%"`, " 0"}).Draw(rt, "maxUpdate")
		steps = append(steps, n+most)
	}
	m.set = rollingSet(t, annotations, steps...)
	for i := range names {
		count := rapid.IntRange(0, 3).Draw(rt, "apps")
		for j := range count {
			name := fmt.Sprintf("%s-%d", names[i], j)
			m.steps[name], m.spec[name] = i, "x"
			m.apps[name] = at(t, name, names[i], "OutOfSync", "Missing", "r1")
			m.apps[name].Set(m.now.Format(time.RFC3339), "status", "reconciledAt")
		}
		most := map[string]int{"": count, " 1": 1, " 2": 2, ` "50%"`: max(count/2, 1), " 0": 0}[strings.TrimPrefix(steps[i], names[i])]
		m.most = append(m.most, most)
	}
	return m
}

func (m *machine) turn(t *testing.T, rt *rapid.T) applicationset.Rolled {
	var existing, desired []manifest.Object
	for _, name := range slices.Sorted(maps.Keys(m.apps)) {
		existing = append(existing, m.apps[name])
		d := desiredOf(m.apps[name])
		d.Drop("spec", "syncPolicy", "automated", "enabled")
		d.Set(m.spec[name], "spec", "source", "path")
		desired = append(desired, d)
	}
	return roll(t, &m.set, applicationset.Syncing{Existing: existing, Desired: desired, Now: m.now, Runs: m.runs, Ready: m.ready})
}

func (m *machine) check(rt *rapid.T, before map[string]applicationset.ApplicationStatus, out applicationset.Rolled) {
	healthy := map[string]bool{}
	busy, begun := make([]int, len(m.most)), make([]int, len(m.most))
	for _, s := range out.Statuses {
		healthy[s.Application] = s.Status == applicationset.Healthy
		i := m.steps[s.Application]
		if s.Status == applicationset.Pending || s.Status == applicationset.Progressing {
			busy[i]++
		}
		if s.Status == applicationset.Pending && before[s.Application].Status != applicationset.Pending {
			begun[i]++
		}
	}
	for i := range begun {
		if begun[i] > 0 && busy[i] > m.most[i] {
			rt.Fatalf("%d of at most %d in step %d: %s", busy[i], m.most[i], i+1, statuses(out))
		}
		if begun[i] == 0 {
			continue
		}
		for name, at := range m.steps {
			if at < i && !healthy[name] {
				rt.Fatalf("step %d begins before %s is healthy: %s", i+1, name, statuses(out))
			}
		}
	}
	pending := map[string]bool{}
	for _, s := range out.Statuses {
		pending[s.Application] = s.Status == applicationset.Pending
	}
	for _, o := range out.Desired {
		if o["operation"] != nil && !pending[o.Name()] {
			rt.Fatalf("%s is synced: %s", o.Name(), statuses(out))
		}
		if o.Sub("spec", "syncPolicy", "automated")["enabled"] != false {
			rt.Fatalf("%s syncs by itself", o.Name())
		}
	}
}

// apply writes what was decided.
func (m *machine) apply(out applicationset.Rolled) {
	for _, d := range out.Desired {
		o := m.apps[d.Name()].Copy()
		o["spec"] = map[string]any(d.Sub("spec").Copy())
		if d["operation"] != nil {
			o["operation"] = d["operation"]
		}
		m.apps[d.Name()] = o
	}
	for _, name := range out.Refresh {
		m.compare(name, m.newest())
	}
}

func (m *machine) newest() string {
	newest := "r1"
	for _, o := range m.apps {
		newest = max(newest, o.Text("status", "sync", "revision"))
	}
	return newest
}

// compare is what the application controller does at a refresh: a revision or a spec that was not synced is out of sync.
func (m *machine) compare(name, revision string) {
	o := m.apps[name].Copy()
	o.Set(revision, "status", "sync", "revision")
	o.Set(m.now.Format(time.RFC3339), "status", "reconciledAt")
	o.Set(map[string]any{"source": map[string]any(o.Sub("spec", "source").Copy()), "destination": map[string]any(o.Sub("spec", "destination").Copy())}, "status", "sync", "comparedTo")
	o.Set("OutOfSync", "status", "sync", "status")
	if o.Text("status", "operationState", "syncResult", "revision") == revision && o.Text("status", "operationState", "syncResult", "source", "path") == o.Text("spec", "source", "path") {
		o.Set("Synced", "status", "sync", "status")
	}
	m.apps[name] = o
}

// sync carries out an operation.
func (m *machine) sync(name, health string) {
	o := m.apps[name].Copy()
	if o["operation"] == nil {
		return
	}
	op := o["operation"]
	delete(o, "operation")
	at := m.now.Format(time.RFC3339)
	o.Set(map[string]any{"phase": "Succeeded", "startedAt": at, "finishedAt": at, "operation": op, "syncResult": map[string]any{"revision": o.Text("status", "sync", "revision"), "source": map[string]any(o.Sub("spec", "source").Copy())}}, "status", "operationState")
	o.Set(health, "status", "health", "status")
	o.Set(at, "status", "health", "lastTransitionTime")
	m.apps[name] = o
	m.compare(name, o.Text("status", "sync", "revision"))
}

// happen lets something happen that nobody foresees.
func (m *machine) happen(rt *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(0, 20).Draw(rt, "seconds")) * time.Second)
	for _, name := range slices.Sorted(maps.Keys(m.apps)) {
		switch rapid.IntRange(0, 7).Draw(rt, "event of "+name) {
		case 0, 1:
			m.sync(name, rapid.SampledFrom([]string{"Healthy", "Progressing", "Degraded"}).Draw(rt, "health"))
		case 2:
			o := m.apps[name].Copy()
			o.Set(rapid.SampledFrom([]string{"Healthy", "Progressing", "Degraded", "Suspended"}).Draw(rt, "health"), "status", "health", "status")
			m.apps[name] = o
		case 3:
			m.compare(name, m.newest())
		case 4:
			m.compare(name, rapid.SampledFrom([]string{"r1", "r2", "r3"}).Draw(rt, "revision"))
		case 5:
			m.spec[name] = rapid.SampledFrom([]string{"x", "z"}).Draw(rt, "path")
		}
	}
}

// settle is a world in which all goes well: what is asked for is done, and everyone compares the newest revision.
func (m *machine) settle() {
	newest := m.newest()
	for _, name := range slices.Sorted(maps.Keys(m.apps)) {
		m.compare(name, newest)
		m.sync(name, "Healthy")
		o := m.apps[name].Copy()
		if o.Text("status", "operationState", "phase") != "" {
			o.Set("Healthy", "status", "health", "status")
		}
		m.apps[name] = o
	}
}
