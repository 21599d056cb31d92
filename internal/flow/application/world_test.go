package application_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	app "github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// objects reads a stream of YAML documents.
func objects(t testing.TB, text string) []manifest.Object {
	t.Helper()
	var out []manifest.Object
	for doc := range strings.SplitSeq(text, "\n---\n") {
		data, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		o, err := manifest.Parse(data)
		if err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
		out = append(out, o)
	}
	return out
}

// world is a cluster as a sync sees it, and what the engine does with decisions: a model in a few lines that applies, deletes
// when no finalizer holds, refuses what it was told to refuse, and writes down what was asked of it.
type world struct {
	t        testing.TB
	app      app.Application
	tracking app.Tracking
	desired  []manifest.Object
	live     map[manifest.Key]manifest.Object
	now      time.Time
	health   map[string]string // by name; "" is a kind without health
	refuse   map[string]error  // applies of a name
	stuck    map[string]bool   // names whose deletion does not end
	unknown  map[string]bool   // kinds that the cluster does not serve
	log      []string
	revision int
	state    app.OperationState
	answers  []app.Answer
	applied  time.Time
	delay    time.Duration
	space    manifest.Object
}

func newWorld(t testing.TB, manifests string) *world {
	w := &world{
		t: t, tracking: app.Tracking{App: "shop"}, live: map[manifest.Key]manifest.Object{}, now: start, delay: -1,
		health: map[string]string{}, refuse: map[string]error{}, stuck: map[string]bool{}, unknown: map[string]bool{},
		space: manifest.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "prod"}},
	}
	w.app.Object = manifest.Object{"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": map[string]any{"name": "shop", "namespace": "argocd"}}
	w.app.Spec = app.Spec{Project: "default", Source: &app.Source{RepoURL: "r", Path: "p"}, Destination: app.Destination{Server: "https://k", Namespace: "prod"}}
	if manifests != "" {
		w.desired = objects(t, manifests)
	}
	return w
}

func (w *world) scope(k manifest.Kind) (namespaced, known bool) {
	namespaced = !slices.Contains([]string{"Namespace", "CustomResourceDefinition", "ClusterRole"}, k.Kind)
	return namespaced, !w.unknown[k.Kind]
}

func (w *world) assess(o manifest.Object) app.Health {
	status, ok := w.health[o.Name()]
	if !ok {
		for name, s := range w.health {
			if strings.HasSuffix(name, "*") && strings.HasPrefix(o.Name(), strings.TrimSuffix(name, "*")) {
				status = s
			}
		}
	}
	return app.Health{Status: status}
}

func (w *world) compare() app.Comparison {
	return app.Compare(app.Comparing{
		App: w.app, Tracking: w.tracking, Desired: app.Desired{Objects: w.desired}, Live: app.Live{Objects: w.live}, Scope: w.scope, Health: w.assess,
	})
}

// begin starts an operation.
func (w *world) begin(op app.SyncOperation) {
	w.state = app.Begin(w.app, app.Operation{Sync: &op}, w.now).Resolved(w.app, w.app.Spec.All(), []string{"0123456789abcdef"})
	w.answers, w.applied, w.log = nil, time.Time{}, nil
}

// step is one decision and what the cluster makes of it.
func (w *world) step() app.SyncDecision {
	d := app.Next(app.Syncing{
		App: w.app, Operation: w.state.Operation, State: w.state, Comparison: w.compare(), Answered: w.answers, Health: w.assess, Scope: w.scope,
		Now: w.now, Namespace: w.space, Applied: w.applied, WaveDelay: w.delay, Tracking: w.tracking,
	})
	w.answers = nil
	for _, a := range d.Actions {
		w.answers = append(w.answers, w.do(a))
	}
	w.state, w.applied = d.State, d.Applied
	w.now = w.now.Add(time.Second)
	return d
}

