package lua_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v3/resource_customizations"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/dialect/argo/lua"
	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The tests that Argo CD ships beside its scripts, which hold for Sluice as they are.

var now = time.Date(2026, 3, 1, 12, 30, 5, 0, time.UTC)

// inProcess serves requests as the child process does, by way of JSON, without its walls.
func inProcess(ctx context.Context, r lua.Request) (lua.Answer, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return lua.Answer{}, err
	}
	var there lua.Request
	if err := json.Unmarshal(data, &there); err != nil {
		return lua.Answer{}, err
	}
	data, err = json.Marshal(lua.NewInterpreter().Serve(ctx, there))
	if err != nil {
		return lua.Answer{}, err
	}
	var back lua.Answer
	return back, json.Unmarshal(data, &back)
}

func checker() *lua.Checker {
	return lua.NewChecker(lua.Shipped(), inProcess, func() time.Time { return now })
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := resource_customizations.Embedded.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t *testing.T, text []byte) manifest.Object {
	t.Helper()
	data, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	o, err := manifest.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// each calls do with every file of a name, and the number of tests is at least what Argo CD v3.5.7 has.
func each(t *testing.T, name string, do func(t *testing.T, folder string, data []byte) int, atLeast int) {
	t.Helper()
	tests := 0
	err := fs.WalkDir(resource_customizations.Embedded, ".", func(p string, _ fs.DirEntry, err error) error {
		if err == nil && path.Base(p) == name {
			tests += do(t, path.Dir(p), read(t, p))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d tests", tests)
	if tests < atLeast {
		t.Errorf("only %d tests ran", tests)
	}
}

func TestShippedHealthChecks(t *testing.T) {
	each(t, "health_test.yaml", func(t *testing.T, folder string, data []byte) int {
		var file struct {
			Tests []struct {
				InputPath    string
				HealthStatus health.Result
			}
		}
		if err := yaml.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		for _, test := range file.Tests {
			t.Run(path.Join(folder, test.InputPath), func(t *testing.T) {
				o := parse(t, read(t, path.Join(folder, test.InputPath)))
				script, ok := lua.Shipped().Health(o.Kind())
				if !ok {
					t.Fatal("no script is found")
				}
				got, err := lua.NewInterpreter().Health(t.Context(), now, script, o)
				if err != nil {
					t.Fatal(err)
				}
				if got != test.HealthStatus {
					t.Errorf("got  %+v\nwant %+v", got, test.HealthStatus)
				}
			})
		}
		return len(file.Tests)
	}, 1142)
}

func TestShippedDiscovery(t *testing.T) {
	each(t, "action_test.yaml", func(t *testing.T, folder string, data []byte) int {
		var file struct {
			DiscoveryTests []struct {
				InputPath string
				Result    []lua.Action
			}
		}
		if err := yaml.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		for _, test := range file.DiscoveryTests {
			t.Run(path.Join(folder, test.InputPath), func(t *testing.T) {
				got, err := checker().Discover(t.Context(), parse(t, read(t, path.Join(folder, test.InputPath))))
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range got {
					if !contains(test.Result, a) {
						t.Errorf("got  %+v\nwhich is none of %+v", a, test.Result)
					}
				}
				if len(got) == 0 && len(test.Result) > 0 {
					t.Errorf("nothing was found, of %+v", test.Result)
				}
			})
		}
		return len(file.DiscoveryTests)
	}, 60)
}

func contains(all []lua.Action, a lua.Action) bool {
	for _, b := range all {
		if reflect.DeepEqual(a, b) {
			return true
		}
	}
	return false
}

func TestShippedActions(t *testing.T) {
	each(t, "action_test.yaml", func(t *testing.T, folder string, data []byte) int {
		var file struct {
			ActionTests []struct {
				Action, InputPath, ExpectedOutputPath, ExpectedErrorMessage string
				Parameters                                                  map[string]string
			}
		}
		if err := yaml.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		for _, test := range file.ActionTests {
			t.Run(path.Join(folder, test.Action, test.InputPath), func(t *testing.T) {
				from := parse(t, read(t, path.Join(folder, test.InputPath)))
				got, err := checker().Act(t.Context(), from.Copy(), test.Action, test.Parameters)
				if test.ExpectedErrorMessage != "" {
					if err == nil || !strings.Contains(err.Error(), ": "+test.ExpectedErrorMessage+" [") {
						t.Errorf("got  %v\nwant %s", err, test.ExpectedErrorMessage)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				want := outputs(t, read(t, path.Join(folder, test.ExpectedOutputPath)))
				if len(got) == 0 {
					t.Fatal("nothing is wanted done")
				}
				for _, impact := range got {
					match(t, from, impact, want)
				}
			})
		}
		return len(file.ActionTests)
	}, 105)
}

// outputs are the objects of a file of expected ones: one object, or a list of {unstructuredObj: …}.
func outputs(t *testing.T, data []byte) []manifest.Object {
	t.Helper()
	if data[0] != '-' {
		return []manifest.Object{parse(t, data)}
	}
	var out []manifest.Object
	whole := parse(t, append([]byte("all:\n"), data...))
	for _, e := range whole.List("all") {
		out = append(out, manifest.Object(e.(map[string]any)).Sub("unstructuredObj"))
	}
	return out
}

// match finds the expected object that an impact is, and compares as Argo CD's test does: all that is expected is there.
// Names that hold the time are compared up to it, and so are the fields that hold the time.
func match(t *testing.T, from manifest.Object, impact lua.Impact, want []manifest.Object) {
	t.Helper()
	got := impact.Object
	for _, w := range want {
		if w.Kind() != got.Kind() || w.Namespace() != got.Namespace() {
			continue
		}
		if impact.Operation == lua.Create && strings.HasPrefix(w.Name(), from.Name()) && strings.HasPrefix(got.Name(), from.Name()) {
			got.Set(w.Name(), "metadata", "name")
		}
		if w.Name() != got.Name() {
			continue
		}
		if w.Kind().Kind == "Deployment" { // the cluster's answer, also for Argo CD's own test
			w.Drop("status")
			w.Drop("metadata", "generation")
		}
		w, got := timeless(w), timeless(got)
		if path := beyond(map[string]any(w), map[string]any(got)); path != "" {
			t.Errorf("differs at %s\ngot  %s\nwant %s", path, got.JSON(), w.JSON())
		}
		return
	}
	t.Errorf("%s of %s is not expected", impact.Operation, got.Key())
}

// beyond is where want has what got lacks.
func beyond(want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			return "."
		}
		for k, v := range want {
			if p := beyond(v, got[k]); p != "" {
				return "." + k + p
			}
		}
		return ""
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			return "[]"
		}
		for i, v := range want {
			if p := beyond(v, got[i]); p != "" {
				return "[" + strconv.Itoa(i) + "]" + p
			}
		}
		return ""
	default:
		if reflect.DeepEqual(want, got) {
			return ""
		}
		return "."
	}
}

// timeless is a copy without nulls, empty maps and lists, in which every text that looks like a time is the same.
func timeless(o manifest.Object) manifest.Object {
	var clean func(v any) any
	clean = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			out := map[string]any{}
			for k, e := range v {
				if e = clean(e); e != nil {
					out[k] = e
				}
			}
			if len(out) == 0 {
				return nil
			}
			return out
		case []any:
			if len(v) == 0 {
				return nil
			}
			out := make([]any, len(v))
			for i, e := range v {
				out[i] = clean(e)
			}
			return out
		case string:
			text := strings.TrimPrefix(v, "By Argo CD at: ")
			for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04:05.000Z"} {
				if _, err := time.Parse(layout, text); err == nil {
					return strings.TrimSuffix(v, text) + "TIME"
				}
			}
			return v
		case float64:
			if v == float64(int64(v)) {
				return int64(v)
			}
		}
		return v
	}
	out, _ := clean(maps.Clone(map[string]any(o))).(map[string]any)
	return out
}
