package objects_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"sigs.k8s.io/yaml"
)

// The methods that the engines ask of a cluster (engine/deliver.Cluster).
var _ interface {
	Get(ctx context.Context, kind manifest.Kind, namespace, name string) (manifest.Object, error)
	List(ctx context.Context, kind manifest.Kind, namespace, selector string) ([]manifest.Object, error)
	Create(ctx context.Context, o manifest.Object, w manifest.Writing) (manifest.Object, error)
	Update(ctx context.Context, o manifest.Object, sub string, w manifest.Writing) (manifest.Object, error)
	Patch(ctx context.Context, kind manifest.Kind, namespace, name string, p manifest.Patch, w manifest.Writing) (manifest.Object, error)
	Delete(ctx context.Context, kind manifest.Kind, namespace, name string, w manifest.Writing) error
	Watch(ctx context.Context, kind manifest.Kind, namespace, selector string, each func(manifest.Change)) error
	Kinds(ctx context.Context) ([]manifest.Discovered, error)
	Version(ctx context.Context) (string, error)
} = (*objects.Store)(nil)

var (
	configMap  = manifest.Kind{Version: "v1", Kind: "ConfigMap"}
	pod        = manifest.Kind{Version: "v1", Kind: "Pod"}
	namespace  = manifest.Kind{Version: "v1", Kind: "Namespace"}
	deployment = manifest.Kind{Group: "apps", Version: "v1", Kind: "Deployment"}
	rollout    = manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}
	nothing    = manifest.Writing{}
)

func open(t testing.TB, c objects.Config) *objects.Store {
	t.Helper()
	s, err := objects.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func object(t testing.TB, text string) manifest.Object {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o, err := manifest.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func config(t testing.TB, n string) manifest.Object {
	return object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: "+n+", labels: {a: b}}, data: {k: v}}")
}

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "nginx:1", ports: [{containerPort: 80}], env: [{name: A, value: "1"}]}
`

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestWhatIsCreatedHasWhatAServerGives(t *testing.T) {
	s := open(t, objects.Config{})
	o := must[manifest.Object](t)(s.Create(t.Context(), object(t, web), manifest.Writing{Manager: "me"}))
	if o.UID() == "" || o.Revision() == "" || o.Namespace() != "default" || o.Int(0, "metadata", "generation") != 1 {
		t.Errorf("metadata: %v", o["metadata"])
	}
	for path, want := range map[string]string{
		"spec.strategy.type":                      "RollingUpdate",
		"spec.strategy.rollingUpdate.maxSurge":    "25%",
		"spec.revisionHistoryLimit":               "10",
		"spec.template.spec.restartPolicy":        "Always",
		"spec.template.spec.containers.0.image":   "nginx:1",
		"metadata.managedFields.0.manager":        "me",
		"spec.template.spec.containers.0.ports.0": "map[containerPort:80 protocol:TCP]",
	} {
		if got := look(o, path); got != want {
			t.Errorf("%s = %s, want %s", path, got, want)
		}
	}
}

// look reads a dotted path, numbers being places in lists.
func look(o manifest.Object, path string) string {
	var v any = map[string]any(o)
	for p := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[p]
		case []any:
			var i int
			if _, err := fmt.Sscan(p, &i); err != nil || i >= len(x) {
				return ""
			}
			v = x[i]
		}
	}
	return fmt.Sprint(v)
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		object string
		reason string
		words  string
	}{
		"a kind that is not served":       {"{apiVersion: example.com/v1, kind: Thing, metadata: {name: a}}", manifest.ReasonNoKind, `no matches for kind "Thing" in version "example.com/v1"`},
		"an old version":                  {"{apiVersion: apps/v1beta1, kind: Deployment, metadata: {name: a}}", manifest.ReasonNoKind, "apps/v1beta1"},
		"no name":                         {"{apiVersion: v1, kind: ConfigMap, metadata: {}}", manifest.ReasonInvalid, "name or generateName is required"},
		"a bad name":                      {"{apiVersion: v1, kind: ConfigMap, metadata: {name: A_b}}", manifest.ReasonInvalid, "metadata.name: Invalid value"},
		"a namespace that is not there":   {"{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: x}}", manifest.ReasonNotFound, `namespaces "x" not found`},
		"a wrong type":                    {"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: 1}}", "BadRequest", "cannot be handled as a ConfigMap"},
		"labels that the selector misses": {strings.Replace(web, "metadata: {labels: {app: web}}", "metadata: {labels: {app: x}}", 1), manifest.ReasonInvalid, "`selector` does not match template `labels`"},
		"a container without a name":      {"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{image: b}]}}", manifest.ReasonInvalid, "spec.containers[0].name: Required value"},
		"a volume that is not there":      {"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: b, volumeMounts: [{name: v, mountPath: /x}]}]}}", manifest.ReasonInvalid, `volumeMounts[0].name: Not found: "v"`},
		"a job that always restarts":      {"{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {template: {spec: {containers: [{name: b}]}}}}", manifest.ReasonInvalid, "restartPolicy: Unsupported value"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, objects.Config{}).Create(t.Context(), object(t, c.object), nothing)
			if !manifest.Is(err, c.reason) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("got %v, want %s: %s", err, c.reason, c.words)
			}
		})
	}
}

func TestASecretIsInNoRefusal(t *testing.T) {
	s := open(t, objects.Config{})
	for _, o := range []string{"data: {k: hunter2!!}", "data: {k: [hunter2]}", "stringData: {k: {a: hunter2}}"} {
		_, err := s.Create(t.Context(), object(t, "{apiVersion: v1, kind: Secret, metadata: {name: a}, "+o+"}"), manifest.Writing{Validation: "Strict"})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", o, err)
		}
	}
}

func TestAStaleWriteConflicts(t *testing.T) {
	s := open(t, objects.Config{})
	o := must[manifest.Object](t)(s.Create(t.Context(), config(t, "a"), nothing))
	o.Set("1", "data", "x")
	fresh := must[manifest.Object](t)(s.Update(t.Context(), o, "", nothing))
	o.Set("2", "data", "x")
	if _, err := s.Update(t.Context(), o, "", nothing); !manifest.Is(err, manifest.ReasonConflict) {
		t.Errorf("a stale update: %v", err)
	}
	again := must[manifest.Object](t)(s.Update(t.Context(), fresh, "", nothing))
	if again.Revision() != fresh.Revision() {
		t.Errorf("an update that changes nothing has a new revision")
	}
	if _, err := s.Create(t.Context(), config(t, "a"), nothing); !manifest.Is(err, manifest.ReasonExists) {
		t.Errorf("a second create: %v", err)
	}
	dry := must[manifest.Object](t)(s.Patch(t.Context(), configMap, "default", "a", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"data":{"x":"3"}}`)}, manifest.Writing{DryRun: true}))
	if got := must[manifest.Object](t)(s.Get(t.Context(), configMap, "default", "a")); dry.Text("data", "x") != "3" || got.Text("data", "x") != "1" {
		t.Errorf("a dry run: %v, kept %v", dry["data"], got["data"])
	}
}