func (w *world) do(a app.SyncAction) app.Answer {
	switch a := a.(type) {
	case app.Apply:
		return w.apply(a)
	case app.Remove:
		return w.remove(a)
	case app.Release:
		o := w.live[a.Key]
		if o == nil {
			return app.Answer{Action: a, Err: &manifest.Refusal{Code: 404, Reason: manifest.ReasonNotFound}}
		}
		o = o.Copy()
		var left []any
		for _, f := range o.List("metadata", "finalizers") {
			if f != a.Finalizer {
				left = append(left, f)
			}
		}
		o.Set(left, "metadata", "finalizers")
		w.live[a.Key] = o
		w.collect(a.Key)
		return app.Answer{Action: a, Object: o}
	}
	w.t.Fatalf("an unknown action %T", a)
	return app.Answer{}
}

func (w *world) apply(a app.Apply) app.Answer {
	k := a.Object.Key()
	note := "apply "
	if a.DryRun {
		note = "test "
	}
	w.log = append(w.log, note+a.Object.Name())
	if err := w.refuse[a.Object.Name()]; err != nil && (!a.DryRun || errors.Is(err, errInvalid)) {
		return app.Answer{Action: a, Err: err}
	}
	o := a.Object.Copy()
	if old := w.live[k]; old != nil {
		o.Set(old.UID(), "metadata", "uid")
	} else {
		w.revision++
		o.Set("uid-"+strconv.Itoa(w.revision), "metadata", "uid")
	}
	w.revision++
	o.Set(strconv.Itoa(w.revision), "metadata", "resourceVersion")
	o.SetAnnotation(app.AnnotationLastApplied, string(a.Object.JSON()))
	if a.DryRun {
		return app.Answer{Action: a, Object: o}
	}
	if k.Kind == "Namespace" && k.Name == "prod" {
		w.space = o
	} else {
		w.live[k] = o
	}
	return app.Answer{Action: a, Object: o}
}

var errInvalid = &manifest.Refusal{Code: 422, Reason: manifest.ReasonInvalid, Message: "it is invalid"}

func (w *world) remove(a app.Remove) app.Answer {
	w.log = append(w.log, "remove "+a.Key.Name)
	o := w.live[a.Key]
	if o == nil || a.UID != "" && o.UID() != a.UID {
		return app.Answer{Action: a, Err: &manifest.Refusal{Code: 404, Reason: manifest.ReasonNotFound}}
	}
	o = o.Copy()
	o.Set(w.now.Format(time.RFC3339), "metadata", "deletionTimestamp")
	w.live[a.Key] = o
	w.collect(a.Key)
	return app.Answer{Action: a}
}

// collect lets go of an object that is deleted and that nothing holds.
func (w *world) collect(k manifest.Key) {
	if o := w.live[k]; o != nil && o.Deleting() && len(o.List("metadata", "finalizers")) == 0 && !w.stuck[k.Name] {
		delete(w.live, k)
	}
}

// run goes on until the operation has ended, at most n steps.
func (w *world) run(n int) app.OperationState {
	w.t.Helper()
	for range n {
		if w.step(); w.state.Phase.Completed() {
			break
		}
	}
	return w.state
}

// names are the live objects.
func (w *world) names() []string {
	var out []string
	for k := range maps.Keys(w.live) {
		out = append(out, k.Name)
	}
	slices.Sort(out)
	return out
}

// done are the entries of the log that were no tests.
func (w *world) done() []string {
	var out []string
	for _, l := range w.log {
		if !strings.HasPrefix(l, "test ") {
			out = append(out, l)
		}
	}
	return out
}

// results are the results in a line each: name phase status hookPhase message.
func (w *world) results() []string {
	var out []string
	if w.state.SyncResult != nil {
		for _, r := range w.state.SyncResult.Resources {
			out = append(out, fmt.Sprintf("%s %s %s %s: %s", r.Name, r.SyncPhase, r.Status, r.HookPhase, r.Message))
		}
	}
	return out
}

// config is a ConfigMap with annotations.
func config(name string, annotations ...string) string {
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + "\n"
	if len(annotations) > 0 {
		text += "  annotations:\n"
		for _, a := range annotations {
			k, v, _ := strings.Cut(a, "=")
			text += fmt.Sprintf("    %s: %q\n", full(k), v)
		}
	}
	return text + "data: {a: b}"
}

func full(short string) string {
	if strings.Contains(short, "/") {
		return short
	}
	return "argocd.argoproj.io/" + short
}

func stream(docs ...string) string { return strings.Join(docs, "\n---\n") }
