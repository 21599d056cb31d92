package argo_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/dialect/argo"
	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// TestEveryFieldHasARow holds the table to the types that manifests are read into, both ways.
func TestEveryFieldHasARow(t *testing.T) {
	fields, rows := argo.Missing()
	for _, f := range fields {
		t.Errorf("%s has no row: say what becomes of it in rows_*.go", f)
	}
	for _, r := range rows {
		t.Errorf("the row %s names no field, or one that has a row already", r)
	}
	for _, table := range argo.Tables() {
		for _, r := range table.Rows {
			if r.Support == "" || (r.Support != argo.Works) != (r.Note != "") {
				t.Errorf("%s: %s is %q with the note %q", table.Kinds[0], r.Path, r.Support, r.Note)
			}
		}
	}
}

// TestArgosFieldsAreKnown holds the types to Argo's own definitions: every field of a spec there has one here.
func TestArgosFieldsAreKnown(t *testing.T) {
	roots, _ := filepath.Glob(filepath.Join(moduleCache(), "github.com/argoproj/argo-rollouts@*/manifests/crds"))
	more, _ := filepath.Glob(filepath.Join(moduleCache(), "github.com/argoproj/argo-cd/v3@*/manifests/crds"))
	if len(roots) == 0 || len(more) == 0 {
		t.Skip("the modules of Argo are not in the module cache: scripts/deps test brings them")
	}
	known := map[string]map[string]argo.Row{}
	for _, table := range argo.Tables() {
		rows := map[string]argo.Row{}
		for _, r := range table.Rows {
			rows[r.Path] = r
		}
		for _, k := range table.Kinds {
			known[k] = rows
		}
	}
	looked := 0
	for _, root := range append(roots, more...) {
		files, _ := filepath.Glob(filepath.Join(root, "*-crd.yaml"))
		for _, file := range files {
			kind, spec := definition(t, file)
			if known[kind] == nil {
				t.Errorf("%s: the kind %s has no table", file, kind)
			}
			for _, path := range properties(spec, "spec") {
				looked++
				if !stands(known[kind], path) && !strings.HasPrefix(path, "spec.metrics.provider.") {
					t.Errorf("%s: %s of Argo's definition is not known", kind, path)
				}
			}
		}
	}
	if looked < 10_000 {
		t.Errorf("only %d fields were looked at", looked)
	}
}

func definition(t *testing.T, file string) (kind string, spec map[string]any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var o manifest.Object
	if err := yaml.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	versions := o.List("spec", "versions")
	if len(versions) == 0 {
		t.Fatalf("%s defines no version", file)
	}
	return o.Text("spec", "names", "kind"), manifest.Object(versions[0].(map[string]any)).Sub("schema", "openAPIV3Schema", "properties", "spec")
}

// properties are the paths of a schema, in our way of writing them.
func properties(schema map[string]any, path string) []string {
	for _, through := range []string{"items", "additionalProperties"} {
		if inside, ok := schema[through].(map[string]any); ok {
			return properties(inside, path)
		}
	}
	var out []string
	all, _ := schema["properties"].(map[string]any)
	for name, inside := range all {
		out = append(out, path+"."+name)
		if m, ok := inside.(map[string]any); ok {
			out = append(out, properties(m, path+"."+name)...)
		}
	}
	return out
}

// stands reports whether a path is a field's, or is inside of one that is not looked into, or that has the fields of
// another.
func stands(rows map[string]argo.Row, path string) bool {
	for range 10 { // generators stand in generators
		if _, ok := rows[path]; ok {
			return true
		}
		moved := false
		for at := path; at != "spec" && !moved; at = at[:strings.LastIndex(at, ".")] {
			r, ok := rows[at]
			switch {
			case !ok:
				continue
			case r.As != "":
				path, moved = r.As+path[len(at):], true
			default:
				deeper := func(other string) bool { return strings.HasPrefix(other, at+".") }
				for other := range rows {
					if deeper(other) {
						return false // its fields are listed, and this is none of them
					}
				}
				return true
			}
		}
		if !moved {
			return false
		}
	}
	return false
}