func TestGenerationCountsTheSpecAlone(t *testing.T) {
	s := open(t, objects.Config{})
	for _, text := range []string{web, "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: web}, spec: {replicas: 1}}"} {
		o := must[manifest.Object](t)(s.Create(t.Context(), object(t, text), nothing))
		step := func(what string, patch string, sub string, want int64) {
			t.Helper()
			o = must[manifest.Object](t)(s.Patch(t.Context(), o.Kind(), "default", "web", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(patch), Sub: sub}, nothing))
			if got := o.Int(0, "metadata", "generation"); got != want {
				t.Errorf("%s after %s: generation %d, want %d", o.Kind(), what, got, want)
			}
		}
		step("a label", `{"metadata":{"labels":{"x":"y"}}}`, "", 1)
		step("the spec", `{"spec":{"replicas":3}}`, "", 2)
		step("the status by the main path", `{"status":{"replicas":7}}`, "", 2)
		if o.Int(0, "status", "replicas") != 0 {
			t.Errorf("the main path changed the status: %v", o["status"])
		}
		step("the status", `{"status":{"replicas":7},"spec":{"replicas":9}}`, "status", 2)
		if o.Int(0, "status", "replicas") != 7 || o.Int(0, "spec", "replicas") != 3 {
			t.Errorf("the status path: %v", o)
		}
		step("the scale", `{"spec":{"replicas":5}}`, "scale", 3)
	}
	app := must[manifest.Object](t)(s.Create(t.Context(), object(t, "{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: a}, spec: {}, status: {x: 1}}"), nothing))
	if app.Int(0, "status", "x") != 1 {
		t.Error("an Application's status is a field as any other, and was dropped")
	}
}

