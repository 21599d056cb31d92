package workflow_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden reads each case and compares the mistakes, and the typed file where the case has a place for it.
func TestGolden(t *testing.T) {
	for _, path := range goldens(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var changed bool
			var model any
			var faults fault.Faults
			for i := range archive.Files {
				file := &archive.Files[i]
				var got string
				switch file.Name {
				case "ci.yml":
					model, faults = workflow.Read(file.Name, file.Data)
					continue
				case "action.yml":
					model, faults = workflow.ReadAction(file.Name, file.Data)
					continue
				case "mistakes":
					got = lines(faults)
				case "file":
					got = dump(model)
				default:
					t.Fatalf("unknown part %q", file.Name)
				}
				if got != string(file.Data) {
					if *update {
						file.Data, changed = []byte(got), true
						continue
					}
					t.Errorf("%s\ngot:\n%s\nwant:\n%s", file.Name, got, file.Data)
				}
			}
			if changed {
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func goldens(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("no golden cases", err)
	}
	return paths
}

// sources are the files of the golden cases, by the name they are read as.
func sources(t testing.TB, name string) [][]byte {
	t.Helper()
	var out [][]byte
	for _, path := range goldens(t) {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range archive.Files {
			if file.Name == name {
				out = append(out, file.Data)
			}
		}
	}
	return out
}

// TestGoldenCoversEveryKey holds that no key of the tables and no event is without a case.
func TestGoldenCoversEveryKey(t *testing.T) {
	check := func(file string, names []string) {
		var all strings.Builder
		for _, src := range sources(t, file) {
			all.Write(src)
		}
		for _, name := range names {
			if !strings.HasPrefix(name, "<") && !strings.Contains(all.String(), name) {
				t.Errorf("no golden case uses %s", name)
			}
		}
	}
	var names []string
	for _, k := range workflow.Keys {
		names = append(names, k.Name())
	}
	for _, e := range workflow.Events {
		names = append(names, e.Name)
	}
	for _, s := range workflow.PermissionScopes {
		names = append(names, s.Name)
	}
	check("ci.yml", names)
	names = nil
	for _, k := range workflow.ActionKeys {
		names = append(names, k.Name())
	}
	check("action.yml", names)
}

func lines(faults fault.Faults) string {
	var b strings.Builder
	for _, f := range faults {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}

// dump prints every value of a model that is not zero, one a line, without places. A text with expressions has ${} behind it.
func dump(model any) string {
	var b strings.Builder
	dumpValue(&b, "", reflect.ValueOf(model).Elem())
	return b.String()
}

func dumpValue(b *strings.Builder, path string, v reflect.Value) {
	switch value := v.Interface().(type) {
	case workflow.Text:
		if value.Set {
			mark := ""
			if value.Dynamic() {
				mark = " ${}"
			}
			fmt.Fprintf(b, "%s = %q%s\n", path, value.Value, mark)
		}
		return
	case workflow.Named:
		dumpValue(b, path+"."+value.Name.Value, reflect.ValueOf(value.Value))
		return
	case *workflow.Condition:
		if value != nil {
			fmt.Fprintf(b, "%s = %s\n", path, value.Cond.Expr())
		}
		return
	case *yamlx.Node:
		if strings.HasSuffix(path, "]") && value != nil { // a value of a matrix
			json, _ := value.MarshalJSON()
			fmt.Fprintf(b, "%s = %s\n", path, json)
		}
		return
	case fault.Place:
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			if v.Elem().IsZero() {
				fmt.Fprintf(b, "%s\n", path)
			}
			dumpValue(b, path, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			dumpValue(b, strings.TrimPrefix(path+"."+v.Type().Field(i).Name, "."), v.Field(i))
		}
	case reflect.Slice:
		if v.Len() == 0 && !v.IsNil() {
			fmt.Fprintf(b, "%s = []\n", path)
		}
		for i := range v.Len() {
			dumpValue(b, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	default:
		if !v.IsZero() {
			fmt.Fprintf(b, "%s = %v\n", path, v)
		}
	}
}