// TestRefusedFieldsAreRefused writes each refused field into an object that is good without it.
func TestRefusedFieldsAreRefused(t *testing.T) {
	bare := map[string]string{
		"Application":      `{spec: {project: p, source: {repoURL: "https://git.example/x.git", path: x}, destination: {name: in-cluster}}}`,
		"AppProject":       `{spec: {sourceRepos: ["*"]}}`,
		"ApplicationSet":   `{spec: {generators: [{list: {elements: []}}], template: {metadata: {name: x}, spec: {}}}}`,
		"Rollout":          `{spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}, strategy: {canary: {stableService: s, canaryService: c}}}}`,
		"AnalysisTemplate": `{spec: {metrics: [{name: m, provider: {prometheus: {address: "http://p", query: up}}}]}}`,
		"Experiment":       `{spec: {}}`,
	}
	lists := []string{"generators", "metrics", "steps", "sources"}
	for _, table := range argo.Tables() {
		kind := table.Kinds[0]
		refusals := 0
		for _, r := range table.Rows {
			if r.Support != argo.Refused && r.Tell == "" {
				continue
			}
			refusals++
			var o manifest.Object
			if err := yaml.Unmarshal([]byte(bare[kind]), &o); err != nil {
				t.Fatal(err)
			}
			o["apiVersion"], o["kind"], o["metadata"] = "argoproj.io/v1alpha1", kind, map[string]any{"name": "x"}
			before := check("x.yaml", o.JSON())
			if before.HasErrors() {
				t.Fatalf("%s: %v", kind, before)
			}
			put(o, strings.Split(r.Path, "."), lists, r.Path)
			found := check("x.yaml", o.JSON())
			if r.Support == argo.Refused && !found.HasErrors() || len(found) == 0 {
				t.Errorf("%s: %s is said to be %s (told as %q), and it is found %v", kind, r.Path, r.Support, r.Tell, found)
			}
		}
		if refusals == 0 && kind != "Experiment" {
			t.Errorf("%s: nothing is refused", kind)
		}
	}
}

// put writes something at a path; lists on the way get an item.
func put(at map[string]any, path, lists []string, whole string) {
	name := path[0]
	if len(path) == 1 {
		switch {
		case strings.HasSuffix(whole, "permitOnlyProjectScopedClusters"):
			at[name] = true
		case slices.Contains([]string{"roles", "signatureKeys"}, name):
			at[name] = []any{map[string]any{"name": "x"}}
		case name == "apiVersions":
			at[name] = []any{"v1"}
		case name == "version" || name == "kubeVersion" || name == "name":
			at[name] = "x"
		default:
			at[name] = map[string]any{"name": "x"}
		}
		return
	}
	if slices.Contains(lists, name) {
		list, _ := at[name].([]any)
		if len(list) == 0 {
			list = []any{map[string]any{}}
		}
		put(list[0].(map[string]any), path[1:], lists, whole)
		at[name] = list
		return
	}
	inside, ok := at[name].(map[string]any)
	if !ok {
		inside = map[string]any{}
	}
	at[name] = inside
	put(inside, path[1:], lists, whole)
}

// TestWords holds the lists of words to what the models do with them.
func TestWords(t *testing.T) {
	object := func(kind, annotation, value string) manifest.Object {
		o := manifest.Object{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": "x"}}
		o.SetAnnotation(annotation, value)
		return o
	}
	for _, r := range argo.Hooks {
		if got := application.Hooks(object("Pod", application.AnnotationHook, r.Path)); !slices.Equal(got, []string{r.Path}) {
			t.Errorf("the hook %s is %v", r.Path, got)
		}
		if _, helm, ok := strings.Cut(r.Note, "Helm: "); ok && r.Path != "Skip" {
			for h := range strings.SplitSeq(helm, ", ") {
				if got := application.Hooks(object("Pod", "helm.sh/hook", h)); !slices.Equal(got, []string{r.Path}) {
					t.Errorf("Helm's hook %s is %v", h, got)
				}
			}
		}
	}
	for _, r := range argo.Providers {
		text := fmt.Sprintf("apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: x}\nspec: {metrics: [{name: m, provider: {%s: {}}}]}\n", r.Path)
		refused := slices.ContainsFunc(check("x.yaml", []byte(text)), func(f *fault.Fault) bool { return f.Code == analysis.CodeProvider })
		if refused != (r.Support == argo.Refused) {
			t.Errorf("the provider %s is said to be %s", r.Path, r.Support)
		}
	}
	for _, r := range argo.HealthKinds[:len(argo.HealthKinds)-1] {
		group, kind, ok := strings.Cut(r.Path, "/")
		if !ok {
			group, kind = "", r.Path
		}
		if !health.BuiltIn(manifest.Kind{Group: group, Version: "v1", Kind: kind}) && !health.BuiltIn(manifest.Kind{Group: group, Version: "v1alpha1", Kind: kind}) {
			t.Errorf("nothing built in assesses %s", r.Path)
		}
	}
}