func TestPatches(t *testing.T) {
	s := open(t, objects.Config{})
	must[manifest.Object](t)(s.Create(t.Context(), object(t, web), nothing))
	patch := func(kind, data string) (manifest.Object, error) {
		return s.Patch(t.Context(), deployment, "default", "web", manifest.Patch{Kind: kind, Data: []byte(data)}, nothing)
	}
	o := must[manifest.Object](t)(patch(manifest.StrategicPatch, `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"nginx:2"}]}}}}`))
	if got := look(o, "spec.template.spec.containers.0.env.0.value") + look(o, "spec.template.spec.containers.0.image"); got != "1nginx:2" {
		t.Errorf("a strategic patch merges containers by name: %s", got)
	}
	o = must[manifest.Object](t)(patch(manifest.JSONPatch, `[{"op":"replace","path":"/spec/replicas","value":4}]`))
	if o.Int(0, "spec", "replicas") != 4 {
		t.Error("a JSON patch")
	}
	if _, err := patch(manifest.JSONPatch, `[{"op":"test","path":"/spec/replicas","value":5}]`); !manifest.Is(err, manifest.ReasonInvalid) {
		t.Errorf("a test that fails: %v", err)
	}
	if _, err := patch(manifest.MergePatch, `{"spec":{"selector":{"matchLabels":{"x":"y"}}}}`); !manifest.Is(err, manifest.ReasonInvalid) {
		t.Errorf("an immutable field: %v", err)
	}
	must[manifest.Object](t)(s.Create(t.Context(), object(t, "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: r}, spec: {}}"), nothing))
	if _, err := s.Patch(t.Context(), rollout, "default", "r", manifest.Patch{Kind: manifest.StrategicPatch, Data: []byte("{}")}, nothing); !manifest.Is(err, "UnsupportedMediaType") {
		t.Errorf("a strategic patch of a kind without keys: %v", err)
	}
}

func TestServerSideApplyKeepsOwners(t *testing.T) {
	s := open(t, objects.Config{})
	apply := func(who, text string, force bool) (manifest.Object, error) {
		return s.Patch(t.Context(), deployment, "default", "web", manifest.Patch{Kind: manifest.ApplyPatch, Data: []byte(text), Force: force}, manifest.Writing{Manager: who})
	}
	o := must[manifest.Object](t)(apply("a", web, false))
	first := o.Revision()
	if o = must[manifest.Object](t)(apply("a", web, false)); o.Revision() != first {
		t.Error("the same configuration again made a new revision")
	}
	_, err := apply("b", strings.Replace(web, "replicas: 2", "replicas: 5", 1), false)
	if !manifest.Is(err, manifest.ReasonConflict) || !strings.Contains(err.Error(), `conflict with "a": .spec.replicas`) {
		t.Errorf("another's field: %v", err)
	}
	if o = must[manifest.Object](t)(apply("b", strings.Replace(web, "replicas: 2", "replicas: 5", 1), true)); o.Int(0, "spec", "replicas") != 5 {
		t.Error("force does not take the field")
	}
	o = must[manifest.Object](t)(apply("b", strings.Replace(web, `env: [{name: A, value: "1"}]`, `env: [{name: B, value: "2"}]`, 1), true))
	if got := look(o, "spec.template.spec.containers.0.env"); got != "[map[name:A value:1] map[name:B value:2]]" {
		t.Errorf("env merges by name, and a's stays: %s", got)
	}
	o = must[manifest.Object](t)(apply("a", strings.Replace(web, `, env: [{name: A, value: "1"}]`, "", 1), true))
	if got := look(o, "spec.template.spec.containers.0.env"); got != "[map[name:B value:2]]" {
		t.Errorf("what its owner no longer applies goes: %s", got)
	}
	if got := look(o, "spec.template.spec.containers.0.ports"); !strings.Contains(got, "containerPort:80") {
		t.Errorf("ports are a list by port and protocol: %s", got)
	}
}

