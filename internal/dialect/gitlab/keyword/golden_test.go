package keyword_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// read reads a pipeline text as package config would hand it over when there is nothing to include or extend.
func read(src []byte) (*keyword.File, fault.Faults) {
	var faults fault.List
	docs := yamlx.Parse(src, yamlx.Options{File: "ci.yml"}, &faults)
	var root *yamlx.Node
	if len(docs) > 0 {
		root = docs[0]
	}
	f := keyword.Read(root, &faults)
	return f, faults.Sorted()
}

// TestGolden reads each case and compares the mistakes, and the typed file where the case has a place for it.
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("no golden cases", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var changed bool
			var f *keyword.File
			var faults fault.Faults
			for i := range archive.Files {
				file := &archive.Files[i]
				var got string
				switch file.Name {
				case "ci.yml":
					f, faults = read(file.Data)
					continue
				case "mistakes":
					got = lines(faults)
				case "file":
					got = dump(f)
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

// TestGoldenCoversEveryKeyword holds that no keyword of the table is without a case.
func TestGoldenCoversEveryKeyword(t *testing.T) {
	var all bytes.Buffer
	paths, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(archive.Files[0].Data)
	}
	text := all.String()
	for _, k := range keyword.Table() {
		if k.In&(keyword.InHeader|keyword.InInclude) != 0 || k.Name() == "<name>" {
			continue // read by package config
		}
		if !strings.Contains(text, k.Name()+":") {
			t.Errorf("no golden case uses %s", k.Path)
		}
	}
}

func lines(faults fault.Faults) string {
	var b strings.Builder
	for _, f := range faults {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}

// dump prints every value of a file that is not zero, one a line, without places.
func dump(f *keyword.File) string {
	var b strings.Builder
	dumpValue(&b, "file", reflect.ValueOf(f).Elem())
	return b.String()
}

func dumpValue(b *strings.Builder, path string, v reflect.Value) {
	switch value := v.Interface().(type) {
	case keyword.Text:
		if value.Value != "" {
			fmt.Fprintf(b, "%s = %q\n", path, value.Value)
		}
		return
	case fault.Place, *expr.Expr, *yamlx.Node:
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			if v.Kind() == reflect.Interface {
				fmt.Fprintf(b, "%s = %#v\n", path, v.Interface())
				return
			}
			dumpValue(b, path, v.Elem())
		}
	case reflect.Slice:
		if v.Len() == 0 && !v.IsNil() {
			fmt.Fprintf(b, "%s = []\n", path)
		}
		for i := range v.Len() {
			dumpValue(b, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				dumpValue(b, path+"."+field.Name, v.Field(i))
			}
		}
	default:
		if !v.IsZero() {
			fmt.Fprintf(b, "%s = %v\n", path, v.Interface())
		}
	}
}