func TestApplyPassesOverUnknownFields(t *testing.T) {
	s := open(t, objects.Config{})
	text := strings.Replace(web, "replicas: 2", "replicas: 2\n  nonsense: {a: 1}", 1)
	o := must[manifest.Object](t)(s.Patch(t.Context(), deployment, "default", "web", manifest.Patch{Kind: manifest.ApplyPatch, Data: []byte(text)}, nothing))
	if _, ok := o.At("spec", "nonsense"); ok {
		t.Error("an unknown field was kept")
	}
	_, err := s.Patch(t.Context(), deployment, "default", "web", manifest.Patch{Kind: manifest.ApplyPatch, Data: []byte(text)}, manifest.Writing{Validation: "Strict"})
	if err == nil || !strings.Contains(err.Error(), `unknown field "spec.nonsense"`) {
		t.Errorf("strict: %v", err)
	}
}

// owned is a ConfigMap with owners.
func owned(t testing.TB, n string, owners ...manifest.Object) manifest.Object {
	o := config(t, n)
	var refs []any
	for i, w := range owners {
		refs = append(refs, map[string]any{"apiVersion": w.Text("apiVersion"), "kind": w.Text("kind"), "name": w.Name(), "uid": w.UID(), "controller": i == 0, "blockOwnerDeletion": true})
	}
	o.Set(refs, "metadata", "ownerReferences")
	return o
}

func TestDependentsGoWithTheirOwners(t *testing.T) {
	for how, left := range map[string]string{"Background": "", "Foreground": "", "Orphan": "b c"} {
		t.Run(how, func(t *testing.T) {
			s := open(t, objects.Config{})
			a := must[manifest.Object](t)(s.Create(t.Context(), config(t, "a"), nothing))
			b := must[manifest.Object](t)(s.Create(t.Context(), owned(t, "b", a), nothing))
			must[manifest.Object](t)(s.Create(t.Context(), owned(t, "c", b), nothing))
			if err := s.Delete(t.Context(), configMap, "default", "a", manifest.Writing{Propagation: how}); err != nil {
				t.Fatal(err)
			}
			if got := names(t, s, configMap); got != left {
				t.Errorf("left %q, want %q", got, left)
			}
		})
	}
}

func names(t testing.TB, s *objects.Store, kind manifest.Kind) string {
	var out []string
	for _, o := range must[[]manifest.Object](t)(s.List(t.Context(), kind, "", "")) {
		out = append(out, o.Name())
	}
	return strings.Join(out, " ")
}

func TestAnObjectOfTwoOwnersStaysWithOne(t *testing.T) {
	s := open(t, objects.Config{})
	a := must[manifest.Object](t)(s.Create(t.Context(), config(t, "a"), nothing))
	b := must[manifest.Object](t)(s.Create(t.Context(), config(t, "b"), nothing))
	must[manifest.Object](t)(s.Create(t.Context(), owned(t, "c", a, b), nothing))
	if err := s.Delete(t.Context(), configMap, "default", "a", nothing); err != nil {
		t.Fatal(err)
	}
	c := must[manifest.Object](t)(s.Get(t.Context(), configMap, "default", "c"))
	if w := c.Owners(); len(w) != 1 || w[0].Name != "b" {
		t.Errorf("owners: %v", w)
	}
	late := owned(t, "late", a) // made by one who has not seen yet that its owner went
	must[manifest.Object](t)(s.Create(t.Context(), late, nothing))
	if got := names(t, s, configMap); got != "b c" {
		t.Errorf("what was made for an owner that is gone stays: %s", got)
	}
}

func TestFinalizersHoldADeletion(t *testing.T) {
	s := open(t, objects.Config{})
	o := config(t, "a")
	o.Set([]any{"example.com/wait"}, "metadata", "finalizers")
	must[manifest.Object](t)(s.Create(t.Context(), o, nothing))
	child := must[manifest.Object](t)(s.Get(t.Context(), configMap, "default", "a"))
	must[manifest.Object](t)(s.Create(t.Context(), owned(t, "b", child), nothing))
	if err := s.Delete(t.Context(), configMap, "default", "a", manifest.Writing{Propagation: "Foreground"}); err != nil {
		t.Fatal(err)
	}
	o = must[manifest.Object](t)(s.Get(t.Context(), configMap, "default", "a"))
	if !o.Deleting() || names(t, s, configMap) != "a" {
		t.Fatalf("the owner waits, its dependent does not: %s", names(t, s, configMap))
	}
	o.Set([]any{"example.com/wait", "example.com/more"}, "metadata", "finalizers")
	if _, err := s.Update(t.Context(), o, "", nothing); !manifest.Is(err, manifest.ReasonInvalid) {
		t.Errorf("a new finalizer on what is being deleted: %v", err)
	}
	must[manifest.Object](t)(s.Patch(t.Context(), configMap, "default", "a", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"metadata":{"finalizers":null}}`)}, nothing))
	if got := names(t, s, configMap); got != "" {
		t.Errorf("left: %s", got)
	}
}

func TestARunningPodIsMarkedAndRemovedByWhoRunsIt(t *testing.T) {
	s := open(t, objects.Config{Drains: true})
	_ = must[manifest.Object](t)(s.Create(t.Context(), object(t, "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {nodeName: local, terminationGracePeriodSeconds: 5, containers: [{name: b}]}}"), nothing))
	if err := s.Delete(t.Context(), pod, "default", "a", nothing); err != nil {
		t.Fatal(err)
	}
	p := must[manifest.Object](t)(s.Get(t.Context(), pod, "default", "a"))
	if !p.Deleting() || p.Int(0, "metadata", "deletionGracePeriodSeconds") != 5 {
		t.Fatalf("metadata: %v", p["metadata"])
	}
	none := int64(0)
	if err := s.Delete(t.Context(), pod, "default", "a", manifest.Writing{Grace: &none, UID: "another"}); !manifest.Is(err, manifest.ReasonConflict) {
		t.Errorf("another's uid: %v", err)
	}
	if err := s.Delete(t.Context(), pod, "default", "a", manifest.Writing{Grace: &none}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), pod, "default", "a"); !manifest.NotFound(err) {
		t.Errorf("still there: %v", err)
	}
}

func TestANamespaceTakesWhatItHolds(t *testing.T) {
	s := open(t, objects.Config{})
	must[manifest.Object](t)(s.Create(t.Context(), object(t, "{apiVersion: v1, kind: Namespace, metadata: {name: x}}"), nothing))
	o := config(t, "a")
	o.Set("x", "metadata", "namespace")
	o.Set([]any{"example.com/wait"}, "metadata", "finalizers")
	must[manifest.Object](t)(s.Create(t.Context(), o, nothing))
	if err := s.Delete(t.Context(), namespace, "", "x", nothing); err != nil {
		t.Fatal(err)
	}
	ns := must[manifest.Object](t)(s.Get(t.Context(), namespace, "", "x"))
	if ns.Text("status", "phase") != "Terminating" {
		t.Errorf("phase %s", ns.Text("status", "phase"))
	}
	more := config(t, "b")
	more.Set("x", "metadata", "namespace")
	if _, err := s.Create(t.Context(), more, nothing); !manifest.Is(err, manifest.ReasonForbidden) {
		t.Errorf("a new object in it: %v", err)
	}
	must[manifest.Object](t)(s.Patch(t.Context(), configMap, "x", "a", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"metadata":{"finalizers":null}}`)}, nothing))
	if got := names(t, s, namespace); got != "default kube-system" {
		t.Errorf("namespaces: %s", got)
	}
}

func TestAWatchTellsWhatEntersAndLeavesItsSelector(t *testing.T) {
	s := open(t, objects.Config{})
	must[manifest.Object](t)(s.Create(t.Context(), config(t, "a"), nothing))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got []string
	label := func(v string) {
		must[manifest.Object](t)(s.Patch(t.Context(), configMap, "default", "a", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"metadata":{"labels":{"a":"` + v + `"}}}`)}, nothing))
	}
	steps := []func(){
		func() { label("x") },
		func() { label("b") },
		func() {
			must[manifest.Object](t)(s.Patch(t.Context(), configMap, "default", "a", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"data":{"k":"2"}}`)}, nothing))
		},
		func() { _ = s.Delete(t.Context(), configMap, "default", "a", nothing) },
		cancel,
	}
	err := s.Watch(ctx, configMap, "default", "a=b", func(c manifest.Change) {
		got = append(got, c.Type+" "+c.Object.Text("data", "k"))
		if c.Type != manifest.Bookmark {
			steps[0]()
			steps = steps[1:]
		}
	})
	want := []string{"ADDED v", "BOOKMARK ", "DELETED v", "ADDED v", "MODIFIED 2", "DELETED 2"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v %v, want %v", got, err, want)
	}
}

func TestTheStoreSurvives(t *testing.T) {
	dir := t.TempDir()
	s := open(t, objects.Config{Dir: dir})
	a := must[manifest.Object](t)(s.Create(t.Context(), config(t, "a"), nothing))
	must[manifest.Object](t)(s.Create(t.Context(), owned(t, "b", a), nothing))
	must[manifest.Object](t)(s.Create(t.Context(), config(t, "c"), nothing))
	if err := s.Delete(t.Context(), configMap, "default", "c", nothing); err != nil {
		t.Fatal(err)
	}
	before, _ := json.Marshal(must[[]manifest.Object](t)(s.List(t.Context(), configMap, "", "")))
	if _, err := objects.Open(objects.Config{Dir: dir}); fault.CodeOf(err) != objects.CodeInUse {
		t.Errorf("a second store over the same folder: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "objects.log")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode: %v %v", info.Mode(), err)
	}
	for _, torn := range []string{"", "0000", `12345678 {"rev":99,"change":"ADDED","object":{"apiVersion":"v1","kind":"Config`, "12345678 {}\n"} {
		if err := os.WriteFile(path, append(slices.Clone(whole), torn...), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := objects.Open(objects.Config{Dir: dir})
		if err != nil {
			t.Fatalf("torn %q: %v", torn, err)
		}
		after, _ := json.Marshal(must[[]manifest.Object](t)(s.List(t.Context(), configMap, "", "")))
		if string(before) != string(after) {
			t.Errorf("torn %q: got\n%s\nwant\n%s", torn, after, before)
		}
		if err := s.Delete(t.Context(), configMap, "default", "a", manifest.Writing{DryRun: true}); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	whole[20] ^= 1
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := objects.Open(objects.Config{Dir: dir}); fault.CodeOf(err) != objects.CodeDamaged || !strings.Contains(err.Error(), "objects.log:1:") {
		t.Errorf("a damaged line: %v", err)
	}
}

func TestTheFileIsWrittenAnewWhenItHasGrown(t *testing.T) {
	dir := t.TempDir()
	s := open(t, objects.Config{Dir: dir})
	o := config(t, "a")
	o.Set(strings.Repeat("x", 500<<10), "data", "big")
	must[manifest.Object](t)(s.Create(t.Context(), o, nothing))
	for i := range 30 {
		must[manifest.Object](t)(s.Patch(t.Context(), configMap, "default", "a", manifest.Patch{Kind: manifest.MergePatch, Data: fmt.Appendf(nil, `{"data":{"i":"%d"}}`, i)}, nothing))
	}
	info, err := os.Stat(filepath.Join(dir, "objects.log"))
	if err != nil || info.Size() > 8<<20 {
		t.Errorf("the file has %d bytes (%v)", info.Size(), err)
	}
	want := must[manifest.Object](t)(s.Get(t.Context(), configMap, "default", "a"))
	_ = s.Close()
	got := must[manifest.Object](t)(open(t, objects.Config{Dir: dir}).Get(t.Context(), configMap, "default", "a"))
	if string(got.JSON()) != string(want.JSON()) {
		t.Error("the object is another after the file was written anew")
	}
}

// TestAnyWritesSurvive: whatever is written, a store that is opened again holds the same, and a watch from the beginning
// has told of each change in order.
func TestAnyWritesSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "sluice-objects-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		s, err := objects.Open(objects.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		for range rapid.IntRange(1, 25).Draw(t, "writes") {
			n := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")
			v := rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value")
			o := manifest.Object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": n, "namespace": "default"}, "data": map[string]any{"v": v}}
			switch rapid.IntRange(0, 3).Draw(t, "write") {
			case 0:
				_, err = s.Create(ctx, o, nothing)
			case 1:
				_, err = s.Update(ctx, o, "", nothing)
			case 2:
				_, err = s.Patch(ctx, configMap, "default", n, manifest.Patch{Kind: manifest.ApplyPatch, Data: o.JSON(), Force: true}, manifest.Writing{Manager: v})
			case 3:
				err = s.Delete(ctx, configMap, "default", n, nothing)
			}
			if _, ok := errors.AsType[*manifest.Refusal](err); err != nil && !ok {
				t.Fatal(err)
			}
		}
		want, _ := s.List(ctx, configMap, "", "")
		_ = s.Close()
		again, err := objects.Open(objects.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		got, _ := again.List(ctx, configMap, "", "")
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(got)
		if string(a) != string(b) {
			t.Fatalf("got\n%s\nwant\n%s", b, a)
		}
	})
}
